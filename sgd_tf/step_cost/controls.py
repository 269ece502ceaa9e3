"""The controls of the page on the cost of a step: each setting once, and the plan that they make."""

from __future__ import annotations

import streamlit as st

from sgd_tf.problems import CATALOGUE
from sgd_tf.step_cost.rows import MAX_SIZES, MAX_UPDATES, StepCostPlan, batch_sizes_for
from sgd_tf.training.records import ModelConfig
from sgd_tf.ui.language import _
from sgd_tf.ui.own_layers import OwnLayers, model_title
from sgd_tf.ui.own_problems import ProblemChoice, title_of
from sgd_tf.ui.settings import Chips, Choice, Number
from sgd_tf.ui.widgets import PROBLEMS
from sgd_tf.words import N_

MODELS: dict[str, ModelConfig] = {
    "linear": ModelConfig(kind="linear"),
    "mlp": ModelConfig(widths=(32,)),
    "wide": ModelConfig(widths=(256, 256)),
}
MIN_N, MAX_N = 64, 20_000
ALL = "all"


def _check_size(text: str) -> None:
    """Accept a power of two, or "all"."""
    if text != ALL and (int(text) < 1 or int(text) & (int(text) - 1)):
        raise ValueError(text)


PROBLEM = ProblemChoice(
    key="step_problem",
    label=N_("Problem"),
    options={name: PROBLEMS[name] for name in ("digits", "spirals", "teacher", "breast_cancer")},
    default="digits",
    own_from=MIN_N,
)
MODEL = Choice(
    key="step_model",
    label=N_("Model"),
    options={"linear": N_("Linear"), "mlp": N_("MLP, 32"), "wide": N_("MLP, 2 × 256"), "layers": N_("Own layers")},
    default="mlp",
)
LAYERS = OwnLayers(key="step_layers")
SAMPLES = Number(key="step_n", label=N_("Samples N"), low=MIN_N, high=MAX_N, default=CATALOGUE["digits"].num_examples)
SIZES = Chips(key="step_k", label=N_("Batch sizes k"), default=["8", "64", "512", ALL], check=_check_size)


def plan() -> StepCostPlan | None:
    """Draw the controls; return what they say, or None where no run can be made of them: a message says why."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        info = CATALOGUE[PROBLEM.draw()]
        num_examples = SAMPLES.draw(high=min(MAX_N, info.max_examples), width=132)
    kind = MODEL.draw()
    model = LAYERS.draw(info) if kind == "layers" else MODELS[kind]
    *smaller, N = batch_sizes_for(num_examples)
    words = _("An epoch may have at most {n} updates, since model.fit takes about a millisecond for each.")
    chosen = SIZES.draw(
        [*map(str, smaller), ALL],
        title=lambda size: f"N = {N:,}" if size == ALL else f"{int(size):,}",
        help=words.format(n=MAX_UPDATES),
    )
    if not 1 <= len(chosen) <= MAX_SIZES:
        st.caption(_("Choose 1 to {n} batch sizes.").format(n=MAX_SIZES))
        return None
    sizes = tuple(N if size == ALL else int(size) for size in chosen)
    if model is None:
        return None
    return StepCostPlan(problem=info.name, num_examples=num_examples, model=model, batch_sizes=sizes)


def settings_text(plan: StepCostPlan) -> str:
    """The settings of a run in one line."""
    kind = next((kind for kind, model in MODELS.items() if model == plan.model), "")
    title = MODEL.title(kind) if kind else model_title(plan.model)
    sizes = ", ".join("N" if k == plan.num_examples else f"{k:,}" for k in plan.batch_sizes)
    return f"{title_of(plan.problem)} · {title} · N = {plan.num_examples:,} · k = {sizes}"
