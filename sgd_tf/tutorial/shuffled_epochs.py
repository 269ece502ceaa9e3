"""Step 6: one pass over a new order is an epoch; `Dataset.shuffle` draws it."""

from __future__ import annotations

from typing import Any

from sgd_tf.recordings import load
from sgd_tf.tutorial.step import Deeper, Step
from sgd_tf.ui.film import picture
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _
from sgd_tf.ui.settings import Choice
from sgd_tf.words import N_

N, K, NUM_EPOCHS = 24, 6, 3
NUM_ITERATIONS = N // K
FOLLOWED = 7  # the sample with a frame of its own

RESHUFFLE = Choice(
    key="t6_reshuffle",
    label="reshuffle_each_iteration",
    options={"on": "True", "off": "False"},
    default="on",
)
BUFFER = Choice(
    key="t6_buffer",
    label=N_("Shuffle buffer"),
    options={"24": N_("24 = N"), "8": "8", "1": "1"},
    default="24",
)

WAITING, DRAWN, USED, HIDDEN = "w", "d", "u", "h"
STYLES: dict[str, dict[str, Any]] = {
    "w": {"fill": "#C9D3E6", "edge": "line"},
    "d": {"fill": "drawn", "edge": "text"},
    "u": {"fill": "#9AA0AC", "edge": "line", "alpha": 0.45},
    "h": {"fill": "surface", "alpha": 0.35, "ink": 0},
    "W": {"fill": "#C9D3E6", "edge": "alarm", "width": 3},
    "D": {"fill": "drawn", "edge": "alarm", "width": 3},
    "U": {"fill": "#9AA0AC", "edge": "alarm", "width": 3, "alpha": 0.7},
}


def orders(reshuffle: str, buffer: str) -> list[list[int]]:
    """The recorded order of each epoch."""
    return load("shuffle").data["orders"][f"{buffer}, {'reshuffled' if reshuffle == 'on' else 'shuffled once'}"]


def same_place(reshuffle: str, buffer: str) -> int:
    """How many samples stand in epoch 2 where they stood in epoch 1."""
    first, second, *_rest = orders(reshuffle, buffer)
    return sum(one == other for one, other in zip(first, second, strict=True))


def moments() -> list[tuple[int, int]]:
    """The frames: epoch and iteration, -1 before the first and NUM_ITERATIONS after the last of an epoch."""
    return [(epoch, iteration) for epoch in range(NUM_EPOCHS) for iteration in range(-1, NUM_ITERATIONS + 1)]


def film(reshuffle: str, buffer: str) -> Film:
    """Samples wait, pass through the model in minibatches, are used up, and come back for the next epoch."""
    drawn = orders(reshuffle, buffer)
    frames = moments()
    captions = [_caption(drawn, epoch, iteration) for epoch, iteration in frames]
    return Film(
        panels=[_flow(drawn, frames), _orders(drawn, frames)],
        frames=len(frames),
        caption_lines=1,
        seconds=track([1.6 if iteration in (-1, NUM_ITERATIONS) else 1.1 for _epoch, iteration in frames]),
        captions=track(captions),
        alt=_("24 samples pass through a model in minibatches of 6; below, the order of each of 3 epochs."),
        note=_(
            "The orders are those that TensorFlow drew with these settings. The frame marks one and the same sample."
        ),
    )


def _caption(drawn: list[list[int]], epoch: int, iteration: int) -> str:
    if iteration == -1:
        if epoch == 0:
            return _("Epoch 1: all 24 samples wait.")
        if drawn[epoch] == drawn[epoch - 1]:
            return _("Epoch {epoch}: all 24 are back, in the same order as before.").format(epoch=epoch + 1)
        return _("Epoch {epoch}: all 24 are back, and a new order is drawn.").format(epoch=epoch + 1)
    if iteration == NUM_ITERATIONS:
        return _("Every sample has been used once: epoch {epoch} is over.").format(epoch=epoch + 1)
    text = _("Epoch {epoch}, iteration {iteration} of 4: 6 samples, one update. {left} samples still wait.")
    if iteration == NUM_ITERATIONS - 1:
        text = _("Epoch {epoch}, iteration {iteration} of 4: the last 6 samples, one update.")
    return text.format(epoch=epoch + 1, iteration=iteration + 1, left=N - (iteration + 1) * K)


def _state(drawn: list[list[int]], epoch: int, iteration: int) -> tuple[list[int], str]:
    """Slot and style of each sample: slots 0–23 wait, then 6 of the minibatch, then 24 used."""
    at, styles = [0] * N, [WAITING] * N
    for place, sample in enumerate(drawn[epoch]):
        its_iteration, seat = divmod(place, K)
        if its_iteration > iteration:
            at[sample], styles[sample] = sample, WAITING
        elif its_iteration == iteration:
            at[sample], styles[sample] = N + seat, DRAWN
        else:
            at[sample], styles[sample] = N + K + place, USED
    styles[FOLLOWED] = styles[FOLLOWED].upper()
    return at, "".join(styles)


