"""What a race showed: who was first to the target and how sure that is, and what it is worth on unseen samples."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from sgd_tf.problems import CATALOGUE
from sgd_tf.training import history
from sgd_tf.training.records import RacePlan, check_int

CHANCE = 0.05  # probability below which a difference in test accuracy is not put down to the choice of test samples
NO_RATIO = 1.005  # a ratio of two times below this is not named
ROUNDING = 1e-6  # of an update
ABOUT_EQUAL = 1.05  # times as much of a counter: not told apart

Outcome = Literal[
    "untrained",  # nobody made an update
    "no target",  # none is known
    "at the start",  # the initial weights meet the target: nobody can win
    "nobody",  # has reached it
    "open",  # one reached it, but others had trained for less time than that when the race was stopped
    "tie",  # too close to tell
    "alone",  # one contestant, which reached it
    "first",
]


@dataclass(frozen=True, kw_only=True)
class Arrival:
    """A contestant that reached the target, on the line between the records before and after it."""

    name: str
    seconds: float  # of training
    update: int  # after which it was there


@dataclass(frozen=True, kw_only=True)
class Unseen:
    """Two contestants after the race, on samples that none of them was trained on."""

    one: str  # the first to the target; without one, the best on unseen samples
    other: str  # the best of the others; where the first to the target is the best, the worst of them
    one_value: float  # test accuracy, or test loss in a regression
    other_value: float
    num_test: int
    # Test samples that one classifies right and the other does not, at the least; None for a loss.
    num_apart: int | None
    # Whether another choice of test samples would hardly turn the order round; None for a loss.
    is_clear: bool | None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a race showed."""

    outcome: Outcome
    order: tuple[Arrival, ...] = ()  # fastest first
    leaders: tuple[str, ...] = ()  # the fastest one, and those that can not be told apart from it
    behind: tuple[str, ...] = ()  # "open": those that had trained for less time than the fastest one took
    rival: str | None = None  # "first": gradient descent, or the next one
    times: float | None = None  # seconds of the rival / seconds of the first; None where that is 1 or unknown
    is_lower_bound: bool = False  # whether the ratio is at least `times`: the first was there before its first record
    lowest: tuple[str, float] | None = None  # "no target": the lowest training loss in the end, if it is one contestant
    stopped_at: float | None = None  # seconds of training; None for a race that was run to its end
    ended_at: float | None = None  # seconds of training at which all were at the target, which ended the race
    diverged: tuple[tuple[str, int], ...] = ()  # contestants whose loss was not finite, and after which update
    grew: tuple[str, ...] = ()  # contestants whose loss ended no lower than it began
    num_contestants: int  # of the plan
    stable_below: float | None = None  # 2/λmax, where a contestant diverged and it is known
    unseen: Unseen | None = None

    def arrival(self, name: str) -> Arrival | None:
        """When a contestant was at the target."""
        return next((arrival for arrival in self.order if arrival.name == name), None)

    @property
    def answer(self) -> str | None:
        """The contestant that the race puts first, if it puts one."""
        if self.outcome == "no target":
            return self.lowest[0] if self.lowest else None
        return self.leaders[0] if self.outcome == "first" else None

    @property
    def num_too_fast(self) -> int:
        """Number of contestants that took too long steps."""
        return len(self.diverged) + len(self.grew)


def verdict(plan: RacePlan, table: pd.DataFrame, *, stable_below: float | None = None) -> Verdict:
    """What a race showed, whether it was run to its end or stopped.

    The moment of a crossing is known up to the records on both sides of it. A contestant is first if no other can have
    been there before it: if the bounds of its seconds overlap those of no other.

    Args:
        plan: of the race.
        table: of `history.to_frame`.
        stable_below: 2/λmax, if it is known.
    """
    seconds = _trained(plan, table)
    ended_at = None if plan.stop_at is None else _all_arrived(plan, table, seconds)
    is_over = ended_at is not None or all(each >= plan.seconds for each in seconds.values())
    diverged, grew = _diverged(table), _grew(table)
    nothing = Verdict(
        outcome="untrained",
        stopped_at=None if is_over else float(table["seconds"].max()) if len(table) else 0.0,
        ended_at=ended_at,
        diverged=diverged,
        grew=grew,
        num_contestants=len(plan.configs),
        stable_below=stable_below if diverged else None,
    )
    if not table["update"].any():
        return nothing
    if plan.target is None:
        found = replace(nothing, outcome="no target", lowest=_lowest(table))
    else:
        reached = history.time_to_target(table, plan.target, metric=plan.target_metric)
        found = _to_target(nothing, reached, seconds)
    num_test = CATALOGUE[plan.problem].num_test
    first = found.leaders[0] if found.outcome in ("first", "open") else None
    return replace(found, unseen=unseen(table, num_test=num_test, first=first))


