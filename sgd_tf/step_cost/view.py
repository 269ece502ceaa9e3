"""The page on the cost of a step: its run, the picture, the table and the code of each way."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from sgd_tf.jobs.rows import table
from sgd_tf.problems import CATALOGUE
from sgd_tf.recordings import recorded
from sgd_tf.step_cost import chart, rows, script, verdict, wording
from sgd_tf.step_cost.controls import settings_text
from sgd_tf.step_cost.rows import WAYS, FirstEpoch, Row, StepCostPlan, Timing, Way
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Trial, Verdict
from sgd_tf.words import N_

FACTORS = {"same": N_("Less than 2 times"), "some": N_("2 to 10 times"), "many": N_("10 times or more")}
CHART_HEIGHT = 400  # px


def _names() -> dict[Way, str]:
    """Names of the ways at the end of their lines."""
    names = {way: _(name) for way, name in wording.NAMES.items()}
    return names | {"compiled": _("Lab's loop")}


def _verdict(plan: StepCostPlan, found: list[Row]) -> Verdict | None:
    says = verdict.step_cost(plan, found)
    answer = None if isinstance(says, verdict.Unfinished) else says.answer
    return Verdict(text=wording.step_cost(says), answer=answer)


def _state(plan: StepCostPlan, found: list[Row]) -> str:
    """The round that is measured, and what comes next in it."""
    timings = [row for row in found if isinstance(row, Timing)]
    number = len(timings) // (len(plan.batch_sizes) * len(WAYS)) + 1
    share = f"{_progress(plan, found):.0%}"
    return _("Round {i} of {n}: {share} of the measurements").format(
        i=min(number, plan.num_rounds), n=plan.num_rounds, share=share
    )


def _progress(plan: StepCostPlan, found: list[Row]) -> float:
    return min(1.0, len(found) / plan.num_rows)


def _picture(plan: StepCostPlan, found: list[Row]) -> None:
    """Draw the times so far, and their table."""
    with st.container(key="step_cost_chart"):
        picture = chart.seconds_per_epoch(
            table(found, Timing), names=_names(), batch_sizes=plan.batch_sizes, theme=page_theme(CHART_HEIGHT)
        )
        words = _("Time of an epoch against the batch size, a line for each way to write the loop")
        show_chart(picture, words, key="step_cost_seconds")
    if any(isinstance(row, Timing) for row in found):
        with st.container(key="step_cost_table"):
            st.table(_table(plan, found))
            words = _("The Python loop is timed over at most {n} updates, and scaled to an epoch.")
            st.caption(words.format(n=rows.PYTHON_UPDATES))


def _table(plan: StepCostPlan, found: list[Row]) -> pd.DataFrame:
    """Medians in milliseconds by way and k, and the first epoch with the smallest k."""
    medians = table(found, Timing).groupby(["way", "batch_size"])["seconds"].median()
    first = {(row.way, row.batch_size): row.seconds for row in found if isinstance(row, FirstEpoch)}
    columns: dict[str, list[str]] = {_("Time of an epoch (ms)"): list(_names().values())}
    for k in plan.batch_sizes:
        times = [medians.get((way, k)) for way in WAYS]
        columns[f"k = {k:,}"] = [digits(None if time is None else 1e3 * time, 3) for time in times]
    smallest = plan.batch_sizes[0]
    columns[_("First epoch, k = {k} (s)").format(k=f"{smallest:,}")] = [
        digits(first.get((way, smallest)), 2) for way in WAYS
    ]
    return pd.DataFrame(columns).set_index(_("Time of an epoch (ms)"))


COST: Trial[StepCostPlan, Row] = Trial(
    kind="step_cost",
    run=rows.measure_steps,
    recorded=recorded(rows.measure_steps),
    question=N_("At the smallest k: how many times as fast as model.fit can the same updates be made?"),
    options=FACTORS,
    seconds=lambda plan: plan.seconds,
    settings=settings_text,
    progress=_progress,
    verdict=_verdict,
    picture=_picture,
    state=_state,
)


def code(plan: StepCostPlan | None) -> None:
    """Draw the source of each way, folded, and a script that measures the plain ways anywhere.

    Args:
        plan: of the script; None where the controls describe no run.
    """
    with st.expander(_("The code")):
        names = _names()
        for way, tab in zip(WAYS, st.tabs([names[way] for way in WAYS]), strict=True):
            tab.code(script.source_of(way), language="python")
        if plan is not None and CATALOGUE[plan.problem].kind != "own":  # else it has no data elsewhere
            st.download_button(
                _("Measure it elsewhere: a script in plain TensorFlow"),
                script.plain_script(plan),
                file_name="step_cost.py",
                mime="text/x-python",
                icon=":material/download:",
                key="step_cost_script",
            )
