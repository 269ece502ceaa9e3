"""How much memory an update takes: predicted from the shapes of the layers, and measured in a fresh process.

What grows with k is the batch and the activations that the backward pass needs; parameters and gradients do not.
With gradient accumulation, `micro_batch_size` takes the place of k in what grows. The prediction needs no TensorFlow.
"""

from __future__ import annotations

import json
import math
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sgd_tf.counting import resolve_batch_size
from sgd_tf.records import BatchSize, ModelConfig, TrainConfig, check_int

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

    from sgd_tf.problems import Problem

FLOAT = 4  # bytes of a float32, and of a label
CHANNELS = (8, 16)  # of the convolutions of the lab's CNN
MEASURED_UPDATES = 3


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
    the minibatch 4k(d + 1); activations 8m(ΣA + max A): the outputs of all layers, before and after the activation,
    wait for the backward pass, and the gradients of a layer are there before and after the activation, too. A
    convolution adds its patches, twice. On a CPU this was found to be right within a tenth for MLPs, and within a
    quarter for the CNN; what the compiler merges differs from device to device.

    Args:
        sizes: of the layers, from input to output.
        config: batch size, micro-batch and momentum count.
        num_examples: N, at least 1.
        num_features: d, numbers in a sample.

    >>> sizes = layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)
    >>> predict(sizes, TrainConfig(batch_size=100), num_examples=1437, num_features=64).activations
    59200
    """
    k = config.minibatch_size(num_examples)
    m = min(config.micro_batch_size or k, k)
    parameters = FLOAT * sum(layer.parameters for layer in sizes)
    outputs = [layer.outputs for layer in sizes]
    per_sample = 2 * (sum(outputs) + max(outputs) + sum(layer.patches for layer in sizes))
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
    >>> largest_batch_size(sizes, 100_000, num_examples=1437, num_features=64)  # 19,280 + 852 k bytes
    94
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


def measure(
    problem: str,
    model: ModelConfig,
    batch_sizes: Sequence[BatchSize],
    *,
    num_examples: int | None = None,
    micro_batch_size: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Peak memory of updates with each k, each in a fresh process.

    On a CPU: how much the resident memory grows while updates are made, compiled before, plus the parameters and the
    minibatch that were there. On a GPU: the peak of `tf.config.experimental.get_memory_info`.

    Args:
        problem: name for `problems.load`.
        model: which model.
        batch_sizes: k, measured from small to large.
        num_examples: N; None for as many as the problem has.
        micro_batch_size: gradients of parts of this size are added up.

    Yields:
        {"batch_size": k, "bytes": peak, "seconds": of an update, "device": "CPU" or "GPU"} for each k.

    Raises:
        MemoryError: if a process was ended from outside, as by a system without memory left; the text names its k.
    """
    order = {"problem": problem, "num_examples": num_examples, "micro_batch_size": micro_batch_size}
    request = json.dumps({**order, "model": asdict(model), "batch_sizes": list(batch_sizes)})
    command = [sys.executable, "-W", "ignore", "-m", "sgd_tf.memory", request]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as child:
        assert child.stdout is not None
        try:
            for line in child.stdout:
                row = json.loads(line)
                if "bytes" not in row:
                    raise MemoryError(f"k = {row['batch_size']:,} did not fit")
                yield row
        finally:
            child.kill()


def main() -> None:
    """Measure what the only argument asks for: a line of JSON for each k, without "bytes" if its process died."""
    from sgd_tf import problems, training  # noqa: F401  # TensorFlow: imported once, and not used in this process

    request = json.loads(sys.argv[1])
    data = problems.load(request["problem"], num_examples=request["num_examples"])
    model = ModelConfig(**{**request["model"], "widths": tuple(request["model"]["widths"])})
    # A forked child is there at once; it has the imports and the data, but nothing of TensorFlow has begun.
    processes: Any = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    for k in sorted({resolve_batch_size(data.num_examples, k) for k in request["batch_sizes"]}):
        mine, theirs = processes.Pipe(duplex=False)
        config = TrainConfig(batch_size=k, micro_batch_size=request["micro_batch_size"])
        child = processes.Process(target=_measure_one, args=(theirs, data, model, config))
        child.start()
        theirs.close()
        try:
            row = mine.recv()
        except EOFError:
            row = {}
        child.join()
        print(json.dumps({"batch_size": k, **row}), flush=True)


def _measure_one(answer: Connection, problem: Problem, model: ModelConfig, config: TrainConfig) -> None:
    import tensorflow as tf

    from sgd_tf import models
    from sgd_tf.training import Run

    on_gpu = bool(tf.config.list_physical_devices("GPU"))
    warm = Run(problem, TrainConfig(batch_size=1), model=models.build(problem, model))
    warm.advance(until=(MEASURED_UPDATES, math.inf))
    run = Run(problem, config, model=models.build(problem, model))
    before = 0 if on_gpu else _resident("VmRSS")
    _reset_peak(on_gpu)
    run.advance(until=(MEASURED_UPDATES, math.inf))
    if on_gpu:
        peak = int(tf.config.experimental.get_memory_info("GPU:0")["peak"])
    else:
        held = run.model.count_params() + run.batch_size * (problem.x_train[0].size + 1)
        peak = _resident("VmHWM") - before + FLOAT * held
    seconds = run.seconds / MEASURED_UPDATES
    answer.send({"bytes": peak, "seconds": seconds, "device": "GPU" if on_gpu else "CPU"})


def _resident(field: str) -> int:
    """Bytes of this process in memory: now ("VmRSS"), or at its peak ("VmHWM"); the peak alone without /proc."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text(encoding="utf-8").splitlines() if line.startswith(field))
        return int(line.split()[1]) * 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # in bytes on macOS


def _reset_peak(on_gpu: bool) -> None:
    """Forget the peak so far."""
    if on_gpu:
        import tensorflow as tf

        tf.config.experimental.reset_memory_stats("GPU:0")
    elif os.access("/proc/self/clear_refs", os.W_OK):
        Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


if __name__ == "__main__":
    main()
