"""What a film shows: panels side by side, layers upon each other, and for each frame what has changed.

A panel has a size in units of its own and is drawn as wide as its place; type keeps its size. A value of a layer is
one for the whole film, or a `track` with one for each frame; between two frames the browser moves tiles, arrows, bars
and lines. Colours are names of `COLORS`, "k32" for the
colour of a batch size (a power of two), or "#RRGGBB".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Layer: TypeAlias = dict[str, Any]
Mark: TypeAlias = dict[str, Any]
Point: TypeAlias = Sequence[float]
Box: TypeAlias = tuple[float, float, float, float]  # left, top, width, height

COLORS = ("text", "muted", "grid", "line", "background", "surface", "drawn", "primary", "alarm", "good", "full")


@dataclass(frozen=True, kw_only=True)
class Film:
    """A film: all that the browser needs to play it."""

    panels: Sequence[dict[str, Any]]
    frames: int
    alt: str  # what is seen, for screen readers
    seconds: Any = 0.8  # of a frame, or a track
    captions: Any = None  # what happens, or a track
    note: str = ""  # where the numbers are from
    loop: bool = False  # play again and again
    has_controls: bool = True
    caption_lines: int = 2


def track(values: Sequence[Any]) -> dict[str, Any]:
    """A value for each frame.

    >>> track([1, 2])
    {'track': [1, 2]}
    """
    return {"track": list(values)}


def panel(
    size: tuple[float, float], *layers: Layer, share: float = 1, least: int = 260, tall: int = 0
) -> dict[str, Any]:
    """A picture: layers in a rectangle of `size` units.

    Args:
        size: width and height, in units of the panel.
        *layers: from the back to the front.
        share: of the width that panels side by side divide.
        least: px; narrower than that, panels stand one below the other.
        tall: px; height that a panel of one plot has at least.
    """
    return {"size": size, "layers": list(layers), "share": share, "least": least, "tall": tall}


def code(lines: Sequence[str], *, lit: Any = (), share: float = 1, least: int = 260) -> dict[str, Any]:
    """Lines of a program.

    Args:
        lines: from the top.
        lit: number of the line that runs, or several, from 0.
        share: of the width that panels side by side divide.
        least: px; narrower than that, panels stand one below the other.
    """
    return {"code": list(lines), "lit": lit, "share": share, "least": least}


def text(at: Point, words: Any, **look: Any) -> Layer:
    """Words. `look`: size ("small", "normal", "big", "huge"), color, align, weight, halo."""
    return {"kind": "text", "at": at, "text": words, **look}


def box(at: Box, label: Any = "", **look: Any) -> Layer:
    """A rectangle with a label. `look`: fill, edge, dash, glow (in [0, 1]), labelled ("above")."""
    return {"kind": "box", "at": at, "label": label, **look}


def tank(at: Box, level: Any, *, label: Any, limit: str = "", fill: str = "primary") -> Layer:
    """A vessel that is filled up to `level`, 1 at its brim, and spills beyond."""
    return {"kind": "tank", "at": at, "level": level, "label": label, "limit": limit, "fill": fill}


def tiles(size: float, *, slots: Sequence[Point], at: Any, styles: dict[str, dict[str, Any]], states: Any) -> Layer:
    """Squares that stand for samples and move from slot to slot.

    Args:
        size: side, in units of the panel.
        slots: places, by number.
        at: number of the slot of each tile.
        styles: by one character: fill, edge, alpha, ink (of its picture), text.
        states: one character for each tile.
    """
    return {"kind": "tiles", "size": size, "slots": slots, "slots_at": at, "styles": styles, "states": states}


def axis(domain: tuple[float, float], title: str = "", *, log: bool = False, ticks: Any = None) -> dict[str, Any]:
    """The scale of a plot."""
    return {"domain": domain, "title": title, "log": log, "ticks": ticks}


def plot(at: Box, *marks: Mark, x: Any = None, y: Any = None, title: str = "", **rest: Any) -> Layer:
    """Marks on two axes."""
    return {"kind": "plot", "at": at, "marks": list(marks), "x": x, "y": y, "title": title, **rest}


def line(xs: Sequence[float], ys: Sequence[float], *, color: str, **look: Any) -> Mark:
    """A line. `look`: upto (index of its last point drawn, or a track), name, width, dash, head, points, alpha, dy."""
    return {
        "mark": "line",
        "xs": [significant(x) for x in xs],
        "ys": [significant(y) for y in ys],
        "color": color,
    } | look


def arrow(to: Any, *, color: str, **look: Any) -> Mark:
    """An arrow. `to`: x and y of its foot and of its tip, or None. `look`: width, name, dash, alpha."""
    return {"mark": "arrow", "to": to, "color": color} | look


def dots(points: Any, *, colors: Any, **look: Any) -> Mark:
    """Dots that may move. `points`: (x, y) or None for each. `look`: size, edge, alpha."""
    return {"mark": "dots", "points": points, "colors": colors} | look


def frames(points: Any, *, cell: tuple[float, float], color: str) -> Mark:
    """Frames around cells of a grid: the middle of each, or None; and their size in units of the axes."""
    return {"mark": "frames", "points": points, "cell": cell, "color": color}


def rule(*, x: float | None = None, y: float | None = None, **look: Any) -> Mark:
    """A straight line across the plot."""
    return {"mark": "rule"} | ({"x": x} if x is not None else {"y": y}) | look


def label(x: float, y: float, words: Any, **look: Any) -> Mark:
    """Words at a point of the plot. `look`: dx, dy in px, align, color, weight."""
    return {"mark": "label", "x": x, "y": y, "text": words} | look


def field(columns: int, rows: int, *, cells: Any, palette: dict[str, str], **look: Any) -> Mark:
    """A grid of colours. `cells`: one character for each, row by row from the top. `look`: gap, alpha, texts, ink."""
    return {"mark": "field", "columns": columns, "rows": rows, "cells": cells, "palette": palette} | look


def bars(at: Box, values: Any, *, labels: Any, colors: Any, high: float, **look: Any) -> Layer:
    """Bars, one below the other.

    Args:
        at: place.
        values: of each bar, or a track.
        labels: beside each.
        colors: of each.
        high: value of the longest bar that has room.
        **look: texts at the end of each, log with low, left (room of labels, in units), room (px, of texts),
            labelled ("above").
    """
    base = {"kind": "bars", "at": at, "values": values, "labels": labels, "colors": colors, "high": high}
    return base | look


def grid(
    count: int, columns: int, *, size: float, left: float = 0, top: float = 0, gap: float = 0
) -> list[tuple[float, float]]:
    """Corners of `count` tiles in rows of `columns`.

    >>> grid(3, 2, size=10)
    [(0, 0), (10, 0), (0, 10)]
    """
    step = size + gap
    return [(left + step * (i % columns), top + step * (i // columns)) for i in range(count)]


def significant(value: float) -> float:
    """A number with four significant digits: the browser draws no more.

    >>> significant(0.123456)
    0.1235
    """
    return value if value == 0 or not math.isfinite(value) else float(f"{value:.4g}")
