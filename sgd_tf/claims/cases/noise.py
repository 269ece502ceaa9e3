"""The gradient of a minibatch, and a learning rate at the limit."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from sgd_tf import problems
from sgd_tf.claims.claim import Claim, Experiment, Numbers, Picture, Point, Series
from sgd_tf.claims.contestants import LINEAR, MLP, SMALL_K, tuned
from sgd_tf.claims.measures import Measure
from sgd_tf.words import N_

Array: TypeAlias = "np.ndarray[Any, Any]"


def minibatch_gradient(seeds: Sequence[int]) -> Experiment:
    """Minibatch gradients beside the full one: their mean, and how far they lie from it, beside the law.

    E‖g_B − g‖² = (S²/k)(1 − k/N) for k of N samples, drawn without replacement (`noise_law.variance_law`).
    """
    from sgd_tf.noise import gradient_noise
    from sgd_tf.noise.gradients import minibatch_gradients, trained

    digits = problems.load("digits")
    N, sizes = digits.num_examples, (8, 32, 128, 512)
    offsets, ratios = [], []
    for seed in seeds:
        gradients, _ = trained(digits, tuned(digits, MLP, SMALL_K, seed), MLP, num_epochs=2)
        exact = gradient_noise.exact_noise(gradients)
        drawn, shares = minibatch_gradients(gradients, SMALL_K, seed=seed)
        offsets.append(float(np.linalg.norm(shares @ drawn - exact.gradient)) / math.sqrt(exact.signal))
        for found in gradient_noise.gradient_variance(gradients, exact, sizes, num_draws=192, seed=100 * seed):
            ratios.append((found.batch_size, found.mean / found.law))
            yield Point(series="measured", x=found.batch_size, y=found.mean / exact.s_squared, seed=seed)
            yield Point(series="law", x=found.batch_size, y=found.law / exact.s_squared, seed=seed)
    means = [float(np.mean([ratio for size, ratio in ratios if size == k])) for k in sizes]
    return {"offset": offsets, "lowest_law": min(means), "highest_law": max(means), "N": N}


MINIBATCH_GRADIENT = Claim(
    key="minibatch_gradient",
    run=minibatch_gradient,
    group="chapter",
    sentence=N_(
        "k random samples can stand in for all N: their gradient is right on average, and closer for larger k."
    ),
    experiment=N_(
        "Digits after 2 epochs: minibatch gradients against the full gradient, and their variance "
        "against the theory (S²/k)(1 − k/N)."
    ),
    measures=(
        Measure(
            name="offset",
            title=N_("Distance from the mean gradient of an epoch to the full gradient ÷ length of the full gradient"),
            form=".1e",
            at_most=1e-5,
        ),
        Measure(
            name="lowest_law",
            title=N_("Measured noise ÷ theory: lowest of all k (mean over seeds)"),
            at_least=0.85,
        ),
        Measure(
            name="highest_law",
            title=N_("Measured noise ÷ theory: highest of all k (mean over seeds)"),
            at_most=1.15,
        ),
    ),
    picture=Picture(
        kind="lines",
        title=N_("Gradient noise"),
        x=N_("Batch size k"),
        y=N_("Noise ÷ S²"),
        series={"law": Series(title=N_("theory")), "measured": Series(title=N_("measured"))},
        log_x=True,
        log_y=True,
    ),
    page="learn/gradient_noise",
    seconds=6,
)


def stability(seeds: Sequence[int]) -> Experiment:
    """Gradient descent 1 % above 2/λmax, on a least-squares problem and on a network: growth, and plateau before it.

    λmax is that of the Hessian at the initial weights. A plateau is a stretch of updates whose losses lie within 10 %
    of each other; the longest one counts that ends before the loss has risen above its start.
    """
    from sgd_tf.noise import curvature
    from sgd_tf.noise.gradients import Gradients
    from sgd_tf.training import models

    factor, num_updates, limit = 1.01, 400, 1e4
    numbers: Numbers = {}
    for series, name, model in (("squares", "diabetes", LINEAR), ("network", "digits", MLP)):
        problem = problems.load(name)
        growths, plateaus = [], []
        for seed in seeds:
            gradients = Gradients(problem, models.build(problem, model, seed=seed))
            found = curvature.largest_eigenvalue(gradients.hessian_product, gradients.num_parameters, seed=seed)
            losses: list[tuple[int, float]] = []
            descent: Any = curvature.descend(
                problem, factor * found.max_learning_rate, name="", model=model, num_updates=num_updates, seed=seed
            )
            with contextlib.closing(descent):
                for record, _weights in descent:
                    loss = record.train_loss if math.isfinite(record.train_loss) else math.inf
                    losses.append((record.update, min(loss, limit * (losses[0][1] if losses else math.inf))))
                    if loss >= limit * losses[0][1]:
                        break
            updates, values = np.array(losses).T
            growths.append(values[-1] / values[0])
            plateaus.append(longest_plateau(updates, values))
            for update, value in zip(updates[::5], values[::5], strict=True):
                yield Point(series=series, x=update, y=value / values[0], seed=seed)
        numbers |= {f"growth_{series}": growths, f"plateau_{series}": plateaus}
    return numbers


def longest_plateau(updates: Array, losses: Array, *, width: float = 0.1) -> float:
    """Updates of the longest stretch whose losses lie within 10 % of each other, before the loss exceeds its start.

    A run whose loss never exceeds its start has none: it comes to rest.

    Args:
        updates: (n,) at which the losses were measured, rising.
        losses: (n,) of a run.
        width: largest loss of a stretch over its smallest one, less 1.

    >>> longest_plateau(np.array([0, 1, 2, 3, 4, 5]), np.array([8.0, 2.0, 1.01, 1.0, 1.02, 9.0]))
    2.0
    >>> longest_plateau(np.array([0, 1, 2, 3]), np.array([8.0, 2.0, 2.0, 2.0]))
    0.0
    """
    above = np.nonzero(losses[1:] > losses[0])[0]
    if not len(above):
        return 0.0
    best = 0.0
    end = int(above[0]) + 1
    for first in range(end):
        low = high = losses[first]
        for last in range(first, end):
            low, high = min(low, losses[last]), max(high, losses[last])
            if high > (1 + width) * low:
                break
            best = max(best, float(updates[last] - updates[first]))
    return best


STABILITY = Claim(
    key="stability",
    run=stability,
    group="elsewhere",
    sentence=N_(
        "With a learning rate just above 2/λmax, gradient descent seems to rest on a plateau, and then diverges."
    ),
    experiment=N_(
        "400 updates at 1.01 · 2/λmax with k = N: least squares with ten features, and a network on the digits."
    ),
    measures=(
        Measure(
            name="plateau_squares", title=N_("Longest plateau, in updates: least squares"), form=".0f", at_least=10
        ),
        Measure(
            name="growth_squares",
            title=N_("Final loss ÷ initial loss: least squares"),
            at_least=10,
        ),
        Measure(name="plateau_network", title=N_("Longest plateau, in updates: network"), form=".0f", at_least=10),
        Measure(name="growth_network", title=N_("Final loss ÷ initial loss: network"), at_least=10),
    ),
    depends_on=N_("whether the curvature stays constant during the run, and the initial weights"),
    picture=Picture(
        kind="lines",
        title=N_("1 % above 2/λmax"),
        x=N_("Parameter updates"),
        y=N_("Loss ÷ initial loss"),
        series={"squares": Series(title=N_("least squares")), "network": Series(title=N_("network"))},
        log_y=True,
    ),
    page="learn/gradient_noise",
    address={"noise_part": "edge"},
    seconds=5,
)
