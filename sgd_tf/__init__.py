"""Learn stochastic gradient descent by racing it: gradient descent and SGD are one function with one dial.

>>> import sgd_tf
>>> problem = sgd_tf.load("line", num_examples=200)
>>> config = sgd_tf.TrainConfig(batch_size=20, learning_rate=0.1)
>>> history = sgd_tf.to_frame(sgd_tf.train(problem, config, epochs=5))
>>> int(history["update"].iloc[-1])  # ⌈200 / 20⌉ iterations in each of 5 epochs
50

The names below and the modules, such as ``sgd_tf.history``, are imported when they are first used, so that
``import sgd_tf`` is quick and imports neither TensorFlow nor Streamlit.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sgd_tf import charts
    from sgd_tf.problems import Problem, load
    from sgd_tf.racing.race import race
    from sgd_tf.racing.search import try_learning_rates
    from sgd_tf.racing.trials import Trial, best_trial
    from sgd_tf.training.counting import iterations_per_epoch, num_updates
    from sgd_tf.training.history import at_time, time_to_target, to_frame
    from sgd_tf.training.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
    from sgd_tf.training.pipeline import minibatches, order
    from sgd_tf.training.records import ModelConfig, Progress, Target, TrainConfig
    from sgd_tf.training.run import train

__version__ = "0.1.0"

_MODULES = {
    "problems": ("Problem", "load"),
    "training.counting": ("iterations_per_epoch", "num_updates"),
    "training.pipeline": ("order", "minibatches"),
    "training.layers": ("Dense", "Dropout", "BatchNormalization", "Conv2D", "MaxPooling2D", "Flatten"),
    "training.records": ("TrainConfig", "ModelConfig", "Progress", "Target"),
    "training.run": ("train",),
    "racing.race": ("race",),
    "racing.search": ("try_learning_rates",),
    "racing.trials": ("best_trial", "Trial"),
    "training.history": ("to_frame", "time_to_target", "at_time"),
}
_HOME = {name: module for module, names in _MODULES.items() for name in names}

__all__ = [  # noqa: RUF022 (in reading order)
    "load",
    "Problem",
    "iterations_per_epoch",
    "num_updates",
    "order",
    "minibatches",
    "TrainConfig",
    "ModelConfig",
    "Dense",
    "Dropout",
    "BatchNormalization",
    "Conv2D",
    "MaxPooling2D",
    "Flatten",
    "Progress",
    "Target",
    "train",
    "race",
    "try_learning_rates",
    "best_trial",
    "Trial",
    "to_frame",
    "time_to_target",
    "at_time",
    "charts",
]


def __getattr__(name: str) -> Any:
    if name in _HOME:
        return getattr(importlib.import_module(f"sgd_tf.{_HOME[name]}"), name)
    if not name.startswith("_"):
        try:
            return importlib.import_module(f"sgd_tf.{name}")
        except ModuleNotFoundError as missing:
            if missing.name != f"sgd_tf.{name}":  # a package that the module needs
                raise
    raise AttributeError(f"module 'sgd_tf' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
