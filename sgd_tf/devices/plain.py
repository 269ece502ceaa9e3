"""One minibatch over two devices in plain Keras, with the settings of the page."""

from __future__ import annotations

import math

from sgd_tf.devices.rows import ParallelPlan
from sgd_tf.plain_tensorflow import experiments
from sgd_tf.plain_tensorflow.records import PlainRun
from sgd_tf.training.records import TrainConfig


def fit(run: ParallelPlan) -> str | None:
    """`model.fit` under `tf.distribute.MirroredStrategy`, for the epochs that hold the updates of the page."""

    def make() -> str:
        config = TrainConfig(batch_size=run.batch_size, learning_rate=run.learning_rate, seed=run.seed)
        plain = PlainRun(problem=run.problem, num_examples=run.num_examples, model=run.model, config=config)
        epochs = math.ceil(run.num_updates / math.ceil(plain.size / run.batch_size))
        return experiments.devices(
            PlainRun(
                problem=run.problem,
                num_examples=run.num_examples,
                model=run.model,
                config=config,
                num_epochs=epochs,
            )
        )

    return experiments.if_any(make)
