"""A table that was understood → a problem to learn."""

from __future__ import annotations

import hashlib
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from sgd_tf.own import defaults
from sgd_tf.own.columns import Array, columns_of
from sgd_tf.own.errors import TableError
from sgd_tf.own.reading import clean_names, read
from sgd_tf.own.understanding import Choices, Understanding, levels, say, understand
from sgd_tf.problems import ProblemInfo, given
from sgd_tf.problems.own_data import TableOptions, check_options
from sgd_tf.problems.problem import LICENCE, SOURCE, Problem, from_parts
from sgd_tf.problems.splitting import Draw, Task, split_rows
from sgd_tf.words import N_

if TYPE_CHECKING:
    import pandas as pd


def problem_of(found: Understanding, *, name: str, num_examples: int | None = None) -> Problem:
    """Build the problem: split, filled in by the training part, categories as columns of 0 and 1, scaled.

    Args:
        found: what the table says.
        name: of the problem.
        num_examples: N; None for the whole training part.

    Raises:
        TableError: if it cannot be scaled.
    """
    draw = Draw(num_examples, found.choices.test_share, found.choices.seed)
    target, class_names = _target(found)
    train, test = split_rows(target, draw, found.task)
    x, names = _features(found, train)
    try:
        problem = from_parts(
            x[train],
            target[train],
            x[test],
            target[test],
            task=found.task,
            class_names=class_names,
            scale=found.choices.scale,
            name=name,
            feature_names=names,
            target_name=found.target.name,
            source=SOURCE,
            licence=LICENCE,
        )
    except ValueError:  # the target does not vary in the training part
        raise TableError("constant_target", name=found.target.name) from None
    for array in (problem.x_train, problem.x_test, problem.y_train, problem.y_test):
        if not np.isfinite(array).all():
            raise TableError("too_wide", name=found.target.name)
    return problem


def _target(found: Understanding) -> tuple[Array, tuple[str, ...]]:
    """The target (rows of use,), and the names of its classes."""
    if found.task == "regression":
        return found.target.values()[found.is_used], ()
    places = found.class_places()
    label = np.zeros(len(found.target.texts), np.int64)
    label[places] = np.arange(len(places))
    return label[found.target.codes[found.is_used]], found.classes()


def _features(found: Understanding, train: Array) -> tuple[Array, tuple[str, ...]]:
    """Features (rows of use, d), and their names."""
    x = np.empty((found.num_rows, found.width))
    names: list[str] = []
    for column in found.features:
        if found.kinds[column.name] == "number":
            x[:, len(names)] = _numbers(column.values()[found.is_used], train)
            names.append(column.name)
            continue
        codes = _codes(column.codes[found.is_used], train, len(column.texts))
        for place in levels(found, column):
            x[:, len(names)] = codes == place
            names.append(f"{column.name} = {column.texts[place]}")
    return x, tuple(names)


def _numbers(values: Array, train: Array) -> Array:
    """Values with the median of the training part where one is missing."""
    holes = np.isnan(values)
    if holes.any():
        known = values[train][~holes[train]]
        values[holes] = np.median(known) if len(known) else 0.0
    return values


def _codes(codes: Array, train: Array, num_values: int) -> Array:
    """Positions of values, with the most frequent one of the training part where one is missing."""
    known = codes[train][codes[train] >= 0]
    return np.where(codes < 0, np.bincount(known, minlength=num_values).argmax(), codes)


