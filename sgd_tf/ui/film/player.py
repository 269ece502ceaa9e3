"""Plays films in the browser, through the one component of the lab: without a build step."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from importlib import resources
from typing import Any

import streamlit as st

from sgd_tf.charts.style import (
    BACKGROUND,
    DRAWN,
    FONT,
    FULL_BATCH,
    GRID,
    MAX_LOG2_BATCH_SIZE,
    MUTED_TEXT,
    TEXT,
    batch_size_color,
)
from sgd_tf.ui.film.picture import Film
from sgd_tf.ui.language import _

SCRIPTS = ("pictures.js", "index.js")  # one module, in this order
SURFACE = {False: "#F4F4F7", True: "#1B1F29"}
LINE = {False: "#C9CAD3", True: "#4A4F5C"}
PRIMARY = {False: "#5E1A88", True: "#AD5EFB"}
ALARM = {False: "#B3261E", True: "#FF8A80"}
GOOD = {False: "#1B6E3C", True: "#7BD88F"}
LIT = {False: "#FFF3CD", True: "#4A3F12"}


def colors(*, dark: bool) -> dict[str, str]:
    """The colours of a film, by the names that layers use."""
    tables = {
        "text": TEXT,
        "muted": MUTED_TEXT,
        "grid": GRID,
        "line": LINE,
        "background": BACKGROUND,
        "surface": SURFACE,
        "primary": PRIMARY,
        "alarm": ALARM,
        "good": GOOD,
        "lit": LIT,
        "full": FULL_BATCH,
    }
    of_k = {f"k{2**i}": batch_size_color(2**i, dark=dark) for i in range(MAX_LOG2_BATCH_SIZE + 1)}
    fixed = {"drawn": DRAWN, "accent": DRAWN, "font": FONT}
    return {name: table[dark] for name, table in tables.items()} | of_k | fixed


def words(film: str) -> dict[str, str]:
    """What the player's controls are called, in the learner's language."""
    return {
        "film": film,
        "play": _("Play (space bar)"),
        "pause": _("Pause (space bar)"),
        "again": _("Play again (space bar)"),
        "back": _("One step back"),
        "forward": _("One step forward"),
        "position": _("Position in the film"),
        "speed": _("Speed"),
    }


def data(film: Film, *, dark: bool) -> dict[str, Any]:
    """What the browser is sent."""
    sent = {name: value for name, value in asdict(film).items() if value is not None}
    sent |= {"theme": colors(dark=dark), "words": words(film.alt), "bar": sent.pop("has_controls")}
    sent["id"] = hashlib.sha256(json.dumps(sent).encode()).hexdigest()[:16]  # the same film plays on
    return sent


def show(film: Film, *, key: str, on_pick: Callable[[tuple[float, float]], None] | None = None) -> None:
    """Show a film, which begins to play unless the learner has asked for less motion.

    Args:
        film: what is seen.
        key: of the element.
        on_pick: takes a point that is clicked, or to which the pointer is dragged, on a plot of the film with `pick`.
    """

    def picked() -> None:
        point = st.session_state[key]["picked"]
        if on_pick and point:
            on_pick((float(point[0]), float(point[1])))

    events = {"on_picked_change": picked} if on_pick else {}
    _component()(data=data(film, dark=st.context.theme.type == "dark"), key=key, **events)


def _component() -> Any:
    """The component, registered once a process."""
    global _registered
    if _registered is None:
        folder = resources.files("sgd_tf.ui.film")
        _registered = st.components.v2.component(
            "sgd_film",
            css=folder.joinpath("index.css").read_text(encoding="utf-8"),
            js="".join(folder.joinpath(name).read_text(encoding="utf-8") for name in SCRIPTS),
        )
    return _registered


_registered: Any = None
