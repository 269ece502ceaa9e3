"""The part of a job and of a cluster that pages use; tests check their stand-ins against it.

`Job` and `SlicedJob` are handles of jobs, `Cluster` is a pool of workers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, Protocol, TypeVarTuple

from sgd_tf.jobs.fair_queue import Learner
from sgd_tf.jobs.worker import JobFailure

JobStatus = Literal["waiting", "running", "done", "stopped", "failed"]  # the last three are final
ClusterStatus = Literal["starting", "warming", "ready", "failed"]

Arguments = TypeVarTuple("Arguments")


class JobHandle(Protocol):
    """A submitted computation. All attributes are reads in memory, safe from any thread."""

    @property
    def id(self) -> str:
        """Name of the job, unique."""

    @property
    def status(self) -> JobStatus:
        """State of the job."""

    @property
    def rows(self) -> list[Any]:
        """All rows so far, in the order of the job; the list belongs to the caller."""

    @property
    def attempt(self) -> int:
        """0 before the job begins, then 1; 2 after the death of its worker."""

    @property
    def failure(self) -> JobFailure | None:
        """Why the job failed, or None."""

    @property
    def place(self) -> int | None:
        """Place in the queue, where 1 is next; None unless the job waits."""

    @property
    def seconds_to_start(self) -> float | None:
        """Estimated seconds until the job begins; None unless the job waits."""

    def touch(self) -> None:
        """Report that somebody still wants the job."""

    def stop(self) -> None:
        """End the job; its rows stay."""

    def wait(self, timeout: float | None = None, *, num_rows: float = math.inf) -> bool:
        """Block until the job has ended, has this many rows, or the time is over; return whether it has ended."""


class WorkerPool(Protocol):
    """Worker processes and the queue in front of them."""

    @property
    def status(self) -> ClusterStatus:
        """Whether a job that is submitted now can begin."""

    @property
    def failure(self) -> JobFailure | None:
        """Why the status is "failed", or None."""

    @property
    def num_workers(self) -> int:
        """Number of worker processes now."""

    @property
    def num_waiting(self) -> int:
        """Number of queued jobs, all learners."""

    @property
    def memory_limit(self) -> int | None:
        """Memory limit of a worker in bytes, the smallest of all; None if unknown."""

    def submit(
        self,
        function: Callable[[*Arguments], Iterator[Any]],
        *args: *Arguments,
        learner: Learner | str,
        seconds_limit: float = ...,
        typical_seconds: float | None = None,
    ) -> JobHandle:
        """Put a computation in the queue."""

    def warm_up(self, function: Callable[[], Any]) -> None:
        """Run a function once in every worker before its first job."""
