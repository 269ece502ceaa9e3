"""Step 3: one update per pass is a slow way to learn."""

from __future__ import annotations

from typing import Any

from sgd_tf.recordings import load
from sgd_tf.tutorial.parts import at_time, reach
from sgd_tf.tutorial.step import Deeper, Step
from sgd_tf.ui import progress
from sgd_tf.ui.film import picture
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits
from sgd_tf.ui.settings import Choice
from sgd_tf.words import N_

SECONDS = Choice(key="t3_seconds", label=N_("Seconds of training"), options={"1": "1", "2": "2", "5": "5"}, default="2")
FRAMES_PER_SECOND = 10
SGD = "k256"


def _moments(seconds: str) -> list[float]:
    num = int(seconds) * FRAMES_PER_SECOND
    return [int(seconds) * frame / num for frame in range(num + 1)]


def film(seconds: str) -> Film:
    """Two runs on one clock, as fast as they were."""
    data = load("flights").data
    moments = _moments(seconds)
    return Film(
        panels=[_losses(data, seconds, moments), _counters(data, moments)],
        frames=len(moments),
        seconds=track([1 / FRAMES_PER_SECOND] * len(moments)),
        captions=track([_caption(data, moment) for moment in moments]),
        alt=_("Training loss against seconds: GD makes a few steps, k = 256 thousands."),
        note=_("The film runs as fast as the training did.") + " " + progress.origin(load("flights")),
    )


def _caption(data: dict[str, Any], moment: float) -> str:
    gd, sgd = (int(at_time(data[k]["seconds"], data[k]["updates"], moment)) for k in ("all", "256"))
    text = _("After {seconds} s: GD has made {gd} updates, k = 256 has made {sgd}.")
    return text.format(seconds=f"{moment:.1f}", gd=gd, sgd=f"{sgd:,}")


def _losses(data: dict[str, Any], seconds: str, moments: list[float]) -> dict[str, Any]:
    lines = []
    for k, color, name in (("all", "full", "GD"), ("256", SGD, "k = 256")):
        run = data[k]
        lines.append(
            picture.line(
                run["seconds"],
                run["losses"],
                color=color,
                upto=track(reach(run["seconds"], moments)),
                name=name,
                head=True,
                width=3,
            )
        )
    plot = picture.plot(
        (0, 0, 64, 46),
        *lines,
        x=picture.axis((0, float(seconds) * 1.12), _("seconds of training")),
        y=picture.axis((0.1, 3), log=True, ticks=[[value, str(value)] for value in (0.1, 0.2, 0.5, 1, 2)]),
        title=_("Training loss, 261,876 flights"),
    )
    return picture.panel((64, 46), plot, share=1.7)


def _counters(data: dict[str, Any], moments: list[float]) -> dict[str, Any]:
    layers = []
    for top, k, color, name in ((5, "all", "full", _("GD, k = N")), (26, "256", SGD, "k = 256")):
        updates = [int(at_time(data[k]["seconds"], data[k]["updates"], moment)) for moment in moments]
        layers += [
            picture.text((3, top), name, weight=650, color=color),
            picture.text((3, top + 6.5), track([f"{update:,}" for update in updates]), size="huge", color=color),
            picture.text((3, top + 12), _("updates"), color="muted"),
        ]
    return picture.panel((36, 46), *layers, share=0.8, least=160)


def rate(k: str) -> float:
    """Updates per second of a recorded run."""
    run = load("flights").data[k]
    return run["updates"][-1] / run["seconds"][-1]


def explain(seconds: str) -> str:
    """What the clock says."""
    data = load("flights").data
    losses = [at_time(data[k]["seconds"], data[k]["losses"], float(seconds)) for k in ("all", "256")]
    text = _(
        "GD makes {gd} updates per second: each one waits for a pass over 261,876 flights. k = 256 makes {sgd}. After "
        "{seconds} s the loss is {gd_loss} with GD and {sgd_loss} with k = 256."
    )
    return text.format(
        gd=digits(rate("all"), 2),
        sgd=f"{round(rate('256'), -2):,.0f}",
        seconds=seconds,
        gd_loss=digits(losses[0], 2),
        sgd_loss=digits(losses[1], 2),
    )


def code(seconds: str) -> str:
    """Full gradient descent in Keras is one argument."""
    del seconds
    return """\
fresh = new_model()
fresh.compile(keras.optimizers.SGD(0.1), loss_function, metrics=["accuracy"])
fresh.fit(x, y, batch_size=len(x), epochs=5, verbose=2)  # k = N: 1 update per epoch
fresh.fit(x, y, batch_size=32, epochs=5, verbose=2)  # k = 32: 45 updates per epoch"""


def deeper(seconds: str) -> Deeper:
    """The race on the same flights."""
    return Deeper(page="lab/gd_vs_sgd", address={"problem": "flights", "seconds": seconds})


STEP = Step(
    key="updates_per_second",
    teaches="C3",
    controls=(SECONDS,),
    film=film,
    question=N_("261,876 flights: how many updates does GD make in one second here?"),
    options={"a": N_("About 4"), "b": N_("About 40"), "c": N_("About 400"), "d": N_("About 4,000")},
    right="b",
    explain=explain,
    code=code,
    deeper=deeper,
)
