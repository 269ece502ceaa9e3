"""Statistics over seeds: median and band of a value, and the exponent of a power law."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd


def band(table: pd.DataFrame, by: Sequence[str], value: str, *, worst: float = math.inf) -> pd.DataFrame:
    """Median, lowest and highest value over the seeds, including runs that diverged.

    A run that diverged has no number and counts as worse than all other runs. So the band of a loss with such a run
    reaches inf, and the median is inf if half of the runs diverged: a band of only the survivors would look too good.

    Args:
        table: one row per group and seed; a value that is not finite belongs to a run that diverged.
        by: columns that define a group, such as ("sampling", "update").
        value: column with the values to summarise.
        worst: value of a run that diverged: inf for a loss, −inf if larger is better.

    Returns:
        One row per group, in order of first appearance: the columns of ``by``; median, low, high (float64); num_seeds,
        the number of all runs; num_diverged, the number of runs that diverged.

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
    """Exponent p of the power law y ∝ xᵖ: the least-squares slope of log y over log x.

    Args:
        x: (n,) positive numbers, at least two different values.
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
