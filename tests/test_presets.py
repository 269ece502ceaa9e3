"""The learning rates that presets carry: on the searched points, between them, beyond them."""

import json
import math

import pytest

from sgd_tf import presets, problems


@pytest.fixture
def table(monkeypatch):
    values = {"toy": {"mlp": {"target": 0.3, "learning_rates": {"1": 0.01, "100": 1.0}}}}
    monkeypatch.setattr(presets, "_table", lambda: values)


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("k", "rate"), [(1, 0.01), (10, 0.1), (100, 1.0), (5_000, 1.0), (31.6227766, 0.32)])
def test_rates_lie_on_the_line_in_log_log_coordinates_and_end_at_the_searched_sizes(k, rate):
    assert presets.tuned_learning_rate("toy", "mlp", k) == rate


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
