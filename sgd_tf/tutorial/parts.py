"""What the films of several steps have in common."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def reach(xs: list[float], moments: list[float]) -> list[float]:
    """For each moment the index of the last point of a line that is drawn then, between two points a fraction.

    >>> reach([0, 1, 3], [0, 0.5, 2, 9])
    [0.0, 0.5, 1.5, 2.0]
    """
    found = []
    for moment in moments:
        place = max(sum(x <= moment for x in xs) - 1, 0)
        if place == len(xs) - 1:
            found.append(float(place))
        else:
            share = (moment - xs[place]) / (xs[place + 1] - xs[place])
            found.append(round(place + min(max(share, 0.0), 1.0), 3))
    return found


def at_time(xs: list[float], ys: list[T], moment: float) -> T:
    """The value of the last record at or before a moment."""
    return ys[max(sum(x <= moment for x in xs) - 1, 0)]
