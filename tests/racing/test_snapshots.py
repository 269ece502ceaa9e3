"""What a race shows of its models: right for every kind of problem, few, and no part of the training time."""

import functools
import itertools
import math

import numpy as np
import pytest

from sgd_tf.problems import load
from sgd_tf.racing import film, rows
from sgd_tf.racing import race as racing
from sgd_tf.racing.snapshots import CELLS, GROWTH, MAX_SNAPSHOTS, Album, Scene, Snapshot
from sgd_tf.training import history
from sgd_tf.training.records import Progress, RacePlan, TrainConfig
from sgd_tf.training.run import Run
from tests.lab import LANGUAGES, speaking, travelled

CONFIGS = {"GD": TrainConfig(batch_size="all", learning_rate=0.1), "k = 32": TrainConfig(learning_rate=0.1)}


def record(update, seconds):
    loss = 1.0
    return Progress(run="k = 32", batch_size=32, num_examples=100, update=update, examples=32 * update,
                    seconds=seconds, minibatch_loss=np.empty(0), train_loss=loss, test_loss=loss,
                    test_accuracy=None)  # fmt: skip


def answer(problem, outputs):
    """What an album keeps of a model with these outputs."""
    album = Album(problem, 1.0)
    return album, album.snapshot(record(1, 0.1), lambda x, training: outputs(x)).answer  # noqa: ARG005


def test_the_boundary_of_a_model_that_splits_the_plane_is_where_it_splits():
    # Class 1 above the middle of the second feature, class 0 below: the upper half of the rows.
    problem = load("spirals", num_examples=100)
    middle = (problem.x_train[:, 1].min() + problem.x_train[:, 1].max()) / 2
    _album, cells = answer(problem, lambda x: np.stack([middle - x[:, 1], x[:, 1] - middle], axis=1))
    assert cells == "1" * (CELLS * CELLS // 2) + "0" * (CELLS * CELLS // 2)


def test_samples_are_wrong_where_the_class_is_another_one_or_no_number():
    problem = load("digits", num_examples=100)

    def zero(x):
        outputs = np.tile(np.eye(10)[0], (len(x), 1))
        outputs[0] = math.nan
        return outputs

    album, wrong = answer(problem, zero)
    expected = problem.y_test[: len(wrong)] != 0
    expected[0] = True
    assert [each == "1" for each in wrong] == expected.tolist()
    assert {len(image) for image in album.scene.images} == {64}


def test_predictions_lie_along_the_axis_of_the_true_values():
    problem = load("line", num_examples=100)
    album, levels = answer(problem, lambda x: problem.y_test[: len(x), None])
    shares = [int(levels[i : i + 2], 16) / 255 for i in range(0, len(levels), 2)]
    assert shares == pytest.approx([true for true, _true in album.scene.points], abs=1 / 255)
    assert set(answer(problem, lambda x: np.full((len(x), 1), np.inf))[1]) == {"."}


def test_snapshots_are_evenly_spaced_in_log_time_and_few():
    album = Album(load("line", num_examples=50), 5.0)
    due = []
    for update, seconds in enumerate(np.concatenate([[0.0], np.geomspace(1e-4, 5.0, 2000)])):
        if album.is_due(each := record(update, seconds)):
            due.append(seconds)
            album.snapshot(each, lambda x, training: x)  # noqa: ARG005
    assert MAX_SNAPSHOTS / 2 < len(due) < MAX_SNAPSHOTS  # and the end
    assert all(b / a >= 0.99 * GROWTH for a, b in itertools.pairwise(due[2:]))


@pytest.fixture
def clocks_of_steps(monkeypatch):
    """Runs with a clock that goes on by 1/32 s each time that it is read."""
    ticks = itertools.count()
    monkeypatch.setattr(racing, "Run", functools.partial(Run, clock=lambda: next(ticks) / 32))


@pytest.mark.usefixtures("clocks_of_steps")
def test_clocks_and_losses_are_the_same_with_and_without_snapshots():
    plan = RacePlan(problem="digits", num_examples=100, configs=CONFIGS, seconds=0.5)
    with_them = list(rows.run_race(plan))
    without = list(rows.run_race(plan, has_snapshots=False))
    assert [row for row in with_them if isinstance(row, history.Row)] == without[1:]
    snapshots = [row for row in with_them if isinstance(row, Snapshot)]
    last = {row.run: row.update for row in without[1:]}
    assert {each.run: each.update for each in snapshots} == last  # the end is shown too


def test_the_first_points_are_two_of_each_contestant_and_can_be_left_early():
    plan = RacePlan(problem="line", num_examples=50, configs=CONFIGS, seconds=5.0)
    points = rows.first_points(plan)
    found = list(points)
    points.close()  # as a worker does
    assert [(row.run, row.update > 0) for row in found[1:]] == [(name, late) for name in CONFIGS for late in (0, 1)]


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("problem", "configs", "kind"),
    [
        ("spirals", CONFIGS, "boundary"),
        ("digits", {"k = 32": CONFIGS["k = 32"]}, "samples"),
        ("line", CONFIGS | {"wild": TrainConfig(batch_size=8, learning_rate=100)}, "predictions"),
    ],
)
def test_the_film_has_a_picture_of_each_contestant_and_ends_with_the_race(problem, configs, kind, language):
    plan = RacePlan(problem=problem, num_examples=100, configs=configs, seconds=0.05, target=0.0, until="target")
    found = travelled(rows.run_race, plan)
    table = history.to_frame(row for row in found if isinstance(row, history.Row))
    (scene,) = [row for row in found if isinstance(row, Scene)]
    with speaking(language):
        made = film.film(plan, table, scene, [row for row in found if isinstance(row, Snapshot)])
    assert scene.kind == kind
    assert len(made.panels) == 1 + len(configs)
    assert film.moments(plan, table).seconds[-1] == table["seconds"].max()


def test_a_film_is_slow_where_somebody_arrives():
    points = [(0, 0.0, 2.0), (9, 0.01, 1.0), (90, 0.1, 0.5), (900, 1.0, 0.1)]
    table = history.to_frame(
        Progress(run="k = 32", batch_size=32, num_examples=100, update=update, examples=32 * update, seconds=seconds,
                 minibatch_loss=np.empty(0), train_loss=loss, test_loss=loss, test_accuracy=None)
        for update, seconds, loss in points
    )  # fmt: skip
    frames = film.moments(RacePlan(problem="line", configs=CONFIGS, target=0.5), table)
    assert frames.arrivals == {"k = 32": pytest.approx(0.1)}
    slow = [at for at, shown in zip(frames.seconds, frames.durations, strict=True) if shown > film.FRAME]
    assert all(0.1 / film.CLOSE < at < 0.1 * film.CLOSE for at in slow)
    assert max(frames.durations) == film.ARRIVAL
    assert film.film(RacePlan(problem="line", configs=CONFIGS), history.to_frame([])) is None
