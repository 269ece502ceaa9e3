"""Well-known claims about SGD, each with an experiment and a rule, written down before the run, that gives the verdict.

    python -m sgd_tf claims                   all of them, as a table
    python -m sgd_tf claims --only efficient --seeds 10 --json -

A claim is judged by conditions: bounds on measured numbers. All of them met: it holds. None: it does not. Some: it
depends on what the claim does not say; where there is nothing it may depend on, an exact claim, it does not hold. The
conditions are the only rule there is: texts are made from them. The experiments are in `claim_experiments`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import pandas as pd

from sgd_tf.problems import N_

Verdict = Literal["holds", "fails", "depends"]
Group = Literal["chapter", "elsewhere"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
NUM_SEEDS = 3  # where nothing else is asked for
MAX_SEEDS = 20
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
POINT_COLUMNS = ("series", "x", "y", "seed")


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that an experiment tells; with a bound it is a condition.

    >>> ratio = Measure(name="ratio", title="Loss of GD as a multiple of that of SGD", at_least=1.0)
    >>> ratio.is_met(2.0), ratio.is_met(0.5), ratio.is_met(float("nan"))
    (True, False, False)
    """

    name: str
    title: str  # in English
    form: str = ".3g"  # how it is written
    at_least: float | None = None
    at_most: float | None = None

    @property
    def is_condition(self) -> bool:
        """Whether the verdict depends on it."""
        return self.at_least is not None or self.at_most is not None

    def is_met(self, value: float) -> bool:
        """Whether a value keeps to the bounds; one that is not a number does not."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= value <= high

    def text(self, value: float) -> str:
        """A value, or a bound, as it is written.

        >>> Measure(name="share", title="Share", form=".1%").text(0.367)
        '36.7%'
        >>> Measure(name="difference", title="Difference", form=".1e").text(2.04e-8)
        '2 · 10⁻⁸'
        """
        if not math.isfinite(value):
            return "–" if math.isnan(value) else "∞"
        if self.form == ".1e" and value:
            mantissa, exponent = f"{value:.1e}".split("e")
            return f"{float(mantissa):g} · 10" + str(int(exponent)).translate(RAISED)
        if self.form in (".1e", ".3g") and (value == 0 or abs(value) >= 1_000):
            return f"{value:,.0f}"
        return format(value, self.form)

    def bound(self, translate: Callable[[str], str] = str) -> str:
        """What is asked of the number, in words; empty where nothing is.

        >>> Measure(name="n", title="Repeats", at_least=0, at_most=0).bound()
        'exactly 0'
        """
        if self.at_least is not None and self.at_least == self.at_most:
            return translate("exactly {bound}").format(bound=self.text(self.at_least))
        words = []
        if self.at_least is not None:
            words.append(translate("at least {bound}").format(bound=self.text(self.at_least)))
        if self.at_most is not None:
            words.append(translate("at most {bound}").format(bound=self.text(self.at_most)))
        return ", ".join(words)


BOUND_WORDS = (N_("exactly {bound}"), N_("at least {bound}"), N_("at most {bound}"))


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

    def judge(self, numbers: Mapping[str, float]) -> Verdict:
        """The rule: all conditions met, none, or some.

        Args:
            numbers: what the experiment measured, by name.

        Raises:
            KeyError: if a number is missing.
        """
        met = [measure.is_met(numbers[measure.name]) for measure in self.conditions]
        if all(met):
            return "holds"
        return "depends" if any(met) and self.depends_on else "fails"


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
    numbers: Mapping[str, float]  # by name of the measure
    points: tuple[Point, ...]  # of the chart
    num_seeds: int
    seconds: float  # that the experiment took, all in all

    def to_row(self) -> dict[str, Any]:
        """Plain values, as they travel from a worker to a page."""
        columns = {name: [getattr(point, name) for point in self.points] for name in POINT_COLUMNS}
        return {
            "claim": self.claim,
            "verdict": self.verdict,
            "num_seeds": self.num_seeds,
            "seconds": self.seconds,
            "names": list(self.numbers),
            "values": list(self.numbers.values()),
            **columns,
        }


def to_table(findings: Iterable[Mapping[str, Any]], translate: Callable[[str], str] = str) -> pd.DataFrame:
    """One row for each number of each claim: what is printed, and what is downloaded.

    Args:
        findings: rows of `Finding.to_row`.
        translate: gives sentences and words in the reader's language.

    Returns:
        columns claim, sentence, verdict, measure, title, value, condition (empty where there is none), met (None
        there), num_seeds, seconds.
    """
    rows = []
    for row in findings:
        claim, numbers = CLAIMS[row["claim"]], numbers_of(row)
        rows += [
            {
                "claim": claim.key,
                "sentence": translate(claim.sentence),
                "verdict": row["verdict"],
                "measure": measure.name,
                "title": translate(measure.title),
                "value": numbers[measure.name],
                "condition": measure.bound(translate),
                "met": measure.is_met(numbers[measure.name]) if measure.is_condition else None,
                "num_seeds": row["num_seeds"],
                "seconds": row["seconds"],
            }
            for measure in claim.measures
        ]
    columns = ("claim", "sentence", "verdict", "measure", "title", "value", "condition", "met", "num_seeds", "seconds")
    return pd.DataFrame(rows, columns=list(columns))


def to_json(findings: Iterable[Mapping[str, Any]], translate: Callable[[str], str] = str) -> list[dict[str, Any]]:
    """The same as nested plain values, one entry for each claim; a number that is not finite is None."""
    entries = []
    for row in findings:
        claim, numbers = CLAIMS[row["claim"]], numbers_of(row)
        measures = [
            {
                "name": measure.name,
                "title": translate(measure.title),
                "value": numbers[measure.name] if math.isfinite(numbers[measure.name]) else None,
                "at_least": measure.at_least,
                "at_most": measure.at_most,
                "met": measure.is_met(numbers[measure.name]) if measure.is_condition else None,
            }
            for measure in claim.measures
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


def numbers_of(row: Mapping[str, Any]) -> dict[str, float]:
    """The numbers of a row of `Finding.to_row`, by name."""
    return dict(zip(row["names"], row["values"], strict=True))


def points_of(row: Mapping[str, Any]) -> pd.DataFrame:
    """The points of a row of `Finding.to_row`: columns series, x, y, seed."""
    return pd.DataFrame({name: row[name] for name in POINT_COLUMNS})


def tally(verdicts: Iterable[str]) -> dict[Verdict, int]:
    """How many claims got each verdict.

    >>> tally(["holds", "depends", "holds"])
    {'holds': 2, 'fails': 0, 'depends': 1}
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


# The claims. A number over several seeds is that of the worst one, unless its title says otherwise.

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
            "8,192 in parts of 256."
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
            "Seconds of training to a target loss, k = N and k = 32, each at the better of two tuned learning rates, "
            "on four problems."
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
        experiment=N_(
            "Digits, k = 256, twelve updates over two devices in a process of their own, and on one (one seed)."
        ),
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
