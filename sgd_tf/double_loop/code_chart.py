"""Lines of Python as a picture, in which those that run are lit: the player's code."""

from __future__ import annotations

import io
import keyword
import tokenize
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any

import altair as alt
import pandas as pd

from sgd_tf.charts import axes
from sgd_tf.charts.frame import bare, filled, structure, table
from sgd_tf.charts.style import DRAWN, LIGHT, TEXT, Theme

CODE_COLUMNS = 52  # letters that a line of code has room for
CODE_SIZE = 8.4  # px, the widest that a letter of code gets
CODE_LINE = 26  # px, from line to line of code
CODE_FONT = "'Source Code Pro', 'DejaVu Sans Mono', monospace"
KEYWORD = {False: "#7F1976", True: "#E991E6"}
SILENT: dict[str, Any] = {"tooltip": None, "aria": False}  # of marks that say nothing


def code(lines: Sequence[str], lit: Sequence[int], *, theme: Theme = LIGHT) -> alt.LayerChart:
    """Lines of Python, those that run lit in the yellow of the drawn samples and marked with a triangle.

    Args:
        lines: of code; longer ones than CODE_COLUMNS letters run out of the picture.
        lit: numbers of the lines that run, from 1.
        theme: of the page; the lines give the height.

    >>> code(["for x in xs:", "    pass"], [2]).to_dict()["datasets"]["lit"]
    [{'line': 2}]
    """
    theme = replace(theme, height=CODE_LINE * len(lines) + 4)
    return filled(_code(theme), lit=pd.DataFrame({"line": list(lit)}), tokens=_tokens(tuple(lines)))


@lru_cache(maxsize=8)
def _tokens(lines: tuple[str, ...]) -> pd.DataFrame:
    """The words of Python source with their places: line from 1, column from 0, text, and whether it is a keyword."""
    rows = []
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
        if token.string.strip():
            line, column = token.start
            is_keyword = keyword.iskeyword(token.string)
            rows.append({"line": line, "column": column, "text": token.string, "keyword": is_keyword})
    return pd.DataFrame(rows)


@structure
def _code(theme: Theme) -> alt.LayerChart:
    letter = f"min({CODE_SIZE}, (width - 4) / {CODE_COLUMNS})"
    margin = 3  # columns on the left, for the triangle

    def down(shift: float) -> str:
        return f"(datum.line - {shift}) * {CODE_LINE}"

    left, at, x = axes.fields(alt.X, "left", "at", "x", scale=None, axis=None)
    top, middle = axes.fields(alt.Y, "top", "middle", scale=None, axis=None)
    lit = table("lit").transform_calculate(
        top=down(0.96), bottom=down(0.04), middle=down(0.5), left="0", right="width", at=f"1.2 * {letter}"
    )
    tokens = (
        table("tokens")
        .transform_lookup("line", from_=alt.LookupData(alt.NamedData(name="lit"), "line", ["line"]), as_=["found"])
        .transform_calculate(
            middle=down(0.5),
            x=f"(datum.column + {margin}) * {letter}",
            look="isValid(datum.found) ? 'lit' : datum.keyword ? 'keyword' : 'plain'",
        )
    )
    colors = {"plain": theme.text, "keyword": theme.of(KEYWORD), "lit": TEXT[False]}
    size = alt.ExprRef(f"{letter} / 0.6")
    layers = [
        # A yellow bar and a triangle for each line that runs.
        lit.mark_rect(cornerRadius=5, fill=DRAWN, **SILENT).encode(x=left, x2="right:Q", y=top, y2="bottom:Q"),
        lit.mark_text(text="▶", color=TEXT[False], baseline="middle", fontSize=11, **SILENT).encode(x=at, y=middle),
        # The code, word by word.
        tokens.mark_text(align="left", baseline="middle", font=CODE_FONT, fontSize=size, **SILENT).encode(
            x=x, y=middle, text="text:N", color=axes.look(alt.Color, "look", colors, type="ordinal")
        ),
    ]
    return bare(layers, theme)