@dataclass(frozen=True, kw_only=True)
class OwnTable:
    """A file and the choices made for it: what a worker is sent, to build the problem there."""

    content: bytes = field(repr=False)
    choices: Choices

    @property
    def name(self) -> str:
        """Name of its problem: the same for the same file and choices, and nothing of either can be read from it."""
        choices = repr((self.choices, sorted(self.choices.kinds.items())))
        return given.PREFIX + hashlib.sha256(choices.encode() + b"\0" + self.content).hexdigest()[:20]

    def source(self) -> str:
        """The call that makes the problem of the learner's file, in Python."""
        usual = Choices()
        names = [n for n in ("task", "missing", "scale") if getattr(self.choices, n) != getattr(usual, n)]
        options = [f"{name}={getattr(self.choices, name)!r}" for name in ("target", *names)]
        if self.choices.kinds:
            options.append(f"kinds={dict(self.choices.kinds)!r}")
        return f'sgd_tf.Problem.from_csv("your_table.csv", {", ".join(options)})'

    def __call__(self, num_examples: int | None) -> Problem:
        """The problem with N training samples, or all."""
        table = read(self.content)
        columns = columns_of(table.frame, decimal=table.dialect.decimal if table.dialect else ".")
        return problem_of(understand(columns, self.choices), name=self.name, num_examples=num_examples)


def own_table(content: bytes, found: Understanding) -> OwnTable:
    """A file with the choices that were made for it, the guessed target among them."""
    return OwnTable(content=content, choices=replace(found.choices, target=found.target.name))


def given_problem(content: bytes, found: Understanding) -> given.Given:
    """The problem of an uploaded file, to give to this process.

    Raises:
        TableError: if it cannot be built.
    """
    table = own_table(content, found)
    problem = problem_of(found, name=table.name)
    info = ProblemInfo(
        name=table.name,
        kind="own",
        task=problem.task,
        num_examples=problem.num_examples,
        num_test=problem.num_test,
        num_features=problem.num_features,
        num_classes=problem.num_classes,
        max_examples=problem.num_examples,
        summary=N_("A table of your own."),
        largest_eigenvalue=defaults.largest_eigenvalue(problem),
        target_loss=defaults.target_loss(problem),
    )
    return given.Given(info=info, build=table)


def from_frame(frame: pd.DataFrame, *, choices: Choices, name: str, decimal: str = ".") -> Problem:
    """A problem from a table, with a warning that names what was left out.

    Raises:
        TableError: with the reason, if there is nothing to learn from it.
    """
    found = understand(columns_of(frame.set_axis(clean_names(frame.columns), axis=1), decimal=decimal), choices)
    if said := say(found):
        warnings.warn(f"{name}: {said}", stacklevel=3)
    return problem_of(found, name=name)


def from_file(source: str | os.PathLike[str] | IO[bytes] | IO[str], *, choices: Choices, name: str | None) -> Problem:
    """A problem from a file, or from what a buffer holds.

    Raises:
        TableError: with the reason, if it cannot be read or there is nothing to learn from it.
    """
    if isinstance(source, str | os.PathLike):
        path = Path(source)
        content, usual = path.read_bytes(), path.name
    else:
        said = source.read()
        content, usual = said if isinstance(said, bytes) else said.encode(), "yours"
    table = read(content)
    decimal = table.dialect.decimal if table.dialect else "."
    return from_frame(table.frame, choices=choices, name=name or usual, decimal=decimal)


def choices_of(
    target: str, features: Sequence[str] | None, task: Task | None, options: Mapping[str, Any]
) -> tuple[Choices, str | None]:
    """The choices that the arguments of ``Problem.from_csv`` stand for, and the name of the problem.

    Raises:
        ValueError: if one is out of range.
    """
    check_options(options, TableOptions)
    if task not in ("classification", "regression", None):
        raise ValueError(f'`task` must be "classification", "regression" or None; received {task!r}.')
    if options.get("missing", "drop") not in ("drop", "fill"):
        raise ValueError(f'`missing` must be "drop" or "fill"; received {options["missing"]!r}.')
    if wrong := set(options.get("kinds", {}).values()) - {"number", "category", "out"}:
        raise ValueError(f'`kinds` must be "number", "category" or "out" by column; received {min(wrong)!r}.')
    if isinstance(features, str):
        raise ValueError(f"`features` must be a list of names of columns; received {features!r}.")
    Draw(None, options.get("test_share", 0.2), options.get("seed", 0))
    rest = {name: value for name, value in options.items() if name != "name"}
    names = None if features is None else tuple(map(str, features))
    return Choices(target=str(target), features=names, task=task, **rest), options.get("name")
