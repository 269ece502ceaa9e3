"""Step 5: drawing with and without replacement."""

from __future__ import annotations

from typing import Any

import numpy as np

from sgd_tf.tutorial.step import Deeper, Step
from sgd_tf.ui.film import picture
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _
from sgd_tf.ui.settings import Choice
from sgd_tf.words import N_

N = 100
PER_FRAME = 5  # draws
EPOCHS = Choice(key="t5_epochs", label=N_("Draws"), options={"1": "100 = N", "2": "200", "3": "300"}, default="1")
METHODS = ("with", "without")
MOST = 4  # visits that have a colour of their own
STYLES: dict[str, dict[str, Any]] = {
    "0": {"fill": "surface", "edge": "alarm"},
    "1": {"fill": "#CFC3E6", "edge": "line", "text": "#171717"},
    "2": {"fill": "#9F86CB", "edge": "line", "text": "#171717"},
    "3": {"fill": "#6F4BAF", "edge": "line", "text": "#FFFFFF"},
    "4": {"fill": "#432878", "edge": "line", "text": "#FFFFFF"},
    "d": {"fill": "drawn", "edge": "text", "text": "#171717"},
}


def draws(method: str, epochs: int) -> np.ndarray:
    """Samples in the order of their draws: independent ones, or a new permutation for each N of them."""
    generator = np.random.default_rng(0)
    if method == "with":
        return generator.integers(N, size=N * epochs)
    return np.concatenate([generator.permutation(N) for _epoch in range(epochs)])


def visits(method: str, epochs: int, num_draws: int) -> np.ndarray:
    """How often each sample has come in the first draws."""
    return np.bincount(draws(method, epochs)[:num_draws], minlength=N)


def film(epochs: str) -> Film:
    """Two grids of the same 100 samples, which darken with each visit."""
    num = int(epochs)
    counts = [draw * PER_FRAME for draw in range(N * num // PER_FRAME + 1)]
    missing = {method: [int((visits(method, num, count) == 0).sum()) for count in counts] for method in METHODS}
    text = _("{draws} draws. Never drawn: {with_} with replacement, {without} without.")
    captions = [
        text.format(draws=count, with_=missing["with"][i], without=missing["without"][i])
        for i, count in enumerate(counts)
    ]
    return Film(
        panels=[_grid(method, num, counts, missing[method]) for method in METHODS],
        frames=len(counts),
        seconds=track([0.45 if num == 1 else 0.25] * len(counts)),
        captions=track(captions),
        alt=_("Two grids of 100 samples, drawn with and without replacement; each shows how often it was drawn."),
        note=_("Drawn now with NumPy, seed 0. Yellow: the latest draws. Red frame: not drawn yet."),
        caption_lines=1,
    )


def _grid(method: str, epochs: int, counts: list[int], missing: list[int]) -> dict[str, Any]:
    order = draws(method, epochs)
    states, labels = [], []
    for count in counts:
        times = np.bincount(order[:count], minlength=N)
        latest = set(order[max(count - PER_FRAME, 0) : count].tolist())
        states.append("".join("d" if i in latest else str(min(times[i], MOST)) for i in range(N)))
        labels.append([str(each) if each > 1 else "" for each in times.tolist()])
    size = 3.65
    slots = picture.grid(N, 10, size=size, left=2, top=5.5)
    tiles = picture.tiles(size, slots=slots, at=list(range(N)), states=track(states), styles=STYLES)
    title = _("with replacement") if method == "with" else _("without replacement")
    counted = [_("never drawn: {n}").format(n=each) for each in missing]
    return picture.panel(
        (48, 48.5),
        picture.text((2, 3), title, weight=600),
        tiles | {"labels": track(labels)},
        picture.text((2, 45.5), track(counted), size="big", color="alarm" if method == "with" else "text"),
        least=170,
    )


def explain(epochs: str) -> str:
    """How many were never drawn, here and by the formula."""
    num = int(epochs)
    found = int((visits("with", num, N * num) == 0).sum())
    share = (1 - 1 / N) ** (N * num)
    text = _(
        "After {draws} draws with replacement {found} of 100 samples were never drawn. The formula (1 − 1/N)^{draws} "
        "gives {expected} %. Without replacement nobody is left out: each sample was drawn {epochs}×."
    )
    words = text.format(draws=N * num, found=found, expected=f"{100 * share:.1f}", epochs=num)
    if num > 1:
        first = int((visits("with", num, N) == 0).sum())
        words += " " + _("After the first 100 draws it was {first}.").format(first=first)
    return words


def code(epochs: str) -> str:
    """Both ways to draw, and who was never drawn."""
    size = "N" if epochs == "1" else f"{epochs} * N"
    return f"""\
with_replacement = tf.random.uniform([{size}], maxval=N, dtype=tf.int64)
without = tf.data.Dataset.range(N).shuffle(N, reshuffle_each_iteration=True).repeat({epochs})
for drawn in (with_replacement.numpy(), np.array(list(without.as_numpy_iterator()))):
    print("never drawn:", N - len(np.unique(drawn)), "of", N)"""


def deeper(epochs: str) -> Deeper:
    """How samples are drawn, with as many epochs."""
    return Deeper(page="learn/sampling", address={"sampling_part": "ways", "sampling_epochs": epochs})


STEP = Step(
    key="without_replacement",
    teaches="C5",
    controls=(EPOCHS,),
    film=film,
    question=N_("100 draws with replacement from 100 samples: how many are never drawn?"),
    options={"a": N_("None"), "b": N_("About 10"), "c": N_("About 37"), "d": N_("About 63")},
    right="c",
    explain=explain,
    code=code,
    deeper=deeper,
)
