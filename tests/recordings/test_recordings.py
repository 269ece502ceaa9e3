"""The recorded runs of the package: whole, small, and what a fresh run gives."""

import json
from importlib import resources

import numpy as np
import pytest
import tensorflow as tf

from sgd_tf.recordings import draws, gradients, load, make, updates
from sgd_tf.recordings.plans import PLANS
from sgd_tf.recordings.sweeps import MAP_EPOCHS, MAP_RATES, _end

FOLDER = resources.files("sgd_tf.recordings")
MAX_BYTES = 1_500_000


def test_every_recording_has_a_file_with_machine_date_and_versions_and_all_are_small():
    places = [*FOLDER.iterdir(), *FOLDER.joinpath("lab").iterdir()]
    files = {file.name: file.read_text(encoding="utf-8") for file in places if file.name.endswith(".json")}
    assert set(files) == {f"{name}.json" for name in [*make.MAKERS, *(run.__name__ for run in PLANS)]}
    assert sum(len(text.encode()) for text in files.values()) < MAX_BYTES
    for text in files.values():
        recording = json.loads(text)
        assert all(recording[field] for field in ("machine", "date", "versions", "data"))


def test_a_new_recording_of_the_orders_is_the_same():
    tf.random.set_seed(None)  # another test may have seeded the process, which `Dataset.shuffle` mixes in
    assert draws.shuffle() == load("shuffle").data


def test_a_new_recording_of_gradient_descent_has_the_same_losses():
    fresh = updates._descent(60)["losses"]
    assert fresh == pytest.approx(load("one_update").data["60"]["losses"], rel=1e-3)


def test_the_recorded_double_loop_and_model_fit_differ_by_rounding_at_most():
    fresh = updates.two_loops()
    recorded = load("two_loops").data
    assert fresh["drawn"] == recorded["drawn"]
    assert fresh["losses"] == pytest.approx(recorded["losses"], rel=1e-3)
    assert max(fresh["difference"], recorded["difference"]) < 1e-6


def test_the_recorded_gradients_are_those_of_the_model():
    fresh, recorded = gradients.cloud(), load("cloud").data
    for k in map(str, gradients.SIZES):
        assert fresh[k]["angle"] == pytest.approx(recorded[k]["angle"], abs=0.5)
        assert recorded[k]["mean_difference"] < 1e-12
        along, across = np.array(recorded[k]["arrows"]).T
        assert np.median(np.degrees(np.arctan2(abs(across), along))) == pytest.approx(recorded[k]["angle"], abs=6)


def test_a_cell_of_the_recorded_map_is_within_the_spread_of_fresh_seeds():
    from sgd_tf.problems import load as load_problem

    problem, rate = load_problem("digits"), 0.5
    recorded = load("rate_map").data["losses"]["128"][MAP_RATES.index(rate)]
    fresh = [_end(problem, 128, rate, MAP_EPOCHS, seed)[0] for seed in range(3, 8)]
    spread = max(fresh) - min(fresh)
    assert min(fresh) - spread <= recorded <= max(fresh) + spread


def test_in_the_recorded_race_the_misread_digits_are_those_of_the_accuracy():
    data = load("race").data
    for k in ("all", "32"):
        shares = [1 - wrong.count("1") / data["num_test"] for wrong in data[k]["wrong"]]
        assert shares == pytest.approx(data[k]["accuracies"], abs=1e-4)
