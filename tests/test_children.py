"""Children that print what they like: their rows arrive, their words go to the log, and an error keeps its cause."""

import logging
import sys

import psutil
import pytest

from sgd_tf.children import Child, ChildError, Children, Waiting
from sgd_tf.devices import replicas
from sgd_tf.devices.rows import ParallelPlan
from sgd_tf.memory import measure
from sgd_tf.problems import DownloadError
from sgd_tf.training.records import ModelConfig
from tests import child_functions


def ask(request, into):
    with Children(child_functions.answer, [request]) as children:
        into.extend(row.number for index, row in children.rows(start_patience=60, patience=60) if index >= 0)


def test_what_a_child_prints_goes_to_the_log_and_never_among_its_rows(caplog, capfd):
    caplog.set_level(logging.DEBUG, "sgd_tf.children")
    rows = []
    ask("nothing", rows)
    assert rows == [1, 2, 3]
    for words in (
        "Downloading data from https://example.org/mnist.npz",
        '{"row": "not one of ours"}',
        "another program",
        "50% ....",
        "a warning, half a ",
        "the last words",
    ):
        assert words in caplog.text
    assert capfd.readouterr() == ("", "")


def test_an_error_of_a_child_keeps_its_cause_and_the_log_has_all(caplog):
    rows = []
    with pytest.raises(ChildError) as caught:
        ask("download", rows)
    assert rows == [1, 2, 3]
    error = caught.value
    assert (error.index, error.status) == (0, 1)
    assert (error.kind, error.arguments) == ("DownloadError", ("mnist", "[Errno 28] No space left on device"))
    assert "DownloadError: `mnist` could not be downloaded: [Errno 28] No space left on device. These" in str(error)
    assert "Traceback" in caplog.text
    assert "Downloading data from" in caplog.text


def test_the_first_and_the_last_line_of_an_error_are_told_whole():
    with pytest.raises(ChildError, match=r"^Process 0 ended: ValueError: first a{900} … last$"):
        ask("long", [])


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_child_that_is_killed_in_the_middle_of_a_row_is_said_to_be_killed():
    rows = []
    with pytest.raises(ChildError, match=r"^Process 0 was ended by signal 9\.$"):
        ask("half a row", rows)
    assert rows == [1, 2, 3]


@pytest.mark.parametrize("grace", [0.0, 20.0])
def test_the_end_of_a_child_is_the_end_of_what_it_has_started(grace):
    child = Child("tests.child_family", [], {})
    grandchild = psutil.Process(int(child.process.stdout.readline()))
    child.process.stdout.close()
    child.end(grace=grace)
    assert not child.process.is_running()
    psutil.wait_procs([grandchild], timeout=5)
    # A container without an init process keeps what has ended as a zombie.
    assert not grandchild.is_running() or grandchild.status() == psutil.STATUS_ZOMBIE


class _Refused:
    """Children of which the first fails to download."""

    def __init__(self, *_):
        pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def rows(self, **_):
        yield -1, Waiting(seconds=0.5)
        raise ChildError(0, 1, "Process 0 ended: …", kind="DownloadError", arguments=("mnist", "timed out"))


@pytest.mark.parametrize(
    "run",
    [
        lambda: measure.measure("mnist", ModelConfig(), [measure.Trial(batch_size=16)]),
        lambda: replicas.over_devices(ParallelPlan(problem="mnist"), [2]),
    ],
)
def test_a_download_that_fails_in_a_child_fails_as_in_this_process(run, monkeypatch):
    for module in (measure, replicas):
        monkeypatch.setattr(module, "Children", _Refused)
    with pytest.raises(DownloadError, match=r"^`mnist` could not be downloaded: timed out\. These need no download"):
        list(run())
