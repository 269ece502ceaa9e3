"""Settings with their widgets: what a control is called, what it may be and where it stands in the address.

A page declares a setting once and draws it where it belongs:

    SAMPLES = Number(key="sampling_n", label=N_("Samples N"), low=10, high=300, default=100)
    …
    num_examples = SAMPLES.draw(width=132)

Values last for the session, whichever pages are visited, and stand in the address where they are not the default.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import streamlit as st

import sgd_tf
from sgd_tf.ui.language import _, keep_chosen
from sgd_tf.words import N_

MAX_SEED = 2**31 - 1
REFUSED = "refused_settings"  # key in the session
WRITTEN = "written_settings"  # key in the session: what the page has written into the address

T = TypeVar("T")
Numeric = TypeVar("Numeric", int, float)

_keys = {"lang", "run", "embed", "embed_options"}  # all that an address may hold; the last two are Streamlit's


def know(key: str) -> None:
    """Let an address hold this key."""
    _keys.add(key)


def refuse(key: str) -> None:
    """Note that the address held nonsense under this key."""
    st.session_state.setdefault(REFUSED, []).append(key)


def refused() -> list[str]:
    """Keys of the address that were not taken since this was asked last: unknown ones, and those with nonsense."""
    if "came_with" not in st.session_state:  # unknown keys are named once, those that the learner came with
        came_with = st.session_state["came_with"] = list(st.query_params)
        if not _keys.issuperset(came_with):
            import_pages()
        for key in came_with:
            if key not in _keys:
                refuse(key)
    return list(dict.fromkeys(st.session_state.pop(REFUSED, [])))


def write(key: str, texts: list[str]) -> None:
    """Let the address hold these entries under a key; without any, the key is taken out.

    A fragment may run before the browser has received an earlier change: it begins with the old address, and the
    browser takes over the whole address that it writes. So all that the page has written is put right with it.
    """
    written = st.session_state.setdefault(WRITTEN, {})
    written[key] = texts
    if st.query_params.get_all(key) == texts:
        return
    for each, entries in written.items():
        if not entries:
            st.query_params.pop(each, None)
        elif st.query_params.get_all(each) != entries:
            st.query_params[each] = entries


def import_pages() -> None:
    """Import all that the pages draw with, and so make their settings known."""
    for module in pkgutil.walk_packages(sgd_tf.__path__, "sgd_tf."):
        if module.name.endswith(("view", "controls")):
            importlib.import_module(module.name)


@dataclass(frozen=True, kw_only=True)
class Setting(Generic[T]):
    """A value that the learner chooses, in the session and in the address under one key."""

    key: str
    default: T

    def __post_init__(self) -> None:
        know(self.key)

    def parse(self, texts: list[str]) -> T:
        """The value that these entries of the address stand for.

        Raises:
            ValueError: for nonsense.
        """
        raise NotImplementedError

    def texts(self, value: T) -> list[str]:
        """The entries of the address that stand for a value."""
        return [str(value)]

    def restore(self) -> None:
        """Take the value in the address, or the default, if the session has none; call before the control is drawn."""
        if self.key in st.session_state:
            return
        texts, value = st.query_params.get_all(self.key), self.default
        if texts:
            try:
                value = self.parse(texts)
            except (ValueError, KeyError, OverflowError):
                refuse(self.key)
        st.session_state[self.key] = value

    @property
    def value(self) -> T:
        """The value of this session; at first the one in the address, or the default."""
        self.restore()
        return st.session_state[self.key]

    def set(self, value: T) -> None:
        """Give the setting a value, before its control is drawn or in a callback."""
        st.session_state[self.key] = value

    def publish(self) -> None:
        """Write the value into the address; the default is left out."""
        value = self.value
        write(self.key, [] if value is None or value == self.default else self.texts(value) or [""])


@dataclass(frozen=True, kw_only=True)
class Choice(Setting[str]):
    """One of a few options."""

    label: str  # in English, as it stands in the catalogues
    options: Mapping[str, str] | Sequence[str]  # with their titles in English; or plain ones, such as numbers
    widget: Literal["segments", "select", "slider"] = "segments"

    def parse(self, texts: list[str]) -> str:  # noqa: D102
        if texts[0] not in self.options:
            raise ValueError(texts[0])
        return texts[0]

    def draw(
        self, only: Collection[str] | None = None, *, title: Callable[[str], str] | None = None, **rest: Any
    ) -> str:
        """Draw the control and return the option chosen.

        Args:
            only: options that are allowed now; if the chosen one is not, the default (or the last one) takes its place.
            title: what an option is called, in the learner's language; by default its title in the catalogue.
            **rest: for Streamlit's widget, such as `help` and `width`.
        """
        allowed = [option for option in self.options if only is None or option in only]
        self.restore()
        if self.widget == "select" and isinstance(self.options, Mapping):
            keep_chosen(self.options, key=self.key)
        if self.value not in allowed:
            self.set(self.default if self.default in allowed else allowed[-1])
        # Now: Streamlit asks for titles outside of a page's run, too, where no language is known.
        titles = {option: (title or self.title)(option) for option in allowed}
        keywords: dict[str, Any] = {
            "format_func": titles.__getitem__,
            "key": self.key,
            "persist_state": "session",
            **rest,
        }
        if self.widget == "segments":
            st.segmented_control(_(self.label), allowed, required=True, **keywords)
        elif self.widget == "slider":
            st.select_slider(_(self.label), allowed, **keywords)
        else:
            st.selectbox(_(self.label), allowed, **keywords)
        self.publish()
        return self.value

    def title(self, option: str) -> str:
        """Title of an option in the learner's language."""
        return _(self.options[option]) if isinstance(self.options, Mapping) else option


