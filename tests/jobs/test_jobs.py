"""Claims about jobs in worker processes: their rows, their order, and stopping."""

import functools
import gc
import math
import os
import threading
import time
import weakref

import psutil
import pytest

from sgd_tf import jobs
from sgd_tf.jobs import rows as rows_of_jobs
from tests import job_functions
from tests.jobs.waiting import ended, eventually, is_gone


def test_rows_arrive_complete_and_in_order(cluster):
    job = ended(cluster.submit(job_functions.count, 2_000, learner="a"))
    assert job.status == "done"
    assert [row.i for row in job.rows] == list(range(2_000))
    assert job.num_rows == 2_000
    assert job.attempt == 1
    assert job.failure is None
    assert job.place is None


def test_a_job_runs_in_another_process(cluster):
    job = ended(cluster.submit(job_functions.count, 1, learner="a"))
    assert job.rows[0].process != os.getpid()


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


def test_the_snapshot_of_rows_belongs_to_the_caller(cluster):
    job = ended(cluster.submit(job_functions.count, 3, learner="a"))
    job.rows.clear()
    assert job.num_rows == 3


@pytest.mark.usefixtures("gate")
def test_messages_that_overtake_or_come_twice_leave_the_rows_in_order(cluster):
    job = cluster.submit(job_functions.count, 1, learner="a")
    rows = [job_functions.Row(i) for i in range(3)]
    first, second, third = map(rows_of_jobs.codec(job_functions.count).write, rows)
    job._receive(2, [third])
    assert job.rows == []
    job._receive(0, [first, second])
    job._receive(0, [first, second])
    assert job.rows == rows
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
    assert [row.i for row in job.rows] == [0, 1, 2, 3, 4]


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
    assert [row.i for row in job.rows] == list(range(job.num_rows))
    eventually(mark.exists)
    job.stop()  # a second time changes nothing
    assert job.status == "stopped"


def test_stop_takes_effect_within_a_second_though_the_worker_hangs(cluster):
    job = cluster.submit(job_functions.hang_in_c, learner="kim")
    hung = psutil.Process(eventually(lambda: job.rows)[0].process)
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


def test_what_cannot_travel_is_refused_at_once(cluster):
    with pytest.raises(TypeError, match="pickle"):
        cluster.submit(job_functions.until, threading.Lock(), learner="kim")
    for call in (functools.partial(cluster.submit, learner="kim"), cluster.warm_up):
        with pytest.raises(TypeError, match="`function` must be a function at the top level of a module that a worker"):
            call(lambda: iter(()))
    with pytest.raises(ValueError, match=r"`seconds_limit` must be above 0; received nan"):
        cluster.submit(job_functions.count, 1, learner="kim", seconds_limit=float("nan"))


def test_ended_jobs_are_forgotten(cluster):
    references = [weakref.ref(ended(cluster.submit(job_functions.count, 3, learner="kim"))) for _ in range(20)]

    def are_gone():
        gc.collect()
        return all(reference() is None for reference in references)

    eventually(are_gone)


def test_the_workers_know_their_share_of_the_cores(cluster):
    job = ended(cluster.submit(job_functions.environment, "OMP_NUM_THREADS", "TF_CPP_MIN_LOG_LEVEL", learner="k"))
    share = max(1, len(os.sched_getaffinity(0)) // 2) if hasattr(os, "sched_getaffinity") else None
    assert job.rows[0].values["TF_CPP_MIN_LOG_LEVEL"] == os.environ.get("TF_CPP_MIN_LOG_LEVEL", "2")
    if share and "OMP_NUM_THREADS" not in os.environ:
        assert int(job.rows[0].values["OMP_NUM_THREADS"]) <= share
