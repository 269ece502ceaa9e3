"""One minibatch over several devices, drawn: who has which samples, the gradients and their mean, the time."""

from __future__ import annotations

import math
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts import axes, labels
from sgd_tf.charts.frame import Title, filled, finish, structure, table
from sgd_tf.charts.style import LIGHT, Domain, Theme

# At least 4.5 to 1 on the background, distinct for colour-blind readers, none near the yellow; by `dark`.
REPLICA_COLORS = {
    False: ["#1F5FBF", "#B3261E", "#00706B", "#A0308C", "#8A5A00", "#5F6270", "#4B3FA8", "#2F6B1F"],
    True: ["#7DB4FF", "#FF8A80", "#4FD1C5", "#F08AD8", "#E0B060", "#B4B8C4", "#B3A6FF", "#9BD67F"],
}
TITLE_HEIGHT, HEAD_HEIGHT = 50, 20  # px: of a chart's title, and of the name of a block of samples
AXES_HEIGHT = 110  # px that title, axis and margins take from the height of the arrows


def _colors(num: int, theme: Theme) -> dict[Any, str]:
    """The colour of each device, from 1."""
    return {r + 1: theme.of(REPLICA_COLORS)[r % 8] for r in range(num)}


def _color(colors: dict[Any, str]) -> alt.Color:
    scale = alt.Scale(domain=list(colors), range=list(colors.values()))
    return alt.Color("replica:O", scale=scale, legend=None)


