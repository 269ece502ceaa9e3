"""Two settings compared seed by seed: how far apart they are, whether chance gives that too, and which is worse.

A seed fixes the initial weights and the order of the samples, whatever k and learning rate are. So the runs of one seed
are a pair: both were lucky or unlucky together, and every test here is one of pairs. The seeds are what is independent.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy import stats

Array: TypeAlias = "np.ndarray[Any, Any]"
Outcome = Literal["worse", "as good", "open"]

ALPHA = 0.05  # of every test here
MARGIN = 1.05  # losses up to 5 % higher count as equally good
MIN_SEEDS = 3  # of a verdict: two seeds say nothing of how seeds scatter
HIGHER_IS_BETTER = ("test_accuracy_after_epochs", "test_accuracy_after_seconds", "examples_per_second")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two settings of a sweep, compared seed by seed."""

    num_seeds: int  # seeds with which both have a value, or lost
    ratio: float  # one / other: geometric mean; for an accuracy the mean difference; median where a run has no value
    low: float  # 95 % interval of it; NaN with fewer than three seeds, or where a run has no value
    high: float
    p_value: float  # two-sided; NaN with fewer than three seeds
    test: Literal["t", "sign"]  # paired t-test; or the sign test, where a run has no value
    is_difference: bool  # whether `ratio` is a difference

    @property
    def is_significant(self) -> bool:
        """Whether chance gives such a difference in fewer than 5 of 100 cases; never with fewer than 3 seeds."""
        return self.p_value < ALPHA


@dataclass(frozen=True, kw_only=True)
class _Pairs:
    """Values of the seeds that two settings have in common."""

    one: Array  # (n,); inf, or -inf for an accuracy, for a run that lost
    other: Array
    num_unmeasured: int  # seeds that are left out: one of the two runs was not measured
    is_difference: bool  # whether values are compared by their difference, else by their ratio

    @property
    def differences(self) -> Array | None:
        """(n,) one − other, or ln one − ln other; None where a run lost or a value has no logarithm."""
        values = np.concatenate([self.one, self.other])
        if not np.isfinite(values).all() or (not self.is_difference and (values <= 0).any()):
            return None
        return self.one - self.other if self.is_difference else np.log(self.one) - np.log(self.other)


def _pairs(one: pd.DataFrame, other: pd.DataFrame, measure: str) -> _Pairs:
    """Pair two settings by their seeds.

    A run without a value has lost if it did not reach the target or diverged. One that did not come as far as its
    epochs or seconds was not measured: it neither won nor lost.
    """
    worst = -math.inf if measure in HIGHER_IS_BETTER else math.inf
    columns = []
    for runs in (one, other):
        value = runs.set_index("seed")[measure].astype("float64")
        if "diverged_at" in runs and not measure.endswith("_to_target"):
            has_lost = value.isna() & runs.set_index("seed")["diverged_at"].notna()
        else:
            has_lost = value.isna()
        columns.append(value.mask(has_lost, worst))
    seeds = columns[0].index.intersection(columns[1].index)
    a, b = (column[seeds].to_numpy(dtype=np.float64) for column in columns)
    is_known = ~(np.isnan(a) | np.isnan(b))
    return _Pairs(
        one=a[is_known],
        other=b[is_known],
        num_unmeasured=int((~is_known).sum()),
        is_difference=measure.startswith("test_accuracy"),
    )


def compare(one: pd.DataFrame, other: pd.DataFrame, measure: str) -> Comparison:
    """Compare two settings over the seeds that both have: same seed, same initial weights, same order of the samples.

    Losses, counts and seconds are compared by their logarithm, since they differ by factors; accuracies as they are. A
    paired t-test gives the p-value and the interval. Where a run has no value because it did not reach the target or
    diverged, it lost against one that has, and a sign test (`scipy.stats.binomtest`) counts who won; with fewer than
    six seeds its two-sided p-value is never below 0.05. A run that did not come as far as its epochs is left out, with
    its pair. With fewer than three pairs there is no p-value and no interval.

    Args:
        one: runs of one setting, one for each seed.
        other: runs of the other one.
        measure: a column.

    Raises:
        ValueError: if there is no seed with which both have a value.
    """
    pairs = _pairs(one, other, measure)
    n = len(pairs.one)
    if n == 0:
        raise ValueError("`one` and `other` must have a seed in common with which both have a value.")
    differences = pairs.differences
    if differences is None:
        return _compare_by_sign(pairs)
    mean = float(differences.mean())
    low = high = p_value = math.nan
    if n >= MIN_SEEDS:
        deviation = float(differences.std(ddof=1))
        p_value = 2 * t_tail(differences, abs(mean))
        half = float(stats.t.ppf(1 - ALPHA / 2, n - 1)) * deviation / math.sqrt(n)
        low, high = mean - half, mean + half
    if not pairs.is_difference:
        mean, low, high = (_exp(value) for value in (mean, low, high))
    return Comparison(
        num_seeds=n,
        ratio=mean,
        low=low,
        high=high,
        p_value=p_value,
        test="t",
        is_difference=pairs.is_difference,
    )


