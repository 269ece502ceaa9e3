"""Long computations in worker processes, apart from the web server that shows them."""

from sgd_tf.jobs.cluster import Cluster, connect
from sgd_tf.jobs.fair_queue import Learner
from sgd_tf.jobs.interface import ClusterStatus, JobHandle, JobStatus, WorkerPool
from sgd_tf.jobs.job import Job
from sgd_tf.jobs.slices import Slice, SlicedJob
from sgd_tf.jobs.worker import FailureKind, JobFailure

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
