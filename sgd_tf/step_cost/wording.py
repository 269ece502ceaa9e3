"""Verdicts on the cost of a step in words, in the learner's language."""

from __future__ import annotations

from collections.abc import Iterable

from sgd_tf.step_cost.rows import Way
from sgd_tf.step_cost.verdict import StepCost, Unfinished
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits
from sgd_tf.words import N_

# At the end of lines, and in sentences.
NAMES: dict[Way, str] = {
    "fit": "model.fit",
    "several_steps": "steps_per_execution",
    "xla": "jit_compile",
    "python": N_("Python loop"),
    "graphs": N_("update as graph"),
    "epoch_graphs": N_("epoch as graph"),
    "compiled": N_("the lab's loop"),
}


def step_cost(says: StepCost | Unfinished) -> str:
    """Price of the calls, the fastest plain way, and the fastest k of two loops."""
    if isinstance(says, Unfinished):
        return _("Stopped before model.fit and the lab's loop were measured: there is nothing to compare yet.")
    parts = [_times(says), _price(says), _fastest_plain(says), _shortest(says), _doubt(says)]
    return " ".join(part for part in parts if part)


def duration(seconds: float) -> str:
    """A time with its unit, in three digits.

    >>> duration(0.0412), duration(0.000613), duration(0.001), duration(181.0)
    ('41.2 ms', '0.613 ms', '1.00 ms', '181 s')
    """
    value, unit = (seconds, "s") if seconds >= 1 else (1e3 * seconds, "ms")
    return f"{value:#.3g} {unit}" if value < 99.95 else f"{digits(value, 3)} {unit}"


def times(ratio: float) -> str:
    """A ratio in a sentence: two digits, more from 100 on.

    >>> times(3.14), times(27.4), times(1234.5)
    ('3.1', '27', '1,234')
    """
    return digits(ratio, 2)


def _times(says: StepCost) -> str:
    if says.num_updates == 1:
        text = _("With k = {k} an epoch of model.fit takes {fit}, and the lab's loop makes the same update in {lab}")
    else:
        text = _(
            "With k = {k} an epoch of model.fit takes {fit}, and the lab's loop makes the same {n} updates in {lab}"
        )
    numbers = {
        "k": f"{says.batch_size:,}",
        "n": f"{says.num_updates:,}",
        "fit": duration(says.seconds["fit"]),
        "lab": duration(says.seconds["compiled"]),
    }
    return f"{text.format(**numbers)}: {_ratio(says)}"


def _ratio(says: StepCost) -> str:
    num = len(says.ratios)
    if num == 1:
        return _("a ratio of {x}, measured once.").format(x=times(says.ratio))
    low, high = times(min(says.ratios)), times(max(says.ratios))
    if says.is_clear:
        text = _("{x} times as fast ({low}–{high} in {n} rounds).")
    else:
        text = _("a ratio of {x} ({low}–{high} in {n} rounds), which is no clear difference.")
    return text.format(x=times(says.ratio), low=low, high=high, n=num)


def _price(says: StepCost) -> str:
    if not says.is_clear:
        return ""
    text = _(
        "So at most {share} of that epoch is mathematics; the loop around it takes the rest, {price} for each update."
    )
    return text.format(share=f"{100 / says.ratio:.2g}%", price=duration(says.loop_seconds))


def _fastest_plain(says: StepCost) -> str:
    if not says.fastest_plain:
        return ""
    if "fit" in says.fastest_plain:
        return _("No other plain way is clearly faster there than model.fit.")
    text = _("Fastest in plain Keras there: {names}, {x} times as fast as model.fit.")
    return text.format(names=one_of(_(NAMES[way]) for way in says.fastest_plain), x=times(says.gain))


def _shortest(says: StepCost) -> str:
    if not says.shortest:
        return ""
    fit, lab = (one_of(f"k = {k:,}" for k in each.batch_sizes) for each in says.shortest)
    if fit == lab:
        return _("Shortest epoch by the clock, in model.fit and in the lab's loop: {k}.").format(k=fit)
    text = _("Shortest epoch by the clock: {fit} in model.fit, {lab} in the lab's loop.").format(fit=fit, lab=lab)
    if says.depends_on_loop:
        text += " " + _("Which k is fastest by the clock depends on the loop.")
    return text


def one_of(names: Iterable[str]) -> str:
    """A name, or several that are too close to tell."""
    found = list(names)
    if len(found) == 1:
        return found[0]
    return _("{names} (too close to tell)").format(names=" / ".join(found))


def _doubt(says: StepCost) -> str:
    if says.doubt == "few rounds":
        text = _("Stopped after round {done} of {n}: too few to judge a prediction.")
        return text.format(done=len(says.ratios), n=says.num_planned)
    return _("The rounds disagree about the prediction: too close to tell.") if says.doubt else ""
