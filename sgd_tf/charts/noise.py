"""The noise of minibatch gradients, drawn: the cloud of steps, the law of its size, and runs on two valleys."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.style import DRAWN, FULL_BATCH, GRID, MUTED_TEXT, TEXT, Domain, Translate, batch_size_color
from sgd_tf.noise_law import equal_noise_batch_size, variance_law
from sgd_tf.valleys import height as valley_height
from sgd_tf.valleys import stationary_points

TITLE_SIZE = 15  # px
ARROWHEAD = "M0,-1L0.8,0.9L-0.8,0.9Z"  # points up, in a square of side 2
# Direction of an arrow on the screen, in degrees clockwise from upwards: a scale may be wider than it is high.
DIRECTION = (
    "90 + 180 / PI * atan2(scale('y', datum.b2) - scale('y', datum.b), scale('x', datum.w2) - scale('x', datum.w))"
)


def steps_spec(
    contours: pd.DataFrame,
    paths: pd.DataFrame,
    arrows: pd.DataFrame,
    *,
    batch_size: int,
    num_examples: int,
    w_domain: Domain,
    b_domain: Domain,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> dict[str, Any]:
    """Two parameters: contours of the loss, the paths of GD and SGD, and a point with the steps that lead from it.

    Args:
        contours: columns level, index, w, b, loss: points of each contour in order.
        paths: columns full_batch, update, w, b, loss: the weights before and after each update.
        arrows: columns kind ("minibatch", "mean" or "full"), w, b (from), w2, b2 (to), name.
        batch_size: k of the SGD path.
        num_examples: N.
        w_domain: ends of the horizontal axis.
        b_domain: ends of the vertical axis.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a Vega-Lite specification with the tables in ``datasets``; what lies outside the axes is clipped.
    """
    _ = translate
    words = (
        _("The way to the lowest loss"),
        _("Ring: where you stand, with the step of GD"),
        _("Weight w"),
        _("Bias b"),
        _("Loss"),
        _("Update"),
    )
    names = (f"GD (k = {num_examples:,})", f"k = {batch_size:,}")
    colors = (FULL_BATCH[dark], batch_size_color(batch_size, full_batch=batch_size == num_examples, dark=dark))
    spec = copy.copy(_steps(words, names, colors, w_domain, b_domain, dark, height))
    spec["datasets"] = {
        "contours": contours,
        "paths": paths.assign(run=np.where(paths["full_batch"], names[0], names[1])).round(5),
        "arrows": arrows.round(5),
    }
    return spec


@lru_cache(maxsize=64)
def _steps(
    words: tuple[str, ...],
    names: tuple[str, str],
    colors: tuple[str, str],
    w_domain: Domain,
    b_domain: Domain,
    dark: bool,
    height: int,
) -> dict[str, Any]:
    title, subtitle, w_title, b_title, loss_title, update_title = words
    x = alt.X("w:Q", title=w_title, scale=alt.Scale(domain=w_domain, nice=False), axis=alt.Axis(grid=False))
    y = alt.Y("b:Q", title=b_title, scale=alt.Scale(domain=b_domain, nice=False), axis=alt.Axis(grid=False))
    color = alt.Color(
        "run:N",
        scale=alt.Scale(domain=list(dict.fromkeys(names)), range=list(colors)),
        legend=alt.Legend(orient="top", title=None, symbolType="stroke", symbolStrokeWidth=3, offset=2),
    )
    contours = (
        alt.Chart(alt.NamedData(name="contours"))
        .mark_line(clip=True, color=MUTED_TEXT[dark], opacity=0.45, strokeWidth=1, aria=False)
        .encode(
            x=x,
            y=y,
            detail="level:N",
            order="index:Q",
            tooltip=[alt.Tooltip("loss:Q", title=loss_title, format=".3f")],
        )
    )
    paths = alt.Chart(alt.NamedData(name="paths"))
    tooltip = [
        alt.Tooltip("run:N", title=" "),
        alt.Tooltip("update:Q", title=update_title),
        alt.Tooltip("w:Q", title=w_title, format=".3f"),
        alt.Tooltip("b:Q", title=b_title, format=".3f"),
        alt.Tooltip("loss:Q", title=loss_title, format=".4f"),
    ]
    lines = paths.mark_line(clip=True, opacity=0.75, aria=False).encode(
        x=x,
        y=y,
        color=color,
        order="update:Q",
        strokeWidth=alt.condition("datum.full_batch", alt.value(2.5), alt.value(1.5)),
    )
    dots = paths.mark_point(clip=True, filled=True, opacity=0.9, aria=False).encode(
        x=x,
        y=y,
        color=color,
        size=alt.condition("datum.full_batch", alt.value(28), alt.value(16)),
        tooltip=tooltip,
    )
    here = (
        alt.Chart(alt.NamedData(name="arrows"))
        .transform_filter("datum.kind == 'full'")
        .mark_point(clip=True, size=190, strokeWidth=3, opacity=1, color=DRAWN, aria=False)
        .encode(x=x, y=y)
    )
    layers = [contours, lines, dots, here]
    return _arrowed(layers, x, y, colors, title, subtitle, dark=dark, height=height, thickness=3)


def arrows_spec(
    arrows: pd.DataFrame,
    *,
    layout: Literal["cloud", "end_to_end"],
    batch_size: int,
    num_examples: int,
    w_domain: Domain,
    b_domain: Domain,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> dict[str, Any]:
    """The steps of one epoch's minibatches: all from one point, or each shortened to its share and laid end to end.

    Args:
        arrows: columns kind ("minibatch", "mean" or "full"), w, b (from), w2, b2 (to), name.
        layout: which of the two the table holds.
        batch_size: k of the minibatches.
        num_examples: N.
        w_domain: ends of the horizontal axis.
        b_domain: ends of the vertical axis.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a Vega-Lite specification with the table in ``datasets``; what lies outside the axes is clipped.
    """
    _ = translate
    titles = {
        "cloud": (_("Each minibatch points elsewhere"), _("Thick: GD. Thin: minibatches. Dashed: their mean")),
        "end_to_end": (_("Laid end to end: one epoch"), _("Each shortened to its share k/N of the samples")),
    }
    words = (*titles[layout], _("Step in w"), _("Step in b"))
    colors = (FULL_BATCH[dark], batch_size_color(batch_size, full_batch=batch_size == num_examples, dark=dark))
    spec = copy.copy(_arrows(words, colors, w_domain, b_domain, dark, height))
    spec["datasets"] = {"arrows": arrows.round(7)}
    return spec


@lru_cache(maxsize=64)
def _arrows(
    words: tuple[str, ...], colors: tuple[str, str], w_domain: Domain, b_domain: Domain, dark: bool, height: int
) -> dict[str, Any]:
    title, subtitle, w_title, b_title = words
    axis = alt.Axis(gridColor=GRID[dark], tickCount=5)
    x = alt.X("w:Q", title=w_title, scale=alt.Scale(domain=w_domain, nice=False), axis=axis)
    y = alt.Y("b:Q", title=b_title, scale=alt.Scale(domain=b_domain, nice=False), axis=axis)
    return _arrowed([], x, y, colors, title, subtitle, dark=dark, height=height)


def _arrowed(
    below: list[alt.Chart],
    x: alt.X,
    y: alt.Y,
    colors: tuple[str, str],
    title: str,
    subtitle: str,
    *,
    dark: bool,
    height: int,
    thickness: int = 5,
) -> dict[str, Any]:
    """A chart with the arrows of the table "arrows" above its other layers, as a specification."""
    full_color, color = colors
    arrows = alt.Chart(alt.NamedData(name="arrows"))
    ends = {"x": x, "y": y, "x2": "w2:Q", "y2": "b2:Q"}
    tips = {"x": alt.X("w2:Q"), "y": alt.Y("b2:Q")}
    tooltip = [
        alt.Tooltip("name:N", title=" "),
        alt.Tooltip("dw:Q", title=x.title if isinstance(x.title, str) else "w", format="+.4f"),
        alt.Tooltip("db:Q", title=y.title if isinstance(y.title, str) else "b", format="+.4f"),
    ]

    def only(kind: str) -> alt.Chart:
        return arrows.transform_filter(f"datum.kind == '{kind}'").transform_calculate(
            dw="datum.w2 - datum.w", db="datum.b2 - datum.b"
        )

    def head(kind: str, head_color: str, size: int) -> alt.Chart:
        return (
            only(kind)
            .mark_point(
                clip=True, filled=True, opacity=1, shape=ARROWHEAD, size=size, angle=alt.ExprRef(DIRECTION), aria=False
            )
            .encode(**tips, color=alt.value(head_color), tooltip=tooltip)
        )

    def shaft(kind: str, shaft_color: str, **mark: Any) -> alt.Chart:
        return only(kind).mark_rule(clip=True, aria=False, **mark).encode(**ends, color=alt.value(shaft_color))

    layers = [
        *below,
        shaft("minibatch", color, opacity=0.6, strokeWidth=1.3),
        head("minibatch", color, 32),
        shaft("full", full_color, strokeWidth=thickness),
        head("full", full_color, 34 * thickness),
        shaft("mean", color, strokeWidth=2, strokeDash=[4, 3]),
        head("mean", color, 50),
    ]
    chart = alt.LayerChart(layer=layers)
    return _finished(chart, _title(title, subtitle, dark), height).to_dict()


def noise_against_k(
    measured: pd.DataFrame,
    *,
    s_squared: float,
    signal: float | None,
    num_examples: int,
    scale: tuple[float, float, float] | None = None,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> alt.LayerChart:
    """How far minibatch gradients lie from the full gradient against k: measured, and by the law.

    Args:
        measured: columns batch_size, mean, standard_error, law: E‖g_B − g‖² of each k that was measured.
        s_squared: S², sample variance of the per-sample gradients; 1 to have it as the unit.
        signal: ‖g‖²; None before anything is measured.
        num_examples: N.
        scale: noise scale B and the ends of its confidence interval, once they are known; ends may be inf.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a chart on logarithmic axes; what is measured at k = N, where the law is 0, stands at its lower edge.
    """
    _ = translate
    N = num_examples
    low, high = float(variance_law(s_squared, max(1.0, 0.98 * N), N)) / 2, 2.5 * max(s_squared, signal or 0.0)
    x = alt.X(
        "batch_size:Q",
        title=_("Batch size k"),
        scale=alt.Scale(type="log", domain=[0.8, 1.25 * N], nice=False),
        axis=alt.Axis(grid=False, values=[*(4**power for power in range(10) if 4**power < 0.6 * N), N], format=",d"),
    )
    decades = [float(f"1e{power}") for power in range(math.ceil(math.log10(low)), math.floor(math.log10(high)) + 1)]
    y = alt.Y(
        "value:Q",
        title=_("Mean of ‖g_B − g‖², in S²") if signal is None else _("Mean of ‖g_B − g‖²"),
        scale=alt.Scale(type="log", domain=[low, high], nice=False),
        axis=alt.Axis(values=decades, format="~g", gridColor=GRID[dark]),
    )
    k = np.unique(np.append(np.geomspace(1, N, 80), N * (1 - np.geomspace(0.02, 0.5, 40))))
    k = k[k <= 0.98 * N]
    curve = pd.DataFrame({"batch_size": k, "value": variance_law(s_squared, k, N)})
    law = (
        alt.Chart(curve)
        .mark_line(clip=True, color=TEXT[dark], strokeWidth=2, tooltip=None, aria=False)
        .encode(x=x, y=y)
    )
    layers = [] if signal is None else _signal_layers(x, y, signal, scale, N, dark, translate)

    shown = measured.assign(
        at=np.clip(measured["mean"], low, None),
        above=np.clip(measured["mean"] + 2 * measured["standard_error"], low, None),
        below=np.clip(measured["mean"] - 2 * measured["standard_error"], low, None),
        color=[batch_size_color(int(size), full_batch=size == N, dark=dark) for size in measured["batch_size"]],
        label=[f"{size:,}" for size in measured["batch_size"]],
    )
    points = alt.Chart(shown)
    color = alt.Color("color:N", scale=None)
    bars = points.mark_rule(clip=True, strokeWidth=2, aria=False).encode(
        x=x, y=alt.Y("below:Q"), y2="above:Q", color=color
    )
    circles = points.mark_point(filled=True, opacity=1, size=90, aria=False).encode(
        x=x,
        y=alt.Y("at:Q"),
        color=color,
        shape=alt.condition(f"datum.batch_size == {N}", alt.value("triangle-down"), alt.value("circle")),
        tooltip=[
            alt.Tooltip("label:N", title=_("Batch size k")),
            alt.Tooltip("mean:Q", title=_("Measured"), format=".4g"),
            alt.Tooltip("standard_error:Q", title=_("Standard error"), format=".2g"),
            alt.Tooltip("law:Q", title=_("Law"), format=".4g"),
        ],
    )
    chart = alt.LayerChart(layer=[*layers, law, bars, circles])
    title = _title(
        _("Noise of a minibatch gradient against k"),
        _("Points: measured, ± 2 standard errors. Line: (S²/k)(1 − k/N). Triangle: k = N, zero"),
        dark,
    )
    return _finished(chart, title, height)


def _signal_layers(
    x: alt.X,
    y: alt.Y,
    signal: float,
    scale: tuple[float, float, float] | None,
    N: int,
    dark: bool,
    translate: Translate,
) -> list[alt.Chart]:
    """The size of the gradient itself, and the k at which the noise is as large."""
    _ = translate
    words = alt.Chart(pd.DataFrame({"batch_size": [0.9], "value": [signal], "text": [_("‖g‖², the gradient itself")]}))
    layers = [
        words.mark_rule(color=MUTED_TEXT[dark], strokeDash=[5, 4], aria=False).encode(y=y),
        words.mark_text(align="left", dy=-8, color=MUTED_TEXT[dark], fontSize=12, aria=False).encode(
            x=x, y=y, text="text:N"
        ),
    ]
    if scale is None:
        return layers
    value, left, right = (equal_noise_batch_size(end, N) for end in scale)
    mark = alt.Chart(
        pd.DataFrame({"batch_size": [value], "left": [left], "right": [right], "text": [_("noise = gradient")]})
    )
    return [
        mark.mark_rect(color=MUTED_TEXT[dark], opacity=0.22, aria=False).encode(x=alt.X("left:Q"), x2="right:Q"),
        mark.mark_rule(color=MUTED_TEXT[dark], strokeWidth=1.5, aria=False).encode(x=x),
        mark.mark_text(align="left", dx=6, color=MUTED_TEXT[dark], fontSize=12, aria=False).encode(
            x=x, y=alt.value(10), text="text:N"
        ),
        *layers,
    ]


def two_valleys(
    ends: pd.DataFrame,
    *,
    batch_sizes: Sequence[int],
    num_examples: int,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> alt.LayerChart:
    """The curve with two valleys, and below it where runs of each batch size ended.

    Args:
        ends: columns batch_size and w, one row for each run that is shown.
        batch_sizes: all of the experiment, in order: each has a row of its own from the start.
        num_examples: N.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a layered chart; runs that lie outside the axis are left out.
    """
    _ = translate
    deep, ridge, shallow = stationary_points()
    left, right = -2.6, 1.9  # the names of the rows stand at the left
    w = np.linspace(-right, right, 121)
    top, gap = 1.15, 0.17
    rows = {k: -0.75 - gap * index for index, k in enumerate(batch_sizes)}
    bottom = min(rows.values()) - gap
    x = alt.X(
        "w:Q",
        title=_("Weight w"),
        scale=alt.Scale(domain=[left, right], nice=False),
        axis=alt.Axis(grid=False, values=[-1.5, -1, -0.5, 0, 0.5, 1, 1.5]),
    )
    y = alt.Y("y:Q", title=None, scale=alt.Scale(domain=[bottom, top], nice=False), axis=None)
    curve = pd.DataFrame({"w": w, "y": valley_height(w)})
    marks = pd.DataFrame(
        {
            "w": [deep, shallow],
            "y": [valley_height(deep), valley_height(shallow)],
            "text": [_("deeper valley"), _("start: shallow valley")],
        }
    )
    shown = ends[ends["w"].abs() < right]
    random = np.random.default_rng(0).uniform(-0.28, 0.28, len(shown))
    shown = shown.assign(
        y=[rows[k] for k in shown["batch_size"]] + gap * random,
        color=[batch_size_color(int(k), full_batch=k == num_examples, dark=dark) for k in shown["batch_size"]],
    ).round(4)
    names = pd.DataFrame(
        {
            "y": list(rows.values()),
            "text": ["GD" if k == num_examples else f"k = {k:,}" for k in rows],
            "color": [batch_size_color(k, full_batch=k == num_examples, dark=dark) for k in rows],
        }
    )
    color = alt.Color("color:N", scale=None)
    layers = [
        alt.Chart(pd.DataFrame({"w": [ridge]})).mark_rule(color=GRID[dark], strokeWidth=2, aria=False).encode(x=x),
        alt.Chart(curve)
        .mark_line(clip=True, color=TEXT[dark], strokeWidth=2.5, tooltip=None, aria=False)
        .encode(x=x, y=y, order="w:Q"),
        alt.Chart(marks)
        .mark_text(dy=16, color=MUTED_TEXT[dark], fontSize=12, aria=False)
        .encode(x=x, y=y, text="text:N"),
        alt.Chart(marks.iloc[1:])
        .mark_point(filled=True, size=120, opacity=1, color=FULL_BATCH[dark], aria=False)
        .encode(x=x, y=y),
        alt.Chart(shown)
        .mark_point(filled=True, size=16, opacity=0.7, tooltip=None, aria=False)
        .encode(x=x, y=y, color=color),
        alt.Chart(names)
        .mark_text(align="left", dx=2, fontSize=12, fontWeight="bold", aria=False)
        .encode(x=alt.value(0), y=y, text="text:N", color=color),
    ]
    title = _title(_("Where the runs ended"), _("Above: the loss. Below: one dot for each run, a row for each k"), dark)
    return _finished(alt.LayerChart(layer=layers), title, height)


def escape_shares(
    results: pd.DataFrame,
    *,
    batch_sizes: Sequence[int],
    num_examples: int,
    dark: bool = False,
    translate: Translate = str,
    height: int = 400,
) -> alt.LayerChart:
    """The share of runs that ended in the deeper valley for each batch size, with its confidence interval.

    Args:
        results: columns batch_size, share, low, high, num_escaped, num_runs.
        batch_sizes: all of the experiment, in order.
        num_examples: N.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    Returns:
        a layered chart with fixed axes.
    """
    _ = translate
    names = ["GD" if k == num_examples else f"{k:,}" for k in batch_sizes]
    shown = results.assign(
        name=["GD" if k == num_examples else f"{k:,}" for k in results["batch_size"]],
        color=[batch_size_color(int(k), full_batch=k == num_examples, dark=dark) for k in results["batch_size"]],
    )
    base = alt.Chart(shown)
    x = alt.X("name:O", title=_("Batch size k"), scale=alt.Scale(domain=names), axis=alt.Axis(labelAngle=0, grid=False))
    y = alt.Y(
        "share:Q",
        title=_("Runs that ended deeper"),
        scale=alt.Scale(domain=[0, 1]),
        axis=alt.Axis(format=".0%", tickCount=5),
    )
    color = alt.Color("color:N", scale=None)
    layers = [
        base.mark_rule(strokeWidth=2, aria=False).encode(x=x, y=alt.Y("low:Q"), y2="high:Q", color=color),
        base.mark_point(filled=True, size=90, opacity=1, aria=False).encode(
            x=x,
            y=y,
            color=color,
            tooltip=[
                alt.Tooltip("name:N", title=_("Batch size k")),
                alt.Tooltip("num_escaped:Q", title=_("Runs that ended deeper")),
                alt.Tooltip("num_runs:Q", title=_("Runs")),
                alt.Tooltip("share:Q", title=_("Share"), format=".1%"),
                alt.Tooltip("low:Q", title=_("95 % interval from"), format=".1%"),
                alt.Tooltip("high:Q", title=_("to"), format=".1%"),
            ],
        ),
        base.mark_text(dx=8, align="left", fontSize=12, color=MUTED_TEXT[dark], aria=False).encode(
            x=x, y=y, text=alt.Text("share:Q", format=".0%")
        ),
    ]
    title = _title(_("Share of runs that ended in the deeper valley"), _("Bars: 95 % interval of the share"), dark)
    return _finished(alt.LayerChart(layer=layers), title, height)


def _title(text: str, subtitle: str, dark: bool) -> alt.TitleParams:
    return alt.TitleParams(
        text=text,
        subtitle=subtitle,
        fontSize=TITLE_SIZE,
        subtitleFontSize=12,
        subtitleColor=MUTED_TEXT[dark],
        subtitlePadding=4,
        anchor="start",
        offset=8,
    )


def _finished(chart: alt.LayerChart, title: alt.TitleParams, height: int) -> alt.LayerChart:
    """The chart with its title, fitted to the width of the page."""
    return chart.properties(
        title=title,
        height=height,
        width="container",
        autosize={"type": "fit", "contains": "padding"},
        padding={"left": 4, "top": 4, "right": 8, "bottom": 4},
    )
