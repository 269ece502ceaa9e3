"""Tests of the ways of drawing and of what they do: closed forms, NumPy, scikit-learn, on real runs of the engine."""

import math
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression

from sgd_tf import problems
from sgd_tf.sampling import controls, trials, visit_counts
from sgd_tf.sampling.rows import FLOOR_EXAMPLES, FloorPlan, Measurement
from sgd_tf.training import pipeline
from sgd_tf.training.records import SAMPLINGS
from sgd_tf.training.run import Run

N = 256


@pytest.fixture(scope="module")
def line():
    return problems.load("line", num_examples=64)


@pytest.fixture(scope="module")
def digits():
    return problems.load("digits", num_examples=512)


# Orders


@pytest.fixture(scope="module")
def orders():
    return {way: trials.epoch_orders(N, 3, sampling=way, buffer_size=32, seed=4) for way in SAMPLINGS}


@pytest.mark.parametrize("way", SAMPLINGS)
@pytest.mark.parametrize("k", [1, 60, N])
def test_the_batch_size_cuts_the_order_and_does_not_change_it(orders, way, k):
    epochs = pipeline.order(N, k, sampling=way, buffer_size=32, seed=4)
    drawn = [np.concatenate(list(epochs.as_numpy_iterator())) for _ in range(3)]
    np.testing.assert_array_equal(np.stack(drawn), orders[way])


@pytest.mark.parametrize("way", ["reshuffle", "shuffle_once", "in_order", "buffer"])
def test_four_ways_visit_each_sample_once_per_epoch(orders, way):
    assert (visit_counts.visits(orders[way], N) == 3).all()
    assert (np.sort(orders[way], axis=1) == np.arange(N)).all()


def test_two_ways_repeat_their_order_and_three_do_not(orders):
    same = {way: visit_counts.same_places(order[0], order[1]) for way, order in orders.items()}
    assert same["shuffle_once"] == same["in_order"] == N
    # Two random permutations share a place by chance, 1 on average; more than 9 in one of 10 million cases (Poisson).
    assert max(same["reshuffle"], same["with_replacement"]) < 10
    assert same["buffer"] < N / 2


@pytest.mark.parametrize("num_epochs", [1, 3])
def test_drawing_with_replacement_misses_the_share_that_chance_says(num_epochs):
    n = 20_000
    order = trials.epoch_orders(n, num_epochs, sampling="with_replacement", seed=0)
    expected = visit_counts.expected_missed_share(n, num_epochs)
    deviation = math.sqrt(expected * (1 - expected) / n)  # of independent samples; those here vary even less
    assert abs(visit_counts.missed_shares(order, n)[-1] - expected) < 4 * deviation


def test_no_sample_leaves_the_buffer_before_it_has_come_in(orders):
    for order in orders["buffer"]:
        assert (np.arange(N) >= visit_counts.earliest_position(order, 32)).all()
    # And the bound is reached: of 768 samples one at least goes as soon as it can.
    assert any((np.arange(N) == visit_counts.earliest_position(order, 32)).any() for order in orders["buffer"])


# The error floor


def test_the_optimum_is_that_of_scikit_learn(regression):
    best = trials.least_squares(regression)
    theirs = LinearRegression().fit(regression.x_train.astype(np.float64), regression.y_train.astype(np.float64))
    np.testing.assert_allclose(best, [*theirs.coef_, theirs.intercept_], rtol=1e-10)


def test_the_expected_floor_is_where_many_chains_of_plain_sgd_hover(line):
    k, rate, num_chains = 4, 0.1, 4_000
    random, best = np.random.default_rng(0), trials.least_squares(line)
    x, y = line.x_train[:, 0].astype(np.float64), line.y_train.astype(np.float64)
    weights = np.tile(best, (num_chains, 1))
    for _ in range(150):  # the memory of the start fades as (1 − 2γ)^t
        rows = random.integers(0, len(x), size=(num_chains, k))
        error = weights[:, :1] * x[rows] + weights[:, 1:] - y[rows]
        gradient = np.stack([2 * (error * x[rows]).mean(axis=1), 2 * error.mean(axis=1)], axis=1)
        weights -= rate * gradient
    distances = np.square(weights - best).sum(axis=1)
    standard_error = distances.std() / math.sqrt(num_chains)
    assert trials.expected_floor(line, k, rate) == pytest.approx(distances.mean(), abs=4 * standard_error)