def _trained(plan: RacePlan, table: pd.DataFrame) -> dict[str, float]:
    """Seconds that each contestant of the plan has trained; of one that diverged, all that it was given."""
    last = table.drop_duplicates("run", keep="last").set_index("run")
    seconds = last["seconds"].where(last["diverged_at"].isna(), plan.seconds)
    return dict.fromkeys(plan.configs, 0.0) | {str(name): float(each) for name, each in seconds.items()}


def _all_arrived(plan: RacePlan, table: pd.DataFrame, seconds: Mapping[str, float]) -> float | None:
    """Seconds of training at which a race ended since all that had not diverged were at the target; else None."""
    lost = {name for name, _at in _diverged(table)}
    going = [name for name in plan.configs if name not in lost]
    if not going or min(seconds[name] for name in going) >= plan.seconds or not table["update"].any():
        return None
    reached = history.time_to_target(table, plan.target or 0.0, metric=plan.target_metric)
    arrived = set(reached.loc[reached["reached"], "run"])
    return max(seconds[name] for name in going) if arrived.issuperset(going) else None


def _diverged(table: pd.DataFrame) -> tuple[tuple[str, int], ...]:
    lost = table[table["diverged_at"].notna()].drop_duplicates("run")
    return tuple(zip(lost["run"], map(int, lost["diverged_at"]), strict=True))


def _grew(table: pd.DataFrame) -> tuple[str, ...]:
    """Contestants that did not diverge, but ended with a training loss no lower than their first."""
    names = []
    for run, records in table.groupby("run", sort=False):
        first, last = records.iloc[0], records.iloc[-1]
        if pd.isna(last["diverged_at"]) and last["update"] > 0 and not last["train_loss"] < first["train_loss"]:
            names.append(str(run))
    return tuple(names)


def _lowest(table: pd.DataFrame) -> tuple[str, float] | None:
    last = table.drop_duplicates("run", keep="last")
    last = last[last["diverged_at"].isna() & np.isfinite(last["train_loss"])].sort_values("train_loss")
    if last.empty or (len(last) > 1 and last["train_loss"].iloc[0] == last["train_loss"].iloc[1]):
        return None
    return str(last["run"].iloc[0]), float(last["train_loss"].iloc[0])


def _to_target(nothing: Verdict, reached: pd.DataFrame, seconds: Mapping[str, float]) -> Verdict:
    """The verdict on a race to a target.

    Args:
        nothing: what is known of the race besides.
        reached: of `history.time_to_target`.
        seconds: that each contestant has trained.
    """
    there = reached[reached["reached"]].sort_values("seconds", kind="stable")
    order = tuple(
        Arrival(name=name, seconds=float(at), update=math.ceil(updates - ROUNDING))
        for name, at, updates in zip(there["run"], there["seconds"], there["updates"], strict=True)
    )
    found = replace(nothing, order=order)
    if there.empty:
        return replace(found, outcome="nobody")
    if (there["updates"] == 0).any():
        return replace(found, outcome="at the start")
    first = there.iloc[0]
    leaders = tuple(there.loc[(there["seconds_from"] < first["seconds_to"]) | (there["run"] == first["run"]), "run"])
    behind = tuple(
        name for name, each in seconds.items() if name not in set(there["run"]) and each < first["seconds_to"]
    )
    if behind:
        return replace(found, outcome="open", leaders=leaders[:1], behind=behind)
    if len(leaders) > 1:
        return replace(found, outcome="tie", leaders=leaders)
    if nothing.num_contestants == 1:
        return replace(found, outcome="alone", leaders=leaders)
    others = reached[reached["run"] != first["run"]]
    candidates = pd.concat([others[others["full_batch"]], there.iloc[1:]])
    if candidates.empty:
        return replace(found, outcome="first", leaders=leaders)
    rival = candidates.iloc[0]
    times, is_lower_bound = _ratio(first, rival) if rival["reached"] else (None, False)
    return replace(
        found,
        outcome="first",
        leaders=leaders,
        rival=str(rival["run"]),
        times=times,
        is_lower_bound=is_lower_bound and times is not None,
    )


