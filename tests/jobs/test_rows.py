"""Claims about rows: what a worker yields is what a page reads, and what cannot travel is refused at the call."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import pytest

from sgd_tf.jobs import rows


@dataclass(frozen=True)
class Point:
    x: float
    y: float | None = None


@dataclass(frozen=True)
class Curve:
    kind: Literal["gd", "sgd"]
    points: list[Point]
    batch_size: int | Literal["all"]
    bounds: tuple[float, float]
    orders: tuple[tuple[int, ...], ...]
    counts: dict[str, int]
    is_last: bool = False
    best: Point | Failure | None = None


@dataclass(frozen=True)
class Failure:
    reason: str


@dataclass(frozen=True)
class Unfit:
    values: set[float]


def curves() -> Iterator[Curve | Failure]:
    yield Failure("none")


def unfit() -> Iterator[Failure | Unfit]:
    yield Failure("none")


def ambiguous() -> Iterator[Ambiguous]:
    yield Ambiguous([1])


def numbers() -> Iterator[int]:
    yield 1


@dataclass(frozen=True)
class Ambiguous:
    values: list[int] | tuple[int, ...]


CURVE = Curve(
    kind="sgd",
    points=[Point(0.1 + 0.2, None), Point(math.inf, -math.inf)],
    batch_size="all",
    bounds=(1.0, 1e-300),
    orders=((2, 0, 1), ()),
    counts={"k = 1": 2**60},
    best=Failure("k = 1 ≠ N"),
)


@pytest.mark.parametrize("row", [CURVE, Failure(""), Curve("gd", [], 32, (0.0, 0.0), (), {}, True, Point(1.5, 2.0))])
def test_a_row_comes_back_as_it_was(row):
    codec = rows.codec(curves)
    assert codec.read(json.loads(json.dumps(codec.write(row)))) == row


def test_a_number_that_is_none_comes_back_as_none():
    codec = rows.codec(curves)
    row = codec.read(json.loads(json.dumps(codec.write(Curve("gd", [Point(math.nan)], 1, (0.0, 1.0), (), {})))))
    assert math.isnan(row.points[0].x)


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        (unfit, r"`values` of Unfit: set\[float\] cannot travel"),
        (ambiguous, "`values` of Ambiguous: the values of list"),
        (numbers, "it is annotated with"),
    ],
)
def test_a_function_that_yields_what_cannot_travel_is_refused(function, reason):
    with pytest.raises(TypeError, match=rf"`{function.__name__}` must yield dataclasses .*; .*{reason}"):
        rows.codec(function)


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (Point(1.0), r"it must be .*Curve \| .*Failure; received Point"),
        ({"x": 1.0}, "received dict"),
        (Failure(3), "`reason` of Failure: it must be str; received int"),
        (Curve("gd", [Point("1")], 1, (0.0, 1.0), (), {}), "`points` of Curve: `x` of Point: it must be float"),
        (Curve("gd", (), 1, (0.0, 1.0), (), {}), r"`points` of Curve: it must be list\[.*Point\]; received tuple"),
    ],
)
def test_a_row_that_is_not_of_the_annotated_type_is_refused(row, reason):
    with pytest.raises(TypeError, match=reason):
        rows.codec(curves).write(row)


def test_the_table_holds_the_rows_of_one_kind_and_its_columns_without_a_row_too():
    table = rows.table([Point(1.0, 2.0), Failure("x"), Point(3.0)], Point)
    assert table["x"].tolist() == [1.0, 3.0]
    assert list(rows.table([], Point).columns) == ["x", "y"]
