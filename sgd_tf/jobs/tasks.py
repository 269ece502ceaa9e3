"""What the workers do for the pages: functions named to `Cluster.submit`, which yield plain rows.

TensorFlow is imported inside the functions, in the worker alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

from sgd_tf import problems
from sgd_tf.training import history
from sgd_tf.training.records import ModelConfig, TrainConfig


def weight_paths(
    num_examples: int,
    noise: float,
    learning_rate: float,
    start: tuple[float, float],
    batch_sizes: tuple[int, ...],
    num_updates: int,
    seed: int,
) -> Iterator[dict[str, Any]]:
    """Train the straight line with each batch size from the same weights, and tell all weights on the way.

    Args:
        num_examples: N of the problem "line".
        noise: of that problem.
        learning_rate: of all runs.
        start: slope and intercept from which all start.
        batch_sizes: k of the runs; N for gradient descent.
        num_updates: of each run.
        seed: of the order of the samples.

    Yields:
        First {"x", "y", "order"}: the samples, and their order in the first epoch. Then {"batch_size", "w", "b",
        "difference"} for each run: weights before and after each update, and how far the gradients that Keras gave
        lie at most from the formula, as a share of their length.
    """
    import numpy as np

    from sgd_tf.noise import gradient_noise, noise_law
    from sgd_tf.training import models, pipeline

    line = problems.load("line", num_examples=num_examples, noise=noise)
    (epoch,) = pipeline.order(num_examples, "all", seed=seed)
    x, y = line.x_train[:, 0], line.y_train
    yield {"x": x.tolist(), "y": y.tolist(), "order": epoch.numpy().tolist()}
    gradients = gradient_noise.Gradients(line, models.linear(line))
    paths = gradient_noise.weight_paths(
        gradients, batch_sizes, start, learning_rate=learning_rate, num_updates=num_updates, seed=seed
    )
    for k, (weights, steps) in zip(batch_sizes, paths, strict=True):
        drawn = noise_law.cut_order(epoch.numpy(), k)
        formula = [
            noise_law.line_gradients(x[rows], y[rows], *point).mean(axis=0)
            for rows, point in zip(drawn, weights.astype("float64"), strict=False)
        ]
        expected = np.stack(formula[:num_updates])
        difference = np.linalg.norm(steps[: len(expected)] - expected, axis=1) / np.linalg.norm(expected, axis=1)
        yield {
            "batch_size": k,
            "w": weights[:, 0].tolist(),
            "b": weights[:, 1].tolist(),
            "difference": float(difference.max()),
        }


def measure_noise(
    problem: str, num_examples: int, model: ModelConfig, num_epochs: int, learning_rate: float, seed: int
) -> Iterator[dict[str, Any]]:
    """Measure the noise of the minibatch gradients against k, and the noise scale.

    Args:
        problem: name for `problems.load`.
        num_examples: N, training samples.
        model: which model.
        num_epochs: of SGD with k = 32 before the measurement.
        learning_rate: of that SGD.
        seed: of weights, orders and draws.

    Yields:
        First {"s_squared", "signal", "noise_scale", "num_parameters", "train_loss"} from all per-sample gradients;
        then the fields of `gradient_noise.MeasuredNoise` for each k; last those of `gradient_noise.NoiseScale`.
    """
    from sgd_tf.noise import gradient_noise

    data = problems.load(problem, num_examples=num_examples)
    N = data.num_examples
    config = TrainConfig(batch_size=min(32, N), learning_rate=learning_rate, seed=seed)
    gradients, train_loss = gradient_noise.trained(data, config, model, num_epochs=num_epochs)
    exact = gradient_noise.exact_noise(gradients)
    yield {
        "s_squared": exact.s_squared,
        "signal": exact.signal,
        "noise_scale": exact.noise_scale,
        "num_parameters": gradients.num_parameters,
        "train_loss": train_loss,
    }
    sizes = [k for k in (2**exponent for exponent in range(20)) if k < N]
    for result in gradient_noise.gradient_variance(gradients, exact, [*sizes, N], seed=seed):
        yield asdict(result)
    yield asdict(gradient_noise.noise_scale(gradients, small=max(1, N // 16), big=N // 2, seed=seed))


def escape_runs(
    batch_sizes: tuple[int, ...], num_examples: int, spread: float, num_runs: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Run SGD many times with each batch size from the bottom of the shallow valley.

    Args:
        batch_sizes: k; N for gradient descent.
        num_examples: N.
        spread: of the samples.
        num_runs: of each batch size.
        seed: of the orders of the samples.

    Yields:
        For each k {"batch_size", "num_runs", "num_escaped", "num_diverged", "share", "low", "high", "ends"}: the share
        that ended in the deeper valley with its interval, how many flew off, and where the first hundred others ended.
    """
    import numpy as np

    from sgd_tf.noise.escape import escapes

    for k in batch_sizes:
        result = escapes(k, num_examples=num_examples, spread=spread, num_runs=num_runs, seed=seed)
        low, high = result.interval()
        ends = result.ends[np.isfinite(result.ends)]
        yield {
            "batch_size": k,
            "num_runs": result.num_runs,
            "num_escaped": result.num_escaped,
            "num_diverged": result.num_diverged,
            "share": result.share,
            "low": low,
            "high": high,
            "ends": ends[:100].round(3).astype("float64").tolist(),
        }


