"""Verdicts on sampling: from the rows of a run to what happened, the numbers that show it, and how sure it is.

A verdict is a value without language, one for every table that the page can make: also of a run that was stopped, has
diverged or has learned nothing. `wording` puts it into words.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

import numpy as np
import pandas as pd

from sgd_tf.sampling import visit_counts
from sgd_tf.sampling.rows import SORTED_WAYS, FloorPlan, GeniePlan, ShufflersPlan, SortedPlan
from sgd_tf.training import over_seeds
from sgd_tf.training.records import Sampling, Shuffler

MIN_SEEDS = 3  # finished seeds; fewer give numbers, but no answer
AGREEMENT = 0.8  # fraction of the seeds that must give the same answer, each by itself
POINTS_LOST = 0.02  # accuracy; a smaller difference counts as none
LOSS_RAISED = 1.1  # times the loss without copies; a smaller factor counts as none
LEARNED = 0.2  # accuracy on ten classes; below it nothing has been learned (chance: about 0.1)

Answer = TypeVar("Answer", bound=str)
FLOOR_WAYS: tuple[Sampling, ...] = ("with_replacement", "reshuffle")


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A run that was stopped before one seed was complete."""


@dataclass(frozen=True, kw_only=True)
class Diverged:
    """Some or all runs diverged: the others are not compared without them."""

    num_diverged: int
    num_runs: int  # that have begun


@dataclass(frozen=True, kw_only=True)
class Judged(Generic[Answer]):
    """A run with an answer, if its seeds agree."""

    answers: tuple[Answer, ...]  # of each complete seed by itself
    num_planned: int  # seeds of the plan

    @property
    def num_seeds(self) -> int:
        """Number of complete seeds."""
        return len(self.answers)

    @property
    def answer(self) -> Answer | None:
        """The answer of at least 4 in 5 seeds; None if they disagree or are fewer than 3.

        >>> def judged(*answers):
        ...     return Judged(answers=answers, num_planned=5)
        >>> judged("a", "a", "a").answer, judged("a", "a", "b").answer, judged("a", "a").answer
        ('a', None, None)
        >>> judged("a", "a", "b").doubt, judged("a", "a").doubt
        ('seeds disagree', 'few seeds')
        """
        return None if self.doubt else self._most_frequent[0]

    @property
    def doubt(self) -> Literal["few seeds", "seeds disagree"] | None:
        """Why there is no answer; None if there is one."""
        if self.num_seeds < MIN_SEEDS:
            return "few seeds"
        return "seeds disagree" if self._most_frequent[1] < math.ceil(AGREEMENT * self.num_seeds) else None

    @property
    def _most_frequent(self) -> tuple[Answer, int]:
        return Counter(self.answers).most_common(1)[0]


# The five ways


@dataclass(frozen=True, kw_only=True)
class Missed:
    """Samples that drawing with replacement does not draw in an epoch."""

    in_first: int  # samples missed in epoch 1
    num_examples: int  # N
    share: float  # missed fraction of an epoch, mean over the epochs
    num_epochs: int

    @property
    def answer(self) -> Literal["none", "tenth", "third", "half"]:
        """The option that comes closest to the mean share.

        >>> Missed(in_first=36, num_examples=100, share=0.366, num_epochs=10).answer
        'third'
        """
        shares: dict[Literal["none", "tenth", "third", "half"], float]
        shares = {"none": 0.0, "tenth": 0.1, "third": 1 / math.e, "half": 0.5}
        return min(shares, key=lambda option: abs(shares[option] - self.share))


def missed(order: np.ndarray) -> Missed:
    """The verdict on drawing with replacement.

    Args:
        order: (epochs, N) int, the samples in the order in which they were drawn.
    """
    num_epochs, n = order.shape
    shares = [visit_counts.missed_shares(epoch[None], n)[0] for epoch in order]
    return Missed(in_first=round(shares[0] * n), num_examples=n, share=float(np.mean(shares)), num_epochs=num_epochs)


# The error floor


@dataclass(frozen=True, kw_only=True)
class FloorVerdict(Judged[Literal["stays", "half", "quarter"]]):
    """How the error floor depends on the learning rate; an answer is what one halving does to it when reshuffled."""

    powers: Mapping[Sampling, float]  # p in floor ∝ γᵖ, of the medians of the seeds

    @property
    def divisors(self) -> dict[Sampling, float]:
        """Factor by which the floor falls when the learning rate is halved."""
        return {way: 2.0**power for way, power in self.powers.items()}


