"""What a sweep says, held to hand arithmetic, to SciPy and to data whose law is known."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from sgd_tf.sweep import analysis as results
from sgd_tf.sweep.analysis import to_table
from sgd_tf.sweep.fastest import fastest, seconds_by_size
from sgd_tf.sweep.rows import CellResult
from sgd_tf.sweep.verdict import usual_sizes


def recommend(table):
    return fastest(seconds_by_size(table))


def row(k, rate=0.1, seed=0, **changes):
    updates = changes.get("updates_to_target", 100.0)
    seconds = changes.get("seconds", 1.0)
    usual = {
        "batch_size": k,
        "learning_rate": rate,
        "seed": seed,
        "num_examples": 10_000,
        "updates_to_target": updates,
        "examples_to_target": None if updates is None else k * updates,
        "seconds_to_target": None if updates is None else updates * seconds / 1000,
        **{
            f"{metric}_after_{budget}": 0.5
            for metric in ("train_loss", "test_loss", "test_accuracy")
            for budget in ("epochs", "seconds")
        },
        "examples_per_second": 1000 * k / seconds,
        "updates": 1000,
        "seconds": seconds,
        "train_loss": 0.1,
        "start_loss": 2.0,
        "diverged_at": None,
        "wall_seconds": 2.0,
    }
    return CellResult(**usual | changes)


def test_a_run_that_is_told_twice_counts_once():
    assert len(to_table([row(4), row(4), row(8)])) == 2


def test_seconds_to_the_target_are_updates_times_the_median_seconds_of_an_update():
    # The clock of the third run was held up by something else: 1 ms, 2 ms and 90 ms for an update.
    table = to_table([row(8, seed=0, seconds=1.0), row(8, seed=1, seconds=2.0), row(8, seed=2, seconds=90.0)])
    assert table["seconds_per_update"].tolist() == pytest.approx([0.002] * 3)
    assert table["steady_seconds_to_target"].tolist() == pytest.approx([0.2] * 3)


def test_the_best_rate_has_the_best_median_among_those_with_all_seeds():
    rows = [row(8, 0.1, seed, updates_to_target=updates) for seed, updates in enumerate([100, 90, 300])]
    rows += [row(8, 0.2, seed, updates_to_target=updates) for seed, updates in enumerate([95, 110, 120])]
    rows += [row(8, 0.4, 0, updates_to_target=10)]  # lucky, with one seed
    assert results.choose_rates(to_table(rows), "updates_to_target") == {8: 0.1}
    assert results.choose_rates(to_table(rows), "examples_per_second") == {8: 0.1}


def test_a_rate_that_reached_the_target_beats_one_that_did_not_and_else_the_lowest_loss_wins():
    one = [row(8, 0.1, updates_to_target=None, train_loss=0.2), row(8, 0.2, updates_to_target=900.0, train_loss=0.3)]
    assert results.choose_rates(to_table(one), "updates_to_target") == {8: 0.2}
    none = [row(8, 0.1, updates_to_target=None, train_loss=0.2), row(8, 0.2, updates_to_target=None, train_loss=0.3)]
    assert results.choose_rates(to_table(none), "updates_to_target") == {8: 0.1}


def test_the_highest_accuracy_is_the_best():
    rows = [row(8, 0.1, test_accuracy_after_epochs=0.8), row(8, 0.2, test_accuracy_after_epochs=0.9)]
    assert results.choose_rates(to_table(rows), "test_accuracy_after_epochs") == {8: 0.2}


def test_one_rate_for_all_is_the_best_of_the_k_next_to_32():
    rows = [
        row(k, rate, updates_to_target=updates)
        for k, rate, updates in [
            (4, 0.1, 1.0),
            (4, 0.2, 2.0),
            (40, 0.1, 2.0),
            (40, 0.2, 1.0),
            (400, 0.1, 1.0),
            (400, 0.2, 2.0),
        ]
    ]
    assert results.shared_rate(to_table(rows)) == 0.2


def test_the_spread_is_median_and_ends_and_what_was_not_reached_is_worse_than_all():
    rows = [row(8, seed=seed, updates_to_target=updates) for seed, updates in enumerate([10, 30, None])]
    rows += [row(9, seed=seed, test_accuracy_after_epochs=share) for seed, share in enumerate([0.5, None, None])]
    spread = results.spread(to_table(rows), "updates_to_target").iloc[0]
    assert (spread["median"], spread["low"], spread["high"]) == (30, 10, math.inf)
    assert (spread["num_seeds"], spread["num_known"]) == (3, 2)
    assert results.spread(to_table(rows), "test_accuracy_after_epochs")["median"].iloc[1] == -math.inf


def test_the_speed_of_a_k_is_the_median_over_all_its_runs():
    rows = [row(8, rate, seconds=seconds) for rate, seconds in [(0.1, 1.0), (0.2, 2.0), (0.4, 4.0)]]
    assert results.speed(to_table(rows))["median"].tolist() == [1000 * 8 / 2.0]


def test_a_hyperbola_takes_three_batch_sizes_that_always_reached_the_target():
    rows = [row(k) for k in (1, 2)] + [row(4, updates_to_target=None)]
    assert results.fit_runs(to_table(rows)) is None
    assert results.fit_runs(to_table([*rows[:2], row(4)])).num_sizes == 3


def test_a_hyperbola_is_fitted_to_the_seeds_that_all_batch_sizes_have():
    rows = [row(k, seed=seed, updates_to_target=100.0 + 1000 / k) for k in (1, 8, 64, 512) for seed in range(3)]
    more = row(8, seed=3, updates_to_target=9e9)
    fit = results.fit_runs(to_table([*rows, more]))
    assert fit == results.fit_runs(to_table(rows))
    assert fit.num_seeds == 3
    assert fit.critical_batch_size == pytest.approx(10.0)


def race(prices, noise=0.02, num_seeds=5):
    """A table whose seconds to the target are given for each k, with a little noise over the seeds."""
    random = np.random.default_rng(0)
    return to_table(
        row(k, seed=seed, updates_to_target=1000 * price * math.exp(noise * random.normal()))
        for k, price in prices.items()
        for seed in range(num_seeds)
    )


def test_the_range_holds_what_is_not_slower_and_ends_where_it_is():
    best = recommend(race({1: 4.0, 8: 1.05, 32: 1.0, 128: 1.06, 1024: 3.0}))
    assert (best.low, best.best, best.high) == (8, 32, 128)
    assert best.seconds == pytest.approx(1.0, rel=0.05)
    assert best.share > 0.99
    assert best.slowest == pytest.approx(1.06, rel=0.05)
    assert not best.ends_low
    assert not best.ends_high


def test_a_lone_winner_is_a_range_of_one():
    best = recommend(race({1: 2.0, 32: 1.0, 1024: 2.0}))
    assert (best.low, best.high) == (32, 32)


def test_noise_widens_the_range():
    prices = {1: 2.0, 8: 1.4, 32: 1.0, 128: 1.4, 1024: 2.0}
    narrow, wide = recommend(race(prices, noise=0.02)), recommend(race(prices, noise=0.8))
    assert narrow.low == narrow.high == 32
    assert wide.high / wide.low > 1


def test_a_k_that_is_slow_in_between_is_left_out_and_named():
    best = recommend(race({1: 1.0, 8: 3.0, 32: 1.05}))
    assert (best.low, best.high) == (1, 32)
    assert best.left_out == ((8, "slower"),)
    assert best.slowest < 1.1


def test_a_k_that_did_not_always_reach_the_target_is_out():
    rows = [row(k, seed=seed, updates_to_target=1000.0 * price) for k, price in RACE.items() for seed in range(5)]
    missed = row(32, seed=3, updates_to_target=None)
    best = recommend(to_table([missed, *rows]))
    assert (best.best, best.low, best.high) == (8, 8, 128)
    assert best.left_out == ((32, "not reached"),)
    assert recommend(to_table([row(k, updates_to_target=None) for k in RACE])) == "not reached"


RACE = {8: 1.05, 32: 1.0, 128: 1.06}


def test_one_table_gives_the_range_the_factor_and_what_the_csv_says():
    table = race({1: 4.0, 8: 1.05, 32: 1.0, 128: 1.06, 1024: 3.0}, noise=0.3)
    sizes, best = seconds_by_size(table).set_index("batch_size"), recommend(table)
    by_hand = table.groupby("batch_size")["steady_seconds_to_target"].median()
    assert sizes["median"].to_dict() == by_hand.to_dict()
    assert sizes["ratio"].to_dict() == (by_hand / by_hand.min()).to_dict()
    inside = sizes[sizes["state"].isin(["fastest", "as fast"])]
    assert (best.best, best.seconds, best.slowest) == (by_hand.idxmin(), by_hand.min(), inside["ratio"].max())


@pytest.mark.parametrize("reached", [True, False])
def test_a_seed_that_was_not_run_yet_is_no_failure(reached):
    # Each k with seed 0; the next run is that of k = 1 with seed 1.
    rows = [row(1, updates_to_target=36.0 if reached else None), row(32, updates_to_target=27.0), row(2048)]
    best = recommend(to_table(rows))
    assert (best.best, best.low, best.high) == (32, 32, 32)
    more = row(1, seed=1, updates_to_target=36.0 if reached else None)
    after = recommend(to_table([*rows, more]))
    assert replace(after, share=0.0) == replace(best, share=0.0)  # both NaN


def test_where_nobody_shares_a_seed_nothing_is_known():
    assert recommend(to_table([row(8, seed=0), row(32, seed=1)])) == "unknown"


def test_runs_that_all_diverged_are_named_and_not_called_slow():
    lost = {"updates_to_target": None, "train_loss": None, "diverged_at": 3}
    rows = [row(k, seed=seed, **lost) for k in (8, 32) for seed in range(2)]
    assert recommend(to_table(rows)) == "diverged"
    stuck = row(64, updates_to_target=None, train_loss=2.0, start_loss=2.0)
    assert recommend(to_table([*rows, stuck])) == "diverged"
    assert recommend(to_table([*rows, row(64, updates_to_target=None)])) == "not reached"


def test_a_target_that_is_met_before_the_first_update_gives_no_answer_and_no_law():
    table = to_table([row(k, seed=seed, updates_to_target=0.0) for k in (4, 32, 256, 1024) for seed in range(3)])
    assert recommend(table) == "at the start"
    assert results.fit_runs(table) is None
    assert results.rate_cells(table)["ratio"].tolist() == [1.0] * 4


def test_a_seed_that_meets_the_target_before_the_first_update_is_not_compared():
    rows = [row(k, seed=seed, updates_to_target=100.0 * price) for k, price in RACE.items() for seed in range(3)]
    at_once = [row(k, seed=3, updates_to_target=0.0) for k in RACE]
    assert recommend(to_table([*rows, *at_once])) == recommend(to_table(rows))


@pytest.mark.parametrize("num_seeds", [1, 2])
def test_with_two_seeds_nobody_can_tell_how_sure_the_range_is(num_seeds):
    best = recommend(race({8: 1.2, 32: 1.0, 128: 1.5}, num_seeds=num_seeds, noise=0.0))
    assert (best.low, best.high) == (8, 32)
    assert math.isnan(best.share)


def test_how_sure_is_the_share_of_resamples_with_the_fastest_k_in_the_range():
    # Two k whose order is that of the seed: each is the faster one with about half of the seeds.
    rows = [
        row(k, seed=seed, updates_to_target=1000.0 * price)
        for seed in range(4)
        for k, price in ((8, 1.0 + 0.5 * (seed % 2)), (32, 1.49 - 0.5 * (seed % 2)), (1024, 9.0))
    ]
    best = recommend(to_table(rows))
    assert (best.low, best.high, best.share) == (8, 32, 1.0)


def judged(losses, noise=0.005, budget="epochs", rates=(0.1,)):
    """A table whose test loss is given for each k (and rate)."""
    random = np.random.default_rng(0)
    return to_table(
        row(
            k,
            rate,
            seed,
            updates_to_target=100.0,
            **{f"test_loss_after_{budget}": loss * math.exp(noise * random.normal())},
        )
        for k, by_rate in losses.items()
        for rate, loss in zip(rates, by_rate, strict=True)
        for seed in range(5)
    )


def test_the_verdict_finds_256_good_and_large_k_harmful_where_they_are():
    verdicts = usual_sizes(judged({32: (1.0,), 256: (1.01,), 1024: (1.02,), 8192: (1.6,)}))
    verdict = next(verdict for verdict in verdicts if verdict.budget == "epochs")
    assert (verdict.best, verdict.usual, verdict.usual_outcome) == (32, 256, "as good")
    assert (verdict.harm_from, verdict.largest, verdict.largest_outcome) == (8192, 8192, "worse")
    assert verdict.is_large
    assert verdict.largest_ratio == pytest.approx(1.6 / 1.01, rel=0.02)


def test_the_verdict_takes_the_better_of_256_and_512():
    (verdict, _seconds) = usual_sizes(judged({256: (1.2,), 512: (1.0,), 8192: (1.0,)}))
    assert (verdict.usual, verdict.usual_outcome, verdict.largest_outcome) == (512, "as good", "as good")
    assert verdict.harm_from is None


def test_without_256_and_512_or_without_large_k_the_verdict_says_so():
    (none, _seconds) = usual_sizes(judged({32: (1.0,), 1024: (2.0,)}))
    assert none.usual is None
    (small, _seconds) = usual_sizes(judged({32: (1.0,), 256: (2.0,), 1024: (3.0,)}))
    assert (small.is_large, small.harm_from, small.usual_outcome) == (False, 1024, "worse")


def test_seeds_that_differ_too_much_leave_the_verdict_open():
    (verdict, _seconds) = usual_sizes(judged({32: (1.0,), 256: (1.1,), 8192: (1.2,)}, noise=0.5))
    assert (verdict.usual_outcome, verdict.largest_outcome) == ("open", "open")


def test_one_rate_and_tuned_ones_are_judged_apart():
    # At 0.1, the best of k = 32, a large k is bad; at its own best rate it is not.
    table = judged({32: (1.0, 2.0), 256: (1.0, 1.5), 8192: (4.0, 1.0)}, rates=(0.1, 0.4))
    one, tuned = (verdict for verdict in usual_sizes(table) if verdict.budget == "epochs")
    assert (one.rates, one.learning_rate, one.largest_outcome) == ("one", 0.1, "worse")
    assert (tuned.rates, tuned.learning_rate, tuned.largest_outcome) == ("tuned", None, "as good")


def test_a_large_k_that_diverged_is_worse():
    table = judged({32: (1.0,), 256: (1.0,), 8192: (1.0,)})
    table.loc[table["batch_size"] == 8192, "test_loss_after_epochs"] = math.nan
    assert usual_sizes(table)[0].largest_outcome == "open"  # did not come so far: nobody knows
    table.loc[table["batch_size"] == 8192, "diverged_at"] = 7
    verdict = usual_sizes(table)[0]
    assert (verdict.largest, verdict.largest_outcome, verdict.harm_from) == (8192, "worse", 8192)
    assert math.isinf(verdict.largest_ratio)


@pytest.mark.parametrize("losses", [[None, 0.51, 0.51, 0.49, 0.49], [None, None, 0.49, 0.49, 0.49]])
def test_a_bare_majority_of_the_seeds_gives_no_verdict(losses):
    rows = [row(256, seed=seed) for seed in range(5)]
    for seed, loss in enumerate(losses):
        rows.append(row(8192, seed=seed, test_loss_after_epochs=loss, diverged_at=None if loss else 7))
    verdict = usual_sizes(to_table(rows))[0]
    assert (verdict.budget, verdict.usual, verdict.largest) == ("epochs", 256, 8192)
    assert (verdict.largest_outcome, verdict.harm_from) == ("open", None)


def test_two_seeds_give_no_verdict():
    table = judged({32: (1.0,), 256: (1.5,), 8192: (9.0,)}, noise=0.001)
    for verdict in usual_sizes(table[table["seed"] < 2]):
        assert (verdict.usual_outcome, verdict.largest_outcome, verdict.harm_from) == ("open", "open", None)


def test_the_map_tells_reached_missed_stuck_and_diverged_and_marks_the_best():
    rows = [
        row(8, 0.1, updates_to_target=400.0),
        row(8, 0.2, updates_to_target=100.0),
        row(8, 0.01, updates_to_target=None),
        row(8, 1.0, updates_to_target=None, train_loss=2.5),
        row(8, 2.0, updates_to_target=None, train_loss=None, diverged_at=7),
    ]
    cells = results.rate_cells(to_table(rows)).set_index("learning_rate")
    assert cells["state"].to_dict() == {
        0.01: "not reached",
        0.1: "reached",
        0.2: "reached",
        1.0: "no better",
        2.0: "diverged",
    }
    assert cells["ratio"].tolist() == [math.inf, 4.0, 1.0, math.inf, math.inf]
    assert cells.index[cells["is_best"]].tolist() == [0.2]
    assert cells.loc[2.0, "diverged_at"] == 7
    assert results.rate_cells(to_table([])).empty


def test_an_empty_sweep_says_nothing_and_fails_nowhere():
    table = to_table([])
    assert results.spread(results.tuned(table, "updates_to_target"), "updates_to_target").empty
    assert usual_sizes(table) == []
    assert results.fit_runs(table) is None
    assert recommend(table) == "not run"
    assert isinstance(results.speed(table), pd.DataFrame)
