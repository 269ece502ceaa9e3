"""The warm-up of a worker: TensorFlow and the programs of the usual runs, before the first job."""

from __future__ import annotations

from collections.abc import Iterator

from sgd_tf import problems
from sgd_tf.training.records import BatchSize, ModelConfig, TrainConfig

BATCH_SIZES: tuple[BatchSize, ...] = ("all", 256, 32)  # contestants of the default race


def warm_up() -> Iterator[None]:
    """Import TensorFlow, then compile the contestants of the default race on the digits.

    Yields:
        None after each step; jobs go first in between.
    """
    from sgd_tf.training.run import train

    yield
    digits = problems.load("digits")
    for k in BATCH_SIZES:
        for _ in train(digits, TrainConfig(batch_size=k), model=ModelConfig(), seconds=0.01):
            pass
        yield
