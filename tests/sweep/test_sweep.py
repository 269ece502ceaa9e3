"""A sweep: what it plans, what it leaves out, and single runs against a quadratic that is solved by hand."""

import math
from dataclasses import asdict, replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf import problems
from sgd_tf.problems import Problem
from sgd_tf.sweep import measure, plans
from sgd_tf.sweep.plans import Cell, SweepPlan
from sgd_tf.sweep.rows import CellResult, LandscapePoint, measure_landscape, run_cells
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import ModelConfig, Progress, TrainConfig
from tests.lab import travelled

SEARCHED = [(name, kind) for name, kinds in tuned_rates._table().items() for kind in kinds]

LINEAR = ModelConfig(kind="linear", widths=())


def quadratic(num_examples=64, mean=3.0):
    """A regression whose feature is always 0: the bias b alone learns, and the loss is mean (b − y)²."""
    targets = np.random.default_rng(0).normal(mean, 1.0, num_examples).astype(np.float32)
    return Problem(
        name="quadratic",
        task="regression",
        x_train=np.zeros((num_examples, 1), np.float32),
        y_train=targets,
        x_test=np.zeros((num_examples, 1), np.float32),
        y_test=targets.copy(),
        feature_names=("x",),
        target_name="y",
        source="Made by NumPy.",
        licence="none",
    )


def plan(**changes):
    usual = {
        "problem": "quadratic",
        "model": LINEAR,
        "batch_sizes": (8, 64),
        "learning_rates": (0.01,),
        "num_seeds": 1,
        "target": 1.5,
        "epochs": 20,
        "seconds": 1e-6,
        "max_seconds": 20.0,
    }
    return SweepPlan(**(usual | changes))


def gd_loss(problem, rate, updates):
    """Gradient descent on mean (b − y)² from b = 0: b − ȳ shrinks by 1 − 2γ in each update."""
    y = problem.y_train.astype(np.float64)
    return y.var() + (y.mean() * (1 - 2 * rate) ** np.asarray(updates, dtype=float)) ** 2


@pytest.fixture(scope="module")
def gd_run():
    problem, cell = quadratic(), Cell(batch_size=64, learning_rate=0.01, seed=0)
    records = list(measure.train_cell(problem, plan(), cell))
    return problem, records, measure.cell_result(plan(), cell, records)


def test_each_record_of_gradient_descent_lies_on_the_solved_quadratic(gd_run):
    problem, records, _row = gd_run
    updates = [record.update for record in records]
    np.testing.assert_allclose([record.train_loss for record in records], gd_loss(problem, 0.01, updates), rtol=1e-4)


def test_updates_to_the_target_are_those_of_the_solved_quadratic(gd_run):
    problem, records, row = gd_run
    y = problem.y_train.astype(np.float64)
    exact = math.log(math.sqrt(1.5 - y.var()) / y.mean()) / math.log(1 - 2 * 0.01)
    # Between two records the loss is taken as linear; it is convex, so the crossing is read late, by h² L″/(8 |L′|).
    gap = max(b.update - a.update for a, b in pairwise(records) if a.update <= exact)
    late = gap**2 * 4 * abs(math.log(1 - 2 * 0.01)) / 8
    assert exact <= row.updates_to_target <= exact + late
    assert row.examples_to_target == pytest.approx(64 * row.updates_to_target)
    assert 0 < row.seconds_to_target <= row.seconds


def test_the_loss_after_the_epochs_is_that_of_the_solved_quadratic(gd_run):
    problem, _records, row = gd_run
    assert row.test_loss_after_epochs == pytest.approx(gd_loss(problem, 0.01, 20), rel=1e-4)
    assert row.train_loss_after_epochs == pytest.approx(gd_loss(problem, 0.01, 20), rel=1e-4)
    assert row.test_accuracy_after_epochs is None


def test_a_run_ends_when_epochs_seconds_and_target_are_reached_and_not_before(gd_run):
    _problem, records, row = gd_run
    assert records[-2].train_loss > 1.5 >= records[-1].train_loss
    assert row.updates >= 20


