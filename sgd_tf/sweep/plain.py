"""A sweep over batch sizes in plain Keras, with the settings of the page."""

from __future__ import annotations

import math

from sgd_tf.plain_tensorflow import experiments
from sgd_tf.plain_tensorflow.records import PlainRun
from sgd_tf.sweep.plans import SweepPlan


def fits(plan: SweepPlan) -> str | None:
    """`model.fit` for each k and each learning rate that is tried with it."""

    def make() -> str:
        run = PlainRun(
            problem=plan.problem,
            num_examples=plan.num_examples,
            model=plan.model,
            num_epochs=max(1, math.ceil(plan.epochs)),
        )
        return experiments.fits(run, [(k, rate) for k in plan.batch_sizes for rate in plan.rates(k)])

    return experiments.if_any(make)
