"""A player: a film of numbered steps that is stepped, played, paused and wound back."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import streamlit as st

from sgd_tf.double_loop.playback import Unit
from sgd_tf.ui import address
from sgd_tf.ui.language import _, titles
from sgd_tf.words import N_

SPEEDS = {"slow": N_("Slow"), "normal": N_("Normal"), "fast": N_("Fast")}
SECONDS = {"slow": 1.6, "normal": 0.8, "fast": 0.25}  # from one step to the next
EARLY = 0.4  # share of that time by which a step may come early: timers are not exact
UNITS = {"line": N_("Line by line"), "iteration": N_("By iteration")}

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


def position(key: str) -> int:
    """Where a film stands."""
    return int(st.session_state.get(f"{key}_position", 0))


def is_playing(key: str) -> bool:
    """Whether a film moves by itself."""
    return bool(st.session_state.get(f"{key}_playing"))


def load(key: str, film: Film, identity: object, start: int = 0) -> None:
    """Put a film into the player: another one begins at its start, the same one stays where it is.

    Args:
        key: of the player.
        film: to be played.
        identity: what tells one film from another.
        start: position of the first film of a session.
    """
    state = st.session_state
    if f"{key}_film" not in state:
        state[f"{key}_position"], state[f"{key}_paused_at"] = start, start or None
    elif state[f"{key}_film"] != identity:
        rewind(key)
    state[f"{key}_film"] = identity
    state[f"{key}_position"] = min(position(key), film.last)


def _go(key: str, to: int) -> None:
    state = st.session_state
    rests = not is_playing(key) and state.get(f"{key}_paused_at") is None
    state[f"{key}_position"], state[f"{key}_playing"], state[f"{key}_paused_at"] = to, False, None
    # At rest nothing but buttons and picture has changed: they alone are drawn again, which is quicker.
    st.rerun([f"{key}_buttons", f"{key}_picture", *state[f"{key}_redraw"]] if rests else "app")


def rewind(key: str) -> None:
    """Stop, and go to the first step."""
    state = st.session_state
    state[f"{key}_position"], state[f"{key}_playing"], state[f"{key}_paused_at"] = 0, False, None


def _step(key: str, film: Film) -> None:
    _go(key, film.forward(position(key), st.session_state[f"{key}_unit"]))


def _back(key: str, film: Film) -> None:
    _go(key, film.back(position(key), st.session_state[f"{key}_unit"]))


def _next_epoch(key: str, film: Film) -> None:
    _go(key, film.next_epoch(position(key)))


def _to_the_start(key: str, film: Film) -> None:
    del film
    _go(key, 0)


def _play_or_pause(key: str, film: Film) -> None:
    state = st.session_state
    playing = not is_playing(key)
    if playing and position(key) == film.last:
        state[f"{key}_position"] = 0
    state[f"{key}_playing"] = playing
    state[f"{key}_paused_at"] = None if playing else position(key)
    state[f"{key}_moved"] = -SECONDS["slow"] + clock()  # the first step comes at once
    st.rerun()  # the whole page: the buttons' own fragment has no say in how often the picture is drawn


def controls(key: str, film: Film | None, *, redraw: Sequence[str] = ()) -> None:
    """Draw the buttons and the choice of speed and unit; they stand outside of what is redrawn on a timer.

    Args:
        key: of the player; the buttons are `<key>_back`, `<key>_play`, `<key>_step`, `<key>_next`, `<key>_rewind`.
        film: None as long as there is nothing to play; then nothing can be pressed.
        redraw: keys of the fragments, beside the picture, that show something else after each step.
    """
    st.session_state[f"{key}_redraw"] = tuple(redraw)
    settings = address.choice(f"{key}_speed", "normal", SPEEDS), address.choice(f"{key}_unit", "line", UNITS)
    address.restore(settings)
    left, right = st.columns([1.15, 1], gap="medium", vertical_alignment="center")
    with left:
        st.fragment(_buttons, key=f"{key}_buttons")(key, film)
    with right, st.container(horizontal=True, key=f"{key}_controls"):
        st.segmented_control(
            _("A step is"),
            list(UNITS),
            format_func=titles(UNITS),
            key=f"{key}_unit",
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        st.segmented_control(
            _("Speed"),
            list(SPEEDS),
            format_func=titles(SPEEDS),
            key=f"{key}_speed",
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
    address.publish(settings)


def _buttons(key: str, film: Film | None) -> None:
    here, playing = position(key), is_playing(key)
    at_start = film is None or (here == 0 and not playing)
    at_end = film is None or (here == film.last and not playing)
    with st.container(horizontal=True):
        st.button(
            _("Pause") if playing else _("Play"),
            type="primary",
            icon=":material/pause:" if playing else ":material/play_arrow:",
            key=f"{key}_play",
            disabled=film is None,
            on_click=_play_or_pause,
            args=(key, film),
        )
        for name, label, icon, disabled, callback in (
            ("back", _("Back"), ":material/skip_previous:", at_start, _back),
            ("step", _("Step"), ":material/skip_next:", at_end, _step),
            ("next", _("Next epoch"), ":material/fast_forward:", at_end, _next_epoch),
            ("rewind", _("To the start"), ":material/replay:", at_start, _to_the_start),
        ):
            st.button(label, icon=icon, key=f"{key}_{name}", disabled=disabled, on_click=callback, args=(key, film))


def follow(key: str, film: Film, draw: Callable[[int], None]) -> None:
    """Draw the film where it stands, and again at each step while it plays.

    Args:
        key: of the player.
        film: that is played.
        draw: draws the step at a position. No controls in it: what is redrawn on a timer loses them when the connection
            is cut.
    """
    interval = SECONDS[st.session_state[f"{key}_speed"]] if is_playing(key) else None
    st.fragment(_tick, run_every=interval, key=f"{key}_picture")(key, film, draw)


def _tick(key: str, film: Film, draw: Callable[[int], None]) -> None:
    state = st.session_state
    ended = False
    if is_playing(key):
        interval = SECONDS[state[f"{key}_speed"]]
        now = clock()
        if now - state[f"{key}_moved"] >= (1 - EARLY) * interval:  # one step a time, however often the page is redrawn
            state[f"{key}_position"] = film.forward(position(key), state[f"{key}_unit"])
            state[f"{key}_moved"] = now
        ended = position(key) == film.last
    draw(position(key))
    if ended:
        state[f"{key}_playing"] = False
        st.rerun()  # once: the buttons learn that the film is over
