"""Learning curves on any axis: the tables of `sgd_tf.history`, drawn."""

from __future__ import annotations

import copy
import json
import math
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, TypeAlias, get_args

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.style import BACKGROUND, MUTED_TEXT, Domain, Translate, batch_size_color, embed_config
from sgd_tf.history import COLUMNS, LOWER_IS_BETTER, divergences
from sgd_tf.records import check_int

Label: TypeAlias = tuple[str, float, float, str, str]  # LABEL_COLUMNS
Counter = Literal["seconds", "epoch", "update", "examples"]
Metric = Literal["train_loss", "test_loss", "test_accuracy", "minibatch_loss"]

LABEL_COLUMNS = ["run", "x", "y", "label", "kind"]
COUNTERS: tuple[Counter, ...] = get_args(Counter)
METRICS: tuple[Metric, ...] = get_args(Metric)

# Runs of one batch size share its colour and differ in the dashes.
DASHES: tuple[tuple[int, ...], ...] = ((1, 0), (7, 3), (2, 3), (9, 3, 2, 3))
# Vega's name of the record under the pointer: its point, or the cell around the point. A tooltip by encoding
# would choose between the two, but shows "undefined" in Vega-Lite 6.4 (pull request 9707).
RECORD = "(datum.datum || datum)"

# Where a run diverged: a path in a square of side 2.
CROSS = "M-1-0.6L-0.6-1L0-0.4L0.6-1L1-0.6L0.4 0L1 0.6L0.6 1L0 0.4L-0.6 1L-1 0.6L-0.4 0Z"
LABEL_SIZE = 12  # font size of the labels at the end of the lines, in px
LABEL_GAP = 15  # least distance of two such labels, in px
MAX_LABEL_WIDTH = 124  # longer names end in "…", in px
AXES_HEIGHT = 100  # most that title, subtitle, axis and margins take from a chart's height, in px
COMPACT_AXES_HEIGHT = 84
AXES_WIDTH = 56  # most that axis and margins take from a chart's width, in px
MIN_WIDTH = 320  # the narrowest page on which no labels overlap, in px


