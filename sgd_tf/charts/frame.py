"""The end of every chart: its frame, and one cache of structures; only their tables change from redraw to redraw.

A chart is made in two steps. Its public function computes tables; a function marked ``@structure`` draws named tables
and depends on nothing but hashable arguments. Altair takes some 60 ms to build such a chart and to write it as
Vega-Lite, which a page that follows a run would pay at each redraw, so that is done once for equal arguments:

    def losses(history, *, theme=LIGHT):
        return filled(_losses(theme), records=history)

    @structure
    def _losses(theme):
        lines = table("records").mark_line().encode(x="epoch:Q", y="train_loss:Q")
        return finish([lines], theme, "Training loss")
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, wraps
from pathlib import Path
from typing import Any, ClassVar, ParamSpec

import altair as alt
import pandas as pd

from sgd_tf.charts.style import Theme, embed_config

P = ParamSpec("P")
Title = str | tuple[str, str]  # the title, or the title and the line below it
CACHE_SIZE = 256  # structures, of all charts together


def table(name: str) -> alt.Chart:
    """A chart of the table with this name, which `filled` gives."""
    return alt.Chart(alt.NamedData(name=name))


def structure(build: Callable[P, alt.LayerChart]) -> Callable[P, alt.LayerChart]:
    """Mark a function that draws named tables: equal arguments, all hashable, give the same chart, built once."""

    @wraps(build)
    def kept(*args: P.args, **kwargs: P.kwargs) -> alt.LayerChart:
        return _built(build, args, tuple(kwargs.items()))

    return kept


@lru_cache(maxsize=CACHE_SIZE)
def _built(
    build: Callable[..., alt.LayerChart], args: tuple[Any, ...], options: tuple[tuple[str, Any], ...]
) -> alt.LayerChart:
    return build(*args, **dict(options))


@dataclass(frozen=True, eq=False)
class _Tables:
    """The tables of a chart by name; Altair writes them as rows of JSON, a page sends them as they are."""

    _schema: ClassVar[dict[str, Any]] = {}  # what Altair asks of objects that write themselves
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Rows by name; a number that is not finite becomes None."""
        return {name: alt.to_values(rows)["values"] for name, rows in self.tables.items()}


def filled(chart: alt.LayerChart, **tables: pd.DataFrame) -> alt.LayerChart:
    """A chart of a structure, with its tables.

    Layers without a row are hidden from screen readers: each would be a picture without a name.

    Args:
        chart: result of a function marked ``@structure``.
        tables: tables by their names in the structure.

    Returns:
        an Altair chart like any other; `specification` writes it fast.
    """
    empty = frozenset(name for name, rows in tables.items() if rows.empty)
    shown = _without(chart, empty)
    result = alt.LayerChart()
    result._kwds.update(shown._kwds, datasets=_Tables(tables))  # `copy` would take as long as building it
    vars(result)["structure"] = shown
    return result


def _without(chart: alt.LayerChart, empty: frozenset[str]) -> alt.LayerChart:
    """The structure with the layers of empty tables hidden from screen readers, made once for each set of these."""
    kept: dict[frozenset[str], alt.LayerChart] = vars(chart).setdefault("without", {frozenset(): chart})
    if empty not in kept:
        copy = chart.copy()
        for layer in copy.layer:
            data = copy.data if layer.data is alt.Undefined else layer.data
            if isinstance(data, alt.NamedData) and data.name in empty:
                mark = layer.mark if isinstance(layer.mark, str) else layer.mark.to_dict()
                layer.mark = alt.MarkDef(**({"type": mark} if isinstance(mark, str) else mark) | {"aria": False})
        kept[empty] = copy
    return kept[empty]


def specification(chart: alt.LayerChart) -> dict[str, Any]:
    """The Vega-Lite specification of a chart, for a page that redraws it often.

    Args:
        chart: result of a public chart function. One that was changed since (``chart.properties(…)``) is written anew.

    Returns:
        what ``st.vega_lite_chart`` takes, with the tables as DataFrames in ``datasets``. Only its top level is the
        caller's own.
    """
    shown = vars(chart).get("structure")
    if shown is None:
        return chart.to_dict(validate=False)
    written = vars(shown).get("written")
    if written is None:
        written = vars(shown)["written"] = shown.to_dict(validate=False)
    return {**written, "datasets": dict(chart.datasets.tables)}


def finish(
    layers: Sequence[alt.Chart], theme: Theme, title: Title = "", *, title_size: int = 14, padding: int = 4
) -> alt.LayerChart:
    """The chart of these layers, with its title, its size, its margins and its theme.

    Args:
        layers: from the lowest to the topmost.
        theme: theme of the page.
        title: the title, or the title and the line below it; "" for none.
        title_size: font size, in px.
        padding: on all sides, in px.
    """
    chart = alt.LayerChart(layer=list(layers))
    text, subtitle = (title, "") if isinstance(title, str) else title
    if text:
        chart.title = alt.TitleParams(
            text=text,
            subtitle=subtitle or alt.Undefined,
            fontSize=title_size,
            subtitleFontSize=12,
            subtitleColor=theme.muted,
            subtitlePadding=4,
            anchor="start",
            offset=8,
        )
    return chart.properties(
        width=theme.width,
        height=theme.height,
        # By sides: Streamlit sets the bottom of what it takes for an object.
        padding=dict.fromkeys(("left", "top", "right", "bottom"), padding),
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        # Read by Vega-Embed in a notebook; the theme of a Streamlit page goes before it.
        usermeta={"embedOptions": {"config": embed_config(dark=theme.dark)}},
    )


def bare(layers: Sequence[alt.Chart], theme: Theme, title: Title = "") -> alt.LayerChart:
    """A picture without a frame; its layers have scales of their own: a colour may mean another thing in each."""
    chart = finish(layers, theme, title, padding=2).properties(view=alt.ViewConfig(stroke=None))
    channels = ("color", "fill", "stroke", "strokeWidth", "strokeDash", "size", "shape")
    apart: dict[str, Any] = dict.fromkeys(channels, "independent")
    return chart.resolve_scale(**apart)


def save_html(chart: alt.TopLevelMixin, path: str | Path) -> None:
    """Write a chart as one HTML file that opens without a network.

    Args:
        chart: any Altair chart.
        path: the file to write.
    """
    chart.save(str(path), format="html", inline=True)
