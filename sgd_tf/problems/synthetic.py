"""Synthetic problems, drawn from a known distribution: line, spirals, teacher."""

from __future__ import annotations

import math

import numpy as np

from sgd_tf.problems.catalogue import MAX_EXAMPLES
from sgd_tf.problems.problem import Problem
from sgd_tf.problems.splitting import MIN_EXAMPLES, Array, Draw

MAX_NUMBERS = 64_000_000  # largest N × d: 256 MB in float32


def line(draw: Draw, *, slope: float, intercept: float, noise: float) -> Problem:
    """Points of a line: y = slope · x + intercept + noise · ε, with x and ε drawn from N(0, 1).

    Neither x nor y is standardised: the distribution of x has mean 0 and variance 1, and with the original y the
    least-squares parameters are comparable with the true slope and intercept. The Hessian of the mean squared error
    is 2 · [[mean x², mean x], [mean x, 1]], close to twice the identity; ``np.linalg.lstsq`` gives its minimum,
    within about noise / √N of the truth.
    """
    assert draw.num_examples is not None
    _, *parts = draw.streams()
    arrays = []
    for rng, size in zip(parts, (draw.num_examples, draw.num_test()), strict=True):
        x, epsilon = rng.standard_normal((size, 2)).T
        arrays += [
            x[:, None].astype(np.float32),
            (slope * x + intercept + noise * epsilon).astype(np.float32),
        ]
    return Problem(
        name="line",
        task="regression",
        x_train=arrays[0],
        y_train=arrays[1],
        x_test=arrays[2],
        y_test=arrays[3],
        feature_names=("x",),
        target_name="y",
        source=f"Drawn here: y = {slope:g} x + {intercept:g} + {noise:g} ε, with x and ε from N(0, 1).",
        licence="CC0 1.0",
    )


def spirals(draw: Draw, *, turns: float, noise: float) -> Problem:
    """Two spirals in the plane: class j lies at r (cos φ, sin φ) + noise · N(0, I).

    Here r = 2√u and φ = 2π · turns · √u + jπ with u from U(0, 1). The square root spreads the samples evenly
    over the area. With the radius 2 the coordinates have mean 0 and, averaged over both, variance 1 before the noise,
    so they need no standardising. The classes have equal size (class 0 has one sample more if N is odd).
    """
    assert draw.num_examples is not None
    _, *parts = draw.streams()
    arrays = []
    for rng, size in zip(parts, (draw.num_examples, draw.num_test()), strict=True):
        label = rng.permutation(np.arange(size) % 2)
        root = np.sqrt(rng.random(size))
        angle = 2 * np.pi * turns * root + np.pi * label
        x = 2 * root[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
        x += noise * rng.standard_normal((size, 2))
        arrays += [x.astype(np.float32), label.astype(np.int32)]
    return Problem(
        name="spirals",
        task="classification",
        x_train=arrays[0],
        y_train=arrays[1],
        x_test=arrays[2],
        y_test=arrays[3],
        num_classes=2,
        class_names=("0", "1"),
        class_counts=tuple(np.bincount(arrays[1], minlength=2).tolist()),
        feature_names=("x1", "x2"),
        target_name="spiral",
        source=(
            "Drawn here, after the two-spirals problem of A. Wieland, published by K. Lang and M. Witbrock, "
            "Learning to tell two spirals apart, 1988."
        ),
        licence="CC0 1.0",
    )


def teacher(draw: Draw, *, num_features: int, num_classes: int, activation: str) -> Problem:
    """Samples x ~ N(0, I), with labels from a random network with one hidden layer of 32 units.

    The label is argmax_j (z_j - m_j) / s_j for the outputs z = W₂ σ(W₁ x + b), with Gaussian weights. The mean m_j and
    the standard deviation s_j of output j, over 10,000 other samples, balance the classes. The network depends only on
    the seed and the options: a larger N has the same teacher.
    """
    assert draw.num_examples is not None
    high = min(MAX_EXAMPLES, MAX_NUMBERS // num_features)
    if draw.num_examples > high:
        raise ValueError(
            f"`num_examples` must be an integer in [{MIN_EXAMPLES}, {high}] with {num_features} features; "
            f"received {draw.num_examples}."
        )
    truth, *parts = draw.streams()
    num_hidden = 32
    first = truth.normal(0.0, 2.0 / math.sqrt(num_features), (num_features, num_hidden)).astype(np.float32)
    bias = truth.normal(0.0, 1.0, num_hidden).astype(np.float32)
    second = truth.normal(0.0, 1.0, (num_hidden, num_classes)).astype(np.float32)

    def outputs(x: Array) -> Array:
        hidden = x @ first + bias
        return (np.tanh(hidden) if activation == "tanh" else np.maximum(hidden, 0.0)) @ second

    reference = outputs(truth.standard_normal((10_000, num_features), dtype=np.float32))
    mean, std = reference.mean(axis=0), reference.std(axis=0)
    arrays = []
    for rng, size in zip(parts, (draw.num_examples, draw.num_test()), strict=True):
        x = rng.standard_normal((size, num_features), dtype=np.float32)
        pieces = np.array_split(x, 1 + size // 100_000)  # limits the memory of the hidden layer
        labels = [((outputs(piece) - mean) / std).argmax(axis=1) for piece in pieces]
        arrays += [x, np.concatenate(labels).astype(np.int32)]
    return Problem(
        name="teacher",
        task="classification",
        x_train=arrays[0],
        y_train=arrays[1],
        x_test=arrays[2],
        y_test=arrays[3],
        num_classes=num_classes,
        class_names=tuple(str(label) for label in range(num_classes)),
        class_counts=tuple(np.bincount(arrays[1], minlength=num_classes).tolist()),
        feature_names=tuple(f"x{column}" for column in range(1, num_features + 1)),
        target_name="label",
        source=(
            f"Drawn here: labels of a random {activation} network, the setting of E. Gardner and B. Derrida, "
            "Three unfinished works on the optimal storage capacity of networks, 1989."
        ),
        licence="CC0 1.0",
    )
