"""The film of a tank: the memory of an update fills it as k grows, up to the learner's k, which may burst it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sgd_tf.memory import verdict
from sgd_tf.memory.predict import MEGABYTE
from sgd_tf.memory.rows import Measurement, WallPlan
from sgd_tf.memory.verdict import Unfinished
from sgd_tf.memory.wording import megabytes
from sgd_tf.ui.film import picture
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _


@dataclass(frozen=True, kw_only=True)
class Level:
    """One frame: how full the tank is, and why."""

    num_bytes: int
    caption: str


def tank(plan: WallPlan, own: Measurement | None, others: Sequence[Measurement]) -> Film:
    """The measured peaks in the order of k on their way to the learner's update, then what became of it.

    Args:
        plan: of the run.
        own: the learner's update; None as long as it is not measured.
        others: updates with other k.
    """
    frames = levels(plan, own, others)
    limit = min(plan.limit, own.limit or plan.limit) if own else plan.limit
    layer = picture.tank(
        (9, 6, 20, 25),
        track([round(each.num_bytes / limit, 4) for each in frames]),
        label=track([megabytes(each.num_bytes) for each in frames]),
        limit=_("limit {n} MB").format(n=f"{limit / MEGABYTE:,.0f}"),
    )
    return Film(
        panels=[picture.panel((38, 36), layer, least=180)],
        frames=len(frames),
        seconds=1.6,
        captions=track([each.caption for each in frames]),
        caption_lines=4,
        alt=_("A tank of memory: it fills as k grows, and spills over if the update needs more than the limit."),
    )


def levels(plan: WallPlan, own: Measurement | None, others: Sequence[Measurement]) -> list[Level]:
    """What the tank holds in each frame; see `tank`."""
    if own is None:
        return [Level(num_bytes=0, caption=_("The tank is as large as the limit. Run fills it."))]
    frames = [Level(num_bytes=0, caption=_("The tank is as large as the limit."))]
    for row in sorted(others, key=lambda row: row.batch_size):
        if row.fits and row.batch_size < own.batch_size:
            text = _("k = {k}: the update takes {amount} at its peak.")
            frames.append(Level(num_bytes=row.num_bytes, caption=_filled(text, row)))
    if own.fits:
        text = _("k = {k}, your update: {amount}. It fits.")
        return [*frames, Level(num_bytes=own.num_bytes, caption=_filled(text, own))]
    text = _("k = {k}, your update: over the limit. Its process was stopped at {amount}.")
    frames.append(Level(num_bytes=max(own.num_bytes, own.limit or plan.limit), caption=_filled(text, own)))
    says = verdict.wall(plan, own)
    if not isinstance(says, Unfinished) and says.predicted > frames[-1].num_bytes:
        text = _("It would have taken about {amount}, by the prediction.")
        frames.append(Level(num_bytes=says.predicted, caption=text.format(amount=megabytes(says.predicted))))
    return frames


def _filled(text: str, row: Measurement) -> str:
    return text.format(k=f"{row.batch_size:,}", amount=megabytes(row.num_bytes))
