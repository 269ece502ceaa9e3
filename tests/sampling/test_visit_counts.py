"""Tests of the counts of visits: brute force over all outcomes, SciPy, and facts of every N."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sgd_tf.sampling import visit_counts
from sgd_tf.training.counting import iterations_per_epoch


@given(st.integers(1, 40), st.lists(st.integers(0, 39), min_size=1, max_size=80))
def test_visits_add_up_to_the_draws(num_examples, draws):
    drawn = np.array(draws) % num_examples
    counts = visit_counts.visits(drawn, num_examples)
    assert len(counts) == num_examples
    assert counts.sum() == len(drawn)
    assert all(counts[i] == (drawn == i).sum() for i in range(num_examples))


@given(st.integers(1, 30), st.integers(1, 5), st.randoms(use_true_random=False))
def test_permutations_visit_each_sample_once_per_epoch_and_miss_none(num_examples, num_epochs, random):
    orders = np.array([random.sample(range(num_examples), num_examples) for _ in range(num_epochs)])
    assert (visit_counts.visits(orders, num_examples) == num_epochs).all()
    assert (visit_counts.missed_shares(orders, num_examples) == 0).all()


@pytest.mark.parametrize("num_epochs", [1, 2])
def test_the_expected_shares_are_the_mean_over_all_outcomes(num_epochs):
    N = 3
    outcomes = [np.array(o) for o in itertools.product(range(N), repeat=N * num_epochs)]
    counts = np.array([visit_counts.visits(o, N) for o in outcomes])
    assert visit_counts.expected_missed_share(N, num_epochs) == pytest.approx((counts == 0).mean())
    shares = visit_counts.expected_visit_shares(N, num_epochs, N * num_epochs)
    assert shares == pytest.approx([(counts == m).mean() for m in range(N * num_epochs + 1)])


@given(st.integers(1, 400), st.integers(1, 10))
def test_the_expected_visits_are_binomial_as_scipy_has_it(num_examples, num_epochs):
    shares = visit_counts.expected_visit_shares(num_examples, num_epochs, 30)
    theirs = stats.binom.pmf(np.arange(31), num_examples * num_epochs, 1 / num_examples)
    assert shares == pytest.approx(theirs, rel=1e-8, abs=1e-12)


@pytest.mark.parametrize("num_epochs", [1, 2, 3])
def test_with_many_samples_one_in_e_to_the_epochs_is_missed(num_epochs):
    assert visit_counts.expected_missed_share(10**6, num_epochs) == pytest.approx(math.exp(-num_epochs), rel=1e-5)


def test_two_random_orders_share_one_place_on_average():
    orders = [np.array(order) for order in itertools.permutations(range(5))]
    assert np.mean([visit_counts.same_places(np.arange(5), order) for order in orders]) == 1


@given(st.integers(1, 50), st.integers(1, 60))
def test_a_buffer_that_holds_all_can_give_any_sample_first(num_examples, buffer_size):
    earliest = visit_counts.earliest_position(np.arange(num_examples), buffer_size)
    assert (earliest == 0).all() == (buffer_size >= num_examples)
    assert earliest.max() == max(0, num_examples - buffer_size)


@given(st.integers(1, 60), st.data())
def test_the_table_of_places_has_every_iteration_of_the_epoch(num_examples, data):
    k = data.draw(st.integers(1, num_examples))
    table = visit_counts.positions(np.arange(num_examples)[::-1], k)
    sizes = table["iteration"].value_counts(sort=False)
    assert len(sizes) == iterations_per_epoch(num_examples, k)
    assert (sizes.iloc[:-1] == k).all()
    assert (table["sample"] + table["position"] == num_examples - 1).all()


@pytest.mark.parametrize(
    "call",
    [
        lambda: visit_counts.expected_missed_share(0),
        lambda: visit_counts.expected_missed_share(5, -1),
        lambda: visit_counts.expected_visit_shares(5, 1, -1),
        lambda: visit_counts.earliest_position(3, 0),
        lambda: visit_counts.positions(np.arange(3), 0),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(call):
    with pytest.raises(ValueError, match=r"^`\w+` must be"):
        call()
