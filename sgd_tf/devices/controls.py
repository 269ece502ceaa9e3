"""The controls of the page on several devices: each setting once, and the plan that they make for each experiment."""

from __future__ import annotations

import streamlit as st

from sgd_tf.devices.rows import DevicesPlan, MachinesPlan, ParallelPlan
from sgd_tf.problems import CATALOGUE
from sgd_tf.ui.language import _
from sgd_tf.ui.own_problems import ProblemChoice, title_of
from sgd_tf.ui.settings import Choice
from sgd_tf.ui.widgets import PROBLEMS
from sgd_tf.words import N_

NUM_UPDATES, LEARNING_RATE, LOSE_AFTER = 30, 0.1, 5
SIZES = ("64", "256", "1024", "4096")

PART = Choice(
    key="parallel_part",
    label=N_("What to look at"),
    options={"devices": N_("Several devices"), "machines": N_("Several machines")},
    default="devices",
)
PROBLEM = ProblemChoice(
    key="parallel_problem",
    label=N_("Problem"),
    options={name: PROBLEMS[name] for name in ("digits", "teacher", "flights")},
    default="digits",
    own_from=int(SIZES[0]) + 1,
)
BATCH_SIZE = Choice(key="parallel_k", label=N_("Batch size k"), options=SIZES, default="256")
LARGEST = Choice(key="parallel_r", label=N_("Devices R, at most"), options=("2", "4", "8"), default="4")
WORKERS = Choice(key="parallel_workers", label=N_("Processes"), options=("2", "3"), default="2")
FATE = Choice(
    key="parallel_fate",
    label=N_("During the run"),
    options={"all": N_("All stay"), "lose": N_("The last one is killed")},
    default="all",
)


def part() -> str:
    """Draw the choice of what to look at, and return it."""
    return PART.draw(label_visibility="collapsed")


def devices_plan() -> DevicesPlan:
    """Draw the controls of several devices, and return what they say."""
    run = _run()
    return DevicesPlan(run=run, largest=int(LARGEST.draw()))


def machines_plan() -> MachinesPlan:
    """Draw the controls of several machines, and return what they say."""
    run = _run()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        num_workers = int(WORKERS.draw())
        is_lost = FATE.draw() == "lose"
    return MachinesPlan(run=run, num_workers=num_workers, lose_after=LOSE_AFTER if is_lost else None)


def _run() -> ParallelPlan:
    """Draw the problem and k."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        problem = PROBLEM.draw()
        allowed = [size for size in SIZES if int(size) < CATALOGUE[problem].num_examples]
        k = int(BATCH_SIZE.draw(allowed, title=lambda size: f"{int(size):,}"))
    return ParallelPlan(problem=problem, batch_size=k, learning_rate=LEARNING_RATE, num_updates=NUM_UPDATES)


def settings_text(plan: DevicesPlan | MachinesPlan) -> str:
    """The settings of a run in one line."""
    parts = [title_of(plan.run.problem), f"k = {plan.run.batch_size:,}"]
    if isinstance(plan, DevicesPlan):
        parts.append(f"R ≤ {plan.largest}")
    else:
        parts.append(_("{n} processes").format(n=plan.num_workers))
        if plan.lose_after:
            parts.append(FATE.title("lose"))
    return " · ".join(parts)
