"""One minibatch over several devices and processes: the update of one device, and no process left behind."""

import os
import signal
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest

from sgd_tf import data_parallel
from sgd_tf.data_parallel import ParallelPlan, PeerError, over_devices, over_workers, split

# 16 updates: more than an epoch of 1,437 samples, whose last minibatch has 37.
PLAN = ParallelPlan(problem="digits", batch_size=100, num_updates=16, learning_rate=0.1)


@pytest.fixture(scope="module")
def alone():
    """Weights of the same run by the lab's own loop, in this process."""
    return data_parallel.alone(PLAN)


@pytest.fixture(scope="module")
def devices():
    """Rows by number of devices; one process makes both runs."""
    rows = [row for row in over_devices(PLAN, [1, 3]) if "update" in row]
    return {count: [row for row in rows if row["replicas"] == count] for count in (1, 3)}


@pytest.mark.parametrize("count", [1, 3])
def test_several_devices_make_the_updates_of_one(devices, alone, count):
    np.testing.assert_allclose(devices[count][-1]["weights"], alone, atol=1e-6)
    assert [row["update"] for row in devices[count]] == list(range(1, 17))


def test_each_sample_of_the_minibatch_goes_to_one_device(devices):
    parts = [devices[3][0][f"indices_{r}"] for r in range(3)]
    assert [len(part) for part in parts] == [34, 33, 33]
    assert set(np.concatenate(parts)) == set(devices[1][0]["indices_0"])
    assert len(set(np.concatenate(parts))) == 100


def test_the_weighted_mean_of_the_devices_gradients_is_the_gradient_of_one_device(devices):
    one, three = devices[1][0], devices[3][0]
    shares = np.array([0.34, 0.33, 0.33])
    along, across = (np.array([three[f"{axis}_{r}"] for r in range(3)]) for axis in ("along", "across"))
    assert three["norm"] == pytest.approx(one["norm_0"], rel=1e-6)
    assert shares @ along == pytest.approx(one["norm_0"], rel=1e-6)
    assert shares @ across == pytest.approx(0, abs=1e-6)


def test_in_the_plane_of_most_difference_two_gradients_keep_their_lengths():
    gradients = np.array([[3.0, 1.0, 0.0], [1.0, -1.0, 2.0]])
    along, across = data_parallel.plane(gradients, np.array([0.5, 0.5]))
    np.testing.assert_allclose(np.hypot(along, across), np.linalg.norm(gradients, axis=1))


@pytest.fixture(scope="module")
def died():
    """A run of two processes, of which one was killed: the rows before, the error, and how long it took to end."""
    rows = []
    plan = ParallelPlan(problem="digits", batch_size=100, num_updates=100_000)
    watched = over_workers(plan, 2)
    for row in watched:
        rows.append(row)
        if row.get("update") == 16:
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
    assert {row["worker"] for row in rows if "stage" in row} == {0, 1}


def test_two_processes_make_the_updates_of_one_and_are_gone_afterwards(alone):
    (weights,) = [row["weights"] for row in over_workers(PLAN, 2) if "weights" in row]
    np.testing.assert_allclose(weights, alone, atol=1e-6)
    assert children() == []


def test_a_peer_that_is_missing_ends_the_run_with_a_message_and_leaves_no_process(monkeypatch):
    monkeypatch.setattr(data_parallel, "PATIENCE", 3.0)
    hosts = [f"127.0.0.1:{port}" for port in data_parallel._free_ports(2)]
    with pytest.raises(PeerError, match=r"Process 0 has said nothing for 3 s\. A peer may be missing"):
        list(data_parallel.as_worker(PLAN, hosts, 0))
    assert children() == []


def test_a_missing_peer_is_noticed_within_half_a_minute():
    assert data_parallel.PATIENCE < 30


def test_the_children_of_a_process_that_is_killed_end_with_it():
    code = (
        "from sgd_tf.data_parallel import ParallelPlan, over_devices\n"
        "for row in over_devices(ParallelPlan(num_updates=100_000), [2]):\n"
        "    print('row', flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout.readline() == "row\n"
        (child,) = [each for each in psutil.Process(parent.pid).children() if is_child(each)]
        parent.kill()
    child.wait(10)


def is_child(process):
    return "sgd_tf.data_parallel" in process.cmdline()


def children():
    return [process for process in psutil.Process().children(recursive=True) if is_child(process)]


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
    with pytest.raises(ValueError, match="`device_counts` must be"):
        next(over_devices(PLAN, [2, 0]))
