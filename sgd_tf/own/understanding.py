"""What a table says: which columns are features and which is the target, what is left out and why, the rows of use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from sgd_tf.own.columns import MAX_CATEGORIES, Array, Column, Kind, kind_of
from sgd_tf.own.errors import REASONS, TableError
from sgd_tf.own.reading import NO_LIMITS, Limits
from sgd_tf.problems.own_data import MAX_CLASSES, MIN_ROWS, infer_task
from sgd_tf.problems.splitting import Task

Missing = Literal["drop", "fill"]
NAMES_OF_TARGETS = ("target", "label", "class", "y", "species", "정답", "목표", "타깃", "레이블", "라벨", "종류")
MAX_FLOAT = float(np.finfo(np.float32).max)


@dataclass(frozen=True, kw_only=True)
class Choices:
    """What a learner has decided; the rest is guessed."""

    target: str | None = None  # None: a column called "target" or the like, else the last one
    features: tuple[str, ...] | None = None  # None: all that can be used
    kinds: Mapping[str, str] = field(default_factory=dict)  # by column: "number", "category" or "out"
    task: Task | None = None
    missing: Missing = "drop"  # rows without a value are dropped, or filled with the median or the most frequent one
    scale: bool = True  # whether features and target get mean 0 and standard deviation 1
    test_share: float = 0.2
    seed: int = 0  # of the split


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """A column that is not used."""

    name: str
    reason: str  # key of REASONS


@dataclass(frozen=True, kw_only=True, eq=False)
class Understanding:
    """What will be learned from a table."""

    columns: tuple[Column, ...]
    kinds: dict[str, Kind]  # by the name of each column
    target: Column
    task: Task
    features: tuple[Column, ...]
    left_out: tuple[LeftOut, ...]
    is_used: Array  # (n,) bool: the rows of use
    num_missing: int  # cells without a value, in the columns and rows of use before any is dropped
    choices: Choices

    @property
    def num_rows(self) -> int:
        """Rows of use."""
        return int(self.is_used.sum())

    @property
    def num_dropped(self) -> int:
        """Rows that lack a value."""
        return len(self.is_used) - self.num_rows

    @property
    def num_test(self) -> int:
        """Rows of the test part."""
        return math.ceil(self.choices.test_share * self.num_rows)

    @property
    def num_filled(self) -> int:
        """Cells that are filled in."""
        return sum(int(self.is_missing(column)[self.is_used].sum()) for column in self.features)

    @property
    def width(self) -> int:
        """Number of features, with one for each category but the most frequent one."""
        return sum(
            len(levels(self, column)) if self.kinds[column.name] == "category" else 1 for column in self.features
        )

    def is_missing(self, column: Column) -> Array:
        """(n,) bool: the cells of a column without a value of use."""
        return column.is_missing(self.kinds[column.name])

    def classes(self) -> tuple[str, ...]:
        """Names of the classes, in order; empty in a regression."""
        if self.task == "regression":
            return ()
        return tuple(self.target.texts[place] for place in self.class_places())

    def class_places(self) -> list[int]:
        """Positions of the classes among the values of the target: numbers by size, words by letter."""
        found = np.unique(self.target.codes[self.is_used]).tolist()
        if self.kinds[self.target.name] == "number":
            return sorted(found, key=lambda place: self.target.numbers[place])
        return sorted(found, key=lambda place: self.target.texts[place])


def levels(found: Understanding, column: Column) -> list[int]:
    """Positions of the values of a category that get a feature each: all but the most frequent one."""
    codes = column.codes[found.is_used]
    counts = np.bincount(codes[codes >= 0], minlength=len(column.texts))
    present = np.flatnonzero(counts)
    most_frequent = present[np.argmax(counts[present])]
    return sorted((place for place in present.tolist() if place != most_frequent), key=lambda p: column.texts[p])


def understand(
    columns: Sequence[Column], choices: Choices | None = None, *, limits: Limits = NO_LIMITS
) -> Understanding:
    """Find target, features, task and the rows of use, or say what is in the way.

    Raises:
        TableError: if there is nothing to learn from.
    """
    choices = choices or Choices()
    if len(columns) < 2:
        raise TableError("one_column")
    named = {column.name: column for column in columns}
    _check_names(named, choices)
    target = named[choices.target or guess_target(columns, choices)]
    kinds = {column.name: kind_of(column, choices.kinds.get(column.name)) for column in columns}
    _check_target(target, kinds[target.name])
    features, left_out = _features(named, kinds, target, choices)
    is_used = ~target.is_missing(kinds[target.name])
    num_missing = int((~is_used).sum())
    for column in features:
        holes = column.is_missing(kinds[column.name])
        num_missing += int(holes.sum())
        if choices.missing == "drop":
            is_used &= ~holes
    still = {column.name for column in features if _num_values(column, is_used, kinds) > 1}
    left_out += [LeftOut(name=each.name, reason="constant") for each in features if each.name not in still]
    place = {name: position for position, name in enumerate(named)}
    found = Understanding(
        columns=tuple(columns),
        kinds=kinds,
        target=target,
        task=_task(target, kinds, is_used, choices),
        features=tuple(column for column in features if column.name in still),
        left_out=tuple(sorted(left_out, key=lambda each: place[each.name])),
        is_used=is_used,
        num_missing=num_missing,
        choices=choices,
    )
    _check(found, limits)
    return found


def guess_target(columns: Sequence[Column], choices: Choices) -> str:
    """Name of the likely target: one that is called so, else the last column of use."""
    usable = [
        column.name
        for column in columns
        if choices.kinds.get(column.name) != "out" and why_not_target(column, kind_of(column, None)) is None
    ]
    named = [name for name in usable if name.lower() in NAMES_OF_TARGETS]
    return [*usable, *named][-1] if usable else columns[-1].name


def why_not_target(column: Column, kind: Kind) -> str | None:
    """Why a column cannot be the target: a key of REASONS; None if it can."""
    if kind in ("date", "nested"):
        return kind
    if not len(column.texts) or column.is_missing(kind).all():
        return "empty"
    return "text" if kind == "text" and len(column.texts) > MAX_CLASSES else None


def why_not_feature(column: Column, kind: Kind) -> str | None:
    """Why a column cannot be a feature: a key of REASONS; None if it can."""
    if kind in ("date", "nested"):
        return kind
    missing = column.is_missing(kind)
    if missing.all():
        return "empty"
    if 2 * missing.sum() > len(missing):
        return "sparse"
    if kind == "text" or (kind == "category" and len(column.texts) > MAX_CATEGORIES):
        return "text"
    values = column.numbers[~np.isnan(column.numbers)] if kind == "number" else column.texts
    return "constant" if len(np.unique(values)) < 2 else None


def _numbers_rows(column: Column) -> bool:
    """Whether a column holds 0, 1, 2, … or 1, 2, 3, … from the first row to the last."""
    values = column.values()
    return bool(values[0] in (0, 1) and np.array_equal(values, values[0] + np.arange(len(values))))


def _check_names(named: Mapping[str, Column], choices: Choices) -> None:
    for name in [choices.target, *(choices.features or ())]:
        if name is not None and name not in named:
            raise TableError("unknown_column", name=name, names=list(named))
    if choices.target is not None and choices.target in (choices.features or ()):
        raise TableError("target_is_feature", name=choices.target)


def _check_target(target: Column, kind: Kind) -> None:
    reason = why_not_target(target, kind)
    if reason == "text":
        raise TableError("many_classes", name=target.name, received=len(target.texts), limit=MAX_CLASSES)
    if reason is not None:
        raise TableError("target_unusable", name=target.name, reason=reason)


def _features(
    named: Mapping[str, Column], kinds: Mapping[str, Kind], target: Column, choices: Choices
) -> tuple[list[Column], list[LeftOut]]:
    """The columns of use, and the others; a column that was asked for by name must be of use."""
    features, left_out = [], []
    for name, column in named.items():
        if name == target.name:
            continue
        reason = why_not_feature(column, kinds[name])
        if choices.features is not None and name in choices.features:
            if reason is not None:
                raise TableError("feature_unusable", name=name, reason=reason, limit=MAX_CATEGORIES)
        elif choices.features is not None or choices.kinds.get(name) == "out":
            reason = "chosen"
        elif reason is None and name not in choices.kinds and kinds[name] == "number" and _numbers_rows(column):
            reason = "row_number"
        if reason is None:
            features.append(column)
        else:
            left_out.append(LeftOut(name=name, reason=reason))
    return features, left_out


def _num_values(column: Column, is_used: Array, kinds: Mapping[str, Kind]) -> int:
    """Number of different values in the rows of use."""
    places = np.unique(column.codes[is_used & ~column.is_missing(kinds[column.name])])
    if kinds[column.name] == "number":
        return len(np.unique(column.numbers[places]))
    return len(places)


def _task(target: Column, kinds: Mapping[str, Kind], is_used: Array, choices: Choices) -> Task:
    is_number = kinds[target.name] == "number"
    if choices.task == "regression" and not is_number:
        raise TableError("not_numbers", name=target.name)
    if choices.task is not None:
        return choices.task
    if not is_number or not is_used.any():
        return "classification"
    return infer_task(target.values()[is_used])


def _check(found: Understanding, limits: Limits) -> None:
    """Raise a TableError if no problem can be made of this."""
    name = found.target.name
    if found.num_rows < MIN_ROWS:
        raise TableError("few_rows", received=found.num_rows, limit=MIN_ROWS, dropped=found.num_dropped)
    if not found.features:
        raise TableError("no_features", left_out=[each.name for each in found.left_out])
    if found.task == "classification":
        _check_classes(found)
    elif _num_values(found.target, found.is_used, found.kinds) < 2:
        raise TableError("constant_target", name=name)
    for column in (*found.features, found.target):
        if found.kinds[column.name] == "number":
            values = column.values()[found.is_used]
            if np.nanmax(np.abs(values)) > MAX_FLOAT or np.nanmax(values) - np.nanmin(values) > MAX_FLOAT:
                raise TableError("too_wide", name=column.name)
    num_values = found.num_rows * found.width
    if limits.num_values is not None and num_values > limits.num_values:
        raise TableError("too_many_values", received=num_values, columns=found.width, limit=limits.num_values)


def _check_classes(found: Understanding) -> None:
    name = found.target.name
    codes, counts = np.unique(found.target.codes[found.is_used], return_counts=True)
    if len(codes) < 2:
        raise TableError("one_class", name=name)
    if len(codes) > MAX_CLASSES:
        raise TableError("many_classes", name=name, received=len(codes), limit=MAX_CLASSES)
    if counts.min() < 2:
        raise TableError("rare_class", name=name, value=found.target.texts[codes[counts.argmin()]])
    if found.num_test < len(codes):
        raise TableError("few_test_rows", classes=len(codes), rows=found.num_rows, test=found.num_test)


def say(found: Understanding) -> str:
    """What was left out, in English; empty if nothing was.

    >>> import pandas as pd
    >>> from sgd_tf.own.columns import columns_of
    >>> day = [f"2024-01-{1 + row % 28:02}" for row in range(40)]
    >>> say(understand(columns_of(pd.DataFrame({"day": day, "x": [None, *range(39)], "y": [0, 1] * 20}))))
    'Left out: day (dates or times; write the year, the month or the hours as numbers). Dropped: 1 of 40 rows, \
which lack a value.'
    """
    words = [
        f"{each.name} ({REASONS[each.reason].format(limit=MAX_CATEGORIES)})"
        for each in found.left_out
        if each.reason != "chosen"
    ]
    sentences = [f"Left out: {', '.join(words)}."] if words else []
    if found.num_dropped:
        sentences.append(f"Dropped: {found.num_dropped:,} of {len(found.is_used):,} rows, which lack a value.")
    return " ".join(sentences)
