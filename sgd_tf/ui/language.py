"""Korean and English: message catalogues for labels, and one Markdown file per page and language for prose."""

from __future__ import annotations

import functools
import gettext
import io
import re
from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path

import streamlit as st
from babel.messages import mofile, pofile

from sgd_tf.ui import korean

LANGUAGES = {"ko": "한국어", "en": "English"}
SOURCE = "en"  # the language of the message ids
DEFAULT = "ko"
KEY = "lang"  # in the session and in the address


def current() -> str:
    """The learner's language: a key of LANGUAGES."""
    return st.session_state.get(KEY, DEFAULT)


def _(message: str) -> str:
    """A message in the learner's language.

    Args:
        message: text in English, as it stands in the catalogues.
    """
    return catalogue(current()).gettext(message)


def titles(messages: Mapping[str, str]) -> Callable[[str], str]:
    """The `format_func` of a control: the title of each option in the learner's language.

    Args:
        messages: title by option, in English.
    """
    return {option: _(message) for option, message in messages.items()}.__getitem__


def keep_chosen(messages: Mapping[str, str], *, key: str) -> None:
    """Keep the option that is chosen in a selectbox when the language changes; call before it is drawn.

    The browser sends back the words of the chosen option, and keeps them until it gets others: after a change of
    language they are turned into the option that they stand for.

    Args:
        messages: title by option, in English.
        key: name of the chosen option in the session, which has a value already.
    """
    spoken = f"{key}_spoken"  # language in which the options were shown last
    chosen = st.session_state[key]
    if chosen not in messages or st.session_state.get(spoken) != current():
        words = {
            catalogue(language).gettext(title): option for language in LANGUAGES for option, title in messages.items()
        }
        st.session_state[key] = words.get(chosen, chosen)
        st.session_state[spoken] = current()


class Catalogue(gettext.GNUTranslations):
    """The messages of a language; `format` of a Korean one puts in the particles that it marks."""

    def gettext(self, message: str) -> str:
        """The translation of a message."""
        return korean.with_particles(super().gettext(message))


@functools.cache
def catalogue(language: str) -> gettext.NullTranslations:
    """The messages of a language, read from its `locale/*.po`."""
    if language == SOURCE:
        return gettext.NullTranslations()
    text = resources.files("sgd_tf.ui").joinpath(f"locale/{language}.po").read_bytes()
    compiled = io.BytesIO()
    mofile.write_mo(compiled, pofile.read_po(io.BytesIO(text), locale=language))
    compiled.seek(0)
    return Catalogue(compiled)


def prose(page: str, section: str) -> str:
    """A section of a page's prose in the learner's language.

    Args:
        page: path of the page, `__file__`; beside it lie `<page>.ko.md` and `<page>.en.md`.
        section: its heading in the file.

    Raises:
        KeyError: if the file has no such section.
    """
    return sections(Path(page).with_suffix(f".{current()}.md"))[section]


@functools.cache
def sections(file: Path) -> dict[str, str]:
    """Text of a Markdown file by the headings `# name` that it is cut at."""
    _head, *parts = re.split(r"^# (.+)\n", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {name.strip(): text.strip() for name, text in zip(parts[::2], parts[1::2], strict=True)}


def restore() -> bool:
    """Give a new session the language in its address as `?lang=…`, else the browser's, else Korean.

    Returns:
        Whether the address holds no other language than these.
    """
    asked, locale = st.query_params.get(KEY), (st.context.locale or DEFAULT).split("-")[0]
    if KEY not in st.session_state:
        st.session_state[KEY] = next((each for each in (asked, locale) if each in LANGUAGES), DEFAULT)
        return asked is None or asked in LANGUAGES
    return True


def switch() -> None:
    """The control that changes the language."""
    st.segmented_control(
        "언어 · Language",
        list(LANGUAGES),
        format_func=LANGUAGES.__getitem__,
        key=KEY,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
