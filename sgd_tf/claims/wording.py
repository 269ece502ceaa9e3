"""What the page of the claims says in words: verdicts, rules, the numbers of a condition, how far a run is."""

from __future__ import annotations

from collections.abc import Sequence

from sgd_tf.claims import findings
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import Claim
from sgd_tf.claims.measures import Measured
from sgd_tf.claims.rows import Finding
from sgd_tf.claims.verdict import End, Outcome
from sgd_tf.ui.language import _
from sgd_tf.words import N_

GROUPS = {"chapter": N_("From the textbook chapter behind this lab"), "elsewhere": N_("From other texts")}
VERDICTS: dict[str, str] = {
    "holds": N_("Holds"),
    "depends": N_("It depends"),
    "fails": N_("Does not hold"),
    "open": N_("Not judged"),
}
GUESSES = {verdict: VERDICTS[verdict] for verdict in ("holds", "depends", "fails")}
NOT_TESTED = N_("Not tested yet")
NO_RESULT = N_("Test failed to run")
IS_TESTED = N_("Testing …")
HOW_MANY = {
    "all": N_("All of them"),
    "most": N_("14 to 17"),
    "some": N_("9 to 13"),
    "few": N_("Fewer than 9"),
}


def number(key: str) -> int:
    """The number that a claim has on the page."""
    return list(CLAIMS).index(key) + 1


def settings(keys: Sequence[str], num_seeds: int, duration: str | None) -> str:
    """What a run is of.

    Args:
        keys: of its claims.
        num_seeds: of each experiment.
        duration: how long it will take, in the learner's language; None once it is over.
    """
    if len(keys) == 1:
        text = _("Claim {number} · {seeds} seeds").format(number=number(keys[0]), seeds=num_seeds)
    else:
        text = _("{n} claims · {seeds} seeds").format(n=len(keys), seeds=num_seeds)
    return text if duration is None else text + " · " + _("about {duration}").format(duration=duration)


def progress(keys: Sequence[str], found: Outcome, left: str) -> str:
    """How far a run is.

    Args:
        keys: of its claims.
        found: so far.
        left: how long the rest takes, in the learner's language.
    """
    if len(keys) == 1:
        return _("Testing claim {number}. About {left} left.").format(number=number(keys[0]), left=left)
    text = _("{done} of {total} claims tested. About {left} left.")
    return text.format(done=found.num_tested, total=found.num_claims, left=left)


def result(keys: Sequence[str], found: Outcome, took: str) -> str:
    """What a run has found: how many claims got each verdict; of a single claim its verdict.

    Args:
        keys: of its claims.
        found: when it ended, or was stopped.
        took: how long the computing took, in the learner's language.
    """
    parts = [(_(VERDICTS[verdict]), num) for verdict, num in found.counts.items() if num]
    parts += [(_(NO_RESULT), found.num_failed)] if found.num_failed else []
    if len(keys) == 1:
        ((words, _num),) = parts
        text = _("Claim {number}: {sentence} {verdict}.")
        return text.format(number=number(keys[0]), sentence=_(CLAIMS[keys[0]].sentence), verdict=words)
    text = " · ".join(f"{words}: {num}" for words, num in parts) + "."
    if found.num_tested < found.num_claims:
        stopped = _("You stopped after {done} of {total} claims.")
        return stopped.format(done=found.num_tested, total=found.num_claims) + " " + text
    text += " " + _("Computing took {seconds}.").format(seconds=took)
    if found.answer is None:
        text += " " + _("Claims without a verdict could still change how many hold.")
    return text


def rule(claim: Claim, end: End | None) -> str:
    """The conditions as a list, with the numbers once they are there, and what they lead to."""
    if isinstance(end, Finding):
        lines = [condition(found) for found in findings.measured(end)]
    else:
        lines = [
            f"○ {_(measure.title)} ({measure.bound(_)})" if measure.is_condition else f"· {_(measure.title)}"
            for measure in claim.measures
        ]
    return "  \n".join(lines) + f"\n\n{_ending(claim, end)}"


def _ending(claim: Claim, end: End | None) -> str:
    verdict = end.verdict if isinstance(end, Finding) else None
    if verdict == "depends" and claim.depends_on:
        return _("It depends on **{what}**.").format(what=_(claim.depends_on))
    if verdict == "open":
        return _("A condition is undecided, and the others do not settle it.")
    if claim.is_exact:
        return _("All ○ met: it holds. One missed: it does not hold.")
    return _("All ○ met: it holds. All missed: it does not hold. Some met, some missed: it depends.")


def condition(found: Measured) -> str:
    """A condition with its mark, its number and what was asked."""
    color = {"met": "green", "missed": "red"}.get(found.outcome or "", "gray")
    mark = f":{color}[{found.mark}]" if found.outcome else found.mark
    asked = f" ({found.condition(_)})" if found.outcome else ""
    return f"{mark} {_(found.measure.title)}: **{found.text()}**{asked}"


def guess_held(guess: str, verdict: str) -> str:
    """What the learner expected of a claim, beside its verdict; in Markdown."""
    if guess == verdict:
        text = _("as you predicted")
        return f":green[{text}]"
    text = _("you predicted: {guess}").format(guess=_(GUESSES[guess]))
    return f":gray[{text}]"
