"""What the way of drawing did to training: error floors, and curves with a band over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes, labels
from sgd_tf.charts.axes import Axis
from sgd_tf.charts.frame import Title, filled, finish, structure, table
from sgd_tf.charts.style import LIGHT, Domain, Theme
from sgd_tf.training.records import Sampling

# One colour for each way of drawing, by `dark`; at least 4.5 to 1 on the background, and distinct for colour-blind
# readers where a chart holds several; none is near the yellow of drawn samples.
SAMPLING_COLORS: dict[bool, dict[Sampling, str]] = {
    False: {
        "reshuffle": "#1F5FBF",
        "shuffle_once": "#00706B",
        "in_order": "#5F6270",
        "with_replacement": "#B3261E",
        "buffer": "#A0308C",
    },
    True: {
        "reshuffle": "#7DB4FF",
        "shuffle_once": "#4FD1C5",
        "in_order": "#B4B8C4",
        "with_replacement": "#FF8A80",
        "buffer": "#F08AD8",
    },
}
DASHES: dict[Sampling, tuple[int, ...]] = {
    "reshuffle": (1, 0),
    "shuffle_once": (9, 3, 2, 3),
    "in_order": (2, 3),
    "with_replacement": (7, 3),
    "buffer": (4, 2),
}
ENDS_EARLY = 0.9  # share of the width: lines that end before it
ABOVE_END = 13  # px, of their names above their ends
MAX_WIDENING = 1_000  # of a logarithmic axis beyond one of its ends
AXES_HEIGHT = 92  # px that title, axis and margins take from a chart's height


@dataclass(frozen=True, kw_only=True)
class Line:
    """How one group of runs is drawn."""

    label: str  # in the reader's language
    color: str
    end: str | None = None  # words at the end of the line; None for the label
    dash: tuple[int, ...] = (1, 0)
    band: bool = True  # whether the range of the seeds is drawn


Lines = tuple[tuple[str, Line], ...]  # by group


def sampling_lines(names: Mapping[Sampling, str], theme: Theme = LIGHT) -> dict[str, Line]:
    """A line for each way of drawing, in its colour and dashes.

    Args:
        names: in the reader's language.
        theme: of the page.

    >>> sampling_lines({"reshuffle": "reshuffled"})["reshuffle"].color
    '#1F5FBF'
    """
    colors = theme.of(SAMPLING_COLORS)
    return {way: Line(label=name, color=colors[way], dash=DASHES[way]) for way, name in names.items()}


def holding(domain: Domain, values: pd.Series) -> Domain:
    """A logarithmic axis that holds what is drawn: the domain, widened tenfold at an end that values lie beyond.

    Args:
        domain: ends of the axis at the start.
        values: of the lines; what is more than MAX_WIDENING times beyond an end stays outside.

    >>> holding((0.05, 10), pd.Series([0.01, 2.0, 1e9])), holding((0.05, 10), pd.Series([]))
    ((0.005, 10), (0.05, 10))
    """
    low, high = domain
    shown = values.astype("float64")
    shown = shown[shown.between(low / MAX_WIDENING, high * MAX_WIDENING)]
    while not shown.empty and shown.min() < low:
        low /= 10
    while not shown.empty and shown.max() > high:
        high *= 10
    return low, high


def seed_curves(
    bands: pd.DataFrame,
    *,
    lines: Mapping[str, Line],
    x: Axis,
    y: Axis,
    title: Title,
    borders: Sequence[float] = (),
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """Median over several seeds against a counter, with the band from the lowest to the highest, one line per group.

    Args:
        bands: columns line, x, median, low, high, num_seeds, num_diverged: `over_seeds.band` with the counter called x.
        lines: how each group is drawn, by the name in the column line.
        x: the horizontal axis; what lies at 0 has no place on a logarithmic one.
        y: the vertical axis; what lies outside is clipped.
        title: of the chart, and the line below it.
        borders: places of faint vertical lines, such as the ends of the epochs.
        theme: of the page.

    >>> from sgd_tf.training import over_seeds
    >>> bands = over_seeds.band(pd.DataFrame({"line": "a", "x": 0, "loss": [0.5, 1.0, 2.0]}), ["line", "x"], "loss")
    >>> chart = seed_curves(bands, lines={"a": Line(label="A", color="#000000")}, x=Axis("x", (0, 1)),
    ...                     y=Axis("median", (0, 3)), title="Loss")
    >>> chart.to_dict()["title"]["text"]
    'Loss'
    """
    shown = bands[np.isfinite(bands["median"].astype("float64")) & ((bands["x"] > 0) | (not x.log))].copy()
    low, high = y.ends
    for column in ("median", "low", "high"):  # a coordinate far outside the plot is none that a browser can draw
        shown[column] = shown[column].clip(low / 10 if y.log else low - (high - low), high + 9 * (high - low))
    shown["label"] = shown["line"].map({name: line.label for name, line in lines.items()})
    return filled(
        _seed_curves(tuple(lines.items()), x, y, title, theme),
        borders=pd.DataFrame({"x": list(borders)}, dtype="float64"),
        bands=shown,
        ends=_ends(shown, "line", lines, y, theme, x=x),
    )


def _ends(
    shown: pd.DataFrame, group: str, lines: Mapping[str, Line], y: Axis, theme: Theme, x: Axis | None = None
) -> pd.DataFrame:
    """The last point of each line, with its words and their place; without `x` all end at one place."""
    ends = shown.drop_duplicates(group, keep="last")
    words = {name: line.label if line.end is None else line.end for name, line in lines.items()}
    ends = ends.assign(y=ends["median"], label=ends[group].map(words)).query("label != ''")
    shares = np.ones(len(ends)) if x is None else x.share(ends["x"].to_numpy(dtype=np.float64))
    length = theme.height - AXES_HEIGHT
    placed = labels.at_ends(ends, y, shares, length=length)
    # Right of a line that ends early another one may go on downwards: its name stands above its end.
    higher = np.where(shares < ENDS_EARLY, ABOVE_END / length, 0.0)
    heights = y.share(placed["label_y"].to_numpy(dtype=np.float64)) + higher
    return placed.assign(label_y=[y.value(min(share, 1.0)) for share in heights])


@structure
def _seed_curves(lines: Lines, x_axis: Axis, y_axis: Axis, title: Title, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    ticks, number = alt.ExprRef("ceil(width / 70)"), ".1%" if y_axis.percent else ".4g"
    x = alt.X("x:Q", scale=x_axis.scale(), axis=_axis(x_axis, grid=False, tickCount=ticks, labelOverlap=True))
    y, low, label_y = axes.fields(
        alt.Y, "median", "low", "label_y", scale=y_axis.scale(), axis=_axis(y_axis, tickCount=5)
    )
    color, dash = _color_and_dash("line", lines)
    has_band = any(line.band for _name, line in lines)
    bands = table("bands").encode(x=x, color=color)

    # The ends of the epochs.
    dotted: dict[str, Any] = {"color": theme.muted, "opacity": 0.3, "strokeDash": [2, 3]}
    borders = table("borders").mark_rule(**dotted, tooltip=None, aria=False).encode(x=x)
    # From the lowest to the highest seed.
    area = bands.mark_area(opacity=0.2, clip=True, tooltip=None, aria=False).encode(y=low, y2="high:Q")
    # The median of the seeds.
    line = bands.mark_line(strokeWidth=2.2 if has_band else 1.4, clip=True, tooltip=None)
    median = line.encode(y=y, strokeDash=dash)
    # Nothing to see: what the pointer finds, with the exact numbers.
    tooltip = [
        alt.Tooltip("label:N", title=_("Run")),
        alt.Tooltip("x:Q", title=x_axis.title, format=",.6~g"),
        alt.Tooltip("median:Q", title=_("Median of the seeds"), format=number),
        alt.Tooltip("low:Q", title=_("Lowest"), format=number),
        alt.Tooltip("high:Q", title=_("Highest"), format=number),
        alt.Tooltip("num_seeds:Q", title=_("Seeds"), format="d"),
        alt.Tooltip("num_diverged:Q", title=_("Diverged"), format="d"),
    ]
    points = bands.mark_circle(size=90, opacity=0, clip=True, aria=False).encode(y=y, tooltip=tooltip)
    # The name of each line at its end.
    names = labels.names(table("ends").encode(x=x, y=label_y), _texts(lines), theme, color)
    layers = [borders, *([area] if has_band else []), median, points, *names]
    return finish(layers, theme, title)


def floors(
    runs: pd.DataFrame,
    bands: pd.DataFrame,
    *,
    lines: Mapping[str, Line],
    learning_rates: Sequence[float],
    y_domain: Domain,
    guide: tuple[float, float] | None = None,
    theme: Theme = LIGHT,
) -> alt.LayerChart:
    """The error floor against the learning rate on logarithmic axes: a power law is a straight line.

    Args:
        runs: a row per run: sampling, learning_rate, seed, floor, expected (the closed form, where there is one).
        bands: `over_seeds.band` of it over (sampling, learning_rate).
        lines: how each way of drawing is drawn.
        learning_rates: of the whole experiment; they fix the horizontal axis.
        y_domain: ends of the vertical axis.
        guide: a point (learning rate, floor) through which a dotted line of slope 2 goes; None for none.
        theme: of the page.

    >>> run = {"sampling": "reshuffle", "learning_rate": 0.1, "seed": 0, "floor": 0.01, "expected": None}
    >>> band = {"sampling": "reshuffle", "learning_rate": 0.1, "median": 0.01, "low": 0.01, "high": 0.01}
    >>> chart = floors(pd.DataFrame([run]), pd.DataFrame([band]), learning_rates=[0.1, 0.2], y_domain=(1e-4, 1),
    ...                lines=sampling_lines({"reshuffle": "reshuffled"}))
    >>> chart.to_dict()["title"]["text"]
    'Floor against the learning rate'
    """
    came_to_rest = [np.isfinite(values.astype("float64")) for values in (runs["floor"], bands["high"])]
    runs, bands = runs[came_to_rest[0]], bands[came_to_rest[1]]
    names = {name: line.label for name, line in lines.items()}
    y = Axis("floor", y_domain, log=True)
    rates = np.array([min(learning_rates), max(learning_rates)] if guide else [])
    slope = pd.DataFrame({"learning_rate": rates, "y": guide[1] * (rates / guide[0]) ** 2 if guide else rates})
    exact = runs.dropna(subset=["expected"]).drop_duplicates("learning_rate").astype({"expected": "float64"})
    return filled(
        _floors(tuple(lines.items()), tuple(learning_rates), y, theme),
        bands=bands.assign(label=bands["sampling"].map(names)),
        runs=runs.assign(label=runs["sampling"].map(names)),
        exact=exact,
        slope=slope,
        ends=_ends(bands.sort_values("learning_rate"), "sampling", lines, y, theme),
    )


@structure
def _floors(lines: Lines, learning_rates: tuple[float, ...], y_axis: Axis, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    x = alt.X(
        "learning_rate:Q",
        scale=axes.scale((min(learning_rates) / 1.25, max(learning_rates) * 1.25), log=True),
        axis=alt.Axis(title=_("Learning rate γ"), values=learning_rates, format="~g", grid=False, labelOverlap=True),
    )
    value_axis = alt.Axis(title=_("Floor: squared distance to the optimum"), format="~g", values=y_axis.ticks() or [])
    y = axes.fields(alt.Y, "low", "median", "floor", "expected", "y", "label_y", scale=y_axis.scale(), axis=value_axis)
    low, median, floor, expected, slope_y, label_y = y
    color, dash = _color_and_dash("sampling", lines)
    rate = alt.Tooltip("learning_rate:Q", title=_("Learning rate γ"), format=".4g")
    bands, runs = (table(name).encode(x=x, color=color) for name in ("bands", "runs"))

    # From the lowest to the highest seed, and their median.
    area = bands.mark_area(opacity=0.2, clip=True, tooltip=None, aria=False).encode(y=low, y2="high:Q")
    line = bands.mark_line(strokeWidth=2.2, clip=True, tooltip=None).encode(y=median, strokeDash=dash)
    # Each run.
    name, seed = alt.Tooltip("label:N", title=_("Run")), alt.Tooltip("seed:Q", title=_("Seed"))
    dots = runs.mark_point(size=24, filled=False, strokeWidth=1.2, clip=True).encode(
        y=floor, tooltip=[name, rate, seed, alt.Tooltip("floor:Q", title=_("Floor"), format=".3g")]
    )
    # The closed form.
    diamond = table("exact").mark_point(
        shape="diamond", size=110, filled=False, stroke=theme.text, strokeWidth=1.6, clip=True
    )
    exact_floor = alt.Tooltip("expected:Q", title=_("Exact, with replacement"), format=".3g")
    exact = diamond.encode(x=x, y=expected, tooltip=[rate, exact_floor])
    # A line of slope 2.
    dotted: dict[str, Any] = {"color": theme.muted, "strokeDash": [1, 4], "strokeCap": "round", "strokeWidth": 2}
    slope = table("slope").mark_line(**dotted, clip=True, tooltip=None, aria=False).encode(x=x, y=slope_y)
    # The name of each way at its end.
    names = labels.names(table("ends").encode(x=x, y=label_y), _texts(lines), theme, color)
    title = _("Floor against the learning rate"), _("Diamonds: exact. Dotted: slope 2, as γ².")
    return finish([area, line, dots, exact, slope, *names], theme, title)


def _axis(axis: Axis, **options: Any) -> alt.Axis:
    """Vega-Lite's axis of a counter or of a measured value."""
    number = ".0%" if axis.percent else ",~f" if axis.field == "x" else "~g"
    return alt.Axis(title=axis.title, format=number, values=axis.ticks() or alt.Undefined, **options)


def _color_and_dash(field: str, lines: Lines) -> tuple[alt.Color, alt.StrokeDash]:
    color = axes.look(alt.Color, field, {name: line.color for name, line in lines})
    return color, axes.look(alt.StrokeDash, field, {name: list(line.dash) for name, line in lines})


def _texts(lines: Lines) -> list[str]:
    return [line.label if line.end is None else line.end for _name, line in lines]
