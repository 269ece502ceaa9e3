"""Small jobs for test_jobs.py, in a module that the worker processes can import."""

import ctypes
import math
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sgd_tf import problems
from sgd_tf.problems import given


@dataclass(frozen=True)
class Row:
    i: int = 0
    process: int = 0
    attempt: int = 0
    time: float = 0.0


@dataclass(frozen=True)
class Loss:
    value: float
    seeds: tuple[int, ...] = ()


@dataclass(frozen=True)
class Found:
    values: dict[str, str | bool | None]


def pause(seconds):
    """Let time pass inside a job; other threads of its process run meanwhile."""
    threading.Event().wait(seconds)


def num_examples(name) -> Iterator[Row]:
    """N of a problem that the worker was given."""
    yield Row(i=problems.load(name).num_examples, process=os.getpid())


def num_given(tick) -> Iterator[Row]:
    """How many problems the worker holds."""
    del tick
    yield Row(i=len(given._kept), process=os.getpid())


def count(num_rows, seconds_between=0.0) -> Iterator[Row]:
    """Yield `num_rows` numbered rows."""
    for i in range(num_rows):
        if i:
            pause(seconds_between)
        yield Row(i, os.getpid(), time=time.time())


def losses() -> Iterator[Loss]:
    """Yield typed rows, one of a loss that is not a number."""
    yield Loss(0.1, (1, 2))
    yield Loss(math.inf)


def endless(path=None) -> Iterator[Row]:
    """Yield rows without end; at the end, whatever brings it, write the file `path`."""
    try:
        yield from count(10**9, 0.01)
    finally:
        if path:
            Path(path).write_text("closed")


def until(path, _name="") -> Iterator[Row]:
    """Yield rows until the file `path` exists."""
    while not Path(path).exists():
        yield Row(process=os.getpid())
        pause(0.01)


def hang_in_c() -> Iterator[Row]:
    """Yield a row, then block in C code with the interpreter's lock held, so that no other thread goes on."""
    yield Row(process=os.getpid())
    pause(0.3)  # the row is on its way
    ctypes.PyDLL(None).sleep(1000)  # PyDLL keeps the lock


def die_in_attempts(directory, num_deaths) -> Iterator[Row]:
    """Yield two rows, kill the own process in the first `num_deaths` attempts, yield a third row."""
    attempt = 1 + len(list(Path(directory).iterdir()))
    yield Row(0, attempt=attempt)
    yield Row(1, attempt=attempt)
    pause(0.3)  # the rows are on their way
    if attempt <= num_deaths:
        (Path(directory) / str(attempt)).touch()
        os.kill(os.getpid(), 9)
    yield Row(2, attempt=attempt)


def allocate() -> Iterator[Row]:
    """Yield a row, then take memory until somebody ends it."""
    yield Row(process=os.getpid())
    hoard = []
    while True:
        hoard.append(b"x" * 5_000_000)
        pause(0.01)


HOARD = []


def keep(num_bytes) -> Iterator[Row]:
    """Take memory and keep it for the rest of this process's life."""
    HOARD.append(b"x" * num_bytes)
    yield Row(process=os.getpid())


def fail() -> Iterator[Row]:
    yield Row()
    raise ValueError("the file /home/kim/secret/data.csv is odd")


def run_out_of_memory() -> Iterator[Row]:
    yield Row()
    raise MemoryError("cannot allocate 80 GB")


def import_missing() -> Iterator[Row]:
    yield Row()
    import a_module_that_is_not_there  # noqa: F401


def yield_a_set() -> Iterator[Loss]:
    yield Loss({1.0, 2.0})


def environment(*names) -> Iterator[Found]:
    yield Found({name: os.environ.get(name) for name in names})


def warm():
    sys.modules["a_warm_worker"] = sys


def warm_with_memory(num_bytes):
    HOARD.append(b"x" * num_bytes)


def is_warm() -> Iterator[Row]:
    yield Row("a_warm_worker" in sys.modules, os.getpid())


def warm_until(path):
    """A warm-up that says beside the file `path` that it has begun, and lasts until that file exists."""
    Path(path).with_name(f"begun-{os.getpid()}").touch()
    while not Path(path).exists():
        pause(0.01)


def warm_in_steps(path):
    """A warm-up whose second step leaves a file with its process beside the file `path`; it dies if that is "death"."""
    warm_until(path)
    yield
    if Path(path).name == "death":
        warm_to_death()
    Path(path).with_name(f"second-{os.getpid()}").touch()
    yield


def second_step(folder) -> Iterator[Found]:
    yield Found({"is done": Path(folder, f"second-{os.getpid()}").exists()})


def warm_with_missing_import():
    import a_module_that_is_not_there  # noqa: F401


def warm_to_death():
    os.kill(os.getpid(), 9)