def test_above_the_stable_rate_a_run_diverges_at_the_update_at_which_float32_ends():
    problem, cell = quadratic(), Cell(batch_size=64, learning_rate=1.5, seed=0)
    wanted = plan(epochs=100)
    row = measure.cell_result(wanted, cell, list(measure.train_cell(problem, wanted, cell)))
    # b − ȳ doubles in each update; the sum of 64 squares passes the largest float32 after log₄(max / 64 ȳ²) of them.
    limit = math.log(float(np.finfo(np.float32).max) / (64 * float(problem.y_train.mean()) ** 2), 4)
    assert row.diverged_at == math.ceil(limit)
    assert row.updates_to_target is row.train_loss is row.test_loss_after_epochs is None


def test_the_same_cell_gives_the_same_numbers_but_for_the_seconds():
    problem, cell = quadratic(), Cell(batch_size=8, learning_rate=0.05, seed=3)
    rows = [measure.cell_result(plan(), cell, list(measure.train_cell(problem, plan(), cell))) for _ in range(2)]
    timed = (
        "seconds",
        "seconds_to_target",
        "examples_per_second",
        "train_loss_after_seconds",
        "test_loss_after_seconds",
    )
    first, second = ({name: value for name, value in asdict(row).items() if name not in timed} for row in rows)
    assert first == second


def test_a_run_gives_up_when_its_seconds_are_over():
    ticks = iter(range(10**9))
    impatient = plan(target=1e-3, seconds=1.0, max_seconds=5.0)  # the loss never falls below the variance
    cell = Cell(batch_size=64, learning_rate=0.01, seed=0)
    records = list(measure.train_cell(quadratic(), impatient, cell, clock=lambda: float(next(ticks))))
    row = measure.cell_result(impatient, cell, records)
    assert row.updates_to_target is None
    assert 5.0 <= row.seconds <= 6.0
    assert row.test_loss_after_epochs is None  # 20 updates take 20 ticks at least


def test_a_run_that_is_no_better_than_at_its_start_ends_with_its_budgets():
    stuck = plan(epochs=3, learning_rates=(1.0,))  # 1 − 2γ = −1: b jumps to and fro about ȳ
    cell = Cell(batch_size=64, learning_rate=1.0, seed=0)
    records = list(measure.train_cell(quadratic(), stuck, cell))
    assert records[-1].update <= 5
    assert records[-1].train_loss == pytest.approx(records[0].train_loss, rel=1e-4)


def test_noise_scale_and_limit_of_the_rate_are_those_of_the_quadratic():
    problem = quadratic()
    rows = list(measure.landscape(problem, plan(), TrainConfig(batch_size=64, learning_rate=0.01)))
    y = problem.y_train.astype(np.float64)
    assert [row.place for row in rows] == ["start", "middle", "target"]
    for row in rows:
        distance = y.mean() * (1 - 2 * 0.01) ** row.update  # of b from ȳ: the gradient is −2 times it
        assert row.noise_scale == pytest.approx(y.var(ddof=1) / distance**2, rel=1e-3)
        assert row.max_learning_rate == pytest.approx(1.0, rel=1e-2)  # 2/λmax with λmax = 2


def records_of(losses, *, seconds=0.1, k=4, num_examples=8, diverged_at=None):
    return [
        Progress(
            run=str(k),
            batch_size=k,
            num_examples=num_examples,
            update=update,
            examples=k * update,
            seconds=seconds * update,
            minibatch_loss=np.empty(0),
            train_loss=loss,
            test_loss=2 * loss,
            test_accuracy=1 - loss / 10,
            diverged_at=diverged_at if update == len(losses) - 1 else None,
        )
        for update, loss in enumerate(losses)
    ]


