"""A long computation in slices: every idle worker, one of them where others wait, and an end that is told."""

import pytest

from sgd_tf.jobs import JobFailure, Slice, SlicedJob
from tests import job_functions
from tests.lab import FakeCluster


@pytest.fixture
def cluster():
    workers = FakeCluster()
    workers.num_workers = 3
    return workers


def work(items, log=None):
    """Hands out one item at a time: what is neither done nor under way."""

    def next_slice(rows, under_way, num_free):
        taken = {row["item"] for row in rows} | {part.arguments[0] for part in under_way}
        left = [item for item in items if item not in taken]
        if log is not None:
            log.append((len(rows), len(under_way), num_free))
        return Slice.of(job_functions.count, left[0]) if left else None

    return next_slice


def begin(cluster, items, log=None):
    return SlicedJob(cluster, work(items, log), learner="kim", seconds_limit=30.0)


def end(job, status="done"):
    job.rows, job.status = [{"item": job.arguments[0]}], status


def test_there_is_a_slice_for_each_worker_as_long_as_nobody_waits(cluster):
    log = []
    sliced = begin(cluster, "abcde", log)
    assert [job.arguments[0] for job in cluster.jobs] == ["a", "b", "c"]
    assert log == [(0, 0, 3), (0, 1, 2), (0, 2, 1)]
    assert sliced.num_under_way == 3
    assert len({job.learner.tab for job in cluster.jobs}) == 3  # a tab has one job that runs
    assert {job.learner.browser for job in cluster.jobs} == {"kim"}
    assert {job.limit for job in cluster.jobs} == {30.0}


def test_where_others_wait_there_is_one_slice_at_a_time(cluster):
    cluster.num_waiting = 1
    sliced = begin(cluster, "abc")
    for item in "abc":
        assert [job.arguments[0] for job in cluster.jobs if job.status == "running"] == [item]
        end(cluster.jobs[-1])
        sliced.touch()
    assert sliced.status == "done"


def test_a_crowd_that_comes_later_gets_the_places_of_the_slices_that_end(cluster):
    sliced = begin(cluster, "abcdef")
    cluster.num_waiting = 5
    for job in list(cluster.jobs):
        end(job)
    sliced.touch()
    assert [job.arguments[0] for job in cluster.jobs[3:]] == ["d"]


def test_rows_come_slice_by_slice_and_all_are_kept(cluster):
    sliced = begin(cluster, "abcd")
    cluster.jobs[1].rows = [{"item": "b"}]  # so far
    assert sliced.rows == [{"item": "b"}]
    while sliced.status != "done":
        for job in cluster.jobs:
            end(job)
    assert sorted(row["item"] for row in sliced.rows) == list("abcd")
    assert len(cluster.jobs) == 4


def test_it_waits_as_long_as_no_slice_runs_and_tells_the_place_of_the_next_one(cluster):
    cluster.num_waiting = 1
    sliced = begin(cluster, "ab")
    (job,) = cluster.jobs
    job.status, job.place, job.seconds_to_start = "waiting", 4, 40.0
    assert (sliced.status, sliced.place, sliced.seconds_to_start) == ("waiting", 4, 40.0)
    job.status, job.place, job.seconds_to_start = "running", None, None
    assert (sliced.status, sliced.place, sliced.seconds_to_start) == ("running", None, None)
    end(job)
    assert sliced.status == "running"
    cluster.jobs[-1].status = "waiting"
    assert sliced.status == "running"  # it has begun long ago


def test_a_touch_reaches_all_slices(cluster):
    sliced = begin(cluster, "abc")
    sliced.touch()
    assert [job.touches for job in cluster.jobs] == [1, 1, 1]


def test_stop_ends_all_slices_keeps_what_there_is_and_begins_no_more(cluster):
    sliced = begin(cluster, "abcdef")
    cluster.jobs[0].rows = [{"item": "a"}]
    sliced.stop()
    assert [job.status for job in cluster.jobs] == ["stopped"] * 3
    assert (sliced.status, sliced.rows, sliced.num_under_way) == ("stopped", [{"item": "a"}], 0)
    sliced.touch()
    assert len(cluster.jobs) == 3


def test_a_slice_that_fails_fails_the_whole_and_ends_the_others(cluster):
    sliced = begin(cluster, "abc")
    end(cluster.jobs[0])
    cluster.jobs[1].failure = JobFailure("memory", "The worker process went over its memory limit.")
    cluster.jobs[1].status = "failed"
    assert sliced.status == "failed"
    assert sliced.failure.kind == "memory"
    assert cluster.jobs[2].status == "stopped"
    assert {"item": "a"} in sliced.rows


def test_a_slice_that_was_stopped_since_nobody_looked_ends_the_whole(cluster):
    sliced = begin(cluster, "abc")
    end(cluster.jobs[0], "stopped")
    assert sliced.status == "stopped"


def test_where_nothing_is_missing_it_is_done_at_once(cluster):
    sliced = begin(cluster, "")
    assert (sliced.status, sliced.rows, cluster.jobs) == ("done", [], [])


def test_waiting_for_it_tells_whether_all_is_done(cluster):
    sliced = begin(cluster, "abcd")
    for job in cluster.jobs[:3]:
        end(job)
    assert not sliced.wait(0.0)
    end(cluster.jobs[3])
    assert sliced.wait(0.0)


def test_the_real_workers_make_all_slices_and_others_have_their_turn(tmp_path):
    from sgd_tf.jobs import Cluster

    cluster = Cluster(num_workers=1, memory_limit="600MB")
    try:

        def next_slice(rows, under_way, num_free):
            del num_free
            busy = len(rows) < 3 and not under_way
            return Slice.of(job_functions.count, 1) if busy else None

        gate = tmp_path / "gate"
        first = cluster.submit(job_functions.until, str(gate), learner="park", seconds_limit=60.0)
        sliced = SlicedJob(cluster, next_slice, learner="kim", seconds_limit=60.0)
        other = cluster.submit(job_functions.count, 1, learner="lee", seconds_limit=60.0)
        gate.touch()
        while not sliced.wait(30.0):
            pass
        assert sliced.status == "done"
        assert len(sliced.rows) == 3
        assert other.wait(30.0)
        assert other.rows[0].time < sliced.rows[1].time  # after the first slice, before the second
        assert first.wait(30.0)
    finally:
        cluster.close()
