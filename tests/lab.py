"""The app without a browser and without worker processes, for the tests of its pages."""

import functools
import json
import math
from pathlib import Path

from streamlit.components.v2 import manifest_scanner
from streamlit.runtime.scriptrunner import script_runner
from streamlit.testing.v1 import AppTest

from sgd_tf.jobs import rows
from sgd_tf.jobs.worker import check_function

APP = str(Path(__file__).parents[1] / "app.py")
LANGUAGES = ("ko", "en")

# For each app that a test opens, Streamlit looks through all installed packages for components: once is enough.
manifest_scanner.scan_component_manifests = functools.cache(manifest_scanner.scan_component_manifests)
# After each run of a page Streamlit clears the session of a Keras that is there, which takes a second or more once
# models have been trained. The lab's server, for which this process stands, has no Keras.
script_runner._clean_problem_modules = lambda: None


class FakeJob:
    def __init__(self, function, arguments, rows=(), status="running"):
        self.id, self.function, self.arguments = f"job{id(self)}", function, arguments
        self.rows, self.status, self.attempt = list(rows), status, 1
        self.place = self.seconds_to_start = None
        self.failure = None
        self.touches = 0

    def touch(self):
        self.touches += 1

    def stop(self):
        self.status = "stopped"

    def wait(self, timeout=None, *, num_rows=math.inf):
        del timeout, num_rows
        return self.status not in ("waiting", "running")


class FakeCluster:
    """Takes jobs and leaves them to the test: it sets their rows and their status."""

    status = "ready"
    num_workers, num_waiting, memory_limit = 1, 0, 6_000_000_000

    def __init__(self):
        self.jobs = []

    def warm_up(self, function):
        self.warmed = function

    def submit(self, function, *arguments, learner, seconds_limit, typical_seconds=None):
        check_function(function)
        self.jobs.append(FakeJob(function, arguments))
        self.jobs[-1].limit, self.jobs[-1].learner, self.jobs[-1].typical = seconds_limit, learner, typical_seconds
        return self.jobs[-1]


def travelled(function, *arguments):
    """The rows of a generator function as they arrive from a worker."""
    codec = rows.codec(function)
    return [codec.read(json.loads(json.dumps(codec.write(row)))) for row in function(*arguments)]


class InProcessCluster(FakeCluster):
    """Runs each job to its end as it is submitted, in this process, with the real TensorFlow."""

    def submit(self, function, *arguments, **options):
        job = super().submit(function, *arguments, **options)
        job.rows = travelled(function, *arguments)
        job.status = "done"
        return job


def open_app(language="en", *, page=None, **address):
    """The app, run once.

    Args:
        language: "ko" or "en".
        page: its file, such as "pages/learn/sampling.py"; by default the first page.
        address: what stands in the page's address.
    """
    app = AppTest.from_file(APP, default_timeout=60)
    app.query_params["lang"] = language
    for key, value in address.items():
        app.query_params[key] = value
    return checked((app.switch_page(page) if page else app).run())


def checked(app):
    """The app, if its last run raised nothing."""
    assert not app.exception, [element.value for element in app.exception]
    return app