def _flow(drawn: list[list[int]], frames: list[tuple[int, int]]) -> dict[str, Any]:
    size, top = 4.7, 6.5
    slots = [
        *picture.grid(N, 6, size=size, left=1, top=top, gap=0.3),
        *picture.grid(K, 2, size=size, left=44.25, top=top + 0.8, gap=1.6),
        *picture.grid(N, 6, size=size, left=67, top=top, gap=0.3),
    ]
    states = [_state(drawn, epoch, iteration) for epoch, iteration in frames]
    learns = [float(0 <= iteration < NUM_ITERATIONS) for _epoch, iteration in frames]
    counts = [str(epoch * NUM_ITERATIONS + min(iteration + 1, NUM_ITERATIONS)) for epoch, iteration in frames]
    tiles = picture.tiles(
        size,
        slots=slots,
        at=track([at for at, _styles in states]),
        states=track([s for _at, s in states]),
        styles=STYLES,
    )
    return picture.panel(
        (100, 31.5),
        picture.text((1, 3), _("not yet used"), color="muted"),
        picture.text((67, 3), _("used up"), color="muted"),
        picture.box((40.5, top - 1, 18, 21), "", glow=track(learns), fill="surface"),
        picture.text((49.5, 3), _("minibatch, k = 6"), align="center", color="muted"),
        picture.text((37, top + 10), "→", align="center", size="big", color="muted"),
        picture.text((62.8, top + 10), "→", align="center", size="big", color="muted"),
        tiles | {"images": load("shuffle").data["images"], "turn": track([drawn[epoch] for epoch, _i in frames])},
        picture.text((49.5, 29.3), track([_("updates: {n}").format(n=n) for n in counts]), align="center", weight=650),
        least=1200,
    )


def _orders(drawn: list[list[int]], frames: list[tuple[int, int]]) -> dict[str, Any]:
    size, left = 3.33, 15.4
    slots = [
        (left + (size + 0.1) * place + 0.35 * (place // K), 1.5 + 4.6 * row)
        for row in range(NUM_EPOCHS)
        for place in range(N)
    ]
    images = load("shuffle").data["images"]
    shown = [images[sample] for order in drawn for sample in order]
    states = []
    for epoch, iteration in frames:
        row = [HIDDEN] * (N * NUM_EPOCHS)
        for place in range(epoch * N + min(max(iteration + 1, 0), NUM_ITERATIONS) * K):
            is_now = place // K == epoch * NUM_ITERATIONS + iteration
            row[place] = DRAWN if is_now else WAITING
        for each, order in enumerate(drawn):
            place = each * N + order.index(FOLLOWED)
            row[place] = row[place].upper() if row[place] != HIDDEN else HIDDEN
        states.append("".join(row))
    tiles = picture.tiles(size, slots=slots, at=list(range(len(slots))), states=track(states), styles=STYLES)
    names = [
        picture.text((0.8, 3.3 + 4.6 * row), _("epoch {epoch}").format(epoch=row + 1), color="muted")
        for row in range(NUM_EPOCHS)
    ]
    return picture.panel((100, 14), *names, tiles | {"images": shown}, least=1200)


def explain(reshuffle: str, buffer: str) -> str:
    """What the orders on the screen show."""
    same = same_place("off", "24")
    text = _(
        "With `False` the order is drawn once and repeated: {same} of 24 samples keep their place from epoch 1 to "
        "epoch 2. With `True`, {moved} of 24 have moved."
    ).format(same=same, moved=N - same_place("on", "24"))
    if buffer == "1":
        text += " " + _("A buffer of 1 shuffles nothing: it hands on the one sample that it holds.")
    if buffer == "8":
        first = orders(reshuffle, buffer)[0]
        lead = max(sample - place for place, sample in enumerate(first))
        text += " " + _("A buffer of 8 lets no sample come more than 7 places early; here the most is {lead}.").format(
            lead=lead
        )
    return text


def code(reshuffle: str, buffer: str) -> str:
    """The line that the chapter turns on."""
    size = "N" if buffer == "24" else buffer
    reshuffled = reshuffle == "on"
    comment = "a new order in each epoch" if reshuffled else "the same order in each epoch"
    return f"""\
dataset = tf.data.Dataset.from_tensor_slices((x, y))
dataset = dataset.shuffle({size}, reshuffle_each_iteration={reshuffled}).batch(32)
for epoch in range(2):
    for minibatch_x, minibatch_y in dataset:  # {comment}
        print(epoch, minibatch_y.numpy()[:8])"""


def deeper(reshuffle: str, buffer: str) -> Deeper:
    """How samples are drawn, with the same N and k."""
    del reshuffle
    return Deeper(page="learn/sampling", address={"sampling_n": "24", "sampling_k": "6", "sampling_b": buffer})


STEP = Step(
    key="shuffled_epochs",
    teaches="C6, C7",
    controls=(RESHUFFLE, BUFFER),
    film=film,
    question=N_("What does epoch 2 look like with `reshuffle_each_iteration=False`?"),
    options={
        "a": N_("A new order"),
        "b": N_("The order of epoch 1 again"),
        "c": N_("The order of the file"),
    },
    right="b",
    explain=explain,
    code=code,
    deeper=deeper,
)
