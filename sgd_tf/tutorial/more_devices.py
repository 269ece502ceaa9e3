"""Step 12: one minibatch over several devices gives the same update."""

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

K = 256
SHOWN = 64  # tiles: one for four samples
DEVICES = Choice(key="t12_devices", label=N_("Devices"), options={"2": "2", "4": "4"}, default="2")
COLORS = ("k8", "k64", "k1024", "k16384")
PHASES = ("whole", "split", "gradients", "mean", "update")
STYLES: dict[str, dict[str, Any]] = {"d": {"fill": "drawn", "edge": "text"}}


def film(devices: str) -> Film:
    """A minibatch is cut into parts; each device has a gradient; their mean is the gradient of the whole."""
    num = int(devices)
    frames = list(PHASES)
    return Film(
        panels=[_minibatch(num), _arrows(devices)],
        frames=len(frames),
        seconds=track([1.2, 2.0, 1.8, 1.8, 2.2]),
        captions=track([_caption(devices, phase) for phase in frames]),
        alt=_("A minibatch is cut into parts for several devices; the mean of their gradients is that of the whole."),
        note=_("A tile stands for 4 of the 256 digits.") + " " + progress.origin(load("devices")),
    )


def _caption(devices: str, phase: str) -> str:
    num = int(devices)
    difference = f"{load('devices').data[devices]['difference']:.0e}"
    return {
        "whole": _("One minibatch of 256 digits. Each device has the same weights."),
        "split": _("Each of {num} devices takes {part} of them."),
        "gradients": _("At the same time each computes the gradient of its own part. They point different ways."),
        "mean": _("The devices exchange gradients. Their mean is the gradient of the whole minibatch."),
        "update": _(
            "All make the same update. After 20 updates no weight differs from one device by more than {difference}."
        ),
    }[phase].format(num=num, part=K // num, difference=difference)


def _minibatch(num: int) -> dict[str, Any]:
    size = 2.5
    whole = picture.grid(SHOWN, 8, size=size, left=12, top=9)
    each = SHOWN // num
    parts, boxes = [], []
    for device in range(num):
        left, top = (2 + 24 * (device % 2), (9 if num == 2 else 4) + 21 * (device // 2))
        parts += picture.grid(each, 8 if num == 2 else 4, size=size, left=left, top=top)
        width, height = (8 * size, each // 8 * size) if num == 2 else (4 * size, each // 4 * size)
        shown = track([0.0, 1.0, 1.0, 0.0, 0.0])
        name = track(["", *[_("device {n}").format(n=device + 1)] * 4])
        boxes.append(picture.text((left, top - 2), name, color=COLORS[device], weight=650))
        frame = (left - 0.7, top - 0.7, width + 1.4, height + 1.4)
        boxes.append(picture.box(frame, glow=shown, edge="line", glowing=COLORS[device]))
    tiles = picture.tiles(
        size,
        slots=[*whole, *parts],
        at=track([list(range(SHOWN)) if phase == "whole" else list(range(SHOWN, 2 * SHOWN)) for phase in PHASES]),
        states="d" * SHOWN,
        styles=STYLES,
    )
    return picture.panel((50, 44), *boxes, tiles)


def _arrows(devices: str) -> dict[str, Any]:
    parts = load("devices").data[devices]["parts"]
    marks = [
        picture.arrow(
            track([[0, 0, along, across] if phase in ("gradients", "mean", "update") else None for phase in PHASES]),
            color=COLORS[device],
            width=3,
            name=str(device + 1),
        )
        for device, (along, across, _num) in enumerate(parts)
    ]
    total = sum(part[2] for part in parts)
    mean = [sum(part[axis] * part[2] for part in parts) / total for axis in (0, 1)]
    shown = [[0, 0, *mean] if phase in ("mean", "update") else None for phase in PHASES]
    highest = max(abs(part[1]) for part in parts) * 1.5
    longest = max(part[0] for part in parts) * 1.25
    across = max(highest, longest * 0.4)
    plot = picture.plot(
        (0, 4, 50, 36),
        picture.dots([[0, 0]], colors="text", size=5),
        *marks,
        picture.arrow(track(shown), color="full", width=5),
        x={"domain": (-0.06 * longest, max(longest, 2 * across * 50 / 36 - 0.06 * longest))},
        y={"domain": (-across, across)},
        margin=(0, 0, 0, 0),
        bare=True,
    )
    words = track(["", "", "", _("thick: their mean"), _("thick: their mean, the gradient of the whole minibatch")])
    names = [picture.text((0, 3), _("Gradients"), weight=600), picture.text((0, 42), words, color="muted")]
    return picture.panel((50, 44), *names, plot)


def explain(devices: str) -> str:
    """The difference of the weights, and what an update took."""
    data = load("devices").data
    text = _(
        "With {num} devices the weights differ by at most {difference} after 20 updates: that is rounding. The sum of "
        "the parts is the whole, in any order. An update took {ms} ms, against {one} ms on one device: here all "
        "devices share {cores}, so nothing is won."
    )
    run = data[devices]
    return text.format(
        num=devices,
        difference=f"{run['difference']:.0e}",
        ms=digits(run["milliseconds"], 2),
        one=digits(data["1"]["milliseconds"], 2),
        cores=_("2 cores"),
    )


def code(devices: str) -> str:
    """`fit` over several devices."""
    del devices
    return """\
strategy = tf.distribute.MirroredStrategy()  # all GPUs of this machine, or its CPU
print(strategy.num_replicas_in_sync, "devices")
with strategy.scope():  # a copy of the weights on each
    fresh = new_model()
    fresh.compile(keras.optimizers.SGD(0.1), loss_function)
fresh.fit(x, y, batch_size=256, epochs=2, verbose=2)  # 256 over all devices together"""


def deeper(devices: str) -> Deeper:
    """The page on devices, with as many."""
    return Deeper(page="lab/data_parallel", address={"parallel_k": str(K), "parallel_r": devices})


STEP = Step(
    key="more_devices",
    teaches="C14",
    controls=(DEVICES,),
    film=film,
    question=N_("Two devices take half of the minibatch each. Is it the same update?"),
    options={
        "a": N_("Yes, but for rounding"),
        "b": N_("No, each device goes its own way"),
        "c": N_("Only if both halves are alike"),
    },
    right="a",
    explain=explain,
    code=code,
    deeper=deeper,
)
