"""Long computations in worker processes, apart from the web server that shows them.

The names below are imported when they are first used: `jobs.rows` serves without Dask, too.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgd_tf.jobs.cluster import Cluster, connect
    from sgd_tf.jobs.fair_queue import Learner
    from sgd_tf.jobs.interface import ClusterStatus, JobHandle, JobStatus, WorkerPool
    from sgd_tf.jobs.job import Job
    from sgd_tf.jobs.slices import Slice, SlicedJob
    from sgd_tf.jobs.worker import FailureKind, JobFailure

_MODULES = {
    "cluster": ("Cluster", "connect"),
    "fair_queue": ("Learner",),
    "interface": ("ClusterStatus", "JobHandle", "JobStatus", "WorkerPool"),
    "job": ("Job",),
    "slices": ("Slice", "SlicedJob"),
    "worker": ("FailureKind", "JobFailure"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [
    "Cluster",
    "ClusterStatus",
    "FailureKind",
    "Job",
    "JobFailure",
    "JobHandle",
    "JobStatus",
    "Learner",
    "Slice",
    "SlicedJob",
    "WorkerPool",
    "connect",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"sgd_tf.jobs.{_HOME[name]}"), name)
    raise AttributeError(f"module 'sgd_tf.jobs' has no attribute {name!r}")
