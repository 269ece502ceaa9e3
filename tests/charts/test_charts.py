"""Tests of the charts: facts of their specifications, and colours by the formulas of the WCAG."""

import json
import math
import re
import subprocess
import sys
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from babel.messages import extract
from hypothesis import given
from hypothesis import strategies as st

import sgd_tf
from sgd_tf.charts import COUNTERS, DRAWN, METRICS, Axis, Theme, batch_size_color, curves, save_html, specification
from sgd_tf.charts.curves import default_x_domain, default_y_domain
from sgd_tf.charts.labels import LABEL_GAP, place_texts, spread_labels
from sgd_tf.charts.style import BACKGROUND
from sgd_tf.racing.search_chart import learning_rates
from sgd_tf.training.history import at_time, to_frame
from sgd_tf.training.records import Progress

N = 100
LOG = Axis("train_loss", log=True)


def run(name, batch_size, losses, *, diverged_at=None, accuracy=True):
    """A run with a record each second, 10 updates apart, minibatch losses at 0.5, 1.0 and 1.5 times the loss."""
    return [
        Progress(
            run=name,
            batch_size=batch_size,
            num_examples=N,
            update=10 * index,
            examples=10 * index * batch_size,
            seconds=float(index),
            minibatch_loss=loss * np.array([0.5, 1.0, 1.5]) if index else np.array([]),
            train_loss=loss,
            test_loss=2 * loss,
            test_accuracy=1 / (1 + loss) if accuracy else None,
            diverged_at=diverged_at if index == len(losses) - 1 else None,
        )
        for index, loss in enumerate(losses)
    ]


def race():
    return to_frame(
        [
            *run("GD", N, [2.0, 1.8, 1.6, 1.4]),
            *run("k = 8", 8, [2.0, 1.0, 0.5, 0.25]),
            *run("k = 8, rate 9", 8, [2.0, 6.0, 1e30, math.inf], diverged_at=27),
        ]
    )


def datasets(spec):
    """Rows of the records and of the labels."""
    return spec["datasets"]["records"], spec["datasets"]["labels"]


def layers_of(spec, mark):
    return [layer for layer in spec["layer"] if layer["mark"]["type"] == mark]


# Colours


