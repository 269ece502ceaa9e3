"""What the recorded runs have shown: the updates of an epoch, the orders, and which run learned more."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sgd_tf.double_loop.recording import epoch_orders
from sgd_tf.double_loop.rows import Turn, Way

Outcome = Literal["gd", "sgd", "close", "nothing learned", "gd diverged", "sgd diverged", "both diverged"]
DIVERGED = 10.0  # times the loss at the start; a loss above that has diverged
CLOSE = 1.05  # losses within this factor of each other count as the same


@dataclass(frozen=True, kw_only=True)
class RunEnd:
    """What a run came to."""

    num_updates: int
    start_loss: float  # over all training samples
    end_loss: float  # may be infinite or NaN
    num_rises: int  # updates after which the loss over all training samples was higher than before

    @property
    def has_diverged(self) -> bool:
        """Whether the loss has grown far beyond its start.

        >>> ends = 2, 20, float("nan")
        >>> [RunEnd(num_updates=1, start_loss=1, end_loss=end, num_rises=1).has_diverged for end in ends]
        [False, True, True]
        """
        return not self.end_loss <= DIVERGED * self.start_loss


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Both runs, on the same samples for the same number of epochs."""

    gd: RunEnd
    sgd: RunEnd

    @property
    def outcome(self) -> Outcome:
        """Which run ended with the lower loss, if that can be said."""
        if self.gd.has_diverged or self.sgd.has_diverged:
            if self.gd.has_diverged and self.sgd.has_diverged:
                return "both diverged"
            return "gd diverged" if self.gd.has_diverged else "sgd diverged"
        if min(self.gd.end_loss, self.sgd.end_loss) >= self.gd.start_loss:
            return "nothing learned"
        low, high = sorted((self.gd.end_loss, self.sgd.end_loss))
        if high <= CLOSE * low:
            return "close"
        return "gd" if self.gd.end_loss < self.sgd.end_loss else "sgd"


def compare(runs: Mapping[Way, Sequence[Turn]]) -> Comparison:
    """Compare the recorded runs."""
    return Comparison(gd=run_end(runs["gd"]), sgd=run_end(runs["sgd"]))


def run_end(run: Sequence[Turn]) -> RunEnd:
    """What a recorded run came to."""
    losses = [turn.train_loss for turn in run]
    return RunEnd(
        num_updates=run[-1].update,
        start_loss=losses[0],
        end_loss=losses[-1],
        num_rises=sum(not after <= before for before, after in itertools.pairwise(losses)),
    )


@dataclass(frozen=True, kw_only=True)
class Orders:
    """How the epochs of a run have drawn the samples."""

    is_same: bool | None  # whether epoch 2 has drawn them in the order of epoch 1; None without a second epoch
    draws: tuple[int, ...]  # of one sample, in each epoch
    is_full_batch: bool  # whether an epoch is one iteration

    @property
    def visits(self) -> Literal["epochs", "luck", "all"]:
        """How often the sample is used; of gradient descent "epochs" is right as well as "all"."""
        return "epochs" if all(count == 1 for count in self.draws) else "luck"


def orders(run: Sequence[Turn], sample: int) -> Orders:
    """How the epochs of a recorded run have drawn the samples.

    Args:
        run: by update.
        sample: index of the sample that is counted.
    """
    drawn = epoch_orders(turn for turn in run if turn.update)
    return Orders(
        is_same=drawn[0] == drawn[1] if len(drawn) > 1 else None,
        draws=tuple(order.count(sample) for order in drawn),
        is_full_batch=run[-1].update == len(drawn),
    )


def updates_of_epoch(run: Sequence[Turn]) -> int:
    """Number of updates of the first epoch."""
    return sum(turn.epoch == 0 and turn.update > 0 for turn in run)
