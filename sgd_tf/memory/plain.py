"""A minibatch in parts, in plain Keras, with the settings of the page."""

from __future__ import annotations

from sgd_tf.memory.rows import PartsPlan
from sgd_tf.plain_tensorflow import documents, experiments
from sgd_tf.plain_tensorflow.records import PlainRun
from sgd_tf.training.records import TrainConfig


def parts(plan: PartsPlan) -> str | None:
    """`model.fit` with `gradient_accumulation_steps`; Keras needs parts of one size, so k is rounded down to them."""
    m = plan.micro_batch_sizes[0]
    config = TrainConfig(batch_size=plan.minibatch_size // m * m, learning_rate=0.1, micro_batch_size=m)
    return experiments.if_any(
        lambda: documents.script(PlainRun(problem=plan.problem, model=plan.model, config=config, num_epochs=3))
    )
