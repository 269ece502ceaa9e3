"""Races laid over one another: kept by name, at most four, in one table."""

import pytest

from sgd_tf.racing.overlay import NamedRace, overlay
from sgd_tf.racing.rows import Device
from sgd_tf.training.history import Row, to_frame
from sgd_tf.training.records import RacePlan
from tests.lab import LANGUAGES, open_app

KEEP = {"en": "Keep this race", "ko": "이 경주 보관"}


def record(name, seconds, loss):
    return Row(
        run=name, batch_size=32, full_batch=False, num_examples=1437, update=int(100 * seconds), epoch=2 * seconds,
        examples=int(3200 * seconds), seconds=seconds, minibatch_loss=loss, minibatch_loss_low=loss,
        minibatch_loss_high=loss, train_loss=loss, test_loss=loss, test_accuracy=0.9, diverged_at=None,
    )  # fmt: skip


ROWS = [record("k = 32", second, loss) for second, loss in [(0.0, 2.0), (1.0, 0.5), (5.0, 0.001)]]


def test_runs_bear_the_name_of_their_race():
    plan = RacePlan(problem="digits", configs={})
    table = overlay([NamedRace(name=name, plan=plan, table=to_frame(ROWS)) for name in ("SGD", "Adam")])
    assert table["race"].tolist() == ["SGD"] * 3 + ["Adam"] * 3
    assert table["run"].unique().tolist() == table["contestant"].unique().tolist() == ["SGD: k = 32", "Adam: k = 32"]
    assert to_frame(ROWS)["run"].unique().tolist() == ["k = 32"]  # the races themselves stay as they are


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_race_is_kept_by_name_and_dropped(cluster, code):
    app = open_app(code, k="32")
    for kept, name in enumerate(["Adam", "Adam"]):
        app.button(key="race_run").click().run()
        job = cluster.jobs[-1]
        job.rows, job.status = [Device(name="CPU"), *ROWS], "done"
        app.run()
        assert app.button(key="race_keep").label == KEEP[code]
        app.text_input(key="race_name").input(name)
        app.button(key="race_keep").click().run()
        assert not app.exception
        assert [race.name for race in app.session_state["kept_races"]] == ["Adam", "Adam (2)"][: kept + 1]
        assert not [each for each in app.button if each.key == "race_keep"], "it is kept once"
        app.number_input(key="seed").set_value(kept + 1).run()
    (first, *_) = [each for each in app.button if each.key.startswith("drop_")]
    first.click().run()
    assert [race.name for race in app.session_state["kept_races"]] == ["Adam (2)"]
