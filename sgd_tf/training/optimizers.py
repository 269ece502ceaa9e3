"""The Keras optimizer of a run, and the learning rate of each of its updates."""

from __future__ import annotations

import dataclasses
import math
from typing import Any, TypeAlias

import keras
import numpy as np
from keras import ops
from keras.optimizers.schedules import LearningRateSchedule

from sgd_tf.training.counting import epoch_updates, iterations_per_epoch
from sgd_tf.training.optimizer_settings import check_length, decays
from sgd_tf.training.records import TrainConfig

Schedule: TypeAlias = "LearningRateSchedule"

_CLASSES: dict[str, type[keras.optimizers.Optimizer]] = {
    "sgd": keras.optimizers.SGD,
    "rmsprop": keras.optimizers.RMSprop,
    "adagrad": keras.optimizers.Adagrad,
    "adam": keras.optimizers.Adam,
    "adamw": keras.optimizers.AdamW,
    "nadam": keras.optimizers.Nadam,
    "lion": keras.optimizers.Lion,
}


class Rate(LearningRateSchedule):
    """The learning rate γ_t of update t = 0, 1, …; its numbers are variables, so that a program serves any of them.

    With a warm-up of w updates, a decay that ends after T and s = (t - w) / (T - w), at most 1:

        t < w       γ t / w                     the linear warm-up of Goyal et al. 2017, arXiv 1706.02677
        "constant"  γ
        "cosine"    γ (1 + cos π s) / 2         Loshchilov & Hutter 2017, arXiv 1608.03983
        "linear"    γ (1 - s)

    These are the numbers of `keras.optimizers.schedules.CosineDecay` and `PolynomialDecay`. A Keras schedule γ(t)
    begins after the warm-up, which rises to γ(0).
    """

    def __init__(self, schedule: str | Schedule) -> None:
        self._schedule = schedule
        self._scale, self._warmup, self._decay = (
            keras.Variable(1.0, trainable=False, dtype="float32", name=name) for name in ("scale", "warmup", "decay")
        )

    @property
    def variables(self) -> list[keras.Variable]:
        """Its numbers."""
        return [self._scale, self._warmup, self._decay]

    def set(self, config: TrainConfig, num_examples: int) -> None:
        """Take the numbers of a config."""
        warmup, decay = spans(config, num_examples)
        self._scale.assign(1.0 if isinstance(self._schedule, LearningRateSchedule) else config.learning_rate)
        self._warmup.assign(float(warmup))
        self._decay.assign(float(max(decay - warmup, 1)))

    def stop(self) -> None:
        """Make the rate 0 until the next `set`."""
        self._scale.assign(0.0)

    def __call__(self, step: Any) -> Any:
        """γ_t of an update t, an integer tensor."""
        t = ops.cast(step, "float32")
        since = ops.maximum(step - ops.cast(self._warmup, step.dtype), 0)
        if isinstance(self._schedule, LearningRateSchedule):
            first, later = self._schedule(ops.zeros_like(step)), self._schedule(since)
        else:
            s = ops.minimum(ops.cast(since, "float32") / self._decay, 1.0)
            shares = {"constant": ops.ones_like(s), "cosine": 0.5 * (1.0 + ops.cos(math.pi * s)), "linear": 1.0 - s}
            first, later = ops.ones_like(s), shares[self._schedule]
        rising = first * t / ops.maximum(self._warmup, 1.0)
        return self._scale * ops.where(t < self._warmup, rising, later)

    def get_config(self) -> dict[str, Any]:
        """The schedule; its numbers are set for each run."""
        return {"schedule": self._schedule}


def spans(config: TrainConfig, num_examples: int) -> tuple[int, int]:
    """Updates of the warm-up, and those after which a decay has ended, warm-up included; 0 for none."""

    def updates(epochs: float | None) -> int:
        return epoch_updates(num_examples, config.batch_size, epochs) if epochs else 0

    return updates(config.warmup), updates(config.decay_epochs)


def over(config: TrainConfig, num_examples: int, updates: float) -> TrainConfig:
    """A config with a decay that ends after so many updates, unless it has an end of its own.

    Raises:
        ValueError: if the number is not known, or the warm-up leaves nothing of it.
    """
    if not decays(config) or config.decay_epochs is not None or math.isinf(updates):
        check_length(config)
        return config
    return dataclasses.replace(config, decay_epochs=updates / iterations_per_epoch(num_examples, config.batch_size))


