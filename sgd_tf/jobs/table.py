"""The jobs that wait and the jobs that run, in one place under one lock."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from sgd_tf.jobs.fair_queue import Durations, FairQueue, seconds_until_free

if TYPE_CHECKING:
    from sgd_tf.jobs.interface import JobStatus
    from sgd_tf.jobs.job import Job
    from sgd_tf.jobs.worker import JobFailure

MAX_ATTEMPTS = 2  # a job is run once more after the death of its worker
OVERDUE_SHARE = 0.1  # a job beyond its expected time still needs this share of it, for the estimate


class JobTable:
    """Every job that has not ended; each change of a job's status goes through this. Safe from any thread."""

    def __init__(self) -> None:
        self.lock = threading.RLock()  # guards the queue, the running jobs and the state of all jobs
        self.queue = FairQueue()
        self.running: dict[str, Job] = {}  # job's id → job
        self.closed = False
        self._durations = Durations()

    def submit(self, job: Job) -> Job:
        """Put a job in the queue, in place of another that its tab has there.

        Returns:
            The job; or the one of the same tab that does the same and waits or runs already.

        Raises:
            RuntimeError: if the table was closed.
        """
        with self.lock:
            if self.closed:
                raise RuntimeError("The cluster was closed.")
            waiting = self.queue.of(job.learner.tab)
            for other in (waiting, *self.running.values()):
                if other and (other.learner.tab, other._payload) == (job.learner.tab, job._payload):
                    other.touch()
                    return other
            if waiting:
                self.queue.replace(waiting, job)
                waiting._finish("stopped")
            else:
                self.queue.add(job)
        return job

    def take(self) -> Job | None:
        """The next job of the queue, which now counts as running; None where no job may begin."""
        with self.lock:
            job = self.queue.take(self._running_tabs())
            if job is not None:
                self.running[job.id] = job
                job._begin()
            return job

    def place(self, job: Job) -> int | None:
        """Place of a job in the queue, where 1 is next; None for a job that does not wait."""
        with self.lock:
            order = self.queue.order(self._running_tabs())
            return order.index(job) + 1 if job in order else None

    def seconds_to_start(self, job: Job, num_workers: int) -> float | None:
        """Estimated seconds until a job begins; None for a job that does not wait."""
        with self.lock:
            order = self.queue.order(self._running_tabs())
            if job not in order:
                return None
            running = [
                max(self._expected(other) - other.elapsed, OVERDUE_SHARE * self._expected(other))
                for other in self.running.values()
            ]
            ahead = map(self._expected, order[: order.index(job)])
            return seconds_until_free(running, ahead, max(1, num_workers))

    def untouched(self, seconds: float) -> list[Job]:
        """Jobs that nobody has touched for longer than this."""
        with self.lock:
            jobs = [*self.running.values(), *self.queue.order(())]
        return [job for job in jobs if time.monotonic() - job._touched > seconds]

    def withdraw(self, job: Job) -> None:
        """Take a job that waits out of the queue; it ends as "stopped"."""
        with self.lock:
            if job.status == "waiting":
                self.queue.remove(job)
                job._finish("stopped")

    def conclude(self, job: Job, status: JobStatus, failure: JobFailure | None = None) -> None:
        """End the attempt of a job that runs; the status "waiting" puts the job back, see `run_again`."""
        with self.lock:
            if status == "waiting":
                self.run_again(job, failure)
            elif self.running.pop(job.id, None):
                job._finish(status, failure)
                if status == "done":
                    self._durations.note(job._kind, job._seconds, job.elapsed)

    def run_again(self, job: Job, failure: JobFailure | None) -> None:
        """Put a job back into the queue after the death of its worker: once, and unless it was to stop."""
        with self.lock:
            if job._stop_wanted.is_set():
                self.conclude(job, "stopped")
            elif job.attempt >= MAX_ATTEMPTS:
                self.conclude(job, "failed", failure)
            elif self.running.pop(job.id, None):
                job._status = "waiting"
                self.queue.add(job)

    def conclude_all(self, status: JobStatus, failure: JobFailure | None = None) -> None:
        """End all jobs."""
        with self.lock:
            jobs = [*self.running.values(), *self.queue.clear()]
            self.running.clear()
            for job in jobs:
                job._finish(status, failure)

    def _running_tabs(self) -> set[str]:
        return {job.learner.tab for job in self.running.values()}

    def _expected(self, job: Job) -> float:
        return self._durations.expected(job._kind, job._seconds)
