"""The learning rates that presets carry: on the searched points, between them, beyond them."""

import json
import math

import numpy as np
import pytest
import scipy.special
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf import problems
from sgd_tf.training import models, tuned_rates
from sgd_tf.training.records import MAX_LEARNING_RATE, ModelConfig


@pytest.fixture
def table(monkeypatch):
    values = {
        "toy": {kind: {"target": 0.3, "learning_rates": {"1": 0.01, "100": 1.0}} for kind in ("linear", "mlp")},
    }
    monkeypatch.setattr(tuned_rates, "_table", lambda: values)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("k", "rate"), [(1, 0.01), (10, 0.1), (100, 1.0), (32, 0.32), ("all", 1.0)])
def test_rates_lie_on_the_line_in_log_log_coordinates(k, rate):
    assert tuned_rates.tuned_learning_rate("toy", "mlp", k) == rate


@pytest.mark.usefixtures("table")
@given(num_examples=st.integers(2, 10**6))
def test_gradient_descent_has_its_own_rate_whatever_n(num_examples):
    for k in ("all", num_examples):
        assert tuned_rates.tuned_learning_rate("toy", "mlp", k, num_examples) == 1.0
    assert tuned_rates.tuned_learning_rate("toy", "mlp", 1, num_examples) == 0.01


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    # Searched: .01 at k = 1 and 1 for gradient descent. For any N the line in log-log coordinates ends at k = N.
    ("k", "num_examples", "rate"),
    [(10, 100, 0.1), (100, 10_000, 0.1), (4, 16, 0.1)],
)
def test_between_the_searched_sizes_the_line_goes_on_to_gradient_descent_at_n(k, num_examples, rate):
    assert tuned_rates.tuned_learning_rate("toy", "mlp", k, num_examples) == pytest.approx(rate)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("k", "num_examples"), [(-1, None), (0, None), (101, None), (51, 50), (1.5, None)])
def test_a_batch_size_outside_1_to_n_has_no_rate(k, num_examples):
    message = rf'`batch_size` must be in \[1, {num_examples or 100}\] or "all"; received {k}\.'
    with pytest.raises(ValueError, match=message):
        tuned_rates.tuned_learning_rate("toy", "mlp", k, num_examples)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("model", "k", "num_examples", "searched"),
    [
        (ModelConfig(), 1, None, True),
        (ModelConfig(), "all", None, True),
        (ModelConfig(), 100, 100, True),
        (ModelConfig(), 10, None, False),  # between two searched sizes
        (ModelConfig(), 99, None, False),  # N - 1
        (ModelConfig(), "all", 50, False),  # another N
        (ModelConfig(), 1, 50, False),
        (ModelConfig(widths=(64, 64, 64, 64)), 1, None, False),
        (ModelConfig(activation="tanh"), 1, None, False),
        (ModelConfig(kind="cnn"), 1, None, False),  # never searched
        (ModelConfig(kind="linear", widths=(7,), activation="tanh"), "all", None, True),  # has no hidden layers
    ],
)
def test_searched_is_only_what_was_tried_with_this_model_k_and_n(model, k, num_examples, searched):
    assert tuned_rates.is_searched("toy", model, k, num_examples) is searched


@pytest.mark.usefixtures("table")
def test_what_was_never_searched_has_no_rate_and_no_target():
    assert tuned_rates.tuned_learning_rate("toy", "cnn", 1) is None
    assert tuned_rates.target_loss("toy", "cnn") is None
    assert tuned_rates.target_loss("toy", "mlp") == 0.3


TABLE = tuned_rates._table()
SEARCHED = [(name, kind) for name, kinds in TABLE.items() for kind in kinds]
OFFLINE = [name for name, info in problems.CATALOGUE.items() if info.kind != "download"]
# A contestant is at most 2 % above the lowest loss after 10 ms: no loss is left to race for.
SOLVED_AT_ONCE = {
    ("line", "linear"),
    ("spirals", "linear"),
    ("teacher", "linear"),
    ("diabetes", "linear"),
    ("california", "linear"),
}


