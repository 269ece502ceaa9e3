"""The pages' experiments in plain TensorFlow run without this package, and say what the lab says."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest

from sgd_tf import ModelConfig, TrainConfig, load, train
from sgd_tf.claims import plain as claims
from sgd_tf.devices import plain as devices
from sgd_tf.devices.rows import ParallelPlan
from sgd_tf.memory import plain as memory
from sgd_tf.memory.rows import PartsPlan
from sgd_tf.noise import plain as noise
from sgd_tf.noise.rows import LawPlan, PathPlan
from sgd_tf.plain_tensorflow import experiments
from sgd_tf.plain_tensorflow.records import PlainRun
from sgd_tf.racing import plain as racing
from sgd_tf.sampling import plain as sampling
from sgd_tf.sampling.rows import FloorPlan, GeniePlan, OrdersPlan, SortedPlan
from sgd_tf.sweep import plain as sweep
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.training.records import RacePlan
from tests.plain_tensorflow.test_plain_tensorflow import BLOCKED

SMALL = {"problem": "digits", "num_examples": 200}
LINEAR = ModelConfig(kind="linear")
SORT = 'rows = y_train.argsort(kind="stable")\nx_train, y_train = x_train[rows], y_train[rows]'
SCRIPTS = {  # the devices first: they must be there before TensorFlow has begun
    "devices": devices.fit(ParallelPlan(**SMALL, batch_size=50, num_updates=8)),
    "sweep": sweep.fits(
        SweepPlan(**SMALL, batch_sizes=(32, 200), learning_rates=(0.1,), rule="fixed", target=1, epochs=3)
    ),
    "sampling": sampling.orders(OrdersPlan(num_examples=60, buffer_size=5, seed=0), 16, 2),
    "sorted": experiments.contestants(
        PlainRun(**SMALL, model=LINEAR, num_epochs=1),
        {"in_order": TrainConfig(batch_size=50, sampling="in_order")},
        prepare=SORT,
    ),
    "noise": noise.law(LawPlan(**SMALL, model=LINEAR, num_epochs=0, learning_rate=0.1, seed=0)),
}


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each script prints, in a process that cannot import this package."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", BLOCKED],
        input=json.dumps({name: [script] for name, script in SCRIPTS.items()}),
        capture_output=True,
        text=True,
        cwd=tmp_path_factory.mktemp("elsewhere"),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


def of_the_lab(config, epochs):
    """Mean and spread over seeds of the training loss in the lab."""
    problem, losses = load("digits", num_examples=200), []
    for seed in range(6):
        *_, last = train(problem, TrainConfig(**config, seed=seed), epochs=epochs)
        losses.append(last.train_loss)
    return np.mean(losses), np.std(losses, ddof=1)


def test_two_devices_reach_the_loss_of_the_lab(printed):
    (loss,) = [float(line.split()[-1]) for line in printed["devices"] if line.startswith("training loss")]
    mean, spread = of_the_lab({"batch_size": 50, "learning_rate": 0.1}, 2)
    assert abs(loss - mean) < 4 * spread


def test_each_fit_of_a_sweep_reaches_the_loss_of_the_lab(printed):
    found = {
        int(k): float(loss)
        for k, loss in re.findall(r"k = (\d+), .+ training loss ([\d.]+),", "\n".join(printed["sweep"]))
    }
    assert set(found) == {32, 200}
    for k, loss in found.items():
        mean, spread = of_the_lab({"batch_size": k, "learning_rate": 0.1}, 3)
        assert abs(loss - mean) < 4 * spread


def test_the_pipelines_of_the_five_ways_draw_as_their_names_say(printed):
    lines = [re.match(r"(\w+), epoch (\d): (\d+) never drawn, order \[(.+?)\]$", line) for line in printed["sampling"]]
    orders = {(line[1], int(line[2])): (int(line[3]), [int(x) for x in line[4].split()]) for line in lines}
    assert len(orders) == 12
    for (way, _epoch), (missed, _order) in orders.items():
        assert (missed > 0) == (way == "with_replacement")
    assert orders["in_order", 1] == orders["in_order", 2] == (0, list(range(12)))
    assert orders["shuffle_once", 1] == orders["shuffle_once", 2]
    for way in ("reshuffle", "buffer", "permutation"):
        assert orders[way, 1] != orders[way, 2]
    assert all(sample - place < 5 for place, sample in enumerate(orders["buffer", 1][1]))


def test_the_measured_noise_of_the_gradients_follows_the_law_and_is_none_at_n(printed):
    rows = re.findall(r"k = (\d+): measured (\S+), law (\S+)", "\n".join(printed["noise"]))
    found = {int(k): (float(measured), float(law)) for k, measured, law in rows}
    assert set(found) == {2**i for i in range(8)} | {200}
    assert found[200][0] < 1e-9 < found[1][1]
    for k in (1, 8, 64):  # means of 100 draws
        assert found[k][0] == pytest.approx(found[k][1], rel=0.35)


def test_sorted_digits_are_trained_in_order(printed):
    assert printed["sorted"][0] == "in_order"
    assert any(line.startswith("test accuracy") for line in printed["sorted"])


RACE = {"GD": TrainConfig(batch_size="all", learning_rate=1.0), "SGD": TrainConfig(batch_size=32, learning_rate=0.5)}


@pytest.mark.parametrize(
    "script",
    [
        claims.gd_against_sgd(),
        racing.fits(RacePlan(problem="digits", configs=RACE)),
        racing.fits(RacePlan(problem="digits", configs=RACE | {"m": TrainConfig(momentum=0.9)})),
        memory.parts(PartsPlan(problem="digits", model=ModelConfig(), batch_size=1000)),
        noise.path(PathPlan()),
        sampling.floor(FloorPlan(batch_size=8, num_seeds=3)),
        sampling.by_class(SortedPlan(batch_size=32, learning_rate=0.1, buffer_size=100, num_seeds=3)),
        sampling.genie(GeniePlan(num_copies=4, batch_size=32, num_seeds=3)),
    ],
    ids=["claims", "race", "race with momentum", "memory", "noise", "floor", "sorted", "genie"],
)
def test_the_settings_of_the_page_are_in_the_code(script):
    compile(script, "experiment.py", "exec")
    assert "sgd_tf" not in script
    assert "import tensorflow as tf" in script
    assert max(map(len, script.splitlines())) <= 130


def test_race_and_memory_hold_k_the_rates_and_the_parts():
    assert "for k, rate in [(1437, 1.0), (32, 0.5)]:" in racing.fits(RacePlan(problem="digits", configs=RACE))
    assert "momentum=0.9" in racing.fits(RacePlan(problem="digits", configs={"m": TrainConfig(momentum=0.9)}))
    flights = memory.parts(PartsPlan(problem="flights", model=ModelConfig(), batch_size=16_384))
    assert "mnist.load_data()" in flights
    assert ".batch(4096)" in flights
    script = memory.parts(PartsPlan(problem="digits", model=ModelConfig(), batch_size=1000))
    assert ".batch(250)" in script
    assert "gradient_accumulation_steps=4" in script
    assert ".shuffle(4096" in sampling.genie(GeniePlan(num_copies=4, batch_size=32, num_seeds=3))


@pytest.mark.parametrize(
    "config", [TrainConfig(optimizer="adam"), TrainConfig(schedule="cosine", decay_epochs=3), TrainConfig(warmup=1)]
)
def test_what_has_no_plain_form_gives_no_code_instead_of_another_run(config):
    assert racing.fits(RacePlan(problem="digits", configs={"other": config})) is None
    assert racing.fits(RacePlan(problem="flights", configs=RACE)) is None
    with pytest.raises(ValueError, match="`config` must be SGD with a constant learning rate"):
        PlainRun(problem="digits", config=config)
