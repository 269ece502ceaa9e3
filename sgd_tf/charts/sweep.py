"""What a sweep over batch sizes has measured, drawn: prices against k, and the map of learning rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.learning_curves import CROSS
from sgd_tf.charts.style import (
    BACKGROUND,
    MUTED_TEXT,
    TEXT,
    Domain,
    Translate,
    batch_size_color,
    name_only_what_is_there,
)

if TYPE_CHECKING:
    from sgd_tf.critical_batch_size import Hyperbola

TITLE_SIZE = 15
SHARE = "format(datum.value, '.0%')"  # labels of the vertical axis
NUMBER = "format(datum.value, datum.value < 1000 ? '~g' : '~s')"
BEST = {False: "#1B4A9B", True: "#A9CBFF"}  # of the map: as few samples as with the best rate of this k …
FAR = {False: "#E3EAF5", True: "#1C2740"}  # … and eight times as many, or more
FAR_RATIO = 8.0
DASH = "M-1,-0.15L1,-0.15L1,0.15L-1,0.15Z"  # a rate that did not reach the target, in a square of side 2
SIZE = "datum.value < 10000 ? format(datum.value, ',') : format(datum.value, '.3~s')"  # label of a batch size
NOISE_BAR = 7  # height of the bar of the noise scale, in px


def by_batch_size(
    spread: pd.DataFrame,
    *,
    title: str,
    y_title: str,
    batch_sizes: Sequence[int],
    num_examples: int,
    subtitle: str = "",
    log_y: bool = True,
    percent: bool = False,
    perfect_scaling: bool = False,
    least: bool = False,
    fit: Hyperbola | None = None,
    noise_scales: Sequence[float] = (),
    dark: bool = False,
    translate: Translate = str,
    height: int = 340,
) -> dict[str, Any]:
    """Median over the seeds of what was measured, against k, with a band from the lowest to the highest seed.

    A k most of whose runs have no value stands as a cross at the edge where it is worst. The seeds of one k are those
    of the others: the bands rise and fall together.

    Args:
        spread: of `sweep_results.spread`; with a column "series" several of them in one chart.
        title: what the chart shows.
        y_title: what is measured, with its unit.
        batch_sizes: of the horizontal axis, whether there are runs of them or not.
        num_examples: N, whose runs are gradient descent.
        subtitle: below the title.
        log_y: whether the vertical axis is logarithmic.
        percent: whether the values are shares.
        perfect_scaling: whether to draw S(k) = S(k₀) k₀/k from the smallest k: twice the k, half the updates.
        least: whether to draw the line E = E(k₀): the same number of samples with each k.
        fit: hyperbola to draw, with its critical batch size; of updates, or with `least` of samples.
        noise_scales: gradient noise scales along a run, drawn as a bar from the smallest to the largest.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        Vega-Lite specification for the width of the page.

    >>> empty = pd.DataFrame(columns=["batch_size", "learning_rate", "median", "low", "high", "num_seeds", "num_known"])
    >>> by_batch_size(empty, title="Updates", y_title="Updates", batch_sizes=[1, 2], num_examples=2)["title"]["text"]
    'Updates'
    """
    _ = translate
    data = spread.assign(series=spread.get("series", ""))
    if log_y:  # nothing at all has no place on a logarithmic axis: a target that holds before the first update
        data = data[~(data["median"].astype("float64") <= 0)]
    sizes = sorted(batch_sizes)
    finite = data[np.isfinite(data["median"].astype("float64"))]
    domain = _domain(finite, log=log_y, percent=percent)
    worst = domain[0] if percent else domain[1]
    frame = _Frame(sizes=sizes, domain=domain, log=log_y, dark=dark, translate=translate)
    x, scale = frame.x, frame.scale
    axis = alt.Axis(
        labelExpr=SHARE if percent else NUMBER, tickCount=5, values=_decades(domain) if log_y else alt.Undefined
    )
    y = alt.Y("median:Q", scale=scale, title=y_title, axis=axis)
    points = data.assign(
        shown=np.where(np.isfinite(data["median"].astype("float64")), data["median"], worst),
        known=np.isfinite(data["median"].astype("float64")),
        low_text=[_text(value, percent) for value in data["low"]],
        high_text=[_text(value, percent) for value in data["high"]],
        text=[_text(value, percent) for value in data["median"]],
        seeds=[f"{known} / {num}" for known, num in zip(data["num_known"], data["num_seeds"], strict=True)],
    ).replace([math.inf, -math.inf], None)
    colors = [batch_size_color(k, full_batch=k == num_examples, dark=dark) for k in sizes]
    color = alt.Color("batch_size:O", scale=alt.Scale(domain=sizes, range=colors), legend=None)
    names = list(dict.fromkeys(data["series"])) or [""]
    dash = alt.StrokeDash(
        "series:N",
        scale=alt.Scale(domain=names, range=[[1, 0], [5, 4]][: len(names)]),
        legend=alt.Legend(orient="bottom", title=None, symbolStrokeColor=MUTED_TEXT[dark]) if len(names) > 1 else None,
    )
    band = alt.Chart(_banded(finite)).mark_area(opacity=0.18, color=MUTED_TEXT[dark], clip=True, tooltip=None)
    line = alt.Chart(finite).mark_line(color=MUTED_TEXT[dark], strokeWidth=1.5, clip=True, tooltip=None)
    layers: list[alt.Chart] = [
        band.encode(x=x, y=alt.Y("low:Q", scale=scale), y2="high:Q", detail="series:N"),
        line.encode(x=x, y=y, strokeDash=dash, detail="series:N"),
    ]
    if len(finite) and (perfect_scaling or least):
        layers += _perfect(frame, finite.sort_values("batch_size").iloc[0], samples=least)
    if fit is not None:
        layers += _fitted(frame, fit, samples=least)
    known = [value for value in noise_scales if math.isfinite(value)]
    if known:
        layers += _noise_bar(frame, known)
    tooltip = [
        alt.Tooltip("batch_size:Q", title="k", format=","),
        alt.Tooltip("learning_rate:Q", title=_("Learning rate"), format=".3g"),
        alt.Tooltip("text:N", title=_("Median")),
        alt.Tooltip("low_text:N", title=_("Lowest")),
        alt.Tooltip("high_text:N", title=_("Highest")),
        alt.Tooltip("seeds:N", title=_("Runs with a value")),
    ]
    if len(names) > 1:
        tooltip.insert(0, alt.Tooltip("series:N", title=_("Learning rate is")))
    shape = alt.Shape("known:N", scale=alt.Scale(domain=[True, False], range=["circle", CROSS]), legend=None)
    layers.append(
        alt.Chart(points)
        .mark_point(filled=True, size=90, opacity=1, stroke=BACKGROUND[dark], strokeWidth=1)
        .encode(x=x, y=alt.Y("shown:Q", scale=scale), color=color, shape=shape, tooltip=tooltip)
    )
    return _finished(alt.LayerChart(layer=layers), title, subtitle, dark, height)


def _banded(finite: pd.DataFrame) -> pd.DataFrame:
    """Rows with a band: where a seed has no value, it ends at the median."""
    high = finite["high"].astype("float64")
    low = finite["low"].astype("float64")
    return finite.assign(
        high=high.where(np.isfinite(high), finite["median"]), low=low.where(np.isfinite(low), finite["median"])
    )


@dataclass(frozen=True, kw_only=True)
class _Frame:
    """What all layers of a chart against k share."""

    sizes: Sequence[int]  # batch sizes in order
    domain: Domain  # of the vertical axis
    log: bool  # whether that is logarithmic
    dark: bool
    translate: Translate

    @property
    def scale(self) -> alt.Scale:
        """The vertical scale."""
        return alt.Scale(type="log" if self.log else "linear", domain=self.domain, nice=False)

    @property
    def x_scale(self) -> alt.Scale:
        """Logarithmic, with room for the first and the last point."""
        return alt.Scale(type="log", base=2, domain=[self.sizes[0] / 1.25, self.sizes[-1] * 1.25], nice=False)

    @property
    def x(self) -> alt.X:
        """The horizontal axis."""
        _ = self.translate
        axis = alt.Axis(values=_ticks(self.sizes), labelExpr=SIZE, grid=False, labelOverlap="greedy", labelSeparation=4)
        return alt.X("batch_size:Q", scale=self.x_scale, axis=axis, title=_("Batch size k"))

    @property
    def grid(self) -> np.ndarray:
        """Where a curve is computed."""
        return np.geomspace(self.sizes[0], self.sizes[-1], 60)

    def curve(self, values: np.ndarray, dash: list[int]) -> alt.Chart:
        """A dashed line through values on the grid."""
        table = pd.DataFrame({"batch_size": self.grid, "guide": values})
        mark = alt.Chart(table).mark_line(
            color=TEXT[self.dark], strokeDash=dash, strokeWidth=1.25, clip=True, tooltip=None
        )
        return mark.encode(x=self.x, y=alt.Y("guide:Q", scale=self.scale))

    def words(self, table: pd.DataFrame, y: Any, **look: Any) -> list[alt.Chart]:
        """The column "label" of a table, beside its batch sizes, with a halo that keeps lines off the letters."""
        return _words(table, self.dark, x=self.x, y=y, **look)


def _words(table: pd.DataFrame, dark: bool, *, x: Any, y: Any, **look: Any) -> list[alt.Chart]:
    """The column "label" of a table as text, and a halo behind it."""
    look = {"align": "left", "tooltip": None} | look
    halo: dict[str, Any] = {
        "stroke": BACKGROUND[dark],
        "strokeWidth": 4,
        "strokeJoin": "round",
        "color": BACKGROUND[dark],
    }
    marks = [alt.Chart(table).mark_text(**halo, **look), alt.Chart(table).mark_text(color=TEXT[dark], **look)]
    return [mark.encode(x=x, y=y, text="label:N") for mark in marks]


def _perfect(frame: _Frame, first: pd.Series, *, samples: bool) -> list[alt.Chart]:
    """Perfect scaling from the smallest k: twice the k, half the updates, hence as many samples with each k."""
    _ = frame.translate
    start, grid = float(first["median"]), frame.grid
    values = np.full(len(grid), start) if samples else start * first["batch_size"] / grid
    low, high = frame.domain
    inside = grid[(values > math.sqrt(low * high)) & (values < high)]  # the upper half of the plot
    at = grid[len(grid) * 3 // 5] if samples or not len(inside) else inside[-1]
    place = pd.DataFrame({"batch_size": [at], "guide": np.interp([at], grid, values), "label": [_("perfect scaling")]})
    y = alt.Y("guide:Q", scale=frame.scale)
    return [frame.curve(values, [2, 3]), *frame.words(place, y, fontSize=11, dx=5, dy=10 if samples else -6)]


def _fitted(frame: _Frame, fit: Hyperbola, *, samples: bool) -> list[alt.Chart]:
    """The fitted law, and its critical batch size with the interval."""
    _ = frame.translate
    layers = [frame.curve(fit.updates(frame.grid) * (frame.grid if samples else 1.0), [6, 3])]
    critical, first, last = fit.critical_batch_size, frame.sizes[0], frame.sizes[-1]
    if fit.no_interval == "misfit" or not first <= critical <= last:
        return layers
    label = _("critical k ≈ {k}").format(k=f"{critical:,.0f}")
    ends = {"batch_size": [critical], "low": [max(first, fit.low)], "high": [min(last, fit.high)], "label": [label]}
    table = pd.DataFrame(ends)
    if math.isfinite(fit.low):
        span = alt.Chart(table).mark_rect(color=TEXT[frame.dark], opacity=0.1, tooltip=None)
        layers.append(span.encode(x=alt.X("low:Q", scale=frame.x_scale), x2="high:Q"))
    layers.append(alt.Chart(table).mark_rule(color=TEXT[frame.dark], strokeWidth=1.25, tooltip=None).encode(x=frame.x))
    return [*layers, *frame.words(table, alt.value(2), fontSize=12, fontWeight="bold", dx=5, baseline="top")]


def _noise_bar(frame: _Frame, noise_scales: Sequence[float]) -> list[alt.Chart]:
    """A bar at the bottom from the smallest to the largest noise scale along a run."""
    _ = frame.translate
    ends = (min(noise_scales), max(noise_scales))
    low, high = (min(max(end, frame.sizes[0]), frame.sizes[-1]) for end in ends)
    text = f"{ends[0]:,.0f} – {ends[1]:,.0f}"
    table = pd.DataFrame({"batch_size": [low], "high": [high], "label": [_("noise scale")], "text": [text]})
    bar = alt.Chart(table).mark_bar(height=NOISE_BAR, color=TEXT[frame.dark], opacity=0.55)
    tooltip = [alt.Tooltip("text:N", title=_("Gradient noise scale"))]
    bottom = alt.value(alt.ExprRef(f"height - {NOISE_BAR}"))
    look: dict[str, Any] = {"fontSize": 11, "baseline": "middle", "dx": 5}
    if high > frame.sizes[-1] / 8:  # no room beside the bar
        look |= {"align": "right", "dy": -12, "dx": 0}
    words = frame.words(table.assign(batch_size=high), bottom, **look)
    return [bar.encode(x=frame.x, x2="high:Q", y=bottom, tooltip=tooltip), *words]


def rate_map(
    cells: pd.DataFrame,
    *,
    title: str,
    batch_sizes: Sequence[int],
    learning_rates: Sequence[float],
    limits: Mapping[str, float] | None = None,
    subtitle: str = "",
    dark: bool = False,
    translate: Translate = str,
    height: int = 340,
) -> dict[str, Any]:
    """Every learning rate with every k: how many updates to the target, next to the best rate of the same k.

    Args:
        cells: of `sweep_results.rate_cells`.
        title: what the chart shows.
        batch_sizes: of the horizontal axis.
        learning_rates: of the vertical axis.
        limits: largest stable learning rates of gradient descent, 2/λmax, to draw, by their labels.
        subtitle: below the title.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        Vega-Lite specification for the width of the page.

    >>> columns = ["batch_size", "learning_rate", "updates", "ratio", "state", "diverged_at", "num_seeds", "is_best"]
    >>> spec = rate_map(pd.DataFrame(columns=columns), title="Map", batch_sizes=[1, 2], learning_rates=[0.1, 1.0])
    >>> spec["title"]["text"]
    'Map'
    """
    _ = translate
    limits = limits or {}
    x_edges, y_edges = _edges(batch_sizes), _edges(learning_rates)
    top = max([y_edges[-1], *(1.15 * limit for limit in limits.values() if limit < 4 * y_edges[-1])])
    words = {
        "reached": _("reached"),
        "not reached": _("not reached"),
        "no better": _("no better than at the start"),
        "diverged": _("diverged"),
    }
    place_x = {k: at for at, k in enumerate(sorted(batch_sizes))}
    place_y = {rate: at for at, rate in enumerate(sorted(learning_rates))}
    data = cells[cells["batch_size"].isin(list(place_x)) & cells["learning_rate"].isin(list(place_y))]
    data = data.assign(
        left=[x_edges[place_x[k]] for k in data["batch_size"]],
        right=[x_edges[place_x[k] + 1] for k in data["batch_size"]],
        below=[y_edges[place_y[rate]] for rate in data["learning_rate"]],
        above=[y_edges[place_y[rate] + 1] for rate in data["learning_rate"]],
        shade=data["ratio"].astype("float64").clip(1.0, FAR_RATIO),
        words=data["state"].map(words),
        number=[_text(value, False) for value in data["updates"].astype("float64")],
        times=["–" if not math.isfinite(value) else f"{value:.3g} ×" for value in data["ratio"].astype("float64")],
        diverged_at=data["diverged_at"].astype("float64"),
    ).replace([math.inf, -math.inf], None)
    x_scale = alt.Scale(type="log", base=2, domain=[x_edges[0], x_edges[-1]], nice=False)
    y_scale = alt.Scale(type="log", domain=[y_edges[0], top], nice=False)
    x_axis = alt.Axis(values=_ticks(batch_sizes), labelExpr=SIZE, grid=False, labelOverlap="greedy", labelSeparation=4)
    y_axis = alt.Axis(values=sorted(learning_rates), format=".2~g", grid=False)
    x = alt.X("batch_size:Q", scale=x_scale, title=_("Batch size k"), axis=x_axis)
    y = alt.Y("learning_rate:Q", scale=y_scale, title=_("Learning rate"), axis=y_axis)
    tooltip = [
        alt.Tooltip("batch_size:Q", title="k", format=","),
        alt.Tooltip("learning_rate:Q", title=_("Learning rate"), format=".3g"),
        alt.Tooltip("words:N", title=_("Target")),
        alt.Tooltip("number:N", title=_("Updates to the target")),
        alt.Tooltip("times:N", title=_("Times the best of this k")),
        alt.Tooltip("num_seeds:Q", title=_("Seeds")),
    ]
    color = alt.Color(
        "shade:Q",
        scale=alt.Scale(type="log", domain=[1, FAR_RATIO], range=[BEST[dark], FAR[dark]], clamp=True),
        legend=alt.Legend(
            title=_("times the best of this k"),
            orient="bottom",
            values=[1, 2, 4, 8],
            gradientLength=160,
            gradientThickness=9,
            labelExpr="datum.value == 8 ? '≥ 8 ×' : datum.value + ' ×'",
            titleOrient="left",
            titleColor=TEXT[dark],
        ),
    )
    tiles = alt.Chart(data[data["state"] == "reached"]).mark_rect(stroke=BACKGROUND[dark], strokeWidth=1)
    reached = tiles.encode(
        x=alt.X("left:Q", scale=x_scale, title=_("Batch size k"), axis=x_axis),
        x2="right:Q",
        y=alt.Y("below:Q", scale=y_scale, title=_("Learning rate"), axis=y_axis),
        y2="above:Q",
        color=color,
        tooltip=tooltip,
    )
    others = ["not reached", "no better", "diverged"]
    marks = (
        alt.Chart(data[data["state"] != "reached"])
        .mark_point(filled=True, size=70, opacity=1, color=MUTED_TEXT[dark])
        .encode(
            x=x,
            y=y,
            tooltip=tooltip,
            shape=alt.Shape(
                "state:N",
                scale=alt.Scale(domain=others, range=[DASH, CROSS, CROSS]),
                legend=None,
            ),
        )
    )
    best = (
        alt.Chart(data[data["is_best"].astype(bool)])
        .mark_point(filled=True, size=55, opacity=1, color=BACKGROUND[dark], tooltip=None)
        .encode(x=x, y=y)
    )
    layers: list[alt.Chart] = [reached, marks, best]
    shown = [(label, limit) for label, limit in limits.items() if y_edges[0] < limit <= top]
    if shown:
        table = pd.DataFrame(shown, columns=["label", "learning_rate"])
        rule = alt.Chart(table).mark_rule(color=TEXT[dark], strokeDash=[5, 4], strokeWidth=1.5, tooltip=None)
        words_of = _words(table, dark, x=alt.value(0), y=y, dx=4, dy=-8, fontSize=12, fontWeight="bold")
        layers += [rule.encode(y=y), *words_of]
    return _finished(alt.LayerChart(layer=layers), title, subtitle, dark, height)


def _edges(values: Sequence[float]) -> list[float]:
    """Borders between values on a logarithmic axis, half way between neighbours.

    >>> _edges([1, 4, 16])
    [0.5, 2.0, 8.0, 32.0]
    """
    ordered = sorted(float(value) for value in values)
    if len(ordered) == 1:
        return [ordered[0] / math.sqrt(2), ordered[0] * math.sqrt(2)]
    inner = [math.sqrt(a * b) for a, b in pairwise(ordered)]
    return [ordered[0] ** 2 / inner[0], *inner, ordered[-1] ** 2 / inner[-1]]


def _ticks(sizes: Sequence[int]) -> list[int]:
    """All batch sizes; of two that stand close together the larger alone."""
    ordered = sorted(sizes)
    return [k for k, following in zip(ordered, [*ordered[1:], math.inf], strict=True) if following / k > 1.7]


def _domain(finite: pd.DataFrame, *, log: bool, percent: bool) -> Domain:
    """Round ends of the vertical axis that hold all values: they move seldom while a sweep goes on."""
    if percent:
        low = float(finite["low"].replace([math.inf, -math.inf], math.nan).min()) if len(finite) else 0.0
        return (math.floor(10 * low) / 10 if low == low else 0.0), 1.0
    values = finite[["median", "low", "high"]].to_numpy(dtype=np.float64) if len(finite) else np.array([1.0, 1000.0])
    values = values[np.isfinite(values) & (values > 0)]
    low, high = float(values.min(initial=math.inf)), float(values.max(initial=0.0))
    if high == 0.0:
        return (1.0, 1000.0) if log else (0.0, 1.0)
    if not log:
        unit = 10 ** math.floor(math.log10(high))
        return 0.0, float(next(step * unit for step in (1, 2, 3, 5, 10) if step * unit >= high))
    steps = (1, 2, 5) if high / low < 30 else (1,)
    rounded = [step * 10.0**exponent for exponent in range(-12, 13) for step in steps]
    below = max(value for value in rounded if value <= low * 0.98)
    above = min(value for value in rounded if value >= high * 1.02)
    return (below if above / below >= 4 else below / 2), above


def _decades(domain: Domain) -> list[float]:
    """Ticks of a logarithmic axis: 1, 10, 100, …; with 2 and 5 where there are few of these."""
    low, high = domain
    steps = (1,) if high / low >= 500 else (1, 2, 5)
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{step}e{exponent}") for exponent in exponents for step in steps]
    return [tick for tick in ticks if low * 0.999 <= tick <= high * 1.001]


def _text(value: float, percent: bool) -> str:
    """A number for a tooltip; "–" where there is none."""
    if value is None or not math.isfinite(value):
        return "–"
    if percent:
        return f"{value:.1%}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _finished(chart: alt.LayerChart, title: str, subtitle: str, dark: bool, height: int) -> dict[str, Any]:
    titled = name_only_what_is_there(chart).properties(
        title=alt.TitleParams(
            text=title,
            subtitle=subtitle or alt.Undefined,
            fontSize=TITLE_SIZE,
            subtitleFontSize=12,
            subtitleColor=MUTED_TEXT[dark],
            subtitlePadding=4,
            anchor="start",
            offset=8,
        ),
        height=height,
        width="container",
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        padding={"left": 4, "top": 4, "right": 8, "bottom": 4},
    )
    return titled.to_dict(validate=False)
