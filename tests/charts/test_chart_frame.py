"""The frame of all charts: tables that change while the structure stays, themes that never share words."""

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import Theme, specification
from sgd_tf.charts.frame import filled, finish, structure, table
from sgd_tf.charts.style import LIGHT

ROWS = pd.DataFrame({"x": [0.0, 1.0], "y": [2.0, np.nan]})


@structure
def _dots(theme: Theme) -> alt.LayerChart:
    dots = table("dots").mark_point(size=9).encode(x="x:Q", y="y:Q")
    rule = table("rule").mark_rule().encode(y="y:Q")
    return finish([dots, rule], theme, (theme.translate("Dots"), "below"))


def chart(rows=ROWS, rule=ROWS, theme=LIGHT):
    return filled(_dots(theme), dots=rows, rule=rule)


def test_the_specification_for_a_page_is_that_of_the_chart_with_its_tables_as_they_are():
    spec, written = specification(chart()), chart().to_dict()
    tables, rows = spec.pop("datasets"), written.pop("datasets")
    assert spec == written
    assert tables["dots"] is ROWS
    assert rows["dots"] == [{"x": 0.0, "y": 2.0}, {"x": 1.0, "y": None}]


def test_a_redraw_has_its_own_tables():
    one, other = chart(), chart(ROWS[:1])
    assert [len(drawn.to_dict()["datasets"]["dots"]) for drawn in (one, other, one)] == [2, 1, 2]
    assert specification(one)["layer"] is specification(other)["layer"]


def test_a_chart_that_was_changed_is_written_as_changed_and_others_are_not():
    spec = specification(chart().properties(title="Mine"))
    assert spec["title"] == "Mine"
    assert specification(chart())["title"]["text"] == "Dots"


def test_two_themes_never_share_words_or_colours():
    korean = Theme(translate={"Dots": "점"}.__getitem__, dark=True)
    specs = specification(chart(theme=korean)), specification(chart())
    assert [spec["title"]["text"] for spec in specs] == ["점", "Dots"]
    assert len({spec["title"]["subtitleColor"] for spec in specs}) == 2


def test_a_layer_without_a_row_is_left_out_for_screen_readers_and_others_are_not():
    aria = [layer["mark"].get("aria", True) for layer in specification(chart(rule=ROWS[:0]))["layer"]]
    assert aria == [True, False]
    assert [layer["mark"].get("aria", True) for layer in chart().to_dict()["layer"]] == [True, True]
    assert chart(rule=ROWS[:0]).to_dict()["layer"][0]["mark"]["size"] == 9


def test_a_chart_has_the_size_of_its_theme_and_padding_by_sides():
    spec = specification(chart(theme=Theme(height=300, width=500)))
    assert (spec["height"], spec["width"]) == (300, 500)
    assert spec["autosize"] == {"type": "fit", "contains": "padding"}
    assert set(spec["padding"]) == {"left", "top", "right", "bottom"}
