"""The learning rates that presets carry: on the searched points, between them, beyond them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf import presets, problems
from sgd_tf.records import ModelConfig


@pytest.fixture
def table(monkeypatch):
    values = {
        "toy": {kind: {"target": 0.3, "learning_rates": {"1": 0.01, "100": 1.0}} for kind in ("linear", "mlp")},
    }
    monkeypatch.setattr(presets, "_table", lambda: values)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("k", "rate"), [(1, 0.01), (10, 0.1), (100, 1.0), (32, 0.32), ("all", 1.0)])
def test_rates_lie_on_the_line_in_log_log_coordinates(k, rate):
    assert presets.tuned_learning_rate("toy", "mlp", k) == rate


@pytest.mark.usefixtures("table")
@given(num_examples=st.integers(2, 10**6))
def test_gradient_descent_has_its_own_rate_whatever_n(num_examples):
    for k in ("all", num_examples):
        assert presets.tuned_learning_rate("toy", "mlp", k, num_examples) == 1.0
    assert presets.tuned_learning_rate("toy", "mlp", 1, num_examples) == 0.01


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    # Searched: .01 at k = 1 and 1 for gradient descent. For any N the line in log-log coordinates ends at k = N.
    ("k", "num_examples", "rate"),
    [(10, 100, 0.1), (100, 10_000, 0.1), (4, 16, 0.1)],
)
def test_between_the_searched_sizes_the_line_goes_on_to_gradient_descent_at_n(k, num_examples, rate):
    assert presets.tuned_learning_rate("toy", "mlp", k, num_examples) == pytest.approx(rate)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("k", "num_examples"), [(-1, None), (0, None), (101, None), (51, 50), (1.5, None)])
def test_a_batch_size_outside_1_to_n_has_no_rate(k, num_examples):
    message = rf'`batch_size` must be in \[1, {num_examples or 100}\] or "all"; received {k}\.'
    with pytest.raises(ValueError, match=message):
        presets.tuned_learning_rate("toy", "mlp", k, num_examples)


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
    assert presets.is_searched("toy", model, k, num_examples) is searched


@pytest.mark.usefixtures("table")
def test_what_was_never_searched_has_no_rate_and_no_target():
    assert presets.tuned_learning_rate("toy", "cnn", 1) is None
    assert presets.target_loss("toy", "cnn") is None
    assert presets.target_loss("toy", "mlp") == 0.3


@pytest.mark.parametrize("name", [n for n, info in problems.CATALOGUE.items() if info.kind != "download"])
def test_every_problem_that_needs_no_download_has_rates_from_1_to_all(name):
    info = problems.CATALOGUE[name]
    kinds = ["linear", "mlp", *(["cnn"] if info.is_image else [])]
    for kind in kinds:
        entry = presets._table()[name][kind]
        sizes = sorted(map(int, entry["learning_rates"]))
        assert (sizes[0], sizes[-1]) == (1, info.num_examples)
        assert all(rate in presets.LEARNING_RATES for rate in entry["learning_rates"].values())
        assert 0 < entry["target"] < math.inf


def test_the_file_is_as_the_script_writes_it():
    from importlib import resources

    text = resources.files("sgd_tf").joinpath("data/learning_rates.json").read_text(encoding="utf-8")
    assert json.dumps(json.loads(text), indent=1) + "\n" == text
