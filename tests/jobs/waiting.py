"""Waiting for what worker processes do, in the tests of jobs."""

import time

import psutil

MEMORY_LIMIT = "400MB"  # of a worker; an idle one takes about 80 MB


def eventually(condition, timeout=20.0):
    """Wait until `condition()` is true, and return its value; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
    return value


def ended(job, timeout=20.0):
    assert job.wait(timeout), f"{job} did not end in time"
    return job


def is_gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
