"""What was understood of a table: its columns, what is left out and why, the split, the balance of the classes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf.own import controls, wording
from sgd_tf.own.columns import Column
from sgd_tf.own.controls import KINDS, Uploaded
from sgd_tf.own.examples import EXAMPLES
from sgd_tf.own.understanding import Understanding
from sgd_tf.ui.language import _, current
from sgd_tf.ui.plain_text import code

NUM_BINS = 12  # of the small histograms
MAX_CLASSES = 12  # that are shown

RACE_PAGE = "pages/lab/gd_vs_sgd.py"


def file_line(table: Uploaded) -> None:
    """Draw the name of the file and how it was read, with the button that removes it."""
    facts = [f"**{code(table.title)}**", table.format]
    if table.dialect:
        facts.append(table.dialect.encoding.upper())
        facts.append(_("decimal comma") if table.dialect.decimal == "," else "")
    facts.append(_("{n} rows").format(n=f"{len(table.columns[0].codes):,}"))
    facts.append(_("{n} columns").format(n=len(table.columns)))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(" · ".join(filter(None, facts)), width="stretch")
        st.button(
            _("Forget this table"),
            icon=":material/delete:",
            key="own_remove",
            on_click=controls.remove,
            type="tertiary",
        )
    if table.example:
        example = EXAMPLES[table.example]
        st.caption(f":material/lightbulb: {_(example.lesson)} ({example.source}; {example.licence})")


def columns(table: Uploaded, found: Understanding | None) -> None:
    """Draw the columns with kind, histogram and what is missing; a kind can be changed."""
    reasons = {each.name: each.reason for each in found.left_out} if found else {}
    kinds = {key: _(title) for key, title in KINDS.items()}
    rows = [_row(column, found, reasons.get(column.name), kinds, table) for column in table.columns]
    names = {
        "name": _("Column"),
        "kind": _("Taken as"),
        "values": _("Values"),
        "missing": _("Missing"),
        "note": _("Note"),
    }
    config = {
        "name": st.column_config.TextColumn(names["name"], disabled=True, width="small"),
        "kind": st.column_config.SelectboxColumn(names["kind"], options=list(kinds.values()), width="small"),
        "values": st.column_config.BarChartColumn(names["values"], width="small", y_min=0),
        "missing": st.column_config.NumberColumn(names["missing"], disabled=True, width="small", format="localized"),
        "note": st.column_config.TextColumn(names["note"], disabled=True, width="medium"),
    }
    frame = pd.DataFrame(rows)
    key = f"own_columns_{table.digest}_{current()}_{hash(tuple(table.kinds.items()))}"
    edited = st.data_editor(
        frame, column_config=config, hide_index=True, key=key, height=min(38 + 35 * len(frame), 390), row_height=35
    )
    back = {title: kind for kind, title in kinds.items()}
    for column, before, now in zip(table.columns, frame["kind"], edited["kind"], strict=True):
        if now != before and now in back:
            controls.change_kind(table, column.name, back[now])
            st.rerun()


def _row(
    column: Column, found: Understanding | None, reason: str | None, kinds: dict[str, str], table: Uploaded
) -> dict[str, Any]:
    kind = found.kinds[column.name] if found else column.guess
    notes = []
    if found and column.name == found.target.name:
        notes.append(_("target"))
    if reason:
        notes.append(wording.reason(reason))
    if kind == "number" and column.num_words:
        notes.append(_("no numbers: {words}").format(words=", ".join(column.words)))
    chosen = "out" if reason or table.kinds.get(column.name) == "out" else kind
    return {
        "name": column.name,
        "kind": kinds.get(chosen, kinds["out"]),
        "values": histogram(column, kind),
        "missing": int(column.is_missing(kind).sum()),
        "note": " · ".join(notes),
    }


def histogram(column: Column, kind: str) -> list[int]:
    """How often values occur: numbers in bins of equal width, words from the most frequent one on."""
    if kind == "number":
        known = ~np.isnan(column.numbers)
        if known.any():
            counts, _edges = np.histogram(column.numbers[known], bins=NUM_BINS, weights=column.counts[known])
            return [int(count) for count in counts]
        return []
    return sorted((int(count) for count in column.counts), reverse=True)[:NUM_BINS]


def summary(found: Understanding) -> None:
    """Draw the split, the number of features, and what was dropped or filled in."""
    num_test = found.num_test
    split = _("{train} rows to train on, {test} to test on · {d} features")
    text = split.format(train=f"{found.num_rows - num_test:,}", test=f"{num_test:,}", d=f"{found.width:,}")
    st.markdown(f":small[{text}]")
    for each in found.left_out:
        st.caption(f"{code(each.name)}: {wording.reason(each.reason)}")
    if found.num_dropped:
        words = _("Dropped: {n} of {total} rows, which lack a value.")
        st.caption(words.format(n=f"{found.num_dropped:,}", total=f"{len(found.is_used):,}"))
    if found.num_filled:
        st.caption(_("Values filled in: {n}.").format(n=f"{found.num_filled:,}"))
    if found.task == "classification":
        _classes(found)


def _classes(found: Understanding) -> None:
    codes = found.target.codes[found.is_used]
    counts = np.bincount(codes, minlength=len(found.target.texts))
    places = found.class_places()[:MAX_CLASSES]
    shares = [float(counts[place] / len(codes)) for place in places]
    frame = pd.DataFrame({"class": [found.target.texts[place] for place in places], "share": shares})
    config = {
        "class": st.column_config.TextColumn(_("Class")),
        "share": st.column_config.ProgressColumn(_("Share"), format="percent", min_value=0.0, max_value=1.0),
    }
    st.dataframe(frame, column_config=config, hide_index=True, height=min(38 + 35 * len(frame), 213))
    rest = len(found.class_places()) - len(places)
    if rest:
        st.caption(_("and {n} more classes").format(n=rest))


def go_on(name: str) -> None:
    """Draw the way to the race, and to the other pages that now offer the table."""
    if st.button(
        _("Race it"),
        type="primary",
        icon=":material/sports_score:",
        key="own_race",
        on_click=controls.race_it(name),
    ):
        st.switch_page(RACE_PAGE)


def understood(table: Uploaded) -> None:
    """Draw all that is understood of a table, beside the guesses that can be changed, and the way on."""
    file_line(table)
    left, right = st.columns([1, 2], gap="medium")
    with left, st.container(key="own_guesses"):
        found = controls.guesses(table)
        problem = controls.hold(table, found) if found else None
        if problem is not None:
            go_on(problem.info.name)
        if found is not None:
            summary(found)
    with right, st.container(key="own_understood"):
        columns(table, found)
