"""The search for learning rates: what each rate reached, as it comes, and which one was kept."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.ui import controls, runs
from sgd_tf.ui.language import _
from sgd_tf.ui.race_view import failure_text, is_dark

POLL_SECONDS = 0.5


def draw() -> None:
    """Draw the search of this session, if there is one, and follow it while it runs."""
    search = runs.get("search")
    if search is None:
        return
    st.fragment(_draw, run_every=POLL_SECONDS if search.is_active else None)()


def _draw() -> None:
    search = runs.get("search")
    if search is None:
        return
    was_followed = st.session_state.get("followed_search") == search.job.id
    if search.is_active:
        search.job.touch()
        st.session_state["followed_search"] = search.job.id
    rows = search.job.rows
    with st.container(key="search_results"):
        st.subheader(_("Which learning rate is best for each k?"))
        if search.job.status == "failed":
            st.error(failure_text(search.job.failure))
        elif not search.is_active:
            found = controls.searched_rates()
            st.success(_("Found. With “Tuned” the next race uses these rates.") if found else _("Stopped."))
        trials = pd.DataFrame(rows, columns=["run", "learning_rate", "mean_loss", "diverged_at"])
        sizes = {name: config.batch_size for name, config in search.plan.configs.items()}
        chart = charts.learning_rates(trials, batch_sizes=sizes, dark=is_dark(), translate=_)
        st.altair_chart(chart, alt=_("Mean training loss of each learning rate"), key="search_chart")
    if not search.is_active and was_followed:
        st.session_state.pop("followed_search", None)  # a run of the page beside this one may have been first
        st.rerun()
