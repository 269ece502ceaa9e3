"""The optimizers and the learning rate's schedules by name, and what may go together; without TensorFlow."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from sgd_tf.training.records import TrainConfig

OptimizerName = Literal["sgd", "rmsprop", "adagrad", "adam", "adamw", "nadam", "lion"]
OPTIMIZERS: tuple[OptimizerName, ...] = get_args(OptimizerName)
ScheduleName = Literal["constant", "cosine", "linear"]
SCHEDULES: tuple[ScheduleName, ...] = get_args(ScheduleName)

MAX_LEARNING_RATE = 100.0
USUAL_RATE = 0.1  # of SGD
USUAL_ADAPTIVE_RATE = 0.001  # of the others, which divide each gradient by its own size: Keras' default
WITH_MOMENTUM = ("sgd", "rmsprop")  # the others keep a mean of the gradients anyway, or none
_STATES = {"sgd": 0, "rmsprop": 1, "adagrad": 1, "adam": 2, "adamw": 2, "nadam": 2, "lion": 1}


def usual_learning_rate(optimizer: str) -> float:
    """The learning rate where none is given.

    >>> usual_learning_rate("sgd"), usual_learning_rate("adam")
    (0.1, 0.001)
    """
    return USUAL_RATE if optimizer == "sgd" else USUAL_ADAPTIVE_RATE


def num_states(config: TrainConfig) -> int:
    """Numbers that the optimizer keeps for each weight: former steps, means of gradients and of their squares."""
    if isinstance(config.optimizer, str):
        return _STATES[config.optimizer] + (1 if config.momentum else 0)
    return max(
        (states for name, states in _STATES.items() if name == type(config.optimizer).__name__.lower()), default=2
    )


def is_plain(config: TrainConfig) -> bool:
    """Whether an update is w ← w − γ g with the same γ always: SGD as it is taught."""
    plain = config.optimizer == "sgd" and not (config.momentum or config.weight_decay or config.clipnorm)
    return plain and config.schedule == "constant" and not config.warmup


def decays(config: TrainConfig) -> bool:
    """Whether the learning rate falls to 0, so that the number of updates must be known beforehand."""
    return config.schedule in ("cosine", "linear")


def check_length(config: TrainConfig) -> None:
    """Refuse a schedule that falls to 0 at an unknown update.

    Raises:
        ValueError: if the schedule needs ``decay_epochs`` and has none.
    """
    if decays(config) and config.decay_epochs is None:
        raise ValueError(
            f'`decay_epochs` must be given with `schedule` = "{config.schedule}" where training is not limited in '
            "epochs or updates; received None."
        )


def check(config: TrainConfig) -> None:
    """Check the optimizer, its arguments and the schedule of a config.

    Raises:
        ValueError: if one is out of its range, or two do not go together.
    """
    if isinstance(config.optimizer, str):
        _check_name(config)
    else:
        _check_object(config)
    if not isinstance(config.schedule, str):
        _check_schedule_object(config)
    elif config.schedule not in SCHEDULES:
        allowed = f"one of {', '.join(SCHEDULES)}, or a Keras LearningRateSchedule"
        raise ValueError(f"`schedule` must be {allowed}; received {config.schedule!r}.")
    _check_span(config)


def _check_name(config: TrainConfig) -> None:
    name = config.optimizer
    if name not in OPTIMIZERS:
        raise ValueError(
            f"`optimizer` must be one of {', '.join(OPTIMIZERS)}, or a Keras optimizer; received {name!r}."
        )
    if not 0.0 <= config.momentum < 1.0:
        raise ValueError(f"`momentum` must be in [0, 1); received {config.momentum!r}.")
    if config.momentum and name not in WITH_MOMENTUM:
        raise ValueError(f'`momentum` must be 0 with `optimizer` = "{name}"; received {config.momentum!r}.')
    if config.nesterov and not (name == "sgd" and config.momentum):
        raise ValueError(
            f'`nesterov` must be False unless `optimizer` is "sgd" and `momentum` is greater than 0; '
            f"received {config.nesterov!r}."
        )
    if config.weight_decay is not None and not 0.0 <= config.weight_decay < math.inf:
        raise ValueError(f"`weight_decay` must be a finite number of at least 0; received {config.weight_decay!r}.")
    if config.clipnorm is not None and not 0.0 < config.clipnorm < math.inf:
        raise ValueError(f"`clipnorm` must be a finite number greater than 0; received {config.clipnorm!r}.")


def _check_object(config: TrainConfig) -> None:
    """Check a Keras optimizer, which brings its own arguments."""
    import keras

    optimizer: Any = config.optimizer
    if not isinstance(optimizer, keras.optimizers.Optimizer):
        allowed = f"one of {', '.join(OPTIMIZERS)}, or a Keras optimizer"
        raise ValueError(f"`optimizer` must be {allowed}; received {optimizer!r}.")
    for name, usual in {"momentum": 0.0, "nesterov": False, "weight_decay": None, "clipnorm": None}.items():
        if (value := getattr(config, name)) != usual:
            raise ValueError(f"`{name}` must be an argument of the Keras optimizer itself; received {value!r}.")
    arguments = optimizer.get_config()
    if "learning_rate" not in arguments:
        raise ValueError(f"`optimizer` must have one learning rate; received {optimizer!r}.")
    # What only `model.fit` brings to an end, or what has an argument of its own here.
    for name in ("use_ema", "loss_scale_factor", "gradient_accumulation_steps"):
        if arguments.get(name):
            instead = ": `micro_batch_size` accumulates" if name == "gradient_accumulation_steps" else ""
            raise ValueError(f"`optimizer` must not set `{name}`{instead}; received {arguments[name]!r}.")
    if isinstance(arguments["learning_rate"], dict) and config.schedule != "constant":
        raise ValueError(
            f'`schedule` must be "constant" with an optimizer that has a schedule; received {config.schedule!r}.'
        )


def _check_schedule_object(config: TrainConfig) -> None:
    import keras

    if not isinstance(config.schedule, keras.optimizers.schedules.LearningRateSchedule):
        allowed = f"one of {', '.join(SCHEDULES)}, or a Keras LearningRateSchedule"
        raise ValueError(f"`schedule` must be {allowed}; received {config.schedule!r}.")


def _check_span(config: TrainConfig) -> None:
    """Check warm-up and decay, both in epochs."""
    if not 0.0 <= config.warmup < math.inf:
        raise ValueError(f"`warmup` must be a finite number of epochs of at least 0; received {config.warmup!r}.")
    if config.decay_epochs is None:
        return
    if not decays(config):
        raise ValueError(
            f'`decay_epochs` must be None unless `schedule` is "cosine" or "linear"; received {config.decay_epochs!r}.'
        )
    if not config.warmup < config.decay_epochs < math.inf:
        raise ValueError(
            f"`decay_epochs` must be a finite number greater than `warmup` = {config.warmup!r}; "
            f"received {config.decay_epochs!r}."
        )
