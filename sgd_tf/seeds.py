"""The same run with several seeds: the middle, the band around it, and the slope of a power law."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


def band(table: pd.DataFrame, by: Sequence[str], value: str) -> pd.DataFrame:
    """Median, lowest and highest value over the seeds.

    Args:
        table: one row per seed and place.
        by: columns that name a place, such as ("sampling", "update").
        value: column whose values differ from seed to seed.

    Returns:
        one row per place, in order of first appearance: the columns of ``by``, and median, low, high (float64),
        num_seeds.

    >>> runs = pd.DataFrame({"k": [1, 1, 1, 8], "seed": [0, 1, 2, 0], "loss": [1.0, 5.0, 2.0, 3.0]})
    >>> band(runs, ["k"], "loss").values.tolist()
    [[1.0, 2.0, 1.0, 5.0, 3.0], [8.0, 3.0, 3.0, 3.0, 1.0]]
    """
    groups = table.groupby(list(by), sort=False)[value]
    return groups.agg(median="median", low="min", high="max", num_seeds="count").reset_index()


def power(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> float:
    """The power p of the law y ∝ xᵖ that fits best: the slope of log y over log x by least squares.

    Args:
        x: (n,) positive numbers, at least two different ones.
        y: (n,) positive numbers.

    >>> round(power([1.0, 2.0, 4.0], [3.0, 12.0, 48.0]), 6)
    2.0
    """
    return float(np.polyfit(np.log(x), np.log(y), 1)[0])
