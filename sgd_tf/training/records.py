"""The two records that everything else speaks in: what to train, and what has happened so far."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np

from sgd_tf.checks import BatchSize, check_int, resolve_batch_size
from sgd_tf.training import layers as own_layers
from sgd_tf.training import optimizer_settings
from sgd_tf.training.layers import Layer
from sgd_tf.training.optimizer_settings import MAX_LEARNING_RATE, OptimizerName, ScheduleName

if TYPE_CHECKING:
    import keras

Sampling = Literal["reshuffle", "shuffle_once", "in_order", "with_replacement", "buffer"]
SAMPLINGS: tuple[Sampling, ...] = get_args(Sampling)
Shuffler = Literal["permutation", "dataset"]
SHUFFLERS: tuple[Shuffler, ...] = get_args(Shuffler)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """One way of training: gradient descent and SGD differ only in ``batch_size``.

    Updates are those of the Keras optimizer of that name, or of a copy of a Keras optimizer. Warm-up and decay are
    counted in epochs, so that contestants of different k have the same: with a warm-up of w updates, update t < w has
    the rate γ t / w; "cosine" and "linear" then fall to 0 at ``decay_epochs``. Training that is limited in epochs or
    updates sets ``decay_epochs`` itself; a race, which is limited in seconds, needs it. See `optimizers.Rate`.

    Raises:
        ValueError: if a field is out of its range.

    >>> TrainConfig(batch_size="all", learning_rate=0.5).minibatch_size(1437)
    1437
    >>> TrainConfig(batch_size=0)
    Traceback (most recent call last):
    ...
    ValueError: `batch_size` must be an integer of at least 1, or "all"; received 0.
    """

    batch_size: BatchSize = 32  # k, samples per parameter update; "all" is gradient descent
    # Step length, in (0, 100]; by default 0.1 for SGD, 0.001 for others by name, else that of the Keras object
    learning_rate: float = None  # type: ignore[assignment]
    optimizer: OptimizerName | keras.optimizers.Optimizer = "sgd"
    momentum: float = 0.0  # share of the former step that is kept, in [0, 1); of "sgd" and "rmsprop"
    nesterov: bool = False  # gradient at the point that momentum leads to; of "sgd"
    weight_decay: float | None = None  # share of each weight × rate that an update takes away; "adamw" alone has 0.004
    clipnorm: float | None = None  # largest norm of the gradient of each weight tensor
    schedule: ScheduleName | keras.optimizers.schedules.LearningRateSchedule = "constant"  # of the learning rate
    warmup: float = 0.0  # epochs in which the learning rate rises in proportion to the updates
    decay_epochs: float | None = None  # epochs, warm-up included, after which "cosine" and "linear" are at 0
    sampling: Sampling = "reshuffle"  # how the samples of a minibatch are drawn
    buffer_size: int = 1_000  # samples in the shuffle buffer; used only with sampling="buffer"
    shuffler: Shuffler = "permutation"  # of "reshuffle": one permutation per epoch, or `Dataset.shuffle(N)` itself
    micro_batch_size: int | None = None  # gradients of parts of this size are added up before the update
    seed: int = 0  # initial weights and order of the samples

    def __post_init__(self) -> None:
        if self.batch_size != "all":
            try:
                check_int("batch_size", self.batch_size, 1)
            except ValueError as error:
                raise ValueError(str(error).replace("; received", ', or "all"; received')) from None
        optimizer_settings.check(self)
        self._check_learning_rate()
        if self.sampling not in SAMPLINGS:
            raise ValueError(f"`sampling` must be one of {', '.join(SAMPLINGS)}; received {self.sampling!r}.")
        check_shuffler(self.shuffler, self.sampling)
        check_int("buffer_size", self.buffer_size, 1)
        if self.micro_batch_size is not None:
            check_int("micro_batch_size", self.micro_batch_size, 1)
        check_int("seed", self.seed, 0, 2**31 - 1)

    def _check_learning_rate(self) -> None:
        """Check the rate, or set it where none is given."""
        given = self.learning_rate
        if isinstance(self.optimizer, str) and isinstance(self.schedule, str):
            usual = optimizer_settings.usual_learning_rate(self.optimizer)
            has_schedule = False
        else:
            from sgd_tf.training import optimizers

            usual, has_schedule = optimizers.first_learning_rate(self.optimizer, self.schedule)
        if given is None:
            object.__setattr__(self, "learning_rate", usual)
        elif has_schedule and given != usual:
            raise ValueError(f"`learning_rate` must be left to the Keras schedule; received {given!r}.")
        if not has_schedule and not 0.0 < self.learning_rate <= MAX_LEARNING_RATE:  # nan fails too
            raise ValueError(f"`learning_rate` must be in (0, {MAX_LEARNING_RATE:g}]; received {self.learning_rate!r}.")

    def minibatch_size(self, num_examples: int) -> int:
        """Batch size k as a number in [1, N]: N for "all".

        Raises:
            ValueError: if k > N.
        """
        return resolve_batch_size(num_examples, self.batch_size)


def check_shuffler(shuffler: str, sampling: str) -> None:
    """Check who draws the orders.

    Raises:
        ValueError: if the word is unknown, or this way of drawing is not known to `Dataset.shuffle(N)`.
    """
    if shuffler not in SHUFFLERS:
        raise ValueError(f"`shuffler` must be one of {', '.join(SHUFFLERS)}; received {shuffler!r}.")
    if shuffler == "dataset" and sampling != "reshuffle":
        raise ValueError(f'`shuffler` must be "permutation" with `sampling` = {sampling!r}; received {shuffler!r}.')


ModelKind = Literal["linear", "mlp", "cnn", "layers"]
Activation = Literal["relu", "leaky_relu", "tanh", "sigmoid"]
CNN_CHANNELS = (8, 16)  # of the convolutions of the lab's CNN


@dataclass(frozen=True, kw_only=True, repr=False)
class ModelConfig:
    """Which Keras model to train, one of the lab's or one of own layers; `models.build` makes it.

    Raises:
        ValueError: if a field is out of its range.

    >>> ModelConfig(widths=(64, 32))
    ModelConfig(kind='mlp', widths=(64, 32), activation='relu')
    >>> ModelConfig(layers="dense 64 relu, dropout 0.2, dense 32 tanh")
    ModelConfig(layers='dense 64 relu, dropout 0.2, dense 32 tanh')
    """

    kind: ModelKind = "mlp"  # linear, multilayer perceptron, small convolutional network for images, or own layers
    widths: tuple[int, ...] = (32,)  # units of each hidden layer; only for the MLP
    activation: Activation = "relu"  # activation of the hidden layers; not of own layers
    layers: tuple[Layer, ...] | None = None  # own layers but the last, as in `training.layers`; makes the kind "layers"

    def __post_init__(self) -> None:
        if self.kind not in get_args(ModelKind):
            raise ValueError(f"`kind` must be one of {', '.join(get_args(ModelKind))}; received {self.kind!r}.")
        if self.layers is not None or self.kind == "layers":
            self._take_layers()
        if self.activation not in get_args(Activation):
            allowed = ", ".join(get_args(Activation))
            raise ValueError(f"`activation` must be one of {allowed}; received {self.activation!r}.")
        if len(self.widths) > 8:
            raise ValueError(f"`widths` must name at most 8 layers; received {len(self.widths)}.")
        for width in self.widths:
            check_int("widths", width, 1, 4096)

    def _take_layers(self) -> None:
        if self.layers is None:
            raise ValueError('`layers` must be given with `kind` = "layers"; received None.')
        if self.kind not in ("mlp", "layers"):
            raise ValueError(f'`kind` must be "layers" where `layers` are given; received {self.kind!r}.')
        if tuple(self.widths) not in ((32,), ()) or self.activation != "relu":
            raise ValueError(
                "`widths` and `activation` must be left out where `layers` are given; received "
                f"{self.widths!r} and {self.activation!r}."
            )
        for name, value in (("kind", "layers"), ("widths", ()), ("layers", own_layers.check(self.layers))):
            object.__setattr__(self, name, value)

    def __repr__(self) -> str:
        if self.layers is not None:
            return f"ModelConfig(layers={own_layers.to_text(self.layers)!r})"
        return f"ModelConfig(kind={self.kind!r}, widths={self.widths!r}, activation={self.activation!r})"

    @property
    def hidden_layers(self) -> tuple[Layer, ...]:
        """The layers of the model but the last, whatever its kind.

        >>> own_layers.to_text(ModelConfig(kind="cnn").hidden_layers)
        'conv 8 3 relu, maxpool 2, conv 16 3 relu, maxpool 2, flatten'
        """
        if self.layers is not None:
            return self.layers
        if self.kind == "mlp":
            return tuple(own_layers.Dense(width, self.activation) for width in self.widths)
        if self.kind == "linear":
            return ()
        first, second = (own_layers.Conv2D(channels, 3, self.activation) for channels in CNN_CHANNELS)
        return first, own_layers.MaxPooling2D(2), second, own_layers.MaxPooling2D(2), own_layers.Flatten()

    @property
    def nearest_kind(self) -> ModelKind:
        """The lab's model that is most like it: learning rates that were searched for that one serve as estimates.

        >>> ModelConfig(layers="dropout 0.2").nearest_kind, ModelConfig(layers="dense 8").nearest_kind
        ('linear', 'mlp')
        """
        if self.layers is None:
            return self.kind
        if own_layers.is_convolutional(self.layers):
            return "cnn"
        return "mlp" if any(isinstance(layer, own_layers.Dense) for layer in self.layers) else "linear"


TargetMetric = Literal["train_loss", "test_accuracy"]
Until = Literal["target", "limit"]


@dataclass(frozen=True, kw_only=True)
class Target:
    """A value to reach: a training loss that is at most this, or a test accuracy that is at least this.

    Raises:
        ValueError: if a field is out of its range.

    >>> Target(value=-1.0)
    Traceback (most recent call last):
    ...
    ValueError: `value` must be a finite number of at least 0; received -1.0.
    """

    value: float
    metric: TargetMetric = "train_loss"

    def __post_init__(self) -> None:
        if not 0 <= self.value < math.inf:
            raise ValueError(f"`value` must be a finite number of at least 0; received {self.value!r}.")
        if self.metric not in get_args(TargetMetric):
            allowed = ", ".join(get_args(TargetMetric))
            raise ValueError(f"`metric` must be one of {allowed}; received {self.metric!r}.")

    def is_met(self, record: Progress) -> bool:
        """Whether a record has reached it."""
        if self.metric == "train_loss":
            return record.train_loss <= self.value
        return record.test_accuracy is not None and record.test_accuracy >= self.value


@dataclass(frozen=True, kw_only=True)
class RacePlan:
    """A whole race in plain values: what a page asks a worker for, and what a script repeats."""

    problem: str  # name for `problems.load`
    num_examples: int | None = None  # N, training samples; None for as many as the problem has
    configs: Mapping[str, TrainConfig]  # contestants by name
    model: ModelConfig = field(default_factory=ModelConfig)
    seconds: float = 5.0  # training time of each contestant with each seed
    seeds: int = 1  # seeds that each contestant trains with, one after another
    target: float | None = None  # value of target_metric to reach
    target_metric: TargetMetric = "train_loss"
    # What ends the race: all contestants at the target, or the seconds. A race that goes on is the same race.
    until: Until = field(default="limit", compare=False)

    @property
    def stop_at(self) -> Target | None:
        """The target that ends the race before its seconds are over; None for no such target."""
        if self.until == "limit" or self.target is None:
            return None
        return Target(value=self.target, metric=self.target_metric)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """What happened in a run since the record before it.

    The first record of a run has ``update == 0`` and tells the loss of the initial weights.
    """

    run: str  # name of the contestant
    batch_size: int  # k as a number; N for gradient descent
    num_examples: int  # N, the number of training samples
    update: int  # parameter updates so far
    examples: int  # samples seen so far
    seconds: float  # training time so far; tracing, compiling and evaluation excluded
    minibatch_loss: np.ndarray  # (updates since the record before,) loss before each update
    train_loss: float  # over all training samples, after the last update
    test_loss: float  # over all test samples, after the last update
    test_accuracy: float | None  # share of test samples that are classified right; None in a regression
    diverged_at: int | None = None  # update after which the loss was not finite; this is then the last record
    contestant: str = ""  # name without the seed, where one trains with several; else empty
    seed: int = 0  # of initial weights and order

    @property
    def epoch(self) -> float:
        """Passes over the training set so far: samples seen / N."""
        return self.examples / self.num_examples

    @property
    def is_finite(self) -> bool:
        """Whether the loss over the training samples is a finite number."""
        return math.isfinite(self.train_loss)
