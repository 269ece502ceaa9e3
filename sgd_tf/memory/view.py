"""The page on memory: the run that may hit the wall, and the same minibatch by micro-batches."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.memory import chart as memory_chart
from sgd_tf.memory import film, predict, rows, verdict, wording
from sgd_tf.memory.controls import BATCH_SIZE, MICRO_BATCH_SIZE, MICRO_SIZES, SIZES, settings_text
from sgd_tf.memory.predict import MEGABYTE
from sgd_tf.memory.rows import Device, Difference, Measurement, PartsPlan, WallPlan
from sgd_tf.problems import CATALOGUE, ProblemInfo
from sgd_tf.recordings import recorded
from sgd_tf.training.records import ModelConfig, TrainConfig
from sgd_tf.ui import runs
from sgd_tf.ui.film import player
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import difference_text
from sgd_tf.ui.settings import Choice
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Trial, Verdict
from sgd_tf.words import N_

FITS = {"fits": N_("It fits"), "ended": N_("It does not fit")}
FALLS = {
    "same": N_("It stays the same"),
    "little": N_("It falls by less than half"),
    "much": N_("It falls by half or more"),
}
CHART_HEIGHT = 350  # px
SECONDS = 55.0  # of a run, at most


def _progress(plan: WallPlan | PartsPlan, found: list[Any]) -> float:
    return _num_done(found) / plan.num_rows


def _num_done(found: list[Any]) -> int:
    return sum(isinstance(row, Measurement | Difference) for row in found)


def _state(plan: WallPlan | PartsPlan, found: list[Any]) -> str:
    if num_done := _num_done(found):
        return _("{n} of {all} measurements are done").format(n=num_done, all=plan.num_rows)
    waiting = [row.seconds for row in found if isinstance(row, rows.Waiting)]
    text = _("A fresh process loads TensorFlow, which takes some seconds: {s:.0f} s so far …")
    return text.format(s=waiting[-1] if waiting else 0)


def predicted_table(
    info: ProblemInfo, model: ModelConfig, sizes: Sequence[int], *, batch_size: int | None = None
) -> pd.DataFrame:
    """Predicted megabytes by part: of each k, or of one k cut into micro-batches of each size.

    Args:
        info: of the problem.
        model: which model.
        sizes: k, or m where `batch_size` is given.
        batch_size: k.
    """
    layers = predict.layers_for(info, model)
    labels = {
        "activations": _("activations"),
        "batch": _("minibatch"),
        "gradients": _("gradients"),
        "parameters": _("parameters"),
        "total": _("predicted in all"),
    }
    table = []
    for size in sizes:
        config = TrainConfig(batch_size=batch_size or size, micro_batch_size=size if batch_size else None)
        found = predict.predict(layers, config, num_examples=info.num_examples, num_features=info.num_features)
        for name, label in labels.items():
            value = found.total if name == "total" else getattr(found, name)
            table.append({"part": name, "label": label, "size": size, "megabytes": value / MEGABYTE})
    return pd.DataFrame(table)


def measured_table(
    measured: Sequence[Measurement], sizes: Sequence[int], tried: Measurement | None = None
) -> pd.DataFrame:
    """Measurements for the chart, each at its size."""
    table = [
        {
            "size": size,
            "megabytes": max(row.num_bytes, 1) / MEGABYTE,
            "fits": row.fits,
            "seconds": row.seconds,
            "tried": row is tried,
        }
        for row, size in zip(measured, sizes, strict=True)
    ]
    return pd.DataFrame(table, columns=["size", "megabytes", "fits", "seconds", "tried"]).astype({"seconds": "float64"})


# 1. The wall


@st.cache_resource
def _known() -> dict[tuple[str, ModelConfig], list[Measurement]]:
    """What was measured on this server, by problem and model."""
    return {}


def with_others(plan: WallPlan) -> WallPlan:
    """The plan, with the measurements that this server does not know yet."""
    is_known = (plan.problem, plan.model) in _known()
    return dataclasses.replace(plan, others=() if is_known else rows.measured_sizes(plan.problem))


def _measured(plan: WallPlan, found: list[Any]) -> tuple[Measurement | None, list[Measurement]]:
    """The learner's own trial, if it has ended, and the measurements of other k, kept for all learners."""
    measured = [row for row in found if isinstance(row, Measurement)]
    own, others = (measured[0] if measured else None), measured[1:]
    if runs.get(WALL.kind) and plan.others and len(others) == len(plan.others):  # not of the recorded run
        _known()[plan.problem, plan.model] = others
    return own, others or _known().get((plan.problem, plan.model), [])


