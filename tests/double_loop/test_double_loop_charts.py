"""The player's pictures: drawn, used and waiting samples, the way of a minibatch, the lit line, the updates."""

import ast
import json
import tokenize
from io import StringIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from babel.messages import extract

from sgd_tf import charts
from sgd_tf.charts import Theme, specification
from sgd_tf.double_loop import chart, code_chart, notebook
from sgd_tf.double_loop import chart as double_loop_chart
from sgd_tf.double_loop.code_chart import CODE_COLUMNS


def samples(n=24, **columns):
    return pd.DataFrame({"index": range(n), "label": ["0", "1"] * (n // 2), **columns})


def states(n=24, drawn=(3, 4), used=(0, 1, 2)):
    words = ["drawn" if i in drawn else "used" if i in used else "waiting" for i in range(n)]
    return pd.DataFrame({"index": range(n), "state": words, "note": ""})


def points(n=24):
    rng = np.random.default_rng(0)
    return samples(n, x=rng.normal(size=n), y=rng.normal(size=n))


def tiles(n=24, **options):
    return specification(double_loop_chart.tiles(samples(n, image=""), states(n, **options)))


def line(*moments):
    return pd.DataFrame([{"x": x, "y": x, "moment": moment} for moment in moments for x in (-1.0, 1.0)])


def without_data(spec):
    return json.dumps({key: value for key, value in spec.items() if key != "datasets"}, sort_keys=True)


def test_only_the_tables_change_from_step_to_step():
    assert len({without_data(tiles(drawn=drawn)) for drawn in [(), (1, 2), range(24)]}) == 1
    plans = [states(), states(drawn=(5,))]
    specs = [
        specification(
            double_loop_chart.points(points(), plan.assign(said=np.nan, rank=0), line(*moments), is_line=True)
        )
        for plan, moments in zip(plans, [("now",), ("now", "before")], strict=True)
    ]
    assert len(set(map(without_data, specs))) == 1
    assert (
        len({without_data(specification(code_chart.code(["a = 1", "b = 2"], lit))) for lit in ([], [1], [1, 2])}) == 1
    )


@pytest.mark.parametrize("dark", [False, True])
def test_drawn_samples_are_yellow_and_no_others(dark):
    spec = specification(double_loop_chart.tiles(samples(image=""), states(), theme=Theme(dark=dark)))
    scale = spec["layer"][0]["encoding"]["fill"]["scale"]
    colors = dict(zip(scale["domain"], scale["range"], strict=True))
    assert colors["drawn"] == charts.DRAWN
    assert charts.DRAWN not in (colors["used"], colors["waiting"])
    assert len(set(colors.values())) == 3


def test_used_samples_bear_a_tick_so_that_colour_is_not_alone():
    ticks = [layer for layer in tiles()["layer"] if layer["mark"].get("text") == "✓"]
    (tick,) = ticks
    assert {"filter": "datum.state == 'used'"} in tick["transform"]


def test_many_samples_become_a_dense_grid_without_images_in_which_used_ones_are_smaller():
    kinds = [layer["mark"]["type"] for layer in tiles(200)["layer"]]
    assert kinds == ["rect", "rect"]
    assert [layer["mark"]["type"] for layer in tiles(24)["layer"]].count("image") == 1
    left = next(t["calculate"] for t in tiles(200)["layer"][0]["transform"] if t.get("as") == "left")
    assert "'used' ? 0.22" in left


@pytest.mark.parametrize("n", [1, 10, 24, 60, 61, 200, 1437, 2000])
def test_all_samples_have_a_tile_of_their_own(n):
    columns = chart.tile_columns(n)
    places = {(i % columns, i // columns) for i in range(n)}
    assert len(places) == n
    assert columns * -(-n // columns) >= n


def test_a_digit_keeps_its_pixels_as_ink():
    from base64 import b64decode
    from io import BytesIO

    from PIL import Image

    pixels = np.arange(64) % 17
    image = Image.open(BytesIO(b64decode(double_loop_chart.digit_image(tuple(pixels)).split(",", 1)[1])))
    alpha = np.asarray(image)[..., 3]
    small = alpha[3::6, 3::6].reshape(-1)  # the middle of each pixel, which is six wide
    assert small.tolist() == (pixels * 255 / 16).astype(int).tolist()


def test_the_line_is_drawn_with_the_errors_of_the_drawn_samples():
    spec = specification(
        double_loop_chart.points(points(), states().assign(said=0.0, rank=0), line("now"), is_line=True)
    )
    (rule,) = [layer for layer in spec["layer"] if layer["mark"]["type"] == "rule"]
    assert {"filter": "datum.state == 'drawn' && isValid(datum.said)"} in rule["transform"]
    assert rule["encoding"]["y2"]["field"] == "said"


def test_classes_differ_in_shape_and_the_surface_in_both_colours():
    x, y = double_loop_chart.surface_grid()
    surface = pd.DataFrame({"x": x, "y": y, "share": 0.5})
    spec = specification(
        double_loop_chart.points(points(), states().assign(said=np.nan, rank=0), surface, is_line=False)
    )
    area, dots, *_ = spec["layer"]
    assert dots["encoding"]["shape"]["scale"]["range"] == ["circle", "triangle-up"]
    assert len(set(area["encoding"]["color"]["scale"]["range"])) == 3


def test_the_minibatch_is_yellow_where_it_is_on_its_way():
    stations = pd.DataFrame(
        {"place": [0, 1], "title": "", "value": "", "detail": "", "state": ["passed", "here"]}, index=[0, 1]
    )
    travellers = pd.DataFrame({"slot": [0], "image": ["data:"], "said": [""], "more": [""]})
    for has_images in (True, False):
        spec = specification(double_loop_chart.flow(stations, travellers, has_images=has_images))
        scale = spec["layer"][0]["encoding"]["fill"]["scale"]
        assert dict(zip(scale["domain"], scale["range"], strict=True))["here"] == charts.DRAWN
        assert ("travellers" in spec["datasets"]) == has_images


def test_the_code_is_drawn_word_by_word_where_it_stands():
    lines = notebook.double_loop_lines()
    words = specification(code_chart.code(lines, [4]))["datasets"]["tokens"]
    for row in words.itertuples():
        assert lines[row.line - 1][row.column :].startswith(row.text)
    whole = "".join(words["text"])
    tokens = tokenize.generate_tokens(StringIO("\n".join(lines)).readline)
    assert whole == "".join(token.string.strip() for token in tokens)
    assert set(words.loc[words["keyword"], "text"]) == {"for", "in", "with", "as", "yield"}
    assert max(map(len, lines)) + 3 <= CODE_COLUMNS
    ast.parse("\n".join(lines))


def updates():
    return pd.DataFrame(
        {
            "run": ["GD"] * 2 + ["SGD"] * 3,
            "batch_size": [24] * 2 + [12] * 3,
            "full_batch": [True] * 2 + [False] * 3,
            "epoch": [0.0, 1.0, 0.0, 0.5, 1.0],
            "update": [0, 1, 0, 1, 2],
            "train_loss": [2.0, 1.5, 2.0, 1.2, np.inf],
        }
    )


def test_each_update_is_a_mark_and_what_is_not_finite_is_left_out():
    spec = specification(double_loop_chart.updates(updates()))
    assert len(spec["datasets"]["updates"]) == 4
    assert spec["datasets"]["ends"]["train_loss"].tolist() == [1.5, 1.2]
    line = spec["layer"][0]["encoding"]["color"]["scale"]
    assert line["range"] == [charts.batch_size_color(24, full_batch=True), charts.batch_size_color(12)]


def test_all_words_of_these_charts_can_be_extracted_by_babel():
    asked = set()

    def translate(message):
        asked.add(message)
        return message

    theme = Theme(translate=translate)
    double_loop_chart.tiles(samples(image=""), states(), theme=theme)
    double_loop_chart.points(points(), states().assign(said=0.0, rank=0), line("now"), is_line=True, theme=theme)
    double_loop_chart.updates(updates(), theme=theme)
    file = Path(chart.__file__)
    found = {message for _, message, _, _ in extract.extract_from_file("python", file)}
    assert asked == found
