"""The controls of a race: what to learn, with which model, and who races."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import streamlit as st

from sgd_tf.problems import CATALOGUE, ProblemInfo
from sgd_tf.racing.trials import best_trial
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import (
    MAX_LEARNING_RATE,
    BatchSize,
    ModelConfig,
    RacePlan,
    TargetMetric,
    TrainConfig,
    check_int,
)
from sgd_tf.ui import address, runs
from sgd_tf.ui.language import _, selectbox, titles
from sgd_tf.ui.numbers import target_text
from sgd_tf.ui.widgets import ACTIVATIONS, DEFAULT_LEARNING_RATE, MODELS, PROBLEMS, Place, layers, parse_widths
from sgd_tf.words import N_

MAX_CONTESTANTS = 5
MAX_SECONDS = 60  # of training in a race, all contestants together
BATCH_SIZES = (1, 8, 32, 256, 1024, 4096)  # chips; "all" is added
BASE_BATCH_SIZE = 32  # at which the learning rate that is scaled with k is told
DEFAULT_ACCURACY = 90.0  # %, of the test samples, where the race is to a test accuracy
UNKNOWN, ESTIMATED = N_("not searched"), N_("estimated")  # what is said of a rate that is no search's result
SMALL_REST = 1 / 8  # of k: a last minibatch of an epoch that is no larger is pointed out

TARGETS = {"train_loss": N_("Training loss"), "test_accuracy": N_("Test accuracy")}
LEARNING_RATE_MODES = {"tuned": N_("Tuned"), "same": N_("Same"), "scaled": N_("Scaled")}


def _batch_sizes(text: str) -> str:
    return "all" if text == "all" else str(check_int("k", int(text), 1))


def _widths(text: str) -> str:
    return ", ".join(str(width) for width in parse_widths(text))


SETTINGS = (
    address.choice("problem", "digits", PROBLEMS),
    address.number("n", None, 10, 1_000_000),
    address.choice("model", "mlp", MODELS),
    address.Setting(key="widths", default="32", parse=_widths),
    address.choice("activation", "relu", ACTIVATIONS),
    address.Setting(key="k", default=["32", "256", "all"], parse=_batch_sizes, multiple=True),
    address.number("other_k", None, 1, 1_000_000),
    address.choice("rates", "tuned", LEARNING_RATE_MODES),
    address.number("rate", 0.1, 1e-6, MAX_LEARNING_RATE),
    address.number("seconds", 5, 1, MAX_SECONDS),
    address.number("seed", 0, 0, 2**31 - 1),
    address.number("target", None, 0.0, 1e9),
    address.choice("target_by", "train_loss", TARGETS),
    address.number("target_accuracy", None, 0.0, 100.0),
)

# Races worth running: title, what to look for, and what differs from the defaults.
PRESETS: dict[str, tuple[str, str, dict[str, object]]] = {
    "digits": (
        N_("Digits: who is first?"),
        N_("The race to begin with: gradient descent, k = 256 and k = 32, each at its best learning rate."),
        {},
    ),
    "flights": (
        N_("327,346 flights"),
        N_("With many samples one pass is expensive: watch how few updates GD makes in eight seconds."),
        {"problem": "flights", "k": ["32", "1024", "all"], "seconds": 8},
    ),
    "one": (
        N_("Spirals, one sample at a time"),
        N_("k = 1 makes the most updates, and the noisiest ones: look at its band and its samples per second."),
        {"problem": "spirals", "k": ["1", "32", "all"]},
    ),
    "same": (
        N_("One learning rate for all"),
        N_("At one learning rate a large k takes like steps, only fewer. Then choose “Tuned” and compare."),
        {"k": ["8", "32", "256", "all"], "rates": "same", "rate": 0.1},
    ),
    "wild": (
        N_("Too large a learning rate"),
        N_("Above 2/λmax gradient descent diverges: each step overshoots by more than the one before it."),
        {
            "problem": "diabetes",
            "model": "linear",
            "k": ["all"],
            "rate": 0.26,
            "rates": "same",
            "seconds": 1,
            "x": "update",
        },
    ),
}


def apply_preset() -> None:
    """Set all controls to the chosen preset; a callback of its control."""
    key = st.session_state["preset"]
    _title, _explanation, changes = PRESETS[key]
    st.session_state["explained"] = key
    st.session_state["x"] = changes.get("x", "seconds")
    for setting in SETTINGS:
        st.session_state[setting.key] = changes.get(setting.key, setting.default)


def contestant_name(batch_size: BatchSize, num_examples: int) -> str:
    """How a contestant is called everywhere: "GD (k = 1,437)" for the full batch, "k = 32" for a minibatch.

    >>> contestant_name("all", 1437), contestant_name(32, 1437)
    ('GD (k = 1,437)', 'k = 32')
    """
    if batch_size == "all" or batch_size >= num_examples:
        return f"GD (k = {num_examples:,})"
    return f"k = {batch_size:,}"


def start() -> Place:
    """Draw the choice of an example, and beside it the place for the settings that few learners change."""
    address.restore(SETTINGS)
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.menu_button(
            _("Examples"),
            list(PRESETS),
            format_func=titles({key: title for key, (title, _explanation, _changes) in PRESETS.items()}),
            icon=":material/lightbulb:",
            key="preset",
            on_click=apply_preset,
        )
        return st.popover(_("More settings"), icon=":material/tune:")


def explanation() -> str:
    """What to look for in the example that was chosen; empty before one was."""
    key = st.session_state.get("explained")
    return f":material/lightbulb: {_(PRESETS[key][1])}" if key else ""


def race(more: Place) -> RacePlan | None:
    """Draw the controls of a race.

    Args:
        more: where the settings go that few learners change, from `start`.

    Returns:
        The race that they describe, or None if something in them can not be raced; then a message says why.
    """
    info, num_examples = _problem()
    model = _model(info)
    sizes = _contestants(num_examples)
    configs = _configs(info, model, sizes, num_examples) if model else {}
    _more(more, info, model)
    plan = _plan(info, num_examples, model, configs)
    address.publish(SETTINGS)
    return plan


def _problem() -> tuple[ProblemInfo, int]:
    selectbox(_("What to learn"), PROBLEMS, key="problem")
    info = CATALOGUE[st.session_state["problem"]]
    limit = info.max_examples
    if st.session_state["n"] is not None:
        st.session_state["n"] = min(max(st.session_state["n"], info.min_examples), limit)
    num_examples = st.session_state["n"] or info.num_examples
    facts = [f"N = {num_examples:,}", _("{d} features").format(d=f"{info.num_features:,}")]
    if info.num_classes:
        facts.append(_("{c} classes").format(c=info.num_classes))
    if info.kind == "download":
        facts.append(_("is downloaded at the first run"))
    st.caption(" · ".join(facts), help=_(info.summary))
    return info, num_examples


def _model(info: ProblemInfo) -> ModelConfig | None:
    kinds = [kind for kind in MODELS if kind != "cnn" or info.is_image]
    if st.session_state["model"] not in kinds:
        st.session_state["model"] = "mlp"
    st.segmented_control(
        _("Model"),
        kinds,
        format_func=titles(MODELS),
        key="model",
        required=True,
        persist_state="session",
    )
    kind = st.session_state["model"]
    try:
        widths = parse_widths(st.session_state["widths"])
    except ValueError:
        st.error(_("Hidden layers: write one number from 1 to 4096 for each of at most 8 layers, such as 64, 32."))
        return None
    return ModelConfig(kind=kind, widths=widths if kind == "mlp" else (), activation=st.session_state["activation"])


def _contestants(num_examples: int) -> list[BatchSize]:
    chips = [str(k) for k in BATCH_SIZES if k < num_examples] + ["all"]
    wanted = st.session_state["k"]
    st.session_state["k"] = [chip for chip in chips if chip in wanted]
    st.pills(
        _("Batch sizes k that race (GD takes all N)"),
        chips,
        format_func=lambda k: "GD" if k == "all" else f"{int(k):,}",
        selection_mode="multi",
        key="k",
        wrap=True,
        persist_state="session",
    )
    chosen: list[BatchSize] = ["all" if chip == "all" else int(chip) for chip in st.session_state["k"]]
    other = st.session_state["other_k"]
    if other is not None and other >= num_examples:
        st.caption(_("k = {k} is taken as N = {n}: gradient descent.").format(k=f"{other:,}", n=f"{num_examples:,}"))
        other = "all"
    if other is not None and other not in chosen:
        chosen.append(other)
    return sorted(chosen, key=lambda k: num_examples if k == "all" else k, reverse=True)


def _configs(
    info: ProblemInfo, model: ModelConfig, sizes: list[BatchSize], num_examples: int
) -> dict[str, TrainConfig]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            _("Learning rate"),
            list(LEARNING_RATE_MODES),
            format_func=titles(LEARNING_RATE_MODES),
            key="rates",
            required=True,
            persist_state="session",
            help=_(
                "Tuned: for each k the rate that trained best in a short search. Same: one for all. "
                "Scaled: proportional to k, as told for k = 32."
            ),
        )
        st.button(
            _("Search"),
            icon=":material/search:",
            key="search",
            disabled=runs.active() is not None,
            help=_("Tries each contestant with growing learning rates, half a second each, and keeps the best."),
        )
    mode = st.session_state["rates"]
    configs, notes = {}, {}
    for size in sizes:
        k = num_examples if size == "all" else size
        name = contestant_name(size, num_examples)
        rate, notes[name] = st.session_state["rate"], ""
        if mode == "scaled":
            rate = min(rate * k / BASE_BATCH_SIZE, MAX_LEARNING_RATE)
        elif mode == "tuned":
            rate, notes[name] = _tuned_rate(info.name, model, k, num_examples)
        configs[name] = TrainConfig(batch_size=size, learning_rate=rate, seed=st.session_state["seed"])
    rates = " · ".join(
        f"{name}: **{config.learning_rate:.3g}**" + (f" ({_(notes[name])})" if notes[name] else "")
        for name, config in configs.items()
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if mode != "tuned":
            label = _("Learning rate") if mode == "same" else _("Learning rate at k = 32")
            st.number_input(
                label,
                min_value=1e-6,
                max_value=MAX_LEARNING_RATE,
                format="%.6g",
                key="rate",
                persist_state="session",
                width=140,
            )
        st.markdown(f":small[{rates}]", width="stretch")
    if UNKNOWN in notes.values():
        st.caption(_("No rate was searched for this yet; 0.1 is used. Press Search."))
    elif ESTIMATED in notes.values():
        st.caption(
            _("Estimated: no search was made for exactly this k, N and model. Press Search to find the best rate.")
        )
    _small_rests(sizes, num_examples)
    return configs


def _tuned_rate(problem: str, model: ModelConfig, batch_size: int, num_examples: int) -> tuple[float, str]:
    """The rate that a search of this session found, else the one that the lab knows; and what to say of it."""
    found = searched_rates().get(search_key(problem, num_examples, model, batch_size))
    if found is not None:
        return found, ""
    known = tuned_rates.tuned_learning_rate(problem, model.kind, batch_size, num_examples)
    if known is None:
        return DEFAULT_LEARNING_RATE, UNKNOWN
    return known, "" if tuned_rates.is_searched(problem, model, batch_size, num_examples) else ESTIMATED


def _small_rests(sizes: Sequence[BatchSize], num_examples: int) -> None:
    """Point out the batch sizes that leave few samples for the last minibatch of an epoch."""
    rests = {k: num_examples % k for k in sizes if k != "all"}
    small = [f"{num_examples:,} mod {k:,} = {rest:,}" for k, rest in rests.items() if 0 < rest <= SMALL_REST * k]
    if small:
        st.caption(
            _(
                "The last minibatch of an epoch is small: {rests}. It takes a full step on a much noisier gradient: a "
                "learning rate that suits the other minibatches may be too large for it."
            ).format(rests=", ".join(small))
        )


def _more(place: Place, info: ProblemInfo, model: ModelConfig | None) -> None:
    """Settings that few learners change."""
    with place:
        st.number_input(
            _("Seconds of training for each"), 1, MAX_SECONDS, step=1, key="seconds", persist_state="session"
        )
        st.number_input(
            _("Another k"),
            1,
            1_000_000,
            value=None,
            step=1,
            key="other_k",
            placeholder=_("any number from 1 to N"),
            persist_state="session",
        )
        _target(info, model)
        st.number_input(
            _("Training samples N"),
            info.min_examples,
            info.max_examples,
            value=None,
            step=1,
            key="n",
            placeholder=f"{info.num_examples:,}",
            persist_state="session",
        )
        layers(st.session_state["model"])
        st.number_input(_("Seed"), 0, 2**31 - 1, step=1, key="seed", persist_state="session")


def _target(info: ProblemInfo, model: ModelConfig | None) -> None:
    """What the contestants race to: a training loss, or a test accuracy."""
    is_regression = info.task == "regression"
    st.segmented_control(
        _("Race to"),
        list(TARGETS),
        format_func=titles(TARGETS),
        key="target_by",
        required=True,
        persist_state="session",
        on_change=_show_target_metric,
        disabled=is_regression,
        help=_("A regression has no accuracy.") if is_regression else None,
    )
    if target_metric(info) == "test_accuracy":
        st.number_input(
            _("Test accuracy to reach, in %"),
            0.0,
            100.0,
            value=None,
            format="%.6g",
            key="target_accuracy",
            placeholder=f"{DEFAULT_ACCURACY:g}",
            persist_state="session",
            help=_("The dashed line of the picture of the accuracy."),
        )
        return
    suggested = tuned_rates.target_loss(info.name, model.kind) if model else None
    st.number_input(
        _("Training loss to reach"),
        0.0,
        1e9,
        value=None,
        format="%.6g",
        key="target",
        placeholder="–" if suggested is None else f"{suggested:g}",
        persist_state="session",
        help=_("The dashed line; left empty, a loss that the usual race reaches at about a third of its time."),
    )


def target_metric(info: ProblemInfo) -> TargetMetric:
    """What the target is a value of; a regression has no accuracy."""
    by_accuracy = st.session_state["target_by"] == "test_accuracy" and info.task == "classification"
    return "test_accuracy" if by_accuracy else "train_loss"


def _show_target_metric() -> None:
    """Measure in the picture what the target is a value of; a callback of its control."""
    st.session_state["y"] = st.session_state["target_by"]


def _target_value(info: ProblemInfo, model: ModelConfig) -> float | None:
    """The target as a loss or as a share of the test samples; None where none is known."""
    if target_metric(info) == "test_accuracy":
        accuracy = st.session_state["target_accuracy"]
        return (DEFAULT_ACCURACY if accuracy is None else accuracy) / 100
    loss = st.session_state["target"]
    return tuned_rates.target_loss(info.name, model.kind) if loss is None else loss


def _plan(
    info: ProblemInfo, num_examples: int, model: ModelConfig | None, configs: Mapping[str, TrainConfig]
) -> RacePlan | None:
    """The race, or None with a message that says what must be changed."""
    if model is None:
        return None
    if not configs:
        st.warning(_("Choose at least one batch size."))
        return None
    if len(configs) > MAX_CONTESTANTS:
        st.warning(_("Choose at most {n} batch sizes.").format(n=MAX_CONTESTANTS))
        return None
    if st.session_state["seconds"] * len(configs) > MAX_SECONDS:
        seconds = MAX_SECONDS // len(configs)
        st.warning(
            _("All contestants together may train for {total} s: choose at most {each} s.").format(
                total=MAX_SECONDS, each=seconds
            )
        )
        return None
    return RacePlan(
        problem=info.name,
        num_examples=None if st.session_state["n"] is None else num_examples,
        configs=dict(configs),
        model=model,
        seconds=float(st.session_state["seconds"]),
        target=_target_value(info, model),
        target_metric=target_metric(info),
    )


def prediction_question(plan: RacePlan | None) -> str:
    """What a learner is asked before the race: who is first to its target."""
    if plan is None or plan.target is None:
        return _("Predict: who learns most in these seconds?")
    text = _("Predict: who reaches a training loss of {target} first?")
    if plan.target_metric == "test_accuracy":
        text = _("Predict: who reaches a test accuracy of {target} first?")
    return text.format(target=target_text(plan.target, plan.target_metric))


def searched_rates() -> dict[tuple[object, ...], float]:
    """Learning rates that this session's searches found, by `search_key`."""
    found: dict[tuple[object, ...], float] = st.session_state.setdefault("searched_rates", {})
    search = runs.get("search")
    if search and not search.is_active:
        for name, config in search.plan.configs.items():
            trials = [trial for trial in search.job.rows if trial.run == name and math.isfinite(trial.mean_loss)]
            if trials:
                num_examples = search.plan.num_examples or CATALOGUE[search.plan.problem].num_examples
                k = config.minibatch_size(num_examples)
                key = search_key(search.plan.problem, num_examples, search.plan.model, k)
                found[key] = best_trial(trials).learning_rate
    return found


def search_key(problem: str, num_examples: int, model: ModelConfig, k: int) -> tuple[object, ...]:
    """What a searched learning rate holds for."""
    return (problem, num_examples, model, k)
