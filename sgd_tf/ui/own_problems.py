"""The tables that this session has uploaded, as problems: chosen like the others on every page, and gone with it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakValueDictionary

import streamlit as st

from sgd_tf.problems.given import PREFIX, Given, give
from sgd_tf.ui.language import _
from sgd_tf.ui.plain_text import code
from sgd_tf.ui.settings import Choice
from sgd_tf.ui.streamlit_internals import is_connected, session_id
from sgd_tf.ui.widgets import PROBLEMS

KEY = "own_problems"  # in the session
MISSING = "own_problem_missing"  # key of the setting that asked in the address for a table that is not here
PAGE = "pages/practice/your_data.py"
MAX_HELD = 4  # of a session, the latest ones
RETURN_SECONDS = 120.0  # within which a page that has lost its connection comes back to its session


@dataclass(frozen=True, kw_only=True)
class Held:
    """One of them."""

    problem: Given
    title: str  # name of its file


@dataclass(eq=False)
class Tables:
    """All that a session has uploaded."""

    problems: dict[str, Held] = field(default_factory=dict)  # by name, the latest last
    uploaded: Any = None  # what the page "Your data" shows

    def clear(self) -> None:
        """Let all of it go."""
        self.problems.clear()
        self.uploaded = None


_of_sessions: WeakValueDictionary[str, Tables] = WeakValueDictionary()
_left_at: dict[str, float] = {}  # session → when its page was first found to be gone, monotonic


def tables() -> Tables:
    """What this session has uploaded."""
    if KEY not in st.session_state:
        st.session_state[KEY] = Tables()
    session = session_id()
    if session:
        _of_sessions[session] = st.session_state[KEY]
    return st.session_state[KEY]


def held() -> dict[str, Held]:
    """The session's problems by name, the latest last."""
    return tables().problems


def let_go(now: float) -> None:
    """Forget the tables of learners who have left; Streamlit itself may keep a session that has ended for long.

    Args:
        now: monotonic time in seconds.
    """
    for session, each in list(_of_sessions.items()):
        if is_connected(session):
            _left_at.pop(session, None)
        elif now - _left_at.setdefault(session, now) > RETURN_SECONDS:
            each.clear()
            del _left_at[session], _of_sessions[session]


def hold(problem: Given, title: str) -> str:
    """Keep a problem for this session, and return its name; the oldest of too many is let go."""
    own, name = held(), problem.info.name
    own.pop(name, None)
    taken = {each.title for each in own.values()}
    unique = next(t for n in range(1, MAX_HELD + 2) if (t := title if n == 1 else f"{title} ({n})") not in taken)
    own[name] = Held(problem=give(problem), title=unique)
    while len(own) > MAX_HELD:
        del own[next(iter(own))]
    return name


def title_of(problem: str) -> str:
    """Title of a problem in the learner's language, for Markdown."""
    if problem in PROBLEMS:
        return _(PROBLEMS[problem])
    return code(held()[problem].title) if problem in held() else _("Your table")


@dataclass(frozen=True, kw_only=True)
class ProblemChoice(Choice):
    """The choice of a problem: some of the lab's, and those of the session."""

    widget: Any = "select"
    own_from: int = 1  # training samples that a table of one's own must have here

    def parse(self, texts: list[str]) -> str:  # noqa: D102
        if texts[0].startswith(PREFIX):
            if texts[0] in held():
                return texts[0]
            st.session_state[MISSING] = self.key
            return self.default
        return super().parse(texts)

    def draw(self, only: Collection[str] | None = None, **rest: Any) -> str:
        """Draw the control, and say so if the address asked for a table that is not here; see `Choice.draw`."""
        own = {name: each.title for name, each in held().items() if each.problem.info.num_examples >= self.own_from}
        options = {**dict(self.options), **own} if isinstance(self.options, dict) else own
        if only is not None:
            only = [*only, *own]
        every = Choice(key=self.key, label=self.label, options=options, default=self.default, widget=self.widget)
        self.restore()
        chosen = every.draw(only, **rest)
        if st.session_state.get(MISSING) == self.key:
            text = _("The table in this address is not here: a table stays with whoever uploaded it, until they leave.")
            st.info(text, icon=":material/upload_file:")
            st.page_link(PAGE, label=_("Upload it here"), icon=":material/upload_file:")
            if chosen.startswith(PREFIX):
                del st.session_state[MISSING]
        return chosen

    def title(self, option: str) -> str:  # noqa: D102
        return super().title(option) if option in self.options else held()[option].title
