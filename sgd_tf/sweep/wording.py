"""The words of the page "Which batch size?": what a sweep says, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import pandas as pd

from sgd_tf.sweep import critical_batch_size
from sgd_tf.sweep.critical_batch_size import Hyperbola
from sgd_tf.sweep.fastest import Fastest
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.verdict import Step, SweepVerdict, UsualSizes
from sgd_tf.training import comparison
from sgd_tf.training.comparison import Comparison
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import count, digits
from sgd_tf.ui.widgets import PROBLEMS
from sgd_tf.words import N_

# Where the fastest k may lie: upper ends, for the prediction.
RANGES = {"4": N_("k up to 4"), "32": N_("5 to 32"), "256": N_("33 to 256"), "more": N_("above 256")}
NOTABLE = 1.05  # times as long, from which on it is said
NEAR = 2.0  # a critical batch size within this factor is the fastest k, as far as a sweep can say
LARGE_PROBLEM = PROBLEMS["teacher"]  # one that has more than 4,000 samples, and is learned in seconds
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
OUTCOMES = {
    "as good": N_("as good as the best"),
    "worse": N_("worse"),
    "open": N_("open: these seeds do not show it"),
}
NO_ANSWER = {
    "not run": N_("No run has ended yet."),
    "not reached": N_(
        "No k reached the target with every seed. Raise the target loss, or allow more seconds for a run."
    ),
    "diverged": N_("All runs diverged, or ended no better than at the start. Choose smaller learning rates."),
    "at the start": N_("The loss is at the target before the first update. Choose a lower target."),
    "unknown": N_("Not known yet: no seed was run with every k."),
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


def range_of(batch_size: int) -> str:
    """The range of the prediction in which a batch size lies.

    >>> range_of(4), range_of(33), range_of(60_000)
    ('4', '256', 'more')
    """
    return next((end for end in RANGES if end != "more" and batch_size <= int(end)), "more")


def ranges(plan: SweepPlan) -> dict[str, str]:
    """The ranges that hold a k of the sweep."""
    held = {range_of(k) for k in plan.batch_sizes}
    return {end: title for end, title in RANGES.items() if end in held}


def answer(verdict: SweepVerdict) -> tuple[str | None, frozenset[str]]:
    """The range of the fastest k, None if there is none; and the others whose k can not be told from it."""
    found = verdict.fastest
    if not isinstance(found, Fastest) or found.num_compared < 2 or math.isnan(found.share):  # too few seeds
        return None, frozenset()
    right = range_of(found.best)
    return right, frozenset(map(range_of, found.as_fast)) - {right}


def text(verdict: SweepVerdict) -> str:
    """What the sweep says, in a few sentences."""
    found = verdict.fastest
    sentences: list[str] = []
    if isinstance(found, Fastest):
        sentences += _fastest(verdict.plan, found)
        sentences += [_step(verdict.step)] if verdict.step else []
        if math.isnan(found.share):
            sentences.append(_("One or two seeds are too few to judge a prediction."))
    else:
        sentences.append(_(NO_ANSWER[found]))
        start = verdict.noise.get("start")
        if found == "diverged" and start and start.max_learning_rate is not None:
            words = _("At the start gradient descent is stable up to a learning rate of about {limit}.")
            sentences.append(words.format(limit=digits(start.max_learning_rate, 2)))
    if verdict.not_run:
        sentences.append(_("Not run yet: k = {sizes}.").format(sizes=", ".join(map(count, verdict.not_run))))
    if verdict.num_missing:
        words = _("Runs still missing: about {n}. The answer may change.")
        sentences.append(words.format(n=count(verdict.num_missing)))
    return " ".join(sentences)


def _fastest(plan: SweepPlan, found: Fastest) -> Iterator[str]:
    words = _("**k = {k}** is the fastest: {seconds} s of training to a loss of {target}.")
    if found.num_compared == 1:
        words = _("Only **k = {k}** reached the target with every seed: {seconds} s of training to a loss of {target}.")
    yield words.format(k=count(found.best), seconds=digits(found.seconds, 2), target=f"{plan.target:g}")
    if found.as_fast:
        words = _("With these seeds not clearly slower: k = {sizes}.")
        if found.slowest >= NOTABLE:
            words = _("With these seeds not clearly slower: k = {sizes} (up to {times} times as long).")
        yield words.format(sizes=", ".join(map(count, found.as_fast)), times=_no_less(found.slowest))


def _step(step: Step) -> str:
    k, updates, seconds = count(step.k), step.updates, step.seconds
    if step.is_larger:
        words = _("With k = {k} the updates fall to {share}, but each takes {times} times as long.")
        return words.format(k=k, share=_share(updates), times=digits(seconds, 2))
    words = _("With k = {k} an update takes {share} of the time, but {times} times as many are needed.")
    return words.format(k=k, share=_share(seconds), times=digits(updates, 2))


def _share(value: float) -> str:
    return f"{digits(100 * value, 2)}%"


def _no_less(value: float) -> str:
    """A bound with two digits after the point, rounded up: no value below it lies above what is written.

    >>> _no_less(1.941), _no_less(1.94), _no_less(12.0)
    ('1.95', '1.94', '12')
    """
    return f"{math.ceil(round(100 * value, 6)) / 100:,g}"


def best_sizes(verdict: SweepVerdict) -> pd.DataFrame:
    """The best k by each measure, one row for each; empty if there is no fastest k."""
    found, law, rows = verdict.fastest, verdict.law, {}
    if not isinstance(found, Fastest):
        return pd.DataFrame()
    ends = "" if found.low == found.high else _(" (from {low} to {high} not clearly slower)")
    seconds = count(found.best) + ends.format(low=count(found.low), high=count(found.high))
    rows[_("Fewest seconds to the target")] = seconds
    if law and is_bent(law):
        rows[_("Critical batch size: more samples save few updates beyond it")] = _about(law.critical_batch_size)
    scales = [point.noise_scale for point in verdict.noise.values() if math.isfinite(point.noise_scale)]
    if scales:
        name = _("Critical batch size, predicted by the noise of the gradient: start → middle → target")
        rows[name] = " → ".join(map(_about, scales))
    for usual in verdict.usual:
        words = _("Lowest test loss after {budget}, learning rate: {rate}")
        rows[words.format(budget=budget(verdict.plan, usual.budget), rate=rate(verdict.plan, usual))] = count(
            usual.best
        )
    return pd.DataFrame({_("Best by"): rows.keys(), "k": rows.values()}).set_index(_("Best by"))


def why_they_differ(verdict: SweepVerdict) -> str:
    """Why the best k by one measure is not that by another."""
    sentences = [
        _("Each row asks something else. Seconds depend on this machine; updates and noise do not."),
    ]
    found, law = verdict.fastest, verdict.law
    if isinstance(found, Fastest) and law and is_bent(law):
        critical = law.critical_batch_size
        words = _("Here the fastest k is near the critical batch size.")
        if found.best > NEAR * critical:
            words = _(
                "Here the fastest k is above the critical batch size: a larger k wastes samples, but this machine "
                "processes more of them per second."
            )
        elif found.best * NEAR < critical:
            words = _(
                "Here the fastest k is below the critical batch size: a larger k would save updates, but each of them "
                "would take longer."
            )
        sentences.append(words)
    return " ".join(sentences)


def _about(value: float) -> str:
    return f"≈ {digits(value, 2)}"


def how_sure(verdict: SweepVerdict) -> list[str]:
    """How sure the answer and the critical batch size are."""
    found = verdict.fastest
    sentences: list[str] = []
    if isinstance(found, Fastest):
        if math.isnan(found.share):
            sentences.append(_("One or two seeds cannot show how sure the answer is. Take at least three."))
        else:
            words = _(
                "In {share} of the bootstrap resamples (the {n} seeds and the measured speeds drawn anew), the fastest "
                "k is the one named above or one that is not clearly slower."
            )
            sentences.append(words.format(n=found.num_seeds, share=f"{found.share:.0%}"))
        if found.left_out:
            sizes = verdict.sizes.set_index("batch_size")
            reasons = ", ".join(_left_out(sizes.loc[k], k) for k, _state in found.left_out)
            sentences.append(_("Left out in between: {reasons}.").format(reasons=reasons))
        if found.ends_low and found.low > 1:
            sentences.append(_("The smallest k of the sweep is not clearly slower: add smaller ones."))
        if found.ends_high and found.high < (verdict.plan.num_examples or math.inf):
            sentences.append(_("The largest k of the sweep is not clearly slower: add larger ones."))
    if verdict.law:
        sentences += _law(verdict.law)
        if verdict.plan.rule != "tuned":
            sentences.append(_("All this at the learning rates of the rule; tuned ones may say something else."))
    return sentences


def _left_out(size: pd.Series, k: int) -> str:
    """Why a k between two of the range is not in it."""
    state = size["state"]
    reason = _(STATES[state])
    if state == "slower":
        reason = _("clearly slower, {times} times as long").format(times=digits(size["ratio"], 3))
    elif state == "not reached":
        reason = _("seeds that reached the target: {known} of {n}").format(known=size["num_known"], n=size["num_seeds"])
    return _("k = {k} ({reason})").format(k=count(k), reason=reason)


def is_bent(law: Hyperbola) -> bool:
    """Whether the sweep shows a critical batch size: the law holds, and bends within the sweep."""
    return law.no_interval != "misfit" and law.smallest < law.critical_batch_size < law.largest


def _law(law: Hyperbola) -> Iterator[str]:
    """The critical batch size, and how far it is known."""
    if law.no_interval == "misfit":
        yield _("No critical batch size: the updates do not follow the law S = Sₘᵢₙ + Eₘᵢₙ/k.")
    elif law.critical_batch_size >= law.largest:
        yield _("Up to the largest k of the sweep, twice the k takes about half the updates.")
    elif law.critical_batch_size <= law.smallest:
        yield _("From the smallest k of the sweep on, a larger k hardly saves updates.")
    else:
        words = _("At the critical batch size, **k ≈ {k}**, updates and samples are both twice their minimum.")
        yield words.format(k=digits(law.critical_batch_size, 2))
        yield _interval(law)
    words = _("Typical error of the fitted law: a factor of {factor} (root mean square of the logarithms).")
    yield words.format(factor=f"{math.exp(law.misfit):.2f}")


def _interval(law: Hyperbola) -> str:
    """Between which k the critical batch size lies, or why nobody can tell."""
    if law.no_interval:
        words = _("A rough number: an interval takes at least {sizes} k that reach the target and {seeds} seeds.")
        return words.format(sizes=critical_batch_size.MIN_SIZES, seeds=critical_batch_size.MIN_SEEDS)
    if law.low == 0 and math.isinf(law.high):
        return _("A rough number: the 95% interval is open at both ends.")
    span = _("{low} to {high}")
    if law.low == 0:
        span = _("below {high}")
    elif math.isinf(law.high):
        span = _("above {low}")
    words = _("95% interval: {span}. It counts the seeds and the error of the law, not the choice of rates and target.")
    return words.format(span=span.format(low=digits(law.low, 3), high=digits(law.high, 3)))


def each_k(sizes: pd.DataFrame) -> pd.DataFrame:
    """One row for each k, as the page shows it.

    Args:
        sizes: of `fastest.seconds_by_size`.
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


