"""Races with several seeds: one program for all, a column, the median with its band, and whether a lead is real."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from sgd_tf import charts
from sgd_tf.racing import seeds, terminal
from sgd_tf.racing.race import race
from sgd_tf.training import history, pool, seed_curves
from sgd_tf.training.history import Row, to_frame
from sgd_tf.training.records import ModelConfig, RacePlan, TrainConfig

CONFIGS = {"GD": TrainConfig(batch_size="all", seed=4), "SGD": TrainConfig(batch_size=8, seed=4)}


def test_each_seed_races_in_its_turn_with_the_same_programs(classification, monkeypatch):
    made = []
    first = pool.Program.__init__

    def count(self, *arguments):
        made.append(arguments)
        first(self, *arguments)

    monkeypatch.setattr(pool.Program, "__init__", count)
    pool._idle.clear()
    model = ModelConfig(kind="linear")
    table = to_frame(race(classification, CONFIGS, seconds=0.02, model=model, seeds=3))
    assert len(made) == len(CONFIGS)
    runs = table.drop_duplicates("run")
    assert runs["run"].tolist() == [f"{name}, seed {seed}" for seed in (4, 5, 6) for name in CONFIGS]
    assert runs["contestant"].tolist() == ["GD", "SGD"] * 3
    assert table["seed"].is_monotonic_increasing
    alone = to_frame(race(classification, {"GD": TrainConfig(batch_size="all", seed=5)}, seconds=0.02, model=model))
    assert (alone["run"] == alone["contestant"]).all()
    of_5 = table[table["run"] == "GD, seed 5"]
    assert of_5["train_loss"].iloc[0] == alone["train_loss"].iloc[0]


def test_seeds_are_checked_at_the_call(classification):
    with pytest.raises(ValueError, match=r"`seeds` must be an integer in \[1, 100\]; received 0\."):
        race(classification, CONFIGS, seconds=1, seeds=0)


def rows(name, seed, losses, **changes):
    """A run with a record in each second."""
    return [
        Row(
            run=f"{name}, seed {seed}", contestant=name, seed=seed, batch_size=8, full_batch=False, num_examples=80,
            update=100 * second, epoch=10.0 * second, examples=800 * second, seconds=float(second),
            minibatch_loss=loss, minibatch_loss_low=loss, minibatch_loss_high=loss, train_loss=loss,
            test_loss=2 * loss, test_accuracy=1 - loss / 10,
            diverged_at=changes.get("diverged_at") if second == len(losses) - 1 else None,
        )
        for second, loss in enumerate(losses)
    ]  # fmt: skip


def test_the_curve_is_the_median_of_the_seeds_and_the_band_their_range():
    table = to_frame([*rows("a", 0, [4.0, 2.0, 1.0]), *rows("a", 1, [5.0, 4.0, 3.0]), *rows("a", 2, [3.0, 1.0, 2.0])])
    curve = seed_curves.over_seeds(table, "test_accuracy")
    assert curve["run"].tolist() == ["a"] * 3
    assert curve["train_loss"].tolist() == [4.0, 2.0, 2.0]
    np.testing.assert_allclose(curve["minibatch_loss_low"], [0.5, 0.6, 0.7])
    np.testing.assert_allclose(curve["minibatch_loss_high"], [0.7, 0.9, 0.9])
    assert curve.dtypes.astype(str).to_dict() == history.DTYPES
    drawn = charts.curves(table).to_dict()
    assert drawn["title"]["subtitle"] == "Band: lowest to highest seed"
    assert len({row["run"] for row in drawn["datasets"]["records"]}) == 1


def test_a_seed_that_runs_counts_as_far_as_it_has_come_and_one_that_diverged_as_the_worst():
    table = to_frame([*rows("a", 0, [4.0, 2.0, 1.0]), *rows("a", 1, [5.0, 4.0])])
    assert seed_curves.over_seeds(table)["train_loss"].tolist() == [4.5, 3.0, 1.0]
    lost = to_frame([*rows("a", 0, [4.0, 2.0, 1.0]), *rows("a", 1, [5.0, math.nan], diverged_at=60)])
    curve = seed_curves.over_seeds(lost)
    assert curve["train_loss"].tolist() == [4.5, math.inf, math.inf]
    assert curve["diverged_at"].dropna().tolist() == [60]


def plan(**changes):
    arguments = {"problem": "digits", "configs": {"a": TrainConfig(), "b": TrainConfig(batch_size=8)}, "seconds": 2.0}
    return RacePlan(**(arguments | {"target": 1.0, "seeds": 3} | changes))


def ends(seconds_of_a, seconds_of_b):
    """Runs that reach a loss of 1 after so many of at most 2 seconds: a line from 2 down to 1, and on."""
    table = []
    for seed, pair in enumerate(zip(seconds_of_a, seconds_of_b, strict=True)):
        for name, at in zip("ab", pair, strict=True):
            table += rows(name, seed, [2.0, 2.0 - 1 / at, 2.0 - 2 / at])
    return to_frame(table)


def test_a_lead_is_real_by_the_paired_t_test_of_the_seeds():
    a, b = [1.0, 1.1, 1.2], [1.5, 1.7, 1.75]
    found = seeds.is_it_real(plan(), ends(a, b))
    assert (found.leader, found.rival, found.num_won, found.num_seeds) == ("a", "b", 3, 3)
    assert found.p_value == pytest.approx(stats.ttest_rel(np.log(a), np.log(b)).pvalue)
    assert found.is_real
    assert "hardly chance (paired t-test" in terminal.real(found)
    close = seeds.is_it_real(plan(), ends([1.0, 1.1, 1.2], [1.1, 1.05, 1.3]))
    assert close.is_real is False
    assert "may be chance" in terminal.real(close)


def test_too_few_seeds_give_no_verdict():
    found = seeds.is_it_real(plan(seeds=2), ends([1.0, 1.1], [1.5, 1.7]))
    assert found.is_real is None
    assert terminal.real(found) == "Medians of 2 seeds; whether the lead is real shows with 3 or more."
    assert seeds.is_it_real(plan(seeds=1), ends([1.0], [1.5])) is None
    # A race that was stopped: the seed that it was at does not count.
    assert seeds.is_it_real(plan(), ends([1.0, 1.1, 1.2], [1.5, 1.7, 1.75]), is_over=False).num_seeds == 2


def test_without_a_target_the_losses_at_the_end_are_compared():
    found = seeds.is_it_real(plan(target=None), ends([1.0, 1.1, 1.2], [1.5, 1.7, 1.75]))
    assert (found.measure, found.leader) == ("train_loss", "a")
    assert isinstance(found.versus.ratio, float)
    assert not pd.isna(found.p_value)
