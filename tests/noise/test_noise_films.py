"""The films of the noise page: balls on the recorded paths, a start that is picked, and runs that leave a valley."""

import json

import numpy as np
import pytest

from sgd_tf.noise import controls, film
from sgd_tf.noise.rows import EscapePlan, Path, PathPlan, Samples, count_escapes, weight_paths
from sgd_tf.recordings import recorded
from tests.lab import checked, open_app, speaking


def balls(k, found=None):
    rows = found or recorded(weight_paths)().rows
    (samples,) = (row for row in rows if isinstance(row, Samples))
    paths = {row.batch_size: row for row in rows if isinstance(row, Path)}
    with speaking("en"):
        return film.balls(PathPlan(), paths, (np.array(samples.x), np.array(samples.y)), k)


def marks(made, kind):
    return [mark for mark in made.panels[0]["layers"][0]["marks"] if mark["mark"] == kind]


def test_the_balls_are_at_the_recorded_weights_of_each_update():
    made = balls(8)
    (dots,) = marks(made, "dots")
    assert [mark["name"] for mark in marks(made, "line") if "name" in mark] == ["k = 1", "k = 8", "k = 32", "GD"]
    path = next(row for row in recorded(weight_paths)().rows if isinstance(row, Path) and row.batch_size == 8)
    assert made.frames == len(path.w) == len(dots["points"]["track"])
    assert [frame[1][0] for frame in dots["points"]["track"]] == pytest.approx(path.w, rel=1e-3)
    assert [frame[1][1] for frame in dots["points"]["track"]] == pytest.approx(path.b, rel=1e-3)


def test_each_ball_rolls_once_also_where_the_page_looks_at_gradient_descent():
    names = [mark["name"] for mark in marks(balls(200), "line") if "name" in mark]
    assert names == ["k = 1", "k = 32", "GD"]


def test_a_ball_that_flies_off_is_sent_as_plain_numbers():
    lost = [1.0, float("inf"), float("nan")]
    rows = [
        Path(batch_size=row.batch_size, w=lost, b=lost, difference=0.0) if isinstance(row, Path) else row
        for row in recorded(weight_paths)().rows
    ]
    json.dumps(balls(8, rows).panels, allow_nan=False)


@pytest.mark.usefixtures("cluster")
def test_a_point_that_is_picked_is_the_next_start_within_the_surface():
    app = open_app("en", page="pages/learn/gradient_noise.py")
    app.session_state["noise_w"] = 2.0
    assert checked(app.run()).number_input(key="noise_w").value == 2.0
    assert controls.PathPlan(start=(2.0, 3.5)) != PathPlan()


def test_the_film_of_the_escape_shows_each_k_twice_and_keeps_the_shares():
    found = recorded(count_escapes)().rows
    with speaking("en"):
        made = film.escape(found)
    assert made.frames == 2 * len(EscapePlan.batch_sizes)
    bars = made.panels[1]["layers"][1]
    assert bars["values"]["track"][-1] == [row.share for row in found]
    assert bars["values"]["track"][0] == [0.0] * len(found)
    assert f"{found[-1].num_escaped} of 300 ended" in made.captions["track"][-1]
    json.dumps(made.panels, allow_nan=False)
