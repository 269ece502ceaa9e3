"""Several runs of one contestant, with a seed each, as one curve: the median of the seeds and a band around it."""

from __future__ import annotations

import numpy as np
import pandas as pd

# Counters and values at the same second of training, the median of the seeds.
MEDIANS = ("epoch", "minibatch_loss", "train_loss", "test_loss", "test_accuracy")
COUNTS = ("update", "examples")


def has_seeds(history: pd.DataFrame) -> bool:
    """Whether a contestant of a history has trained with several seeds."""
    return bool(history.drop_duplicates("run")["contestant"].duplicated().any())


def over_seeds(history: pd.DataFrame, metric: str = "train_loss") -> pd.DataFrame:
    """One run per contestant: at each second the median of its seeds, and their lowest and highest value as the band.

    Seconds are those of the first seed's records; the other seeds are read off the line between their records. A seed
    that has not trained for so long does not count there; one that diverged counts as inf (as 0 for an accuracy) from
    there on, and a contestant of which at least half diverged has diverged.

    Args:
        history: a table of ``to_frame``.
        metric: column of the band.

    Returns:
        a table like ``history``; ``minibatch_loss_low`` and ``minibatch_loss_high`` are the ends of the band.

    >>> from sgd_tf.training.history import to_frame
    >>> over_seeds(to_frame([])).empty
    True
    """
    parts = [_median(runs, metric) for _name, runs in history.groupby("contestant", sort=False)]
    return pd.concat(parts, ignore_index=True) if parts else history


def _median(runs: pd.DataFrame, metric: str) -> pd.DataFrame:
    seeds = [each for _run, each in runs.groupby("run", sort=False)]
    first = seeds[0].reset_index(drop=True)
    if len(seeds) == 1:
        band = (
            {}
            if metric == "train_loss"
            else dict.fromkeys(("minibatch_loss_low", "minibatch_loss_high"), first[metric])
        )
        return first.assign(run=first["contestant"], **band)
    seconds = first["seconds"].to_numpy()
    values = {name: np.stack([_at(each, name, seconds) for each in seeds]) for name in (*MEDIANS, *COUNTS)}
    table = first.assign(
        run=first["contestant"],
        **{name: _middle(values[name]) for name in MEDIANS},
        **{name: np.round(_middle(values[name])).astype("int64") for name in COUNTS},
        minibatch_loss_low=_ends(values[metric], np.fmin),
        minibatch_loss_high=_ends(values[metric], np.fmax),
        diverged_at=pd.array([pd.NA] * len(first), dtype="Int64"),
    )
    lost = [int(each["diverged_at"].dropna().iloc[0]) for each in seeds if each["diverged_at"].notna().any()]
    if 2 * len(lost) >= len(seeds):
        table.loc[table.index[-1], "diverged_at"] = int(np.median(lost))
    return table


def _at(run: pd.DataFrame, column: str, seconds: np.ndarray) -> np.ndarray:
    """A column at so many seconds; NaN where the run has not come as far, the worst value after it diverged."""
    values = run[column].to_numpy(dtype=np.float64)
    known = np.interp(seconds, run["seconds"].to_numpy(), values)
    beyond = seconds > run["seconds"].iloc[-1]
    if run["diverged_at"].notna().any():
        worth = {"test_accuracy": 0.0, "epoch": values[-1], "update": values[-1], "examples": values[-1]}
        return np.where(beyond, worth.get(column, np.inf), np.where(np.isnan(known), np.inf, known))
    # A race ends after so many seconds and an update: the last record counts for those a moment later.
    is_near = seconds <= 1.02 * run["seconds"].iloc[-1]
    return np.where(beyond & ~is_near, np.nan, known)


def _middle(values: np.ndarray) -> np.ndarray:
    """Median of what is known, of (seeds, records); the first seed is known at each of its records."""
    with np.errstate(invalid="ignore"):
        found = [np.median(column[~np.isnan(column)]) if (~np.isnan(column)).any() else np.nan for column in values.T]
    return np.array(found)


def _ends(values: np.ndarray, of: np.ufunc) -> np.ndarray:
    return np.asarray(of.reduce(values, axis=0))
