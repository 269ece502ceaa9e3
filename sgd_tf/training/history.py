"""Tidy tables of what happened in a run: one row per progress record, and what can be read off them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.records import Progress

# One column per number of a record, in reading order. NaN stands for "not measured"; inf and nan of a
# diverged run are kept as they are.
DTYPES: dict[str, str] = {
    "run": "str",  # name of the contestant; with several seeds, and its seed
    "contestant": "str",  # its name without the seed
    "seed": "int64",  # of initial weights and order
    "batch_size": "int64",  # k, samples per update
    "full_batch": "bool",  # k = N: gradient descent
    "num_examples": "int64",  # N, training samples
    "update": "int64",  # parameter updates so far
    "epoch": "float64",  # samples seen / N
    "examples": "int64",  # samples seen so far
    "seconds": "float64",  # training time so far
    "minibatch_loss": "float64",  # mean of the losses since the record before; NaN at update 0
    "minibatch_loss_low": "float64",  # 10th percentile of minibatch losses at the record's weights, see `row`
    "minibatch_loss_high": "float64",  # 90th percentile
    "train_loss": "float64",  # over all training samples, after the last update
    "test_loss": "float64",  # over all test samples, after the last update
    "test_accuracy": "float64",  # share in [0, 1]; NaN in a regression
    "diverged_at": "Int64",  # update after which the loss was not finite; NA when there is none
}
COLUMNS: tuple[str, ...] = tuple(DTYPES)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One record as plain numbers: a row of the table, which travels from a worker to a page. See `DTYPES`."""

    run: str
    contestant: str = ""  # empty: the same as run
    seed: int = 0
    batch_size: int
    full_batch: bool
    num_examples: int
    update: int
    epoch: float
    examples: int
    seconds: float
    minibatch_loss: float | None
    minibatch_loss_low: float | None
    minibatch_loss_high: float | None
    train_loss: float
    test_loss: float
    test_accuracy: float | None
    diverged_at: int | None


# Whether a lower value of the metric is a better one.
LOWER_IS_BETTER: dict[str, bool] = {
    "train_loss": True,
    "test_loss": True,
    "minibatch_loss": True,
    "test_accuracy": False,
}

PERCENTILES = (10, 90)  # band of the noise: percentiles of the minibatch losses
COUNTERS = {"seconds": "seconds", "updates": "update", "epochs": "epoch", "examples": "examples"}  # and their columns


def row(progress: Progress) -> Row:
    """One record as plain numbers.

    The losses of the single minibatches are thinned to their mean and to a band, 10th to 90th percentile, that
    belongs to the record's own weights: percentiles of train_loss × (minibatch loss / mean loss of the minibatches of
    an epoch around it). The quotient takes out how far the loss fell since the record before, and leaves how much the
    minibatches differ. An epoch of gradient descent is one minibatch, so its band is its training loss.
    With losses that are not finite the numbers are inf or nan, without a warning; with no losses (update 0), None.

    Args:
        progress: a record of ``train`` or ``race``.

    >>> first = Progress(run="k = 2", batch_size=2, num_examples=8, update=4, examples=8, seconds=0.5,
    ...                  minibatch_loss=np.array([4.0, 3.0, 2.0, 1.0]), train_loss=1.5, test_loss=2.0,
    ...                  test_accuracy=None)
    >>> row(first).minibatch_loss, row(first).epoch, row(first).full_batch
    (2.5, 1.0, False)
    """
    losses = np.asarray(progress.minibatch_loss, dtype=np.float64)
    mean = low = high = None
    if losses.size:
        iterations = iterations_per_epoch(int(progress.num_examples), int(progress.batch_size))
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf in the losses of a diverged run
            mean = float(losses.mean())
            shares = np.percentile(losses_by_epoch_mean(losses, iterations), PERCENTILES)
            low, high = (float(progress.train_loss * share) for share in shares)
    return Row(
        run=progress.run,
        batch_size=int(progress.batch_size),
        full_batch=bool(progress.batch_size == progress.num_examples),
        num_examples=int(progress.num_examples),
        update=int(progress.update),
        epoch=float(progress.epoch),
        examples=int(progress.examples),
        seconds=float(progress.seconds),
        minibatch_loss=mean,
        minibatch_loss_low=low,
        minibatch_loss_high=high,
        train_loss=float(progress.train_loss),
        test_loss=float(progress.test_loss),
        test_accuracy=None if progress.test_accuracy is None else float(progress.test_accuracy),
        diverged_at=None if progress.diverged_at is None else int(progress.diverged_at),
        contestant=progress.contestant,
        seed=progress.seed,
    )


