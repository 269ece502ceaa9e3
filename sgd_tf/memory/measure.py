"""How much memory an update takes, measured in a fresh process.

A measurement may have a limit: the process that goes over it is ended, as it would be where memory is finite.
"""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from sgd_tf import problems
from sgd_tf.children import ChildError, Children, end_with_parent, serve
from sgd_tf.memory.predict import FLOAT
from sgd_tf.memory.rows import Difference, Measurement, Row
from sgd_tf.problems import DownloadError
from sgd_tf.training.counting import resolve_batch_size
from sgd_tf.training.layers import BatchNormalization, Dropout
from sgd_tf.training.records import BatchSize, ModelConfig, TrainConfig

if TYPE_CHECKING:
    import keras
    import numpy as np

    from sgd_tf.problems import Problem
    from sgd_tf.training.compilers import Compiler
    from sgd_tf.training.models import Model

KerasConfig: TypeAlias = str  # how Keras describes a model in JSON: layers, without weights
COMPILER: Compiler = "xla"  # of all measurements: a trial of both would take memory before the watch begins
# A large block of memory that is freed goes back to the system at once: peaks do not depend on what was freed before.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(2**17), "MALLOC_TRIM_THRESHOLD_": str(2**17)}
MAX_MEASURED_UPDATES, MEASURED_SECONDS = 50, 0.4  # of one measurement, whichever comes first
WATCH_SECONDS = 0.004  # between two looks at a process that has a limit
PATIENCE = 120.0  # seconds that a measurement may take before its process counts as hanging


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One measurement: updates with this batch size, in a process of its own."""

    batch_size: BatchSize  # k
    micro_batch_size: int | None = None  # m: gradients of parts of this size are added up
    limit: int | None = None  # bytes above which the process is ended; None for no limit


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """An update by micro-batches beside the update by the whole minibatch, from the same weights.

    With the updates Δ (whole) and Δ′ (parts) of all parameters: max |Δ′ − Δ| / max |Δ|. Both have learning rate 1, so
    that Δ is the negative gradient. The sum of the parts' gradients, each weighted by its share of k, is the gradient
    of the whole mean; what is left is rounding. Batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167) is the
    exception: a sample is normalised with the mean and the variance of the others that pass with it.
    """

    batch_size: BatchSize  # k
    micro_batch_sizes: tuple[int, ...]  # m of each comparison


@dataclass(frozen=True, kw_only=True)
class Request:
    """What the measuring process is asked for."""

    problem: str
    num_examples: int | None
    model: ModelConfig | KerasConfig  # or how Keras describes a model, which only the process of a trial may build
    trials: tuple[Trial, ...]
    comparison: Comparison | None


def measure(
    problem: str,
    model: Model,
    trials: Sequence[Trial],
    *,
    comparison: Comparison | None = None,
    num_examples: int | None = None,
) -> Iterator[Row]:
    """Peak memory and time of updates, for each trial in a fresh process; then the differences of a comparison.

    On a CPU: the growth of the resident memory of the process while updates are made (`VmHWM` of Linux, the peak),
    compiled before by XLA, plus the parameters and the minibatch that were there. TensorFlow itself is not counted. A
    model that trains by the graph executor, as the engine chooses for convolutions, can take twice as much. On a
    GPU: the peak of `tf.config.experimental.get_memory_info`. A trial with a limit is watched on a CPU, and its
    process is ended as soon as the same number is above the limit; a GPU has the limit set in TensorFlow.

    Args:
        problem: name for `problems.load`.
        model: as in `train`. A Keras model goes to the measuring process as its configuration, and stays as it is; its
            own layers must be registered by `keras.saving.register_keras_serializable`.
        trials: made one after the other.
        comparison: made after them, without batch normalisation and, for an MLP, with it; of own layers as they are,
            but for dropout, which draws at random. Not made where the whole minibatch went over its limit.
        num_examples: N; None for as many as the problem has.

    Yields:
        A measurement for each trial, and a difference for each m of the comparison.

    Raises:
        DownloadError: if the data must be downloaded and cannot be.
        sgd_tf.children.ChildError: if the measuring process itself ends or hangs.
    """
    sent = model if isinstance(model, ModelConfig) else _described(problem, num_examples, model)
    request = Request(
        problem=problem, num_examples=num_examples, model=sent, trials=tuple(trials), comparison=comparison
    )
    with Children(_measured, [request], [ENVIRONMENT]) as children:
        try:
            for _index, row in children.rows(start_patience=PATIENCE, patience=PATIENCE):
                yield row
        except ChildError as error:
            if error.kind == "DownloadError":
                raise DownloadError(*error.arguments) from error
            raise


def _described(problem: str, num_examples: int | None, model: Model) -> KerasConfig:
    """A Keras model, or what a function makes, as its configuration: memory does not depend on the weights."""
    from sgd_tf.training import models

    return models.make(problems.load(problem, num_examples=num_examples), model).to_json()


def _network(problem: Problem, model: ModelConfig | KerasConfig) -> keras.Model:
    """In a trial's process: the Keras model, fresh at each call."""
    import keras

    from sgd_tf.training import models

    if isinstance(model, ModelConfig):
        return models.build(problem, model)
    return keras.models.model_from_json(model)


