"""One minibatch over several devices and processes: the update of one device, and no process left behind."""

import os
import signal
import time

import numpy as np
import psutil
import pytest

from sgd_tf import data_parallel, load, models, train
from sgd_tf.data_parallel import ParallelPlan, PeerError, over_devices, over_workers, split
from sgd_tf.records import TrainConfig

PLAN = ParallelPlan(problem="digits", batch_size=100, num_updates=16, learning_rate=0.1)


@pytest.fixture(scope="module")
def alone():
    """Weights of the same run by the lab's own loop, in this process."""
    problem = load("digits")
    model = models.build(problem, PLAN.model, seed=PLAN.seed)
    for _ in train(problem, TrainConfig(batch_size=100, learning_rate=0.1), model=model, updates=PLAN.num_updates):
        pass
    return np.concatenate([np.ravel(weights) for weights in model.get_weights()])


@pytest.fixture(scope="module")
def devices():
    return list(over_devices(PLAN, 3))


def test_three_devices_make_the_updates_of_one(devices, alone):
    # 16 updates: more than an epoch, whose last minibatch has 37 samples.
    np.testing.assert_allclose(devices[-1]["weights"], alone, atol=1e-6)


def test_each_sample_of_the_minibatch_goes_to_one_device(devices):
    parts = [devices[0][f"indices_{r}"] for r in range(3)]
    assert [len(part) for part in parts] == [34, 33, 33]
    assert len(set(np.concatenate(parts))) == 100


def test_two_processes_make_the_updates_of_one_and_are_gone_afterwards(alone):
    rows = list(over_workers(PLAN, 2))
    np.testing.assert_allclose(rows[-1]["weights"], alone, atol=1e-6)
    assert [row["update"] for row in rows] == list(range(1, 17))
    assert children() == []


def test_a_peer_that_dies_ends_the_run_with_a_message_and_leaves_no_process():
    rows = over_workers(ParallelPlan(batch_size=8, num_updates=100_000), 2)
    next(rows)
    victim = children()[-1]
    start = time.monotonic()
    os.kill(victim.pid, signal.SIGKILL)
    with pytest.raises(PeerError, match="Worker 1 ended with exit status -9"):
        for _ in rows:
            pass
    assert time.monotonic() - start < 30
    assert children() == []


def test_a_peer_that_is_missing_ends_the_run_with_a_message_and_leaves_no_process(monkeypatch):
    monkeypatch.setattr(data_parallel, "START_SILENCE", 20.0)
    monkeypatch.setattr(data_parallel, "MAX_SILENCE", 3.0)
    hosts = [f"127.0.0.1:{port}" for port in data_parallel._free_ports(2)]
    with pytest.raises(PeerError, match=r"Worker 0 (has said nothing for|ended with)"):
        list(data_parallel.as_worker(PLAN, hosts, 0))
    assert children() == []


def children():
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "sgd_tf.data_parallel" in " ".join(process.cmdline())
    ]


@pytest.mark.parametrize("num", [0, 1, 7, 64])
@pytest.mark.parametrize("num_replicas", [1, 2, 5])
def test_parts_cover_the_minibatch_and_differ_by_one_sample_at_most(num, num_replicas):
    sizes = [len(range(num)[part]) for part in split(num, num_replicas)]
    assert sum(sizes) == num
    assert max(sizes) - min(sizes) <= 1
    assert np.concatenate([np.arange(num)[part] for part in split(num, num_replicas)]).tolist() == list(range(num))


@pytest.mark.parametrize("change", [{"batch_size": 0}, {"num_updates": 0}, {"learning_rate": float("nan")}])
def test_a_plan_out_of_range_names_the_argument(change):
    with pytest.raises(ValueError, match=f"`{next(iter(change))}` must be"):
        ParallelPlan(**change)


def test_no_devices_are_refused():
    with pytest.raises(ValueError, match="`num_devices` must be"):
        next(over_devices(PLAN, 0))
