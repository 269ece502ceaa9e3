"""What runs inside a worker process: one job's generator; its rows are sent as they come."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import psutil
from distributed import Nanny, Worker, get_worker

from sgd_tf.children import kill_tree
from sgd_tf.jobs import rows
from sgd_tf.jobs.dask_internals import loads, memory_limit_of
from sgd_tf.problems import DownloadError, given

TOPIC = "sgd_tf.jobs"  # one for all jobs: the scheduler keeps every topic for good
FLUSH_SECONDS = 0.1  # rows that follow each other faster than this share a message

JobFailureKind = Literal["memory", "time limit", "worker lost", "import", "download", "error"]
ClusterFailureKind = Literal["no cluster", "no scheduler", "no workers", "other package"]  # jobs wait
FailureKind = JobFailureKind | ClusterFailureKind

# In the messages of exceptions.
MAX_MESSAGE = 500  # letters
FRAME = re.compile(r'^([ \t]*)File ".*", line \d+.*\n(?:\1[ \t]+\S.*\n)?', re.MULTILINE)  # with its line of code
NO_CAUSE = re.compile(
    r"\(most recent call last\):|^Graph execution error:|^in user code:|\[\[\{\{node |^\s*•|^Arguments received by "
)
PARAGRAPH = re.compile(r"(?<=[^\s.!?:])\s*\n\s*\n\s*")  # its end, without a stop
COLOUR = re.compile(r"\x1b\[[\d;]*m")
PATH = re.compile(r"(?<![\w:/])(?:[A-Za-z]:)?[\\/](?:[^\\/\s'\":;,]+[\\/])*")  # folders before the name of a file

END = object()  # what `next` gives for a generator that has ended

_stops: dict[str, threading.Event] = {}  # job id → set when the job shall end; holds only running jobs
_warm_ups: dict[bytes, Iterator[Any]] = {}  # pickled function → what is left of its steps


@dataclass(frozen=True)
class JobFailure:
    """Why a job, or the whole cluster, failed: a kind to translate and a detail to show with it."""

    kind: FailureKind
    detail: str  # one line without paths, e.g. "ValueError: `batch_size` must be …"
    memory_limit: int | None = None  # bytes; of the worker that went over it


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """End of a job, as its worker reports it."""

    status: Literal["done", "stopped", "failed"]
    num_rows: int = 0  # rows sent in all
    failure: JobFailure | None = None
    traceback: str = ""  # for the log; never shown to a learner
    memory_share: float = 0.0  # the worker's memory at the end, as a share of its limit
    goes_on: bool = False  # a warm-up that has more steps


def describe(error: BaseException) -> JobFailure:
    """The failure that an exception stands for, in one line and without the paths of this machine.

    For a download that failed the line is only its reason.

    >>> describe(FileNotFoundError("cannot open /home/kim/lab/data.csv")).detail
    'FileNotFoundError: cannot open data.csv'
    >>> describe(ModuleNotFoundError("No module named 'tensorflow'")).kind
    'import'
    """
    message = _in_one_line(error.reason if isinstance(error, DownloadError) else str(error))
    name = type(error).__name__
    if isinstance(error, DownloadError):
        return JobFailure("download", message)
    if isinstance(error, ImportError):
        kind: FailureKind = "import"
    elif isinstance(error, MemoryError) or name == "ResourceExhaustedError":  # the latter: a GPU's memory
        kind = "memory"
    else:
        kind = "error"
    return JobFailure(kind, f"{name}: {message}" if message else name)


def _in_one_line(message: str) -> str:
    """What an exception says, without the stack frames, the colours and the paths that libraries put into it."""
    kept = "\n".join(line for line in FRAME.sub("", message).splitlines() if not NO_CAUSE.search(line))
    sentences = PARAGRAPH.sub(". ", COLOUR.sub("", kept).strip())
    text = " ".join(PATH.sub("", sentences).split())
    if len(text) <= MAX_MESSAGE:
        return text
    cut = text[:MAX_MESSAGE]
    whole = re.match(r".*[.!?](?=\s)", cut)
    return whole[0] if whole else cut.rpartition(" ")[0] + " …"


def memory_limit() -> int:
    """Bytes that this worker process may take; outside a worker those of the machine."""
    try:
        limit = memory_limit_of(get_worker())
    except ValueError:  # no worker
        limit = None
    return int(limit or psutil.virtual_memory().total)


def check_function(function: Callable[..., Any]) -> None:
    """Refuse a function that a worker cannot import: functions travel by module and name.

    Raises:
        TypeError: if ``function`` is not a function at the top level of a module.

    >>> check_function(describe)
    >>> check_function(lambda: iter(()))
    Traceback (most recent call last):
    ...
    TypeError: `function` must be a function at the top level of a module that a worker can import; received \
