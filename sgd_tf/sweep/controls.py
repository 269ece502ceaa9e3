"""The controls of a sweep over batch sizes: each setting once, and the plan that they make."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import streamlit as st

from sgd_tf.problems import ProblemInfo
from sgd_tf.sweep import plans
from sgd_tf.sweep.plans import Rule, SweepPlan
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import MAX_LEARNING_RATE, ModelConfig, check_int
from sgd_tf.ui.language import _
from sgd_tf.ui.own_layers import model_title
from sgd_tf.ui.own_problems import title_of
from sgd_tf.ui.settings import Chips, Choice, Number, OptionalNumber, Text
from sgd_tf.ui.training_settings import TrainingSettings
from sgd_tf.ui.widgets import Place
from sgd_tf.words import N_

MAX_SIZES, MAX_RATES, MAX_SEEDS = 24, 16, 20
MAX_SECONDS = 20.0  # of training in one run
MIN_TARGET = 1e-9  # training loss; 0 is no target
CHOSEN = "sweep_chips"  # key of the batch sizes that are chosen, in the session


def parse_rates(text: str) -> tuple[float, ...]:
    """Learning rates, from text such as "0.01, 0.1".

    Raises:
        ValueError: if the text is something else, or a rate is out of range.

    >>> parse_rates("0.1 0.01")
    (0.01, 0.1)
    """
    rates = tuple(sorted({float(part) for part in text.replace(",", " ").split()}))
    if len(rates) > MAX_RATES or not all(0 < rate <= MAX_LEARNING_RATE for rate in rates):
        raise ValueError(text)
    return rates


def _check_chip(text: str) -> None:
    if text != "all":
        check_int("k", int(text), 1)


TRAINING = TrainingSettings.of("sweep_")
SIZES = Chips(key="sweep_k", label=N_("Batch sizes k of the sweep"), default=[], check=_check_chip)  # []: all of them
RULE = Choice(
    key="sweep_rule",
    label=N_("Learning rate"),
    options={
        "tuned": N_("Tuned for each k"),
        "fixed": N_("One for all"),
        "linear": N_("∝ k"),
        "square_root": N_("∝ √k"),
    },
    default="tuned",
)
RATE = replace(TRAINING.rate, label=N_("at k = 32"))
RATES = Text(key="sweep_rates", label=N_("Learning rates of the grid"), default="", check=parse_rates)
SEEDS = Number(key="sweep_seeds", label=N_("Seeds"), low=1, high=MAX_SEEDS, default=5)
TARGET = OptionalNumber(key="sweep_target", label=N_("Training loss to reach"), low=MIN_TARGET, high=1e9)
EPOCHS = OptionalNumber(key="sweep_epochs", label=N_("Epochs to compare after"), low=0.01, high=1_000.0)
SECONDS = OptionalNumber(
    key="sweep_seconds", label=N_("Seconds of training to compare after"), low=0.01, high=MAX_SECONDS
)
LONGEST = OptionalNumber(
    key="sweep_max_seconds", label=N_("Most seconds of training in one run"), low=0.01, high=MAX_SECONDS
)
SETTINGS = (*TRAINING, SIZES, RULE, RATES, SEEDS, TARGET, EPOCHS, SECONDS, LONGEST)


def draw(more: Place) -> SweepPlan | None:
    """Draw the controls of a sweep.

    Args:
        more: where the settings go that few learners change.

    Returns:
        The sweep that they describe, or None if something in them can not be run; then a message says why.
    """
    info, num_examples = TRAINING.draw_problem()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        TRAINING.draw_model(info)
        SEEDS.draw(
            width=130,
            step=1,
            help=_("How often the best learning rates are run: each time other initial weights, another order."),
        )
    model = TRAINING.model_config(info)
    sizes = _batch_sizes(num_examples)
    _learning_rate()
    _say_estimated(info, model, num_examples)
    with more:
        _budget(info, model)
        grid = plans.rate_grid(info.name, model) if model else ()
        usual = ", ".join(f"{rate:.3g}" for rate in grid)
        RATES.draw(placeholder=usual, disabled=RULE.value != "tuned")
        TRAINING.draw_details(info)
    return _plan(info, num_examples, model, sizes) if model else None


def _batch_sizes(num_examples: int) -> tuple[int, ...]:
    chips = [str(k) for k in plans.powers_of_two(num_examples)[:-1]] + ["all"]
    if st.session_state.get("sweep_chips_of") != num_examples or CHOSEN not in st.session_state:
        st.session_state[CHOSEN] = [chip for chip in chips if not SIZES.value or chip in SIZES.value]
        st.session_state["sweep_chips_of"] = num_examples
    st.pills(
        _(SIZES.label),
        chips,
        format_func=lambda k: f"N = {num_examples:,}" if k == "all" else f"{int(k):,}",
        selection_mode="multi",
        key=CHOSEN,
        wrap=True,
        persist_state="session",
    )
    chosen = [chip for chip in chips if chip in st.session_state[CHOSEN]]
    SIZES.set([] if chosen == chips else chosen)
    SIZES.publish()
    sizes = {num_examples if chip == "all" else int(chip) for chip in chosen}
    other = TRAINING.another_k(num_examples)
    return tuple(sorted(sizes | ({other} if other else set())))


def _learning_rate() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rule = RULE.draw(
            help=_(
                "Tuned: train each k with every rate of the grid and show its best one. The other choices start from "
                "the rate you set for k = 32: keep it, scale it with k, or scale it with √k."
            )
        )
        if rule != "tuned":
            RATE.draw(width=120)


def _say_estimated(info: ProblemInfo, model: ModelConfig | None, num_examples: int) -> None:
    """Say so if what the sweep suggests was searched with another model or N."""
    if model is None or not tuned_rates.tuned_learning_rates(info.name, model.nearest_kind):
        return
    if not tuned_rates.is_searched(info.name, model, "all", num_examples):
        text = _(
            "Estimated: the suggested target and learning rates were found with the usual layers and activation and "
            "N = {n}."
        )
        st.caption(text.format(n=f"{info.num_examples:,}"))


def _budget(info: ProblemInfo, model: ModelConfig | None) -> None:
    """The target, and what a run may take."""
    usual = tuned_rates.sweep_budget(info.name, (model or ModelConfig()).nearest_kind)
    TARGET.draw(usual=f"{usual.target:g}")
    EPOCHS.draw(usual=f"{usual.epochs:g}")
    SECONDS.draw(usual=f"{usual.seconds:g}")
    LONGEST.draw(
        usual=f"{usual.max_seconds:g}",
        help=_("A run that has not reached the target by then counts as “not reached”."),
    )


def _plan(info: ProblemInfo, num_examples: int, model: ModelConfig, sizes: tuple[int, ...]) -> SweepPlan | None:
    """The sweep, or None with a message that says what must be changed."""
    if not 2 <= len(sizes) <= MAX_SIZES:
        st.warning(_("Choose from 2 to {n} batch sizes.").format(n=MAX_SIZES))
        return None
    rule = cast(Rule, RULE.value)
    rates: tuple[float, ...] = (RATE.value,)
    if rule == "tuned":
        try:
            rates = parse_rates(RATES.value) or plans.rate_grid(info.name, model)
        except ValueError:
            text = _("Learning rates of the grid: write at most {n} numbers above 0 and up to 100, such as 0.01, 0.1.")
            st.error(text.format(n=MAX_RATES))
            return None
    budget = tuned_rates.sweep_budget(info.name, model.nearest_kind)
    seconds = SECONDS.value or budget.seconds
    return SweepPlan(
        problem=info.name,
        num_examples=num_examples,
        model=model,
        batch_sizes=sizes,
        learning_rates=rates,
        rule=rule,
        num_seeds=SEEDS.value,
        target=TARGET.value or budget.target,
        epochs=float(EPOCHS.value or budget.epochs),
        seconds=float(seconds),
        max_seconds=float(max(seconds, LONGEST.value or budget.max_seconds)),
    )


def settings_text(plan: SweepPlan) -> str:
    """The settings of a sweep in one line."""
    sizes = plan.batch_sizes
    parts = [
        title_of(plan.problem),
        model_title(plan.model),
        _("{n} k from {low} to {high}").format(n=len(sizes), low=f"{sizes[0]:,}", high=f"{sizes[-1]:,}"),
        _("learning rate: {rule}").format(rule=RULE.title(plan.rule)),
        _("training loss {target}").format(target=f"{plan.target:g}"),
        _("seeds: {n}").format(n=plan.num_seeds),
    ]
    return " · ".join(parts)
