"""Recordings of memory: updates with more and more samples under a limit, and the same update in parts."""

from __future__ import annotations

from typing import Any

LIMIT = 256 * 10**6  # bytes
SIZES = (1024, 8192, 32768, 65536, 131072, 261876)  # k
WHOLE = 131072
PARTS = (4, 8, 16)  # numbers of parts of it


def memory() -> dict[str, Any]:
    """Peak memory of an update of an MLP with 256 units on the flights."""
    from sgd_tf.memory.measure import Comparison, Trial, measure
    from sgd_tf.memory.rows import Difference, Measurement
    from sgd_tf.training.records import ModelConfig

    sizes = tuple(WHOLE // parts for parts in PARTS)
    whole = [Trial(batch_size=k) for k in SIZES]
    parts = [Trial(batch_size=WHOLE, micro_batch_size=m) for m in sizes]
    comparison = Comparison(batch_size=WHOLE, micro_batch_sizes=sizes)
    found: dict[str, Any] = {"limit": LIMIT, "whole": {}, "parts": {}}
    for row in measure("flights", ModelConfig(widths=(256,)), [*whole, *parts], comparison=comparison):
        if isinstance(row, Measurement):
            entry = {"bytes": row.num_bytes, "seconds": row.seconds}
            if row.micro_batch_size is None:
                found["whole"][str(row.batch_size)] = entry
            else:
                found["parts"][str(WHOLE // row.micro_batch_size)] = entry
        elif isinstance(row, Difference) and not row.batch_norm:
            found["parts"][str(WHOLE // row.micro_batch_size)]["difference"] = row.difference
    return found