def usual_table(verdict: SweepVerdict) -> pd.DataFrame:
    """256 or 512 beside the best k and beside larger ones, one row for each condition."""
    rows = [
        {
            _("Compared after"): budget(verdict.plan, usual.budget),
            _("Learning rate"): rate(verdict.plan, usual),
            _("Lowest test loss"): f"k = {count(usual.best)}",
            _("256 or 512"): _usual(usual),
            _("Larger k"): _larger(usual),
        }
        for usual in verdict.usual
    ]
    return pd.DataFrame(rows).set_index(_("Compared after"))


def budget(plan: SweepPlan, equal: Literal["epochs", "seconds"]) -> str:
    """What is equal in all runs that are compared."""
    if equal == "seconds":
        return _("{n} s of training").format(n=f"{plan.seconds:g}")
    return _("{n} epochs").format(n=f"{plan.epochs:g}") if plan.epochs != 1 else _("1 epoch")


def rate(plan: SweepPlan, usual: UsualSizes) -> str:
    """The learning rates of a comparison."""
    if usual.rates == "tuned":
        return _("best for each k")
    if usual.learning_rate is not None:
        return _("{rate} for all k").format(rate=f"{usual.learning_rate:.3g}")
    return {"linear": _("proportional to k"), "square_root": _("proportional to √k")}.get(
        plan.rule, _("one for each k")
    )


