"""Learning curves on any axis: the tables of `sgd_tf.history`, drawn."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias, get_args

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes
from sgd_tf.charts.axes import Axis
from sgd_tf.charts.frame import filled, finish, structure, table
from sgd_tf.charts.labels import (
    CROSS,
    LABEL_GAP,
    LABEL_SIZE,
    MAX_LABEL_WIDTH,
    free,
    place_texts,
    room_for,
    text_width,
    words,
)
from sgd_tf.charts.style import LIGHT, Domain, Theme, Translate
from sgd_tf.checks import check_int
from sgd_tf.training import seed_curves
from sgd_tf.training.history import COLUMNS, LOWER_IS_BETTER, divergences
from sgd_tf.words import power_of_ten

Label: TypeAlias = tuple[str, float, float, str, str]  # LABEL_COLUMNS
Runs = tuple[tuple[str, int, bool], ...]  # name, batch size, and whether it is gradient descent
Counter = Literal["seconds", "epoch", "update", "examples"]
Metric = Literal["train_loss", "test_loss", "test_accuracy", "minibatch_loss"]
Band = Literal["minibatches", "seeds"] | None

LABEL_COLUMNS = ["run", "x", "y", "label", "kind"]
COUNTERS: tuple[Counter, ...] = get_args(Counter)
METRICS: tuple[Metric, ...] = get_args(Metric)

# Runs of one batch size share its colour and differ in the dashes.
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (7, 3), (2, 3), (9, 3, 2, 3))
# What stands at the end of a line, by how it ends.
HEADS = {
    "end": "circle",
    "diverged early": CROSS,
    "diverged late": CROSS,
    "above": "triangle-up",
    "below": "triangle-down",
}
# Vega's name of the record under the pointer: its point, or the cell around the point. A tooltip by encoding
# would choose between the two, but shows "undefined" in Vega-Lite 6.4 (pull request 9707).
RECORD = "(datum.datum || datum)"

AXES_HEIGHT = 100  # most that title, subtitle, axis and margins take from a chart's height, in px
COMPACT_AXES_HEIGHT = 84
AXES_WIDTH = 56  # most that axis and margins take from a chart's width, in px
MIN_WIDTH = 320  # the narrowest page on which no labels overlap, in px


def curves(
    history: pd.DataFrame,
    *,
    x: Counter | Axis = "seconds",
    y: Metric | Axis = "train_loss",
    target: float | None = None,
    band: bool = True,
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """Learning curves, one per run: a metric against seconds, epochs, updates or samples.

    Each line bears its name at its end. A run that diverged has a cross "diverged at update n" at that update. A
    triangle at the frame marks where a line left it for good; if the run goes on outside, its name has a second line
    with the direction and the value of its last record, "↑ 40.3".
    The band holds the middle 80 % of the minibatch losses of an epoch, see `history.row`; where contestants have
    trained with several seeds, a line is their median and the band goes from the lowest to the highest. Pointing at the
    chart shows the exact numbers of the nearest record.

    For a live chart give both domains: then only the tables change while the runs go on, and nothing in the picture
    jumps.

    Args:
        history: a table of ``to_frame``, of one run or of several; it may be empty.
        x: the counter on the horizontal axis, or an `Axis` of it. Its domain is by default from 0 to the last record;
            records at 0 have no place on a logarithmic axis.
        y: the metric on the vertical axis, or an `Axis` of it. Its domain is by default [0, 1] for an accuracy, and for
            a loss from 0 to its highest value, at most 1.5 times the value that the runs start from: one that diverges
            does not squash the others.
        target: a value of ``y`` to mark by a dashed line.
        band: whether to draw the band of the minibatch losses, where ``y`` is a loss.
        theme: theme of the page. A compact one has no subtitle.

    Returns:
        a layered chart; what lies outside the domains is clipped.

    Raises:
        ValueError: if an argument is out of its range.

    >>> from sgd_tf.training.history import to_frame
    >>> curves(to_frame([]), x=Axis("epoch", (0, 10))).to_dict()["title"]["text"]
    'Training loss against epochs'
    """
    check_int("height", theme.height, 1)
    if theme.width != "container":
        check_int("width", theme.width, 1)
    across = _checked("x", x, COUNTERS, history)
    upward = _checked("y", y, METRICS, history)
    if target is not None and not (math.isfinite(target) and (target > 0 or not upward.log)):
        raise ValueError(f"`target` must be a finite number, positive on a logarithmic axis; received {target!r}.")
    several = seed_curves.has_seeds(history)
    if several:
        history = seed_curves.over_seeds(history, upward.field)
    rows = _drawn_rows(history, across, upward)
    ends, exits = _line_ends(rows, history, across, upward, translate=theme.translate)
    runs = history.drop_duplicates("run")
    names = runs["run"].tolist()
    if target is not None:
        ends.append(_target_label(target, across, upward, translate=theme.translate))
        names.append(ends[-1][3])
    room = room_for(names)
    labels = _placed(pd.DataFrame(ends, columns=LABEL_COLUMNS), across, upward, room, theme)
    marks = pd.DataFrame(exits, columns=LABEL_COLUMNS)
    labels = pd.concat([labels, marks.assign(label_y=marks["y"])], ignore_index=True) if exits else labels
    looks = tuple(zip(runs["run"], runs["batch_size"].tolist(), runs["full_batch"].tolist(), strict=True))
    of: Band = "seeds" if several else "minibatches" if band and LOWER_IS_BETTER[upward.field] else None
    chart = _curves(across, upward, looks, target, of, room, theme)
    return filled(chart, records=rows, labels=labels)


def _checked(name: str, axis: str | Axis, choices: Sequence[Any], history: pd.DataFrame) -> Axis:
    """The axis with its ends, or a ValueError that names the argument and what is allowed."""
    axis = axis if isinstance(axis, Axis) else Axis(axis)
    if axis.field not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}; received {axis.field!r}.")
    default: Any = default_x_domain if name == "x" else default_y_domain
    low, high = map(float, axis.domain or default(history, axis.field, log=axis.log))
    if not (math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not axis.log)):
        allowed = "(low, high) with 0 < low < high" if axis.log else "(low, high) with low < high"
        raise ValueError(f"The domain of `{name}` must be {allowed}, both finite; received {axis.domain!r}.")
    return replace(axis, domain=(low, high))


def default_x_domain(history: pd.DataFrame, x: Counter, *, log: bool = False) -> Domain:
    """From 0, or from the first positive record on a logarithmic axis, to the last record of any run.

    >>> from sgd_tf.training.history import to_frame
    >>> default_x_domain(to_frame([]), "seconds")
    (0.0, 1.0)
    """
    values = history[x].to_numpy(dtype=np.float64)
    values = values[np.isfinite(values) & (values > 0)]
    high = float(values.max(initial=0.0)) or 1.0
    if not log:
        return 0.0, high
    low = float(values.min(initial=high))
    return (low if low < high else high / 10), high


def default_y_domain(history: pd.DataFrame, y: Metric, *, log: bool = False) -> Domain:
    """An axis on which the runs that learn can be read, whatever the others do.

    An accuracy has [0, 1]. A loss goes up to the highest value of any run, or to 1.5 times the median of the
    values that the runs start from, if that is lower. It begins at 0, or, on a logarithmic axis, at the
    lowest value.

    >>> from sgd_tf.training.history import to_frame
    >>> default_y_domain(to_frame([]), "test_accuracy")
    (0.0, 1.0)
    """
    known = history[np.isfinite(history[y]) & ((history[y] > 0) | (not log))]
    values = known[y].to_numpy()
    if not LOWER_IS_BETTER[y] or len(values) == 0:
        return (0.01 if log else 0.0), 1.0
    # The mean loss of the first minibatches of a run that diverges is no start to judge by.
    first = known.drop_duplicates("run")
    calm = first[~first["run"].isin(history.loc[history["diverged_at"].notna(), "run"])]
    start = float((calm if len(calm) else first)[y].median())
    high = 1.05 * min(float(values.max()), 1.5 * start)
    if not log:
        return 0.0, (high if high > 0 else 1.0)
    low = 0.9 * float(values.min())
    return low, max(high, 1.1 * low)


@structure
def _curves(
    across: Axis, upward: Axis, runs: Runs, target: float | None, of: Band, room: int, theme: Theme
) -> alt.LayerChart:
    """The picture; marks without words are hidden from screen readers: aria=False."""
    x = alt.X(f"{across.field}:Q", scale=across.scale(), axis=_counter_axis(across, theme))
    y, low = axes.fields(alt.Y, "drawn", "low", scale=upward.scale(), axis=_metric_axis(upward, theme))
    color, width, dash = _run_looks(runs, theme)
    records = table("records").encode(x=x, color=color)

    # The minibatch losses of an epoch: from their 10th to their 90th percentile.
    ends = {end: upward.within_reach(f"minibatch_loss_{end}") for end in ("low", "high")}
    known = "isValid(datum.minibatch_loss_low) && isValid(datum.minibatch_loss_high)"
    area = records.transform_filter(known).transform_calculate(**ends)
    band = area.mark_area(clip=True, opacity=0.2 if theme.dark else 0.14, tooltip=None).encode(y=low, y2="high:Q")
    # A line for each run.
    held = records.transform_calculate(drawn=upward.within_reach(upward.field))
    line = held.mark_line(clip=True, strokeJoin="round", tooltip=None)
    lines = line.encode(y=y, strokeWidth=width, strokeDash=dash)
    layers = [*([band] if of else []), lines]
    if target is not None:
        # The target.
        dashed: dict[str, Any] = {"color": theme.muted, "strokeDash": [4, 4], "strokeWidth": 1.5, "clip": True}
        level = alt.Chart(alt.sequence(1)).transform_calculate(drawn=str(target))
        layers.append(level.mark_rule(**dashed, tooltip=None, aria=False).encode(y=y))
    # A rule and a point under the pointer; head and name at the end of each line; room for the names.
    layers += [*_hover(across, upward, x, y, color, theme, of), *_names(across, upward, color, theme), free(room)]
    _ = theme.translate
    bands = {"minibatches": _("Band: 10–90 % of the minibatch losses"), "seeds": _("Band: lowest to highest seed")}
    subtitle = bands[of] if of and not theme.compact else ""
    title = _chart_title(across.field, upward.field, _)
    return finish(layers, theme, (title, subtitle), title_size=13 if theme.compact else 16)


SPACING: dict[str, Any] = {"titlePadding": 8, "labelPadding": 6, "labelSeparation": 6, "labelFlush": False}


def _counter_axis(across: Axis, theme: Theme) -> alt.Axis:
    _ = theme.translate
    # Vega gives "g" on a linear axis as few digits as distinguish the ticks: 200 would be "2e+2".
    numbers: dict[str, Any] = {"format": "~g" if across.log else ",~f"}
    if across.field in ("update", "examples"):
        large = across.ends[1] >= 1e5
        numbers = {"labelExpr": "datum.value ? format(datum.value, '~s') : '0'"} if large else {"format": ",d"}
        numbers["tickMinStep"] = alt.Undefined if across.log else 1
    return alt.Axis(
        title=_("Training time (s)") if across.field == "seconds" else _counter_name(across.field, _),
        # A tick per 70 px: the width of the page is not known here.
        tickCount=alt.Undefined if across.log else alt.ExprRef("ceil(width / 70)"),
        values=across.ticks() or alt.Undefined,
        labelOverlap="greedy",
        grid=False,
        **numbers,
        **SPACING,
    )


def _metric_axis(upward: Axis, theme: Theme) -> alt.Axis:
    return alt.Axis(
        title=_metric_name(upward.field, theme.translate),
        format=".0%" if not LOWER_IS_BETTER[upward.field] else "~g" if upward.log else ",~f",
        tickCount=alt.Undefined if upward.log else 5,
        values=upward.ticks() or alt.Undefined,
        labelOverlap=True,
        **SPACING,
    )


def _run_looks(runs: Runs, theme: Theme) -> tuple[alt.Color, alt.StrokeWidth, alt.StrokeDash]:
    """Colour, width and dashes of the lines: by batch size, and by order among the runs of one batch size."""
    names = [name for name, _k, _full in runs]
    colors = [theme.color_of(k, k if full else None) for _name, k, full in runs]
    dashes = [list(DASHES[colors[:at].count(color) % len(DASHES)]) for at, color in enumerate(colors)]
    thin = 1.75 if theme.compact else 2.25
    widths = [thin + 1.25 if full else thin for _name, _k, full in runs]
    return (
        axes.look(alt.Color, "run", dict(zip(names, colors, strict=True))),
        axes.look(alt.StrokeWidth, "run", dict(zip(names, widths, strict=True))),
        axes.look(alt.StrokeDash, "run", dict(zip(names, dashes, strict=True))),
    )


def _hover(across: Axis, upward: Axis, x: alt.X, y: alt.Y, color: alt.Color, theme: Theme, of: Band) -> list[alt.Chart]:
    """A vertical rule and a point at the record nearest to the pointer, with its exact numbers."""
    hover = alt.selection_point(
        name="hover", nearest=True, on="pointerover", clear="pointerout", fields=["run", "update"], empty=False
    )
    rule = table("records").transform_filter(hover).encode(x=x)
    texts = ", ".join(
        f"{json.dumps(title, ensure_ascii=False)}: {text}" for title, text in _tooltip(theme.translate, of)
    )
    points = (
        alt.Chart(alt.NamedData(name="records"), name="points")
        .transform_filter(f"{across.holds()} && {upward.holds()}")
        .transform_calculate(drawn=f"datum.{upward.field}")
        .mark_point(
            filled=True,
            size=80,
            stroke=theme.background,
            strokeWidth=1.5,
            tooltip=alt.ExprRef(f"{{{texts}}}"),
            aria=False,
        )
        .encode(x=x, y=y, color=color, opacity=alt.condition(hover, alt.value(1), alt.value(0)))
        .add_params(hover)
    )
    return [rule.mark_rule(color=theme.muted, strokeWidth=1, opacity=0.6, tooltip=None, aria=False), points]


def _names(across: Axis, upward: Axis, color: alt.Color, theme: Theme) -> list[alt.Chart]:
    """A point at the end of each line, a cross where it diverged, a triangle where it left, and the name beside it."""
    x = alt.X("x:Q", scale=across.scale(), axis=_counter_axis(across, theme))
    y, label_y = axes.fields(alt.Y, "y", "label_y", scale=upward.scale(), axis=_metric_axis(upward, theme))
    head = table("labels").transform_filter("datum.kind != 'target'")
    heads = head.mark_point(filled=True, opacity=1, size=36 if theme.compact else 56, tooltip=None, aria=False).encode(
        x=x, y=y, color=color, shape=axes.look(alt.Shape, "kind", HEADS)
    )
    late = "datum.kind == 'diverged late'"
    names = words(
        table("labels").encode(x=x, y=label_y),
        theme,
        alt.condition("datum.kind == 'target'", alt.value(theme.muted), color),
        halo=5,
        opacity=0.85,
        align=alt.ExprRef(f"{late} ? 'right' : 'left'"),
        dx=alt.ExprRef(f"{late} ? -9 : 9"),
        limit=alt.ExprRef(f"indexof(datum.kind, 'diverged') == 0 ? 0 : {MAX_LABEL_WIDTH}"),
        baseline="middle",
        fontSize=11 if theme.compact else LABEL_SIZE,
        fontWeight="bold",
        lineBreak="\n",
        lineHeight=LABEL_GAP - 1,
    )
    return [heads, *names]


def _drawn_rows(history: pd.DataFrame, across: Axis, upward: Axis) -> pd.DataFrame:
    """The rows that have a place on the axes, without what is the same for a whole run; inf becomes NaN."""
    of_the_run = ("contestant", "seed", "batch_size", "full_batch", "num_examples", "diverged_at")
    columns = {name: history[name].to_numpy() for name in COLUMNS if name not in of_the_run}
    numbers = [name for name, values in columns.items() if values.dtype == np.float64]
    columns |= dict(zip(numbers, _significant(np.array([columns[name] for name in numbers])), strict=True))
    has_place = ~np.isnan(columns[upward.field])
    for axis in (across, upward):
        has_place &= (columns[axis.field] > 0) | (not axis.log)
    return pd.DataFrame({name: values[has_place] for name, values in columns.items()})


def _significant(values: np.ndarray, digits: int = 6) -> np.ndarray:
    """Values with that many significant digits, as more are never shown; inf becomes NaN."""
    values = np.where(np.isfinite(values), values, np.nan)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        unit = 10.0 ** (digits - 1 - np.floor(np.log10(np.abs(values))))
        rounded = np.round(values * unit) / unit
    return np.where(np.isfinite(rounded), rounded, values)


def _last_seen(along: np.ndarray, up: np.ndarray) -> tuple[float, float, str]:
    """Where a line through these points, in shares of the axes, was last inside the plot, and how it left.

    At its last point, or where its last segment from inside to outside crosses the border; a line that never
    was inside: the place of the border next to its last point.

    Returns:
        both shares, and "above", "below" or "" (it ends inside, or beyond the end of the horizontal axis).
    """
    points = np.stack([along, up], axis=1)
    inside = np.all((points >= 0) & (points <= 1), axis=1)
    last = int(np.flatnonzero(inside)[-1]) if inside.any() else len(points) - 1
    point = points[last]
    if inside.any() and last < len(points) - 1:
        step = points[last + 1] - point
        border = np.clip(points[last + 1], 0, 1)
        leaves = points[last + 1] != border
        point = point + step * np.min((border - point)[leaves] / step[leaves])
    left = points[min(last + 1, len(points) - 1), 1]
    way = "above" if left > 1 else "below" if left < 0 else ""
    return float(np.clip(point[0], 0, 1)), float(np.clip(point[1], 0, 1)), way


def _line_ends(
    rows: pd.DataFrame, history: pd.DataFrame, across: Axis, upward: Axis, *, translate: Translate
) -> tuple[list[Label], list[Label]]:
    """One label per drawn run: where its line ends, how, and with which words; and a mark where it left the plot."""
    _ = translate
    lost = divergences(history).set_index("run")
    runs = rows["run"].to_numpy()
    values = {axis.field: rows[axis.field].to_numpy(dtype=np.float64) for axis in (across, upward)}
    ends: list[Label] = []
    exits: list[Label] = []
    for run in dict.fromkeys(runs):
        of_run = [values[axis.field][runs == run] for axis in (across, upward)]
        along, up, way = _last_seen(across.share(of_run[0]), upward.share(of_run[1]))
        kind, label = way or "end", str(run)
        if way:
            exits.append((run, across.value(along), upward.value(up), "", way))
        if run in lost.index:
            along = across.nearest(float(lost.at[run, across.field]))
            # The second line of the label is long: it stands on the side where there is room.
            kind = "diverged early" if along <= 0.5 else "diverged late"
            label += "\n" + _("diverged at update {update}").format(update=f"{lost.at[run, 'update']:,.0f}")
        elif way:
            along = across.nearest(of_run[0][-1])
            label += f"\n{'↑' if way == 'above' else '↓'} {_reached(of_run[1][-1])}"
        ends.append((run, across.value(along), upward.value(up), label, kind))
    return ends, exits


def _reached(value: float) -> str:
    """A value beyond the frame, with three digits.

    >>> _reached(40.33), _reached(3_688_430.0), _reached(12_345.0)
    ('40.3', '3.69 · 10⁶', '12,300')
    """
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    return f"{float(text):,.0f}" if 1 < value < 1e6 else power_of_ten(value, 3)


def _target_label(target: float, across: Axis, upward: Axis, *, translate: Translate) -> Label:
    """The label of the target, beyond the end of the horizontal axis, in line with the names of the runs."""
    _ = translate
    value = f"{target:.4g}" if LOWER_IS_BETTER[upward.field] else f"{100 * target:.4g} %"
    place = min(max(target, upward.ends[0]), upward.ends[1])
    return "", across.ends[1], place, _("target {value}").format(value=value), "target"


def _placed(labels: pd.DataFrame, across: Axis, upward: Axis, room: int, theme: Theme) -> pd.DataFrame:
    """The labels with their place ``label_y`` on the axis: none overlaps another on a plot of that size."""
    width = MIN_WIDTH if theme.width == "container" else theme.width
    plot_width = max(width - AXES_WIDTH - room, 1)
    plot_height = max(theme.height - (COMPACT_AXES_HEIGHT if theme.compact else AXES_HEIGHT), LABEL_GAP)
    widths = [9 + text_width(label) for label in labels["label"]]
    late = (labels["kind"] == "diverged late").to_numpy()
    start = plot_width * across.share(labels["x"].to_numpy(dtype=np.float64)) - np.where(late, widths, 0.0)
    end = start + widths
    first_lines = place_texts(
        plot_height * upward.share(labels["y"].to_numpy(dtype=np.float64)),
        labels["label"].tolist(),
        length=plot_height,
        conflicts=(start[:, None] < end) & (start < end[:, None]),
    )
    return labels.assign(label_y=[upward.value(share) for share in first_lines / plot_height])


def _counter_name(field: str, _: Translate) -> str:
    return {
        "seconds": _("Training time"),
        "epoch": _("Epochs"),
        "update": _("Parameter updates"),
        "examples": _("Samples seen"),
    }[field]


def _metric_name(field: str, _: Translate) -> str:
    return {
        "train_loss": _("Training loss"),
        "test_loss": _("Test loss"),
        "test_accuracy": _("Test accuracy"),
        "minibatch_loss": _("Minibatch loss"),
    }[field]


def _chart_title(x: str, y: str, _: Translate) -> str:
    against = {
        "seconds": _("{metric} against training time"),
        "epoch": _("{metric} against epochs"),
        "update": _("{metric} against parameter updates"),
        "examples": _("{metric} against samples seen"),
    }
    return against[x].format(metric=_metric_name(y, _))


def _tooltip(_: Translate, of: Band) -> tuple[tuple[str, str], ...]:
    """The exact numbers of a record: titles, and Vega expressions of the texts, with units."""

    def text(field: str, pattern: str, unit: str = "") -> str:
        # What is not measured, such as an accuracy in a regression, is a dash rather than 0 or "null".
        value = f"{RECORD}.{field}"
        return f"(isValid({value}) ? format({value}, '{pattern}') + '{unit}' : '–')"

    return (
        (_("Run"), f"{RECORD}.run"),
        (_counter_name("seconds", _), text("seconds", ",.3f", " s")),
        (_counter_name("update", _), text("update", ",d")),
        (_counter_name("epoch", _), text("epoch", ",.2f")),
        (_counter_name("examples", _), text("examples", ",d")),
        (_metric_name("train_loss", _), text("train_loss", ".5g")),
        (_metric_name("test_loss", _), text("test_loss", ".5g")),
        (_metric_name("test_accuracy", _), text("test_accuracy", ".2%")),
        (_("Minibatch loss, mean"), text("minibatch_loss", ".5g")),
        (
            _("Seeds, lowest to highest") if of == "seeds" else _("Minibatch loss, 10–90 %"),
            text("minibatch_loss_low", ".4g") + " + ' … ' + " + text("minibatch_loss_high", ".4g"),
        ),
    )
