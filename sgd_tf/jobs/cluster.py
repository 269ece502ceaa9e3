"""Worker processes and the queue in front of them, as the pages see both."""

from __future__ import annotations

import atexit
import functools
import threading
from collections.abc import Callable, Iterator
from typing import Any, TypeVarTuple

from sgd_tf.jobs import rows, settings
from sgd_tf.jobs.connection import Connection
from sgd_tf.jobs.dask_internals import dumps
from sgd_tf.jobs.fair_queue import Learner
from sgd_tf.jobs.interface import ClusterStatus
from sgd_tf.jobs.job import Job
from sgd_tf.jobs.table import JobTable
from sgd_tf.jobs.worker import JobFailure, check_function
from sgd_tf.problems import given

Arguments = TypeVarTuple("Arguments")


class Cluster:
    """Worker processes and the queue in front of them.

    The constructor returns at once: the workers start in the background, and jobs may be submitted meanwhile.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        num_workers: int | None = None,
        memory_limit: str | int | None = None,
        abandoned_after: float = 30.0,
        stop_grace: float = 5.0,
    ) -> None:
        """Start the workers, or connect to a scheduler that runs already.

        Args:
            address: address of a running scheduler, e.g. "tcp://10.0.0.5:8786"; None starts workers on this machine.
            num_workers: number of worker processes to start; None for one on every two cores.
            memory_limit: memory limit of each worker to start, in bytes or e.g. "4GB"; None for a share of the
                machine's memory.
            abandoned_after: seconds without a touch after which a job is stopped.
            stop_grace: seconds from the request to stop a job until its worker is killed.
        """
        self._table = JobTable()
        self._connection = Connection(
            self._table,
            address=address,
            num_workers=num_workers,
            memory_limit=memory_limit,
            abandoned_after=abandoned_after,
            stop_grace=stop_grace,
        )

    @property
    def status(self) -> ClusterStatus:
        """Whether a job that is submitted now can begin; "failed" also after `close`."""
        if self.failure is not None or self._table.closed:
            return "failed"
        if not self._connection.living():
            return "starting"
        return "ready" if self._connection.is_warm() else "warming"

    @property
    def failure(self) -> JobFailure | None:
        """Why the status is "failed", or None. Jobs wait as long as the cluster cannot be used."""
        return self._connection.outage or self._connection.failure

    @property
    def num_workers(self) -> int:
        """Number of worker processes now, hence of jobs that can run at the same time."""
        return len(self._connection.living())

    @property
    def memory_limit(self) -> int | None:
        """Memory limit of a worker in bytes, the smallest of all; None if unknown."""
        limits = [worker.memory_limit for worker in self._connection.living() if worker.memory_limit]
        return min(limits, default=None)

    @property
    def num_waiting(self) -> int:
        """Number of queued jobs, all learners."""
        return len(self._table.queue)

    def submit(
        self,
        function: Callable[[*Arguments], Iterator[Any]],
        *args: *Arguments,
        learner: Learner | str,
        seconds_limit: float = 90.0,
        typical_seconds: float | None = None,
    ) -> Job:
        """Put a computation in the queue.

        A tab of a learner has at most one job running and one waiting. The same computation submitted twice is one
        job while it waits or runs: a double click changes nothing. Another computation takes the place of the one
        that waits, which ends as "stopped": the last wish counts.

        Args:
            function: generator function at module level, annotated with the dataclasses of its rows.
            *args: arguments of the function.
            learner: the learner who asks, or a name; learners take turns.
            seconds_limit: time limit; a job that takes longer fails.
            typical_seconds: typical duration of such a job, for the estimate of waiting times; None for
                `seconds_limit`.

        Raises:
            TypeError: if a worker cannot import the function, or an argument or a row cannot travel.
            ValueError: if `seconds_limit` is not above 0.
            RuntimeError: if the cluster was closed.
        """
        if not seconds_limit > 0:
            raise ValueError(f"`seconds_limit` must be above 0; received {seconds_limit!r}.")
        check_function(function)
        job = Job(
            self,
            dumps((function, args)),
            Learner.of(learner),
            rows.codec(function),
            kind=f"{function.__module__}.{function.__qualname__}",
            seconds=typical_seconds or seconds_limit,
            seconds_limit=seconds_limit,
        )
        job._needs = given.named_in(args)
        job = self._table.submit(job)
        self._connection.wake()
        return job

    def warm_up(self, function: Callable[[], Any]) -> None:
        """Run a function once in every worker before its first job, also in a worker that replaces a dead one.

        Returns at once; a second call with the same function does nothing.

        Args:
            function: function at module level without arguments. With a generator function jobs may begin at its
                first `yield`, and go first at each one that follows.

        Raises:
            TypeError: if a worker cannot import it.
        """
        check_function(function)
        self._connection.call(functools.partial(self._connection.set_warm_up, dumps(function)))

    def close(self) -> None:
        """Stop all jobs and end the workers that were started here. May be called twice."""
        with self._table.lock:
            self._table.closed = True
        self._connection.close()


_cluster: Cluster | None = None
_cluster_lock = threading.Lock()


def connect() -> Cluster:
    """The cluster of this process; the first call starts it, and returns at once.

    The environment variable SGD_TF_SCHEDULER holds the address of a running scheduler to use; without it,
    workers start on this machine (SGD_TF_WORKERS of them, each with at most SGD_TF_WORKER_MEMORY).

    Raises:
        ValueError: if one of these variables holds a value out of range.
    """
    global _cluster
    with _cluster_lock:
        if _cluster is None or _cluster._table.closed:
            chosen = settings.from_environment()
            _cluster = Cluster(
                address=chosen.scheduler, num_workers=chosen.num_workers, memory_limit=chosen.worker_memory
            )
            atexit.register(_cluster.close)
        return _cluster
