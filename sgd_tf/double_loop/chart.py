"""The samples of one epoch as tiles or points, and the way of a minibatch through the model: the player's pictures."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes
from sgd_tf.charts.frame import bare, filled, structure, table
from sgd_tf.charts.style import BACKGROUND, DRAWN, FONT, GRID, LIGHT, MUTED_TEXT, TEXT, Domain, Theme
from sgd_tf.double_loop.rows import NUM_SLOTS, PIXEL_LEVELS

MAX_IMAGES = 60  # more tiles than this become a dense grid without images
INK = (23, 23, 23)  # of the images, on paper in both themes
PAPER = {False: "#F4F5F8", True: "#D9DBE3"}
USED_PAPER = {False: "#DFE1E8", True: "#4A4E5C"}
CLASS_COLORS = {False: ("#0B6BCB", "#B0307A"), True: ("#7CC4FF", "#FF9BD2")}
SURFACE_SIZE, LIMIT = 20, 2.5  # points along each side of the grid of a model, and how far it reaches: as in `lesson`
STATES = ("waiting", "drawn", "used")  # of a sample in an epoch
PLACES = ("ahead", "here", "passed")  # of a station on the way of a minibatch
MOMENTS = ("now", "before")  # of a line that an update has moved
SILENT: dict[str, Any] = {"tooltip": None, "aria": False}  # of marks that say nothing


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

    ink = np.clip(np.asarray(pixels, dtype=np.float64).reshape(height, width) * 255 / PIXEL_LEVELS, 0, 255).astype(
        np.uint8
    )
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


def tiles(samples: pd.DataFrame, states: pd.DataFrame, *, theme: Theme = LIGHT) -> alt.LayerChart:
    """All N samples as tiles; those of the minibatch are yellow, those already used in this epoch ticked.

    From step to step only the table of states changes, so that nothing flickers.

    Args:
        samples: columns index, label, image (a data address; empty in a dense grid), one row per sample.
        states: columns index, state ("waiting", "drawn", "used"), note (words for the tooltip).
        theme: of the page.

    >>> samples = pd.DataFrame({"index": [0, 1], "label": ["3", "7"], "image": ["", ""]})
    >>> states = pd.DataFrame({"index": [0, 1], "state": ["drawn", "waiting"], "note": ["", ""]})
    >>> sorted(tiles(samples, states).to_dict()["datasets"])
    ['samples', 'states']
    """
    states = states.merge(samples[["index", "label"]], on="index")
    return filled(_tiles(len(samples), theme), samples=samples, states=states)


@structure
def _tiles(num_examples: int, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    columns = tile_columns(num_examples)
    rows = -(-num_examples // columns)
    dense = num_examples > MAX_IMAGES
    left, middle, right, column = _hidden(alt.X, (0, columns), "left", "middle", "right", "column")
    top, centre, bottom, row = _hidden(alt.Y, (rows, 0), "top", "centre", "bottom", "row")
    box = {"x": left, "x2": "right:Q", "y": top, "y2": "bottom:Q"}
    states, samples = (_in_tiles(table(name), columns, dense) for name in ("states", "samples"))
    used = states.transform_filter("datum.state == 'used'")
    tooltip = [
        alt.Tooltip("index:Q", title=_("Sample")),
        alt.Tooltip("label:N", title=_("Label")),
        alt.Tooltip("note:N", title=_("State")),
    ]

    # A tile for each sample, in the colour of its state.
    fills = [PAPER[theme.dark], DRAWN, theme.muted if dense else USED_PAPER[theme.dark]]
    strokes = [theme.muted if dense else theme.grid, theme.text, USED_PAPER[theme.dark]]
    tiles = states.mark_rect(cornerRadius=1 if dense else 6, **SILENT).encode(
        **box,
        fill=_by_state(alt.Fill, fills),
        stroke=_by_state(alt.Stroke, strokes),
        strokeWidth=_by_state(alt.StrokeWidth, [0.5, 1, 0] if dense else [1, 2, 0]),
    )
    # Nothing to see: what the pointer finds.
    touch = states.mark_rect(opacity=0, aria=False).encode(**box, tooltip=tooltip)
    if dense:
        return bare([tiles, touch], theme)
    # The image of each sample, faint once it is used; its index; a tick where it is used.
    side = alt.ExprRef(f"0.66 * min(width / {columns}, height / {rows})")
    images = samples.mark_image(width=side, height=side, **SILENT).encode(x=middle, y=centre, url="image:N")
    veil = used.mark_rect(cornerRadius=6, fill=USED_PAPER[theme.dark], opacity=0.66, **SILENT).encode(**box)
    shift = alt.ExprRef(f"0.09 * width / {columns}")
    index: dict[str, Any] = {"align": "left", "baseline": "top", "dx": shift, "dy": 4, "font": FONT}
    indices = samples.mark_text(**index, fontSize=_size(9, 11), color=MUTED_TEXT[False], **SILENT).encode(
        x=column, y=row, text="index:Q"
    )
    tick: dict[str, Any] = {"align": "right", "baseline": "bottom", "dx": -5, "dy": -4, "fontWeight": "bold"}
    ticks = used.mark_text(**tick, fontSize=_size(13, 17), color=theme.text, text="✓", **SILENT).encode(
        x=right, y=bottom
    )
    return bare([tiles, images, veil, indices, ticks, touch], theme)


def _in_tiles(chart: alt.Chart, columns: int, dense: bool) -> alt.Chart:
    """The place of each sample's tile; in a dense grid a used one is smaller."""
    gap, shrink = (0.1, 0.22) if dense else (0.05, 0)
    inset = f"{gap} + (datum.state == 'used' ? {shrink} : 0)"
    place = {
        "column": f"datum.index % {columns}",
        "row": f"floor(datum.index / {columns})",
        "left": f"datum.column + {inset}",
        "right": f"datum.column + 1 - ({inset})",
        "top": f"datum.row + {inset}",
        "bottom": f"datum.row + 1 - ({inset})",
        "middle": "datum.column + 0.5",
        "centre": "datum.row + 0.5",
    }
    for name, expression in place.items():
        chart = chart.transform_calculate(**{name: expression})
    return chart


