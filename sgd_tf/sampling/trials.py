"""What the way of drawing samples does: the real orders of the pipeline, and three experiments on real runs."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, TypeVar

import numpy as np

from sgd_tf.sampling.rows import (
    FLOOR_EPOCHS,
    GENIE_EPOCHS,
    GENIE_RATES,
    GENIE_RECORDS,
    SORTED_EPOCHS,
    SORTED_RECORDS,
    SORTED_WAYS,
    Floor,
    GenieMeasurement,
    Measurement,
    SortedMeasurement,
)
from sgd_tf.training import pipeline
from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.records import BatchSize, ModelConfig, Sampling, TrainConfig, check_int
from sgd_tf.training.run import Run
from sgd_tf.training.vectors import get_weights

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Row = TypeVar("Row", bound=Measurement)

LINEAR = ModelConfig(kind="linear", widths=())
MLP = ModelConfig(kind="mlp", widths=(32,))


def epoch_orders(
    num_examples: int, num_epochs: int, *, sampling: Sampling, buffer_size: int = 1_000, seed: int = 0
) -> np.ndarray:
    """The samples of the first epochs in the order in which the pipeline draws them.

    Args:
        num_examples: N.
        num_epochs: e, at least 1.
        sampling: how the samples are drawn, as in `pipeline.order`.
        buffer_size: b, samples in the shuffle buffer; for ``"buffer"`` alone.
        seed: of the order.

    Returns:
        (e, N) int64, indices into the training set.

    >>> epoch_orders(4, 2, sampling="in_order").tolist()
    [[0, 1, 2, 3], [0, 1, 2, 3]]
    """
    check_int("num_epochs", num_epochs, 1)
    epochs = pipeline.order(num_examples, "all", sampling=sampling, buffer_size=buffer_size, seed=seed)
    return np.stack(list(epochs.repeat(num_epochs).as_numpy_iterator()))


# The error floor at a constant learning rate


def least_squares(problem: Problem) -> np.ndarray:
    """The weights and the bias of the linear model with the smallest mean squared error, by `np.linalg.lstsq`.

    Returns:
        (d + 1,) float64; the bias is the last one.

    Raises:
        ValueError: if the problem is a classification.
    """
    if problem.num_classes is not None:
        raise ValueError(f"`problem` must be a regression; received one with {problem.num_classes} classes.")
    return np.linalg.lstsq(_with_ones(problem), problem.y_train.astype(np.float64), rcond=None)[0]


def expected_floor(problem: Problem, batch_size: int, learning_rate: float) -> float:
    """Where SGD with replacement hovers in the end: E‖w − w*‖² of a linear model, exactly.

    Let δ = w − w*, with hᵢ = 2 aᵢaᵢᵀ the Hessian and gᵢ = 2 aᵢ(aᵢᵀw* − yᵢ) the gradient of sample i at the optimum,
    where Σ gᵢ = 0. Each update takes k independent draws: δ ← δ − γ (h_B δ + g_B). In the long run E δ = 0, and
    C = E δδᵀ no longer changes: HC + CH = γ E[h_B C h_B] + (γ/k) G, with H = E hᵢ, G = E gᵢgᵢᵀ and
    E[h_B C h_B] = E[hᵢ C hᵢ]/k + (1 − 1/k) HCH. That is a linear system for C; its trace is the floor, in
    proportion to γ for small γ.

    Args:
        problem: a regression.
        batch_size: k, in [1, N].
        learning_rate: γ, greater than 0, and small enough for C to come to rest: below 1/λ for the largest λ with
            Q v = λ (H ⊗ 1 + 1 ⊗ H) v, Q the matrix of C → E[h_B C h_B].

    Raises:
        ValueError: if an argument is out of range, or the samples leave a direction open, so that w* is not unique.
    """
    from scipy.linalg import eigh

    a, k = _with_ones(problem), check_int("batch_size", batch_size, 1, problem.num_examples)
    gradients = 2 * a * (a @ least_squares(problem) - problem.y_train)[:, None]
    d, eye = a.shape[1], np.eye(a.shape[1])
    if np.linalg.matrix_rank(a) < d:
        raise ValueError(
            f"`problem` must have more independent samples than features: with N = {len(a)} and d = {d - 1} many "
            "weights have the smallest loss."
        )
    H, G = 2 * a.T @ a / len(a), gradients.T @ gradients / len(a)
    outer = np.einsum("ni,nj->nij", a, a)
    H_kron_H = 4 * np.einsum("nij,nkl->ikjl", outer, outer).reshape(d * d, d * d) / len(a)
    drawn = H_kron_H / k + (1 - 1 / k) * np.kron(H, H)
    both = np.kron(H, eye) + np.kron(eye, H)
    limit = 1 / eigh(drawn, both, eigvals_only=True)[-1]
    if not 0 < learning_rate < limit:
        raise ValueError(
            f"`learning_rate` must be in (0, {limit:.4g}), else SGD with k = {k} never comes to rest; received "
            f"{learning_rate!r}."
        )
    C = np.linalg.solve(both - learning_rate * drawn, learning_rate / k * G.ravel()).reshape(d, d)
    return float(np.trace(C))


def error_floors(
    problem: Problem,
    *,
    batch_size: int,
    learning_rates: Sequence[float],
    samplings: Sequence[Sampling] = ("with_replacement", "reshuffle"),
    num_epochs: int = FLOOR_EPOCHS,
    seeds: Sequence[int] = range(5),
) -> Iterator[Floor]:
    """Train a linear model at constant learning rates, and see how close to the optimum it stays.

    The distance is ‖w − w*‖² at the end of each epoch, w* by `least_squares`; the floor its mean over the second
    half of the epochs. Theory for strongly convex losses: the floor is O(γ) with replacement, and O(γ²) or less
    with a new order in each epoch (K. Mishchenko, A. Khaled, P. Richtárik 2020, arXiv 2006.05988).

    Args:
        problem: a regression.
        batch_size: k.
        learning_rates: constant rates γ to try.
        samplings: ways of drawing.
        num_epochs: of each run, at least 2.
        seeds: of each run; all rates and ways are run with the first, then with the second, and so on.

    Returns:
        An iterator of a row per run. Of a run that diverges the distances from then on are inf, and the floor is.

    Raises:
        ValueError: if an argument is out of range, or a floor with replacement does not exist (`expected_floor`).
    """
    check_int("num_epochs", num_epochs, 2)
    iterations_per_epoch(problem.num_examples, batch_size)  # checks k
    least_squares(problem)
    with_replacement = "with_replacement" in samplings
    expected = {rate: expected_floor(problem, batch_size, rate) for rate in learning_rates if with_replacement}
    return _floors(problem, batch_size, learning_rates, samplings, num_epochs, seeds, expected)


def _floors(
    problem: Problem,
    batch_size: int,
    learning_rates: Sequence[float],
    samplings: Sequence[Sampling],
    num_epochs: int,
    seeds: Sequence[int],
    expected: Mapping[float, float],
) -> Iterator[Floor]:
    best = least_squares(problem)
    per_epoch = iterations_per_epoch(problem.num_examples, batch_size)
    for seed in seeds:
        for rate in learning_rates:
            for sampling in samplings:
                config = TrainConfig(batch_size=batch_size, learning_rate=rate, sampling=sampling, seed=seed)
                run = Run(problem, config, model=LINEAR)
                distances = [_distance(run, best)]
                for epoch in range(1, num_epochs + 1):
                    run.advance(update=epoch * per_epoch)
                    distances.append(_distance(run, best))
                run.close()
                yield Floor(
                    sampling=sampling,
                    learning_rate=rate,
                    seed=seed,
                    floor=float(np.mean(distances[-(num_epochs // 2) :])),
                    expected=expected[rate] if sampling == "with_replacement" else None,
                    distances=distances,
                )


def _with_ones(problem: Problem) -> np.ndarray:
    """(N, d + 1) float64: the samples, with a 1 for the bias at the end of each."""
    return np.c_[problem.x_train, np.ones(problem.num_examples)].astype(np.float64)


def _distance(run: Run, best: np.ndarray) -> float:
    if run.is_over:
        return math.inf
    return float(np.square(_weights(run) - best).sum())


def _weights(run: Run) -> np.ndarray:
    """All parameters of the moment in one (P,) float64 array."""
    return get_weights(run.model).astype(np.float64)


# Data that is sorted by class


def sorted_by_class(problem: Problem) -> Problem:
    """The same problem with its training samples sorted by label: first class 0, then class 1, and so on."""
    return _reordered(problem, np.argsort(problem.y_train, kind="stable"))


def sorted_runs(
    problem: Problem,
    *,
    batch_size: int,
    learning_rate: float,
    buffer_size: int,
    num_epochs: int = SORTED_EPOCHS,
    records_per_epoch: int = SORTED_RECORDS,
    seeds: Sequence[int] = range(5),
) -> Iterator[SortedMeasurement]:
    """Train an MLP on samples sorted by class: read in order, through a shuffle buffer, and reshuffled.

    Args:
        problem: a classification, in any order.
        batch_size: k.
        learning_rate: γ.
        buffer_size: b, samples in the shuffle buffer.
        num_epochs: of each run.
        records_per_epoch: measurements in each epoch; more than one shows what happens within it.
        seeds: of each run; all ways are run with the first, then with the second, and so on.

    Yields:
        A row per measurement.
    """
    ordered = sorted_by_class(problem)
    per_epoch = iterations_per_epoch(problem.num_examples, batch_size)
    updates = sorted({round(per_epoch * i / records_per_epoch) for i in range(num_epochs * records_per_epoch + 1)})
    for seed in seeds:
        for sampling in SORTED_WAYS:
            config = TrainConfig(
                batch_size=batch_size,
                learning_rate=learning_rate,
                sampling=sampling,
                buffer_size=buffer_size,
                seed=seed,
            )
            row = functools.partial(SortedMeasurement, sampling=sampling, seed=seed)
            yield from _measured(Run(ordered, config, model=MLP), updates, row)


# The evil genie


def with_copies(problem: Problem, num_copies: int) -> Problem:
    """The same problem with each training sample there so many times: all N, then all N again, and so on.

    Args:
        problem: any.
        num_copies: r, at least 1.

    >>> from sgd_tf.problems import load
    >>> with_copies(load("line", num_examples=50), 3).num_examples
    150
    """
    return _reordered(problem, np.tile(np.arange(problem.num_examples), check_int("num_copies", num_copies, 1)))


def copies_difference(problem: Problem, num_copies: int, *, learning_rate: float, updates: int, seed: int = 0) -> float:
    """How far gradient descent on r copies of each sample comes away from that on one of each.

    The mean gradient of r copies is that of one: (1/rN) Σᵢ r ∇lossᵢ = (1/N) Σᵢ ∇lossᵢ. What is left is rounding.

    Args:
        problem: without copies.
        num_copies: r.
        learning_rate: γ.
        updates: made from the same initial weights.
        seed: of the initial weights.

    Returns:
        The largest difference between two parameters.
    """
    config = TrainConfig(batch_size="all", learning_rate=learning_rate, seed=seed)
    ends = []
    for data in (problem, with_copies(problem, num_copies)):
        with Run(data, config, model=MLP) as run:
            run.advance(update=updates)
            ends.append(_weights(run))
    return float(np.abs(ends[0] - ends[1]).max())


def genie_runs(
    problem: Problem,
    *,
    num_copies: int,
    batch_size: int,
    learning_rates: tuple[float, float] = GENIE_RATES,
    num_epochs: int = GENIE_EPOCHS,
    num_records: int = GENIE_RECORDS,
    seeds: Sequence[int] = range(5),
) -> Iterator[GenieMeasurement]:
    """Train with and without the genie's copies, by gradient descent and by SGD, until all have seen as many samples.

    An update of gradient descent on r copies of each sample is the same as on one of each, and costs r times as
    much. To SGD the copies are samples like others. Both with and without copies there is a measurement after
    num_epochs epochs and at the end.

    Args:
        problem: without copies.
        num_copies: r, how often the genie puts each sample there.
        batch_size: k of SGD; where it divides N, both end after the same number of updates, too.
        learning_rates: γ of gradient descent, and of SGD.
        num_epochs: over the copies; without them r times as many.
        num_records: measurements in each run, evenly spaced.
        seeds: of each run; all are run with the first, then with the second, and so on.

    Yields:
        A row per measurement.
    """
    methods: dict[Literal["gd", "sgd"], tuple[BatchSize, float]] = {
        "gd": ("all", learning_rates[0]),
        "sgd": (batch_size, learning_rates[1]),
    }
    copied = with_copies(problem, num_copies)
    for seed in seeds:
        for method, (size, rate) in methods.items():
            config = TrainConfig(batch_size=size, learning_rate=rate, seed=seed)
            for copies, data in ((1, problem), (num_copies, copied)):
                epochs = num_epochs * num_copies // copies
                after = iterations_per_epoch(data.num_examples, size) * num_epochs
                last = after * epochs // num_epochs
                updates = {round(last * i / num_records) for i in range(num_records + 1)} | {after}
                row = functools.partial(GenieMeasurement, method=method, copies=copies, seed=seed)
                yield from _measured(Run(data, config, model=MLP), sorted(updates), row)


def _measured(run: Run, updates: Sequence[int], row: Callable[..., Row]) -> Iterator[Row]:
    """Train up to each of these numbers of updates, and measure there; from where it has diverged on, nothing: nan."""
    N, k = run.problem.num_examples, run.batch_size
    per_epoch = iterations_per_epoch(N, k)
    with contextlib.closing(run):
        for update in updates:
            if update > run.update:
                run.advance(update=update)
            record = None if run.is_over else run.record()
            epochs, iterations = divmod(update, per_epoch)
            accuracy = None if record is None or run.is_over else record.test_accuracy
            yield row(
                epoch=update / per_epoch,
                update=update,
                examples=epochs * N + iterations * k,
                train_loss=math.nan if record is None or run.is_over else record.train_loss,
                test_accuracy=math.nan if accuracy is None else accuracy,
            )


def _reordered(problem: Problem, rows: np.ndarray) -> Problem:
    """The same problem with these training samples in this order."""
    y_train = problem.y_train[rows]
    counts = tuple(np.bincount(y_train, minlength=len(problem.class_names)).tolist()) if problem.num_classes else ()
    return dataclasses.replace(problem, x_train=problem.x_train[rows], y_train=y_train, class_counts=counts)
