"""Step 10: what k does to training, and the learning rate that goes with it."""

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

SIZES = (8, 16, 32, 64, 128, 256, 512)  # k, each twice the one before
FIRST_RATE = 0.03125  # at k = 8
RULE = Choice(
    key="t10_rule",
    label=N_("When k doubles, the learning rate …"),
    options={"same": N_("stays"), "double": N_("doubles")},
    default="double",
)
BUCKETS = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0)  # upper ends of losses of one colour
PALETTE = {str(i): color for i, color in enumerate(("#440E6B", "#6B2A93", "#9255B0", "#B58AC9", "#D6BBE0", "#EDE0F2"))}
PALETTE |= {"6": "#B9BBC4"}
INK = {str(i): "#FFFFFF" for i in range(3)} | {str(i): "#171717" for i in range(3, 7)}


def rates() -> list[float]:
    """Learning rates of the map, the smallest first."""
    return load("rate_map").data["rates"][:8]


def path(rule: str) -> list[tuple[int, float]]:
    """The k and the learning rates that a rule leads through, from k = 8."""
    found = []
    for i, k in enumerate(SIZES):
        rate = FIRST_RATE * (2**i if rule == "double" else 4)
        if rate <= rates()[-1]:
            found.append((k, rate))
    return found


def loss(k: int, rate: float) -> float | None:
    """Recorded training loss after ten epochs; None if it diverged."""
    data = load("rate_map").data
    return data["losses"][str(k)][data["rates"].index(rate)]


def film(rule: str) -> Film:
    """The map fills up; then a ring follows the rule."""
    steps = path(rule)
    columns = len(SIZES)
    num_frames = 1 + columns + len(steps)
    return Film(
        panels=[_map(steps, num_frames), _bars(steps, num_frames, columns)],
        frames=num_frames,
        seconds=track([0.5 if frame <= columns else 1.4 for frame in range(num_frames)]),
        captions=track([_caption(steps, frame - columns - 1) for frame in range(num_frames)]),
        alt=_("A map of training losses by batch size and learning rate, and a ring that follows the chosen rule."),
        note=_("Training loss on the digits after 10 epochs, median of 3 seeds. Grey: nothing was learned.")
        + " "
        + progress.origin(load("rate_map")),
        caption_lines=1,
    )


def _text(value: float | None) -> str:
    return _("diverged") if value is None else digits(value, 2)


def _caption(steps: list[tuple[int, float]], place: int) -> str:
    if place < 0:
        return _("Each column is a batch size, each row a learning rate: {num} runs.").format(
            num=len(SIZES) * len(rates()) * 3
        )
    k, rate = steps[place]
    return _("k = {k} with learning rate {rate}: loss {loss} after ten epochs.").format(
        k=k, rate=f"{rate:g}", loss=_text(loss(k, rate))
    )


def _bucket(value: float | None) -> str:
    return str(6 if value is None else sum(value > end for end in BUCKETS))


def _map(steps: list[tuple[int, float]], num_frames: int) -> dict[str, Any]:
    rows = rates()[::-1]
    cells, texts, rings = [], [], []
    for frame in range(num_frames):
        cells.append(
            "".join(_bucket(loss(k, rate)) if c < frame else "." for rate in rows for c, k in enumerate(SIZES))
        )
        place = frame - len(SIZES) - 1
        seen = steps[: place + 1] if place >= 0 else []
        texts.append([_text(loss(k, rate)) if (k, rate) in seen else "" for rate in rows for k in SIZES])
        now = [(SIZES.index(k) + 0.5, rates().index(rate) + 0.5) for k, rate in seen]
        rings.append([*now, *[None] * (len(steps) - len(now))])
    grid = picture.field(len(SIZES), len(rows), cells=track(cells), palette=PALETTE, gap=1, texts=track(texts), ink=INK)
    plot = picture.plot(
        (0, 0, 62, 50),
        grid,
        picture.frames(track(rings), cell=(1, 1), color="drawn"),
        x=picture.axis((0, len(SIZES)), _("batch size k"), ticks=[[i + 0.5, str(k)] for i, k in enumerate(SIZES)]),
        y=picture.axis((0, len(rows)), ticks=[[i + 0.5, f"{rate:.2g}"] for i, rate in enumerate(rates())]),
        title=_("Learning rate"),
    )
    return picture.panel((62, 50), plot, share=1.6)


def _bars(steps: list[tuple[int, float]], num_frames: int, columns: int) -> dict[str, Any]:
    losses = [loss(k, rate) or 2.4 for k, rate in steps]
    values, texts = [], []
    for frame in range(num_frames):
        seen = max(frame - columns, 0)
        values.append([value if i < seen else 0.02 for i, value in enumerate(losses)])
        texts.append([_text(loss(*step)) if i < seen else "" for i, step in enumerate(steps)])
    bars = picture.bars(
        (0, 5, 38, 42),
        track(values),
        labels=[f"k = {k}" for k, _rate in steps],
        colors=[f"k{k}" for k, _rate in steps],
        high=2.4,
        low=0.02,
        log=True,
        texts=track(texts),
        left=13,
        room=40,
    )
    return picture.panel((38, 50), picture.text((0, 2), _("Loss on this path"), weight=600), bars, least=200)


def explain(rule: str) -> str:
    """What happens on both paths."""
    doubled, same = path("double"), path("same")
    text = _(
        "Doubled along with k, from {first} to {last}, the rate keeps the loss between {low} and {high}; one doubling "
        "more, at k = {k}, gives {bad}: that is beyond the limit of the learning rate. With one rate for all, {rate}, "
        "the loss grows from {small} at k = 8 to {large} at k = 512: fewer updates, none of them longer."
    )
    good = [value for k, rate in doubled[:-1] if (value := loss(k, rate)) is not None]
    del rule
    return text.format(
        first=f"{doubled[0][1]:g}",
        last=f"{doubled[-2][1]:g}",
        low=digits(min(good), 2),
        high=digits(max(good), 2),
        k=doubled[-1][0],
        bad=_text(loss(*doubled[-1])),
        rate=f"{same[0][1]:g}",
        small=digits(loss(*same[0]), 2),
        large=digits(loss(*same[-1]), 2),
    )


def code(rule: str) -> str:
    """A learning rate that goes with k."""
    rate = "0.125 * k / 32" if rule == "double" else "0.125"
    return f"""\
for k in (16, 32, 64, 128):
    fresh = new_model()
    fresh.compile(keras.optimizers.SGD({rate}), loss_function)
    fitted = fresh.fit(x, y, batch_size=k, epochs=10, verbose=0)
    print("k =", k, "loss", round(fitted.history["loss"][-1], 3))"""


def deeper(rule: str) -> Deeper:
    """The sweep over k."""
    return Deeper(page="lab/batch_size", address={"sweep_rule": "linear" if rule == "double" else "fixed"})


STEP = Step(
    key="batch_size_and_rate",
    teaches="C12",
    controls=(RULE,),
    film=film,
    question=N_("You double k and want the same loss after ten epochs. What do you do with the learning rate?"),
    options={
        "a": N_("Leave it"),
        "b": N_("Double it, up to a limit"),
        "c": N_("Double it, however large k is"),
        "d": N_("Halve it"),
    },
    right="b",
    explain=explain,
    code=code,
    deeper=deeper,
)
