"""The exercise: the lines of the loop in their order, each with its indentation, held against the real loop."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from sgd_tf.double_loop import notebook

INDENT = 4  # spaces of a level
MAX_LEVEL = 4


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of the program that the learner puts together."""

    text: str
    level: int  # of indentation, from 0


@dataclass(frozen=True, kw_only=True)
class Check:
    """How far a program is right."""

    num_right: int  # lines from the top
    num_lines: int  # of the loop
    fault: Literal["order", "indentation"] | None  # of the line after them; None where there is none yet

    @property
    def is_done(self) -> bool:
        """Whether this is the loop."""
        return self.num_right == self.num_lines


def solution() -> list[Line]:
    """The double loop from its outer `for` on.

    >>> [line.level for line in solution()]
    [0, 1, 2, 3, 3, 2, 2, 2]
    """
    lines = notebook.double_loop_lines()[2:]
    return [Line(text=line.strip(), level=(len(line) - len(line.lstrip())) // INDENT) for line in lines]


def pieces() -> list[str]:
    """The lines of the loop as the learner gets them: without indentation, the shortest first."""
    return sorted((line.text for line in solution()), key=len)


def check(program: Sequence[Line]) -> Check:
    """Hold a program against the loop, line by line from the top.

    >>> first, *_ = solution()
    >>> check([first]).num_right, check([Line(text=first.text, level=1)]).fault
    (1, 'indentation')
    """
    right = solution()
    num_right = next(
        (at for at, (line, wanted) in enumerate(zip(program, right, strict=False)) if line != wanted),
        min(len(program), len(right)),
    )
    fault: Literal["order", "indentation"] | None = None
    if num_right < len(program):
        is_line = num_right < len(right) and program[num_right].text == right[num_right].text
        fault = "indentation" if is_line else "order"
    return Check(num_right=num_right, num_lines=len(right), fault=fault)


def appended(program: Sequence[Line], text: str) -> list[Line]:
    """The program with one more line, indented as the line above it."""
    return [*program, Line(text=text, level=program[-1].level if program else 0)]


def moved(program: Sequence[Line], at: int, by: int) -> list[Line]:
    """The program with the line at a place moved up or down.

    >>> [line.text for line in moved([Line(text="a", level=0), Line(text="b", level=0)], 0, 1)]
    ['b', 'a']
    """
    lines = list(program)
    to = min(max(at + by, 0), len(lines) - 1)
    lines.insert(to, lines.pop(at))
    return lines


def indented(program: Sequence[Line], at: int, by: int) -> list[Line]:
    """The program with the line at a place indented more or less."""
    line = program[at]
    level = min(max(line.level + by, 0), MAX_LEVEL)
    return [*program[:at], Line(text=line.text, level=level), *program[at + 1 :]]


def without(program: Sequence[Line], at: int) -> list[Line]:
    """The program less the line at a place."""
    return [*program[:at], *program[at + 1 :]]


def source(program: Sequence[Line]) -> str:
    """The program as text."""
    return "\n".join(" " * INDENT * line.level + line.text for line in program)
