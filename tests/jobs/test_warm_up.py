"""Claims about the warm-up of workers: before the first job, behind waiting ones, and without end if it fails."""

import functools
import os

import psutil

from sgd_tf import jobs
from tests import job_functions
from tests.jobs.waiting import ended, eventually


def test_what_a_warm_up_keeps_is_no_reason_to_replace_the_worker(cluster, tmp_path):
    cluster.warm_up(functools.partial(job_functions.warm_with_memory, 170_000_000))
    holder = cluster.submit(job_functions.until, str(tmp_path / "gate"), learner="lee")
    eventually(lambda: holder.num_rows)
    jobs_of_one_worker = [ended(cluster.submit(job_functions.count, 1, learner="kim")) for _ in range(3)]
    assert len({job.rows[0].process for job in jobs_of_one_worker}) == 1
    (tmp_path / "gate").touch()
    ended(holder)


def test_every_worker_is_warmed_up_before_its_first_job_and_so_is_its_replacement(cluster):
    cluster.warm_up(job_functions.warm)
    first = ended(cluster.submit(job_functions.is_warm, learner="kim"))
    assert first.rows[0].i
    psutil.Process(first.rows[0].process).kill()
    eventually(lambda: cluster.num_workers == 1)
    learners = [cluster.submit(job_functions.is_warm, learner=f"learner {i}") for i in range(6)]
    assert all(ended(job).rows[0].i for job in learners)
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
    assert ended(cluster.submit(job_functions.is_warm, learner="kim")).rows[0].i


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
    assert [ended(job).rows for job in waiting] == [[job_functions.Found({"is done": False})]] * 6
    assert cluster.status == "ready"
    eventually(lambda: len(list(tmp_path.glob("second-*"))) == 2)
    assert ended(cluster.submit(job_functions.second_step, str(tmp_path), learner="kim")).rows == [
        job_functions.Found({"is done": True})
    ]


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
