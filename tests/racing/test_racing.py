"""The race: equal clocks, equal starts, divergence as a result; and the search for a learning rate."""

import copy
import math

import keras
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sgd_tf import problems
from sgd_tf.racing import race as racing
from sgd_tf.racing import rows, search
from sgd_tf.racing.race import race
from sgd_tf.racing.search import try_learning_rates
from sgd_tf.racing.trials import Trial, best_trial, has_turned
from sgd_tf.training import models, tuned_rates
from sgd_tf.training.records import ModelConfig, RacePlan, TrainConfig
from sgd_tf.training.run import train

CONFIGS = {"GD": TrainConfig(batch_size="all"), "SGD": TrainConfig(batch_size=8)}


class FakeRun:
    """A run whose updates take so many seconds of its own clock, for the fairness of the race alone."""

    log: list = []  # noqa: RUF012

    def __init__(self, problem, config, *, name, model=None):  # noqa: ARG002
        self.name, self.seconds, self.update, self.is_over, self.evaluation_seconds = name, 0.0, 0, False, 1e-6
        self.step = config.learning_rate
        self.closed = False

    def advance(self, update=math.inf, second=math.inf):
        self.log.append(self.name)
        while self.update < update and self.seconds < second:
            self.seconds += self.step
            self.update += 1

    def record(self):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.closed = True


def test_the_contestant_whose_clock_is_lowest_is_advanced_and_all_get_the_same_seconds(monkeypatch):
    monkeypatch.setattr(racing, "Run", FakeRun)
    FakeRun.log = []
    configs = {"slow": TrainConfig(learning_rate=0.03), "fast": TrainConfig(learning_rate=0.001)}
    clocks = {"slow": 0.0, "fast": 0.0}
    for run in race(None, configs, seconds=1.0):
        others = [seconds for name, seconds in clocks.items() if name != run.name]
        assert clocks[run.name] <= min(others)  # its clock before this advance
        clocks[run.name] = run.seconds
    for name, step in (("slow", 0.03), ("fast", 0.001)):
        assert 1.0 <= clocks[name] < 1.0 + step + 1e-9


def falling(arrivals):
    """A run whose loss falls to 0.5 at a second of its own, by name; inf for one that never does."""

    class Falling(FakeRun):
        def advance(self, update=math.inf, second=math.inf):
            super().advance(update, second)
            if arrivals[self.name] is None:
                self.is_over = True

        def record(self):
            self.run, self.test_accuracy = self.name, None
            self.train_loss = 0.5 if self.seconds >= (arrivals[self.name] or math.inf) else 2.0
            return copy.copy(self)

    return Falling


@pytest.mark.parametrize(
    ("arrivals", "end"),
    [
        ({"slow": 0.5, "fast": 0.2}, 0.51),  # the last one is there at its seventeenth step of 0.03
        ({"slow": math.inf, "fast": 0.2}, 1.0),  # one that does not arrive races to the limit
        ({"slow": None, "fast": 0.2}, 0.2),  # one that diverged is not waited for
    ],
)
def test_a_race_that_stops_at_its_target_ends_level_with_the_last_arrival(monkeypatch, arrivals, end):
    monkeypatch.setattr(racing, "Run", falling(arrivals))
    FakeRun.log = []
    configs = {"slow": TrainConfig(learning_rate=0.03), "fast": TrainConfig(learning_rate=0.001)}
    last = {record.run: record for record in race(None, configs, seconds=1.0, stop_at_target=0.5)}
    going = [name for name, at in arrivals.items() if at is not None]
    gap = 1 / 50  # between two records: an arrival is noticed at the next one
    assert all(end <= last[name].seconds < end + gap + configs[name].learning_rate for name in going)
    assert all(last[name].train_loss == 0.5 for name in going if arrivals[name] < 1.0)


def test_a_race_that_is_left_early_closes_its_runs(monkeypatch):
    monkeypatch.setattr(racing, "Run", FakeRun)
    records = race(None, CONFIGS, seconds=1.0)
    runs = {next(records) for _ in range(5)}
    records.close()
    assert {run.name for run in runs} == set(CONFIGS)
    assert all(run.closed for run in runs)


def test_contestants_start_from_the_same_loss_and_stop_at_the_same_second(classification):
    records = list(race(classification, CONFIGS, seconds=0.05))
    first = {r.run: r for r in reversed(records)}
    last = {r.run: r for r in records}
    assert first["GD"].train_loss == first["SGD"].train_loss
    assert {r.update for r in first.values()} == {0}
    assert all(r.seconds >= 0.05 for r in last.values())
    assert last["GD"].batch_size == 70
    assert last["GD"].epoch == last["GD"].update


def test_a_contestant_is_seen_at_work_before_the_next_one_is_compiled(classification):
    records = list(race(classification, CONFIGS, seconds=0.05))
    assert [(r.run, r.update > 0) for r in records[:4]] == [("GD", False), ("GD", True), ("SGD", False), ("SGD", True)]


