"""The page on several devices in both languages, on rows that are given: the times, a process that is lost."""

import subprocess
import sys

import pytest

from sgd_tf.devices import rows, view
from sgd_tf.devices.rows import (
    Cores,
    DevicesPlan,
    Difference,
    Ended,
    FirstMinibatch,
    Lost,
    MachinesPlan,
    ParallelPlan,
    Part,
    Stage,
    Update,
)
from tests.lab import LANGUAGES, checked, open_app

PAGE = "pages/lab/data_parallel.py"


pytestmark = pytest.mark.usefixtures("cluster")


RUN = ParallelPlan(num_updates=30)
RIGHT = ":material/check_circle:"


def verdict(app):
    """What the frame says of the run, with the icon that it stands beside."""
    (said,) = [each for kind in (app.success, app.warning, app.info, app.error) for each in kind]
    return said.value, said.icon


def run_part(cluster, part, guess, found, *, language="en", status="done", **address):
    app = open_app(language, page=PAGE, parallel_part=part, **address)
    if guess:
        app.pills(key=f"parallel_{part}_guess").set_value(guess).run()
    app.button(key=f"parallel_{part}_run").click().run()
    cluster.jobs[-1].rows, cluster.jobs[-1].status = [Cores(num=2), Stage(stage="training", worker=0), *found], status
    return checked(app.run())


def updates(count, num, *, ms=100.0):
    """Updates that take so many ms, after the first two."""
    return [
        Update(replicas=count, seed=0, update=n, seconds=1.0 if n <= 2 else ms / 1e3, loss=1.0, device="CPU")
        for n in range(1, num + 1)
    ]


def device_rows(times, *, k=256, difference=6e-8):
    """Runs of 30 updates that take so many ms, by number of devices."""
    found = []
    for count, ms in times.items():
        parts = [
            Part(indices=list(range(r * k // count, (r + 1) * k // count)), norm=0.6, along=0.5, across=0.1 * (-1) ** r)
            for r in range(count)
        ]
        found.append(FirstMinibatch(replicas=count, seed=0, norm=0.5, parts=parts))
        found += updates(count, 30, ms=ms)
        found.append(Difference(replicas=count, difference=difference))
    return found


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_weights_of_all_devices_judge_the_guess_and_the_times_are_in_the_sentence(cluster, language):
    app = run_part(cluster, "devices", "same", device_rows({1: 2.0, 2: 3.0, 4: 5.0}), language=language)
    job = cluster.jobs[-1]
    assert job.function is rows.train_over_devices
    assert job.arguments == (DevicesPlan(run=RUN, largest=4),)
    text, icon = verdict(app)
    assert icon == RIGHT
    table = app.table[0].value
    assert table.index.tolist() == ["1", "2", "4"]
    assert table.iloc[:, 0].tolist() == ["256", "128", "64"]
    assert table.iloc[:, 1].tolist() == ["2 ms", "3 ms", "5 ms"]  # the first two updates are left out
    assert table.iloc[:, 2].tolist() == ["6 · 10⁻⁸"] * 3
    assert "2.5" in text  # 5 ms / 2 ms


def test_a_run_that_was_stopped_shows_its_parts_and_judges_no_prediction(cluster):
    found = device_rows({1: 2.0, 2: 3.0})[:40]
    app = run_part(cluster, "devices", "same", found, status="stopped", parallel_r="2")
    assert cluster.jobs[-1].arguments[0].device_counts == (1, 2)
    text, _icon = verdict(app)
    assert text.startswith("Stopped before there were two results")
    assert len(app.table[0].value) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_after_a_loss_the_seconds_until_no_process_was_left_are_said(cluster, language):
    stages = [Stage(stage=stage, worker=w) for stage in ("tensorflow", "devices", "training") for w in (0, 1)]
    found = [*stages, *updates(2, 5), Lost(worker=1), Ended(worker=1, seconds=0.13)]
    app = run_part(cluster, "machines", "same", found, language=language, parallel_fate="lose")
    assert cluster.jobs[-1].function is rows.train_over_workers
    assert cluster.jobs[-1].arguments == (MachinesPlan(run=RUN, num_workers=2, lose_after=5),)
    text, icon = verdict(app)  # neither right nor wrong: the run has no weights to compare
    assert icon == ":material/block:"
    assert "0.13" in text
    states = app.table[0].value.iloc[:, 0].tolist()
    assert (
        states == {"en": ["stopped by the watcher", "was killed"], "ko": ["감시자가 종료함", "강제 종료됨"]}[language]
    )


def test_processes_that_stay_make_the_update_of_one(cluster):
    app = run_part(cluster, "machines", "same", [*updates(2, 30), Difference(replicas=2, difference=6e-8)])
    assert cluster.jobs[-1].arguments[0].lose_after is None
    text, icon = verdict(app)
    assert icon == RIGHT
    assert "differ by at most 6 · 10⁻⁸" in text
    assert app.table[0].value.iloc[:, 0].tolist() == ["done", "done"]


def test_the_command_lines_are_those_of_the_run_that_is_chosen():
    app = open_app("en", page=PAGE, parallel_part="machines", parallel_workers="3", parallel_k="64")
    shown = app.code[0].value
    assert "sgd-tf data-parallel --workers 3 \\\n  --problem digits --batch-size 64" in shown
    assert "--index 0" in shown
    assert "--index 1" in shown


CHECK = """
from sgd_tf import problems

problem = problems.load("{problem}", num_examples=100)
order = np.random.default_rng(0).permutation(100)
tf.data.Dataset.shuffle = lambda data, *_, **__: tf.data.Dataset.from_tensor_slices(order)  # as below
outputs = problem.num_classes or 1


def build():
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.layers.Input(problem.x_train.shape[1:]), keras.layers.Dense(outputs)])


found = train(build, problem.x_train, problem.y_train, k=33, updates=8)  # the last minibatch of an epoch has 1 sample
alone = build()
alone.compile(keras.optimizers.SGD(0.1), "mse" if outputs == 1 else keras.losses.SparseCategoricalCrossentropy(True))
for update in range(8):
    rows = order[33 * (update % 4) : 33 * (update % 4) + 33]
    alone.train_on_batch(problem.x_train[rows], problem.y_train[rows])
for ours, theirs in zip(found.get_weights(), alone.get_weights(), strict=True):
    np.testing.assert_allclose(ours, theirs, atol=1e-5)
print(strategy.num_replicas_in_sync, "replicas")
tf.config.set_logical_device_configuration = lambda *_: None  # once in a process
"""


def test_the_code_over_two_devices_makes_the_updates_of_keras_on_one():
    parts = [view.code(ParallelPlan(problem=name)) + CHECK.format(problem=name) for name in ("digits", "teacher")]
    script = "\n".join(parts)
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=False)
    assert done.stdout.split("\n") == ["2 replicas", "2 replicas", ""], done.stderr[-2000:]
