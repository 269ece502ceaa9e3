"""What the experiments on sampling say: from their rows to the numbers, and to the answer that these give."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from sgd_tf.sampling.rows import SORTED_WAYS, FloorPlan, GeniePlan, SortedPlan
from sgd_tf.training import over_seeds
from sgd_tf.training.records import Sampling

POINTS_LOST = 0.02  # of accuracy: less counts as the same
LOSS_RAISED = 1.1  # times the loss without copies: less counts as the same


@dataclass(frozen=True, kw_only=True)
class FloorVerdict:
    """How the error floor depends on the learning rate."""

    powers: Mapping[Sampling, float]  # p in floor ∝ γᵖ
    num_seeds: int

    @property
    def answer(self) -> Literal["stays", "half", "quarter"]:
        """What comes closest to the effect of one halving of γ on the floor when reshuffled.

        >>> [FloorVerdict(powers={"reshuffle": p}, num_seeds=3).answer for p in (0.1, 1.1, 2.4)]
        ['stays', 'half', 'quarter']
        """
        power = self.powers["reshuffle"]
        return "stays" if power < 0.5 else "half" if power < 1.5 else "quarter"


def floor_powers(bands: pd.DataFrame) -> dict[Sampling, float]:
    """The power p in floor ∝ γᵖ of each way of drawing with at least two learning rates, all of which have a floor."""
    ways: tuple[Sampling, ...] = ("reshuffle", "with_replacement")
    groups = {way: bands[bands["sampling"] == way] for way in ways}
    return {
        way: over_seeds.power(group["learning_rate"], group["median"])
        for way, group in groups.items()
        if len(group) > 1 and np.isfinite(group["median"]).all()
    }


def floor(plan: FloorPlan, table: pd.DataFrame) -> FloorVerdict | None:
    """The verdict on the error floor; None until each way of drawing has a floor at each learning rate.

    Args:
        plan: of the run.
        table: of `rows.Floor`.
    """
    bands = over_seeds.band(table, ["sampling", "learning_rate"], "floor")
    powers = floor_powers(bands)
    if len(powers) < 2 or (bands["num_seeds"] >= 1).sum() < 2 * len(plan.learning_rates):
        return None
    return FloorVerdict(powers=powers, num_seeds=table["seed"].nunique())


@dataclass(frozen=True, kw_only=True)
class SortedVerdict:
    """Where each way of reading sorted data is in the last epoch: medians of the seeds."""

    accuracy: Mapping[str, float]  # mean test accuracy over the last epoch, by way
    swing: Mapping[str, float]  # its highest value less its lowest within that epoch, by way
    num_seeds: int

    @property
    def answer(self) -> Literal["in_order", "between", "reshuffle"]:
        """What the shuffle buffer comes closest to.

        >>> accuracy = {"in_order": 0.5, "buffer": 0.65, "reshuffle": 0.95}
        >>> SortedVerdict(accuracy=accuracy, swing={}, num_seeds=3).answer
        'in_order'
        """
        if self.accuracy["buffer"] >= self.accuracy["reshuffle"] - POINTS_LOST:
            return "reshuffle"
        middle = (self.accuracy["in_order"] + self.accuracy["reshuffle"]) / 2
        return "between" if self.accuracy["buffer"] > middle else "in_order"


@dataclass(frozen=True, kw_only=True)
class Diverged:
    """Some runs diverged: what is left is not compared."""

    num_diverged: int
    num_runs: int


def sorted_data(plan: SortedPlan, table: pd.DataFrame) -> SortedVerdict | Diverged | None:
    """The verdict on sorted data; None until each way of reading has finished a run.

    Args:
        plan: of the run.
        table: of `rows.SortedMeasurement`, nan from where a run has diverged.
    """
    num_diverged = table[table["train_loss"].isna()].groupby(["sampling", "seed"]).ngroups
    if num_diverged:
        return Diverged(num_diverged=num_diverged, num_runs=table.groupby(["sampling", "seed"]).ngroups)
    is_finished = table.groupby(["sampling", "seed"])["epoch"].transform("max") >= plan.num_epochs
    last = table[is_finished & (table["epoch"] > plan.num_epochs - 1)]
    runs = last.groupby(["sampling", "seed"], sort=False)["test_accuracy"]
    each = pd.DataFrame({"accuracy": runs.mean(), "swing": runs.max() - runs.min()})
    reached = each.groupby(level="sampling", sort=False).median()
    if len(reached) < len(SORTED_WAYS):
        return None
    return SortedVerdict(
        accuracy=reached["accuracy"].to_dict(), swing=reached["swing"].to_dict(), num_seeds=table["seed"].nunique()
    )


@dataclass(frozen=True, kw_only=True)
class GenieVerdict:
    """Losses with copies in the end, and without them after as much work, of GD and of SGD."""

    losses: Mapping[
        tuple[str, str], list[float]
    ]  # by (method, "copies" | "examples" | "update" | "epoch"), a seed each

    @property
    def ratios(self) -> dict[str, list[float]]:
        """Loss with copies over that without after as many samples, by method, one number per seed."""
        pairs = {method: (self.losses[method, "copies"], self.losses[method, "examples"]) for method in ("gd", "sgd")}
        return {method: [one / other for one, other in zip(*pair, strict=True)] for method, pair in pairs.items()}

    @property
    def num_seeds(self) -> int:
        """Number of seeds of which all runs are there."""
        return min(map(len, self.losses.values()))

    @property
    def answer(self) -> Literal["gd", "sgd", "both", "neither"]:
        """The methods for which the copies raise the loss by a tenth or more in the median, and in every seed.

        >>> losses = {("gd", "copies"): [3.5, 3.7], ("gd", "examples"): [1.0, 1.0],
        ...           ("sgd", "copies"): [0.9, 1.1], ("sgd", "examples"): [1.0, 1.0]}
        >>> GenieVerdict(losses=losses).answer
        'gd'
        """
        hurt = {method: np.median(ratio) >= LOSS_RAISED and min(ratio) > 1 for method, ratio in self.ratios.items()}
        if hurt["gd"] == hurt["sgd"]:
            return "both" if hurt["gd"] else "neither"
        return "gd" if hurt["gd"] else "sgd"


def genie(plan: GeniePlan, table: pd.DataFrame) -> GenieVerdict | None:
    """The verdict on copies; None until both methods have finished a run with copies and one without.

    Args:
        plan: of the run.
        table: of `rows.GenieMeasurement`.
    """
    losses: dict[tuple[str, str], list[float]] = {}
    for method in ("gd", "sgd"):
        for _seed, runs in table[table["method"] == method].groupby("seed"):
            without, copied = runs[runs["copies"] == 1], runs[runs["copies"] > 1]
            is_finished = not copied.empty and copied["epoch"].max() >= plan.num_epochs
            if without.empty or not is_finished or runs["train_loss"].isna().any():
                continue
            end = copied.iloc[-1]
            losses.setdefault((method, "copies"), []).append(float(end["train_loss"]))
            for counted in ("examples", "update", "epoch"):
                nearest = without.loc[(without[counted] - end[counted]).abs().idxmin()]
                losses.setdefault((method, counted), []).append(float(nearest["train_loss"]))
    return GenieVerdict(losses=losses) if {method for method, _what in losses} == {"gd", "sgd"} else None
