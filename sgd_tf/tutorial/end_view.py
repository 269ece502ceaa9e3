"""The page after the last step: what was right, what to see again, the notebook and the HTML file to keep."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import streamlit as st

from sgd_tf.tutorial import keep, view
from sgd_tf.tutorial.answers import ANSWERS, tally
from sgd_tf.tutorial.notebook import notebook
from sgd_tf.tutorial.path import STEPS
from sgd_tf.tutorial.step import Step, Values, chosen
from sgd_tf.ui import menu
from sgd_tf.ui.film import picture, player
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _, catalogue, current, prose

COLUMNS = 6
STYLES: dict[str, dict[str, Any]] = {
    "w": {"fill": "surface", "edge": "line"},
    "r": {"fill": "#7BC48F", "edge": "text", "text": "#171717"},
    "f": {"fill": "drawn", "edge": "alarm", "width": 3, "text": "#171717"},
}


def draw(words: str, folder: Path) -> None:
    """Draw the end of the tutorial.

    Args:
        words: in the learner's language.
        folder: where the prose of the steps is.
    """
    view.way(len(STEPS))
    left, right = st.columns([1, 1.75], gap="medium")
    with left:
        st.markdown(words)
        _score()
        _keep(folder)
        st.page_link("pages/learn/what_is_sgd.py", label=_("Write the two loops yourself"), icon=":material/code:")
        st.page_link("pages/lab/gd_vs_sgd.py", label=_("Race with other data and models"), icon=":material/flag:")
    with right:
        player.show(film(ANSWERS.value), key="film_your_turn")
        _again()


def state(step: Step) -> str:
    """Style of a step's tile: right, false, or not answered."""
    answer = ANSWERS.of(step.key)
    return "w" if answer is None else "r" if answer == step.right else "f"


def film(answers: str) -> Film:
    """The learner's answers, tile by tile."""
    del answers
    ends = [state(step) for step in STEPS]
    num = len(STEPS)
    states = ["".join(ends[:frame]) + "w" * (num - frame) for frame in range(num + 1)]
    slots = picture.grid(num, COLUMNS, size=14.6, left=2, top=1, gap=1.8)
    tiles = picture.tiles(14.6, slots=slots, at=list(range(num)), states=track(states), styles=STYLES)
    signs = {"w": "", "r": " ✓", "f": " ✗"}
    labels = [[f"{i + 1}{signs[ends[i]] if i < frame else ''}" for i in range(num)] for frame in range(num + 1)]
    return Film(
        panels=[picture.panel((100, 34), tiles | {"labels": track(labels)})],
        frames=num + 1,
        seconds=0.45,
        captions=track(["", *[_(menu.TITLES[f"tutorial/{step.key}"]) for step in STEPS]]),
        alt=_("Your answers, one tile for each step: right ones with a tick, wrong ones with a cross."),
        caption_lines=1,
    )


def _score() -> None:
    given, right = tally([ANSWERS.of(step.key) for step in STEPS], [step.right for step in STEPS])
    if given == 0:
        st.info(_("You have not answered any question yet."), icon=view.OPEN)
        return
    text = _("You have answered {given} of {num} questions, {right} of them right.")
    words = text.format(given=given, num=len(STEPS), right=right)
    (st.success if right == len(STEPS) else st.info)(words, icon=view.DONE)


def _again() -> None:
    again = [step for step in STEPS if state(step) != "r"]
    if not again:
        st.markdown(_("Everything was right. Nothing to see again."))
        return
    st.markdown(_("**Worth another look**"))
    with st.container(horizontal=True, gap="small", key="tutorial_again"):
        for step in again:
            page = f"tutorial/{step.key}"
            icon = view.OPEN if ANSWERS.of(step.key) is None else view.WRONG
            label = f"{STEPS.index(step) + 1}. {_(menu.TITLES[page])}"
            st.page_link(f"pages/{page}.py", label=label, icon=icon, query_params=ANSWERS.query())


def _keep(folder: Path) -> None:
    titled = [(_(menu.TITLES[f"tutorial/{step.key}"]), step, chosen(step)) for step in STEPS]
    st.download_button(
        _("The whole tutorial as a notebook"),
        notebook(titled, translate=catalogue(current()).gettext),
        "sgd_tutorial.ipynb",
        "application/x-ipynb+json",
        icon=":material/book_2:",
        key="tutorial_notebook",
        type="primary",
        on_click="ignore",
    )
    st.download_button(
        _("The whole tutorial as one HTML file, films included"),
        _page(folder, current(), tuple(values for _title, _step, values in titled)),
        "sgd_tutorial.html",
        "text/html",
        icon=":material/movie:",
        key="tutorial_page",
        on_click="ignore",
        help=_("It opens in any browser, also without a network."),
    )


@functools.lru_cache(maxsize=32)  # the words and films of twelve steps take a moment
def _page(folder: Path, language: str, values: tuple[Values, ...]) -> str:
    del language  # that of the session, a part of what is remembered
    return keep.page(
        [
            keep.Chapter(
                title=_(menu.TITLES[f"tutorial/{step.key}"]),
                prose=prose(str(folder / f"{step.key}.py"), "text"),
                step=step,
                values=chosen_values,
            )
            for step, chosen_values in zip(STEPS, values, strict=True)
        ]
    )