def _ratio(first: pd.Series, rival: pd.Series) -> tuple[float | None, bool]:
    """Seconds of the rival over those of the first, and whether that is only a lower bound."""
    is_lower_bound = bool(first["seconds_from"] == 0)
    ends = ("seconds_from", "seconds_to") if is_lower_bound else ("seconds", "seconds")
    times = float(rival[ends[0]] / first[ends[1]]) if first[ends[1]] > 0 else 0.0
    return (times if times >= NO_RATIO else None), is_lower_bound


def unseen(table: pd.DataFrame, *, num_test: int, first: str | None = None) -> Unseen | None:
    """What being first to the target is worth on unseen samples, at the end of the race.

    Of m test samples one contestant gets a wrong and the other b. The two can differ on at most a + b samples; if each
    of those were as likely to be in favour of either, a sign test would ask how probable a difference of |a − b| is.
    Below 5 % the difference is clear. Fewer samples on which they differ would make it clearer: the test is cautious.

    Args:
        table: of `history.to_frame`.
        num_test: m, number of test samples.
        first: the contestant that was first to the target; None for none.

    Returns:
        None if fewer than two contestants have trained and ended with a finite loss.
    """
    check_int("num_test", num_test, 1)
    last = table.drop_duplicates("run", keep="last").set_index("run")
    last = last[np.isfinite(last["test_loss"]) & last["diverged_at"].isna() & (last["update"] > 0)]
    if len(last) < 2:
        return None
    is_accuracy = bool(last["test_accuracy"].notna().all())
    values = last["test_accuracy" if is_accuracy else "test_loss"]
    best_first = values.sort_values(ascending=not is_accuracy, kind="stable")
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
        num_test=num_test,
        num_apart=num_apart,
        is_clear=is_clear,
    )


@dataclass(frozen=True, kw_only=True)
class Work:
    """What the contestants did in the same seconds, of those that did not diverge."""

    fewest_updates: tuple[str, int]
    most_samples: tuple[str, int]
    # Those that needed least of each counter for the target, or hardly more; none without a first and a second.
    first: Mapping[str, tuple[str, ...]]


def work(plan: RacePlan, table: pd.DataFrame) -> Work | None:
    """Who is ahead on each axis, who made the fewest updates and who saw the most samples.

    Args:
        plan: of the race.
        table: of `history.to_frame`.

    Returns:
        None for one contestant, or where two are equal.
    """
    last = table[~table["run"].isin([name for name, _at in _diverged(table)])]
    last = last.drop_duplicates("run", keep="last").set_index("run")
    if len(last) < 2:
        return None
    updates, samples = last["update"].sort_values(), last["examples"].sort_values(ascending=False)
    if updates.iloc[0] == updates.iloc[1] or samples.iloc[0] == samples.iloc[1]:
        return None
    return Work(
        fewest_updates=(str(updates.index[0]), int(updates.iloc[0])),
        most_samples=(str(samples.index[0]), int(samples.iloc[0])),
        first=_first_by_counter(plan, table),
    )


def _first_by_counter(plan: RacePlan, table: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    if plan.target is None or verdict(plan, table).outcome != "first":
        return {}
    reached = history.time_to_target(table, plan.target, metric=plan.target_metric)
    there = reached[reached["reached"]].set_index("run")
    if len(there) < 2:
        return {}
    least = {counter: there[counter].sort_values(kind="stable") for counter in history.COUNTERS}
    return {counter: tuple(each[each <= ABOUT_EQUAL * each.iloc[0]].index) for counter, each in least.items()}
