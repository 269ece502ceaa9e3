"""What the learner has answered so far: one letter a step, in the session and in the address."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sgd_tf.ui.settings import Setting

NONE = "-"
KEYS = (
    "one_update",
    "memory_limit",
    "updates_per_second",
    "k_samples",
    "without_replacement",
    "shuffled_epochs",
    "number_of_updates",
    "two_loops",
    "faster",
    "batch_size_and_rate",
    "which_k",
    "more_devices",
)
LETTERS = "abcd"


@dataclass(frozen=True, kw_only=True)
class Answers(Setting[str]):
    """One letter for each step, "-" where there is no answer yet."""

    default: str = NONE * len(KEYS)

    def parse(self, texts: list[str]) -> str:  # noqa: D102
        (text,) = texts
        if len(text) != len(KEYS) or set(text) - set(LETTERS + NONE):
            raise ValueError(text)
        return text

    def of(self, step: str) -> str | None:
        """The answer to a step, if there is one."""
        letter = self.value[KEYS.index(step)]
        return None if letter == NONE else letter

    def give(self, step: str, letter: str | None) -> None:
        """Keep the answer to a step."""
        place = KEYS.index(step)
        self.set(self.value[:place] + (letter or NONE) + self.value[place + 1 :])

    def query(self) -> dict[str, str]:
        """What stands in the address of the next page."""
        return {} if self.value == self.default else {self.key: self.value}


ANSWERS = Answers(key="answers")


def tally(answers: Sequence[str | None], right: Sequence[str]) -> tuple[int, int]:
    """Number of answers, and of those that are right.

    >>> tally(["a", "b", None], ["a", "c", "a"])
    (2, 1)
    """
    given = [(one, other) for one, other in zip(answers, right, strict=True) if one is not None]
    return len(given), sum(one == other for one, other in given)
