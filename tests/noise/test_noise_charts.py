"""The charts of the noise page: what a reader sees, and the tables behind it."""

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from babel.messages import extract

from sgd_tf.charts import Theme, batch_size_color, specification
from sgd_tf.noise import chart
from sgd_tf.noise.chart import arrows, escapes, noise_of_k, steps, valleys
from sgd_tf.noise.rows import Escapes
from sgd_tf.noise.valleys import height, stationary_points

N = 200
CONTOURS = pd.DataFrame({"level": 0, "index": range(3), "w": [0.0, 1.0, 0.0], "b": [1.0, 0.0, 1.0], "loss": 2.5})
PATHS = pd.DataFrame(
    {"full_batch": [False] * 2 + [True] * 2, "update": [0, 1] * 2, "w": [0.0, 0.5] * 2, "b": 1.0, "loss": 2.0}
)
ARROWS = pd.DataFrame(
    {
        "kind": ["minibatch", "minibatch", "full", "mean"],
        "w": 0.0,
        "b": 0.0,
        "w2": [1.0, 3.0, 2.0, 2.0],
        "b2": [0.5, 0.1, 0.3, 0.3],
        "name": ["a", "b", "full", "mean"],
    }
)
MEASURED = pd.DataFrame(
    {
        "batch_size": [1, 10, N],
        "mean": [15.0, 1.5, 1e-14],
        "standard_error": [1.0, 0.1, 1e-15],
        "law": [15.92, 1.52, 0.0],
    }
)
SIZES = (1, 8, 512)
RESULTS = [
    Escapes(batch_size=k, num_runs=2, num_escaped=1, num_diverged=lost, interval=ends, ends=[-1.0, last])
    for k, lost, ends, last in ((1, 1, (0.4, 0.6), math.nan), (8, 0, (0.8, 0.95), 0.9))
]
LAW = {"s_squared": 16.0, "signal": 0.5, "num_examples": N}
ESCAPE = {"batch_sizes": SIZES, "num_examples": 512}


def plane(batch_size=8, **options):
    domains = ((-2.0, 4.0), (-1.0, 5.0))
    return {"batch_size": batch_size, "num_examples": N, "domains": domains, **options}


def noise_spec(*args, **options):
    return specification(noise_of_k(*args, **options))


def every_chart(**options):
    drawn = [
        steps(CONTOURS, PATHS, ARROWS, **plane(), **options),
        arrows(ARROWS, layout="cloud", **plane(), **options),
        arrows(ARROWS, layout="end_to_end", **plane(), **options),
        noise_of_k(MEASURED, **LAW, scale=(32.0, 25.0, 40.0), **options),
        noise_of_k(MEASURED[:0], **LAW | {"signal": None}, **options),
        valleys(RESULTS, **ESCAPE, **options),
        escapes(RESULTS, **ESCAPE, **options),
    ]
    return [chart.to_dict() for chart in drawn]  # what Vega-Lite's schema does not allow is refused


def texts(node):
    """All strings of a specification."""
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        return [text for part in node for text in texts(part)]
    return [node] if isinstance(node, str) else []


@pytest.mark.parametrize("dark", [False, True])
def test_paths_and_steps_have_the_colour_of_their_batch_size(dark):
    spec = specification(steps(CONTOURS, PATHS, ARROWS, **plane(), theme=Theme(dark=dark)))
    (scale,) = {
        str(layer["encoding"]["color"]["scale"])
        for layer in spec["layer"]
        if "scale" in layer["encoding"].get("color", {})
    }
    colors = [batch_size_color(N, full_batch=True, dark=dark), batch_size_color(8, dark=dark)]
    assert scale == str({"domain": ["GD (k = 200)", "k = 8"], "range": colors})
    assert spec["datasets"]["paths"]["run"].tolist() == ["k = 8", "k = 8", "GD (k = 200)", "GD (k = 200)"]


def test_with_all_samples_there_is_one_path_and_one_colour():
    spec = specification(steps(CONTOURS, PATHS[PATHS["full_batch"]], ARROWS, **plane(N)))
    (scale,) = {
        str(layer["encoding"]["color"]["scale"])
        for layer in spec["layer"]
        if "scale" in layer["encoding"].get("color", {})
    }
    assert scale == str({"domain": ["GD (k = 200)"], "range": [batch_size_color(N, full_batch=True)]})


def test_the_axes_are_those_asked_for():
    spec = specification(arrows(ARROWS, layout="cloud", **plane()))
    domains = {
        name: layer["encoding"][name]["scale"]["domain"]
        for layer in spec["layer"]
        for name in ("x", "y")
        if "scale" in layer["encoding"][name]
    }
    assert domains == {"x": [-2.0, 4.0], "y": [-1.0, 5.0]}


def test_the_curve_of_the_law_is_the_formula_and_ends_before_n():
    curve = noise_spec(MEASURED, **LAW)["datasets"]["curve"]
    k = curve["batch_size"].to_numpy()
    np.testing.assert_allclose(curve["value"], 16.0 / k * (1 - k / N))
    assert k[0] == 1
    assert k[-1] == pytest.approx(0.98 * N)
    assert (np.diff(k) > 0).all()