def floor_powers(bands: pd.DataFrame) -> dict[Sampling, float]:
    """The power p in floor ∝ γᵖ of each way of drawing with at least two learning rates, all of which have a floor."""
    groups = {way: bands[bands["sampling"] == way] for way in FLOOR_WAYS}
    return {
        way: over_seeds.power(group["learning_rate"], group["median"])
        for way, group in groups.items()
        if len(group) > 1 and np.isfinite(group["median"]).all()
    }


def floor(plan: FloorPlan, table: pd.DataFrame) -> FloorVerdict | Diverged | Unfinished:
    """The verdict on the error floor.

    Args:
        plan: of the run.
        table: of `rows.Floor`.
    """
    num_diverged = int((~np.isfinite(table["floor"].astype("float64"))).sum())
    if num_diverged:
        return Diverged(num_diverged=num_diverged, num_runs=len(table))
    num_runs = len(FLOOR_WAYS) * len(plan.learning_rates)
    seeds = {seed: runs for seed, runs in table.groupby("seed") if len(runs) == num_runs}
    if not seeds:
        return Unfinished()
    by_rate = ["sampling", "learning_rate"]
    each = [floor_powers(over_seeds.band(runs, by_rate, "floor"))["reshuffle"] for runs in seeds.values()]
    return FloorVerdict(
        powers=floor_powers(over_seeds.band(pd.concat(seeds.values()), by_rate, "floor")),
        answers=tuple("stays" if power < 0.5 else "half" if power < 1.5 else "quarter" for power in each),
        num_planned=plan.num_seeds,
    )


# Sorted data


@dataclass(frozen=True, kw_only=True)
class NothingLearned:
    """No way of reading got far above chance."""

    accuracy: float  # the highest in the last epoch, median of the seeds
    has_risen: bool  # whether the training loss ended above its start in most runs: the steps were too large


@dataclass(frozen=True, kw_only=True)
class SortedVerdict(Judged[Literal["in_order", "between", "reshuffle", "same"]]):
    """Where each way of reading sorted data is in the last epoch: medians of the seeds.

    The answer "same" means that reading in order costs next to nothing, so that the buffer comes close to both.
    """

    accuracy: Mapping[Sampling, float]  # mean test accuracy over the last epoch, by way
    swing: Mapping[Sampling, float]  # its highest value minus its lowest within that epoch, by way


def _place(in_order: float, buffer: float, reshuffle: float) -> Literal["in_order", "between", "reshuffle", "same"]:
    """What the accuracy of the shuffle buffer comes closest to.

    >>> [_place(0.5, buffer, 0.95) for buffer in (0.65, 0.8, 0.94)], _place(0.94, 0.94, 0.95)
    (['in_order', 'between', 'reshuffle'], 'same')
    """
    if reshuffle - in_order < 2 * POINTS_LOST:
        return "same"
    if buffer >= reshuffle - POINTS_LOST:
        return "reshuffle"
    return "between" if buffer > (in_order + reshuffle) / 2 else "in_order"


def sorted_data(plan: SortedPlan, table: pd.DataFrame) -> SortedVerdict | NothingLearned | Diverged | Unfinished:
    """The verdict on sorted data.

    Args:
        plan: of the run.
        table: of `rows.SortedMeasurement`, nan from where a run has diverged.
    """
    if diverged := _diverged(table, ["sampling", "seed"]):
        return diverged
    is_finished = table.groupby(["sampling", "seed"])["epoch"].transform("max") >= plan.num_epochs
    last = table[is_finished & (table["epoch"] > plan.num_epochs - 1)]
    runs = last.groupby(["sampling", "seed"], sort=False)["test_accuracy"]
    each = pd.DataFrame({"accuracy": runs.mean(), "swing": runs.max() - runs.min()}).unstack("sampling").dropna()
    if each.empty or len(each["accuracy"].columns) < len(SORTED_WAYS):
        return Unfinished()
    accuracy = each["accuracy"].median().to_dict()
    if max(accuracy.values()) < LEARNED:
        ends = table.groupby(["sampling", "seed"])["train_loss"].agg(["first", "last"])
        has_risen = bool((ends["last"] > ends["first"]).mean() > 0.5)
        return NothingLearned(accuracy=max(accuracy.values()), has_risen=has_risen)
    return SortedVerdict(
        accuracy=accuracy,
        swing=each["swing"].median().to_dict(),
        answers=tuple(_place(*values) for values in each["accuracy"][list(SORTED_WAYS)].itertuples(index=False)),
        num_planned=plan.num_seeds,
    )


# The evil genie


