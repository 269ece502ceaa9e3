"""What a sweep over batch sizes has measured, drawn: prices against k, and the map of learning rates."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes
from sgd_tf.charts.axes import Axis
from sgd_tf.charts.frame import Title, filled, finish, structure, table
from sgd_tf.charts.labels import CROSS, words
from sgd_tf.charts.style import LIGHT, Domain, Theme
from sgd_tf.ui.numbers import digits, percent

if TYPE_CHECKING:
    from sgd_tf.sweep.critical_batch_size import Hyperbola
    from sgd_tf.sweep.rows import Place

TITLE_SIZE = 15
SHARE = "format(datum.value, '.0%')"  # labels of the vertical axis
NUMBER = "format(datum.value, datum.value < 1000 ? '~g' : '~s')"
BEST = {False: "#1B4A9B", True: "#A9CBFF"}  # of the map: as few samples as with the best rate of this k …
FAR = {False: "#E3EAF5", True: "#1C2740"}  # … and eight times as many, or more
FAR_RATIO = 8.0
DASH = "M-1,-0.15L1,-0.15L1,0.15L-1,0.15Z"  # a rate that did not reach the target, in a square of side 2
SIZE = "datum.value < 10000 ? format(datum.value, ',') : format(datum.value, '.3~s')"  # label of a batch size
LIMITS: dict[str, list[int]] = {"start": [6, 4], "target": [2, 3]}  # dashes of 2/λmax
NOISE_BAR = 7  # height of the bar of the noise scale, in px


@dataclass(frozen=True, kw_only=True)
class Guides:
    """What is drawn beside the measurements of a chart against k."""

    perfect_scaling: bool = False  # S(k) = S(k₀) k₀/k from the smallest k: twice the k, half the updates
    same_samples: bool = False  # E = E(k₀): perfect scaling of samples, as many with each k
    fit: Hyperbola | None = None  # of updates, or with `same_samples` of samples, with its critical batch size
    noise_scales: Sequence[float] = field(default=())  # along a run: a bar from the smallest to the largest


def by_batch_size(
    spread: pd.DataFrame,
    *,
    title: Title,
    y: Axis,
    batch_sizes: Sequence[int],
    num_examples: int,
    guides: Guides | None = None,
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """Median over the seeds of what was measured, against k, with a band from the lowest to the highest seed.

    A k most of whose runs have no value stands as a cross at the edge where it is worst. The seeds of one k are those
    of the others: the bands rise and fall together.

    Args:
        spread: of `analysis.spread`; with a column "series" several of them in one chart.
        title: of the chart, and the line below it.
        y: the vertical axis, without a domain; of shares it ends at 100 %.
        batch_sizes: of the horizontal axis, whether there are runs of them or not.
        num_examples: N, whose runs are gradient descent.
        guides: what is drawn besides.
        theme: of the page.

    >>> empty = pd.DataFrame(columns=["batch_size", "learning_rate", "median", "low", "high", "num_seeds", "num_known"])
    >>> chart = by_batch_size(empty, title="Updates", y=Axis("median", log=True), batch_sizes=[1, 2], num_examples=2)
    >>> chart.to_dict()["title"]["text"]
    'Updates'
    """
    guides = guides or Guides()
    data = spread.assign(series=spread.get("series", "")).astype(dict.fromkeys(("median", "low", "high"), "float64"))
    if y.log:  # nothing at all has no place on a logarithmic axis: a target that holds before the first update
        data = data[~(data["median"] <= 0)]
    is_known = np.isfinite(data["median"])
    finite = data[is_known]
    y = replace(y, domain=_domain(finite, log=y.log, percent=y.percent))
    texts = {name: [_text(value, y) for value in data[name]] for name in ("median", "low", "high")}
    points = data.assign(
        shown=data["median"].where(is_known, y.ends[0 if y.percent else 1]),
        known=is_known,
        seeds=[f"{known} / {num}" for known, num in zip(data["num_known"], data["num_seeds"], strict=True)],
        **{f"{name}_text": text for name, text in texts.items()},
    ).replace([math.inf, -math.inf], None)
    # Where a seed has no value the band ends at the median.
    ends = {name: finite[name].where(np.isfinite(finite[name]), finite["median"]) for name in ("low", "high")}
    sizes = sorted(batch_sizes)
    colors = tuple((k, theme.color_of(k, num_examples)) for k in sizes)
    names = tuple(dict.fromkeys(data["series"])) or ("",)
    beside = _beside(guides, sizes, finite, y, theme)
    is_right = bool(beside["noise_bar"]["high"].max() > sizes[-1] / 8)  # no room beside the bar
    chart = _by_batch_size(colors, names, y, (guides.same_samples, is_right), title, theme)
    return filled(chart, band=finite.assign(**ends), line=finite, points=points, **beside)


@structure
def _by_batch_size(
    colors: tuple[tuple[int, str], ...],
    names: tuple[str, ...],
    y_axis: Axis,
    options: tuple[bool, bool],
    title: Title,
    theme: Theme,
) -> alt.LayerChart:
    _ = theme.translate
    sizes = [k for k, _color in colors]
    x_scale = axes.scale((sizes[0] / 1.25, sizes[-1] * 1.25), log=True, base=2)
    x = alt.X("batch_size:Q", scale=x_scale, axis=_size_axis(sizes), title=_("Batch size k"))
    ticks = y_axis.ticks() or alt.Undefined
    axis = alt.Axis(labelExpr=SHARE if y_axis.percent else NUMBER, tickCount=5, values=ticks)
    y = alt.Y("median:Q", scale=y_axis.scale(), title=y_axis.title, axis=axis)
    low, shown, guide = axes.fields(alt.Y, "low", "shown", "guide", scale=y_axis.scale())
    several = alt.Legend(orient="bottom", title=None, symbolStrokeColor=theme.muted) if len(names) > 1 else None
    dashes = alt.Scale(domain=list(names), range=[[1, 0], [5, 4]][: len(names)])
    tooltip = [
        *([alt.Tooltip("series:N", title=_("Learning rate is"))] if several else []),
        alt.Tooltip("batch_size:Q", title="k", format=","),
        alt.Tooltip("learning_rate:Q", title=_("Learning rate"), format=".3g"),
        alt.Tooltip("median_text:N", title=_("Median")),
        alt.Tooltip("low_text:N", title=_("Lowest")),
        alt.Tooltip("high_text:N", title=_("Highest")),
        alt.Tooltip("seeds:N", title=_("Runs with a value")),
    ]

    # From the lowest to the highest seed, and the median.
    area = table("band").mark_area(opacity=0.18, color=theme.muted, clip=True, tooltip=None)
    band = area.encode(x=x, y=low, y2="high:Q", detail="series:N")
    line = (
        table("line")
        .mark_line(color=theme.muted, strokeWidth=1.5, clip=True, tooltip=None)
        .encode(x=x, y=y, strokeDash=alt.StrokeDash("series:N", scale=dashes, legend=several), detail="series:N")
    )
    # Perfect scaling, the fitted law, the noise scale.
    beside = _guide_layers(x, x_scale, guide, options, theme)
    # A point for each k in its colour; a cross where most runs have no value.
    shape = alt.Shape("known:N", scale=alt.Scale(domain=[True, False], range=["circle", CROSS]), legend=None)
    color = alt.Color("batch_size:O", scale=alt.Scale(domain=sizes, range=[c for _k, c in colors]), legend=None)
    mark = table("points").mark_point(filled=True, size=90, opacity=1, stroke=theme.background, strokeWidth=1)
    points = mark.encode(x=x, y=shown, color=color, shape=shape, tooltip=tooltip)
    return finish([band, line, *beside, points], theme, title, title_size=TITLE_SIZE)


def _guide_layers(
    x: alt.X, x_scale: alt.Scale, guide: alt.Y, options: tuple[bool, bool], theme: Theme
) -> list[alt.Chart]:
    _ = theme.translate
    same_samples, is_right = options
    curve: dict[str, Any] = {"color": theme.text, "strokeWidth": 1.25, "clip": True, "tooltip": None}
    critical, bar = table("critical"), table("noise_bar")
    bottom = alt.value(alt.ExprRef(f"height - {NOISE_BAR}"))
    bar_text = [alt.Tooltip("text:N", title=_("Gradient noise scale"))]
    place: dict[str, Any] = {"align": "right", "dy": -12, "dx": 0} if is_right else {"dx": 5}
    name: dict[str, Any] = {"dx": 5, "dy": 10} if same_samples else {"align": "right", "dx": -6, "dy": 4}
    at_high = alt.X("high:Q", scale=x_scale)
    return [
        # Perfect scaling from the smallest k.
        table("perfect").mark_line(strokeDash=[2, 3], **curve).encode(x=x, y=guide),
        *words(table("perfect_name").encode(x=x, y=guide), theme, fontSize=11, **name),
        # The fitted law, and its critical batch size with the interval.
        table("fit").mark_line(strokeDash=[6, 3], **curve).encode(x=x, y=guide),
        table("interval")
        .mark_rect(color=theme.text, opacity=0.1, tooltip=None)
        .encode(x=alt.X("low:Q", scale=x_scale), x2="high:Q"),
        critical.mark_rule(color=theme.text, strokeWidth=1.25, tooltip=None).encode(x=x),
        *words(critical.encode(x=x, y=alt.value(2)), theme, fontWeight="bold", dx=5, baseline="top"),
        # A bar at the bottom from the smallest to the largest noise scale along a run.
        bar.mark_bar(height=NOISE_BAR, color=theme.text, opacity=0.55).encode(
            x=x, x2="high:Q", y=bottom, tooltip=bar_text
        ),
        *words(bar.encode(x=at_high, y=bottom), theme, fontSize=11, baseline="middle", **place),
    ]


def _beside(guides: Guides, sizes: Sequence[int], finite: pd.DataFrame, y: Axis, theme: Theme) -> dict[str, Any]:
    """Tables of what is drawn beside the measurements; empty where there is nothing to draw."""
    _ = theme.translate
    empty = pd.DataFrame(columns=["batch_size", "guide", "low", "high", "label", "text"])
    tables = dict.fromkeys(("perfect", "perfect_name", "fit", "critical", "interval", "noise_bar"), empty)
    grid = np.geomspace(sizes[0], sizes[-1], 60)
    if len(finite) and (guides.perfect_scaling or guides.same_samples):
        # Twice the k, half the updates, hence as many samples with each k.
        first = finite.sort_values("batch_size").iloc[0]
        start = float(first["median"])
        values = np.full(len(grid), start) if guides.same_samples else start * first["batch_size"] / grid
        # The name stands left of a falling line, in the lower part of the plot, where nothing is measured.
        at = len(grid) * 3 // 5 if guides.same_samples else int(np.abs(np.log(values / y.value(0.3))).argmin())
        name = {"batch_size": grid[at], "guide": values[at], "label": _("perfect scaling")}
        tables |= {
            "perfect": pd.DataFrame({"batch_size": grid, "guide": values}),
            "perfect_name": pd.DataFrame([name]),
        }
    if fit := guides.fit:
        law = fit.updates(grid) * (grid if guides.same_samples else 1.0)
        tables["fit"] = pd.DataFrame({"batch_size": grid, "guide": law})
        critical = fit.critical_batch_size
        if fit.no_interval != "misfit" and sizes[0] <= critical <= sizes[-1]:
            label = _("critical k ≈ {k}").format(k=f"{critical:,.0f}")
            ends = {"low": max(sizes[0], fit.low), "high": min(sizes[-1], fit.high)}
            tables["critical"] = pd.DataFrame([{"batch_size": critical, **ends, "label": label}])
            tables["interval"] = tables["critical"] if math.isfinite(fit.low) else empty
    if scales := [value for value in guides.noise_scales if math.isfinite(value)]:
        low, high = (min(max(end, sizes[0]), sizes[-1]) for end in (min(scales), max(scales)))
        text = f"{min(scales):,.0f} – {max(scales):,.0f}"
        bar = {"batch_size": low, "high": max(high, 1.05 * low), "label": _("noise scale"), "text": text}
        tables["noise_bar"] = pd.DataFrame([bar])
    return tables


def rate_map(
    cells: pd.DataFrame,
    *,
    title: Title,
    batch_sizes: Sequence[int],
    learning_rates: Sequence[float],
    limits: Mapping[Place, float] | None = None,
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """Every learning rate with every k: how many updates to the target, next to the best rate of the same k.

    Args:
        cells: of `analysis.rate_cells`.
        title: of the chart, and the line below it.
        batch_sizes: of the horizontal axis.
        learning_rates: of the vertical axis.
        limits: largest stable learning rates of gradient descent, 2/λmax, to draw: dashed of the start, dotted of the
            target.
        theme: of the page.

    >>> columns = ["batch_size", "learning_rate", "updates", "ratio", "state", "diverged_at", "num_seeds", "is_best"]
    >>> chart = rate_map(pd.DataFrame(columns=columns), title="Map", batch_sizes=[1, 2], learning_rates=[0.1, 1.0])
    >>> chart.to_dict()["title"]["text"]
    'Map'
    """
    _ = theme.translate
    limits = limits or {}
    sizes, rates = sorted(batch_sizes), sorted(learning_rates)
    x_edges, y_edges = _edges(sizes), _edges(rates)
    top = max([y_edges[-1], *(1.15 * limit for limit in limits.values() if limit < 4 * y_edges[-1])])
    names = {
        "reached": _("reached"),
        "not reached": _("not reached"),
        "no better": _("no better than at the start"),
        "diverged": _("diverged"),
    }
    data = cells[cells["batch_size"].isin(sizes) & cells["learning_rate"].isin(rates)]
    columns, rows = [data[name].map(values.index) for name, values in (("batch_size", sizes), ("learning_rate", rates))]
    data = data.assign(
        left=[x_edges[at] for at in columns],
        right=[x_edges[at + 1] for at in columns],
        below=[y_edges[at] for at in rows],
        above=[y_edges[at + 1] for at in rows],
        shade=data["ratio"].astype("float64").clip(1.0, FAR_RATIO),
        words=data["state"].map(names),
        number=[digits(value, 3) for value in data["updates"].replace(math.inf, math.nan)],
        times=[digits(value, 3) for value in data["ratio"].replace(math.inf, math.nan)],
        diverged_at=data["diverged_at"].astype("float64"),
    ).replace([math.inf, -math.inf], None)
    inside = [(place, limit) for place, limit in limits.items() if place in LIMITS and y_edges[0] < limit <= top]
    x_domain, y_domain = (x_edges[0], x_edges[-1]), (y_edges[0], top)
    return filled(
        _rate_map(tuple(sizes), tuple(rates), x_domain, y_domain, title, theme),
        reached=data[data["state"] == "reached"],
        others=data[data["state"] != "reached"],
        best=data[data["is_best"].astype(bool)],
        limits=pd.DataFrame(inside, columns=["place", "learning_rate"]),
    )


@structure
def _rate_map(
    sizes: tuple[int, ...], rates: tuple[float, ...], x_domain: Domain, y_domain: Domain, title: Title, theme: Theme
) -> alt.LayerChart:
    _ = theme.translate
    x_scale, y_scale = axes.scale(x_domain, log=True, base=2), axes.scale(y_domain, log=True)
    x_axis = {"scale": x_scale, "title": _("Batch size k"), "axis": _size_axis(sizes)}
    y_axis = {"scale": y_scale, "title": _("Learning rate"), "axis": alt.Axis(values=rates, format=".2~g", grid=False)}
    x, left = axes.fields(alt.X, "batch_size", "left", **x_axis)
    y, below = axes.fields(alt.Y, "learning_rate", "below", **y_axis)
    tooltip = [
        alt.Tooltip("batch_size:Q", title="k", format=","),
        alt.Tooltip("learning_rate:Q", title=_("Learning rate"), format=".3g"),
        alt.Tooltip("words:N", title=_("Target")),
        alt.Tooltip("number:N", title=_("Updates to the target")),
        alt.Tooltip("times:N", title=_("Times the best of this k")),
        alt.Tooltip("num_seeds:Q", title=_("Seeds")),
    ]
    legend = alt.Legend(
        title=_("times the best of this k"),
        orient="bottom",
        values=[1, 2, 4, 8],
        gradientLength=160,
        gradientThickness=9,
        labelExpr="datum.value == 8 ? '≥ 8 ×' : datum.value + ' ×'",
        titleOrient="left",
        titleColor=theme.text,
    )
    shades = alt.Scale(type="log", domain=[1, FAR_RATIO], range=[theme.of(BEST), theme.of(FAR)], clamp=True)

    # A tile where the target was reached, the darker the fewer updates; a dot in the best of each k.
    tile = table("reached").mark_rect(stroke=theme.background, strokeWidth=1)
    color = alt.Color("shade:Q", scale=shades, legend=legend)
    tiles = tile.encode(x=left, x2="right:Q", y=below, y2="above:Q", color=color, tooltip=tooltip)
    dot = table("best").mark_point(filled=True, size=55, opacity=1, color=theme.background, tooltip=None)
    # A dash or a cross where it was not.
    shape = axes.look(alt.Shape, "state", {"not reached": DASH, "no better": CROSS, "diverged": CROSS})
    mark = table("others").mark_point(filled=True, size=70, opacity=1, color=theme.muted)
    marks = mark.encode(x=x, y=y, tooltip=tooltip, shape=shape)
    # The largest stable learning rates of gradient descent; words in the plot would lie on the marks.
    dash = axes.look(alt.StrokeDash, "place", LIMITS)
    limit = [alt.Tooltip("learning_rate:Q", title="2/λmax", format=".3g")]
    rule = table("limits").mark_rule(color=theme.text, strokeWidth=1.5).encode(y=y, strokeDash=dash, tooltip=limit)
    return finish([tiles, marks, dot.encode(x=x, y=y), rule], theme, title, title_size=TITLE_SIZE)


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


def _size_axis(sizes: Sequence[int]) -> alt.Axis:
    """A tick for each batch size; of two that stand close together only for the larger."""
    ticks = [k for k, following in zip(sizes, [*sizes[1:], math.inf], strict=True) if following / k > 1.7]
    return alt.Axis(values=ticks, labelExpr=SIZE, grid=False, labelOverlap="greedy", labelSeparation=4)


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


def _text(value: float, axis: Axis) -> str:
    """A number for a tooltip; "–" where there is none."""
    known = value if math.isfinite(value) else None
    return percent(known) if axis.percent else digits(known, 3)
