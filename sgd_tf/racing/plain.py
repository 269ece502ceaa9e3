"""A race in plain Keras, with the settings of the page."""

from __future__ import annotations

from sgd_tf.plain_tensorflow import experiments
from sgd_tf.plain_tensorflow.records import PlainRun
from sgd_tf.training.records import RacePlan, TrainConfig

EPOCHS = 10


def fits(plan: RacePlan) -> str | None:
    """`model.fit` for each contestant, and the same number of epochs for all."""

    def make() -> str:
        run = PlainRun(problem=plan.problem, num_examples=plan.num_examples, model=plan.model, num_epochs=EPOCHS)
        if any(not _is_usual(config) for config in plan.configs.values()):
            return experiments.contestants(run, plan.configs)
        return experiments.fits(
            run, [(config.minibatch_size(run.size), config.learning_rate) for config in plan.configs.values()]
        )

    return experiments.if_any(make)


def _is_usual(config: TrainConfig) -> bool:
    """Whether a contestant differs from plain SGD in its batch size, learning rate, seed and shuffler at most."""
    usual = TrainConfig(batch_size=config.batch_size, learning_rate=config.learning_rate, seed=config.seed)
    return config in (usual, TrainConfig(**{**usual.__dict__, "shuffler": config.shuffler}))
