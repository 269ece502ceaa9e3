"""The sweeps of this server: every run is made once and kept, whoever asked for it; a sweep makes what is missing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any

import streamlit as st

from sgd_tf.jobs import Slice
from sgd_tf.sweep import plans
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.rows import CellResult, Heartbeat, LandscapePoint, Rows, measure_landscape, run_cells
from sgd_tf.ui import runs

KIND = "sweep"
SLICE_SECONDS = 12.0  # after which a job begins no further run, so that others get their turn
MAX_FAMILIES = 64  # of plans whose runs are kept, the latest ones


@st.cache_resource
def _store() -> tuple[OrderedDict[SweepPlan, dict[Any, CellResult | LandscapePoint]], threading.Lock]:
    return OrderedDict(), threading.Lock()


def remember(plan: SweepPlan, rows: Iterable[CellResult | LandscapePoint | Heartbeat]) -> Rows:
    """Keep rows of a sweep for all who ask for the same runs, and return all that are known of its family.

    Args:
        plan: the sweep.
        rows: of its jobs.
    """
    families, lock = _store()
    with lock:
        known = families.setdefault(plan.family, {})
        families.move_to_end(plan.family)
        if len(families) > MAX_FAMILIES:
            families.popitem(last=False)
        for row in rows:
            if not isinstance(row, Heartbeat):
                known.setdefault(row.key, row)
        return tuple(known.values())


def begin(plan: SweepPlan, prediction: str | None) -> None:
    """Begin what is missing of a sweep, on all workers that nobody else waits for.

    Args:
        plan: the sweep.
        prediction: what the learner expects.
    """

    def next_slice(rows: list[Any], under_way: Sequence[Slice], num_free: int) -> Slice | None:
        return _next_slice(plan, remember(plan, rows), under_way, num_free)

    seconds = SLICE_SECONDS + plan.max_seconds
    rows = remember(plan, ())
    runs.start_sliced(KIND, next_slice, seconds=seconds, plan=plan, prediction=prediction, rows=rows)


def _next_slice(plan: SweepPlan, known: Rows, under_way: Sequence[Slice], num_free: int) -> Slice | None:
    """The missing runs of a share of the batch sizes: a program is compiled for each k, on few workers if possible."""
    cells = [row for row in known if isinstance(row, CellResult)]
    missing = plans.missing_cells(plan, cells)
    taken = {cell.batch_size for part in under_way if part.function is run_cells for cell in part.arguments[1]}
    free = list(dict.fromkeys(cell.batch_size for cell in missing if cell.batch_size not in taken))
    mine = set(free[::num_free])
    if following := tuple(cell for cell in missing if cell.batch_size in mine):
        return Slice.of(run_cells, plan.family, following, SLICE_SECONDS)
    is_measured = len(cells) < len(known) or any(part.function is measure_landscape for part in under_way)
    if missing or is_measured:
        return None
    return Slice.of(measure_landscape, plan.family, plans.landscape_config(plan, cells))
