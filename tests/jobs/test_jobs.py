"""Claims about jobs in worker processes: their order, stopping, faults, and that nothing is left behind."""

import contextlib
import functools
import gc
import json
import math
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import weakref
from pathlib import Path

import dask.config
import psutil
import pytest
from distributed import Security

import sgd_tf
from sgd_tf import jobs
from sgd_tf.jobs.attempt import WorkerLostError, verdict
from sgd_tf.jobs.fair_queue import FairQueue
from sgd_tf.jobs.worker import JobFailure, Outcome, describe
from tests import job_functions

MEMORY_LIMIT = "400MB"  # of a worker; an idle one takes about 80 MB


def eventually(condition, timeout=20.0):
    """Wait until `condition()` is true, and return its value; fail after `timeout` seconds."""
    deadline = time.monotonic() + timeout
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.005)
    return value


def ended(job, timeout=20.0):
    assert job.wait(timeout), f"{job} did not end in time"
    return job


def is_gone(process):
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture(scope="module")
def shared_cluster():
    cluster = jobs.Cluster(num_workers=2, memory_limit=MEMORY_LIMIT, stop_grace=1.0)
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(shared_cluster):
    """Two workers, both free, and learners that had no turn yet."""
    eventually(lambda: shared_cluster.num_workers == 2 and not shared_cluster._table.running)
    shared_cluster._table.queue = FairQueue()
    return shared_cluster


@pytest.fixture
def gate(cluster, tmp_path):
    """Two jobs that hold both workers until the returned path is touched."""
    path = tmp_path / "gate"
    holders = [cluster.submit(job_functions.until, str(path), learner=f"holder {i}") for i in range(2)]
    eventually(lambda: all(holder.num_rows for holder in holders))
    yield path
    path.touch()
    for holder in holders:
        ended(holder)


def test_rows_arrive_complete_and_in_order(cluster):
    job = ended(cluster.submit(job_functions.count, 2_000, learner="a"))
    assert job.status == "done"
    assert [row["i"] for row in job.rows] == list(range(2_000))
    assert job.num_rows == 2_000
    assert job.attempt == 1
    assert job.failure is None
    assert job.place is None


def test_a_job_runs_in_another_process(cluster):
    job = ended(cluster.submit(job_functions.count, 1, learner="a"))
    assert job.rows[0]["process"] != os.getpid()


def test_dataclasses_come_back_as_the_same_dataclasses(cluster):
    job = ended(cluster.submit(job_functions.losses, learner="a"))
    assert job.rows == [job_functions.Loss(0.1, (1, 2)), job_functions.Loss(math.inf)]


def test_rows_are_visible_while_the_job_runs(gate, cluster):
    before = time.time()
    gate.touch()
    job = cluster.submit(job_functions.endless, learner="a")
    eventually(lambda: job.num_rows >= 3)
    assert job.status == "running"
    assert before < job.started_at <= time.time()
    assert 0 < job.elapsed < 20
    job.stop()
    ended(job)
    assert job.elapsed == pytest.approx(job.finished_at - job.started_at, abs=0.1)


def test_a_row_does_not_wait_for_the_next_one(cluster, tmp_path):
    # The second row follows the first one too fast for a message of its own, and the third one never comes.
    job = cluster.submit(job_functions.count, 3, learner="a")
    ended(job)
    slow = cluster.submit(job_functions.die_in_attempts, str(tmp_path), 0, learner="a")
    eventually(lambda: slow.num_rows == 2)
    assert slow.status == "running"
    ended(slow)


def test_so_many_rows_can_be_waited_for_and_the_end_comes_first(gate, cluster):
    job = cluster.submit(job_functions.endless, learner="a")
    assert not job.wait(0.05, num_rows=2)
    assert job.num_rows < 2
    gate.touch()
    assert not job.wait(20.0, num_rows=2)
    assert job.num_rows >= 2
    job.stop()
    assert job.wait(20.0, num_rows=10**9)


MEMORY, LOST, ERROR = (JobFailure(kind, "why") for kind in ("memory", "worker lost", "error"))


