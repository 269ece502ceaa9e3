"""The page on memory: its controls, the run that may hit the wall, and the same minibatch by micro-batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.memory import chart as memory_chart
from sgd_tf.memory import prediction
from sgd_tf.memory.prediction import MEGABYTE, Trial
from sgd_tf.problems import CATALOGUE, ProblemInfo
from sgd_tf.training.counting import resolve_batch_size
from sgd_tf.training.records import BatchSize, ModelConfig, TrainConfig
from sgd_tf.ui import address, experiment, runs
from sgd_tf.ui.language import _, segments, selectbox, titles
from sgd_tf.ui.numbers import difference_text
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.widgets import PROBLEMS
from sgd_tf.words import N_

PARTS = {"wall": N_("The memory wall"), "parts": N_("In parts: accumulation")}
CHOICES = ("flights", "digits", "mnist", "fashion_mnist")
MODELS: dict[str, ModelConfig] = {
    "wide": ModelConfig(widths=(256,)),
    "deep": ModelConfig(widths=(256, 256, 256, 256)),
    "cnn": ModelConfig(kind="cnn"),
}
MODEL_TITLES = {"wide": N_("MLP, 256"), "deep": N_("MLP, 4 × 256"), "cnn": N_("CNN")}
LIMITS = ("16", "64", "256", "1024")  # MB
SIZES = (*(str(2**i) for i in range(4, 18)), "all")
MICRO = ("0", *(str(2**i) for i in range(4, 18)))  # 0: the whole minibatch at once
FITS = {"fits": N_("It fits"), "ended": N_("It does not fit")}
FALLS = {"same": N_("It stays the same"), "little": N_("It falls by less than half"), "much": N_("To half, or less")}
ROUNDING = 1e-5  # relative: what float32 may leave of the difference between whole and parts
CHART_HEIGHT = 350  # px
MEASURED_SHARES = (1 / 32, 1 / 4, 1.0)  # of N, whose memory is measured besides the learner's k
PART_SHARES = (4, 16, 64)  # the minibatch is cut into so many micro-batches

SETTINGS = (
    address.choice("memory_part", "wall", PARTS),
    address.choice("memory_problem", "flights", CHOICES),
    address.choice("memory_model", "wide", MODELS),
    address.choice("memory_limit", "256", LIMITS),
    address.choice("memory_k", "131072", SIZES),
    address.choice("memory_m", "0", MICRO),
    address.choice("memory_parts_k", "16384", SIZES),
)


def part() -> str:
    """Draw the choice of what to look at, and return it."""
    address.restore(SETTINGS)
    segments(_("What to look at"), PARTS, "memory_part", label_visibility="collapsed")
    return str(st.session_state["memory_part"])


def _info() -> ProblemInfo:
    return CATALOGUE[st.session_state["memory_problem"]]


def number(size: str) -> str:
    """A batch size of the controls as it is shown."""
    return f"N = {_info().num_examples:,}" if size == "all" else f"{int(size):,}"


def _micro(size: str) -> str:
    return _("whole") if size == "0" else f"{int(size):,}"


def _batch_size(key: str) -> BatchSize:
    text = st.session_state[key]
    return "all" if text == "all" else int(text)


def _common() -> tuple[ProblemInfo, ModelConfig]:
    """The problem and the model."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        selectbox(_("What to learn"), {name: PROBLEMS[name] for name in CHOICES}, key="memory_problem")
        info = _info()
        kinds = [kind for kind in MODELS if kind != "cnn" or info.is_image]
        if st.session_state["memory_model"] not in kinds:
            st.session_state["memory_model"] = "wide"
        st.segmented_control(
            _("Model"),
            kinds,
            format_func=titles(MODEL_TITLES),
            key="memory_model",
            required=True,
            persist_state="session",
        )
    return info, MODELS[st.session_state["memory_model"]]


def _size_control(label: str, key: str, info: ProblemInfo) -> None:
    allowed = [size for size in SIZES if size == "all" or int(size) < info.num_examples]
    if st.session_state[key] not in allowed:
        st.session_state[key] = "all"
    st.select_slider(label, allowed, format_func=number, key=key, persist_state="session")


# 1. The wall


