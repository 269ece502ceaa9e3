"""A column of a table: its different values, what they are as numbers, and the kind that they suggest."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

Array = np.ndarray
Kind = Literal["number", "category", "date", "text", "nested"]

MAX_CATEGORIES = 20  # different words of a category
MIN_SHARE = 0.9  # of the values that must be numbers, or dates, in a column of this kind
MAX_SHOWN = 3  # values that are shown as examples
MISSING = frozenset(
    ["", "na", "n/a", "#n/a", "<na>", "nan", "null", "none", "-", "--", "?", ".", "결측", "결측값", "없음"]
)
THOUSANDS = {
    ".": re.compile(r"[-+]?\d{1,3}(,\d{3})+(\.\d*)?"),
    ",": re.compile(r"[-+]?\d{1,3}(\.\d{3})+(,\d*)?"),
}
NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?inf(inity)?", re.IGNORECASE)
DATE = re.compile(
    r"\d{4}\s*[-./년]\s*\d{1,2}\s*[-./월](\s*\d{1,2}\s*[일.]?)?([ T].*)?|\d{4}-\d{1,2}"
    r"|\d{1,2}\s*[-./]\s*\d{1,2}\s*[-./]\s*\d{2,4}( .*)?|\d{1,2}월 ?\d{1,2}일"
    r"|\d{1,2}:\d{2}(:\d{2}.*)?( ?[APap]\.?[Mm]\.?)?"
)


@dataclass(frozen=True, kw_only=True, eq=False)
class Column:
    """One column: n cells, each of them one of u different values, or missing."""

    name: str
    codes: Array  # (n,) int: position of the value, -1 where it is missing
    numbers: Array  # (u,) float64; nan for a value that is no number, or not a finite one
    texts: tuple[str, ...]  # (u,) the values as they are written
    guess: Kind
    num_infinite: int = 0  # cells that hold no finite number

    @functools.cached_property
    def counts(self) -> Array:
        """(u,) how often each value occurs."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.texts))

    @property
    def num_empty(self) -> int:
        """Cells without a value."""
        return int((self.codes < 0).sum())

    @functools.cached_property
    def num_words(self) -> int:
        """Cells that hold neither nothing nor a finite number."""
        return int(self.counts[np.isnan(self.numbers)].sum())

    @property
    def words(self) -> tuple[str, ...]:
        """The first values that are no finite number."""
        found = np.flatnonzero(np.isnan(self.numbers))[:MAX_SHOWN]
        return tuple(self.texts[position] for position in found)

    def is_missing(self, kind: Kind) -> Array:
        """(n,) bool: whether the cell has no value that is of use in a column of this kind."""
        missing = self.codes < 0
        if kind == "number" and len(self.texts):
            missing = missing | np.isnan(self.numbers)[self.codes]
        return missing

    def values(self) -> Array:
        """(n,) float64, nan where there is no finite number."""
        if not len(self.texts):
            return np.full(len(self.codes), np.nan)
        return np.where(self.codes < 0, np.nan, self.numbers[self.codes])


def columns_of(frame: pd.DataFrame, *, decimal: str = ".") -> tuple[Column, ...]:
    """The columns of a table.

    Args:
        frame: (n, d), of text or of any other types.
        decimal: sign of the decimals in a text.

    >>> import pandas as pd
    >>> price, town = columns_of(pd.DataFrame({"price": ["1,000", "", "n/a"], "town": ["서울", "부산", "서울"]}))
    >>> price.values().tolist()[0], price.num_empty, price.guess, town.texts, town.counts.tolist(), town.guess
    (1000.0, 2, 'number', ('서울', '부산'), [2, 1], 'category')
    """
    return tuple(_column(str(name), frame.iloc[:, place], decimal) for place, name in enumerate(frame.columns))