@pytest.mark.parametrize(
    ("answer", "by_itself", "failure", "when_asked_to_stop"),
    [
        (Outcome(status="done"), "done", None, "done"),
        (Outcome(status="failed", failure=ERROR), "failed", ERROR, "stopped"),
        (Outcome(status="stopped"), "failed", JobFailure("time limit", "The job took longer than 9 s."), "stopped"),
        (None, "failed", JobFailure("time limit", "The job took longer than 9 s."), "stopped"),
        (WorkerLostError(MEMORY), "failed", MEMORY, "stopped"),
        (WorkerLostError(LOST), "waiting", LOST, "stopped"),
    ],
)
def test_the_end_of_an_attempt_is_judged_by_its_answer_and_by_who_wanted_it(
    answer, by_itself, failure, when_asked_to_stop
):
    known = {"num_lost_rows": 0, "seconds_limit": 9.0}
    assert verdict(answer, stop_wanted=False, **known) == (by_itself, failure)
    assert verdict(answer, stop_wanted=True, **known) == (when_asked_to_stop, None)


def test_a_job_that_was_asked_to_stop_and_was_done_before_has_still_failed_if_rows_were_lost():
    answer = Outcome(status="done", num_rows=5)
    status, failure = verdict(answer, stop_wanted=True, num_lost_rows=2, seconds_limit=9.0)
    assert (status, failure.detail) == ("failed", "2 of 5 rows were lost.")


def test_the_snapshot_of_rows_belongs_to_the_caller(cluster):
    job = ended(cluster.submit(job_functions.count, 3, learner="a"))
    job.rows.clear()
    assert job.num_rows == 3


@pytest.mark.usefixtures("gate")
def test_messages_that_overtake_or_come_twice_leave_the_rows_in_order(cluster):
    job = cluster.submit(job_functions.count, 1, learner="a")
    job._receive(2, [{"i": 2}])
    assert job.rows == []
    job._receive(0, [{"i": 0}, {"i": 1}])
    job._receive(0, [{"i": 0}, {"i": 1}])
    assert job.rows == [{"i": 0}, {"i": 1}, {"i": 2}]
    job.stop()


def test_rows_that_were_lost_on_the_way_are_fetched_again(cluster, monkeypatch):
    monkeypatch.setattr("sgd_tf.jobs.connection.ROWS_SECONDS", 0.2)
    receive = jobs.Job._receive
    dropped = []

    def drop_the_first(job, first, rows):
        if first == 0 and not dropped:
            dropped.append(rows)
        else:
            receive(job, first, rows)

    monkeypatch.setattr(jobs.Job, "_receive", drop_the_first)
    job = ended(cluster.submit(job_functions.count, 5, 0.02, learner="a"))
    assert dropped
    assert job.status == "done"
    assert [row["i"] for row in job.rows] == [0, 1, 2, 3, 4]


def test_learners_take_turns(cluster, gate):
    one_row = (job_functions.count, 1)
    gate_open = gate.with_name("opened first")
    # Kim gets a turn now and keeps one worker until all others have submitted.
    gate.touch()
    kim = cluster.submit(job_functions.until, str(gate_open), "kim 1", learner="kim")
    other = cluster.submit(job_functions.until, str(gate_open), "other", learner="other")
    eventually(lambda: kim.status == other.status == "running")
    kim_again = cluster.submit(*one_row, 0.1, learner="kim")
    lee = cluster.submit(*one_row, 0.2, learner="lee")
    park = cluster.submit(*one_row, 0.3, learner="park")
    assert [job.place for job in (lee, park, kim_again)] == [1, 2, 3]
    gate_open.touch()
    assert all(ended(job).status == "done" for job in (kim_again, lee, park))
    assert lee.started_at <= park.started_at <= kim_again.started_at


def test_a_learner_runs_one_job_at_a_time_though_a_worker_is_free(cluster, tmp_path):
    path = tmp_path / "gate"
    first = cluster.submit(job_functions.until, str(path), "first", learner="kim")
    eventually(lambda: first.num_rows)
    second = cluster.submit(job_functions.until, str(path), "second", learner="kim")
    other = ended(cluster.submit(job_functions.count, 1, learner="lee"))
    assert other.status == "done"
    assert second.status == "waiting"
    assert second.place == 1
    path.touch()
    assert ended(second).started_at >= ended(first).finished_at


