"""Step 9: GD and SGD on one clock, on the digits that nobody trained on."""

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

TARGET = 0.95  # test accuracy
START, END = 0.002, 0.6  # seconds that the film covers
NUM_FRAMES = 36
CLOCK = Choice(
    key="t9_clock",
    label=N_("Clock"),
    options={"log": N_("slow motion at the start"), "even": N_("even")},
    default="log",
)
RUNS = (("all", "full", N_("GD")), ("32", "k32", "k = 32"))
STYLES: dict[str, dict[str, Any]] = {
    "0": {"fill": "surface", "alpha": 0.35, "ink": 0.25},
    "1": {"fill": "drawn", "edge": "alarm"},
}


def moments(clock: str) -> list[float]:
    """Seconds of training at each frame."""
    if clock == "even":
        return [START + (END - START) * i / (NUM_FRAMES - 1) for i in range(NUM_FRAMES)]
    return [START * (END / START) ** (i / (NUM_FRAMES - 1)) for i in range(NUM_FRAMES)]


def reached(k: str) -> float:
    """Seconds until the test accuracy was first at its target."""
    run = load("race").data[k]
    return next(s for s, accuracy in zip(run["seconds"], run["accuracies"], strict=True) if accuracy >= TARGET)


def film(clock: str) -> Film:
    """Accuracy against time; beside it the test digits that are still read wrong."""
    data = load("race").data
    times = moments(clock)
    grids = [_wrong(data, k, name, times) for k, _color, name in RUNS]
    return Film(
        panels=[_accuracy(data, clock, times), *grids],
        frames=len(times),
        seconds=0.32,
        captions=track([_caption(data, time) for time in times]),
        alt=_(
            "Test accuracy of GD and k = 32 against seconds, and the 360 test digits: yellow ones are still read wrong."
        ),
        note=progress.origin(load("race")),
        caption_lines=1,
    )


def _caption(data: dict[str, Any], time: float) -> str:
    wrong = [at_time(data[k]["seconds"], data[k]["wrong"], time).count("1") for k, _color, _name in RUNS]
    text = _("After {ms} ms of training: GD reads {gd} of 360 digits wrong, k = 32 reads {sgd} wrong.")
    return text.format(ms=digits(1000 * time, 2), gd=wrong[0], sgd=wrong[1])


def _accuracy(data: dict[str, Any], clock: str, times: list[float]) -> dict[str, Any]:
    lines = []
    for (k, color, name), shift in zip(RUNS, (9, -9), strict=True):
        shown = [i for i, second in enumerate(data[k]["seconds"]) if second > 0]
        seconds = [data[k]["seconds"][i] for i in shown]
        accuracies = [data[k]["accuracies"][i] for i in shown]
        upto = [-1.0 if time < seconds[0] else each for time, each in zip(times, reach(seconds, times), strict=True)]
        lines.append(
            picture.line(seconds, accuracies, color=color, upto=track(upto), name=_(name), head=True, dy=shift)
        )
    ticks = (
        [[each, str(each)] for each in (0.002, 0.01, 0.1, 0.6)]
        if clock == "log"
        else [[each, str(each)] for each in (0, 0.2, 0.4, 0.6)]
    )
    plot = picture.plot(
        (0, 0, 100, 27),
        picture.rule(y=TARGET),
        picture.label(END, TARGET, _("target {share}").format(share="95 %"), align="right", dy=14),
        *lines,
        x=picture.axis(
            (START if clock == "log" else 0, END * 1.6 if clock == "log" else END * 1.1),
            _("seconds of training"),
            log=clock == "log",
            ticks=ticks,
        ),
        y=picture.axis((0.4, 1.02), ticks=[[0.5, "50 %"], [0.75, "75 %"], [1, "100 %"]]),
        title=_("Accuracy on 360 digits that nobody trained on"),
    )
    return picture.panel((100, 27), plot, least=1200, tall=180)


def _wrong(data: dict[str, Any], k: str, name: str, times: list[float]) -> dict[str, Any]:
    states = [at_time(data[k]["seconds"], data[k]["wrong"], time) for time in times]
    num, columns, size = data["num_test"], 36, 1.32
    slots = picture.grid(num, columns, size=size, left=0.5, top=4.5)
    tiles = picture.tiles(size, slots=slots, at=list(range(num)), states=track(states), styles=STYLES)
    words = [_("{name}: {n} wrong").format(name=_(name), n=state.count("1")) for state in states]
    return picture.panel(
        (49, 18.5), picture.text((0.5, 2), track(words), weight=600), tiles | {"images": data["images"]}
    )


def explain(clock: str) -> str:
    """Who was first, and who was better in the end."""
    del clock
    data = load("race").data
    gd, sgd = reached("all"), reached("32")
    ends = [at_time(data[k]["seconds"], data[k]["wrong"], END).count("1") for k in ("all", "32")]
    if ends[0] == ends[1]:
        text = _(
            "k = 32 reaches 95 % after {sgd} ms, GD after {gd} ms: {times} times as long. In the end both read "
            "{gd_wrong} of 360 wrong. SGD was faster here, not better."
        )
    else:
        text = _(
            "k = 32 reaches 95 % after {sgd} ms, GD after {gd} ms: {times} times as long. In the end GD reads "
            "{gd_wrong} of 360 wrong and k = 32 reads {sgd_wrong}: that difference is chance. SGD was faster here, not "
            "better."
        )
    words = {"sgd": digits(1000 * sgd, 2), "gd": digits(1000 * gd, 2), "times": digits(gd / sgd, 2)}
    return text.format(gd_wrong=ends[0], sgd_wrong=ends[1], **words)


def code(clock: str) -> str:
    """Two runs of `fit`, judged on unseen digits."""
    del clock
    return """\
for k in (N, 32):
    fresh = new_model()
    fresh.compile(keras.optimizers.SGD(0.5), loss_function, metrics=["accuracy"])
    fresh.fit(x, y, batch_size=k, epochs=5, verbose=0)
    loss, accuracy = fresh.evaluate(x_test, y_test, verbose=0)
    print(f"k = {k}: {accuracy:.1%} of the unseen digits right")"""


def deeper(clock: str) -> Deeper:
    """The race itself."""
    del clock
    return Deeper(page="lab/gd_vs_sgd", address={"problem": "digits"})


STEP = Step(
    key="faster",
    teaches="C11",
    controls=(CLOCK,),
    film=film,
    question=N_("Who first reads 95 % of the unseen digits right, and who is better in the end?"),
    options={
        "a": N_("k = 32 is first, and clearly better in the end"),
        "b": N_("k = 32 is first, and in the end they are alike"),
        "c": N_("GD is first: its direction is the true one"),
    },
    right="b",
    explain=explain,
    code=code,
    deeper=deeper,
)
