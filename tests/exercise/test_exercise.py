"""The exercise's runs: the losses of an epoch, the initial weights, the tasks and the code to take home."""

import itertools
import json

import keras
import numpy as np
import pytest
from sklearn import datasets

from sgd_tf import minibatches
from sgd_tf.exercise import notebook, training, verdict
from sgd_tf.exercise.rows import MODEL, ExercisePlan, Setting
from sgd_tf.exercise.tasks import TASKS
from sgd_tf.problems import DownloadError, loading
from sgd_tf.training import models
from tests.lab import travelled


@pytest.fixture(scope="module")
def flights():
    """A short run of two settings and two seeds, with a validation part."""
    plan = ExercisePlan(
        data="flights",
        settings=(Setting(batch_size=4_000), Setting(batch_size="all", learning_rate=0.02, num_epochs=2)),
        num_epochs=3,
        has_validation=True,
        num_seeds=2,
    )
    return plan, travelled(training.train_all, plan)


def test_every_setting_has_a_row_for_each_seed_and_epoch(flights):
    plan, (facts, *rows) = flights
    assert (facts.num_examples, facts.num_validation) == (16_512, 4_128)
    assert len(rows) + 1 == plan.num_rows
    assert [row.epoch for row in rows if (row.setting, row.seed) == (0, 1)] == [0, 1, 2, 3]
    assert [row.epoch for row in rows if (row.setting, row.seed) == (1, 1)] == [0, 1, 2]


def test_with_all_rows_the_loss_of_an_epoch_is_that_before_its_only_update(flights):
    _plan, (_facts, *rows) = flights
    own = [row for row in rows if row.setting == 1 and row.seed == 0]
    for before, after in itertools.pairwise(own):
        assert after.mean_loss == pytest.approx(before.train_loss, rel=1e-5)


def test_the_loss_of_an_epoch_is_the_mean_that_keras_reports():
    plan = ExercisePlan(data="flights", settings=(Setting(batch_size=5_000),), num_epochs=1)
    *_rest, row = training.train_all(plan)
    problem = training.housing("flights")
    model = models.build(problem, MODEL, seed=0)
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss="mse")
    found = model.fit(minibatches(problem, 5_000, seed=0), shuffle=False, verbose=0).history["loss"][0]
    assert row.mean_loss == pytest.approx(found, rel=1e-5)
    assert row.train_loss == pytest.approx(model.evaluate(problem.x_train, problem.y_train, verbose=0), rel=1e-5)


def test_too_long_steps_end_as_diverged():
    plan = ExercisePlan(data="flights", settings=(Setting(batch_size=5_000, learning_rate=100.0),), num_epochs=3)
    last = list(training.train_all(plan))[-1]
    assert (last.train_loss, last.mean_loss) == (None, None)
    assert verdict.finals(plan, [last])[0].num_diverged == 1


def test_weights_as_pytorch_draws_them_are_uniform_within_their_limit():
    model = models.build(training.housing("flights"), MODEL, seed=0)
    training.use_pytorch_weights(model, 0)
    kernel, bias = model.layers[0].get_weights()
    assert kernel.shape == (25, 6)
    assert 0.19 < np.abs(kernel).max() <= 0.2
    assert 0 < np.abs(bias).max() <= 0.2
    before = model.layers[0].get_weights()
    training.use_pytorch_weights(model, 0)
    np.testing.assert_array_equal(before[0], model.layers[0].get_weights()[0])


def test_without_a_network_the_error_says_what_is_missing(monkeypatch):
    def offline(*_args, **_kwargs):
        raise OSError("no network")

    monkeypatch.setattr(datasets, "fetch_california_housing", offline)
    loading.make.cache_clear()
    with pytest.raises(DownloadError, match="no network"):
        list(training.train_all(ExercisePlan()))


@pytest.mark.parametrize(("value", "message"), [((), "received 0"), ((Setting(), Setting()), "received 2")])
def test_settings_are_one_to_six_different_ones(value, message):
    with pytest.raises(ValueError, match=message):
        ExercisePlan(settings=value)


@pytest.mark.parametrize("task", TASKS.values(), ids=lambda task: task.key)
def test_a_task_compares_its_solution_with_the_books_setting(task):
    plan = task.plan("flights", task.solution)
    reference, own = plan.settings
    assert (reference.batch_size, reference.learning_rate) == (256, 0.01)
    assert plan.epochs[-1] == task.num_epochs
    assert (reference.num_epochs or task.num_epochs) in plan.epochs
    assert own == task.setting(task.solution)
    assert len(task.hints) == 3


def test_the_first_task_is_solved_by_its_solution_and_not_by_a_larger_k():
    task = TASKS["k"]
    found = {}
    for k in (task.solution, 1_024):
        plan = task.plan("flights", k)
        short = ExercisePlan(data="flights", settings=plan.settings, num_epochs=10)
        found[k] = verdict.attempt(short, list(training.train_all(short)), task.factor).is_reached
    assert found == {task.solution: True, 1_024: False}


def test_a_task_has_no_check_at_the_books_own_setting():
    assert TASKS["k"].plan("flights", 256) is None


def test_the_notebook_runs_without_the_package_and_meets_the_lab(monkeypatch, capsys):
    """Its data come from scikit-learn; here they are of the same shapes, and its epochs are few."""
    random = np.random.default_rng(0)
    x = random.normal(size=(600, 8))
    y = (x @ random.normal(size=8)).astype(np.float32)
    monkeypatch.setattr(datasets, "fetch_california_housing", lambda **_: (x, y))
    cells = json.loads(notebook.notebook())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    assert not any("sgd_tf" in source for source in code)
    names = {}
    exec(code[1], names)
    exec(code[2], names)
    train = names["train"]
    names["train"] = lambda **settings: train(**{**settings, "epochs": 2})
    for source in code[4:]:
        exec(source, names)
    assert capsys.readouterr().out.count("goal:") == len(TASKS)
    assert train(epochs=3)[-1] < train(epochs=1)[-1]
