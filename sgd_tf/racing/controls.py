"""The controls of a race: what to learn, with which model, and who races; and the plan that they make."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

import streamlit as st

from sgd_tf.problems import ProblemInfo
from sgd_tf.racing import contestants, contestants_view, search_view
from sgd_tf.racing.presets import PRESETS
from sgd_tf.racing.rows import contestant_name
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import (
    MAX_LEARNING_RATE,
    BatchSize,
    ModelConfig,
    RacePlan,
    Shuffler,
    TargetMetric,
    TrainConfig,
    check_int,
)
from sgd_tf.ui.language import _, titles
from sgd_tf.ui.settings import Chips, Choice, Number, OptionalNumber, Setting, Switch, seed
from sgd_tf.ui.training_settings import TrainingSettings
from sgd_tf.ui.widgets import Place
from sgd_tf.words import N_

MAX_CONTESTANTS = 5
MAX_SEEDS = 10
MAX_SECONDS = 60  # of training in a race, all contestants together
BATCH_SIZES = (1, 8, 32, 256, 1024, 4096)  # chips; "all" and those of the address are added
REFERENCE_BATCH_SIZE = 32  # learning rates scale from this k
DEFAULT_ACCURACY = 90.0  # %, of the test samples, where the race is to a test accuracy
UNKNOWN, ESTIMATED = N_("not searched"), N_("estimated")  # what is said of a rate that is no search's result
SMALL_REST = 1 / 8  # of k: a last minibatch of an epoch that is no larger is pointed out


def _check_chip(text: str) -> None:
    if text != "all":
        check_int("k", int(text), 1)


TRAINING = TrainingSettings.of()
SIZES = Chips(
    key="k", label=N_("Batch sizes k that race (GD takes all N)"), default=["32", "256", "all"], check=_check_chip
)
RULE = Choice(
    key="rates",
    label=N_("Learning rate"),
    options={"tuned": N_("Tuned"), "same": N_("Same"), "scaled": N_("Scaled")},
    default="tuned",
)
SECONDS = Number(key="seconds", label=N_("Training time of each, at most (s)"), low=1, high=MAX_SECONDS, default=5)
SEED = seed("seed")
SHUFFLER = Choice(
    key="shuffler",
    label=N_("Each epoch's order is drawn by"),
    options={"permutation": N_("a permutation"), "dataset": "Dataset.shuffle(N)"},
    default="permutation",
)
SEEDS = Number(key="seeds", label=N_("Seeds of each"), low=1, high=MAX_SEEDS, default=1)
METRIC = Choice(
    key="target_by",
    label=N_("Race to"),
    options={"train_loss": N_("Training loss"), "test_accuracy": N_("Test accuracy")},
    default="train_loss",
)
LOSS = OptionalNumber(key="target", label=N_("Training loss to reach"), low=0.0, high=1e9)
ACCURACY = OptionalNumber(key="target_accuracy", label=N_("Test accuracy to reach, in %"), low=0.0, high=100.0)

# The axes of the picture
X = Choice(
    key="x",
    label=N_("x-axis"),
    options={"seconds": N_("Seconds"), "epoch": N_("Epochs"), "update": N_("Updates"), "examples": N_("Samples")},
    default="seconds",
)
Y = Choice(
    key="y",
    label=N_("y-axis"),
    options={"train_loss": N_("Training loss"), "test_loss": N_("Test loss"), "test_accuracy": N_("Accuracy")},
    default="train_loss",
)
LOG = Switch(key="log", label=N_("Log"), default=True)

BY_ROW = (contestants_view.BY_ROW, contestants_view.ROWS)
RACE: tuple[Setting[Any], ...] = (
    *TRAINING,
    SIZES,
    RULE,
    SECONDS,
    SEED,
    SEEDS,
    SHUFFLER,
    METRIC,
    LOSS,
    ACCURACY,
    *BY_ROW,
)
SETTINGS = (*RACE, X, Y, LOG)


def start() -> Place:
    """Draw the choice of an example, and beside it the place for the settings that few learners change."""
    with st.container(horizontal=True, horizontal_alignment="right"):
        st.menu_button(
            _("Examples"),
            list(PRESETS),
            format_func=titles({key: preset.title for key, preset in PRESETS.items()}),
            icon=":material/lightbulb:",
            key="preset",
            on_click=_apply_preset,
        )
        return st.popover(_("More settings"), icon=":material/tune:")


def _apply_preset() -> None:
    """Set all controls to the chosen preset; a callback of its control."""
    key = st.session_state["preset"]
    changes = PRESETS[key].settings
    st.session_state["explained"] = key
    for setting in (*RACE, X):
        setting.set(changes.get(setting.key, setting.default))


def explanation() -> str:
    """What to look for in the example that was chosen; empty before one was."""
    key = st.session_state.get("explained")
    return f":material/lightbulb: {_(PRESETS[key].explanation)}" if key else ""


def race(more: Place) -> RacePlan | None:
    """Draw the controls of a race.

    Args:
        more: where the settings go that few learners change, from `start`.

    Returns:
        The race that they describe, or None if something in them can not be raced; then a message says why.
    """
    info, num_examples = TRAINING.draw_problem()
    _facts(info, num_examples)
    TRAINING.draw_model(info)
    model = TRAINING.model_config(info)
    if contestants_view.BY_ROW.value:
        contestants_view.BY_ROW.draw()
        rows = contestants_view.draw(st.session_state.get("chosen_contestants", {}))
        configs = contestants.configs(rows, num_examples, cast(Shuffler, SHUFFLER.value))
    else:
        sizes = _contestants(num_examples)
        configs = _configs(info, model, sizes, num_examples) if model else {}
        st.session_state["chosen_contestants"] = configs  # what the table of rows begins with
    _more(more, info, model)
    for setting in RACE:  # also those that are not drawn now
        setting.publish()
    return _plan(info, num_examples, model, configs) if model else None


def axes(redraw: Callable[[], None]) -> None:
    """Draw the controls of the picture: what is counted, what is measured, and on which scale.

    Args:
        redraw: called when one of them changes.
    """
    with st.container(horizontal=True, vertical_alignment="bottom", gap="xsmall"):  # one line in both languages
        X.draw(on_change=redraw)
        Y.draw(on_change=redraw)
        LOG.draw(
            on_change=redraw,
            help=_("Logarithmic scales, of the loss and of the seconds: the same distance is the same factor."),
            disabled=Y.value == "test_accuracy" and X.value != "seconds",
        )


def _facts(info: ProblemInfo, num_examples: int) -> None:
    features = _("1 feature") if info.num_features == 1 else _("{d} features").format(d=f"{info.num_features:,}")
    facts = [f"N = {num_examples:,}", features]
    if info.num_classes:
        facts.append(_("{c} classes").format(c=info.num_classes))
    if info.kind == "download":
        facts.append(_("is downloaded at the first run"))
    st.caption(" · ".join(facts), help=_(info.summary))


def _contestants(num_examples: int) -> list[BatchSize]:
    offered = {*BATCH_SIZES, *(int(chip) for chip in SIZES.value if chip != "all")}
    chips = [str(k) for k in sorted(offered) if k < num_examples] + ["all"]
    chosen = SIZES.draw(chips, title=lambda k: "GD" if k == "all" else f"{int(k):,}")
    sizes: list[BatchSize] = ["all" if chip == "all" else int(chip) for chip in chosen]
    other = TRAINING.another_k(num_examples)
    if other is not None:
        sizes.append("all" if other == num_examples else other)
    return sorted(set(sizes), key=lambda k: num_examples if k == "all" else k, reverse=True)


def _configs(
    info: ProblemInfo, model: ModelConfig, sizes: Sequence[BatchSize], num_examples: int
) -> dict[str, TrainConfig]:
    with st.container(horizontal=True, vertical_alignment="bottom"):
        rule = RULE.draw(
            help=_(
                "Tuned: the best rate for each k, from a short search. Same: one rate for every k. "
                "Scaled: rate ∝ k; you set the rate for k = 32."
            )
        )
        search_view.button()
        contestants_view.BY_ROW.draw(help=_("Each contestant by itself: optimizer, learning rate, schedule, sampling."))
    configs, notes, shuffler = {}, {}, cast(Shuffler, SHUFFLER.value)
    for size in sizes:
        k = num_examples if size == "all" else size
        name = contestant_name(size, num_examples)
        rate, notes[name] = TRAINING.rate.value, ""
        if rule == "scaled":
            rate = min(rate * k / REFERENCE_BATCH_SIZE, MAX_LEARNING_RATE)
        elif rule == "tuned":
            rate, notes[name] = _tuned_rate(info.name, model, k, num_examples)
        configs[name] = TrainConfig(batch_size=size, learning_rate=rate, seed=SEED.value, shuffler=shuffler)
    rates = " · ".join(
        f"{name}: **{config.learning_rate:.3g}**" + (f" ({_(notes[name])})" if notes[name] else "")
        for name, config in configs.items()
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        if rule != "tuned":
            of_32 = replace(TRAINING.rate, label=N_("Learning rate at k = 32"))
            (of_32 if rule == "scaled" else TRAINING.rate).draw(width=140)
        st.markdown(f":small[{rates}]", width="stretch")
    _estimates(notes.values(), info, model, num_examples)
    _small_rests(sizes, num_examples)
    return configs


def _estimates(notes: Collection[str], info: ProblemInfo, model: ModelConfig, num_examples: int) -> None:
    """Say so if a rate or the target was found by no search, or with other layers or another N."""
    if UNKNOWN in notes:
        st.caption(_("No rate was searched for this yet; 0.1 is used. Press Search."))
    elif ESTIMATED in notes:
        st.caption(
            _("Estimated: no search was made for exactly this k, N and model. Press Search to find the best rate.")
        )
    is_usual_target = _target_metric(info) == "train_loss" and LOSS.value is None
    if is_usual_target and info.kind != "own" and not tuned_rates.is_searched(info.name, model, "all", num_examples):
        loss = tuned_rates.target_loss(info.name, model.nearest_kind)
        if loss is not None:
            text = _("The target loss {loss} was found with the usual layers, activation and N.")
            st.caption(text.format(loss=f"{loss:g}"))


def _tuned_rate(problem: str, model: ModelConfig, batch_size: int, num_examples: int) -> tuple[float, str]:
    """The rate that a search of this session found, else the one that the lab knows; and what to say of it."""
    found = search_view.searched_rates().get((problem, num_examples, model, batch_size))
    if found is not None:
        return found, ""
    known = tuned_rates.tuned_learning_rate(problem, model.nearest_kind, batch_size, num_examples)
    if known is None:
        return TRAINING.rate.default, UNKNOWN
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
        SECONDS.draw()
        _target(info, model)
        TRAINING.draw_details(info)
        SEED.draw()
        SEEDS.draw(help=_("Each contestant trains once with each seed: bands, and whether the verdict is real."))
        SHUFFLER.draw(
            help=_(
                "The same law, drawn in two ways: one random permutation of the N samples for each epoch, or "
                "`Dataset.shuffle(N, reshuffle_each_iteration=True)`, as everybody writes it. The second takes longer, "
                "and the training clock counts that."
            )
        )


def _target(info: ProblemInfo, model: ModelConfig | None) -> None:
    """What the contestants race to: a training loss, or a test accuracy."""
    is_regression = info.task == "regression"
    METRIC.draw(
        on_change=_show_target_metric,
        disabled=is_regression,
        help=_("A regression has no accuracy.") if is_regression else None,
    )
    if _target_metric(info) == "test_accuracy":
        ACCURACY.draw(usual=f"{DEFAULT_ACCURACY:g}", help=_("The dashed line of the picture of the accuracy."))
        return
    suggested = tuned_rates.target_loss(info.name, model.nearest_kind) if model else None
    LOSS.draw(
        usual="–" if suggested is None else f"{suggested:g}",
        help=_("The dashed line; left empty, a loss that the usual race reaches at about a third of its time."),
    )


def _target_metric(info: ProblemInfo) -> TargetMetric:
    """What the target is a value of; a regression has no accuracy."""
    return "train_loss" if info.task == "regression" else cast(TargetMetric, METRIC.value)


def _show_target_metric() -> None:
    """Measure in the picture what the target is a value of; a callback of its control."""
    Y.set(METRIC.value)


def _target_value(info: ProblemInfo, model: ModelConfig) -> float | None:
    """The target as a loss or as a share of the test samples; None where none is known."""
    if _target_metric(info) == "test_accuracy":
        return (DEFAULT_ACCURACY if ACCURACY.value is None else ACCURACY.value) / 100
    return tuned_rates.target_loss(info.name, model.nearest_kind) if LOSS.value is None else LOSS.value


def _plan(
    info: ProblemInfo, num_examples: int, model: ModelConfig, configs: Mapping[str, TrainConfig]
) -> RacePlan | None:
    """The race, or None with a message that says what must be changed."""
    if not configs:
        st.warning(_("Choose at least one batch size."))
        return None
    if len(configs) > MAX_CONTESTANTS:
        st.warning(_("Choose at most {n} batch sizes.").format(n=MAX_CONTESTANTS))
        return None
    num_runs = SEEDS.value * len(configs)
    if SECONDS.value * num_runs > MAX_SECONDS:
        text = _("All contestants together may train for {total} s: choose at most {each} s.")
        if SEEDS.value > 1:
            text = _("All contestants with all seeds may train for {total} s: choose at most {each} s, or fewer seeds.")
        st.warning(text.format(total=MAX_SECONDS, each=max(1, MAX_SECONDS // num_runs)))
        return None
    return RacePlan(
        problem=info.name,
        num_examples=None if TRAINING.num_examples.value is None else num_examples,
        configs=dict(configs),
        model=model,
        seconds=float(SECONDS.value),
        seeds=int(SEEDS.value),
        target=_target_value(info, model),
        target_metric=_target_metric(info),
        until="target",
    )
