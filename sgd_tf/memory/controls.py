"""The controls of the page on memory: each setting once, and the plan that they make for each experiment."""

from __future__ import annotations

import streamlit as st

from sgd_tf.memory.predict import MEGABYTE
from sgd_tf.memory.rows import PartsPlan, WallPlan
from sgd_tf.problems import CATALOGUE, ProblemInfo
from sgd_tf.training.counting import resolve_batch_size
from sgd_tf.training.records import BatchSize, ModelConfig
from sgd_tf.ui.language import _
from sgd_tf.ui.own_layers import OwnLayers, model_title
from sgd_tf.ui.own_problems import ProblemChoice, title_of
from sgd_tf.ui.settings import Choice
from sgd_tf.ui.widgets import PROBLEMS
from sgd_tf.words import N_

MODELS: dict[str, ModelConfig] = {
    "wide": ModelConfig(widths=(256,)),
    "deep": ModelConfig(widths=(256, 256, 256, 256)),
    "cnn": ModelConfig(kind="cnn"),
}
LAYERS = OwnLayers(key="memory_layers")
SIZES = (*(str(2**i) for i in range(4, 18)), "all")
MICRO_SIZES = ("0", *(str(2**i) for i in range(4, 18)))  # 0: the whole minibatch at once

PART = Choice(
    key="memory_part",
    label=N_("What to look at"),
    options={"wall": N_("Memory limit"), "parts": N_("Gradient accumulation")},
    default="wall",
)
PROBLEM = ProblemChoice(
    key="memory_problem",
    label=N_("Problem"),
    options={name: PROBLEMS[name] for name in ("flights", "digits", "mnist", "fashion_mnist")},
    default="flights",
)
MODEL = Choice(
    key="memory_model",
    label=N_("Model"),
    options={"wide": N_("MLP, 256"), "deep": N_("MLP, 4 × 256"), "cnn": N_("CNN"), "layers": N_("Own layers")},
    default="wide",
)
LIMIT = Choice(key="memory_limit", label=N_("Limit of memory, MB"), options=("16", "64", "256", "1024"), default="256")
BATCH_SIZE = Choice(key="memory_k", label=N_("Batch size k"), options=SIZES, default="131072", widget="slider")
MICRO_BATCH_SIZE = Choice(key="memory_m", label=N_("Micro-batch m"), options=MICRO_SIZES, default="0", widget="slider")
PARTS_BATCH_SIZE = Choice(
    key="memory_parts_k", label=N_("Batch size k"), options=SIZES, default="16384", widget="slider"
)


def part() -> str:
    """Draw the choice of what to look at, and return it."""
    return PART.draw(label_visibility="collapsed")


def wall_plan() -> WallPlan | None:
    """Draw the controls of the wall, and return what they say; None if own layers do not fit the problem."""
    info, model = _problem_and_model()
    words = _("What an update may take: parameters, gradients, minibatch and activations; not TensorFlow itself.")
    limit = int(LIMIT.draw(help=words)) * MEGABYTE
    k = _draw_size(BATCH_SIZE, info)
    size = resolve_batch_size(info.num_examples, k)
    m = MICRO_BATCH_SIZE.draw(
        [micro for micro in MICRO_SIZES if int(micro) < size],
        title=lambda micro: _("whole") if micro == "0" else f"{int(micro):,}",
        help=_("The k samples pass in parts of m; their gradients are added up before the one update."),
    )
    if model is None:
        return None
    return WallPlan(
        problem=info.name, model=model, batch_size=k, micro_batch_size=int(m) or None, limit=limit, others=()
    )


def parts_plan() -> PartsPlan | None:
    """Draw the controls of the accumulation, and return what they say; None if own layers do not fit the problem."""
    info, model = _problem_and_model()
    k = _draw_size(PARTS_BATCH_SIZE, info)
    return PartsPlan(problem=info.name, model=model, batch_size=k) if model else None


def _problem_and_model() -> tuple[ProblemInfo, ModelConfig | None]:
    with st.container(gap="small"):
        info = CATALOGUE[PROBLEM.draw()]
        kind = MODEL.draw([kind for kind in (*MODELS, "layers") if kind != "cnn" or info.is_image])
        return info, LAYERS.draw(info) if kind == "layers" else MODELS[kind]


def _draw_size(setting: Choice, info: ProblemInfo) -> BatchSize:
    allowed = [size for size in SIZES if size == "all" or int(size) < info.num_examples]
    if setting.value not in allowed:
        setting.set("all")
    size = setting.draw(allowed, title=lambda size: f"N = {info.num_examples:,}" if size == "all" else f"{int(size):,}")
    return "all" if size == "all" else int(size)


def settings_text(plan: WallPlan | PartsPlan) -> str:
    """The settings of a run in one line."""
    kind = next((kind for kind, model in MODELS.items() if model == plan.model), "wide")
    k = resolve_batch_size(CATALOGUE[plan.problem].num_examples, plan.batch_size)
    title = MODEL.title(kind) if plan.model.layers is None else model_title(plan.model)
    parts = [title_of(plan.problem), title, f"k = {k:,}"]
    if isinstance(plan, WallPlan):
        if plan.micro_batch_size:
            parts.append(f"m = {plan.micro_batch_size:,}")
        parts.append(_("limit {n} MB").format(n=f"{plan.limit // MEGABYTE:,}"))
    return " · ".join(parts)
