"""The law of the noise against every minibatch that can be drawn, and the straight line against its own loss."""

import math
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.noise.noise_law import (
    cut_order,
    equal_noise_batch_size,
    line_contours,
    line_gradients,
    minibatch_means,
    sample_variance,
    variance_law,
)

GRADIENTS = np.random.default_rng(0).normal(size=(6, 3))  # of six samples, in three dimensions


def mean_distance(minibatches):
    """Mean of ‖g_B − g‖² over these minibatches, each as likely as the others."""
    g = GRADIENTS.mean(axis=0)
    return np.mean([np.square(GRADIENTS[list(rows)].mean(axis=0) - g).sum() for rows in minibatches])


@pytest.mark.parametrize("k", range(1, 7))
def test_the_law_is_the_mean_over_every_minibatch_that_can_be_drawn_without_replacement(k):
    law = variance_law(sample_variance(GRADIENTS), k, 6)
    assert mean_distance(combinations(range(6), k)) == pytest.approx(law, abs=1e-15)


@pytest.mark.parametrize("k", range(1, 6))
def test_the_law_with_replacement_is_the_mean_over_every_sequence_of_draws(k):
    law = variance_law(sample_variance(GRADIENTS), k, 6, with_replacement=True)
    assert mean_distance(product(range(6), repeat=k)) == pytest.approx(law)


@given(s_squared=st.floats(0, 1e9), num_examples=st.integers(2, 10**6))
def test_all_samples_leave_no_noise(s_squared, num_examples):
    assert variance_law(s_squared, num_examples, num_examples) == 0.0


def test_sample_variance_is_the_trace_of_the_covariance_matrix():
    assert sample_variance(GRADIENTS) == pytest.approx(np.trace(np.cov(GRADIENTS, rowvar=False)))


def test_without_noise_no_sample_is_needed_and_without_gradient_all_are():
    assert equal_noise_batch_size(0.0, 300) == 0.0
    assert equal_noise_batch_size(math.inf, 300) == 300.0
    assert math.isnan(equal_noise_batch_size(math.nan, 300))


@given(noise_scale=st.floats(1e-3, 1e6), num_examples=st.integers(2, 10**6))
def test_at_the_equal_noise_batch_size_the_law_gives_the_squared_gradient(noise_scale, num_examples):
    k = equal_noise_batch_size(noise_scale, num_examples)
    if k >= 1:
        assert variance_law(noise_scale, k, num_examples) == pytest.approx(1.0, rel=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((-1.0, 1, 10), "`s_squared` must be at least 0; received -1.0"),
        ((float("nan"), 1, 10), "`s_squared` must be at least 0; received nan"),
        ((1.0, 0, 10), r"`batch_size` must be in \[1, 10\]; received 0"),
        ((1.0, 11, 10), r"`batch_size` must be in \[1, 10\]; received 11"),
        ((1.0, 1, 1), "`num_examples` must be an integer of at least 2; received 1"),
    ],
)
def test_what_is_out_of_range_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        variance_law(*arguments)


@given(order=st.permutations(range(6)), k=st.integers(1, 6))
def test_weighted_by_their_shares_the_minibatches_of_an_epoch_add_up_to_the_full_gradient(order, k):
    gradients, shares = minibatch_means(GRADIENTS, cut_order(np.array(order), k))
    assert len(gradients) == len(shares) == -(-6 // k)
    assert shares.sum() == pytest.approx(1.0)
    np.testing.assert_allclose(shares @ gradients, GRADIENTS.mean(axis=0), atol=1e-15)


def test_the_plain_mean_is_off_where_the_last_minibatch_is_smaller():
    gradients, _shares = minibatch_means(GRADIENTS, cut_order(np.arange(6), 4))
    assert np.abs(gradients.mean(axis=0) - GRADIENTS.mean(axis=0)).max() > 0.01


# The straight line

X = np.random.default_rng(1).normal(0.3, 1.0, 50)
Y = 2 * X + 1 + np.random.default_rng(2).normal(size=50)


def loss(w, b):
    return np.mean(np.square(w * X + b - Y))


@given(w=st.floats(-5, 5), b=st.floats(-5, 5))
def test_the_gradient_of_a_line_is_the_slope_of_its_loss(w, b):
    h = 1e-4  # the loss is a quadratic: its central difference is exact
    expected = [(loss(w + h, b) - loss(w - h, b)) / (2 * h), (loss(w, b + h) - loss(w, b - h)) / (2 * h)]
    np.testing.assert_allclose(line_gradients(X, Y, w, b).mean(axis=0), expected, atol=1e-6)


def test_every_point_of_a_contour_has_the_loss_that_it_is_drawn_for():
    contours = line_contours(X, Y, num_levels=4)
    assert contours.shape == (4, 73, 3)
    losses = [[loss(w, b) for w, b, _ in line] for line in contours]
    np.testing.assert_allclose(losses, contours[:, :, 2])
    np.testing.assert_allclose(contours[:, 0], contours[:, -1])
    assert (np.diff(contours[:, 0, 2]) > 0).all()
