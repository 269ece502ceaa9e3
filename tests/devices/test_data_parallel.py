"""One minibatch over several devices and processes: the update of one device, and no process left behind."""

import os
import signal
import subprocess
import sys
import time

import keras
import numpy as np
import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf import __main__ as command_line
from sgd_tf import problems
from sgd_tf.devices import replicas
from sgd_tf.devices.replicas import PeerError, over_devices, over_workers, split
from sgd_tf.devices.rows import FirstMinibatch, ParallelPlan, Stage, Update, Weights
from sgd_tf.training import models, pipeline
from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.records import ModelConfig

# 16 updates: more than an epoch of 1,437 samples, whose last minibatch has 37.
PLAN = ParallelPlan(problem="digits", batch_size=100, num_updates=16, learning_rate=0.1)
# Minibatches of 7, 7 and 1 of 15 samples: three devices have 3, 2 and 2 of them, at the end of an epoch 1, 0 and 0; two
# processes have 4 and 3, then 1 and 0.
UNEQUAL = ParallelPlan(
    problem="digits", model=ModelConfig(kind="cnn"), num_examples=15, batch_size=7, num_updates=7, learning_rate=0.1
)


@pytest.fixture(scope="module")
def alone():
    """Weights of the same run by the lab's own loop, in this process."""
    return replicas.alone(PLAN)


@pytest.fixture(scope="module")
def plain():
    """Losses of the minibatches of UNEQUAL and the weights at the end, by Keras alone, in this process."""
    problem = problems.load("digits", num_examples=15)
    model = models.build(problem, UNEQUAL.model, seed=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.1), loss, jit_compile=False)
    minibatches = pipeline.minibatches(problem, 7, seed=0).repeat().take(7)
    losses = [float(model.train_on_batch(x, y)) for x, y in minibatches]
    return losses, np.concatenate([weights.ravel() for weights in model.get_weights()])


@pytest.fixture(scope="module")
def devices():
    """Rows by number of devices; one process makes both runs."""
    rows = [row for row in over_devices(PLAN, [1, 3]) if isinstance(row, FirstMinibatch | Update | Weights)]
    return {count: [row for row in rows if row.replicas == count] for count in (1, 3)}


@pytest.mark.parametrize("count", [1, 3])
def test_several_devices_make_the_updates_of_one(devices, alone, count):
    _first, *updates, weights = devices[count]
    np.testing.assert_allclose(weights.values, alone, atol=1e-6)
    assert [row.update for row in updates] == list(range(1, 17))


def test_each_sample_of_the_minibatch_goes_to_one_device(devices):
    parts = [part.indices for part in devices[3][0].parts]
    assert [len(part) for part in parts] == [34, 33, 33]
    assert set(np.concatenate(parts)) == set(devices[1][0].parts[0].indices)
    assert len(set(np.concatenate(parts))) == 100


def test_the_weighted_mean_of_the_devices_gradients_is_the_gradient_of_one_device(devices):
    one, three = devices[1][0], devices[3][0]
    shares = np.array([0.34, 0.33, 0.33])
    along, across = np.array([(part.along, part.across) for part in three.parts]).T
    assert three.norm == pytest.approx(one.parts[0].norm, rel=1e-6)
    assert shares @ along == pytest.approx(one.parts[0].norm, rel=1e-6)
    assert shares @ across == pytest.approx(0, abs=1e-6)


def test_in_the_plane_of_most_difference_two_gradients_keep_their_lengths():
    gradients = np.array([[3.0, 1.0, 0.0], [1.0, -1.0, 2.0]])
    along, across = replicas.plane(gradients, np.array([0.5, 0.5]))
    np.testing.assert_allclose(np.hypot(along, across), np.linalg.norm(gradients, axis=1))


@pytest.fixture(scope="module")
def died():
    """A run of two processes, of which one was killed: the rows before, the error, and how long it took to end."""
    rows = []
    plan = ParallelPlan(problem="digits", batch_size=100, num_updates=100_000)
    watched = over_workers(plan, 2)
    for row in watched:
        rows.append(row)
        if isinstance(row, Update) and row.update == 16:
            break
    start = time.monotonic()
    os.kill(children()[-1].pid, signal.SIGKILL)
    with pytest.raises(PeerError) as error:
        for _ in watched:
            pass
    return rows, error.value, time.monotonic() - start


def test_a_peer_that_dies_ends_the_run_with_a_message_and_leaves_no_process(died):
    rows, error, seconds = died
    assert (error.index, error.status) == (1, -signal.SIGKILL)
    assert "Process 1 was ended by signal 9" in str(error)
    assert seconds < 30
    assert children() == []
    assert {row.worker for row in rows if isinstance(row, Stage)} == {0, 1}