def test_a_row_reads_target_epochs_and_seconds_off_the_records():
    cell = Cell(batch_size=4, learning_rate=0.1, seed=1)
    wanted = plan(target=2.5, epochs=1, seconds=0.25)  # 1 epoch is 2 updates
    row = measure.cell_result(wanted, cell, records_of([5.0, 4.0, 3.0, 2.0, 1.0]), wall_seconds=7.0)
    assert (row.updates_to_target, row.examples_to_target) == (2.5, 10.0)
    assert row.seconds_to_target == pytest.approx(0.25)
    assert (row.train_loss_after_epochs, row.test_loss_after_epochs) == (3.0, 6.0)
    assert row.train_loss_after_seconds == pytest.approx(2.5)  # half way between updates 2 and 3
    assert row.test_accuracy_after_seconds == pytest.approx(0.75)
    assert row.examples_per_second == pytest.approx(40.0)
    assert (row.updates, row.start_loss, row.train_loss, row.wall_seconds) == (4, 5.0, 1.0, 7.0)
    assert (row.batch_size, row.learning_rate, row.seed, row.diverged_at) == (4, 0.1, 1, None)


def test_a_run_that_diverged_has_no_losses_after_its_budgets():
    cell = Cell(batch_size=4, learning_rate=9.0, seed=0)
    row = measure.cell_result(plan(epochs=1), cell, records_of([5.0, 9.0, 99.0, math.inf], diverged_at=3))
    assert row.diverged_at == 3
    assert row.train_loss is row.test_loss_after_epochs is row.test_loss_after_seconds is None


def fake_row(cell, **changes):
    """The row of a run whose price is least at learning rate 0.1."""
    price = 100 * (1 + abs(math.log(cell.learning_rate / 0.1)))
    usual = {
        "num_examples": 5_000,
        "updates_to_target": price,
        "examples_to_target": cell.batch_size * price,
        "seconds_to_target": price / 1000,
        **{f"{m}_loss_after_{b}": price for m in ("train", "test") for b in ("epochs", "seconds")},
        **{f"test_accuracy_after_{b}": None for b in ("epochs", "seconds")},
        "examples_per_second": 1000.0 * cell.batch_size,
        "updates": 1000,
        "seconds": 1.0,
        "train_loss": 1.0,
        "start_loss": 2.0,
        "diverged_at": None,
        "wall_seconds": 2.0,
    }
    return CellResult(**asdict(cell), **usual | changes)


def run_all(wanted, rows):
    made = []
    while cells := plans.missing_cells(wanted, rows):
        made += cells
        rows += [fake_row(cell) for cell in cells]
    return made


rules = st.sampled_from(plans.RULES)
sizes = st.lists(st.integers(1, 5000), min_size=1, max_size=6, unique=True)
rates = st.lists(st.sampled_from([0.01, 0.03, 0.1, 0.3, 1.0]), min_size=1, max_size=5, unique=True)


@settings(max_examples=40)
@given(sizes, rates, rules, st.integers(1, 4))
def test_no_run_is_made_twice_and_each_k_gets_its_best_rate_with_all_seeds(
    batch_sizes, learning_rates, rule, num_seeds
):
    grid = tuple(learning_rates if rule == "tuned" else learning_rates[:1])
    wanted = plan(batch_sizes=tuple(batch_sizes), learning_rates=grid, rule=rule, num_seeds=num_seeds)
    rows = []
    made = run_all(wanted, rows)
    assert len(made) == len(set(made))
    for k in batch_sizes:
        best = min(wanted.rates(k), key=lambda rate: abs(math.log(rate / 0.1)))
        assert {cell.seed for cell in made if (cell.batch_size, cell.learning_rate) == (k, best)} == set(
            range(num_seeds)
        )
        assert {cell.learning_rate for cell in made if cell.batch_size == k} == set(wanted.rates(k))
    assert plans.num_missing(wanted, rows) == 0
    assert len(plans.rows_of(wanted, rows)) == len(made)