def _usual(usual: UsualSizes) -> str:
    """256 or 512 beside the best k."""
    if usual.usual is None:
        return _("not run")
    k, words = count(usual.usual), _(OUTCOMES[usual.usual_outcome])
    if usual.usual == usual.best:
        return _("k = {k} is the lowest").format(k=k)
    if math.isnan(usual.usual_ratio):
        return _("k = {k}: {words}").format(k=k, words=words)
    if math.isinf(usual.usual_ratio):
        return _("k = {k}: diverged, {words}").format(k=k, words=words)
    times = f"{usual.usual_ratio:.2f}"
    return _("k = {k}: {times} times the lowest, {words}").format(k=k, times=times, words=words)


def _larger(usual: UsualSizes) -> str:
    """The k above 256 or 512 beside it."""
    if usual.usual is None or usual.largest is None:
        return _("not run")
    if usual.harm_from is not None:
        return _("worse from k = {k} on").format(k=count(usual.harm_from))
    if usual.largest_outcome == "as good":
        return _("the largest k is as good")
    return _("the largest k is not clearly worse")


def usual_text(verdict: SweepVerdict) -> str:
    """In how many rows 256 or 512 is as good as the best k, and in how many a large k hurts."""
    sentences = []
    judged = [usual for usual in verdict.usual if usual.usual is not None]
    if judged:
        words = _("256 or 512 is as good as the best k in {good} of the rows, worse in {bad}, open in {open}.")
        sentences.append(words.format(**_counts([usual.usual_outcome for usual in judged])))
    large = [usual.largest_outcome for usual in judged if usual.is_large]
    if large:
        words = _("A k beyond 4,000 hurts in {bad} of the rows, does not hurt in {good}, open in {open}.")
        sentences.append(words.format(**_counts(large)))
    else:
        words = _("No k beyond 4,000 was run; N is {n} here. Try “{problem}” with N = 16,384.")
        N = count(verdict.plan.num_examples)
        sentences.append(words.format(n=N, problem=_(LARGE_PROBLEM)))
    return " ".join(sentences)


