"""Sentences that stand on the page "What is SGD?", each against the recorded runs of its default settings."""

import pytest

from sgd_tf.double_loop import controls, rows, verdict
from sgd_tf.double_loop.recording import epoch_orders
from sgd_tf.double_loop.rows import DoubleLoopPlan, Turn
from sgd_tf.training import counting
from tests.lab import standing

pytestmark = pytest.mark.sentences
PAGE = "pages/learn/what_is_sgd.py"
N, RATE = controls.USUAL[controls.DATA.default]


@pytest.fixture(scope="module")
def runs():
    plan = DoubleLoopPlan(
        problem=controls.DATA.default,
        num_examples=N,
        batch_size=controls.BATCH_SIZE.default,
        num_epochs=controls.EPOCHS.default,
        learning_rate=RATE,
    )
    found = [row for row in rows.record_double_loop(plan) if isinstance(row, Turn)]
    return {way: [row for row in found if row.way == way] for way in rows.WAYS}


@pytest.mark.parametrize("way", rows.WAYS)
def test_every_epoch_uses_each_sample_once_in_a_new_order(runs, way):
    standing(PAGE, "notice", "Every epoch uses each sample exactly once.")
    standing(PAGE, "notice", "when all N are available again, in a new order")
    orders = epoch_orders(turn for turn in runs[way] if turn.update)
    assert all(sorted(order) == list(range(N)) for order in orders)
    assert len(set(map(tuple, orders))) == len(orders) == controls.EPOCHS.default


def test_gd_looks_at_all_samples_before_a_step_and_sgd_at_k(runs):
    standing(PAGE, "question", "all N of them with GD, then only k with SGD")
    sizes = {way: {len(turn.indices) for turn in runs[way] if turn.update} for way in rows.WAYS}
    assert sizes == {"gd": {N}, "sgd": {controls.BATCH_SIZE.default}}


def test_a_smaller_k_makes_more_updates():
    standing(PAGE, "notice", "The smaller k, the more updates an epoch makes.")
    sizes = [k for k in controls.CHIPS if k <= N]
    updates = [counting.iterations_per_epoch(N, k) for k in sizes]
    assert updates == sorted(set(updates), reverse=True)


def test_the_comparison_of_the_default_is_clear(runs):
    """The heading asks "Same samples, more updates?"; the run answers."""
    found = verdict.compare(runs)
    assert found.sgd.num_updates > found.gd.num_updates
    assert found.outcome == "sgd"
    assert found.sgd.num_rises == 0