def descend_around_the_limit(
    problem: str, num_examples: int, model: ModelConfig, factors: tuple[float, ...], num_updates: int, seed: int
) -> Iterator[dict[str, Any]]:
    """Find λmax at the initial weights, then run gradient descent with learning rates on both sides of 2/λmax.

    Args:
        problem: name for `problems.load`.
        num_examples: N, training samples.
        model: which model.
        factors: learning rates, as multiples of 2/λmax.
        num_updates: of each run.
        seed: of the initial weights and of the vector that the search for λmax starts from.

    Yields:
        First {"eigenvalue", "residual", "num_products", "converged", "num_parameters"}, and no more where there is no
        limit; then rows of `history.row`, whose "run" is the factor as text; after the records of each
        {"factor", "ratio"}, by how much its first update multiplied the gradient in the steepest direction, and if it
        did not diverge {"factor", "eigenvalue", "converged"} at its end.
    """
    from sgd_tf.noise import curvature
    from sgd_tf.noise.gradient_noise import Gradients
    from sgd_tf.training import models
    from sgd_tf.training.vectors import set_weights

    data = problems.load(problem, num_examples=num_examples)
    data = replace(data, x_test=data.x_test[:100], y_test=data.y_test[:100])  # the training loss alone is shown
    gradients = Gradients(data, models.build(data, model, seed=seed))
    found = curvature.largest_eigenvalue(gradients.hessian_product, gradients.num_parameters, seed=seed)
    yield {
        "eigenvalue": found.value,
        "residual": found.residual,
        "num_products": found.num_products,
        "converged": found.converged,
        "num_parameters": gradients.num_parameters,
    }
    if not math.isfinite(found.max_learning_rate):
        return
    for factor in factors:
        name, rate, slopes = f"{factor:g}", factor * found.max_learning_rate, []
        for record, weights in curvature.descend(
            data, rate, name=name, model=model, num_updates=num_updates, seed=seed
        ):
            yield asdict(history.row(record))
            if record.update <= 1:
                set_weights(gradients.model, weights)
                slopes.append(float(found.vector @ gradients.full()))
        yield {"factor": factor, "ratio": slopes[1] / slopes[0]}
        if record.diverged_at is None:
            set_weights(gradients.model, weights)
            now = curvature.largest_eigenvalue(gradients.hessian_product, gradients.num_parameters, seed=seed)
            yield {"factor": factor, "eigenvalue": now.value, "converged": now.converged}
