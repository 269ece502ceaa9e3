"""The waiting line: learners take turns, and who has waited longest for a turn comes first."""

from __future__ import annotations

import copy
import heapq
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sgd_tf.jobs.job import Job

MAX_REMEMBERED = 2_000  # tabs and browsers with a remembered last turn
MAX_IN_A_ROW = 3  # turns of one network address while others wait


@dataclass(frozen=True, kw_only=True)
class Learner:
    """Who asks for a job."""

    tab: str  # has at most one job that runs and one that waits
    browser: str  # takes turns: its tabs together count as one learner
    address: str = ""  # network address; "" if unknown. A class may share one

    @classmethod
    def of(cls, learner: Learner | str) -> Learner:
        """A learner of whom only a name is known has one tab."""
        return learner if isinstance(learner, Learner) else cls(tab=learner, browser=learner)


class _Turns:
    """Who had a turn and when. Turns go in rounds; a browser has one in each round."""

    def __init__(self) -> None:
        self._had: OrderedDict[str, tuple[int, int]] = OrderedDict()  # tab or browser → round and number, oldest first
        self._round = self._number = 0  # of the latest turn
        self.address, self.in_a_row = "", 0  # of the latest turn, and how many that address had without a break

    def copy(self) -> _Turns:
        """The same, to be changed apart."""
        twin = copy.copy(self)
        twin._had = self._had.copy()
        return twin

    def last(self, name: str) -> int:
        """Number of the last turn of a tab or a browser; 0 for none."""
        return self._had.get(name, (0, 0))[1]

    def following(self, browser: str) -> tuple[int, int]:
        """The round in which a browser has its next turn, and the number of its last one; the least comes first."""
        round_, number = self._had.get(browser, (-1, 0))
        return max(self._round, round_ + 1), number

    def give(self, learner: Learner) -> None:
        """Let a learner have a turn."""
        self._round, self._number = self.following(learner.browser)[0], self._number + 1
        for name in (learner.tab, learner.browser):
            self._had[name] = self._round, self._number
            self._had.move_to_end(name)
        while len(self._had) > MAX_REMEMBERED:
            self._had.popitem(last=False)
        self.in_a_row = self.in_a_row + 1 if learner.address == self.address else 1
        self.address = learner.address


class FairQueue:
    """Jobs that wait, in an order that goes round the learners.

    Not thread-safe: the cluster holds its lock around each call.
    """

    def __init__(self) -> None:
        self._jobs: list[Job] = []
        self._turns = _Turns()

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

    def of(self, tab: str) -> Job | None:
        """The job that a tab has in the line and that no worker has begun yet."""
        return next((job for job in self._jobs if job.learner.tab == tab and job.attempt == 0), None)

    def order(self, running: Iterable[str]) -> list[Job]:
        """All jobs in the order in which they will start, as far as it is known now.

        A job that lost its worker comes first, since its learner has waited already. The others go in rounds: in each
        a browser has one turn, and the browser with the oldest last turn comes first. But after three turns
        of one network address another address comes, if it waits in that round. So twelve browsers of one learner hold
        up another for three turns, and a class behind one address keeps three turns of four. At the end stand the jobs
        of tabs that have one running.

        Args:
            running: tabs that have a job running.
        """
        tabs = set(running)
        waiting = [job for job in self._jobs if job.learner.tab not in tabs]
        ordered = [job for job in waiting if job.attempt > 0]
        lines: dict[str, list[Job]] = {}
        for job in sorted(waiting, key=lambda job: self._turns.last(job.learner.tab)):
            if job.attempt == 0:
                lines.setdefault(job.learner.browser, []).append(job)
        turns = self._turns.copy()
        while lines:
            line = _line_of_next(lines, turns)
            job = line.pop(0)
            turns.give(job.learner)
            ordered.append(job)
            if not line:
                del lines[job.learner.browser]
        return ordered + [job for job in self._jobs if job.learner.tab in tabs]

    def take(self, running: Iterable[str]) -> Job | None:
        """Take out the job to start now, or None where nobody may start."""
        tabs = set(running)
        job = next(iter(self.order(tabs)), None)
        if job is None or job.learner.tab in tabs:
            return None
        self.remove(job)
        if job.attempt == 0:  # else it had its turn
            self._turns.give(job.learner)
        return job

    def clear(self) -> list[Job]:
        """Take out all jobs."""
        jobs, self._jobs = self._jobs, []
        return jobs


def _line_of_next(lines: Mapping[str, list[Job]], turns: _Turns) -> list[Job]:
    """The jobs of the browser that has the next turn."""
    first = min(lines, key=turns.following)
    if turns.in_a_row < MAX_IN_A_ROW or lines[first][0].learner.address != turns.address:
        return lines[first]
    round_ = turns.following(first)[0]
    others = [
        browser
        for browser, line in lines.items()
        if line[0].learner.address != turns.address and turns.following(browser)[0] == round_
    ]
    return lines[min(others, key=turns.following, default=first)]


def seconds_until_free(running: Iterable[float], ahead: Iterable[float], num_workers: int) -> float:
    """Seconds until a worker is free for the next job in the line.

    Args:
        running: seconds that each job that runs still takes.
        ahead: seconds that each job takes that starts before, in their order.
        num_workers: worker processes, at least 1.

    >>> seconds_until_free([4.0, 10.0], [5.0], num_workers=2)  # the one ahead runs from 4 to 9
    9.0
    """
    left = list(running)
    free = left + [0.0] * (num_workers - len(left))
    heapq.heapify(free)
    for seconds in ahead:
        heapq.heapreplace(free, free[0] + seconds)
    return free[0]


class Durations:
    """How long jobs take: what was planned for them, corrected by how long the latest ones of their kind took."""

    WEIGHT = 0.3  # weight of the latest job

    def __init__(self) -> None:
        self._ratios: dict[str, float] = {}  # kind → seconds it took, per planned second

    def expected(self, kind: str, planned: float) -> float:
        """Seconds that a job will take.

        Args:
            kind: name of its function.
            planned: seconds that it may train.
        """
        return planned * self._ratios.get(kind, 1.0)

    def note(self, kind: str, planned: float, seconds: float) -> None:
        """Learn from a job that has ended by itself."""
        before = self._ratios.get(kind)
        ratio = seconds / planned
        self._ratios[kind] = ratio if before is None else before + self.WEIGHT * (ratio - before)
