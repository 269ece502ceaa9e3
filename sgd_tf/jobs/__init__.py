"""Long computations in worker processes, apart from the web server that shows them."""

from sgd_tf.jobs.fair_queue import Learner
from sgd_tf.jobs.manager import Cluster, ClusterStatus, Job, JobStatus, connect
from sgd_tf.jobs.slices import Slice, SlicedJob
from sgd_tf.jobs.worker import FailureKind, JobFailure

__all__ = [
    "Cluster",
    "ClusterStatus",
    "FailureKind",
    "Job",
    "JobFailure",
    "JobStatus",
    "Learner",
    "Slice",
    "SlicedJob",
    "connect",
]
