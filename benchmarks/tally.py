"""What happened in a soak, as a table: events by ten minutes, memory and descriptors, their growth."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import report

ROW_SECONDS = 600.0
COLUMNS = (  # events that are counted, those of a column one after the other
    ("visit", "fuzzed"),
    ("finished", "begun again"),
    ("stopped", "left"),
    ("failed",),
    ("lost",),
    ("wrong",),
    ("worker killed", "cluster killed", "cut"),
)


@dataclass(frozen=True)
class Sample:
    """What the server takes at a moment."""

    second: float
    num_runs: int  # that have ended so far
    server: float  # MB
    workers: float  # MB, all together
    descriptors: int  # open in the server
    load: float  # of the machine, mean number of busy processes over the last minute


class Notes:
    """What has happened and when, in seconds since the class came."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.events: list[tuple[float, str]] = []
        self.details: list[str] = []  # of what is lost or wrong
        self.kills: list[float] = []
        self.samples: list[Sample] = []

    @property
    def now(self) -> float:
        """Seconds since the class came."""
        return time.monotonic() - self.start

    def __call__(self, event: str, detail: str = "") -> None:
        """Note an event of COLUMNS, with what is to be said of one that must not be."""
        self.events.append((self.now, event))
        if "killed" in event:
            self.kills.append(self.now)
        if detail:
            self.details.append(f"{event}, {time.strftime('%X')} ({self.now:.0f} s): {detail}")
            report.console.print(self.details[-1], markup=False)

    def num(self, *events: str) -> int:
        """How often any of these has happened."""
        return sum(event in events for _, event in self.events)


def table(notes: Notes) -> str:
    """One row for every ten minutes and one for all, in Markdown."""
    heads = ["minutes", *map(" / ".join, COLUMNS), "server, MB", "workers, MB", "descriptors", "load"]
    last = max(notes.samples[-1].second, *(second for second, _ in notes.events)) + 1.0
    rows: list[list[str]] = []
    for begin in np.arange(0.0, last, ROW_SECONDS):
        end = min(begin + ROW_SECONDS, last)
        counted = Counter(event for second, event in notes.events if begin <= second < end)
        samples = [sample for sample in notes.samples if begin <= sample.second < end]
        rows.append([f"{begin / 60:.0f}–{end / 60:.0f}", *_numbers(counted), *_taken(samples)])
    total = Counter(event for _, event in notes.events)
    rows.append(["all", *_numbers(total), *_taken(notes.samples)])
    return "\n".join(f"| {' | '.join(row)} |" for row in [heads, ["---"] * len(heads), *rows])


def _numbers(counted: Counter[str]) -> list[str]:
    return [" / ".join(str(counted[event]) for event in column) for column in COLUMNS]


def _taken(samples: Sequence[Sample]) -> list[str]:
    """Memory at the first and the last of some samples, the most descriptors, the mean load."""
    if not samples:
        return ["–"] * 4
    first, last = samples[0], samples[-1]
    most = max(sample.descriptors for sample in samples)
    load = np.mean([sample.load for sample in samples])
    return [
        f"{first.server:.0f} → {last.server:.0f}",
        f"{first.workers:.0f} → {last.workers:.0f}",
        str(most),
        f"{load:.1f}",
    ]


def growth(samples: Sequence[Sample]) -> tuple[float, float]:
    """Slope of the server's memory by least squares, without the first third: MB per run, MB per hour."""
    late = [sample for sample in samples if sample.second >= samples[-1].second / 3]
    memory = [sample.server for sample in late]
    per_run = np.polyfit([sample.num_runs for sample in late], memory, 1)[0]
    per_hour = np.polyfit([sample.second / 3600 for sample in late], memory, 1)[0]
    return float(per_run), float(per_hour)


def summary(notes: Notes, left_behind: Sequence[str]) -> list[str]:
    """What the table does not say: growth, descriptors, and what was left behind."""
    first, last = notes.samples[0], notes.samples[-1]
    num_runs = max(1, last.num_runs)
    per_run, per_hour = growth(notes.samples)
    return [
        f"Server, per run: {(last.server - first.server) / num_runs:.3f} MB from start to end; "
        f"after the first third {per_run:.3f} MB, {per_hour:.1f} MB an hour.",
        f"Workers, per run: {(last.workers - first.workers) / num_runs:.3f} MB from start to end.",
        f"Descriptors of the server: {first.descriptors} at the start, {last.descriptors} at the end, "
        f"{(last.descriptors - first.descriptors) / num_runs:.3f} per run.",
        f"Left behind after the server's end: {'; '.join(left_behind) or 'nothing'}.",
    ]
