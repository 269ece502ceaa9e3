"""Verdicts on several devices: from the rows of a run to what happened, and the numbers that show it.

A verdict is a value without language, one for every run that the page can make: also one that was stopped, has
diverged, or has lost a process. `wording` puts it into words.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from sgd_tf.devices.rows import DevicesPlan, Difference, Ended, MachinesPlan, Missing, Update
from sgd_tf.jobs.rows import table

TIMED_FROM = 3  # the first updates compile
FASTER, SLOWER = 0.8, 1.25  # times the time of one device; between them counts as about as long
ROUNDING = 1e-6  # of a weight: what float32 may leave


@dataclass(frozen=True, kw_only=True)
class Unfinished:
    """A run that was stopped before there was something to compare."""


@dataclass(frozen=True, kw_only=True)
class Diverged:
    """The weights are not numbers: nothing can be compared."""


@dataclass(frozen=True, kw_only=True)
class ParallelVerdict:
    """The weights after the last update, and the time of an update."""

    num_updates: int
    replicas: int  # R: the most devices or processes with a result
    difference: float  # largest difference of any weight from the lab's own loop, over all R
    seconds: float  # of an update with R devices: median
    ratio: float | None  # of it to the time with one device; None where one device was not timed

    @property
    def answer(self) -> Literal["same", "other"]:
        """Whether the weights are those of one device, up to rounding."""
        return "same" if self.difference <= ROUNDING else "other"

    @property
    def speed(self) -> Literal["faster", "same", "slower"] | None:
        """How an update with R devices compares with one on one device."""
        if self.ratio is None:
            return None
        return "faster" if self.ratio < FASTER else "same" if self.ratio <= SLOWER else "slower"


@dataclass(frozen=True, kw_only=True)
class LostVerdict:
    """A process was killed, and the others were stopped."""

    process: int  # its number, from 1
    after: int  # updates made before
    seconds: float  # from the loss until no process was left


@dataclass(frozen=True, kw_only=True)
class MissingVerdict:
    """A process was silent for too long or ended unexpectedly: the run has no result."""

    process: int  # its number, from 1
    is_silent: bool


def times(found: Iterable[Any]) -> pd.DataFrame:
    """Milliseconds of an update for each number of devices: median and quartiles, the first updates left out.

    Args:
        found: rows of a run.

    Returns:
        columns replicas, low, ms, high, difference: float64; the difference is nan where it is not known.
    """
    found = list(found)
    updates = table(found, Update)
    timed = updates[updates["update"] >= TIMED_FROM]
    if timed.empty:
        return pd.DataFrame(columns=["replicas", "low", "ms", "high", "difference"], dtype="float64")
    ms = timed.assign(ms=1e3 * timed["seconds"]).groupby("replicas")["ms"]
    rows = ms.quantile([0.25, 0.5, 0.75]).unstack().reset_index()
    rows.columns = pd.Index(["replicas", "low", "ms", "high"])
    differences = {row.replicas: row.difference for row in found if isinstance(row, Difference)}
    return rows.assign(difference=[differences.get(count, math.nan) for count in rows["replicas"]])


def devices(plan: DevicesPlan, found: Iterable[Any]) -> ParallelVerdict | MissingVerdict | Diverged | Unfinished:
    """The verdict on several devices: of the runs that came to their end.

    Args:
        plan: of the runs.
        found: their rows.
    """
    found = list(found)
    if without_result := _missing(found) or _diverged(found):
        return without_result
    done = times(found).dropna(subset=["difference"]).sort_values("replicas")
    if len(done) < 2:
        return Unfinished()
    last = done.iloc[-1]
    return ParallelVerdict(
        num_updates=plan.run.num_updates,
        replicas=int(last["replicas"]),
        difference=float(done["difference"].max()),
        seconds=last["ms"] / 1e3,
        ratio=last["ms"] / done.iloc[0]["ms"],
    )


def machines(
    plan: MachinesPlan, found: Iterable[Any]
) -> ParallelVerdict | LostVerdict | MissingVerdict | Diverged | Unfinished:
    """The verdict on several processes.

    Args:
        plan: of the run.
        found: its rows.
    """
    found = list(found)
    for row in found:
        if isinstance(row, Ended):
            after = plan.lose_after or sum(isinstance(each, Update) for each in found)
            return LostVerdict(process=row.worker + 1, after=after, seconds=row.seconds)
    if without_result := _missing(found) or _diverged(found):
        return without_result
    done = times(found).dropna(subset=["difference"])
    if done.empty:
        return Unfinished()
    last = done.iloc[-1]
    return ParallelVerdict(
        num_updates=plan.run.num_updates,
        replicas=int(last["replicas"]),
        difference=float(last["difference"]),
        seconds=last["ms"] / 1e3,
        ratio=None,
    )


def _missing(found: Iterable[Any]) -> MissingVerdict | None:
    row = next((row for row in found if isinstance(row, Missing)), None)
    return None if row is None else MissingVerdict(process=row.worker + 1, is_silent=row.is_silent)


def _diverged(found: Iterable[Any]) -> Diverged | None:
    lost = (row for row in found if isinstance(row, Difference) and not math.isfinite(row.difference))
    return None if next(lost, None) is None else Diverged()
