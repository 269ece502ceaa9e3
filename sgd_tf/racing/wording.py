"""The words for a race in the learner's language: what is asked, how far it is, and what it showed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from sgd_tf.problems import CATALOGUE
from sgd_tf.racing.rows import race_seconds
from sgd_tf.racing.seeds import Real
from sgd_tf.racing.verdict import Arrival, Unseen, Verdict, Work
from sgd_tf.training.comparison import MIN_SEEDS
from sgd_tf.training.records import RacePlan
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import count, digits, percent, target_text
from sgd_tf.ui.training_settings import subject
from sgd_tf.words import N_

HEADINGS = {
    "train_loss": N_("The cost of a training loss of {target}"),
    "test_accuracy": N_("The cost of a test accuracy of {target}"),
}
AXES = {"seconds": N_("seconds"), "epochs": N_("epochs"), "updates": N_("updates"), "examples": N_("samples")}
QUESTIONS = {
    "train_loss": N_("Predict: who reaches a training loss of {target} first?"),
    "test_accuracy": N_("Predict: who reaches a test accuracy of {target} first?"),
}


def seconds_text(value: float, num_digits: int = 2) -> str:
    """Seconds with so many significant digits, never with an exponent.

    >>> seconds_text(0.418), seconds_text(12.34), seconds_text(0.0000512)
    ('0.42', '12', '0.000051')
    """
    if value >= 1:
        return digits(value, num_digits)
    return np.format_float_positional(value, precision=num_digits, fractional=False, trim="-")


def question(plan: RacePlan) -> str:
    """What a learner is asked before the race."""
    if plan.target is None:
        return _("Predict: who has the lowest training loss after {seconds} s?").format(seconds=f"{plan.seconds:g}")
    return _(QUESTIONS[plan.target_metric]).format(target=target_text(plan.target, plan.target_metric))


def settings(plan: RacePlan) -> str:
    """What a result is of."""
    num_examples = plan.num_examples or CATALOGUE[plan.problem].num_examples
    rates = ", ".join(f"{name}: γ = {config.learning_rate:.3g}" for name, config in plan.configs.items())
    each = _("{seconds} s each, seed {seed}") if plan.stop_at is None else _("at most {seconds} s each, seed {seed}")
    first = next(iter(plan.configs.values()))
    parts = [
        subject(plan.problem, plan.model, num_examples),
        rates,
        each.format(seconds=f"{plan.seconds:g}", seed=first.seed),
    ]
    if plan.seeds > 1:
        parts.append(_("{n} seeds").format(n=plan.seeds))
    return " · ".join([*parts, *(["Dataset.shuffle(N)"] if first.shuffler == "dataset" else [])])


def real(found: Real) -> str:
    """Whether the lead is more than chance gives between seeds."""
    if found.num_seeds < MIN_SEEDS:
        text = _("Is it real? Finished with {n} of {planned} seeds: no verdict with fewer than {least}.")
        return text.format(n=found.num_seeds, planned=found.num_planned, least=MIN_SEEDS)
    if found.leader is None or found.versus is None or found.p_value is None:
        return _("Is it real? With {n} seeds there is nothing to compare.").format(n=found.num_seeds)
    names = {"name": found.leader, "rival": found.rival, "won": found.num_won, "n": found.num_seeds}
    ahead = _("Is it real? {name} was ahead of {rival} with {won} of {n} seeds.")
    test = _("paired t-test of {n} seeds") if found.versus.test == "t" else _("sign test of {n} seeds")
    chance = _("Such a lead may be chance ({test}, p = {p}).")
    if found.is_real:
        chance = _("Chance hardly gives such a lead ({test}, p = {p}).")
    text = chance.format(test=test.format(n=found.num_seeds), p=digits(found.p_value, 2))
    return f"{ahead.format(**names)} {text}"


def progress(plan: RacePlan, trained: float, device: str, *, num_arrived: int = 0) -> str:
    """How far a race is.

    Args:
        plan: of the race.
        trained: seconds that all contestants have trained together.
        device: that trains.
        num_arrived: contestants at the target so far.
    """
    num, left = len(plan.configs), max(0.0, race_seconds(plan) - trained)
    trained /= plan.seeds
    text = _("Trained for {done:.1f} of {each:g} s · {left:.0f} s left · on {device}")
    if num > 1:
        text = _("Trained for {done:.1f} of {each:g} s each · {left:.0f} s left for all {n} · on {device}")
    if plan.stop_at is not None:
        text = _("Trained for {done:.1f} s (at most {each:g} s) · {arrived} of {n} at the target · on {device}")
    return text.format(done=trained / num, each=plan.seconds, left=left, n=num, device=device, arrived=num_arrived)


def heading(plan: RacePlan) -> str:
    """Of the table of what the target cost; the race has a target."""
    return _(HEADINGS[plan.target_metric]).format(target=target_text(plan.target or 0.0, plan.target_metric))


def state(values: Mapping[str, Any]) -> str:
    """What is special about a contestant: where it diverged."""
    diverged_at = values.get("diverged_at")
    if diverged_at is None or pd.isna(diverged_at):
        return ""
    return _("diverged at update {n}").format(n=f"{diverged_at:,}")


def verdict(found: Verdict, plan: RacePlan) -> str:
    """What a race showed, what to change, and what being first is worth on unseen samples."""
    if found.outcome == "untrained":
        return _("Stopped before anything was trained.")
    sentences = []
    if found.stopped_at is not None:
        text = _("Stopped at {done} of {total} s of training.")
        sentences.append(text.format(done=seconds_text(found.stopped_at), total=f"{plan.seconds:g}"))
    sentences += [_outcome(found, plan), *_advice(found, plan)]
    if found.ended_at is not None and found.num_contestants > 1 and found.outcome != "at the start":
        text = _("The race ended at the target, after {seconds} s of training.")
        sentences.append(text.format(seconds=seconds_text(found.ended_at)))
    if found.unseen is not None and found.outcome != "at the start":
        sentences.append(_unseen(found.unseen))
    return " ".join(sentences)


def _outcome(found: Verdict, plan: RacePlan) -> str:
    """Who was first, or why nobody was."""
    if found.outcome == "no target":
        return _no_target(found)
    if found.outcome == "at the start":
        return _("The initial weights meet this target: there is nothing to race for. Set a harder one.")
    if found.outcome == "nobody":
        return _nobody(found, plan)
    if found.outcome == "tie":
        tied = [arrival for arrival in found.order if arrival.name in found.leaders]
        times = ", ".join(f"{arrival.name} {_seconds(arrival)}" for arrival in tied)
        return _("Too close to tell: {times}. Nothing is measured between two records.").format(times=times)
    first = _arrival(_("{name} reached the target in {seconds} s, at update {updates}."), found.order[0])
    if found.outcome == "open":
        text = _("The race was stopped before {names} had trained for as long, so nobody is first.")
        return f"{first} {text.format(names=', '.join(found.behind))}"
    return first if found.outcome == "alone" else f"{first} {_rival(found)}"


def _nobody(found: Verdict, plan: RacePlan) -> str:
    if found.num_contestants > 1:
        if found.stopped_at is not None:
            return _("Nobody had reached the target by then.")
        return _("Nobody reached the target.")
    (name,) = plan.configs
    if found.stopped_at is not None:
        return _("{name} had not reached the target by then.").format(name=name)
    return _("{name} did not reach the target.").format(name=name)


def _no_target(found: Verdict) -> str:
    text = _("No target loss is known for this problem and model. Set one under “More settings”.")
    if found.lowest is None:
        return text
    name, loss = found.lowest
    lowest = _("Lowest training loss at the end: {name}, {loss}.").format(name=name, loss=digits(loss, 3))
    return f"{lowest} {text}"


def _rival(found: Verdict) -> str:
    """Gradient descent, or the next one, beside the first."""
    if found.rival is None:
        return _("No other did.")
    rival = found.arrival(found.rival)
    if rival is None:
        return _("{name} did not reach it.").format(name=found.rival)
    if found.times is None:
        return _arrival(_("{name} was there after {seconds} s, at update {updates}."), rival)
    text = _("{name} was there after {seconds} s, at update {updates}: {times} times as long.")
    if found.is_lower_bound:
        text = _("{name} was there after {seconds} s, at update {updates}: at least {times} times as long.")
    return _arrival(text, rival, times=digits(found.times, 3 if found.times < 1.1 else 2))


def _arrival(text: str, arrival: Arrival, **rest: str) -> str:
    seconds = seconds_text(arrival.seconds)
    return text.format(name=arrival.name, seconds=seconds, updates=count(arrival.update), **rest)


def _seconds(arrival: Arrival) -> str:
    return _("{n} s").format(n=seconds_text(arrival.seconds))


def _advice(found: Verdict, plan: RacePlan) -> list[str]:
    """What to change where a contestant took too long steps, or where nobody reached the target."""
    sentences = []
    if found.diverged:
        names = ", ".join(_("{name} at update {n}").format(name=name, n=f"{at:,}") for name, at in found.diverged)
        sentences.append(_("Diverged: {names}. Choose a smaller learning rate.").format(names=names))
        if found.stable_below is not None:
            text = _("Here gradient descent is stable below 2/λmax = {limit}; a small k needs a smaller rate still.")
            sentences.append(text.format(limit=f"{found.stable_below:.3g}"))
    if found.grew:
        text = _("Training loss no lower than at the start: {names}. Choose a smaller learning rate.")
        sentences.append(text.format(names=", ".join(found.grew)))
    is_learning = found.num_too_fast < found.num_contestants
    if found.outcome == "nobody" and found.stopped_at is None and is_learning:
        if plan.target_metric == "test_accuracy":
            sentences.append(_("Allow more seconds, try another learning rate, or set a lower test accuracy."))
        else:
            sentences.append(_("Allow more seconds, try another learning rate, or set a higher loss."))
    return sentences


def _unseen(pair: Unseen) -> str:
    """What being first is worth on unseen samples."""
    values = (pair.one_value, pair.other_value)
    names = {"name": pair.one, "rival": pair.other}
    if pair.num_apart is None:
        one, other = (digits(value, 3) for value in values)
        text = _("On unseen samples: loss {one} with {name}, {other} with {rival}.")
        sentence = text.format(one=one, other=other, **names)
        return sentence + (" " + _("The same to three digits.") if one == other else "")
    text = _("On unseen samples: {one} right with {name}, {other} with {rival}.")
    sentence = text.format(one=percent(pair.one_value), other=percent(pair.other_value), **names)
    if pair.num_apart == 0:
        return sentence + " " + _("No difference.")
    text = (
        _("{n} of {m} test samples apart: more than the choice of test samples explains.")
        if pair.is_clear
        else _("{n} of {m} test samples apart: that may be chance.")
    )
    return sentence + " " + text.format(n=f"{pair.num_apart:,}", m=f"{pair.num_test:,}")


def paired(plan: RacePlan) -> str:
    """How far one race goes."""
    first = next(iter(plan.configs.values())).seed
    if plan.seeds > 1:
        return _(
            "A paired comparison: with each of the seeds {first} to {last} all start from the same weights and draw "
            "the samples in the same order. Lines and numbers are the medians of the seeds."
        ).format(first=first, last=first + plan.seeds - 1)
    return _(
        "A paired comparison: all start from the same weights and draw the samples in the same order (seed {seed}). "
        "Each has trained once: another seed may give another result."
    ).format(seed=first)


def work(found: Work | None) -> str:
    """What the four axes show: who is first on each, who made the fewest updates and who saw the most samples."""
    sentences = []
    if found is not None and found.first:
        order = " · ".join(f"{_(AXES[counter])}: {', '.join(names)}" for counter, names in found.first.items())
        text = _("First to the target, by axis: {order}.")
        if len(set(found.first.values())) == 1:
            text = _("First to the target on all axes: {order}.")
            order = ", ".join(next(iter(found.first.values())))
        sentences.append(text.format(order=order))
    if found is not None:
        (name, updates), (other, samples) = found.fewest_updates, found.most_samples
        text = _(
            "In the same seconds of training, the fewest updates: {name}, {updates}. The most samples: {other}, "
            "{samples}."
        )
        sentences.append(text.format(name=name, updates=count(updates), other=other, samples=count(samples)))
    return " ".join(sentences)
