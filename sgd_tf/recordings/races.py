"""Recordings of races: gradient descent beside SGD on one clock."""

from __future__ import annotations

from typing import Any

from sgd_tf.checks import BatchSize
from sgd_tf.recordings.draws import ink

SECONDS = 5.0
TARGET = 0.95  # accuracy on the digits that nobody trained on


def flights() -> dict[str, Any]:
    """Gradient descent and k = 256 on the arrival delays of 261,876 flights, each for five seconds."""
    from sgd_tf.problems import load
    from sgd_tf.training.records import TrainConfig
    from sgd_tf.training.run import train
    from sgd_tf.training.tuned_rates import tuned_learning_rate

    problem = load("flights")
    found: dict[str, Any] = {"num_samples": problem.num_examples, "seconds": SECONDS}
    sizes: tuple[BatchSize, ...] = ("all", 256)
    for k in sizes:
        rate = tuned_learning_rate("flights", "mlp", k) or 0.1
        records = list(train(problem, TrainConfig(batch_size=k, learning_rate=rate), seconds=SECONDS))
        found[str(k)] = {
            "rate": rate,
            "seconds": [record.seconds for record in records],
            "updates": [record.update for record in records],
            "losses": [record.train_loss for record in records],
        }
    return found


def digits() -> dict[str, Any]:
    """Gradient descent and k = 32 on the digits for 1.5 seconds each: loss, accuracy, the test digits still wrong."""
    import numpy as np

    from sgd_tf.problems import load
    from sgd_tf.training import models
    from sgd_tf.training.records import ModelConfig, TrainConfig
    from sgd_tf.training.run import train
    from sgd_tf.training.tuned_rates import tuned_learning_rate

    problem = load("digits")
    images = [ink(image) for image in problem.x_test]
    found: dict[str, Any] = {"num_test": len(images), "images": images}
    sizes: tuple[BatchSize, ...] = ("all", 32)
    for k in sizes:
        rate = tuned_learning_rate("digits", "mlp", k) or 1.0
        model = models.build(problem, ModelConfig(), seed=0)
        rows = []
        for record in train(problem, TrainConfig(batch_size=k, learning_rate=rate), model=model, seconds=1.5):
            answers = np.argmax(model(problem.x_test), axis=1)
            wrong = "".join("0" if right else "1" for right in answers == problem.y_test)
            rows.append((record, wrong))
        found[str(k)] = {
            "rate": rate,
            "seconds": [record.seconds for record, _wrong in rows],
            "updates": [record.update for record, _wrong in rows],
            "losses": [record.train_loss for record, _wrong in rows],
            "accuracies": [record.test_accuracy for record, _wrong in rows],
            "wrong": [wrong for _record, wrong in rows],
        }
    return found
