"""The noise of minibatch gradients, drawn: the cloud of steps, the law of its size, and runs on two valleys."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes
from sgd_tf.charts.frame import filled, finish, structure, table
from sgd_tf.charts.style import DRAWN, FULL_BATCH, LIGHT, Domain, Theme
from sgd_tf.noise.noise_law import equal_noise_batch_size, variance_law
from sgd_tf.noise.noise_law import noise_scale as exact_scale
from sgd_tf.noise.rows import Escapes
from sgd_tf.noise.valleys import height as valley_height
from sgd_tf.noise.valleys import stationary_points

TITLE_SIZE = 15  # px
MAX_DOTS = 100  # runs of each batch size that are shown
W_LIMIT = 1.9  # of the weight on the two valleys, to both sides
ROW_GAP = 0.17  # between two rows of runs below them, in units of the loss
ARROWHEAD = "M0,-1L0.8,0.9L-0.8,0.9Z"  # points up, in a square of side 2
# Direction of an arrow on the screen, in degrees clockwise from upwards: a scale may be wider than it is high.
DIRECTION = (
    "90 + 180 / PI * atan2(scale('y', datum.b2) - scale('y', datum.b), scale('x', datum.w2) - scale('x', datum.w))"
)
SILENT: dict[str, Any] = {"tooltip": None, "aria": False}  # of marks that say nothing


def steps(
    contours: pd.DataFrame,
    paths: pd.DataFrame,
    arrows: pd.DataFrame,
    *,
    batch_size: int,
    num_examples: int,
    domains: tuple[Domain, Domain],
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """Two parameters: contours of the loss, the paths of GD and SGD, and a point with the steps that lead from it.

    Args:
        contours: columns level, index, w, b, loss: points of each contour in order.
        paths: columns full_batch, update, w, b, loss: the weights before and after each update.
        arrows: columns kind ("minibatch", "mean" or "full"), w, b (from), w2, b2 (to), name.
        batch_size: k of the SGD path.
        num_examples: N.
        domains: ends of the horizontal and of the vertical axis; what lies outside is clipped.
        theme: of the page.
    """
    names = [f"GD (k = {num_examples:,})", f"k = {batch_size:,}"]
    if batch_size == num_examples:  # a single path
        names[1] = names[0]
    return filled(
        _steps(tuple(dict.fromkeys(names)), batch_size, num_examples, domains, theme),
        contours=contours,
        paths=paths.assign(run=np.where(paths["full_batch"], *names)).round(5),
        arrows=arrows.round(5),
    )


@structure
def _steps(
    names: tuple[str, ...], batch_size: int, num_examples: int, domains: tuple[Domain, Domain], theme: Theme
) -> alt.LayerChart:
    _ = theme.translate
    x, y = _plane(_("Weight w"), _("Bias b"), domains, alt.Axis(grid=False))
    colors = dict(zip(names, (theme.of(FULL_BATCH), theme.color_of(batch_size)), strict=False))
    legend = alt.Legend(orient="top", title=None, symbolType="stroke", symbolStrokeWidth=3, offset=2)
    color = alt.Color("run:N", scale=alt.Scale(domain=list(colors), range=list(colors.values())), legend=legend)
    is_full = "datum.full_batch"
    paths = table("paths").encode(x=x, y=y, color=color)

    # Lines of equal loss.
    contour = table("contours").mark_line(clip=True, color=theme.muted, opacity=0.45, strokeWidth=1, aria=False)
    loss = [alt.Tooltip("loss:Q", title=_("Loss"), format=".3f")]
    contours = contour.encode(x=x, y=y, detail="level:N", order="index:Q", tooltip=loss)
    # The path of each run, and its updates.
    lines = paths.mark_line(clip=True, opacity=0.75, aria=False).encode(
        order="update:Q", strokeWidth=alt.condition(is_full, alt.value(2.5), alt.value(1.5))
    )
    dots = paths.mark_point(clip=True, filled=True, opacity=0.9, aria=False).encode(
        size=alt.condition(is_full, alt.value(28), alt.value(16)),
        tooltip=[
            alt.Tooltip("run:N", title=" "),
            alt.Tooltip("update:Q", title=_("Update")),
            alt.Tooltip("w:Q", title=_("Weight w"), format=".3f"),
            alt.Tooltip("b:Q", title=_("Bias b"), format=".3f"),
            alt.Tooltip("loss:Q", title=_("Loss"), format=".4f"),
        ],
    )
    # A ring where the learner stands.
    ring = table("arrows").transform_filter("datum.kind == 'full'")
    here = ring.mark_point(clip=True, size=190, strokeWidth=3, opacity=1, color=DRAWN, aria=False).encode(x=x, y=y)
    arrows = _arrow_layers(x, y, theme.color_of(batch_size, num_examples), theme, thickness=3)
    title = _("The way to the lowest loss"), _("Ring: where you stand, with the step of GD")
    return finish([contours, lines, dots, here, *arrows], theme, title, title_size=TITLE_SIZE)


def arrows(
    steps: pd.DataFrame,
    *,
    layout: Literal["cloud", "end_to_end"],
    batch_size: int,
    num_examples: int,
    domains: tuple[Domain, Domain],
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """The steps of one epoch's minibatches: all from one point, or each shortened to its share and laid end to end.

    Args:
        steps: columns kind ("minibatch", "mean" or "full"), w, b (from), w2, b2 (to), name.
        layout: which of the two the table holds.
        batch_size: k of the minibatches.
        num_examples: N.
        domains: ends of the horizontal and of the vertical axis; what lies outside is clipped.
        theme: of the page.
    """
    return filled(_arrows(layout, theme.color_of(batch_size, num_examples), domains, theme), arrows=_rounded(steps))


def _rounded(steps: pd.DataFrame) -> pd.DataFrame:
    """Coordinates to seven digits of the longest: near a minimum all steps are tiny."""
    longest = float(steps[["w", "b", "w2", "b2"]].abs().max(axis=None))
    return steps.round(6 - math.floor(math.log10(longest)) if longest > 0 else 7)


@structure
def _arrows(layout: str, color: str, domains: tuple[Domain, Domain], theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    titles = {
        "cloud": (_("Each minibatch points elsewhere"), _("Thick: GD. Thin: minibatches. Dashed: their mean")),
        "end_to_end": (_("Laid end to end: one epoch"), _("Each shortened to its share k/N of the samples")),
    }
    x, y = _plane(_("Step in w"), _("Step in b"), domains, alt.Axis(gridColor=theme.grid, tickCount=5))
    return finish(_arrow_layers(x, y, color, theme), theme, titles[layout], title_size=TITLE_SIZE)


def _plane(w_title: str, b_title: str, domains: tuple[Domain, Domain], axis: alt.Axis) -> tuple[alt.X, alt.Y]:
    w, b = map(axes.scale, domains)
    return alt.X("w:Q", title=w_title, scale=w, axis=axis), alt.Y("b:Q", title=b_title, scale=b, axis=axis)


def _arrow_layers(x: alt.X, y: alt.Y, color: str, theme: Theme, thickness: int = 5) -> list[alt.Chart]:
    """Shaft and head of the arrows of the table "arrows": minibatches, gradient descent, and the mean."""
    tooltip = [
        alt.Tooltip("name:N", title=" "),
        alt.Tooltip("dw:Q", title=x["title"], format="+.4f"),
        alt.Tooltip("db:Q", title=y["title"], format="+.4f"),
    ]
    layers = []
    for kind, arrow_color, size, shaft in (
        ("minibatch", color, 32, {"opacity": 0.6, "strokeWidth": 1.3}),
        ("full", theme.of(FULL_BATCH), 34 * thickness, {"strokeWidth": thickness}),
        # The mean lies upon the arrow of gradient descent.
        ("mean", theme.background, 40, {"strokeWidth": 2, "strokeDash": [5, 4]}),
    ):
        arrows = (
            table("arrows")
            .transform_filter(f"datum.kind == '{kind}'")
            .transform_calculate(dw="datum.w2 - datum.w", db="datum.b2 - datum.b")
            .encode(color=alt.value(arrow_color))
        )
        shafts: dict[str, Any] = {"clip": True, "aria": False, **shaft}
        heads: dict[str, Any] = {"filled": True, "opacity": 1, "shape": ARROWHEAD, "size": size}
        layers += [
            arrows.mark_rule(**shafts).encode(x=x, y=y, x2="w2:Q", y2="b2:Q"),
            arrows.mark_point(**heads, clip=True, angle=alt.ExprRef(DIRECTION), aria=False).encode(
                x=alt.X("w2:Q"), y=alt.Y("b2:Q"), tooltip=tooltip
            ),
        ]
    return layers


def noise_of_k(
    measured: pd.DataFrame,
    *,
    s_squared: float,
    signal: float | None,
    num_examples: int,
    scale: tuple[float, float, float] | None = None,
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """How far minibatch gradients lie from the full gradient against k: measured, and by the law.

    Both axes are logarithmic. What is measured at k = N, where the law is 0, stands at the lower edge.

    Args:
        measured: columns batch_size, mean, standard_error, law: E‖g_B − g‖² of each k that was measured.
        s_squared: S², sample variance of the per-sample gradients; 1 to have it as the unit.
        signal: ‖g‖²; None before anything is measured.
        num_examples: N.
        scale: noise scale B and the ends of its confidence interval, once they are known; nan for an unknown B.
        theme: of the page.
    """
    _ = theme.translate
    N = num_examples
    k = np.unique(np.append(np.geomspace(1, N, 80), N * (1 - np.geomspace(0.02, 0.5, 40))))
    k = k[k <= 0.98 * N]
    law, error = variance_law(s_squared, k, N), 2 * measured["standard_error"]
    level = [signal] if signal else []
    # Where noise and gradient are equal: the words stand on the side on which the curve is far away.
    is_right = equal_noise_batch_size(exact_scale(s_squared, signal or 0.0), N) > N**0.6
    low = min(float(law.min()), *level, math.inf) / 2
    high = 2.5 * max(s_squared, *level, (measured["mean"] + error).max() / 2 if len(measured) else 0.0)
    marks = []
    if scale is not None and not math.isnan(scale[0]):
        ends = (max(_k_domain(N)[0], equal_noise_batch_size(end, N)) for end in scale)
        marks = [(*ends, _("noise = gradient"))]
    return filled(
        _noise_of_k(N, (low, high), signal is None, is_right, theme),
        curve=pd.DataFrame({"batch_size": k, "value": law}),
        signal=pd.DataFrame(
            {"batch_size": 0.9 if is_right else 1.2 * N, "value": level, "text": _("‖g‖², the full gradient")}
        ),
        scale=pd.DataFrame(marks, columns=["batch_size", "left", "right", "text"]),
        measured=measured.assign(
            at=measured["mean"].clip(low),
            above=(measured["mean"] + error).clip(low),
            below=(measured["mean"] - error).clip(low),
            color=_colors(measured["batch_size"], N, theme),
            label=[f"{size:,}" for size in measured["batch_size"]],
            full_batch=measured["batch_size"] == N,
        ),
    )


def _k_domain(num_examples: int) -> Domain:
    return 0.8, 1.25 * num_examples


@structure
def _noise_of_k(num_examples: int, domain: Domain, is_relative: bool, is_right: bool, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    x = alt.X(
        "batch_size:Q",
        title=_("Batch size k"),
        scale=axes.scale(_k_domain(num_examples), log=True),
        axis=alt.Axis(grid=False, values=[*axes.powers_of_four(1, 0.6 * num_examples), num_examples], format=",d"),
    )
    y = alt.Y(
        "value:Q",
        title=_("Mean squared distance, in S²") if is_relative else _("Mean squared distance from the full gradient"),
        scale=axes.scale(domain, log=True),
        axis=alt.Axis(values=axes.log_ticks(domain), format="~g", gridColor=theme.grid),
    )
    color = alt.Color("color:N", scale=None)
    muted: dict[str, Any] = {"color": theme.muted, "aria": False}
    text: dict[str, Any] = {"align": "left", "fontSize": 12} | muted
    mark, level, points = table("scale"), table("signal"), table("measured")
    tooltip = [
        alt.Tooltip("label:N", title=_("Batch size k")),
        alt.Tooltip("mean:Q", title=_("Measured"), format=".4g"),
        alt.Tooltip("standard_error:Q", title=_("Standard error"), format=".2g"),
        alt.Tooltip("law:Q", title=_("Formula"), format=".4g"),
    ]
    circle = alt.condition("datum.full_batch", alt.value("triangle-down"), alt.value("circle"))
    at_n = points.transform_filter("datum.full_batch").encode(x=x, y=alt.Y("at:Q"))
    layers = [
        # The law.
        table("curve").mark_line(clip=True, color=theme.text, strokeWidth=2, **SILENT).encode(x=x, y=y),
        # The k at which noise and gradient are equally large, with its interval.
        mark.mark_rect(opacity=0.22, **muted).encode(x=alt.X("left:Q"), x2="right:Q"),
        mark.mark_rule(strokeWidth=1.5, **muted).encode(x=x),
        mark.mark_text(dx=-6 if is_right else 6, **text | {"align": "right" if is_right else "left"}).encode(
            x=x, y=alt.value(10), text="text:N"
        ),
        # The gradient itself.
        level.mark_rule(strokeDash=[5, 4], **muted).encode(y=y),
        level.mark_text(dy=12 if is_right else -11, **text | {"align": "left" if is_right else "right"}).encode(
            x=x, y=y, text="text:N"
        ),
        # What was measured, ± 2 standard errors.
        points.mark_rule(clip=True, strokeWidth=2, aria=False).encode(
            x=x, y=alt.Y("below:Q"), y2="above:Q", color=color
        ),
        points.mark_point(filled=True, opacity=1, size=90, aria=False).encode(
            x=x, y=alt.Y("at:Q"), color=color, shape=circle, tooltip=tooltip
        ),
        at_n.mark_text(**text | {"align": "right"}, dx=-9, text="k = N: 0"),
    ]
    title = (
        _("Noise of a minibatch gradient against k"),
        _("Points: measured, ± 2 standard errors. Line: (S²/k)(1 − k/N)"),
    )
    return finish(layers, theme, title, title_size=TITLE_SIZE)


def valleys(
    found: Sequence[Escapes], *, batch_sizes: Sequence[int], num_examples: int, theme: Theme = LIGHT
) -> alt.LayerChart:
    """The curve with two valleys, and below it where runs of each batch size ended.

    Args:
        found: one row for each batch size so far; runs that ended outside the axis are left out.
        batch_sizes: all of the experiment, in order: each has a row of its own from the start.
        num_examples: N.
        theme: of the page.
    """
    _ = theme.translate
    deep, _ridge, shallow = stationary_points()
    rows = {k: -0.75 - ROW_GAP * index for index, k in enumerate(batch_sizes)}
    w = np.linspace(-W_LIMIT, W_LIMIT, 121)
    inside = {row.batch_size: [end for end in row.ends if abs(end) < W_LIMIT][:MAX_DOTS] for row in found}  # not nan
    ends = [(k, end) for k, few in inside.items() for end in few]
    shown = pd.DataFrame(ends, columns=["batch_size", "w"]).astype({"batch_size": "int64", "w": "float64"})
    scatter = np.random.default_rng(0).uniform(-0.28, 0.28, len(shown))  # so that one dot does not hide another
    colors = _colors(shown["batch_size"], num_examples, theme)
    names = ["GD" if k == num_examples else f"k = {k:,}" for k in rows]
    bottoms = {
        "w": [deep, shallow],
        "y": [valley_height(deep), valley_height(shallow)],
        "text": [_("deeper valley"), _("start: shallow valley")],
        "is_start": [False, True],
    }
    return filled(
        _valleys(len(rows), theme),
        curve=pd.DataFrame({"w": w, "y": valley_height(w)}),
        bottoms=pd.DataFrame(bottoms),
        names=pd.DataFrame({"y": rows.values(), "text": names, "color": _colors(rows, num_examples, theme)}),
        ends=shown.assign(y=shown["batch_size"].map(rows) + ROW_GAP * scatter, color=colors).round(4),
    )


@structure
def _valleys(num_rows: int, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    x = alt.X(
        "w:Q",
        title=_("Weight w"),
        scale=axes.scale((-W_LIMIT - 0.7, W_LIMIT)),  # the names of the rows stand at the left
        axis=alt.Axis(grid=False, values=[-1.5, -1, -0.5, 0, 0.5, 1, 1.5]),
    )
    y = alt.Y("y:Q", title=None, scale=axes.scale((-0.75 - ROW_GAP * num_rows, 1.15)), axis=None)
    color = alt.Color("color:N", scale=None)
    curve, bottoms, names = table("curve"), table("bottoms").encode(x=x, y=y), table("names")
    start = bottoms.transform_filter("datum.is_start")
    layers = [
        # The ridge, and the loss with its two valleys.
        curve.mark_rule(color=theme.grid, strokeWidth=2, **SILENT).encode(x=alt.datum(stationary_points()[1])),
        curve.mark_line(clip=True, color=theme.text, strokeWidth=2.5, **SILENT).encode(x=x, y=y, order="w:Q"),
        # Names of the valleys, and where all runs start.
        bottoms.mark_text(dy=16, color=theme.muted, fontSize=12, aria=False).encode(text="text:N"),
        start.mark_point(filled=True, size=120, opacity=1, color=theme.of(FULL_BATCH), **SILENT),
        # A dot where each run ended, in the row of its k.
        table("ends").mark_point(filled=True, size=16, opacity=0.7, **SILENT).encode(x=x, y=y, color=color),
        names.mark_text(align="left", dx=2, fontSize=12, fontWeight="bold", aria=False).encode(
            x=alt.value(0), y=y, text="text:N", color=color
        ),
    ]
    title = _("Where the runs ended"), _("Above: the loss. Below: a row for each k, dots for 100 of its runs")
    return finish(layers, theme, title, title_size=TITLE_SIZE)


def escapes(
    found: Sequence[Escapes], *, batch_sizes: Sequence[int], num_examples: int, theme: Theme = LIGHT
) -> alt.LayerChart:
    """The share of runs that ended in the deeper valley for each batch size, with its interval; a × for what diverged.

    Args:
        found: one row for each batch size so far.
        batch_sizes: all of the experiment, in order; they fix the horizontal axis.
        num_examples: N.
        theme: of the page.
    """
    names = {k: "GD" if k == num_examples else f"{k:,}" for k in batch_sizes}
    rows = [
        {
            "name": names[row.batch_size],
            "share": row.share,
            "low": row.interval[0],
            "high": row.interval[1],
            "diverged_share": row.num_diverged / row.num_runs,
            "num_escaped": row.num_escaped,
            "num_diverged": row.num_diverged,
            "num_runs": row.num_runs,
            "color": theme.color_of(row.batch_size, num_examples),
        }
        for row in found
    ]
    return filled(_escapes(tuple(names.values()), theme), results=pd.DataFrame(rows))


@structure
def _escapes(names: tuple[str, ...], theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    x_scale, x_axis = alt.Scale(domain=names), alt.Axis(labelAngle=0, grid=False)
    x = alt.X("name:O", title=_("Batch size k"), scale=x_scale, axis=x_axis)
    axis = alt.Axis(format=".0%", tickCount=5, gridColor=theme.grid)
    y = alt.Y("share:Q", title=_("Runs that ended deeper"), scale=axes.scale((0, 1)), axis=axis)
    color = alt.Color("color:N", scale=None)
    tooltip = [
        alt.Tooltip("name:N", title=_("Batch size k")),
        alt.Tooltip("num_escaped:Q", title=_("Runs that ended deeper")),
        alt.Tooltip("num_runs:Q", title=_("Runs")),
        alt.Tooltip("share:Q", title=_("Share"), format=".1%"),
        alt.Tooltip("low:Q", title=_("95% interval from"), format=".1%"),
        alt.Tooltip("high:Q", title=_("to"), format=".1%"),
        alt.Tooltip("num_diverged:Q", title=_("Runs that diverged")),
    ]
    results = table("results").encode(x=x)
    lost = results.transform_filter("datum.num_diverged > 0")
    cross: dict[str, Any] = {"shape": "cross", "angle": 45, "filled": True, "size": 80, "opacity": 1}
    layers = [
        # The share, with its 95 % interval, and as a number.
        results.mark_rule(strokeWidth=2, aria=False).encode(y=alt.Y("low:Q"), y2="high:Q", color=color),
        results.mark_point(filled=True, size=90, opacity=1, aria=False).encode(y=y, color=color, tooltip=tooltip),
        results.mark_text(dy=-14, fontSize=12, color=theme.muted, aria=False).encode(
            y=alt.Y("high:Q"), text=alt.Text("share:Q", format=".0%")
        ),
        # The share that diverged, beside the share that escaped.
        lost.mark_point(**cross, xOffset=11, color=theme.muted, aria=False).encode(
            y=alt.Y("diverged_share:Q"), tooltip=tooltip
        ),
    ]
    title = (
        _("Share of runs that ended in the deeper valley"),
        _("Bars: 95% interval of the share. ×: share that diverged"),
    )
    return finish(layers, theme, title, title_size=TITLE_SIZE)


def _colors(batch_sizes: Iterable[int], num_examples: int, theme: Theme) -> list[str]:
    return [theme.color_of(int(k), num_examples) for k in batch_sizes]