def test_a_contestant_trains_in_a_race_as_it_does_alone(classification):
    config = TrainConfig(batch_size=8, learning_rate=0.1, seed=2)
    together = [r for r in race(classification, {"GD": CONFIGS["GD"], "SGD": config}, seconds=0.03) if r.run == "SGD"]
    losses = np.concatenate([r.minibatch_loss for r in together])
    alone = list(train(classification, config, updates=len(losses)))
    np.testing.assert_array_equal(losses, np.concatenate([r.minibatch_loss for r in alone]))


def test_the_others_race_on_when_one_diverges(make_problem):
    problem = make_problem["regression"](70)
    configs = {"wild": TrainConfig(batch_size="all", learning_rate=100), "calm": TrainConfig(learning_rate=0.01)}
    last = {r.run: r for r in race(problem, configs, seconds=0.05)}
    assert last["wild"].diverged_at is not None
    assert last["calm"].diverged_at is None
    assert last["calm"].seconds >= 0.05


def test_a_race_that_diverged_gives_the_largest_stable_rate_of_a_quadratic():
    model = ModelConfig(kind="linear", widths=())

    def raced(rate):
        configs = {"GD": TrainConfig(batch_size="all", learning_rate=rate)}
        plan = RacePlan(problem="line", num_examples=50, configs=configs, model=model, seconds=0.02)
        return list(rows.run_race(plan))

    x = np.vstack([problems.load("line", num_examples=50).x_train[:, 0].astype(float), np.ones(50)])
    limit = 2 / np.linalg.norm(2 / 50 * x @ x.T, ord=2)  # the largest singular value of the Hessian
    (found,) = (row for row in raced(1.2 * limit) if isinstance(row, rows.StableLimit))
    assert found.learning_rate == pytest.approx(limit, rel=1e-5)
    assert not any(isinstance(row, rows.StableLimit) for row in raced(0.5 * limit))


def test_each_contestant_starts_from_the_weights_of_a_given_model_which_stays_as_it_is(classification):
    model = models.mlp(classification, widths=(4,), seed=6)
    before = model.get_weights()
    records = list(race(classification, CONFIGS, seconds=0.02, model=model))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    expected = float(loss(classification.y_train, model(classification.x_train)))
    assert [r.train_loss for r in records if r.update == 0] == pytest.approx([expected] * 2, rel=1e-5)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({}, 1.0), "`configs` must name at least one contestant; received none."),
        ((CONFIGS, 0), "`seconds` must be a finite number greater than 0; received 0."),
        ((CONFIGS, math.nan), "`seconds` must be a finite number greater than 0; received nan."),
    ],
)
def test_bad_arguments_are_named_at_the_call(classification, arguments, message):
    configs, seconds = arguments
    with pytest.raises(ValueError, match=message):
        race(classification, configs, seconds=seconds)


def test_the_search_finds_the_learning_rate_between_too_small_and_divergent(make_problem):
    problem = make_problem["regression"](70)
    rates = [1e-6, 0.1, 100.0]
    trials = list(try_learning_rates(problem, CONFIGS["GD"], seconds=0.02, learning_rates=rates, patience=None))
    assert [t.learning_rate for t in trials] == rates
    assert trials[2].diverged_at is not None
    assert trials[2].mean_loss == trials[2].train_loss == math.inf
    assert best_trial(trials).learning_rate == 0.1


def test_the_search_ends_when_so_many_rates_in_a_row_were_clearly_worse(make_problem):
    problem = make_problem["regression"](70)
    rates = [0.001, 0.1, 100.0, 90.0, 80.0]
    trials = try_learning_rates(problem, CONFIGS["GD"], seconds=0.02, learning_rates=rates, patience=2)
    assert [t.learning_rate for t in trials] == [0.001, 0.1, 100.0, 90.0]


def trial(learning_rate, mean_loss):
    return Trial(learning_rate=learning_rate, mean_loss=mean_loss, train_loss=0.0, updates=1, diverged_at=None)


@pytest.fixture
def losses_of(monkeypatch):
    """A search that trains nothing: the mean loss of a trial is a function of its learning rate."""

    def trials_of(loss, **options):
        monkeypatch.setattr(search, "_measured_at", lambda *_: [1])
        monkeypatch.setattr(
            search, "_try", lambda _, config, *__: trial(config.learning_rate, loss(config.learning_rate))
        )
        return list(try_learning_rates(None, TrainConfig(), **options))

    return trials_of


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(best=st.floats(-5.9, 1.9), start=st.integers(-16, 4), num=st.integers(1, 21), stable=st.floats(0.3, 3.0))
def test_the_search_goes_on_until_the_loss_has_turned_whereever_it_begins(losses_of, best, start, num, stable):
    def loss(rate):  # a valley around 10^best; a rate that many times larger diverges
        exponent = math.log10(rate)
        return math.inf if exponent > best + stable else 1 + (exponent - best) ** 2

    rates = [float(f"{10 ** (exponent / 4):.2g}") for exponent in range(start, min(start + num, 5))]
    trials = losses_of(loss, learning_rates=rates)
    found = best_trial(trials).learning_rate
    assert has_turned(trials) or found in (1e-6, 100.0)
    assert abs(math.log10(found) - best) <= 0.14  # half of a step of 1/4, and its rounding
    tried = [t.learning_rate for t in trials]
    assert len(set(tried)) == len(tried)
    assert all(1e-6 <= rate <= 100 for rate in tried)