def ended(watched):
    """The losses of a run and its weights at the end."""
    *rows, last = [row for row in watched if isinstance(row, Update | Weights)]
    return [row.loss for row in rows], last.values


def test_processes_have_the_loss_of_the_whole_minibatch_make_the_updates_of_one_and_are_gone(plain, monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")  # its convolutions refuse what has no sample
    losses, weights = ended(over_workers(UNEQUAL, 2))
    np.testing.assert_allclose(losses, plain[0], atol=1e-5)
    np.testing.assert_allclose(weights, plain[1], atol=1e-6)
    assert children() == []


def test_devices_without_a_sample_leave_loss_and_update_as_on_one(plain, monkeypatch):
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "1")
    losses, weights = ended(over_devices(UNEQUAL, [3]))
    np.testing.assert_allclose(losses, plain[0], atol=1e-5)
    np.testing.assert_allclose(weights, plain[1], atol=1e-6)


def test_a_device_without_a_sample_has_no_arrow_and_leaves_the_mean_of_the_others():
    parts = [np.array([4, 7]), np.array([1]), np.array([], int)]
    summands = np.array([[2.0, 0.0], [1.0, 0.0], [0.0, 0.0]], np.float32)  # 2/3 and 1/3 of the gradients (3, 0), (3, 0)
    first = replicas._first_minibatch(parts, summands, seed=0)
    assert [part.indices for part in first.parts] == [[4, 7], [1], []]
    assert [part.along for part in first.parts] == pytest.approx([3, 3, 0])
    assert [part.norm for part in first.parts] == pytest.approx([3, 3, 0])
    assert [part.across for part in first.parts] == pytest.approx([0, 0, 0])
    assert first.norm == pytest.approx(3)


@pytest.mark.parametrize(("kind", "task"), [("linear", "regression"), ("mlp", "classification")])
@pytest.mark.parametrize("sizes", [(5,), (3, 2), (2, 2, 1), (2, 0, 3), (1, 1, 1, 1, 1, 0)])
def test_the_parts_of_a_minibatch_sum_to_its_mean_loss_and_gradient(kind, task, sizes, make_problem):
    import tensorflow as tf

    problem = make_problem[task](5)
    model = models.build(problem, ModelConfig(kind=kind, widths=(4,)))
    x, y = problem.x_train, problem.y_train

    def squared(targets, predictions):
        return tf.square(predictions[:, 0] - targets)

    entropy = keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    loss_of = squared if task == "regression" else entropy
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(loss_of(y, model(x)))
    gradients = tape.gradient(loss, model.trainable_variables)
    ends = np.cumsum(sizes)
    parts = [slice(end - size, end) for end, size in zip(ends, sizes, strict=True)]
    found = [replicas.part_of_minibatch(model, loss_of, x[part], y[part], 5) for part in parts]
    assert sum(float(part_loss) for part_loss, _gradients in found) == pytest.approx(float(loss), rel=1e-5)
    for variable, gradient in enumerate(gradients):
        summed = sum(part_gradients[variable].numpy() for _loss, part_gradients in found)
        np.testing.assert_allclose(summed, gradient.numpy(), atol=1e-6)


def test_a_peer_that_is_missing_ends_the_run_with_a_message_and_leaves_no_process(monkeypatch):
    monkeypatch.setattr(replicas, "PATIENCE", 1.0)
    hosts = [f"127.0.0.1:{port}" for port in replicas._free_ports(2)]
    with pytest.raises(PeerError, match=r"Process 0 has sent nothing for 1 s\. A peer may be missing"):
        list(replicas.as_worker(PLAN, hosts, 0))
    assert children() == []


def test_a_missing_peer_is_noticed_within_half_a_minute():
    assert replicas.PATIENCE < 30


