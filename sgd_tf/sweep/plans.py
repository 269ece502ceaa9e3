"""A sweep over batch sizes, learning rates and seeds: independent runs, each of which is told as one plain row.

What is planned and what is missing is arithmetic; TensorFlow is imported when the first run begins.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from sgd_tf.training import counting, history, tuned_rates
from sgd_tf.training.records import MAX_LEARNING_RATE, ModelConfig, Progress, TrainConfig, check_int

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Rule = Literal["tuned", "fixed", "linear", "square_root"]
RULES: tuple[Rule, ...] = get_args(Rule)
EXPONENTS: dict[Rule, float] = {"fixed": 0.0, "linear": 1.0, "square_root": 0.5}  # of k in the learning rate

BASE_BATCH_SIZE = 32  # k at which the learning rate of a rule is told
MARGIN = 1.05  # losses up to 5 % higher count as equally good
MAX_RATES = 9  # of a grid that is made here
NUM_RECORDS = 40  # of a run, about: each costs an evaluation
LANDSCAPE_SAMPLES = 8_192  # of which per-sample gradients and products with the Hessian are taken, at most

Row = dict[str, Any]
Clock = Callable[[], float]


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
    known = tuned_rates.tuned_learning_rates(problem, model.kind)
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
    known = tuned_rates.tuned_learning_rate(plan.problem, plan.model.kind, batch_size, plan.num_examples)
    return known or rates[len(rates) // 2]


def missing_cells(plan: SweepPlan, rows: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """The runs that a plan still needs, in order: all with seed 0, then `repeated_cells`.

    Args:
        plan: the sweep.
        rows: of the runs that are known, of any plan of its family.
    """
    known = {cell_key(row): row for row in rows}
    first = [cell for cell in first_cells(plan) if _key(cell) not in known]
    return first or [cell for cell in repeated_cells(plan, known.values()) if _key(cell) not in known]


def repeated_cells(plan: SweepPlan, rows: Iterable[Mapping[str, Any]]) -> list[Cell]:
    """The runs with seeds 1, 2, … when all runs with seed 0 are known: seed by seed, k coarse first.

    Each k is repeated with the rate that took the fewest updates to the target; with the one of the k next to 32, as
    one rate for all; and with the rates of the lowest test loss after the epochs and after the seconds, where these
    are more than 5 % better than one that is repeated anyway. The rest of the map stays at one seed.

    Args:
        plan: the sweep.
        rows: of the runs that are known, among them all of seed 0.
    """
    known = {cell_key(row): row for row in rows}
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
    plan: SweepPlan, known: Mapping[Any, Mapping[str, Any]], k: int, measure: str, repeated: Sequence[float]
) -> float:
    """The best rate with seed 0; of those that are repeated anyway the best one, if no other is 5 % better."""

    def price(rate: float) -> tuple[float, float]:
        value, loss = (known[(k, rate, 0)][name] for name in (measure, "train_loss"))
        return math.inf if value is None else value, math.inf if loss is None else loss

    best, kept = min(plan.rates(k), key=price), min(repeated, key=price, default=None)
    return best if kept is None or price(best)[0] * MARGIN < price(kept)[0] else kept


def next_to_base(batch_sizes: Iterable[int]) -> int:
    """The batch size that is next to 32 on a logarithmic scale: whose learning rate is the one for all.

    >>> next_to_base([1, 16, 40, 256])
    40
    """
    return min(batch_sizes, key=lambda k: abs(math.log(k / BASE_BATCH_SIZE)))


def num_missing(plan: SweepPlan, rows: Iterable[Mapping[str, Any]]) -> int:
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


def seconds_left(plan: SweepPlan, rows: Iterable[Mapping[str, Any]]) -> float:
    """How long the missing runs will take one after the other, by what those took that are known.

    The first run of each k also compiles its program; that is expected of the k that were not run yet alone.

    Args:
        plan: the sweep.
        rows: of the runs that are known, in the order in which they ended; at least one.
    """
    rows = list(rows)
    first: dict[int, Mapping[str, Any]] = {}
    for row in rows:
        first.setdefault(row["batch_size"], row)
    later = [row["wall_seconds"] for row in rows if row is not first[row["batch_size"]]]
    usual = float(np.mean(later or [2 * row["seconds"] for row in rows]))
    compiling = float(np.mean([row["wall_seconds"] for row in first.values()])) - usual
    num_new = sum(k not in first for k in plan.batch_sizes)
    return usual * num_missing(plan, rows) + max(0.0, compiling) * num_new


def cell_key(row: Mapping[str, Any]) -> tuple[int, float, int]:
    """What tells a run of a family from the others: k, learning rate and seed."""
    return row["batch_size"], row["learning_rate"], row["seed"]


def _key(cell: Cell) -> tuple[int, float, int]:
    return cell.batch_size, cell.learning_rate, cell.seed


def rows_of(plan: SweepPlan, rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the runs of a family those that belong to a plan: its batch sizes, learning rates and seeds."""
    rates = {k: set(plan.rates(k)) for k in plan.batch_sizes}
    return [
        row for row in rows if row["learning_rate"] in rates.get(row["batch_size"], ()) and row["seed"] < plan.num_seeds
    ]


