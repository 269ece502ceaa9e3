"""What a trial of claims has come to: how many got each verdict, and whether the rest can change that."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sgd_tf.claims.claim import Verdict
from sgd_tf.claims.findings import tally
from sgd_tf.claims.rows import Failure, Finding, SignOfLife

End = Finding | Failure  # of the test of a claim
HowMany = Literal["all", "most", "some", "few"]
MOST, SOME = 14, 9  # fewest claims that are "most" and "some" of 18


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How far the tests of some claims have come, and with what verdicts."""

    counts: Mapping[Verdict, int]
    num_failed: int  # tests that failed to run
    num_claims: int  # to be tested in all

    @property
    def num_tested(self) -> int:
        """Number of tests that are over."""
        return sum(self.counts.values()) + self.num_failed

    @property
    def answer(self) -> HowMany | None:
        """How many claims hold; None if those without a verdict could change it, or there is one claim only.

        >>> def outcome(holds, **other):
        ...     counts = {"holds": holds, "fails": 0, "depends": 0, "open": 0} | other
        ...     return Outcome(counts=counts, num_failed=0, num_claims=18)
        >>> outcome(18).answer, outcome(10, depends=8).answer, outcome(13, open=1, fails=4).answer
        ('all', 'some', None)
        """
        if self.num_claims == 1:
            return None
        fewest = self.counts["holds"]
        most = fewest + self.num_claims - sum(self.counts.values()) + self.counts["open"]
        answer = how_many(fewest, self.num_claims)
        return answer if answer == how_many(most, self.num_claims) else None


def outcome(keys: Sequence[str], ends: Mapping[str, End]) -> Outcome:
    """What the tests of these claims have come to.

    Args:
        keys: of the claims that are to be tested.
        ends: of the tests that are over, by key of the claim.
    """
    over = [ends[key] for key in keys if key in ends]
    found = [end.verdict for end in over if isinstance(end, Finding)]
    return Outcome(counts=tally(found), num_failed=len(over) - len(found), num_claims=len(keys))


def how_many(num_holding: int, num_claims: int) -> HowMany:
    """The answer that a number of claims that hold belongs to.

    >>> [how_many(number, 18) for number in (18, 17, 14, 13, 9, 8, 0)]
    ['all', 'most', 'most', 'some', 'some', 'few', 'few']
    """
    if num_holding == num_claims:
        return "all"
    return "most" if num_holding >= MOST else "some" if num_holding >= SOME else "few"


def ends_of(rows: Iterable[SignOfLife | End]) -> dict[str, End]:
    """How the tests that are over have ended, by key of the claim."""
    return {row.claim: row for row in rows if isinstance(row, Finding | Failure)}


def num_right(guesses: Mapping[str, str | None], ends: Mapping[str, End]) -> tuple[int, int]:
    """Number of right predictions, and of predictions whose claims have a verdict.

    Args:
        guesses: the verdict that the learner expects, by key of the claim.
        ends: of the tests that are over.
    """
    judged = {key: end.verdict for key, end in ends.items() if isinstance(end, Finding) and end.verdict != "open"}
    right = [guess == judged[key] for key, guess in guesses.items() if guess and key in judged]
    return sum(right), len(right)
