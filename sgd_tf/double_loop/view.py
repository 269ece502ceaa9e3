"""The picture of the double loop: all samples, the way of a minibatch, the ten lines; and the loop to take home."""

from __future__ import annotations

import functools
from contextlib import AbstractContextManager

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf.double_loop import chart as double_loop_chart
from sgd_tf.double_loop import code_chart, notebook, player, recording, rows, verdict, wording
from sgd_tf.double_loop.playback import LINES, Phase, Step
from sgd_tf.double_loop.recording import Lesson, Recording, turn_at
from sgd_tf.double_loop.rows import NUM_SLOTS, DoubleLoopPlan, Turn
from sgd_tf.ui import progress, trial
from sgd_tf.ui.language import _, catalogue, current
from sgd_tf.ui.runs import Rows
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Verdict

PICTURE_HEIGHT = 344  # px, of tiles or points and of the flow below them
FLOW_HEIGHT = {True: 158, False: 80}  # px, with the images of the minibatch and without
NARRATION_HEIGHT = 56  # px
ORDERS_HEIGHT = 92  # px
REDRAWN = ("sgd_judged", "sgd_words_now", "sgd_comparison_now")  # what shows more after a step, below the picture


def picture(lesson: Lesson, bar: AbstractContextManager[object], prediction: str | None) -> Recording | None:
    """Draw the player and follow it; a skeleton as long as the run is recorded.

    Args:
        lesson: what is played.
        bar: where the player's buttons go.
        prediction: what the learner expects of `controls.ask_updates`.

    Returns:
        The recording, if it is there.
    """
    height = PICTURE_HEIGHT + NARRATION_HEIGHT + 90
    answer = progress.answer("double_loop", rows.record_double_loop, lesson.plan, height=height, is_recorded=True)
    found = _recording(lesson.plan, answer) if answer else None
    with bar:
        player.controls(lesson.film if found else None, redraw=REDRAWN)
    if found:
        player.follow(lesson.film, functools.partial(_draw, lesson, found, prediction))
        progress.cite(rows.record_double_loop, lesson.plan)
    return found


@st.cache_resource(max_entries=64, show_spinner=False)
def _recording(plan: DoubleLoopPlan, _rows: Rows) -> Recording:
    return Recording.from_rows(plan, _rows)


def _draw(lesson: Lesson, found: Recording, prediction: str | None, position: int) -> None:
    player.furthest()
    film, step = lesson.film, lesson.film.at(position)
    left, right = st.columns([1.15, 1], gap="medium")
    with left, st.container(gap="xsmall"):
        st.progress(step.update / film.num_updates, wording.place(lesson, step))
        with st.container(height=NARRATION_HEIGHT, border=False, key="sgd_narration"):
            st.markdown(wording.narration(lesson, found, step))
        with st.container(key="sgd_samples", gap="xxsmall"):
            _samples(lesson, found, step)
        with st.container(key="sgd_flow"):
            _flow(lesson, found, step)
    with right, st.container(gap="xsmall"):
        with st.container(key="sgd_code", border=True):
            _code(step)
        with st.container(height=ORDERS_HEIGHT, border=False, key="sgd_orders"):
            st.markdown(wording.orders(lesson, found, step))
        with st.container(key="sgd_judgement"):
            if prediction and position >= film.end_of_epoch(0):
                updates = verdict.updates_of_epoch(found.runs[lesson.way])
                options = {option: f"{int(option):,}" for option in (prediction, str(updates))}
                text = wording.updates_of_epoch(lesson, updates)
                trial.judge(prediction, Verdict(text=text, answer=str(updates)), options)


def _samples(lesson: Lesson, found: Recording, step: Step) -> None:
    """All samples, and what has become of each in this epoch."""
    states = recording.states(lesson, found, step)
    notes = {"waiting": _("waiting"), "drawn": _("in the minibatch"), "used": _("used in iteration {i} of this epoch")}
    states["note"] = [notes[row.state].format(i=row.iteration + 1) for row in states.itertuples()]
    counts = states["state"].value_counts()
    numbers = {state: f"{counts.get(state, 0):,}" for state in ("drawn", "used", "waiting")}
    legend = _(
        "**{n} training samples:** :yellow-background[{drawn} in the minibatch] · ✓ {used} used in this epoch · "
        "{waiting} waiting"
    )
    st.markdown(f":small[{legend.format(n=f'{len(states):,}', **numbers)}]")
    alt = _("{n} samples: {drawn} in the minibatch, {used} used in this epoch, {waiting} waiting.").format(
        n=f"{len(states):,}", **numbers
    )
    theme = page_theme(PICTURE_HEIGHT - FLOW_HEIGHT[lesson.plan.has_images])
    if lesson.plan.has_images:
        chart = double_loop_chart.tiles(found.samples, states, theme=theme)
    else:
        surface, states = _surface(lesson, found, step, states)
        chart = double_loop_chart.points(found.samples, states, surface, is_line=lesson.plan.is_line, theme=theme)
    show_chart(chart, alt, key=f"sgd_samples_{lesson.plan.problem}")