def sweep(problem: Problem, plan: SweepPlan) -> Iterator[Row]:
    """Run a whole sweep in this process.

    Args:
        problem: training and test samples; `plan.problem` is only its name.
        plan: the sweep; its batch sizes are at most N.

    Yields:
        A row of `cell_row` for each run, as it ends; `sweep_results.to_table` makes a table of them.

    Raises:
        ValueError: if a batch size is larger than N.

    Example::

        plan = SweepPlan(problem="digits", batch_sizes=(1, 32, 256, 1437), target=0.03, num_seeds=3)
        table = to_table(sweep(load("digits"), plan))
    """
    check_int("batch_sizes", plan.batch_sizes[-1], 1, problem.num_examples)
    plan = replace(plan, num_examples=problem.num_examples)
    rows: list[Row] = []
    while cells := missing_cells(plan, rows):
        for cell in cells:
            start = time.perf_counter()
            records = list(train_cell(problem, plan, cell))
            rows.append(cell_row(plan, cell, records, wall_seconds=time.perf_counter() - start))
            yield rows[-1]


def train_cell(
    problem: Problem, plan: SweepPlan, cell: Cell, *, clock: Clock = time.perf_counter
) -> Iterator[Progress]:
    """Make one run of a sweep.

    It is recorded about 40 times, evenly in the logarithm of the updates, and besides just when its epochs and just
    when its seconds are over. It ends as `SweepPlan` says; a run whose loss is not below its start when epochs and
    seconds are over ends too.

    Args:
        problem: training and test samples.
        plan: target and budgets.
        cell: k, learning rate and seed.
        clock: gives seconds; a test may replace it.

    Yields:
        Progress records.
    """
    from sgd_tf.training.run import Run

    config = TrainConfig(batch_size=cell.batch_size, learning_rate=cell.learning_rate, seed=cell.seed)
    budget = counting.epoch_updates(problem.num_examples, config.batch_size, plan.epochs)
    growth = max(1 / 6, (10 * budget) ** (1 / NUM_RECORDS) - 1)
    with Run(problem, config, model=plan.model, clock=clock) as run:
        record = first = run.record()
        yield record
        reached = first.train_loss <= plan.target
        while not run.is_over and run.seconds < plan.max_seconds:
            all_told = run.update >= budget and run.seconds >= plan.seconds
            if all_told and (reached or not record.train_loss < first.train_loss):
                break
            update = run.update + max(1, int(growth * run.update))
            update = min(update, budget) if run.update < budget else update
            second = plan.seconds if run.seconds < plan.seconds else plan.max_seconds
            run.advance(update=update, second=second)
            record = run.record()
            yield record
            reached = reached or record.train_loss <= plan.target


