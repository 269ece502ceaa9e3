"""One minibatch over several devices, drawn: who has which samples, the gradients and their mean, the time."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.style import BACKGROUND, GRID, MUTED_TEXT, TEXT, Translate, finished

# At least 4.5 to 1 on the background, told apart by colour-blind readers, none near the yellow; by `dark`.
REPLICA_COLORS = {
    False: ["#1F5FBF", "#B3261E", "#00706B", "#A0308C", "#8A5A00", "#5F6270", "#4B3FA8", "#2F6B1F"],
    True: ["#7DB4FF", "#FF8A80", "#4FD1C5", "#F08AD8", "#E0B060", "#B4B8C4", "#B3A6FF", "#9BD67F"],
}


def _color(num: int, dark: bool) -> alt.Color:
    colors = [REPLICA_COLORS[dark][r % 8] for r in range(num)]
    return alt.Color("replica:O", scale=alt.Scale(domain=list(range(1, num + 1)), range=colors), legend=None)


def sample_parts(
    table: pd.DataFrame, *, title: str, subtitle: str = "", dark: bool = False, translate: Translate = str, height: int
) -> alt.LayerChart:
    """Each sample of the minibatch as a square in the block of the device that has it.

    Args:
        table: columns replica (from 1), sample (index in the data set).
        title: what the chart shows.
        subtitle: below the title.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    >>> table = pd.DataFrame({"replica": [1, 1, 2], "sample": [7, 8, 9]})
    >>> sample_parts(table, title="Parts", height=300).to_dict()["title"]["text"]
    'Parts'
    """
    _ = translate
    num = int(table["replica"].max())
    largest = int(table["replica"].value_counts().max())
    columns = 2 if num > 1 else 1  # of blocks
    across = max(1, math.ceil(math.sqrt(largest * (1.4 if num > 2 else 0.8 if num == 2 else 1.4))))  # squares in a row
    down = math.ceil(largest / across)
    place = table.groupby("replica").cumcount()
    block = table["replica"] - 1
    data = table.assign(
        x=(block % columns) * (across + 1) + place % across,
        y=(block // columns) * (down + 2) + place // across,
    )
    data = data.assign(x2=data["x"] + 0.88, y2=data["y"] + 0.88)
    heads = pd.DataFrame(
        {
            "replica": range(1, num + 1),
            "x": [(r % columns) * (across + 1) for r in range(num)],
            "y": [(r // columns) * (down + 2) - 0.25 for r in range(num)],
            "label": [
                _("Device {r}: {n} samples").format(r=r + 1, n=f"{int((block == r).sum()):,}") for r in range(num)
            ],
        }
    )
    width, length = columns * (across + 1) - 1, math.ceil(num / columns) * (down + 2) - 2
    x_scale = alt.Scale(domain=[0, width], nice=False)
    y_scale = alt.Scale(domain=[length, -1.6], nice=False)
    squares = (
        alt.Chart(data)
        .mark_rect()
        .encode(
            x=alt.X("x:Q", scale=x_scale, axis=None),
            x2="x2:Q",
            y=alt.Y("y:Q", scale=y_scale, axis=None),
            y2="y2:Q",
            color=_color(num, dark),
            tooltip=[
                alt.Tooltip("replica:O", title=_("Device")),
                alt.Tooltip("sample:Q", title=_("Index of the sample"), format=","),
            ],
        )
    )
    words = alt.Chart(heads).mark_text(align="left", baseline="bottom", fontSize=12, fontWeight="bold", tooltip=None)
    layers: list[Any] = [
        squares,
        words.encode(
            x=alt.X("x:Q", scale=x_scale, axis=None),
            y=alt.Y("y:Q", scale=y_scale, axis=None),
            text="label:N",
            color=_color(num, dark),
        ),
    ]
    return finished(alt.LayerChart(layer=layers), height=height, dark=dark, title=title, subtitle=subtitle)


def gradient_arrows(
    table: pd.DataFrame,
    *,
    norm: float,
    title: str,
    subtitle: str = "",
    dark: bool = False,
    translate: Translate = str,
    height: int,
) -> alt.LayerChart:
    """The gradient of each device and their mean, as arrows from the origin of the plane that shows most of them.

    Args:
        table: columns replica (from 1), along, across, norm: of `data_parallel.plane`.
        norm: length of the gradient of the whole minibatch, which lies along the horizontal axis.
        title: what the chart shows.
        subtitle: below the title.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    >>> table = pd.DataFrame({"replica": [1], "along": [1.0], "across": [0.0], "norm": [1.0]})
    >>> gradient_arrows(table, norm=1.0, title="Gradients", height=300).to_dict()["title"]["text"]
    'Gradients'
    """
    _ = translate
    num = len(table)
    right = 1.22 * max(norm, float(table["along"].max()))
    left = min(0.0, 1.1 * float(table["along"].min()))
    side = max(1.35 * float(table["across"].abs().max()), 0.3 * right)
    x_scale = alt.Scale(domain=[left, right], nice=False)
    y_scale = alt.Scale(domain=[-side, side], nice=False)
    axis: dict[str, Any] = {"tickCount": 5, "format": "~g", "gridColor": GRID[dark]}
    x_axis = alt.Axis(title=_("Along the gradient of all k samples"), **axis)
    y_axis = alt.Axis(title=_("Across it"), **axis)
    x, y = alt.X("along:Q", scale=x_scale, axis=x_axis), alt.Y("across:Q", scale=y_scale, axis=y_axis)
    data = pd.concat([table, pd.DataFrame({"replica": [0], "along": [norm], "across": [0.0], "norm": [norm]})])
    data = data.assign(
        zero=0.0,
        label=[_("mean") if r == 0 else str(int(r)) for r in data["replica"]],
        name=[_("Mean of all devices") if r == 0 else _("Device {r}").format(r=int(r)) for r in data["replica"]],
    )
    colors = [TEXT[dark], *(REPLICA_COLORS[dark][r % 8] for r in range(num))]
    color = alt.Color("replica:O", scale=alt.Scale(domain=list(range(num + 1)), range=colors), legend=None)
    tooltip = [
        alt.Tooltip("name:N", title=_("Gradient")),
        alt.Tooltip("norm:Q", title=_("Length"), format=".4f"),
        alt.Tooltip("along:Q", title=_("Along the gradient of all k samples"), format=".4f"),
        alt.Tooltip("across:Q", title=_("Across it"), format=".4f"),
    ]
    width = alt.condition("datum.replica == 0", alt.value(3.2), alt.value(1.8))
    shafts = (
        alt.Chart(data)
        .mark_rule(clip=True)
        .encode(
            x=alt.X("zero:Q", scale=x_scale, axis=x_axis),
            x2="along:Q",
            y=alt.Y("zero:Q", scale=y_scale, axis=y_axis),
            y2="across:Q",
            color=color,
            strokeWidth=width,
            tooltip=tooltip,
        )
    )
    tips = (
        alt.Chart(data)
        .mark_point(filled=True, size=70, opacity=1)
        .encode(
            x=x,
            y=y,
            color=color,
            shape=alt.condition("datum.replica == 0", alt.value("diamond"), alt.value("circle")),
            tooltip=tooltip,
        )
    )
    layers: list[Any] = [shafts, tips]
    for chosen, dy in (("datum.replica > 0", 0), ("datum.replica == 0", -14)):  # the mean lies between the others
        look: dict[str, Any] = {"align": "left", "dx": 8, "dy": dy, "fontSize": 13, "fontWeight": "bold"}
        text = alt.Chart(data).transform_filter(chosen)
        halo = text.mark_text(**look, stroke=BACKGROUND[dark], strokeWidth=4, color=BACKGROUND[dark], tooltip=None)
        layers.append(halo.encode(x=x, y=y, text="label:N"))
        layers.append(text.mark_text(**look, tooltip=None).encode(x=x, y=y, text="label:N", color=color))
    return finished(alt.LayerChart(layer=layers), height=height, dark=dark, title=title, subtitle=subtitle)


def time_by_devices(
    table: pd.DataFrame,
    *,
    title: str,
    subtitle: str = "",
    dark: bool = False,
    translate: Translate = str,
    height: int,
) -> alt.LayerChart:
    """Median time of an update against the number of devices, with its quartiles, and the ideal t₁ / R.

    Args:
        table: columns replicas, ms (median), low, high (quartiles).
        title: what the chart shows.
        subtitle: below the title.
        dark: whether the page's background is dark.
        translate: gives a word of the chart in the reader's language.
        height: of the whole chart, in px.

    >>> table = pd.DataFrame({"replicas": [1, 2], "ms": [2.0, 3.0], "low": [1.9, 2.8], "high": [2.2, 3.3]})
    >>> time_by_devices(table, title="Time", height=300).to_dict()["title"]["text"]
    'Time'
    """
    _ = translate
    order = [str(r) for r in sorted(table["replicas"])]
    first = table.sort_values("replicas").iloc[0]
    data = table.assign(
        devices=table["replicas"].astype(str),
        ideal=first["ms"] * first["replicas"] / table["replicas"],
        label=[f"{value:.3g} ms" for value in table["ms"]],
    )
    x = alt.X("devices:O", sort=order, axis=alt.Axis(title=_("Devices R"), labelAngle=0), scale=alt.Scale(padding=0.35))
    scale = alt.Scale(domain=[0, 1.18 * float(np.max(table["high"]))], nice=False)
    axis = alt.Axis(title=_("Milliseconds per update"), tickCount=5)
    y = alt.Y("ms:Q", scale=scale, axis=axis)
    tooltip = [
        alt.Tooltip("replicas:Q", title=_("Devices R")),
        alt.Tooltip("ms:Q", title=_("Median, ms"), format=".3~g"),
        alt.Tooltip("low:Q", title=_("First quartile, ms"), format=".3~g"),
        alt.Tooltip("high:Q", title=_("Third quartile, ms"), format=".3~g"),
        alt.Tooltip("ideal:Q", title=_("Ideal t₁/R, ms"), format=".3~g"),
    ]
    base = alt.Chart(data)
    layers: list[Any] = [
        base.mark_bar(color=MUTED_TEXT[dark], opacity=0.85).encode(x=x, y=y, tooltip=tooltip),
        base.mark_rule(color=TEXT[dark], strokeWidth=1.5, tooltip=None).encode(
            x=x, y=alt.Y("low:Q", axis=axis, scale=scale), y2="high:Q"
        ),
        base.mark_tick(color=TEXT[dark], thickness=3, size=44, strokeDash=[4, 2]).encode(
            x=x, y=alt.Y("ideal:Q", axis=axis, scale=scale), tooltip=tooltip
        ),
        base.mark_text(baseline="bottom", dy=-4, fontSize=12, color=TEXT[dark], tooltip=None).encode(
            x=x, y=alt.Y("high:Q", axis=axis, scale=scale), text="label:N"
        ),
    ]
    return finished(alt.LayerChart(layer=layers), height=height, dark=dark, title=title, subtitle=subtitle)