def sample_parts(samples: pd.DataFrame, *, title: Title, theme: Theme = LIGHT) -> alt.LayerChart:
    """Each sample of the minibatch as a square in the block of the device that has it.

    Args:
        samples: columns replica (from 1), sample (index in the data set).
        title: of the chart, and the line below it.
        theme: of the page.

    >>> samples = pd.DataFrame({"replica": [1, 1, 2], "sample": [7, 8, 9]})
    >>> sample_parts(samples, title="Parts").to_dict()["title"]["text"]
    'Parts'
    """
    _ = theme.translate
    num = int(samples["replica"].max())
    largest = int(samples["replica"].value_counts().max())
    columns = 2 if num > 1 else 1  # of blocks
    across = max(1, math.ceil(math.sqrt(largest * (0.8 if num == 2 else 1.4))))  # squares in a row
    down = math.ceil(largest / across)
    num_rows = math.ceil(num / columns)  # of blocks
    room = theme.height - TITLE_HEIGHT - HEAD_HEIGHT * num_rows  # px, for the squares
    pitch = down + max(2, math.ceil(HEAD_HEIGHT * num_rows * down / room))  # of blocks: the name fits between two
    place = samples.groupby("replica").cumcount()
    block = samples["replica"] - 1
    x = (block % columns) * (across + 1) + place % across
    y = (block // columns) * pitch + place // across
    counts = [f"{int((block == r).sum()):,}" for r in range(num)]
    heads = {
        "replica": range(1, num + 1),
        "x": [(r % columns) * (across + 1) for r in range(num)],
        "y": [(r // columns) * pitch - 0.25 for r in range(num)],
        "label": [_("Device {r}: {n} samples").format(r=r + 1, n=n) for r, n in enumerate(counts)],
    }
    ends = columns * (across + 1) - 1, (num_rows - 1) * pitch + down
    return filled(
        _sample_parts(num, ends, down - pitch, title, theme),
        samples=samples.assign(x=x, y=y, x2=x + 0.88, y2=y + 0.88),
        heads=pd.DataFrame(heads),
    )


@structure
def _sample_parts(num: int, ends: Domain, top: float, title: Title, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    x = alt.X("x:Q", scale=axes.scale((0, ends[0])), axis=None)
    y = alt.Y("y:Q", scale=axes.scale((ends[1], top)), axis=None)
    color = _color(_colors(num, theme))
    tooltip = [
        alt.Tooltip("replica:O", title=_("Device")),
        alt.Tooltip("sample:Q", title=_("Index of the sample"), format=","),
    ]

    # A square for each sample.
    squares = table("samples").mark_rect().encode(x=x, x2="x2:Q", y=y, y2="y2:Q", color=color, tooltip=tooltip)
    # The name of each device above its block.
    text: dict[str, Any] = {"align": "left", "baseline": "bottom", "fontSize": 12, "fontWeight": "bold"}
    names = table("heads").mark_text(**text, tooltip=None).encode(x=x, y=y, text="label:N", color=color)
    return finish([squares, names], theme, title)


def gradient_arrows(gradients: pd.DataFrame, *, norm: float, title: Title, theme: Theme = LIGHT) -> alt.LayerChart:
    """The gradient of each device and their mean, as arrows from the origin of the plane that shows most of them.

    Args:
        gradients: columns replica (from 1), along, across, norm: of `data_parallel.plane`.
        norm: length of the gradient of the whole minibatch, which lies along the horizontal axis.
        title: of the chart, and the line below it.
        theme: of the page.

    >>> gradients = pd.DataFrame({"replica": [1], "along": [1.0], "across": [0.0], "norm": [1.0]})
    >>> gradient_arrows(gradients, norm=1.0, title="Gradients").to_dict()["title"]["text"]
    'Gradients'
    """
    _ = theme.translate
    right = 1.22 * max(norm, float(gradients["along"].max()))
    left = min(0.0, 1.1 * float(gradients["along"].min()))
    side = max(1.35 * float(gradients["across"].abs().max()), 0.3 * right)
    mean = pd.DataFrame({"replica": [0], "along": [norm], "across": [0.0], "norm": [norm]})
    rows = pd.concat([gradients, mean])
    rows = rows.assign(
        zero=0.0,
        label=[_("mean") if r == 0 else str(int(r)) for r in rows["replica"]],
        name=[_("Mean of all devices") if r == 0 else _("Device {r}").format(r=int(r)) for r in rows["replica"]],
    )
    up = axes.Axis("across", (-side, side))
    shares = (rows["along"].to_numpy(dtype=np.float64) - left) / (right - left)
    rows = labels.at_ends(rows.assign(y=rows["across"]), up, shares, length=theme.height - AXES_HEIGHT)
    return filled(_gradient_arrows(len(gradients), (left, right), side, title, theme), gradients=rows)


@structure
def _gradient_arrows(num: int, x_domain: Domain, side: float, title: Title, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    style: dict[str, Any] = {"tickCount": 5, "format": "~g", "gridColor": theme.grid}
    x_axis = alt.Axis(title=_("Along the gradient of all k samples"), **style)
    y_axis = alt.Axis(title=_("Across it"), **style)
    x, x0 = axes.fields(alt.X, "along", "zero", scale=axes.scale(x_domain), axis=x_axis)
    y, y0, label_y = axes.fields(alt.Y, "across", "zero", "label_y", scale=axes.scale((-side, side)), axis=y_axis)
    color = _color({0: theme.text} | _colors(num, theme))
    tooltip = [
        alt.Tooltip("name:N", title=_("Gradient")),
        alt.Tooltip("norm:Q", title=_("Length"), format=".4f"),
        alt.Tooltip("along:Q", title=_("Along the gradient of all k samples"), format=".4f"),
        alt.Tooltip("across:Q", title=_("Across it"), format=".4f"),
    ]
    is_mean = "datum.replica == 0"
    gradients = table("gradients")

    # Shafts from the origin; the mean is thick.
    width = alt.condition(is_mean, alt.value(3.2), alt.value(1.8))
    shafts = gradients.mark_rule(clip=True).encode(
        x=x0, x2="along:Q", y=y0, y2="across:Q", color=color, strokeWidth=width, tooltip=tooltip
    )
    # Tips; the mean is a diamond.
    shape = alt.condition(is_mean, alt.value("diamond"), alt.value("circle"))
    tip = gradients.mark_point(filled=True, size=70, opacity=1)
    tips = tip.encode(x=x, y=y, color=color, shape=shape, tooltip=tooltip)
    # Their names, none upon another.
    text: dict[str, Any] = {"dx": 8, "fontWeight": "bold", "baseline": "middle"}
    names = labels.words(gradients.encode(x=x, y=label_y), theme, color, **text)
    return finish([shafts, tips, *names], theme, title)


def time_by_devices(times: pd.DataFrame, *, title: Title, theme: Theme = LIGHT) -> alt.LayerChart:
    """Median time of an update against the number of devices, with its quartiles, and the ideal t₁ / R.

    Args:
        times: columns replicas, ms (median), low, high (quartiles).
        title: of the chart, and the line below it.
        theme: of the page.

    >>> times = pd.DataFrame({"replicas": [1, 2], "ms": [2.0, 3.0], "low": [1.9, 2.8], "high": [2.2, 3.3]})
    >>> time_by_devices(times, title="Time").to_dict()["title"]["text"]
    'Time'
    """
    order = tuple(str(r) for r in sorted(times["replicas"]))
    first = times.sort_values("replicas").iloc[0]
    rows = times.assign(
        devices=times["replicas"].astype(str),
        ideal=first["ms"] * first["replicas"] / times["replicas"],
        label=[f"{value:.3g} ms" for value in times["ms"]],
    )
    return filled(_time_by_devices(order, 1.18 * float(np.max(times["high"])), title, theme), times=rows)


@structure
def _time_by_devices(order: tuple[str, ...], top: float, title: Title, theme: Theme) -> alt.LayerChart:
    _ = theme.translate
    x_axis = alt.Axis(title=_("Devices R"), labelAngle=0)
    x = alt.X("devices:O", sort=order, axis=x_axis, scale=alt.Scale(padding=0.35))
    axis = alt.Axis(title=_("Milliseconds per update"), tickCount=5)
    ms, low, high, ideal = axes.fields(alt.Y, "ms", "low", "high", "ideal", scale=axes.scale((0, top)), axis=axis)
    tooltip = [
        alt.Tooltip("replicas:Q", title=_("Devices R")),
        alt.Tooltip("ms:Q", title=_("Median, ms"), format=".3~g"),
        alt.Tooltip("low:Q", title=_("First quartile, ms"), format=".3~g"),
        alt.Tooltip("high:Q", title=_("Third quartile, ms"), format=".3~g"),
        alt.Tooltip("ideal:Q", title=_("Ideal t₁/R, ms"), format=".3~g"),
    ]
    times = table("times").encode(x=x)

    # A bar for the median, a rule from quartile to quartile, a dashed stroke for the ideal, the median as a number.
    bars = times.mark_bar(color=theme.muted, opacity=0.85).encode(y=ms, tooltip=tooltip)
    quartiles = times.mark_rule(color=theme.text, strokeWidth=1.5, tooltip=None).encode(y=low, y2="high:Q")
    stroke = times.mark_tick(color=theme.text, thickness=3, size=44, strokeDash=[4, 2])
    text: dict[str, Any] = {"baseline": "bottom", "dy": -4, "fontSize": 12, "color": theme.text}
    numbers = times.mark_text(**text, tooltip=None).encode(y=high, text="label:N")
    return finish([bars, quartiles, stroke.encode(y=ideal, tooltip=tooltip), numbers], theme, title)
