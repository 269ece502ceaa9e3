"""The two shufflers side by side: a film of their orders, their law, and the time of an epoch."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from sgd_tf.jobs.rows import table
from sgd_tf.recordings import recorded
from sgd_tf.sampling import plain, rows, verdict, wording
from sgd_tf.sampling.rows import OrdersPlan, ShuffledEpochs, ShufflersPlan, ShuffleTime
from sgd_tf.training.records import Shuffler
from sgd_tf.ui.film import picture, player
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits
from sgd_tf.ui.trial import Trial, Verdict
from sgd_tf.words import N_

NAMES: dict[Shuffler, str] = {"permutation": N_("One permutation per epoch"), "dataset": "Dataset.shuffle(N)"}
FASTER: dict[str, str] = {**{str(name): title for name, title in NAMES.items()}, "same": N_("Both take about as long")}
COLUMNS = 8
STYLES: dict[str, dict[str, Any]] = {
    "d": {"fill": "drawn", "edge": "text", "text": "#171717"},
    "w": {"fill": "surface", "edge": "line"},
}
FIRST = 6  # samples of the first minibatch, in yellow


def orders_film(found: list[ShuffledEpochs]) -> Film:
    """The samples move to their places in the next epoch, drawn by each shuffler."""
    panels = []
    for row in found:
        places = [sorted(range(len(order)), key=order.__getitem__) for order in row.orders]
        slots = picture.grid(len(places[0]), COLUMNS, size=4.6, top=4, gap=0.4)
        states = ["".join("d" if place < FIRST else "w" for place in epoch) for epoch in places]
        tiles = picture.tiles(4.6, slots=slots, at=track(places), styles=STYLES, states=track(states))
        labels = {"labels": [str(sample) for sample in range(len(places[0]))]}
        title = picture.text((0, 1.6), _(NAMES[row.shuffler]), weight=600)
        panels.append(picture.panel((40, 19.5), title, tiles | labels, least=240))
    num = len(found[0].orders)
    return Film(
        panels=panels,
        frames=num,
        seconds=1.8,
        captions=track([_("Epoch {e}: the first minibatch in yellow.").format(e=e + 1) for e in range(num)]),
        caption_lines=1,
        alt=_("Tiles with the numbers of samples in the order of each epoch, one panel for each shuffler."),
    )


def _picture(_plan: ShufflersPlan, found: list[Any]) -> None:
    drawn = [row for row in found if isinstance(row, ShuffledEpochs)]
    if drawn:
        with st.container(key="sampling_shufflers_film"):
            player.show(orders_film(drawn), key="sampling_shufflers_player")
        with st.container(key="sampling_shufflers_law"):
            st.table(_law_table(drawn))
    times = table(found, ShuffleTime)
    if len(times):
        with st.container(key="sampling_shufflers_times"):
            st.table(_time_table(times))


def _law_table(drawn: list[ShuffledEpochs]) -> pd.DataFrame:
    each, yes, no = _("Each epoch holds each sample once"), _("yes"), _("no")
    lines = {
        _(NAMES[row.shuffler]): {
            each: yes if row.are_permutations else no,
            _("Positions uniform, χ²: p"): digits(row.positions, 2),
            _("Next epoch independent, χ²: p"): digits(row.independence, 2),
        }
        for row in drawn
    }
    return pd.DataFrame(lines).T


def _time_table(times: pd.DataFrame) -> pd.DataFrame:
    medians = times.groupby(["num_examples", "shuffler"])["seconds"].median()
    lines = {}
    for size in times["num_examples"].unique():
        values = {name: medians.get((size, name)) for name in NAMES}
        lines[f"N = {size:,}"] = {
            _(NAMES[name]): "–" if seconds is None else f"{digits(1e3 * seconds, 2)} ms"
            for name, seconds in values.items()
        }
    return pd.DataFrame(lines).T.rename_axis(_("Time to draw an epoch"))


def _verdict(plan: ShufflersPlan, found: list[Any]) -> Verdict | None:
    says = verdict.shufflers(plan, table(found, ShuffleTime))
    answer = None if isinstance(says, verdict.Unfinished) else says.answer
    return Verdict(text=wording.shufflers(says), answer=answer)


SHUFFLERS: Trial[ShufflersPlan, ShuffledEpochs | ShuffleTime] = Trial(
    kind="sampling_shufflers",
    run=rows.compare_shufflers,
    recorded=recorded(rows.compare_shufflers),
    question=N_("Predict: which one draws an epoch of 60,000 samples in less time?"),
    options=FASTER,
    seconds=lambda _plan: 30.0,
    settings=lambda plan: f"N = {plan.num_examples} · " + _("seed {n}").format(n=plan.seed),
    progress=lambda plan, found: min(1.0, len(found) / plan.num_rows),
    verdict=_verdict,
    picture=_picture,
)


def code(plan: ShufflersPlan) -> str:
    """The code that draws both orders, and tests their law."""
    return f"""from sgd_tf.sampling.shufflers import epoch_orders, from_epoch_to_epoch, uniformity

for shuffler in ("permutation", "dataset"):  # dataset: tf.data.Dataset.shuffle(N, reshuffle_each_iteration=True)
    orders = epoch_orders({plan.num_examples}, {plan.num_epochs}, shuffler=shuffler, seed={plan.seed})
    print(shuffler, uniformity(orders), uniformity(from_epoch_to_epoch(orders)))"""


def plain_orders(plan: ShufflersPlan) -> str | None:
    """The orders in plain TensorFlow, the first minibatch as in the film."""
    N = plan.num_examples
    return plain.orders(OrdersPlan(num_examples=N, buffer_size=N, seed=plan.seed), FIRST, 3)
