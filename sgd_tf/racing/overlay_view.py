"""Keep a race, and see it beside the next ones: up to four, named, in one picture and one CSV."""

from __future__ import annotations

from typing import cast

import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.racing import controls
from sgd_tf.racing.overlay import MAX_RACES, NamedRace, free_name, overlay
from sgd_tf.training.records import RacePlan
from sgd_tf.ui import plain_text
from sgd_tf.ui.language import _
from sgd_tf.ui.theme import page_theme, show_chart

HEIGHT = 345  # px
KEPT, NAME = "kept_races", "race_name"


def kept() -> list[NamedRace]:
    """The races that this session has kept."""
    return st.session_state.setdefault(KEPT, [])


def draw(plan: RacePlan, table: pd.DataFrame, job: str) -> None:
    """Offer to keep the race that is over, and draw it over those that were kept.

    Args:
        plan: of the race.
        table: its records.
        job: id of its job.
    """
    races = kept()
    is_kept = any(race.job == job for race in races)
    if not is_kept and len(races) < MAX_RACES:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            usual = _("Race {n}").format(n=len(races) + 1)
            st.text_input(_("Name of this race"), key=NAME, placeholder=usual, max_chars=20, width=200)
            race = NamedRace(name=usual, plan=plan, table=table, job=job)
            st.button(_("Keep this race"), icon=":material/layers:", key="race_keep", on_click=_keep, args=(race,))
    if not races:
        return
    st.subheader(_("Races laid over one another"))
    for race in races:
        words = _("Drop {name}").format(name=race.name)
        st.button(
            words, icon=":material/close:", key=f"drop_{race.job}", type="tertiary", on_click=races.remove, args=(race,)
        )
    shown = list(races)
    if not is_kept and len(races) < MAX_RACES:
        name = free_name("", races, _("This race"))
        shown.append(NamedRace(name=name, plan=plan, table=table, job=job))
    both = overlay(shown)
    y = controls.Y.value
    if y == "test_accuracy" and not both["test_accuracy"].notna().any():
        y = "train_loss"
    axis = charts.Axis(cast(charts.Metric, y), log=controls.LOG.value and y != "test_accuracy")
    drawn = charts.curves(both, x=cast(charts.Counter, controls.X.value), y=axis, band=False, theme=page_theme(HEIGHT))
    show_chart(drawn, _("Curves of {n} races").format(n=len(shown)), key="race_overlay")
    st.download_button(
        _("These races (CSV)"),
        plain_text.csv(both),
        "races.csv",
        "text/csv",
        icon=":material/table:",
        on_click="ignore",
    )


def _keep(race: NamedRace) -> None:
    name = free_name(st.session_state.get(NAME, ""), kept(), race.name)
    kept().append(NamedRace(name=name, plan=race.plan, table=race.table, job=race.job))
    st.session_state[NAME] = ""