def spread_labels(
    positions: Sequence[float] | np.ndarray,
    *,
    heights: Sequence[float] | np.ndarray,
    length: float,
    conflicts: np.ndarray | None = None,
) -> np.ndarray:
    """Move labels along a line until none overlaps another, each about as far up as another goes down.

    Pushing upwards, pᵢ = max(wantedᵢ, maxⱼ pⱼ + gapᵢⱼ) over the labels j below i, keeps the gaps
    gapᵢⱼ = (heightᵢ + heightⱼ) / 2; so does pushing downwards, and therefore the mean of the two. The result
    is then pushed into [0, length]. Where the line is too short for all, the heights shrink in proportion.

    Args:
        positions: (n,) where the centres of the labels should stand, in px, in any order.
        heights: (n,) heights of the labels, in px.
        length: length of the line, in px.
        conflicts: (n, n) bool, symmetric: whether two labels would overlap if they stood at the same height;
            by default all would.

    Returns:
        (n,) float64 positions of the centres, in the order of ``positions``.

    Raises:
        ValueError: if the lengths differ, or ``length`` is not positive.

    >>> spread_labels([50.0, 52.0, 90.0], heights=[10.0, 10.0, 10.0], length=100.0).tolist()
    [46.0, 56.0, 90.0]
    """
    wanted = np.asarray(positions, dtype=np.float64)
    num_labels = len(wanted)
    if len(heights) != num_labels:
        raise ValueError(f"`heights` must have {num_labels} elements; received {len(heights)}.")
    if not length > 0:
        raise ValueError(f"`length` must be positive; received {length!r}.")
    if num_labels == 0:
        return wanted
    order = np.argsort(wanted, kind="stable")
    tall = np.asarray(heights, dtype=np.float64)[order]
    gaps = (tall[:, None] + tall[None, :]) / 2
    gaps[~(np.ones_like(gaps, dtype=bool) if conflicts is None else conflicts[np.ix_(order, order)])] = -np.inf

    def pushed_up(start: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        placed = start.copy()
        for at in range(1, len(placed)):
            placed[at] = max(placed[at], np.max(placed[:at] + gaps[at, :at]))
        return placed

    def pushed_down(start: np.ndarray, gaps: np.ndarray) -> np.ndarray:
        return -pushed_up(-start[::-1], gaps[::-1, ::-1])[::-1]

    needed = pushed_up(np.zeros(num_labels), gaps).max()
    gaps *= min(1.0, length / needed) if needed > 0 else 1.0
    middle = (pushed_up(wanted[order], gaps) + pushed_down(wanted[order], gaps)) / 2
    placed = pushed_down(np.minimum(pushed_up(np.maximum(middle, 0.0), gaps), length), gaps)
    result = np.empty_like(placed)
    result[order] = placed
    return result


def curves(
    history: pd.DataFrame,
    *,
    x: Counter = "seconds",
    y: Metric = "train_loss",
    target: float | None = None,
    x_domain: Domain | None = None,
    y_domain: Domain | None = None,
    log_x: bool = False,
    log_y: bool = False,
    band: bool = True,
    dark: bool = False,
    compact: bool = False,
    translate: Translate = str,
    height: int = 360,
    width: int | Literal["container"] = "container",
) -> alt.LayerChart:
    """Learning curves, one per run: a metric against seconds, epochs, updates or samples.

    Each line bears its name at its end. A run that diverged has a cross "diverged at update n" at that update. A
    triangle at the frame marks where a line left it for good; if the run goes on outside, its name has a second line
    with the direction and the value of its last record, "↑ 40.3".
    The band holds the middle 80 % of the minibatch losses of an epoch, see `history.row`. Pointing at the
    chart shows the exact numbers of the nearest record.

    For a live chart give both domains: then only the data of the specification change while the runs go on,
    and nothing in the picture jumps.

    Args:
        history: a table of ``to_frame``, of one run or of several; it may be empty.
        x: the counter on the horizontal axis.
        y: the metric on the vertical axis.
        target: a value of ``y`` to mark by a dashed line.
        x_domain: ends of the horizontal axis; by default from 0 to the last record.
        y_domain: ends of the vertical axis; by default [0, 1] for an accuracy, and for a loss from 0 to its
            highest value, at most 1.5 times the value that the runs start from: one that diverges does not
            squash the others.
        log_x: whether the horizontal axis is logarithmic; records at 0 are then left out.
        log_y: whether the vertical axis is logarithmic.
        band: whether to draw the band of the minibatch losses, where ``y`` is a loss.
        dark: whether the page's background is dark.
        compact: small type and no subtitle, for several charts side by side.
        translate: gives a word of the chart in the reader's language, for example ``gettext``.
        height: height of the whole chart, titles and axes included, in px.
        width: width of the whole chart in px, or "container".

    Returns:
        a layered chart; what lies outside the domains is clipped.

    Raises:
        ValueError: if an argument is out of its range.

    >>> from sgd_tf.history import to_frame
    >>> curves(to_frame([]), x="epoch", x_domain=(0, 10)).to_dict()["title"]["text"]
    'Training loss against epochs'
    """
    look, rows, labels = _arranged(
        history,
        x=x,
        y=y,
        target=target,
        x_domain=x_domain,
        y_domain=y_domain,
        log_x=log_x,
        log_y=log_y,
        band=band,
        dark=dark,
        compact=compact,
        translate=translate,
        height=height,
        width=width,
    )
    return _layered(look, rows, labels)


def curves_spec(history: pd.DataFrame, **options: Any) -> dict[str, Any]:
    """The chart of ``curves`` as a Vega-Lite specification, for a page that is redrawn while the runs go on.

    Altair takes some hundred milliseconds to write and check the specification of such a chart. Here that is
    done once for all redraws of a race: as long as the domains are given and the runs are the same, only the
    two tables are made anew.

    Args:
        history: a table of ``to_frame``.
        options: those of ``curves``.

    Returns:
        the specification, with the tables as DataFrames in ``datasets``: what ``st.vega_lite_chart`` takes.

    Raises:
        ValueError: if an argument is out of its range.

    >>> from sgd_tf.history import to_frame
    >>> sorted(curves_spec(to_frame([]), y="test_loss")["datasets"])
    ['labels', 'records']
    """
    look, rows, labels = _arranged(history, **{**(curves.__kwdefaults__ or {}), **options})
    spec = copy.deepcopy(_skeleton(look))
    return {**spec, "datasets": {"records": rows, "labels": labels}}


def four_axes(
    history: pd.DataFrame,
    *,
    y: Metric = "train_loss",
    x_domains: Mapping[Counter, Domain] | None = None,
    y_domain: Domain | None = None,
    height: int = 230,
    **options: Any,
) -> dict[Counter, alt.LayerChart]:
    """The same runs against seconds, epochs, updates and samples: four small charts for a grid.

    What is fast on one axis may be slow on another; the vertical axis is the same in all four.

    Args:
        history: a table of ``to_frame``.
        y: the metric on the vertical axes.
        x_domains: ends of the horizontal axes that are to be fixed.
        y_domain: ends of the vertical axes.
        height: height of one chart, in px.
        options: the other options of ``curves``.

    Returns:
        the charts by the counter on their horizontal axis, in reading order.

    Raises:
        ValueError: if an argument is out of its range.

    >>> from sgd_tf.history import to_frame
    >>> list(four_axes(to_frame([])))
    ['seconds', 'epoch', 'update', 'examples']
    """
    check_choice("y", y, METRICS)
    if y_domain is None:
        y_domain = default_y_domain(history, y, log=options.get("log_y", False))
    return {
        counter: curves(
            history,
            x=counter,
            y=y,
            x_domain=(x_domains or {}).get(counter),
            y_domain=y_domain,
            height=height,
            compact=True,
            **options,
        )
        for counter in COUNTERS
    }


def default_x_domain(history: pd.DataFrame, x: Counter, *, log: bool = False) -> Domain:
    """From 0, or from the first positive record on a logarithmic axis, to the last record of any run.

    >>> from sgd_tf.history import to_frame
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

    >>> from sgd_tf.history import to_frame
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


def check_choice(name: str, value: str, choices: Sequence[str]) -> None:
    """Raise a ValueError that names the argument unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"`{name}` must be one of {', '.join(choices)}; received {value!r}.")


