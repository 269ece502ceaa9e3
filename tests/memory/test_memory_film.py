"""The tank of the memory page: levels of the measured peaks, and what becomes of the learner's update."""

import pytest

from sgd_tf.memory import film, predict, rows
from sgd_tf.memory.rows import Measurement, hit_the_wall
from sgd_tf.recordings import recorded
from tests.lab import speaking

MEGABYTE = predict.MEGABYTE


def measured(k, megabytes, *, limit=256, fits=True):
    return Measurement(
        batch_size=k,
        micro_batch_size=None,
        limit=limit * MEGABYTE,
        fits=fits,
        num_bytes=megabytes * MEGABYTE,
        base=0,
        seconds=0.1 if fits else None,
        updates=8,
        device="CPU",
    )


def shown(own, others=()):
    plan = recorded(hit_the_wall)().plan
    with speaking("en"):
        return film.tank(plan, own, others)


def level(made):
    return made.panels[0]["layers"][0]["level"]["track"]


def test_an_update_that_fits_rises_over_the_smaller_k_to_its_own_peak():
    made = shown(measured(65_469, 128), [measured(261_876, 574), measured(8_184, 32)])
    assert level(made) == [0, 32 / 256, 128 / 256]
    assert made.captions["track"][-1] == "k = 65,469, your update: 128 MB. It fits."


def test_an_update_that_is_over_the_limit_bursts_the_tank_and_ends_at_the_prediction():
    made = shown(measured(131_072, 264, fits=False), [measured(8_184, 32)])
    *_before, burst, predicted = level(made)
    assert burst == pytest.approx(264 / 256, abs=1e-4)
    assert predicted > burst
    assert made.frames == 4


def test_an_update_that_ended_before_it_was_seen_is_at_the_limit_at_least():
    assert level(shown(measured(131_072, 0, fits=False)))[1] == 1


def test_before_a_run_the_tank_is_empty():
    assert level(shown(None)) == [0]


def test_the_recorded_update_bursts_the_tank():
    own, *others = (row for row in recorded(hit_the_wall)().rows if isinstance(row, rows.Measurement))
    assert max(level(shown(own, others))) > 1
