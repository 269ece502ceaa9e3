"""The search for learning rates: what each rate reached, as it comes, and which one was kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from sgd_tf.jobs.rows import table
from sgd_tf.racing import controls, search_chart
from sgd_tf.racing.rows import RunTrial
from sgd_tf.racing.trials import has_turned
from sgd_tf.ui import experiment, runs
from sgd_tf.ui.language import _
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.theme import page_theme, show_chart


def draw() -> None:
    """Draw the search of this session, if there is one, and follow it while it runs."""
    if runs.get("search"):
        experiment.follow("search", _draw)


def _draw(search: SessionRun | None) -> None:
    if search is None:
        return
    rows = search.job.rows
    with st.container(key="search_results"):
        st.subheader(_("Which learning rate is best for each k?"))
        if search.job.status == "failed":
            st.error(experiment.failure_text(search.job.failure, search.plan))
        elif not search.is_active:
            found = controls.searched_rates()
            lost = _without_winner(rows)
            if found and len(lost) < len(search.plan.configs):
                st.success(_("Found. With “Tuned” the next race uses these rates."))
            elif not rows:
                st.success(_("Stopped."))
            if lost:
                text = _("{names}: every learning rate that was tried diverged, so none was kept.")
                st.warning(text.format(names=", ".join(lost)))
            if names := _best_at_an_end(rows):
                text = _("{names}: the best rate is the last one that was tried; one beyond it may be better.")
                st.caption(text.format(names=", ".join(names)))
        sizes = {name: config.batch_size for name, config in search.plan.configs.items()}
        chart = search_chart.learning_rates(table(rows, RunTrial), batch_sizes=sizes, theme=page_theme(260))
        show_chart(chart, _("Mean training loss of each learning rate"), key="search_chart")


def _without_winner(rows: Sequence[RunTrial]) -> list[str]:
    """The contestants without a rate at which the training did not diverge."""
    finite = {trial.run for trial in rows if math.isfinite(trial.mean_loss)}
    return [name for name in dict.fromkeys(trial.run for trial in rows) if name not in finite]


def _best_at_an_end(rows: Sequence[RunTrial]) -> list[str]:
    """The contestants with no worse rate beside the best one, on one side."""
    names = [name for name in dict.fromkeys(trial.run for trial in rows) if name not in _without_winner(rows)]
    return [name for name in names if not has_turned([trial for trial in rows if trial.run == name])]
