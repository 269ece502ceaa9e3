"""What a page of the lab shows a learner, judged: how a run ended, and messages that must not stand there."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from streamlit.proto.Alert_pb2 import Alert

from sgd_tf.ui import progress
from sgd_tf.ui.language import LANGUAGES, catalogue

Ending = Literal["finished", "failed", "lost"]

WORDS = {"alert": "body", "toast": "body", "heading": "body", "markdown": "body", "html": "body", "text": "body"}
OUTAGES = ("no cluster", "no scheduler", "no workers", "other package")  # a page warns of them while its run waits
TRACEBACK = "Traceback (most recent call last)"
NOT_BEGUN = ("Ready when you are: press Run.", "Stopped before anything was trained.")
BEGUN_AGAIN = "Started again"
ALMOST = 0.95  # of the seconds of a race, after which its film ends


@dataclass(frozen=True)
class Part:
    """One element of a page, as far as words and numbers go."""

    kind: str  # "alert", "exception", "progress", "slider", "skeleton", "block" for a container, …
    text: str = ""  # what it says; the key of a container or a control
    level: str = ""  # of an alert: "ERROR", "WARNING", …
    value: float = 0.0  # percent of a progress bar, upper end of a slider


def parts_of(elements: Iterable[Any]) -> list[Part]:
    """The elements and containers of a page, from Streamlit's messages."""
    return [_part(element) for element in elements]


def _part(element: Any) -> Part:
    if element.DESCRIPTOR.name == "Block":
        return Part("block", _key(element.id))
    kind = element.WhichOneof("type") or "empty"
    content = getattr(element, kind, None)
    if kind == "exception":
        return Part(kind, f"{content.type}: {content.message}")
    if kind == "progress":
        return Part(kind, content.text, value=content.value)
    if kind == "slider":
        return Part(kind, _key(content.id), value=content.max)
    level = Alert.Format.Name(content.format) if kind == "alert" else ""
    return Part(kind, str(getattr(content, WORDS[kind])) if kind in WORDS else "", level)


def _key(identity: str) -> str:
    """The name that a page has given to a container or a control."""
    return identity.split("-", 2)[2] if identity.startswith("$$ID-") else ""


def said(message: str) -> list[str]:
    """A message in all languages."""
    return [catalogue(language).gettext(message) for language in LANGUAGES]


def _pattern(message: str) -> str:
    return "|".join(re.sub(r"\\\{\w+\\\}", ".*", re.escape(text)) for text in said(message))


PATTERNS = {
    kind: re.compile(rf"(?:{_pattern(message)})(?: \(.*\))?", re.DOTALL) for kind, message in progress.FAILURES.items()
}


def failure_kind(text: str) -> str | None:
    """The kind of failure that a sentence of the lab names, in any language; None if it names none."""
    return next((kind for kind, pattern in PATTERNS.items() if pattern.fullmatch(text)), None)


def wrong_messages(parts: Iterable[Part], *, num_kills: int, is_kill_recent: bool) -> list[str]:
    """What stands on a page and must not.

    Args:
        parts: of the page.
        num_kills: of workers and clusters since the learner pressed Run. A run whose worker dies begins again; only
            the second death is a failure.
        is_kill_recent: whether the workers may be away, since they have just been killed.
    """
    wrong = []
    for part in parts:
        kind = failure_kind(part.text) if part.kind == "alert" else None
        is_outage = part.level == "WARNING" and kind in OUTAGES
        if (
            part.kind == "exception"
            or TRACEBACK in part.text
            or (is_outage and not is_kill_recent)
            or (part.level == "ERROR" and not (kind == "worker lost" and num_kills > 1))
        ):
            wrong.append(f"{part.kind}: {part.text}")
    return wrong


def ending(parts: Sequence[Part], results: str = "") -> Ending:
    """How a run has ended that its learner has not stopped, from the page that is drawn after it.

    Args:
        parts: of the page.
        results: key of the container that stands on the page only after a complete run, if there is one.
    """
    if answer(parts) == "failed":
        return "failed"
    bars = [part for part in parts if part.kind == "progress"]
    films = [part.value for part in parts if part.kind == "slider" and part.text.startswith("film_")]
    if any(bar.text in said(message) for bar in bars for message in NOT_BEGUN):
        return "lost"
    if results and Part("block", results) not in parts:
        return "lost"
    if any(bar.value < 100 for bar in bars) or any(seconds < ALMOST for seconds in films):
        return "lost"
    return "finished"


def answer(parts: Iterable[Part]) -> Ending:
    """How a computation has ended that a page has begun without a button, once its skeleton has gone."""
    return "failed" if any(part.level == "ERROR" and failure_kind(part.text) for part in parts) else "finished"


def has_begun_again(parts: Iterable[Part]) -> bool:
    """Whether a race says that its worker has died and another has begun anew."""
    words = tuple(said(BEGUN_AGAIN))
    return any(part.kind == "progress" and part.text.startswith(words) for part in parts)
