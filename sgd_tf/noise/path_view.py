"""The gradient of k samples beside the true one, at any point of a path: controls, pictures and numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf.jobs import tasks
from sgd_tf.noise import chart as noise_chart
from sgd_tf.noise import noise_law
from sgd_tf.ui import address, experiment
from sgd_tf.ui.language import _, titles
from sgd_tf.ui.numbers import digits
from sgd_tf.ui.runs import Rows
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.words import N_

CHART_HEIGHT = 400  # px
HEIGHT = 560  # px: of all that waits for the paths

# The straight line, whose two parameters are the plane that is drawn
NUM_POINTS, POINT_NOISE = 200, 1.5  # N, and the noise of the problem "line"
PATH_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, NUM_POINTS)
PATH_RATE, PATH_UPDATES = 0.1, 60
PATH_START = (-1.5, 3.5)
W_DOMAIN, B_DOMAIN = (-2.5, 5.0), (-2.25, 5.25)
PATHS = {"sgd": N_("SGD path"), "gd": N_("GD path")}


def _size(text: str) -> int:
    if int(text) not in PATH_SIZES:
        raise ValueError(text)
    return int(text)


PATH_SETTINGS = (
    address.Setting(key="noise_k", default=8, parse=_size),
    address.choice("noise_on", "sgd", PATHS),
    address.number("noise_at", 4, 0, PATH_UPDATES),
)


def draw() -> None:
    """Draw the part "Path": controls, the three pictures and their numbers."""
    address.restore(PATH_SETTINGS)
    with st.container(key="noise_path_controls"):
        first, second, third = st.columns(3, gap="medium", vertical_alignment="top")
    first.select_slider(_("Batch size k"), PATH_SIZES, key="noise_k", persist_state="session")
    second.segmented_control(
        _("Stand on"), list(PATHS), format_func=titles(PATHS), key="noise_on", required=True, persist_state="session"
    )
    third.slider(_("after this many updates"), 0, PATH_UPDATES, key="noise_at", persist_state="session")
    address.publish(PATH_SETTINGS)
    asked = (NUM_POINTS, POINT_NOISE, PATH_RATE, PATH_START, PATH_SIZES, PATH_UPDATES, 0)
    rows = experiment.answer("noise_paths", tasks.weight_paths, *asked, height=HEIGHT)
    if rows is not None:
        _path_pictures(rows)


def _path_pictures(rows: Rows) -> None:
    k, at = st.session_state["noise_k"], st.session_state["noise_at"]
    x, y, order = (np.array(rows[0][name]) for name in ("x", "y", "order"))
    paths = {row["batch_size"]: row for row in rows[1:]}
    shown = paths[k if st.session_state["noise_on"] == "sgd" else NUM_POINTS]
    w, b = shown["w"][at], shown["b"][at]
    per_example = noise_law.line_gradients(x, y, w, b)
    gradients, shares = noise_law.minibatch_means(per_example, noise_law.cut_order(order, k))
    full = per_example.mean(axis=0)
    cloud = _cloud(gradients, full, shares)
    options: dict[str, Any] = {
        "batch_size": k,
        "num_examples": NUM_POINTS,
        "theme": page_theme(CHART_HEIGHT),
    }
    steps, arrows, sums = st.columns(3, gap="medium")
    with steps, st.container(key="noise_steps"):
        here = cloud[cloud["kind"] == "full"].assign(w=w, b=b)
        here = here.assign(w2=here["w2"] + w, b2=here["b2"] + b)
        domains = W_DOMAIN, B_DOMAIN
        chart = noise_chart.steps(_contours(x, y), _both_paths(x, y, paths, k), here, domains=domains, **options)
        alt = _("Contours of the loss over w and b, the paths of GD and SGD, and the point at which you stand")
        show_chart(chart, alt, key="noise_steps_chart")
    with arrows, st.container(key="noise_cloud"):
        tips = cloud[["w2", "b2"]].to_numpy()
        near = np.linalg.norm(tips, axis=1) <= np.quantile(np.linalg.norm(tips, axis=1), 0.95)  # a few may leave it
        domains = _square(np.vstack([tips[near], tips[-2:], np.zeros(2)]))
        chart = noise_chart.arrows(cloud, layout="cloud", domains=domains, **options)
        alt = _("At one point: the steps of all minibatches of an epoch, their mean, and the step of gradient descent")
        show_chart(chart, alt, key="noise_cloud_chart")
    with sums, st.container(key="noise_sum"):
        chain, w_domain, b_domain = _end_to_end(gradients, full, shares)
        chart = noise_chart.arrows(chain, layout="end_to_end", domains=(w_domain, b_domain), **options)
        alt = _("The steps of the minibatches of one epoch laid end to end, and the step of gradient descent")
        show_chart(chart, alt, key="noise_sum_chart")
    with st.container(key="noise_path_numbers"):
        _path_numbers(per_example, gradients, shares, k)
        worst = max(row["difference"] for row in rows[1:])
        text = _(
            "The arrows follow the formula 2 (wx + b − y) (x, 1); in the first epoch Keras’ own gradients differ "
            "from it by at most {share} of their length."
        )
        st.caption(text.format(share=f"{worst:.0e}"))


def _contours(x: np.ndarray, y: np.ndarray) -> pd.DataFrame:
    lines = noise_law.line_contours(x, y, num_levels=8)
    num_levels, num_points, _columns = lines.shape
    table = pd.DataFrame(lines.reshape(-1, 3).round(4), columns=["w", "b", "loss"])
    return table.assign(level=np.repeat(range(num_levels), num_points), index=np.tile(range(num_points), num_levels))


def _both_paths(x: np.ndarray, y: np.ndarray, paths: Mapping[int, Mapping[str, Any]], k: int) -> pd.DataFrame:
    parts = []
    for size in dict.fromkeys((k, NUM_POINTS)):
        w, b = np.array(paths[size]["w"]), np.array(paths[size]["b"])
        loss = np.square(np.outer(w, x) + b[:, None] - y).mean(axis=1)
        table = {"full_batch": size == NUM_POINTS, "update": range(len(w)), "w": w, "b": b, "loss": loss}
        parts.append(pd.DataFrame(table))
    return pd.concat(parts, ignore_index=True)


def _cloud(gradients: np.ndarray, full: np.ndarray, shares: np.ndarray) -> pd.DataFrame:
    """Arrows from 0: the step −γ g_B of each minibatch, that of GD, and the mean of the former."""
    ends = -PATH_RATE * np.vstack([gradients, full, shares @ gradients])
    return pd.DataFrame(
        {
            "kind": ["minibatch"] * len(gradients) + ["full", "mean"],
            "w": 0.0,
            "b": 0.0,
            "w2": ends[:, 0],
            "b2": ends[:, 1],
            "name": [*_minibatch_names(shares), _("Step of GD"), _("Mean step of the minibatches")],
        }
    )


def _square(points: np.ndarray) -> tuple[tuple[float, float], tuple[float, float]]:
    """Axes of equal length that hold the points, at round places, so that they rest while little changes."""
    low, high = points.min(axis=0), points.max(axis=0)
    half = _round_up(0.58 * float((high - low).max()))
    unit = half / 4
    middle = unit * np.rint((low + high) / 2 / unit)
    (w_low, b_low), (w_high, b_high) = (middle - half).tolist(), (middle + half).tolist()
    return (w_low, w_high), (b_low, b_high)


def _minibatch_names(shares: np.ndarray) -> list[str]:
    text = _("Minibatch {i} of {n}: {k} samples")
    sizes = np.rint(shares * NUM_POINTS).astype(int)
    return [text.format(i=i, n=len(sizes), k=size) for i, size in enumerate(sizes, start=1)]


def _end_to_end(
    gradients: np.ndarray, full: np.ndarray, shares: np.ndarray
) -> tuple[pd.DataFrame, tuple[float, float], tuple[float, float]]:
    """Arrows from 0, each from the tip of the one before, and axes of equal length around them."""
    corners = np.vstack([np.zeros(2), np.cumsum(-PATH_RATE * shares[:, None] * gradients, axis=0)])
    tip = -PATH_RATE * full
    arrows = pd.DataFrame(
        {
            "kind": ["minibatch"] * len(gradients) + ["full"],
            "w": [*corners[:-1, 0], 0.0],
            "b": [*corners[:-1, 1], 0.0],
            "w2": [*corners[1:, 0], tip[0]],
            "b2": [*corners[1:, 1], tip[1]],
            "name": [*_minibatch_names(shares), _("Step of GD")],
        }
    )
    return arrows, *_square(corners)


def _round_up(value: float) -> float:
    """The next larger one of the round numbers …, 1, 1.5, 2, 3, 5, 7.5, 10, 15, ….

    >>> _round_up(0.4), _round_up(2.0)
    (0.5, 2.0)
    """
    unit = 10.0 ** math.floor(math.log10(max(value, 1e-9)))
    return next(step * unit for step in (1, 1.5, 2, 3, 5, 7.5, 10) if step * unit >= value * (1 - 1e-9))


def _path_numbers(per_example: np.ndarray, gradients: np.ndarray, shares: np.ndarray, k: int) -> None:
    full = per_example.mean(axis=0)
    length = float(np.linalg.norm(full))
    of_size_k = np.rint(shares * NUM_POINTS) == k  # the last minibatch may be smaller, and is noisier
    measured = math.sqrt(float(np.square(gradients[of_size_k] - full).sum(axis=1).mean()))
    law = math.sqrt(float(noise_law.variance_law(noise_law.sample_variance(per_example), k, NUM_POINTS)))
    residual = float(np.linalg.norm(shares @ gradients - full))
    summed = _(
        "Sum of all {num} minibatch gradients, each times its share k/N, less the gradient of all N: **{residual}**."
    )
    lines = [
        _(
            "Length of the gradient of all N: **{length}**. A minibatch gradient lies **{measured}** from it (root "
            "mean square); by the law {law}."
        ).format(
            length=digits(length, 3),
            measured="0" if k == NUM_POINTS else digits(measured, 3),
            law=digits(law, 3),
        ),
        summed.format(num=len(shares), residual="0" if residual == 0 else f"{residual:.0e}"),
    ]
    last = round(shares[-1] * NUM_POINTS)
    if last != k:
        text = _("The last minibatch has only {last} samples: it counts {last}/{n}, the others {k}/{n}.")
        lines[1] += " " + text.format(last=last, k=k, n=NUM_POINTS)
    st.markdown("\n".join(f"- {line}" for line in lines))