def _exp(value: float) -> float:
    return math.exp(value) if not value > 700 else math.inf


def t_tail(differences: Array, mean: float) -> float:
    """P(T ≥ mean / (s/√n)) with n − 1 degrees of freedom: one side of the paired t-test.

    As `scipy.stats.ttest_rel`, but without its warning where all differences are the same, whose p-value is 0 or 1/2.

    Args:
        differences: (n,) of the pairs, n at least 2; s is their standard deviation.
        mean: the difference that is tested, positive or negative.
    """
    n, deviation = len(differences), float(differences.std(ddof=1))
    if deviation == 0:
        return 0.5 if mean == 0 else float(mean < 0)
    return float(stats.t.sf(mean * math.sqrt(n) / deviation, n - 1))


def _compare_by_sign(pairs: _Pairs) -> Comparison:
    differ = pairs.one != pairs.other
    a, b = pairs.one[differ], pairs.other[differ]
    above, num = int((a > b).sum()), len(a)
    with np.errstate(invalid="ignore", divide="ignore"):
        apart = a - b if pairs.is_difference else a / b
        middle = float(np.median(apart)) if num else math.nan
    is_enough = len(pairs.one) >= MIN_SEEDS
    p_value = float(stats.binomtest(above, num).pvalue) if num else 1.0
    return Comparison(
        num_seeds=len(pairs.one),
        ratio=(0.0 if pairs.is_difference else 1.0) if math.isnan(middle) else middle,
        low=math.nan,
        high=math.nan,
        p_value=p_value if is_enough else math.nan,
        test="sign",
        is_difference=pairs.is_difference,
    )


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values of several tests, corrected so that all together err in 5 of 100 cases: S. Holm (1979).

    The smallest is multiplied by the number of tests n, the next by n − 1, …, and none becomes less than one before it.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected = [0.0] * len(p_values)
    highest = 0.0
    for place, index in enumerate(np.argsort(p_values, kind="stable")):
        highest = max(highest, min(1.0, (len(p_values) - place) * p_values[index]))
        corrected[index] = highest
    return corrected


def outcome(one: pd.DataFrame, other: pd.DataFrame, measure: str) -> Outcome:
    """Whether a loss is worse than another by more than 5 %, at most 5 % worse, or neither is sure.

    The question has a direction and a margin, so two one-sided tests are made, each at 5 % (D. Schuirmann 1987, J.
    Pharmacokinet. Biopharm. 15, 657): "worse" if one ≤ 1.05 · other is refuted, "as good" if one ≥ 1.05 · other is,
    "open" if neither is. The tests are paired t-tests of the logarithms. Where a run diverged, they are sign tests
    of how often one > 1.05 · other: of 5 seeds all must agree (p = 1/32), of 8 seeds 7 (p = 9/256). A majority is not
    enough. Fewer than 3 pairs, or a seed with a run that did not come as far as its epochs, leave it open.

    Args:
        one: runs of one setting, one for each seed.
        other: runs of the other one.
        measure: a column of losses.
    """
    pairs = _pairs(one, other, measure)
    if len(pairs.one) < MIN_SEEDS or pairs.num_unmeasured:
        return "open"
    differences = pairs.differences
    if differences is None:
        is_apart = np.isfinite(pairs.one) | np.isfinite(pairs.other)  # two runs that both diverged say nothing
        above, num = int((pairs.one > MARGIN * pairs.other)[is_apart].sum()), int(is_apart.sum())
        hits = above, num - above
        is_worse, is_as_good = (num and stats.binomtest(n, num, alternative="greater").pvalue < ALPHA for n in hits)
    else:
        beyond = differences - math.log(MARGIN)
        mean = float(beyond.mean())
        is_worse, is_as_good = (t_tail(beyond, side) < ALPHA for side in (mean, -mean))
    return "worse" if is_worse else "as good" if is_as_good else "open"
