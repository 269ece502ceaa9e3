"""The samples of one epoch as tiles or points, and the way of a minibatch through the model: the player's pictures."""

from __future__ import annotations

import base64
import copy
import io
import keyword
import tokenize
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, cast

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.style import (
    BACKGROUND,
    DRAWN,
    FONT,
    GRID,
    MUTED_TEXT,
    TEXT,
    Translate,
    batch_size_color,
    embed_config,
)

CODE_COLUMNS = 52  # letters that a line of code has room for
CODE_SIZE = 8.4  # px, the widest that a letter of code gets
CODE_LINE = 26  # px, from line to line of code
CODE_FONT = "'Source Code Pro', 'DejaVu Sans Mono', monospace"
KEYWORD = {False: "#7F1976", True: "#E991E6"}
MAX_IMAGES = 60  # more tiles than this become a dense grid without images
NUM_SLOTS = 8  # samples of a minibatch that are shown on their way through the model
INK = (23, 23, 23)  # of the images, on paper in both themes
PAPER = {False: "#F4F5F8", True: "#D9DBE3"}
USED_PAPER = {False: "#DFE1E8", True: "#4A4E5C"}
CLASS_COLORS = {False: ("#0B6BCB", "#B0307A"), True: ("#7CC4FF", "#FF9BD2")}
SURFACE_SIZE, LIMIT = 20, 2.5  # points along each side of the grid of a model, and how far it reaches: as in `lesson`
STATES = ("waiting", "drawn", "used")  # of a sample in an epoch
PLACES = ("ahead", "here", "passed")  # of a station on the way of a minibatch
MOMENTS = ("now", "before")  # of a line that an update has moved


def digit_image(pixels: tuple[float, ...], height: int = 8, width: int = 8) -> str:
    """A grey image as a PNG in a data address: dark ink on nothing, so that the colour of its tile shows.

    Args:
        pixels: (height · width,) ink, from 0 to 16, row by row from above.
        height: rows.
        width: columns.

    >>> digit_image((0.0,) * 64).startswith("data:image/png;base64,")
    True
    """
    return _digit_image(tuple(pixels), height, width)