@dataclass(frozen=True, kw_only=True)
class Number(Setting[Numeric]):
    """A number in [low, high]: whole where both limits are."""

    label: str
    low: Numeric
    high: Numeric
    widget: Literal["input", "slider"] = "input"

    def parse(self, texts: list[str]) -> Numeric:  # noqa: D102
        return _number(texts[0], self.low, self.high)

    def draw(self, *, low: Numeric | None = None, high: Numeric | None = None, **rest: Any) -> Numeric:
        """Draw the control and return the number; a number beyond the limits becomes the nearest one within.

        Args:
            low: the lowest number allowed now, if it is not the setting's own.
            high: the highest.
            **rest: for Streamlit's widget, such as `help` and `width`.
        """
        low, high = self.low if low is None else low, self.high if high is None else high
        keep_within(self, low, high)
        if self.widget == "slider":
            st.slider(_(self.label), low, high, key=self.key, persist_state="session", **rest)
        else:
            _number_input(self, low, high, rest)
        self.publish()
        return self.value


@dataclass(frozen=True, kw_only=True)
class OptionalNumber(Setting["Numeric | None"]):
    """A number in [low, high], or None for "as usual": then the control is empty and shows what is usual."""

    label: str
    low: Numeric
    high: Numeric
    default: Numeric | None = None

    def parse(self, texts: list[str]) -> Numeric | None:  # noqa: D102
        return _number(texts[0], self.low, self.high)

    def draw(
        self, *, low: Numeric | None = None, high: Numeric | None = None, usual: str = "", **rest: Any
    ) -> Numeric | None:
        """Draw the control and return the number; a number beyond the limits becomes the nearest one within.

        Args:
            low: the lowest number allowed now, if it is not the setting's own.
            high: the highest.
            usual: shown in the empty control.
            **rest: for Streamlit's widget, such as `help` and `width`.
        """
        low, high = self.low if low is None else low, self.high if high is None else high
        keep_within(self, low, high)
        _number_input(self, low, high, {"value": None, "placeholder": usual, **rest})
        self.publish()
        return self.value


def _number(text: str, low: Numeric, high: Numeric) -> Numeric:
    number = type(low)(text)
    if not low <= number <= high:  # nor is nan; a whole number may be too long for a float
        raise ValueError(text)
    return number


def keep_within(setting: Setting[Any], low: Any, high: Any) -> None:
    """Take the nearest limit for a number beyond it; a value that stays is not written, as a learner may be typing."""
    if setting.value is not None and not low <= setting.value <= high:
        setting.set(min(max(setting.value, low), high))


def _number_input(
    setting: Number[Numeric] | OptionalNumber[Numeric], low: Any, high: Any, rest: dict[str, Any]
) -> None:
    kind = {"step": 1} if isinstance(low, int) else {"format": "%.6g"}
    st.number_input(_(setting.label), low, high, key=setting.key, persist_state="session", **{**kind, **rest})


@dataclass(frozen=True, kw_only=True)
class Switch(Setting[bool]):
    """On or off, 1 or 0 in the address."""

    label: str

    def parse(self, texts: list[str]) -> bool:  # noqa: D102
        return {"1": True, "0": False}[texts[0]]

    def texts(self, value: bool) -> list[str]:  # noqa: D102
        return [str(int(value))]

    def draw(self, **rest: Any) -> bool:
        """Draw the control and return whether it is on."""
        self.restore()
        st.toggle(_(self.label), key=self.key, persist_state="session", **rest)
        self.publish()
        return self.value


@dataclass(frozen=True, kw_only=True)
class Text(Setting[str]):
    """A text that stands for a value, such as the widths of layers."""

    label: str
    check: Callable[[str], object]  # raises ValueError for nonsense in the address; a learner may type it nevertheless

    def parse(self, texts: list[str]) -> str:  # noqa: D102
        self.check(texts[0])
        return texts[0]

    def draw(self, **rest: Any) -> str:
        """Draw the control and return what is written there."""
        self.restore()
        st.text_input(_(self.label), key=self.key, persist_state="session", **rest)
        self.publish()
        return self.value


@dataclass(frozen=True, kw_only=True)
class Chips(Setting[list[str]]):
    """Several of a row of options that depend on other settings; an empty entry in the address stands for none."""

    label: str
    check: Callable[[str], object]  # raises ValueError for what is never an option

    def parse(self, texts: list[str]) -> list[str]:  # noqa: D102
        chosen = [text for text in texts if text]
        for text in chosen:
            self.check(text)
        return chosen

    def texts(self, value: list[str]) -> list[str]:  # noqa: D102
        return value

    def draw(self, options: Sequence[str], *, title: Callable[[str], str], **rest: Any) -> list[str]:
        """Draw the control and return the options chosen, in their order.

        Args:
            options: allowed now; others are dropped from what is chosen.
            title: what an option is called, in the learner's language.
            **rest: for Streamlit's widget.
        """
        if (kept := [option for option in options if option in self.value]) != self.value:
            self.set(kept)
        st.pills(
            _(self.label),
            list(options),
            format_func=title,
            selection_mode="multi",
            key=self.key,
            wrap=True,
            persist_state="session",
            **rest,
        )
        self.publish()
        return [option for option in options if option in self.value]


def seed(key: str) -> Number[int]:
    """The setting of a seed."""
    return Number(key=key, label=N_("Seed"), low=0, high=MAX_SEED, default=0)