def of_model(model: keras.Model, config: TrainConfig) -> TrainConfig:
    """The config with a copy of the optimizer that a model was compiled with, where it has one.

    Raises:
        ValueError: if the config names an optimizer, a learning rate or a schedule, too.
    """
    own = getattr(model, "optimizer", None) if getattr(model, "compiled", False) else None
    if own is None:
        return config
    usual = TrainConfig()
    for name in (
        "optimizer",
        "learning_rate",
        "momentum",
        "nesterov",
        "weight_decay",
        "clipnorm",
        "schedule",
        "warmup",
    ):
        if (given := getattr(config, name)) != getattr(usual, name):
            raise ValueError(
                f"`{name}` must be left out with a model that was compiled with an optimizer, here "
                f"{type(own).__name__}; received {given!r}. `keras.models.clone_model(model)` is not compiled."
            )
    return dataclasses.replace(config, optimizer=own, learning_rate=None)  # type: ignore[arg-type]


def make(config: TrainConfig, num_examples: int) -> tuple[keras.optimizers.Optimizer, Rate | None]:
    """The optimizer of a run with a fresh state, and its rate where it changes from update to update.

    A Keras optimizer is copied: its own state stays as it is and has no part in the run.
    """
    check_length(config)
    schedule = _schedule(config)
    rate = None if schedule == "constant" and not config.warmup else Rate(schedule)
    if rate:
        rate.set(config, num_examples)
    learning_rate: Any = rate or float(config.learning_rate)
    if not isinstance(config.optimizer, str):
        arguments = config.optimizer.get_config() | {"learning_rate": learning_rate}
        return type(config.optimizer).from_config(arguments), rate
    arguments = {"learning_rate": learning_rate, "clipnorm": config.clipnorm}
    if config.momentum:
        arguments |= {"momentum": config.momentum}
    if config.nesterov:
        arguments |= {"nesterov": True}
    if config.weight_decay is not None:
        arguments |= {"weight_decay": config.weight_decay}
    return _CLASSES[config.optimizer](**arguments), rate


def shape(config: TrainConfig) -> list[Any] | None:
    """What two runs must have in common to share a program; the rate and the lengths of a schedule do not matter.

    None for an optimizer or a schedule with code that is not Keras' own.
    """
    schedule = _schedule(config)
    parts: list[Any] = [schedule if isinstance(schedule, str) else keras.saving.serialize_keras_object(schedule)]
    if isinstance(config.optimizer, str):
        parts += [config.optimizer, config.momentum, config.nesterov, config.weight_decay, config.clipnorm]
    else:
        arguments = {name: value for name, value in config.optimizer.get_config().items() if name != "learning_rate"}
        parts += [type(config.optimizer).__name__, arguments]
    own = [part for part in (config.optimizer, schedule) if not isinstance(part, str)]
    if not all(type(part).__module__.split(".")[0] == "keras" for part in own):
        return None
    return [*parts, config.warmup > 0]


def first_learning_rate(optimizer: str | keras.optimizers.Optimizer, schedule: str | Schedule) -> tuple[float, bool]:
    """The learning rate of update 0 that a Keras optimizer or schedule brings, and whether a schedule gives it."""
    if isinstance(schedule, str):
        schedule = own_schedule(optimizer) or schedule
    if isinstance(schedule, LearningRateSchedule):
        return _number(schedule(ops.convert_to_tensor(0))), True
    return _number(optimizer.get_config()["learning_rate"]), False  # type: ignore[union-attr]


def own_schedule(optimizer: str | keras.optimizers.Optimizer) -> Schedule | None:
    """The schedule that a Keras optimizer has for its learning rate, if any."""
    own = None if isinstance(optimizer, str) else optimizer.get_config()["learning_rate"]
    return keras.optimizers.schedules.deserialize(own) if isinstance(own, dict) else None


def _number(rate: Any) -> float:
    """A rate in float32 as it was written: 0.001, not 0.0010000000474974513."""
    return float(str(np.float32(ops.convert_to_numpy(rate))))


def _schedule(config: TrainConfig) -> str | Schedule:
    return own_schedule(config.optimizer) or config.schedule
