"""Records the runs that pages show on arrival: `python -m sgd_tf.recordings.make [name …]`, all of them by default.

The picture of the start page is drawn from the recorded race: `python -m sgd_tf.recordings.make picture`.
"""

from __future__ import annotations

import datetime
import json
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sgd_tf.recordings import draws, gradients, limits, load, race_picture, races, sweeps, updates

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
    for name in names or [*MAKERS, PICTURE]:
        if name == PICTURE:
            Path(__file__).with_name("race.svg").write_text(race_picture.svg(load("race").data), encoding="utf-8")
            continue
        recording = {"machine": machine(), "date": datetime.date.today().isoformat(), "versions": versions()}
        text = json.dumps(recording | {"data": rounded(MAKERS[name]())}, ensure_ascii=False, separators=(",", ":"))
        Path(__file__).with_name(f"{name}.json").write_text(text + "\n", encoding="utf-8")
        print(f"{name}: {len(text):,} characters")


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


def rounded(value: Any) -> Any:
    """Numbers with five significant digits, in lists and dictionaries.

    >>> rounded({"loss": [0.12345678, 3]})
    {'loss': [0.12346, 3]}
    """
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(each) for each in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main(sys.argv[1:])
