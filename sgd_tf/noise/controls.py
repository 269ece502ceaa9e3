"""The controls of the page on gradient noise: each setting once, and the plan that they make for each experiment."""

from __future__ import annotations

from typing import cast

import streamlit as st

from sgd_tf.noise.rows import EdgePlan, EscapePlan, LawPlan, PathPlan
from sgd_tf.problems import CATALOGUE
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import ModelConfig, ModelKind
from sgd_tf.ui.language import _
from sgd_tf.ui.own_layers import OwnLayers, model_title
from sgd_tf.ui.own_problems import ProblemChoice, title_of
from sgd_tf.ui.settings import Choice, Number, seed
from sgd_tf.ui.widgets import DEFAULT_LEARNING_RATE, MODELS, PROBLEMS
from sgd_tf.words import N_

MAX_SAMPLES = {"linear": 2_048, "mlp": 2_048, "cnn": 512}  # most samples with gradients one by one, by model
SEED_WIDTH = 132  # px

PART = Choice(
    key="noise_part",
    label=N_("What to look at"),
    options={
        "path": N_("GD and SGD paths"),
        "law": N_("Noise against k"),
        "escape": N_("Escape from a minimum"),
        "edge": N_("Largest stable rate"),
    },
    default="path",
)
SEED = seed("noise_seed")

# Paths
BATCH_SIZE = Choice(
    key="noise_k",
    label=N_("Batch size k"),
    options=[str(k) for k in PathPlan.batch_sizes],
    default="8",
    widget="slider",
)
RATE = Choice(key="noise_rate", label=N_("Learning rate"), options=("0.03", "0.1", "0.2"), default="0.1")
PATH = Choice(key="noise_on", label=N_("Path"), options={"sgd": N_("SGD path"), "gd": N_("GD path")}, default="sgd")
UPDATES = Number(key="noise_at", label=N_("Updates made"), low=0, high=PathPlan.num_updates, default=4, widget="slider")
START_W = Number(key="noise_w", label=N_("Slope w"), low=-2.5, high=5.0, default=PathPlan.start[0])
START_B = Number(key="noise_b", label=N_("Intercept b"), low=-2.25, high=5.25, default=PathPlan.start[1])

# Noise against k
LAW_PROBLEM = ProblemChoice(key="noise_problem", label=N_("Problem"), options=PROBLEMS, default="digits")
LAW_LAYERS = OwnLayers(key="noise_layers")
LAW_MODEL = Choice(key="noise_model", label=N_("Model"), options=MODELS, default="mlp")
STAGE = Choice(
    key="noise_stage",
    label=N_("Weights"),
    options={"0": N_("Initial"), "5": N_("After 5 epochs"), "20": N_("After 20 epochs")},
    default="0",
)

# Escape
SPREAD = Number(
    key="noise_spread", label=N_("How much the samples differ"), low=0.5, high=4.0, default=3.0, widget="slider"
)

# The largest stable rate
EDGE_PROBLEM = ProblemChoice(key="noise_edge_problem", label=N_("Problem"), options=PROBLEMS, default="diabetes")
EDGE_MODEL = Choice(key="noise_edge_model", label=N_("Model"), options=MODELS, default="linear")


def part() -> str:
    """Draw the choice of what to look at, and return it."""
    return PART.draw(label_visibility="collapsed")


def path_plan() -> tuple[PathPlan, int, bool, int]:
    """Draw the controls of the paths; return the plan, k, whether to stand on the path of GD, and the updates made."""
    sizes, rates, paths, updates, start = st.columns([2.6, 2, 2.5, 2.6, 1.4], gap="medium", vertical_alignment="bottom")
    with sizes:
        k = int(BATCH_SIZE.draw())
    with start, st.popover(_("Start"), icon=":material/location_on:"):
        point = START_W.draw(step=0.25), START_B.draw(step=0.25)
    with rates:
        plan = PathPlan(learning_rate=float(RATE.draw()), start=point)
    with paths:
        on_gd = PATH.draw() == "gd"
    with updates:
        return plan, k, on_gd, UPDATES.draw()


def start_at(point: tuple[float, float]) -> None:
    """Begin the paths at a point that was chosen on the picture; a callback.

    Args:
        point: slope and intercept.
    """
    for setting, value in zip((START_W, START_B), point, strict=True):
        setting.set(round(min(max(value, setting.low), setting.high), 2))


def law_plan() -> LawPlan | None:
    """Draw the controls of the noise against k, and return what they say; None if own layers do not fit the problem."""
    problem, num_examples, model = _problem_and_model(LAW_PROBLEM, LAW_MODEL, LAW_LAYERS)
    with st.container(horizontal=True):
        num_epochs, number = int(STAGE.draw()), SEED.draw(width=SEED_WIDTH)
    if model is None:
        return None
    rate = tuned_rates.tuned_learning_rate(problem, model.nearest_kind, min(32, num_examples), num_examples)
    return LawPlan(
        problem=problem,
        num_examples=num_examples,
        model=model,
        num_epochs=num_epochs,
        learning_rate=rate or DEFAULT_LEARNING_RATE,
        seed=number,
    )


def escape_plan() -> EscapePlan:
    """Draw the controls of the escape, and return what they say."""
    words = _("Standard deviation of the numbers a, one for each sample. Their mean is 0.")
    return EscapePlan(spread=SPREAD.draw(step=0.5, help=words), seed=SEED.draw(width=SEED_WIDTH))


def edge_plan() -> EdgePlan:
    """Draw the controls of the largest stable rate, and return what they say."""
    problem, num_examples, model = _problem_and_model(EDGE_PROBLEM, EDGE_MODEL, None)
    assert model is not None  # one of the lab's own
    return EdgePlan(problem=problem, num_examples=num_examples, model=model, seed=SEED.draw(width=SEED_WIDTH))


def _problem_and_model(problem: Choice, model: Choice, layers: OwnLayers | None) -> tuple[str, int, ModelConfig | None]:
    """Draw the choice of a problem and a model; return its name, N and the model, None where own layers do not fit."""
    info = CATALOGUE[problem.draw()]
    left_out = {"cnn": not info.is_image, "layers": layers is None}
    kind = cast(ModelKind, model.draw([kind for kind in MODELS if not left_out.get(kind, False)]))
    config: ModelConfig | None = None
    if kind != "layers":
        config = ModelConfig(kind=kind, widths=(32,) if kind == "mlp" else ())
    elif layers is not None:
        config = layers.draw(info)
    num_examples = min(info.num_examples, MAX_SAMPLES[config.nearest_kind if config else "mlp"])
    if num_examples < info.num_examples:
        text = _("N = {n} of {total} samples")
        st.caption(text.format(n=f"{num_examples:,}", total=f"{info.num_examples:,}"))
    return info.name, num_examples, config


def settings_text(plan: LawPlan | EscapePlan | EdgePlan) -> str:
    """The settings of a run in one line."""
    if isinstance(plan, EscapePlan):
        parts = [f"{_(SPREAD.label)}: {plan.spread:g}"]
    else:
        parts = [title_of(plan.problem), model_title(plan.model), f"N = {plan.num_examples:,}"]
    if isinstance(plan, LawPlan):
        parts.append(_("Weights: {stage}").format(stage=STAGE.title(str(plan.num_epochs))))
    return " · ".join([*parts, f"{_(SEED.label)} {plan.seed}"])
