"""Recordings of the order in which `tf.data` draws samples."""

from __future__ import annotations

from typing import Any

NUM_SAMPLES = 24
NUM_EPOCHS = 3
BUFFERS = (1, 8, 24)


def shuffle() -> dict[str, Any]:
    """Three epochs of `Dataset.range(N).shuffle(buffer, reshuffle_each_iteration=…)` for several buffers."""
    orders = {}
    for buffer in BUFFERS:
        for reshuffle in (True, False):
            name = f"{buffer}, {'reshuffled' if reshuffle else 'shuffled once'}"
            orders[name] = epochs(buffer, reshuffle=reshuffle)
    return {"orders": orders, "images": digits()}


def epochs(buffer: int, *, reshuffle: bool, seed: int = 0) -> list[list[int]]:
    """The samples in the order in which each epoch draws them."""
    import tensorflow as tf

    dataset = tf.data.Dataset.range(NUM_SAMPLES).shuffle(buffer, seed=seed, reshuffle_each_iteration=reshuffle)
    return [[int(i) for i in dataset] for _epoch in range(NUM_EPOCHS)]


def digits() -> list[str]:
    """The first samples of scikit-learn's digits: 64 hexadecimal digits each, the ink of a pixel."""
    from sklearn.datasets import load_digits

    return [ink(image) for image in load_digits().data[:NUM_SAMPLES]]


def ink(image: Any) -> str:
    """An image as hexadecimal digits, one for each pixel, from its darkest to its brightest.

    >>> ink([0, 0.5, 1])
    '08f'
    """
    low, high = min(image), max(image)
    return "".join(f"{round(15 * float(pixel - low) / float(high - low)):x}" for pixel in image)
