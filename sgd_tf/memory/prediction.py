"""How much memory an update takes: predicted from the shapes of the layers, and measured in a fresh process.

What grows with k is the batch and the activations that the backward pass needs; parameters and gradients do not.
With gradient accumulation, `micro_batch_size` takes the place of k in what grows. The prediction needs no TensorFlow.
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
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgd_tf.children import ChildError, Children, serve
from sgd_tf.problems import DownloadError
from sgd_tf.training.counting import resolve_batch_size
from sgd_tf.training.records import BatchSize, ModelConfig, TrainConfig, check_int

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    import numpy as np

    from sgd_tf.problems import Problem, ProblemInfo
    from sgd_tf.training.compilers import Compiler

FLOAT = 4  # bytes of a float32, and of a label
MEGABYTE = 10**6  # bytes
COMPILER: Compiler = "xla"  # of all measurements: a trial of both would take memory before the watch begins
CHANNELS = (8, 16)  # of the convolutions of the lab's CNN
# So that a large block of memory that is given back goes back to the system: else peaks depend on the C library's mood.
ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(2**17), "MALLOC_TRIM_THRESHOLD_": str(2**17)}
MAX_MEASURED_UPDATES, MEASURED_SECONDS = 50, 0.4  # of one measurement, whichever comes first
WATCH_SECONDS = 0.004  # between two looks at a process that has a limit
PATIENCE = 120.0  # seconds that a measurement may take before its process counts as hanging
SAFE_SHARE = 0.5  # of a limit that a recommended size may fill by the prediction, which is right within a factor of 2


@dataclass(frozen=True, kw_only=True)
class LayerSizes:
    """Numbers in one layer, for one sample where they depend on it."""

    parameters: int
    outputs: int  # numbers that the layer gives for one sample
    patches: int = 0  # numbers that a convolution copies out of one sample: each 3×3 neighbourhood as a row


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Bytes that training takes at its peak, by what they hold."""

    parameters: int
    gradients: int  # of all parameters; twice with accumulation, for the sum and the next part
    optimizer: int  # the former step, with momentum
    batch: int  # the k samples of a minibatch, with their labels
    activations: int  # outputs of all layers, and their gradients, for the samples that pass at once

    @property
    def total(self) -> int:
        """Sum of all parts."""
        return self.parameters + self.gradients + self.optimizer + self.batch + self.activations


def layers(
    model: ModelConfig, *, num_features: int, num_outputs: int, image_shape: tuple[int, int, int] | None = None
) -> tuple[LayerSizes, ...]:
    """The layers of the model that `models.build` makes, in numbers.

    Args:
        model: which model.
        num_features: d, numbers in a sample.
        num_outputs: classes, or 1 in a regression.
        image_shape: (height, width, channels) of a sample; for the CNN alone.

    Raises:
        ValueError: for a CNN without images.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> [(layer.parameters, layer.outputs) for layer in sizes]
    [(2080, 32), (330, 10)]
    """
    sizes, before = [], num_features
    if model.kind == "cnn":
        if image_shape is None:
            raise ValueError("`model` is a CNN, which needs images; `image_shape` is None.")
        height, width, channels = image_shape
        for num_channels in CHANNELS:
            parameters = (9 * channels + 1) * num_channels
            convolved, patches = height * width * num_channels, 9 * height * width * channels
            height, width, channels = height // 2, width // 2, num_channels
            sizes.append(LayerSizes(parameters=parameters, outputs=convolved, patches=patches))
            sizes.append(LayerSizes(parameters=0, outputs=height * width * channels))  # the pooling
        before = height * width * channels
    for units in (*(model.widths if model.kind == "mlp" else ()), num_outputs):
        sizes.append(LayerSizes(parameters=(before + 1) * units, outputs=units))
        before = units
    return tuple(sizes)


def layers_for(info: ProblemInfo, model: ModelConfig) -> tuple[LayerSizes, ...]:
    """The `layers` of a model for a problem of the catalogue.

    Args:
        info: facts of the problem.
        model: which model.

    >>> from sgd_tf.problems import CATALOGUE
    >>> [layer.parameters for layer in layers_for(CATALOGUE["digits"], ModelConfig(widths=(32,)))]
    [2080, 330]
    """
    num_outputs = info.num_classes or 1
    return layers(model, num_features=info.num_features, num_outputs=num_outputs, image_shape=info.image_shape)