def test_the_expected_floor_is_in_proportion_to_a_small_learning_rate(line):
    floors = [trials.expected_floor(line, 4, rate) for rate in (1e-4, 5e-5)]
    assert floors[0] / floors[1] == pytest.approx(2.0, rel=1e-3)


def second_moments(problem, batch_size, rate, num_updates):
    """E δδᵀ after so many updates from 0, and by how much the last update multiplied a start without gradients."""
    a = np.c_[problem.x_train, np.ones(problem.num_examples)].astype(np.float64)
    hessians = 2 * a[:, :, None] * a[:, None, :]
    gradients = 2 * a * (a @ trials.least_squares(problem) - problem.y_train)[:, None]
    H, G = hessians.mean(axis=0), gradients.T @ gradients / len(a)

    def update(C):
        mixed = np.mean(hessians @ C @ hessians, axis=0) - H @ C @ H
        step = np.eye(len(H)) - rate * H
        return step @ C @ step + rate**2 / batch_size * mixed

    C, free, growth = np.zeros_like(H), np.eye(len(H)), 0.0
    for _ in range(num_updates):
        if np.abs(C).max() < 1e100:  # no overflow where it grows
            C = update(C) + rate**2 / batch_size * G
        free = update(free)
        growth = np.trace(free)
        free /= growth
    return C, growth


@settings(max_examples=30)
@given(batch_size=st.integers(1, 12), rate=st.floats(1e-3, 2.0))
def test_the_expected_floor_is_where_the_second_moments_come_to_rest_or_it_is_refused(batch_size, rate):
    small_line = problems.load("line", num_examples=12)
    refusal = rf"`learning_rate` must be in \(0, .*k = {batch_size} never comes to rest"
    C, growth = second_moments(small_line, batch_size, rate, 300)
    assume(abs(growth - 1) > 1e-6)
    if growth < 1:
        floor = trials.expected_floor(small_line, batch_size, rate)
        assert floor > 0
        if growth**300 < 1e-8:
            assert floor == pytest.approx(np.trace(C), rel=1e-5)
    else:
        with pytest.raises(ValueError, match=refusal):
            trials.expected_floor(small_line, batch_size, rate)


def test_each_floor_of_the_page_exists():
    line = problems.load("line", num_examples=FLOOR_EXAMPLES)
    for k in map(int, controls.FLOOR_SIZE.options):
        floors = [trials.expected_floor(line, k, rate) for rate in FloorPlan(batch_size=k, num_seeds=1).learning_rates]
        assert all(0 < floor < 20 for floor in floors)


@pytest.mark.parametrize("rate", [0.4, 0.6, -0.1, 0.0, math.nan, math.inf])
def test_a_rate_at_which_sgd_never_rests_is_refused(rate):
    line = problems.load("line", num_examples=100)
    message = r"`learning_rate` must be in \(0, 0.2828\), else SGD with k = 1 never comes to rest; received"
    with pytest.raises(ValueError, match=message):
        trials.expected_floor(line, 1, rate)
    with pytest.raises(ValueError, match=message):  # at the call
        trials.error_floors(line, batch_size=1, learning_rates=[0.1, rate])


def test_a_floor_needs_one_optimum_and_a_regression():
    few = problems.load("diabetes", num_examples=10)
    with pytest.raises(ValueError, match="independent samples than features: with N = 10 and d = 10 many weights"):
        trials.expected_floor(few, 1, 0.01)
    classes = problems.load("breast_cancer", num_examples=50)
    for refused in (
        lambda: trials.least_squares(classes),
        lambda: trials.expected_floor(classes, 1, 0.01),
        lambda: trials.error_floors(classes, batch_size=1, learning_rates=[0.01], samplings=["reshuffle"]),
    ):
        with pytest.raises(ValueError, match="`problem` must be a regression; received one with 2 classes"):
            refused()


