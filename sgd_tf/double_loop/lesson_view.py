"""Below the picture of the double loop: its words, questions on the order, both runs beside each other."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from sgd_tf.double_loop import chart, player, verdict, wording
from sgd_tf.double_loop.recording import Lesson, Recording, loss_curves
from sgd_tf.double_loop.rows import Way
from sgd_tf.training import counting
from sgd_tf.ui import trial
from sgd_tf.ui.language import _
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Verdict
from sgd_tf.words import N_

COMPARISON_HEIGHT = 260  # px
SAME_ORDER = {"same": N_("The same order"), "new": N_("A new order")}
VISITS = {
    "epochs": N_("Exactly once in each epoch"),
    "luck": N_("That depends on luck"),
    "all": N_("In every iteration"),
}


def questions(lesson: Lesson, found: Recording | None) -> None:
    """Two questions about the order, judged by the recorded run as soon as the player has shown it."""
    sample = lesson.plan.num_examples // 2
    first, second = st.columns(2, gap="medium")
    with first:
        same = trial.predict(_("Predict: in which order does epoch 2 draw the samples?"), SAME_ORDER, key="sgd_same")
    with second:
        visits = trial.predict(
            _("Predict: how often is sample {i} used in this run?").format(i=f"{sample:,}"), VISITS, key="sgd_visits"
        )
    if found:
        st.fragment(_judged, key="sgd_judged")(lesson, found, sample, same, visits)


def _judged(lesson: Lesson, found: Recording, sample: int, same: str | None, visits: str | None) -> None:
    film, position = lesson.film, player.position()
    drawn = verdict.orders(found.runs[lesson.way], sample)
    first, second = st.columns(2, gap="medium")
    with first:
        if same and drawn.is_same is None:
            st.caption(_("This run has one epoch only: choose two or more under “More settings”."))
        elif same and position < film.end_of_epoch(1):
            st.caption(_("Play to the end of epoch 2."))
        elif same:
            answer = "same" if drawn.is_same else "new"
            trial.judge(same, Verdict(text=wording.order_of_epochs(drawn), answer=answer), SAME_ORDER)
    with second:
        if visits and position < film.last:
            st.caption(_("Play to the end."))
        elif visits:
            is_all = drawn.is_full_batch and visits == "all"  # of gradient descent both are true
            answer = "all" if is_all else drawn.visits
            trial.judge(visits, Verdict(text=wording.draws(sample, drawn), answer=answer), VISITS)


def words(lesson: Lesson) -> None:
    """Minibatch, iteration, epoch and update, each with its number in this run once an epoch was played."""
    st.fragment(_words, key="sgd_words_now")(lesson)


def _words(lesson: Lesson) -> None:
    film = lesson.film
    n, k = film.num_examples, lesson.batch_size
    rest = counting.last_minibatch_size(n, k)
    text = _("{k} of {n} samples") if rest == k else _("{k} of {n} samples, the last one {rest}")
    numbers = [
        text.format(k=f"{k:,}", n=f"{n:,}", rest=f"{rest:,}"),
        _("{i} in each epoch").format(i=f"{film.iterations:,}"),
        f"{film.num_epochs}",
        f"{film.iterations:,} × {film.num_epochs} = {film.num_updates:,}",
    ]
    is_shown = player.furthest() >= film.end_of_epoch(0)
    table = pd.DataFrame(
        {
            _("Word"): [_("Minibatch"), _("Iteration"), _("Epoch"), _("Update")],
            _("Meaning"): [
                _("The k samples that are drawn for one update"),
                _("One turn of the inner loop: one minibatch, one update"),
                _("One turn of the outer loop: each of the N samples once"),
                _("One step of all weights"),
            ],
            _("In this run"): numbers if is_shown else ["?"] * 4,
        }
    )
    with st.container(key="sgd_words"):
        st.table(table.set_index(_("Word")))
        if not is_shown:
            st.caption(_("Play one epoch to see the numbers of this run."))


def comparison(lesson: Lesson, found: Recording) -> None:
    """Both recorded runs, once the one that is shown was played to its end."""
    st.fragment(_comparison, key="sgd_comparison_now")(lesson, found)


def _comparison(lesson: Lesson, found: Recording) -> None:
    if player.furthest() < lesson.film.last:
        st.caption(_("Play to the end to compare GD and SGD."))
        return
    names: dict[Way, str] = {"gd": "GD", "sgd": f"SGD, k = {lesson.plan.batch_size:,}"}
    text = wording.comparison(lesson.plan, verdict.compare(found.runs))
    st.markdown(text)
    with st.container(key="sgd_comparison"):
        alt = _("Training loss after each update of GD and SGD, against epochs.") + " " + wording.without_marks(text)
        curves = loss_curves(lesson, found, names)
        show_chart(chart.updates(curves, theme=page_theme(COMPARISON_HEIGHT)), alt)