def cell_row(plan: SweepPlan, cell: Cell, records: Sequence[Progress], *, wall_seconds: float = 0.0) -> Row:
    """What one run says, as one plain row.

    Where the run reached the target is read by `history.time_to_target`, on the line between two records. Losses after
    the epochs and after the seconds are read on the lines between the records too; these lie close together there.

    Args:
        plan: target and budgets.
        cell: k, learning rate and seed.
        records: of the run, from the first on.
        wall_seconds: that it took with compiling and evaluating.

    Returns:
        batch_size, learning_rate, seed, num_examples; updates_to_target, examples_to_target and seconds_to_target
        (None: not reached); train_loss, test_loss and test_accuracy, each _after_epochs and _after_seconds (None: the
        run did not come so far, or diverged); examples_per_second; updates, seconds and train_loss at the end;
        start_loss; diverged_at; wall_seconds.
    """
    table = history.to_frame(records)
    (there,) = history.time_to_target(table, plan.target).to_dict("records")
    first, last = records[0], records[-1]
    epochs = counting.epoch_updates(first.num_examples, first.batch_size, plan.epochs)
    row: Row = {
        "batch_size": cell.batch_size,
        "learning_rate": cell.learning_rate,
        "seed": cell.seed,
        "num_examples": first.num_examples,
        **{f"{name}_to_target": _plain(there[name]) for name in ("updates", "examples", "seconds")},
    }
    for name, counter, budget in (("epochs", "update", epochs), ("seconds", "seconds", plan.seconds)):
        counts = table[counter].to_numpy(dtype=np.float64)
        is_known = counts[-1] >= budget and last.diverged_at is None
        for metric in ("train_loss", "test_loss", "test_accuracy"):
            value = np.interp(budget, counts, table[metric].to_numpy()) if is_known else math.nan
            row[f"{metric}_after_{name}"] = _plain(value)
    return row | {
        "examples_per_second": last.examples / last.seconds if last.seconds else None,
        "updates": last.update,
        "seconds": last.seconds,
        "train_loss": _plain(last.train_loss) if last.diverged_at is None else None,
        "start_loss": first.train_loss,
        "diverged_at": last.diverged_at,
        "wall_seconds": wall_seconds,
    }


def _plain(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def landscape(problem: Problem, plan: SweepPlan, config: TrainConfig) -> Iterator[Row]:
    """Noise scale and largest curvature along one run: what theory predicts for the sweep.

    B = S²/‖g‖², the gradient noise scale (S. McCandlish et al. 2018, arXiv 1812.06162), is a prediction of the
    critical batch size; gradient descent is stable below the learning rate 2/λmax, λmax the largest eigenvalue of the
    Hessian of the training loss. Both change as the run goes on. Per-sample gradients and products with the Hessian are
    taken of 8,192 random samples at most, the gradient g of all.

    Args:
        problem: training and test samples.
        plan: model, target and budgets.
        config: of the run.

    Yields:
        {"landscape": place, "train_loss", "update", "noise_scale", "max_learning_rate"} at the places "start",
        "middle" (the first record at or below √(start loss · target)) and "target", as far as the run comes.
    """
    from sgd_tf.noise import curvature, gradient_noise
    from sgd_tf.training.run import Run

    N = problem.num_examples
    rows = np.random.default_rng(0).permutation(N)[:LANDSCAPE_SAMPLES]
    part = replace(problem, x_train=problem.x_train[rows], y_train=problem.y_train[rows])
    with Run(problem, config, model=plan.model) as run:
        of_all, of_part = (
            gradient_noise.Gradients(problem, run.model),
            gradient_noise.Gradients(part, run.model),
        )
        record = run.record()
        middle = math.sqrt(max(record.train_loss, plan.target) * plan.target)
        for place, loss in (("start", math.inf), ("middle", middle), ("target", plan.target)):
            while record.train_loss > loss and run.seconds < plan.max_seconds and not run.is_over:
                run.advance(update=run.update + max(1, run.update // 6), second=plan.max_seconds)
                record = run.record()
            if not record.train_loss <= loss:
                return
            s_squared = gradient_noise.exact_noise(of_part).s_squared
            g = of_all.full()
            top = curvature.largest_eigenvalue(
                of_part.hessian_product, of_part.num_parameters, tolerance=0.01, max_products=100
            )
            yield {
                "landscape": place,
                "train_loss": record.train_loss,
                "update": run.update,
                "noise_scale": float(s_squared / (g @ g)),
                "max_learning_rate": _plain(top.max_learning_rate),
            }