def check_domain(name: str, domain: Domain, *, log: bool) -> Domain:
    """The ends of an axis as floats, or a ValueError that names the argument and what is allowed."""
    low, high = (float(end) for end in domain)
    if not (math.isfinite(low) and math.isfinite(high) and low < high and (low > 0 or not log)):
        allowed = "(low, high) with 0 < low < high" if log else "(low, high) with low < high"
        raise ValueError(f"`{name}` must be {allowed}, both finite; received {domain!r}.")
    return low, high


@dataclass(frozen=True)
class Axis:
    """What an axis shows, and from where to where."""

    field: str  # column of the history
    domain: Domain  # values at its beginning and its end
    log: bool = False  # whether it is logarithmic

    def share(self, values: np.ndarray) -> np.ndarray:
        """How far along the axis the values lie: 0 at its beginning, 1 at its end.

        >>> Axis("update", (1, 100), log=True).share(np.array([1, 10, 100])).tolist()
        [0.0, 0.5, 1.0]
        """
        low, high = self.domain
        if self.log:
            return np.log(values / low) / math.log(high / low)
        return (values - low) / (high - low)

    def value(self, share: float) -> float:
        """The value that lies so far along the axis: the inverse of ``share``."""
        low, high = self.domain
        return low * (high / low) ** share if self.log else low + share * (high - low)

    def nearest(self, value: float) -> float:
        """How far along the axis a value lies; of what lies beyond an end, that end."""
        low, high = self.domain
        return float(self.share(np.array([min(max(value, low), high)]))[0])

    def within_reach(self, field: str) -> str:
        """Vega expression of a field, held near the axis.

        A loss of 1e30 is a coordinate that no renderer survives; far outside of the plot all look alike.
        """
        low, high = self.domain
        floor, ceiling = (1e-3 * low, 1e3 * high) if self.log else (51 * low - 50 * high, 51 * high - 50 * low)
        return f"clamp(datum.{field}, {floor!r}, {ceiling!r})"

    def holds(self) -> str:
        """Vega expression of whether a datum lies on the axis."""
        return f"inrange(datum.{self.field}, {list(self.domain)})"

    def ticks(self) -> list[float] | None:
        """Places of the ticks of a logarithmic axis, where Vega would draw all of 1, 2, …, 9; else None.

        >>> Axis("train_loss", (0.03, 2.5), log=True).ticks()
        [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
        """
        if not self.log:
            return None
        low, high = self.domain
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        digits = (1, 2, 5) if high / low <= 1e3 else (1,)
        ticks = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
        return [tick for tick in ticks if low <= tick <= high]


