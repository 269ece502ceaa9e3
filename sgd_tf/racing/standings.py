"""What a race showed: who was first to the target and how sure that is, and what it is worth on unseen samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd
from scipy import stats

from sgd_tf.training.records import ModelConfig, check_int

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

CHANCE = 0.05  # probability below which a difference in test accuracy is not put down to the choice of test samples
NO_RATIO = 1.005  # a ratio of two times below this is not named

Outcome = Literal["nobody", "at the start", "tie", "first"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Who reached the target first."""

    outcome: Outcome  # "at the start": the target is met by the initial weights, so nobody can win
    order: tuple[str, ...]  # contestants that reached the target, fastest first
    leaders: tuple[str, ...]  # the fastest one, and those that can not be told apart from it
    rival: str | None = None  # with whom the first is compared: gradient descent, or the next one; "first" only
    times: float | None = None  # seconds of the rival / seconds of the first; None where that is 1 or unknown
    is_lower_bound: bool = False  # whether the ratio is at least `times`: the first was there before its first record


def verdict(reached: pd.DataFrame) -> Verdict:
    """Who reached the target first, if that can be known.

    The moment of a crossing is known up to the records on both sides of it. A contestant is first if no other can have
    been there before it: if the bounds of its seconds overlap those of no other.

    Args:
        reached: a table of `history.time_to_target`.

    >>> columns = ["run", "full_batch", "reached", "seconds", "updates", "seconds_from", "seconds_to"]
    >>> rows = [("GD", True, True, 3.0, 10.0, 2.9, 3.1), ("k = 32", False, True, 0.5, 50.0, 0.4, 0.6)]
    >>> found = verdict(pd.DataFrame(rows, columns=columns))
    >>> found.outcome, found.order, found.rival, found.times
    ('first', ('k = 32', 'GD'), 'GD', 6.0)
    """
    there = reached[reached["reached"]].sort_values("seconds", kind="stable")
    order = tuple(there["run"])
    if there.empty:
        return Verdict(outcome="nobody", order=(), leaders=())
    if (there["updates"] == 0).any():
        return Verdict(outcome="at the start", order=order, leaders=())
    first = there.iloc[0]
    leaders = tuple(there.loc[(there["seconds_from"] < first["seconds_to"]) | (there["run"] == first["run"]), "run"])
    if len(leaders) > 1:
        return Verdict(outcome="tie", order=order, leaders=leaders)
    others = reached[reached["run"] != first["run"]]
    candidates = pd.concat([others[others["full_batch"]], there.iloc[1:]])
    rival = None if candidates.empty else candidates.iloc[0]
    times, is_lower_bound = None, False
    if rival is not None and rival["reached"]:
        is_lower_bound = bool(first["seconds_from"] == 0)
        ends = ("seconds_from", "seconds_to") if is_lower_bound else ("seconds", "seconds")
        times = float(rival[ends[0]] / first[ends[1]]) if first[ends[1]] > 0 else None
    return Verdict(
        outcome="first",
        order=order,
        leaders=leaders,
        rival=None if rival is None else str(rival["run"]),
        times=times if times is not None and times >= NO_RATIO else None,
        is_lower_bound=is_lower_bound,
    )


def too_fast(history: pd.DataFrame) -> tuple[str, ...]:
    """Contestants that took too long steps: they diverged, or their training loss ended no lower than it began.

    Args:
        history: a table of `history.to_frame`.
    """
    names = []
    for run, records in history.groupby("run", sort=False):
        first, last = records.iloc[0], records.iloc[-1]
        if pd.notna(last["diverged_at"]) or (last["update"] > 0 and not last["train_loss"] < first["train_loss"]):
            names.append(str(run))
    return tuple(names)


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Two contestants after the race, on samples that none of them was trained on."""

    one: str  # the first to the target; without one, the best on unseen samples
    other: str  # the best of the others; where the first to the target is the best, the worst of them
    one_value: float  # test accuracy, or test loss in a regression
    other_value: float
    num_apart: (
        int | None
    )  # test samples that one classifies right and the other does not, at the least; None for a loss
    is_clear: bool | None  # whether another choice of test samples would hardly turn the order round; None for a loss


def unseen(history: pd.DataFrame, *, num_test: int, first: str | None = None) -> Unseen | None:
    """What being first to the target is worth on unseen samples, at the end of the race.

    Of m test samples one contestant gets a wrong and the other b. The two can differ on at most a + b samples; if each
    of those were as likely to be in favour of either, a sign test would ask how probable a difference of |a − b| is.
    Below 5 % the difference is clear. Fewer samples on which they differ would make it clearer: the test is cautious.

    Args:
        history: a table of `history.to_frame`.
        num_test: m, number of test samples.
        first: the contestant that was first to the target; None for none.

    Returns:
        None if fewer than two contestants ended with a finite loss.
    """
    check_int("num_test", num_test, 1)
    last = history.drop_duplicates("run", keep="last").set_index("run")
    last = last[np.isfinite(last["test_loss"]) & last["diverged_at"].isna()]
    if len(last) < 2:
        return None
    is_accuracy = bool(last["test_accuracy"].notna().all())
    best_first = last["test_accuracy" if is_accuracy else "test_loss"].sort_values(
        ascending=not is_accuracy, kind="stable"
    )
    one = first if first is not None and first in best_first.index else str(best_first.index[0])
    others = best_first.drop(one)
    is_best = bool(best_first[one] == best_first.iloc[0])
    other = str(others.index[-1 if is_best else 0])
    one_value, other_value = float(best_first[one]), float(best_first[other])
    num_apart = is_clear = None
    if is_accuracy:
        wrong, other_wrong = (num_test - round(num_test * value) for value in (one_value, other_value))
        num_apart = abs(wrong - other_wrong)
        is_clear = num_apart > 0 and bool(stats.binomtest(wrong, wrong + other_wrong).pvalue < CHANCE)
    return Unseen(
        one=one,
        other=other,
        one_value=one_value,
        other_value=other_value,
        num_apart=num_apart,
        is_clear=is_clear,
    )


def largest_stable_rate(problem: Problem, model: ModelConfig) -> float | None:
    """2/λmax, above which gradient descent diverges; None where it is not the same for all weights.

    With a linear model the mean squared error is a quadratic. Its Hessian is 2/N Σ aᵢaᵢᵀ, aᵢ the features of sample i
    and a one for the bias; λmax is its largest eigenvalue.

    Args:
        problem: training samples.
        model: which model.
    """
    if problem.num_classes is not None or model.kind != "linear":
        return None
    a = np.column_stack([problem.x_train, np.ones(problem.num_examples, problem.x_train.dtype)])
    hessian = 2 / problem.num_examples * (a.T @ a).astype(np.float64)
    return 2 / float(np.linalg.eigvalsh(hessian)[-1])
