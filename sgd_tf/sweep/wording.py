"""What a sweep says in words: the fastest k, the critical batch size, 256 and 512, two settings compared."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pandas as pd

from sgd_tf.sweep import comparison, critical_batch_size
from sgd_tf.sweep.analysis import NoAnswer, Recommendation
from sgd_tf.sweep.comparison import Comparison
from sgd_tf.sweep.critical_batch_size import Hyperbola
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.rows import Place
from sgd_tf.sweep.verdict import Verdict
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import count, digits
from sgd_tf.ui.widgets import PROBLEMS
from sgd_tf.words import N_

NOTABLE = 1.05  # times as long, from which on it is said
FEWEST_SIGNS = 6  # seeds with which a sign test can have p < 0.05: 2 / 2⁶
MEASURES = {
    "steady_seconds_to_target": N_("Seconds to the target"),
    "updates_to_target": N_("Updates to the target"),
    "examples_to_target": N_("Samples to the target"),
    "test_loss_after_epochs": N_("Test loss after the same epochs"),
    "test_loss_after_seconds": N_("Test loss after the same seconds"),
    "test_accuracy_after_epochs": N_("Test accuracy after the same epochs"),
    "test_accuracy_after_seconds": N_("Test accuracy after the same seconds"),
}
EFFECTS = {
    "none": N_("no effect to speak of"),
    "small": N_("a small effect"),
    "medium": N_("a medium effect"),
    "large": N_("a large effect"),
    "very large": N_("a very large effect"),
}
OUTCOMES = {
    "as good": N_("as good as the best"),
    "worse": N_("worse"),
    "open": N_("open: these seeds do not show it"),
}
NO_ANSWER = {
    "not reached": N_("No k reached the target with all its seeds: choose a higher target or more seconds for a run."),
    "diverged": N_("All runs diverged, or ended no better than at the start: choose smaller learning rates."),
    "at the start": N_("The loss is at the target before the first update: choose a lower target."),
    "unknown": N_("Not known yet: no seed was run with all k."),
}
STATES = {
    "fastest": N_("the fastest"),
    "as fast": N_("not clearly slower"),
    "slower": N_("clearly slower"),
    "not reached": N_("did not always reach the target"),
    "diverged": N_("diverged, or no better than at the start"),
    "at the start": N_("at the target before the first update"),
    "unknown": N_("not known yet"),
}


def no_answer(reason: NoAnswer, limit: float | None) -> list[str]:
    """Why there is no fastest k, and what to do.

    Args:
        reason: of `sweep_results.recommend`.
        limit: 2/λmax at the start, where it is known.
    """
    sentences = [_(NO_ANSWER[reason])]
    if reason == "diverged" and limit is not None:
        text = _("At the start gradient descent is stable up to a learning rate of about {limit}.")
        sentences.append(text.format(limit=digits(limit, 2)))
    return sentences


def unfinished(plan: SweepPlan, sizes: pd.DataFrame, num_missing: int) -> list[str]:
    """What a sweep that is not complete can not say yet.

    Args:
        plan: the sweep.
        sizes: of `sweep_results.seconds_by_size`.
        num_missing: runs that are still to be made, about.
    """
    sentences = []
    absent = [count(k) for k in plan.batch_sizes if k not in set(sizes["batch_size"])]
    if absent:
        sentences.append(_("Not run yet: k = {sizes}.").format(sizes=", ".join(absent)))
    if num_missing:
        text = _("About {n} runs of this sweep are missing: the answer may change.")
        sentences.append(text.format(n=count(num_missing)))
    return sentences


def answer(plan: SweepPlan, best: Recommendation, sizes: pd.DataFrame) -> list[str]:
    """Which k are the fastest, which are left out between them, and how sure that is.

    Args:
        plan: the sweep.
        best: of `sweep_results.recommended`.
        sizes: of `sweep_results.seconds_by_size`.
    """
    low, high = count(best.low), count(best.high)
    span = _("k = {k}").format(k=low) if low == high else _("k between {low} and {high}").format(low=low, high=high)
    sentences = [
        _("For “{problem}”, this model and this machine: **{span}**.").format(
            problem=_(PROBLEMS[plan.problem]), span=span
        ),
        _("k = {k} is the fastest: {seconds} s of training to a loss of {target}.").format(
            k=count(best.best), seconds=digits(best.seconds, 2), target=f"{plan.target:g}"
        ),
    ]
    if best.left_out:
        reasons = ", ".join(_left_out(sizes.set_index("batch_size").loc[k], k) for k, _state in best.left_out)
        sentences.append(_("Left out in between: {reasons}.").format(reasons=reasons))
    if best.slowest >= NOTABLE:
        sentences.append(
            _("Within the range none takes more than {times} times as long.").format(times=_no_less(best.slowest))
        )
    if math.isnan(best.share):
        sentences.append(_("With one or two seeds nobody can tell how sure that is: take at least three."))
    else:
        sentences.append(
            _("How sure: draw the {n} seeds and clock readings anew, and the fastest k lies there in {share}.").format(
                n=best.num_seeds, share=f"{best.share:.0%}"
            )
        )
    if best.ends_low and best.low > 1:
        sentences.append(_("The range begins at the smallest k of the sweep: add smaller ones."))
    if best.ends_high and best.high < (plan.num_examples or math.inf):
        sentences.append(_("The range ends at the largest k of the sweep: add larger ones."))
    return sentences


def _no_less(value: float) -> str:
    """A bound with two digits after the point, rounded up: no value below it lies above what is written.

    >>> _no_less(1.941), _no_less(1.94), _no_less(12.0)
    ('1.95', '1.94', '12')
    """
    return f"{math.ceil(round(100 * value, 6)) / 100:,g}"


def _left_out(size: pd.Series, k: int) -> str:
    """Why a k between two of the range is not in it."""
    state = size["state"]
    reason = _(STATES[state])
    if state == "slower":
        reason = _("clearly slower, {times} times as long").format(times=digits(size["ratio"], 3))
    elif state == "not reached":
        reason = _("{known} of {n} seeds reached the target").format(known=size["num_known"], n=size["num_seeds"])
    return _("k = {k} ({reason})").format(k=count(k), reason=reason)


def each_k(sizes: pd.DataFrame) -> pd.DataFrame:
    """One row for each k, as the page shows it.

    Args:
        sizes: of `sweep_results.seconds_by_size`.
    """
    rows = [
        {
            "k": count(size["batch_size"]),
            _("Learning rate"): digits(size["learning_rate"], 3),
            _("Seconds to the target"): digits(size["median"], 3) if math.isfinite(size["median"]) else "–",
            _("times the fastest"): digits(size["ratio"], 3),
            _("Seeds that reached the target"): f"{size['num_known']} / {size['num_seeds']}",
            _("Compared with the fastest"): _(STATES[state]),
        }
        for size, state in zip(sizes.to_dict("records"), sizes["state"], strict=True)
    ]
    return pd.DataFrame(rows).set_index("k")


def critical(plan: SweepPlan, fit: Hyperbola, noise_scales: Mapping[Place, float]) -> list[str]:
    """When more samples per update stop helping, and how far that is known.

    Args:
        plan: the sweep.
        fit: of `sweep_results.fit_runs`.
        noise_scales: by the place in the run along which they were measured.
    """
    misfit = f"{fit.misfit:.0%}"
    if fit.no_interval == "misfit":
        text = _("No critical batch size: the law S = S_min + E_min/k misses the updates by {share} on average.")
        sentences = [text.format(share=misfit)]
    else:
        sentences = [*_bend(fit), _("The fitted law misses the updates by {share} on average.").format(share=misfit)]
    scales = {place: scale for place, scale in noise_scales.items() if math.isfinite(scale)}
    if {"start", "target"} <= set(scales):
        sentences.append(
            _("The noise of the gradient alone predicts {start} at the start and {end} at the target.").format(
                start=count(scales["start"]), end=count(scales["target"])
            )
        )
    elif "start" in scales:
        text = _("The noise of the gradient alone predicts {start} at the start.")
        sentences.append(text.format(start=count(scales["start"])))
    if plan.rule != "tuned":
        sentences.append(_("All this at the learning rates of the rule; tuned ones may say something else."))
    return sentences


def _bend(fit: Hyperbola) -> list[str]:
    """Where the law bends: beyond the sweep, or at the critical batch size."""
    if fit.critical_batch_size >= fit.largest:
        return [_("Up to the largest k of the sweep, twice the k takes about half the updates.")]
    if fit.critical_batch_size <= fit.smallest:
        return [_("From the smallest k of the sweep on, a larger k hardly saves updates.")]
    text = _("More stops helping at about **k = {k}**, the critical batch size.")
    return [
        text.format(k=count(fit.critical_batch_size)),
        _("There updates and samples are twice what they are at least."),
        _interval(fit),
    ]


def _interval(fit: Hyperbola) -> str:
    """Between which k the critical batch size lies, or why nobody can tell."""
    if fit.no_interval:
        text = _("A rough number: an interval takes at least {sizes} k that reach the target and {seeds} seeds.")
        return text.format(sizes=critical_batch_size.MIN_SIZES, seeds=critical_batch_size.MIN_SEEDS)
    if fit.low == 0 and math.isinf(fit.high):
        return _("A rough number: with 95 % it may lie anywhere.")
    span = _("between {low} and {high}")
    if fit.low == 0:
        span = _("below {high}")
    elif math.isinf(fit.high):
        span = _("above {low}")
    text = _("With 95 % it lies {span}. This counts seeds and misses of the law, not the choice of rates and target.")
    return text.format(span=span.format(low=digits(fit.low, 3), high=digits(fit.high, 3)))


def verdicts(plan: SweepPlan, found: list[Verdict]) -> list[str]:
    """In how many cases 256 or 512 is as good as the best k, and in how many a large k hurts.

    Args:
        plan: the sweep.
        found: of `verdict.verdict_c13`.
    """
    judged = [verdict for verdict in found if verdict.practical is not None]
    sentences = []
    if judged:
        outcomes = [verdict.practical_outcome for verdict in judged]
        text = _("256 or 512 is as good as the best k in {good} of {all} cases, worse in {bad}, open in {open}.")
        good, bad, unsure = (outcomes.count(outcome) for outcome in ("as good", "worse", "open"))
        sentences.append(text.format(good=good, bad=bad, open=unsure, all=len(judged)))
    outcomes = [verdict.large_outcome for verdict in judged if verdict.large is not None]
    if outcomes:
        text = _("A k beyond 4,000 hurts in {bad} of {all} cases, does not hurt in {good}, open in {open}.")
        good, bad, unsure = (outcomes.count(outcome) for outcome in ("as good", "worse", "open"))
        sentences.append(text.format(good=good, bad=bad, open=unsure, all=len(outcomes)))
    else:
        sentences.append(_("No k beyond 4,000 was run; N is {n} here.").format(n=count(plan.num_examples)))
    return sentences


def budget(plan: SweepPlan, verdict: Verdict) -> str:
    """What all runs of a verdict had the same of."""
    if verdict.budget == "epochs":
        return _("{n} epochs").format(n=f"{plan.epochs:g}")
    return _("{n} s of training").format(n=f"{plan.seconds:g}")


def rate(plan: SweepPlan, verdict: Verdict) -> str:
    """The learning rates of a verdict."""
    if verdict.rates == "tuned":
        return _("best for each k")
    if verdict.learning_rate is not None:
        return _("{rate} for all k").format(rate=f"{verdict.learning_rate:.3g}")
    return {"linear": _("proportional to k"), "square_root": _("proportional to √k")}.get(
        plan.rule, _("one for each k")
    )


def practical(verdict: Verdict) -> str:
    """256 or 512 beside the best k."""
    if verdict.practical is None:
        return _("not run")
    k, words = count(verdict.practical), _(OUTCOMES[verdict.practical_outcome])
    if math.isnan(verdict.practical_ratio):
        return _("k = {k}: {words}").format(k=k, words=words)
    if math.isinf(verdict.practical_ratio):
        return _("k = {k}: diverged, {words}").format(k=k, words=words)
    times = f"{verdict.practical_ratio:.2f}"
    return _("k = {k}: {times} times the lowest, {words}").format(k=k, times=times, words=words)


def large(verdict: Verdict) -> str:
    """The k above 256 or 512 beside it."""
    if verdict.practical is None:
        return "–"
    if verdict.largest is None:
        return _("not run")
    if verdict.harm_from is not None:
        return _("worse from k = {k} on").format(k=count(verdict.harm_from))
    if verdict.largest_outcome == "as good":
        return _("the largest k is as good")
    return _("the largest k is not clearly worse")


def compared(found: Comparison, measure: str, one: str, other: str) -> str:
    """Two settings compared, and whether chance gives such a difference too.

    Args:
        found: of `comparison.compare`.
        measure: a key of MEASURES.
        one: name of the first setting.
        other: name of the second one.
    """
    what, is_sign = _(MEASURES[measure]), found.test == "sign"
    values = {"what": what, "one": one, "other": other, "n": found.num_seeds}
    if found.num_seeds < comparison.MIN_SEEDS:
        text = _("**{what}**: {one} and {other} share {n} seeds with a value. A test needs at least 3.")
        return text.format(**values)
    if is_sign:
        sentence = _("**{what}**: not all runs of {one} and {other} have a value. Counting who won with each seed:")
    elif found.is_difference:
        sentence = _("**{what}**: {one} is {difference} points above {other} (95 %: {low} to {high}).")
        difference, low, high = (f"{100 * value:+.2f}" for value in (found.ratio, found.low, found.high))
        values |= {"difference": difference, "low": low, "high": high}
    else:
        sentence = _("**{what}**: {one} has {times} times the value of {other} (95 %: {low} to {high}).")
        times, low, high = (digits(value, 3) for value in (found.ratio, found.low, found.high))
        values |= {"times": times, "low": low, "high": high}
    values |= {"effect": _(EFFECTS[found.effect]), "test": _("sign test") if is_sign else _("paired t-test")}
    values["p"] = "< 0.001" if found.p_value < 0.001 else f"= {found.p_value:.2g}"
    verdict = _("It may be chance (p {p}, {test}, {n} seeds): {effect}, but not shown with so few seeds.")
    if found.is_real:
        verdict = _("The difference is real: {effect}, by chance alone rarer than 1 in 20 (p {p}, {test}, {n} seeds).")
    elif is_sign and found.num_seeds < FEWEST_SIGNS:
        verdict += " " + _("With fewer than 6 seeds a sign test can not show a difference.")
    return f"{sentence} {verdict}".format(**values)
