"""Words inside a plot: names at the end of lines, none upon another, and a halo that keeps lines off the letters."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd

from sgd_tf.charts.axes import Axis
from sgd_tf.charts.style import Theme

# Where a run diverged: a path in a square of side 2.
CROSS = "M-1-0.6L-0.6-1L0-0.4L0.6-1L1-0.6L0.4 0L1 0.6L0.6 1L0 0.4L-0.6 1L-1 0.6L-0.4 0Z"
LABEL_SIZE = 12  # font size of the labels at the end of the lines, in px
LABEL_GAP = 15  # least distance of two such labels, in px
MAX_LABEL_WIDTH = 124  # longer names end in "…", in px
SAME_PLACE = 0.3  # share of the width; labels further apart may stand at the same height


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


def place_texts(
    positions: Sequence[float] | np.ndarray, texts: Sequence[str], *, length: float, conflicts: np.ndarray | None = None
) -> np.ndarray:
    r"""Where the first line of each label stands, so that none overlaps another: Vega hangs further lines below it.

    Args:
        positions: (n,) where the centres should stand, in px from below.
        texts: (n,) the labels, with their lines.
        length: length of the line, in px.
        conflicts: as of `spread_labels`.

    >>> place_texts([50.0, 50.0], ["one line", "two\nlines"], length=100.0).tolist()
    [38.75, 68.25]
    """
    above = np.array([(LABEL_GAP - 1) / 2 * text.count("\n") for text in texts])  # from the centre to the first line
    room = max(length - above.max(initial=0.0), 1.0)  # the first line stands within the length, too
    centres = spread_labels(
        np.minimum(positions, room),
        heights=[LABEL_GAP * (1 + text.count("\n")) for text in texts],
        length=room,
        conflicts=conflicts,
    )
    return centres + above


def text_width(text: str) -> float:
    """Estimated width of the widest line of a label in px: Korean letters are twice as wide as Latin ones."""

    def width(line: str) -> float:
        wide = sum(unicodedata.east_asian_width(letter) in "WF" for letter in line)
        return LABEL_SIZE * (wide + 0.5 * (len(line) - wide))

    return max(map(width, text.split("\n")))


def room_for(texts: Iterable[str]) -> int:
    """What labels need right of the plot, in px.

    >>> room_for(["k = 8", "GD"]), room_for([])
    (44, 14)
    """
    return math.ceil(14 + min(max(map(text_width, texts), default=0), MAX_LABEL_WIDTH))


def free(room: int) -> alt.Chart:
    """Nothing, as wide as the labels right of the plot: the same place is free before, in and after a run.

    A chart that is fitted to its page shrinks the plot by what stands out of it. Without this the plot would
    become narrower as the labels move to the right with their lines.
    """
    nothing = alt.Chart(alt.sequence(1)).mark_rule(opacity=0, tooltip=None, aria=False)
    return nothing.encode(x=alt.value(alt.ExprRef("width")), x2=alt.value(alt.ExprRef(f"width + {room}")))


def words(
    chart: alt.Chart, theme: Theme, color: Any = None, *, halo: float = 4, opacity: float = 1, **text: Any
) -> list[alt.Chart]:
    """The column "label" as text, on a halo that keeps lines off the letters.

    Args:
        chart: with its encodings of the position.
        theme: theme of the page.
        color: an encoding; None for that of the page's text.
        halo: its width, in px.
        opacity: opacity of the halo.
        text: options of the text mark: "align", "dx", "fontSize", ….
    """
    style: dict[str, Any] = {"align": "left", "fontSize": LABEL_SIZE, "tooltip": None} | text
    behind = {"color": theme.background, "stroke": theme.background, "strokeWidth": halo, "opacity": opacity}
    return [
        chart.mark_text(**style | behind, strokeJoin="round", aria=False).encode(text="label:N"),
        chart.mark_text(**style).encode(text="label:N", color=alt.value(theme.text) if color is None else color),
    ]


def names(chart: alt.Chart, texts: Iterable[str], theme: Theme, color: Any) -> list[alt.Chart]:
    """The column "label" right of the ends of lines, and the place that the widest of the texts needs."""
    texts = list(texts)
    style: dict[str, Any] = {"dx": 8, "baseline": "middle", "fontWeight": "bold", "lineBreak": "\n"}
    return [free(room_for(texts)), *words(chart, theme, color, limit=MAX_LABEL_WIDTH, **style)]


def at_ends(ends: pd.DataFrame, axis: Axis, shares: np.ndarray, *, length: float) -> pd.DataFrame:
    """Ends of lines with a place ``label_y`` for the label of each, none upon another.

    Args:
        ends: columns y, label.
        axis: the vertical one.
        shares: (n,) how far along the horizontal axis the ends lie, in [0, 1].
        length: length of the vertical axis, in px.
    """
    wanted = length * np.array([axis.nearest(y) for y in ends["y"].astype("float64")])
    conflicts = np.abs(shares[:, None] - shares[None, :]) < SAME_PLACE
    first_lines = place_texts(wanted, ends["label"].tolist(), length=length, conflicts=conflicts)
    return ends.assign(label_y=[axis.value(share) for share in first_lines / length])