def gpu_memory() -> int | None:
    """Bytes of the first GPU, from `nvidia-smi`; None without one."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    first = done.stdout.strip().splitlines()[:1]
    return int(first[0]) * 2**20 if first and first[0].isdigit() else None


# In the measuring process, which imports TensorFlow once and uses it only in its own children.


def _measured(request: Request) -> Iterator[Measurement | Difference]:
    from sgd_tf.training.run import Run  # noqa: F401

    data = problems.load(request.problem, num_examples=request.num_examples)
    too_large = set()  # k whose whole minibatch did not fit
    for trial in request.trials:
        row = _watched(data, request.model, trial)
        if not row.fits and row.micro_batch_size is None:
            too_large.add(row.batch_size)
        yield row
    if request.comparison is None:
        return
    k = resolve_batch_size(data.num_examples, request.comparison.batch_size)
    if k not in too_large:
        for batch_norm in with_batch_norm(request.model):
            yield from _in_child(_compare, data, request.model, k, request.comparison.micro_batch_sizes, batch_norm)


def with_batch_norm(model: ModelConfig | KerasConfig) -> tuple[bool, ...]:
    """Whether the models of a comparison have batch normalisation: an MLP is compared without and with it.

    >>> with_batch_norm(ModelConfig()), with_batch_norm(ModelConfig(layers="dense 8, batchnorm"))
    ((False, True), (True,))
    """
    if not isinstance(model, ModelConfig):
        return (False,)
    if model.kind == "mlp":
        return False, True
    return (any(isinstance(layer, BatchNormalization) for layer in model.hidden_layers),)


@dataclass(frozen=True, kw_only=True)
class _Start:
    """What a trial's process says before its updates."""

    base: int  # bytes resident
    held: int  # bytes of the parameters and the minibatch
    device: Literal["CPU", "GPU"]


@dataclass(frozen=True, kw_only=True)
class _End:
    """What a trial's process says after its updates."""

    num_bytes: int
    seconds: float  # of an update
    updates: int


@dataclass(frozen=True, kw_only=True)
class _Failure:
    """An exception in a child."""

    message: str
    of_memory: bool

    def reraise(self) -> None:
        raise (MemoryError if self.of_memory else RuntimeError)(self.message)


@contextlib.contextmanager
def _forked(target: Callable[..., None], *arguments: Any) -> Iterator[tuple[Any, Connection]]:
    """A process of its own, and the end of the pipe on which it sends objects; killed at the end of the block.

    A forked child is there at once; it has the imports and the data, but nothing of TensorFlow has begun. A
    `sgd_tf.children.Child` would import TensorFlow for each measurement, which takes seconds.
    """
    processes: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    mine, theirs = processes.Pipe(duplex=False)
    child = processes.Process(target=_guarded, args=(target, theirs, *arguments))
    child.start()
    theirs.close()
    try:
        yield child, mine
    finally:
        child.kill()
        child.join()
        mine.close()


def _guarded(target: Callable[..., None], answer: Connection, *arguments: Any) -> None:
    """In the child: end with the parent, and send an exception as a `_Failure`."""
    end_with_parent()
    try:
        target(answer, *arguments)
    except Exception as error:
        kind = type(error).__name__
        of_memory = isinstance(error, MemoryError) or kind == "ResourceExhaustedError"
        answer.send(_Failure(message=f"{kind}: {error}"[:300], of_memory=of_memory))
    answer.close()
    os._exit(0)  # an orderly end would wait for TensorFlow's threads


def _in_child(target: Callable[..., None], *arguments: Any) -> Iterator[Any]:
    """What a target sends in a process of its own."""
    with _forked(target, *arguments) as (child, answer):
        with contextlib.suppress(EOFError):
            while True:
                row = answer.recv()
                if isinstance(row, _Failure):
                    row.reraise()
                yield row
        child.join(PATIENCE)
    if child.exitcode:
        raise MemoryError(f"A process of the comparison ended with exit status {child.exitcode}.")


