"""Claims about jobs that fail, and about workers that die: the reason, a second attempt, a new worker."""

import psutil
import pytest

from sgd_tf.jobs.attempt import WorkerLostError, verdict
from sgd_tf.jobs.worker import JobFailure, Outcome, describe
from tests import job_functions
from tests.jobs.waiting import ended, eventually, is_gone

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


def test_a_job_over_its_time_limit_fails_and_keeps_its_rows(cluster):
    job = ended(cluster.submit(job_functions.endless, learner="kim", seconds_limit=0.5))
    assert job.status == "failed"
    assert job.failure.kind == "time limit"
    assert job.num_rows > 0
    assert job.elapsed >= 0.5


def test_a_job_that_hangs_ends_at_its_time_limit_and_its_worker_is_replaced(cluster):
    job = cluster.submit(job_functions.hang_in_c, learner="kim", seconds_limit=1.0)
    hung = psutil.Process(eventually(lambda: job.rows)[0].process)
    assert ended(job).failure.kind == "time limit"
    eventually(lambda: is_gone(hung))
    eventually(lambda: cluster.num_workers == 2, timeout=15.0)


def test_a_job_whose_worker_dies_starts_again_with_no_row_twice(cluster, tmp_path):
    job = cluster.submit(job_functions.die_in_attempts, str(tmp_path), 1, learner="kim")
    ended(job)
    assert job.status == "done"
    assert job.attempt == 2
    assert job.rows == [job_functions.Row(i, attempt=2) for i in range(3)]


def test_a_job_whose_worker_dies_twice_fails_and_others_do_not_notice(cluster, tmp_path):
    other = cluster.submit(job_functions.endless, learner="lee")
    eventually(lambda: other.num_rows)
    job = ended(cluster.submit(job_functions.die_in_attempts, str(tmp_path), 2, learner="kim"))
    assert job.status == "failed"
    assert job.failure.kind == "worker lost"
    assert job.attempt == 2
    assert (other.status, other.attempt) == ("running", 1)
    other.stop()
    assert [row.i for row in ended(other).rows] == list(range(other.num_rows))


def test_a_worker_that_is_killed_is_replaced_within_15_seconds(cluster, gate):
    holder = cluster.submit(job_functions.until, str(gate), learner="holder 0")
    psutil.Process(holder.rows[0].process).kill()
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
    assert following.rows[0].process != full.rows[0].process
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
            "TypeError: `value` of Loss: it must be float; received set",
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