def test_a_run_that_diverges_has_no_finite_floor(line):
    (row,) = trials.error_floors(
        line, batch_size=1, learning_rates=[5.0], samplings=["reshuffle"], num_epochs=4, seeds=[0]
    )
    assert math.isfinite(row.distances[0])
    assert row.distances[-1] == row.floor == math.inf
    assert row.expected is None


@pytest.mark.parametrize("way", ["reshuffle", "with_replacement"])
def test_a_run_is_sgd_as_numpy_does_it_on_the_order_of_the_pipeline(line, way):
    [row] = trials.error_floors(line, batch_size=4, learning_rates=[0.1], samplings=[way], num_epochs=6, seeds=[3])
    x, y = np.c_[line.x_train, np.ones(64)].astype(np.float64), line.y_train.astype(np.float64)
    best, config = trials.least_squares(line), trials.TrainConfig(batch_size=4, seed=3)
    run = Run(line, config, model=trials.LINEAR)
    weights = np.concatenate([np.ravel(w.numpy()) for w in run.model.trainable_variables]).astype(np.float64)
    run.close()
    distances = [np.square(weights - best).sum()]
    for order in trials.epoch_orders(64, 6, sampling=way, seed=3):
        for rows in order.reshape(-1, 4):
            weights = weights - 0.1 * 2 * x[rows].T @ (x[rows] @ weights - y[rows]) / 4
        distances.append(np.square(weights - best).sum())
    np.testing.assert_allclose(row.distances, distances, rtol=2e-3)
    assert row.floor == pytest.approx(np.mean(row.distances[-3:]))


def test_reshuffling_has_the_lower_floor_and_the_other_one_is_as_computed(line):
    rows = list(trials.error_floors(line, batch_size=4, learning_rates=[0.0125], num_epochs=60, seeds=range(6)))
    table = pd.DataFrame(rows)
    floors = table.groupby("sampling")["floor"].mean()
    assert floors["reshuffle"] < floors["with_replacement"] / 5
    # 180 ends of epochs, of which about two belong together; each is spread like an exponential variable.
    expected = table["expected"].dropna().iloc[0]
    assert floors["with_replacement"] == pytest.approx(expected, rel=4 / math.sqrt(90))
    assert table[table["sampling"] == "reshuffle"]["expected"].isna().all()


# Sorted data


def test_sorting_by_class_keeps_every_sample_with_its_label(digits):
    ordered = trials.sorted_by_class(digits)
    assert (np.diff(ordered.y_train) >= 0).all()
    assert ordered.class_counts == digits.class_counts

    def pairs(p):
        return sorted((label, row.tobytes()) for label, row in zip(p.y_train.tolist(), p.x_train, strict=True))

    assert pairs(ordered) == pairs(digits)


def test_sorted_data_read_in_order_are_learned_worse_than_reshuffled(digits):
    rows = trials.sorted_runs(
        digits, batch_size=32, learning_rate=0.1, buffer_size=50, num_epochs=6, records_per_epoch=4, seeds=[0]
    )
    table = pd.DataFrame(rows)
    assert table.groupby("sampling")["update"].apply(list).map(lambda updates: updates[-1] == 6 * 16).all()
    assert table.groupby("sampling").size().unique().tolist() == [6 * 4 + 1]
    last = table[table["epoch"] > 5].groupby("sampling")["test_accuracy"]
    assert last.mean()["in_order"] + 0.2 < last.mean()["reshuffle"]
    assert (last.max() - last.min())["reshuffle"] < (last.max() - last.min())["in_order"]


def test_a_run_that_diverges_ends_and_the_next_one_goes_on(digits):
    rows = list(trials.sorted_runs(digits, batch_size=32, learning_rate=100.0, buffer_size=50, num_epochs=1, seeds=[0]))
    table = pd.DataFrame(rows)
    for _, run in table.groupby("sampling"):
        assert run["update"].tolist() == [round(16 * i / 8) for i in range(9)]
        assert run["epoch"].tolist() == [i / 8 for i in range(9)]
        lost = run["train_loss"].isna().tolist()
        assert lost == run["test_accuracy"].isna().tolist() == sorted(lost)  # from one record on
        assert not lost[0]
    assert table["sampling"].nunique() == 3


