"""The state of the controls in the page's address: a link shows everybody the same thing, in any language.

Streamlit's own `bind="query-params"` writes the words of the options into the address, which differ from
language to language. Here the address holds the plain values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import streamlit as st

from sgd_tf.ui import settings as bound


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One control: its key in the session and in the address, and what it may be."""

    key: str
    default: Any
    parse: Callable[[str], Any]  # from the text in the address; raises ValueError or KeyError for nonsense
    multiple: bool = False  # whether the value is a list, with one entry in the address for each item

    def __post_init__(self) -> None:
        bound.know(self.key)


def choice(key: str, default: str, options: Iterable[str]) -> Setting:
    """A control with a few options."""
    allowed = tuple(options)

    def parse(text: str) -> str:
        if text not in allowed:
            raise ValueError(text)
        return text

    return Setting(key=key, default=default, parse=parse)


def switch(key: str, *, default: bool) -> Setting:
    """A control that is on or off, 1 or 0 in the address."""
    return Setting(key=key, default=default, parse={"1": True, "0": False}.__getitem__)


def number(key: str, default: float | None, low: float, high: float) -> Setting:
    """A number in [low, high], both finite; an int where both limits are."""
    kind = int if isinstance(low, int) and isinstance(high, int) else float

    def parse(text: str) -> float:
        value = kind(text)
        if not low <= value <= high:  # nor is nan; a whole number may be too long for a float
            raise ValueError(text)
        return value

    return Setting(key=key, default=default, parse=parse)


def restore(settings: Sequence[Setting]) -> None:
    """Give each control that has no value yet the one in the address, or its default; call before the controls."""
    for setting in settings:
        if setting.key in st.session_state:
            continue
        texts = st.query_params.get_all(setting.key)
        try:
            values = [setting.parse(text) for text in texts if text or not setting.multiple]
        except (ValueError, KeyError):
            texts = []
            bound.refuse(setting.key)
        if not texts:
            st.session_state[setting.key] = setting.default
        else:
            st.session_state[setting.key] = values if setting.multiple else values[0]


def publish(settings: Sequence[Setting]) -> None:
    """Write the controls that are not at their default into the address; call after the controls."""
    for setting in settings:
        value = st.session_state.get(setting.key, setting.default)
        if value == setting.default or value is None:
            st.query_params.pop(setting.key, None)
            continue
        values = value if setting.multiple else [value]
        texts = [text_of(item) for item in values] or [""]
        if st.query_params.get_all(setting.key) != texts:
            st.query_params[setting.key] = texts


def text_of(value: Any) -> str:
    """How a value stands in the address.

    >>> text_of(True), text_of(0.25), text_of("all")
    ('1', '0.25', 'all')
    """
    return str(int(value) if isinstance(value, bool) else value)