def test_a_double_click_is_one_job(cluster, gate):
    first = cluster.submit(job_functions.count, 1, learner="kim")
    assert cluster.submit(job_functions.count, 1, learner="kim") is first  # it waits
    assert cluster.submit(job_functions.count, 1, learner="lee") is not first
    running = cluster.submit(job_functions.until, str(gate), learner="holder 0")
    assert running.status == "running"


def test_another_wish_takes_the_place_of_the_waiting_one(cluster, gate):
    old = cluster.submit(job_functions.count, 1, learner="kim")
    lee = cluster.submit(job_functions.count, 1, learner="lee")
    new = cluster.submit(job_functions.count, 2, learner="kim")
    assert old.status == "stopped"
    assert (new.place, lee.place) == (1, 2)
    gate.touch()
    assert ended(new).num_rows == 2
    assert old.num_rows == 0


def test_thirty_learners_are_all_served(cluster):
    crowd = [cluster.submit(job_functions.count, 20, learner=f"learner {i}") for i in range(30)]
    assert [ended(job).num_rows for job in crowd] == [20] * 30


@pytest.mark.usefixtures("gate")
def test_a_waiting_job_that_is_stopped_leaves_the_queue(cluster):
    kim = cluster.submit(job_functions.count, 1, learner="kim")
    lee = cluster.submit(job_functions.count, 1, learner="lee")
    kim.stop()
    assert kim.status == "stopped"
    assert (kim.place, kim.seconds_to_start) == (None, None)
    assert lee.place == 1
    assert 0.0 < lee.seconds_to_start < 90.0  # both workers have begun, with 90 s each
    lee.stop()


def test_a_running_job_that_is_stopped_keeps_its_rows_and_closes_its_generator(cluster, tmp_path):
    mark = tmp_path / "mark"
    job = cluster.submit(job_functions.endless, str(mark), learner="kim")
    eventually(lambda: job.num_rows >= 10)
    job.stop()
    assert job.wait(1.0)
    assert job.status == "stopped"
    assert job.failure is None
    assert [row["i"] for row in job.rows] == list(range(job.num_rows))
    eventually(mark.exists)
    job.stop()  # a second time changes nothing
    assert job.status == "stopped"


def test_stop_takes_effect_within_a_second_though_the_worker_hangs(cluster):
    job = cluster.submit(job_functions.hang_in_c, learner="kim")
    hung = psutil.Process(eventually(lambda: job.rows)[0]["process"])
    job.stop()
    assert job.wait(1.0)
    assert job.status == "stopped"
    assert job.num_rows == 1
    eventually(lambda: is_gone(hung))


def test_a_job_that_nobody_touches_is_stopped(cluster, gate, monkeypatch):
    holders = [cluster.submit(job_functions.until, str(gate), learner=f"holder {i}") for i in range(2)]
    forgotten = cluster.submit(job_functions.count, 1, learner="kim")
    wanted = cluster.submit(job_functions.count, 1, learner="lee")
    monkeypatch.setattr(cluster._connection, "_abandoned_after", 0.5)

    def is_stopped(job, *touched):
        for other in touched:
            other.touch()
        return job.status == "stopped"

    eventually(lambda: is_stopped(forgotten, wanted, *holders))
    assert wanted.status == "waiting"
    eventually(lambda: is_stopped(holders[0], wanted, holders[1]))  # a running one
    assert holders[1].status == "running"
    assert ended(wanted).status == "done"


def test_a_job_over_its_time_limit_fails_and_keeps_its_rows(cluster):
    job = ended(cluster.submit(job_functions.endless, learner="kim", seconds_limit=0.5))
    assert job.status == "failed"
    assert job.failure.kind == "time limit"
    assert job.num_rows > 0
    assert job.elapsed >= 0.5


def test_a_job_that_hangs_ends_at_its_time_limit_and_its_worker_is_replaced(cluster):
    job = cluster.submit(job_functions.hang_in_c, learner="kim", seconds_limit=1.0)
    hung = psutil.Process(eventually(lambda: job.rows)[0]["process"])
    assert ended(job).failure.kind == "time limit"
    eventually(lambda: is_gone(hung))
    eventually(lambda: cluster.num_workers == 2, timeout=15.0)


