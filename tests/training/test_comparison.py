"""Two settings compared seed by seed, held to SciPy and to counting by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from sgd_tf.training import comparison


def values_of(values, measure="test_loss_after_epochs"):
    return pd.DataFrame({"seed": range(len(values)), measure: values})


@settings(max_examples=20)
@given(
    st.lists(st.floats(0.1, 10), min_size=3, max_size=8),
    st.lists(st.floats(0.1, 10), min_size=3, max_size=8),
)
def test_two_settings_are_compared_by_scipys_paired_t_test_on_logarithms(a, b):
    n = min(len(a), len(b))
    differences = np.log(a[:n]) - np.log(b[:n])
    assume(differences.std() > 1e-3)
    found = comparison.compare(values_of(a[:n]), values_of(b[:n]), "test_loss_after_epochs")
    expected = stats.ttest_rel(np.log(a[:n]), np.log(b[:n]))
    assert found.p_value == pytest.approx(expected.pvalue, rel=1e-6, abs=1e-12)
    assert found.ratio == pytest.approx(stats.gmean(a[:n]) / stats.gmean(b[:n]))
    low, high = expected.confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((math.exp(low), math.exp(high)))
    assert found.is_significant == (found.p_value < 0.05)


def test_accuracies_are_compared_by_their_difference():
    measure = "test_accuracy_after_epochs"
    found = comparison.compare(values_of([0.9, 0.8, 0.7], measure), values_of([0.8, 0.7, 0.5], measure), measure)
    assert found.is_difference
    assert found.ratio == pytest.approx(0.4 / 3)
    assert found.p_value == pytest.approx(stats.ttest_rel([0.9, 0.8, 0.7], [0.8, 0.7, 0.5]).pvalue)


def test_a_setting_is_as_good_as_itself():
    runs = values_of([1.0, 2.0, 3.0])
    found = comparison.compare(runs, runs, "test_loss_after_epochs")
    assert (found.ratio, found.low, found.high, found.p_value) == (1.0, 1.0, 1.0, 1.0)
    assert not found.is_significant
    assert comparison.outcome(runs, runs, "test_loss_after_epochs") == "as good"


def test_runs_without_a_value_lose_and_a_sign_test_counts():
    one, other = values_of([1.0] * 6, "updates_to_target"), values_of([2.0] * 5 + [None], "updates_to_target")
    found = comparison.compare(one, other, "updates_to_target")
    assert found.test == "sign"
    assert found.p_value == pytest.approx(2 / 2**6)  # six of six
    assert found.ratio == 0.5  # the median of 1/2, five times, and 0
    assert found.is_significant


def test_only_seeds_that_both_have_are_compared():
    found = comparison.compare(values_of([1.0, 2.0, 3.0]), values_of([1.0, 2.0]), "test_loss_after_epochs")
    assert found.num_seeds == 2
    one, other = values_of([1.0]), values_of([1.0]).assign(seed=1)
    with pytest.raises(ValueError, match="must have a seed in common"):
        comparison.compare(one, other, "test_loss_after_epochs")


@pytest.mark.parametrize("num_seeds", [1, 2])
def test_two_seeds_show_no_difference_however_large_it_is(num_seeds):
    one, other = values_of([1.0, 1.001][:num_seeds]), values_of([100.0, 100.2][:num_seeds])
    found = comparison.compare(one, other, "test_loss_after_epochs")
    assert found.ratio == pytest.approx(0.01, rel=1e-3)
    assert math.isnan(found.p_value)
    assert math.isnan(found.low)
    assert not found.is_significant
    assert comparison.outcome(other, one, "test_loss_after_epochs") == "open"


def test_a_target_that_is_met_before_the_first_update_has_no_ratio_and_is_counted():
    one, other = values_of([0.0] * 6, "updates_to_target"), values_of([0.0] * 3 + [5.0] * 3, "updates_to_target")
    found = comparison.compare(one, other, "updates_to_target")
    assert found.test == "sign"
    assert found.p_value == pytest.approx(2 / 2**3)  # three ties, three of three
    assert (found.ratio, found.is_significant) == (0.0, False)


def test_a_run_that_did_not_come_as_far_as_its_epochs_neither_won_nor_lost():
    one = values_of([1.0, 1.1, 1.2, None]).assign(diverged_at=None)
    other = values_of([2.0, 2.1, 2.5, 2.0]).assign(diverged_at=None)
    found = comparison.compare(one, other, "test_loss_after_epochs")
    assert (found.test, found.num_seeds) == ("t", 3)
    assert comparison.outcome(other, one, "test_loss_after_epochs") == "open"
    lost = one.assign(diverged_at=[None, None, None, 7.0])
    assert comparison.compare(lost, other, "test_loss_after_epochs").test == "sign"


@pytest.mark.parametrize(
    ("losses", "expected"),
    [
        ([None, 0.51, 0.51, 0.49, 0.49], "open"),  # one of five is more than 5 % worse
        ([None, None, 0.49, 0.49, 0.49], "open"),
        ([None] * 5, "worse"),  # p = 1/32
        ([None, 0.9, 0.9, 0.9, 0.9], "worse"),
        ([None] * 4, "open"),  # p = 1/16
        ([None, *[0.5] * 7], "as good"),  # seven of eight: p = 9/256
        ([None, None, *[0.5] * 6], "open"),  # six of eight: p = 37/256
    ],
)
def test_a_bare_majority_of_the_seeds_decides_nothing(losses, expected):
    one, other = values_of(losses), values_of([0.5] * len(losses))
    assert comparison.outcome(one, other, "test_loss_after_epochs") == expected


@settings(max_examples=40)
@given(st.lists(st.tuples(st.floats(0.1, 10), st.floats(0.1, 10)), min_size=3, max_size=8))
def test_a_verdict_is_the_one_of_scipys_one_sided_tests_against_five_percent(pairs):
    a, b = np.array(pairs).T
    assume((np.log(a) - np.log(b)).std() > 1e-3)
    tests = [stats.ttest_1samp(np.log(a / b), math.log(1.05), alternative=side).pvalue for side in ("greater", "less")]
    assume(min(abs(p - 0.05) for p in tests) > 1e-6)
    expected = "worse" if tests[0] < 0.05 else "as good" if tests[1] < 0.05 else "open"
    assert comparison.outcome(values_of(a), values_of(b), "test_loss_after_epochs") == expected


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_corrected_p_values_keep_their_order_and_hold_the_bound_of_bonferroni(p_values):
    corrected = comparison.holm(p_values)
    assert all(p <= q <= min(1.0, len(p_values) * p) or q <= 1.0 for p, q in zip(p_values, corrected, strict=True))
    order = np.argsort(p_values, kind="stable")
    assert np.all(np.diff(np.array(corrected)[order]) >= 0)
    assert corrected[order[0]] == min(1.0, len(p_values) * p_values[order[0]])