def _counts(outcomes: list[comparison.Outcome]) -> dict[str, int]:
    return {"good": outcomes.count("as good"), "bad": outcomes.count("worse"), "open": outcomes.count("open")}


def compared(found: Comparison, measure: str, one: str, other: str) -> str:
    """Two settings compared, and whether chance gives such a difference too.

    Args:
        found: of `comparison.compare`.
        measure: a key of MEASURES.
        one: name of the first setting.
        other: name of the second one.
    """
    values = {"what": _(MEASURES[measure]), "one": one, "other": other, "n": found.num_seeds}
    if found.num_seeds < comparison.MIN_SEEDS:
        words = _("**{what}**: seeds with which {one} and {other} both have a value: {n}. A test needs at least 3.")
        return words.format(**values)
    sentence, numbers = _difference(found)
    values |= numbers | {"test": _("sign test") if found.test == "sign" else _("paired t-test")}
    values["p"] = "< 0.001" if found.p_value < 0.001 else f"= {found.p_value:.2g}"
    sure = _("Not significant (p {p}, {test}, {n} seeds): it may be chance. More seeds can settle it.")
    if found.is_significant:
        sure = _(
            "Significant (p {p}, {test}, {n} seeds): without a true difference, one this large would appear in fewer "
            "than 1 of 20 sweeps."
        )
    elif found.test == "sign" and found.num_seeds < FEWEST_SIGNS:
        sure += " " + _("With fewer than 6 seeds a sign test cannot show a difference.")
    return f"{sentence.format(**values)} {sure.format(**values)}"


def _difference(found: Comparison) -> tuple[str, dict[str, str]]:
    """How far two settings are apart, as a sentence and its numbers."""
    if found.test == "sign":
        return _("**{what}**: not all runs of {one} and {other} have a value. Counting who won with each seed:"), {}
    size, low, high = found.ratio, found.low, found.high
    if found.is_difference:
        points, low_text, high_text = (f"{100 * value:+.2f}" for value in (size, low, high))
        numbers = {"difference": points, "low": low_text, "high": high_text}
        if float(points) == 0:
            return _("**{what}**: {one} and {other} differ by less than 0.01 points (95%: {low} to {high})."), numbers
        return _("**{what}**: {one} minus {other} is {difference} points (95%: {low} to {high})."), numbers
    times, low_text, high_text = (digits(value, 3) for value in (size, low, high))
    numbers = {"times": times, "low": low_text, "high": high_text}
    if times == "1":
        numbers = {end: f"{round(100 * (value - 1), 1) + 0.0:+,.1f}%" for end, value in (("low", low), ("high", high))}
        return _("**{what}**: {one} and {other} differ by less than 1% (95%: {low} to {high})."), numbers
    return _("**{what}**: {one} has {times} times the value of {other} (95%: {low} to {high})."), numbers
