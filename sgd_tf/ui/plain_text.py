"""Texts that come from others, such as the headers of a table: shown as they are, whatever is written in them."""

from __future__ import annotations

import pandas as pd

MAX_LETTERS = 100


def code(text: str) -> str:
    """A text for Markdown, as a piece of code: no link, no formula, no colour, no icon in it has an effect.

    >>> code("a`b"), code(":red[x] $y$"), code(" ")
    ('`aʼb`', '`:red[x] $y$`', '` `')
    """
    plain = "".join(letter if letter.isprintable() else " " for letter in text[:MAX_LETTERS]).replace("`", "ʼ")
    return f"`{plain or ' '}`"


def cell(text: str) -> str:
    """A text for a cell of a CSV that a spreadsheet takes for a text, never for a formula.

    OWASP, CSV Injection: a cell that begins with one of ``= + - @``, a tab or a return gets an apostrophe before it.

    >>> cell("=cmd|' /C calc'!A0"), cell("k = 32")
    ("'=cmd|' /C calc'!A0", 'k = 32')
    """
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def csv(table: pd.DataFrame) -> str:
    """A table as CSV, each of its texts as `cell` writes it: names that a learner gave may stand there.

    >>> csv(pd.DataFrame({"run": ["=1+1", "GD"], "loss": [-0.5, 0.5]})).splitlines()
    ['run,loss', "'=1+1,-0.5", 'GD,0.5']
    """
    texts = table.select_dtypes(["str", "object"])
    return table.assign(**{name: texts[name].map(cell, na_action="ignore") for name in texts}).to_csv(index=False)
