"""The trial of a claim: its plan, and a worker's rows for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from sgd_tf.checks import check_int
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import MAX_SEEDS, NUM_SEEDS, Claim, Point, Verdict


@dataclass(frozen=True, kw_only=True)
class ClaimPlan:
    """A claim, and how many seeds its experiment has."""

    claim: str  # key
    num_seeds: int = NUM_SEEDS


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which claims are to be tested, and with how many seeds."""

    keys: tuple[str, ...]
    num_seeds: int


@dataclass(frozen=True, kw_only=True)
class SignOfLife:
    """The experiment goes on."""

    claim: str  # key


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What an experiment measured, and the verdict."""

    claim: str  # key
    verdict: Verdict
    values: dict[str, tuple[float, ...]]  # of the runs, or one of all, by name of the measure; NaN: no number
    points: tuple[Point, ...]  # of the chart
    num_seeds: int
    seconds: float  # wall time of the experiment

    @property
    def numbers(self) -> dict[str, float]:
        """The worst value of each measure, by name; NaN where there is none."""
        return {measure.name: measure.worst(self.values[measure.name]) for measure in CLAIMS[self.claim].measures}


@dataclass(frozen=True, kw_only=True)
class Failure:
    """Why an experiment could not be made."""

    claim: str  # key
    reason: str


def try_claim(plan: ClaimPlan) -> Iterator[SignOfLife | Finding | Failure]:
    """Make the experiment of a claim and judge it; a failure is a row: other claims go on."""
    yield SignOfLife(claim=plan.claim)
    try:
        for step in measure(CLAIMS[plan.claim], num_seeds=plan.num_seeds):
            yield step if isinstance(step, Finding) else SignOfLife(claim=plan.claim)
    except (RuntimeError, ValueError, OSError, MemoryError) as error:
        yield Failure(claim=plan.claim, reason=f"{type(error).__name__}: {error}")


def try_claims(plan: Plan) -> Iterator[SignOfLife | Finding | Failure]:
    """Rows of `try_claim`, one claim after the other."""
    for key in plan.keys:
        yield from try_claim(ClaimPlan(claim=key, num_seeds=plan.num_seeds))


def measure(
    claim: Claim, *, num_seeds: int = NUM_SEEDS, clock: Callable[[], float] = time.perf_counter
) -> Iterator[Finding | None]:
    """Make the experiment of a claim and judge it.

    Args:
        claim: of `catalogue.CLAIMS`.
        num_seeds: seeds 0, 1, …; in [1, 20].
        clock: gives seconds.

    Yields:
        None as a sign of life; last the finding.

    Raises:
        ValueError: if an argument is out of range.

    Example::

        *_, finding = measure(CLAIMS["efficient"], num_seeds=5)
        print(finding.verdict, finding.numbers)
    """
    check_int("num_seeds", num_seeds, 1, MAX_SEEDS)
    return _measure(claim, num_seeds, clock)


def _measure(claim: Claim, num_seeds: int, clock: Callable[[], float]) -> Iterator[Finding | None]:
    start = clock()
    points: list[Point] = []
    experiment = claim.run(range(num_seeds))
    while True:
        try:
            point = next(experiment)
        except StopIteration as end:
            numbers = end.value
            break
        if point is not None:
            points.append(point)
        yield None
    values = {each.name: tuple(np.atleast_1d(numbers[each.name]).astype(float).tolist()) for each in claim.measures}
    yield Finding(
        claim=claim.key,
        verdict=claim.judge(values, num_seeds),
        values=values,
        points=tuple(points),
        num_seeds=num_seeds,
        seconds=clock() - start,
    )
