"""The app without a browser and without worker processes, for the tests of its pages."""

import contextlib
import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVarTuple

import pytest
from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest

from sgd_tf.jobs import ClusterStatus, JobFailure, JobHandle, JobStatus, Learner, WorkerPool, rows
from sgd_tf.jobs.worker import check_function
from sgd_tf.ui import language

APP = str(Path(__file__).parents[1] / "app.py")
RACE = "pages/lab/gd_vs_sgd.py"
LANGUAGES = ("ko", "en")

Arguments = TypeVarTuple("Arguments")

# What no sentence may hold: a missing number, nothing as a number, a plural of one, a choice between two particles.
FLAWS = re.compile(
    r"nan|inf\b|None|∞|(?<![\d\w%])–|–(?![\d\w])|(?<![\d.,])0 s\b|(?<![\d.,])0초|(?<![\d.,])1 (?!of)\w+s\b|[{}]"
    r"|은\(는\)|을\(를\)|이\(가\)|와\(과\)|\(으\)로"
)
NUMBER = re.compile(r"\d[\d,]*\.?\d*")

# For each app that a test opens, Streamlit looks through all installed packages for components: once is enough.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)
# After each run of a page Streamlit clears the session of a Keras that is there, which takes a second or more once
# models have been trained. The lab's server, for which this process stands, has no Keras.
script_runner._clean_problem_modules = lambda: None


class FakeJob:
    """A job that a test moves: it sets the rows and the status."""

    place: int | None = None
    seconds_to_start: float | None = None
    failure: JobFailure | None = None
    limit: float | None = None
    learner: Learner | str = ""
    typical: float | None = None

    def __init__(
        self,
        function: Callable[..., Any] | str,
        arguments: tuple[Any, ...],
        rows: Iterable[Any] = (),
        status: JobStatus = "running",
    ) -> None:
        self.id, self.function, self.arguments = f"job{id(self)}", function, arguments
        self.rows: list[Any] = list(rows)
        self.status: JobStatus = status
        self.attempt = 1
        self.touches = 0

    def touch(self) -> None:
        self.touches += 1

    def stop(self) -> None:
        self.status = "stopped"

    def wait(self, timeout: float | None = None, *, num_rows: float = math.inf) -> bool:
        del timeout, num_rows
        return self.status not in ("waiting", "running")


class FakeCluster:
    """Takes jobs and leaves them to the test: it sets their rows and their status."""

    status: ClusterStatus = "ready"
    failure: JobFailure | None = None
    num_workers = 1
    num_waiting = 0
    memory_limit: int | None = 6_000_000_000

    def __init__(self) -> None:
        self.jobs: list[FakeJob] = []

    def warm_up(self, function: Callable[[], Any]) -> None:
        self.warmed = function

    def submit(
        self,
        function: Callable[[*Arguments], Iterator[Any]],
        *args: *Arguments,
        learner: Learner | str,
        seconds_limit: float = 90.0,
        typical_seconds: float | None = None,
    ) -> FakeJob:
        check_function(function)
        job = FakeJob(function, args)
        job.limit, job.learner, job.typical = seconds_limit, learner, typical_seconds
        self.jobs.append(job)
        return job


if TYPE_CHECKING:  # the fakes offer what a page uses of the real ones
    _cluster: WorkerPool = FakeCluster()
    _job: JobHandle = FakeJob("function", ())


@contextlib.contextmanager
def speaking(code: str) -> Iterator[None]:
    """Make sentences in this language outside of a page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(language, "current", lambda: code)
        yield


def sentences(say: Callable[[], str]) -> list[str]:
    """What a function says in each language, checked to be whole and without a flaw."""
    said = []
    for code in LANGUAGES:
        with speaking(code):
            text = say()
        assert text
        assert not FLAWS.search(text), text
        said.append(text)
    return said


def numbers_in(text: str) -> list[float]:
    """The numbers of a sentence, in its order; a percentage as it is written, 12.5 for 12.5%.

    >>> numbers_in("k = 1,437 took 0.5 s: 12.5%.")
    [1437.0, 0.5, 12.5]
    """
    return [float(number.rstrip(".,").replace(",", "")) for number in NUMBER.findall(text)]


def standing(page: str, section: str, sentence: str) -> None:
    """Check that a sentence stands on a page, in English: the test that calls this holds what it says.

    Args:
        page: its file, such as "pages/learn/sampling.py".
        section: heading of its prose.
        sentence: or the part of it that is held; line breaks do not matter.
    """
    text = language.sections(Path(APP).parent / Path(page).with_suffix(".en.md"))[section]
    assert " ".join(sentence.split()) in " ".join(text.split())


def travelled(function: Callable[..., Iterator[Any]], *arguments: Any) -> list[Any]:
    """The rows of a generator function as they arrive from a worker."""
    codec = rows.codec(function)
    return [codec.read(json.loads(json.dumps(codec.write(row)))) for row in function(*arguments)]


class InProcessCluster(FakeCluster):
    """Runs each job to its end as it is submitted, in this process, with the real TensorFlow."""

    def submit(self, function: Callable[[*Arguments], Iterator[Any]], *args: *Arguments, **options: Any) -> FakeJob:
        job = super().submit(function, *args, **options)
        job.rows = travelled(function, *args)
        job.status = "done"
        return job


def open_app(language: str = "en", *, page: str = RACE, **address: str | list[str]) -> AppTest:
    """The app, run once.

    Args:
        language: "ko" or "en".
        page: its file, such as "pages/learn/sampling.py".
        address: what stands in the page's address.
    """
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["lang"] = language
    for key, value in address.items():
        app.query_params[key] = value
    return checked(app.switch_page(page).run())


def checked(app: AppTest) -> AppTest:
    """The app, if its last run raised nothing."""
    assert not app.exception, [element.value for element in app.exception]
    return app
