"""Recorded runs: what pages show before the learner has run anything; `make` records them anew."""

from __future__ import annotations

import functools
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any


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
