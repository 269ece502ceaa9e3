"""What the workers do for the pages: functions named to `Cluster.submit`, which yield plain rows.

TensorFlow is imported inside the functions, in the worker alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from sgd_tf import history, problems
from sgd_tf.records import BatchSize, ModelConfig, RacePlan, TrainConfig

DEFAULT_BATCH_SIZES: tuple[BatchSize, ...] = ("all", 256, 32)  # of the race that a learner meets first


def run_race(plan: RacePlan) -> Iterator[dict[str, Any]]:
    """Race the contestants of a plan.

    Args:
        plan: the race.

    Yields:
        Rows of `history.row`; the first names the device that trains, as {"device": …}.
    """
    from sgd_tf import racing

    yield {"device": _device()}
    problem = problems.load(plan.problem, num_examples=plan.num_examples)
    for record in racing.race(problem, plan.configs, seconds=plan.seconds, model=plan.model, progress=False):
        yield history.row(record)


def search_learning_rates(plan: RacePlan, seconds: float) -> Iterator[dict[str, Any]]:
    """Search the learning rate of each contestant of a plan.

    Args:
        plan: whose contestants, problem and model are taken; their learning rates are not used.
        seconds: training time of each trial.

    Yields:
        A row {"run", "learning_rate", "mean_loss", "train_loss", "updates", "diverged_at"} for each trial.
    """
    from sgd_tf import racing

    problem = problems.load(plan.problem, num_examples=plan.num_examples)
    for name, config in plan.configs.items():
        for trial in racing.try_learning_rates(problem, config, seconds=seconds, model=plan.model):
            yield {"run": name, **asdict(trial)}


def warm_up() -> None:
    """Import TensorFlow and compile the contestants of the first race, before anybody waits for them."""
    configs = {str(k): TrainConfig(batch_size=k) for k in DEFAULT_BATCH_SIZES}
    plan = RacePlan(problem="digits", configs=configs, model=ModelConfig(), seconds=0.01)
    for _ in run_race(plan):
        pass


def _device() -> str:
    """The device that TensorFlow trains on, "CPU" or the name of a GPU."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
