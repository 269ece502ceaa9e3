"""The gradient of k samples beside the full gradient, at any point of a path: pictures and numbers."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf.noise import chart as noise_chart
from sgd_tf.noise import controls, film, noise_law, verdict, wording
from sgd_tf.noise.film import B_DOMAIN, W_DOMAIN
from sgd_tf.noise.rows import Path, PathPlan, Samples, weight_paths
from sgd_tf.ui import progress
from sgd_tf.ui.film import player
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import power_of_ten
from sgd_tf.ui.theme import page_theme, show_chart

CHART_HEIGHT = 400  # px
HEIGHT = 980  # px: of all that waits for the paths


def code(plan: PathPlan, batch_size: int) -> str:
    """The code that adds up the minibatch gradients of an epoch."""
    return f"""from sgd_tf import load
from sgd_tf.noise.gradients import Gradients, minibatch_gradients
from sgd_tf.training import models

line = load("line", num_examples={plan.num_examples}, noise={plan.noise})
gradients = Gradients(line, models.linear(line))
parts, shares = minibatch_gradients(gradients, {batch_size}, seed={plan.seed})  # of one epoch, all at the same weights
print(shares @ parts - gradients.full())  # 0, apart from rounding"""


def draw(plan: PathPlan, k: int, on_gd: bool, update: int) -> None:
    """Draw the three pictures and their numbers.

    Args:
        plan: of the paths.
        k: of the SGD path and of the minibatches.
        on_gd: whether the point lies on the path of gradient descent.
        update: number of updates made before.
    """
    found = progress.answer("noise_paths", weight_paths, plan, height=HEIGHT, is_recorded=True)
    if found is None:
        return
    (samples,) = (row for row in found if isinstance(row, Samples))
    paths = {row.batch_size: row for row in found if isinstance(row, Path)}
    x, y = np.array(samples.x), np.array(samples.y)
    minibatches = noise_law.cut_order(np.array(samples.order), k)
    shown = paths[plan.num_examples if on_gd else k]
    w, b = shown.w[update], shown.b[update]
    per_example, at_start = (noise_law.line_gradients(x, y, *point) for point in ((w, b), plan.start))
    gradients, shares = noise_law.minibatch_means(per_example, minibatches)
    tips = -plan.learning_rate * gradients
    gd_tip = -plan.learning_rate * per_example.mean(axis=0)
    options: dict[str, Any] = {
        "batch_size": k,
        "num_examples": plan.num_examples,
        "theme": page_theme(CHART_HEIGHT),
    }
    names = _names(shares, plan.num_examples)
    gd = _arrow("full", _("Step of GD"), gd_tip)
    with st.container(key="noise_balls"):
        player.show(film.balls(plan, paths, (x, y), k), key="noise_balls_film", on_pick=controls.start_at)
        st.caption(_("Click or drag on the picture to choose another start."))
    steps, arrows, sums = st.columns(3, gap="medium")
    with steps, st.container(key="noise_steps"):
        here = pd.DataFrame([gd | {"w": w, "b": b, "w2": w + gd_tip[0], "b2": b + gd_tip[1]}])
        both = pd.concat([_path(paths[size], x, y) for size in dict.fromkeys((k, plan.num_examples))])
        domains = W_DOMAIN, B_DOMAIN
        chart = noise_chart.steps(_contours(x, y), both, here, domains=domains, **options)
        alt = _("Contours of the loss over w and b, the paths of GD and SGD, and the point at which you stand")
        show_chart(chart, alt, key="noise_steps_chart")
    with arrows, st.container(key="noise_cloud"):
        mean = _arrow("mean", _("Mean step of the minibatches"), shares @ tips)
        cloud = pd.DataFrame(
            [*(_arrow("minibatch", name, tip) for name, tip in zip(names, tips, strict=True)), gd, mean]
        )
        chart = noise_chart.arrows(cloud, layout="cloud", domains=_square(tips), **options)
        alt = _("At one point: the steps of all minibatches of an epoch, their mean, and the step of gradient descent")
        show_chart(chart, alt, key="noise_cloud_chart")
    with sums, st.container(key="noise_sum"):
        corners = np.vstack([np.zeros(2), np.cumsum(shares[:, None] * tips, axis=0)])
        chain = [_arrow("minibatch", *each) for each in zip(names, corners[1:], corners[:-1], strict=True)]
        chart = noise_chart.arrows(pd.DataFrame([*chain, gd]), layout="end_to_end", domains=_square(corners), **options)
        alt = _("The steps of the minibatches of one epoch laid end to end, and the step of gradient descent")
        show_chart(chart, alt, key="noise_sum_chart")
    with st.container(key="noise_path_numbers"):
        start = verdict.path(at_start, *noise_law.minibatch_means(at_start, minibatches), k)
        lines = wording.path(verdict.path(per_example, gradients, shares, k), start, update)
        st.markdown("\n".join(f"- {line}" for line in lines))
        text = _(
            "The arrows follow the formula 2 (wx + b − y) (x, 1). In the first epoch, Keras’ own gradients differ from "
            "it by at most {share} of their length."
        )
        st.caption(text.format(share=power_of_ten(max(path.difference for path in paths.values()))))
        progress.cite(weight_paths, plan)


def _arrow(
    kind: str, name: str, tip: np.ndarray, tail: tuple[float, float] | np.ndarray = (0.0, 0.0)
) -> dict[str, Any]:
    return {"kind": kind, "name": name, "w": tail[0], "b": tail[1], "w2": tip[0], "b2": tip[1]}


def _names(shares: np.ndarray, num_examples: int) -> list[str]:
    text = _("Minibatch {i} of {n}: {k} samples")
    sizes = np.rint(shares * num_examples).astype(int)
    return [text.format(i=i, n=len(sizes), k=size) for i, size in enumerate(sizes, start=1)]


def _contours(x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    lines = noise_law.line_contours(x, y, num_levels=8)
    num_levels, num_points, _columns = lines.shape
    table = pd.DataFrame(lines.reshape(-1, 3).round(4), columns=["w", "b", "loss"])
    return table.assign(level=np.repeat(range(num_levels), num_points), index=np.tile(range(num_points), num_levels))


def _path(path: Path, x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    w, b = np.array(path.w), np.array(path.b)
    loss = np.square(np.outer(w, x) + b[:, None] - y).mean(axis=1)
    table = {"full_batch": path.batch_size == len(x), "update": range(len(w)), "w": w, "b": b, "loss": loss}
    return pd.DataFrame(table)


def _square(points: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Axes of equal length that hold the points and 0, at round places, so that they rest while little changes."""
    low, high = np.minimum(points.min(axis=0), 0), np.maximum(points.max(axis=0), 0)
    half = _round_up(0.58 * float((high - low).max()))
    unit = half / 4
    middle = unit * np.rint((low + high) / 2 / unit)
    (w_low, b_low), (w_high, b_high) = (middle - half).tolist(), (middle + half).tolist()
    return (w_low, w_high), (b_low, b_high)


def _round_up(value: float) -> float:
    """The next larger one of the round numbers …, 1, 1.5, 2, 3, 5, 7.5, 10, 15, ….

    >>> _round_up(0.4), _round_up(2.0)
    (0.5, 2.0)
    """
    unit = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(step * unit for step in (1, 1.5, 2, 3, 5, 7.5, 10) if step * unit >= value * (1 - 1e-9))
