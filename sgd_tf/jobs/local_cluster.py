"""The embedded cluster: `python -m sgd_tf.jobs.local_cluster` runs workers until its input closes."""

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import multiprocessing
import os
import shutil
import signal
import tempfile
from typing import Any, NoReturn

import dask
import psutil
from distributed import LocalCluster, Security

from sgd_tf.children import end_with_parent, kill_tree
from sgd_tf.jobs import settings
from sgd_tf.jobs.dask_internals import CPU_COUNT, parse_bytes

NICENESS = 5  # of all processes here: a server with thirty learners goes before the one race that trains

# What a training run needs of dask: a hard limit on a worker's memory, nothing that spills, pauses, steals or
# samples while a race is on, and short logs.
CONFIG: dict[str, Any] = {  # names below "distributed."
    "scheduler.allowed-failures": 0,  # the server decides whether a job is run again
    "scheduler.work-stealing": False,
    "scheduler.active-memory-manager.start": False,
    "scheduler.events-cleanup-delay": "1 minute",
    "scheduler.http.routes": [],
    "worker.http.routes": [],
    "worker.memory.target": False,
    "worker.memory.spill": False,
    "worker.memory.pause": False,
    "worker.memory.terminate": 0.95,
    "worker.profile.enabled": False,
    "worker.daemon": False,  # a job may start processes of its own
    # Nannies replace dead workers. This timer looks, that long after a death, whether the worker is there; when it
    # has just died again, the timer would close its nanny, and nobody would replace it any more.
    "deploy.lost-worker-timeout": "1000 days",
    "admin.tick.interval": "500ms",  # 20 ms by default: 50 times a second beside the training
    "admin.system-monitor.interval": "2s",
    "admin.log-length": 100,
    "admin.low-level-log-length": 200,  # messages that are kept of each topic
    "admin.system-monitor.log-length": 100,
    "admin.system-monitor.gil.enabled": False,
    "diagnostics.computations.max-history": 1,
    "diagnostics.erred-tasks.max-history": 1,
    "diagnostics.nvml": False,
}


def worker_environment(num_cores: int) -> dict[str, str]:
    """Environment variables that limit a worker's libraries to ``num_cores`` cores."""
    share = dict.fromkeys(
        ["TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"],
        str(num_cores),
    )
    return {
        **share,
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # several workers may share one GPU
        # At our abrupt end multiprocessing's own helper process tidies up, and would say so.
        "PYTHONWARNINGS": "ignore:resource_tracker:UserWarning",
    }


def main() -> None:
    """Start the cluster, print address and credentials as a line of JSON, and wait for the end of standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--workers", type=int, help="number of worker processes")
    parser.add_argument("--memory-limit", help='of one worker, e.g. "4GB"')
    parser.add_argument("--directory", help="of the workers' files; removed at the end")
    arguments = parser.parse_args()
    if hasattr(os, "nice"):  # not on Windows
        os.nice(NICENESS)

    num_workers, num_cores = settings.plan(CPU_COUNT, arguments.workers)
    limit = arguments.memory_limit
    memory_limit = parse_bytes(limit) if limit else settings.default_memory(num_workers)

    cluster: LocalCluster | None = None
    directory = arguments.directory or tempfile.mkdtemp(prefix="sgd-tf-jobs-")
    os.environ["TMPDIR"] = tempfile.tempdir = directory  # also for what the workers leave when they are killed

    def leave(*_: object) -> NoReturn:
        """End this process and the workers within moments, whatever they are busy with."""
        for nanny in cluster.workers.values() if cluster else ():
            nanny.close_gracefully()  # sets its status: it starts no worker for the one that dies now
        for child in multiprocessing.active_children():
            with contextlib.suppress(psutil.NoSuchProcess):
                kill_tree(psutil.Process(child.pid))
        shutil.rmtree(directory, ignore_errors=True)
        os._exit(0)  # not sys.exit: an orderly end waits for what may hang

    caller_gone = end_with_parent(leave)
    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the server, and its end closes our input

    # Address and credentials go to the caller. What the jobs print goes where errors go: nobody reads the pipe again,
    # and a full one would block them.
    with os.fdopen(os.dup(1), "w") as caller:
        os.dup2(2, 1)
        for name, value in worker_environment(num_cores).items():
            os.environ.setdefault(name, value)
        # Dask runs what reaches it. The certificate signs itself and is its own authority, so that whoever holds its
        # key is let in and nobody else; the workers get it through the pipes of their start.
        security = Security.temporary()
        cluster = _start(num_workers, memory_limit, directory, security)
        credentials = {name: getattr(security, name) for name in ("tls_ca_file", "tls_client_cert", "tls_client_key")}
        print(json.dumps({"address": cluster.scheduler_address, "credentials": credentials}), file=caller)
    caller_gone.join()


def _start(num_workers: int, memory_limit: int, directory: str, security: Security) -> LocalCluster:
    dask.config.set({f"distributed.{name}": value for name, value in CONFIG.items()})
    return LocalCluster(
        n_workers=num_workers,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        security=security,
        memory_limit=memory_limit,
        local_directory=directory,
        dashboard_address=None,
        scheduler_kwargs={"dashboard": False, "dashboard_address": "127.0.0.1:0"},
        silence_logs=logging.CRITICAL,
    )


if __name__ == "__main__":
    main()
