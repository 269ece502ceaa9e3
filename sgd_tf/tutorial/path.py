"""The steps of the tutorial, in their order."""

from __future__ import annotations

from sgd_tf.tutorial import shuffled_epochs
from sgd_tf.tutorial.step import Step

STEPS: tuple[Step, ...] = (shuffled_epochs.STEP,)
