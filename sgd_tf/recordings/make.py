"""Records the runs that pages show on arrival: `python -m sgd_tf.recordings.make [name …]`, all of them by default.

The picture of the start page is drawn from the recorded race: `python -m sgd_tf.recordings.make picture`.
"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import json
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sgd_tf.children import Waiting
from sgd_tf.claims.rows import SignOfLife
from sgd_tf.jobs import rows
from sgd_tf.recordings import LAB, draws, gradients, limits, load, race_picture, races, sweeps, updates
from sgd_tf.recordings.plans import PLANS

PASSING = (Waiting, SignOfLife)  # rows that only a page that waits shows

MAKERS: dict[str, Callable[[], dict[str, Any]]] = {
    "shuffle": draws.shuffle,
    "one_update": updates.one_update,
    "two_loops": updates.two_loops,
    "cloud": gradients.cloud,
    "devices": gradients.devices,
    "memory": limits.memory,
    "flights": races.flights,
    "race": races.digits,
    "rate_map": sweeps.rate_map,
    "mnist": sweeps.mnist,
}
PICTURE = "picture"  # of the recorded race


def main(names: list[str]) -> None:
    """Record and write files beside this one.

    Args:
        names: of recordings, or "picture"; none for all.
    """
    runs = {f"{LAB}/{function.__name__}": functools.partial(run_of_page, function) for function in PLANS}
    makers: dict[str, Callable[[], dict[str, Any]]] = dict(MAKERS) | runs
    for name in names or [*makers, PICTURE]:
        if name == PICTURE:
            Path(__file__).with_name("race.svg").write_text(race_picture.svg(load("race").data), encoding="utf-8")
            continue
        recording = {"machine": machine(), "date": datetime.date.today().isoformat(), "versions": versions()}
        data = rounded(makers[name](), 7 if name in runs else 5)
        text = json.dumps(recording | {"data": data}, ensure_ascii=False, separators=(",", ":"))
        Path(__file__).parent.joinpath(f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {len(text):,} characters")


def run_of_page(function: Callable[[Any], Iterator[Any]]) -> dict[str, Any]:
    """Plan and rows of a run with the default settings of a page.

    Args:
        function: generator function of `PLANS`.
    """
    plan = PLANS[function]
    found = list(function(plan))
    kept = [row for row in found if not isinstance(row, PASSING)]
    return {"plan": dataclasses.asdict(plan), "rows": list(map(rows.codec(function).write, kept))}


def machine() -> str:
    """Processor and number of cores."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [line.split(":", 1)[1] for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0].strip() if models else name
    return f"{name}, {os.cpu_count()} CPU"


def versions() -> str:
    """Of the libraries that compute."""
    from importlib.metadata import version

    return f"TensorFlow {version('tensorflow')}, Keras {version('keras')}"


def rounded(value: Any, digits: int = 5) -> Any:
    """Numbers with five significant digits, in lists and dictionaries.

    >>> rounded({"loss": [0.12345678, 3]})
    {'loss': [0.12346, 3]}
    """
    if isinstance(value, dict):
        return {name: rounded(each, digits) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(each, digits) for each in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main(sys.argv[1:])
