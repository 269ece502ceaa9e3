"""The verdict on a race: the prediction against what it showed, what to change, and the table to the target."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from sgd_tf.problems import CATALOGUE
from sgd_tf.racing import standings
from sgd_tf.racing.rows import StableLimit
from sgd_tf.racing.standings import Verdict
from sgd_tf.training import history
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import count, digits, percent, target_text
from sgd_tf.ui.runs import SessionRun
from sgd_tf.words import N_

TARGETS = {"train_loss": N_("To a training loss of {target}"), "test_accuracy": N_("To a test accuracy of {target}")}


def draw(run: SessionRun, table: pd.DataFrame) -> None:
    """Draw the verdict on a race that is over.

    Args:
        run: the race.
        table: its history, of at least one record.
    """
    plan = run.plan
    if run.job.status == "stopped":
        text = _("You stopped the race at {done} of {total} s of training.")
        st.caption(text.format(done=digits(table["seconds"].max(), 2), total=f"{plan.seconds:g}"))
    if plan.target is None:
        st.info(_("No loss to reach is known for this problem and model: set one under “More settings”."))
        return
    reached = history.time_to_target(table, plan.target, metric=plan.target_metric)
    found = standings.verdict(reached)
    st.subheader(_(TARGETS[plan.target_metric]).format(target=target_text(plan.target, plan.target_metric)))
    _judge(run.prediction, found)
    st.markdown(f"**{_sentence(found, reached, run)}**")
    _advice(run, table)
    _unseen(run, table, found)
    _table(run, table, reached)


def state(values: Mapping[str, Any]) -> str:
    """What is special about a contestant: where it diverged."""
    diverged_at = values.get("diverged_at")
    if diverged_at is None or pd.isna(diverged_at):
        return ""
    return _("diverged at update {n}").format(n=f"{diverged_at:,}")


def _judge(prediction: str | None, found: Verdict) -> None:
    """The learner's prediction against the race, where the race has an answer."""
    if not prediction or found.outcome not in ("first", "tie"):
        return
    names = ", ".join(found.leaders)
    if found.outcome == "tie" and prediction in found.leaders:
        st.info(_("You expected {guess}. The race leaves it open: {names}.").format(guess=prediction, names=names))
    elif prediction in found.leaders:
        st.success(_("Your prediction was right: {name} was first.").format(name=prediction))
    else:
        st.warning(_("You expected {guess}. First: {name}.").format(guess=prediction, name=names))


def _sentence(found: Verdict, reached: pd.DataFrame, run: SessionRun) -> str:
    """What the race showed."""
    rows = {row["run"]: row for row in reached.to_dict("records")}
    if found.outcome == "nobody":
        if run.job.status == "stopped":
            return _("Nobody had reached the target when you stopped the race.")
        return _("Nobody reached the target.")
    if found.outcome == "at the start":
        return _("The initial weights meet this target: there is nothing to race for. Set a harder one.")
    if found.outcome == "tie":
        times = ", ".join(f"{name} {digits(rows[name]['seconds'], 2)} s" for name in found.leaders)
        return _("Too close to tell: {times}. Nothing is measured between two records.").format(times=times)
    return _first(found, rows)