def test_a_job_whose_worker_dies_starts_again_with_no_row_twice(cluster, tmp_path):
    job = cluster.submit(job_functions.die_in_attempts, str(tmp_path), 1, learner="kim")
    ended(job)
    assert job.status == "done"
    assert job.attempt == 2
    assert job.rows == [{"i": i, "attempt": 2} for i in range(3)]


def test_a_job_whose_worker_dies_twice_fails_and_others_do_not_notice(cluster, tmp_path):
    other = cluster.submit(job_functions.endless, learner="lee")
    eventually(lambda: other.num_rows)
    job = ended(cluster.submit(job_functions.die_in_attempts, str(tmp_path), 2, learner="kim"))
    assert job.status == "failed"
    assert job.failure.kind == "worker lost"
    assert job.attempt == 2
    assert (other.status, other.attempt) == ("running", 1)
    other.stop()
    assert [row["i"] for row in ended(other).rows] == list(range(other.num_rows))


def test_a_worker_that_is_killed_is_replaced_within_15_seconds(cluster, gate):
    holder = cluster.submit(job_functions.until, str(gate), learner="holder 0")
    psutil.Process(holder.rows[0]["process"]).kill()
    eventually(lambda: cluster.num_workers == 1)
    eventually(lambda: cluster.num_workers == 2, timeout=15.0)


def test_the_memory_limit_of_the_workers_is_known(cluster):
    eventually(lambda: cluster.memory_limit == 400_000_000)


def test_a_job_over_the_memory_limit_fails_and_is_not_run_again(cluster):
    job = ended(cluster.submit(job_functions.allocate, learner="kim"))
    assert job.status == "failed"
    assert job.failure.kind == "memory"
    assert job.failure.memory_limit == 400_000_000
    assert job.attempt == 1


def test_a_worker_that_keeps_much_memory_is_replaced_before_its_next_job(cluster, tmp_path):
    path = tmp_path / "gate"
    holder = cluster.submit(job_functions.until, str(path), learner="lee")
    eventually(lambda: holder.num_rows)
    full = ended(cluster.submit(job_functions.keep, 200_000_000, learner="kim"))
    assert full.status == "done"
    following = ended(cluster.submit(job_functions.count, 1, learner="kim"))
    assert following.rows[0]["process"] != full.rows[0]["process"]
    path.touch()
    ended(holder)