def losses_by_epoch_mean(losses: np.ndarray, iterations: int) -> np.ndarray:
    """Each minibatch loss, divided by the mean of the losses of an epoch around it.

    Args:
        losses: (n,) losses of successive minibatches.
        iterations: minibatches in an epoch, ⌈N/k⌉; with fewer losses, the mean is over all n.

    Returns:
        (n,) float64; 1 where an epoch is one minibatch, and where all losses of an epoch are 0.

    >>> losses_by_epoch_mean(np.array([1.0, 3.0, 1.0, 3.0]), 2).tolist()
    [0.5, 1.5, 0.5, 1.5]
    """
    num_losses = len(losses)
    window = min(iterations, num_losses)
    if window == 1:
        return np.where(np.isfinite(losses), 1.0, losses)
    sums = np.concatenate([[0.0], np.cumsum(losses)])
    starts = np.clip(np.arange(num_losses) - window // 2, 0, num_losses - window)
    means = (sums[starts + window] - sums[starts]) / window
    return np.divide(losses, means, out=np.ones(num_losses), where=means != 0)


def to_frame(records: Iterable[Progress | Row]) -> pd.DataFrame:
    """A tidy table: one row per record, in the order in which the records came.

    Args:
        records: records of a run or of several, or the rows that ``row`` made of them, or both.

    Returns:
        a DataFrame with the columns and dtypes of ``DTYPES``; with no records, an empty one.

    >>> to_frame([]).shape
    (0, 17)
    """
    rows = [record if isinstance(record, Row) else row(record) for record in records]
    values = {column: [getattr(each, column) for each in rows] for column in DTYPES}
    values["contestant"] = [each.contestant or each.run for each in rows]
    return pd.DataFrame({column: pd.Series(values[column], dtype=dtype) for column, dtype in DTYPES.items()})


def time_to_target(history: pd.DataFrame, target: float, *, metric: str = "train_loss") -> pd.DataFrame:
    """When each run first reached the target: its price in seconds, updates, epochs and samples.

    A loss reaches the target when it is at most ``target``, an accuracy when it is at least ``target``. The
    metric is known only at the records; between the last record before the crossing, with value a, and the
    first one after it, with value b, it is taken as linear, so that the crossing lies the share
    f = (target - a) / (b - a) of the way along, in each of the four counters. Updates and samples are
    therefore fractional. A run that is there at its first record is given that record.

    Between the two records the metric may have crossed the target at any moment: these are the bounds of what
    is known of the time. Two runs with overlapping bounds cannot be ordered.

    Args:
        history: a table of ``to_frame``.
        target: the value to reach, a finite number.
        metric: "train_loss", "test_loss", "minibatch_loss" or "test_accuracy".

    Returns:
        one row per run, in order of first appearance: run, batch_size, full_batch, reached (bool), seconds,
        updates, epochs, examples, and the bounds of the seconds, seconds_from and seconds_to (float64, NaN where the
        target was not reached), diverged_at (Int64).

    Raises:
        ValueError: if an argument is out of its range.

    >>> losses = [(0, 0.0, 2.0), (10, 1.0, 1.0), (20, 2.0, 0.5)]
    >>> history = to_frame(
    ...     Progress(run="k = 4", batch_size=4, num_examples=40, update=update, examples=4 * update,
    ...              seconds=seconds, minibatch_loss=np.array([]), train_loss=loss, test_loss=loss,
    ...              test_accuracy=None)
    ...     for update, seconds, loss in losses)
    >>> time_to_target(history, 0.75)[["run", "reached", "seconds", "updates", "epochs", "examples"]]
         run  reached  seconds  updates  epochs  examples
    0  k = 4     True      1.5     15.0     1.5      60.0
    >>> time_to_target(history, 0.75)[["seconds_from", "seconds_to"]].iloc[0].tolist()
    [1.0, 2.0]
    """
    if metric not in LOWER_IS_BETTER:
        raise ValueError(f"`metric` must be one of {', '.join(LOWER_IS_BETTER)}; received {metric!r}.")
    if not math.isfinite(target):
        raise ValueError(f"`target` must be a finite number; received {target!r}.")
    results = []
    for run, records in history.groupby("run", sort=False):
        known = records[np.isfinite(records[metric])]
        values = known[metric].to_numpy()
        there = values <= target if LOWER_IS_BETTER[metric] else values >= target
        counts = known[list(COUNTERS.values())].to_numpy(dtype=np.float64)
        crossing, seconds_from, seconds_to = np.full(len(COUNTERS), np.nan), np.nan, np.nan
        if there.any():
            after = int(there.argmax())
            before = max(after - 1, 0)
            share = 1.0 if after == 0 else (target - values[before]) / (values[after] - values[before])
            crossing = _between(counts[before], counts[after], share)
            seconds_from, seconds_to = counts[before][0], counts[after][0]
        diverged = records["diverged_at"].dropna()
        results.append(
            {
                "run": run,
                "batch_size": int(records["batch_size"].iloc[0]),
                "full_batch": bool(records["full_batch"].iloc[0]),
                "reached": bool(there.any()),
                **dict(zip(COUNTERS, crossing.tolist(), strict=True)),
                "seconds_from": seconds_from,
                "seconds_to": seconds_to,
                "diverged_at": int(diverged.iloc[0]) if len(diverged) else None,
            }
        )
    dtypes = {
        **{column: DTYPES[column] for column in ("run", "batch_size", "full_batch")},
        "reached": "bool",
        **dict.fromkeys((*COUNTERS, "seconds_from", "seconds_to"), "float64"),
        "diverged_at": DTYPES["diverged_at"],
    }
    return pd.DataFrame(
        {column: pd.Series([result[column] for result in results], dtype=dtype) for column, dtype in dtypes.items()}
    )


def divergences(history: pd.DataFrame) -> pd.DataFrame:
    """Where each diverged run did so: `diverged_at`, and the other counters on the line between its two records.

    The loss is checked after each update, but the record follows at the end of a call of the compiled loop, with more
    updates in its counters.

    Args:
        history: a table of ``to_frame``.

    Returns:
        one row per diverged run: run, update, seconds, epoch, examples (float64).

    >>> counters = [(10, 1.0, None), (20, 3.0, 15)]
    >>> lost = divergences(to_frame(
    ...     Progress(run="k = 4", batch_size=4, num_examples=40, update=update, examples=4 * update,
    ...              seconds=seconds, minibatch_loss=np.array([]), train_loss=1.0, test_loss=1.0,
    ...              test_accuracy=None, diverged_at=diverged_at)
    ...     for update, seconds, diverged_at in counters))
    >>> lost[["update", "seconds", "examples"]].iloc[0].tolist()
    [15.0, 2.0, 60.0]
    """
    columns = ["update", "seconds", "epoch", "examples"]
    results = []
    for run in history.loc[history["diverged_at"].notna(), "run"].unique():
        records = history[history["run"] == run]
        update = float(records["diverged_at"].dropna().iloc[0])
        counts = records[columns].to_numpy(dtype=np.float64)
        after = int(np.argmax(counts[:, 0] >= update)) if counts[-1, 0] >= update else len(counts) - 1
        before = max(after - 1, 0)
        made = counts[after, 0] - counts[before, 0]
        share = (update - counts[before, 0]) / made if made else 1.0
        results.append((run, *_between(counts[before], counts[after], min(max(share, 0.0), 1.0)).tolist()))
    return pd.DataFrame(results, columns=["run", *columns]).astype({"run": "str"} | dict.fromkeys(columns, "float64"))


def _between(before: np.ndarray, after: np.ndarray, share: float) -> np.ndarray:
    """The counters so far along between two records, and never beyond them by a rounding error."""
    return np.clip(before + share * (after - before), before, after)


def num_updates(record: Mapping[str, Any]) -> int | None:
    """Updates of a run at a record; of a run that diverged, those after which its loss was not finite.

    >>> num_updates({"update": 40, "diverged_at": None}), num_updates({"update": 40, "diverged_at": 17})
    (40, 17)
    """
    diverged_at = record.get("diverged_at")
    return record.get("update") if diverged_at is None or pd.isna(diverged_at) else int(diverged_at)


def at_time(history: pd.DataFrame, seconds: float) -> pd.DataFrame:
    """What was known at that second of training: the records up to it, for scrubbing a finished run.

    Args:
        history: a table of ``to_frame``.
        seconds: training time, the same for each run.

    Returns:
        the rows of ``history`` with ``seconds`` at most this, in their order, with their index.

    >>> at_time(to_frame([]), 2.0).empty
    True
    """
    return history[history["seconds"] <= seconds]


def latest(history: pd.DataFrame) -> pd.DataFrame:
    """Where each run stands: its last record, with its speed since the start.

    Args:
        history: a table of ``to_frame``.

    Returns:
        one row per run, in order of first appearance, with a fresh index: the columns of ``history`` and
        updates_per_second and examples_per_second (float64; NaN as long as no time has been spent).

    >>> latest(to_frame([])).columns[-2:].tolist()
    ['updates_per_second', 'examples_per_second']
    """
    at = {run: row for row, run in enumerate(history["run"])}  # in order of first appearance, with the last row
    last = history.iloc[list(at.values())].reset_index(drop=True)
    seconds = last["seconds"].where(last["seconds"] > 0)
    return last.assign(updates_per_second=last["update"] / seconds, examples_per_second=last["examples"] / seconds)
