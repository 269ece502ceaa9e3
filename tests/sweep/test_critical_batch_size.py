"""The critical batch size, held to laws that are known: the fit, and how often the interval holds the true one."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sgd_tf.sweep.critical_batch_size import fit_hyperbola

SIZES = (1, 4, 16, 64, 256, 1024)


@pytest.mark.parametrize(("least_updates", "least_samples"), [(10.0, 1000.0), (500.0, 2e5), (3.0, 30.0)])
def test_points_on_a_hyperbola_give_it_back(least_updates, least_samples):
    updates = [least_updates + least_samples / k for k in SIZES]
    fit = fit_hyperbola(SIZES, updates)
    assert fit.min_updates == pytest.approx(least_updates, rel=1e-6)
    assert fit.min_examples == pytest.approx(least_samples, rel=1e-6)
    assert fit.critical_batch_size == pytest.approx(least_samples / least_updates, rel=1e-6)
    assert fit.misfit < 1e-6
    assert math.isnan(fit.low)
    S, E = fit.updates(7.0), 7.0 * fit.updates(7.0)
    assert (S / fit.min_updates - 1) * (E / fit.min_examples - 1) == pytest.approx(1.0)


def test_at_the_critical_batch_size_updates_and_samples_are_twice_their_least():
    fit = fit_hyperbola([1, 10, 100, 1000], [1010, 110, 20, 11])
    k = fit.critical_batch_size
    assert fit.updates(k) == pytest.approx(2 * fit.min_updates)
    assert k * fit.updates(k) == pytest.approx(2 * fit.min_examples)


@settings(max_examples=40)
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


@pytest.mark.parametrize(
    ("sizes", "num_seeds", "noise", "misfit"),
    [
        (2.0 ** np.arange(11), 5, 0.1, 0.0),
        ((1, 8, 64, 256, 1024), 5, 0.1, 0.15),
        ((1, 16, 128, 1024), 3, 0.1, 0.0),
    ],
)
def test_the_95_percent_interval_holds_the_true_critical_batch_size_in_92_to_98_of_100_cases(
    sizes, num_seeds, noise, misfit
):
    # S = 200 + 8000/k, hence B = 40; noise of each run, and a deviation of each k that its seeds share, of ln S.
    random, sizes, num_repeats = np.random.default_rng(0), np.asarray(sizes), 400
    k, seeds = np.repeat(sizes, num_seeds), np.tile(range(num_seeds), len(sizes))
    given, hits = 0, 0
    for _repeat in range(num_repeats):
        deviation = np.repeat(misfit * random.normal(size=len(sizes)), num_seeds)
        updates = (200 + 8000 / k) * np.exp(deviation + noise * random.normal(size=len(k)))
        fit = fit_hyperbola(k, updates, seeds=seeds)
        given += fit.no_interval is None
        hits += fit.low <= 40 <= fit.high
    assert given >= 0.98 * num_repeats  # else the law seems to miss by more than 0.3
    assert 0.92 <= hits / given <= 0.98


def noisy(sizes, num_seeds, *, noise=0.05, misfit=0.0):
    random = np.random.default_rng(1)
    k, seeds = np.repeat(sizes, num_seeds), np.tile(range(num_seeds), len(sizes))
    deviation = np.repeat(misfit * random.normal(size=len(sizes)), num_seeds)
    return k, (50 + 3000 / k) * np.exp(deviation + noise * random.normal(size=len(k))), seeds


@pytest.mark.parametrize(
    ("sizes", "num_seeds", "misfit", "reason"),
    [
        ((1, 32, 1024), 5, 0.0, "few sizes"),
        (SIZES, 2, 0.0, "few seeds"),
        (SIZES, 5, 1.0, "misfit"),
        ((1, 32, 1024), 2, 1.0, "misfit"),
    ],
)
def test_three_sizes_two_seeds_or_a_law_that_misses_give_no_interval_and_say_why(sizes, num_seeds, misfit, reason):
    k, updates, seeds = noisy(sizes, num_seeds, misfit=misfit)
    fit = fit_hyperbola(k, updates, seeds=seeds)
    assert fit.no_interval == reason
    assert math.isnan(fit.low)
    assert math.isnan(fit.high)


def test_a_seed_that_is_slower_with_every_k_changes_nothing_but_the_level():
    k, updates, seeds = noisy(SIZES, 3)
    fit = fit_hyperbola(k, updates, seeds=seeds)
    slow = fit_hyperbola(k, updates * np.array([1.0, 1.5, 4.0])[seeds], seeds=seeds)
    assert (slow.critical_batch_size, slow.low, slow.high) == pytest.approx(
        (fit.critical_batch_size, fit.low, fit.high)
    )
    assert slow.min_updates == pytest.approx(fit.min_updates * 6 ** (1 / 3))


def test_an_end_that_the_sweep_does_not_hold_is_open():
    k, seeds = np.repeat(SIZES, 3), np.tile(range(3), 6)
    noise = np.exp(0.1 * np.random.default_rng(0).normal(size=18))
    flat, steep = fit_hyperbola(k, 100 * noise, seeds=seeds), fit_hyperbola(k, 1e6 / k * noise, seeds=seeds)
    assert flat.low == 0
    assert flat.high < 4
    assert steep.low > 256
    assert steep.high == math.inf


def test_the_fit_and_its_interval_are_those_of_a_grid_that_is_searched_by_hand():
    k, updates, seeds = noisy(SIZES, 4, noise=0.1)
    fit = fit_hyperbola(k, updates, seeds=seeds)
    means = np.log(updates).reshape(len(SIZES), 4).mean(axis=1)
    critical = np.geomspace(1, 4096, 20_001)
    rest = means - np.log(1 + critical[:, None] / np.array(SIZES))
    squares = ((rest - rest.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    inside = critical[squares <= squares.min() * (1 + stats.f.ppf(0.95, 1, 4) / 4)]
    assert fit.critical_batch_size == pytest.approx(critical[squares.argmin()], rel=1e-3)
    assert (fit.low, fit.high) == pytest.approx((inside[0], inside[-1]), rel=1e-3)
    assert fit.misfit == pytest.approx(math.sqrt(squares.min() / 4), rel=1e-4)


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


def test_a_fit_needs_three_batch_sizes_and_updates_above_zero():
    with pytest.raises(ValueError, match="at least three different ones; received 2"):
        fit_hyperbola([1, 2, 2], [5.0, 4.0, 4.0])
    with pytest.raises(ValueError, match=r"`updates` must be finite and greater than 0; received \[5.0, 0.0, 4.0\]"):
        fit_hyperbola([1, 2, 4], [5.0, 0.0, 4.0])
    with pytest.raises(ValueError, match=r"`confidence` must be in \(0, 1\); received 95"):
        fit_hyperbola([1, 2, 4], [5.0, 4.0, 3.0], confidence=95)