def _surface(lesson: Lesson, found: Recording, step: Step, states: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the model looks like, and what it says of the drawn samples."""
    run = found.runs[lesson.way]
    now = np.array(run[step.update].surface)
    samples = found.samples
    states = states.assign(said=np.nan, rank=states["state"].map({"used": 0, "waiting": 1, "drawn": 2}))
    if lesson.plan.is_line:
        x = np.array([-8.0, 8.0])
        moments = {"now": now}
        if step.phase == "update":
            moments["before"] = np.array(run[step.update - 1].surface)
        elif step.phase in ("forward", "loss", "gradient"):
            drawn = states["state"] == "drawn"
            states["said"] = np.where(drawn, now[0] + now[1] * samples["x"], np.nan)
        table = [{"x": a, "y": w[0] + w[1] * a, "moment": moment} for moment, w in moments.items() for a in x]
        return pd.DataFrame(table), states
    x, y = double_loop_chart.surface_grid()
    return pd.DataFrame({"x": x, "y": y, "share": now}), states


def _flow(lesson: Lesson, found: Recording, step: Step) -> None:
    """The minibatch on its way: model, loss, gradient, update."""
    turn = turn_at(lesson, found, step)
    order: tuple[Phase, ...] = ("forward", "loss", "gradient", "update")
    reached = order.index(step.phase) if step.phase in order else -1
    after = [
        (
            "forward",
            _("Model"),
            " → ".join(map(str, found.network.layers)),
            _("{w} weights").format(w=f"{found.network.num_weights:,}"),
        ),
        (
            "loss",
            _("Loss"),
            wording.amount(turn.loss),
            _("mean of {k}").format(k=f"{len(turn.indices):,}"),
        ),
        (
            "gradient",
            _("Gradient"),
            wording.amount(turn.gradient_norm),
            _("its length"),
        ),
        (
            "update",
            _("Update"),
            f"{turn.update:,}",
            _("w − {rate} × gradient").format(rate=f"{lesson.plan.learning_rate:g}"),
        ),
    ]
    stations = pd.DataFrame(
        [
            {
                "place": place,
                "title": title,
                "value": value if place <= reached or place == 0 else "",
                "detail": detail if place <= reached or place == 0 else "",
                "state": "here" if place == reached else "passed" if place < reached else "ahead",
            }
            for place, (_phase, title, value, detail) in enumerate(after)
        ]
    )
    travellers = pd.DataFrame({"slot": [], "index": [], "image": [], "said": [], "more": []})
    if lesson.plan.has_images:
        travellers = _travellers(found, turn if step.is_drawn else None, is_said=reached >= 0)
    alt = (
        _("The way of the minibatch: model, loss, gradient, update.")
        + " "
        + wording.without_marks(wording.narration(lesson, found, step))
    )
    theme = page_theme(FLOW_HEIGHT[lesson.plan.has_images])
    chart = double_loop_chart.flow(stations, travellers, has_images=lesson.plan.has_images, theme=theme)
    show_chart(chart, alt, key=f"sgd_flow_{lesson.plan.has_images}")


def _travellers(found: Recording, turn: Turn | None, *, is_said: bool) -> pd.DataFrame:
    """The first samples of a minibatch, and what the model says of them."""
    indices = turn.indices if turn else []
    shown = indices if len(indices) <= NUM_SLOTS else indices[: NUM_SLOTS - 1]
    table = []
    for slot, index in enumerate(shown):
        label = found.samples["label"][index]
        said = f"{turn.outputs[slot]:g}" if turn else ""
        mark = "✓" if said == label else "✗"
        table.append(
            {
                "slot": slot,
                "index": f"{index}",
                "image": double_loop_chart.digit_image(tuple(found.features[index])),
                "said": f"{said} {mark}" if is_said else "",
                "more": "",
            }
        )
    if len(indices) > len(shown):
        more = f"+{len(indices) - len(shown):,}"
        table.append({"slot": len(shown), "index": "", "image": "", "said": "", "more": more})
    return pd.DataFrame(table, columns=["slot", "index", "image", "said", "more"])


def _code(step: Step) -> None:
    """The ten lines, and which of them runs."""
    lines = notebook.double_loop_lines()
    lit = LINES[step.phase]
    alt = _("The double loop. Now runs: {lines}").format(lines=" / ".join(lines[line - 1].strip() for line in lit))
    show_chart(code_chart.code(lines, lit, theme=page_theme(PICTURE_HEIGHT)), alt, key="sgd_code_lines")


def take_home(lesson: Lesson) -> None:
    """The double loop to copy, and the same as a notebook."""
    with st.container(horizontal=True):
        with st.popover(_("Copy the code"), icon=":material/content_copy:", key="sgd_copy"):
            st.code(notebook.double_loop_source(), language="python")
        st.download_button(
            _("The same as a notebook"),
            _notebook(lesson, current()),
            "double_loop.ipynb",
            "application/x-ipynb+json",
            icon=":material/book_2:",
            key="sgd_notebook",
            on_click="ignore",
        )


@st.cache_data(max_entries=64, show_spinner=False)
def _notebook(lesson: Lesson, language: str) -> str:
    return notebook.double_loop_notebook(lesson.plan, lesson.way, translate=catalogue(language).gettext)
