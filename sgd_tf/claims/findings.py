"""Findings as a table, as nested values for a file, counted by verdict; and the time that the rest will take."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pandas as pd

from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import NUM_SEEDS, VERDICTS, Verdict
from sgd_tf.claims.measures import Measured
from sgd_tf.claims.rows import Finding


def to_table(findings: Iterable[Finding], translate: Callable[[str], str] = str) -> pd.DataFrame:
    """One row for each number of each claim: what is printed, and what is downloaded.

    Args:
        findings: of the workers.
        translate: gives sentences and words in the reader's language.

    Returns:
        columns claim, sentence, verdict, measure, title, value (the worst), condition and outcome (both empty where
        there is none), num_seeds, seconds.
    """
    rows = [
        {
            "claim": finding.claim,
            "sentence": translate(CLAIMS[finding.claim].sentence),
            "verdict": finding.verdict,
            "measure": found.measure.name,
            "title": translate(found.measure.title),
            "value": found.measure.worst(found.values),
            "condition": found.condition(translate),
            "outcome": found.outcome or "",
            "num_seeds": finding.num_seeds,
            "seconds": finding.seconds,
        }
        for finding in findings
        for found in measured(finding)
    ]
    columns = ["claim", "sentence", "verdict", "measure", "title", "value", "condition", "outcome"]
    return pd.DataFrame(rows, columns=[*columns, "num_seeds", "seconds"])


def to_json(findings: Iterable[Finding], translate: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """The same as nested plain values, one entry for each claim; a number that is not finite is None."""
    entries = []
    for finding in findings:
        claim = CLAIMS[finding.claim]
        measures = [
            {
                "name": found.measure.name,
                "title": translate(found.measure.title),
                "value": _finite(found.measure.worst(found.values)),
                "values": [_finite(value) for value in found.values],
                "text": found.text(),
                "at_least": found.measure.at_least,
                "at_most": found.measure.at_most,
                "condition": found.condition(translate),
                "outcome": found.outcome,
            }
            for found in measured(finding)
        ]
        entries.append(
            {
                "claim": claim.key,
                "group": claim.group,
                "sentence": translate(claim.sentence),
                "experiment": translate(claim.experiment),
                "verdict": finding.verdict,
                "depends_on": translate(claim.depends_on)
                if claim.depends_on and finding.verdict == "depends"
                else None,
                "measures": measures,
                "num_seeds": finding.num_seeds,
                "seconds": round(finding.seconds, 3),
            }
        )
    return entries


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def measured(finding: Finding) -> list[Measured]:
    """What a finding says of each measure of its claim."""
    claim = CLAIMS[finding.claim]
    outcomes = claim.outcomes(finding.values, finding.num_seeds)
    return [
        Measured(measure=measure, values=finding.values[measure.name], outcome=outcomes.get(measure.name))
        for measure in claim.measures
    ]


def tally(verdicts: Iterable[str]) -> dict[Verdict, int]:
    """How many claims got each verdict.

    >>> tally(["holds", "depends", "holds"])
    {'holds': 2, 'fails': 0, 'depends': 1, 'open': 0}
    """
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def seconds_left(keys: Sequence[str], findings: Iterable[Finding], *, num_seeds: int) -> float:
    """How long the claims that are not tried yet will take, by what was expected and what the others took.

    Args:
        keys: of all that are to be tried.
        findings: of those that were tried.
        num_seeds: of each experiment.
    """
    took = {finding.claim: finding.seconds for finding in findings if finding.claim in keys}
    expected = {key: CLAIMS[key].seconds * num_seeds / NUM_SEEDS for key in keys}
    usual = sum(expected[key] for key in took)
    pace = sum(took.values()) / usual if usual else 1.0
    return pace * sum(seconds for key, seconds in expected.items() if key not in took)