def wall_arguments() -> tuple[str, None, ModelConfig, Trial, tuple[int, ...]]:
    """Draw the controls of the wall, and return what the worker is asked for."""
    info, model = _common()
    st.segmented_control(
        _("Limit of memory, MB"),
        LIMITS,
        key="memory_limit",
        required=True,
        persist_state="session",
        help=_("What an update may take: parameters, gradients, minibatch and activations; not TensorFlow itself."),
    )
    _size_control(_("Batch size k"), "memory_k", info)
    k = _batch_size("memory_k")
    micro = [size for size in MICRO if int(size) < resolve_batch_size(info.num_examples, k)]
    if st.session_state["memory_m"] not in micro:
        st.session_state["memory_m"] = "0"
    st.select_slider(
        _("Micro-batch m"),
        micro,
        format_func=_micro,
        key="memory_m",
        persist_state="session",
        help=_("The k samples pass in parts of m; their gradients are added up before the one update."),
    )
    address.publish(SETTINGS)
    m = int(st.session_state["memory_m"]) or None
    limit = int(st.session_state["memory_limit"]) * MEGABYTE
    ladder = () if _measured(info.name, model) else tuple(_ladder(info))
    return info.name, None, model, Trial(batch_size=k, micro_batch_size=m, limit=limit), ladder


def _ladder(info: ProblemInfo) -> list[int]:
    """Batch sizes to measure: shares of N."""
    return [max(1, round(info.num_examples * share)) for share in MEASURED_SHARES]


@st.cache_resource
def _known() -> dict[Any, list[dict[str, Any]]]:
    """What was measured on this server, by problem and model."""
    return {}


def _measured(problem: str, model: ModelConfig) -> list[dict[str, Any]]:
    return _known().get((problem, model), [])


def wall_rows(run: SessionRun | None) -> tuple[dict[str, Any] | None, list[dict[str, Any]]]:
    """The learner's own trial, if it has ended, and the measurements of other k, kept for all learners."""
    if run is None:
        return None, []
    rows = [row for row in run.job.rows if "bytes" in row]
    problem, _num, model, _trial, ladder = run.plan
    own, others = (rows[0] if rows else None), rows[1:]
    if ladder and len(others) == len(ladder):
        _known()[problem, model] = others
    return own, others or _measured(problem, model)


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
    layers = prediction.layers_for(info, model)
    labels = {
        "activations": _("activations"),
        "batch": _("minibatch"),
        "gradients": _("gradients"),
        "parameters": _("parameters"),
        "total": _("predicted in all"),
    }
    rows = []
    for size in sizes:
        config = TrainConfig(batch_size=batch_size or size, micro_batch_size=size if batch_size else None)
        found = prediction.predict(layers, config, num_examples=info.num_examples, num_features=info.num_features)
        for name, label in labels.items():
            value = found.total if name == "total" else getattr(found, name)
            rows.append({"part": name, "label": label, "size": size, "megabytes": value / MEGABYTE})
    return pd.DataFrame(rows)


def measured_table(rows: Sequence[Mapping[str, Any]], size: str, tried: Mapping[str, Any] | None) -> pd.DataFrame:
    """Rows of a worker for the chart."""
    table = [
        {
            "size": row[size] or row["batch_size"],
            "megabytes": max(row["bytes"], 1) / MEGABYTE,
            "fits": row["fits"],
            "seconds": row["seconds"],
            "tried": row is tried,
        }
        for row in rows
    ]
    return pd.DataFrame(table, columns=["size", "megabytes", "fits", "seconds", "tried"]).astype({"seconds": "float64"})


def _shown_wall() -> tuple[Any, ...]:
    info = _info()
    model = MODELS[st.session_state["memory_model"]]
    limit = int(st.session_state["memory_limit"]) * MEGABYTE
    return info.name, None, model, Trial(batch_size="all", limit=limit), ()


