"""Step 8: epochs outside, iterations inside; and the same as `model.fit`."""

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

N, K, NUM_EPOCHS = 24, 6, 2
NUM_ITERATIONS = N // K
WAY = Choice(
    key="t8_way",
    label=N_("Written as"),
    options={"loops": N_("Two loops"), "fit": "model.fit"},
    default="loops",
)
LOOPS = (
    "for epoch in range(2):",
    "    for x, y in minibatches:",
    "        with tf.GradientTape() as tape:",
    "            loss = loss_function(y, model(x))",
    "        gradients = tape.gradient(loss, weights)",
    "        optimizer.apply(gradients, weights)",
    '    print("epoch", epoch + 1, "is over")',
)
FIT = ("model.compile(optimizer, loss_function)", "model.fit(minibatches, epochs=2)")
LINES = {"epoch": 0, "draw": 1, "loss": 3, "gradient": 4, "apply": 5, "over": 6}
STYLES: dict[str, dict[str, Any]] = {
    "w": {"fill": "#C9D3E6", "edge": "line"},
    "d": {"fill": "drawn", "edge": "text"},
    "u": {"fill": "#9AA0AC", "edge": "line", "alpha": 0.45},
}
Moment = tuple[str, int, int]  # what happens, epoch, iteration


def moments(way: str) -> list[Moment]:
    """What happens, in order."""
    inner = ("draw", "loss", "gradient", "apply") if way == "loops" else ("draw", "apply")
    found: list[Moment] = []
    for epoch in range(NUM_EPOCHS):
        found.append(("epoch", epoch, 0))
        found += [(what, epoch, iteration) for iteration in range(NUM_ITERATIONS) for what in inner]
        found.append(("over", epoch, NUM_ITERATIONS))
    return found


def film(way: str) -> Film:
    """The line that runs is lit, beside the samples and the loss."""
    frames = moments(way)
    lit = [LINES[what] for what, _epoch, _iteration in frames] if way == "loops" else [1] * len(frames)
    return Film(
        panels=[
            picture.code(LOOPS if way == "loops" else FIT, lit=track(lit), share=1.5, least=340),
            _picture(frames),
        ],
        frames=len(frames),
        seconds=track([1.0 if what in ("epoch", "over", "draw") else 0.7 for what, _e, _i in frames]),
        captions=track([_caption(*frame) for frame in frames]),
        alt=_("The double loop: the line that runs is lit; beside it 24 samples and the loss of each minibatch."),
        note=progress.origin(load("two_loops")),
        caption_lines=1,
    )


def _caption(what: str, epoch: int, iteration: int) -> str:
    update = epoch * NUM_ITERATIONS + iteration
    words = {
        "epoch": _("Epoch {epoch} begins: a new order."),
        "draw": _("Iteration {iteration}: the next 6 samples."),
        "loss": _("Forward: the mean loss of these 6 is {loss}."),
        "gradient": _("Backward: the gradient of this loss."),
        "apply": _("Update {update}: w ← w − γ·gradient."),
        "over": _("Epoch {epoch} is over: all 24 samples have been used."),
    }[what]
    losses = load("two_loops").data["losses"]
    loss = digits(losses[min(update, len(losses) - 1)], 3)
    return words.format(epoch=epoch + 1, iteration=iteration + 1, update=update + 1, loss=loss)


def _picture(frames: list[Moment]) -> dict[str, Any]:
    data = load("two_loops").data
    states = []
    for what, epoch, iteration in frames:
        row = ["w"] * N
        for i in range(iteration):
            for sample in data["drawn"][epoch * NUM_ITERATIONS + i]:
                row[sample] = "u"
        if what not in ("epoch", "over"):
            for sample in data["drawn"][epoch * NUM_ITERATIONS + iteration]:
                row[sample] = "d"
        states.append("".join(row))
    slots = picture.grid(N, 8, size=5, left=2, top=1, gap=0.3)
    tiles = picture.tiles(5, slots=slots, at=list(range(N)), states=track(states), styles=STYLES)
    made = [epoch * NUM_ITERATIONS + iteration + (what == "apply") for what, epoch, iteration in frames]
    line = picture.line(
        list(range(1, len(data["losses"]) + 1)),
        data["losses"],
        color="k8",
        upto=track([each - 1 for each in made]),
        head=True,
        points=3,
    )
    plot = picture.plot(
        (0, 17, 52, 26),
        line,
        picture.rule(x=NUM_ITERATIONS + 0.5),
        picture.label(NUM_ITERATIONS + 0.5, 2.9, _("epoch {epoch}").format(epoch=2), dx=4),
        x=picture.axis(
            (0.5, NUM_ITERATIONS * NUM_EPOCHS + 0.5), _("updates"), ticks=[[i, str(i)] for i in range(1, 9)]
        ),
        y=picture.axis((1.8, 3.0), ticks=[[value, str(value)] for value in (2, 2.5, 3)]),
        title=_("Loss of the minibatch"),
    )
    return picture.panel((52, 43), tiles | {"images": load("shuffle").data["images"]}, plot)


def explain(way: str) -> str:
    """What runs how often; and how far `fit` is from the loops."""
    del way
    difference = load("two_loops").data["difference"]
    same = (
        _("not by a single bit")
        if difference == 0
        else _("by {difference} at most").format(difference=f"{difference:.0e}")
    )
    text = _(
        "It stands in the outer loop only, so it runs once per epoch: 2 times. The lines of the inner loop run once "
        "per minibatch: 2 × 4 = 8 times. `model.fit` does the same: with the same minibatches its weights differ "
        "{same}."
    )
    return text.format(same=same)


def code(way: str) -> str:
    """The double loop, or `fit`."""
    pipeline = "minibatches = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(N).batch(32)"
    if way == "fit":
        return f"""\
{pipeline}
fresh = new_model()
fresh.compile(keras.optimizers.SGD(0.1), loss_function)
fresh.fit(minibatches, epochs=2, shuffle=False, verbose=2)  # the pipeline shuffles"""
    return f"""\
{pipeline}
for epoch in range(2):  # epochs outside
    for minibatch_x, minibatch_y in minibatches:  # iterations inside
        with tf.GradientTape() as tape:
            loss = loss_function(minibatch_y, model(minibatch_x))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)
    print("epoch", epoch + 1, "loss", float(loss))"""


def deeper(way: str) -> Deeper:
    """The chapter's pictures, with the same N and k."""
    del way
    return Deeper(page="learn/what_is_sgd", address={"sgd_way": "sgd", "sgd_k": "6", "sgd_n": "24", "sgd_epochs": "2"})


STEP = Step(
    key="two_loops",
    teaches="C10",
    controls=(WAY,),
    film=film,
    question=N_("2 epochs of 4 minibatches: how often does the last line, `print(…)`, run?"),
    options={"a": N_("2 times"), "b": N_("4 times"), "c": N_("8 times"), "d": N_("Once, at the end")},
    right="a",
    explain=explain,
    code=code,
    deeper=deeper,
)
