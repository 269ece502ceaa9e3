"""What a sweep says: medians over seeds, the critical batch size, the best k, and whether a difference is real.

Rows of `sweep.cell_row` go in; NumPy, pandas and SciPy do the arithmetic, and no TensorFlow is imported.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from scipy import optimize, stats

from sgd_tf.sweep import MARGIN, next_to_base

Array: TypeAlias = "np.ndarray[Any, Any]"
Effect = Literal["none", "small", "medium", "large", "very large"]
Outcome = Literal["worse", "as good", "open"]

DTYPES: dict[str, str] = {
    "batch_size": "int64",
    "learning_rate": "float64",
    "seed": "int64",
    "num_examples": "int64",
    "updates_to_target": "float64",  # NaN: not reached
    "examples_to_target": "float64",
    "seconds_to_target": "float64",  # by the clock of this run
    "train_loss_after_epochs": "float64",  # NaN: did not come so far, or diverged
    "test_loss_after_epochs": "float64",
    "test_accuracy_after_epochs": "float64",
    "train_loss_after_seconds": "float64",
    "test_loss_after_seconds": "float64",
    "test_accuracy_after_seconds": "float64",
    "examples_per_second": "float64",
    "updates": "int64",  # at the end of the run
    "seconds": "float64",
    "train_loss": "float64",
    "start_loss": "float64",
    "diverged_at": "Int64",
    "wall_seconds": "float64",
}
HIGHER_IS_BETTER = ("test_accuracy_after_epochs", "test_accuracy_after_seconds", "examples_per_second")
ALPHA = 0.05  # of every test here
SLOWER = 1.1  # a k that takes at most a tenth longer is as fast: clocks are no better than that
PRACTICAL = (256, 512)  # batch sizes that the book calls usually good
LARGE = 4_000  # batch size beyond which the book expects harm
NUM_RESAMPLES = 1_000  # of the bootstrap of a mean
NUM_FITS = 200  # of the bootstrap of a fit
EFFECTS: tuple[tuple[float, Effect], ...] = ((0.2, "none"), (0.5, "small"), (0.8, "medium"), (1.2, "large"))


def to_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each run, by k, learning rate and seed; a run that is told twice counts once.

    An update with one k takes equally long whatever the learning rate and the seed. So the speed of a k is the median
    over all its runs, and the seconds to the target are the updates to the target times the seconds of an update: what
    else the machine did during one run does not count as slowness of its k.

    Args:
        rows: of `sweep.cell_row`.

    Returns:
        the columns of the rows; seconds_per_update, of this k; and steady_seconds_to_target, updates_to_target times
        seconds_per_update.

    >>> to_table([]).shape
    (0, 22)
    """
    rows = list(rows)
    table = pd.DataFrame({name: pd.Series([row[name] for row in rows], dtype=dtype) for name, dtype in DTYPES.items()})
    keys = ["batch_size", "learning_rate", "seed"]
    table = table.drop_duplicates(keys).sort_values(keys, ignore_index=True)
    own_speed = (table["seconds"] / table["updates"]).where(table["updates"] > 0)
    speed = own_speed.groupby(table["batch_size"]).transform("median")
    return table.assign(seconds_per_update=speed, steady_seconds_to_target=table["updates_to_target"] * speed)


def choose_rates(table: pd.DataFrame, measure: str) -> dict[int, float]:
    """The best learning rate of each k: the one whose median over the seeds is best.

    Only rates with as many seeds as any other of that k take part: one lucky run does not win. Where no rate has a
    value (the target was never reached), the one with the lowest training loss at its end is taken.

    Args:
        table: of `to_table`.
        measure: one of its columns.

    Returns:
        Learning rate by k.
    """
    chosen = {}
    for k, runs in table.groupby("batch_size"):
        seeds = runs.groupby("learning_rate")["seed"].size()
        full = runs[runs["learning_rate"].isin(seeds.index[seeds == seeds.max()])]
        sign = -1 if measure in HIGHER_IS_BETTER else 1
        prices = full.assign(price=(sign * full[measure]).fillna(math.inf), loss=full["train_loss"].fillna(math.inf))
        medians = prices.groupby("learning_rate")[["price", "loss"]].median()
        chosen[int(k)] = float(medians.sort_values(["price", "loss"], kind="stable").index[0])
    return chosen


