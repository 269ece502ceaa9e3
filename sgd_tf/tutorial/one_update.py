"""Step 1: all N samples pass through the model, one loss, one update."""

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

SAMPLES = Choice(
    key="t1_n", label=N_("Training samples N"), options={"60": "60", "240": "240", "1437": "1,437"}, default="60"
)
NUM_UPDATES = 6  # in the film
PHASES = ("wait", "pass", "update")
COLUMNS = {"60": 10, "240": 20, "1437": 48}
STYLES: dict[str, dict[str, Any]] = {"w": {"fill": "#C9D3E6", "edge": "line"}, "d": {"fill": "drawn", "edge": "text"}}


def film(samples: str) -> Film:
    """All tiles stream through the model; then the loss takes one step down."""
    run = load("one_update").data[samples]
    frames = [(update, phase) for update in range(NUM_UPDATES) for phase in PHASES]
    return Film(
        panels=[_flow(samples, frames), _losses(samples, frames), _times(samples)],
        frames=len(frames),
        seconds=track([{"wait": 1.0, "pass": 1.8, "update": 1.1}[phase] for _update, phase in frames]),
        captions=track([_caption(samples, run["losses"], *frame) for frame in frames]),
        alt=_("All N samples pass through the model; then the weights change once, and the loss falls."),
        note=progress.origin(load("one_update")),
        caption_lines=1,
    )


def _caption(samples: str, losses: list[float], update: int, phase: str) -> str:
    n = f"{int(samples):,}"
    if phase == "wait":
        return _("All {n} samples wait. Updates so far: {update}.").format(n=n, update=update)
    if phase == "pass":
        return _("All {n} pass through the model: one mean loss, {loss}.").format(n=n, loss=digits(losses[update], 3))
    text = _("Update {update}: every weight changes once. The loss is now {loss}.")
    return text.format(update=update + 1, loss=digits(losses[update + 1], 3))


def _flow(samples: str, frames: list[tuple[int, str]]) -> dict[str, Any]:
    num, columns = int(samples), COLUMNS[samples]
    rows = -(-num // columns)
    size = min(36 / columns, 20 / rows)
    slots = [
        *picture.grid(num, columns, size=size, left=1, top=5),
        *picture.grid(num, columns, size=size, left=44 + (36 - size * columns) / 2, top=5 + (20 - size * rows) / 2),
    ]
    at = {"wait": list(range(num)), "pass": list(range(num, 2 * num)), "update": list(range(num))}
    tiles = picture.tiles(
        size,
        slots=slots,
        at=track([at[phase] for _update, phase in frames]),
        states=track([("d" if phase == "pass" else "w") * num for _update, phase in frames]),
        styles=STYLES,
    )
    images = {"images": load("one_update").data["images"]} if num == len(load("one_update").data["images"]) else {}
    losses = load("one_update").data[samples]["losses"]
    shown = [digits(losses[update + (phase == "update")], 3) for update, phase in frames]
    return picture.panel(
        (100, 26),
        picture.text((1, 2.5), _("{n} samples").format(n=f"{num:,}"), color="muted"),
        picture.box((43, 4, 38, 21.5), fill="surface", glow=track([float(phase == "pass") for _u, phase in frames])),
        picture.text((62, 2), _("model"), align="center", color="muted"),
        picture.text((40, 15), "→", align="center", size="big", color="muted"),
        picture.text((84, 15), "→", align="center", size="big", color="muted"),
        picture.text((92.5, 9), _("loss"), align="center", color="muted"),
        picture.text((92.5, 15), track(shown), align="center", size="huge"),
        tiles | images | {"hop": 0.2},
        least=1200,
    )


def _losses(samples: str, frames: list[tuple[int, str]]) -> dict[str, Any]:
    losses = load("one_update").data[samples]["losses"][: NUM_UPDATES + 1]
    line = picture.line(
        list(range(len(losses))),
        losses,
        color="full",
        upto=track([update + (phase == "update") for update, phase in frames]),
        head=True,
        points=3,
    )
    plot = picture.plot(
        (0, 0, 52, 24),
        line,
        x=picture.axis((0, NUM_UPDATES), _("updates")),
        y=picture.axis((1.4, 2.5), ticks=[[each, str(each)] for each in (1.5, 2, 2.5)]),
        title=_("Loss"),
    )
    return picture.panel((52, 24), plot)


def _times(samples: str) -> dict[str, Any]:
    data = load("one_update").data
    times = [data[size]["milliseconds"] for size in COLUMNS]
    bars = picture.bars(
        (0, 4, 46, 18),
        times,
        labels=[f"N = {int(size):,}" for size in COLUMNS],
        colors=["drawn" if size == samples else "line" for size in COLUMNS],
        high=max(times),
        texts=[f"{digits(time, 2)} ms" for time in times],
        left=11,
        room=64,
    )
    return picture.panel((46, 24), picture.text((0, 2), _("Time of one update"), weight=600), bars)


def explain(samples: str) -> str:
    """One update, whatever N; and what it costs."""
    data = load("one_update").data
    run, least = data[samples], data["60"]
    text = _(
        "{n} losses become one mean, which gives one gradient and one update: the loss goes from {before} to {after}."
    )
    words = text.format(n=f"{int(samples):,}", before=digits(run["losses"][0], 3), after=digits(run["losses"][1], 3))
    if samples == "60":
        other = data["1437"]["milliseconds"]
        more = _("It took {time} ms. With N = 1,437 it takes {other} ms, and it is still one update.")
        return f"{words} {more.format(time=digits(run['milliseconds'], 2), other=digits(other, 2))}"
    more = _(
        "It took {time} ms, against {other} ms for 60 samples: {share} times the samples, {factor} times the time."
    )
    return (
        words
        + " "
        + more.format(
            time=digits(run["milliseconds"], 2),
            other=digits(least["milliseconds"], 2),
            share=digits(int(samples) / 60, 2),
            factor=digits(run["milliseconds"] / least["milliseconds"], 2),
        )
    )


def code(samples: str) -> str:
    """One update with all N samples."""
    part = "" if samples == "1437" else f"[:{samples}]"
    return f"""\
with tf.GradientTape() as tape:
    loss = loss_function(y{part}, model(x{part}))  # the mean over all samples
gradients = tape.gradient(loss, model.trainable_variables)
optimizer.apply(gradients, model.trainable_variables)  # one update"""


def deeper(samples: str) -> Deeper:
    """The pictures of the chapter, for GD."""
    del samples
    return Deeper(page="learn/what_is_sgd", address={"sgd_way": "gd"})


STEP = Step(
    key="one_update",
    teaches="C1",
    controls=(SAMPLES,),
    film=film,
    question=N_("All N samples have passed through the model once. How often did the weights change?"),
    options={"a": N_("N times, once for each sample"), "b": N_("Once"), "c": N_("Not at all")},
    right="b",
    explain=explain,
    code=code,
    deeper=deeper,
)
