"""The sweeps of this server: every run is made once and kept, whoever asked for it; a sweep makes what is missing."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import streamlit as st

from sgd_tf.jobs import Slice
from sgd_tf.jobs.slices import Rows
from sgd_tf.sweep import plans
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.rows import CellResult, LandscapePoint, Place, measure_landscape, run_cells
from sgd_tf.training.records import TrainConfig
from sgd_tf.ui import runs

KIND = "sweep"
SLICE_SECONDS = 12.0  # after which a job begins no further run, so that others get their turn
MAX_FAMILIES = 64  # of plans whose runs are kept, the latest ones


@dataclass
class Known:
    """What is known of a family of plans."""

    cells: dict[tuple[int, float, int], CellResult] = field(default_factory=dict)  # by `Cell.key`
    landscape: dict[Place, LandscapePoint] = field(default_factory=dict)


@st.cache_resource
def _store() -> tuple[OrderedDict[SweepPlan, Known], threading.Lock]:
    return OrderedDict(), threading.Lock()


def remember(plan: SweepPlan, rows: Rows) -> Known:
    """Keep rows of a sweep for all who ask for the same runs, and tell all that is known of its family.

    Args:
        plan: the sweep.
        rows: of its jobs.

    Returns:
        A copy: others may add to the original meanwhile.
    """
    families, lock = _store()
    with lock:
        known = families.setdefault(plan.family, Known())
        families.move_to_end(plan.family)
        if len(families) > MAX_FAMILIES:
            families.popitem(last=False)
        for row in rows:
            if isinstance(row, LandscapePoint):
                known.landscape.setdefault(row.place, row)
            elif isinstance(row, CellResult):
                known.cells.setdefault(row.key, row)
        return Known(dict(known.cells), dict(known.landscape))


def start(plan: SweepPlan, prediction: str | None) -> None:
    """Begin what is missing of a sweep, on all workers that nobody else waits for."""
    st.session_state.setdefault("swept", set()).add(plan.family)

    def next_slice(rows: Rows, under_way: Sequence[Slice], num_free: int) -> Slice | None:
        return _next_slice(plan, remember(plan, rows), under_way, num_free)

    seconds = SLICE_SECONDS + plan.max_seconds
    runs.start_sliced(KIND, next_slice, seconds=seconds, plan=plan, prediction=prediction)


def _next_slice(plan: SweepPlan, known: Known, under_way: Sequence[Slice], num_free: int) -> Slice | None:
    """The missing runs of a share of the batch sizes: a program is compiled for each k, on few workers if possible."""
    missing = plans.missing_cells(plan, known.cells.values())
    taken = {cell.batch_size for part in under_way if part.function is run_cells for cell in part.arguments[1]}
    free = list(dict.fromkeys(cell.batch_size for cell in missing if cell.batch_size not in taken))
    mine = set(free[::num_free])
    cells = tuple(cell for cell in missing if cell.batch_size in mine)
    if cells:
        return Slice.of(run_cells, plan.family, cells, SLICE_SECONDS)
    if missing or known.landscape or any(part.function is measure_landscape for part in under_way):
        return None
    config = _landscape_config(plan, known)
    return Slice.of(measure_landscape, plan.family, config)


def _landscape_config(plan: SweepPlan, known: Known) -> TrainConfig:
    """The run along which the noise scale is measured: k next to 32, at its best learning rate."""
    k = plans.next_to_base(plan.batch_sizes)
    cells = {key: row for key, row in known.cells.items() if key[0] == k and key[1] in plan.rates(k) and key[2] == 0}

    def price(key: tuple[int, float, int]) -> tuple[bool, float]:
        updates = cells[key].updates_to_target
        return updates is None, updates or 0.0

    return TrainConfig(batch_size=k, learning_rate=min(cells, key=price)[1])


def known(plan: SweepPlan) -> Known:
    """What this session may see of a sweep: all that is known of it, once it has been run here."""
    run = runs.get(KIND)
    rows = run.job.rows if run and run.plan.family == plan.family else []
    if plan.family not in st.session_state.get("swept", ()):
        return Known()
    return remember(plan, rows)
