"""The exercise on the page: choose the lines of the loop in turn, move them, and choose their indentation."""

from __future__ import annotations

import streamlit as st

from sgd_tf.double_loop import exercise, wording
from sgd_tf.double_loop.exercise import Line
from sgd_tf.ui.language import _

PROGRAM, AT = "sgd_program", "sgd_program_at"  # keys in the session: the lines so far, the place of the chosen one
SPACE = "\N{NO-BREAK SPACE}"  # others vanish at the beginning of a line


def draw() -> None:
    """The lines that are left, the program so far with what can be done to a line of it, and how far it is right."""
    program = _program()
    texts = [line.text for line in program]
    with st.container(horizontal=True, gap="xsmall", key="sgd_pieces"):
        for number, text in enumerate(exercise.pieces()):
            if text not in texts:
                st.button(f"`{text}`", key=f"sgd_piece_{number}", on_click=_append, args=(text,))
    if not program:
        return
    at = st.session_state.get(AT, 0)
    st.session_state[AT] = min(at, len(program) - 1)  # set anew, or lines whose words change lose the choice
    with st.container(border=True, key="sgd_program_lines"):
        st.radio(
            _("Your loop. Choose a line to change it:"),
            range(len(program)),
            format_func=lambda at: f"`{SPACE * exercise.INDENT * program[at].level}{program[at].text}`",
            key=AT,
        )
        with st.container(horizontal=True, gap="xsmall", key="sgd_program_buttons"):
            for name, label, icon in (
                ("less", _("Indent less"), ":material/format_indent_decrease:"),
                ("more", _("Indent more"), ":material/format_indent_increase:"),
                ("up", _("Up"), ":material/arrow_upward:"),
                ("down", _("Down"), ":material/arrow_downward:"),
                ("remove", _("Remove"), ":material/close:"),
            ):
                st.button(label, icon=icon, key=f"sgd_program_{name}", on_click=_change, args=(name,))
    found = exercise.check(program)
    text = wording.exercise_check(program, found)
    if found.is_done:
        st.success(text, icon=":material/check_circle:")
    elif found.fault:
        st.warning(text, icon=":material/cancel:")
    else:
        st.caption(text)


def _program() -> list[Line]:
    return st.session_state.setdefault(PROGRAM, [])


def _append(text: str) -> None:
    st.session_state[PROGRAM] = exercise.appended(_program(), text)
    st.session_state[AT] = len(_program()) - 1


def _change(what: str) -> None:
    program, at = _program(), st.session_state[AT]
    if what == "remove":
        st.session_state[PROGRAM] = exercise.without(program, at)
    elif what in ("up", "down"):
        by = -1 if what == "up" else 1
        st.session_state[PROGRAM] = exercise.moved(program, at, by)
        st.session_state[AT] = min(max(at + by, 0), len(program) - 1)
    else:
        st.session_state[PROGRAM] = exercise.indented(program, at, -1 if what == "less" else 1)
