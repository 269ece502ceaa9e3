"""The gettext marker for sentences outside the pages; and numbers with a power of ten, for pages and charts."""

from __future__ import annotations


def N_(message: str) -> str:  # noqa: N802, the name that gettext tools search for
    """Mark a message for translation and return it unchanged; a page translates it when it shows it."""
    return message


RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")


def power_of_ten(value: float, num: int = 1) -> str:
    """A very small or very large number with so many significant digits and a power of ten.

    >>> power_of_ten(2.98e-08), power_of_ten(2.98e-08, 2), power_of_ten(0)
    ('3 · 10⁻⁸', '3.0 · 10⁻⁸', '0')
    """
    mantissa, exponent = f"{value:.{num - 1}e}".split("e")
    return f"{mantissa} · 10{str(int(exponent)).translate(RAISED)}" if value else "0"
