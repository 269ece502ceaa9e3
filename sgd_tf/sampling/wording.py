"""Verdicts on sampling in words: one sentence or two for each kind of result, in the learner's language."""

from __future__ import annotations

import math
from collections.abc import Iterable

from sgd_tf.sampling.rows import CopiesDifference, GenieMeasurement, GeniePlan, SortedPlan
from sgd_tf.sampling.verdict import (
    Diverged,
    FloorVerdict,
    GenieVerdict,
    Judged,
    Missed,
    NothingLearned,
    ShufflersVerdict,
    SortedVerdict,
    Unfinished,
)
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits, percent, power_of_ten


def missed(says: Missed) -> str:
    """Samples that drawing with replacement misses in an epoch."""
    text = _(
        "With replacement, epoch 1 never drew {missed} of {n} samples. Over the first {e} epochs, an epoch misses "
        "{share} on average; chance says {formula} = {expected}."
    )
    n = says.num_examples
    expected, formula = percent((1 - 1 / n) ** n), "(1 − 1/N)^N".replace(" ", "\N{NO-BREAK SPACE}")
    numbers = {"missed": says.in_first, "n": n, "e": says.num_epochs, "share": percent(says.share)}
    return text.format(**numbers, formula=formula, expected=expected)


def floor(says: FloorVerdict | Diverged | Unfinished) -> str:
    """Effect of the learning rate on the error floor."""
    if not isinstance(says, FloorVerdict):
        return _without_numbers(says)
    text = _(
        "Halving the learning rate divides the error floor by {one} with replacement and by {other} when reshuffled "
        "(fitted powers of γ: {p} and {q}; {seeds}). Theory for small γ: 1 with replacement, at "
        "least 2 reshuffled."
    )
    one, other = (f"{says.divisors[way]:.1f}" for way in ("with_replacement", "reshuffle"))
    p, q = (f"{says.powers[way]:.2f}" for way in ("with_replacement", "reshuffle"))
    return text.format(one=one, other=other, p=p, q=q, seeds=seeds(says)) + _doubt(says)


def sorted_data(says: SortedVerdict | NothingLearned | Diverged | Unfinished, plan: SortedPlan) -> str:
    """Accuracy that each way of reading sorted data reaches."""
    if isinstance(says, NothingLearned):
        text = _(
            "Nothing was learned, so there is nothing to compare: no way of reading passed {best} test accuracy in "
            "the last epoch, and guessing gives about 10%."
        )
        advice = (
            _("The training loss has risen: choose a smaller learning rate.")
            if says.has_risen
            else _("The steps were too small: choose a larger learning rate or a smaller k.")
        )
        return f"{text.format(best=percent(says.accuracy))} {advice}"
    if not isinstance(says, SortedVerdict):
        return _without_numbers(says)
    text = _(
        "Test accuracy in the last epoch (mean of the epoch; {seeds}): in order {one}, buffer of {b} {two}, "
        "reshuffled {three}. Within that epoch it moved by {swing} points in order, and by {calm} reshuffled."
    )
    values = {
        "seeds": seeds(says),
        "b": f"{plan.buffer_size:,}",
        "one": percent(says.accuracy["in_order"]),
        "two": percent(says.accuracy["buffer"]),
        "three": percent(says.accuracy["reshuffle"]),
        "swing": f"{100 * says.swing['in_order']:.1f}",
        "calm": f"{100 * says.swing['reshuffle']:.1f}",
    }
    harmless = _("With these settings reading in order costs next to nothing, so the buffer has nothing to repair.")
    return text.format(**values) + (f" {harmless}" if says.answer == "same" else _doubt(says))


def genie(
    says: GenieVerdict | Diverged | Unfinished, plan: GeniePlan, found: Iterable[GenieMeasurement | CopiesDifference]
) -> str:
    """Effect of the copies on the losses, and on the weights of gradient descent."""
    if not isinstance(says, GenieVerdict):
        return _without_numbers(says)
    text = _(
        "At the same number of samples seen, {r} copies multiply the loss of GD by {gd} and the loss of SGD by {sgd} "
        "({seeds})."
    )
    factors = {method: f"{factor:.2f}" for method, factor in says.factors.items()}
    sentence = text.format(r=plan.num_copies, **factors, seeds=seeds(says)) + _doubt(says)
    for end in found:
        if isinstance(end, CopiesDifference):
            same = _(
                "After {u} updates of GD, the weights with and without copies differ by at most {d}, which is rounding."
            )
            sentence += " " + same.format(u=end.updates, d=power_of_ten(end.difference))
    return sentence


def beyond(values: Iterable[float], top: float) -> str:
    """Losses that an axis does not hold; empty if there are none."""
    highest = max((value for value in values if math.isfinite(value)), default=0.0)
    if highest <= top:
        return ""
    return _("Some losses are above this axis: the highest is {loss}.").format(loss=power_of_ten(highest))


def seeds(says: Judged) -> str:
    """Number of seeds that a verdict rests on: the median is over these."""
    if says.num_seeds == says.num_planned:
        return _("median of {n} seeds").format(n=says.num_planned)
    return _("stopped: {done} of {n} seeds").format(done=says.num_seeds, n=says.num_planned)


def _doubt(says: Judged) -> str:
    """Why a verdict gives no answer; empty if it gives one."""
    if says.doubt == "few seeds":
        return " " + _("That is too few seeds to judge a prediction.")
    if says.doubt == "seeds disagree":
        return " " + _("The seeds disagree: too close to tell.")
    return ""


def _without_numbers(says: Diverged | Unfinished) -> str:
    if isinstance(says, Unfinished):
        return _("Stopped before the first seed was complete: there is nothing to compare yet.")
    if says.num_diverged == says.num_runs:
        return _("All runs diverged. Choose a smaller learning rate.")
    text = _("{lost} of {num} runs diverged, so the ways are not compared. Choose a smaller learning rate.")
    return text.format(lost=says.num_diverged, num=says.num_runs)


def shufflers(says: ShufflersVerdict | Unfinished) -> str:
    """Times of both shufflers for an epoch of the largest N."""
    if isinstance(says, Unfinished):
        return _("Stopped before both were timed with the largest N.")
    text = _(
        "An epoch of {n} samples takes {one} by one permutation and {other} by Dataset.shuffle(N): a ratio of {low} to "
        "{high} in {num} repetitions."
    )
    one, other = (f"{digits(1e3 * says.seconds[name], 2)} ms" for name in ("permutation", "dataset"))
    low, high = (digits(bound(says.ratios), 2) for bound in (min, max))
    return text.format(n=f"{says.num_examples:,}", one=one, other=other, low=low, high=high, num=len(says.ratios))