@dataclass(frozen=True, kw_only=True)
class Look:
    """All of a chart that stays the same while the runs go on."""

    across: Axis  # the horizontal axis
    upward: Axis  # the vertical axis
    runs: tuple[tuple[str, int, bool], ...]  # name, batch size, and whether it is gradient descent
    target: float | None  # value of the metric to mark
    band: bool  # whether the noise of the minibatches is drawn
    dark: bool  # whether the background is dark
    compact: bool  # whether the type is small
    height: int  # of the whole chart, in px
    width: int | Literal["container"]  # of the whole chart, in px
    label_room: int  # kept free at the right, in px
    title: str
    subtitle: str
    x_title: str
    y_title: str
    tooltip: tuple[tuple[str, str], ...]  # title, and Vega expression of the text


def _arranged(
    history: pd.DataFrame,
    *,
    x: Counter,
    y: Metric,
    target: float | None,
    x_domain: Domain | None,
    y_domain: Domain | None,
    log_x: bool,
    log_y: bool,
    band: bool,
    dark: bool,
    compact: bool,
    translate: Translate,
    height: int,
    width: int | Literal["container"],
) -> tuple[Look, pd.DataFrame, pd.DataFrame]:
    """What stays, the records to draw and the labels: the parts of the chart that ``curves`` describes."""
    check_choice("x", x, COUNTERS)
    check_choice("y", y, METRICS)
    check_int("height", height, 1)
    if width != "container":
        check_int("width", width, 1)
    _ = translate
    x_domain = x_domain or default_x_domain(history, x, log=log_x)
    y_domain = y_domain or default_y_domain(history, y, log=log_y)
    across = Axis(x, check_domain("x_domain", x_domain, log=log_x), log=log_x)
    upward = Axis(y, check_domain("y_domain", y_domain, log=log_y), log=log_y)
    if target is not None and not (math.isfinite(target) and (target > 0 or not log_y)):
        raise ValueError(f"`target` must be a finite number, positive with `log_y`; received {target!r}.")

    rows = _drawn_rows(history, across, upward)
    ends, exits = _line_ends(rows, history, across, upward, translate=translate)
    runs = history.drop_duplicates("run")
    names = runs["run"].tolist()
    if target is not None:
        ends.append(_target_label(target, across, upward, translate=translate))
        names.append(ends[-1][3])
    labels = pd.DataFrame(ends, columns=LABEL_COLUMNS)
    label_room = math.ceil(14 + min(max(map(_text_width, names), default=0), MAX_LABEL_WIDTH))
    axes_height = COMPACT_AXES_HEIGHT if compact else AXES_HEIGHT
    labels = _placed(
        labels,
        across,
        upward,
        plot_width=max((MIN_WIDTH if width == "container" else width) - AXES_WIDTH - label_room, 1),
        plot_height=max(height - axes_height, LABEL_GAP),
    )
    marks = pd.DataFrame(exits, columns=LABEL_COLUMNS)
    labels = pd.concat([labels, marks.assign(label_y=marks["y"])], ignore_index=True) if exits else labels
    has_band = band and LOWER_IS_BETTER[y]
    look = Look(
        across=across,
        upward=upward,
        runs=tuple(zip(runs["run"], runs["batch_size"].tolist(), runs["full_batch"].tolist(), strict=True)),
        target=target,
        band=has_band,
        dark=dark,
        compact=compact,
        height=height,
        width=width,
        label_room=label_room,
        title=_chart_title(x, y, _),
        subtitle=_("Band: 10–90 % of the minibatch losses") if has_band and not compact else "",
        x_title=_("Training time (s)") if x == "seconds" else _counter_name(x, _),
        y_title=_metric_name(y, _),
        tooltip=_tooltip(_),
    )
    return look, rows, labels


