"""The same run with several seeds: the middle, the band around it, and the slope of a power law."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd


def band(table: pd.DataFrame, by: Sequence[str], value: str, *, worst: float = math.inf) -> pd.DataFrame:
    """Median, lowest and highest value over the seeds, the runs that diverged included.

    A run that diverged has no number; it counts as worse than all that have one. So the band of a loss with such a run
    reaches up to inf, and the median is inf where half of the runs diverged: a band of the survivors would be too good.

    Args:
        table: one row per seed and place; a value that is not finite is that of a run that diverged.
        by: columns that name a place, such as ("sampling", "update").
        value: column whose values differ from seed to seed.
        worst: what a run that diverged counts as: inf for a loss, −inf where larger is better.

    Returns:
        one row per place, in order of first appearance: the columns of ``by``, and median, low, high (float64),
        num_seeds, all of them, and num_diverged, those without a number.

    >>> runs = pd.DataFrame({"k": [1, 1, 1, 8], "seed": [0, 1, 2, 0], "loss": [1.0, 5.0, 2.0, 3.0]})
    >>> band(runs, ["k"], "loss").values.tolist()
    [[1.0, 2.0, 1.0, 5.0, 3.0, 0.0], [8.0, 3.0, 3.0, 3.0, 1.0, 0.0]]
    >>> band(runs.assign(loss=[0.1, 0.2, math.nan, math.nan]), ["k"], "loss").values.tolist()
    [[1.0, 0.2, 0.1, inf, 3.0, 1.0], [8.0, inf, inf, inf, 1.0, 1.0]]
    """
    values = table[value].astype("float64")
    has_none = ~np.isfinite(values)
    groups = table.assign(**{value: values.mask(has_none, worst), "_": has_none}).groupby(list(by), sort=False)
    bands = groups[value].agg(median="median", low="min", high="max", num_seeds="size")
    return bands.assign(num_diverged=groups["_"].sum().astype("int64")).reset_index()


def power(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """The power p of the law y ∝ xᵖ that fits best: the slope of log y over log x by least squares.

    Args:
        x: (n,) positive numbers, at least two different ones.
        y: (n,) positive numbers.

    Raises:
        ValueError: if an argument is out of range.

    >>> round(power([1.0, 2.0, 4.0], [3.0, 12.0, 48.0]), 6)
    2.0
    """
    for name, values in (("x", x), ("y", y)):
        given = np.asarray(values, dtype=np.float64)
        if given.shape != (len(x),) or not (np.isfinite(given) & (given > 0)).all():
            raise ValueError(f"`{name}` must hold {len(x)} finite numbers greater than 0; received {given.tolist()}.")
    if len(np.unique(x)) < 2:
        raise ValueError(f"`x` must hold at least two different numbers; received {np.asarray(x).tolist()}.")
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