def test_the_children_of_a_process_that_is_killed_end_with_it():
    code = (
        "from sgd_tf.devices.replicas import over_devices\n"
        "from sgd_tf.devices.rows import ParallelPlan\n"
        "for row in over_devices(ParallelPlan(num_updates=100_000), [2]):\n"
        "    print('row', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "row\n"
        (child,) = [each for each in psutil.Process(parent.pid).children() if is_child(each)]
        parent.kill()
    child.wait(10)


def is_child(process):
    return "sgd_tf.devices.replicas" in process.cmdline()


def children():
    return [process for process in psutil.Process().children(recursive=True) if is_child(process)]


@given(st.data(), st.integers(1, 3_000), st.integers(1, 20))
def test_each_minibatch_of_an_epoch_is_split_into_shares_that_weigh_what_they_hold(data, num_examples, num_replicas):
    k = data.draw(st.integers(1, num_examples))
    rest = num_examples - (iterations_per_epoch(num_examples, k) - 1) * k  # of the last minibatch
    for num in (k, rest):
        samples = np.random.default_rng(num).normal(size=num)
        parts = [samples[part] for part in split(num, num_replicas)]
        sizes = [len(part) for part in parts]
        assert sum(sizes) == num
        assert sizes == sorted(sizes, reverse=True)
        assert max(sizes) - min(sizes) <= 1
        assert sizes.count(0) == max(0, num_replicas - num)
        assert np.concatenate(parts).tolist() == samples.tolist()
        # The means of the replicas, each by its share of k, are the mean of the minibatch.
        weighted = sum(len(part) / num * part.mean() for part in parts if len(part))
        assert weighted == pytest.approx(samples.mean(), abs=1e-12)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"problem": "nope"}, "`problem` must be one of line, .*; received 'nope'"),
        ({"num_examples": -3}, r"`num_examples` must be an integer in \[10, 1437\]; received -3"),
        ({"num_examples": 1_438}, "`num_examples` must be"),
        ({"num_examples": 20.0}, "`num_examples` must be"),
        ({"batch_size": 0}, r"`batch_size` must be an integer in \[1, 1437\]; received 0"),
        ({"batch_size": 21, "num_examples": 20}, r"`batch_size` must be an integer in \[1, 20\]; received 21"),
        ({"batch_size": "all"}, "`batch_size` must be an integer"),
        ({"num_updates": 0}, "`num_updates` must be"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be"),
        ({"learning_rate": -1.0}, "`learning_rate` must be"),
        ({"seed": -1}, "`seed` must be an integer in .*; received -1"),
        ({"model": "cnn"}, "`model` must be a ModelConfig; received 'cnn'"),
        ({"problem": "line", "model": ModelConfig(kind="cnn")}, "`model` is a CNN, which needs images.*'line'"),
    ],
)
def test_a_plan_out_of_range_names_the_argument(change, message):
    with pytest.raises(ValueError, match=message):
        ParallelPlan(**change)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: over_devices(PLAN, [2, 0]), r"`device_counts` must be an integer in \[1, 16\]; received 0"),
        (lambda: over_devices(PLAN, []), "`device_counts` must hold at least one number"),
        (lambda: over_workers(PLAN, 0), "`num_workers` must be"),
        (lambda: over_workers(PLAN, 17), "`num_workers` must be"),
        (lambda: over_workers(PLAN, 2, lose_after=0), "`lose_after` must be"),
        (lambda: replicas.as_worker(PLAN, ["a:1", "b:2"], 2), r"`index` must be an integer in \[0, 1\]"),
        (lambda: replicas.as_worker(PLAN, ["a:1", "b"], 0), "`hosts` must be .* name:port each; received 'b'"),
        (lambda: replicas.as_worker(PLAN, ["a:1", "a:1"], 0), "`hosts` must be different"),
        (lambda: replicas.as_worker(PLAN, [], 0), "`hosts` must"),
        (lambda: replicas.as_worker(PLAN, ["a:1"], 0, patience=-1.0), "`patience` must be .* greater than 0"),
    ],
)
def test_an_argument_out_of_range_is_named_at_the_call(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("--devices 0", "`device_counts` must be an integer in [1, 16]; received 0."),
        ("--workers 0", "`num_workers` must be an integer in [1, 16]; received 0."),
        ("--workers -2", "`num_workers` must be an integer in [1, 16]; received -2."),
        ("--devices 2 --problem nope", "`problem` must be one of line,"),
        ("--devices 2 --seed -1", "`seed` must be an integer in [0, 2147483647]; received -1."),
        ("--devices 2 --updates 0", "`num_updates` must be an integer in [1, 100000]; received 0."),
        ("--devices 2 --learning-rate nan", "`learning_rate` must be in (0, 100]; received nan."),
        ("--devices 2 --batch-size 5000", "`batch_size` must be an integer in [1, 1437]; received 5000."),
        ("--hosts a:2222,b --index 0", "`hosts` must be different addresses, name:port each; received 'b'."),
        ("--hosts a:2222,b:2222 --index 2", "`index` must be an integer in [0, 1]; received 2."),
        ("--hosts a:2222 --patience 0", "`patience` must be a number of seconds greater than 0; received 0.0."),
    ],
)
def test_bad_input_on_the_command_line_is_one_line_and_status_2(words, message, capsys):
    assert command_line.main(["data-parallel", *words.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"sgd-tf: {message}")
    assert err.count("\n") == 1
