"""Verdicts on memory: from the rows of a run to what happened, and the numbers that show it.

A verdict is a value without language, one for every run that the page can make: also one that was stopped, went over
its limit, or is too small to measure. `wording` puts it into words.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sgd_tf.memory import predict
from sgd_tf.memory.predict import MEGABYTE
from sgd_tf.memory.rows import Difference, Measurement, PartsPlan, WallPlan
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.records import TrainConfig

CONSTANT = 15 * MEGABYTE  # bytes that any update may take beside what depends on k: smaller differences say nothing
ROUNDING = 1e-5  # relative: what float32 may leave of the difference between whole and parts
ABOUT_HALF = (0.45, 0.55)  # of the peak of the whole: too close to half to tell
SLOWER = 2.0  # times the fastest update; a smaller factor may be chance, as each size is timed once


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A run that was stopped before there was something to say."""


@dataclass(frozen=True, kw_only=True)
class WallVerdict:
    """The learner's update under a limit."""

    batch_size: int  # k
    micro_batch_size: int | None  # m; None for the whole minibatch at once
    limit: int  # bytes; at most the learner's own limit
    limit_of_worker: bool  # whether a worker's memory set the limit, lower than the learner's
    measured: int | None  # bytes at the peak, or when the process was stopped; None if it ended before a look at it
    predicted: int  # bytes at the peak
    answer: Literal["fits", "ended"]
    fitting_k: int | None  # a batch size that fits; None where not even one sample does, and for an update that fits
    fitting_m: int | None  # a micro-batch size with which the wanted k fits; None as before


def wall(plan: WallPlan, own: Measurement | None) -> WallVerdict | Unfinished:
    """The verdict on the learner's update.

    Args:
        plan: of the run.
        own: measurement of the update; None as long as it has not ended.
    """
    if own is None:
        return Unfinished()
    info = CATALOGUE[plan.problem]
    sizes = predict.layers_for(info, plan.model)
    config = TrainConfig(batch_size=own.batch_size, micro_batch_size=own.micro_batch_size)
    numbers = {"num_examples": info.num_examples, "num_features": info.num_features}
    limit = own.limit or plan.limit
    k, m = (None, None) if own.fits else predict.recommend(sizes, limit, batch_size=own.batch_size, **numbers)
    return WallVerdict(
        batch_size=own.batch_size,
        micro_batch_size=own.micro_batch_size,
        limit=limit,
        limit_of_worker=limit < plan.limit,
        measured=own.num_bytes or None,
        predicted=predict.predict(sizes, config, **numbers).total,
        answer="fits" if own.fits else "ended",
        fitting_k=k,
        fitting_m=m,
    )


@dataclass(frozen=True, kw_only=True)
class PartsVerdict:
    """The update of one minibatch, whole and by micro-batches."""

    whole: int  # bytes at the peak of the whole minibatch, or when its process was stopped
    whole_fits: bool
    smallest: int  # m of the smallest micro-batches
    least: int  # bytes at the peak with these
    seconds: Mapping[int | None, float]  # time of an update by m, in order of the run; None: the whole minibatch
    differences: Sequence[float]  # relative, of the updates by micro-batches from the whole one
    normed: Sequence[float]  # the same with batch normalisation; none for a model without it

    @property
    def is_small(self) -> bool:
        """Whether the whole minibatch takes so little that its parts cannot be compared."""
        return self.whole < 2 * CONSTANT

    @property
    def answer(self) -> Literal["same", "little", "much"] | None:
        """How far the peak falls with the smallest micro-batches; None where the measurement cannot tell."""
        low, high = ABOUT_HALF
        share = self.least / self.whole
        if not self.whole_fits:  # its peak would have been higher still
            return "much" if share <= low else None
        if self.is_small or low < share < high:
            return None
        if self.whole - self.least < CONSTANT:
            return "same"
        return "much" if share <= low else "little"

    @property
    def is_rounding(self) -> bool:
        """Whether the updates by micro-batches differ from the whole one by rounding only."""
        return max(self.differences, default=0.0) < ROUNDING

    @property
    def fastest(self) -> int | None:
        """Size m with the shortest update; None: the whole minibatch."""
        return min(self.seconds, key=self.seconds.__getitem__)

    @property
    def slowest(self) -> int | None:
        """Size m with the longest update; None: the whole minibatch."""
        return max(self.seconds, key=self.seconds.__getitem__)

    @property
    def times_differ(self) -> bool:
        """Whether the shortest and the longest update differ by more than chance."""
        return len(self.seconds) > 1 and self.seconds[self.slowest] >= SLOWER * self.seconds[self.fastest]


def parts(plan: PartsPlan, found: Iterable[Any]) -> PartsVerdict | Unfinished:
    """The verdict on micro-batches.

    Args:
        plan: of the run.
        found: its rows.
    """
    found = list(found)
    measured = {row.micro_batch_size: row for row in found if isinstance(row, Measurement)}
    smallest = plan.micro_batch_sizes[-1]
    if None not in measured or smallest not in measured or not measured[smallest].fits:
        return Unfinished()
    differences: dict[bool, list[float]] = {False: [], True: []}
    for row in found:
        if isinstance(row, Difference):
            differences[row.batch_norm].append(row.difference)
    return PartsVerdict(
        whole=measured[None].num_bytes,
        whole_fits=measured[None].fits,
        smallest=smallest,
        least=measured[smallest].num_bytes,
        seconds={m: row.seconds for m, row in measured.items() if row.seconds},
        differences=tuple(differences[False]),
        normed=tuple(differences[True]),
    )