def predict(
    sizes: Sequence[LayerSizes],
    config: TrainConfig,
    *,
    num_examples: int,
    num_features: int,
) -> Memory:
    """Bytes that an update takes, from the sizes of the layers.

    With P parameters, m samples that pass at once (m = k, or the micro-batch) and layers of A₁, …, A_L outputs:
    parameters 4P; gradients 4P, and as much again for the sum of several parts; with momentum 4P;
    the minibatch 4k(d + 1); activations 8m max_l (A₁ + … + A_l + A_l): the outputs of the layers, before and after the
    activation, wait for the backward pass, where the gradients of a layer are there before and after the activation,
    too; the gradients that come from one single output are merged into what follows. A convolution adds its
    patches, twice. What is merged differs from device to device; a few MB that do not grow with k come on top.

    Args:
        sizes: of the layers, from input to output.
        config: batch size, micro-batch and momentum count.
        num_examples: N, at least 1.
        num_features: d, numbers in a sample.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> predict(sizes, TrainConfig(batch_size=100), num_examples=1437, num_features=64).activations
    51200
    """
    k = config.minibatch_size(num_examples)
    m = min(config.micro_batch_size or k, k)
    parameters = FLOAT * sum(layer.parameters for layer in sizes)
    outputs = [layer.outputs for layer in sizes]
    # Going back, the gradients of a layer stand beside the outputs of the layers up to it; those of all before one
    # single output are a product of two vectors, which the compiler never writes down.
    merged = len(outputs) - 2 if outputs[-1] == 1 else None
    before = accumulate(outputs)
    largest = max(total + (0 if at == merged else outputs[at]) for at, total in enumerate(before))
    per_sample = 2 * (largest + sum(layer.patches for layer in sizes))
    return Memory(
        parameters=parameters,
        gradients=parameters * (2 if m < k else 1),
        optimizer=parameters if config.momentum else 0,
        batch=FLOAT * k * (num_features + 1),
        activations=FLOAT * m * per_sample,
    )


