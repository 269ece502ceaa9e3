"""The script that finds the targets of the presets: which loss makes a race worth watching."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SCRIPT = Path(__file__).parents[2] / "scripts" / "tune_learning_rates.py"


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("tune_learning_rates", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def race(**seconds_per_tenth):
    """A race of 5 s, in which a loss falls from 1 to a tenth in so many seconds, again and again."""
    seconds = np.concatenate([[0.0], np.geomspace(0.01, 5, 200)])
    runs = [
        pd.DataFrame({"run": name, "seconds": seconds, "train_loss": 10 ** (-seconds / each)})
        for name, each in seconds_per_tenth.items()
    ]
    return pd.concat(runs, ignore_index=True)


def test_the_last_contestant_reaches_the_target_at_about_a_third_of_the_race(script):
    # 30 % of 5 s are 1.5 s: the slower one, a tenth each second, is then at 10^-1.5 = .0316; a digit gives .03.
    assert script.choose_target(race(fast=0.3, slow=1.0), 5.0) == 0.03


def test_who_never_comes_so_far_is_not_waited_for(script):
    # The slow one is at .9 after 4.5 s, 90 % of the race; half of the fast one's first record, .933, is the highest
    # target. So the fast one, a tenth each .3 s, decides: after 30 % of the race, 1.5 s, it is at 10^-5.
    assert script.choose_target(race(fast=0.3, slow=100.0), 5.0) == 1e-5


def test_a_loss_with_a_floor_has_a_target_with_more_digits(script):
    table = race(fast=0.5, slow=1.0)
    table["train_loss"] = 0.25 + table["train_loss"] / 10  # from .35 on
    # Half-way down from .348 is .299: no number with one digit will do. The slow one is at .26 after 1 s: 20 %.
    assert script.choose_target(table, 5.0) == 0.26


def test_where_all_is_learned_at_once_the_target_is_just_above_the_floor(script):
    table = race(fast=0.001, slow=0.001)
    table["train_loss"] = table["train_loss"].clip(lower=0.2)
    assert script.choose_target(table, 5.0) == 0.21


@settings(max_examples=30)
@given(each=st.lists(st.floats(0.05, 20), min_size=1, max_size=3))
def test_a_target_is_reached_in_the_race_and_by_nobody_at_its_first_record(script, each):
    table = race(**{f"run {i}": seconds for i, seconds in enumerate(each)})
    target = script.choose_target(table, 5.0)
    first, low = 10 ** (-0.01 / min(each)), 10 ** (-5 / min(each))
    assert target <= (first + low) / 2
    times = [-math.log10(target) * seconds for seconds in each]  # 10^(-t/s) = target
    assert any(0.018 * 5 <= time <= 0.9 * 5 for time in times)
    assert script.choose_target(table, 5.0) == target
