"""What a step of the tutorial is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sgd_tf.ui.film.picture import Film
from sgd_tf.ui.settings import Choice

Values = tuple[str, ...]  # what the learner has chosen in the controls of a step, in their order


@dataclass(frozen=True, kw_only=True)
class Deeper:
    """A page of the lab that goes on from a step, with the settings in its address."""

    page: str  # as in the menu
    address: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Step:
    """One screen: a question, a picture that moves, one control, an answer with the numbers of what was seen.

    Functions take the values of the controls, in their order.
    """

    key: str  # its page is `pages/tutorial/<key>`
    teaches: str  # rows of the chapter
    controls: Sequence[Choice] = ()
    film: Callable[..., Film]
    question: str  # in English
    options: Mapping[str, str]  # answers that are offered, by one letter
    right: str  # letter of the right one
    explain: Callable[..., str]  # why it is right, with the numbers on the screen; in the learner's language
    code: Callable[..., str]  # what does it in plain TensorFlow, after `plain.SETUP`
    deeper: Callable[..., Deeper]


def chosen(step: Step, values: Any = None) -> Values:
    """The values of a step's controls; by default those of the session."""
    return tuple(values) if values is not None else tuple(control.value for control in step.controls)
