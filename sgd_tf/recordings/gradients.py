"""Recordings of minibatch gradients beside the gradient of all samples, and of devices that share one."""

from __future__ import annotations

from typing import Any

SIZES = (1, 8, 32, 128, 512)  # k
SHOWN = 40  # arrows


def cloud() -> dict[str, Any]:
    """For each k the gradients of the minibatches of one epoch, at the initial weights of an MLP on the digits.

    Each is given by its length along the full gradient g and its length across, both as shares of ‖g‖: angle and length
    are exact. Across has the sign of its part along the direction in which single gradients differ most.
    """
    import numpy as np

    gradients = _per_sample()
    full = gradients.mean(axis=0)
    length = np.linalg.norm(full)
    direction = full / length
    rest = gradients - np.outer(gradients @ direction, direction)
    _values, vectors = np.linalg.eigh(rest @ rest.T)
    side = rest.T @ vectors[:, -1]
    order = np.random.default_rng(0).permutation(len(gradients))
    found: dict[str, Any] = {"num_samples": len(gradients)}
    for k in SIZES:
        parts = [order[start : start + k] for start in range(0, len(order), k)]
        means = np.array([gradients[part].mean(axis=0) for part in parts])
        along = means @ direction
        across = np.linalg.norm(means - np.outer(along, direction), axis=1)
        weights = np.array([len(part) for part in parts]) / len(order)
        mean = weights @ means
        angles = np.degrees(np.arctan2(across, along))
        sign = np.where(means @ side < 0, -1.0, 1.0)
        found[str(k)] = {
            "arrows": np.stack([along / length, sign * across / length], axis=1)[:SHOWN].tolist(),
            "angle": float(np.median(angles)),
            "length": float(np.median(np.linalg.norm(means, axis=1)) / length),
            "num": len(parts),
            "mean_difference": float(np.linalg.norm(mean - full) / length),
        }
    return found


def _per_sample() -> Any:
    """(N, P) gradients of the loss of each digit."""
    import tensorflow as tf

    from sgd_tf.problems import load
    from sgd_tf.training import models
    from sgd_tf.training.records import ModelConfig

    problem = load("digits")
    model = models.build(problem, ModelConfig(), seed=0)
    x, y = tf.constant(problem.x_train), tf.constant(problem.y_train)
    with tf.GradientTape() as tape:
        losses = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x))
    parts = tape.jacobian(losses, model.trainable_variables)
    return tf.concat([tf.reshape(part, (len(x), -1)) for part in parts], axis=1).numpy().astype("float64")


def devices() -> dict[str, Any]:
    """One minibatch of 256 digits over 1, 2 and 4 devices: gradients of the parts, times, differences of weights."""
    from statistics import median

    from sgd_tf.devices.rows import (
        DevicesPlan,
        Difference,
        FirstMinibatch,
        ParallelPlan,
        Update,
        train_over_devices,
    )

    found: dict[str, Any] = {}
    for row in train_over_devices(DevicesPlan(run=ParallelPlan(num_updates=20), largest=4)):
        if isinstance(row, FirstMinibatch):
            parts = [[part.along / row.norm, part.across / row.norm, len(part.indices)] for part in row.parts]
            found[str(row.replicas)] = {"parts": parts, "times": []}
        elif isinstance(row, Update):
            found[str(row.replicas)]["times"].append(row.seconds)
        elif isinstance(row, Difference):
            found[str(row.replicas)]["difference"] = row.difference
    for each in found.values():
        each["milliseconds"] = 1000 * median(each.pop("times")[5:])
    return found