def test_every_problem_that_needs_no_download_was_searched_with_every_model():
    wanted = {(name, kind) for name in OFFLINE for kind in ("linear", "mlp")}
    wanted |= {(name, "cnn") for name in OFFLINE if problems.CATALOGUE[name].is_image}
    assert wanted <= set(SEARCHED)


@pytest.mark.parametrize(("name", "kind"), SEARCHED)
def test_each_rate_is_the_best_of_a_range_that_goes_beyond_it_on_both_sides(name, kind):
    entry = TABLE[name][kind]
    sizes = list(map(int, entry["learning_rates"]))
    assert (sizes[0], sizes[-1]) == (1, problems.CATALOGUE[name].num_examples)
    assert sizes == sorted(sizes)
    for k, rate in entry["learning_rates"].items():
        losses = {float(text): math.inf if loss is None else loss for text, loss in entry["tried"][k].items()}
        assert losses[rate] == min(losses.values())
        assert min(losses) < rate
        assert rate < max(losses) or rate == MAX_LEARNING_RATE


@pytest.mark.parametrize(("name", "kind"), SEARCHED)
def test_a_race_has_a_target_that_nobody_has_at_the_start_and_somebody_reaches_well_before_the_end(name, kind):
    target, race = TABLE[name][kind]["target"], TABLE[name][kind]["race"]
    assert target <= 0.9 * race["untrained_loss"]
    shares = [share for share in race["reached"].values() if share is not None]
    if (name, kind) in SOLVED_AT_ONCE:
        assert target == pytest.approx(1.05 * race["lowest_loss"], rel=0.005)
        assert min(race["first_loss"].values()) <= 1.02 * race["lowest_loss"]
        assert len(shares) == 3
        return
    assert all(target <= (loss + race["lowest_loss"]) / 2 for loss in race["first_loss"].values())
    assert any(0.02 <= share <= 0.9 for share in shares)


@pytest.mark.parametrize(("name", "kind"), SEARCHED)
def test_the_runs_of_a_sweep_reach_its_target_in_time_and_not_at_their_start(name, kind):
    measured, budget = TABLE[name][kind]["sweep"], tuned_rates.sweep_budget(name, kind)
    assert measured["target"] == budget.target  # measured with the target that the page has
    assert budget.target <= 0.9 * TABLE[name][kind]["race"]["untrained_loss"]
    *_, of_all = measured["reached"].values()
    shares = [share for share in measured["reached"].values() if share is not None]
    assert of_all is not None
    assert of_all <= 0.9
    assert min(shares) > 0
    assert any(0.02 <= share <= 0.9 for share in shares)


@pytest.mark.parametrize("name", OFFLINE)
def test_targets_lie_well_below_the_loss_of_the_untrained_network(name):

    problem = problems.load(name)
    x, y = problem.x_train, problem.y_train
    for kind, entry in TABLE[name].items():
        outputs = models.build(problem, ModelConfig(kind=kind)).predict(x, batch_size=16_384, verbose=0)
        if problem.num_classes is None:
            untrained = np.mean((outputs[:, 0] - y) ** 2)
        else:
            untrained = np.mean(scipy.special.logsumexp(outputs, axis=1) - outputs[np.arange(len(y)), y])
        assert entry["race"]["untrained_loss"] == pytest.approx(untrained, rel=2e-3)
        assert entry["target"] <= 0.9 * untrained
        assert entry["sweep"]["target"] <= 0.9 * untrained


def test_the_file_is_as_the_script_writes_it():
    from importlib import resources

    text = resources.files("sgd_tf").joinpath("data/learning_rates.json").read_text(encoding="utf-8")
    assert json.dumps(json.loads(text), indent=1) + "\n" == text
