"""Five sampling methods side by side, and the prediction about drawing with replacement."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf.sampling import verdict, visit_counts, visits_chart, wording
from sgd_tf.sampling.rows import OrdersPlan, draw_orders
from sgd_tf.training.records import Sampling
from sgd_tf.ui import progress, trial
from sgd_tf.ui.language import _
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Verdict, judge
from sgd_tf.words import N_

WAYS: dict[Sampling, str] = {
    "reshuffle": N_("Reshuffled each epoch"),
    "shuffle_once": N_("Shuffled once"),
    "in_order": N_("In order"),
    "with_replacement": N_("With replacement"),
    "buffer": N_("Shuffle buffer"),
}

# What the learner may expect
MISSED = {
    "none": N_("None"),
    "tenth": N_("About a tenth"),
    "third": N_("About a third"),
    "half": N_("About half"),
}

PLACES_HEIGHT, VISITS_HEIGHT, SHARES_HEIGHT = 220, 96, 220  # px


def predict() -> str | None:
    """Ask how many samples drawing with replacement misses; return the option chosen."""
    question = _("Predict: with replacement, N draws from N samples. How many samples does one epoch never draw?")
    return trial.predict(question, MISSED, key="sampling_ways_guess")


def orders(plan: OrdersPlan) -> dict[Sampling, np.ndarray] | None:
    """The real orders of the pipeline in all five ways, (plan.num_epochs, N) each; None while they are drawn."""
    height = PLACES_HEIGHT + VISITS_HEIGHT + 60
    rows = progress.answer("sampling_ledger", draw_orders, plan, height=height, is_recorded=True)
    if rows is None:
        return None
    return {row.sampling: np.array(row.orders).reshape(plan.num_epochs, plan.num_examples) for row in rows}


def answer(guess: str | None, drawn: Mapping[Sampling, np.ndarray]) -> None:
    """Hold the guess against what drawing with replacement missed; nothing is drawn without a guess."""
    if guess:
        says = verdict.missed(drawn["with_replacement"])
        judge(guess, Verdict(text=wording.missed(says), answer=says.answer), MISSED)


def may_see(guess: str | None) -> bool:
    """Whether the pictures and numbers that answer the prediction are drawn: after it, or after "Show it now"."""
    return guess is not None or st.session_state.get("sampling_ways_shown", False)


def _show() -> None:
    st.session_state["sampling_ways_shown"] = True


def five_ways(
    drawn: Mapping[Sampling, np.ndarray], plan: OrdersPlan, batch_size: int, num_epochs: int, with_answer: bool
) -> None:
    """Draw the position of each sample in an epoch, and its number of draws so far, in all five ways.

    Args:
        drawn: orders by way of drawing.
        plan: of the orders.
        batch_size: k.
        num_epochs: so far; the last of them is shown.
        with_answer: whether drawing with replacement is drawn, which answers the prediction.
    """
    counts = {way: visit_counts.visits(order[:num_epochs], plan.num_examples) for way, order in drawn.items()}
    most = max(int(count.max()) for count in counts.values())
    with st.container(key="sampling_ways"), st.grid(5, min_column_width=200, gap="small"):
        for way, name in WAYS.items():
            with st.container(gap="xsmall"):
                st.markdown(f"**{_(name)}**")
                if way == "with_replacement" and not with_answer:
                    st.info(_("Predict first: these pictures are the answer."))
                    st.button(_("Show it now"), key="sampling_ways_show", on_click=_show)
                    continue
                _places(way, drawn[way][:num_epochs], batch_size, plan.buffer_size)
                _visits(way, counts[way], most, num_epochs)
                _facts(drawn[way][:num_epochs], counts[way])
    progress.cite(draw_orders, plan)


def _places(way: Sampling, order: np.ndarray, batch_size: int, buffer_size: int) -> None:
    """Draw the position of each sample in the last epoch, and in the one before it."""
    num_epochs, num_examples = order.shape
    places = visits_chart.positions(
        visit_counts.positions(order[-1], batch_size),
        sampling=way,
        num_examples=num_examples,
        before=visit_counts.positions(order[-2], batch_size) if num_epochs > 1 else None,
        buffer_size=buffer_size if way == "buffer" else None,
        theme=page_theme(PLACES_HEIGHT),
    )
    words = _("{way}: the position of each of {n} samples in epoch {e}")
    show_chart(places, words.format(way=_(WAYS[way]), n=num_examples, e=num_epochs), key=f"places_{way}")


def _visits(way: Sampling, counts: np.ndarray, most: int, num_epochs: int) -> None:
    """Draw the number of draws of each sample so far."""
    strip = visits_chart.visits(counts, sampling=way, max_visits=most, theme=page_theme(VISITS_HEIGHT))
    words = _("{way}: draws of each sample up to epoch {e}; {missed} of {n} were never drawn")
    missed = int((counts == 0).sum())
    show_chart(
        strip,
        words.format(way=_(WAYS[way]), e=num_epochs, missed=missed, n=len(counts)),
        key=f"visits_{way}",
    )


def _facts(order: np.ndarray, counts: np.ndarray) -> None:
    """Write what one way has missed, and what it repeats."""
    num_epochs, num_examples = order.shape
    missed = int((counts == 0).sum())
    lines = [_("Never drawn: **{missed}** of {n}").format(missed=missed, n=num_examples)]
    if num_epochs > 1:
        same = visit_counts.same_places(order[-1], order[-2])
        text = _("Same position as in epoch {e}: **{same}** of {n}")
        lines.append(text.format(e=num_epochs - 1, same=same, n=num_examples))
    st.markdown("  \n".join(f":small[{line}]" for line in lines))


def missed_table(drawn: Mapping[Sampling, np.ndarray], num_epochs: int) -> None:
    """Draw what drawing with replacement misses, measured next to expected."""
    order = drawn["with_replacement"]
    num_examples = order.shape[1]
    measured = visit_counts.missed_shares(order[:num_epochs], num_examples)
    expected = [visit_counts.expected_missed_share(num_examples, e + 1) for e in range(num_epochs)]
    counts = np.bincount(visit_counts.visits(order[:num_epochs], num_examples))
    left, right = st.columns([1, 1.4], gap="medium")
    with left, st.container(key="sampling_missed"):
        st.markdown(_("**With replacement: never drawn so far**"))
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
            _("Share of the samples that were drawn 0, 1, 2, … times with replacement, and the expected share"),
            key="sampling_visit_shares",
        )


def ledger_code(plan: OrdersPlan, batch_size: int, num_epochs: int) -> str:
    """The code that draws what the five ways show."""
    return f"""from sgd_tf import order

drawn = order({plan.num_examples}, {batch_size}, sampling="reshuffle", seed={plan.seed})
# or "shuffle_once", "in_order", "with_replacement", or "buffer" with buffer_size={plan.buffer_size}
for epoch in range({num_epochs}):
    for minibatch in drawn:  # a tf.data pipeline: each iteration over it is an epoch
        print(epoch, minibatch.numpy())"""
