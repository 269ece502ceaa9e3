"""A calculator: the iterations of an epoch, the updates of a run, the last minibatch."""

from __future__ import annotations

import streamlit as st

from sgd_tf.training import counting
from sgd_tf.ui.language import _
from sgd_tf.ui.settings import Number
from sgd_tf.words import N_

SETTINGS = (
    Number(key="count_n", label=N_("Samples N"), low=1, high=1_000_000, default=20_640),
    Number(key="count_k", label=N_("Batch size k"), low=1, high=1_000_000, default=256),
    Number(key="count_epochs", label=N_("Epochs"), low=1, high=100_000, default=4_000),
)


def calculator() -> None:
    """N, k and epochs in; iterations per epoch, updates and the last minibatch out."""
    with st.container(horizontal=True, key="count_controls"):
        n, k, epochs = (setting.draw(width=180) for setting in SETTINGS)
    if k > n:
        text = _("k = {k} is taken as N = {n}: gradient descent.")
        st.caption(text.format(k=f"{k:,}", n=f"{n:,}"))
        k = n
    iterations = counting.iterations_per_epoch(n, k)
    updates = counting.num_updates(n, k, epochs)
    rest = counting.last_minibatch_size(n, k)
    _formula(n, k, epochs)
    with st.container(horizontal=True, key="count_results"):
        st.metric(_("Iterations per epoch"), f"{iterations:,}", width="content")
        st.metric(_("Updates in all"), f"{updates:,}", width="content")
        st.metric(_("Samples in the last minibatch"), f"{rest:,}", width="content")
    if rest == k:
        text = _("k divides N. Samples in every minibatch: {k}.")
    else:
        text = _("k does not divide N. Samples in a minibatch: {k}; in the last one of each epoch: {rest}.")
    st.caption(text.format(k=f"{k:,}", rest=f"{rest:,}"))


def _formula(n: int, k: int, epochs: int) -> None:
    """⌈N/k⌉ × epochs with these numbers, step by step."""
    iterations, updates = counting.iterations_per_epoch(n, k), counting.num_updates(n, k, epochs)
    with st.container(key="count_formula"):
        word = _("epochs")
        shown = {"n": n, "k": k, "e": epochs, "i": iterations, "u": updates}
        t = {name: f"{value:,}".replace(",", "{,}") for name, value in shown.items()}
        # Within a line, since the box of a formula of its own can scroll, but not be reached by keyboard.
        st.markdown(
            rf"$\begin{{aligned}}\left\lceil \frac{{N}}{{k}} \right\rceil \times \text{{{word}}}"
            rf" &= \left\lceil \frac{{{t['n']}}}{{{t['k']}}} \right\rceil \times {t['e']}"
            rf" \\ &= {t['i']} \times {t['e']} \\ &= \mathbf{{{t['u']}}}\end{{aligned}}$"
        )
