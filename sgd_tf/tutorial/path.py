"""The steps of the tutorial, in their order."""

from __future__ import annotations

from sgd_tf.tutorial import (
    batch_size_and_rate,
    faster,
    k_samples,
    memory_limit,
    more_devices,
    number_of_updates,
    one_update,
    shuffled_epochs,
    two_loops,
    updates_per_second,
    which_k,
    without_replacement,
)
from sgd_tf.tutorial.step import Step

STEPS: tuple[Step, ...] = (
    one_update.STEP,
    memory_limit.STEP,
    updates_per_second.STEP,
    k_samples.STEP,
    without_replacement.STEP,
    shuffled_epochs.STEP,
    number_of_updates.STEP,
    two_loops.STEP,
    faster.STEP,
    batch_size_and_rate.STEP,
    which_k.STEP,
    more_devices.STEP,
)