def _column(name: str, cells: pd.Series, decimal: str) -> Column:
    import pandas as pd

    kind = getattr(cells.dtype, "kind", "O")
    if kind in "mM" or isinstance(cells.dtype, pd.PeriodDtype):
        return _as_kind(name, cells, "date")
    if kind in "iuf" and not isinstance(cells.dtype, pd.CategoricalDtype):
        return _of_numbers(name, cells)
    try:
        codes, values = pd.factorize(cells.astype(object), use_na_sentinel=True)
    except TypeError:  # lists cannot be compared
        return _as_kind(name, cells, "nested")
    return _of_texts(name, codes, [str(value).strip() for value in values], decimal)


def _as_kind(name: str, cells: pd.Series, kind: Kind) -> Column:
    """A column that cannot be used."""
    codes = np.where(cells.isna(), -1, 0)
    return Column(name=name, codes=codes, numbers=np.array([np.nan]), texts=("…",), guess=kind)


def _of_numbers(name: str, cells: pd.Series) -> Column:
    import pandas as pd

    values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    codes, numbers = pd.factorize(values, use_na_sentinel=True)
    texts = tuple(_as_text(number) for number in numbers)
    return _finite(name, codes, numbers, texts)


def _as_text(number: float) -> str:
    """A number as a class is called: 3 for 3.0.

    >>> _as_text(3.0), _as_text(0.25)
    ('3', '0.25')
    """
    return str(int(number)) if np.isfinite(number) and number == int(number) else repr(float(number))


def _of_texts(name: str, codes: Array, written: Sequence[str], decimal: str) -> Column:
    """A column of texts, in which one value may be written in several ways that differ in blanks."""
    places: dict[str | float, int] = {}  # by number, or by text where it is none
    new: list[int] = []
    texts: list[str] = []
    numbers: list[float] = []
    for text in written:
        number = _number(text, decimal)
        place = -1 if text.lower() in MISSING else places.setdefault(text if np.isnan(number) else number, len(places))
        if place == len(texts):
            texts.append(text)
            numbers.append(number)
        new.append(place)
    places_of = np.array([*new, -1])  # the last one for what is missing
    column = _finite(name, places_of[codes], np.array(numbers), tuple(texts))
    if column.guess == "number" or not texts:
        return column
    dates = np.array([DATE.fullmatch(text) is not None for text in texts])
    guess: Kind = "category" if len(texts) <= MAX_CATEGORIES else "text"
    if column.counts[dates].sum() >= MIN_SHARE * column.counts.sum():
        guess = "date"
    return replace(column, guess=guess)


def _finite(name: str, codes: Array, numbers: Array, texts: tuple[str, ...]) -> Column:
    """A column of numbers if most of its values are, with those that are not finite as missing."""
    numbers = np.asarray(numbers, np.float64).reshape(len(texts))
    infinite = np.isinf(numbers)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    is_number = counts[~np.isnan(numbers)].sum() >= MIN_SHARE * counts.sum()
    return Column(
        name=name,
        codes=codes,
        numbers=np.where(infinite, np.nan, numbers),
        texts=texts,
        guess="number" if is_number else "text",
        num_infinite=int(counts[infinite].sum()),
    )


def _number(text: str, decimal: str) -> float:
    """The number that a text stands for, nan if it is none.

    >>> [_number("1,000", "."), _number("1.000,5", ","), _number("12 %", "."), _number("3kg", ".")]
    [1000.0, 1000.5, 12.0, nan]
    """
    text = text.removesuffix("%").rstrip().replace("\u2212", "-")  # the sign of typeset numbers
    if THOUSANDS[decimal].fullmatch(text):
        text = text.replace("." if decimal == "," else ",", "")
    if decimal == ",":
        text = text.replace(",", ".")
    return float(text) if NUMBER.fullmatch(text) else float("nan")


def kind_of(column: Column, choice: str | None) -> Kind:
    """The kind that a column is taken as: the one chosen, or the guess."""
    if choice == "number" and column.guess in ("number", "category", "text"):
        return "number"
    if choice == "category" and column.guess in ("number", "category", "text"):
        return "category"
    return column.guess
