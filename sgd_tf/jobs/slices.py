"""A long computation as many short jobs: it takes every idle worker, and lets others have their turn in between."""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVarTuple

from sgd_tf.jobs.fair_queue import Learner

if TYPE_CHECKING:
    from sgd_tf.jobs.interface import JobHandle, JobStatus, WorkerPool
    from sgd_tf.jobs.worker import JobFailure

Rows = list[Any]
Arguments = TypeVarTuple("Arguments")


@dataclass(frozen=True, kw_only=True)
class Slice:
    """One short job."""

    function: Callable[..., Iterator[Any]]  # generator function at module level
    arguments: tuple[Any, ...]

    @classmethod
    def of(cls, function: Callable[[*Arguments], Iterator[Any]], *arguments: *Arguments) -> Slice:
        """The slice that calls ``function`` with these arguments."""
        return cls(function=function, arguments=arguments)


# (rows so far, slices under way, how many may be begun now) → the next one, or None where nothing is left to begin
NextSlice = Callable[[Rows, Sequence[Slice], int], Slice | None]


class SlicedJob:
    """Looks like one `Job`, and is a row of them, several at a time.

    Whoever touches it or asks for its status moves it on: what has ended makes place for the next slice. As long as
    nobody else waits there is a slice for each worker; else one, and each slice is short, so the workers go round.
    """

    def __init__(
        self,
        cluster: WorkerPool,
        next_slice: NextSlice,
        *,
        learner: Learner | str,
        seconds_limit: float,
        typical_seconds: float | None = None,
        rows: Iterable[Any] = (),
    ) -> None:
        """Begin with the first slices.

        Args:
            cluster: the workers.
            next_slice: chooses the next slice; called with a lock held, so it must be quick.
            learner: who asks for the computation, or a name.
            seconds_limit: time limit of each slice.
            typical_seconds: typical duration of a slice; None for `seconds_limit`.
            rows: rows known before the first slice.
        """
        self.id = uuid.uuid4().hex
        self._cluster, self._next_slice = cluster, next_slice
        self._learner, self._seconds_limit, self._typical_seconds = Learner.of(learner), seconds_limit, typical_seconds
        self._lock = threading.RLock()  # several reruns of a page may move it on at once
        self._status: JobStatus | None = None  # once it has ended
        self._failure: JobFailure | None = None
        self._done: Rows = list(rows)
        self._num_known = len(self._done)
        self._under_way: dict[int, tuple[Slice, JobHandle]] = {}  # place → slice and its job
        self._move_on()

    @property
    def status(self) -> JobStatus:
        """Where it stands, as of a `Job`: "waiting" as long as none of its slices runs."""
        with self._lock:
            self._move_on()
            if self._status is not None:
                return self._status
            is_running = any(job.status == "running" for _slice, job in self._under_way.values())
            return "running" if is_running or len(self._done) > self._num_known else "waiting"

    @property
    def rows(self) -> Rows:
        """All rows so far, slice by slice."""
        with self._lock:
            return self._done + [row for _slice, job in self._under_way.values() for row in job.rows]

    @property
    def place(self) -> int | None:
        """Place in the queue of the slice that is next; None where none waits."""
        with self._lock:
            places = [job.place for _slice, job in self._under_way.values()]
        return min((place for place in places if place is not None), default=None)

    @property
    def seconds_to_start(self) -> float | None:
        """About how many seconds the slice that is next still waits; None where none waits."""
        with self._lock:
            times = [job.seconds_to_start for _slice, job in self._under_way.values()]
        return min((seconds for seconds in times if seconds is not None), default=None)

    @property
    def attempt(self) -> int:
        """2 when the worker of a slice died and another began it again."""
        with self._lock:
            return max((job.attempt for _slice, job in self._under_way.values()), default=0)

    @property
    def failure(self) -> JobFailure | None:
        """Why it failed, or None."""
        return self._failure

    @property
    def num_under_way(self) -> int:
        """Slices that wait or run."""
        return len(self._under_way)

    def touch(self) -> None:
        """Say that somebody still wants it, and move it on."""
        with self._lock:
            self._move_on()
            for _slice, job in self._under_way.values():
                job.touch()

    def stop(self) -> None:
        """End it; its rows stay."""
        with self._lock:
            self._end("stopped")

    def wait(self, timeout: float | None = None, *, num_rows: float = math.inf) -> bool:
        """Block until the slices under way have ended, or the time is over.

        Args:
            timeout: seconds to wait at most for each; None for no limit.
            num_rows: rows of a slice that are enough.

        Returns:
            Whether all is done.
        """
        for _slice, job in list(self._under_way.values()):
            job.wait(timeout, num_rows=num_rows)
        return self.status not in ("waiting", "running")

    def _move_on(self) -> None:
        if self._status is not None:
            return
        for place, (_slice, job) in list(self._under_way.items()):
            status = job.status
            if status in ("waiting", "running"):
                continue
            self._done += job.rows
            del self._under_way[place]
            if status != "done":  # stopped: the page was away for so long that it was taken for left
                self._failure = job.failure
                self._end("failed" if status == "failed" else "stopped")
                return
        num_places = self._cluster.num_workers if self._cluster.num_waiting == 0 else 1
        free = [place for place in range(max(1, num_places)) if place not in self._under_way]
        for position, place in enumerate(free):
            under_way = [slice_ for slice_, _job in self._under_way.values()]
            following = self._next_slice(self.rows, under_way, len(free) - position)
            if following is None:
                break
            job = self._cluster.submit(
                following.function,
                *following.arguments,
                # As if from a tab of its own: a question of another page must not wait for a slice, nor take its place.
                learner=replace(self._learner, tab=f"{self._learner.tab}/{self.id}/{place}"),
                seconds_limit=self._seconds_limit,
                typical_seconds=self._typical_seconds,
            )
            self._under_way[place] = following, job
        if not self._under_way:
            self._status = "done"

    def _end(self, status: JobStatus) -> None:
        if self._status is None:
            self._status = status
            for _slice, job in self._under_way.values():
                job.stop()
                self._done += job.rows
            self._under_way.clear()
