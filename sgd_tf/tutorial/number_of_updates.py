"""Step 7: iterations per epoch, and updates in all."""

from __future__ import annotations

import math
from typing import Any

from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.tutorial.step import Deeper, Step
from sgd_tf.ui.film import picture
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _
from sgd_tf.ui.settings import Choice
from sgd_tf.words import N_

N, EPOCHS = 20_640, 4_000
SIZE = Choice(
    key="t7_k",
    label=N_("Batch size k"),
    options={"64": "64", "256": "256", "1024": "1,024", "4096": "4,096", "20640": "20,640 = N"},
    default="256",
)
FILLING = 12  # frames in which the first epoch passes
JUMPS = (2, 10, 100, 1_000, 4_000)  # epochs after it
STYLES: dict[str, dict[str, Any]] = {
    "w": {"fill": "surface", "edge": "line"},
    "u": {"fill": "#9AA0AC", "edge": "line", "alpha": 0.7},
    "d": {"fill": "drawn", "edge": "text", "text": "#171717"},
    "l": {"fill": "drawn", "edge": "alarm", "width": 3, "text": "#171717"},
    "L": {"fill": "#9AA0AC", "edge": "alarm", "width": 3, "alpha": 0.8},
}


def film(size: str) -> Film:
    """The minibatches of an epoch, one tile each; then epoch after epoch."""
    k = int(size)
    num = iterations_per_epoch(N, k)
    passed = sorted({max(1, round(num * (i + 1) / FILLING)) for i in range(FILLING)})
    frames = [(1, 0), *[(1, each) for each in passed], *[(epoch, num) for epoch in JUMPS]]
    updates = [(epoch - 1) * num + each for epoch, each in frames]
    return Film(
        panels=[_epoch(k, num, frames, updates)],
        frames=len(frames),
        seconds=track([1.2 if epoch > 1 or each in (0, num) else 0.5 for epoch, each in frames]),
        captions=track([_caption(k, num, epoch, each) for epoch, each in frames]),
        alt=_("The minibatches of an epoch as tiles, the last one smaller, and a counter of updates."),
        note=_("Counted, not trained: 20,640 is the number of California's house prices."),
        caption_lines=1,
    )


def last_size(k: int) -> int:
    """Samples in the last minibatch of an epoch."""
    return N - (iterations_per_epoch(N, k) - 1) * k


def _caption(k: int, num: int, epoch: int, passed: int) -> str:
    if epoch > 1:
        text = _("After epoch {epoch}: {epoch} × {num} = {updates} updates.")
        return text.format(epoch=f"{epoch:,}", num=num, updates=f"{epoch * num:,}")
    if passed == 0:
        return _("20,640 samples wait.")
    if passed < num:
        return _("{passed} minibatches of {k} samples: {passed} updates.").format(passed=passed, k=f"{k:,}")
    if last_size(k) == k:
        return _("Epoch 1 is over after {num} updates.").format(num=num)
    return _("The last minibatch has only {last} samples left. It counts: update {num}.").format(
        last=f"{last_size(k):,}", num=num
    )


def _epoch(k: int, num: int, frames: list[tuple[int, int]], updates: list[int]) -> dict[str, Any]:
    columns = math.ceil(math.sqrt(num * 60 / 38))
    rows = -(-num // columns)
    size = min(60 / columns, 38 / rows, 16)
    slots = picture.grid(num, columns, size=size, left=2, top=6)
    states = []
    for epoch, passed in frames:
        row = ["u" if i < passed - 1 else "d" if i == passed - 1 else "w" for i in range(num)]
        if last_size(k) < k and passed == num:
            row[-1] = "l" if epoch == 1 else "L"
        states.append("".join(row))
    tiles = picture.tiles(size, slots=slots, at=list(range(num)), states=track(states), styles=STYLES)
    labels = [f"{k:,}"] * (num - 1) + [f"{last_size(k):,}"] if num < 30 else [""] * num
    return picture.panel(
        (100, 45),
        picture.text((2, 3), _("One epoch: {num} minibatches").format(num=num), weight=600),
        tiles | {"labels": labels},
        picture.text(
            (68, 12), track([_("epoch {epoch}").format(epoch=f"{epoch:,}") for epoch, _passed in frames]), color="muted"
        ),
        picture.text((68, 25), _("updates"), color="muted"),
        picture.text((68, 19), track([f"{each:,}" for each in updates]), size="huge"),
    )


def explain(size: str) -> str:
    """The two steps of the sum."""
    k = int(size)
    num = iterations_per_epoch(N, k)
    text = _(
        "N/k = 20,640/{k} = {quotient}, rounded up {num} iterations per epoch, the last with {last} samples. In 4,000 "
        "epochs that makes {updates} updates. Keras shows {num}/{num} while it trains: it counts minibatches, not "
        "samples."
    )
    words = text.format(
        k=f"{k:,}", quotient=f"{N / k:.5g}", num=num, last=f"{last_size(k):,}", updates=f"{num * EPOCHS:,}"
    )
    if k != 256:
        words += " " + _("With k = 256 it is 81 × 4,000 = 324,000.")
    return words


def code(size: str) -> str:
    """The pipeline counts, too."""
    return f"""\
dataset = tf.data.Dataset.range(20_640).batch({int(size):_})
print(len(dataset))  # iterations per epoch
print([len(minibatch) for minibatch in dataset][-1])  # samples in the last one
print(4_000 * len(dataset))  # updates in 4,000 epochs"""


def deeper(size: str) -> Deeper:
    """The calculator."""
    del size
    return Deeper(page="learn/what_is_sgd")


STEP = Step(
    key="number_of_updates",
    teaches="C8, C9",
    controls=(SIZE,),
    film=film,
    question=N_("20,640 samples, k = 256, 4,000 epochs: how many updates?"),
    options={"a": "320,000", "b": "322,500", "c": "324,000", "d": "82,560,000"},
    right="c",
    explain=explain,
    code=code,
    deeper=deeper,
)
