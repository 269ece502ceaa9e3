"""What the way of drawing did to training: error floors, and curves with a band over the seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.learning_curves import Axis, spread_labels
from sgd_tf.charts.style import BACKGROUND, MUTED_TEXT, TEXT, Domain, Translate, embed_config, name_only_what_is_there
from sgd_tf.records import Sampling

# One colour for each way of drawing, by `dark`; at least 4.5 to 1 on the background, and told apart by colour-blind
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
DASHES: dict[Sampling, list[int]] = {
    "reshuffle": [1, 0],
    "shuffle_once": [9, 3, 2, 3],
    "in_order": [2, 3],
    "with_replacement": [7, 3],
    "buffer": [4, 2],
}
LABEL_ROOM = 112  # px at the end of the lines, if a chart asks for no other
SAME_PLACE = 0.3  # of the width: labels further apart may stand at the same height
LABEL_SIZE = 12  # px
AXES_HEIGHT = 92  # px that title, axis and margins take from a chart's height


@dataclass(frozen=True, kw_only=True)
class Line:
    """How one group of runs is drawn."""

    label: str  # in the reader's language
    color: str
    end: str | None = None  # words at the end of the line; None for the label
    dash: tuple[int, ...] = (1, 0)


def sampling_lines(labels: Mapping[Sampling, str], *, dark: bool = False) -> dict[str, Line]:
    """A line for each way of drawing, in its colour and dashes.

    Args:
        labels: in the reader's language.
        dark: whether the page's background is dark.

    >>> sampling_lines({"reshuffle": "reshuffled"})["reshuffle"].color
    '#1F5FBF'
    """
    return {
        way: Line(label=label, color=SAMPLING_COLORS[dark][way], dash=tuple(DASHES[way]))
        for way, label in labels.items()
    }


def seed_curves(
    bands: pd.DataFrame,
    *,
    lines: Mapping[str, Line],
    x_domain: Domain,
    y_domain: Domain,
    titles: tuple[str, str, str],
    subtitle: str | None = None,
    log_x: bool = False,
    log_y: bool = False,
    percent: bool = False,
    band: bool = True,
    room: int = LABEL_ROOM,
    borders: Sequence[float] = (),
    dark: bool = False,
    translate: Translate = str,
    height: int = 380,
) -> alt.LayerChart:
    """Median over several seeds against a counter, with the band from the lowest to the highest, one line per group.

    Args:
        bands: columns line, x, median, low, high, num_seeds, num_diverged: `seeds.band` with the counter called x.
        lines: how each group is drawn, by the name in the column line.
        x_domain: ends of the horizontal axis.
        y_domain: ends of the vertical axis; what lies outside is clipped.
        titles: of the chart, of the horizontal and of the vertical axis, in the reader's language.
        subtitle: of the chart.
        log_x: whether the horizontal axis is logarithmic; what lies at 0 is left out.
        log_y: whether the vertical axis is logarithmic.
        percent: whether the values are shares.
        band: whether to draw the band.
        room: for the words at the end of the lines, in px.
        borders: places of faint vertical lines, such as the ends of the epochs.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    >>> from sgd_tf import seeds
    >>> bands = seeds.band(pd.DataFrame({"line": "a", "x": 0, "loss": [0.5, 1.0, 2.0]}), ["line", "x"], "loss")
    >>> chart = seed_curves(bands, lines={"a": Line(label="A", color="#000000")}, x_domain=(0, 1), y_domain=(0, 3),
    ...                     titles=("Loss", "Epochs", "Training loss"))
    >>> chart.to_dict()["title"]["text"]
    'Loss'
    """
    _ = translate
    title, x_title, y_title = titles
    axis, across = Axis("y", y_domain, log=log_y), Axis("x", x_domain, log=log_x)
    shown = bands[np.isfinite(bands["median"].astype("float64")) & ((bands["x"] > 0) | (not log_x))].copy()
    low, high = y_domain
    for column in ("median", "low", "high"):  # a coordinate far outside the plot is none that a browser can draw
        shown[column] = shown[column].clip(low / 10 if log_y else low - (high - low), high + 9 * (high - low))
    shown["label"] = shown["line"].map({name: line.label for name, line in lines.items()})
    x = alt.X(
        "x:Q",
        scale=_scale(across),
        axis=alt.Axis(
            title=x_title,
            grid=False,
            format=",~f",
            values=across.ticks() or alt.Undefined,
            tickCount=alt.ExprRef("ceil(width / 70)"),
            labelOverlap=True,
        ),
    )
    y_scale = _scale(axis)
    y_axis = alt.Axis(
        title=y_title, format=".0%" if percent else "~g", values=axis.ticks() or alt.Undefined, tickCount=5
    )

    def upward(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=y_scale, axis=y_axis)

    number = ".1%" if percent else ".4g"
    tooltip = [
        alt.Tooltip("label:N", title=_("Run")),
        alt.Tooltip("x:Q", title=x_title, format=",.6~g"),
        alt.Tooltip("median:Q", title=_("Median of the seeds"), format=number),
        alt.Tooltip("low:Q", title=_("Lowest"), format=number),
        alt.Tooltip("high:Q", title=_("Highest"), format=number),
        alt.Tooltip("num_seeds:Q", title=_("Seeds"), format="d"),
        alt.Tooltip("num_diverged:Q", title=_("Diverged"), format="d"),
    ]
    scale: dict[str, Any] = {
        "color": alt.Color(
            "line:N", scale=alt.Scale(domain=list(lines), range=[line.color for line in lines.values()]), legend=None
        ),
        "strokeDash": alt.StrokeDash(
            "line:N",
            scale=alt.Scale(domain=list(lines), range=[list(line.dash) for line in lines.values()]),
            legend=None,
        ),
    }
    base = alt.Chart(shown).encode(x=x, color=scale["color"])
    layers = [
        base.mark_line(strokeWidth=2.2 if band else 1.4, clip=True).encode(
            y=upward("median"), strokeDash=scale["strokeDash"], tooltip=alt.value(None)
        ),
        base.mark_circle(size=90, opacity=0, clip=True, aria=False).encode(y=upward("median"), tooltip=tooltip),
    ]
    if band:
        area = base.mark_area(opacity=0.2, clip=True, aria=False)
        layers.insert(0, area.encode(y=upward("low"), y2="high:Q", tooltip=alt.value(None)))
    if len(borders):
        rules = alt.Chart(pd.DataFrame({"x": list(borders)})).mark_rule(
            color=MUTED_TEXT[dark], opacity=0.3, strokeDash=[2, 3], aria=False
        )
        layers.insert(0, rules.encode(x=x, tooltip=alt.value(None)))
    ends = shown.drop_duplicates("line", keep="last")
    words = {name: line.label if line.end is None else line.end for name, line in lines.items()}
    ends = ends.assign(y=ends["median"], label=ends["line"].map(words)).query("label != ''")
    place = {"x": x, "y": alt.Y("y:Q", scale=y_scale, axis=y_axis)}
    shares = across.share(ends["x"].to_numpy(dtype=np.float64))
    layers += _end_labels(ends, shares, axis, height - AXES_HEIGHT, place, scale["color"], room=room, dark=dark)
    return finished(alt.LayerChart(layer=layers), height=height, dark=dark, title=title, subtitle=subtitle)


def floors(
    table: pd.DataFrame,
    bands: pd.DataFrame,
    *,
    lines: Mapping[str, Line],
    learning_rates: Sequence[float],
    y_domain: Domain,
    guide: tuple[float, float] | None = None,
    dark: bool = False,
    translate: Translate = str,
    height: int = 380,
) -> alt.LayerChart:
    """The error floor against the learning rate on logarithmic axes: a power law is a straight line.

    Args:
        table: a row per run: sampling, learning_rate, seed, floor, expected (the closed form, where there is one).
        bands: `seeds.band` of it over (sampling, learning_rate).
        lines: how each way of drawing is drawn.
        learning_rates: of the whole experiment; they fix the horizontal axis.
        y_domain: ends of the vertical axis.
        guide: a point (learning rate, floor) through which a dotted line of slope 2 goes; None for none.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    >>> run = {"sampling": "reshuffle", "learning_rate": 0.1, "seed": 0, "floor": 0.01, "expected": None}
    >>> band = {"sampling": "reshuffle", "learning_rate": 0.1, "median": 0.01, "low": 0.01, "high": 0.01}
    >>> chart = floors(pd.DataFrame([run]), pd.DataFrame([band]), learning_rates=[0.1, 0.2], y_domain=(1e-4, 1),
    ...                lines=sampling_lines({"reshuffle": "reshuffled"}))
    >>> chart.to_dict()["title"]["text"]
    'Floor against the learning rate'
    """
    _ = translate
    axis = Axis("y", y_domain, log=True)
    low, high = min(learning_rates), max(learning_rates)
    x = alt.X(
        "learning_rate:Q",
        scale=alt.Scale(type="log", domain=[low / 1.25, high * 1.25], nice=False),
        axis=alt.Axis(
            title=_("Learning rate γ"), values=list(learning_rates), format="~g", grid=False, labelOverlap=True
        ),
    )
    y_scale = _scale(axis)
    y_axis = alt.Axis(
        title=_("Floor: squared distance to the optimum"), format="~g", values=axis.ticks() or alt.Undefined
    )

    def upward(field: str) -> alt.Y:
        return alt.Y(f"{field}:Q", scale=y_scale, axis=y_axis)

    came_to_rest = [np.isfinite(values.astype("float64")) for values in (table["floor"], bands["high"])]
    table, bands = table[came_to_rest[0]], bands[came_to_rest[1]]
    labels = {name: line.label for name, line in lines.items()}
    color = alt.Color(
        "sampling:N", scale=alt.Scale(domain=list(lines), range=[line.color for line in lines.values()]), legend=None
    )
    dash = alt.StrokeDash(
        "sampling:N",
        scale=alt.Scale(domain=list(lines), range=[list(line.dash) for line in lines.values()]),
        legend=None,
    )
    rate = alt.Tooltip("learning_rate:Q", title=_("Learning rate γ"), format=".4g")
    name = alt.Tooltip("label:N", title=_("Run"))
    middle = alt.Chart(bands.assign(label=bands["sampling"].map(labels))).encode(x=x, color=color)
    dots = alt.Chart(table.assign(label=table["sampling"].map(labels))).encode(x=x, color=color)
    theory = table.dropna(subset=["expected"]).drop_duplicates("learning_rate").astype({"expected": "float64"})
    layers = [
        middle.mark_area(opacity=0.2, clip=True, aria=False).encode(
            y=upward("low"), y2="high:Q", tooltip=alt.value(None)
        ),
        middle.mark_line(strokeWidth=2.2, clip=True).encode(
            y=upward("median"), strokeDash=dash, tooltip=alt.value(None)
        ),
        dots.mark_point(size=24, filled=False, strokeWidth=1.2, clip=True).encode(
            y=upward("floor"),
            tooltip=[name, rate, alt.Tooltip("seed:Q", title=_("Seed")), _number("floor", _("Floor"))],
        ),
        alt.Chart(theory)
        .mark_point(
            shape="diamond",
            size=110,
            filled=False,
            stroke=TEXT[dark],
            strokeWidth=1.6,
            clip=True,
        )
        .encode(x=x, y=upward("expected"), tooltip=[rate, _number("expected", _("Exact, with replacement"))]),
    ]
    if guide is not None:
        rates = np.array([low, high])
        line = pd.DataFrame({"learning_rate": rates, "y": guide[1] * (rates / guide[0]) ** 2})
        layers.append(
            alt.Chart(line)
            .mark_line(
                color=MUTED_TEXT[dark], strokeDash=[1, 4], strokeCap="round", strokeWidth=2, clip=True, aria=False
            )
            .encode(x=x, y=upward("y"), tooltip=alt.value(None))
        )
    ends = bands.sort_values("learning_rate").drop_duplicates("sampling", keep="last")
    words = {name: line.label if line.end is None else line.end for name, line in lines.items()}
    ends = ends.assign(y=ends["median"], label=ends["sampling"].map(words))
    place = {"x": x, "y": alt.Y("y:Q", scale=y_scale, axis=y_axis)}
    layers += _end_labels(
        ends, np.ones(len(ends)), axis, height - AXES_HEIGHT, place, color, room=LABEL_ROOM, dark=dark
    )
    title = _("Floor against the learning rate")
    subtitle = _("Diamonds: exact, with replacement. Dotted: in proportion to γ².")
    chart = alt.LayerChart(layer=layers)
    return finished(chart, height=height, dark=dark, title=title, subtitle=subtitle)


def _number(field: str, title: str) -> alt.Tooltip:
    return alt.Tooltip(f"{field}:Q", title=title, format=".3g")


def _scale(axis: Axis) -> alt.Scale:
    return alt.Scale(
        type="log" if axis.log else "linear",
        domain=list(axis.domain),
        nice=False,
        zero=alt.Undefined if axis.log else False,
    )


def _end_labels(
    ends: pd.DataFrame,
    shares: np.ndarray,
    axis: Axis,
    length: float,
    place: dict[str, Any],
    color: alt.Color,
    *,
    room: int,
    dark: bool,
) -> list[alt.Chart]:
    """The name of each line right of its end, none upon another.

    Args:
        ends: columns x (or learning_rate), y, label.
        shares: how far along the horizontal axis the ends lie, in [0, 1].
        axis: the vertical one.
        length: of the vertical axis, in px.
        place: encodings of the position.
        color: encoding of the colour.
        room: kept free right of the plot, in px.
        dark: whether the page's background is dark.
    """
    heights = [(LABEL_SIZE + 3) * (1 + label.count("\n")) for label in ends["label"]]
    wanted = np.clip(axis.share(np.clip(ends["y"].to_numpy(dtype=np.float64), *axis.domain)), 0, 1) * length
    if len(ends):
        conflicts = np.abs(shares[:, None] - shares[None, :]) < SAME_PLACE
        placed = spread_labels(wanted, heights=heights, length=length, conflicts=conflicts) / length
        ends = ends.assign(y=[axis.value(share) for share in placed])
    text: dict[str, Any] = {
        "align": "left",
        "dx": 8,
        "baseline": "middle",
        "fontSize": LABEL_SIZE,
        "fontWeight": "bold",
        "lineBreak": "\n",
        "limit": LABEL_ROOM - 8,
        "tooltip": None,
    }
    words = alt.Text("label:N")
    table = alt.Chart(ends)
    # Nothing, as wide as the widest label: a chart that is fitted to its page would shrink as the labels come.
    free = alt.Chart(alt.sequence(1)).mark_rule(opacity=0, tooltip=None, aria=False)
    edge = {"x": alt.value(alt.ExprRef("width")), "x2": alt.value(alt.ExprRef(f"width + {room}"))}
    halo = table.mark_text(color=BACKGROUND[dark], stroke=BACKGROUND[dark], strokeWidth=4, aria=False, **text)
    return [
        free.encode(**edge),
        halo.encode(text=words, **place),
        table.mark_text(**text).encode(text=words, color=color, **place),
    ]


def finished(
    chart: alt.LayerChart,
    *,
    height: int,
    dark: bool,
    title: str | None = None,
    subtitle: str | None = None,
) -> alt.LayerChart:
    """A chart with its size, margins, title and theme."""
    if title is not None:
        words = alt.TitleParams(
            text=title,
            subtitle=subtitle or alt.Undefined,
            fontSize=14,
            subtitleFontSize=12,
            subtitleColor=MUTED_TEXT[dark],
            anchor="start",
            offset=8,
        )
        chart = chart.properties(title=words)
    return name_only_what_is_there(chart).properties(
        width="container",
        height=height,
        padding={"left": 4, "top": 4, "right": 4, "bottom": 4},
        autosize=alt.AutoSizeParams(type="fit", contains="padding"),
        usermeta={"embedOptions": {"config": embed_config(dark=dark)}},
    )
