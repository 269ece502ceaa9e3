"""A race that is over as a film: its curves on a logarithmic clock, and beside them what each model has learned."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from sgd_tf.racing.chart import y_domain
from sgd_tf.racing.snapshots import CELLS, NONE, Scene, Snapshot
from sgd_tf.racing.wording import seconds_text
from sgd_tf.training import history
from sgd_tf.training.records import RacePlan
from sgd_tf.ui.film import picture
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits, percent, target_text

NUM_FRAMES = 36  # besides those of the arrivals
DECADES = 500  # the film begins at this share of its end
FRAME, NEAR, ARRIVAL = 0.2, 0.6, 1.2  # seconds of a frame: slow motion round the finish
CLOSE = 1.15  # ratio of two times, within which a frame is near an arrival
# Of the classes over two features: Okabe and Ito's colours, which colour-blind readers distinguish.
CLASSES = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#999999")
STYLES: Mapping[str, dict[str, Any]] = {
    "0": {"fill": "surface", "alpha": 0.35, "ink": 0.25},
    "1": {"fill": "drawn", "edge": "alarm"},
}
SIZE = (40.0, 44.0)  # of the picture of a model, in its units
CURVES = (100.0, 26.0)  # size of the picture of the curves
TOP = 5.0  # below its title


@dataclass(frozen=True, kw_only=True)
class Moments:
    """The frames of a film."""

    seconds: list[float]  # of training; 0 at first
    arrivals: Mapping[str, float]  # contestant → seconds at which it was at the target

    @property
    def durations(self) -> list[float]:
        """Seconds for which each frame is shown."""
        return [self._duration(each) for each in self.seconds]

    def _duration(self, moment: float) -> float:
        if moment in self.arrivals.values():
            return ARRIVAL
        near = any(1 / CLOSE < moment / arrival < CLOSE for arrival in self.arrivals.values() if arrival > 0)
        return NEAR if near else FRAME


def moments(plan: RacePlan, table: pd.DataFrame) -> Moments:
    """Frames evenly spaced in log time, and one for each arrival at the target.

    Args:
        plan: of the race.
        table: of `history.to_frame`; somebody has trained.
    """
    end = float(table["seconds"].max())
    start = max(end / DECADES, float(table.loc[table["seconds"] > 0, "seconds"].min()))
    times = set(np.geomspace(start, end, NUM_FRAMES).tolist()[:-1]) | {0.0, end} if start < end else {0.0, end}
    arrivals = {}
    if plan.target is not None:
        reached = history.time_to_target(table, plan.target, metric=plan.target_metric)
        there = reached[reached["reached"]]
        arrivals = {str(name): float(at) for name, at in zip(there["run"], there["seconds"], strict=True)}
    return Moments(seconds=sorted(times | set(arrivals.values())), arrivals=arrivals)


def film(
    plan: RacePlan, table: pd.DataFrame, scene: Scene | None = None, snapshots: Sequence[Snapshot] = ()
) -> Film | None:
    """The film of a race.

    Args:
        plan: of the race.
        table: of `history.to_frame`.
        scene: what the snapshots are of.
        snapshots: what the contestants had learned, from time to time.

    Returns:
        None where nobody has trained.
    """
    if table.empty or not table["seconds"].any():
        return None
    frames = moments(plan, table)
    panels = [_curves(plan, table, frames)]
    for name in plan.configs:
        of_run = [each for each in snapshots if each.run == name]
        if scene is not None and of_run:
            panels.append(_model(name, scene, of_run, table, frames))
    return Film(
        panels=panels,
        frames=len(frames.seconds),
        seconds=track(frames.durations),
        captions=track([_caption(moment, frames) for moment in frames.seconds]),
        alt=_("The race against training time, and what each model has learned at that moment."),
        note=_notes(scene),
        caption_lines=1,
    )


def _notes(scene: Scene | None) -> str:
    if scene is None:
        return ""
    words = {
        "boundary": _("The class that the model gives to each place; {n} test samples, coloured by their own class."),
        "samples": _("{n} test samples; the yellow ones are still wrong."),
        "predictions": _("{n} test samples; right is on the diagonal."),
    }
    return words[scene.kind].format(n=scene.num_samples)


def _caption(moment: float, frames: Moments) -> str:
    if moment == 0:
        return _("At the start: the initial weights, the same for all.")
    text = _("After {seconds} s of training.").format(seconds=seconds_text(moment, 3))
    there = sorted((at, name) for name, at in frames.arrivals.items() if at <= moment)
    if not there:
        return text
    return text + " " + _("At the target: {names}.").format(names=", ".join(name for _at, name in there))


def _curves(plan: RacePlan, table: pd.DataFrame, frames: Moments) -> dict[str, Any]:
    """The metric of the target against the seconds, up to each frame."""
    metric, is_loss = plan.target_metric, plan.target_metric == "train_loss"
    low, high = y_domain(table, plan, metric, log=is_loss)
    end = frames.seconds[-1]
    start = frames.seconds[1] if len(frames.seconds) > 2 else end / DECADES
    marks = []
    if plan.target is not None and (plan.target > 0 or not is_loss):
        words = _("target {value}").format(value=target_text(plan.target, metric))
        marks += [picture.rule(y=plan.target), picture.label(start, plan.target, words, dx=4, dy=-9)]
    marks += [_line(name, table, frames, metric, low if is_loss else -math.inf) for name in plan.configs]
    title = _("Training loss") if is_loss else _("Test accuracy")
    plot = picture.plot(
        (0, 0, *CURVES),
        *marks,
        x=picture.axis((start, end * 1.02), _("Training time (s)"), log=True, ticks=_ticks(start, end)),
        y=picture.axis((low, high), log=is_loss) if is_loss else picture.axis((0, 1.02)),
        title=title,
    )
    return picture.panel(CURVES, plot, least=1200, tall=190)  # a row of its own


def _ticks(start: float, end: float) -> list[tuple[float, str]]:
    found = [digit * 10.0**power for power in range(-7, 3) for digit in (1, 2, 5)]
    inside = [each for each in found if start <= each <= end]
    return [(each, seconds_text(each, 1)) for each in inside[:: max(1, math.ceil(len(inside) / 5))]]


def _line(name: str, table: pd.DataFrame, frames: Moments, metric: str, floor: float) -> picture.Mark:
    records = table[(table["run"] == name) & (table["seconds"] > 0) & np.isfinite(table[metric])]
    xs, ys = records["seconds"].tolist(), records[metric].clip(lower=floor).tolist()
    upto = [-1.0] * len(frames.seconds)
    if xs:
        reach = np.interp(frames.seconds, xs, np.arange(len(xs)), left=-1.0)
        upto = np.round(reach, 2).tolist()
    return picture.line(xs, ys, color=_color(name, table), upto=track(upto), name=name, head=True)


def _color(name: str, table: pd.DataFrame) -> str:
    of_run = table[table["run"] == name]
    if of_run.empty or of_run["full_batch"].iloc[0]:
        return "full"
    return f"k{2 ** round(math.log2(of_run['batch_size'].iloc[0]))}"


def _model(
    name: str, scene: Scene, snapshots: Sequence[Snapshot], table: pd.DataFrame, frames: Moments
) -> dict[str, Any]:
    """What one contestant has learned, at each frame."""
    seconds = [each.seconds for each in snapshots]
    at = [max(0, int(np.searchsorted(seconds, moment, side="right")) - 1) for moment in frames.seconds]
    answers = [snapshots[i].answer for i in at]
    draw = {"boundary": _boundary, "samples": _samples, "predictions": _predictions}[scene.kind]
    titles = [
        _title(name, scene, moment, table, answer) for moment, answer in zip(frames.seconds, answers, strict=True)
    ]
    color = _color(name, table)
    head = picture.box((0, 0.6, 1.4, 3), fill=color, edge=color)
    return picture.panel(
        SIZE, head, picture.text((2.4, 2.1), track(titles), weight=600), draw(scene, answers), least=165
    )


def _title(name: str, scene: Scene, moment: float, table: pd.DataFrame, answer: str) -> str:
    if scene.kind == "samples":
        return _("{name}: {n} wrong").format(name=name, n=answer.count("1"))
    records = table[(table["run"] == name) & (table["seconds"] <= moment)]
    if records.empty:
        return name
    last = records.iloc[-1]
    if scene.kind == "boundary":
        return _("{name}: {share} right").format(name=name, share=percent(last["test_accuracy"]))
    return _("{name}: test loss {loss}").format(name=name, loss=digits(last["test_loss"], 2))


def _boundary(scene: Scene, answers: Sequence[str]) -> picture.Layer:
    def color(label: str) -> str:
        return CLASSES[(ord(label) - ord("0")) % len(CLASSES)]

    labels = set("".join(answers)) - {NONE} | set(scene.labels)
    field = picture.field(
        CELLS, CELLS, cells=track(answers), palette={label: color(label) for label in sorted(labels)}, alpha=0.5
    )
    dots = picture.dots(scene.points, colors=[color(label) for label in scene.labels], size=2.6, edge="background")
    place = (0, TOP, SIZE[0], SIZE[1] - TOP)
    unit = picture.axis((0, 1))
    return picture.plot(place, field, dots, x=unit, y=unit, bare=True, margin=[0, 0, 0, 0])


def _samples(scene: Scene, answers: Sequence[str]) -> picture.Layer:
    columns = math.ceil(math.sqrt(scene.num_samples))
    size = min(SIZE[0] / columns, (SIZE[1] - TOP) / math.ceil(scene.num_samples / columns))
    slots = picture.grid(scene.num_samples, columns, size=size, top=TOP)
    styles = {key: dict(style) for key, style in STYLES.items()}
    layer = picture.tiles(size, slots=slots, at=list(range(scene.num_samples)), states=track(answers), styles=styles)
    return layer | ({"images": scene.images} if scene.images else {})


def _predictions(scene: Scene, answers: Sequence[str]) -> picture.Layer:
    def points(answer: str) -> list[tuple[float, float] | None]:
        pairs = [answer[i : i + 2] for i in range(0, len(answer), 2)]
        return [
            None if pair == NONE * 2 else (round(true, 2), round(int(pair, 16) / 255, 2))
            for pair, (true, _true) in zip(pairs, scene.points, strict=True)
        ]

    unit = picture.axis((0, 1), _("true value"), ticks=[])
    return picture.plot(
        (0, TOP, SIZE[0], SIZE[1] - TOP),
        picture.line([0, 1], [0, 1], color="muted", width=1.5, dash=[5, 4]),
        picture.dots(track([points(answer) for answer in answers]), colors="primary", size=2.8, alpha=0.8),
        x=unit,
        y=picture.axis((0, 1), _("predicted"), ticks=[]),
        margin=[6, 20, 4, 36],
    )
