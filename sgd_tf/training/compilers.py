"""Two compilers for one loop: XLA or TensorFlow's graph executor, whichever is faster here for a model and a k."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

import tensorflow as tf

Compiler = Literal["xla", "graph"]
COMPILERS: tuple[Compiler, ...] = get_args(Compiler)

TRIAL_SECONDS = 0.01  # training time of one trial, at least; a single update may take longer
NUM_TRIALS = 3  # the fastest counts, so that another process does not decide
CLEARLY = 1.1  # XLA is kept unless the graph is faster by this factor: repeated runs should choose alike
LONG_UPDATE = 0.1  # seconds; from here on XLA is tried with a part of the minibatch first
HOPELESS = 3.0  # XLA's time for that part, as a multiple of the graph's, from which on the whole is not tried

_tracing = threading.Lock()


def graph_function(function: Callable[..., Any], **options: Any) -> Any:
    """A `tf.function` with results that are NaN where those of the eager function are.

    TensorFlow's graph optimizer fuses a matrix product, its bias and a ReLU into one operation ("remapping"), which on
    some processors turns NaN into 0: a run that has diverged would look finite. The option that switches this off
    holds for the whole process, so it is set while the call of an inner function, which is not inlined and keeps the
    options of that moment, is traced.

    Args:
        function: to be traced.
        options: for `tf.function`, such as ``input_signature``.
    """
    inner = tf.function(functools.partial(function), experimental_attributes={"_noinline": True})
    return tf.function(functools.partial(_called_unfused, inner), autograph=False, **options)


def xla_function(function: Any) -> Any:
    """The same function compiled by XLA; one of `graph_function` is not traced a second time."""
    return tf.function(functools.partial(_called, function), autograph=False, jit_compile=True)


# Functions of many models in a `partial` are not taken for one that is traced again and again: TensorFlow would warn.


def _called(function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)


def _called_unfused(function: Callable[..., Any], *arguments: Any) -> Any:
    with _without_remapping():
        return function(*arguments)


@contextlib.contextmanager
def _without_remapping() -> Iterator[None]:
    with _tracing:
        before = tf.config.optimizer.get_experimental_options().get("remapping", True)
        tf.config.optimizer.set_experimental_options({"remapping": False})
        try:
            yield
        finally:
            tf.config.optimizer.set_experimental_options({"remapping": before})


@dataclass(frozen=True, kw_only=True)
class Speed:
    """How fast a compiled loop is."""

    seconds_per_update: float
    compiler: Compiler


def measure(updates: Callable[[int], object], most: int) -> float:
    """Seconds per update: the fastest of a few trials of the same number of updates.

    Args:
        updates: makes so many updates.
        most: updates that one call can make, at least 1.
    """
    num, fastest = 1, float("inf")
    while True:
        seconds = _timed(updates, num)
        if seconds >= TRIAL_SECONDS or num == most:
            break
        num = min(most, max(2 * num, int(num * TRIAL_SECONDS / max(seconds, 1e-9))))
    for _ in range(NUM_TRIALS - 1):
        if seconds < LONG_UPDATE:  # a long one is hardly disturbed, and costs the learner's time
            fastest = min(fastest, seconds)
            seconds = _timed(updates, num)
    return min(fastest, seconds) / num


def _timed(updates: Callable[[int], object], num: int) -> float:
    start = time.perf_counter()
    updates(num)
    return time.perf_counter() - start


def faster(graph: float, xla: float | None) -> Speed:
    """The compiler to keep, by the seconds per update of both; None if XLA cannot compile the model.

    >>> faster(1.0, 1.05).compiler, faster(1.0, 1.2).compiler, faster(1.0, None).compiler
    ('xla', 'graph', 'graph')
    """
    if xla is None or xla > CLEARLY * graph:
        return Speed(compiler="graph", seconds_per_update=graph)
    return Speed(compiler="xla", seconds_per_update=xla)
