"""A minibatch in parts, in plain Keras, with the settings of the page."""

from __future__ import annotations

from sgd_tf.memory.rows import PartsPlan
from sgd_tf.plain_tensorflow import documents, experiments
from sgd_tf.plain_tensorflow.records import PlainRun
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.records import TrainConfig


def parts(plan: PartsPlan) -> str | None:
    """`model.fit` with `gradient_accumulation_steps`; Keras needs parts of one size, so k is rounded down to them."""
    m = plan.micro_batch_sizes[0]
    is_flights = plan.problem == "flights"  # a file of this package
    problem = "mnist" if is_flights and plan.minibatch_size <= CATALOGUE["mnist"].num_examples else plan.problem
    config = TrainConfig(batch_size=plan.minibatch_size // m * m, learning_rate=0.1, micro_batch_size=m)
    script = experiments.if_any(
        lambda: documents.script(PlainRun(problem=problem, model=plan.model, config=config, num_epochs=3))
    )
    note = "# The flights are a file of the lab: here are 60,000 digits of MNIST in their place.\n"
    return note + script if script and problem != plan.problem else script
