"""Well-known claims about SGD, each with an experiment and a rule, written down before the run, that gives the verdict.

    sgd-tf claims                   all of them, as a table
    sgd-tf claims --only efficient --seeds 10 --json -

A claim is judged by conditions: bounds on measured numbers. All of them met: it holds. All missed: it does not. Some
met and some missed: it depends on what the claim does not say. The conditions are the only rule there is: texts are
made from them. The experiments are in `claim_experiments`.

An exact claim has nothing to depend on: one run that misses a condition is enough, and it does not hold. Any other
claim speaks of what differs from seed to seed. Its conditions are met when all runs of at least three seeds meet them,
missed when none does, and open in all other cases; a condition without a number is open too. Without any effect, if
each run met a condition with probability 1/2, n seeds would agree with probability 2^(1 − n): 1/4 with three seeds,
1/512 with ten. A claim that its open conditions could still decide is not judged.

Runs of one seed start from the same weights and draw the samples in the same order, whatever k: the order of an epoch
depends on the seed and the epoch only. So contestants are compared seed by seed, in pairs; only different seeds are
independent of each other.
"""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pandas as pd

from sgd_tf.claims.measures import Measure, Measured, Outcome
from sgd_tf.words import N_

Verdict = Literal["holds", "fails", "depends", "open"]  # open: not judged
Group = Literal["chapter", "elsewhere"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
NUM_SEEDS = 3  # where nothing else is asked for
MAX_SEEDS = 20
POINT_COLUMNS = ("series", "x", "y", "seed")


@dataclass(frozen=True, kw_only=True)
class Series:
    """One row of dots, or one line, of a claim's chart."""

    title: str  # in English
    batch_size: int | Literal["all"] | None = None  # whose colour it has; None for one of four others


@dataclass(frozen=True, kw_only=True)
class Picture:
    """How the points of a claim are drawn."""

    kind: Literal["dots", "lines"]  # values of each run in a row for each series; or medians with a band over the seeds
    title: str  # in English
    x: str  # title of the horizontal axis
    y: str = ""  # title of the vertical axis, of lines
    series: Mapping[str, Series]
    log_x: bool = False
    log_y: bool = False
    percent: bool = False  # whether the values are shares
    bound: str | None = None  # name of a measure, whose bound is a line at right angles to the axis of the values


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A claim in one sentence, how it is tried, and when it holds."""

    key: str  # name of its function in `claim_experiments`
    group: Group  # of the chapter that the lab follows, or of other texts
    sentence: str  # in English
    experiment: str  # what is done, in English
    measures: tuple[Measure, ...]
    depends_on: str | None = None  # what it may depend on; None for an exact claim
    picture: Picture
    page: str  # of the app, where it can be explored
    address: Mapping[str, str] = field(default_factory=dict)  # settings of that page
    seconds: float  # that its experiment takes with three seeds, about, on two cores

    @property
    def conditions(self) -> tuple[Measure, ...]:
        """The measures that decide."""
        return tuple(measure for measure in self.measures if measure.is_condition)

    @property
    def is_exact(self) -> bool:
        """Whether there is nothing it may depend on, so that one run that misses a condition is enough."""
        return self.depends_on is None

    def outcomes(self, values: Mapping[str, Sequence[float]], num_seeds: int) -> dict[str, Outcome]:
        """What comes of each condition, by name.

        Args:
            values: of the runs, or one of all, by name; NaN where there is no number.
            num_seeds: of the runs.

        Raises:
            KeyError: if a measure is missing.
        """
        return {
            measure.name: measure.outcome(values[measure.name], num_seeds=num_seeds, is_exact=self.is_exact)
            for measure in self.conditions
        }

    def judge(self, values: Mapping[str, Sequence[float]], num_seeds: int) -> Verdict:
        """The rule: all conditions met, all missed, or some of both; open where none of these is sure.

        Args:
            values: of the runs, or one of all, by name; NaN where there is no number.
            num_seeds: of the runs.

        Raises:
            KeyError: if a measure is missing.
        """
        found = set(self.outcomes(values, num_seeds).values())
        if "missed" in found and self.is_exact:
            return "fails"
        if {"met", "missed"} <= found:
            return "depends"
        if found == {"met"}:
            return "holds"
        return "fails" if found == {"missed"} else "open"


@dataclass(frozen=True, kw_only=True)
class Point:
    """One point of a claim's chart."""

    series: str
    x: float
    y: float = 0.0  # of no meaning in a chart of dots
    seed: int = 0


@dataclass(frozen=True, kw_only=True)
class Finding:
    """What an experiment measured, and the verdict."""

    claim: str  # key
    verdict: Verdict
    values: Mapping[str, tuple[float, ...]]  # of the runs, or one of all, by name of the measure; NaN: no number
    points: tuple[Point, ...]  # of the chart
    num_seeds: int
    seconds: float  # that the experiment took, all in all

    @property
    def numbers(self) -> dict[str, float]:
        """The worst value of each measure, by name; NaN where there is none."""
        return {measure.name: measure.worst(self.values[measure.name]) for measure in CLAIMS[self.claim].measures}

    def to_row(self) -> dict[str, Any]:
        """Plain values, as they travel from a worker to a page."""
        columns = {name: [getattr(point, name) for point in self.points] for name in POINT_COLUMNS}
        return {
            "claim": self.claim,
            "verdict": self.verdict,
            "num_seeds": self.num_seeds,
            "seconds": self.seconds,
            "names": list(self.values),
            "num_values": [len(values) for values in self.values.values()],
            "values": [value for values in self.values.values() for value in values],
            **columns,
        }


def to_table(findings: Iterable[Mapping[str, Any]], translate: Callable[[str], str] = str) -> pd.DataFrame:
    """One row for each number of each claim: what is printed, and what is downloaded.

    Args:
        findings: rows of `Finding.to_row`.
        translate: gives sentences and words in the reader's language.

    Returns:
        columns claim, sentence, verdict, measure, title, value (the worst), condition and outcome (both empty where
        there is none), num_seeds, seconds.
    """
    rows = [
        {
            "claim": row["claim"],
            "sentence": translate(CLAIMS[row["claim"]].sentence),
            "verdict": row["verdict"],
            "measure": found.measure.name,
            "title": translate(found.measure.title),
            "value": found.measure.worst(found.values),
            "condition": found.condition(translate),
            "outcome": found.outcome or "",
            "num_seeds": row["num_seeds"],
            "seconds": row["seconds"],
        }
        for row in findings
        for found in measured(row)
    ]
    columns = ["claim", "sentence", "verdict", "measure", "title", "value", "condition", "outcome"]
    return pd.DataFrame(rows, columns=[*columns, "num_seeds", "seconds"])


def to_json(findings: Iterable[Mapping[str, Any]], translate: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """The same as nested plain values, one entry for each claim; a number that is not finite is None."""
    entries = []
    for row in findings:
        claim = CLAIMS[row["claim"]]
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
            for found in measured(row)
        ]
        entries.append(
            {
                "claim": claim.key,
                "group": claim.group,
                "sentence": translate(claim.sentence),
                "experiment": translate(claim.experiment),
                "verdict": row["verdict"],
                "depends_on": translate(claim.depends_on) if claim.depends_on and row["verdict"] == "depends" else None,
                "measures": measures,
                "num_seeds": row["num_seeds"],
                "seconds": round(row["seconds"], 3),
            }
        )
    return entries


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def measured(row: Mapping[str, Any]) -> list[Measured]:
    """What a row of `Finding.to_row` says of each measure of its claim."""
    claim = CLAIMS[row["claim"]]
    left = iter(row["values"])
    values = {
        name: tuple(itertools.islice(left, num)) for name, num in zip(row["names"], row["num_values"], strict=True)
    }
    outcomes = claim.outcomes(values, row["num_seeds"])
    return [
        Measured(measure=measure, values=values[measure.name], outcome=outcomes.get(measure.name))
        for measure in claim.measures
    ]


def points_of(row: Mapping[str, Any]) -> pd.DataFrame:
    """The points of a row of `Finding.to_row`: columns series, x, y, seed."""
    return pd.DataFrame({name: row[name] for name in POINT_COLUMNS})


def tally(verdicts: Iterable[str]) -> dict[Verdict, int]:
    """How many claims got each verdict.

    >>> tally(["holds", "depends", "holds"])
    {'holds': 2, 'fails': 0, 'depends': 1, 'open': 0}
    """
    counts = Counter(verdicts)
    return {verdict: counts[verdict] for verdict in VERDICTS}


def seconds_left(keys: Sequence[str], findings: Iterable[Mapping[str, Any]], *, num_seeds: int) -> float:
    """How long the claims that are not tried yet will take, by what was expected and what the others took.

    Args:
        keys: of all that are to be tried.
        findings: rows of `Finding.to_row` of those that were tried.
        num_seeds: of each experiment.
    """
    took = {row["claim"]: row["seconds"] for row in findings if row["claim"] in keys}
    expected = {key: CLAIMS[key].seconds * num_seeds / NUM_SEEDS for key in keys}
    usual = sum(expected[key] for key in took)
    pace = sum(took.values()) / usual if usual else 1.0
    return pace * sum(seconds for key, seconds in expected.items() if key not in took)


# The claims. Where the runs agree a number is that of the worst one, unless its title says otherwise.

_SAME_WEIGHTS = N_("Largest difference of a weight")
_GD, _SGD = Series(title=N_("GD, k = N"), batch_size="all"), Series(title=N_("SGD, k = 32"), batch_size=32)
_RESHUFFLED = Series(title=N_("new order each epoch"))
_REPLACED = Series(title=N_("with replacement"))

_ALL = (
    Claim(
        key="full_pass",
        group="chapter",
        sentence=N_(
            "Gradient descent passes all N samples, side by side, takes the mean of their losses and makes one update."
        ),
        experiment=N_(
            "1,437 digits: one update with k = N, beside the mean of 1,437 gradients that were taken one by one."
        ),
        measures=(
            Measure(name="passes", title=N_("Samples before the update, as a multiple of N"), at_least=1, at_most=1),
            Measure(name="difference", title=_SAME_WEIGHTS, form=".1e", at_most=1e-5),
            Measure(
                name="speedup", title=N_("Samples per second side by side, as a multiple of one by one"), at_least=2
            ),
        ),
        picture=Picture(
            kind="dots",
            title=N_("Side by side or one by one"),
            x=N_("Samples per second"),
            series={"gd": _GD, "one": Series(title=N_("k = 1"), batch_size=1)},
            log_x=True,
        ),
        page="learn/what_is_sgd",
        seconds=5,
    ),
    Claim(
        key="accumulation",
        group="chapter",
        sentence=N_(
            "A full pass may not fit into memory; in parts whose gradients are added up it does, and "
            "the update is the same."
        ),
        experiment=N_(
            "An MLP on 8,192 samples, each update in a fresh process: peak memory of k, and of k = "
            "8,192 in parts of 256, measured once."
        ),
        measures=(
            Measure(name="growth", title=N_("Memory at k = 8,192, as a multiple of k = 256"), at_least=4),
            Measure(name="saving", title=N_("Memory of the whole, as a multiple of that in parts"), at_least=2),
            Measure(name="difference", title=_SAME_WEIGHTS, form=".1e", at_most=1e-5),
        ),
        picture=Picture(
            kind="lines",
            title=N_("Peak memory of an update"),
            x=N_("Batch size k"),
            y=N_("Megabytes"),
            series={
                "computed": Series(title=N_("computed")),
                "whole": Series(title=N_("whole")),
                "parts": Series(title=N_("parts of 256")),
            },
            log_x=True,
            log_y=True,
        ),
        page="lab/memory",
        seconds=15,
    ),
    Claim(
        key="slow_updates",
        group="chapter",
        sentence=N_("One update for each full pass is a slow way to learn."),
        experiment=N_(
            "Digits: GD and SGD with k = 32, each at its tuned learning rate, for 0.4 s of training and for 10 epochs."
        ),
        measures=(
            Measure(name="same_seconds", title=N_("Loss of GD after 0.4 s, as a multiple of that of SGD"), at_least=1),
            Measure(
                name="same_epochs", title=N_("Loss of GD after 10 epochs, as a multiple of that of SGD"), at_least=1
            ),
            Measure(name="updates", title=N_("Updates of SGD in these seconds, as a multiple of those of GD (median)")),
        ),
        depends_on=N_("what is held equal: seconds or epochs"),
        picture=Picture(
            kind="lines",
            title=N_("GD and SGD on one clock"),
            x=N_("Seconds of training"),
            y=N_("Training loss"),
            series={"gd": _GD, "sgd": _SGD},
            log_x=True,
            log_y=True,
        ),
        page="lab/gd_vs_sgd",
        seconds=5,
    ),
    Claim(
        key="minibatch_gradient",
        group="chapter",
        sentence=N_(
            "k samples drawn at random may stand for all N: their gradient is right on average, and "
            "closer with a larger k."
        ),
        experiment=N_(
            "Digits after two epochs: minibatch gradients beside the full one, and beside the law (S²/k)(1 − k/N)."
        ),
        measures=(
            Measure(
                name="offset",
                title=N_("Mean gradient of an epoch less the full gradient, as a share of its length"),
                form=".1e",
                at_most=1e-5,
            ),
            Measure(
                name="lowest_law",
                title=N_("Measured noise as a multiple of the law: lowest k (mean of the seeds)"),
                at_least=0.85,
            ),
            Measure(
                name="highest_law",
                title=N_("Measured noise as a multiple of the law: highest k (mean of the seeds)"),
                at_most=1.15,
            ),
        ),
        picture=Picture(
            kind="lines",
            title=N_("Noise of the gradient"),
            x=N_("Batch size k"),
            y=N_("Noise / S²"),
            series={"law": Series(title=N_("law")), "measured": Series(title=N_("measured"))},
            log_x=True,
            log_y=True,
        ),
        page="learn/gradient_noise",
        seconds=6,
    ),
    Claim(
        key="without_replacement",
        group="chapter",
        sentence=N_("The k samples of a minibatch are drawn without replacement."),
        experiment=N_(
            "Orders of the tf.data pipeline for 1,437 samples: how often each comes, beside drawing with replacement."
        ),
        measures=(
            Measure(
                name="most_in_minibatch",
                title=N_("How often a sample comes in one minibatch, at most"),
                form=".0f",
                at_most=1,
            ),
            Measure(name="missed", title=N_("Samples that an epoch misses"), form=".1%", at_most=0),
            Measure(name="missed_replaced", title=N_("The same with replacement (mean of the seeds)"), form=".1%"),
            Measure(name="expected", title=N_("What (1 − 1/N)^N says of that"), form=".1%"),
        ),
        picture=Picture(
            kind="lines",
            title=N_("Samples that were never drawn"),
            x=N_("Epochs"),
            y=N_("Share of the samples"),
            series={"with_replacement": _REPLACED, "reshuffle": _RESHUFFLED},
            percent=True,
        ),
        page="learn/sampling",
        seconds=1,
    ),
    Claim(
        key="used_up",
        group="chapter",
        sentence=N_("A sample that was used is not drawn again until all others have been used."),
        experiment=N_(
            "The same orders, draw by draw; and an epoch of Keras's own fit, whose model counts the "
            "visits of each sample."
        ),
        measures=(
            Measure(name="repeats", title=N_("Draws of a used sample while others wait"), form=".0f", at_most=0),
            Measure(name="most", title=N_("Most visits of a sample in an epoch of Keras's fit"), form=".0f", at_most=1),
            Measure(
                name="least", title=N_("Least visits of a sample in an epoch of Keras's fit"), form=".0f", at_least=1
            ),
            Measure(
                name="repeats_replaced",
                title=N_("Draws of a used sample with replacement (mean of the seeds)"),
                form=".0f",
            ),
        ),
        picture=Picture(
            kind="lines",
            title=N_("Samples that wait"),
            x=N_("Part of the epoch"),
            y=N_("Share of the samples"),
            series={"with_replacement": _REPLACED, "reshuffle": _RESHUFFLED},
            percent=True,
        ),
        page="learn/what_is_sgd",
        seconds=1.5,
    ),
    Claim(
        key="new_order",
        group="chapter",
        sentence=N_("When all samples are used up, all are there again, and a new order is drawn."),
        experiment=N_("Orders of four epochs: is each a permutation, and does one tell anything of the next?"),
        measures=(
            Measure(name="broken", title=N_("Epochs that are no permutation"), form=".0f", at_most=0),
            Measure(
                name="correlation", title=N_("Correlation of the places of two successive epochs, in size"), at_most=0.1
            ),
            Measure(
                name="same",
                title=N_("Samples at the same place as an epoch before (mean; chance: 1/N)"),
                form=".2%",
                at_most=0.01,
            ),
        ),
        picture=Picture(
            kind="dots",
            title=N_("Places in one epoch and the next"),
            x=N_("Correlation"),
            series={"reshuffle": _RESHUFFLED, "shuffle_once": Series(title=N_("one order for all"))},
        ),
        page="learn/sampling",
        seconds=1,
    ),
    Claim(
        key="iterations",
        group="chapter",
        sentence=N_("An epoch has ⌈N/k⌉ iterations, and a run ⌈N/k⌉ × epochs."),
        experiment=N_(
            "Random N up to 3,000 and k up to N: minibatches that the pipeline yields, and steps of Keras's own fit."
        ),
        measures=(
            Measure(
                name="wrong",
                title=N_("Pairs (N, k) of the pipeline that differ from the formula"),
                form=".0f",
                at_most=0,
            ),
            Measure(
                name="wrong_keras", title=N_("Runs of Keras's fit that differ from the formula"), form=".0f", at_most=0
            ),
            Measure(name="checked", title=N_("Pairs (N, k) that were tried"), form=".0f"),
        ),
        picture=Picture(
            kind="lines",
            title=N_("Iterations of an epoch"),
            x=N_("Formula ⌈N/k⌉"),
            y=N_("Minibatches yielded"),
            series={"yielded": Series(title=N_("yielded"))},
            log_x=True,
            log_y=True,
        ),
        page="learn/what_is_sgd",
        seconds=3,
    ),
    Claim(
        key="more_updates",
        group="chapter",
        sentence=N_("A smaller k makes more updates in the same number of epochs."),
        experiment=N_("Digits, three epochs with k = N, 256, 32 and 4: the updates that were really made."),
        measures=(
            Measure(
                name="step", title=N_("Updates as a multiple of those of the next larger k, at least"), at_least=1.5
            ),
            Measure(name="unequal", title=N_("Epochs more or less than three"), form=".1e", at_most=1e-9),
            Measure(name="times", title=N_("Updates of k = 4 as a multiple of those of k = N"), form=",.0f"),
        ),
        picture=Picture(
            kind="lines",
            title=N_("Updates in three epochs"),
            x=N_("Batch size k"),
            y=N_("Parameter updates"),
            series={"updates": Series(title=N_("three epochs"))},
            log_x=True,
            log_y=True,
        ),
        page="lab/batch_size",
        seconds=5,
    ),
    Claim(
        key="double_loop",
        group="chapter",
        sentence=N_("The program is a double loop: epochs outside, iterations inside."),
        experiment=N_(
            "That loop in ten lines of Keras, beside the compiled engine of this lab and Keras's own "
            "fit: weights after 20 updates."
        ),
        measures=(
            Measure(
                name="engine", title=N_("Largest difference of a weight: engine of the lab"), form=".1e", at_most=1e-5
            ),
            Measure(name="fit", title=N_("Largest difference of a weight: Keras's fit"), form=".1e", at_most=1e-5),
        ),
        picture=Picture(
            kind="dots",
            title=N_("Difference from the double loop"),
            x=N_("Largest difference of a weight"),
            series={"engine": Series(title=N_("engine of the lab")), "fit": Series(title=N_("Keras's fit"))},
            log_x=True,
            bound="engine",
        ),
        page="learn/what_is_sgd",
        seconds=3,
    ),
    Claim(
        key="efficient",
        group="chapter",
        sentence=N_("SGD trains more efficiently than gradient descent."),
        experiment=N_(
            "Seconds of training to the target loss of the race, k = N and k = 32, each at its tuned learning rate, on "
            "four problems: updates to the target times the seconds of an update, the best of several turns."
        ),
        measures=(
            Measure(name="digits", title=N_("Seconds of GD as a multiple of those of SGD: digits, MLP"), at_least=1),
            Measure(
                name="teacher", title=N_("Seconds of GD as a multiple of those of SGD: 10,000 samples, MLP"), at_least=1
            ),
            Measure(
                name="breast_cancer",
                title=N_("Seconds of GD as a multiple of those of SGD: 455 samples, linear"),
                at_least=1,
            ),
            Measure(
                name="diabetes",
                title=N_("Seconds of GD as a multiple of those of SGD: 353 samples, linear"),
                at_least=1,
            ),
        ),
        depends_on=N_("the problem: how many samples there are and how alike they are"),
        picture=Picture(
            kind="dots",
            title=N_("Seconds of GD / seconds of SGD"),
            x=N_("Right of 1: SGD is faster"),
            series={
                "digits": Series(title=N_("digits")),
                "teacher": Series(title=N_("10,000 samples")),
                "breast_cancer": Series(title=N_("455 samples")),
                "diabetes": Series(title=N_("353 samples")),
            },
            log_x=True,
            bound="digits",
        ),
        page="lab/gd_vs_sgd",
        seconds=18,
    ),
    Claim(
        key="k_matters",
        group="chapter",
        sentence=N_("k changes how training goes: it is a hyper-parameter, like the learning rate."),
        experiment=N_(
            "Digits, ten epochs with five k, at one learning rate and at a tuned one for each k: do "
            "the k differ more than the seeds?"
        ),
        measures=(
            Measure(
                name="one_ratio",
                title=N_("Spread of the k as a multiple of that of the seeds, one learning rate"),
                at_least=2,
            ),
            Measure(
                name="tuned_ratio",
                title=N_("Spread of the k as a multiple of that of the seeds, tuned rates"),
                at_least=2,
            ),
            Measure(name="one_sizes", title=N_("Highest loss of a k / lowest, one learning rate (medians)")),
            Measure(name="tuned_sizes", title=N_("Highest loss of a k / lowest, tuned rates (medians)")),
        ),
        depends_on=N_("whether each k has a learning rate of its own"),
        picture=Picture(
            kind="lines",
            title=N_("After ten epochs"),
            x=N_("Batch size k"),
            y=N_("Training loss"),
            series={"one": Series(title=N_("one rate")), "tuned": Series(title=N_("tuned rates"))},
            log_x=True,
            log_y=True,
        ),
        page="lab/batch_size",
        seconds=8,
    ),
    Claim(
        key="practical",
        group="chapter",
        sentence=N_(
            "A large k is good as far as memory allows; 256 or 512 usually do well, and beyond about 4,000 it hurts."
        ),
        experiment=N_(
            "16,384 samples, k from 32 to N, three learning rates: test loss after 5 epochs and after 0.2 s, "
            "at one rate for all k and at the best for each."
        ),
        measures=(
            Measure(name="usual_epochs_one", title=N_("256 or 512 / best k: equal epochs, one rate"), at_most=1.05),
            Measure(
                name="usual_epochs_tuned", title=N_("256 or 512 / best k: equal epochs, tuned rates"), at_most=1.05
            ),
            Measure(name="usual_seconds_one", title=N_("256 or 512 / best k: equal seconds, one rate"), at_most=1.05),
            Measure(
                name="usual_seconds_tuned", title=N_("256 or 512 / best k: equal seconds, tuned rates"), at_most=1.05
            ),
            Measure(
                name="large_epochs_one", title=N_("k = 16,384 / 256 or 512: equal epochs, one rate"), at_least=1.05
            ),
            Measure(
                name="large_epochs_tuned", title=N_("k = 16,384 / 256 or 512: equal epochs, tuned rates"), at_least=1.05
            ),
            Measure(
                name="large_seconds_one", title=N_("k = 16,384 / 256 or 512: equal seconds, one rate"), at_least=1.05
            ),
            Measure(
                name="large_seconds_tuned",
                title=N_("k = 16,384 / 256 or 512: equal seconds, tuned rates"),
                at_least=1.05,
            ),
        ),
        depends_on=N_("the learning rate, and whether epochs or seconds are equal"),
        picture=Picture(
            kind="lines",
            title=N_("Test loss against k"),
            x=N_("Batch size k"),
            y=N_("Test loss"),
            series={
                "epochs_one": Series(title=N_("epochs, one rate")),
                "epochs_tuned": Series(title=N_("epochs, tuned")),
                "seconds_one": Series(title=N_("seconds, one rate")),
                "seconds_tuned": Series(title=N_("seconds, tuned")),
            },
            log_x=True,
            log_y=True,
        ),
        page="lab/batch_size",
        address={"sweep_problem": "teacher", "sweep_n": "16384", "sweep_view": "budget"},
        seconds=20,
    ),
    Claim(
        key="many_devices",
        group="chapter",
        sentence=N_(
            "A minibatch that is too large for one device can be shared out over several, and the update is the same."
        ),
        experiment=N_("Digits, k = 256, twelve updates over two devices in a process of their own, and on one."),
        measures=(
            Measure(name="difference", title=_SAME_WEIGHTS, form=".1e", at_most=1e-5),
            Measure(name="part", title=N_("Samples of a minibatch that one device holds"), form=".0%", at_most=0.5),
            Measure(
                name="memory", title=N_("Memory of one device as a share of that of a single one, computed"), form=".0%"
            ),
        ),
        picture=Picture(
            kind="lines",
            title=N_("One device and two"),
            x=N_("Parameter updates"),
            y=N_("Minibatch loss"),
            series={"alone": Series(title=N_("one device")), "two": Series(title=N_("two devices"))},
        ),
        page="lab/data_parallel",
        seconds=9,
    ),
    Claim(
        key="stability",
        group="elsewhere",
        sentence=N_(
            "With a learning rate just above 2/λmax gradient descent seems to rest on a plateau, and then diverges."
        ),
        experiment=N_(
            "400 updates at 1.01 · 2/λmax with k = N: least squares with ten features, and a network on the digits."
        ),
        measures=(
            Measure(
                name="plateau_squares", title=N_("Longest plateau in updates: least squares"), form=".0f", at_least=10
            ),
            Measure(
                name="growth_squares",
                title=N_("Loss at the end as a multiple of its start: least squares"),
                at_least=10,
            ),
            Measure(name="plateau_network", title=N_("Longest plateau in updates: network"), form=".0f", at_least=10),
            Measure(
                name="growth_network", title=N_("Loss at the end as a multiple of its start: network"), at_least=10
            ),
        ),
        depends_on=N_("whether the curvature stays the same on the way, and where one starts"),
        picture=Picture(
            kind="lines",
            title=N_("1 % above 2/λmax"),
            x=N_("Parameter updates"),
            y=N_("Loss / loss at the start"),
            series={"squares": Series(title=N_("least squares")), "network": Series(title=N_("network"))},
            log_y=True,
        ),
        page="learn/gradient_noise",
        address={"noise_part": "edge"},
        seconds=5,
    ),
    Claim(
        key="linear_scaling",
        group="elsewhere",
        sentence=N_("Multiply k by m and the learning rate by m as well, and training goes the same way."),
        experiment=N_(
            "Digits, ten epochs, from k = 8 with rate 0.05 up to k = 512 with rate 3.2: training loss at the end."
        ),
        measures=(
            Measure(name="small", title=N_("Factor between the losses of k = 32 and k = 8"), at_most=1.25),
            Measure(name="medium", title=N_("Factor between the losses of k = 128 and k = 8"), at_most=1.25),
            Measure(name="large", title=N_("Factor between the losses of k = 512 and k = 8"), at_most=1.25),
        ),
        depends_on=N_("how large k becomes"),
        picture=Picture(
            kind="lines",
            title=N_("Ten epochs, rate ∝ k"),
            x=N_("Batch size k"),
            y=N_("Training loss"),
            series={"scaled": Series(title=N_("rate ∝ k")), "fixed": Series(title=N_("one rate"))},
            log_x=True,
            log_y=True,
        ),
        page="lab/batch_size",
        address={"sweep_rule": "linear"},
        seconds=3,
    ),
    Claim(
        key="shuffle_buffer",
        group="elsewhere",
        sentence=N_("A shuffle buffer of 1,000 shuffles 1,500 ordered rows well enough."),
        experiment=N_(
            "1,500 samples sorted by class, three classes: where in an epoch a row comes out, and "
            "accuracy after ten epochs."
        ),
        measures=(
            Measure(name="correlation", title=N_("Correlation of the places before and after"), at_most=0.1),
            Measure(name="lost", title=N_("Accuracy lost against a new order each epoch"), form=".1%", at_most=0.01),
            Measure(
                name="late",
                title=N_("Rows of the last class in the first fifth of an epoch (mean; fair: a third)"),
                form=".1%",
            ),
        ),
        depends_on=N_("whether one looks at the order or at the training"),
        picture=Picture(
            kind="lines",
            title=N_("Rows from number 1,000 on"),
            x=N_("Part of the epoch"),
            y=N_("Share of what is drawn"),
            series={"buffer": Series(title=N_("buffer of 1,000")), "reshuffle": _RESHUFFLED},
            percent=True,
        ),
        page="learn/sampling",
        address={"sampling_part": "sorted"},
        seconds=4,
    ),
    Claim(
        key="generalisation",
        group="elsewhere",
        sentence=N_("Large batches generalise worse."),
        experiment=N_(
            "Digits, k = 32 and k = N: test accuracy after 20 epochs at one rate and at tuned ones, "
            "and at the same training loss."
        ),
        measures=(
            Measure(
                name="one_epochs", title=N_("Accuracy lost with k = N: 20 epochs, one rate"), form=".1%", at_least=0.01
            ),
            Measure(
                name="tuned_epochs",
                title=N_("Accuracy lost with k = N: 20 epochs, tuned rates"),
                form=".1%",
                at_least=0.01,
            ),
            Measure(
                name="tuned_target",
                title=N_("Accuracy lost with k = N: same training loss, tuned rates"),
                form=".1%",
                at_least=0.01,
            ),
        ),
        depends_on=N_("the learning rate, and when the two are compared"),
        picture=Picture(
            kind="dots",
            title=N_("Accuracy lost with k = N"),
            x=N_("Accuracy of k = 32 less that of k = N"),
            series={
                "one_epochs": Series(title=N_("epochs, one rate")),
                "tuned_epochs": Series(title=N_("epochs, tuned")),
                "tuned_target": Series(title=N_("same loss, tuned")),
            },
            percent=True,
            bound="one_epochs",
        ),
        page="lab/batch_size",
        address={"sweep_view": "budget"},
        seconds=9,
    ),
)
CLAIMS: dict[str, Claim] = {claim.key: claim for claim in _ALL}
