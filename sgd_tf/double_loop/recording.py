"""A recorded double loop as its pages look at it: samples, turns of both runs, the state of each sample at a step."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from sgd_tf.double_loop import chart
from sgd_tf.double_loop.playback import Playback, Step
from sgd_tf.double_loop.rows import WAYS, DoubleLoopPlan, Network, Sample, Turn, Way


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What is recorded, and the run of it that is shown."""

    plan: DoubleLoopPlan
    way: Way

    @property
    def batch_size(self) -> int:
        """K of the run that is shown."""
        return self.plan.num_examples if self.way == "gd" else self.plan.batch_size

    @property
    def film(self) -> Playback:
        """The steps of the run that is shown."""
        return Playback(
            num_examples=self.plan.num_examples, batch_size=self.batch_size, num_epochs=self.plan.num_epochs
        )


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The rows of both runs."""

    network: Network
    samples: pd.DataFrame  # index, label, and image (empty where there are many) or x and y
    features: list[list[float]]  # of each sample
    runs: Mapping[Way, list[Turn]]  # by update

    @staticmethod
    def from_rows(plan: DoubleLoopPlan, rows: Iterable[Network | Sample | Turn]) -> Recording:
        """Sort the rows of `rows.record_double_loop`."""
        rows = list(rows)
        (network,) = (row for row in rows if isinstance(row, Network))
        samples = [row for row in rows if isinstance(row, Sample)]
        features = np.array([sample.features for sample in samples])
        table = pd.DataFrame({"index": range(len(samples)), "label": [f"{sample.target:g}" for sample in samples]})
        if plan.has_images:
            are_shown = len(samples) <= chart.MAX_IMAGES
            table["image"] = [chart.digit_image(tuple(each.features)) if are_shown else "" for each in samples]
        elif plan.is_line:
            table = table.assign(x=features[:, 0], y=[sample.target for sample in samples])
        else:
            table = table.assign(x=features[:, 0], y=features[:, 1])
        return Recording(
            network=network,
            samples=table,
            features=[sample.features for sample in samples],
            runs={way: [row for row in rows if isinstance(row, Turn) and row.way == way] for way in WAYS},
        )


def turn_at(lesson: Lesson, found: Recording, step: Step) -> Turn:
    """The update that is being worked on, or the last one that was made."""
    return found.runs[lesson.way][step.update + (step.is_drawn and step.phase != "update")]


def states(lesson: Lesson, found: Recording, step: Step) -> pd.DataFrame:
    """The state of each sample in this epoch.

    Returns:
        columns index, state ("waiting", "drawn" or "used"), iteration (from 0; -1 unless used).
    """
    film = lesson.film
    table = pd.DataFrame({"index": range(film.num_examples), "state": "waiting", "iteration": -1})
    first = step.epoch * film.iterations + 1  # number of the epoch's first update
    run = found.runs[lesson.way]
    num_used = film.iterations if step.phase in ("epoch_over", "end") else step.iteration if step.is_drawn else 0
    for iteration in range(num_used):
        table.loc[run[first + iteration].indices, ["state", "iteration"]] = "used", iteration
    if step.is_drawn:
        table.loc[run[first + step.iteration].indices, "state"] = "drawn"
    return table


def epoch_orders(run: Iterable[Turn]) -> list[list[int]]:
    """The samples in the order in which each epoch of a recorded run has drawn them."""
    orders: list[list[int]] = []
    for turn in run:
        if turn.epoch == len(orders):
            orders.append([])
        orders[-1].extend(turn.indices)
    return orders


def loss_curves(lesson: Lesson, found: Recording, names: Mapping[Way, str]) -> pd.DataFrame:
    """The training loss after each update of both runs, for `chart.updates`."""
    sizes: dict[Way, int] = {"gd": lesson.plan.num_examples, "sgd": lesson.plan.batch_size}
    tables = []
    for way, k in sizes.items():
        run = found.runs[way]
        table = pd.DataFrame(
            {
                "epoch": np.cumsum([len(turn.indices) for turn in run]) / lesson.plan.num_examples,
                "update": [turn.update for turn in run],
                "train_loss": [turn.train_loss for turn in run],
            }
        )
        tables.append(table.assign(run=names[way], batch_size=k, full_batch=way == "gd"))
    return pd.concat(tables, ignore_index=True)
