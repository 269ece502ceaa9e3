"""Downloads end in good time, are shared by their callers, and fail with their reason."""

from __future__ import annotations

import pickle
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sgd_tf.problems import CATALOGUE, DownloadError, datasets, load
from sgd_tf.problems.downloads import DOWNLOAD_SECONDS, Downloads

OFFLINE = [name for name, info in CATALOGUE.items() if info.kind != "download"]
DOWNLOADED = [name for name, info in CATALOGUE.items() if info.kind == "download"]


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "keras.json"]


@pytest.mark.filterwarnings("ignore:Retry downloading")
@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_refused_connection_is_an_error_that_names_the_problems_without_a_download(name, empty_caches, monkeypatch):
    with socket.socket() as unused:  # bound, but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(DownloadError, match=f"`{name}` could not be downloaded: .*refused") as caught:
            load(name)
    assert all(other in str(caught.value) for other in OFFLINE)
    assert files_in(empty_caches) == []
    assert socket.getdefaulttimeout() is None


@pytest.mark.filterwarnings("ignore:Retry downloading")
@pytest.mark.parametrize("name", DOWNLOADED)
@pytest.mark.usefixtures("empty_caches")
def test_a_server_that_never_answers_is_an_error_in_time(name, monkeypatch):
    datasets.DOWNLOADS.seconds = 0.2
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system accepts, nobody answers
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(DownloadError, match=f"`{name}` could not be downloaded") as caught:
            load(name)
    assert all(other in str(caught.value) for other in OFFLINE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.usefixtures("empty_caches")
def test_a_full_disk_is_the_reason_of_the_error(name, monkeypatch):
    import keras

    def retrieve(_url, _filename, _report):
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"what has arrived")

    monkeypatch.setattr(keras.src.utils.file_utils, "urlretrieve", retrieve)
    with pytest.raises(DownloadError) as caught:
        load(name)
    assert caught.value.reason == "[Errno 28] No space left on device"
    assert str(caught.value).startswith(f"`{name}` could not be downloaded: [Errno 28] No space left on device. These")


def test_a_folder_that_cannot_be_made_is_the_reason_of_the_error(empty_caches):
    (empty_caches / "scikit_learn_data").write_text("a file where the folder should be")
    with pytest.raises(DownloadError) as caught:
        load("california")
    assert caught.value.reason == f"[Errno 17] File exists: '{empty_caches / 'scikit_learn_data'}'"


def test_a_failed_download_travels_to_another_process():
    error = pickle.loads(pickle.dumps(DownloadError("mnist", "timed out")))
    assert (error.name, error.reason, str(error)) == ("mnist", "timed out", str(DownloadError("mnist", "timed out")))


def test_the_wait_for_a_download_is_less_than_15_seconds():
    assert DOWNLOAD_SECONDS < 15


def test_a_slow_download_continues_and_the_next_call_joins_it():
    arrived, calls = threading.Event(), []

    def fetch():
        calls.append("fetch")
        arrived.wait()
        return "data"

    downloads = Downloads(seconds=0.05)
    for _ in range(2):
        with pytest.raises(DownloadError, match=r"within 0.05 s; .* goes on arriving"):
            downloads.get("mnist", fetch)
    arrived.set()
    downloads.seconds = 60
    assert downloads.get("mnist", fetch) == "data"
    assert calls == ["fetch"]


def test_a_failed_download_can_be_tried_again():
    answers = iter([Exception("URL fetch failure on x: None -- no route."), None])

    def fetch():
        answer = next(answers)
        if answer is not None:
            raise answer
        return "data"

    downloads = Downloads()
    with pytest.raises(DownloadError, match=r"downloaded: URL fetch failure on x: no route\. These"):
        downloads.get("mnist", fetch)
    assert downloads.get("mnist", fetch) == "data"


def test_a_download_that_failed_after_its_caller_had_given_up_is_tried_again():
    hanging = threading.Event()

    def fetch_in_vain():
        hanging.wait()
        raise TimeoutError("timed out")

    downloads = Downloads(seconds=0.05)
    with pytest.raises(DownloadError, match=r"within 0.05 s"):
        downloads.get("mnist", fetch_in_vain)
    (thread,) = (thread for thread in threading.enumerate() if thread.name == "download mnist")
    hanging.set()
    thread.join(60)
    downloads.seconds = 60
    assert downloads.get("mnist", lambda: "data") == "data"


def test_a_hanging_download_does_not_hold_up_another():
    hanging = threading.Event()
    downloads = Downloads(seconds=0.05)
    with pytest.raises(DownloadError):
        downloads.get("mnist", hanging.wait)
    downloads.seconds = 60
    assert downloads.get("california", socket.getdefaulttimeout) == 60
    assert socket.getdefaulttimeout() == 60  # as long as the first one is under way
    hanging.set()
    assert downloads.get("mnist", hanging.wait) is True
    assert socket.getdefaulttimeout() is None


def test_a_hanging_download_does_not_keep_the_process_from_ending():
    code = (
        "import threading; from sgd_tf.problems.downloads import DownloadError, Downloads\n"
        "try: Downloads(seconds=0.05).get('mnist', threading.Event().wait)\n"
        "except DownloadError: print('in time')"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "in time"
