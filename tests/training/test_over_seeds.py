"""Tests of the summaries over seeds."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sgd_tf.training import over_seeds


def test_the_band_goes_from_the_lowest_to_the_highest_seed():
    random = np.random.default_rng(0)
    table = pd.DataFrame(
        [{"run": run, "x": x, "seed": s, "loss": random.random()} for run in "ab" for x in range(3) for s in range(5)]
    )
    bands = over_seeds.band(table, ["run", "x"], "loss").set_index(["run", "x"])
    for place, row in bands.iterrows():
        values = table[(table["run"] == place[0]) & (table["x"] == place[1])]["loss"].to_numpy()
        assert row["median"] == np.median(values)
        assert (row["low"], row["high"], row["num_seeds"]) == (values.min(), values.max(), 5)
        assert row["num_diverged"] == 0


def test_an_empty_table_has_an_empty_band():
    bands = over_seeds.band(pd.DataFrame(columns=["run", "loss"]), ["run"], "loss")
    assert list(bands.columns) == ["run", "median", "low", "high", "num_seeds", "num_diverged"]
    assert bands.empty


def test_a_band_is_not_that_of_the_survivors():
    table = pd.DataFrame({"run": "a", "loss": [0.1, 0.2, math.nan, math.inf, None]})
    (row,) = over_seeds.band(table, ["run"], "loss").to_dict("records")
    assert row == {"run": "a", "median": math.inf, "low": 0.1, "high": math.inf, "num_seeds": 5, "num_diverged": 3}
    (row,) = over_seeds.band(table[:3], ["run"], "loss").to_dict("records")
    assert row == {"run": "a", "median": 0.2, "low": 0.1, "high": math.inf, "num_seeds": 3, "num_diverged": 1}
    (row,) = over_seeds.band(table[:3], ["run"], "loss", worst=-math.inf).to_dict("records")
    assert (row["low"], row["median"], row["high"]) == (-math.inf, 0.1, 0.2)


losses = st.one_of(st.floats(0, 1e6), st.sampled_from([math.nan, math.inf, None]))


@given(values=st.lists(st.tuples(st.sampled_from("ab"), losses), min_size=1, max_size=12))
def test_each_band_is_ordered_and_accounts_for_each_seed(values):
    table = pd.DataFrame(values, columns=["run", "loss"])
    bands = over_seeds.band(table, ["run"], "loss")
    assert (bands["low"] <= bands["median"]).all()
    assert (bands["median"] <= bands["high"]).all()
    for _, row in bands.iterrows():
        own = [math.inf if loss is None or math.isnan(loss) else loss for run, loss in values if run == row["run"]]
        assert row["num_seeds"] == len(own)
        assert row["num_diverged"] == own.count(math.inf)
        assert (row["low"], row["median"], row["high"]) == (min(own), np.median(own), max(own))


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        ([1.0], [2.0], "`x` must hold at least two different numbers; received"),
        ([2.0, 2.0], [1.0, 3.0], "`x` must hold at least two different numbers; received"),
        ([], [], "`x` must hold at least two different numbers; received"),
        ([1.0, 2.0], [1.0], r"`y` must hold 2 finite numbers greater than 0; received \[1.0\]"),
        ([1.0, 2.0], [1.0, 0.0], r"`y` must hold 2 finite numbers greater than 0; received \[1.0, 0.0\]"),
        ([1.0, math.inf], [1.0, 1.0], r"`x` must hold 2 finite numbers greater than 0; received \[1.0, inf\]"),
        ([1.0, 2.0], [1.0, math.nan], r"`y` must hold 2 finite numbers greater than 0; received \[1.0, nan\]"),
    ],
)
def test_a_power_that_nothing_fixes_is_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        over_seeds.power(x, y)


def test_the_power_is_the_slope_that_scipy_finds_on_logarithms():
    random = np.random.default_rng(1)
    x = np.exp(random.normal(size=20))
    y = 3 * x**1.7 * np.exp(0.1 * random.normal(size=20))
    assert over_seeds.power(x, y) == pytest.approx(stats.linregress(np.log(x), np.log(y)).slope)
