"""Argument checks, and the one rule for the batch size k."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

BatchSize = int | Literal["all"]  # k, samples per parameter update; "all" is gradient descent


def check_int(name: str, value: Any, low: int, high: int | None = None) -> int:
    """Return ``value`` as an int, or say which argument is out of which range.

    Args:
        name: the argument's name, for the message.
        value: an int, or a NumPy integer.
        low: smallest allowed value.
        high: largest allowed value, or None for no limit.

    Raises:
        ValueError: if ``value`` is not an integer in [low, high].
    """
    if (
        isinstance(value, bool)
        or not isinstance(value, int | np.integer)
        or value < low
        or (high is not None and value > high)
    ):
        allowed = f"an integer of at least {low}" if high is None else f"an integer in [{low}, {high}]"
        raise ValueError(f"`{name}` must be {allowed}; received {value!r}.")
    return int(value)


def resolve_batch_size(num_examples: int, batch_size: BatchSize) -> int:
    """Batch size k as a number in [1, N].

    The package refuses k > N; a page that is asked for more takes N and says so.

    Raises:
        ValueError: if an argument is out of range.

    >>> resolve_batch_size(1437, "all")
    1437
    >>> resolve_batch_size(1437, 0)
    Traceback (most recent call last):
    ...
    ValueError: `batch_size` must be in [1, 1437] or "all"; received 0.
    """
    check_int("num_examples", num_examples, 1)
    if batch_size == "all":
        return num_examples
    try:
        return check_int("batch_size", batch_size, 1, num_examples)
    except ValueError:
        message = f'`batch_size` must be in [1, {num_examples}] or "all"; received {batch_size!r}.'
        raise ValueError(message) from None
