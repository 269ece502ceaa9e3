"""What the measurements say: from rows to the price of the calls, the fastest ways and the fastest k.

Two ways, or two batch sizes, are compared round by round. One is clearly slower if it is slower in at least 4 of 5
rounds and takes 1.1 times as long in the median; with fewer than 3 rounds nothing is clear.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np

from sgd_tf.step_cost.rows import PLAIN_WAYS, WAYS, Row, StepCostPlan, Timing, Way
from sgd_tf.training.counting import iterations_per_epoch

MIN_ROUNDS = 3
AGREEMENT = 0.8  # fraction of the rounds
CLEARLY = 1.1  # ratio of two times; a smaller one counts as none
SOME, MANY = 2.0, 10.0  # ratios from which on the answer is "some" and "many"

Answer = Literal["same", "some", "many"]
Name = TypeVar("Name")
Rounds = Mapping[int, float]  # seconds per epoch by round


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A run that was stopped before `model.fit` and the lab's loop were measured with one k."""


@dataclass(frozen=True, kw_only=True)
class Shortest:
    """The batch sizes with the shortest epoch of one way, by the clock."""

    way: Way
    batch_sizes: tuple[int, ...]  # several if they are too close to tell, in rising order


@dataclass(frozen=True, kw_only=True)
class StepCost:
    """Times at the smallest batch size that was measured, and what they depend on."""

    batch_size: int  # k, the smallest one with a round of `model.fit` and of the lab's loop
    num_updates: int  # per epoch
    seconds: Mapping[Way, float]  # per epoch with this k: medians of the rounds
    ratios: tuple[float, ...]  # time of `model.fit` ÷ time of the lab's loop, of each round
    loop_seconds: float  # time of `model.fit` per update beyond that of the lab's loop: median of the rounds
    num_planned: int  # rounds of the plan
    fastest_plain: tuple[Way, ...]  # of the ways in plain Keras; several if too close to tell; empty if unknown
    gain: float  # time of `model.fit` ÷ time of the fastest plain way, median of the rounds; 1 if that is unknown
    shortest: tuple[Shortest, ...]  # of `model.fit` and of the lab's loop; empty if unknown, or for one k only

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return float(np.median(self.ratios))

    @property
    def is_clear(self) -> bool:
        """Whether the lab's loop is clearly faster than `model.fit`."""
        return len(self.ratios) >= MIN_ROUNDS and _is_above(self.ratios)

    @property
    def depends_on_loop(self) -> bool:
        """Whether no k is among the shortest of both loops."""
        kinds = [set(each.batch_sizes) for each in self.shortest]
        return len(kinds) == 2 and not kinds[0] & kinds[1]

    @property
    def answer(self) -> Answer | None:
        """Range of the ratio, if at least 4 of 5 rounds lie in it and there are 3 or more."""
        return None if self.doubt else _answers(self.ratios)[0]

    @property
    def doubt(self) -> Literal["few rounds", "rounds disagree"] | None:
        """Why there is no answer; None if there is one."""
        if len(self.ratios) < MIN_ROUNDS:
            return "few rounds"
        return None if _answers(self.ratios)[1] >= _enough(len(self.ratios)) else "rounds disagree"


def _answers(ratios: tuple[float, ...]) -> tuple[Answer, int]:
    """The most frequent answer of the rounds, and how often it comes."""
    answers: list[Answer] = ["many" if ratio >= MANY else "some" if ratio >= SOME else "same" for ratio in ratios]
    return Counter(answers).most_common(1)[0]


def _enough(num_rounds: int) -> int:
    return math.ceil(AGREEMENT * num_rounds)


def _is_above(ratios: Iterable[float]) -> bool:
    """Whether ratios of rounds say "clearly slower"."""
    ratios = list(ratios)
    return float(np.median(ratios)) >= CLEARLY and sum(ratio > 1 for ratio in ratios) >= _enough(len(ratios))


def step_cost(plan: StepCostPlan, rows: Iterable[Row]) -> StepCost | Unfinished:
    """The verdict on the rows of a run, also of one that was stopped.

    Args:
        plan: of the run.
        rows: in any number.
    """
    times: dict[tuple[Way, int], dict[int, float]] = {}
    for row in rows:
        if isinstance(row, Timing):
            times.setdefault((row.way, row.batch_size), {})[row.round] = row.seconds
    for k in plan.batch_sizes:
        here = {way: times.get((way, k), {}) for way in WAYS}
        if ratios := _ratios(here["fit"], here["compiled"]):
            num_updates = iterations_per_epoch(plan.num_examples, k)
            differences = [
                here["fit"][number] - here["compiled"][number]
                for number in here["fit"].keys() & here["compiled"].keys()
            ]
            fastest = _fastest({way: here[way] for way in PLAIN_WAYS})
            best: Way = min(fastest, key=lambda way: _median(here[way])) if fastest else "fit"
            return StepCost(
                batch_size=k,
                num_updates=num_updates,
                seconds={way: _median(rounds) for way, rounds in here.items() if rounds},
                ratios=ratios,
                loop_seconds=float(np.median(differences)) / num_updates,
                num_planned=plan.num_rounds,
                fastest_plain=fastest,
                gain=float(np.median(_ratios(here["fit"], here[best]))),
                shortest=_shortest(plan, times),
            )
    return Unfinished()


def _shortest(plan: StepCostPlan, times: Mapping[tuple[Way, int], Rounds]) -> tuple[Shortest, ...]:
    if len(plan.batch_sizes) < 2:
        return ()
    ways: tuple[Way, ...] = ("fit", "compiled")
    found = {way: _fastest({k: times.get((way, k), {}) for k in plan.batch_sizes}) for way in ways}
    if not all(found.values()):
        return ()
    return tuple(Shortest(way=way, batch_sizes=sizes) for way, sizes in found.items())


def _median(rounds: Rounds) -> float:
    return float(np.median(list(rounds.values())))


def _ratios(one: Rounds, other: Rounds) -> tuple[float, ...]:
    return tuple(one[number] / other[number] for number in sorted(one.keys() & other.keys()))


def _fastest(times: Mapping[Name, Rounds]) -> tuple[Name, ...]:
    """The fastest of all, and those not clearly slower; empty unless all have enough rounds."""
    if min(map(len, times.values())) < MIN_ROUNDS:
        return ()
    best = min(times, key=lambda name: _median(times[name]))
    return tuple(name for name in times if name == best or not _is_above(_ratios(times[name], times[best])))
