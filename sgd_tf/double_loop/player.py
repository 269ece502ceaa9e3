"""A player: a film of numbered steps that is stepped, played, paused and wound back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import streamlit as st

from sgd_tf.double_loop.playback import Unit
from sgd_tf.ui.language import _
from sgd_tf.ui.settings import Choice
from sgd_tf.words import N_

KEY = "loop"  # begins the keys of all that belongs to the player, in the session and on the page
SPEED = Choice(
    key=f"{KEY}_speed",
    label=N_("Speed"),
    options={"slow": N_("Slow"), "normal": N_("Normal"), "fast": N_("Fast")},
    default="normal",
)
UNIT = Choice(
    key=f"{KEY}_unit",
    label=N_("A step is"),
    options={"line": N_("Line by line"), "iteration": N_("By iteration")},
    default="line",
)
SECONDS = {"slow": 1.6, "normal": 0.8, "fast": 0.25}  # from one step to the next
EARLY = 0.4  # share of that time by which a step may come early: timers are not exact

clock = time.monotonic  # a test may replace it


class Film(Protocol):
    """What can be played."""

    @property
    def last(self) -> int:
        """Position of the last step; the first one is 0."""

    def forward(self, position: int, unit: Unit) -> int:
        """The position after a step."""

    def back(self, position: int, unit: Unit) -> int:
        """The position before a step."""

    def next_epoch(self, position: int) -> int:
        """Where the next epoch begins."""


def position() -> int:
    """Where a film stands."""
    return int(st.session_state.get(f"{KEY}_position", 0))


def furthest() -> int:
    """The furthest step of this film that was shown."""
    key = f"{KEY}_furthest"
    st.session_state[key] = max(position(), int(st.session_state.get(key, 0)))
    return st.session_state[key]


def is_playing() -> bool:
    """Whether a film moves by itself."""
    return bool(st.session_state.get(f"{KEY}_playing"))


def paused_at() -> int | None:
    """Where the film was paused, if it still stands there."""
    return position() if st.session_state.get(f"{KEY}_paused_at") == position() else None


def _unit() -> Unit:
    return "iteration" if UNIT.value == "iteration" else "line"


def load(film: Film, identity: object, start: int = 0) -> None:
    """Put a film into the player: another one begins at its start, the same one stays where it is.

    Args:
        film: to be played.
        identity: what tells one film from another.
        start: position of the first film of a session.
    """
    state = st.session_state
    if f"{KEY}_film" not in state:
        state[f"{KEY}_position"], state[f"{KEY}_paused_at"] = start, start or None
    elif state[f"{KEY}_film"] != identity:
        rewind()
        state[f"{KEY}_furthest"] = 0
    state[f"{KEY}_film"] = identity
    state[f"{KEY}_position"] = min(position(), film.last)


def _go(to: int) -> None:
    state = st.session_state
    rests = not is_playing() and state.get(f"{KEY}_paused_at") is None
    state[f"{KEY}_position"], state[f"{KEY}_playing"], state[f"{KEY}_paused_at"] = to, False, None
    # At rest nothing but buttons and picture has changed: they alone are drawn again, which is quicker.
    st.rerun([f"{KEY}_buttons", f"{KEY}_picture", *state[f"{KEY}_redraw"]] if rests else "app")


def rewind() -> None:
    """Stop, and go to the first step."""
    state = st.session_state
    state[f"{KEY}_position"], state[f"{KEY}_playing"], state[f"{KEY}_paused_at"] = 0, False, None


def _step(film: Film) -> None:
    _go(film.forward(position(), _unit()))


def _back(film: Film) -> None:
    _go(film.back(position(), _unit()))


def _next_epoch(film: Film) -> None:
    _go(film.next_epoch(position()))


def _to_the_start(film: Film) -> None:
    del film
    _go(0)


def _play_or_pause(film: Film) -> None:
    state = st.session_state
    playing = not is_playing()
    if playing and position() == film.last:
        state[f"{KEY}_position"] = 0
    state[f"{KEY}_playing"] = playing
    state[f"{KEY}_paused_at"] = None if playing else position()
    state[f"{KEY}_moved"] = -SECONDS["slow"] + clock()  # the first step comes at once
    st.rerun()  # the whole page: the buttons' own fragment has no say in how often the picture is drawn


def controls(film: Film | None, *, redraw: Sequence[str] = ()) -> None:
    """Draw the buttons and the choice of speed and unit; they stand outside of what is redrawn on a timer.

    Args:
        film: None as long as there is nothing to play; then nothing can be pressed.
        redraw: keys of the fragments, beside the picture, that show something else after each step.
    """
    st.session_state[f"{KEY}_redraw"] = tuple(redraw)
    left, right = st.columns([1.15, 1], gap="medium", vertical_alignment="center")
    with left:
        st.fragment(_buttons, key=f"{KEY}_buttons")(film)
    with right, st.container(horizontal=True, key=f"{KEY}_controls"):
        UNIT.draw(label_visibility="collapsed")
        SPEED.draw(label_visibility="collapsed")


def _buttons(film: Film | None) -> None:
    here, playing = position(), is_playing()
    at_start = film is None or (here == 0 and not playing)
    at_end = film is None or (here == film.last and not playing)
    with st.container(horizontal=True):
        st.button(
            _("Pause") if playing else _("Play"),
            type="primary",
            icon=":material/pause:" if playing else ":material/play_arrow:",
            key=f"{KEY}_play",
            disabled=film is None,
            on_click=_play_or_pause,
            args=(film,),
        )
        for name, label, icon, disabled, callback in (
            ("back", _("Back"), ":material/skip_previous:", at_start, _back),
            ("step", _("Next step"), ":material/skip_next:", at_end, _step),
            ("next", _("Next epoch"), ":material/fast_forward:", at_end, _next_epoch),
            ("rewind", _("To the start"), ":material/replay:", at_start, _to_the_start),
        ):
            st.button(label, icon=icon, key=f"{KEY}_{name}", disabled=disabled, on_click=callback, args=(film,))


def follow(film: Film, draw: Callable[[int], None]) -> None:
    """Draw the film where it stands, and again at each step while it plays.

    Args:
        film: that is played.
        draw: draws the step at a position. No controls in it: what is redrawn on a timer loses them when the connection
            is cut.
    """
    interval = SECONDS[SPEED.value] if is_playing() else None
    st.fragment(_tick, run_every=interval, key=f"{KEY}_picture")(film, draw)


def _tick(film: Film, draw: Callable[[int], None]) -> None:
    state = st.session_state
    ended = False
    if is_playing():
        interval = SECONDS[SPEED.value]
        now = clock()
        if now - state[f"{KEY}_moved"] >= (1 - EARLY) * interval:  # one step a time, however often the page is redrawn
            state[f"{KEY}_position"] = film.forward(position(), _unit())
            state[f"{KEY}_moved"] = now
        ended = position() == film.last
    draw(position())
    if ended:
        state[f"{KEY}_playing"] = False
        st.rerun()  # once: the buttons learn that the film is over