def _drawn_rows(history: pd.DataFrame, across: Axis, upward: Axis) -> pd.DataFrame:
    """The rows that have a place on the axes, without what is the same for a whole run; inf becomes NaN."""
    of_the_run = ("batch_size", "full_batch", "num_examples", "diverged_at")
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
            label += f"\n{'↑' if way == 'above' else '↓'} {of_run[1][-1]:.3g}"
        ends.append((run, across.value(along), upward.value(up), label, kind))
    return ends, exits


def _target_label(target: float, across: Axis, upward: Axis, *, translate: Translate) -> Label:
    """The label of the target, beyond the end of the horizontal axis, in line with the names of the runs."""
    _ = translate
    value = f"{target:.4g}" if LOWER_IS_BETTER[upward.field] else f"{100 * target:.4g} %"
    place = min(max(target, upward.domain[0]), upward.domain[1])
    return "", across.domain[1], place, _("target {value}").format(value=value), "target"


def _placed(labels: pd.DataFrame, across: Axis, upward: Axis, *, plot_width: float, plot_height: float) -> pd.DataFrame:
    """The labels with their place ``label_y`` on the axis: none overlaps another on a plot of that size."""
    widths = [9 + max(map(_text_width, label.split("\n"))) for label in labels["label"]]
    late = (labels["kind"] == "diverged late").to_numpy()
    start = plot_width * across.share(labels["x"].to_numpy(dtype=np.float64)) - np.where(late, widths, 0.0)
    end = start + widths
    placed = spread_labels(
        plot_height * upward.share(labels["y"].to_numpy(dtype=np.float64)),
        heights=[LABEL_GAP * len(label.split("\n")) for label in labels["label"]],
        length=plot_height,
        conflicts=(start[:, None] < end) & (start < end[:, None]),
    )
    return labels.assign(label_y=[upward.value(share) for share in placed / plot_height])


def _text_width(text: str) -> float:
    """Estimated width of a label in px: Korean letters are twice as wide as Latin ones."""
    wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in text)
    return LABEL_SIZE * (wide + 0.5 * (len(text) - wide))


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


def _tooltip(_: Translate) -> tuple[tuple[str, str], ...]:
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
            _("Minibatch loss, 10–90 %"),
            text("minibatch_loss_low", ".4g") + " + ' … ' + " + text("minibatch_loss_high", ".4g"),
        ),
    )


@lru_cache(maxsize=256)
def _skeleton(look: Look) -> dict[str, Any]:
    """The specification with the names of the tables in place of the tables; checking it would take half the time."""
    return _layered(look, alt.NamedData(name="records"), alt.NamedData(name="labels")).to_dict(validate=False)


def _layered(look: Look, records: pd.DataFrame | alt.NamedData, labels: pd.DataFrame | alt.NamedData) -> alt.LayerChart:
    """The chart, of tables or of their names. Marks without words are hidden from screen readers: aria=False."""
    position = _positions(look)
    style = _run_scales(look)
    layers = [
        *([_band_layer(look, position, style)] if look.band else []),
        _line_layer(look, position, style),
        *([_target_layer(look, position)] if look.target is not None else []),
        *_hover_layers(look, position, style),
        *_label_layers(look, labels, position, style),
        _label_room(look),
    ]
    return alt.LayerChart(
        layer=layers,
        data=records,
        title=alt.TitleParams(
            text=look.title,
            subtitle=look.subtitle or alt.Undefined,
            fontSize=13 if look.compact else 16,
            subtitleFontSize=12,
            subtitleColor=MUTED_TEXT[look.dark],
            subtitlePadding=4,
            anchor="start",
            offset=10,
        ),
        width=look.width,
        height=look.height,
        # By sides: Streamlit sets the bottom of what it takes for an object.
        padding={"left": 4, "top": 4, "right": 4, "bottom": 4},
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        # Read by Vega-Embed in a notebook; the theme of a Streamlit page goes before it.
        usermeta={"embedOptions": {"config": embed_config(dark=look.dark)}},
    )


