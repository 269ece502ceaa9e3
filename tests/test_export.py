"""An exported race is a program that runs, and repeats the race."""

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd

import sgd_tf
from sgd_tf import export
from sgd_tf.records import ModelConfig, RacePlan, TrainConfig

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}


def plan(**changes):
    configs = {"GD": TrainConfig(batch_size="all", learning_rate=0.05), "k = 8": TrainConfig(batch_size=8, seed=3)}
    return RacePlan(**{"problem": "line", "num_examples": 100, "configs": configs, "seconds": 0.05, **changes})


def test_the_script_runs_from_an_empty_folder_and_writes_the_race(tmp_path):
    (tmp_path / "race.py").write_text(export.race_script(plan(target=1.0, model=ModelConfig(kind="linear"))))
    done = subprocess.run(
        [sys.executable, "race.py"], cwd=tmp_path, capture_output=True, text=True, check=True, env=ENVIRONMENT
    )
    history = pd.read_csv(tmp_path / "race.csv")
    assert set(history["run"]) == {"GD", "k = 8"}
    assert history["num_examples"].unique().tolist() == [100]
    assert (history.groupby("run")["seconds"].max() >= 0.05).all()
    assert "seconds" in done.stdout  # the table of the time to the target
    assert (tmp_path / "race.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_the_script_names_what_differs_from_the_defaults_and_the_seed():
    configs = {"a": TrainConfig(momentum=0.9, sampling="buffer", buffer_size=50, micro_batch_size=4, seed=2)}
    source = export.race_script(plan(configs=configs, model=ModelConfig(widths=(64, 32), activation="tanh")))
    namespace = {}
    arguments = source[source.index("sgd_tf.TrainConfig(") :].split("\n")[0].rstrip(",")
    exec(f"config = {arguments}", {"sgd_tf": sgd_tf}, namespace)
    assert namespace["config"] == configs["a"]
    assert "sgd_tf.ModelConfig(widths=(64, 32), activation='tanh')" in source


def test_names_in_the_script_are_quoted_whatever_they_hold():
    source = export.race_script(plan(configs={'a"); import os; ("': TrainConfig()}))
    tree = compile(source, "race.py", "exec")
    assert tree is not None
    assert "\nimport os" not in source