def wall_picture(run: SessionRun | None) -> None:
    """Draw the prediction, what was measured so far, the state of the run, and at its end what it says."""
    problem, _num, model, trial, ladder = run.plan if run else _shown_wall()
    info = CATALOGUE[problem]
    own, others = wall_rows(run) if run else (None, _measured(problem, model))
    sizes = np.unique(np.geomspace(1, info.num_examples, 40).round().astype(int)).tolist()
    predicted = predicted_table(info, model, sizes)
    shown = [*others, *([own] if own and not own["micro_batch_size"] else [])]
    device = next((row for row in run.job.rows if "device_memory" in row), None) if run else None
    limits = {_("your limit, {n} MB").format(n=f"{trial.limit // MEGABYTE:,}"): trial.limit / MEGABYTE}
    worker = device["device_memory"] if device else runs.cluster().memory_limit
    if worker:
        text = _("this GPU, {n} GB") if device and device["device"] != "CPU" else _("a worker of this server, {n} GB")
        limits[text.format(n=f"{worker / 1e9:.3g}")] = worker / MEGABYTE
    top = max(predicted["megabytes"].max(), *limits.values()) * 2
    layers = prediction.layers_for(info, model)
    most = prediction.largest_batch_size(
        layers, trial.limit, num_examples=info.num_examples, num_features=info.num_features
    )
    subtitle = (
        _("By the shapes of the layers the largest k within your limit is {k}").format(k=f"{most:,}")
        if most
        else _("By the shapes of the layers not even one sample fits")
    )
    peaks = [(row["batch_size"], row["bytes"]) for row in shown if row["fits"]]
    if by_points := prediction.largest_measured(peaks, trial.limit, num_examples=info.num_examples):
        subtitle += _("; by the points {k}").format(k=f"{by_points:,}")
    with st.container(key="memory_wall_chart"):
        chart = memory_chart.memory_growth(
            predicted,
            measured_table(shown, "batch_size", own),
            limits=limits,
            x=charts.Axis("size", (0.8, 1.25 * info.num_examples), title=_("Batch size k")),
            y_domain=(predicted.loc[predicted["part"] == "parameters", "megabytes"].min() / 3, top),
            title=(_("Memory of one update: lines predicted, points measured"), subtitle),
            theme=page_theme(CHART_HEIGHT),
        )
        words = _("Memory against the batch size: predicted parts, measured peaks, and the limit")
        show_chart(chart, words, key="memory_growth")
    num_done = (own is not None) + (len(others) if ladder else 0)
    experiment.status(run, num_done / (1 + len(ladder)), _progress(run, num_done, 1 + len(ladder)))
    if run and own:
        _wall_verdict(run, own, info, model)


def _progress(run: SessionRun | None, num_done: int, num_all: int) -> str:
    if run is None or not run.job.rows:
        return ""
    waiting = [row["waiting"] for row in run.job.rows if "waiting" in row]
    if run.is_active and not num_done:
        text = _("A fresh process loads TensorFlow, which takes some seconds: {s:.0f} s so far …")
        return text.format(s=waiting[-1] if waiting else 0)
    return _("{n} of {all} measurements are done").format(n=num_done, all=num_all)


def _wall_verdict(run: SessionRun, own: Mapping[str, Any], info: ProblemInfo, model: ModelConfig) -> None:
    """What happened to the learner's update, and if it did not fit, a k and an m that do."""
    experiment.judge(run.prediction, "fits" if own["fits"] else "ended", FITS)
    layers = prediction.layers_for(info, model)
    config = TrainConfig(batch_size=own["batch_size"], micro_batch_size=own["micro_batch_size"])
    predicted = prediction.predict(layers, config, num_examples=info.num_examples, num_features=info.num_features).total
    name = f"k = {own['batch_size']:,}" + (f", m = {own['micro_batch_size']:,}" if own["micro_batch_size"] else "")
    values = {
        "name": name,
        "limit": megabytes(own["limit"]),
        "measured": megabytes(own["bytes"]),
        "predicted": megabytes(predicted),
    }
    with st.container(key="memory_wall_verdict"):
        if own["fits"]:
            text = _("{name} fits: at its peak the update took {measured} of {limit}; predicted were {predicted}.")
            st.success(text.format(**values))
        else:
            k, m = _recommended(own, info, model)
            text = _(
                "{name} does not fit: its process was ended at {measured}, above the limit of {limit}; predicted were "
                "{predicted}."
            )
            st.error(f"{text.format(**values)} {recommendation(own['batch_size'], k, m)}")
        if own["base"]:
            st.caption(
                _("TensorFlow itself, with the data, held {n} before: not counted.").format(n=megabytes(own["base"]))
            )


