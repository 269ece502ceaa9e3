"""Problems that this process was given by somebody, such as an uploaded table: found by name as long as they are held.

A server gives what a learner has uploaded, and holds it with the learner's session; a worker gives and keeps what it
was sent, until it is told that nobody has it any longer.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from sgd_tf.problems.catalogue import ProblemInfo

if TYPE_CHECKING:
    from sgd_tf.problems.problem import Problem

PREFIX = "own-"  # of the names of given problems


@dataclass(frozen=True, kw_only=True, eq=False)
class Given:
    """A problem that is not in the catalogue."""

    info: ProblemInfo  # its name begins with PREFIX
    build: Callable[[int | None], Problem]  # from num_examples; a value that travels to a worker
    _built: dict[int | None, Problem] = field(default_factory=dict)  # the last one

    def problem(self, num_examples: int | None) -> Problem:
        """The problem with N training samples, or with all."""
        if num_examples == self.info.num_examples:
            num_examples = None
        if num_examples not in self._built:
            problem = self.build(num_examples)
            self._built.clear()
            self._built[num_examples] = problem
        return self._built[num_examples]

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.info, self.build)


def _restored(info: ProblemInfo, build: Callable[[int | None], Problem]) -> Given:
    return Given(info=info, build=build)


_given: WeakValueDictionary[str, Given] = WeakValueDictionary()
_kept: dict[str, Given] = {}  # in a worker
_lock = threading.Lock()


def give(problem: Given) -> Given:
    """Let a problem be found under its name as long as somebody holds what is returned: one for all who give the same.

    Raises:
        ValueError: if the name is none of a given problem.
    """
    if not problem.info.name.startswith(PREFIX):
        raise ValueError(f"`info.name` must begin with {PREFIX!r}; received {problem.info.name!r}.")
    with _lock:
        return _given.setdefault(problem.info.name, problem)


def find(name: str) -> Given | None:
    """The problem of this name, or None where it is not here or nobody holds it any longer."""
    return _given.get(name) if name.startswith(PREFIX) else None


def keep(problem: Given) -> None:
    """Give a problem, and hold it until `forget`."""
    _kept[problem.info.name] = give(problem)


def forget(names: list[str]) -> None:
    """Hold these problems no longer."""
    for name in names:
        _kept.pop(name, None)


def source(name: str, num_examples: int | None) -> str:
    """The call that loads a problem, in Python, for scripts that a learner takes along.

    >>> source("digits", 500)
    "sgd_tf.load('digits', num_examples=500)"
    """
    if not name.startswith(PREFIX):
        size = "" if num_examples is None else f", num_examples={num_examples}"
        return f"sgd_tf.load({name!r}{size})"
    problem = find(name)
    words = getattr(problem.build, "source", None) if problem else None
    size = "" if num_examples is None else f"  # the lab took {num_examples:,} of its training samples"
    return (words() if words else 'sgd_tf.Problem.from_csv("your_table.csv", target=…)') + size


def named_in(value: Any) -> list[Given]:
    """The given problems that arguments of a job name: in texts, and in dataclasses, lists and dictionaries of them."""
    found = {problem.info.name: problem for text in _texts(value) if (problem := find(text)) is not None}
    return list(found.values())


def own_names_in(value: Any) -> set[str]:
    """The names of given problems in the same places, also of those that are not here."""
    return {text for text in _texts(value) if text.startswith(PREFIX)}


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for each in dataclasses.fields(value):
            yield from _texts(getattr(value, each.name))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each)
    elif isinstance(value, dict):
        for each in value.values():
            yield from _texts(each)
