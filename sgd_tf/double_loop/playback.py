"""The double loop line by line: what runs at each step of a player, forwards and backwards, without TensorFlow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sgd_tf.training.counting import iterations_per_epoch, num_updates
from sgd_tf.training.records import BatchSize, ModelConfig

MODELS = {  # what is trained, by name of the problem
    "digits": ModelConfig(widths=(32,)),
    "line": ModelConfig(kind="linear", widths=()),
    "spirals": ModelConfig(widths=(32,)),
}

Phase = Literal["start", "epoch", "draw", "forward", "loss", "gradient", "update", "epoch_over", "end"]
Unit = Literal["line", "iteration"]

ITERATION: tuple[Phase, ...] = ("draw", "forward", "loss", "gradient", "update")  # of one turn of the inner loop

# Lines of `lesson.double_loop` that run in a phase, counted from 1 in its body of ten lines. At "epoch_over" the inner
# `for` finds no minibatch left, at "end" the outer one no epoch.
LINES: dict[Phase, tuple[int, ...]] = {
    "start": (1, 2),
    "epoch": (3,),
    "draw": (4,),
    "forward": (5, 6),
    "loss": (7,),
    "gradient": (8,),
    "update": (9, 10),
    "epoch_over": (4,),
    "end": (3,),
}


@dataclass(frozen=True, kw_only=True)
class Step:
    """One moment of a run."""

    phase: Phase
    epoch: int  # from 0; at "start" 0, at "end" the last one
    iteration: int  # within the epoch, from 0; at "epoch_over" the last one
    update: int  # parameter updates made so far, that of this step included

    @property
    def is_drawn(self) -> bool:
        """Whether a minibatch is being worked on."""
        return self.phase in ITERATION


@dataclass(frozen=True, kw_only=True)
class Playback:
    """A run of the double loop as a film of steps, from position 0 to `last`.

    An epoch has 5 ⌈N/k⌉ + 2 steps: it begins, five for each minibatch, and it ends. Before the first and after the
    last epoch there is one step more.

    >>> film = Playback(num_examples=10, batch_size=4, num_epochs=2)
    >>> film.last
    35
    >>> film.at(7)
    Step(phase='draw', epoch=0, iteration=1, update=1)
    """

    num_examples: int  # N
    batch_size: BatchSize  # k, or "all"
    num_epochs: int

    @property
    def iterations(self) -> int:
        """Iterations per epoch, ⌈N/k⌉."""
        return iterations_per_epoch(self.num_examples, self.batch_size)

    @property
    def num_updates(self) -> int:
        """Updates in all, ⌈N/k⌉ × epochs."""
        return num_updates(self.num_examples, self.batch_size, self.num_epochs)

    @property
    def last(self) -> int:
        """Position of the last step."""
        return self.num_epochs * self._per_epoch + 1

    @property
    def _per_epoch(self) -> int:
        return len(ITERATION) * self.iterations + 2

    def at(self, position: int) -> Step:
        """What happens at a position; beyond the ends, at the nearest one."""
        position = min(max(position, 0), self.last)
        if position == 0:
            return Step(phase="start", epoch=0, iteration=0, update=0)
        if position == self.last:
            return Step(phase="end", epoch=self.num_epochs - 1, iteration=self.iterations - 1, update=self.num_updates)
        epoch, place = divmod(position - 1, self._per_epoch)
        before = epoch * self.iterations  # updates of the epochs before
        if place == 0:
            return Step(phase="epoch", epoch=epoch, iteration=0, update=before)
        if place == self._per_epoch - 1:
            return Step(phase="epoch_over", epoch=epoch, iteration=self.iterations - 1, update=before + self.iterations)
        iteration, at = divmod(place - 1, len(ITERATION))
        phase = ITERATION[at]
        return Step(phase=phase, epoch=epoch, iteration=iteration, update=before + iteration + (phase == "update"))

    def forward(self, position: int, unit: Unit = "line") -> int:
        """The position after one step: the next line, or the end of the next iteration (or of the epoch)."""
        return self._move(position, 1, unit)

    def back(self, position: int, unit: Unit = "line") -> int:
        """The position before one step: `forward` undone."""
        return self._move(position, -1, unit)

    def _move(self, position: int, by: int, unit: Unit) -> int:
        position = min(max(position + by, 0), self.last)
        while unit == "iteration" and self.at(position).phase not in ("start", "update", "epoch_over", "end"):
            position += by
        return position

    def next_epoch(self, position: int) -> int:
        """The position at which the next epoch begins; after the last one, the end.

        >>> film = Playback(num_examples=10, batch_size=4, num_epochs=2)
        >>> [film.next_epoch(position) for position in (0, 1, 17, 18, 35)]
        [1, 18, 18, 35, 35]
        """
        epoch, _place = divmod(max(position, 0) - 1, self._per_epoch)
        return min((epoch + 1) * self._per_epoch + 1, self.last)

    def end_of_epoch(self, epoch: int) -> int:
        """The position at which all samples of an epoch, counted from 0, have been used."""
        return (epoch + 1) * self._per_epoch