def test_more_seeds_and_more_sizes_make_only_what_is_missing():
    small = plan(batch_sizes=(8, 64), learning_rates=(0.01, 0.1), num_seeds=2)
    rows = []
    first = run_all(small, rows)
    more = run_all(replace(small, num_seeds=3), rows)
    assert {cell.seed for cell in more} == {2}
    bigger = run_all(replace(small, num_seeds=3, batch_sizes=(8, 16, 64)), rows)
    assert {cell.batch_size for cell in bigger} == {16}
    assert len({*first, *more, *bigger}) == len(first) + len(more) + len(bigger) == len(rows)


def test_plans_that_differ_in_sizes_rates_and_seeds_share_their_runs_and_others_do_not():
    base = plan()
    same = plan(batch_sizes=(1, 2), learning_rates=(1.0, 0.5), num_seeds=7)
    assert base.family == same.family == plan(rule="linear").family
    assert base.family != plan(target=1.6).family
    assert base.family != plan(epochs=3).family
    assert base.family != plan(model=ModelConfig()).family


def test_the_first_runs_show_every_k_with_ends_first():
    wanted = plan(batch_sizes=(1, 2, 4, 8, 16), learning_rates=(0.1, 0.2))
    assert [cell.batch_size for cell in plans.first_cells(wanted)[:5]] == [1, 16, 4, 2, 8]


@given(st.lists(st.integers(), unique=True, max_size=40))
def test_coarse_first_keeps_every_item_once(items):
    assert sorted(plans.coarse_first(items)) == sorted(items)


def test_a_rate_for_the_test_loss_is_repeated_only_where_it_is_five_percent_better():
    wanted = plan(batch_sizes=(32,), learning_rates=(0.1, 0.2), num_seeds=2)
    for loss, repeated in ((0.99, {0.1}), (0.9, {0.1, 0.2})):
        rows = [
            fake_row(Cell(batch_size=32, learning_rate=0.1, seed=0), test_loss_after_epochs=1.0),
            fake_row(Cell(batch_size=32, learning_rate=0.2, seed=0), test_loss_after_epochs=loss),
        ]
        assert {cell.learning_rate for cell in plans.missing_cells(wanted, rows)} == repeated


def test_the_time_that_is_left_counts_compiling_once_for_each_new_k():
    wanted = plan(batch_sizes=(8, 16), learning_rates=(0.1, 0.2), num_seeds=1)
    cells = plans.first_cells(wanted)
    mine = [cell for cell in cells if cell.batch_size == 8]
    rows = [fake_row(mine[0], wall_seconds=5.0), fake_row(mine[1], wall_seconds=2.0)]
    assert plans.seconds_left(wanted, rows) == pytest.approx(2 * 2.0 + 3.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"problem": ""}, "`problem` must be the name of a problem; received ''"),
        ({"problem": None}, "`problem` must be the name of a problem; received None"),
        ({"num_examples": -3}, "`num_examples` must be an integer of at least 1; received -3"),
        ({"num_examples": 0}, "`num_examples` must be an integer of at least 1; received 0"),
        ({"num_examples": 64.0}, "`num_examples` must be an integer of at least 1; received 64.0"),
        ({"model": "mlp"}, "`model` must be a ModelConfig; received 'mlp'"),
        ({"batch_sizes": ()}, "`batch_sizes` must hold at least one"),
        ({"batch_sizes": 8}, "`batch_sizes` must be a sequence of numbers; received 8"),
        ({"batch_sizes": "8"}, "`batch_sizes` must be a sequence of numbers; received '8'"),
        ({"batch_sizes": (0,)}, "`batch_sizes` must be an integer of at least 1"),
        ({"batch_sizes": (8, "all")}, "`batch_sizes` must be an integer of at least 1; received 'all'"),
        ({"batch_sizes": (8, 65), "num_examples": 64}, r"`batch_sizes` must be an integer in \[1, 64\]; received 65"),
        ({"rule": "cubic"}, "`rule` must be one of tuned, fixed, linear, square_root"),
        ({"learning_rates": (0.0, 0.1)}, r"`learning_rates` must be in \(0, 100\]"),
        ({"learning_rates": (math.nan,)}, r"`learning_rates` must be in \(0, 100\]; received nan"),
        ({"learning_rates": ("fast",)}, r"`learning_rates` must be in \(0, 100\]; received 'fast'"),
        ({"learning_rates": 0.1}, "`learning_rates` must be a sequence of numbers; received 0.1"),
        ({"learning_rates": ()}, "`learning_rates` must hold at least one"),
        ({"learning_rates": (0.1, 0.2), "rule": "linear"}, "must be one rate for the rule 'linear'"),
        ({"num_seeds": 0}, "`num_seeds` must be an integer of at least 1"),
        ({"num_seeds": 2.0}, "`num_seeds` must be an integer of at least 1"),
        ({"target": math.nan}, "`target` must be a finite number greater than 0"),
        ({"target": -1.0}, "`target` must be a finite number greater than 0; received -1.0"),
        ({"target": "low"}, "`target` must be a finite number greater than 0; received 'low'"),
        ({"epochs": 0}, "`epochs` must be a finite number greater than 0"),
        ({"epochs": True}, "`epochs` must be a finite number greater than 0; received True"),
        ({"seconds": None}, "`seconds` must be a finite number greater than 0; received None"),
        ({"max_seconds": math.inf}, "`max_seconds` must be a finite number greater than 0; received inf"),
        ({"seconds": 2.0, "max_seconds": 1.0}, "`max_seconds` must be at least 2, .*; received 1"),
    ],
)
def test_what_can_not_be_swept_is_named(changes, message):
    with pytest.raises(ValueError, match=message):
        plan(**changes)