@dataclass(frozen=True, kw_only=True)
class GenieVerdict(Judged[Literal["gd", "sgd", "both", "neither"]]):
    """Losses with copies in the end, and without them after as much work; an answer names what the copies hurt."""

    losses: Mapping[
        tuple[str, str], Sequence[float]
    ]  # by (method, "copies" | "examples" | "update" | "epoch"), per seed

    @property
    def factors(self) -> dict[str, float]:
        """Loss with copies over that without after as many samples, by method: median of the seeds."""
        return {method: float(np.median(_ratios(self.losses, method))) for method in ("gd", "sgd")}


def _ratios(losses: Mapping[tuple[str, str], Sequence[float]], method: str) -> np.ndarray:
    """(seeds,) Loss with copies over that without after as many samples."""
    return np.array(losses[method, "copies"]) / np.array(losses[method, "examples"])


def genie(plan: GeniePlan, table: pd.DataFrame) -> GenieVerdict | Diverged | Unfinished:
    """The verdict on copies.

    Args:
        plan: of the run.
        table: of `rows.GenieMeasurement`, nan from where a run has diverged.
    """
    if diverged := _diverged(table, ["method", "copies", "seed"]):
        return diverged
    losses: dict[tuple[str, str], list[float]] = {}
    for _seed, runs in table.groupby("seed"):
        of_seed = dict(_genie_losses(plan, runs))
        if len(of_seed) == 2 * 4:
            for key, loss in of_seed.items():
                losses.setdefault(key, []).append(loss)
    if not losses:
        return Unfinished()
    hurt = {method: _ratios(losses, method) >= LOSS_RAISED for method in ("gd", "sgd")}
    return GenieVerdict(
        losses=losses,
        answers=tuple(
            "both" if gd and sgd else "gd" if gd else "sgd" if sgd else "neither"
            for gd, sgd in zip(hurt["gd"], hurt["sgd"], strict=True)
        ),
        num_planned=plan.num_seeds,
    )


def _genie_losses(plan: GeniePlan, runs: pd.DataFrame) -> Iterable[tuple[tuple[str, str], float]]:
    """Losses of the complete runs of one seed: with copies in the end, and without after as many of each counter."""
    for method in ("gd", "sgd"):
        without, copied = (runs[(runs["method"] == method) & (runs["copies"].gt(1) == more)] for more in (False, True))
        if without.empty or copied.empty or copied["epoch"].max() < plan.num_epochs:
            continue
        end = copied.iloc[-1]
        yield (method, "copies"), float(end["train_loss"])
        for counted in ("examples", "update", "epoch"):
            nearest = without.loc[(without[counted] - end[counted]).abs().idxmin()]
            yield (method, counted), float(nearest["train_loss"])


def _diverged(table: pd.DataFrame, run: list[str]) -> Diverged | None:
    """How many runs have diverged, if any has; a run is one value of these columns."""
    num_diverged = table[table["train_loss"].isna()].groupby(run).ngroups
    return Diverged(num_diverged=num_diverged, num_runs=table.groupby(run).ngroups) if num_diverged else None


CLEARLY_FASTER = 1.25  # ratio of times; a smaller one counts as equal


@dataclass(frozen=True, kw_only=True)
class ShufflersVerdict:
    """Times of both shufflers for an epoch of the largest N."""

    num_examples: int  # N
    seconds: Mapping[Shuffler, float]  # medians
    ratios: tuple[float, ...]  # time of `Dataset.shuffle` ÷ time of one permutation, of each repetition

    @property
    def answer(self) -> Literal["permutation", "dataset", "same"] | None:
        """The faster one if all repetitions say so; None if they disagree."""
        low, high = min(self.ratios), max(self.ratios)
        if low >= CLEARLY_FASTER:
            return "permutation"
        if high <= 1 / CLEARLY_FASTER:
            return "dataset"
        return "same" if low > 1 / CLEARLY_FASTER and high < CLEARLY_FASTER else None


def shufflers(plan: ShufflersPlan, times: pd.DataFrame) -> ShufflersVerdict | Unfinished:
    """The verdict on the times of an epoch.

    Args:
        plan: of the run.
        times: columns shuffler, num_examples, repetition, seconds; of a run that may have been stopped.
    """
    size = plan.timed_sizes[-1]
    wide = times[times["num_examples"] == size].pivot(index="repetition", columns="shuffler", values="seconds")
    if not {"permutation", "dataset"} <= set(wide) or (wide := wide.dropna()).empty:
        return Unfinished()
    ratios = wide["dataset"] / wide["permutation"]
    seconds: dict[Shuffler, float] = {
        "permutation": float(wide["permutation"].median()),
        "dataset": float(wide["dataset"].median()),
    }
    return ShufflersVerdict(num_examples=size, seconds=seconds, ratios=tuple(ratios.tolist()))