def shared_rate(table: pd.DataFrame) -> float:
    """One learning rate for all k: the one with which the k next to 32 takes the fewest updates to the target.

    Args:
        table: of `to_table`, not empty.
    """
    chosen = choose_rates(table, "updates_to_target")
    return chosen[next_to_base(chosen)]


def at_rates(table: pd.DataFrame, rates: Mapping[int, float] | float) -> pd.DataFrame:
    """The runs with one learning rate for each k.

    Args:
        table: of `to_table`.
        rates: by k; or one for all.
    """
    wanted = table["batch_size"].map(rates) if isinstance(rates, Mapping) else rates
    return table[table["learning_rate"] == wanted]


def tuned(table: pd.DataFrame, measure: str) -> pd.DataFrame:
    """The runs of each k at the learning rate that is best for it by this very measure."""
    return at_rates(table, choose_rates(table, measure))


def spread(runs: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Median, lowest and highest value over the seeds, for each k.

    A run without a value (it did not reach the target, or diverged) counts as worse than any other.

    Args:
        runs: with one learning rate for each k, of `at_rates` or `tuned`.
        measure: a column.

    Returns:
        batch_size, learning_rate, median, low, high (inf, or -inf for an accuracy, where runs have none), num_seeds,
        num_known.
    """
    if runs.empty:
        return pd.DataFrame(columns=["batch_size", "learning_rate", "median", "low", "high", "num_seeds", "num_known"])
    worst = -math.inf if measure in HIGHER_IS_BETTER else math.inf
    groups = runs.assign(value=runs[measure].fillna(worst)).groupby("batch_size")
    return pd.DataFrame(
        {
            "learning_rate": groups["learning_rate"].first(),
            "median": groups["value"].median(),
            "low": groups["value"].min(),
            "high": groups["value"].max(),
            "num_seeds": groups["value"].size(),
            "num_known": groups[measure].count(),
        }
    ).reset_index()


def speed(table: pd.DataFrame) -> pd.DataFrame:
    """Samples per second of each k, over all its runs: the median and the middle half.

    Args:
        table: of `to_table`.

    Returns:
        the columns of `spread`, without a learning rate.
    """
    groups = table.groupby("batch_size")["examples_per_second"]
    return pd.DataFrame(
        {
            "learning_rate": math.nan,
            "median": groups.median(),
            "low": groups.quantile(0.25),
            "high": groups.quantile(0.75),
            "num_seeds": groups.size(),
            "num_known": groups.count(),
        }
    ).reset_index()


def rate_cells(table: pd.DataFrame) -> pd.DataFrame:
    """Every learning rate with every k: what became of its runs, and how it compares with the best rate of its k.

    Args:
        table: of `to_table`.

    Returns:
        batch_size, learning_rate; updates, the median to the target over the seeds (inf: not reached); ratio, updates
        as a multiple of those of the best rate of this k; state: "reached", "not reached", "no better" (the loss
        ended at or above its start) or "diverged", as for most of the seeds; diverged_at, of the first seed that
        diverged, or NA; num_seeds; is_best, of `choose_rates`.
    """
    chosen = choose_rates(table, "updates_to_target")
    cells = []
    for (k, rate), runs in table.groupby(["batch_size", "learning_rate"]):
        updates = float(runs["updates_to_target"].fillna(math.inf).median())
        diverged = runs["diverged_at"].dropna()
        stuck = runs["diverged_at"].notna() | ~(runs["train_loss"] < runs["start_loss"])
        if math.isfinite(updates):
            state = "reached"
        elif 2 * len(diverged) >= len(runs):
            state = "diverged"
        else:
            state = "no better" if 2 * stuck.sum() >= len(runs) else "not reached"
        cells.append(
            {
                "batch_size": k,
                "learning_rate": rate,
                "updates": updates,
                "state": state,
                "diverged_at": diverged.iloc[0] if len(diverged) else None,
                "num_seeds": len(runs),
                "is_best": state == "reached" and chosen[int(k)] == rate,
            }
        )
    columns = ["batch_size", "learning_rate", "updates", "ratio", "state", "diverged_at", "num_seeds", "is_best"]
    if not cells:
        return pd.DataFrame(columns=columns)
    found = pd.DataFrame(cells)
    least = found["updates"].where(found["is_best"]).groupby(found["batch_size"]).transform("min")
    return found.assign(ratio=(found["updates"] / least).fillna(math.inf))[columns]


@dataclass(frozen=True, kw_only=True)
class Hyperbola:
    """The law S = S_min + E_min/k, fitted: what more samples per update are good for."""

    min_updates: float  # S_min, updates that no k goes below
    min_examples: float  # E_min, samples that no k goes below
    low: float  # lower end of the interval of the critical batch size; NaN where there is one seed
    high: float  # its upper end
    deviation: float  # root mean square of ln(measured / fitted)
    num_seeds: int
    smallest: int  # batch size of the fit
    largest: int

    @property
    def critical_batch_size(self) -> float:
        """B_crit = E_min / S_min: there both updates and samples are twice what they can be at least."""
        return self.min_examples / self.min_updates

    def updates(self, batch_size: Array | float) -> Array:
        """S(k) = S_min (1 + B_crit/k)."""
        return self.min_updates + self.min_examples / np.asarray(batch_size, dtype=np.float64)


def fit_hyperbola(
    batch_sizes: Sequence[int] | Array,
    updates: Sequence[float] | Array,
    *,
    seeds: Sequence[int] | Array | None = None,
    confidence: float = 0.95,
    seed: int = 0,
) -> Hyperbola:
    """Fit (S/S_min − 1)(E/E_min − 1) = 1 to the updates S that each k took to the target, where E = k·S.

    Solved for S the hyperbola is S = S_min + E_min/k (S. McCandlish et al. 2018, arXiv 1812.06162, eq. 2.11). The sum
    of squares of ln(S measured / S fitted) is made smallest (`scipy.optimize.least_squares`). The interval of
    B_crit = E_min/S_min is a percentile bootstrap: seeds are drawn with replacement, and so are batch sizes, since how
    well the law suits counts as well.

    Args:
        batch_sizes: (n,) k of each run.
        updates: (n,) S of each run, finite.
        seeds: (n,) of each run; None for one run of each k.
        confidence: of the interval, in (0, 1).
        seed: of the bootstrap.

    Raises:
        ValueError: if there are fewer than three batch sizes.

    >>> fit = fit_hyperbola([1, 10, 100, 1000], [1010, 110, 20, 11])  # S = 10 + 1000/k
    >>> round(fit.min_updates, 3), round(fit.min_examples, 3), round(fit.critical_batch_size, 3)
    (10.0, 1000.0, 100.0)
    """
    k, S = np.asarray(batch_sizes, dtype=np.float64), np.asarray(updates, dtype=np.float64)
    group = np.zeros(len(k), dtype=int) if seeds is None else np.unique(seeds, return_inverse=True)[1]
    sizes, size = np.unique(k, return_inverse=True)
    if len(sizes) < 3:
        raise ValueError(f"`batch_sizes` must hold at least three different ones; received {len(sizes)}.")
    best = _least_squares(k, S, np.ones(len(k)))
    num_seeds = int(group.max()) + 1
    low = high = math.nan
    if num_seeds > 1:
        random = np.random.default_rng(seed)
        ratios: list[float] = []
        while len(ratios) < NUM_FITS:
            seed_counts = np.bincount(random.integers(num_seeds, size=num_seeds), minlength=num_seeds)
            size_counts = np.bincount(random.integers(len(sizes), size=len(sizes)), minlength=len(sizes))
            weights = seed_counts[group] * size_counts[size]
            if len(np.unique(size[weights > 0])) >= 3:
                fitted = _least_squares(k, S, weights, start=best)
                ratios.append(float(fitted[1] - fitted[0]))
        tail = 50 * (1 - confidence)
        low, high = (float(value) for value in np.exp(np.percentile(ratios, [tail, 100 - tail])))
    errors = np.log(S) - np.logaddexp(best[0], best[1] - np.log(k))
    return Hyperbola(
        min_updates=float(np.exp(best[0])),
        min_examples=float(np.exp(best[1])),
        low=low,
        high=high,
        deviation=float(np.sqrt(np.mean(errors**2))),
        num_seeds=num_seeds,
        smallest=int(sizes[0]),
        largest=int(sizes[-1]),
    )


def _least_squares(k: Array, S: Array, weights: Array, start: Array | None = None) -> Array:
    """(ln S_min, ln E_min) with the least Σ w (ln S − ln(S_min + E_min/k))²."""
    used = weights > 0
    log_k, log_S, root = np.log(k[used]), np.log(S[used]), np.sqrt(weights[used])

    def errors(x: Array) -> Array:
        return root * (np.logaddexp(x[0], x[1] - log_k) - log_S)

    def slopes(x: Array) -> Array:
        share = 1 / (1 + np.exp(np.clip(x[1] - log_k - x[0], -500, 500)))  # of S_min in S
        return root[:, None] * np.column_stack([share, 1 - share])

    floor = np.array([log_S.min(), (log_S + log_k).min()])
    guess = floor - math.log(2) if start is None else start
    # Where all lie on one branch, the other part is anything down to zero: e^-12 of what was measured stands for it.
    bounds = (floor - 12, floor + 1)
    return optimize.least_squares(errors, np.clip(guess, *bounds), jac=slopes, bounds=bounds).x


def fit_runs(runs: pd.DataFrame) -> Hyperbola | None:
    """The hyperbola of a sweep, from those batch sizes all of whose runs reached the target; None if these are too few.

    Args:
        runs: with one learning rate for each k.
    """
    reached = runs.groupby("batch_size")["updates_to_target"].transform(lambda values: values.notna().all())
    used = runs[reached.astype(bool)]
    if used["batch_size"].nunique() < 3:
        return None
    return fit_hyperbola(
        used["batch_size"].to_numpy(), used["updates_to_target"].to_numpy(), seeds=used["seed"].to_numpy()
    )


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """Two settings of a sweep, compared seed by seed."""

    num_seeds: int  # seeds that both were run with
    ratio: float  # geometric mean of one / other; for an accuracy the mean difference; inf or 0 where one has no value
    low: float  # 95 % interval of it; NaN with fewer than two seeds
    high: float
    p_value: float  # two-sided; NaN with fewer than two seeds
    test: Literal["t", "sign"]  # paired t-test; or the sign test, where a run has no value
    effect_size: float  # mean of the paired differences / their standard deviation, shrunk for few seeds
    is_difference: bool  # whether `ratio` is a difference

    @property
    def is_real(self) -> bool:
        """Whether chance alone gives such a difference in fewer than 5 of 100 cases."""
        return self.p_value < ALPHA

    @property
    def effect(self) -> Effect:
        """The effect size in words (J. Cohen 1988, S. Sawilowsky 2009)."""
        return next((word for limit, word in EFFECTS if abs(self.effect_size) < limit), "very large")


def compare(one: pd.DataFrame, other: pd.DataFrame, measure: str) -> Comparison:
    """Compare two settings over the seeds that both have: same seed, same initial weights.

    Losses, counts and seconds are compared by their logarithm, since they differ by factors; accuracies as they are. A
    paired t-test gives the p-value and the interval. Where a run has no value, it lost
    against one that has, and a sign test (`scipy.stats.binomtest`) counts who won. The effect size is Cohen's d of
    paired differences with the correction 1 − 3/(4 df − 1) for few seeds (L. Hedges 1981).

    Args:
        one: runs of one setting, one for each seed.
        other: runs of the other one.
        measure: a column.

    Raises:
        ValueError: if they have no seed in common.
    """
    values = [runs.set_index("seed")[measure] for runs in (one, other)]
    seeds = values[0].index.intersection(values[1].index)
    a, b = (value[seeds].to_numpy(dtype=np.float64) for value in values)
    n = len(seeds)
    if n == 0:
        raise ValueError("`one` and `other` must have a seed in common.")
    is_difference = measure.startswith("test_accuracy")
    if np.isnan(a).any() or np.isnan(b).any():
        return _compare_by_sign(a, b, measure, is_difference)
    differences = a - b if is_difference else np.log(a) - np.log(b)
    mean, deviation = float(differences.mean()), float(differences.std(ddof=1)) if n > 1 else math.nan
    low = high = p_value = math.nan
    if n > 1:
        p_value = 2 * _t_tail(differences, abs(mean))
        half = stats.t.ppf(1 - ALPHA / 2, n - 1) * deviation / math.sqrt(n)
        low, high = mean - half, mean + half
    size = 0.0 if mean == 0 else mean / deviation if deviation else math.copysign(math.inf, mean)
    shrunk = size * (1 - 3 / (4 * (n - 1) - 1)) if n > 2 else size
    mean, low, high = (value if is_difference else math.exp(value) for value in (mean, low, high))
    return Comparison(
        num_seeds=n,
        ratio=mean,
        low=low,
        high=high,
        p_value=p_value,
        test="t",
        effect_size=shrunk if n > 1 else math.nan,
        is_difference=is_difference,
    )


def _t_tail(differences: Array, mean: float) -> float:
    """P(T ≥ mean / (s/√n)) with n − 1 degrees of freedom: one side of the paired t-test.

    As `scipy.stats.ttest_rel`, but without its warning where all differences are the same, whose p-value is 0 or 1/2.
    """
    n, deviation = len(differences), float(differences.std(ddof=1))
    if deviation == 0:
        return 0.5 if mean == 0 else 0.0
    return float(stats.t.sf(mean * math.sqrt(n) / deviation, n - 1))


def _compare_by_sign(a: Array, b: Array, measure: str, is_difference: bool) -> Comparison:
    worst = -math.inf if measure in HIGHER_IS_BETTER else math.inf
    a, b = np.where(np.isnan(a), worst, a), np.where(np.isnan(b), worst, b)
    above, below = int((a > b).sum()), int((a < b).sum())
    p_value = stats.binomtest(above, above + below).pvalue if above + below else 1.0
    extreme = math.inf if above > below else -math.inf if above < below else 0.0
    if not is_difference:
        extreme = {math.inf: math.inf, -math.inf: 0.0, 0.0: 1.0}[extreme]
    share = (above - below) / len(a)
    return Comparison(
        num_seeds=len(a),
        ratio=extreme,
        low=math.nan,
        high=math.nan,
        p_value=float(p_value),
        test="sign",
        effect_size=math.copysign(math.inf, share) if abs(share) == 1 else share,
        is_difference=is_difference,
    )


@dataclass(frozen=True, kw_only=True)
class Recommendation:
    """Which batch sizes are the fastest, and how sure that is."""

    best: int  # k with the fewest seconds to the target, in the geometric mean
    seconds: float  # of that k
    low: int  # smallest k of the range around it that is not significantly slower
    high: int  # largest one
    slowest: float  # seconds of the slowest k in the range, as a multiple of those of the best
    share: float  # of resamples of the seeds in which the fastest k lies in the range; NaN with one seed
    num_seeds: int
    ends_low: bool  # whether the range begins at the smallest k of the sweep
    ends_high: bool  # whether it ends at the largest one


def recommend(table: pd.DataFrame, *, seed: int = 0) -> Recommendation | None:
    """The range of k whose seconds to the target are not clearly more than those of the best k.

    Seconds are the steady ones of `to_table`, each k at its best learning rate. A k is slower than the best one if it
    takes more than a tenth longer in the mean; if that is significant over the seeds, by a one-sided paired t-test of
    ln seconds with the correction of S. Holm (1979) for so many tests; and if it is slower in at least 95 % of 1,000
    resamples, in each of which the seeds are drawn with replacement, and for each k the runs that tell its speed. A k
    with a run that did not reach the target is out. The range is made of the neighbours of the best k in the sweep as
    far as none is slower. How sure: the share of the resamples in which the fastest k lies in the range. With one seed
    the range is what is at most a quarter slower.

    Args:
        table: of `to_table`.
        seed: of the resampling.

    Returns:
        None, if no k reached the target with all its seeds.
    """
    runs = tuned(table, "updates_to_target")
    seconds = runs.pivot(index="seed", columns="batch_size", values="steady_seconds_to_target")
    sizes = np.array(seconds.columns)
    logs = np.log(seconds.dropna(axis="columns"))
    if logs.empty:
        return None
    values, known = logs.to_numpy(), np.array(logs.columns)
    num_seeds, means = len(values), values.mean(axis=0)
    best = int(means.argmin())
    others = [at for at in range(len(known)) if at != best]
    slower = means - means[best] > math.log(1.25 if num_seeds == 1 else SLOWER)
    drawn = np.empty((0, len(known)))
    if num_seeds > 1:
        random = np.random.default_rng(seed)
        drawn = values[random.integers(num_seeds, size=(NUM_RESAMPLES, num_seeds))].mean(axis=1)
        drawn += np.column_stack([_drawn_speed(table[table["batch_size"] == k], random) for k in known])
        p_values = [_t_tail(values[:, at] - values[:, best], means[at] - means[best]) for at in others]
        for at, p_value in zip(others, holm(p_values), strict=True):
            slower[at] &= p_value < ALPHA and (drawn[:, at] > drawn[:, best]).mean() > 1 - ALPHA
    near = set(known[~slower])
    first = last = int(np.searchsorted(sizes, known[best]))
    while first > 0 and sizes[first - 1] in near:
        first -= 1
    while last < len(sizes) - 1 and sizes[last + 1] in near:
        last += 1
    inside = (known >= sizes[first]) & (known <= sizes[last])
    share = float(inside[drawn.argmin(axis=1)].mean()) if len(drawn) else math.nan
    return Recommendation(
        best=int(known[best]),
        seconds=float(np.exp(means[best])),
        low=int(sizes[first]),
        high=int(sizes[last]),
        slowest=float(np.exp(means[inside].max() - means[best])),
        share=share,
        num_seeds=num_seeds,
        ends_low=first == 0,
        ends_high=last == len(sizes) - 1,
    )


def _drawn_speed(runs: pd.DataFrame, random: np.random.Generator) -> Array:
    """Logarithm of the median seconds per update over runs of one k that are drawn with replacement, less of all."""
    own = np.log((runs["seconds"] / runs["updates"])[runs["updates"] > 0].to_numpy())
    drawn = own[random.integers(len(own), size=(NUM_RESAMPLES, len(own)))]
    return np.median(drawn, axis=1) - np.median(own)


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


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a sweep says of "256 or 512 is usually good, beyond about 4,000 it hurts", under one condition."""

    budget: Literal["epochs", "seconds"]  # what all runs had the same of
    rates: Literal["one", "tuned"]  # one learning rate for all k, or the best for each
    learning_rate: float | None  # where it is one for all
    best: int  # k with the lowest test loss, in the geometric mean over the seeds
    practical: int | None  # 256 or 512, whichever is better; None if neither was run
    practical_ratio: float  # its test loss as a multiple of that of the best
    practical_outcome: Outcome
    harm_from: int | None  # the smallest k above it, from which on all are worse than it; None if the largest is not
    large: int | None  # the largest k beyond 4,000; None if none was run
    large_ratio: float  # its test loss as a multiple of that of the practical k
    large_outcome: Outcome


def verdict_c13(table: pd.DataFrame) -> list[Verdict]:
    """Row C13 of the chapter: after the same epochs and the same seconds, at one learning rate and at tuned ones.

    Two batch sizes are compared by the test loss, seed by seed: "worse" where the 95 % interval of the ratio lies above
    1.05, "as good" where it lies below, else "open". Tuned rates are those with the lowest test loss for each k; the
    one rate is that of `shared_rate`.

    Args:
        table: of `to_table`.

    Returns:
        A verdict for each condition that the sweep has runs for; of rules there is one rate for each k, which counts
        as "one".
    """
    verdicts = []
    if table.empty:
        return []
    rate = shared_rate(table)
    for budget in ("epochs", "seconds"):
        measure = f"test_loss_after_{budget}"
        if table[measure].isna().all():
            continue
        conditions: dict[str, pd.DataFrame] = {"one": at_rates(table, rate), "tuned": tuned(table, measure)}
        if table.groupby("batch_size")["learning_rate"].nunique().max() == 1:
            conditions = {"one": table}
        for rates, runs in conditions.items():
            found = _verdict(runs, measure)
            if found is not None:
                is_one = rates == "one" and runs["learning_rate"].nunique() == 1
                verdicts.append(
                    Verdict(budget=budget, rates=rates, learning_rate=rate if is_one else None, **found)  # type: ignore[arg-type]
                )
    return verdicts


def _verdict(runs: pd.DataFrame, measure: str) -> dict[str, Any] | None:
    by_size = {int(k): group for k, group in runs.groupby("batch_size")}
    means = {k: float(np.log(group[measure]).mean(skipna=False)) for k, group in by_size.items()}
    known = {k: mean for k, mean in means.items() if math.isfinite(mean)}
    if not known:
        return None
    best = min(known, key=known.__getitem__)
    practical = min((k for k in PRACTICAL if k in means), key=lambda k: known.get(k, math.inf), default=None)
    result: dict[str, Any] = {
        "best": best,
        "practical": practical,
        "practical_ratio": math.nan,
        "practical_outcome": "open",
        "harm_from": None,
        "large": None,
        "large_ratio": math.nan,
        "large_outcome": "open",
    }
    if practical is None:
        return result
    against_best = compare(by_size[practical], by_size[best], measure)
    result |= {"practical_ratio": against_best.ratio, "practical_outcome": outcome(against_best)}
    for k in sorted((k for k in by_size if k > practical), reverse=True):
        comparison = compare(by_size[k], by_size[practical], measure)
        if k == max(by_size) and k > LARGE:
            result |= {"large": k, "large_ratio": comparison.ratio, "large_outcome": outcome(comparison)}
        if outcome(comparison) != "worse":
            break
        result["harm_from"] = k
    return result


def outcome(comparison: Comparison) -> Outcome:
    """Whether one loss is worse than the other by more than 5 %, at most 5 % worse, or neither is sure.

    Args:
        comparison: of losses.
    """
    if comparison.test == "sign":
        return "worse" if comparison.ratio > 1 else "as good" if comparison.ratio < 1 else "open"
    if comparison.num_seeds > 1:
        if comparison.low > MARGIN:
            return "worse"
        if comparison.high < MARGIN:
            return "as good"
        return "open"
    return "as good" if comparison.ratio == 1.0 else "open"
