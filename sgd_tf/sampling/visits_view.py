"""The page on sampling: its controls, and the ledger of five ways to draw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf.problems import CATALOGUE
from sgd_tf.sampling import visit_counts, visits_chart
from sgd_tf.sampling.rows import OrdersPlan, draw_orders
from sgd_tf.training.records import MAX_LEARNING_RATE, Sampling
from sgd_tf.ui import address, experiment
from sgd_tf.ui.language import _, segments
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.words import N_

PARTS = {
    "ways": N_("Five ways to draw"),
    "floor": N_("The error floor"),
    "sorted": N_("Sorted data"),
    "genie": N_("The evil genie"),
}
WAYS: dict[Sampling, str] = {
    "reshuffle": N_("Reshuffled each epoch"),
    "shuffle_once": N_("Shuffled once"),
    "in_order": N_("In order"),
    "with_replacement": N_("With replacement"),
    "buffer": N_("Shuffle buffer"),
}
MEASURES = {"test_accuracy": N_("Test accuracy"), "train_loss": N_("Training loss")}
COUNTERS = {"examples": N_("Samples seen"), "update": N_("Updates"), "epoch": N_("Epochs")}

# What the learner may expect
MISSED = {
    "none": N_("None"),
    "tenth": N_("About a tenth"),
    "third": N_("About a third"),
    "half": N_("About half"),
}
MISSED_SHARES = {"none": 0.0, "tenth": 0.1, "third": 0.37, "half": 0.5}

MAX_EPOCHS = OrdersPlan.num_epochs
MIN_N, MAX_N = 10, 300
FLOOR_SIZES, SORTED_SIZES, GENIE_SIZES = ("1", "4", "8", "16"), ("8", "32", "128"), ("8", "32", "128")
COPIES, SEEDS = ("2", "4", "8"), ("3", "5", "10")

SETTINGS = (
    address.choice("sampling_part", "ways", PARTS),
    address.number("sampling_n", 100, MIN_N, MAX_N),
    address.number("sampling_k", 10, 1, MAX_N),
    address.number("sampling_b", 20, 1, MAX_N),
    address.number("sampling_epochs", 2, 1, MAX_EPOCHS),
    address.number("sampling_seed", 0, 0, 2**31 - 1),
    address.choice("sampling_floor_k", "8", FLOOR_SIZES),
    address.choice("sampling_sorted_k", "32", SORTED_SIZES),
    address.number("sampling_sorted_rate", 0.1, 1e-3, MAX_LEARNING_RATE),
    address.number("sampling_sorted_b", 100, 1, CATALOGUE["digits"].num_examples),
    address.choice("sampling_measure", "test_accuracy", MEASURES),
    address.choice("sampling_copies", "4", COPIES),
    address.choice("sampling_genie_k", "32", GENIE_SIZES),
    address.choice("sampling_counter", "examples", COUNTERS),
    address.choice("sampling_seeds", "5", SEEDS),
)
PLACES_HEIGHT, VISITS_HEIGHT, SHARES_HEIGHT = 220, 96, 220  # px


def part() -> str:
    """Draw the choice of what to look at, and return it."""
    address.restore(SETTINGS)
    segments(_("What to look at"), PARTS, "sampling_part", label_visibility="collapsed")
    return st.session_state["sampling_part"]


def numbers(label: str, options: tuple[str, ...], key: str, **rest: Any) -> int:
    """A few numbers to choose from."""
    st.segmented_control(label, list(options), key=key, required=True, persist_state="session", **rest)
    return int(st.session_state[key])


# The ledger


def ways_controls() -> None:
    """Draw the controls of the five ways."""
    if st.session_state["sampling_k"] > st.session_state["sampling_n"]:
        st.session_state["sampling_k"] = st.session_state["sampling_n"]  # k = N is one minibatch
    with st.container(horizontal=True, vertical_alignment="bottom"):
        _number(_("Samples N"), "sampling_n", MIN_N, MAX_N)
        _number(_("Batch size k"), "sampling_k", 1, st.session_state["sampling_n"])
        _number(_("Buffer size b"), "sampling_b", 1, MAX_N)
        _number(_("Seed"), "sampling_seed", 0, 2**31 - 1)
        st.slider(
            _("Epochs drawn e"),
            1,
            MAX_EPOCHS,
            key="sampling_epochs",
            persist_state="session",
            width=260,
            help=_("The pictures show the last of them, and rings for the one before it."),
        )
    address.publish(SETTINGS)


def _number(label: str, key: str, low: int, high: int) -> None:
    st.number_input(label, low, high, step=1, key=key, persist_state="session", width=132)


def orders() -> dict[Sampling, np.ndarray] | None:
    """The real orders of the pipeline in all five ways, (MAX_EPOCHS, N) each; None while they are drawn."""
    num_examples, buffer_size = st.session_state["sampling_n"], st.session_state["sampling_b"]
    rows = experiment.answer(
        "sampling_ledger",
        draw_orders,
        OrdersPlan(num_examples=num_examples, buffer_size=buffer_size, seed=st.session_state["sampling_seed"]),
        height=PLACES_HEIGHT + VISITS_HEIGHT + 60,
    )
    if rows is None:
        return None
    return {row.sampling: np.array(row.orders).reshape(MAX_EPOCHS, num_examples) for row in rows}


def missed_answer(drawn: Mapping[Sampling, np.ndarray]) -> str:
    """The option of MISSED that is closest to the share that drawing with replacement missed in epoch 1."""
    first = drawn["with_replacement"][:1]
    missed = visit_counts.missed_shares(first, first.size)[0]
    return min(MISSED_SHARES, key=lambda option: abs(MISSED_SHARES[option] - missed))


def five_ways(drawn: Mapping[Sampling, np.ndarray]) -> None:
    """Draw where each sample stood in the last epoch, and how often it was visited so far, in all five ways."""
    num_epochs = st.session_state["sampling_epochs"]
    counts = {way: visit_counts.visits(order[:num_epochs], order.shape[1]) for way, order in drawn.items()}
    most = max(int(count.max()) for count in counts.values())
    with st.container(key="sampling_ways"), st.grid(5, min_column_width=200, gap="small"):
        for way in WAYS:
            with st.container(gap="xsmall"):
                _way(way, drawn[way], counts[way], most)


def _way(way: Sampling, order: np.ndarray, counts: np.ndarray, most: int) -> None:
    num_epochs, k = st.session_state["sampling_epochs"], st.session_state["sampling_k"]
    num_examples, name = order.shape[1], _(WAYS[way])
    st.markdown(f"**{name}**")
    before = visit_counts.positions(order[num_epochs - 2], k) if num_epochs > 1 else None
    places = visits_chart.positions(
        visit_counts.positions(order[num_epochs - 1], k),
        sampling=way,
        num_examples=num_examples,
        before=before,
        buffer_size=st.session_state["sampling_b"] if way == "buffer" else None,
        theme=page_theme(PLACES_HEIGHT),
    )
    missed = int((counts == 0).sum())
    alt = _("{way}: the position of each of {n} samples in epoch {e}")
    show_chart(places, alt.format(way=name, n=num_examples, e=num_epochs), key=f"places_{way}")
    strip = visits_chart.visits(counts, sampling=way, max_visits=most, theme=page_theme(VISITS_HEIGHT))
    alt = _("{way}: visits of each sample after {e} epochs; {missed} of {n} were never visited")
    words = alt.format(way=name, e=num_epochs, missed=missed, n=num_examples)
    show_chart(strip, words, key=f"visits_{way}")
    lines = [_("Never visited: **{missed}** of {n}").format(missed=missed, n=num_examples)]
    if num_epochs > 1:
        same = visit_counts.same_places(order[num_epochs - 1], order[num_epochs - 2])
        text = _("Same place as in epoch {e}: **{same}** of {n}")
        lines.append(text.format(e=num_epochs - 1, same=same, n=num_examples))
    st.markdown("  \n".join(f":small[{line}]" for line in lines))


def missed_table(drawn: Mapping[Sampling, np.ndarray]) -> None:
    """Draw what drawing with replacement misses, measured next to expected."""
    num_epochs, order = st.session_state["sampling_epochs"], drawn["with_replacement"]
    num_examples = order.shape[1]
    measured = visit_counts.missed_shares(order[:num_epochs], num_examples)
    expected = [visit_counts.expected_missed_share(num_examples, e + 1) for e in range(num_epochs)]
    counts = np.bincount(visit_counts.visits(order[:num_epochs], num_examples))
    left, right = st.columns([1, 1.4], gap="medium")
    with left, st.container(key="sampling_missed"):
        st.markdown(_("**With replacement: never visited so far**"))
        table = pd.DataFrame(
            {
                _("After epoch"): [str(e + 1) for e in range(num_epochs)],
                _("Measured"): [f"{share:.1%}" for share in measured],
                _("Expected, (1 − 1/N)^(N e)"): [f"{share:.1%}" for share in expected],
            }
        )
        st.table(table.set_index(_("After epoch")))
    with right, st.container(key="sampling_visits"):
        max_visits = max(len(counts) - 1, 2 * num_epochs + 2)
        shares = pd.DataFrame(
            {
                "visits": range(max_visits + 1),
                "measured": np.pad(counts, (0, max_visits + 1 - len(counts))) / num_examples,
                "expected": visit_counts.expected_visit_shares(num_examples, num_epochs, max_visits),
            }
        )
        show_chart(
            visits_chart.visit_shares(shares, theme=page_theme(SHARES_HEIGHT)),
            _("Share of the samples that drawing with replacement visited 0, 1, 2, … times, and the expected one"),
            key="sampling_visit_shares",
        )


def ledger_code() -> str:
    """The code that draws what the five ways show."""
    state = st.session_state
    return f"""from sgd_tf import order

drawn = order({state["sampling_n"]}, {state["sampling_k"]}, sampling="reshuffle", seed={state["sampling_seed"]})
# or "shuffle_once", "in_order", "with_replacement", or "buffer" with buffer_size={state["sampling_b"]}
for epoch in range({state["sampling_epochs"]}):
    for minibatch in drawn:  # a tf.data pipeline: each iteration over it is an epoch
        print(epoch, minibatch.numpy())"""
