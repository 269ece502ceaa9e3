"""The search for learning rates: what each rate reached, as it comes, and which one was kept."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.ui import controls, experiment, runs
from sgd_tf.ui.language import _
from sgd_tf.ui.runs import SessionRun


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
            st.success(_("Found. With “Tuned” the next race uses these rates.") if found else _("Stopped."))
        trials = pd.DataFrame(rows, columns=["run", "learning_rate", "mean_loss", "diverged_at"])
        sizes = {name: config.batch_size for name, config in search.plan.configs.items()}
        chart = charts.learning_rates(trials, batch_sizes=sizes, dark=experiment.is_dark(), translate=_)
        st.altair_chart(chart, alt=_("Mean training loss of each learning rate"), key="search_chart")
