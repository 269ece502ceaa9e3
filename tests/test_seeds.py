"""Tests of the summaries over seeds."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sgd_tf import seeds


def test_the_band_goes_from_the_lowest_to_the_highest_seed():
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        [{"run": run, "x": x, "seed": s, "loss": random.random()} for run in "ab" for x in range(3) for s in range(5)]
    )
    bands = seeds.band(table, ["run", "x"], "loss").set_index(["run", "x"])
    for place, row in bands.iterrows():
        values = table[(table["run"] == place[0]) & (table["x"] == place[1])]["loss"].to_numpy()
        assert row["median"] == np.median(values)
        assert (row["low"], row["high"], row["num_seeds"]) == (values.min(), values.max(), 5)


def test_an_empty_table_has_an_empty_band():
    bands = seeds.band(pd.DataFrame(columns=["run", "loss"]), ["run"], "loss")
    assert list(bands.columns) == ["run", "median", "low", "high", "num_seeds"]
    assert bands.empty


def test_the_power_is_the_slope_that_scipy_finds_on_logarithms():
    random = np.random.default_rng(1)
    x = np.exp(random.normal(size=20))
    y = 3 * x**1.7 * np.exp(0.1 * random.normal(size=20))
    assert seeds.power(x, y) == pytest.approx(stats.linregress(np.log(x), np.log(y)).slope)