def _watched(data: Problem, model: ModelConfig | KerasConfig, trial: Trial) -> Measurement:
    """Make one trial, and end its process when it goes over its limit."""
    limit = math.inf if trial.limit is None else trial.limit
    start: _Start | None = None
    end: _End | None = None
    peak = 0
    # EOFError: ended from outside, as by a system without memory left
    with _forked(_make_updates, data, model, trial) as (child, answer), contextlib.suppress(EOFError):
        while peak <= limit:
            if answer.poll(WATCH_SECONDS):
                said = answer.recv()
                if isinstance(said, _Start):
                    start = said
                    continue
                if isinstance(said, _End):
                    end = said
                elif not said.of_memory:
                    said.reraise()
                break
            if start and start.device == "CPU":
                peak = max(peak, _resident("VmHWM", child.pid) - start.base + start.held)
    fits = end is not None and end.num_bytes <= limit
    return Measurement(
        batch_size=resolve_batch_size(data.num_examples, trial.batch_size),
        micro_batch_size=trial.micro_batch_size,
        limit=trial.limit,
        fits=fits,
        num_bytes=end.num_bytes if end else peak,
        base=start.base if start else 0,
        seconds=end.seconds if end and fits else None,
        updates=end.updates if end else 0,
        device=start.device if start else "CPU",
    )


def _make_updates(answer: Connection, problem: Problem, model: ModelConfig | KerasConfig, trial: Trial) -> None:
    """In a trial's process: send a `_Start`, make the updates, send an `_End`."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if gpus and trial.limit is not None:
        part = tf.config.LogicalDeviceConfiguration(memory_limit=max(1, trial.limit // 2**20))
        tf.config.set_logical_device_configuration(gpus[0], [part])

    from sgd_tf.training.run import Run

    warm = Run(problem, TrainConfig(batch_size=1), model=_network(problem, model), compiler=COMPILER)
    warm.advance(update=3)
    config = TrainConfig(batch_size=trial.batch_size, micro_batch_size=trial.micro_batch_size)
    run = Run(problem, config, model=_network(problem, model), compiler=COMPILER)
    base = _resident("VmRSS")
    held = FLOAT * (run.model.count_params() + run.batch_size * (problem.x_train[0].size + 1))
    _reset_peak(bool(gpus))
    answer.send(_Start(base=base, held=held, device="GPU" if gpus else "CPU"))
    run.advance(update=MAX_MEASURED_UPDATES, second=MEASURED_SECONDS)
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] if gpus else _resident("VmHWM") - base + held
    answer.send(_End(num_bytes=int(peak), seconds=run.seconds / run.update, updates=run.update))


def _compare(
    answer: Connection,
    problem: Problem,
    config: ModelConfig | KerasConfig,
    batch_size: int,
    micro_batch_sizes: Sequence[int],
    batch_norm: bool,
) -> None:
    """In a process of the comparison: send a `Difference` for each m."""
    import numpy as np

    from sgd_tf.training import models
    from sgd_tf.training.run import Run

    def update(micro_batch_size: int | None) -> np.ndarray:
        """The step of all parameters from their initial values, as one vector."""
        if not isinstance(config, ModelConfig):
            model = _network(problem, config)
        elif config.layers is not None:
            steady = [layer for layer in config.layers if not isinstance(layer, Dropout)]
            model = models.of_layers(problem, steady)
        elif batch_norm:
            model = models.mlp(problem, widths=config.widths, activation=config.activation, batch_norm=True)
        else:
            model = models.build(problem, config)
        training = TrainConfig(batch_size=batch_size, micro_batch_size=micro_batch_size, learning_rate=1.0)
        before = [weights.numpy().astype(np.float64) for weights in model.trainable_variables]
        run = Run(problem, training, model=model, compiler=COMPILER)
        run.advance(update=1)
        steps = [now.numpy() - then for now, then in zip(model.trainable_variables, before, strict=True)]
        return np.concatenate([step.ravel() for step in steps])

    whole = update(None)
    for m in micro_batch_sizes:
        difference = float(np.abs(update(m) - whole).max() / np.abs(whole).max())
        answer.send(Difference(micro_batch_size=m, batch_norm=batch_norm, difference=difference))


def _resident(field: str, process: int | None = None) -> int:
    """Bytes of a process in memory: now ("VmRSS"), or at its peak ("VmHWM"). Without /proc only the own peak."""
    status = Path(f"/proc/{process or 'self'}/status")
    with contextlib.suppress(OSError, StopIteration):  # no /proc, or the process has gone
        lines = status.read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith(field)).split()[1]) * 1024
    if process is not None:
        return 0  # judged by what the process itself says at its end
    with contextlib.suppress(ImportError):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS
    return 0


def _reset_peak(on_gpu: bool) -> None:
    """Forget the peak so far."""
    if on_gpu:
        import tensorflow as tf

        tf.config.experimental.reset_memory_stats("GPU:0")
    elif os.access("/proc/self/clear_refs", os.W_OK):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


if __name__ == "__main__":
    serve(_measured)
