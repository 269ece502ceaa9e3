"""Gradients of k samples in plain TensorFlow, with the settings of the page."""

from __future__ import annotations

from sgd_tf.noise.rows import LawPlan, PathPlan
from sgd_tf.plain_tensorflow import experiments
from sgd_tf.plain_tensorflow.records import PlainRun
from sgd_tf.training.records import ModelConfig, TrainConfig


def path(plan: PathPlan) -> str:
    """The noise of the gradients on the straight line, at the initial weights."""
    run = PlainRun(
        problem="line",
        num_examples=plan.num_examples,
        model=ModelConfig(kind="linear"),
        config=TrainConfig(seed=plan.seed),
    )
    return experiments.gradient_noise(run, plan.batch_sizes, is_trained=False)


def law(plan: LawPlan) -> str | None:
    """The noise against k, after the training that the page has before it."""

    def make() -> str:
        config = TrainConfig(batch_size=plan.training_size, learning_rate=plan.learning_rate, seed=plan.seed)
        run = PlainRun(
            problem=plan.problem,
            num_examples=plan.num_examples,
            model=plan.model,
            config=config,
            num_epochs=max(plan.num_epochs, 1),
        )
        return experiments.gradient_noise(run, plan.batch_sizes, is_trained=plan.num_epochs > 0)

    return experiments.if_any(make)