def _hidden(channel: type[Any], domain: Sequence[float], *names: str) -> list[Any]:
    """Encodings of several columns on an axis that is not drawn."""
    return axes.fields(channel, *names, scale=axes.scale(domain), axis=None)


def _size(small: int, large: int) -> alt.ExprRef:
    """Size of the type, smaller on a telephone."""
    return alt.ExprRef(f"width < 420 ? {small} : {large}")


def _faint(color: str, dark: bool, share: float = 0.3) -> str:
    """A colour mixed into the background."""
    mixed = [
        round(share * int(color[at : at + 2], 16) + (1 - share) * int(BACKGROUND[dark][at : at + 2], 16))
        for at in (1, 3, 5)
    ]
    return "#{:02X}{:02X}{:02X}".format(*mixed)


def _by_state(channel: type[Any], values: Sequence[Any]) -> Any:
    return axes.look(channel, "state", dict(zip(STATES, values, strict=True)), type="ordinal")


def points(
    samples: pd.DataFrame, states: pd.DataFrame, surface: pd.DataFrame, *, is_line: bool, theme: Theme = LIGHT
) -> alt.LayerChart:
    """All N samples as points of a plane, and the model: a line through them, or the side that it gives to each class.

    Args:
        samples: columns index, x, y, label, one row per sample.
        states: columns index, state, note, said (what the model says of a drawn sample, else NaN).
        surface: of a line the columns x, y, moment ("now", "before"), two rows each; of classes x, y, share, the
            probability of class 1, on a grid of SURFACE_SIZE × SURFACE_SIZE points.
        is_line: whether the model is a line.
        theme: of the page.

    >>> samples = pd.DataFrame({"index": [0], "x": [0.5], "y": [1.0], "label": [""]})
    >>> states = pd.DataFrame({"index": [0], "state": ["drawn"], "note": [""], "said": [0.2]})
    >>> line = pd.DataFrame({"x": [-1.0, 1.0], "y": [0.0, 0.4], "moment": ["now", "now"]})
    >>> sorted(points(samples, states, line, is_line=True).to_dict()["datasets"])
    ['points', 'surface']
    """
    x, y = ((-LIMIT, LIMIT),) * 2
    if is_line:
        x, y = (_rounded(float(samples[axis].min()), float(samples[axis].max())) for axis in ("x", "y"))
    chart = _points(x, y, is_line, len(samples) > 200, theme)
    return filled(chart, points=samples.merge(states, on="index"), surface=surface)


def _rounded(low: float, high: float) -> Domain:
    return float(np.floor(low - 0.2)), float(np.ceil(high + 0.2))


