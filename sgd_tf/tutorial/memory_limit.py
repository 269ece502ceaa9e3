"""Step 2: memory is finite; parts whose gradients are added up give the same update."""

from __future__ import annotations

from typing import Any

from sgd_tf.recordings import load
from sgd_tf.tutorial.step import Deeper, Step
from sgd_tf.ui import progress
from sgd_tf.ui.film import picture
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits
from sgd_tf.ui.settings import Choice
from sgd_tf.words import N_

WHOLE = 131_072
SIZES = ("1024", "8192", "32768", "65536", "131072")  # k, until the tank is over its brim
PARTS = Choice(key="t2_parts", label=N_("Parts"), options={"4": "4", "8": "8", "16": "16"}, default="4")
STYLES: dict[str, dict[str, Any]] = {
    "w": {"fill": "surface", "edge": "line"},
    "d": {"fill": "drawn", "edge": "text", "text": "#171717"},
    "u": {"fill": "#9AA0AC", "edge": "line", "alpha": 0.6},
}


def film(parts: str) -> Film:
    """A tank fills up with k until it spills; then the parts pass one by one."""
    data = load("memory").data
    num = int(parts)
    frames: list[tuple[str, int]] = [("whole", i) for i in range(len(SIZES))] + [("parts", i) for i in range(num + 1)]
    peak = data["parts"][parts]["bytes"]
    levels = [(data["whole"][SIZES[i]]["bytes"] if kind == "whole" else peak) / data["limit"] for kind, i in frames]
    labels = [f"{digits(level * data['limit'] / 1e6, 3)} MB" for level in levels]
    tank = picture.tank((9, 7, 20, 27), track(levels), label=track(labels), limit=_("limit 256 MB"))
    return Film(
        panels=[picture.panel((38, 39), tank, share=0.7), _minibatch(num, frames)],
        frames=len(frames),
        seconds=track([1.5 if kind == "whole" or num < 9 else 0.8 for kind, _i in frames]),
        captions=track([_caption(parts, *frame) for frame in frames]),
        alt=_("A tank of memory: it spills over with 131,072 samples at once, and holds when they come in parts."),
        note=progress.origin(load("memory")),
    )


def _caption(parts: str, kind: str, place: int) -> str:
    data = load("memory").data
    num = int(parts)
    if kind == "whole":
        size = SIZES[place]
        amount = digits(data["whole"][size]["bytes"] / 1e6, 3)
        if place == len(SIZES) - 1:
            return _("{k} flights at once: the update needs {amount} MB, and only 256 MB are allowed.").format(
                k=f"{int(size):,}", amount=amount
            )
        return _("{k} flights at once: the update needs {amount} MB.").format(k=f"{int(size):,}", amount=amount)
    if place < num:
        text = _("Part {part} of {num}: {m} flights. Its gradient is added to the sum; no weight changes yet.")
        return text.format(part=place + 1, num=num, m=f"{WHOLE // num:,}")
    return _("All {num} parts are in the sum: now the one update.").format(num=num)


def _minibatch(num: int, frames: list[tuple[str, int]]) -> dict[str, Any]:
    columns = min(num, 4)
    rows = num // columns
    size = min(46 / columns, 15 / rows) - 0.8
    slots = picture.grid(num, columns, size=size, left=2, top=6, gap=0.8)
    states, sums = [], []
    for kind, place in frames:
        done = place if kind == "parts" else 0
        states.append("".join("u" if i < done else "d" if kind == "parts" and i == done else "w" for i in range(num)))
        sums.append(min(done + 1, num) if kind == "parts" else 0)
    labels = [f"{WHOLE // num // 1024}k"] * num
    tiles = picture.tiles(size, slots=slots, at=list(range(num)), states=track(states), styles=STYLES)
    updates = [_("updates: {n}").format(n=int(kind == "parts" and place == num)) for kind, place in frames]
    bars = picture.bars(
        (2, 27, 52, 7),
        track([[each] for each in sums]),
        labels=[""],
        colors=["primary"],
        high=num,
        texts=track([[f"{each} / {num}"] for each in sums]),
        room=60,
    )
    return picture.panel(
        (56, 39),
        picture.text((2, 3), _("131,072 flights in {num} parts").format(num=num), weight=600),
        tiles | {"labels": labels},
        picture.text((2, 25), _("Gradients in the sum"), weight=600),
        bars,
        picture.text((2, 36.5), track(updates), weight=650),
    )


def explain(parts: str) -> str:
    """Memory, time and the difference, for this number of parts."""
    data = load("memory").data
    whole, part = data["whole"][str(WHOLE)], data["parts"][parts]
    text = _(
        "In {num} parts the peak is {amount} MB instead of {whole} MB. The update differs by {difference} of its size: "
        "that is rounding. It took {seconds} s, against {other} s at once."
    )
    return text.format(
        num=parts,
        amount=digits(part["bytes"] / 1e6, 3),
        whole=digits(whole["bytes"] / 1e6, 3),
        difference=f"{part['difference']:.0e}",
        seconds=digits(part["seconds"], 2),
        other=digits(whole["seconds"], 2),
    )


def code(parts: str) -> str:
    """One update in parts."""
    return f"""\
gradients = [tf.zeros_like(weight) for weight in model.trainable_variables]
for i in np.array_split(np.arange(N), {parts}):  # {parts} parts, one after the other
    with tf.GradientTape() as tape:
        loss = loss_function(y[i], model(x[i])) * len(i) / N  # its share of the mean
    part = tape.gradient(loss, model.trainable_variables)
    gradients = [total + more for total, more in zip(gradients, part)]
optimizer.apply(gradients, model.trainable_variables)  # one update"""


def deeper(parts: str) -> Deeper:
    """The memory page, with the same k in the same parts."""
    return Deeper(page="lab/memory", address={"memory_k": str(WHOLE), "memory_m": str(WHOLE // int(parts))})


STEP = Step(
    key="memory_limit",
    teaches="C2",
    controls=(PARTS,),
    film=film,
    question=N_("131,072 flights do not fit at once. What keeps the update the same?"),
    options={
        "a": N_("Half of the flights, one update"),
        "b": N_("Parts, gradients added up, one update"),
        "c": N_("Parts, one update after each part"),
    },
    right="b",
    explain=explain,
    code=code,
    deeper=deeper,
)
