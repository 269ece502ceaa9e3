"""Experiments on gradient noise: the plan of each, and a worker's rows for it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

from sgd_tf import problems
from sgd_tf.noise import noise_law
from sgd_tf.training import history
from sgd_tf.training.records import ModelConfig, TrainConfig

# 1. Paths on the straight line


@dataclass(frozen=True, kw_only=True)
class PathPlan:
    """SGD with several k, and gradient descent, on the straight line: all from the same weights."""

    learning_rate: float = 0.1
    num_examples: int = 200  # N
    noise: float = 1.5  # of the problem "line"
    batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 200)  # the last one is N: gradient descent
    start: tuple[float, float] = (-1.5, 3.5)  # slope and intercept
    num_updates: int = 60
    seed: int = 0  # of the sample order


@dataclass(frozen=True, kw_only=True)
class Samples:
    """The points of the line."""

    x: list[float]
    y: list[float]
    order: list[int]  # indices in the order of the first epoch


@dataclass(frozen=True, kw_only=True)
class Path:
    """The run of one k."""

    batch_size: int
    w: list[float]  # slope before and after each update
    b: list[float]  # intercept
    difference: float  # between Keras' gradients and the formula in the first epoch: largest, relative to their length


def weight_paths(plan: PathPlan) -> Iterator[Samples | Path]:
    """Train the straight line with each k; the samples are the first row."""
    import numpy as np

    from sgd_tf.noise import gradients
    from sgd_tf.training import models, pipeline

    line = problems.load("line", num_examples=plan.num_examples, noise=plan.noise)
    (epoch,) = pipeline.order(plan.num_examples, "all", seed=plan.seed).as_numpy_iterator()
    x, y = line.x_train[:, 0], line.y_train
    yield Samples(x=x.tolist(), y=y.tolist(), order=epoch.tolist())
    paths = gradients.weight_paths(
        gradients.Gradients(line, models.linear(line)),
        plan.batch_sizes,
        plan.start,
        learning_rate=plan.learning_rate,
        num_updates=plan.num_updates,
        seed=plan.seed,
    )
    for k, (weights, steps) in zip(plan.batch_sizes, paths, strict=True):
        minibatches = noise_law.cut_order(epoch, k)[: plan.num_updates]
        points = weights[: len(minibatches)].astype("float64")
        formula = np.stack(
            [
                noise_law.line_gradients(x[rows], y[rows], *point).mean(axis=0)
                for rows, point in zip(minibatches, points, strict=True)
            ]
        )
        difference = np.linalg.norm(steps[: len(formula)] - formula, axis=1) / np.linalg.norm(formula, axis=1)
        w, b = weights.T.tolist()
        yield Path(batch_size=k, w=w, b=b, difference=float(difference.max()))


# 2. Noise against k


@dataclass(frozen=True, kw_only=True)
class LawPlan:
    """The noise of minibatch gradients of each k, at the weights of one moment of training."""

    problem: str
    num_examples: int  # N
    model: ModelConfig
    num_epochs: int  # of SGD before the measurement
    learning_rate: float  # of that SGD
    seed: int  # of weights, sample orders and draws

    @property
    def training_size(self) -> int:
        """K of that SGD."""
        return min(32, self.num_examples)

    @property
    def batch_sizes(self) -> list[int]:
        """The measured k: powers of two, and N.

        >>> LawPlan(
        ...     problem="line", num_examples=9, model=ModelConfig(), num_epochs=0, learning_rate=0.1, seed=0
        ... ).batch_sizes
        [1, 2, 4, 8, 9]
        """
        return [2**i for i in range(math.ceil(math.log2(self.num_examples)))] + [self.num_examples]

    @property
    def two_sizes(self) -> tuple[int, int]:
        """The two k from which the noise scale is estimated."""
        return max(1, self.num_examples // 16), self.num_examples // 2


@dataclass(frozen=True, kw_only=True)
class Noise:
    """The size of noise and gradient, from the gradients of all samples, one by one."""

    s_squared: float  # S², sample variance of the per-sample gradients, with divisor N − 1
    signal: float  # ‖g‖², g the full gradient

    @property
    def noise_scale(self) -> float:
        """B = S² / ‖g‖², the k at which noise and gradient are equal where N is much larger.

        inf where the gradient is 0, nan where all gradients are.
        """
        return noise_law.noise_scale(self.s_squared, self.signal)


@dataclass(frozen=True, kw_only=True)
class MeasuredNoise:
    """The noise of the minibatch gradients of one batch size, measured and by the law."""

    batch_size: int  # k
    mean: float  # of ‖g_B − g‖² over the minibatches drawn
    standard_error: float  # of that mean
    law: float  # (S²/k) (1 − k/N)
    num_draws: int  # minibatches drawn


@dataclass(frozen=True, kw_only=True)
class NoiseScale:
    """Noise scale B = S²/‖g‖², estimated from minibatch gradients of two batch sizes."""

    value: float  # B; 0 where no noise is seen, inf where no gradient is, nan (unknown) where neither is
    low: float  # lower end of its confidence interval, at least 0
    high: float  # upper end; inf where the data set no bound
    s_squared: float  # estimate of S²
    signal: float  # estimate of ‖g‖²
    small: int  # the two batch sizes
    big: int
    num_draws: int  # minibatches of each


def measure_noise(plan: LawPlan) -> Iterator[Noise | MeasuredNoise | NoiseScale]:
    """Measure the noise against k; the reference is the first row, the estimate of the noise scale the last one."""
    from sgd_tf.noise import gradient_noise
    from sgd_tf.noise.gradients import trained

    config = TrainConfig(batch_size=plan.training_size, learning_rate=plan.learning_rate, seed=plan.seed)
    data = problems.load(plan.problem, num_examples=plan.num_examples)
    gradients, _loss = trained(data, config, plan.model, num_epochs=plan.num_epochs)
    exact = gradient_noise.exact_noise(gradients)
    yield Noise(s_squared=exact.s_squared, signal=exact.signal)
    yield from gradient_noise.gradient_variance(gradients, exact, plan.batch_sizes, seed=plan.seed)
    small, big = plan.two_sizes
    yield gradient_noise.noise_scale(gradients, small=small, big=big, seed=plan.seed)


# 3. Escape from a minimum


@dataclass(frozen=True, kw_only=True)
class EscapePlan:
    """Many runs of each k from the bottom of the shallow valley."""

    spread: float = 3.0  # standard deviation of what distinguishes the samples
    seed: int = 0  # of the sample orders
    batch_sizes: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128, 512)  # the last one is N: gradient descent
    num_examples: int = 512  # N
    num_runs: int = 300  # of each k


@dataclass(frozen=True, kw_only=True)
class Escapes:
    """Where the runs of one batch size ended: in the deeper valley, in the shallow one, or outside (diverged)."""

    batch_size: int  # k
    num_runs: int  # R
    num_escaped: int  # runs that ended left of the ridge
    num_diverged: int  # runs that ended outside: neither escaped nor stayed
    interval: tuple[float, float]  # 95 % confidence interval of the share that escaped
    ends: list[float]  # (R,) the weight of each run after the last update; not finite for some that diverged

    @property
    def share(self) -> float:
        """Share of the runs that ended in the deeper valley."""
        return self.num_escaped / self.num_runs


def count_escapes(plan: EscapePlan) -> Iterator[Escapes]:
    """A row of `escape.escapes` for each k."""
    from sgd_tf.noise.escape import escapes

    for k in plan.batch_sizes:
        yield escapes(k, num_examples=plan.num_examples, spread=plan.spread, num_runs=plan.num_runs, seed=plan.seed)


# 4. The largest stable rate


@dataclass(frozen=True, kw_only=True)
class EdgePlan:
    """Gradient descent with learning rates on both sides of 2/λmax, λmax that of the initial weights."""

    problem: str
    num_examples: int  # N
    model: ModelConfig
    seed: int  # of the initial weights, and of the vector from which the search for λmax starts
    factors: tuple[float, ...] = (0.5, 0.95, 1.05, 1.5)  # learning rates, as multiples of 2/λmax
    num_updates: int = 100  # of each run


@dataclass(frozen=True, kw_only=True)
class Curvature:
    """The largest eigenvalue of a symmetric matrix, as far as it was found."""

    value: float  # λ, the Rayleigh quotient v · Hv of a unit vector v; nan where a product was not finite
    residual: float  # ‖Hv − λv‖: some eigenvalue of H is no farther from λ than this
    num_products: int  # products Hv that it took
    converged: bool  # whether the residual is within the tolerance; if not, λ is the best that the products allow

    @property
    def max_learning_rate(self) -> float:
        """2/λ: above it gradient descent on a quadratic grows along v.

        inf where nothing curves upwards (λ ≤ 0), nan where λ is unknown.
        """
        return 2 / self.value if self.value > 0 else math.nan if math.isnan(self.value) else math.inf


@dataclass(frozen=True, kw_only=True)
class End:
    """The end of one run."""

    factor: float  # its learning rate, as a multiple of 2/λmax
    ratio: float  # by which its first update multiplied the gradient in the steepest direction
    curvature: Curvature | None  # at its last weights; None if it diverged


def run_name(factor: float) -> str:
    """Name of a run in its records."""
    return f"{factor:g} × 2/λmax"


def descend_around_the_limit(plan: EdgePlan) -> Iterator[Curvature | history.Row | End]:
    """Find λmax, then run gradient descent on both sides of 2/λmax; only the first row where there is no limit."""
    from sgd_tf.noise import curvature
    from sgd_tf.noise.gradients import Gradients
    from sgd_tf.training import models
    from sgd_tf.training.vectors import set_weights

    data = problems.load(plan.problem, num_examples=plan.num_examples)
    data = replace(data, x_test=data.x_test[:100], y_test=data.y_test[:100])  # only the training loss is shown
    gradients = Gradients(data, models.build(data, plan.model, seed=plan.seed))

    def steepest() -> curvature.Eigenvalue:
        return curvature.largest_eigenvalue(gradients.hessian_product, gradients.num_parameters, seed=plan.seed)

    found = steepest()
    yield found.without_vector()
    if not math.isfinite(found.max_learning_rate):
        return
    for factor in plan.factors:
        slopes = []
        for record, weights in curvature.descend(
            data,
            factor * found.max_learning_rate,
            name=run_name(factor),
            model=plan.model,
            num_updates=plan.num_updates,
            seed=plan.seed,
        ):
            yield history.row(record)
            if record.update <= 1:
                set_weights(gradients.model, weights)
                slopes.append(float(found.vector @ gradients.full()))
        set_weights(gradients.model, weights)
        yield End(
            factor=factor,
            ratio=slopes[1] / slopes[0] if slopes[0] else math.nan,
            curvature=steepest().without_vector() if record.diverged_at is None else None,
        )
