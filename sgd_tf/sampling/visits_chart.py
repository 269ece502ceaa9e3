"""Positions of the samples in an epoch, the number of draws of each, and the shares drawn 0, 1, 2, … times."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes
from sgd_tf.charts.frame import filled, finish, structure, table
from sgd_tf.charts.style import DRAWN, LIGHT, Theme
from sgd_tf.sampling.chart import SAMPLING_COLORS
from sgd_tf.training.records import Sampling

AXIS_WIDTH = 30  # px, the same in charts that stand below each other


def positions(
    order: pd.DataFrame,
    *,
    sampling: Sampling,
    num_examples: int,
    before: pd.DataFrame | None = None,
    buffer_size: int | None = None,
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """Where in the epoch each sample was drawn: a cloud, a diagonal, or a band along it.

    The samples of the first minibatch are yellow. Rings are the epoch before: a dot in a ring is a sample that has
    kept its place. With a shuffle buffer no dot lies right of the line position = index − b + 1.

    Args:
        order: columns of `ledger.positions`, of one epoch.
        sampling: how it was drawn; gives the colour.
        num_examples: N.
        before: the same of the epoch before.
        buffer_size: b, for the line; None for no line.
        theme: of the page.

    >>> order = pd.DataFrame({"sample": [1, 0], "position": [0, 1], "iteration": [1, 2]})
    >>> sorted(positions(order, sampling="reshuffle", num_examples=2).to_dict()["datasets"])
    ['before', 'line', 'now']
    """
    b = num_examples if buffer_size is None else min(buffer_size, num_examples)
    ends = {"sample": [b - 1, num_examples - 1], "position": [0, num_examples - b]}
    line = pd.DataFrame(ends if b < num_examples else {"sample": [], "position": []})
    chart = _positions(sampling, num_examples, theme)
    return filled(chart, now=order, before=order[:0] if before is None else before, line=line)


@structure
def _positions(sampling: Sampling, num_examples: int, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    edges, ticks = axes.scale((-0.5, num_examples - 0.5)), axes.index_ticks(num_examples)
    y = alt.Y("position:Q", scale=edges, axis=_upward(_("Position in the epoch"), values=ticks))
    place: dict[str, Any] = {"x": _sample_axis("sample", num_examples, theme), "y": y}
    tooltip = [
        alt.Tooltip("sample:Q", title=_("Index of the sample"), format=",d"),
        alt.Tooltip("position:Q", title=_("Position in the epoch"), format=",d"),
        alt.Tooltip("iteration:Q", title=_("Iteration"), format=",d"),
    ]
    size = float(np.clip(2_400 / num_examples, 7, 60))  # area of a dot, in px²
    now = table("now").encode(**place, tooltip=tooltip)

    # Rings: the epoch before.
    ring: dict[str, Any] = {"stroke": theme.muted, "strokeWidth": 1, "opacity": 0.75, "filled": False}
    rings = table("before").mark_point(**ring, size=2.6 * size + 14, tooltip=None, aria=False).encode(**place)
    # All samples but those of the first minibatch, in the colour of the way of drawing.
    dot = now.transform_filter("!(datum.iteration == 1)")
    others = dot.mark_circle(opacity=1, size=size, color=theme.of(SAMPLING_COLORS)[sampling])
    # The first minibatch, in yellow.
    drawn = now.transform_filter("datum.iteration == 1")
    first = drawn.mark_circle(opacity=1, size=1.6 * size, color=DRAWN, stroke=theme.text, strokeWidth=0.7)
    # The earliest position that a shuffle buffer allows.
    dashed: dict[str, Any] = {"color": theme.text, "strokeDash": [5, 3], "strokeWidth": 1.5}
    line = table("line").mark_line(**dashed, tooltip=None, aria=False).encode(**place)
    return finish([rings, others, first, line], theme)


def visits(
    counts: Sequence[int] | np.ndarray, *, sampling: Sampling, max_visits: int, theme: Theme = LIGHT
) -> alt.LayerChart:
    """How often each sample was visited; a stripe marks one that never was.

    Args:
        counts: (N,) visits of each sample.
        sampling: how they were drawn; gives the colour.
        max_visits: end of the vertical axis.
        theme: of the page.

    >>> visits([2, 0, 1], sampling="with_replacement", max_visits=2).to_dict()["datasets"]["visits"][0]
    {'sample': 0, 'visits': 2, 'left': -0.5, 'right': 0.5}
    """
    samples = pd.DataFrame({"sample": np.arange(len(counts)), "visits": np.asarray(counts)})
    samples = samples.assign(left=samples["sample"] - 0.5, right=samples["sample"] + 0.5)
    return filled(_visits(sampling, len(samples), max_visits, theme), visits=samples)


@structure
def _visits(sampling: Sampling, num_examples: int, max_visits: int, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    ticks = list(range(0, max_visits + 1, max(1, round(max_visits / 3))))
    axis = _upward(_("Times drawn"), values=ticks, format="d")
    y, top = axes.fields(alt.Y, "visits", "top", scale=axes.scale((0, max_visits)), axis=axis)
    tooltip = [
        alt.Tooltip("sample:Q", title=_("Index of the sample"), format=",d"),
        alt.Tooltip("visits:Q", title=_("Times drawn"), format=",d"),
    ]
    samples = table("visits").encode(
        x=_sample_axis("left", num_examples, theme), x2="right:Q", y2=alt.datum(0), tooltip=tooltip
    )

    # A bar for each sample.
    bars = samples.mark_bar(binSpacing=0, color=theme.of(SAMPLING_COLORS)[sampling]).encode(y=y)
    # A stripe of the whole height for each that was never visited.
    missed = samples.transform_filter("datum.visits == 0").transform_calculate(top=str(max_visits))
    stripes = missed.mark_bar(binSpacing=0, color=theme.muted, opacity=0.28, aria=False).encode(y=top)
    return finish([bars, stripes], theme)


def visit_shares(shares: pd.DataFrame, *, theme: Theme = LIGHT) -> alt.LayerChart:
    """Share of the samples that were visited 0, 1, 2, … times, measured (bars) and expected (strokes).

    Args:
        shares: columns visits, measured, expected (shares in [0, 1]), of drawing with replacement.
        theme: of the page.

    >>> shares = pd.DataFrame({"visits": [0, 1], "measured": [0.4, 0.6], "expected": [0.37, 0.37]})
    >>> visit_shares(shares).to_dict()["layer"][1]["mark"]["type"]
    'tick'
    """
    top = max(0.5, float(shares[["measured", "expected"]].to_numpy().max(initial=0)) * 1.1)
    return filled(_visit_shares(top, theme), shares=shares)


@structure
def _visit_shares(top: float, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    axis = axes.small(_("Share of the samples"), grid=True, format=".0%", tickCount=5)
    measured, expected = axes.fields(alt.Y, "measured", "expected", scale=axes.scale((0, top)), axis=axis)
    tooltip = [
        alt.Tooltip("visits:O", title=_("Times drawn")),
        alt.Tooltip("measured:Q", title=_("Measured"), format=".2%"),
        alt.Tooltip("expected:Q", title=_("Expected"), format=".2%"),
    ]
    x = alt.X("visits:O", axis=axes.small(_("Times drawn"), labelAngle=0))
    shares = table("shares").encode(x=x, tooltip=tooltip)

    # Bars: measured.
    bars = shares.mark_bar(color=theme.of(SAMPLING_COLORS)["with_replacement"]).encode(y=measured)
    # Strokes: by the formula.
    stroke = shares.mark_tick(color=theme.text, thickness=3, width=alt.RelativeBandSize(0.9))
    strokes = stroke.encode(y=expected)
    title = _("With replacement: times drawn, measured (bars) and expected (marks)")
    return finish([bars, strokes], theme, title)


def _sample_axis(field: str, num_examples: int, theme: Theme) -> alt.X:
    _ = theme.translate
    axis = axes.small(_("Index of the sample"), values=axes.index_ticks(num_examples))
    return alt.X(f"{field}:Q", scale=axes.scale((-0.5, num_examples - 0.5)), axis=axis)


def _upward(title: str, **options: Any) -> alt.Axis:
    """A vertical axis: charts below each other begin at the same place."""
    return axes.small(title, grid=True, minExtent=AXIS_WIDTH, maxExtent=AXIS_WIDTH, **options)
