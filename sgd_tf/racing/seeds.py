"""Is the verdict on a race real? The same contestants with several seeds, compared pair by pair."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from sgd_tf.training import comparison, history
from sgd_tf.training.records import RacePlan


@dataclass(frozen=True, kw_only=True)
class Real:
    """What the seeds say of the best contestant."""

    num_seeds: int  # with which all contestants have trained to the end
    num_planned: int
    measure: str  # "seconds_to_target", or "train_loss" at the end where there is no target
    leader: str | None = None  # with the lowest median; None without a value or a rival
    rival: str | None = None  # the next one
    num_won: int = 0  # seeds with which the leader was ahead of the rival
    versus: comparison.Comparison | None = None  # leader / rival
    p_value: float | None = None  # of the leader against the rival, corrected for the number of rivals (Holm)

    @property
    def is_real(self) -> bool | None:
        """Whether chance gives such a lead in fewer than 5 of 100 cases; None with too few seeds."""
        if self.num_seeds < comparison.MIN_SEEDS or self.p_value is None:
            return None
        return self.p_value < comparison.ALPHA


def is_it_real(plan: RacePlan, table: pd.DataFrame, *, is_over: bool = True) -> Real | None:
    """Compare the best contestant with each other over the seeds of a race.

    The contestants of a seed have the same initial weights and draw in the same order, so they are a pair: the test is
    `comparison.compare`, a paired t-test of the logarithms, or a sign test where a run did not get there.

    Args:
        plan: of the race.
        table: of `history.to_frame`.
        is_over: whether it was run to its end; of one that was stopped, the seed that it was at does not count.

    Returns:
        None for a race with one seed.
    """
    if plan.seeds == 1:
        return None
    measure = "train_loss" if plan.target is None else "seconds_to_target"
    ends = table.drop_duplicates("run", keep="last").set_index("run")
    if plan.target is not None:
        reached = history.time_to_target(table, plan.target, metric=plan.target_metric).set_index("run")
        ends = ends.assign(seconds_to_target=reached["seconds"])
    ends = _complete(plan, ends, is_over=is_over)
    num_seeds = ends["seed"].nunique()
    nothing = Real(num_seeds=num_seeds, num_planned=plan.seeds, measure=measure)
    values = ends[measure].mask(ends["diverged_at"].notna()).fillna(float("inf"))
    order = values.groupby(ends["contestant"], sort=False).median().sort_values(kind="stable")
    if len(order) < 2 or order.iloc[0] == float("inf"):
        return nothing
    ends = ends.assign(**{measure: values.mask(values == float("inf"))})
    of = {name: ends[ends["contestant"] == name] for name in order.index}
    leader, rival = map(str, order.index[:2])
    versus = [comparison.compare(of[leader], of[name], measure) for name in order.index[1:]]
    corrected = comparison.holm([each.p_value for each in versus])
    both = [of[name].set_index("seed")[measure].fillna(float("inf")) for name in (leader, rival)]
    return Real(
        num_seeds=num_seeds,
        num_planned=plan.seeds,
        measure=measure,
        leader=leader,
        rival=rival,
        num_won=int((both[0] < both[1]).sum()),
        versus=versus[0],
        p_value=corrected[0],
    )


def _complete(plan: RacePlan, ends: pd.DataFrame, *, is_over: bool) -> pd.DataFrame:
    """The last records of the seeds that all contestants have trained with to the end: seeds run one after another."""
    whole = ends.groupby("seed")["contestant"].nunique() == len(plan.configs)
    seeds = [seed for seed in whole.index[whole] if is_over or seed < ends["seed"].max()]
    return ends[ends["seed"].isin(seeds)]
