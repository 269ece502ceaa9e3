"""A job on the server's side: its state, and the rows that have arrived."""

from __future__ import annotations

import asyncio
import math
import threading
import time
import uuid
from typing import TYPE_CHECKING, Any

from sgd_tf.jobs.fair_queue import Learner
from sgd_tf.jobs.interface import JobStatus
from sgd_tf.jobs.rows import Codec
from sgd_tf.jobs.worker import JobFailure
from sgd_tf.problems.given import Given

if TYPE_CHECKING:
    from sgd_tf.jobs.cluster import Cluster


class Job:
    """A submitted computation: the rows it has yielded so far, and its state.

    All attributes are reads in memory, safe from any thread. Names with an underscore are for the cluster.
    """

    def __init__(
        self,
        cluster: Cluster,
        payload: bytes,
        learner: Learner,
        codec: Codec,
        *,
        kind: str,
        seconds: float,
        seconds_limit: float,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.learner = learner
        self.seconds_limit = seconds_limit  # from the start of each attempt
        self._kind, self._seconds = kind, seconds  # name of the function, and its planned seconds
        self._cluster = cluster
        self._lock = cluster._table.lock
        self._payload = payload
        self._needs: list[Given] = []  # problems that the worker must be given before
        self._status: JobStatus = "waiting"
        self._attempt = 0
        self._failure: JobFailure | None = None
        self._codec = codec
        self._rows: list[Any] = []
        self._early: dict[int, list[Any]] = {}  # first row's number → rows that overtook others
        self._started_at: float | None = None
        self._finished_at: float | None = None
        self._start_tick = self._finish_tick = 0.0  # monotonic, for `elapsed`
        self._touched = time.monotonic()
        self._news = threading.Condition(self._lock)  # new rows, or the end
        self._is_over = False
        self._stop_wanted = asyncio.Event()  # for the cluster's loop
        self._rows_came = asyncio.Event()  # for the cluster's loop

    def __repr__(self) -> str:
        return f"<Job {self.id[:8]} {self.status}, {self.num_rows} rows>"

    @property
    def status(self) -> JobStatus:
        """State of the job."""
        return self._status

    @property
    def place(self) -> int | None:
        """Place in the queue, where 1 is next; None unless the job waits."""
        return self._cluster._table.place(self)

    @property
    def seconds_to_start(self) -> float | None:
        """Estimated seconds until the job begins; None unless the job waits."""
        return self._cluster._table.seconds_to_start(self, self._cluster.num_workers)

    @property
    def rows(self) -> list[Any]:
        """All rows so far, in the order of the job; the list belongs to the caller."""
        with self._lock:
            return list(self._rows)

    @property
    def num_rows(self) -> int:
        """Number of rows so far."""
        return len(self._rows)

    @property
    def attempt(self) -> int:
        """0 before the job begins, then 1; 2 after the death of its worker."""
        return self._attempt

    @property
    def failure(self) -> JobFailure | None:
        """Why the job failed, or None."""
        return self._failure

    @property
    def started_at(self) -> float | None:
        """Start of the attempt, in seconds since the epoch; None before."""
        return self._started_at

    @property
    def finished_at(self) -> float | None:
        """End of the job, in seconds since the epoch; None before."""
        return self._finished_at

    @property
    def elapsed(self) -> float:
        """Seconds from the start of the attempt until its end, or until now; 0 before the start."""
        with self._lock:
            if self._started_at is None:
                return 0.0
            return (self._finish_tick if self._is_over else time.monotonic()) - self._start_tick

    def stop(self) -> None:
        """End the job: at once where it waits, within a second where it runs. Its rows stay."""
        self._cluster._table.withdraw(self)
        self._cluster._connection.call(self._stop_wanted.set)

    def touch(self) -> None:
        """Report that somebody still wants the job; without touches it is stopped after a while."""
        self._touched = time.monotonic()

    def wait(self, timeout: float | None = None, *, num_rows: float = math.inf) -> bool:
        """Block until the job has ended, and touch it meanwhile.

        Args:
            timeout: seconds to wait at most; None for no limit.
            num_rows: rows that are enough, also if there are more to come.

        Returns:
            Whether the job has ended.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        with self._news:
            while not self._is_over and len(self._rows) < num_rows and (left := deadline - time.monotonic()) > 0:
                self.touch()
                self._news.wait(min(left, 1.0))
            return self._is_over

    def _begin(self) -> None:
        with self._lock:
            self._status = "running"
            self._attempt += 1
            self._rows.clear()
            self._early.clear()
            self._started_at, self._start_tick = time.time(), time.monotonic()

    def _receive(self, first: int, rows: list[Any]) -> None:
        with self._lock:
            if first >= len(self._rows):  # otherwise a message that came twice
                self._early[first] = rows
            while (following := self._early.pop(len(self._rows), None)) is not None:
                self._rows.extend(map(self._codec.read, following))
            self._news.notify_all()
        self._rows_came.set()

    def _finish(self, status: JobStatus, failure: JobFailure | None = None) -> None:
        with self._lock:
            self._status, self._failure = status, failure
            self._finished_at, self._finish_tick = time.time(), time.monotonic()
            self._payload, self._needs = b"", []
            self._early.clear()
            self._is_over = True
            self._news.notify_all()
