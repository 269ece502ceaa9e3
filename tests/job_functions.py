"""Small jobs for test_jobs.py, in a module that the worker processes can import."""

import ctypes
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


def pause(seconds):
    """Let time pass inside a job; other threads of its process run meanwhile."""
    threading.Event().wait(seconds)


def count(num_rows, seconds_between=0.0):
    """Yield `num_rows` numbered rows."""
    for i in range(num_rows):
        if i:
            pause(seconds_between)
        yield {"i": i, "process": os.getpid(), "time": time.time()}


@dataclass(frozen=True)
class Loss:
    value: float
    seeds: tuple[int, ...] = ()


def losses() -> Iterator[Loss]:
    """Yield typed rows, one of a loss that is not a number."""
    yield Loss(0.1, (1, 2))
    yield Loss(math.inf)


def endless(path=None):
    """Yield rows without end; at the end, whatever brings it, write the file `path`."""
    try:
        yield from count(10**9, 0.01)
    finally:
        if path:
            Path(path).write_text("closed")


def until(path, name="", num_bytes=0):
    """Yield rows until the file `path` exists."""
    while not Path(path).exists():
        yield {"process": os.getpid(), "name": name, "num_bytes": num_bytes}
        pause(0.01)


def hang_in_c():
    """Yield a row, then block in C code with the interpreter's lock held, so that no other thread goes on."""
    yield {"process": os.getpid()}
    pause(0.3)  # the row is on its way
    ctypes.PyDLL(None).sleep(1000)  # PyDLL keeps the lock


def die_in_attempts(directory, num_deaths):
    """Yield two rows, kill the own process in the first `num_deaths` attempts, yield a third row."""
    attempt = 1 + len(list(Path(directory).iterdir()))
    yield {"i": 0, "attempt": attempt}
    yield {"i": 1, "attempt": attempt}
    pause(0.3)  # the rows are on their way
    if attempt <= num_deaths:
        (Path(directory) / str(attempt)).touch()
        os.kill(os.getpid(), 9)
    yield {"i": 2, "attempt": attempt}


def allocate():
    """Yield a row, then take memory until somebody ends it."""
    yield {"process": os.getpid()}
    hoard = []
    while True:
        hoard.append(b"x" * 5_000_000)
        pause(0.01)


HOARD = []


def keep(num_bytes):
    """Take memory and keep it for the rest of this process's life."""
    HOARD.append(b"x" * num_bytes)
    yield {"process": os.getpid()}


def fail():
    yield {"i": 0}
    raise ValueError("the file /home/kim/secret/data.csv is odd")


def run_out_of_memory():
    yield {"i": 0}
    raise MemoryError("cannot allocate 80 GB")


def import_missing():
    yield {"i": 0}
    import a_module_that_is_not_there  # noqa: F401


def yield_a_set():
    yield {"losses": {1.0, 2.0}}


def environment(*names):
    yield {name: os.environ.get(name) for name in names}


def warm():
    sys.modules["a_warm_worker"] = sys


def warm_with_memory(num_bytes):
    HOARD.append(b"x" * num_bytes)


def is_warm():
    yield {"warm": "a_warm_worker" in sys.modules, "process": os.getpid()}


def warm_until(path):
    """A warm-up that says beside the file `path` that it has begun, and lasts until that file exists."""
    Path(path).with_name(f"begun-{os.getpid()}").touch()
    while not Path(path).exists():
        pause(0.01)


def warm_in_steps(path):
    """A warm-up whose second step leaves a file with its process beside the file `path`; it dies if that is "death"."""
    warm_until(path)
    yield
    if Path(path).name == "death":
        warm_to_death()
    Path(path).with_name(f"second-{os.getpid()}").touch()
    yield


def second_step(folder):
    yield {"is done": Path(folder, f"second-{os.getpid()}").exists()}


def warm_with_missing_import():
    import a_module_that_is_not_there  # noqa: F401


def warm_to_death():
    os.kill(os.getpid(), 9)