class FakeRun:
    """A run that diverges at some update, or at none."""

    def __init__(self, problem, batch_size, diverges_at):
        self.problem, self.batch_size, self.diverges_at = problem, batch_size, diverges_at
        self.update, self.is_over, self.closed = 0, False, False

    def advance(self, update):
        assert update > self.update
        if not self.is_over:
            self.update, self.is_over = update, update >= self.diverges_at

    def record(self):
        return SimpleNamespace(train_loss=1 / (1 + self.update), test_accuracy=0.5)

    def close(self):
        self.closed = True


@given(
    num_examples=st.integers(1, 50),
    data=st.data(),
    updates=st.sets(st.integers(0, 200), min_size=1),
    diverges_at=st.integers(1, 250),
)
def test_a_run_has_a_row_at_each_measurement_with_numbers_until_it_diverges(num_examples, data, updates, diverges_at):
    k = data.draw(st.integers(1, num_examples))
    run = FakeRun(SimpleNamespace(num_examples=num_examples), k, diverges_at)
    rows = list(trials._measured(run, sorted(updates), Measurement))
    per_epoch = math.ceil(num_examples / k)
    assert run.closed
    assert [row.update for row in rows] == sorted(updates)
    for row in rows:
        epochs, rest = divmod(row.update, per_epoch)
        assert row.epoch == row.update / per_epoch
        assert row.examples == epochs * num_examples + rest * k
        assert math.isnan(row.train_loss) == math.isnan(row.test_accuracy) == (row.update >= diverges_at)
        assert math.isnan(row.train_loss) or row.train_loss == 1 / (1 + row.update)


# The evil genie


@pytest.mark.parametrize("num_copies", [1, 3])
def test_copies_change_neither_the_mean_nor_the_labels(digits, num_copies):
    copied = trials.with_copies(digits, num_copies)
    assert copied.num_examples == num_copies * 512
    assert copied.class_counts == tuple(num_copies * count for count in digits.class_counts)
    np.testing.assert_allclose(copied.x_train.mean(axis=0), digits.x_train.mean(axis=0), rtol=1e-5)
    np.testing.assert_array_equal(copied.y_train[-512:], digits.y_train)


def test_gradient_descent_makes_the_same_updates_with_and_without_copies(digits):
    difference = trials.copies_difference(digits, 3, learning_rate=0.5, updates=10)
    assert difference < 1e-5  # rounding: the weights are of size 1, in float32


def test_copies_cost_gradient_descent_and_not_sgd(digits):
    table = pd.DataFrame(trials.genie_runs(digits, num_copies=4, batch_size=32, num_epochs=3, seeds=[0]))
    ends = table.drop_duplicates(["method", "copies"], keep="last").set_index(["method", "copies"])
    assert ends["examples"].tolist() == [4 * 3 * 512] * 4
    assert ends["update"].to_dict() == {("gd", 1): 12, ("gd", 4): 3, ("sgd", 1): 192, ("sgd", 4): 192}
    loss = ends["train_loss"]
    assert loss["gd", 4] > 1.2 * loss["gd", 1]
    assert loss["sgd", 4] == pytest.approx(loss["sgd", 1], rel=0.2)
    after = table[(table["method"] == "gd") & (table["copies"] == 1) & (table["update"] == 3)]
    assert loss["gd", 4] == pytest.approx(after["train_loss"].iloc[0], rel=1e-5)


@pytest.mark.parametrize(
    "call",
    [
        lambda p: trials.epoch_orders(p.num_examples, 0, sampling="reshuffle"),
        lambda p: trials.with_copies(p, 0),
        lambda p: trials.expected_floor(p, 65, 0.1),
        lambda p: next(trials.error_floors(p, batch_size=4, learning_rates=[0.1], num_epochs=1)),
    ],
)
def test_what_is_out_of_range_is_refused_by_name(line, call):
    with pytest.raises(ValueError, match=r"^`\w+` must be"):
        call(line)