def test_a_batch_size_above_n_is_refused_before_anything_is_run():
    with pytest.raises(ValueError, match=r"`batch_sizes` must be an integer in \[1, 64\]; received 65"):
        next(measure.sweep(quadratic(), plan(batch_sizes=(8, 65))))


def test_a_sweep_takes_n_from_the_samples_that_it_is_given():
    N = 2 * problems.CATALOGUE["line"].num_examples
    whole = plan(problem="line", batch_sizes=(N,), learning_rates=(0.1,), num_seeds=1, seconds=0.01, max_seconds=0.01)
    (row,) = measure.sweep(problems.load("line", num_examples=N), whole)
    assert (row.batch_size, row.num_examples) == (N, N)


def test_a_worker_makes_the_runs_of_a_slice_and_their_rows_travel():
    whole = plan(problem="line", num_examples=50, batch_sizes=(8, 50), learning_rates=(0.1,), max_seconds=0.1)
    cells = tuple(plans.first_cells(whole))
    rows = [row for row in travelled(run_cells, whole.family, cells, 60.0) if isinstance(row, CellResult)]
    assert [row.key for row in rows] == [cell.key for cell in cells]
    config = TrainConfig(batch_size=8, learning_rate=0.1)
    points = travelled(measure_landscape, whole.family, config)
    assert {type(point) for point in points} == {LandscapePoint}
    assert len(points) == 3


def test_a_sweep_in_a_notebook_yields_the_rows_of_all_its_runs():
    wanted = plan(learning_rates=(0.01, 0.1), num_seeds=2, epochs=2)
    rows = list(measure.sweep(quadratic(), wanted))
    assert not plans.missing_cells(wanted, rows)
    assert len(rows) == len({row.key for row in rows})
    assert {row.seed for row in rows} == {0, 1}


@pytest.mark.parametrize(("problem", "kind"), SEARCHED)
def test_each_rate_of_a_grid_is_tried_once_and_the_searched_ones_lie_within(problem, kind):
    grid = plans.rate_grid(problem, ModelConfig(kind=kind))
    assert list(grid) == sorted(set(grid))
    searched = tuned_rates.tuned_learning_rates(problem, kind).values()
    assert grid[0] <= min(searched)
    assert max(searched) <= grid[-1]
