"""A claim about SGD, and the rule, written down before the run, that gives the verdict on it.

A claim is judged by conditions: bounds on measured numbers. All of them met: it holds. All missed: it does not. Some
met and some missed: it depends on what the claim does not say. The conditions are the only rule there is: texts are
made from them. An experiment makes real runs with several seeds and gives numbers, never a verdict; a run that diverges
or does not reach its target gives no number, NaN.

An exact claim has nothing to depend on: one run that misses a condition is enough, and it does not hold. Any other
claim speaks of what differs from seed to seed. Its conditions are met when all runs of at least three seeds meet them,
missed when none does, and open in all other cases; a condition without a number is open too. Without any effect, if
each run met a condition with probability 1/2, n seeds would agree with probability 2^(1 − n): 1/4 with three seeds,
1/512 with ten. A claim that its open conditions could still decide is not judged.

Runs of one seed start from the same weights and draw the samples in the same order, whatever k: the order of an epoch
depends on the seed and the epoch only. So contestants are compared seed by seed, in pairs; only different seeds are
independent of each other.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias, get_args

from sgd_tf.claims.measures import Measure, Outcome
from sgd_tf.words import N_

Verdict = Literal["holds", "fails", "depends", "open"]  # open: not judged
Group = Literal["chapter", "elsewhere"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
NUM_SEEDS = 3  # the default
MAX_SEEDS = 20


@dataclass(frozen=True, kw_only=True)
class Series:
    """One row of dots, or one line, of a claim's chart."""

    title: str  # in English
    batch_size: int | Literal["all"] | None = None  # gives the colour; None for one of four others


@dataclass(frozen=True, kw_only=True)
class Picture:
    """How the points of a claim are drawn."""

    kind: Literal["dots", "lines"]  # values of each run in a row for each series; or medians with a band over the seeds
    title: str  # in English
    x: str  # title of the horizontal axis
    y: str = ""  # title of the vertical axis, of lines
    series: Mapping[str, Series]
    log_x: bool = False
    log_y: bool = False
    percent: bool = False  # whether the values are shares
    bound: str | None = None  # name of a measure, whose bound is a line at right angles to the axis of the values


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of a claim's chart."""

    series: str
    x: float
    y: float = 0.0  # of no meaning in a chart of dots
    seed: int = 0


Numbers: TypeAlias = dict[str, float | Sequence[float]]  # by name of the measure: of all runs, or of each
Experiment: TypeAlias = Generator[Point | None, None, Numbers]  # None: a sign of life, so that Stop is heard


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim in one sentence, how it is tried, and when it holds."""

    key: str
    run: Callable[[Sequence[int]], Experiment]  # of the seeds: yields points as they come, returns the numbers
    group: Group  # of the chapter that the lab follows, or of other texts
    sentence: str  # in English
    experiment: str  # what is done, in English
    measures: tuple[Measure, ...]
    depends_on: str | None = None  # what it may depend on; None for an exact claim
    picture: Picture
    page: str  # of the app, where it can be explored
    address: Mapping[str, str] = field(default_factory=dict)  # settings of that page
    seconds: float  # typical run time with 3 seeds on 2 cores

    @property
    def conditions(self) -> tuple[Measure, ...]:
        """The measures that decide."""
        return tuple(measure for measure in self.measures if measure.is_condition)

    @property
    def is_exact(self) -> bool:
        """Whether there is nothing it may depend on, so that one run that misses a condition is enough."""
        return self.depends_on is None

    def outcomes(self, values: Mapping[str, Sequence[float]], num_seeds: int) -> dict[str, Outcome]:
        """What comes of each condition, by name.

        Args:
            values: of the runs, or one of all, by name; NaN where there is no number.
            num_seeds: of the runs.

        Raises:
            KeyError: if a measure is missing.
        """
        return {
            measure.name: measure.outcome(values[measure.name], num_seeds=num_seeds, is_exact=self.is_exact)
            for measure in self.conditions
        }

    def judge(self, values: Mapping[str, Sequence[float]], num_seeds: int) -> Verdict:
        """The rule: all conditions met, all missed, or some of both; open where none of these is sure.

        Args:
            values: of the runs, or one of all, by name; NaN where there is no number.
            num_seeds: of the runs.

        Raises:
            KeyError: if a measure is missing.
        """
        found = set(self.outcomes(values, num_seeds).values())
        if "missed" in found and self.is_exact:
            return "fails"
        if {"met", "missed"} <= found:
            return "depends"
        if found == {"met"}:
            return "holds"
        return "fails" if found == {"missed"} else "open"


# What several claims show.
SAME_WEIGHTS = N_("Largest weight difference")
GD, SGD = Series(title=N_("GD, k = N"), batch_size="all"), Series(title=N_("SGD, k = 32"), batch_size=32)
RESHUFFLED = Series(title=N_("new order each epoch"))
REPLACED = Series(title=N_("with replacement"))