def test_beyond_its_grid_the_search_goes_on_in_the_steps_of_its_grid(losses_of):
    trials = losses_of(lambda rate: 1 / rate)  # the larger the better
    assert [t.learning_rate for t in trials] == [*tuned_rates.LEARNING_RATES, 18.0, 32.0, 56.0, 100.0]
    assert not has_turned(trials)
    trials = losses_of(lambda rate: rate, learning_rates=[0.01, 0.1])  # the smaller the better
    assert [t.learning_rate for t in trials] == [0.01, 0.1, 0.001, 1e-4, 1e-5, 1e-6]
    assert not has_turned(trials)


def test_where_all_rates_diverge_the_search_goes_down_until_one_does_not(losses_of):
    trials = losses_of(lambda rate: math.inf if rate > 2e-4 else 1 / rate, learning_rates=[0.1, 1.0])
    assert best_trial(trials).learning_rate == 1e-4
    assert has_turned(trials)


def test_a_loss_that_no_rate_changes_ends_the_search(losses_of):
    assert [t.learning_rate for t in losses_of(lambda _: 0.5, learning_rates=[0.1, 1.0])] == [0.1, 1.0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seconds": math.nan}, "`seconds` must be a finite number greater than 0; received nan."),
        ({"seconds": -1}, "`seconds` must be a finite number greater than 0; received -1."),
        ({"seconds": math.inf}, "`seconds` must be a finite number greater than 0; received inf."),
        ({"learning_rates": ()}, "`learning_rates` must hold at least one learning rate; received none."),
        ({"learning_rates": (0.1, -1.0)}, r"`learning_rate` must be in \(0, 100\]; received -1.0."),
        ({"patience": 0}, "`patience` must be an integer of at least 1; received 0."),
    ],
)
def test_a_search_names_a_bad_argument_at_the_call(options, message):
    with pytest.raises(ValueError, match=message):
        try_learning_rates(None, TrainConfig(), **options)


def test_the_mean_loss_is_that_of_a_run_measured_evenly_in_the_logarithm_of_its_updates(make_problem):
    problem = make_problem["regression"](70)
    linear = ModelConfig(kind="linear")
    (trial,) = try_learning_rates(
        problem, CONFIGS["GD"], seconds=0.02, learning_rates=[0.01], patience=None, model=linear
    )
    # Least squares from the same start: gradient descent in NumPy.
    kernel, bias = models.linear(problem, seed=0).get_weights()
    X = np.column_stack([problem.x_train.astype(float), np.ones(70)])
    y, w = problem.y_train.astype(float), np.append(kernel, bias).astype(float)
    losses = [np.mean((X @ w - y) ** 2)]
    for _ in range(trial.updates):
        w -= 0.01 * 2 * X.T @ (X @ w - y) / 70
        losses.append(np.mean((X @ w - y) ** 2))
    n = trial.updates
    measured = np.unique(np.geomspace(max(1, n / 50), n, 12).astype(int))
    assert trial.train_loss == pytest.approx(losses[n], rel=1e-3)
    assert trial.mean_loss == pytest.approx(np.exp(np.mean(np.log(np.array(losses)[measured]))), rel=1e-3)


def test_of_trials_that_all_diverged_none_is_best():
    with pytest.raises(ValueError, match="one that did not diverge; all 2 did, the smallest learning rate was 30"):
        best_trial([trial(rate, math.inf) for rate in (30.0, 60.0)])
    assert best_trial([trial(30.0, math.inf), trial(60.0, 5.0)]).learning_rate == 60.0


def test_a_search_in_which_all_trials_diverge_ends(losses_of):
    trials = losses_of(lambda _: math.inf, learning_rates=[0.1, 1.0])
    assert min(t.learning_rate for t in trials) == search.MIN_LEARNING_RATE
    with pytest.raises(ValueError, match="one that did not diverge"):
        best_trial(trials)


def test_of_equal_trials_the_smaller_learning_rate_is_best():
    assert best_trial([trial(rate, 0.5) for rate in (0.3, 0.1, 0.2)]).learning_rate == 0.1


def test_learning_rates_run_evenly_in_the_logarithm():
    ratios = np.diff(np.log10(tuned_rates.LEARNING_RATES))
    assert tuned_rates.LEARNING_RATES[0] == 0.0001
    assert tuned_rates.LEARNING_RATES[-1] == 10
    np.testing.assert_allclose(ratios, 0.25, atol=0.02)
