"""Tests of the charts of the sampling page: facts of their specifications, and colours by the formulas of the WCAG."""

import numpy as np
import pandas as pd
import pytest

from sgd_tf.charts import DRAWN
from sgd_tf.charts.axes import Axis
from sgd_tf.charts.style import BACKGROUND
from sgd_tf.sampling import chart as sampling_chart
from sgd_tf.sampling import visit_counts, visits_chart
from sgd_tf.sampling.chart import SAMPLING_COLORS, Line
from sgd_tf.training import over_seeds
from sgd_tf.training.records import SAMPLINGS

N, K, B = 40, 8, 10


def luminance(color):
    """Relative luminance of "#RRGGBB", WCAG 2.2."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def places(**options):
    """The specification of the places in one epoch; what Vega-Lite's schema does not allow is refused."""
    table = visit_counts.positions(np.random.default_rng(0).permutation(N), K)
    return visits_chart.positions(table, sampling="buffer", num_examples=N, **options).to_dict()


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("way", SAMPLINGS)
def test_each_way_has_a_colour_that_can_be_read_on_its_background(way, dark):
    low, high = sorted([luminance(SAMPLING_COLORS[dark][way]), luminance(BACKGROUND[dark])])
    assert (high + 0.05) / (low + 0.05) >= 4.5
    assert len(set(SAMPLING_COLORS[dark].values())) == len(SAMPLINGS)
    mine, yellow = (
        np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)]) for color in (SAMPLING_COLORS[dark][way], DRAWN)
    )
    assert np.abs(mine - yellow).max() > 64


def test_the_samples_of_the_first_minibatch_are_yellow_and_the_others_are_not():
    spec = places()
    dots = {layer["transform"][0]["filter"]: layer["mark"]["color"] for layer in spec["layer"] if "transform" in layer}
    assert dots == {"datum.iteration == 1": DRAWN, "!(datum.iteration == 1)": SAMPLING_COLORS[False]["buffer"]}
    assert sum(row["iteration"] == 1 for row in spec["datasets"]["now"]) == K


def test_the_line_of_the_buffer_is_where_a_sample_can_come_at_the_earliest():
    line = pd.DataFrame(places(buffer_size=B)["datasets"]["line"])
    assert (
        line["position"].tolist() == visit_counts.earliest_position(line["sample"].to_numpy(), B).tolist() == [0, N - B]
    )


@pytest.mark.parametrize("buffer_size", [None, N, N + 5])
def test_there_is_no_line_where_the_buffer_holds_all(buffer_size):
    assert places(buffer_size=buffer_size)["datasets"]["line"] == []


def test_from_epoch_to_epoch_only_the_tables_change():
    before = visit_counts.positions(np.arange(N), K)
    one, other = places(before=before), places(before=before[::-1])
    assert one["layer"] == other["layer"]
    assert one["datasets"]["before"] == other["datasets"]["before"][::-1] != []


def test_a_sample_that_was_never_visited_has_a_stripe_and_the_others_a_bar():
    bars, stripes = visits_chart.visits([2, 0, 1], sampling="with_replacement", max_visits=2).to_dict()["layer"]
    assert bars["encoding"]["y"]["field"] == "visits"
    assert stripes["transform"] == [{"filter": "datum.visits == 0"}, {"calculate": "2", "as": "top"}]


def test_visits_stand_below_the_places_of_the_same_samples():
    strip = visits_chart.visits(np.ones(N), sampling="buffer", max_visits=2).to_dict()
    across, upward = ([spec["layer"][0]["encoding"][channel] for spec in (places(), strip)] for channel in ("x", "y"))
    assert across[0]["scale"]["domain"] == across[1]["scale"]["domain"]
    assert upward[0]["axis"]["minExtent"] == upward[1]["axis"]["maxExtent"]


def curve(runs, *, log_x=False):
    bands = over_seeds.band(pd.DataFrame(runs, columns=["line", "x", "seed", "loss"]), ["line", "x"], "loss")
    lines = {"a": Line(label="A", color="#000000"), "b": Line(label="B", color="#333333", end="b\nlast")}
    x, y = Axis("x", (1, 10) if log_x else (0, 10), log=log_x), Axis("median", (0.1, 10), log=True)
    return sampling_chart.seed_curves(bands, lines=lines, x=x, y=y, title="Title").to_dict()


def test_each_curve_bears_its_words_at_its_end_and_none_lies_upon_another():
    spec = curve([("a", 0, 0, 1.0), ("a", 10, 0, 1.0), ("b", 0, 0, 1.0), ("b", 10, 0, 1.01)])
    rows = spec["datasets"]["ends"]
    assert [row["label"] for row in rows] == ["A", "b\nlast"]
    assert [row["x"] for row in rows] == [10, 10]
    assert rows[1]["label_y"] > 1.2 * rows[0]["label_y"]


def test_values_far_away_and_not_finite_ones_are_kept_out_of_the_picture():
    spec = curve([("a", 0, 0, 1.0), ("a", 1, 0, 1e30), ("a", 2, 0, np.inf), ("b", 0, 0, np.nan)])
    tables = [row for rows in spec["datasets"].values() for row in rows if "median" in row]
    assert max(row["median"] for row in tables) <= 100
    assert {row["x"] for row in tables} == {0, 1}


def test_a_logarithmic_axis_leaves_out_what_lies_at_zero():
    spec = curve([("a", 0, 0, 1.0), ("a", 5, 0, 1.0)], log_x=True)
    assert {row["x"] for rows in spec["datasets"].values() for row in rows if "x" in row} == {5}


@pytest.mark.parametrize("rows", [[], [("a", 0, 0, 1.0)]])
def test_the_axes_stand_before_and_during_a_run(rows):
    [line] = [layer for layer in curve(rows)["layer"] if layer["mark"]["type"] == "line"]
    assert line["encoding"]["y"]["scale"]["domain"] == [0.1, 10]
    assert line["encoding"]["x"]["scale"]["domain"] == [0, 10]


def test_layers_without_a_row_are_no_pictures_for_screen_readers():
    spec = curve([])
    assert all(layer["mark"]["aria"] is False for layer in spec["layer"])


def floor_chart(power=1.0, guide=None):
    rows = [
        {"sampling": way, "learning_rate": rate, "seed": seed, "floor": rate**power, "expected": expected}
        for seed in range(2)
        for rate in (0.1, 0.2)
        for way, expected in (("with_replacement", rate), ("reshuffle", None))
    ]
    table = pd.DataFrame(rows)
    return sampling_chart.floors(
        table,
        over_seeds.band(table, ["sampling", "learning_rate"], "floor"),
        lines=sampling_chart.sampling_lines({"with_replacement": "with", "reshuffle": "re"}),
        learning_rates=[0.1, 0.2],
        y_domain=(1e-4, 1),
        guide=guide,
    ).to_dict()


def test_the_exact_floor_is_a_diamond_for_each_learning_rate():
    rows = floor_chart()["datasets"]["exact"]
    assert [(row["learning_rate"], row["expected"]) for row in rows] == [(0.1, 0.1), (0.2, 0.2)]


def test_the_guide_has_slope_two():
    guide = floor_chart(guide=(0.2, 0.04))["datasets"]["slope"]
    assert [row["y"] for row in guide] == pytest.approx([0.01, 0.04])
