"""Films of noise: balls of several k that roll on the loss from one start, and runs that leave a valley."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sgd_tf.noise import noise_law, valleys
from sgd_tf.noise.rows import Escapes, Path, PathPlan
from sgd_tf.ui.film import picture
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _

W_DOMAIN, B_DOMAIN = (-2.5, 5.0), (-2.25, 5.25)  # hold all paths from the usual start
OTHER_SIZES = (1, 32)  # k that roll beside the chosen one and GD
NAME_STEP = 17  # px between the names of balls
FAR = 1e3  # weights beyond this are drawn there: a ball that has flown off
MAX_DOTS = 100  # runs of a k that are drawn


def balls(plan: PathPlan, paths: Mapping[int, Path], samples: tuple[np.ndarray, np.ndarray], batch_size: int) -> Film:
    """Runs of several k from one start, update by update, on the contours of the loss.

    Args:
        plan: of the paths.
        paths: by k.
        samples: x and y of the line.
        batch_size: k that the page looks at.
    """
    sizes = [*sorted({batch_size, *OTHER_SIZES} - {plan.num_examples}), plan.num_examples]
    marks = [
        picture.line(level[:, 0].tolist(), level[:, 1].tolist(), color="line", width=1)
        for level in noise_law.line_contours(*samples, num_levels=8)
    ]
    points = []
    for place, k in enumerate(sizes):
        w, b = (np.clip(np.nan_to_num(values, nan=FAR), -FAR, FAR).tolist() for values in (paths[k].w, paths[k].b))
        points.append(list(zip(map(picture.significant, w), map(picture.significant, b), strict=True)))
        name = "GD" if k == plan.num_examples else f"k = {k:,}"
        dy = round(NAME_STEP * (place - (len(sizes) - 1) / 2))
        look: dict[str, Any] = {"name": name, "width": 1.5, "alpha": 0.75, "dy": dy}
        marks.append(picture.line(w, b, color=_color(k, plan), upto=track(range(len(w))), **look))
    colors = [_color(k, plan) for k in sizes]
    marks.append(picture.dots(track(list(zip(*points, strict=True))), colors=colors, size=7, edge="background"))
    plot = picture.plot(
        (0, 0, 60, 21), *marks, x=picture.axis(W_DOMAIN, _("Slope w")), y=picture.axis(B_DOMAIN, _("Intercept b"))
    )
    return Film(
        panels=[picture.panel((60, 21), plot | {"pick": True}, tall=300)],
        frames=plan.num_updates + 1,
        seconds=0.2,
        captions=track([_("Update {n} of {all}").format(n=n, all=plan.num_updates) for n in range(len(points[0]))]),
        caption_lines=1,
        alt=_("Balls roll on the contours of the loss: GD and SGD with several k, from the same start."),
    )


def _color(k: int, plan: PathPlan) -> str:
    return "full" if k == plan.num_examples else f"k{k}"


def escape(found: Sequence[Escapes]) -> Film:
    """The runs of one k after the other: from the bottom of the shallow valley to where they end.

    Args:
        found: a row for each k; the last one is gradient descent.
    """
    _deep, _ridge, shallow = valleys.stationary_points()
    curve = np.linspace(-1.75, 1.75, 101)
    lift = np.random.default_rng(0).uniform(0.02, 0.3, MAX_DOTS)  # so that one dot does not hide another
    start = [(picture.significant(shallow), picture.significant(valleys.height(shallow) + up)) for up in lift]
    points, colors, shares, captions = [], [], [], []
    names = [_name(row, found) for row in found]
    for place, row in enumerate(found):
        color = "full" if row is found[-1] else f"k{row.batch_size}"
        ends = [_end(end, up) for end, up in zip(row.ends[:MAX_DOTS], lift, strict=False)]
        for is_end in (False, True):
            points.append(ends if is_end else start[: len(ends)])
            colors.append(color)
            shares.append([each.share if i < place + is_end else 0.0 for i, each in enumerate(found)])
        values = {"name": names[place], "runs": row.num_runs, "escaped": row.num_escaped}
        captions.append(_("{name}: {runs} runs start at the bottom of the shallow valley.").format(**values))
        captions.append(_("{name}: {escaped} of {runs} ended in the deeper valley.").format(**values))
    plot = picture.plot(
        (0, 0, 52, 30),
        picture.line(curve.tolist(), valleys.height(curve).tolist(), color="text", width=2),
        picture.dots(track(points), colors=track(colors), size=4, alpha=0.6),
        x=picture.axis((-1.75, 1.75), _("Weight w")),
        y=picture.axis((-0.55, 0.75), ticks=[]),
    )
    bars = picture.bars(
        (0, 3, 34, 27),
        track(shares),
        labels=names,
        colors=["full" if row is found[-1] else f"k{row.batch_size}" for row in found],
        high=max(0.1, *(row.share for row in found)),
        texts=track([[f"{share:.0%}" if share else "" for share in each] for each in shares]),
        left=9,
        room=44,
    )
    title = picture.text((0, 1.4), _("Ended in the deeper valley"), weight=600)
    return Film(
        panels=[picture.panel((52, 30), plot, share=1.4), picture.panel((34, 30), title, bars, least=220)],
        frames=len(points),
        seconds=track([0.6 if frame % 2 == 0 else 1.4 for frame in range(len(points))]),
        captions=track(captions),
        caption_lines=1,
        alt=_("Runs of each k leave the bottom of the shallow valley; bars count those that end in the deeper one."),
    )


def _name(row: Escapes, found: Sequence[Escapes]) -> str:
    return "GD" if row is found[-1] else f"k = {row.batch_size:,}"


def _end(end: float, up: float) -> tuple[float, float] | None:
    """Where a run ended; None outside the picture."""
    if not abs(end) < 1.75:
        return None
    return picture.significant(end), picture.significant(valleys.height(end) + up)
