"""Sentences that stand on the page "Which batch size?", each against a sweep of its default problem with few k."""

import numpy as np
import pytest

from sgd_tf import problems
from sgd_tf.sweep import analysis, measure
from sgd_tf.sweep.fastest import fastest, seconds_by_size
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import TrainConfig
from tests.lab import standing

pytestmark = pytest.mark.sentences
PAGE = "pages/lab/batch_size.py"
SIZES = (2, 32, 256, 1437)


@pytest.fixture(scope="module")
def digits():
    return problems.load("digits")


@pytest.fixture(scope="module")
def plan():
    usual = tuned_rates.sweep_budget("digits", "mlp")
    return SweepPlan(
        problem="digits",
        batch_sizes=SIZES,
        learning_rates=(0.125, 1.0),
        num_seeds=1,
        target=usual.target,
        epochs=usual.epochs,
        seconds=usual.seconds,
        max_seconds=2.0,  # whatever else the machine does
    )


@pytest.fixture(scope="module")
def table(digits, plan):
    return analysis.to_table(measure.sweep(digits, plan))


@pytest.fixture(scope="module")
def runs(table):
    return analysis.tuned(table, "updates_to_target").set_index("batch_size")


def test_left_of_the_critical_batch_size_updates_fall_almost_in_proportion_to_k_and_right_of_it_hardly(table, runs):
    standing(PAGE, "notice", "Left of the critical batch size, updates fall almost in proportion")
    standing(PAGE, "notice", "Right of it they hardly fall")
    law = analysis.fit_runs(analysis.tuned(table, "updates_to_target"))
    assert 2 < law.critical_batch_size < 256
    updates = runs["updates_to_target"]
    assert updates[32] / updates[2] < 2 / 16  # 1/16 would be in proportion
    assert updates[1437] / updates[256] > 0.5  # 1/5.6 would be in proportion


def test_a_large_k_wastes_samples(runs):
    standing(PAGE, "notice", "a large k wastes samples")
    examples = runs["examples_to_target"]
    assert examples[1437] > 4 * examples[32]


def test_a_small_k_leaves_the_processor_idle(runs):
    standing(PAGE, "notice", "A small k leaves the processor idle")
    assert runs["examples_per_second"][256] > 2 * runs["examples_per_second"][2]


def test_the_best_k_on_the_clock_is_neither_small_nor_large(table):
    standing(PAGE, "notice", "the best k is usually neither small nor large")
    assert fastest(seconds_by_size(table)).best in (32, 256)


def test_the_best_rate_rises_with_k_but_not_far_beyond_the_limit(digits, plan, runs):
    standing(PAGE, "notice", "the best rate rises with k, but not far beyond")
    rates = runs["learning_rate"]
    assert rates[2] < rates[256]
    config = TrainConfig(batch_size=32, learning_rate=float(rates[32]))
    limits = [point.max_learning_rate for point in measure.landscape(digits, plan, config)]
    assert rates[1437] <= 2 * max(limits)


def test_after_equal_epochs_a_small_k_has_made_more_updates(digits, plan):
    standing(PAGE, "notice", "After equal epochs, a small k has made more updates")
    made = [np.ceil(digits.num_examples / k) * plan.epochs for k in SIZES]
    assert (np.diff(made) < 0).all()
