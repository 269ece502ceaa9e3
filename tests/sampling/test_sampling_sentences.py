"""Sentences that stand on the sampling page, each against a run of the page's default settings (with fewer seeds)."""

import numpy as np
import pytest

from sgd_tf import problems
from sgd_tf.jobs.rows import table
from sgd_tf.sampling import controls, rows, trials, verdict, visit_counts
from sgd_tf.sampling.rows import (
    Floor,
    FloorPlan,
    GenieMeasurement,
    GeniePlan,
    OrdersPlan,
    SortedMeasurement,
    SortedPlan,
)
from tests.lab import standing

pytestmark = pytest.mark.sentences
PAGE = "pages/learn/sampling.py"
N, K, B = controls.SAMPLES.default, controls.BATCH_SIZE.default, controls.BUFFER_SIZE.default


@pytest.fixture(scope="module")
def orders():
    plan = OrdersPlan(num_examples=N, buffer_size=B, seed=controls.SEED.default)
    return {row.sampling: np.array(row.orders).reshape(plan.num_epochs, N) for row in rows.draw_orders(plan)}


def test_reshuffling_gives_almost_every_sample_another_position(orders):
    standing(PAGE, "ways", "Few dots sit in their ring")
    same = [visit_counts.same_places(*pair) for pair in zip(orders["reshuffle"], orders["reshuffle"][1:], strict=False)]
    assert max(same) <= N / 20


def test_two_ways_repeat_their_order(orders):
    standing(PAGE, "ways", "every dot sits in its ring")
    for way in ("shuffle_once", "in_order"):
        assert (orders[way] == orders[way][0]).all()


def test_with_replacement_some_samples_come_twice_and_others_never(orders):
    standing(PAGE, "ways", "Some samples come twice or more, and others not at all")
    counts = visit_counts.visits(orders["with_replacement"][:1], N)
    assert counts.min() == 0
    assert counts.max() >= 2


def test_a_sample_late_in_the_file_comes_late(orders):
    standing(PAGE, "ways", "sample i cannot appear before position i − b + 1")
    for order in orders["buffer"]:
        place = np.argsort(order)
        assert (place >= np.arange(N) - B + 1).all()
        assert place[-N // 4 :].mean() > place[: N // 4].mean() + N / 4


@pytest.fixture(scope="module")
def floors():
    plan = FloorPlan(batch_size=int(controls.FLOOR_SIZE.default), num_seeds=2)
    runs = table(rows.error_floors(plan), Floor)
    return plan, runs, runs.groupby(["sampling", "learning_rate"])["floor"].median()


def test_each_run_falls_and_then_hovers(floors):
    standing(PAGE, "floor_notice", "each run falls and then hovers")
    for distances, floor in floors[1][["distances", "floor"]].itertuples(index=False):
        assert distances[0] > 10 * floor
        assert min(distances[20:]) < floor < max(distances[20:])


def test_the_floor_with_replacement_is_in_proportion_to_the_rate(floors):
    standing(PAGE, "floor_notice", "With replacement the floor is in proportion to γ")
    plan, runs, medians = floors
    assert verdict.floor(plan, runs).powers["with_replacement"] == pytest.approx(1.0, abs=0.25)
    exact = runs.dropna(subset=["expected"]).groupby("learning_rate")["expected"].first()
    ratios = medians["with_replacement"] / exact
    assert ratios.between(0.5, 2).all()


def test_reshuffled_the_floor_falls_faster_and_at_the_largest_rate_the_two_hardly_differ(floors):
    standing(PAGE, "floor_notice", "at the largest γ the two ways hardly differ")
    plan, runs, medians = floors
    ratios = (medians["with_replacement"] / medians["reshuffle"]).sort_index()
    assert ratios.iloc[0] > 5  # smallest rate
    assert 0.6 < ratios.iloc[-1] < 1.6
    assert verdict.floor(plan, runs).powers["reshuffle"] > 1.5


@pytest.fixture(scope="module")
def by_class():
    plan = SortedPlan(
        batch_size=int(controls.SORTED_SIZE.default),
        learning_rate=controls.SORTED_RATE.default,
        buffer_size=controls.SORTED_BUFFER.default,
        num_seeds=2,
    )
    return verdict.sorted_data(plan, table(rows.sorted_runs(plan), SortedMeasurement))


def test_read_in_order_the_accuracy_moves_within_each_epoch(by_class):
    standing(PAGE, "sorted_notice", "the accuracy goes up and down once per epoch")
    assert by_class.swing["in_order"] > 0.1
    assert by_class.swing["reshuffle"] < 0.05


def test_a_small_buffer_ends_below_reshuffling(by_class):
    standing(PAGE, "sorted_notice", "with b = 100 a minibatch still holds a few neighbouring classes")
    standing(PAGE, "sorted_notice", "There are about 144 samples of each class")
    assert np.bincount(problems.load("digits").y_train).mean() == pytest.approx(144, abs=0.5)
    assert by_class.accuracy["in_order"] < by_class.accuracy["buffer"] < by_class.accuracy["reshuffle"] - 0.1


@pytest.fixture(scope="module")
def genie():
    plan = GeniePlan(num_copies=int(controls.COPIES.default), batch_size=int(controls.GENIE_SIZE.default), num_seeds=2)
    digits = problems.load("digits", num_examples=rows.GENIE_EXAMPLES)
    found = trials.genie_runs(digits, num_copies=plan.num_copies, batch_size=plan.batch_size, seeds=range(2))
    return verdict.genie(plan, table(found, GenieMeasurement))


def test_copies_change_no_update_of_gradient_descent(genie):
    standing(PAGE, "genie_notice", "the two GD lines coincide")
    assert genie.losses["gd", "copies"] == pytest.approx(genie.losses["gd", "update"], rel=1e-4)
    assert genie.factors["gd"] > 2


def test_sgd_hardly_notices_the_copies(genie):
    standing(PAGE, "genie_notice", "SGD hardly notices")
    assert genie.factors["sgd"] == pytest.approx(1, abs=0.1)


def test_counted_in_epochs_sgd_seems_to_gain_by_the_copies(genie):
    standing(PAGE, "genie_notice", "counted in epochs, SGD seems to gain")
    assert all(np.array(genie.losses["sgd", "copies"]) < np.array(genie.losses["sgd", "epoch"]))