def _wall_picture(plan: WallPlan, found: list[Any]) -> None:
    """Draw the prediction, what was measured so far, and the limits."""
    info = CATALOGUE[plan.problem]
    own, others = _measured(plan, found)
    shown = [*others, *([own] if own and not own.micro_batch_size else [])]
    predicted = predicted_table(info, plan.model, _sizes_up_to(info.num_examples))
    devices = [row for row in found if isinstance(row, Device)] if runs.get(WALL.kind) else []
    limits = _limits(plan, devices[0] if devices else None)
    peaks = (row.num_bytes / MEGABYTE for row in shown)
    top = max(predicted["megabytes"].max(), *limits.values(), *peaks) * 2
    tank, growth = st.columns([1, 2], gap="small")
    with tank, st.container(key="memory_tank"):
        player.show(film.tank(plan, own, others), key="memory_tank_film")
    with growth, st.container(key="memory_wall_chart"):
        chart = memory_chart.memory_growth(
            predicted,
            measured_table(shown, [row.batch_size for row in shown], own),
            limits=limits,
            x=charts.Axis("size", (0.8, 1.25 * info.num_examples), title=_("Batch size k")),
            y_domain=(predicted.loc[predicted["part"] == "parameters", "megabytes"].min() / 3, top),
            title=(_("Memory of one update: lines predicted, points measured"), _largest_text(plan, info, shown)),
            theme=page_theme(CHART_HEIGHT),
        )
        words = _("Memory against the batch size: predicted parts, measured peaks, and the limit")
        show_chart(chart, words, key="memory_growth")
    if own and own.base:
        text = _(
            "The limit is for what an update adds. TensorFlow itself and the data held {n} before, the same for "
            "every k: not counted."
        )
        st.caption(text.format(n=wording.megabytes(own.base)))


def _sizes_up_to(num: int) -> list[int]:
    return np.unique(np.geomspace(1, num, 40).round().astype(int)).tolist()


def _limits(plan: WallPlan, device: Device | None) -> dict[str, float]:
    """The learner's limit and the memory of what trains, in MB by label."""
    limits = {_("your limit, {n} MB").format(n=f"{plan.limit // MEGABYTE:,}"): plan.limit / MEGABYTE}
    memory = device.memory if device else runs.cluster().memory_limit
    if memory:
        text = _("this GPU, {n} GB") if device and device.kind == "GPU" else _("a worker of this server, {n} GB")
        limits[text.format(n=f"{memory / 1e9:.3g}")] = memory / MEGABYTE
    return limits


def _largest_text(plan: WallPlan, info: ProblemInfo, measured: list[Measurement]) -> str:
    """The largest k within the limit, by the prediction and by what was measured."""
    layers = predict.layers_for(info, plan.model)
    most = predict.largest_batch_size(
        layers, plan.limit, num_examples=info.num_examples, num_features=info.num_features
    )
    text = (
        _("Largest k within your limit: {k} (predicted)").format(k=f"{most:,}")
        if most
        else _("By the prediction not even one sample fits")
    )
    peaks = [(row.batch_size, row.num_bytes) for row in measured if row.fits]
    if by_points := predict.largest_measured(peaks, plan.limit, num_examples=info.num_examples):
        text += _(", {k} (from measured points)").format(k=f"{by_points:,}")
    return text


def _wall(plan: WallPlan, found: list[Any]) -> verdict.WallVerdict | verdict.Unfinished:
    return verdict.wall(plan, _measured(plan, found)[0])


def _wall_verdict(plan: WallPlan, found: list[Any]) -> Verdict | None:
    """What happened to the learner's update, as soon as it is known."""
    says = _wall(plan, found)
    if isinstance(says, verdict.Unfinished):
        return Verdict(text=wording.wall(says))
    return Verdict(text=wording.wall(says), answer=says.answer, is_failure=says.answer == "ended")


WALL = Trial(
    kind="memory_wall",
    run=rows.hit_the_wall,
    recorded=recorded(rows.hit_the_wall),
    question=N_("Predict: does this update fit into the limit?"),
    options=FITS,
    seconds=lambda _plan: SECONDS,
    settings=settings_text,
    progress=_progress,
    state=_state,
    verdict=_wall_verdict,
    is_known=lambda plan, found: _measured(plan, found)[0] is not None,
    picture=_wall_picture,
)


def wall_ways_out() -> None:
    """After a run that did not fit: two buttons that set what would."""
    run = runs.get(WALL.kind)
    if run is None:
        return
    says = _wall(run.plan, run.job.rows)
    if isinstance(says, verdict.Unfinished) or says.answer == "fits":
        return
    k, m = says.fitting_k, says.fitting_m
    with st.container(horizontal=True, key="memory_ways_out"):
        for found, powers, setting, icon, label in (
            (m, MICRO_SIZES[1:], MICRO_BATCH_SIZE, ":material/call_split:", _("Set m = {m}")),
            (k, SIZES[:-1], BATCH_SIZE, ":material/compress:", _("Set k = {k}")),
        ):
            size = max((power for power in powers if int(power) <= (found or 0)), key=int, default=None)
            if size:
                _set_button(setting, size, label.format(m=f"{int(size):,}", k=f"{int(size):,}"), icon)


def _set_button(setting: Choice, size: str, label: str, icon: str) -> None:
    key = setting.key.replace("memory", "memory_take")
    st.button(label, key=key, icon=icon, on_click=setting.set, args=(size,))


# 2. In parts


