"""Runs on two valleys: the curve, the samples, and what noise of which size does."""

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.noise.escape import epoch_orders, escapes, sample_slopes, share_interval
from sgd_tf.noise.valleys import TILT, height, slope, stationary_points

QUICK = {"num_examples": 64, "num_runs": 50, "num_updates": 40}


def test_the_slope_is_the_derivative_of_the_height():
    w = tf.Variable(np.linspace(-2, 2, 41))
    with tf.GradientTape() as tape:
        total = tf.reduce_sum(height(w))
    np.testing.assert_allclose(tape.gradient(total, w), slope(w.numpy()), atol=1e-12)


def test_there_are_two_valleys_and_the_left_one_is_deeper():
    deep, ridge, shallow = stationary_points()
    assert deep < ridge < shallow
    np.testing.assert_allclose(slope(np.array([deep, ridge, shallow])), 0.0, atol=1e-12)
    assert height(deep) < height(shallow) < height(ridge)
    assert [3 * w**2 - 1 > 0 for w in (deep, ridge, shallow)] == [True, False, True]
    assert 0 < TILT < 2 / (3 * np.sqrt(3))


@given(num_examples=st.integers(2, 600), spread=st.floats(0, 10))
def test_the_slopes_of_the_samples_have_mean_zero_and_the_spread_asked_for(num_examples, spread):
    slopes = sample_slopes(num_examples, spread)
    assert slopes.mean() == pytest.approx(0.0, abs=1e-12)
    assert slopes.std() == pytest.approx(spread, abs=1e-12)


def test_orders_are_permutations_that_differ_between_runs_and_epochs():
    one, other = (epoch_orders(40, 30, seed=1, epoch=epoch).numpy() for epoch in (0, 1))
    for orders in (one, other):
        assert (np.sort(orders, axis=1) == np.arange(30)).all()
        assert len({tuple(row) for row in orders}) == 40
    assert not (one == other).all(axis=1).any()
    assert (epoch_orders(40, 30, seed=1, epoch=0).numpy() == one).all()


def test_each_sample_comes_first_equally_often():
    first = epoch_orders(6_000, 6, seed=0, epoch=0).numpy()[:, 0]
    chi_squared = (np.square(np.bincount(first, minlength=6) - 1_000) / 1_000).sum()
    assert chi_squared < 20.5  # 99.9 % of a fair draw: 5 degrees of freedom


def test_the_runs_are_the_loop_written_out():
    N, k, R, rate = 10, 4, 5, 0.2
    found = escapes(k, num_examples=N, num_runs=R, num_updates=7, spread=3.0, learning_rate=rate, seed=3)
    a = sample_slopes(N, 3.0)
    w = np.full(R, stationary_points()[2])
    update = 0
    for epoch in range(3):  # 4 + 4 + 2 samples in each
        orders = epoch_orders(R, N, seed=3, epoch=epoch).numpy()
        for rows in (orders[:, :4], orders[:, 4:8], orders[:, 8:]):
            if update < 7:
                w = w - rate * (slope(w) + a[rows].mean(axis=1))
                update += 1
    np.testing.assert_allclose(found.ends, w, atol=1e-5)


def test_gradient_descent_stays_at_the_bottom_of_the_shallow_valley():
    for size in ("all", 64):
        result = escapes(size, spread=4.0, **QUICK)
        assert result.num_escaped == 0
        np.testing.assert_allclose(result.ends, stationary_points()[2], atol=1e-6)


def test_samples_that_do_not_differ_make_no_noise():
    result = escapes(1, spread=0.0, **QUICK)
    assert result.num_escaped == 0
    np.testing.assert_allclose(result.ends, stationary_points()[2], atol=1e-6)


def test_some_noise_leads_out_less_does_not_and_much_more_does_not_let_a_run_stay():
    shares = {k: escapes(k, spread=3.0) for k in (1, 8, 64)}
    assert shares[64].num_escaped == 0
    assert shares[8].interval[0] > 0.8
    assert shares[1].interval[1] < shares[8].interval[0]


def test_the_same_seed_gives_the_same_runs():
    one, same, other = (escapes(2, spread=3.0, seed=seed, **QUICK) for seed in (1, 1, 2))
    assert one == same
    assert one != other


@settings(max_examples=15)
@given(
    k=st.sampled_from([1, 2, 8, 16]),
    spread=st.floats(0.5, 4.0),
    learning_rate=st.floats(0.01, 0.5),
    seed=st.integers(0, 2**31 - 1),
)
def test_each_run_escaped_stayed_or_flew_off(k, spread, learning_rate, seed):
    options = {"num_examples": 16, "num_runs": 20, "num_updates": 33, "spread": spread, "seed": seed}
    result = escapes(k, learning_rate=learning_rate, **options)
    ends = np.array(result.ends)
    flown = ~np.isfinite(ends) | (np.abs(ends) > np.sqrt(1 + 2 / learning_rate))
    left, right = ends[~flown] < stationary_points()[1], ends[~flown] >= stationary_points()[1]
    assert (result.num_escaped, result.num_diverged) == (left.sum(), flown.sum())
    assert result.num_escaped + right.sum() + result.num_diverged == result.num_runs == 20
    low, high = result.interval
    assert 0 <= low <= result.share <= high <= 1


def test_runs_that_are_no_number_any_more_neither_escaped_nor_stayed():
    result = escapes(1, learning_rate=0.5)
    assert not np.isfinite(result.ends).any()
    assert (result.num_escaped, result.num_diverged) == (0, 300)
    some = escapes(1, spread=4.0)
    assert np.isnan(some.ends).sum() == 107
    assert some.num_diverged >= 107


@given(num_runs=st.integers(1, 500), data=st.data())
def test_the_interval_is_the_formula_of_wilson(num_runs, data):
    num_escaped = data.draw(st.integers(0, num_runs))
    z, n, p = 1.959963984540054, num_runs, num_escaped / num_runs
    middle = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    assert share_interval(num_escaped, num_runs) == pytest.approx(
        (max(0.0, middle - half), min(1.0, middle + half)), abs=1e-9
    )


@pytest.mark.parametrize(
    ("batch_size", "options", "message"),
    [
        (0, {}, r"`batch_size` must be in \[1, 512\] or \"all\"; received 0"),
        (1, {"learning_rate": 0.6}, r"`learning_rate` must be in \(0, 0.5\]; received 0.6"),
        (1, {"spread": -1.0}, "`spread` must be a finite number of at least 0; received -1.0"),
        (1, {"num_runs": 0}, "`num_runs` must be an integer of at least 1; received 0"),
        (1, {"num_updates": 0}, "`num_updates` must be an integer of at least 1; received 0"),
    ],
)
def test_what_is_out_of_range_is_named(batch_size, options, message):
    with pytest.raises(ValueError, match=message):
        escapes(batch_size, **options)
