"""The controls of a sweep over batch sizes: what to learn, which k, which learning rates, how many seeds."""

from __future__ import annotations

import streamlit as st

from sgd_tf.problems import CATALOGUE, ProblemInfo
from sgd_tf.sweep import plans
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import MAX_LEARNING_RATE, ModelConfig, check_int
from sgd_tf.ui import address
from sgd_tf.ui.language import _, selectbox, titles
from sgd_tf.ui.widgets import ACTIVATIONS, MODELS, PROBLEMS, Place, layers, parse_widths
from sgd_tf.words import N_

MAX_SIZES, MAX_RATES, MAX_SEEDS = 24, 16, 20
MAX_SECONDS = 20.0  # of training in one run
MIN_TARGET = 1e-9  # training loss; 0 is no target
RULES = {
    "tuned": N_("Tuned for each k"),
    "fixed": N_("One for all"),
    "linear": N_("∝ k"),
    "square_root": N_("∝ √k"),
}
# Where the fastest k may lie: upper ends, for the prediction.
RANGES = {"4": N_("k up to 4"), "32": N_("5 to 32"), "256": N_("33 to 256"), "more": N_("above 256")}


def _rates(text: str) -> str:
    return ", ".join(f"{rate:g}" for rate in parse_rates(text))


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


def _chip(text: str) -> str:
    return "all" if text == "all" else str(check_int("k", int(text), 1))


SETTINGS = (
    address.choice("sweep_problem", "digits", PROBLEMS),
    address.choice("sweep_model", "mlp", MODELS),
    address.Setting(key="sweep_k", default=[], parse=_chip, multiple=True),  # empty: all powers of two, and N
    address.number("sweep_other_k", None, 1, 1_000_000),
    address.choice("sweep_rule", "tuned", RULES),
    address.number("sweep_rate", 0.1, 1e-6, MAX_LEARNING_RATE),
    address.Setting(key="sweep_rates", default="", parse=_rates),  # empty: a grid around searched rates
    address.number("sweep_seeds", 5, 1, MAX_SEEDS),
    address.number("sweep_target", None, MIN_TARGET, 1e9),
    address.number("sweep_epochs", None, 0.01, 1_000.0),
    address.number("sweep_seconds", None, 0.01, MAX_SECONDS),
    address.number("sweep_max_seconds", None, 0.01, MAX_SECONDS),
    address.number("sweep_n", None, 10, 1_000_000),
    address.Setting(key="sweep_widths", default="32", parse=lambda text: ", ".join(map(str, parse_widths(text)))),
    address.choice("sweep_activation", "relu", ACTIVATIONS),
)


def draw(more: Place) -> SweepPlan | None:
    """Draw the controls of a sweep.

    Args:
        more: where the settings go that few learners change.

    Returns:
        The sweep that they describe, or None if something in them can not be run; then a message says why.
    """
    address.restore(SETTINGS)
    info, num_examples = _problem()
    model = _model(info)
    sizes = _batch_sizes(num_examples)
    _learning_rate()
    _say_estimated(info, model, num_examples)
    _more(more, info, model)
    plan = _plan(info, num_examples, model, sizes) if model else None
    address.publish(SETTINGS)
    return plan


def range_of(batch_size: int) -> str:
    """The range of the prediction in which a batch size lies.

    >>> range_of(4), range_of(33), range_of(60_000)
    ('4', '256', 'more')
    """
    return next((end for end in RANGES if end != "more" and batch_size <= int(end)), "more")


def _problem() -> tuple[ProblemInfo, int]:
    selectbox(_("What to learn"), PROBLEMS, key="sweep_problem")
    info = CATALOGUE[st.session_state["sweep_problem"]]
    if st.session_state["sweep_n"] is not None:
        st.session_state["sweep_n"] = min(max(st.session_state["sweep_n"], info.min_examples), info.max_examples)
    return info, st.session_state["sweep_n"] or info.num_examples


def _model(info: ProblemInfo) -> ModelConfig | None:
    kinds = [kind for kind in MODELS if kind != "cnn" or info.is_image]
    if st.session_state["sweep_model"] not in kinds:
        st.session_state["sweep_model"] = "mlp"
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            _("Model"),
            kinds,
            format_func=titles(MODELS),
            key="sweep_model",
            required=True,
            persist_state="session",
        )
        st.number_input(
            _("Seeds"),
            1,
            MAX_SEEDS,
            step=1,
            key="sweep_seeds",
            persist_state="session",
            width=130,
            help=_("How often the best learning rates are run: each time other initial weights, another order."),
        )
    kind = st.session_state["sweep_model"]
    try:
        widths = parse_widths(st.session_state["sweep_widths"])
    except ValueError:
        st.error(_("Hidden layers: write one number from 1 to 4096 for each of at most 8 layers, such as 64, 32."))
        return None
    activation = st.session_state["sweep_activation"]
    return ModelConfig(kind=kind, widths=widths if kind == "mlp" else (), activation=activation)


