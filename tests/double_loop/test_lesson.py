"""The double loop that is taught: the lab's own training, its real index order, and its arithmetic by hand."""

import ast
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from sgd_tf import problems
from sgd_tf.double_loop import lesson, notebook, playback
from sgd_tf.double_loop.chart import surface_grid
from sgd_tf.double_loop.recording import epoch_orders
from sgd_tf.double_loop.rows import DoubleLoopPlan, Network, Sample, Turn, record_double_loop
from sgd_tf.training import models, pipeline
from sgd_tf.training.records import TrainConfig
from sgd_tf.training.run import train
from tests.lab import travelled

EPOCHS = 3


@pytest.fixture(scope="module")
def line():
    return problems.load("line", num_examples=24)


@pytest.fixture(scope="module")
def runs(line):
    """Recorded runs on the line, by batch size."""
    settings = {"learning_rate": 0.2, "num_epochs": EPOCHS, "model": playback.MODELS["line"]}
    return {k: list(lesson.record(line, batch_size=k, **settings)) for k in ("all", 6, 10)}


def test_the_body_of_the_double_loop_has_ten_lines():
    assert len(notebook.double_loop_lines()) == 10


def test_the_lines_that_the_player_lights_are_those_that_python_runs(line):
    source = Path(lesson.__file__).read_text(encoding="utf-8")
    (loop,) = [n for n in ast.parse(source).body if isinstance(n, ast.FunctionDef) and n.name == "double_loop"]
    before = loop.body[1].lineno - 1  # the docstring is the first statement
    executed = []

    def trace(frame, event, _argument):
        if frame.f_code is not lesson.double_loop.__code__:
            return None
        if event == "line":
            executed.append(frame.f_lineno - before)
        return trace

    steps = lesson.double_loop(
        models.linear(line), pipeline.minibatches(line, 10), keras.losses.MeanSquaredError(), 0.1, 2
    )
    former = sys.gettrace()
    sys.settrace(trace)
    try:
        list(steps)
    finally:
        sys.settrace(former)

    film = playback.Playback(num_examples=24, batch_size=10, num_epochs=2)
    lit = [line for position in range(film.last + 1) for line in playback.LINES[film.at(position).phase]]
    # Python comes back to the `with` at its end; the player does not show that.
    came_back = [at for at in range(1, len(executed)) if (executed[at - 1], executed[at]) == (7, 5)]
    assert len(came_back) == film.num_updates
    assert [number for at, number in enumerate(executed) if at not in came_back] == lit


@pytest.mark.parametrize("k", ["all", 6, 10])
def test_the_recorded_indices_are_those_of_the_pipeline(runs, k):
    order = pipeline.order(24, k, seed=0)
    drawn = [minibatch.numpy().tolist() for _epoch in range(EPOCHS) for minibatch in order]
    assert [update.indices.tolist() for update in runs[k][1:]] == drawn


@pytest.mark.parametrize("k", ["all", 6, 10])
def test_each_epoch_uses_each_sample_once_in_an_order_of_its_own(runs, k):
    orders = [
        np.concatenate([update.indices for update in runs[k][1:] if update.epoch == epoch]) for epoch in range(EPOCHS)
    ]
    assert all(sorted(order) == list(range(24)) for order in orders)
    assert len({tuple(order) for order in orders}) == EPOCHS


@pytest.mark.parametrize(("name", "k"), [("line", "all"), ("line", 10), ("digits", 10), ("spirals", 32)])
def test_the_double_loop_is_the_training_of_the_lab(name, k):
    problem = problems.load(name, num_examples=60)
    config = TrainConfig(batch_size=k, learning_rate=0.2, seed=3)
    model = playback.MODELS[name]
    recorded = list(lesson.record(problem, batch_size=k, learning_rate=0.2, num_epochs=EPOCHS, model=model, seed=3))
    records = list(train(problem, config, model=model, epochs=EPOCHS))
    assert records[-1].update == recorded[-1].update
    for progress in records:
        assert recorded[progress.update].train_loss == pytest.approx(progress.train_loss, rel=1e-5)
    losses = np.concatenate([progress.minibatch_loss for progress in records])
    assert [update.loss for update in recorded[1:]] == pytest.approx(losses, rel=1e-5)


