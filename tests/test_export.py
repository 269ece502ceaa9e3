"""An exported race is a program that runs, and repeats the race."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import get_args

import nbformat
import numpy as np
import pandas as pd
from hypothesis import example, given, settings
from hypothesis import strategies as st

import sgd_tf
from sgd_tf import problems
from sgd_tf.double_loop import notebook
from sgd_tf.double_loop.rows import DoubleLoopPlan
from sgd_tf.racing import scripts
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.script import sweep_script
from sgd_tf.training import models, records
from sgd_tf.training.records import ModelConfig, RacePlan, TrainConfig

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def plan(**changes):
    configs = {"GD": TrainConfig(batch_size="all", learning_rate=0.05), "k = 8": TrainConfig(batch_size=8, seed=3)}
    return RacePlan(**{"problem": "line", "num_examples": 100, "configs": configs, "seconds": 0.05, **changes})


def test_the_script_runs_from_an_empty_folder_and_writes_the_race(tmp_path):
    (tmp_path / "race.py").write_text(scripts.race_script(plan(target=1.0, model=ModelConfig(kind="linear"))))
    done = subprocess.run(
        [sys.executable, "race.py"], cwd=tmp_path, capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    history = pd.read_csv(tmp_path / "race.csv")
    assert set(history["run"]) == {"GD", "k = 8"}
    assert history["num_examples"].unique().tolist() == [100]
    assert (history.groupby("run")["seconds"].max() >= 0.05).all()
    assert "seconds" in done.stdout  # the table of the time to the target
    assert (tmp_path / "race.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_script_of_a_race_to_a_test_accuracy_measures_and_draws_it():
    source = scripts.race_script(plan(target=0.95, target_metric="test_accuracy"))
    compile(source, "race.py", "exec")
    assert "sgd_tf.time_to_target(history, 0.95, metric='test_accuracy')" in source
    assert "sgd_tf.charts.curves(history, target=0.95, y='test_accuracy')" in source


def test_the_script_names_what_differs_from_the_defaults_and_the_seed():
    configs = {"a": TrainConfig(momentum=0.9, sampling="buffer", buffer_size=50, micro_batch_size=4, seed=2)}
    source = scripts.race_script(plan(configs=configs, model=ModelConfig(widths=(64, 32), activation="tanh")))
    namespace = {}
    arguments = source[source.index("sgd_tf.TrainConfig(") :].split("\n")[0].rstrip(",")
    exec(f"config = {arguments}", {"sgd_tf": sgd_tf}, namespace)
    assert namespace["config"] == configs["a"]
    assert "sgd_tf.ModelConfig(kind='mlp', widths=(64, 32), activation='tanh')" in source


MODELS = st.builds(
    ModelConfig,
    kind=st.sampled_from([kind for kind in get_args(records.ModelKind) if kind != "layers"]),
    widths=st.lists(st.integers(1, 9), max_size=3).map(tuple),
    activation=st.sampled_from(get_args(records.Activation)),
)
SMALL = {"digits": 40, "diabetes": 20, "spirals": 20}


def run_until(source, end, **names):
    """The names that a script has defined before the first line that begins with `end`; nothing trains."""
    exec(compile(source[: source.index(f"\n{end}")], "script.py", "exec"), names)
    return names


@settings(max_examples=12)
@given(
    model=MODELS,
    problem=st.sampled_from(list(SMALL)),
    config=st.builds(TrainConfig, learning_rate=st.sampled_from([0.1, np.float64(0.1)]), seed=st.integers(0, 99)),
)
@example(model=ModelConfig(kind="cnn", activation="tanh"), problem="digits", config=TrainConfig())
def test_a_script_and_a_notebook_begin_with_the_weights_of_the_run_that_they_repeat(model, problem, config):
    if model.kind == "cnn":
        problem = "digits"
    N = SMALL[problem]
    data = problems.load(problem, num_examples=N)
    wanted = models.build(data, model, seed=config.seed)

    race = RacePlan(problem=problem, num_examples=N, model=model, configs={"one": config})
    names = run_until(scripts.race_script(race), "records = ")
    assert names["contestants"] == race.configs
    assert_same(models.build(names["problem"], names["model"], seed=config.seed), wanted, data)

    rate = config.learning_rate
    sweep = SweepPlan(problem=problem, num_examples=N, model=model, batch_sizes=(8,), learning_rates=(rate,), target=1)
    names = run_until(sweep_script(sweep), "rows = ")
    assert replace(names["plan"], model=model, num_examples=N) == sweep
    assert_same(models.build(names["problem"], names["plan"].model, seed=config.seed), wanted, data)

    setting = {"num_examples": N, "batch_size": 8, "num_epochs": 1, "learning_rate": rate, "seed": config.seed}
    lesson = DoubleLoopPlan(problem=problem, **setting)
    cells = nbformat.reads(notebook.double_loop_notebook(lesson, "sgd", model=model), as_version=4).cells
    names = {}
    exec(cells[2].source, names)
    assert names["learning_rate"] == rate
    assert_same(names["model"], models.build(names["problem"], model, seed=config.seed), names["problem"])


def assert_same(found, wanted, data):
    """The same initial weights, and the same outputs: a different activation would show there."""
    for a, b in zip(found.get_weights(), wanted.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(found(data.x_train[:5]), wanted(data.x_train[:5]))


def test_a_race_of_numpy_numbers_becomes_a_script_of_python_numbers():
    configs = {"a": TrainConfig(batch_size=np.int64(8), learning_rate=np.float64(0.1), momentum=np.float64(0.5))}
    race = plan(configs=configs, num_examples=np.int64(50), seconds=np.float64(0.1), target=np.float64(0.2))
    assert "np." not in scripts.race_script(race)


def test_names_in_the_script_are_quoted_whatever_they_hold():
    source = scripts.race_script(plan(configs={'a"); import os; ("': TrainConfig()}))
    tree = compile(source, "race.py", "exec")
    assert tree is not None
    assert "\nimport os" not in source
