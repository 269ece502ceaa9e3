"""Step 4: the gradient of k samples beside the gradient of all."""

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

SIZE = Choice(
    key="t4_k", label=N_("Batch size k"), options=("1", "8", "32", "128", "512"), default="32", widget="slider"
)
PER_FRAME = 4  # arrows
PANEL = (60.0, 44.0)


def film(size: str) -> Film:
    """Arrows of minibatch gradients fan out around the full gradient; their mean lies on it."""
    data = load("cloud").data
    arrows = data[size]["arrows"]
    num_frames = 1 + -(-len(arrows) // PER_FRAME) + 1
    marks = [
        picture.arrow(
            track([[0, 0, *arrow] if 1 + i // PER_FRAME <= frame else None for frame in range(num_frames)]),
            color=f"k{size}",
            width=1.5,
            alpha=track([0.75 if 1 + i // PER_FRAME == frame else 0.3 for frame in range(num_frames)]),
        )
        for i, arrow in enumerate(arrows)
    ]
    last = num_frames - 1
    mean = [[0, 0, 1, 0] if frame == last else None for frame in range(num_frames)]
    full = picture.arrow([0, 0, 1, 0], color="full", width=4.5)
    across = max(max(abs(arrow[1]) for arrow in arrows), 0.45) * 1.12
    along = 2 * across * PANEL[0] / PANEL[1]
    left = 0.5 * (min(0, *(arrow[0] for arrow in arrows)) + max(1, *(arrow[0] for arrow in arrows))) - 0.5 * along
    plot = picture.plot(
        (0, 0, *PANEL),
        picture.dots([[0, 0]], colors="text", size=5),
        *marks,
        full,
        picture.arrow(track(mean), color="good", width=2.5),
        picture.label(1, 0, _("all {n}").format(n="1,437"), color="full", dx=6, dy=-13),
        picture.label(
            1,
            0,
            track(["" if each is None else _("mean of the minibatches") for each in mean]),
            color="good",
            dx=6,
            dy=14,
        ),
        x={"domain": (left, left + along)},
        y={"domain": (-across, across)},
        margin=(0, 0, 0, 0),
        bare=True,
    )
    captions = [_caption(size, data[size], frame, last) for frame in range(num_frames)]
    return Film(
        panels=[picture.panel(PANEL, plot, share=1.6), _angles(size)],
        frames=num_frames,
        seconds=track([1.5, *[0.6] * (num_frames - 2), 2.0]),
        captions=track(captions),
        alt=_("Arrows of the gradients of single minibatches around the thick arrow of the gradient of all samples."),
        note=_("Angle and length of each arrow are exact; left or right is a matter of the view.")
        + " "
        + progress.origin(load("cloud")),
    )


def _angles(size: str) -> dict[str, Any]:
    data = load("cloud").data
    angles = [data[k]["angle"] for k in SIZE.options]
    bars = picture.bars(
        (0, 6, 38, 36),
        angles,
        labels=[f"k = {k}" for k in SIZE.options],
        colors=[f"k{k}" if k == size else "line" for k in SIZE.options],
        high=90,
        texts=[f"{angle:.0f}°" for angle in angles],
        left=12,
        room=34,
    )
    return picture.panel((38, 44), picture.text((0, 2.5), _("Median angle"), weight=600), bars, least=200)


def _caption(size: str, run: dict[str, Any], frame: int, last: int) -> str:
    if frame == 0:
        return _("The thick arrow is the gradient of all 1,437 digits.")
    if frame == last:
        return _("The mean of all {num} minibatch gradients of the epoch is the full gradient, to 15 digits.").format(
            num=f"{run['num']:,}"
        )
    shown = min(frame * PER_FRAME, len(run["arrows"]))
    if size == "1":
        return _("Gradients of {shown} single samples.").format(shown=shown)
    return _("Gradients of {shown} minibatches of {k} samples.").format(shown=shown, k=size)


def explain(size: str) -> str:
    """Angle and length for the k on the screen."""
    run = load("cloud").data[size]
    text = _(
        "With k = {k} the median angle to the full gradient is {angle}°, and the median length {length} times as long. "
        "The mean of all {num} minibatches is exact: the errors cancel, and each single one is right on average."
    )
    words = text.format(k=size, angle=f"{run['angle']:.0f}", length=digits(run["length"], 2), num=f"{run['num']:,}")
    if size != "32":
        words += " " + _("(For k = 32 it is {angle}°.)").format(angle=f"{load('cloud').data['32']['angle']:.0f}")
    return words


def code(size: str) -> str:
    """One update with k samples drawn at random."""
    return f"""\
k = {size}
i = tf.random.shuffle(tf.range(N))[:k]  # k of the N samples, none twice
with tf.GradientTape() as tape:
    loss = loss_function(tf.gather(y, i), model(tf.gather(x, i)))
gradients = tape.gradient(loss, model.trainable_variables)
optimizer.apply(gradients, model.trainable_variables)"""


def deeper(size: str) -> Deeper:
    """The page on the noise of the gradient."""
    del size
    return Deeper(page="learn/gradient_noise", address={"noise_part": "law"})


STEP = Step(
    key="k_samples",
    teaches="C4",
    controls=(SIZE,),
    film=film,
    question=N_("32 of 1,437 digits: how far is their gradient from the direction of the full one?"),
    options={"a": N_("About 4°"), "b": N_("About 44°"), "c": N_("About 90°: it says nothing")},
    right="b",
    explain=explain,
    code=code,
    deeper=deeper,
)