def _recommended(own: Mapping[str, Any], info: ProblemInfo, model: ModelConfig) -> tuple[int | None, int | None]:
    return prediction.recommend(
        prediction.layers_for(info, model),
        own["limit"],
        batch_size=own["batch_size"],
        num_examples=info.num_examples,
        num_features=info.num_features,
    )


def recommendation(batch_size: int, k: int | None, m: int | None) -> str:
    """A k and an m that fit, as a sentence."""
    if k and m:
        text = _("What fits: k = {k}, or the same k = {batch} in micro-batches of m = {m}.")
    elif k:
        text = _("What fits: k = {k}. The minibatch itself is too large for k = {batch} in parts.")
    else:
        text = _("Not even one sample fits: choose a smaller model or a higher limit.")
    return text.format(k=f"{k or 0:,}", m=f"{m or 0:,}", batch=f"{batch_size:,}")


def megabytes(num_bytes: float) -> str:
    """Bytes as MB, with as many digits as mean something.

    >>> megabytes(1_234_567), megabytes(551_606_280)
    ('1.2 MB', '552 MB')
    """
    value = num_bytes / MEGABYTE
    return f"{value:,.1f} MB" if value < 10 else f"{value:,.0f} MB"


def wall_ways_out() -> None:
    """After a run that did not fit: two buttons that set what would."""
    run = runs.get("memory_wall")
    own, _others = wall_rows(run)
    if run is None or run.is_active or own is None or own["fits"]:
        return
    k, m = _recommended(own, CATALOGUE[run.plan[0]], run.plan[2])
    with st.container(horizontal=True, key="memory_ways_out"):
        for found, powers, key, icon, label in (
            (m, MICRO[1:], "memory_m", ":material/call_split:", _("Set m = {m}")),
            (k, SIZES[:-1], "memory_k", ":material/compress:", _("Set k = {k}")),
        ):
            size = max((power for power in powers if int(power) <= (found or 0)), key=int, default=None)
            if size:
                shown = f"{int(size):,}"
                st.button(
                    label.format(m=shown, k=shown),
                    key=key.replace("memory", "memory_take"),
                    icon=icon,
                    on_click=_take,
                    args=(key, size),
                )


def _take(key: str, value: str) -> None:
    st.session_state[key] = value


# 2. In parts


def parts_arguments() -> tuple[str, None, ModelConfig, BatchSize, tuple[int, ...]]:
    """Draw the controls of the accumulation, and return what the worker is asked for."""
    info, model = _common()
    _size_control(_("Batch size k"), "memory_parts_k", info)
    address.publish(SETTINGS)
    size = _batch_size("memory_parts_k")
    return info.name, None, model, size, _parts(resolve_batch_size(info.num_examples, size))