def _batch_sizes(num_examples: int) -> tuple[int, ...]:
    chips = [str(k) for k in plans.powers_of_two(num_examples)[:-1]] + ["all"]
    wanted = st.session_state["sweep_k"]
    if st.session_state.get("sweep_chips_of") != num_examples or "sweep_chips" not in st.session_state:
        st.session_state["sweep_chips"] = [chip for chip in chips if not wanted or chip in wanted]
        st.session_state["sweep_chips_of"] = num_examples
    st.pills(
        _("Batch sizes k of the sweep"),
        chips,
        format_func=lambda k: f"N = {num_examples:,}" if k == "all" else f"{int(k):,}",
        selection_mode="multi",
        key="sweep_chips",
        wrap=True,
        persist_state="session",
    )
    chosen = [chip for chip in chips if chip in st.session_state["sweep_chips"]]
    st.session_state["sweep_k"] = [] if chosen == chips else chosen
    sizes = {num_examples if chip == "all" else int(chip) for chip in chosen}
    other = st.session_state["sweep_other_k"]
    if other is not None and other > num_examples:
        st.caption(_("k = {k} is taken as N = {n}: gradient descent.").format(k=f"{other:,}", n=f"{num_examples:,}"))
    if other is not None:
        sizes.add(min(other, num_examples))
    return tuple(sorted(sizes))


def _learning_rate() -> None:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            _("Learning rate"),
            list(RULES),
            format_func=titles(RULES),
            key="sweep_rule",
            required=True,
            persist_state="session",
            help=_(
                "Tuned: each k is run with a grid of rates and shown with its best. Else one rate, kept or scaled with "
                "k or √k, as told for k = 32."
            ),
        )
        if st.session_state["sweep_rule"] != "tuned":
            st.number_input(
                _("at k = 32"),
                min_value=1e-6,
                max_value=MAX_LEARNING_RATE,
                format="%.6g",
                key="sweep_rate",
                persist_state="session",
                width=120,
            )


def _say_estimated(info: ProblemInfo, model: ModelConfig | None, num_examples: int) -> None:
    """Say so if what the sweep suggests was searched with another model or N."""
    if model is None or not tuned_rates.tuned_learning_rates(info.name, model.kind):
        return
    if not tuned_rates.is_searched(info.name, model, "all", num_examples):
        text = _(
            "Estimated: the suggested target and learning rates were found with the usual layers and activation and "
            "N = {n}."
        )
        st.caption(text.format(n=f"{info.num_examples:,}"))


def _more(place: Place, info: ProblemInfo, model: ModelConfig | None) -> None:
    """Settings that few learners change."""
    budget = tuned_rates.sweep_budget(info.name, st.session_state["sweep_model"])
    grid = plans.rate_grid(info.name, model) if model else ()

    def number(label: str, key: str, low: float, high: float, usual: float, help_text: str | None = None) -> None:
        st.number_input(
            label,
            low,
            high,
            value=None,
            format="%.6g",
            key=key,
            placeholder=f"{usual:g}",
            persist_state="session",
            help=help_text,
        )

    with place:
        number(_("Training loss to reach"), "sweep_target", MIN_TARGET, 1e9, budget.target)
        number(_("Compare after so many epochs"), "sweep_epochs", 0.01, 1_000.0, budget.epochs)
        number(_("Compare after so many seconds of training"), "sweep_seconds", 0.01, MAX_SECONDS, budget.seconds)
        number(
            _("Most seconds of training in one run"),
            "sweep_max_seconds",
            0.01,
            MAX_SECONDS,
            budget.max_seconds,
            _("A run that has not reached the target by then counts as “not reached”."),
        )
        st.text_input(
            _("Learning rates of the grid"),
            key="sweep_rates",
            placeholder=", ".join(f"{rate:.3g}" for rate in grid),
            persist_state="session",
            disabled=st.session_state["sweep_rule"] != "tuned",
        )
        st.number_input(
            _("Another k"),
            1,
            1_000_000,
            value=None,
            step=1,
            key="sweep_other_k",
            placeholder=_("any number from 1 to N"),
            persist_state="session",
        )
        st.number_input(
            _("Training samples N"),
            info.min_examples,
            info.max_examples,
            value=None,
            step=1,
            key="sweep_n",
            placeholder=f"{info.num_examples:,}",
            persist_state="session",
        )
        layers(st.session_state["sweep_model"], prefix="sweep_")


def _plan(info: ProblemInfo, num_examples: int, model: ModelConfig, sizes: tuple[int, ...]) -> SweepPlan | None:
    """The sweep, or None with a message that says what must be changed."""
    if not 2 <= len(sizes) <= MAX_SIZES:
        st.warning(_("Choose from 2 to {n} batch sizes.").format(n=MAX_SIZES))
        return None
    rule = st.session_state["sweep_rule"]
    rates: tuple[float, ...] = (st.session_state["sweep_rate"],)
    if rule == "tuned":
        try:
            rates = parse_rates(st.session_state["sweep_rates"]) or plans.rate_grid(info.name, model)
        except ValueError:
            text = _("Learning rates of the grid: write at most {n} numbers above 0 and up to 100, such as 0.01, 0.1.")
            st.error(text.format(n=MAX_RATES))
            return None
    budget = tuned_rates.sweep_budget(info.name, model.kind)
    seconds = st.session_state["sweep_seconds"] or budget.seconds
    return SweepPlan(
        problem=info.name,
        num_examples=num_examples,
        model=model,
        batch_sizes=sizes,
        learning_rates=rates,
        rule=rule,
        num_seeds=st.session_state["sweep_seeds"],
        target=st.session_state["sweep_target"] or budget.target,
        epochs=float(st.session_state["sweep_epochs"] or budget.epochs),
        seconds=float(seconds),
        max_seconds=float(max(seconds, st.session_state["sweep_max_seconds"] or budget.max_seconds)),
    )
