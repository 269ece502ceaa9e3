"""Below the picture of the double loop: its words, questions on the order, both runs side by side, an exercise."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from sgd_tf.double_loop import chart, notebook, player
from sgd_tf.double_loop.recording import Lesson, Recording, epoch_orders, loss_curves
from sgd_tf.double_loop.rows import Way
from sgd_tf.double_loop.wording import number, without_marks
from sgd_tf.training import counting
from sgd_tf.ui import experiment
from sgd_tf.ui.language import _
from sgd_tf.ui.theme import page_theme, show_chart
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
        same = experiment.predict(
            _("Predict: in which order does epoch 2 draw the samples?"), SAME_ORDER, key="sgd_same"
        )
    with second:
        visits = experiment.predict(
            _("Predict: how often is sample {i} used in this run?").format(i=sample), VISITS, key="sgd_visits"
        )
    if found:
        st.fragment(_judged, key="sgd_judged")(lesson, found, sample, same, visits)


def _judged(lesson: Lesson, found: Recording, sample: int, same: str | None, visits: str | None) -> None:
    film, position = lesson.film, player.position()
    orders = epoch_orders(found.runs[lesson.way])
    first, second = st.columns(2, gap="medium")
    with first:
        if same and len(orders) < 2:
            st.caption(_("This run has one epoch only: choose two or more under “More settings”."))
        elif same and position < film.end_of_epoch(1):
            st.caption(_("Play to the end of epoch 2."))
        elif same:
            experiment.judge(same, "same" if orders[0] == orders[1] else "new", SAME_ORDER)
    with second:
        if visits and position < film.last:
            st.caption(_("Play to the end."))
        elif visits:
            counts = [order.count(sample) for order in orders]
            is_once = all(count == 1 for count in counts)
            always = is_once and film.iterations == 1 and visits == "all"  # of gradient descent both are true
            experiment.judge(visits, "all" if always else "epochs" if is_once else "luck", VISITS)
            text = _("Sample {i} was drawn {times} times in {epochs} epochs.")
            st.caption(text.format(i=sample, times=sum(counts), epochs=len(counts)))


def words(lesson: Lesson) -> None:
    """Minibatch, iteration, epoch and update, each with its number in this run."""
    film = lesson.film
    n, k = film.num_examples, lesson.batch_size
    rest = counting.last_minibatch_size(n, k)
    text = _("{k} of {n} samples") if rest == k else _("{k} of {n} samples, the last one {rest}")
    size = text.format(k=f"{k:,}", n=f"{n:,}", rest=f"{rest:,}")
    table = pd.DataFrame(
        {
            _("Word"): [_("Minibatch"), _("Iteration"), _("Epoch"), _("Update")],
            _("Meaning"): [
                _("The k samples that are drawn for one update"),
                _("One turn of the inner loop: one minibatch, one update"),
                _("One turn of the outer loop: each of the N samples once"),
                _("One step of all weights"),
            ],
            _("In this run"): [
                size,
                _("{i} in each epoch").format(i=f"{film.iterations:,}"),
                f"{film.num_epochs}",
                f"{film.iterations:,} × {film.num_epochs} = {film.num_updates:,}",
            ],
        }
    )
    with st.container(key="sgd_words"):
        st.table(table.set_index(_("Word")))


def comparison(lesson: Lesson, found: Recording) -> None:
    """Both recorded runs: the same samples in the same number of epochs, and the updates that each has made of them."""
    names: dict[Way, str] = {"gd": "GD", "sgd": f"SGD, k = {lesson.plan.batch_size:,}"}
    last = {way: found.runs[way][-1] for way in names}
    text = _(
        "After {epochs} epochs both have seen each sample {epochs} times. GD has made **{gd} updates** of it and SGD "
        "**{sgd}**; the loss went from {start} to {gd_loss} with GD, and to {sgd_loss} with SGD. Both took the same "
        "learning rate, {rate}."
    ).format(
        epochs=lesson.plan.num_epochs,
        gd=f"{last['gd'].update:,}",
        sgd=f"{last['sgd'].update:,}",
        start=number(found.runs["gd"][0].train_loss),
        gd_loss=number(last["gd"].train_loss),
        sgd_loss=number(last["sgd"].train_loss),
        rate=f"{lesson.plan.learning_rate:g}",
    )
    st.markdown(text)
    with st.container(key="sgd_comparison"):
        alt = _("Training loss after each update of GD and SGD, against epochs.") + " " + without_marks(text)
        curves = loss_curves(lesson, found, names)
        show_chart(chart.updates(curves, theme=page_theme(COMPARISON_HEIGHT)), alt)


def exercise() -> None:
    """Let the learner put the lines of the loop in order, and say how far it is right."""
    right = notebook.double_loop_lines()[2:]
    indented = {line.strip(): line for line in right}
    chosen = st.multiselect(
        _("The lines of the loop, in the order in which they stand:"),
        sorted(indented),
        key="sgd_lines",
        placeholder=_("Choose the next line"),
        persist_state="session",
    )
    written = [indented[line] for line in chosen]
    num_right = next(
        (at for at, pair in enumerate(zip(written, right, strict=False)) if len(set(pair)) > 1), len(written)
    )
    if written:
        st.code("\n".join(written), language="python")
    if written == right:
        st.success(_("All {n} lines are right: this is the double loop.").format(n=len(right)))
    elif num_right < len(written):
        text = _("The first {n} lines are right, but “{line}” does not come next. Take it out and choose another.")
        st.warning(text.format(n=num_right, line=chosen[num_right]))
    elif written:
        st.caption(_("Right so far: {n} of {all} lines.").format(n=num_right, all=len(right)))
