"""A curve with two valleys, a shallow and a deeper one, to test what noise does."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

Array: TypeAlias = "np.ndarray[Any, Any]"

TILT = 0.12  # lifts the right valley above the left one; up to 2/(3√3) = 0.385 there are two


def height(w: float | Array) -> Any:
    """The loss f(w) = w⁴/4 − w²/2 + c w: valleys near w = −1 and w = 1, tilt c.

    >>> height(0.0)
    0.0
    """
    return w**4 / 4 - w**2 / 2 + TILT * w


def slope(w: float | Array) -> Any:
    """Its derivative f′(w) = w³ − w + c.

    >>> slope(1.0)
    0.12
    """
    return w**3 - w + TILT


def stationary_points() -> tuple[float, float, float]:
    """Where f′(w) = 0: the bottom of the deeper valley, the ridge, and the bottom of the shallow valley.

    >>> [round(w, 3) for w in stationary_points()]
    [-1.055, 0.122, 0.934]
    """
    deep, ridge, shallow = np.sort(np.roots([1, 0, -1, TILT]).real)
    return float(deep), float(ridge), float(shallow)
