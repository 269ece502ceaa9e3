"""The plan of a sweep over batch sizes, learning rates and seeds: which runs it needs, and which are missing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from sgd_tf.training import tuned_rates
from sgd_tf.training.comparison import MARGIN
from sgd_tf.training.records import MAX_LEARNING_RATE, ModelConfig, TrainConfig, check_int

if TYPE_CHECKING:
    from sgd_tf.sweep.rows import CellResult

Rule = Literal["tuned", "fixed", "linear", "square_root"]
RULES: tuple[Rule, ...] = get_args(Rule)
EXPONENTS: dict[Rule, float] = {"fixed": 0.0, "linear": 1.0, "square_root": 0.5}  # of k in the learning rate

BASE_BATCH_SIZE = 32  # k at which the learning rate of a rule is told
MAX_RATES = 9  # of a grid that is made here


@dataclass(frozen=True, kw_only=True)
class SweepPlan:
    """A whole sweep in plain values: what a page asks its workers for, and what a script repeats.

    A run ends when it has made all its epochs, trained for all its seconds and reached the target, or after
    `max_seconds`. So every run tells its price up to the target, and its loss after the same epochs and seconds.

    Raises:
        ValueError: if a field is out of its range.

    >>> SweepPlan(problem="digits", batch_sizes=(32, 1, 32), target=0.03).batch_sizes
    (1, 32)
    """

    problem: str  # name for `problems.load`
    num_examples: int | None = None  # N, training samples; None for as many as the problem has
    model: ModelConfig = field(default_factory=ModelConfig)
    batch_sizes: tuple[int, ...]  # k; N for gradient descent
    learning_rates: tuple[float, ...] = (0.03, 0.1, 0.3, 1.0)  # grid to tune on; the one rate at k = 32 for a rule
    rule: Rule = "tuned"  # the best of the grid for each k; or γ(k) = γ(32) · (k/32)^p with p = 0, 1, ½
    num_seeds: int = 5  # seeds 0, 1, …: initial weights and order of the samples
    target: float  # training loss to reach
    epochs: float = 10.0  # after which the test loss is told
    seconds: float = 0.2  # of training after which the test loss is told
    max_seconds: float = 1.0  # of training that a run may take until the target

    def __post_init__(self) -> None:
        if not isinstance(self.problem, str) or not self.problem:
            raise ValueError(f"`problem` must be the name of a problem; received {self.problem!r}.")
        if not isinstance(self.model, ModelConfig):
            raise ValueError(f"`model` must be a ModelConfig; received {self.model!r}.")
        N = self.num_examples if self.num_examples is None else check_int("num_examples", self.num_examples, 1)
        sizes = tuple(sorted({check_int("batch_sizes", k, 1, N) for k in _items("batch_sizes", self.batch_sizes)}))
        items = _items("learning_rates", self.learning_rates)
        rates = tuple(sorted({_number("learning_rates", rate, MAX_LEARNING_RATE) for rate in items}))
        object.__setattr__(self, "batch_sizes", sizes)
        object.__setattr__(self, "learning_rates", rates)
        if self.rule not in RULES:
            raise ValueError(f"`rule` must be one of {', '.join(RULES)}; received {self.rule!r}.")
        if self.rule != "tuned" and len(rates) != 1:
            raise ValueError(f"`learning_rates` must be one rate for the rule {self.rule!r}; received {rates!r}.")
        check_int("num_seeds", self.num_seeds, 1)
        for name in ("target", "epochs", "seconds", "max_seconds"):
            object.__setattr__(self, name, _number(name, getattr(self, name)))
        if self.max_seconds < self.seconds:
            raise ValueError(
                f"`max_seconds` must be at least {self.seconds:g}, the `seconds` of each run; "
                f"received {self.max_seconds:g}."
            )

    def rates(self, batch_size: int) -> tuple[float, ...]:
        """The learning rates that are tried with a batch size: the grid, or the one that the rule gives."""
        if self.rule == "tuned":
            return self.learning_rates
        return (scaled_learning_rate(self.learning_rates[0], batch_size, self.rule),)

    @property
    def family(self) -> SweepPlan:
        """What a run depends on besides its own k, learning rate and seed: plans of one family share their runs."""
        return replace(self, batch_sizes=(1,), learning_rates=(1.0,), rule="tuned", num_seeds=1)


def _items(name: str, values: Any) -> tuple[Any, ...]:
    """The items of a field that holds several values, at least one."""
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Iterable):
        raise ValueError(f"`{name}` must be a sequence of numbers; received {values!r}.")
    items = tuple(values)
    if not items:
        raise ValueError(f"`{name}` must hold at least one value; received none.")
    return items


def _number(name: str, value: Any, high: float = math.inf) -> float:
    """A finite number greater than 0 and at most `high`, as a float."""
    number = float(value) if isinstance(value, Real) and not isinstance(value, bool) else math.nan
    if not 0 < number <= high or math.isinf(number):
        allowed = "a finite number greater than 0" if math.isinf(high) else f"in (0, {high:g}]"
        raise ValueError(f"`{name}` must be {allowed}; received {value!r}.")
    return number


@dataclass(frozen=True, kw_only=True, order=True)
class Cell:
    """One run of a sweep."""

    batch_size: int  # k
    learning_rate: float
    seed: int

    @property
    def key(self) -> tuple[int, float, int]:
        """k, learning rate and seed: a run differs from the others of its family by these."""
        return self.batch_size, self.learning_rate, self.seed


def scaled_learning_rate(learning_rate: float, batch_size: int, rule: Rule) -> float:
    """Learning rate of a batch size by a rule: γ(k) = γ(32) · (k/32)^p, to six digits and at most 100.

    p = 0 keeps it; p = 1 scales it with k (P. Goyal et al. 2017, arXiv 1706.02677), p = ½ with its root, which
    keeps the noise of a step the same (A. Krizhevsky 2014, arXiv 1404.5997).

    >>> [scaled_learning_rate(0.1, 128, rule) for rule in ("fixed", "linear", "square_root")]
    [0.1, 0.4, 0.2]
    """
    scaled = learning_rate * (batch_size / BASE_BATCH_SIZE) ** EXPONENTS[rule]
    return min(float(f"{scaled:.6g}"), MAX_LEARNING_RATE)


def powers_of_two(num_examples: int) -> tuple[int, ...]:
    """The batch sizes 1, 2, 4, … up to N, and N itself.

    >>> powers_of_two(20)
    (1, 2, 4, 8, 16, 20)
    """
    num = check_int("num_examples", num_examples, 1).bit_length()
    return tuple(sorted({*(2**i for i in range(num)), num_examples}))


def rate_grid(problem: str, model: ModelConfig) -> tuple[float, ...]:
    """Learning rates to tune on: powers of 2, or of 4, around those that a short search found for this problem.

    Args:
        problem: name of a problem.
        model: the model; where nothing is known of it, the grid is 1/64, 1/32, …, 2.

    >>> rate_grid("no such problem", ModelConfig())
    (0.015625, 0.03125, 0.0625, 0.125, 0.25, 0.5, 1.0, 2.0)
    """
    known = tuned_rates.tuned_learning_rates(problem, model.nearest_kind)
    low, high = (min(known.values()), max(known.values())) if known else (1 / 64, 1.0)
    first, last = math.floor(math.log2(low)), math.ceil(math.log2(high)) + 1
    step = 1 if last - first < MAX_RATES else 2
    exponents = range(last, first - step, -step)
    return tuple(sorted({min(2.0**exponent, MAX_LEARNING_RATE) for exponent in exponents}))


def coarse_first(items: Sequence[Any]) -> list[Any]:
    """The same items, ends first, then what lies in the middle of what is there: a picture that sharpens.

    >>> coarse_first([1, 2, 3, 4, 5])
    [1, 5, 3, 2, 4]
    """
    if len(items) < 3:
        return list(items)
    order, gaps = [0, len(items) - 1], [(0, len(items) - 1)]
    for low, high in gaps:  # grows while it is gone through
        if high - low > 1:
            middle = (low + high) // 2
            order.append(middle)
            gaps += [(low, middle), (middle, high)]
    return [items[index] for index in order]


def first_cells(plan: SweepPlan) -> list[Cell]:
    """The runs with seed 0: every k with every learning rate, in an order that soon shows something.

    First each k, coarse first, with the rate that is likely to be best; then each with the next likely one, and so on.
    """
    sizes = coarse_first(plan.batch_sizes)
    ranked = {k: sorted(plan.rates(k), key=lambda rate: abs(math.log(rate / _guess(plan, k)))) for k in sizes}
    num_rates = max(map(len, ranked.values()))
    return [
        Cell(batch_size=k, learning_rate=ranked[k][place], seed=0)
        for place in range(num_rates)
        for k in sizes
        if place < len(ranked[k])
    ]


def _guess(plan: SweepPlan, batch_size: int) -> float:
    """The learning rate that is likely to be best: a searched one, or the middle of the grid."""
    rates = plan.rates(batch_size)
    known = tuned_rates.tuned_learning_rate(plan.problem, plan.model.nearest_kind, batch_size, plan.num_examples)
    return known or rates[len(rates) // 2]


def missing_cells(plan: SweepPlan, rows: Iterable[CellResult]) -> list[Cell]:
    """The runs that a plan still needs, in order: all with seed 0, then `repeated_cells`.

    Args:
        plan: the sweep.
        rows: of the runs that are known, of any plan of its family.
    """
    known = {row.key: row for row in rows}
    first = [cell for cell in first_cells(plan) if cell.key not in known]
    return first or [cell for cell in repeated_cells(plan, known.values()) if cell.key not in known]


def repeated_cells(plan: SweepPlan, rows: Iterable[CellResult]) -> list[Cell]:
    """The runs with seeds 1, 2, … when all runs with seed 0 are known: seed by seed, k coarse first.

    Each k is repeated with the rate that took the fewest updates to the target; with the one of the k next to 32, as
    one rate for all; and with the rates of the lowest test loss after the epochs and after the seconds, where these
    are more than 5 % better than one that is repeated anyway. The rest of the map stays at one seed.

    Args:
        plan: the sweep.
        rows: of the runs that are known, among them all of seed 0.
    """
    known = {row.key: row for row in rows}
    fastest = {k: _best_rate(plan, known, k, "updates_to_target", ()) for k in plan.batch_sizes}
    shared = fastest[next_to_base(plan.batch_sizes)]
    chosen = {k: [rate for rate in dict.fromkeys((fastest[k], shared)) if rate in plan.rates(k)] for k in fastest}
    for k, rates in chosen.items():
        for measure in ("test_loss_after_epochs", "test_loss_after_seconds"):
            best = _best_rate(plan, known, k, measure, rates)
            rates += [best] if best not in rates else []
    return [
        Cell(batch_size=k, learning_rate=rate, seed=seed)
        for seed in range(1, plan.num_seeds)
        for k in coarse_first(plan.batch_sizes)
        for rate in chosen[k]
    ]


def _best_rate(
    plan: SweepPlan, known: Mapping[tuple[int, float, int], CellResult], k: int, measure: str, repeated: Sequence[float]
) -> float:
    """The best rate with seed 0; of those that are repeated anyway the best one, if no other is 5 % better."""

    def price(rate: float) -> tuple[float, float]:
        value, loss = (getattr(known[k, rate, 0], name) for name in (measure, "train_loss"))
        return math.inf if value is None else value, math.inf if loss is None else loss

    best, kept = min(plan.rates(k), key=price), min(repeated, key=price, default=None)
    return best if kept is None or price(best)[0] * MARGIN < price(kept)[0] else kept


def next_to_base(batch_sizes: Iterable[int]) -> int:
    """The batch size that is next to 32 on a logarithmic scale: whose learning rate is the one for all.

    >>> next_to_base([1, 16, 40, 256])
    40
    """
    return min(batch_sizes, key=lambda k: abs(math.log(k / BASE_BATCH_SIZE)))


def num_missing(plan: SweepPlan, rows: Iterable[CellResult]) -> int:
    """How many runs a sweep still needs; an estimate as long as the best learning rates are not known.

    Args:
        plan: the sweep.
        rows: of the runs that are known, of any plan of its family.
    """
    missing = missing_cells(plan, rows)
    if not missing or missing[0].seed > 0:
        return len(missing)
    per_size = 1.7 if plan.rule == "tuned" else 1  # rates that are repeated, about
    return len(missing) + round(per_size * len(plan.batch_sizes)) * (plan.num_seeds - 1)


def seconds_left(plan: SweepPlan, rows: Iterable[CellResult]) -> float:
    """How long the missing runs will take one after the other, by what those took that are known.

    The first run of each k also compiles its program; that is expected of the k that were not run yet alone.

    Args:
        plan: the sweep.
        rows: of the runs that are known, in the order in which they ended; at least one.
    """
    rows = list(rows)
    first: dict[int, CellResult] = {}
    for row in rows:
        first.setdefault(row.batch_size, row)
    later = [row.wall_seconds for row in rows if row is not first[row.batch_size]]
    usual = float(np.mean(later or [2 * row.seconds for row in rows]))
    compiling = float(np.mean([row.wall_seconds for row in first.values()])) - usual
    num_new = sum(k not in first for k in plan.batch_sizes)
    return usual * num_missing(plan, rows) + max(0.0, compiling) * num_new


def rows_of(plan: SweepPlan, rows: Iterable[CellResult]) -> list[CellResult]:
    """Of the runs of a family those that belong to a plan: its batch sizes, learning rates and seeds."""
    rates = {k: set(plan.rates(k)) for k in plan.batch_sizes}
    return [row for row in rows if row.learning_rate in rates.get(row.batch_size, ()) and row.seed < plan.num_seeds]


def landscape_config(plan: SweepPlan, cells: Sequence[CellResult]) -> TrainConfig:
    """The run along which the noise scale is measured: k next to 32, at its best learning rate."""
    k = next_to_base(plan.batch_sizes)

    def price(row: CellResult) -> tuple[bool, float]:
        return row.updates_to_target is None, row.updates_to_target or 0.0

    own = [row for row in rows_of(plan, cells) if row.batch_size == k and row.seed == 0]
    return TrainConfig(batch_size=k, learning_rate=min(own, key=price).learning_rate)