def _parts_picture(plan: PartsPlan, found: list[Any]) -> None:
    """Draw memory and time against m so far, and the table."""
    info, k, parts = CATALOGUE[plan.problem], plan.minibatch_size, plan.micro_batch_sizes
    measured = [row for row in found if isinstance(row, Measurement)]
    table = measured_table(measured, [row.micro_batch_size or row.batch_size for row in measured])
    sizes = sorted({k, *parts, *np.geomspace(parts[-1], k, 20).round().astype(int).tolist()})
    predicted = predicted_table(info, plan.model, sizes, batch_size=k)
    low, high = predicted["megabytes"].min(), predicted["megabytes"].max()
    theme, x = page_theme(CHART_HEIGHT), charts.Axis("size", (0.8 * parts[-1], 1.3 * k), title=_("Micro-batch m"))
    with st.container(key="memory_parts_chart"), st.grid(2, min_column_width=320, gap="small"):
        chart = memory_chart.memory_growth(
            predicted,
            table,
            limits={},
            x=x,
            y_domain=(low / 2, max(high * 4, table["megabytes"].max() * 2 if measured else 0.0)),
            title=(
                _("Memory of one update of k = {k}").format(k=f"{k:,}"),
                _("Lines: predicted. Points: measured."),
            ),
            theme=theme,
        )
        words = _("Memory against the size of the micro-batches: predicted parts and measured peaks")
        show_chart(chart, words, key="memory_parts_growth")
        times = memory_chart.time_by_size(table, x=x, title=_("Time of the same update"), theme=theme)
        show_chart(times, _("Milliseconds per update against the size of the micro-batches"), key="memory_parts_time")
    if measured:
        compared = [row for row in found if isinstance(row, Difference)]
        _parts_table(measured, compared, with_norm=plan.model.kind == "mlp")


def _parts_table(measured: list[Measurement], compared: list[Difference], *, with_norm: bool) -> None:
    """Each m: parts, peak, time, and the distance of its update from the whole one."""
    found = {(row.batch_norm, row.micro_batch_size): row.difference for row in compared}
    unknown = "…" if runs.active() else "–"
    plain, norm = _("Difference of the update"), _("Difference with batch norm")
    shown = []
    for row in measured:
        k, m = row.batch_size, row.micro_batch_size
        shown.append(
            {
                _("Micro-batch m"): _("whole") if m is None else f"{m:,}",
                _("Parts"): f"{-(-k // (m or k)):,}",
                _("Peak, MB"): f"{row.num_bytes / MEGABYTE:,.1f}" if row.fits else _("stopped"),
                _("Time per update"): wording.milliseconds(row.seconds) if row.seconds else "–",
                plain: "–" if m is None else difference_text(found.get((False, m)), unknown),
            }
        )
        if with_norm:
            shown[-1][norm] = "–" if m is None else difference_text(found.get((True, m)), unknown)
    with st.container(key="memory_parts_table"):
        st.table(pd.DataFrame(shown).set_index(_("Micro-batch m")))


def _parts_verdict(plan: PartsPlan, found: list[Any]) -> Verdict:
    """Memory, difference and time of the update by micro-batches."""
    says = verdict.parts(plan, found)
    return Verdict(text=wording.parts(says), answer=getattr(says, "answer", None))


def _parts_question(plan: PartsPlan) -> str:
    num_parts = math.ceil(plan.minibatch_size / plan.micro_batch_sizes[-1])
    return _("Predict: with {n} micro-batches, the peak memory of the update …").format(n=num_parts)


PARTS = Trial(
    kind="memory_parts",
    run=rows.accumulate,
    recorded=recorded(rows.accumulate),
    question=_parts_question,
    options=FALLS,
    seconds=lambda _plan: SECONDS,
    settings=settings_text,
    progress=_progress,
    state=_state,
    verdict=_parts_verdict,
    picture=_parts_picture,
)


def code(plan: PartsPlan) -> str:
    """The update by micro-batches in plain TensorFlow."""
    is_regression = CATALOGUE[plan.problem].num_classes is None
    loss = "MeanSquaredError()" if is_regression else "SparseCategoricalCrossentropy(from_logits=True)"
    return f"""import keras
import tensorflow as tf

mean_loss = keras.losses.{loss}
optimizer = keras.optimizers.SGD(0.1)
m = {plan.micro_batch_sizes[0]}  # samples in a micro-batch


def update(model, x, y):  # one update by a minibatch of k = {plan.minibatch_size} samples
    gradients = [tf.zeros_like(weights) for weights in model.trainable_variables]
    for start in range(0, len(x), m):                  # the k samples in parts
        part = slice(start, start + m)
        share = len(x[part]) / len(x)                  # the last part may be smaller
        with tf.GradientTape() as tape:
            loss = share * mean_loss(y[part], model(x[part], training=True))
        new = tape.gradient(loss, model.trainable_variables)
        gradients = [a + b for a, b in zip(gradients, new)]
    optimizer.apply(gradients, model.trainable_variables)   # one update"""