@lru_cache(maxsize=4096)
def _digit_image(pixels: tuple[float, ...], height: int, width: int) -> str:
    from PIL import Image

    ink = np.clip(np.asarray(pixels, dtype=np.float64).reshape(height, width) * 255 / 16, 0, 255).astype(np.uint8)
    image = np.empty((height, width, 4), np.uint8)
    image[..., :3], image[..., 3] = INK, ink
    # Larger than its tile is on most screens: browsers blur what they enlarge.
    large = Image.fromarray(image, "RGBA").resize((width * 6, height * 6), Image.Resampling.NEAREST)
    file = io.BytesIO()
    large.save(file, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()


def tile_columns(num_examples: int) -> int:
    """Columns of the tiles: few large ones with images, or a dense grid that is wider than high.

    >>> tile_columns(24), tile_columns(1437)
    (8, 64)
    """
    if num_examples <= MAX_IMAGES:
        return min(12, max(8, -(-num_examples // 4)))
    return int(np.ceil(np.sqrt(num_examples * 2.8)))


def tiles_spec(
    samples: pd.DataFrame,
    states: pd.DataFrame,
    *,
    dark: bool = False,
    translate: Translate = str,
    height: int = 280,
) -> dict[str, Any]:
    """All N samples as tiles; those of the minibatch are yellow, those already used in this epoch ticked.

    From step to step the table of states alone changes, so that nothing flickers.

    Args:
        samples: columns index, label, image (a data address; empty in a dense grid), one row per sample.
        states: columns index, state ("waiting", "drawn", "used"), note (words for the tooltip).
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        Vega-Lite specification, with the tables as DataFrames in ``datasets``.

    >>> samples = pd.DataFrame({"index": [0, 1], "label": ["3", "7"], "image": ["", ""]})
    >>> states = pd.DataFrame({"index": [0, 1], "state": ["drawn", "waiting"], "note": ["", ""]})
    >>> sorted(tiles_spec(samples, states)["datasets"])
    ['samples', 'states']
    """
    _ = translate
    words = (_("Sample"), _("Label"), _("State"))
    spec = copy.deepcopy(_tiles(len(samples), words, dark, height))
    return {**spec, "datasets": {"samples": samples, "states": states.merge(samples[["index", "label"]], on="index")}}


@lru_cache(maxsize=64)
def _tiles(num_examples: int, words: tuple[str, ...], dark: bool, height: int) -> dict[str, Any]:
    sample, label, state = words
    columns = tile_columns(num_examples)
    rows = -(-num_examples // columns)
    dense = num_examples > MAX_IMAGES
    gap = 0.1 if dense else 0.05
    place = {
        "column": f"datum.index % {columns}",
        "row": f"floor(datum.index / {columns})",
        "left": f"datum.column + {gap} + (datum.state == 'used' ? {0.22 if dense else 0} : 0)",
        "right": f"datum.column + {1 - gap} - (datum.state == 'used' ? {0.22 if dense else 0} : 0)",
        "top": f"datum.row + {gap} + (datum.state == 'used' ? {0.22 if dense else 0} : 0)",
        "bottom": f"datum.row + {1 - gap} - (datum.state == 'used' ? {0.22 if dense else 0} : 0)",
        "middle": "datum.column + 0.5",
        "centre": "datum.row + 0.5",
    }

    def across(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0, columns], nice=False, zero=False), axis=None)

    def down(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=alt.Scale(domain=[rows, 0], nice=False, zero=False), axis=None)

    box = {"x": across("left"), "x2": "right:Q", "y": down("top"), "y2": "bottom:Q"}
    states = _placed(alt.Chart(alt.NamedData(name="states")), place)
    tiles = states.mark_rect(cornerRadius=1 if dense else 6, tooltip=None, aria=False).encode(
        **box,
        fill=_by_state([PAPER[dark], DRAWN, (MUTED_TEXT if dense else USED_PAPER)[dark]], "fill"),
        stroke=_by_state([MUTED_TEXT[dark] if dense else GRID[dark], TEXT[dark], USED_PAPER[dark]], "stroke"),
        strokeWidth=_by_state([0.5, 1, 0] if dense else [1, 2, 0], "strokeWidth"),
    )
    layers = [tiles]
    if not dense:
        samples = _placed(alt.Chart(alt.NamedData(name="samples")), place)
        side = alt.ExprRef(f"0.66 * min(width / {columns}, height / {rows})")
        layers += [
            samples.mark_image(width=side, height=side, tooltip=None, aria=False).encode(
                x=across("middle"), y=down("centre"), url="image:N"
            ),
            states.transform_filter("datum.state == 'used'")
            .mark_rect(cornerRadius=6, fill=USED_PAPER[dark], opacity=0.66, tooltip=None, aria=False)
            .encode(**box),
            samples.mark_text(
                align="left",
                baseline="top",
                dx=alt.ExprRef(f"0.09 * width / {columns}"),
                dy=4,
                fontSize=alt.ExprRef("width < 420 ? 9 : 11"),
                font=FONT,
                color=MUTED_TEXT[False],
                tooltip=None,
                aria=False,
            ).encode(x=across("column"), y=down("row"), text="index:Q"),
            states.transform_filter("datum.state == 'used'")
            .mark_text(
                align="right",
                baseline="bottom",
                dx=-5,
                dy=-4,
                fontSize=alt.ExprRef("width < 420 ? 13 : 17"),
                fontWeight="bold",
                color=TEXT[dark],
                text="✓",
                tooltip=None,
                aria=False,
            )
            .encode(x=across("right"), y=down("bottom")),
        ]
    layers.append(
        states.mark_rect(opacity=0, aria=False).encode(
            **box,
            tooltip=[
                alt.Tooltip("index:Q", title=sample),
                alt.Tooltip("label:N", title=label),
                alt.Tooltip("note:N", title=state),
            ],
        )
    )
    return _framed(layers, dark=dark, height=height)


def _placed(chart: alt.Chart, place: dict[str, str]) -> alt.Chart:
    for name, expression in place.items():
        chart = chart.transform_calculate(**{name: expression})
    return chart


def _faint(color: str, dark: bool, share: float = 0.3) -> str:
    """A colour mixed into the background."""
    mixed = [
        round(share * int(color[at : at + 2], 16) + (1 - share) * int(BACKGROUND[dark][at : at + 2], 16))
        for at in (1, 3, 5)
    ]
    return "#{:02X}{:02X}{:02X}".format(*mixed)


def _by_state(values: list[Any], channel: str) -> Any:
    return _by("state", STATES, values, channel)


def _by(field: str, domain: Sequence[str], values: Sequence[Any], channel: str) -> Any:
    """An encoding that gives each of a few words its value, without a legend."""
    kinds: dict[str, Any] = {
        "color": alt.Color,
        "fill": alt.Fill,
        "stroke": alt.Stroke,
        "strokeWidth": alt.StrokeWidth,
        "strokeDash": alt.StrokeDash,
        "size": alt.Size,
        "shape": alt.Shape,
    }
    kind = "O" if channel in ("size", "strokeWidth") else "N"  # Vega-Lite wants an order where a size is given
    scale = alt.Scale(type="ordinal", domain=list(domain), range=list(values))
    return kinds[channel](f"{field}:{kind}", scale=scale, legend=None)


def _framed(layers: list[alt.Chart], *, dark: bool, height: int) -> dict[str, Any]:
    """The specification of a picture without a title: what it shows is said above it, with numbers that change."""
    chart = alt.LayerChart(
        layer=layers,
        width="container",
        height=height,
        padding={"left": 2, "top": 2, "right": 2, "bottom": 2},
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        view=alt.ViewConfig(stroke=None),
        usermeta={"embedOptions": {"config": embed_config(dark=dark)}},
    )
    # What one layer says by a colour is not what another says by it.
    return chart.resolve_scale(
        color="independent",
        fill="independent",
        stroke="independent",
        strokeWidth="independent",
        strokeDash="independent",
        size="independent",
        shape="independent",
    ).to_dict()


def points_spec(
    samples: pd.DataFrame,
    states: pd.DataFrame,
    surface: pd.DataFrame,
    *,
    is_line: bool,
    dark: bool = False,
    translate: Translate = str,
    height: int = 360,
) -> dict[str, Any]:
    """All N samples as points of a plane, and the model: a line through them, or the side that it gives to each class.

    Args:
        samples: columns index, x, y, label, one row per sample.
        states: columns index, state, note, said (what the model says of a drawn sample, else NaN).
        surface: of a line the columns x, y, moment ("now", "before"), two rows each; of classes x, y, share, the
            probability of class 1, on a grid of SURFACE_SIZE × SURFACE_SIZE points.
        is_line: whether the model is a line.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        Vega-Lite specification, with the tables as DataFrames in ``datasets``.

    >>> samples = pd.DataFrame({"index": [0], "x": [0.5], "y": [1.0], "label": [""]})
    >>> states = pd.DataFrame({"index": [0], "state": ["drawn"], "note": [""], "said": [0.2]})
    >>> line = pd.DataFrame({"x": [-1.0, 1.0], "y": [0.0, 0.4], "moment": ["now", "now"]})
    >>> sorted(points_spec(samples, states, line, is_line=True)["datasets"])
    ['points', 'surface']
    """
    _ = translate
    names = {
        "sample": _("Sample"),
        "label": _("Label"),
        "state": _("State"),
    }
    domains = tuple(
        _rounded(float(samples[axis].min()), float(samples[axis].max())) if is_line else (-LIMIT, LIMIT)
        for axis in ("x", "y")
    )
    spec = copy.deepcopy(_points(tuple(names.items()), domains, is_line, len(samples) > 200, dark, height))
    return {**spec, "datasets": {"points": samples.merge(states, on="index"), "surface": surface}}


def _rounded(low: float, high: float) -> tuple[float, float]:
    return float(np.floor(low - 0.2)), float(np.ceil(high + 0.2))


@lru_cache(maxsize=64)
def _points(
    names: tuple[tuple[str, str], ...],
    domains: tuple[tuple[float, float], ...],
    is_line: bool,
    dense: bool,
    dark: bool,
    height: int,
) -> dict[str, Any]:
    word = dict(names)

    def across(field: str) -> alt.X:
        scale = alt.Scale(domain=list(domains[0]), nice=False, zero=False)
        axis = alt.Axis(title="x" if is_line else "x1", grid=False, tickCount=6, titlePadding=4)
        return alt.X(f"{field}:Q", scale=scale, axis=axis)

    def upward(field: str) -> alt.Y:
        scale = alt.Scale(domain=list(domains[1]), nice=False, zero=False)
        axis = alt.Axis(title="y" if is_line else "x2", grid=is_line, tickCount=5, titlePadding=4)
        return alt.Y(f"{field}:Q", scale=scale, axis=axis)

    surface = alt.Chart(alt.NamedData(name="surface"))
    points = alt.Chart(alt.NamedData(name="points"))
    size = 0.5 if dense else 1.0
    if is_line:
        lines = surface.mark_line(clip=True, tooltip=None, aria=False).encode(
            x=across("x"),
            y=upward("y"),
            detail="moment:N",
            color=_by("moment", MOMENTS, [TEXT[dark], MUTED_TEXT[dark]], "color"),
            strokeDash=_by("moment", MOMENTS, [[1, 0], [5, 4]], "strokeDash"),
            strokeWidth=_by("moment", MOMENTS, [3, 1.5], "strokeWidth"),
        )
        errors = (
            points.transform_filter("datum.state == 'drawn' && isValid(datum.said)")
            .mark_rule(strokeWidth=1.5, color=TEXT[dark], clip=True, tooltip=None, aria=False)
            .encode(x=across("x"), y=upward("y"), y2="said:Q")
        )
        layers = [lines, errors]
        fill = _by_state([BACKGROUND[dark], DRAWN, USED_PAPER[dark]], "fill")
        shape = _by("label", [], ["circle"], "shape")
    else:
        half = 0.51 * 2 * LIMIT / SURFACE_SIZE  # a little more: no seams
        layers = [
            surface.transform_calculate(
                left=f"datum.x - {half}", right=f"datum.x + {half}", low=f"datum.y - {half}", high=f"datum.y + {half}"
            )
            .mark_rect(tooltip=None, aria=False, strokeWidth=0)
            .encode(
                x=across("left"),
                x2="right:Q",
                y=upward("low"),
                y2="high:Q",
                color=alt.Color(
                    "share:Q",
                    scale=alt.Scale(
                        domain=[0, 0.5, 1],
                        range=[
                            _faint(CLASS_COLORS[dark][0], dark),
                            BACKGROUND[dark],
                            _faint(CLASS_COLORS[dark][1], dark),
                        ],
                    ),
                    legend=None,
                ),
            )
        ]
        looks = [DRAWN, BACKGROUND[dark], *CLASS_COLORS[dark]]
        fill = _by("look", ["drawn", "used", "0", "1"], looks, "fill")
        points = points.transform_calculate(look="datum.state == 'waiting' ? datum.label : datum.state")
        shape = _by("label", ["0", "1"], ["circle", "triangle-up"], "shape")
    layers += [
        points.mark_point(opacity=1, clip=True, aria=False).encode(
            x=across("x"),
            y=upward("y"),
            fill=fill,
            shape=shape,
            stroke=_by_state([TEXT[dark], TEXT[dark], MUTED_TEXT[dark]], "stroke"),
            strokeWidth=_by_state([1.2, 2.2, 1], "strokeWidth"),
            size=_by_state([size * 70, size * 210, size * 60], "size"),
            order=alt.Order("rank:Q"),
            tooltip=[
                alt.Tooltip("index:Q", title=word["sample"]),
                alt.Tooltip("label:N", title=word["label"]),
                alt.Tooltip("x:Q", format=".3g"),
                alt.Tooltip("y:Q", format=".3g"),
                alt.Tooltip("note:N", title=word["state"]),
            ],
        ),
    ]
    if not dense:
        layers.append(
            points.transform_filter("datum.state == 'used'")
            .mark_text(
                text="✓", fontSize=13, fontWeight="bold", dx=9, dy=-7, color=TEXT[dark], tooltip=None, aria=False
            )
            .encode(x=across("x"), y=upward("y"))
        )
    return _framed(layers, dark=dark, height=height)


def surface_grid() -> tuple[np.ndarray, np.ndarray]:
    """Where a model of the plane is looked at: x and y of SURFACE_SIZE² points, row by row from below.

    >>> x, y = surface_grid()
    >>> x.shape, x[0], y[0], x[1] > x[0], y[1] == y[0]
    ((400,), np.float64(-2.375), np.float64(-2.375), np.True_, np.True_)
    """
    ticks = (np.arange(SURFACE_SIZE) + 0.5) / SURFACE_SIZE * 2 * LIMIT - LIMIT
    x, y = np.meshgrid(ticks, ticks)
    return x.ravel(), y.ravel()


def flow_spec(
    stations: pd.DataFrame,
    travellers: pd.DataFrame,
    *,
    has_images: bool,
    dark: bool = False,
    height: int | None = None,
) -> dict[str, Any]:
    """The way of a minibatch: its samples above, and below model, loss, gradient, update, with this step's numbers.

    Args:
        stations: columns place (0 to 3), title, value, detail (words below the value), state ("ahead", "here",
            "passed").
        travellers: columns slot (0 to 7), image, said (what the model says of it), more (text instead of an image).
        has_images: whether the samples are drawn.
        dark: whether the page's background is dark.
        height: of the whole chart, in px.

    Returns:
        Vega-Lite specification, with the tables as DataFrames in ``datasets``.

    >>> stations = pd.DataFrame({"place": [0], "title": ["Model"], "value": [""], "detail": [""], "state": ["here"]})
    >>> travellers = pd.DataFrame({"slot": [0], "image": [""], "said": [""], "more": [""]})
    >>> sorted(flow_spec(stations, travellers, has_images=True)["datasets"])
    ['stations', 'travellers']
    """
    spec = copy.deepcopy(_flow(len(stations), has_images, dark, height or (158 if has_images else 80)))
    datasets = {"stations": stations} | ({"travellers": travellers} if has_images else {})
    return {**spec, "datasets": datasets}


@lru_cache(maxsize=16)
def _flow(num_stations: int, has_images: bool, dark: bool, height: int) -> dict[str, Any]:
    strip = 76 if has_images else 0  # px of the samples above
    total = num_stations * 10.0

    def across(field: str) -> alt.X:
        return alt.X(f"{field}:Q", scale=alt.Scale(domain=[0, total], nice=False, zero=False), axis=None)

    def at(pixels: float) -> Any:
        return alt.YValue(pixels)

    stations = alt.Chart(alt.NamedData(name="stations")).transform_calculate(
        left="datum.place * 10 + 0.4", right="datum.place * 10 + 8.9", middle="datum.place * 10 + 4.65"
    )
    # On yellow the words are dark in both themes.
    words = _by("state", PLACES, [MUTED_TEXT[dark], TEXT[False], TEXT[dark]], "color")
    arrow = (
        stations.transform_filter(f"datum.place < {num_stations - 1}")
        .transform_calculate(gap="datum.place * 10 + 9.65")
        .mark_text(text="→", fontSize=18, color=MUTED_TEXT[dark], tooltip=None, aria=False)
        .encode(x=across("gap"), y=at(strip + 38))
    )
    layers = [
        stations.mark_rect(cornerRadius=8, tooltip=None, aria=False).encode(
            x=across("left"),
            x2="right:Q",
            y=at(strip + 2),
            y2=alt.Y2Value(strip + 74),
            fill=_by("state", PLACES, ["transparent", DRAWN, GRID[True] if dark else PAPER[False]], "fill"),
            stroke=_by("state", PLACES, [MUTED_TEXT[dark], TEXT[dark], MUTED_TEXT[dark]], "stroke"),
            strokeWidth=_by("state", PLACES, [0.75, 2.5, 1], "strokeWidth"),
        ),
        arrow,
        *(
            stations.mark_text(
                fontSize=alt.ExprRef(f"width < 420 ? {small} : {large}"),
                fontWeight=cast("Any", weight),
                font=FONT,
                tooltip=None,
                aria=False,
            ).encode(x=across("middle"), y=at(strip + y), text=f"{field}:N", color=words)
            for field, small, large, weight, y in (
                ("title", 11, 13, 400, 15),
                ("value", 13, 18, 700, 38),
                ("detail", 9, 12, 400, 60),
            )
        ),
    ]
    if has_images:
        travellers = alt.Chart(alt.NamedData(name="travellers")).transform_calculate(
            left=f"datum.slot * {total / NUM_SLOTS} + 0.3",
            right=f"(datum.slot + 1) * {total / NUM_SLOTS} - 0.3",
            middle=f"(datum.slot + 0.5) * {total / NUM_SLOTS}",
        )
        images = travellers.transform_filter("datum.image != ''")
        side = alt.ExprRef(f"min(36, 0.8 * width / {NUM_SLOTS})")
        layers += [
            images.mark_rect(
                cornerRadius=5, fill=DRAWN, stroke=TEXT[dark], strokeWidth=1.5, tooltip=None, aria=False
            ).encode(x=across("left"), x2="right:Q", y=at(2), y2=alt.Y2Value(46)),
            images.mark_image(width=side, height=side, tooltip=None, aria=False).encode(
                x=across("middle"), y=at(24), url="image:N"
            ),
            *(
                travellers.mark_text(
                    fontSize=alt.ExprRef(f"width < 420 ? {small} : {large}"),
                    font=FONT,
                    fontWeight="bold",
                    color=TEXT[dark],
                    tooltip=None,
                    aria=False,
                ).encode(x=across("middle"), y=at(y), text=f"{field}:N")
                for field, small, large, y in (("said", 12, 14, 60), ("more", 12, 14, 24))
            ),
        ]
    return _framed(layers, dark=dark, height=height)


def code_spec(lines: Sequence[str], lit: Sequence[int], *, dark: bool = False) -> dict[str, Any]:
    """Lines of Python, those that run lit in the yellow of the drawn samples and marked with a triangle.

    Args:
        lines: of code; longer ones than CODE_COLUMNS letters run out of the picture.
        lit: numbers of the lines that run, from 1.
        dark: whether the page's background is dark.

    Returns:
        Vega-Lite specification, with the tables as DataFrames in ``datasets``; CODE_LINE px high for each line.

    >>> code_spec(["for x in xs:", "    pass"], [2])["datasets"]["lit"].to_dict("records")
    [{'line': 2}]
    """
    spec = copy.deepcopy(_code(tuple(lines), dark))
    return {**spec, "datasets": {"lit": pd.DataFrame({"line": list(lit)}), "tokens": _tokens(tuple(lines))}}


@lru_cache(maxsize=8)
def _tokens(lines: tuple[str, ...]) -> pd.DataFrame:
    """The words of Python source with their places: line from 1, column from 0, text, and whether it is a keyword."""
    rows = []
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
        if token.string.strip():
            line, column = token.start
            is_keyword = keyword.iskeyword(token.string)
            rows.append({"line": line, "column": column, "text": token.string, "keyword": is_keyword})
    return pd.DataFrame(rows)


@lru_cache(maxsize=8)
def _code(lines: tuple[str, ...], dark: bool) -> dict[str, Any]:
    letter = f"min({CODE_SIZE}, (width - 4) / {CODE_COLUMNS})"
    margin = 3  # columns on the left, for the triangle

    def down(shift: float) -> str:
        return f"(datum.line - {shift}) * {CODE_LINE}"

    y = alt.Y("middle:Q", scale=None, axis=None)
    lit = alt.Chart(alt.NamedData(name="lit")).transform_calculate(
        top=down(0.96), bottom=down(0.04), middle=down(0.5), left="0", right="width", at=f"1.2 * {letter}"
    )
    tokens = (
        alt.Chart(alt.NamedData(name="tokens"))
        .transform_lookup("line", from_=alt.LookupData(alt.NamedData(name="lit"), "line", ["line"]), as_=["found"])
        .transform_calculate(
            middle=down(0.5),
            x=f"(datum.column + {margin}) * {letter}",
            look="isValid(datum.found) ? 'lit' : datum.keyword ? 'keyword' : 'plain'",
        )
    )
    x = alt.X("x:Q", scale=None, axis=None)
    size = alt.ExprRef(f"{letter} / 0.6")
    layers = [
        lit.mark_rect(cornerRadius=5, fill=DRAWN, tooltip=None, aria=False).encode(
            x=alt.X("left:Q", scale=None, axis=None),
            x2="right:Q",
            y=alt.Y("top:Q", scale=None, axis=None),
            y2="bottom:Q",
        ),
        lit.mark_text(text="▶", color=TEXT[False], baseline="middle", fontSize=11, tooltip=None, aria=False).encode(
            x=alt.X("at:Q", scale=None, axis=None), y=y
        ),
        tokens.mark_text(
            align="left", baseline="middle", font=CODE_FONT, fontSize=size, tooltip=None, aria=False
        ).encode(
            x=x,
            y=y,
            text="text:N",
            color=_by("look", ["plain", "keyword", "lit"], [TEXT[dark], KEYWORD[dark], TEXT[False]], "color"),
        ),
    ]
    return _framed(layers, dark=dark, height=CODE_LINE * len(lines) + 4)


def updates_spec(
    updates: pd.DataFrame, *, dark: bool = False, translate: Translate = str, height: int = 260
) -> dict[str, Any]:
    """Training loss after each update, against epochs: as many marks as updates, one line per run.

    Args:
        updates: columns run, batch_size, full_batch, epoch (passes over the training set so far), update, train_loss.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        Vega-Lite specification, with the tables as DataFrames in ``datasets``.

    >>> updates = pd.DataFrame({"run": ["GD"], "batch_size": [24], "full_batch": [True], "epoch": [0.0],
    ...                         "update": [0], "train_loss": [2.3]})
    >>> updates_spec(updates)["title"]["text"]
    'Training loss after each update'
    """
    _ = translate
    words = (
        ("title", _("Training loss after each update")),
        ("subtitle", _("Each mark is one update; a pass over all samples is one epoch")),
        ("run", _("Run")),
        ("update", _("Parameter updates")),
        ("epoch", _("Epochs")),
        ("train_loss", _("Training loss")),
    )
    runs = updates.drop_duplicates("run")[["run", "batch_size", "full_batch"]]
    colors = [
        (row.run, batch_size_color(row.batch_size, full_batch=row.full_batch, dark=dark)) for row in runs.itertuples()
    ]
    finite = updates[np.isfinite(updates["train_loss"])].drop(columns=["batch_size", "full_batch"])
    end = float(updates["epoch"].max()) or 1.0
    spec = copy.deepcopy(_updates(words, tuple(colors), end, len(finite) > 120, dark, height))
    return {**spec, "datasets": {"ends": finite.drop_duplicates("run", keep="last"), "updates": finite}}


@lru_cache(maxsize=64)
def _updates(
    words: tuple[tuple[str, str], ...],
    colors: tuple[tuple[str, str], ...],
    end: float,
    dense: bool,
    dark: bool,
    height: int,
) -> dict[str, Any]:
    word = dict(words)
    names = [name for name, _color in colors]
    color = _by("run", names, [color for _name, color in colors], "color")
    x = alt.X(
        "epoch:Q",
        axis=alt.Axis(title=word["epoch"], grid=False, tickMinStep=1, format="d", values=list(range(int(end) + 1))),
        scale=alt.Scale(domain=[0, 1.32 * end], nice=False),  # room for the names
    )
    y = alt.Y("train_loss:Q", axis=alt.Axis(title=word["train_loss"], tickCount=5), scale=alt.Scale(zero=True))
    base = alt.Chart(alt.NamedData(name="updates")).encode(x=x, y=y, color=color)
    tooltip = [
        alt.Tooltip("run:N", title=word["run"]),
        alt.Tooltip("update:Q", title=word["update"], format=",d"),
        alt.Tooltip("epoch:Q", title=word["epoch"], format=",.2f"),
        alt.Tooltip("train_loss:Q", title=word["train_loss"], format=".5g"),
    ]
    layers = [
        base.mark_line(strokeWidth=1.75, tooltip=None, aria=False),
        base.mark_point(filled=True, size=16 if dense else 60, opacity=1, aria=False).encode(
            shape=_by("run", names, ["square", "circle"], "shape"), tooltip=tooltip
        ),
        alt.Chart(alt.NamedData(name="ends"))
        .mark_text(align="left", dx=9, fontSize=12, aria=False, tooltip=None)
        .encode(x=x, y=y, color=color, text="run:N"),
    ]
    title = alt.TitleParams(
        text=word["title"], subtitle=word["subtitle"], subtitleColor=MUTED_TEXT[dark], fontSize=14, anchor="start"
    )
    return {**_framed(layers, dark=dark, height=height), "title": title.to_dict()}
