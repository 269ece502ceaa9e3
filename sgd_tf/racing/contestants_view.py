"""The table in which each contestant of a race has a row: added, copied, changed and dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from sgd_tf.racing.contestants import MAX_EPOCHS, MAX_NAME, OPTIMIZERS, TITLES, Contestant, rows_of
from sgd_tf.training.optimizer_settings import MAX_LEARNING_RATE, SCHEDULES
from sgd_tf.training.records import SAMPLINGS, TrainConfig
from sgd_tf.ui.language import _, current
from sgd_tf.ui.settings import MAX_SEED, Setting, Switch
from sgd_tf.words import N_

SCHEDULE_TITLES = {"constant": N_("Constant"), "cosine": N_("Cosine"), "linear": N_("Linear")}
SAMPLING_TITLES = {
    "reshuffle": N_("Reshuffled each epoch"),
    "shuffle_once": N_("Shuffled once"),
    "in_order": N_("In order"),
    "with_replacement": N_("With replacement"),
    "buffer": N_("Shuffle buffer"),
}
KINDS = {
    "learning_rate": float,
    "optimizer": str,
    "schedule": str,
    "warmup": float,
    "decay": float,
    "sampling": str,
    "seed": int,
}
COLUMNS = ("name", "k", "learning_rate", "optimizer", "schedule", "warmup", "decay", "sampling", "seed")


@dataclass(frozen=True, kw_only=True)
class Rows(Setting[list[str]]):
    """The contestants in their short form."""

    def parse(self, texts: list[str]) -> list[str]:  # noqa: D102
        return [Contestant.of(text).text for text in texts if text]

    def texts(self, value: list[str]) -> list[str]:  # noqa: D102
        return value


BY_ROW = Switch(key="rows", label=N_("Row by row"), default=False)
ROWS = Rows(key="row", default=[])


def draw(chosen: Mapping[str, TrainConfig]) -> list[Contestant]:
    """Draw the table and return its contestants.

    Args:
        chosen: by the chips: what the table begins with, if it has no row.
    """
    if not ROWS.value:
        ROWS.set([row.text for row in rows_of(chosen)] or ["all", Contestant().text])
    key = f"rows_{st.session_state.get('rows_version', 0)}_{current()}"
    base = f"{key}_base"
    if key not in st.session_state or base not in st.session_state:
        st.session_state[base] = _frame([Contestant.of(text) for text in ROWS.value])
    edited = st.data_editor(
        st.session_state[base],
        num_rows="dynamic",
        hide_index=True,
        column_config=_columns(),
        key=key,
        placeholder="–",
        alt=_("One row for each contestant"),
    )
    rows = _contestants(edited)
    ROWS.set([row.text for row in rows])
    ROWS.publish()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(_("Copy the last row"), icon=":material/content_copy:", on_click=_copy, disabled=not rows)
        st.caption(_("Empty k: all N. Empty rate: the optimizer's usual one. Warm-up and decay are epochs."))
    return rows


def _copy() -> None:
    ROWS.set([*ROWS.value, *ROWS.value[-1:]])
    st.session_state["rows_version"] = st.session_state.get("rows_version", 0) + 1


def _frame(rows: Sequence[Contestant]) -> pd.DataFrame:
    values = {
        "name": pd.Series([row.name for row in rows], dtype="str"),
        "k": pd.Series([None if row.batch_size == "all" else row.batch_size for row in rows], dtype="Int64"),
        "learning_rate": pd.Series([row.learning_rate for row in rows], dtype="float64"),
        **{name: pd.Series([getattr(row, name) for row in rows]) for name in COLUMNS[3:]},
    }
    return pd.DataFrame(values, columns=COLUMNS)


def _contestants(table: pd.DataFrame) -> list[Contestant]:
    """The rows of the edited table: an empty cell is as usual."""
    rows = []
    for record in table.to_dict("records"):
        given = {str(name): value for name, value in record.items() if not (value is None or pd.isna(value))}
        k = given.get("k")
        fields: dict[str, Any] = {name: kind(given[name]) for name, kind in KINDS.items() if name in given}
        name = str(given.get("name", "")).strip()[:MAX_NAME]
        rows.append(Contestant(batch_size="all" if k is None else int(k), name=name, **fields))
    return rows


def _columns() -> dict[str, Any]:
    column = st.column_config
    usual = Contestant()

    def choice(label: str, titles: Mapping[Any, str], default: str) -> Any:
        return column.SelectboxColumn(
            label, options=list(titles), format_func=titles.__getitem__, default=default, required=True
        )

    def epochs(label: str, low: float, default: float) -> Any:
        return column.NumberColumn(label, min_value=low, max_value=MAX_EPOCHS, default=default, format="%g")

    schedules = {name: _(SCHEDULE_TITLES[name]) for name in SCHEDULES}
    samplings = {name: _(SAMPLING_TITLES[name]) for name in SAMPLINGS}
    return {
        "name": column.TextColumn(_("Contestant"), max_chars=MAX_NAME),
        "k": column.NumberColumn("k", min_value=1, step=1, default=32),
        "learning_rate": column.NumberColumn(
            _("Learning rate"), min_value=1e-9, max_value=MAX_LEARNING_RATE, format="%g"
        ),
        "optimizer": choice(_("Optimizer"), {name: TITLES[name] for name in OPTIMIZERS}, usual.optimizer),
        "schedule": choice(_("Schedule"), schedules, usual.schedule),
        "warmup": epochs(_("Warm-up"), 0.0, usual.warmup),
        "decay": epochs(_("Decay"), 0.01, usual.decay),
        "sampling": choice(_("Sampling"), samplings, usual.sampling),
        "seed": column.NumberColumn(_("Seed"), min_value=0, max_value=MAX_SEED, step=1, default=0),
    }