def _first(found: Verdict, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """The first one against gradient descent, or against the next one."""
    (name,) = found.leaders
    text = _("{name} reached the target in {seconds} s, at update {updates}.")
    sentence = text.format(**_cost(rows[name]))
    if len(rows) == 1:
        return sentence
    if found.rival is None:
        return sentence + " " + _("No other did.")
    rival = rows[found.rival]
    if not rival["reached"]:
        return sentence + " " + _("{name} did not reach it.").format(name=found.rival)
    sentence += " " + _("{name} was there after {seconds} s, at update {updates}").format(**_cost(rival))
    if found.times is None:
        return sentence + "."
    times = digits(found.times, 3 if found.times < 1.1 else 2)
    text = _("at least {times} times as long") if found.is_lower_bound else _("{times} times as long")
    return f"{sentence}: {text.format(times=times)}."


def _cost(row: Mapping[str, Any]) -> dict[str, str]:
    """Name, seconds and updates of a contestant that reached the target; the update after which it was there."""
    return {"name": row["run"], "seconds": digits(row["seconds"], 2), "updates": count(math.ceil(row["updates"]))}


def _advice(run: SessionRun, table: pd.DataFrame) -> None:
    """What to change where a contestant took too long steps, or where nobody reached the target."""
    fast = standings.too_fast(table)
    if fast:
        st.warning(
            _("{names}: the loss grew. Choose a smaller learning rate.").format(names=", ".join(fast)) + _limit(run)
        )
    missed = history.time_to_target(table, run.plan.target, metric=run.plan.target_metric)
    if missed["reached"].any() or run.job.status == "stopped" or len(fast) == len(run.plan.configs):
        return
    if run.plan.target_metric == "test_accuracy":
        st.warning(_("Give them more seconds, another learning rate, or a lower test accuracy to reach."))
    else:
        st.warning(_("Give them more seconds, another learning rate, or a higher loss to reach."))


def _limit(run: SessionRun) -> str:
    """2/λmax, where the race found it."""
    limit = next((row.learning_rate for row in run.job.rows if isinstance(row, StableLimit)), None)
    if limit is None:
        return ""
    text = _("Here gradient descent is stable below 2/λmax = {limit}; a small k needs a smaller rate still.")
    return " " + text.format(limit=f"{limit:.3g}")


def _unseen(run: SessionRun, table: pd.DataFrame, found: Verdict) -> None:
    """What being first is worth on unseen samples, and how far one race goes."""
    num_test = CATALOGUE[run.plan.problem].num_test
    first = found.leaders[0] if found.outcome == "first" else None
    pair = standings.unseen(table, num_test=num_test, first=first)
    if pair is None:
        return
    values = (pair.one_value, pair.other_value)
    if pair.num_apart is None:
        one, other = (digits(value, 3) for value in values)
        text = _("On unseen samples at the end: loss {one} with {name}, {other} with {rival}.")
    else:
        one, other = (percent(value) for value in values)
        text = _("On unseen samples at the end: {one} right with {name}, {other} with {rival}.")
    sentence = text.format(one=one, name=pair.one, other=other, rival=pair.other)
    if pair.num_apart == 0:
        sentence += " " + _("No difference.")
    elif pair.num_apart is not None:
        text = (
            _("{n} of {m} test samples apart: more than the choice of test samples explains.")
            if pair.is_clear
            else _("{n} of {m} test samples apart: that may be chance.")
        )
        sentence += " " + text.format(n=f"{pair.num_apart:,}", m=f"{num_test:,}")
    st.markdown(sentence)
    st.caption(
        _(
            "A paired comparison: all start from the same weights and draw the samples in the same order (seed "
            "{seed}). It is one run each: with another seed it may end otherwise."
        ).format(seed=next(iter(run.plan.configs.values())).seed)
    )


def _table(run: SessionRun, table: pd.DataFrame, reached: pd.DataFrame) -> None:
    """The price of the target in seconds, updates, epochs and samples, and the state on unseen samples."""
    rates = {name: config.learning_rate for name, config in run.plan.configs.items()}
    never = _("not reached")
    rows = pd.DataFrame(
        {
            _("Contestant"): reached["run"],
            _("Learning rate"): [f"{rates[name]:.3g}" for name in reached["run"]],
            _("Seconds"): [
                digits(s, 3) if ok else never for s, ok in zip(reached["seconds"], reached["reached"], strict=True)
            ],
            _("Updates"): reached["updates"].map(lambda value: count(value if pd.isna(value) else math.ceil(value))),
            _("Epochs"): reached["epochs"].map(lambda value: digits(value, 3)),
            _("Samples"): reached["examples"].map(count),
            **_last_and_best(table, reached["run"]),
            _("State"): [state(row) for row in reached.to_dict("records")],
        }
    )
    if not rows[_("State")].ne("").any():
        rows = rows.drop(columns=_("State"))
    with st.container(key="race_target"):
        st.table(rows.set_index(_("Contestant")))


def _last_and_best(table: pd.DataFrame, names: Iterable[str]) -> dict[str, list[str]]:
    """Column with the test accuracy, or the test loss of a regression, at the end and at its best on the way."""
    is_accuracy = bool(table["test_accuracy"].notna().any())
    by_run = table.groupby("run")["test_accuracy" if is_accuracy else "test_loss"]
    last, best = by_run.last(), by_run.max() if is_accuracy else by_run.min()

    def text(value: float) -> str:
        return percent(value) if is_accuracy else digits(value, 3)

    title = _("Test accuracy (best)") if is_accuracy else _("Test loss (best)")
    return {title: [f"{text(last[name])} ({text(best[name])})" for name in names]}
