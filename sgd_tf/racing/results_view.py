"""What stands below a race that is over: what the target cost, the four axes, the code and the data."""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.racing import overlay_view, plain, scripts, verdict, view, wording
from sgd_tf.racing.chart import has_lines
from sgd_tf.training import history
from sgd_tf.training.records import RacePlan
from sgd_tf.ui import plain_text, runs, take_home
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import count, digits, percent

SMALL_HEIGHT = 250  # px, of one of four charts


def draw() -> None:
    """Draw what a finished race leaves."""
    run = runs.get("race")
    table = view.frame(run) if run and not run.is_active else history.to_frame([])
    with st.container(key=None if table.empty else "race_results"):
        if run and not table.empty and run.plan.target is not None:
            st.subheader(wording.heading(run.plan))
            _costs(run.plan, view.as_one(table))
            if len(run.plan.configs) > 1:
                st.caption(wording.paired(run.plan))
        st.fragment(_four_axes, key="race_axes")()  # always: a control may ask for it when the next race has begun
        if run and not table.empty:
            overlay_view.draw(run.plan, table, run.job.id)
            _take_home(run.plan, table)


def _costs(plan: RacePlan, table: pd.DataFrame) -> None:
    """The price of the target in seconds, updates, epochs and samples, and the state on unseen samples."""
    reached = history.time_to_target(table, plan.target or 0.0, metric=plan.target_metric)
    never = _("not reached")
    seconds = [digits(s, 3) if ok else never for s, ok in zip(reached["seconds"], reached["reached"], strict=True)]
    rows = pd.DataFrame(
        {
            _("Contestant"): reached["run"],
            _("Learning rate"): [f"{plan.configs[name].learning_rate:.3g}" for name in reached["run"]],
            _("Seconds"): seconds,
            _("Updates"): reached["updates"].map(lambda value: count(value if pd.isna(value) else math.ceil(value))),
            _("Epochs"): reached["epochs"].map(lambda value: digits(value, 3)),
            _("Samples"): reached["examples"].map(count),
            **_last_and_best(table, reached["run"]),
            _("State"): [wording.state(row) for row in reached.to_dict("records")],
        }
    )
    if not rows[_("State")].ne("").any():
        rows = rows.drop(columns=_("State"))
    with st.container(key="race_target"):
        st.table(rows.set_index(_("Contestant")))


def _last_and_best(table: pd.DataFrame, names: Iterable[str]) -> dict[str, list[str]]:
    """Column with the test accuracy, or the test loss of a regression, at the end and at its best on the way."""
    is_accuracy = bool(table["test_accuracy"].notna().any())
    by_run = table.groupby("run")["test_accuracy" if is_accuracy else "test_loss"]
    last, best = by_run.last(), by_run.max() if is_accuracy else by_run.min()

    def text(value: float) -> str:
        return percent(value) if is_accuracy else digits(value, 3)

    title = _("Test accuracy (best)") if is_accuracy else _("Test loss (best)")
    return {title: [f"{text(last[name])} ({text(best[name])})" for name in names]}


def _four_axes() -> None:
    """The finished race against seconds, epochs, updates and samples."""
    run = runs.get("race")
    if run is None or run.is_active:
        return
    table = view.frame(run)
    if table.empty:
        return
    st.subheader(_("The same race on four axes"))
    words = wording.work(verdict.work(run.plan, view.as_one(table)))
    if all(has_lines(table, counter, "train_loss") for counter in charts.COUNTERS):
        words += " " + _("The axes are logarithmic: the same distance is the same factor.")
    if words:
        st.caption(words)
    with st.grid(2, min_column_width=300, gap="small"):
        for counter in charts.COUNTERS:
            view.curves(run.plan, table, x=counter, y="train_loss", height=SMALL_HEIGHT, compact=True)


def _take_home(plan: RacePlan, table: pd.DataFrame) -> None:
    """The numbers as CSV and the race as a script."""
    script = scripts.race_script(plan)
    with st.container(horizontal=True):
        st.download_button(
            _("All numbers (CSV)"),
            plain_text.csv(table),
            "race.csv",
            "text/csv",
            icon=":material/table:",
            on_click="ignore",
        )
        st.download_button(
            _("This race as a script"), script, "race.py", "text/x-python", icon=":material/code:", on_click="ignore"
        )
    with st.expander(_("The code of this race")):
        take_home.both(script, plain.fits(plan), name="race")
