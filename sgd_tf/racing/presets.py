"""Races worth running, for the page's examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sgd_tf.words import N_


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A race that is offered by its title."""

    title: str  # in English, as it stands in the catalogues
    explanation: str  # what to look for; in English
    settings: Mapping[str, Any] = field(default_factory=dict)  # what differs from the defaults, by the settings' keys


PRESETS: dict[str, Preset] = {
    "digits": Preset(
        title=N_("Digits: who is first?"),
        explanation=N_("The race to begin with: gradient descent, k = 256 and k = 32, each at its best learning rate."),
    ),
    "flights": Preset(
        title=N_("261,876 flights"),
        explanation=N_("With many samples one pass is expensive: see how few updates GD makes in eight seconds."),
        settings={"problem": "flights", "k": ["32", "1024", "all"], "seconds": 8},
    ),
    "one": Preset(
        title=N_("Spirals, one sample at a time"),
        explanation=N_(
            "k = 1 makes the most updates, and the noisiest ones. Look at the width of its band and at its samples per "
            "second."
        ),
        settings={"problem": "spirals", "k": ["1", "32", "all"]},
    ),
    "same": Preset(
        title=N_("One learning rate for all"),
        explanation=N_(
            "At one learning rate, a larger k takes fewer steps per epoch, and they are not longer. Then choose "
            "“Tuned” and compare."
        ),
        settings={"k": ["8", "32", "256", "all"], "rates": "same", "rate": 0.1},
    ),
    "wild": Preset(
        title=N_("Too large a learning rate"),
        explanation=N_("Above 2/λmax gradient descent diverges: each step overshoots by more than the previous one."),
        settings={
            "problem": "diabetes",
            "model": "linear",
            "k": ["all"],
            "rate": 0.242,
            "rates": "same",
            "seconds": 1,
            "x": "update",
        },
    ),
}