def _parts(batch_size: int) -> tuple[int, ...]:
    """Micro-batch sizes to measure, the largest first."""
    return tuple(dict.fromkeys(max(1, batch_size // share) for share in PART_SHARES))


def _part_rows(run: SessionRun | None, name: str) -> list[dict[str, Any]]:
    return [row for row in run.job.rows if name in row] if run else []


def parts_picture(run: SessionRun | None) -> None:
    """Draw memory and time against m so far, the state of the run, and at its end what it says."""
    if run:
        problem, _num, model, size, parts = run.plan
    else:
        info = _info()
        problem, model, size = info.name, MODELS[st.session_state["memory_model"]], _batch_size("memory_parts_k")
        parts = _parts(resolve_batch_size(info.num_examples, size))
    info = CATALOGUE[problem]
    k = resolve_batch_size(info.num_examples, size)
    rows = _part_rows(run, "bytes")
    table = measured_table(rows, "micro_batch_size", None)
    sizes = sorted({k, *parts, *np.geomspace(parts[-1], k, 20).round().astype(int).tolist()})
    predicted = predicted_table(info, model, sizes, batch_size=k)
    theme, x = page_theme(CHART_HEIGHT), charts.Axis("size", (0.8 * parts[-1], 1.3 * k), title=_("Micro-batch m"))
    with st.container(key="memory_parts_chart"), st.grid(2, min_column_width=320, gap="small"):
        chart = memory_chart.memory_growth(
            predicted,
            table,
            limits={},
            x=x,
            y_domain=(predicted["megabytes"].min() / 2, predicted["megabytes"].max() * 4),
            title=(
                _("Memory of one update of k = {k}").format(k=f"{k:,}"),
                _("Lines predicted, points measured; at the right the whole minibatch"),
            ),
            theme=theme,
        )
        words = _("Memory against the size of the micro-batches: predicted parts and measured peaks")
        show_chart(chart, words, key="memory_parts_growth")
        times = memory_chart.time_by_size(table, x=x, title=_("Time of the same update"), theme=theme)
        show_chart(times, _("Milliseconds per update against the size of the micro-batches"), key="memory_parts_time")
    compared = _part_rows(run, "difference")
    num_all = 1 + len(parts) * (3 if model.kind == "mlp" else 2)
    experiment.status(run, (len(rows) + len(compared)) / num_all, _progress(run, len(rows) + len(compared), num_all))
    if run and rows:
        _parts_table(rows, compared, k, nothing="…" if run.is_active else "–")
    if run and not run.is_active and rows:
        _parts_verdict(run, rows, compared)


def _parts_table(rows: list[dict[str, Any]], compared: list[dict[str, Any]], k: int, *, nothing: str) -> None:
    """Each m: parts, peak, time, and how far its update is from the whole one; `nothing` where that is not known."""
    found = {(row["batch_norm"], row["micro_batch_size"]): row["difference"] for row in compared}
    plain, norm = _("Difference of the update"), _("The same with batch norm")
    shown = []
    for row in rows:
        m = row["micro_batch_size"]
        shown.append(
            {
                _("Micro-batch m"): _("whole") if m is None else f"{m:,}",
                _("Parts"): f"{-(-k // (m or k)):,}",
                _("Peak, MB"): f"{row['bytes'] / MEGABYTE:,.1f}" if row["fits"] else _("ended"),
                _("Time per update"): f"{1e3 * row['seconds']:,.3g} ms" if row["seconds"] else "–",
                plain: "–" if m is None else difference_text(found.get((False, m)), nothing),
                norm: "–" if m is None else difference_text(found.get((True, m)), nothing),
            }
        )
    with st.container(key="memory_parts_table"):
        st.table(pd.DataFrame(shown).set_index(_("Micro-batch m")))


def _parts_verdict(run: SessionRun, rows: list[dict[str, Any]], compared: list[dict[str, Any]]) -> None:
    """What the run says: memory, and the update."""
    whole = next((row for row in rows if row["micro_batch_size"] is None), None)
    parts = [row for row in rows if row["micro_batch_size"] is not None and row["fits"]]
    plain = [row["difference"] for row in compared if not row["batch_norm"]]
    normed = [row["difference"] for row in compared if row["batch_norm"]]
    if whole is None or not whole["fits"] or not parts or not plain:
        return
    least = min(parts, key=lambda row: row["bytes"])
    ratio = least["bytes"] / whole["bytes"]
    experiment.judge(run.prediction, "much" if ratio <= 0.5 else "little" if ratio < 0.9 else "same", FALLS)
    text = _(
        "In micro-batches of {m} the peak falls from {whole} to {least}. The largest relative difference of the update "
        "is {difference}: {verdict}."
    )
    verdict = _("rounding in float32") if max(plain) < ROUNDING else _("more than rounding alone should leave")
    st.markdown(
        "**"
        + text.format(
            m=f"{least['micro_batch_size']:,}",
            whole=megabytes(whole["bytes"]),
            least=megabytes(least["bytes"]),
            difference=difference_text(max(plain)),
            verdict=verdict,
        )
        + "**"
    )
    if normed:
        text = _("With batch norm it is not the same update: it differs by {low} to {high} of its largest entry.")
        st.warning(text.format(low=difference_text(min(normed)), high=difference_text(max(normed))))


def code() -> str:
    """The update by micro-batches, as the lab's engine makes it."""
    return """n, m = len(x), micro_batch_size
gradients = [tf.zeros_like(weights) for weights in model.trainable_variables]
for start in range(0, n, m):                       # the k samples in parts
    with tf.GradientTape() as tape:
        part = slice(start, start + m)
        share = len(x[part]) / n                   # the last part may be smaller
        loss = share * tf.reduce_mean(losses(y[part], model(x[part], training=True)))
    new = tape.gradient(loss, model.trainable_variables)
    gradients = [a + b for a, b in zip(gradients, new)]
optimizer.apply(gradients, model.trainable_variables)   # one update"""