def luminance(color):
    """Relative luminance of "#RRGGBB", WCAG 2.2."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one, other):
    low, high = sorted([luminance(one), luminance(other)])
    return (high + 0.05) / (low + 0.05)


POWERS = [2**exponent for exponent in range(17)]


def test_contrast_formula_gives_the_known_extremes():
    assert contrast("#000000", "#FFFFFF") == pytest.approx(21.0)
    assert contrast("#777777", "#FFFFFF") == pytest.approx(4.48, abs=0.005)  # the well-known near miss of AA


@pytest.mark.parametrize("dark", [False, True])
@given(batch_size=st.integers(1, 70_000), full_batch=st.booleans())
def test_each_colour_can_be_read_as_text_on_its_background(dark, batch_size, full_batch):
    assert contrast(batch_size_color(batch_size, full_batch=full_batch, dark=dark), BACKGROUND[dark]) >= 4.5


@pytest.mark.parametrize("dark", [False, True])
def test_contrast_with_the_background_grows_with_batch_size(dark):
    contrasts = [contrast(batch_size_color(k, dark=dark), BACKGROUND[dark]) for k in POWERS]
    assert all(later > earlier for earlier, later in pairwise(contrasts))


@pytest.mark.parametrize("dark", [False, True])
def test_each_batch_size_up_to_65536_differs_from_twice_as_many_and_larger_ones_have_the_last_colour(dark):
    colors = [batch_size_color(k, dark=dark) for k in POWERS]
    assert len(set(colors)) == len(colors)
    assert batch_size_color(10**9, dark=dark) == colors[-1]


@pytest.mark.parametrize("dark", [False, True])
def test_gradient_descent_is_neutral_and_no_batch_size_is(dark):
    def chroma(color):
        channels = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
        return max(channels) - min(channels)

    assert chroma(batch_size_color(7, full_batch=True, dark=dark)) < 16
    assert min(chroma(batch_size_color(k, dark=dark)) for k in POWERS) > 48


@pytest.mark.parametrize("dark", [False, True])
def test_no_batch_size_has_the_yellow_of_drawn_samples(dark):
    def rgb(color):
        return np.array([int(color[at : at + 2], 16) for at in (1, 3, 5)])

    distances = [np.abs(rgb(batch_size_color(k, dark=dark)) - rgb(DRAWN)).max() for k in POWERS]
    assert min(distances) > 64


def test_batch_size_zero_is_refused():
    with pytest.raises(ValueError, match="`batch_size` must be an integer of at least 1; received 0"):
        batch_size_color(0)


# Labels


@given(
    st.lists(st.tuples(st.floats(0, 300), st.sampled_from([15.0, 30.0])), max_size=10),
)
def test_labels_keep_their_distance_and_stay_on_the_line(labels):
    wanted, heights = [w for w, _ in labels], [h for _, h in labels]
    placed = spread_labels(wanted, heights=heights, length=300.0)
    # The centres of the outermost labels may lie on the ends: between them lies all but half of each.
    needed = sum(heights) - (min(heights) if labels else 0.0)
    if needed <= 300.0:
        for (one, tall), (other, other_tall) in combinations(zip(placed, heights, strict=True), 2):
            assert abs(one - other) >= (tall + other_tall) / 2 - 1e-9
    assert all(-1e-9 <= place <= 300 + 1e-9 for place in placed)


@given(st.lists(st.tuples(st.floats(0, 300), st.integers(1, 2)), min_size=2, max_size=6))
def test_labels_of_one_and_two_lines_do_not_overlap(wanted):
    positions, lines = zip(*wanted, strict=True)
    first_lines = place_texts(positions, ["\n".join(["label"] * num) for num in lines], length=300.0)
    # Vega draws 14 px per line downwards from the middle of the first one.
    spans = [(first - 7 - 14 * (num - 1), first + 7) for first, num in zip(first_lines, lines, strict=True)]
    for (low, high), (other_low, other_high) in combinations(spans, 2):
        assert high <= other_low + 1e-9 or other_high <= low + 1e-9
    assert max(first_lines) <= 300


@given(st.lists(st.floats(0, 300), min_size=1, max_size=8, unique=True))
def test_labels_keep_their_order(wanted):
    placed = spread_labels(wanted, heights=[15.0] * len(wanted), length=300.0)
    assert np.argsort(placed, kind="stable").tolist() == np.argsort(wanted, kind="stable").tolist()


def test_labels_that_are_far_apart_stay_where_they_are():
    assert spread_labels([200.0, 10.0, 100.0], heights=[15.0] * 3, length=300.0).tolist() == [200.0, 10.0, 100.0]


def test_labels_at_one_place_spread_evenly_about_it():
    assert spread_labels([50.0] * 3, heights=[10.0] * 3, length=100.0).tolist() == [40.0, 50.0, 60.0]


def test_labels_at_the_end_of_the_line_move_inwards():
    assert spread_labels([100.0, 100.0], heights=[10.0] * 2, length=100.0).tolist() == [90.0, 100.0]
    assert spread_labels([0.0, 0.0], heights=[10.0] * 2, length=100.0).tolist() == [0.0, 10.0]


def test_too_many_labels_share_the_line_evenly():
    assert spread_labels([50.0] * 5, heights=[40.0] * 5, length=100.0).tolist() == [0.0, 25.0, 50.0, 75.0, 100.0]


def test_labels_that_cannot_meet_do_not_move():
    apart = np.array([[True, False], [False, True]])
    assert spread_labels([50.0, 52.0], heights=[10.0] * 2, length=100.0, conflicts=apart).tolist() == [50.0, 52.0]


def test_heights_of_another_number_are_refused():
    with pytest.raises(ValueError, match="`heights` must have 2 elements; received 1"):
        spread_labels([1.0, 2.0], heights=[10.0], length=100.0)


def test_names_of_lines_that_end_close_together_stand_apart_in_the_chart():
    ends = [0.50, 0.51, 0.52, 0.53, 0.54]
    history = to_frame(r for k, end in enumerate(ends, 1) for r in run(f"k = {k}", k, [2.0, end]))
    _, labels = datasets(curves(history, y=Axis("train_loss", (0.0, 2.0))).to_dict())
    # All but at most 100 px of the height is the plot: 2.0 of loss on at least 260 px.
    places = sorted(260 * label["label_y"] / 2.0 for label in labels)
    assert min(later - earlier for earlier, later in pairwise(places)) >= LABEL_GAP - 1e-9
    assert [label["y"] for label in labels] == ends


# Specification


@pytest.mark.parametrize("x", COUNTERS)
@pytest.mark.parametrize("y", METRICS)
def test_each_pair_of_axes_gives_a_chart_of_these_fields(x, y):
    spec = curves(race(), x=x, y=y).to_dict()
    [line] = layers_of(spec, "line")
    assert line["encoding"]["x"]["field"] == x
    assert f"datum.{y}" in line["transform"][0]["calculate"]
    assert spec["title"]["text"]
    assert line["encoding"]["x"]["axis"]["title"]
    assert line["encoding"]["y"]["axis"]["title"]


def test_fixed_domains_hold_in_all_layers_and_what_lies_outside_is_clipped():
    spec = curves(race(), target=0.5, x=Axis("seconds", (0, 10)), y=Axis("train_loss", (0, 3))).to_dict()
    for channel, domain in (("x", [0, 10]), ("y", [0, 3])):
        scales = [
            layer["encoding"][channel]["scale"]
            for layer in spec["layer"]
            if "scale" in layer["encoding"].get(channel, {})
        ]
        assert len(scales) >= 6
        assert all(scale["domain"] == domain and scale["nice"] is False for scale in scales)
    for mark in ("line", "area"):
        assert all(layer["mark"]["clip"] for layer in layers_of(spec, mark))
    [points] = [layer for layer in spec["layer"] if layer.get("name") == "points"]
    filters = [step["filter"] for step in points["transform"] if "filter" in step]
    assert filters == ["inrange(datum.seconds, [0.0, 10.0]) && inrange(datum.train_loss, [0.0, 3.0])"]


def test_line_is_held_near_the_plot_so_that_a_loss_of_1e30_can_be_drawn():
    [line] = layers_of(curves(race(), y=Axis("train_loss", (1, 3))).to_dict(), "line")
    assert line["transform"] == [{"as": "drawn", "calculate": "clamp(datum.train_loss, -99.0, 103.0)"}]


def test_rows_are_drawn_from_two_tables_and_none_stands_in_the_specification():
    spec = curves(race(), target=0.5).to_dict()
    records, labels = datasets(spec)
    assert len(spec["datasets"]) == 2
    assert len(records) == 11  # 3 × 4 less the record whose loss is inf
    assert [label["label"] for label in labels] == [
        "GD",
        "k = 8",
        "k = 8, rate 9\ndiverged at update 27",
        "target 0.5",
        "",  # the mark where the line left the plot
    ]


def test_only_the_data_change_while_a_run_goes_on():
    x, y = Axis("seconds", (0, 3)), Axis("train_loss", (0, 3))
    specs = [specification(curves(at_time(race(), seconds), x=x, y=y, target=0.5)) for seconds in (0.0, 1.0, 3.0)]
    assert [len(spec.pop("datasets")["records"]) for spec in specs] == [3, 6, 11]
    assert specs[0] == specs[1] == specs[2]


def test_names_of_the_hover_and_its_view_are_fixed():
    spec = curves(race()).to_dict()
    [param] = spec["params"]
    assert (param["name"], param["views"]) == ("hover", ["points"])
    assert param["select"]["nearest"] is True
    assert param["select"]["fields"] == ["run", "update"]


def tooltip_titles(spec):
    [points] = [layer for layer in spec["layer"] if layer.get("name") == "points"]
    return re.findall(r'"([^"]+)": \(', points["mark"]["tooltip"]["expr"])


def test_tooltip_shows_all_numbers_of_the_record_from_its_fields():
    spec = curves(race(), x="epoch", y="test_accuracy").to_dict()
    assert tooltip_titles(spec) == [
        "Run",
        "Training time",
        "Parameter updates",
        "Epochs",
        "Samples seen",
        "Training loss",
        "Test loss",
        "Test accuracy",
        "Minibatch loss, mean",
        "Minibatch loss, 10–90 %",
    ]
    [points] = [layer for layer in spec["layer"] if layer.get("name") == "points"]
    expression = points["mark"]["tooltip"]["expr"]
    for field in ("seconds", "update", "epoch", "examples", "train_loss", "test_loss", "test_accuracy"):
        value = f"(datum.datum || datum).{field}"  # of the point, or of the cell around it
        assert f"isValid({value}) ? format({value}, " in expression


def test_each_run_has_the_colour_of_its_batch_size_and_gradient_descent_is_thicker():
    [line] = layers_of(curves(race()).to_dict(), "line")
    assert line["encoding"]["color"]["scale"] == {
        "domain": ["GD", "k = 8", "k = 8, rate 9"],
        "range": [batch_size_color(N, full_batch=True), batch_size_color(8), batch_size_color(8)],
    }
    widths = line["encoding"]["strokeWidth"]["scale"]["range"]
    assert widths[0] > widths[1] == widths[2]


def test_two_runs_of_one_batch_size_differ_in_their_dashes():
    [line] = layers_of(curves(race()).to_dict(), "line")
    dashes = line["encoding"]["strokeDash"]["scale"]["range"]
    assert dashes[0] == dashes[1] == [1, 0]
    assert dashes[2] not in dashes[:2]


def test_band_is_drawn_for_a_loss_alone():
    assert len(layers_of(curves(race()).to_dict(), "area")) == 1
    assert layers_of(curves(race(), band=False).to_dict(), "area") == []
    assert layers_of(curves(race(), y="test_accuracy").to_dict(), "area") == []
    assert "subtitle" not in curves(race(), band=False).to_dict()["title"]


def test_target_is_a_dashed_rule_where_one_is_asked_for():
    spec = curves(race(), target=0.5).to_dict()
    [rule] = [layer for layer in layers_of(spec, "rule") if "strokeDash" in layer["mark"]]
    assert rule["transform"] == [{"as": "drawn", "calculate": "0.5"}]
    assert not [layer for layer in layers_of(curves(race()).to_dict(), "rule") if "strokeDash" in layer["mark"]]


def test_target_of_an_accuracy_is_labelled_in_per_cent():
    _, labels = datasets(curves(race(), y="test_accuracy", target=0.9).to_dict())
    assert labels[-1]["label"] == "target 90 %"


@pytest.mark.parametrize(
    ("x", "place", "left_at"),
    # Between the records at 20 and 30 updates, of 1 s and 80 samples each, and 100 samples in an epoch.
    [("update", 27, 5.0), ("seconds", 2.7, 0.5), ("examples", 216, 40.0), ("epoch", 2.16, 0.4)],
)
def test_a_divergence_is_drawn_at_the_update_that_is_named_and_the_exit_at_the_frame(x, place, left_at):
    _, labels = datasets(curves(race(), x=x, y=Axis("train_loss", (0, 4))).to_dict())
    lost, left = labels[2], labels[3]
    assert lost["label"].endswith("diverged at update 27")
    assert (lost["x"], lost["y"]) == (pytest.approx(place), 4.0)
    # From loss 2 at update 0 to 6 at update 10: at 4 half of the way.
    assert (left["run"], left["x"], left["y"]) == ("k = 8, rate 9", pytest.approx(left_at), 4.0)
    assert (left["kind"], left["label"]) == ("above", "")


def test_a_run_that_diverges_inside_the_plot_has_its_cross_at_its_last_finite_loss_and_no_exit():
    history = to_frame(run("k = 1", 1, [1.0, 2.0, math.nan], diverged_at=15))
    records, labels = datasets(curves(history, y=Axis("train_loss", (0, 4)), x=Axis("seconds", (0, 2))).to_dict())
    assert [record["train_loss"] for record in records] == [1.0, 2.0]
    [lost] = labels
    assert (lost["x"], lost["y"], lost["kind"]) == (1.5, 2.0, "diverged late")


def test_a_run_that_goes_on_outside_the_plot_says_so_where_it_left_and_at_its_end():
    history = to_frame([*run("up", 4, [2.0, 6.0, 40.28]), *run("down", 8, [2.0, 1.0, 0.0123])])
    _, labels = datasets(curves(history, y=Axis("train_loss", (0.5, 4))).to_dict())
    up, down, up_exit, down_exit = labels
    assert (up["label"], up["kind"], up["x"], up["y"]) == ("up\n↑ 40.3", "above", 2.0, 4.0)
    assert (down["label"], down["kind"], down["x"], down["y"]) == ("down\n↓ 0.0123", "below", 2.0, 0.5)
    assert (up_exit["kind"], up_exit["x"], up_exit["y"]) == ("above", 0.5, 4.0)
    # From 1 at 1 s to 0.0123 at 2 s: 0.5 is 0.5 / 0.9877 of the way.
    assert (down_exit["kind"], down_exit["x"]) == ("below", pytest.approx(1 + 0.5 / 0.9877))


def test_a_large_value_above_the_frame_is_written_as_on_the_page():
    history = to_frame(run("up", 1, [2.0, 3.0, 3_688_430.0]))
    _, labels = datasets(curves(history, y=Axis("train_loss", (0.0, 4.0))).to_dict())
    assert labels[0]["label"] == "up\n↑ 3.69 · 10⁶"


def test_diverged_run_does_not_squash_the_others():
    assert default_y_domain(race(), "train_loss") == (0.0, pytest.approx(1.05 * 1.5 * 2.0))
    calm = race()[race()["run"] != "k = 8, rate 9"]
    assert default_y_domain(calm, "train_loss") == (0.0, pytest.approx(1.05 * 2.0))


def test_first_minibatches_of_a_diverged_run_set_no_scale():
    history = to_frame([*run("a", 4, [2.0, 1.0]), *run("b", 4, [2.0, 1e9, math.inf], diverged_at=12)])
    assert default_y_domain(history, "minibatch_loss") == (0.0, pytest.approx(1.05 * 1.5 * 1.0))


def test_default_axes_begin_at_zero_or_at_the_lowest_value_of_a_logarithm():
    assert default_x_domain(race(), "seconds") == (0.0, 3.0)
    assert default_x_domain(race(), "seconds", log=True) == (1.0, 3.0)
    low, _ = default_y_domain(race(), "train_loss", log=True)
    assert low == pytest.approx(0.9 * 0.25)
    assert default_y_domain(race(), "test_accuracy") == (0.0, 1.0)


def test_logarithmic_axis_leaves_out_what_is_not_positive():
    records, _ = datasets(curves(race(), x=Axis("update", log=True), y=Axis("train_loss", log=True)).to_dict())
    assert min(record["update"] for record in records) == 10


def test_label_stands_at_the_same_place_of_a_logarithmic_axis():
    history = to_frame(run("k = 1", 1, [100.0, 10.0, 1.0]))
    _, labels = datasets(curves(history, y=Axis("train_loss", (0.1, 1000), log=True)).to_dict())
    assert labels[0]["label_y"] == pytest.approx(1.0)


@pytest.mark.parametrize(("log", "target"), [(False, None), (True, None), (False, 0.5)])
def test_empty_history_gives_empty_axes_with_the_fixed_domains(log, target):
    x, y = Axis("seconds", (1, 10), log=log), Axis("train_loss", (0.1, 3), log=log)
    spec = curves(to_frame([]), x=x, y=y, target=target).to_dict()
    [line] = layers_of(spec, "line")
    assert line["encoding"]["x"]["scale"]["domain"] == [1, 10]
    assert line["encoding"]["y"]["scale"]["domain"] == [0.1, 3]


def test_one_record_per_run_shows_as_a_point_with_its_name():
    spec = curves(at_time(race(), 0.0), x=Axis("seconds", (0, 3))).to_dict()
    records, labels = datasets(spec)
    assert len(records) == 3
    assert [(label["label"], label["x"], label["y"]) for label in labels] == [
        ("GD", 0, 2),
        ("k = 8", 0, 2),
        ("k = 8, rate 9", 0, 2),
    ]


def test_inf_and_nan_are_null_in_json():
    history = race()
    history.loc[1, ["test_loss", "test_accuracy"]] = [math.inf, math.nan]
    text = json.dumps(curves(history).to_dict(), allow_nan=False)
    assert '"test_loss": null' in text


def test_regression_has_no_accuracy_to_show():
    history = to_frame(run("k = 1", 1, [2.0, 1.0], accuracy=False))
    records, labels = datasets(curves(history, y="test_accuracy", target=0.9).to_dict())
    assert (len(records), len(labels)) == (0, 1)


@pytest.mark.parametrize("compact", [False, True])
def test_place_for_the_labels_is_kept_from_the_start(compact):
    def room(history):
        axes = {"x": Axis("seconds", (0, 3)), "y": Axis("train_loss", (0, 3))}
        spec = curves(history, **axes, theme=Theme(compact=compact)).to_dict()
        return [layer["encoding"]["x2"] for layer in layers_of(spec, "rule") if "x2" in layer["encoding"]]

    assert room(race()) == room(at_time(race(), 0.0))
    assert len(room(race())) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x": "time"}, "`x` must be one of seconds, epoch, update, examples; received 'time'"),
        ({"y": "loss"}, "`y` must be one of train_loss, .*; received 'loss'"),
        (
            {"x": Axis("epoch", (3, 3))},
            r"The domain of `x` must be .* with low < high, .*; received \(3, 3\)",
        ),
        ({"y": Axis("train_loss", (0, math.inf))}, "The domain of `y` must be .* both finite"),
        ({"y": Axis("train_loss", (0, 1), log=True)}, "The domain of `y` must be .* 0 < low < high"),
        ({"target": math.nan}, "`target` must be a finite number, .*; received nan"),
        ({"target": 0.0, "y": LOG}, "`target` must be .* positive on a logarithmic axis; received 0.0"),
        ({"theme": Theme(height=0)}, "`height` must be an integer of at least 1; received 0"),
        ({"theme": Theme(width=-5)}, "`width` must be an integer of at least 1; received -5"),
    ],
)
def test_bad_options_are_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        curves(race(), **options)


# Words


def words_of(spec):
    """All that a reader can read, less numbers and the names of the runs."""
    _, labels = datasets(spec)
    [line] = layers_of(spec, "line")
    yield spec["title"]["text"]
    if "subtitle" in spec["title"]:
        yield spec["title"]["subtitle"]
    yield line["encoding"]["x"]["axis"]["title"]
    yield line["encoding"]["y"]["axis"]["title"]
    yield from tooltip_titles(spec)
    for label in labels:
        name = label["run"]
        rest = label["label"].removeprefix(name).strip()
        if rest:
            yield rest


@pytest.mark.parametrize("x", COUNTERS)
@pytest.mark.parametrize("y", METRICS)
def test_translation_reaches_every_word(x, y):
    asked = []

    def translate(message):
        asked.append(message)
        return f"«{message}»"

    spec = curves(race(), x=x, y=y, target=0.5, theme=Theme(translate=translate)).to_dict()
    words = list(words_of(spec))
    assert len(words) >= 15
    for word in words:
        assert word.startswith("«")
        assert word.endswith("»")
    encodings = [layer["encoding"] for layer in spec["layer"]]
    titles = {entry["axis"]["title"] for encoding in encodings for entry in encoding.values() if "axis" in entry}
    assert all(title.startswith("«") for title in titles)
    assert "target {value}" in asked
    assert "diverged at update {update}" in asked


def test_all_messages_can_be_extracted_by_babel():
    asked = set()

    def translate(message):
        asked.add(message)
        return message

    for x in COUNTERS:
        for y in METRICS:
            curves(race(), x=x, y=y, target=0.5, theme=Theme(translate=translate))
    curves(race().assign(contestant="SGD"), theme=Theme(translate=translate))  # as if each run were a seed of one
    learning_rates(trials(), batch_sizes={"GD": "all", "k = 8": 8}, theme=Theme(translate=translate))
    files = [Path(sgd_tf.__file__).parent / name for name in ("charts/curves.py", "racing/search_chart.py")]
    found = {message for file in files for _, message, _, _ in extract.extract_from_file("python", file)}
    assert asked == found


# The search for a learning rate


def trials():
    rows = [("GD", 0.1, 0.5), ("GD", 1.0, 0.2), ("GD", 10.0, math.inf), ("k = 8", 0.1, 0.1), ("k = 8", 1.0, 0.4)]
    return pd.DataFrame(rows, columns=["run", "learning_rate", "mean_loss"])


def test_the_best_learning_rate_of_each_contestant_is_marked_and_what_diverged_is_left_out():
    spec = learning_rates(trials(), batch_sizes={"GD": "all", "k = 8": 8}).to_dict()
    line, best = spec["datasets"]["trials"], spec["datasets"]["best"]
    assert [row["learning_rate"] for row in line] == [0.1, 1.0, 0.1, 1.0]
    assert {row["run"]: row["learning_rate"] for row in best} == {"GD": 1.0, "k = 8": 0.1}


def test_a_contestant_has_the_colour_of_its_batch_size_in_the_search_too():
    scale = learning_rates(trials(), batch_sizes={"GD": "all", "k = 8": 8}).to_dict()["layer"][0]["encoding"]["color"]
    assert scale["scale"]["domain"] == ["GD", "k = 8"]
    assert scale["scale"]["range"] == [batch_size_color(1, full_batch=True), batch_size_color(8)]


def test_a_search_without_any_trial_has_empty_axes():
    assert learning_rates(trials()[:0], batch_sizes={"GD": "all"}).to_dict()["layer"]


# Files and imports


def test_html_opens_without_a_network(tmp_path):
    path = tmp_path / "race.html"
    save_html(curves(race()), path)
    text = path.read_text(encoding="utf-8")
    assert "k = 8, rate 9" in text
    for outside in ('<script src="http', "<link", "@import"):
        assert outside not in text


def test_charts_need_neither_tensorflow_nor_the_app():
    code = (
        "import sys, sgd_tf.charts, sgd_tf.training.history; "
        "print([name for name in ('tensorflow', 'keras', 'streamlit', 'distributed') if name in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_tables_for_a_page_hold_numbers_of_at_most_six_digits():
    history = to_frame(run("k = 1", 1, [1 / 3, 2e-7 / 3]))
    table = specification(curves(history))["datasets"]["records"]
    assert isinstance(table, pd.DataFrame)
    assert table["train_loss"].tolist() == [0.333333, 6.66667e-08]
