"""The waiting line: one place per learner, and who has waited longest for a turn comes first."""

from __future__ import annotations

import itertools
from collections import OrderedDict
from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sgd_tf.jobs.manager import Job

MAX_LEARNERS = 1_000  # whose last turn is remembered


class FairQueue:
    """Jobs that wait, in an order that goes round the learners.

    Not thread-safe: the cluster holds its lock around each call.
    """

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._turn = itertools.count(1)
        self._last_turn: OrderedDict[str, int] = OrderedDict()  # learner → number of the turn, oldest first

    def __len__(self) -> int:
        return len(self._jobs)

    def add(self, job: Job) -> None:
        """Put a job at the end of its learner's turn order."""
        self._jobs.append(job)

    def replace(self, old: Job, new: Job) -> None:
        """Put a job in the place of another."""
        self._jobs[self._jobs.index(old)] = new

    def remove(self, job: Job) -> None:
        """Take a job out of the line."""
        self._jobs.remove(job)

    def of(self, learner: str) -> Job | None:
        """The job that the learner has in the line and that no worker has begun yet."""
        return next((job for job in self._jobs if job.learner == learner and job.attempt == 0), None)

    def order(self, running: Collection[str]) -> list[Job]:
        """All jobs in the order in which they will start, as far as it is known now.

        A job whose worker died comes first, since its learner has waited already. Then come the learners who
        never had a turn, then those whose last turn is longest ago; then the order of submitting.

        Args:
            running: the learners who have a job running: their next one waits for its end.
        """
        return sorted(
            self._jobs,
            key=lambda job: (job.learner in running, job.attempt == 0, self._last_turn.get(job.learner, 0)),
        )

    def take(self, running: Collection[str]) -> Job | None:
        """Take out the job to start now, or None where nobody may start."""
        job = next(iter(self.order(running)), None)
        if job is None or job.learner in running:
            return None
        self.remove(job)
        self._last_turn[job.learner] = next(self._turn)
        self._last_turn.move_to_end(job.learner)
        if len(self._last_turn) > MAX_LEARNERS:
            self._last_turn.popitem(last=False)
        return job

    def clear(self) -> list[Job]:
        """Take out all jobs."""
        jobs, self._jobs = self._jobs, []
        return jobs
