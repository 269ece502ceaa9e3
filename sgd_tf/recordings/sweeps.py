"""Recordings over many batch sizes and learning rates."""

from __future__ import annotations

from statistics import median
from typing import Any

MAP_SIZES = (8, 16, 32, 64, 128, 256, 512, 1437)  # k
MAP_RATES = tuple(2.0**i for i in range(-5, 5))
MAP_EPOCHS, MAP_SEEDS = 10, 3

MNIST_SIZES = (32, 128, 256, 512, 1024, 2048, 4096, 8192, 16384)
MNIST_RATES = (0.1, 0.4, 0.8, 1.6)
MNIST_RATE = 0.1  # one for all k
MNIST_EPOCHS, MNIST_SEEDS = 3, 2


def rate_map() -> dict[str, Any]:
    """Training loss on the digits after ten epochs, for each k and learning rate; None where the run diverged."""
    from sgd_tf.problems import load

    problem = load("digits")
    losses = {
        str(k): [
            _median([_end(problem, k, rate, MAP_EPOCHS, seed)[0] for seed in range(MAP_SEEDS)]) for rate in MAP_RATES
        ]
        for k in MAP_SIZES
    }
    return {"rates": list(MAP_RATES), "epochs": MAP_EPOCHS, "seeds": MAP_SEEDS, "losses": losses}


def mnist() -> dict[str, Any]:
    """Test accuracy on MNIST after three epochs, with one rate for all k and with the best of four."""
    from sgd_tf.problems import load

    problem = load("mnist")
    found: dict[str, Any] = {"num_samples": problem.num_examples, "epochs": MNIST_EPOCHS, "seeds": MNIST_SEEDS}
    for k in MNIST_SIZES:
        ends = {
            rate: [_end(problem, k, rate, MNIST_EPOCHS, seed) for seed in range(MNIST_SEEDS)] for rate in MNIST_RATES
        }
        best = min(MNIST_RATES, key=lambda rate: _median([end[0] for end in ends[rate]]) or 1e9)
        found[str(k)] = {
            "same": median(end[1] for end in ends[MNIST_RATE]),
            "tuned": median(end[1] for end in ends[best]),
            "best_rate": best,
        }
    return found


def _end(problem: Any, k: int, rate: float, epochs: int, seed: int) -> tuple[float | None, float]:
    """Training loss and test accuracy at the end of a run; the loss is None if it diverged."""
    from sgd_tf.training.records import TrainConfig
    from sgd_tf.training.run import train

    size: Any = "all" if k == problem.num_examples else k
    *_before, last = train(problem, TrainConfig(batch_size=size, learning_rate=rate, seed=seed), epochs=epochs)
    loss = None if last.diverged_at is not None else last.train_loss
    return loss, last.test_accuracy or 0.0


def _median(values: list[float | None]) -> float | None:
    """The median; None if more than half are None."""
    ordered = sorted(float("inf") if value is None else value for value in values)
    middle = ordered[len(ordered) // 2]
    return None if middle == float("inf") else middle
