"""A step of the tutorial on its page: the way, the question, the film, the answer, the code."""

from __future__ import annotations

import streamlit as st

from sgd_tf.tutorial.answers import ANSWERS
from sgd_tf.tutorial.path import STEPS
from sgd_tf.tutorial.step import Deeper, Step, Values
from sgd_tf.ui import menu
from sgd_tf.ui.film import player
from sgd_tf.ui.language import _, titles

DONE, WRONG, OPEN = ":material/check_circle:", ":material/cancel:", ":material/radio_button_unchecked:"
HERE = ":material/radio_button_checked:"

# On a telephone, where columns stand one below the other, the film comes first: Streamlit has no order for that.
NARROW = """<style>
@media (max-width: 640px) {
  .st-key-tutorial_step :is([data-testid=stColumn], [data-testid=stColumn] > [data-testid=stVerticalBlock]) {
    display: contents;
  }
  .st-key-tutorial_step [data-testid=stHorizontalBlock]:has(> [data-testid=stColumn]) { flex-direction: column; }
  [data-testid=stLayoutWrapper]:has(> .st-key-tutorial_film) { order: -1; width: 100%; }
}
</style>"""
END = "your_turn"  # the page after the last step


def draw(step: Step, prose: str) -> None:
    """Draw a step.

    Args:
        step: of the path.
        prose: at most 90 words on it, in the learner's language.
    """
    place = STEPS.index(step)
    way(place)
    st.html(NARROW)
    with st.container(key="tutorial_step"):
        left, right = st.columns([1, 1.75], gap="medium")
    with left:
        st.markdown(prose)
        with st.container(horizontal=True, key="tutorial_controls"):
            values = tuple(control.draw() for control in step.controls)
        _question(step, values)
    with right:
        with st.container(key="tutorial_film"):
            player.show(step.film(*values), key=f"film_{step.key}")
        st.code(step.code(*values), language="python")
        _deeper(step.deeper(*values))


def way(place: int) -> None:
    """Back, a mark for each step, and next.

    Args:
        place: number of the step that is shown, from 0; the number of steps for the page at the end.
    """
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="tutorial_way"):
        _turn("back", place - 1, _("Back"), "left")
        _turn("next", place + 1, _("Next"), "right")
        with st.container(horizontal=True, gap="xsmall", width="content", key="tutorial_marks"):
            for number, step in enumerate(STEPS):
                _mark(number, step, is_here=number == place)
    ANSWERS.publish()


def _turn(key: str, to: int, label: str, arrow: str) -> None:
    pages = [*(step.key for step in STEPS), END]
    is_there = 0 <= to < len(pages)
    if st.button(label, key=f"tutorial_{key}", shortcut=arrow, disabled=not is_there, width="content"):
        st.switch_page(f"pages/tutorial/{pages[to]}.py", query_params=ANSWERS.query())


def _mark(number: int, step: Step, *, is_here: bool) -> None:
    answer = ANSWERS.of(step.key)
    icon = OPEN if answer is None else DONE if answer == step.right else WRONG
    if is_here:
        st.markdown(f":violet[{HERE if answer is None else icon} **{number + 1}**]", width="content")
        return
    page, title = f"tutorial/{step.key}", _(menu.TITLES[f"tutorial/{step.key}"])
    st.page_link(f"pages/{page}.py", label=str(number + 1), icon=icon, help=title, query_params=ANSWERS.query())


def _question(step: Step, values: Values) -> None:
    key = f"answer_{step.key}"
    st.session_state.setdefault(key, ANSWERS.of(step.key))
    letter = st.radio(
        f"**{_(step.question)}**",
        list(step.options),
        format_func=titles(step.options),
        key=key,
        index=None,
        persist_state="session",
    )
    if letter != ANSWERS.of(step.key):
        ANSWERS.give(step.key, letter)
        st.rerun()  # the marks are above
    if letter is None:
        return
    why = step.explain(*values)
    if letter == step.right:
        st.success(_("**Right.**") + f" {why}", icon=DONE)
    else:
        right = _("**Not quite.** It is: {answer}.").format(answer=_(step.options[step.right]))
        st.warning(f"{right} {why}", icon=WRONG)


def _deeper(deeper: Deeper) -> None:
    label = _("Go deeper: {page}").format(page=_(menu.TITLES[deeper.page]))
    if st.button(label, icon=":material/explore:", type="tertiary", key="tutorial_deeper"):
        for key in deeper.address:  # else the page would keep what it was set to before
            st.session_state.pop(key, None)
        st.switch_page(f"pages/{deeper.page}.py", query_params=dict(deeper.address))
