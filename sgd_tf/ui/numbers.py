"""How numbers are written on a page."""

from __future__ import annotations

import math

import pandas as pd

from sgd_tf.words import power_of_ten


def digits(value: float | None, num: int) -> str:
    """A number with so many significant digits; "–" where there is none, "∞" where it is infinite.

    >>> digits(0.0126, 2), digits(99.6, 2), digits(1234.5, 2), digits(2.2e-05, 2), digits(None, 2)
    ('0.013', '100', '1,234', '2.2 · 10⁻⁵', '–')
    """
    if value is None or pd.isna(value):
        return "–"
    if math.isinf(value):
        return "∞"
    text = f"{value:.{num}g}"  # 99.6 with two digits is 1e+02
    if "e-" in text:
        return power_of_ten(value, num)
    return f"{value:,.0f}" if abs(float(text)) >= 10**num else text


def percent(value: float | None) -> str:
    """A share as a percentage."""
    return "–" if value is None or pd.isna(value) else f"{value:.1%}"


def count(value: float | None) -> str:
    """A whole number with separators."""
    return "–" if value is None or pd.isna(value) else f"{value:,.0f}"


def target_text(target: float, metric: str) -> str:
    """A target as it is written in a sentence: a loss as a number, an accuracy as a percentage."""
    return f"{100 * target:.4g} %" if metric == "test_accuracy" else f"{target:g}"


def difference_text(difference: float | None, nothing: str = "…") -> str:
    """A relative difference, in per cent where it is large; `nothing` where there is none.

    >>> difference_text(6.4e-06), difference_text(0.123), difference_text(None)
    ('6 · 10⁻⁶', '12.3%', '…')
    """
    if difference is None:
        return nothing
    return f"{difference:.1%}" if difference > 1e-3 else power_of_ten(difference)