sgd_tf.jobs.worker.<lambda>.
    """
    bare = function.func if isinstance(function, functools.partial) else function
    module, name = getattr(bare, "__module__", ""), getattr(bare, "__qualname__", repr(bare))
    if module == "__main__" or getattr(sys.modules.get(module), name, None) is not bare:
        raise TypeError(
            "`function` must be a function at the top level of a module that a worker can import; "
            f"received {module}.{name}."
        )


class _Sender:
    """Sends rows at once when they are rare, and in batches when they are frequent."""

    def __init__(self, worker: Worker, job_id: str, attempt: int) -> None:
        self.num_rows = 0  # rows taken so far
        self._worker = worker
        self._head = {"job": job_id, "attempt": attempt}
        self._buffer: list[Any] = []
        self._sent_at = float("-inf")
        self._lock = threading.Lock()  # add() runs in the job's thread, a late flush() in the worker's loop

    def add(self, row: Any) -> None:
        with self._lock:
            self._buffer.append(row)
            self.num_rows += 1
            wait = self._sent_at + FLUSH_SECONDS - time.monotonic()
            if wait <= 0:
                self._flush()
            elif len(self._buffer) == 1:  # the job may now compute for long without another row
                self._worker.loop.add_callback(self._worker.loop.call_later, wait, self.flush)

    def flush(self) -> None:
        with self._lock:
            self._flush()

    def _flush(self) -> None:
        if self._buffer:
            # `first` numbers the messages: what is lost or comes out of order is noticed. JSON text is
            # opaque to the scheduler, so a row costs it nothing.
            first = self.num_rows - len(self._buffer)
            self._worker.log_event(TOPIC, {**self._head, "first": first, "rows": json.dumps(self._buffer)})
            self._buffer = []
            self._sent_at = time.monotonic()


def run_job(job_id: str, attempt: int, seconds_limit: float, payload: bytes) -> Outcome:
    """Run a job's generator to its end and send its rows.

    Args:
        job_id: name of the job, for its messages and for `request_stop`.
        attempt: 1, or 2 when a worker died in the first one.
        seconds_limit: the job ends itself after this; the server, if it is still there, ends it before.
        payload: the pickled (function, args).

    Returns:
        The outcome. It describes what the generator raises: an exception object might not travel.
    """
    worker = get_worker()
    sender = _Sender(worker, job_id, attempt)
    stop = _stops.setdefault(job_id, threading.Event())
    deadline = time.monotonic() + seconds_limit
    outcome: dict[str, Any]
    try:
        function, args = loads(payload)
        outcome = {"status": "done"}
        write = rows.codec(function).write
        with contextlib.closing(function(*args)) as found:
            for row in found:
                if stop.is_set() or time.monotonic() > deadline:
                    outcome = {"status": "stopped"}
                    break
                sender.add(write(row))
    except (Exception, SystemExit) as error:
        outcome = {"status": "failed", "failure": describe(error), "traceback": traceback.format_exc()}
    finally:
        del _stops[job_id]
        sender.flush()
    return Outcome(num_rows=sender.num_rows, memory_share=_memory_share(), **outcome)


def run_warm_up(payload: bytes) -> Outcome:
    """Call the pickled function, or go on with its generator up to the next `yield`."""
    try:
        steps = _warm_ups.pop(payload, None) or loads(payload)()
        goes_on = inspect.isgenerator(steps) and next(steps, END) is not END
    except (Exception, SystemExit) as error:
        return Outcome(status="failed", failure=describe(error), traceback=traceback.format_exc())
    if goes_on:
        _warm_ups[payload] = steps
    return Outcome(status="done", goes_on=goes_on, memory_share=_memory_share())


def receive_problem(payload: bytes) -> Outcome:
    """Give this process a pickled problem, for the jobs that name it."""
    given.keep(loads(payload))
    return Outcome(status="done")


def forget_problems(names: list[str]) -> None:
    """Hold these problems no longer."""
    given.forget(names)


def _memory_share() -> float:
    limit = memory_limit_of(get_worker())
    return psutil.Process().memory_info().rss / limit if limit else 0.0


def request_stop(job_id: str) -> None:
    """Ask the job to end at its next row. It may not have begun, or have ended: the server asks again."""
    if job_id in _stops:
        _stops[job_id].set()


def kill_worker(dask_worker: Nanny) -> None:
    """End the worker process of this nanny, and all that it has started; the nanny starts another.

    Runs in the nanny's process, so it works too when the worker hangs in C code and holds the interpreter.
    """
    kill_tree(psutil.Process(dask_worker.pid))
