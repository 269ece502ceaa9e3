"""The claim that SGD trains more efficiently than gradient descent, in plain Keras."""

from __future__ import annotations

from sgd_tf.claims.contestants import MLP, SMALL_K
from sgd_tf.plain_tensorflow import experiments
from sgd_tf.plain_tensorflow.records import PlainRun
from sgd_tf.training.tuned_rates import tuned_learning_rate


def gd_against_sgd() -> str:
    """`model.fit` on the digits with k = N and with a small k, each at the learning rate that a search found."""
    run = PlainRun(problem="digits", model=MLP)
    settings = [
        (run.size if k == "all" else SMALL_K, tuned_learning_rate("digits", MLP.kind, k) or 0.1)
        for k in ("all", SMALL_K)
    ]
    return experiments.fits(run, settings)