@structure
def _points(x_domain: Domain, y_domain: Domain, is_line: bool, dense: bool, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    x_axis = alt.Axis(title="x" if is_line else "x1", grid=False, tickCount=6, titlePadding=4)
    y_axis = alt.Axis(title="y" if is_line else "x2", grid=is_line, tickCount=5, titlePadding=4)
    x, left = axes.fields(alt.X, "x", "left", scale=axes.scale(x_domain), axis=x_axis)
    y, low = axes.fields(alt.Y, "y", "low", scale=axes.scale(y_domain), axis=y_axis)
    points = table("points").encode(x=x, y=y)
    size = 0.5 if dense else 1.0

    # The model, and below a line the errors of the drawn samples.
    model = _line_model(x, y, theme) if is_line else [_class_model(left, low, theme)]
    # A point for each sample: its fill says its state, of a class also its label.
    paper = theme.background
    if is_line:
        dots, fill = points, _by_state(alt.Fill, [paper, DRAWN, USED_PAPER[theme.dark]])
        shape = axes.look(alt.Shape, "label", {}, type="ordinal", range=["circle"])
    else:
        dots = points.transform_calculate(look="datum.state == 'waiting' ? datum.label : datum.state")
        zero, one = theme.of(CLASS_COLORS)
        fill = axes.look(alt.Fill, "look", {"drawn": DRAWN, "used": paper, "0": zero, "1": one}, type="ordinal")
        shape = axes.look(alt.Shape, "label", {"0": "circle", "1": "triangle-up"}, type="ordinal")
    samples = dots.mark_point(opacity=1, clip=True, aria=False).encode(
        fill=fill,
        shape=shape,
        stroke=_by_state(alt.Stroke, [theme.text, theme.text, theme.muted]),
        strokeWidth=_by_state(alt.StrokeWidth, [1.2, 2.2, 1]),
        size=_by_state(alt.Size, [size * 70, size * 210, size * 60]),
        order=alt.Order("rank:Q"),
        tooltip=[
            alt.Tooltip("index:Q", title=_("Sample")),
            alt.Tooltip("label:N", title=_("Label")),
            alt.Tooltip("x:Q", format=".3g"),
            alt.Tooltip("y:Q", format=".3g"),
            alt.Tooltip("note:N", title=_("State")),
        ],
    )
    # A tick beside each used sample.
    used = points.transform_filter("datum.state == 'used'")
    tick: dict[str, Any] = {"text": "✓", "fontSize": 13, "fontWeight": "bold", "dx": 9, "dy": -7, "color": theme.text}
    return bare([*model, samples, *([] if dense else [used.mark_text(**tick, **SILENT)])], theme)


def _line_model(x: alt.X, y: alt.Y, theme: Theme) -> list[alt.Chart]:
    """The line after an update and, dashed, before it; and the errors of the drawn samples."""

    def by_moment(channel: type[Any], *values: Any) -> Any:
        return axes.look(channel, "moment", dict(zip(MOMENTS, values, strict=True)), type="ordinal")

    lines = (
        table("surface")
        .mark_line(clip=True, **SILENT)
        .encode(
            x=x,
            y=y,
            detail="moment:N",
            color=by_moment(alt.Color, theme.text, theme.muted),
            strokeDash=by_moment(alt.StrokeDash, [1, 0], [5, 4]),
            strokeWidth=by_moment(alt.StrokeWidth, 3, 1.5),
        )
    )
    drawn = table("points").transform_filter("datum.state == 'drawn' && isValid(datum.said)")
    errors = drawn.mark_rule(strokeWidth=1.5, color=theme.text, clip=True, **SILENT).encode(x=x, y=y, y2="said:Q")
    return [lines, errors]


def _class_model(left: alt.X, low: alt.Y, theme: Theme) -> alt.Chart:
    """The probability of class 1 as a colour, from one class over the background to the other."""
    half = 0.51 * 2 * LIMIT / SURFACE_SIZE  # a little more: no seams
    ends = {"left": f"datum.x - {half}", "right": f"datum.x + {half}", "low": f"datum.y - {half}"}
    tiles = table("surface").transform_calculate(**ends, high=f"datum.y + {half}")
    zero, one = (_faint(color, theme.dark) for color in theme.of(CLASS_COLORS))
    color = alt.Color("share:Q", scale=alt.Scale(domain=[0, 0.5, 1], range=[zero, theme.background, one]), legend=None)
    return tiles.mark_rect(strokeWidth=0, **SILENT).encode(x=left, x2="right:Q", y=low, y2="high:Q", color=color)


def surface_grid() -> tuple[np.ndarray, np.ndarray]:
    """Where a model of the plane is looked at: x and y of SURFACE_SIZE² points, row by row from below.

    >>> x, y = surface_grid()
    >>> x.shape, x[0], y[0], x[1] > x[0], y[1] == y[0]
    ((400,), np.float64(-2.375), np.float64(-2.375), np.True_, np.True_)
    """
    ticks = (np.arange(SURFACE_SIZE) + 0.5) / SURFACE_SIZE * 2 * LIMIT - LIMIT
    x, y = np.meshgrid(ticks, ticks)
    return x.ravel(), y.ravel()


def flow(stations: pd.DataFrame, travellers: pd.DataFrame, *, has_images: bool, theme: Theme = LIGHT) -> alt.LayerChart:
    """The way of a minibatch: its samples above, and below model, loss, gradient, update, with this step's numbers.

    Args:
        stations: columns place (0 to 3), title, value, detail (words below the value), state ("ahead", "here",
            "passed").
        travellers: columns slot (0 to 7), index (of the sample), image, said (what the model says of it), more (text
            instead of an image).
        has_images: whether the samples are drawn.
        theme: of the page.

    >>> stations = pd.DataFrame({"place": [0], "title": ["Model"], "value": [""], "detail": [""], "state": ["here"]})
    >>> travellers = pd.DataFrame({"slot": [0], "index": ["3"], "image": [""], "said": [""], "more": [""]})
    >>> sorted(flow(stations, travellers, has_images=True).to_dict()["datasets"])
    ['stations', 'travellers']
    """
    tables = {"stations": stations} | ({"travellers": travellers} if has_images else {})
    return filled(_flow(len(stations), has_images, theme), **tables)


@structure
def _flow(num_stations: int, has_images: bool, theme: Theme) -> alt.LayerChart:
    strip = 76 if has_images else 0  # px of the samples above
    left, middle, gap = _hidden(alt.X, (0, 10 * num_stations), "left", "middle", "gap")
    stations = table("stations").transform_calculate(
        left="datum.place * 10 + 0.4", right="datum.place * 10 + 8.9", middle="datum.place * 10 + 4.65"
    )

    def by_place(channel: type[Any], *values: Any) -> Any:
        return axes.look(channel, "state", dict(zip(PLACES, values, strict=True)), type="ordinal")

    # A box for each station; the one that the minibatch has reached is yellow.
    boxes = stations.mark_rect(cornerRadius=8, **SILENT).encode(
        x=left,
        x2="right:Q",
        y=alt.YValue(strip + 2),
        y2=alt.Y2Value(strip + 74),
        fill=by_place(alt.Fill, "transparent", DRAWN, GRID[True] if theme.dark else PAPER[False]),
        stroke=by_place(alt.Stroke, theme.muted, theme.text, theme.muted),
        strokeWidth=by_place(alt.StrokeWidth, 0.75, 2.5, 1),
    )
    # Arrows from one to the next.
    onward = stations.transform_filter(f"datum.place < {num_stations - 1}")
    arrow = onward.transform_calculate(gap="datum.place * 10 + 9.65")
    arrows = arrow.mark_text(text="→", fontSize=18, color=theme.muted, **SILENT).encode(x=gap, y=alt.YValue(strip + 38))
    # Title, value and detail of each. On yellow the words are dark in both themes.
    color = by_place(alt.Color, theme.muted, TEXT[False], theme.text)
    texts: dict[str, tuple[tuple[int, int], Any, int]] = {
        "title": ((11, 13), 400, 15),
        "value": ((13, 18), 700, 38),
        "detail": ((9, 12), 400, 60),
    }
    words = [
        stations.mark_text(fontSize=_size(*sizes), fontWeight=weight, font=FONT, **SILENT).encode(
            x=middle, y=alt.YValue(strip + y), text=f"{field}:N", color=color
        )
        for field, (sizes, weight, y) in texts.items()
    ]
    travellers = _travellers(left, middle, 10 * num_stations, theme) if has_images else []
    return bare([boxes, arrows, *words, *travellers], theme)


def _travellers(left: alt.X, middle: alt.X, total: float, theme: Theme) -> list[alt.Chart]:
    """The first samples of the minibatch, on yellow, and what the model says of each."""
    width = total / NUM_SLOTS
    slots = table("travellers").transform_calculate(
        left=f"datum.slot * {width} + 0.3",
        right=f"(datum.slot + 1) * {width} - 0.3",
        middle=f"(datum.slot + 0.5) * {width}",
    )
    seen = slots.transform_filter("datum.image != ''")
    side = alt.ExprRef(f"min(36, 0.8 * width / {NUM_SLOTS})")
    box: dict[str, Any] = {"cornerRadius": 5, "fill": DRAWN, "stroke": theme.text, "strokeWidth": 1.5}
    text: dict[str, Any] = {"fontSize": _size(12, 14), "font": FONT, "fontWeight": "bold", "color": theme.text}
    index: dict[str, Any] = {"align": "left", "baseline": "top", "dx": 4, "font": FONT, "fontSize": _size(9, 11)}
    return [
        seen.mark_rect(**box, **SILENT).encode(x=left, x2="right:Q", y=alt.YValue(2), y2=alt.Y2Value(46)),
        seen.mark_image(width=side, height=side, **SILENT).encode(x=middle, y=alt.YValue(24), url="image:N"),
        seen.mark_text(**index, color=MUTED_TEXT[False], **SILENT).encode(x=left, y=alt.YValue(4), text="index:N"),
        slots.mark_text(**text, **SILENT).encode(x=middle, y=alt.YValue(60), text="said:N"),
        slots.mark_text(**text, **SILENT).encode(x=middle, y=alt.YValue(24), text="more:N"),
    ]


def updates(losses: pd.DataFrame, *, theme: Theme = LIGHT) -> alt.LayerChart:
    """Training loss after each update, against epochs: as many marks as updates, one line per run.

    Args:
        losses: columns run, batch_size, full_batch, epoch (passes over the training set so far), update, train_loss.
        theme: of the page.

    >>> losses = pd.DataFrame({"run": ["GD"], "batch_size": [24], "full_batch": [True], "epoch": [0.0],
    ...                        "update": [0], "train_loss": [2.3]})
    >>> updates(losses).to_dict()["title"]["text"]
    'Training loss after each update'
    """
    runs = losses.drop_duplicates("run")[["run", "batch_size", "full_batch"]]
    colors = {
        row.run: theme.color_of(row.batch_size, row.batch_size if row.full_batch else None) for row in runs.itertuples()
    }
    finite = losses[np.isfinite(losses["train_loss"])].drop(columns=["batch_size", "full_batch"])
    end = float(losses["epoch"].max()) or 1.0
    chart = _updates(tuple(colors.items()), end, len(finite) > 120, theme)
    return filled(chart, updates=finite, ends=finite.drop_duplicates("run", keep="last"))


@structure
def _updates(colors: tuple[tuple[str, str], ...], end: float, dense: bool, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    color = axes.look(alt.Color, "run", dict(colors), type="ordinal")
    shape = axes.look(
        alt.Shape,
        "run",
        {run: kind for (run, _c), kind in zip(colors, ("square", "circle"), strict=False)},
        type="ordinal",
    )
    x = alt.X(
        "epoch:Q",
        axis=alt.Axis(title=_("Epochs"), grid=False, tickMinStep=1, format="d", values=list(range(int(end) + 1))),
        scale=axes.scale((0, 1.32 * end)),  # room for the names
    )
    y = alt.Y("train_loss:Q", axis=alt.Axis(title=_("Training loss"), tickCount=5), scale=alt.Scale(zero=True))
    marks = table("updates").encode(x=x, y=y, color=color)
    tooltip = [
        alt.Tooltip("run:N", title=_("Run")),
        alt.Tooltip("update:Q", title=_("Parameter updates"), format=",d"),
        alt.Tooltip("epoch:Q", title=_("Epochs"), format=",.2f"),
        alt.Tooltip("train_loss:Q", title=_("Training loss"), format=".5g"),
    ]

    # A line for each run, and a mark for each update.
    lines = marks.mark_line(strokeWidth=1.75, **SILENT)
    dots = marks.mark_point(filled=True, size=16 if dense else 60, opacity=1, aria=False)
    # The name of each run at the end of its line.
    names = table("ends").mark_text(align="left", dx=9, fontSize=12, **SILENT)
    names = names.encode(x=x, y=y, color=color, text="run:N")
    title = _("Training loss after each update"), _("Each mark is one update; a pass over all samples is one epoch")
    return bare([lines, dots.encode(shape=shape, tooltip=tooltip), names], theme, title)
