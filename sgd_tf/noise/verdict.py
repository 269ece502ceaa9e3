"""What the experiments on gradient noise say: from their rows to the numbers, and to the answer that these give."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd

from sgd_tf.noise import noise_law
from sgd_tf.noise.rows import (
    Curvature,
    EdgePlan,
    End,
    Escapes,
    LawPlan,
    MeasuredNoise,
    Noise,
    NoiseScale,
    run_name,
)
from sgd_tf.problems import CATALOGUE
from sgd_tf.training import history

Array: TypeAlias = "np.ndarray[Any, Any]"

RISEN = 1.01  # times the loss before: less is no rise
JUST_ABOVE = 1.05  # factor of the run with the prediction


# 1. Paths on the straight line


@dataclass(frozen=True, kw_only=True)
class PathVerdict:
    """Gradient and noise at one point of a path, on the minibatches of one epoch."""

    batch_size: int  # k
    num_examples: int  # N
    length: float  # ‖g‖, g the full gradient
    distance: float  # ‖g_B − g‖, root mean square over the minibatches of k samples
    expected: float  # the same over all draws, by the law
    residual: float  # ‖Σ (kᵢ/N) g_Bᵢ − g‖
    sizes: tuple[int, ...]  # kᵢ, samples in each minibatch

    @property
    def noise_ratio(self) -> float:
        """Expected distance over the length of the full gradient; inf where that is 0."""
        return self.expected / self.length if self.length else math.inf


def path(per_example: Array, gradients: Array, shares: Array, batch_size: int) -> PathVerdict:
    """The verdict on one point.

    Args:
        per_example: (N, 2) gradients of the samples.
        gradients: (n, 2) of the minibatches of one epoch.
        shares: (n,) kᵢ/N of each.
        batch_size: k; the last minibatch may be smaller, and is noisier.
    """
    N, full = len(per_example), per_example.mean(axis=0)
    sizes = np.rint(shares * N).astype(int)
    squares = np.square(gradients[sizes == batch_size] - full).sum(axis=1)
    law = noise_law.variance_law(noise_law.sample_variance(per_example), batch_size, N)
    return PathVerdict(
        batch_size=batch_size,
        num_examples=N,
        length=float(np.linalg.norm(full)),
        distance=0.0 if batch_size == N else float(np.sqrt(squares.mean())),
        expected=float(np.sqrt(law)),
        residual=float(np.linalg.norm(shares @ gradients - full)),
        sizes=tuple(sizes.tolist()),
    )


# 2. Noise against k


@dataclass(frozen=True, kw_only=True)
class LawVerdict:
    """The noise of all k beside the gradient and beside the law."""

    noise: Noise
    scale: NoiseScale
    num_examples: int  # N
    num_sizes: int  # measured k below N
    ratios: tuple[float, float] | None  # smallest and largest measured / law for k < N; None where the law is 0
    at_all: float  # measured at k = N, where the law is 0

    def noise_ratio(self, batch_size: float) -> float:
        """E‖g_B − g‖² / ‖g‖² of a k by the law; inf where the gradient is 0."""
        noise = float(noise_law.variance_law(self.noise.s_squared, batch_size, self.num_examples))
        return noise / self.noise.signal if self.noise.signal else math.inf

    @property
    def kind(self) -> Literal["no gradient", "no noise", "single", "half", "crossing"]:
        """Where the noise is as large as the gradient.

        Nowhere below N, for all k, below k = 1, above k = N/2, or between these two.
        """
        if not self.noise.signal:
            return "no gradient"
        if not self.noise.s_squared:
            return "no noise"
        if self.noise_ratio(1) < 1:
            return "single"
        return "half" if self.noise_ratio(self.num_examples / 2) >= 1 else "crossing"

    @property
    def batch_size(self) -> int:
        """The k at which noise and gradient are equally large, to the nearest whole one; 0 without noise."""
        k = noise_law.equal_noise_batch_size(self.noise.noise_scale, self.num_examples)
        return 0 if math.isnan(k) else round(k)

    @property
    def answer(self) -> Literal["tiny", "small", "medium", "large"] | None:
        """The range that holds this k."""
        if self.kind in ("no gradient", "no noise"):
            return None
        if self.batch_size < 32:
            return "tiny" if self.batch_size < 4 else "small"
        return "medium" if self.batch_size <= 256 else "large"


def law(plan: LawPlan, found: Sequence[Noise | MeasuredNoise | NoiseScale]) -> LawVerdict | None:
    """The verdict on the noise against k; None until all is measured."""
    measured = [row for row in found if isinstance(row, MeasuredNoise)]
    noise = next((row for row in found if isinstance(row, Noise)), None)
    scale = next((row for row in found if isinstance(row, NoiseScale)), None)
    if noise is None or scale is None or not measured:
        return None
    ratios = [row.mean / row.law for row in measured if row.law]
    return LawVerdict(
        noise=noise,
        scale=scale,
        num_examples=plan.num_examples,
        num_sizes=sum(row.batch_size < plan.num_examples for row in measured),
        ratios=(min(ratios), max(ratios)) if ratios else None,
        at_all=measured[-1].mean,
    )


# 3. Escape from a minimum


@dataclass(frozen=True, kw_only=True)
class EscapeVerdict:
    """The k with the most escapes."""

    leaders: tuple[Escapes, ...]  # the largest share first, then those with an interval that reaches its own
    gd: Escapes
    diverged: tuple[Escapes, ...]  # k with runs that diverged

    @property
    def answer(self) -> Literal["one", "between", "gd", "none"] | None:
        """What the leaders have in common; None if they have nothing."""
        if not self.leaders[0].num_escaped:
            return "none"
        kinds = {1: "one", self.gd.batch_size: "gd"}
        found = {kinds.get(row.batch_size, "between") for row in self.leaders}
        return found.pop() if len(found) == 1 else None  # type: ignore[return-value]


def escape(found: Sequence[Escapes], num_sizes: int) -> EscapeVerdict | None:
    """The verdict on the escapes; None until all k have run.

    Args:
        found: rows, gradient descent the last one.
        num_sizes: number of k in the plan.
    """
    if len(found) < num_sizes:
        return None
    first, *others = sorted(found, key=lambda row: -row.share)
    gd = found[-1]  # the same in all runs: no chance in it
    close = [row for row in others if row is not gd and row.interval[1] >= first.interval[0]]
    return EscapeVerdict(leaders=(first, *close), gd=gd, diverged=tuple(row for row in found if row.num_diverged))


# 4. The largest stable rate


@dataclass(frozen=True, kw_only=True)
class Descent:
    """One run of gradient descent."""

    factor: float  # its learning rate, as a multiple of 2/λmax
    learning_rate: float
    losses: tuple[float, ...]  # at its records; finite but for the last one of a run that diverged
    updates: tuple[int, ...]  # of these records
    diverged_at: int | None
    ratio: float  # by which the first update multiplied the gradient in the steepest direction; nan if it was 0
    limit: float | None  # 2/λmax at its end, inf where nothing curves upwards; None if it diverged or is unknown

    @property
    def formula(self) -> float:
        """1 − γλmax.

        The factor of the gradient in the direction of λmax, for a quadratic loss.
        """
        return 1 - 2 * self.factor

    @property
    def bump(self) -> tuple[int, int]:
        """Indices of the lowest record before the first rise and of the highest one from there to the lowest of all."""
        lowest = int(np.argmin(self.losses))
        rise = next(at for at in range(1, lowest + 1) if self.losses[at] > RISEN * self.losses[at - 1])
        top = rise + int(np.argmax(self.losses[rise : lowest + 1]))
        return int(np.argmin(self.losses[:rise])), top

    @property
    def course(self) -> Literal["flat", "down", "bump", "late", "up"]:
        """How the loss went: it stays, falls, rises and then falls, falls and then rises, or ends above its start."""
        last, lowest = self.losses[-1], int(np.argmin(self.losses))
        if self.diverged_at is not None or not last <= self.losses[0]:
            return "up"
        if any(after > RISEN * before for before, after in itertools.pairwise(self.losses[: lowest + 1])):
            return "bump"
        if last > RISEN * self.losses[lowest]:
            return "late"
        return "down" if self.losses[0] > RISEN * last else "flat"


@dataclass(frozen=True, kw_only=True)
class EdgeVerdict:
    """Gradient descent on both sides of 2/λmax."""

    runs: tuple[Descent, ...]
    is_quadratic: bool

    @property
    def just_above(self) -> Descent:
        """The run with the prediction."""
        return next(run for run in self.runs if run.factor == JUST_ABOVE)

    @property
    def answer(self) -> Literal["down", "bump", "up"] | None:
        """How its loss went; None where it stayed, or fell first and rose then, but not above its start."""
        course = self.just_above.course
        return None if course == "flat" or course == "late" else course


@dataclass(frozen=True, kw_only=True)
class NoLimit:
    """No run: the initial weights set no limit."""

    is_unknown: bool  # λmax is not a number; else nothing curves upwards


def records(found: Sequence[Curvature | history.Row | End]) -> pd.DataFrame:
    """The records of all runs as a table for `charts.curves`."""
    return history.to_frame(row for row in found if isinstance(row, history.Row))


def edge(plan: EdgePlan, found: Sequence[Curvature | history.Row | End]) -> EdgeVerdict | NoLimit | None:
    """The verdict on the runs around the limit; None until all have ended."""
    if not found or not isinstance(found[0], Curvature):
        return None
    top = found[0]
    if not math.isfinite(top.max_learning_rate):
        return NoLimit(is_unknown=math.isnan(top.value))
    ends = [row for row in found if isinstance(row, End)]
    if len(ends) < len(plan.factors):
        return None
    by_run = dict(iter(records(found).groupby("run", sort=False)))
    runs = []
    for end in ends:
        part = by_run[run_name(end.factor)]
        diverged = part["diverged_at"].dropna()
        limit = end.curvature.max_learning_rate if end.curvature else math.nan
        runs.append(
            Descent(
                factor=end.factor,
                learning_rate=end.factor * top.max_learning_rate,
                losses=tuple(part["train_loss"]),
                updates=tuple(part["update"]),
                diverged_at=int(diverged.iloc[0]) if len(diverged) else None,
                ratio=end.ratio,
                limit=None if math.isnan(limit) else limit,
            )
        )
    is_quadratic = CATALOGUE[plan.problem].task == "regression" and plan.model.kind == "linear"
    return EdgeVerdict(runs=tuple(runs), is_quadratic=is_quadratic)