def largest_batch_size(
    sizes: Sequence[LayerSizes], limit: int, *, num_examples: int, num_features: int, momentum: float = 0.0
) -> int | None:
    """The largest k whose update fits into so many bytes, or None if not even one sample does.

    Args:
        sizes: of the layers.
        limit: bytes that are there.
        num_examples: N: k is at most that.
        num_features: d, numbers in a sample.
        momentum: of the optimizer.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> largest_batch_size(sizes, 100_000, num_examples=1437, num_features=64)  # 19,280 + 772 k bytes
    104
    """

    def needed(k: int) -> int:
        config = TrainConfig(batch_size=k, momentum=momentum)
        return predict(sizes, config, num_examples=num_examples, num_features=num_features).total

    check_int("limit", limit, 1)
    if needed(1) > limit:
        return None
    # The total is linear in k.
    slope = needed(2) - needed(1) if num_examples > 1 else 1
    return min(num_examples, 1 + (limit - needed(1)) // slope)


def largest_micro_batch_size(
    sizes: Sequence[LayerSizes], limit: int, *, batch_size: int, num_examples: int, num_features: int
) -> int | None:
    """The largest m below k with which an update of k samples fits into so many bytes, or None if there is none.

    Args:
        sizes: of the layers.
        limit: bytes that are there.
        batch_size: k.
        num_examples: N.
        num_features: d, numbers in a sample.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> largest_micro_batch_size(sizes, 400_000, batch_size=1000, num_examples=1437, num_features=64)
    216
    """

    def needed(m: int) -> int:
        config = TrainConfig(batch_size=batch_size, micro_batch_size=m)
        return predict(sizes, config, num_examples=num_examples, num_features=num_features).total

    k = min(batch_size, num_examples)
    if k < 2 or needed(1) > limit:
        return None
    slope = needed(2) - needed(1) if k > 2 else 1  # linear in m, as long as m < k
    return min(k - 1, 1 + (limit - needed(1)) // slope)


def recommend(
    sizes: Sequence[LayerSizes], limit: int, *, batch_size: int, num_examples: int, num_features: int
) -> tuple[int | None, int | None]:
    """A k that fits, and an m with which the wanted k fits: powers of two that fill at most half of the limit.

    Args:
        sizes: of the layers.
        limit: bytes that are there.
        batch_size: k that is wanted.
        num_examples: N.
        num_features: d, numbers in a sample.

    Returns:
        (k, m), either of them None where not even 1 fits.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> recommend(sizes, 800_000, batch_size=1000, num_examples=1437, num_features=64)
    (256, 128)
    """
    safe = max(1, int(SAFE_SHARE * limit))
    k = largest_batch_size(sizes, safe, num_examples=num_examples, num_features=num_features)
    m = largest_micro_batch_size(
        sizes, safe, batch_size=batch_size, num_examples=num_examples, num_features=num_features
    )
    return tuple(None if found is None else 2 ** (found.bit_length() - 1) for found in (k, m))  # type: ignore[return-value]


def largest_measured(peaks: Sequence[tuple[int, float]], limit: int, *, num_examples: int) -> int | None:
    """The largest k that fits by what was measured: on the straight line through the two points nearest to the limit.

    Args:
        peaks: (k, bytes) of measurements that came to their end.
        limit: bytes that are there.
        num_examples: N: k is at most that.

    Returns:
        k, or None where there are no two measurements that rise with k.

    >>> largest_measured([(1_000, 2e6), (4_000, 5e6), (16_000, 17e6)], 8_000_000, num_examples=10**6)
    7000
    """
    points = sorted(dict(peaks).items())
    if len(points) < 2:
        return None
    at = min(max(1, sum(size <= limit for _k, size in points)), len(points) - 1)
    (k, low), (more, high) = points[at - 1], points[at]
    if high <= low:
        return None
    found = int(k + (limit - low) * (more - k) / (high - low))
    return min(num_examples, found) if found >= 1 else None


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One measurement: updates with this batch size, in a process of its own."""

    batch_size: BatchSize  # k
    micro_batch_size: int | None = None  # m: gradients of parts of this size are added up
    limit: int | None = None  # bytes after which the process is ended; None for no limit


def measure(
    problem: str, model: ModelConfig, trials: Sequence[Trial], *, num_examples: int | None = None
) -> Iterator[dict[str, Any]]:
    """Peak memory and time of updates, for each trial in a fresh process.

    On a CPU: how much the resident memory of the process grows while updates are made (`VmHWM` of Linux, the peak),
    compiled before by XLA, plus the parameters and the minibatch that were there. TensorFlow itself is not counted. A
    model that trains by the graph executor, as the engine chooses for convolutions, can take twice as much. On a
    GPU: the peak of `tf.config.experimental.get_memory_info`. A trial with a limit is watched on a CPU, and its
    process is ended as soon as the same number is above the limit; a GPU has the limit set in TensorFlow.

    Args:
        problem: name for `problems.load`.
        model: which model.
        trials: made one after the other.
        num_examples: N; None for as many as the problem has.

    Yields:
        For each trial {"batch_size": k, "micro_batch_size": m or None, "limit", "fits", "bytes": peak, "base": resident
        before the updates, "seconds": of an update, "updates", "device": "CPU" or "GPU"}; "seconds" is None where
        the trial did not fit, and "bytes" then is what there was when it was ended. While nothing comes,
        {"waiting": seconds so far}.

    Raises:
        DownloadError: if the data must be downloaded and cannot be.
        sgd_tf.children.ChildError: if the measuring process itself ends or hangs.
    """
    request = {
        "problem": problem,
        "num_examples": num_examples,
        "model": asdict(model),
        "trials": [asdict(trial) for trial in trials],
    }
    yield from _ask(request)


def differences(
    problem: str,
    model: ModelConfig,
    batch_size: BatchSize,
    micro_batch_sizes: Sequence[int],
    *,
    num_examples: int | None = None,
    batch_norm: bool = False,
) -> Iterator[dict[str, Any]]:
    """How far an update by micro-batches is from the update by the whole minibatch, from the same weights.

    With the updates Δ (whole) and Δ′ (parts) of all parameters: max |Δ′ − Δ| / max |Δ|. Both have learning rate 1, so
    that Δ is the negative gradient. The sum of the parts' gradients, each weighted by its share of k, is the gradient
    of the whole mean; what is left is rounding. Batch normalisation (Ioffe and Szegedy 2015, arXiv 1502.03167) is the
    exception: a sample is normalised with the mean and the variance of the others that pass with it.

    Args:
        problem: name for `problems.load`.
        model: which model.
        batch_size: k.
        micro_batch_sizes: m of each comparison.
        num_examples: N; None for as many as the problem has.
        batch_norm: whether each hidden layer is followed by batch normalisation; for MLPs alone.

    Yields:
        {"micro_batch_size": m, "batch_norm", "difference"} for each m; {"waiting": seconds so far} while nothing comes.

    Raises:
        ValueError: if `batch_norm` is asked of another model than an MLP.
        DownloadError: if the data must be downloaded and cannot be.
        sgd_tf.children.ChildError: if the measuring process itself ends or hangs.
    """
    if batch_norm and model.kind != "mlp":
        raise ValueError(f"`batch_norm` needs an MLP; `model` is of kind {model.kind!r}.")
    parts = {"batch_size": batch_size, "micro_batch_sizes": list(micro_batch_sizes), "batch_norm": batch_norm}
    yield from _ask({"problem": problem, "num_examples": num_examples, "model": asdict(model), "parts": parts})


def measure_and_compare(
    problem: str,
    model: ModelConfig,
    trials: Sequence[Trial],
    batch_size: BatchSize,
    micro_batch_sizes: Sequence[int],
    *,
    num_examples: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Rows of `measure`, then of `differences` without and, for an MLP, with batch normalisation, by one process.

    Nothing is compared where the whole minibatch went over its limit.

    Args:
        problem: name for `problems.load`.
        model: which model.
        trials: as in `measure`.
        batch_size: k of the comparison.
        micro_batch_sizes: m of the comparison.
        num_examples: N; None for as many as the problem has.

    Yields:
        Rows of both.
    """
    parts = {"batch_size": batch_size, "micro_batch_sizes": list(micro_batch_sizes)}
    yield from _ask(
        {
            "problem": problem,
            "num_examples": num_examples,
            "model": asdict(model),
            "trials": [asdict(trial) for trial in trials],
            "parts": parts | {"batch_norm": None if model.kind == "mlp" else False},
        }
    )


def gpu_memory() -> int | None:
    """Bytes of the first GPU as `nvidia-smi` tells, or None without one."""
    command = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    if shutil.which(command[0]) is None:
        return None
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    first = done.stdout.strip().splitlines()[:1]
    return int(first[0]) * 2**20 if first and first[0].isdigit() else None


def _ask(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    start = time.monotonic()
    with Children("sgd_tf.memory.prediction", [request], [ENVIRONMENT]) as children:
        try:
            for _index, row in children.rows(start_patience=PATIENCE, patience=PATIENCE):
                yield row or {"waiting": time.monotonic() - start}
        except ChildError as error:
            if error.kind == "DownloadError":
                raise DownloadError(*error.arguments) from error
            raise


def _serve(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """In the measuring process, which imports TensorFlow once and uses it in none but its own children."""
    from sgd_tf import problems
    from sgd_tf.training.run import Run  # noqa: F401

    data = problems.load(request["problem"], num_examples=request["num_examples"])
    model = ModelConfig(**{**request["model"], "widths": tuple(request["model"]["widths"])})
    too_large = set()  # k whose whole minibatch did not fit
    for trial in request.get("trials", ()):
        k = resolve_batch_size(data.num_examples, trial["batch_size"])
        row = {**trial, "batch_size": k, **_watched(data, model, Trial(**{**trial, "batch_size": k}))}
        if not row["fits"] and row["micro_batch_size"] is None:
            too_large.add(k)
        yield row
    parts = request.get("parts")
    if parts and resolve_batch_size(data.num_examples, parts["batch_size"]) not in too_large:
        k = resolve_batch_size(data.num_examples, parts["batch_size"])
        norms = (False, True) if parts["batch_norm"] is None else (parts["batch_norm"],)
        for batch_norm in norms:
            yield from _in_child(_compare, data, model, k, parts["micro_batch_sizes"], batch_norm)


def _fork(target: Any, *arguments: Any) -> tuple[Any, Connection]:
    """A process of its own, and the end of the pipe on which it tells rows.

    A forked child is there at once; it has the imports and the data, but nothing of TensorFlow has begun.
    """
    processes: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    mine, theirs = processes.Pipe(duplex=False)
    child = processes.Process(target=_guarded, args=(target, theirs, *arguments))
    child.start()
    theirs.close()
    return child, mine


def _guarded(target: Any, answer: Connection, *arguments: Any) -> None:
    """In the child: end with the parent, and tell an error as a row."""

    def watch() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    try:
        target(answer, *arguments)
    except Exception as error:
        if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
            answer.send({"fits": False})
        else:
            answer.send({"error": f"{type(error).__name__}: {error}"[:300]})
    answer.close()
    os._exit(0)  # an orderly end would take its time with TensorFlow's threads


def _in_child(target: Any, *arguments: Any) -> Iterator[dict[str, Any]]:
    child, answer = _fork(target, *arguments)
    try:
        while True:
            try:
                row = answer.recv()
            except EOFError:
                break
            if "error" in row:
                raise RuntimeError(row["error"])
            yield row
        child.join(PATIENCE)
    finally:
        child.kill()
        child.join()
    if child.exitcode:
        raise MemoryError(f"A process of the comparison ended with exit status {child.exitcode}.")


def _watched(data: Problem, model: ModelConfig, trial: Trial) -> dict[str, Any]:
    """Make one trial, and end its process when it goes over its limit."""
    child, answer = _fork(_measure_one, data, model, trial)
    limit = math.inf if trial.limit is None else trial.limit
    before: dict[str, Any] | None = None  # what the process says before its updates
    peak = 0
    try:
        while True:
            if answer.poll(WATCH_SECONDS):
                row = answer.recv()
                if "error" in row:
                    raise RuntimeError(row["error"])
                if "bytes" not in row and "fits" not in row:
                    before = row
                    continue
                row = (before or {}) | {"bytes": peak, "seconds": None, "updates": 0} | row
                fits = row.get("fits", True) and row["bytes"] <= limit
                return {**row, "fits": fits, "seconds": row["seconds"] if fits else None}
            if before and before["device"] == "CPU":
                peak = max(peak, _resident("VmHWM", child.pid) - before["base"] + before["held"])
                if peak > limit:
                    break
    except EOFError:  # ended from outside, as by a system without memory left
        pass
    finally:
        child.kill()
        child.join()
    return (before or {"base": 0, "held": 0, "device": "CPU"}) | {
        "bytes": peak,
        "seconds": None,
        "updates": 0,
        "fits": False,
    }


def _measure_one(answer: Connection, problem: Problem, model: ModelConfig, trial: Trial) -> None:
    import tensorflow as tf

    from sgd_tf.training import models

    gpus = tf.config.list_physical_devices("GPU")
    if gpus and trial.limit is not None:
        part = tf.config.LogicalDeviceConfiguration(memory_limit=max(1, trial.limit // 2**20))
        tf.config.set_logical_device_configuration(gpus[0], [part])

    from sgd_tf.training.run import Run

    kind = "GPU" if gpus else "CPU"
    warm = Run(problem, TrainConfig(batch_size=1), model=models.build(problem, model), compiler=COMPILER)
    warm.advance(update=3)
    config = TrainConfig(batch_size=trial.batch_size, micro_batch_size=trial.micro_batch_size)
    run = Run(problem, config, model=models.build(problem, model), compiler=COMPILER)
    base = _resident("VmRSS")
    held = FLOAT * (run.model.count_params() + run.batch_size * (problem.x_train[0].size + 1))
    _reset_peak(bool(gpus))
    answer.send({"base": base, "held": held, "device": kind})
    run.advance(update=MAX_MEASURED_UPDATES, second=MEASURED_SECONDS)
    on_gpu = bool(gpus)
    peak = tf.config.experimental.get_memory_info("GPU:0")["peak"] if on_gpu else _resident("VmHWM") - base + held
    answer.send({"bytes": int(peak), "seconds": run.seconds / run.update, "updates": run.update})


def _compare(
    answer: Connection,
    problem: Problem,
    config: ModelConfig,
    batch_size: int,
    micro_batch_sizes: Sequence[int],
    batch_norm: bool,
) -> None:
    import numpy as np

    from sgd_tf.training import models
    from sgd_tf.training.run import Run

    def update(micro_batch_size: int | None) -> np.ndarray:
        """The step of all parameters from their initial values, as one vector."""
        if batch_norm:
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
        answer.send({"micro_batch_size": m, "batch_norm": batch_norm, "difference": difference})


def _resident(field: str, process: int | None = None) -> int:
    """Bytes of a process in memory: now ("VmRSS"), or at its peak ("VmHWM"); the own peak alone without /proc."""
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
    serve(_serve)