def _positions(look: Look) -> dict[str, Any]:
    """The position encodings of all layers, by field: one horizontal scale, one vertical scale."""
    across, upward = look.across, look.upward
    spacing: dict[str, Any] = {
        "titlePadding": 8,
        "labelPadding": 6,
        "labelSeparation": 6,
        "labelFlush": False,
    }
    # Vega gives "g" on a linear axis as few digits as tell the ticks apart: 200 would be "2e+2".
    numbers: dict[str, Any] = {"format": "~g" if across.log else ",~f"}
    if across.field in ("update", "examples"):
        large = across.domain[1] >= 1e5
        numbers = {"labelExpr": "datum.value ? format(datum.value, '~s') : '0'"} if large else {"format": ",d"}
        numbers["tickMinStep"] = alt.Undefined if across.log else 1
    x_axis = alt.Axis(
        title=look.x_title,
        # A tick per 70 px: the width of the page is not known here.
        tickCount=alt.Undefined if across.log else alt.ExprRef("ceil(width / 70)"),
        values=across.ticks() or alt.Undefined,
        labelOverlap="greedy",
        grid=False,
        **numbers,
        **spacing,
    )
    y_axis = alt.Axis(
        title=look.y_title,
        format=".0%" if not LOWER_IS_BETTER[upward.field] else "~g" if upward.log else ",~f",
        tickCount=alt.Undefined if upward.log else 5,
        values=upward.ticks() or alt.Undefined,
        labelOverlap=True,
        **spacing,
    )
    x_scale, y_scale = (
        alt.Scale(
            type="log" if axis.log else "linear",
            domain=list(axis.domain),
            nice=False,
            zero=alt.Undefined if axis.log else False,  # Vega warns about it on a logarithmic axis
        )
        for axis in (across, upward)
    )
    return {
        "across": alt.X(f"{across.field}:Q", scale=x_scale, axis=x_axis),
        "x": alt.X("x:Q", scale=x_scale, axis=x_axis),
        **{
            field: alt.Y(f"{field}:Q", scale=y_scale, axis=y_axis)
            for field in ("low", "drawn", "y", "label_y", "target")
        },
    }


def _run_scales(look: Look) -> dict[str, Any]:
    """Colour, width and dashes of the lines: by batch size, and by order among the runs of one batch size."""
    names = [name for name, _batch_size, _full_batch in look.runs]
    colors = [
        batch_size_color(batch_size, full_batch=full_batch, dark=look.dark)
        for _name, batch_size, full_batch in look.runs
    ]
    dashes = [list(DASHES[colors[:at].count(color) % len(DASHES)]) for at, color in enumerate(colors)]
    thin = 1.75 if look.compact else 2.25
    widths = [thin + 1.25 if full_batch else thin for _name, _batch_size, full_batch in look.runs]
    return {
        "color": alt.Color("run:N", scale=alt.Scale(domain=names, range=colors), legend=None),
        "strokeWidth": alt.StrokeWidth("run:O", scale=alt.Scale(domain=names, range=widths), legend=None),
        "strokeDash": alt.StrokeDash("run:N", scale=alt.Scale(domain=names, range=dashes), legend=None),
    }


def _band_layer(look: Look, position: Mapping[str, Any], style: Mapping[str, Any]) -> alt.Chart:
    """The minibatch losses of an epoch: from their 10th to their 90th percentile."""
    return (
        alt.Chart()
        .transform_filter("isValid(datum.minibatch_loss_low) && isValid(datum.minibatch_loss_high)")
        .transform_calculate(
            low=look.upward.within_reach("minibatch_loss_low"),
            high=look.upward.within_reach("minibatch_loss_high"),
        )
        .mark_area(clip=True, opacity=0.2 if look.dark else 0.14, tooltip=None)
        .encode(x=position["across"], y=position["low"], y2="high:Q", color=style["color"])
    )


def _line_layer(look: Look, position: Mapping[str, Any], style: Mapping[str, Any]) -> alt.Chart:
    return (
        alt.Chart()
        .transform_calculate(drawn=look.upward.within_reach(look.upward.field))
        .mark_line(clip=True, strokeJoin="round", tooltip=None)
        .encode(x=position["across"], y=position["drawn"], **style)
    )


def _target_layer(look: Look, position: Mapping[str, Any]) -> alt.Chart:
    return (
        alt.Chart(alt.sequence(1))
        .transform_calculate(target=str(look.target))
        .mark_rule(color=MUTED_TEXT[look.dark], strokeDash=[4, 4], strokeWidth=1.5, clip=True, tooltip=None, aria=False)
        .encode(y=position["target"])
    )


