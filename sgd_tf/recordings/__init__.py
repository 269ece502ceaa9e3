"""Recorded runs: what pages show before the learner has run anything; `make` records them anew."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from typing import Any, Generic, TypeVar

from sgd_tf.jobs import rows

Plan = TypeVar("Plan")
Row = TypeVar("Row")

LAB = "lab"  # folder of the recorded runs of the lab's pages


@dataclass(frozen=True, kw_only=True)
class Recording:
    """The numbers of a real run, and where they are from."""

    machine: str  # processor and its cores
    date: str  # YYYY-MM-DD
    versions: str  # of the libraries that made it
    data: dict[str, Any]


@functools.cache
def load(name: str) -> Recording:
    """A recording of the package.

    Args:
        name: of its file, without its ending.

    >>> len(load("shuffle").data["orders"]["24, reshuffled"][0])
    24
    """
    text = resources.files("sgd_tf.recordings").joinpath(f"{name}.json").read_text(encoding="utf-8")
    return Recording(**json.loads(text))


@dataclass(frozen=True, kw_only=True)
class RecordedRun(Generic[Plan, Row]):
    """A recorded run of a page: its plan and its rows, as a worker would send them."""

    plan: Plan
    rows: tuple[Row, ...]
    source: Recording  # its machine, date and versions


def recorded(function: Callable[[Plan], Iterator[Row]]) -> Callable[[], RecordedRun[Plan, Row]]:
    """The recorded run of a generator function; its file is read when the run is first asked for.

    Args:
        function: generator function of `plans.PLANS`, which a worker runs.
    """

    def read() -> RecordedRun[Plan, Row]:
        return _run(function)

    return read


@functools.cache
def _run(function: Callable[[Any], Iterator[Any]]) -> RecordedRun[Any, Any]:
    from sgd_tf.recordings.plans import PLANS

    source, row = load(f"{LAB}/{function.__name__}"), rows.codec(function)
    return RecordedRun(plan=PLANS[function], rows=tuple(map(row.read, source.data["rows"])), source=source)