@pytest.mark.parametrize("k", ["all", 6, 10])
def test_loss_gradient_and_update_of_the_line_are_those_of_the_formula(line, runs, k):
    x, y = line.x_train[:, 0].astype(np.float64), line.y_train.astype(np.float64)
    intercept, slope = runs[k][0].surface
    for update in runs[k][1:]:
        i = update.indices
        said = intercept + slope * x[i]
        error = said - y[i]
        # ∇ 1/k Σ (b + w x − y)² = 2/k Σ (b + w x − y) (1, x)
        gradient = 2 * error.mean(), 2 * (error * x[i]).mean()
        assert update.outputs == pytest.approx(said, abs=1e-5)
        assert update.loss == pytest.approx((error**2).mean(), rel=1e-5)
        assert update.gradient_norm == pytest.approx(np.hypot(*gradient), rel=1e-5)
        intercept, slope = intercept - 0.2 * gradient[0], slope - 0.2 * gradient[1]
        assert update.surface == pytest.approx([intercept, slope], abs=1e-5)
        assert update.train_loss == pytest.approx(((intercept + slope * x - y) ** 2).mean(), rel=1e-4)
        intercept, slope = update.surface


def test_the_loss_of_gradient_descent_before_an_update_is_that_of_all_samples(runs):
    for before, update in zip(runs["all"], runs["all"][1:], strict=False):
        assert update.loss == pytest.approx(before.train_loss, rel=1e-6)


def test_labels_and_right_answers_are_those_of_the_network_itself():
    problem = problems.load("digits", num_examples=24)
    model = playback.MODELS["digits"]
    first, update = list(lesson.record(problem, batch_size="all", learning_rate=0.2, num_epochs=1, model=model, seed=5))
    labels = models.build(problem, model, seed=5).predict(problem.x_train, verbose=0).argmax(axis=1)
    assert first.num_right == (labels == problem.y_train).sum()
    assert update.outputs.tolist() == labels[update.indices].tolist()
    assert first.surface.size == 0


def test_the_surface_of_two_classes_is_the_softmax_on_the_grid_that_is_drawn():
    problem = problems.load("spirals", num_examples=60)
    model = playback.MODELS["spirals"]
    first = next(lesson.record(problem, batch_size=6, learning_rate=0.5, num_epochs=1, model=model))
    logits = models.build(problem, model).predict(np.stack(surface_grid(), axis=1), verbose=0).astype(np.float64)
    share = np.exp(logits[:, 1]) / np.exp(logits).sum(axis=1)
    assert first.surface == pytest.approx(share, abs=1e-6)


def test_a_run_that_diverges_is_told_to_its_end():
    problem = problems.load("line", num_examples=24)
    model = playback.MODELS["line"]
    updates = list(lesson.record(problem, batch_size=6, learning_rate=100.0, num_epochs=10, model=model))
    assert len(updates) == 41
    assert not np.isfinite(updates[-1].train_loss)


@pytest.mark.parametrize("name", playback.MODELS)
def test_a_worker_sends_the_network_the_samples_and_both_runs(name):
    plan = DoubleLoopPlan(problem=name, num_examples=24, batch_size=10, num_epochs=2, learning_rate=0.1)
    rows = travelled(record_double_loop, plan)
    problem = problems.load(name, num_examples=24)
    samples = [row for row in rows if isinstance(row, Sample)]
    assert [sample.target for sample in samples] == pytest.approx(problem.y_train.tolist(), abs=1e-4)
    features = np.array([sample.features for sample in samples]) / (16 if problem.image_shape else 1)
    assert features == pytest.approx(problem.x_train, abs=1e-4)
    gd, sgd = ([row for row in rows if isinstance(row, Turn) and row.way == way] for way in ("gd", "sgd"))
    assert [len(turn.indices) for turn in gd] == [0, 24, 24]
    assert [len(turn.indices) for turn in sgd] == [0, 10, 10, 4, 10, 10, 4]
    assert gd[0].train_loss == sgd[0].train_loss  # the same initial weights
    network = models.build(problem, playback.MODELS[name])
    widths = (*playback.MODELS[name].widths, problem.num_classes or 1)
    assert rows[0] == Network(num_weights=network.count_params(), layers=(problem.num_features, *widths))


def test_the_orders_of_a_run_are_its_minibatches_epoch_by_epoch():
    def turn(update, epoch, *indices):
        numbers = {"loss": 1.0, "gradient_norm": 1.0, "train_loss": 1.0}
        return Turn(way="sgd", update=update, epoch=epoch, indices=list(indices), outputs=[], surface=[], **numbers)

    run = [turn(0, 0), turn(1, 0, 2), turn(2, 0, 0, 1), turn(3, 1, 1), turn(4, 1, 2, 0)]
    assert epoch_orders(run) == [[2, 0, 1], [1, 2, 0]]