def _hover_layers(look: Look, position: Mapping[str, Any], style: Mapping[str, Any]) -> list[alt.Chart]:
    """A vertical rule and a point at the record nearest to the pointer, with its exact numbers."""
    hover = alt.selection_point(
        name="hover",
        nearest=True,
        on="pointerover",
        clear="pointerout",
        fields=["run", "update"],
        empty=False,
    )
    rule = (
        alt.Chart()
        .transform_filter(hover)
        .mark_rule(color=MUTED_TEXT[look.dark], strokeWidth=1, opacity=0.6, tooltip=None, aria=False)
        .encode(x=position["across"])
    )
    texts = ", ".join(f"{json.dumps(title, ensure_ascii=False)}: {text}" for title, text in look.tooltip)
    points = (
        alt.Chart(name="points")
        .transform_filter(f"{look.across.holds()} && {look.upward.holds()}")
        .transform_calculate(drawn=f"datum.{look.upward.field}")
        .mark_point(
            filled=True,
            size=80,
            stroke=BACKGROUND[look.dark],
            strokeWidth=1.5,
            tooltip=alt.ExprRef(f"{{{texts}}}"),
            aria=False,
        )
        .encode(
            x=position["across"],
            y=position["drawn"],
            color=style["color"],
            opacity=alt.condition(hover, alt.value(1), alt.value(0)),
        )
        .add_params(hover)
    )
    return [rule, points]


def _label_layers(
    look: Look,
    labels: pd.DataFrame | alt.NamedData,
    position: Mapping[str, Any],
    style: Mapping[str, Any],
) -> list[alt.Chart]:
    """A point at the end of each line, a cross where it diverged, a triangle where it left, and the name beside it."""
    table = alt.Chart(labels)
    shapes = {
        "end": "circle",
        "diverged early": CROSS,
        "diverged late": CROSS,
        "above": "triangle-up",
        "below": "triangle-down",
    }
    shape_scale = alt.Scale(domain=list(shapes), range=list(shapes.values()))
    heads = (
        table.transform_filter("datum.kind != 'target'")
        .mark_point(filled=True, opacity=1, size=36 if look.compact else 56, tooltip=None, aria=False)
        .encode(
            x=position["x"],
            y=position["y"],
            color=style["color"],
            shape=alt.Shape("kind:N", scale=shape_scale, legend=None),
        )
    )
    late = "datum.kind == 'diverged late'"
    text: dict[str, Any] = {
        "align": alt.ExprRef(f"{late} ? 'right' : 'left'"),
        "dx": alt.ExprRef(f"{late} ? -9 : 9"),
        "limit": alt.ExprRef(f"indexof(datum.kind, 'diverged') == 0 ? 0 : {MAX_LABEL_WIDTH}"),
        "baseline": "middle",
        "fontSize": 11 if look.compact else LABEL_SIZE,
        "fontWeight": "bold",
        "lineBreak": "\n",
        "lineHeight": LABEL_GAP - 1,
        "tooltip": None,
    }
    place = {"x": position["x"], "y": position["label_y"], "text": alt.Text("label:N")}
    color = alt.condition("datum.kind == 'target'", alt.value(MUTED_TEXT[look.dark]), style["color"])
    # Behind the letters, so that a line that crosses them does not strike them out.
    halo = table.mark_text(
        color=BACKGROUND[look.dark],
        stroke=BACKGROUND[look.dark],
        strokeWidth=5,
        strokeJoin="round",
        opacity=0.85,
        aria=False,
        **text,
    ).encode(**place)
    return [heads, halo, table.mark_text(**text).encode(color=color, **place)]


def _label_room(look: Look) -> alt.Chart:
    """Nothing, as wide as the widest label: it keeps the same place free before, in and after a run.

    A chart that is fitted to its page shrinks the plot by what stands out of it. Without this the plot would
    become narrower as the labels move to the right with their lines.
    """
    end = f"width + {look.label_room}"
    return (
        alt.Chart(alt.sequence(1))
        .mark_rule(opacity=0, tooltip=None, aria=False)
        .encode(x=alt.value(alt.ExprRef("width")), x2=alt.value(alt.ExprRef(end)))
    )