def test_what_is_measured_at_n_stands_at_the_lower_edge_and_tells_its_own_number():
    spec = noise_spec(MEASURED, **LAW)
    last = spec["datasets"]["measured"].iloc[-1]
    low = 16.0 / 196 * (1 - 196 / N) / 2
    assert last["at"] == last["below"] == last["above"] == pytest.approx(low)
    assert last["mean"] == 1e-14
    assert bool(last["full_batch"])


def test_error_bars_reach_two_standard_errors_to_both_sides():
    rows = noise_spec(MEASURED, **LAW)["datasets"]["measured"]
    assert rows[["below", "above"]].iloc[0].tolist() == [13.0, 17.0]


def test_the_mark_of_equal_noise_stands_where_the_law_crosses_the_gradient():
    (mark,) = noise_spec(MEASURED, **LAW, scale=(32.0, 25.0, float("inf")))["datasets"]["scale"].to_dict("records")
    assert 16.0 / mark["batch_size"] * (1 - mark["batch_size"] / N) == pytest.approx(0.5)
    assert mark["left"] == pytest.approx(1 / (1 / 25 + 1 / N))
    assert mark["right"] == N


def test_the_mark_of_a_noise_scale_below_the_axis_stands_at_its_end_and_that_of_an_unknown_one_nowhere():
    left, _right = noise_spec(MEASURED, **LAW)["layer"][0]["encoding"]["x"]["scale"]["domain"]
    (mark,) = noise_spec(MEASURED, **LAW, scale=(0.0, 0.0, 2.0))["datasets"]["scale"].to_dict("records")
    assert (mark["batch_size"], mark["left"]) == (left, left)
    assert mark["right"] == pytest.approx(1 / (1 / 2 + 1 / N))
    assert noise_spec(MEASURED, **LAW, scale=(float("nan"), 0.0, float("inf")))["datasets"]["scale"].empty


def test_before_anything_is_measured_the_law_stands_alone_in_units_of_s_squared():
    spec = noise_spec(MEASURED[:0], s_squared=1.0, signal=None, num_examples=N)
    assert [len(spec["datasets"][name]) for name in ("measured", "signal", "scale")] == [0, 0, 0]
    assert "Mean squared distance, in S²" in texts(spec["layer"])


def test_each_batch_size_has_its_row_below_the_valleys_and_runs_outside_are_left_out():
    tables = specification(valleys(RESULTS, **ESCAPE))["datasets"]
    rows = tables["names"]["y"].tolist()
    assert tables["names"]["text"].tolist() == ["k = 1", "k = 8", "GD"]
    assert rows == sorted(rows, reverse=True)
    assert max(rows) < height(stationary_points()[0])
    assert len(tables["ends"]) == 3
    assert (tables["ends"]["y"] - [rows[0], rows[1], rows[1]]).abs().max() < chart.ROW_GAP / 2


@pytest.mark.parametrize("signal", [1e-9, 0.5, 300.0])
def test_the_axis_holds_the_gradient_and_every_measurement_below_n(signal):
    spec = noise_spec(MEASURED.assign(standard_error=20.0), **LAW | {"signal": signal})
    (domain,) = {
        str(layer["encoding"]["y"]["scale"]["domain"])
        for layer in spec["layer"]
        if "scale" in str(layer["encoding"].get("y"))
    }
    low, high = json.loads(domain)
    assert low < signal < high
    assert high > 15.0 + 2 * 20.0


def test_the_share_that_diverged_is_that_of_the_runs():
    assert specification(escapes(RESULTS, **ESCAPE))["datasets"]["results"]["diverged_share"].tolist() == [0.5, 0.0]


def test_the_shares_have_a_place_for_each_batch_size_from_the_start():
    spec = specification(escapes([], **ESCAPE))
    (domain,) = {
        str(layer["encoding"]["x"]["scale"]["domain"]) for layer in spec["layer"] if "scale" in layer["encoding"]["x"]
    }
    assert domain == str(["1", "8", "GD"])


def test_translation_reaches_every_word():
    asked = set()

    def translate(message):
        asked.add(message)
        return f"«{message}»"

    specs = every_chart(theme=Theme(translate=translate))
    found = {message for _, message, _, _ in extract.extract_from_file("python", Path(chart.__file__))}
    assert asked == found
    for spec in specs:
        assert spec["title"]["text"].startswith("«")
        assert spec["title"]["subtitle"].startswith("«")
        titles = [
            part["title"]
            for layer in spec["layer"]
            for channel in layer["encoding"].values()
            for part in (channel if isinstance(channel, list) else [channel])
            if part.get("title")
        ]
        assert titles
        assert all(title.startswith("«") for title in titles if title.strip())


def test_steps_near_the_minimum_keep_their_direction():
    tiny = pd.DataFrame([{"kind": "full", "w": 0.0, "b": 0.0, "w2": 6.4321e-8, "b2": -2.5e-8, "name": "GD"}])
    domains = (-1e-7, 1e-7), (-1e-7, 1e-7)
    spec = arrows(tiny, layout="cloud", batch_size=200, num_examples=200, domains=domains).to_dict()
    (drawn,) = spec["datasets"]["arrows"]
    assert (drawn["w2"], drawn["b2"]) == (6.4321e-8, -2.5e-8)