@pytest.mark.parametrize(
    ("function", "kind", "detail"),
    [
        (job_functions.fail, "error", "ValueError: the file data.csv is odd"),
        (job_functions.run_out_of_memory, "memory", "MemoryError: cannot allocate 80 GB"),
        (
            job_functions.yield_a_set,
            "error",
            "TypeError: `losses` in a row must be a str, int, float, bool, None or a list of these; received set.",
        ),
        (job_functions.import_missing, "import", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"),
    ],
)
def test_an_exception_is_told_in_one_line_without_paths(cluster, function, kind, detail):
    job = ended(cluster.submit(function, learner="kim"))
    assert job.status == "failed"
    assert job.failure.kind == kind
    assert job.failure.detail == detail
    assert "\n" not in job.failure.detail


TENSORFLOW = """Traceback (most recent call last):
  File "/opt/lab/lib/python3.11/site-packages/tensorflow/python/pywrap_tensorflow.py", line 73, in <module>
    from tensorflow.python._pywrap_tensorflow_internal import *
ImportError: libcudart.so.12: cannot open shared object file: No such file or directory


Failed to load the native TensorFlow runtime.
See https://www.tensorflow.org/install/errors for some common causes and solutions.
"""
GRAPH = """Graph execution error:

Detected at node loss/Softmax defined at (most recent call last):
  File "/home/kim/lab/training.py", line 8, in train

  File "/home/kim/lab/training.py", line 4, in step

Received a label value of 7 which is outside the valid range of [0, 3).  Label values: 7 7
\t [[{{node loss/Softmax}}]] [Op:__inference_222]"""
KERAS = """Exception encountered when calling MaxPooling2D.call().

\x1b[1mComputed output size would be negative. Received: `inputs.shape=[None 2 2 1]`.\x1b[0m

Arguments received by MaxPooling2D.call():
  • args=('<KerasTensor shape=(None, 2, 2, 1)>',)"""


@pytest.mark.parametrize(
    ("message", "line"),
    [
        (
            TENSORFLOW,
            "ImportError: libcudart.so.12: cannot open shared object file: No such file or directory. Failed to load "
            "the native TensorFlow runtime. See https://www.tensorflow.org/install/errors for some common causes and "
            "solutions.",
        ),
        (GRAPH, "Received a label value of 7 which is outside the valid range of [0, 3). Label values: 7 7"),
        (
            KERAS,
            "Exception encountered when calling MaxPooling2D.call(). Computed output size would be negative. Received: "
            "`inputs.shape=[None 2 2 1]`.",
        ),
        ("This frequently\noccurs if two environments differ.", "This frequently occurs if two environments differ."),
        (
            "A sentence of thirty letters. " * 20,
            "A sentence of thirty letters. " * 15 + "A sentence of thirty letters.",
        ),
    ],
    ids=["import", "graph", "keras", "lines", "long"],
)
def test_what_a_library_says_of_the_cause_is_whole(message, line):
    assert describe(RuntimeError(message)).detail == f"RuntimeError: {line}"


def test_a_failing_import_shows_in_the_status_until_a_job_succeeds(cluster):
    job = ended(cluster.submit(job_functions.import_missing, learner="kim"))
    assert job.failure.kind == "import"
    assert job.num_rows == 1
    assert cluster.status == "failed"
    assert cluster.failure == job.failure
    ended(cluster.submit(job_functions.count, 1, learner="kim"))
    assert cluster.status == "ready"


def test_what_cannot_travel_is_refused_at_once(cluster):
    with pytest.raises(TypeError, match="pickle"):
        cluster.submit(job_functions.until, threading.Lock(), learner="kim")
    for call in (functools.partial(cluster.submit, learner="kim"), cluster.warm_up):
        with pytest.raises(TypeError, match="`function` must be a function at the top level of a module that a worker"):
            call(lambda: iter(()))
    with pytest.raises(ValueError, match=r"`seconds_limit` must be above 0; received nan"):
        cluster.submit(job_functions.count, 1, learner="kim", seconds_limit=float("nan"))


def test_what_a_warm_up_keeps_is_no_reason_to_replace_the_worker(cluster, tmp_path):
    cluster.warm_up(functools.partial(job_functions.warm_with_memory, 170_000_000))
    holder = cluster.submit(job_functions.until, str(tmp_path / "gate"), learner="lee")
    eventually(lambda: holder.num_rows)
    jobs_of_one_worker = [ended(cluster.submit(job_functions.count, 1, learner="kim")) for _ in range(3)]
    assert len({job.rows[0]["process"] for job in jobs_of_one_worker}) == 1
    (tmp_path / "gate").touch()
    ended(holder)


def test_ended_jobs_are_forgotten(cluster):
    references = [weakref.ref(ended(cluster.submit(job_functions.count, 3, learner="kim"))) for _ in range(20)]

    def are_gone():
        gc.collect()
        return all(reference() is None for reference in references)

    eventually(are_gone)


def test_the_workers_know_their_share_of_the_cores(cluster):
    job = ended(cluster.submit(job_functions.environment, "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL", learner="k"))
    share = max(1, len(os.sched_getaffinity(0)) // 2) if hasattr(os, "sched_getaffinity") else None
    assert job.rows[0]["TF_CPP_MIN_LOG_LEVEL"] == os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")
    if share and "OMP_NUM_THREADS" not in os.environ:
        assert int(job.rows[0]["OMP_NUM_THREADS"]) <= share


def ports(cluster):
    """What the process of the embedded cluster and its workers listen at, as (address, port)."""
    process = psutil.Process(cluster._connection._embedded.process.pid)
    return [
        connection.laddr
        for each in (process, *process.children(recursive=True))
        for connection in each.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]


def test_the_workers_listen_to_this_machine_alone(cluster):
    assert {address for address, _port in ports(cluster)} == {"127.0.0.1"}


def speak(address, credentials=None):
    """What comes back from a port for a request, in plain text or by TLS; at most its first bytes."""
    try:
        plain = socket.create_connection(address, timeout=20.0)
        with credentials.wrap_socket(plain) if credentials else plain as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(100)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_who_has_no_credentials_gets_no_answer_from_the_scheduler_and_the_workers(cluster):
    own, strangers = (
        security.get_connection_args("client")["ssl_context"]
        for security in (cluster._connection._embedded.credentials, Security.temporary())
    )
    strangers.verify_mode = ssl.CERT_NONE  # he does not mind whom he speaks to
    num_closed = 0
    for address in ports(cluster):
        plain = speak(address)
        if not plain.startswith(b"HTTP/1.1 404"):  # Dask's HTTP servers, which have no pages here
            assert len(plain) < 10  # an alert of TLS, not Dask's greeting
            assert speak(address, strangers) == b""
            assert speak(address, own) != b""
            num_closed += 1
    assert num_closed == 5  # the scheduler, two workers and their nannies


def test_after_the_death_of_the_cluster_another_starts_by_itself_and_nothing_is_lost_or_left(cluster, tmp_path):
    gate = tmp_path / "gate"
    running = cluster.submit(job_functions.until, str(gate), learner="kim")
    hanging = cluster.submit(job_functions.hang_in_c, learner="lee")
    hung = psutil.Process(eventually(lambda: hanging.rows)[0]["process"])
    eventually(lambda: running.num_rows)
    waiting = cluster.submit(job_functions.count, 1, learner="kim")
    dead = cluster._connection._embedded
    dead.process.kill()
    eventually(lambda: cluster._connection._embedded not in (None, dead))
    assert [job.status for job in (running, hanging, waiting)] == ["waiting"] * 3
    assert cluster.status == "starting"
    hanging.stop()
    eventually(lambda: is_gone(hung))  # though it held its interpreter, and could not notice
    assert not Path(dead.directory).exists()
    gate.touch()
    assert [ended(job).status for job in (running, hanging, waiting)] == ["done", "stopped", "done"]
    assert [job.attempt for job in (running, hanging, waiting)] == [2, 1, 1]
    assert cluster.failure is None


def test_a_cluster_that_can_not_start_says_why_and_jobs_wait_until_it_can(monkeypatch, tmp_path):
    monkeypatch.setattr("sgd_tf.jobs.connection.RETRY_SECONDS", 0.01)
    (tmp_path / "dask.py").write_text("raise SystemExit(3)")
    with monkeypatch.context() as broken:
        broken.syspath_prepend(tmp_path)
        with contextlib.closing(jobs.Cluster(num_workers=1, memory_limit=MEMORY_LIMIT)) as cluster:
            job = cluster.submit(job_functions.count, 1, learner="kim")
            eventually(lambda: cluster.status == "failed")
            assert cluster.failure.kind == "no cluster"
            assert "exit status 3" in cluster.failure.detail
            assert job.status == "waiting"
            (tmp_path / "dask.py").unlink()
            assert ended(job).status == "done"
            assert cluster.failure is None


def test_every_worker_is_warmed_up_before_its_first_job_and_so_is_its_replacement(cluster):
    cluster.warm_up(job_functions.warm)
    first = ended(cluster.submit(job_functions.is_warm, learner="kim"))
    assert first.rows[0]["warm"]
    psutil.Process(first.rows[0]["process"]).kill()
    eventually(lambda: cluster.num_workers == 1)
    learners = [cluster.submit(job_functions.is_warm, learner=f"learner {i}") for i in range(6)]
    assert all(ended(job).rows[0]["warm"] for job in learners)
    assert cluster.status == "ready"


def test_a_warm_up_that_cannot_import_gives_the_reason_and_jobs_are_still_run(cluster):
    cluster.warm_up(job_functions.warm_with_missing_import)
    eventually(lambda: cluster.status == "failed")
    assert cluster.failure == jobs.JobFailure(
        "import", "ModuleNotFoundError: No module named 'a_module_that_is_not_there'"
    )
    assert ended(cluster.submit(job_functions.count, 1, learner="kim")).status == "done"


def test_a_warm_up_that_ends_when_another_has_taken_its_place_does_not_count(cluster, tmp_path):
    gate = tmp_path / "gate"
    cluster.warm_up(functools.partial(job_functions.warm_until, str(gate)))
    eventually(lambda: len(list(tmp_path.glob("begun-*"))) == 2)
    cluster.warm_up(job_functions.warm_with_missing_import)
    gate.touch()
    eventually(lambda: cluster.status == "failed")
    assert cluster.failure.kind == "import"
    assert ended(cluster.submit(job_functions.count, 1, learner="kim")).status == "done"


def test_a_worker_that_dies_in_a_warm_up_that_was_replaced_does_not_count_for_the_next(cluster, tmp_path):
    cluster.warm_up(functools.partial(job_functions.warm_until, str(tmp_path / "never")))
    begun = eventually(lambda: found if len(found := list(tmp_path.glob("begun-*"))) == 2 else None)
    cluster.warm_up(job_functions.warm)
    for path in begun:
        psutil.Process(int(path.name.removeprefix("begun-"))).kill()
    eventually(lambda: cluster.num_workers == 2 and not any(worker.busy for worker in cluster._connection.living()))
    assert cluster._connection._warm_up_deaths == 0
    assert cluster.failure is None
    assert ended(cluster.submit(job_functions.is_warm, learner="kim")).rows[0]["warm"]


def test_what_a_warm_up_returns_is_of_no_account(cluster):
    cluster.warm_up(os.getpid)
    eventually(lambda: cluster.status == "ready")
    assert ended(cluster.submit(job_functions.count, 1, learner="kim")).status == "done"


def test_jobs_go_before_the_later_steps_of_a_warm_up(cluster, tmp_path):
    gate = tmp_path / "gate"
    cluster.warm_up(functools.partial(job_functions.warm_in_steps, str(gate)))
    eventually(lambda: len(list(tmp_path.glob("begun-*"))) == 2)
    waiting = [cluster.submit(job_functions.second_step, str(tmp_path), learner=f"learner {i}") for i in range(6)]
    gate.touch()
    assert [ended(job).rows for job in waiting] == [[{"is done": False}]] * 6
    assert cluster.status == "ready"
    eventually(lambda: len(list(tmp_path.glob("second-*"))) == 2)
    assert ended(cluster.submit(job_functions.second_step, str(tmp_path), learner="kim")).rows == [{"is done": True}]


def test_a_later_step_that_kills_its_worker_does_not_restart_it_for_ever(cluster, tmp_path):
    death = tmp_path / "death"
    death.touch()
    cluster.warm_up(functools.partial(job_functions.warm_in_steps, str(death)))
    eventually(lambda: cluster.status == "failed")
    eventually(lambda: cluster.num_workers == 2)
    assert ended(cluster.submit(job_functions.count, 1, learner="kim")).status == "done"


def test_a_warm_up_that_kills_its_worker_does_not_restart_it_for_ever(cluster):
    cluster.warm_up(job_functions.warm_to_death)
    eventually(lambda: cluster.status == "failed")
    assert cluster.failure.kind == "worker lost"
    eventually(lambda: cluster.num_workers == 2)
    assert ended(cluster.submit(job_functions.count, 1, learner="kim")).status == "done"


def test_jobs_of_a_closed_cluster_are_stopped_and_more_are_refused(monkeypatch):
    monkeypatch.setenv("SGD_TF_WORKERS", "1")
    monkeypatch.delenv("SGD_TF_SCHEDULER", raising=False)
    cluster = jobs.connect()
    assert jobs.connect() is cluster
    assert cluster.status == "starting"
    job = cluster.submit(job_functions.count, 1, learner="kim")
    cluster.close()  # in the middle of its start
    assert job.status == "stopped"
    with pytest.raises(RuntimeError, match="closed"):
        cluster.submit(job_functions.count, 1, learner="kim")
    cluster.close()


@contextlib.contextmanager
def outside_cluster(folder):
    """A cluster that another has started: its process, its address, and Dask's own variables set for it."""
    command = [sys.executable, "-m", "sgd_tf.jobs.local_cluster", "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        announcement = json.loads(process.stdout.readline())
        for name, text in announcement["credentials"].items():
            (folder / name).write_text(text)
        variables = {
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(folder / "tls_ca_file"),
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": str(folder / "tls_client_cert"),
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": str(folder / "tls_client_key"),
        }
        tls = dask.config.collect_env(variables)["distributed"]["comm"]["tls"]  # what Dask does at its import
        with dask.config.set({"distributed.comm.tls": dask.config.merge(dask.config.get("distributed.comm.tls"), tls)}):
            yield process, announcement["address"]


def test_an_outside_cluster_is_used_by_its_address_and_is_not_ended(monkeypatch, tmp_path):
    with outside_cluster(tmp_path) as (outside, address):
        monkeypatch.setenv("SGD_TF_SCHEDULER", address)
        cluster = jobs.connect()
        first = ended(cluster.submit(job_functions.count, 3, learner="kim"))
        assert first.num_rows == 3
        assert psutil.Process(first.rows[0]["process"]).ppid() == outside.pid
        cluster.close()
        assert outside.poll() is None


def dask_process(what, *arguments, imports=sys.path):
    """`dask scheduler` or `dask worker` as another starts it; each goes on until it is killed."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "dask", what, *arguments, "--host=127.0.0.1", "--no-dashboard"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(imports)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_what_an_outside_cluster_lacks_is_named_and_jobs_wait_until_it_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr("sgd_tf.jobs.attempt.ANSWER_SECONDS", 2.0)
    monkeypatch.setattr("sgd_tf.jobs.connection.WORKERS_SECONDS", 0.2)
    monkeypatch.setattr("sgd_tf.jobs.connection.RETRY_SECONDS", 0.01)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    (tmp_path / "sgd_tf.py").write_text("__version__ = '0.0.7'")
    worker = ("worker", address, "--nthreads=1", f"--local-directory={tmp_path}")
    cluster = jobs.Cluster(address=address)
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.close)

        def start(*arguments, imports=sys.path):
            process = stack.enter_context(dask_process(*arguments, imports=imports))
            stack.callback(process.kill)
            return process

        def eventually_lacks(kind, detail):
            eventually(lambda: cluster.failure and cluster.failure.kind == kind, timeout=60.0)
            assert re.fullmatch(detail, cluster.failure.detail)
            assert job.status == "waiting"

        job = cluster.submit(job_functions.until, str(tmp_path / "gate"), learner="kim")
        eventually_lacks("no scheduler", address)
        scheduler = start("scheduler", f"--port={port}")
        eventually_lacks("no workers", address)
        misfit = start(*worker, "--no-nanny", imports=[str(tmp_path), *sys.path])
        eventually_lacks("other package", rf"tcp://127\.0\.0\.1:\d+: sgd_tf 0\.0\.7, not {sgd_tf.__version__}")
        misfit.kill()
        start(*worker)
        eventually(lambda: job.num_rows, timeout=60.0)
        assert cluster.failure is None
        scheduler.kill()
        eventually_lacks("no scheduler", address)
        start("scheduler", f"--port={port}")
        start(*worker)
        (tmp_path / "gate").touch()
        assert ended(job, timeout=60.0).status == "done"
        assert job.attempt == 2


DRIVER = """
import json, signal, sys, psutil
from sgd_tf import jobs
from sgd_tf.jobs.fair_queue import FairQueue
from tests import job_functions

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as the server: what it inherits may ignore Ctrl-C
    cluster = jobs.connect()
    job = cluster.submit(job_functions.hang_in_c, learner="kim")
    while not job.num_rows:
        job.wait(0.01)
    try:
        print(json.dumps([child.pid for child in psutil.Process().children(recursive=True)]), flush=True)
        job.wait()
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGINT"])
def test_no_process_and_no_word_is_left_when_the_server_ends(name, tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SGD_TF_WORKERS": "1"}
    environment.pop("SGD_TF_SCHEDULER", None)
    errors = Path(tmp_path / "errors")
    in_the_background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # a shell has its background jobs ignore Ctrl-C
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [*in_the_background, sys.executable, str(script)], stdout=subprocess.PIPE, stderr=stderr, env=environment
        ) as driver,
    ):
        children = [psutil.Process(pid) for pid in json.loads(driver.stdout.readline())]
        assert len(children) >= 2  # the scheduler's process, the worker's
        driver.send_signal(getattr(signal, name))
        eventually(lambda: driver.poll() is not None and all(map(is_gone, children)), timeout=5.0)
    assert errors.read_text() == ""
