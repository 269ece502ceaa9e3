"""What a sweep says, held to hand arithmetic, to SciPy and to data whose law is known."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from sgd_tf import sweep_results as results
from sgd_tf.sweep_results import fit_hyperbola, to_table

SIZES = (1, 4, 16, 64, 256, 1024)


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
    return usual | changes


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


@pytest.mark.parametrize(("least_updates", "least_samples"), [(10.0, 1000.0), (500.0, 2e5), (3.0, 30.0)])
def test_points_on_a_hyperbola_give_it_back(least_updates, least_samples):
    updates = [least_updates + least_samples / k for k in SIZES]
    fit = fit_hyperbola(SIZES, updates)
    assert fit.min_updates == pytest.approx(least_updates, rel=1e-6)
    assert fit.min_examples == pytest.approx(least_samples, rel=1e-6)
    assert fit.critical_batch_size == pytest.approx(least_samples / least_updates, rel=1e-6)
    assert fit.deviation < 1e-6
    assert math.isnan(fit.low)
    S, E = fit.updates(7.0), 7.0 * fit.updates(7.0)
    assert (S / fit.min_updates - 1) * (E / fit.min_examples - 1) == pytest.approx(1.0)


def test_at_the_critical_batch_size_updates_and_samples_are_twice_their_least():
    fit = fit_hyperbola([1, 10, 100, 1000], [1010, 110, 20, 11])
    k = fit.critical_batch_size
    assert fit.updates(k) == pytest.approx(2 * fit.min_updates)
    assert k * fit.updates(k) == pytest.approx(2 * fit.min_examples)


@settings(max_examples=40, deadline=None)
@given(st.floats(1, 1e4), st.floats(2, 512))
def test_any_hyperbola_with_its_bend_inside_the_sweep_is_found(least_updates, critical):
    fit = fit_hyperbola(SIZES, [least_updates * (1 + critical / k) for k in SIZES])
    assert fit.critical_batch_size == pytest.approx(critical, rel=1e-3)


def test_the_fit_is_the_one_of_scipys_curve_fit_on_logarithms():
    from scipy.optimize import curve_fit

    random = np.random.default_rng(1)
    k = np.repeat(SIZES, 3)
    updates = (50 + 3000 / k) * np.exp(0.2 * random.normal(size=len(k)))
    fit = fit_hyperbola(k, updates)
    (a, b), _ = curve_fit(lambda k, a, b: np.log(np.exp(a) + np.exp(b) / k), k, np.log(updates), p0=(4.0, 8.0))
    assert (fit.min_updates, fit.min_examples) == pytest.approx((np.exp(a), np.exp(b)), rel=1e-4)


def test_where_no_k_saves_updates_or_all_do_the_bend_lies_outside_the_sweep():
    assert fit_hyperbola(SIZES, [100.0] * 6).critical_batch_size < 1
    assert fit_hyperbola(SIZES, [1e6 / k for k in SIZES]).critical_batch_size > 1024


def test_the_interval_holds_the_critical_batch_size_of_noisy_points():
    k, seeds = np.repeat(SIZES, 5), np.tile(range(5), 6)
    hits = 0
    for trial in range(10):
        noise = np.random.default_rng(trial).normal(size=30)
        fit = fit_hyperbola(k, (50 + 3000 / k) * np.exp(0.1 * noise), seeds=seeds, seed=trial)
        assert fit.low < fit.critical_batch_size < fit.high
        hits += fit.low < 60 < fit.high
    assert hits >= 8  # of 95 % intervals; fewer come once in 90 times


def test_a_quadratic_whose_gradient_noise_is_b_times_its_square_has_the_critical_batch_size_b():
    # d ← d (1 − a (1 + ξ √(B/k))): per-sample gradients with variance B g². With steps a = ε/(1 + B/k) the logarithm of
    # d falls by a in the mean, so that S = ln(d₀/d) (1 + B/k)/ε.
    B, step, shrink, random = 40.0, 0.02, 50.0, np.random.default_rng(0)
    k, updates, seeds = [], [], []
    for size in SIZES:
        a = step / (1 + B / size)
        num = int(3 * math.log(shrink) / a)
        for seed in range(5):
            logs = np.log(np.abs(1 - a * (1 + random.normal(size=num) * math.sqrt(B / size)))).cumsum()
            k.append(size)
            updates.append(1 + int(np.argmax(logs <= -math.log(shrink))))
            seeds.append(seed)
    fit = fit_hyperbola(k, updates, seeds=seeds)
    assert fit.low < B < fit.high
    assert fit.critical_batch_size == pytest.approx(B, rel=0.15)
    assert fit.min_updates == pytest.approx(math.log(shrink) / step, rel=0.1)


def test_a_fit_needs_three_batch_sizes_that_reached_the_target():
    with pytest.raises(ValueError, match="at least three different ones; received 2"):
        fit_hyperbola([1, 2, 2], [5.0, 4.0, 4.0])
    rows = [row(k) for k in (1, 2)] + [row(4, updates_to_target=None)]
    assert results.fit_runs(to_table(rows)) is None


def values_of(values, measure="test_loss_after_epochs"):
    return pd.DataFrame({"seed": range(len(values)), measure: values})


@settings(max_examples=20, deadline=None)
@given(
    st.lists(st.floats(0.1, 10), min_size=3, max_size=8),
    st.lists(st.floats(0.1, 10), min_size=3, max_size=8),
)
def test_two_settings_are_compared_by_scipys_paired_t_test_on_logarithms(a, b):
    n = min(len(a), len(b))
    differences = np.log(a[:n]) - np.log(b[:n])
    assume(differences.std() > 1e-3)
    found = results.compare(values_of(a[:n]), values_of(b[:n]), "test_loss_after_epochs")
    expected = stats.ttest_rel(np.log(a[:n]), np.log(b[:n]))
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert found.ratio == pytest.approx(stats.gmean(a[:n]) / stats.gmean(b[:n]))
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))
    assert found.is_real == (found.p_value < 0.05)


def test_the_effect_size_is_that_of_cohen_shrunk_as_by_hedges():
    found = results.compare(values_of(np.exp([1.0, 2.0, 3.0, 6.0])), values_of([1.0] * 4), "test_loss_after_epochs")
    # Differences 1, 2, 3, 6: mean 3, standard deviation √(14/3); 1 − 3/(4·3 − 1) = 8/11.
    assert found.effect_size == pytest.approx(3 / math.sqrt(14 / 3) * 8 / 11)
    assert found.effect == "large"


@pytest.mark.parametrize(
    ("size", "words"), [(0.1, "none"), (-0.3, "small"), (0.6, "medium"), (-1.0, "large"), (3.0, "very large")]
)
def test_effect_sizes_have_the_words_of_cohen_and_sawilowsky(size, words):
    found = results.compare(values_of([1.0, 2.0]), values_of([1.0, 1.0]), "test_loss_after_epochs")
    assert results.Comparison(**{**found.__dict__, "effect_size": size}).effect == words


def test_accuracies_are_compared_by_their_difference():
    measure = "test_accuracy_after_epochs"
    found = results.compare(values_of([0.9, 0.8, 0.7], measure), values_of([0.8, 0.7, 0.5], measure), measure)
    assert found.is_difference
    assert found.ratio == pytest.approx(0.4 / 3)
    assert found.p_value == pytest.approx(stats.ttest_rel([0.9, 0.8, 0.7], [0.8, 0.7, 0.5]).pvalue)


def test_a_setting_is_as_good_as_itself():
    runs = values_of([1.0, 2.0, 3.0])
    found = results.compare(runs, runs, "test_loss_after_epochs")
    assert (found.ratio, found.low, found.high, found.p_value) == (1.0, 1.0, 1.0, 1.0)
    assert not found.is_real
    assert results.outcome(found) == "as good"


def test_runs_without_a_value_lose_and_a_sign_test_counts():
    one, other = values_of([1.0] * 6, "updates_to_target"), values_of([2.0] * 5 + [None], "updates_to_target")
    found = results.compare(one, other, "updates_to_target")
    assert found.test == "sign"
    assert found.p_value == pytest.approx(2 / 2**6)  # six of six
    assert found.ratio == 0.0
    assert found.is_real


def test_only_seeds_that_both_have_are_compared():
    found = results.compare(values_of([1.0, 2.0, 3.0]), values_of([1.0, 2.0]), "test_loss_after_epochs")
    assert found.num_seeds == 2
    with pytest.raises(ValueError, match="must have a seed in common"):
        results.compare(to_table([row(8, seed=0)]), to_table([row(8, seed=1)]), "updates_to_target")


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrected_p_values_keep_their_order_and_hold_the_bound_of_bonferroni(p_values):
    corrected = results.holm(p_values)
    assert all(p <= q <= min(1.0, len(p_values) * p) or q <= 1.0 for p, q in zip(p_values, corrected, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(corrected)[order]) >= 0)
    assert corrected[order[0]] == min(1.0, len(p_values) * p_values[order[0]])


def race(prices, noise=0.02, num_seeds=5):
    """A table whose seconds to the target are given for each k, with a little noise over the seeds."""
    random = np.random.default_rng(0)
    return to_table(
        row(k, seed=seed, updates_to_target=1000 * price * math.exp(noise * random.normal()))
        for k, price in prices.items()
        for seed in range(num_seeds)
    )


def test_the_range_holds_what_is_not_slower_and_ends_where_it_is():
    best = results.recommend(race({1: 4.0, 8: 1.05, 32: 1.0, 128: 1.06, 1024: 3.0}))
    assert (best.low, best.best, best.high) == (8, 32, 128)
    assert best.seconds == pytest.approx(1.0, rel=0.05)
    assert best.share > 0.99
    assert best.slowest == pytest.approx(1.06, rel=0.05)
    assert not best.ends_low
    assert not best.ends_high


def test_a_lone_winner_is_a_range_of_one():
    best = results.recommend(race({1: 2.0, 32: 1.0, 1024: 2.0}))
    assert (best.low, best.high) == (32, 32)


def test_noise_widens_the_range():
    prices = {1: 2.0, 8: 1.4, 32: 1.0, 128: 1.4, 1024: 2.0}
    narrow, wide = results.recommend(race(prices, noise=0.02)), results.recommend(race(prices, noise=0.8))
    assert narrow.low == narrow.high == 32
    assert wide.high / wide.low > 1


def test_a_k_that_is_slow_in_between_ends_the_range():
    best = results.recommend(race({1: 1.0, 8: 3.0, 32: 1.05}))
    assert (best.low, best.high) == (1, 1)


def test_a_k_that_did_not_always_reach_the_target_is_out():
    table = race({8: 1.5, 32: 1.0})
    table.loc[(table["batch_size"] == 32) & (table["seed"] == 3), ["updates_to_target", "steady_seconds_to_target"]] = (
        None
    )
    assert results.recommend(table).best == 8
    table["steady_seconds_to_target"] = math.nan
    assert results.recommend(table) is None


def test_with_one_seed_nothing_is_sure():
    best = results.recommend(race({8: 1.2, 32: 1.0, 128: 1.5}, num_seeds=1, noise=0.0))
    assert (best.low, best.high) == (8, 32)
    assert math.isnan(best.share)


def test_how_sure_is_the_share_of_resamples_with_the_fastest_k_in_the_range():
    # Two k whose order is that of the seed: each is the faster one with about half of the seeds.
    rows = [
        row(k, seed=seed, updates_to_target=1000.0 * price)
        for seed in range(4)
        for k, price in ((8, 1.0 + 0.5 * (seed % 2)), (32, 1.49 - 0.5 * (seed % 2)), (1024, 9.0))
    ]
    best = results.recommend(to_table(rows))
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
    verdicts = results.verdict_c13(judged({32: (1.0,), 256: (1.01,), 1024: (1.02,), 8192: (1.6,)}))
    verdict = next(verdict for verdict in verdicts if verdict.budget == "epochs")
    assert (verdict.best, verdict.practical, verdict.practical_outcome) == (32, 256, "as good")
    assert (verdict.harm_from, verdict.large, verdict.large_outcome) == (8192, 8192, "worse")
    assert verdict.large_ratio == pytest.approx(1.6 / 1.01, rel=0.02)


def test_the_verdict_takes_the_better_of_256_and_512():
    (verdict, _seconds) = results.verdict_c13(judged({256: (1.2,), 512: (1.0,), 8192: (1.0,)}))
    assert (verdict.practical, verdict.practical_outcome, verdict.large_outcome) == (512, "as good", "as good")
    assert verdict.harm_from is None


def test_without_256_and_512_or_without_large_k_the_verdict_says_so():
    (none, _seconds) = results.verdict_c13(judged({32: (1.0,), 1024: (2.0,)}))
    assert none.practical is None
    (small, _seconds) = results.verdict_c13(judged({32: (1.0,), 256: (2.0,), 1024: (3.0,)}))
    assert (small.large, small.harm_from, small.practical_outcome) == (None, 1024, "worse")


def test_seeds_that_differ_too_much_leave_the_verdict_open():
    (verdict, _seconds) = results.verdict_c13(judged({32: (1.0,), 256: (1.1,), 8192: (1.2,)}, noise=0.5))
    assert (verdict.practical_outcome, verdict.large_outcome) == ("open", "open")


def test_one_rate_and_tuned_ones_are_judged_apart():
    # At 0.1, the best of k = 32, a large k is bad; at its own best rate it is not.
    table = judged({32: (1.0, 2.0), 256: (1.0, 1.5), 8192: (4.0, 1.0)}, rates=(0.1, 0.4))
    one, tuned = (verdict for verdict in results.verdict_c13(table) if verdict.budget == "epochs")
    assert (one.rates, one.learning_rate, one.large_outcome) == ("one", 0.1, "worse")
    assert (tuned.rates, tuned.learning_rate, tuned.large_outcome) == ("tuned", None, "as good")


def test_a_large_k_that_diverged_is_worse():
    table = judged({32: (1.0,), 256: (1.0,), 8192: (1.0,)})
    table.loc[table["batch_size"] == 8192, "test_loss_after_epochs"] = math.nan
    verdict = results.verdict_c13(table)[0]
    assert (verdict.large, verdict.large_outcome) == (8192, "worse")
    assert math.isinf(verdict.large_ratio)


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
    assert results.verdict_c13(table) == []
    assert results.fit_runs(table) is None
    assert results.recommend(table) is None
    assert isinstance(results.speed(table), pd.DataFrame)
