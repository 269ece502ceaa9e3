"""The experiments on sampling in plain TensorFlow, with the settings of the page."""

from __future__ import annotations

from sgd_tf.plain_tensorflow import experiments
from sgd_tf.plain_tensorflow.records import PlainRun
from sgd_tf.sampling.rows import (
    FLOOR_EPOCHS,
    FLOOR_EXAMPLES,
    GENIE_EXAMPLES,
    GENIE_RATES,
    SORTED_WAYS,
    FloorPlan,
    GeniePlan,
    OrdersPlan,
    SortedPlan,
)
from sgd_tf.training.records import ModelConfig, TrainConfig


def orders(plan: OrdersPlan, batch_size: int, num_epochs: int) -> str | None:
    """The five ways to draw."""
    config = TrainConfig(batch_size=batch_size, buffer_size=plan.buffer_size, seed=plan.seed)
    return experiments.if_any(lambda: experiments.orders(plan.num_examples, config, num_epochs))


def floor(plan: FloorPlan) -> str:
    """The straight line at the largest learning rate of the page, drawn in two ways."""
    run = PlainRun(
        problem="line", num_examples=FLOOR_EXAMPLES, model=ModelConfig(kind="linear"), num_epochs=FLOOR_EPOCHS
    )
    configs = {
        way: TrainConfig(batch_size=plan.batch_size, learning_rate=plan.learning_rates[0], sampling=way)
        for way in ("reshuffle", "with_replacement")
    }
    return experiments.contestants(run, configs)


def by_class(plan: SortedPlan) -> str:
    """Digits sorted by class, read in three ways."""
    configs: dict[str, TrainConfig] = {
        way: TrainConfig(
            batch_size=plan.batch_size, learning_rate=plan.learning_rate, sampling=way, buffer_size=plan.buffer_size
        )
        for way in SORTED_WAYS
    }
    sort = 'rows = y_train.argsort(kind="stable")\nx_train, y_train = x_train[rows], y_train[rows]'
    return experiments.contestants(PlainRun(problem="digits", num_epochs=plan.num_epochs), configs, prepare=sort)


def genie(plan: GeniePlan) -> str:
    """Gradient descent and SGD on copies of each sample."""
    N = GENIE_EXAMPLES * plan.num_copies
    copies = ", ".join(f"np.repeat({part}, {plan.num_copies}, axis=0)" for part in ("x_train", "y_train"))
    run = PlainRun(problem="digits", num_examples=GENIE_EXAMPLES, num_epochs=plan.num_epochs)
    configs = {
        "GD": TrainConfig(batch_size="all", learning_rate=GENIE_RATES[0]),
        "SGD": TrainConfig(batch_size=plan.batch_size, learning_rate=GENIE_RATES[1]),
    }
    script = experiments.contestants(run, configs, prepare=f"import numpy as np\n\nx_train, y_train = {copies}")
    return script.replace(f".shuffle({GENIE_EXAMPLES}", f".shuffle({N}").replace(
        f".batch({GENIE_EXAMPLES})", f".batch({N})"
    )
