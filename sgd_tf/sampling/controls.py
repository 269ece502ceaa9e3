"""The controls of the page on sampling: each setting once, and the plan that they make for each experiment."""

from __future__ import annotations

from typing import Any

import streamlit as st

from sgd_tf.problems import CATALOGUE
from sgd_tf.sampling.rows import FloorPlan, GeniePlan, OrdersPlan, ShufflersPlan, SortedPlan
from sgd_tf.training.records import MAX_LEARNING_RATE
from sgd_tf.ui.language import _
from sgd_tf.ui.settings import Choice, Number, seed
from sgd_tf.words import N_

MAX_EPOCHS = OrdersPlan.num_epochs
MIN_N, MAX_N = 10, 300
WIDTH = 132  # px, of a number's control

PART = Choice(
    key="sampling_part",
    label=N_("What to look at"),
    options={
        "ways": N_("Five sampling methods"),
        "shufflers": N_("Two shufflers"),
        "floor": N_("The error floor"),
        "sorted": N_("Sorted data"),
        "genie": N_("Copied data"),
    },
    default="ways",
)

# The five ways to draw
SAMPLES = Number(key="sampling_n", label=N_("Samples N"), low=MIN_N, high=MAX_N, default=100)
BATCH_SIZE = Number(key="sampling_k", label=N_("Batch size k"), low=1, high=MAX_N, default=10)
BUFFER_SIZE = Number(key="sampling_b", label=N_("Buffer size b"), low=1, high=MAX_N, default=20)
SEED = seed("sampling_seed")
EPOCHS = Number(key="sampling_epochs", label=N_("Epoch e"), low=1, high=MAX_EPOCHS, default=1, widget="slider")

# The experiments
SEEDS = Choice(key="sampling_seeds", label=N_("Seeds"), options=("3", "5", "10"), default="5")
FLOOR_SIZE = Choice(key="sampling_floor_k", label=N_("Batch size k"), options=("1", "4", "8", "16"), default="8")
SORTED_BUFFER = Number(
    key="sampling_sorted_b",
    label=N_("Buffer size b"),
    low=1,
    high=CATALOGUE["digits"].num_examples,
    default=100,
)
SORTED_RATE = Number(
    key="sampling_sorted_rate", label=N_("Learning rate"), low=1e-3, high=MAX_LEARNING_RATE, default=0.1
)
SORTED_SIZE = Choice(key="sampling_sorted_k", label=N_("Batch size k"), options=("8", "32", "128"), default="32")
MEASURE = Choice(
    key="sampling_measure",
    label=N_("y-axis"),
    options={"test_accuracy": N_("Test accuracy"), "train_loss": N_("Training loss")},
    default="test_accuracy",
)
COPIES = Choice(key="sampling_copies", label=N_("Copies of each sample r"), options=("2", "4", "8"), default="4")
GENIE_SIZE = Choice(key="sampling_genie_k", label=N_("Batch size k of SGD"), options=("8", "32", "128"), default="32")
COUNTER = Choice(
    key="sampling_counter",
    label=N_("x-axis"),
    options={"examples": N_("Samples seen"), "update": N_("Updates"), "epoch": N_("Epochs")},
    default="examples",
)


def part() -> str:
    """Draw the choice of what to look at, and return it."""
    return PART.draw(label_visibility="collapsed")


def _row() -> Any:
    return st.container(horizontal=True, vertical_alignment="bottom")


def ways() -> tuple[OrdersPlan, int, int]:
    """Draw the controls of the five ways; return what is drawn, the batch size k and the epoch e that is shown."""
    with _row():
        num_examples = SAMPLES.draw(width=WIDTH)
        k = BATCH_SIZE.draw(high=num_examples, width=WIDTH)  # k = N is one minibatch
        buffer_size = BUFFER_SIZE.draw(width=WIDTH)
        plan = OrdersPlan(num_examples=num_examples, buffer_size=buffer_size, seed=SEED.draw(width=WIDTH))
        words = _("The pictures show epoch e, and rings for the epoch before it.")
        epochs = EPOCHS.draw(width=260, help=words)
    return plan, k, epochs


def _num_seeds() -> int:
    return int(SEEDS.draw(help=_("Runs of each kind. The band holds all of them.")))


def shufflers_plan() -> ShufflersPlan:
    """Draw the control of the two shufflers, and return what it says."""
    return ShufflersPlan(seed=SEED.draw(width=WIDTH))


def floor_plan() -> FloorPlan:
    """Draw the controls of the error floor, and return what they say."""
    with _row():
        return FloorPlan(batch_size=int(FLOOR_SIZE.draw()), num_seeds=_num_seeds())


def sorted_plan() -> SortedPlan:
    """Draw the controls of the sorted data, and return what they say."""
    with _row():
        return SortedPlan(
            buffer_size=SORTED_BUFFER.draw(width=WIDTH, step=50),
            learning_rate=SORTED_RATE.draw(width=WIDTH),
            batch_size=int(SORTED_SIZE.draw()),
            num_seeds=_num_seeds(),
        )


def genie_plan() -> GeniePlan:
    """Draw the controls of the genie, and return what they say."""
    with _row():
        return GeniePlan(num_copies=int(COPIES.draw()), batch_size=int(GENIE_SIZE.draw()), num_seeds=_num_seeds())
