"""The exercise: its plan, the losses that the book printed, and a worker's rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from sgd_tf.checks import BatchSize, check_int
from sgd_tf.training.records import ModelConfig, TrainConfig

Data = Literal["california", "flights"]
Weights = Literal["keras", "pytorch"]

NUM_ROWS = 20_640  # districts of California; as many flights stand in for them
MODEL = ModelConfig(widths=(6, 5, 4, 3), activation="leaky_relu")
BOOK_SIZE, BOOK_RATE, BOOK_TOTAL = 256, 0.01, 4_000  # k, γ, epochs
# Mean of the minibatch losses of an epoch, as the book prints it.
BOOK: Mapping[int, float] = MappingProxyType(
    {200: 0.3362, 400: 0.3122, 800: 0.3112, 1_000: 0.3110, 2_000: 0.3093, 4_000: 0.3073}
)
GROWTH = 1.125  # of the epochs of successive rows, at first
VALIDATION_SHARE = 0.2
MAX_SETTINGS = 6
MAX_SEED = 2**31 - 1


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A batch size with its learning rate.

    Raises:
        ValueError: if one is out of its range.
    """

    batch_size: BatchSize = BOOK_SIZE  # k, or "all"
    learning_rate: float = BOOK_RATE
    num_epochs: int | None = None  # where it ends before the others; None: with them

    def __post_init__(self) -> None:
        TrainConfig(batch_size=self.batch_size, learning_rate=self.learning_rate)
        if self.num_epochs is not None:
            check_int("num_epochs", self.num_epochs, 1)

    @property
    def size(self) -> int:
        """Batch size k as a number, without a validation part."""
        return NUM_ROWS if self.batch_size == "all" else self.batch_size

    @property
    def name(self) -> str:
        """The batch size in a sentence.

        >>> Setting().name, Setting(batch_size="all").name
        ('k = 256', 'GD (k = N)')
        """
        return "GD (k = N)" if self.batch_size == "all" else f"k = {self.batch_size:,}"


@dataclass(frozen=True, kw_only=True)
class ExercisePlan:
    """Some settings, each trained for the same epochs with the same seeds.

    Raises:
        ValueError: if a field is out of its range.

    >>> ExercisePlan(settings=())
    Traceback (most recent call last):
    ...
    ValueError: `settings` must be 1 to 6 different settings; received 0.
    """

    data: Data = "california"
    settings: tuple[Setting, ...] = (Setting(),)
    num_epochs: int = 1_000
    weights: Weights = "keras"  # initial ones: He-normal, or uniform as PyTorch draws them
    has_validation: bool = False  # a fifth of the rows is kept back, and scaled by the others
    num_seeds: int = 1
    seed: int = 0  # the first one

    def __post_init__(self) -> None:
        for name, words in (("data", Data), ("weights", Weights)):
            if getattr(self, name) not in get_args(words):
                allowed = ", ".join(get_args(words))
                raise ValueError(f"`{name}` must be one of {allowed}; received {getattr(self, name)!r}.")
        if not 1 <= len(self.settings) <= MAX_SETTINGS or len(set(self.settings)) < len(self.settings):
            raise ValueError(
                f"`settings` must be 1 to {MAX_SETTINGS} different settings; received {len(self.settings)}."
            )
        check_int("num_epochs", self.num_epochs, 1)
        check_int("num_seeds", self.num_seeds, 1)
        check_int("seed", self.seed, 0, MAX_SEED + 1 - self.num_seeds)

    @property
    def seeds(self) -> range:
        """Seeds of the initial weights and of the order of the samples."""
        return range(self.seed, self.seed + self.num_seeds)

    @property
    def epochs(self) -> tuple[int, ...]:
        """Epochs with a row: evenly spaced in log time, later by a fiftieth of all, with those of the book.

        >>> ExercisePlan(num_epochs=5).epochs, len(ExercisePlan(num_epochs=4_000).epochs)
        ((0, 1, 2, 3, 4, 5), 94)
        """
        ends = (*BOOK, *(setting.num_epochs for setting in self.settings if setting.num_epochs))
        found, epoch = {0, self.num_epochs, *(end for end in ends if end <= self.num_epochs)}, 0.0
        while (epoch := max(epoch + 1, min(GROWTH * epoch, epoch + self.num_epochs / 50))) < self.num_epochs:
            found.add(round(epoch))
        return tuple(sorted(found))

    @property
    def num_rows(self) -> int:
        """Number of rows of a whole run in which nothing diverges."""
        return 1 + self.num_seeds * sum(
            epoch <= (setting.num_epochs or self.num_epochs) for setting in self.settings for epoch in self.epochs
        )


@dataclass(frozen=True, kw_only=True)
class TableFacts:
    """The first row of a run: what the table is."""

    num_examples: int  # N, training samples
    num_validation: int  # 0 without a validation part
    variance: float  # of the training targets: the loss of the model that always says their mean


@dataclass(frozen=True, kw_only=True)
class EpochLoss:
    """What one run has reached at the end of an epoch."""

    setting: int  # place in the plan's settings
    seed: int
    epoch: int  # 0 before the first update
    seconds: float  # of training so far
    mean_loss: float | None  # mean over the samples of the epoch, each before its update, as the book prints it
    train_loss: float | None  # over all training samples at the end of the epoch; None where it is no finite number
    validation_loss: float | None  # None without a validation part, and where it is no finite number


Row: TypeAlias = TableFacts | EpochLoss


def train_all(plan: ExercisePlan) -> Iterator[Row]:
    """Rows of `training.train_all`."""
    from sgd_tf.exercise import training

    yield from training.train_all(plan)
