"""Data-parallel SGD: one minibatch over several devices or machines, and the same update as on one device.

    sgd-tf data-parallel --devices 4                         one process, 4 devices
    sgd-tf data-parallel --workers 2                         2 processes on this machine, for trial
    sgd-tf data-parallel --hosts a:2222,b:2222 --index 0     on each machine, with its own index

Each replica r has a copy of the weights and the part B_r of the minibatch B. With the loss divided by k, not by the
size of the part, the sum of the gradients is that of the whole minibatch (Goyal et al. 2017, arXiv 1706.02677):
Σ_r (1/k) Σ_{i∈B_r} ∇loss_i = ∇ (1/k) Σ_{i∈B} loss_i. TensorFlow is used only in child processes, which are watched: a
peer that is missing or dies blocks the others for good, and they ignore SIGTERM.
"""

from __future__ import annotations

import itertools
import json
import math
import os
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

from sgd_tf.children import ChildError, Children, serve
from sgd_tf.devices.rows import FirstMinibatch, Lost, ParallelPlan, Part, Row, Stage, Update, Weights
from sgd_tf.problems import DownloadError
from sgd_tf.training.records import TrainConfig, check_int

if TYPE_CHECKING:
    import keras
    import numpy as np
    import tensorflow as tf

    from sgd_tf.problems import Problem

PATIENCE = 20.0  # seconds without a word, with TensorFlow there, after which a peer counts as missing
START_PATIENCE = 120.0  # the same for loading TensorFlow itself
MAX_REPLICAS = 16
# What TensorFlow raises where a peer has gone. Any other exception of a process has a cause of its own.
PEER_GONE = (
    *("AbortedError", "CancelledError", "DeadlineExceededError", "FailedPreconditionError"),
    *("InternalError", "UnavailableError", "UnknownError"),
)
# The setting of the lab's workers, which train one run on a few cores, would keep devices from working at once.
ENVIRONMENT = {"TF_NUM_INTEROP_THREADS": str(2 * MAX_REPLICAS)}


@dataclass(frozen=True, kw_only=True)
class Request:
    """What a child process is asked for."""

    plan: ParallelPlan
    device_counts: tuple[int, ...] = (1,)  # R of each run; several machines have one device each
    seeds: tuple[int, ...]
    on_cpu: bool = False  # where the processes of one machine cannot share its GPU


class PeerError(RuntimeError):
    """A process of the run is missing, or has died; all others were ended.

    Attributes:
        index: number of that process.
        status: its exit status, negative for a signal; None if it says nothing.
        is_missing: whether a process is gone or silent; else an exception in it was the cause.
    """

    def __init__(self, error: ChildError) -> None:
        self.is_missing = not error.kind or error.kind in PEER_GONE
        hint = " A peer may be missing." if self.is_missing else ""
        super().__init__(f"{error}{hint} All processes of this run were ended.")
        self.index, self.status = error.index, error.status


def split(num: int, num_replicas: int) -> list[slice]:
    """Parts of a minibatch, one for each replica, that differ by one sample at most.

    Args:
        num: samples in the minibatch, at least 0.
        num_replicas: R, at least 1.

    >>> [part.stop - part.start for part in split(10, 4)]
    [3, 3, 2, 2]
    """
    check_int("num", num, 0)
    check_int("num_replicas", num_replicas, 1)
    size, more = divmod(num, num_replicas)
    ends = [size * (r + 1) + min(r + 1, more) for r in range(num_replicas)]
    return [slice(start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True)]


def plane(gradients: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The gradients of the replicas, seen in the plane that shows most of them.

    The first axis is the direction of their weighted mean g = Σ_r s_r g_r, the second the direction in which they
    differ most across it (first right singular vector). The projection is linear: the mean of the arrows is the
    arrow of the mean, which lies on the first axis.

    Args:
        gradients: (R, P), the mean gradient of the samples of each replica.
        shares: (R,), s_r = k_r / k, which sum to 1.

    Returns:
        (R,) along the first axis, and (R,) along the second.

    >>> import numpy as np
    >>> along, across = plane(np.array([[3.0, 1.0], [3.0, -1.0]]), np.array([0.5, 0.5]))
    >>> along.tolist(), np.abs(across).round(6).tolist()
    ([3.0, 3.0], [1.0, 1.0])
    """
    import numpy as np

    mean = shares @ gradients
    length = np.linalg.norm(mean)
    first = mean / length if length > 0 else np.zeros_like(mean)
    along = gradients @ first
    rest = gradients - np.outer(along, first)
    _left, _sizes, right = np.linalg.svd(rest, full_matrices=False)
    return along, rest @ right[0]


def alone(plan: ParallelPlan) -> np.ndarray:
    """All parameters after the same run by the lab's own loop on one device, in this process.

    Args:
        plan: the run.

    Returns:
        (P,) float32, in the order of `Model.get_weights`.
    """
    import numpy as np

    from sgd_tf import problems
    from sgd_tf.training import models
    from sgd_tf.training.run import Run

    problem = problems.load(plan.problem, num_examples=plan.num_examples)
    model = models.build(problem, plan.model, seed=plan.seed)
    config = TrainConfig(batch_size=plan.batch_size, learning_rate=plan.learning_rate, seed=plan.seed)
    run = Run(problem, config, model=model)
    run.advance(update=plan.num_updates)
    return np.concatenate([np.ravel(weights) for weights in model.get_weights()])


def over_devices(
    plan: ParallelPlan, device_counts: Sequence[int], *, seeds: Sequence[int] | None = None
) -> Iterator[Row | Weights]:
    """Train over several devices of this machine, with `tf.distribute.MirroredStrategy`, in a fresh process.

    The devices are GPUs where there are as many as the largest count, else logical devices that share the processor's
    cores.

    Args:
        plan: the run, made once for each count from the same weights.
        device_counts: R of each run, in [1, 16].
        seeds: all counts are run with the first, then with the second, and so on; None for that of the plan.

    Yields:
        For each run its first minibatch, its updates and last its weights; before, how far the start is.

    Raises:
        ValueError: if an argument is out of range.
        DownloadError: if the data must be downloaded and cannot be.
        PeerError: if the process dies or says nothing for too long.
    """
    if not len(device_counts):
        raise ValueError("`device_counts` must hold at least one number of devices; received none.")
    for count in device_counts:
        check_int("device_counts", count, 1, MAX_REPLICAS)
    request = Request(plan=plan, device_counts=tuple(device_counts), seeds=tuple(seeds or [plan.seed]))
    return _watched([request], [ENVIRONMENT])


def over_workers(plan: ParallelPlan, num_workers: int, *, lose_after: int | None = None) -> Iterator[Row | Weights]:
    """Train over several processes of this machine, with `tf.distribute.MultiWorkerMirroredStrategy`.

    Args:
        plan: the run.
        num_workers: R, in [1, 16].
        lose_after: update after which the last process is killed, to see what happens then; None for never.

    Yields:
        The updates and the weights of the first process, the stages of each process, and which one is killed.

    Raises:
        ValueError: if an argument is out of range.
        DownloadError: if the data must be downloaded and cannot be.
        PeerError: if a process is missing, dies or says nothing for too long; then none is left behind.
    """
    check_int("num_workers", num_workers, 1, MAX_REPLICAS)
    if lose_after is not None:
        check_int("lose_after", lose_after, 1)
    hosts = [f"127.0.0.1:{port}" for port in _free_ports(num_workers)]
    request = Request(plan=plan, seeds=(plan.seed,), on_cpu=True)
    environments = [_tf_config(hosts, index) for index in range(num_workers)]
    return _watched([request] * num_workers, environments, lose_after=lose_after)


def as_worker(
    plan: ParallelPlan, hosts: Sequence[str], index: int, *, patience: float | None = None
) -> Iterator[Row | Weights]:
    """This machine's part of a run over several machines, each of which calls this with the same list.

    Args:
        plan: the run, the same on all machines.
        hosts: "name:port" of each machine.
        index: of this machine in the list.
        patience: seconds that the others may be silent, or not there yet; by default 20.

    Yields:
        Rows as `over_workers`.

    Raises:
        ValueError: if an argument is out of range.
        DownloadError: if the data must be downloaded and cannot be.
        PeerError: if a machine is missing, or a process dies or says nothing for too long.
    """
    if not len(hosts):
        raise ValueError("`hosts` must hold at least one address; received none.")
    for host in hosts:
        name, _colon, port = host.rpartition(":")
        if not name or not port.isdecimal() or not 0 < int(port) < 2**16 or list(hosts).count(host) > 1:
            raise ValueError(f"`hosts` must be different addresses, name:port each; received {host!r}.")
    check_int("index", index, 0, len(hosts) - 1)
    if patience is not None and not 0 < patience < math.inf:
        raise ValueError(f"`patience` must be a number of seconds greater than 0; received {patience!r}.")
    request = Request(plan=plan, seeds=(plan.seed,))
    return _watched([request], [_tf_config(hosts, index)], patience=patience)


def _tf_config(hosts: Sequence[str], index: int) -> dict[str, str]:
    cluster = {"cluster": {"worker": list(hosts)}, "task": {"type": "worker", "index": index}}
    return ENVIRONMENT | ({"TF_CONFIG": json.dumps(cluster)} if len(hosts) > 1 else {})


def _free_ports(num: int) -> list[int]:
    sockets = [socket.socket() for _ in range(num)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _watched(
    requests: Sequence[Request],
    environments: Sequence[dict[str, str]],
    *,
    lose_after: int | None = None,
    patience: float | None = None,
) -> Iterator[Row | Weights]:
    """Rows of the first child, and stages of all; all are ended when one is silent or dies."""
    with Children(_trained, requests, environments) as children:
        rows = children.rows(start_patience=START_PATIENCE, patience=PATIENCE if patience is None else patience)
        try:
            for index, row in rows:
                if isinstance(row, Stage):
                    yield Stage(worker=index, stage=row.stage)
                elif index <= 0:
                    yield row
                if index == 0 and isinstance(row, Update) and row.update == lose_after:
                    children.kill(len(requests) - 1)
                    yield Lost(worker=len(requests) - 1)
        except ChildError as error:
            if error.kind == "DownloadError":
                raise DownloadError(*error.arguments) from error
            raise PeerError(error) from error


def _trained(request: Request) -> Iterator[Row | Weights]:
    """In a child process: train with each number of devices, with the first seed, then with the second, and so on."""
    import tensorflow as tf

    yield Stage(worker=0, stage="tensorflow")
    gpus = tf.config.list_physical_devices("GPU")
    largest, is_worker = max(request.device_counts), "TF_CONFIG" in os.environ
    on_gpu = bool(gpus) and not request.on_cpu and (is_worker or len(gpus) >= largest)
    kind: Literal["CPU", "GPU"] = "GPU" if on_gpu else "CPU"
    if not on_gpu:
        tf.config.set_visible_devices([], "GPU")
        if not is_worker:
            parts = [tf.config.LogicalDeviceConfiguration()] * largest
            tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    if is_worker:
        strategies: list[Any] = [tf.distribute.MultiWorkerMirroredStrategy()]  # waits for all others
    else:
        # The usual way on CPUs, a collective, can not serve groups of different sizes in one process.
        adding = None if on_gpu else tf.distribute.ReductionToOneDevice()
        strategies = [
            tf.distribute.MirroredStrategy([f"{kind}:{r}" for r in range(count)], cross_device_ops=adding)
            for count in request.device_counts
        ]
    yield Stage(worker=0, stage="devices")
    from sgd_tf import problems

    problem = problems.load(request.plan.problem, num_examples=request.plan.num_examples)
    for seed, strategy in itertools.product(request.seeds, strategies):
        yield Stage(worker=0, stage="training")
        yield from _train(strategy, problem, replace(request.plan, seed=seed), kind)


def _train(
    strategy: tf.distribute.Strategy, problem: Problem, plan: ParallelPlan, device: Literal["CPU", "GPU"]
) -> Iterator[Row | Weights]:
    """The double loop: a minibatch, its parts to the replicas, one update of all copies of the weights."""
    import numpy as np
    import tensorflow as tf

    from sgd_tf.training import pipeline

    model, update = _compiled(strategy, problem, plan)
    num_replicas = strategy.num_replicas_in_sync
    order = pipeline.order(problem.num_examples, plan.batch_size, seed=plan.seed)
    for number, indices in enumerate(order.repeat().take(plan.num_updates), 1):
        parts = [indices[part] for part in split(len(indices), num_replicas)]
        start = time.perf_counter()
        rows = strategy.experimental_distribute_values_from_function(
            lambda context, parts=parts: parts[context.replica_id_in_sync_group]
        )
        losses, gradients = map(strategy.experimental_local_results, update(rows, tf.constant(float(len(indices)))))
        loss = float(losses[0])
        seconds = time.perf_counter() - start
        if number == 1 and len(gradients) == num_replicas:  # all of them are in this process
            summands = np.stack([each.numpy() for each in gradients])
            yield _first_minibatch([part.numpy() for part in parts], summands, seed=plan.seed)
        yield Update(replicas=num_replicas, seed=plan.seed, update=number, seconds=seconds, loss=loss, device=device)
    values = np.concatenate([np.ravel(weights) for weights in model.get_weights()]).tolist()
    yield Weights(replicas=num_replicas, seed=plan.seed, values=values)


def _compiled(strategy: tf.distribute.Strategy, problem: Problem, plan: ParallelPlan) -> tuple[keras.Model, Any]:
    """The model, and a function of (indices of each replica, k) that makes one update of it.

    The function returns for each replica the mean loss of the whole minibatch before the update, and the gradient of
    the replica's part as one vector.
    """
    import keras
    import tensorflow as tf

    from sgd_tf.training import losses, models, vectors

    with strategy.scope():
        model = models.build(problem, plan.model, seed=plan.seed)
        optimizer = keras.optimizers.SGD(plan.learning_rate)
        optimizer.build(model.trainable_variables)
    loss_of = losses.per_example_loss(model, problem)
    x, y = tf.constant(problem.x_train), tf.constant(problem.y_train)

    @tf.function(reduce_retracing=True)
    def update(rows: Any, k: tf.Tensor) -> tuple[Any, Any]:
        def replica(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            part_loss, gradients = part_of_minibatch(model, loss_of, tf.gather(x, rows), tf.gather(y, rows), k)
            loss = tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, part_loss)
            optimizer.apply(gradients, model.trainable_variables)  # adds up the gradients of all replicas
            return loss, vectors.flat(gradients)

        return strategy.run(replica, args=(rows,))

    return model, update


def part_of_minibatch(
    model: keras.Model, loss_of: Any, x: tf.Tensor, y: tf.Tensor, k: float | tf.Tensor
) -> tuple[tf.Tensor, list[tf.Tensor]]:
    """What one replica adds to the loss and the gradient of a minibatch: (1/k) Σ_{i∈B_r} loss_i, and its gradient.

    The divisor is k, not k_r. So the sum over the replicas is the mean over the minibatch, for parts of any sizes.

    Args:
        model: with the weights of this moment.
        loss_of: loss of each sample, from (y, predictions) to (k_r,).
        x: (k_r, …) samples of this replica; k_r may be 0.
        y: (k_r,) their labels or targets.
        k: samples in the whole minibatch.

    Returns:
        The replica's summand of the loss, and those of the gradients of `model.trainable_variables`.
    """
    import tensorflow as tf

    variables = model.trainable_variables

    def of_samples() -> tuple[tf.Tensor, list[tf.Tensor]]:
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(loss_of(y, model(x, training=True))) / k
        return loss, tape.gradient(loss, variables)

    def of_none() -> tuple[tf.Tensor, list[tf.Tensor]]:
        return tf.zeros([]), [tf.zeros(variable.shape) for variable in variables]

    # Some kernels take no tensor without samples: the convolutions of oneDNN.
    return tf.cond(tf.shape(x)[0] > 0, of_samples, of_none)


def _first_minibatch(parts: Sequence[np.ndarray], summands: np.ndarray, *, seed: int) -> FirstMinibatch:
    """The first minibatch, by replica.

    Args:
        parts: (k_r,) samples of each replica.
        summands: (R, P), what each replica adds to the gradient of the minibatch.
        seed: of the run.
    """
    import numpy as np

    sizes = np.array([len(part) for part in parts])
    shares, filled = sizes / sizes.sum(), sizes > 0
    means = np.zeros(summands.shape)  # of a replica without samples: 0
    means[filled] = summands[filled] / shares[filled, None]
    along, across = plane(means, shares)
    norm = float(np.linalg.norm(summands.sum(axis=0, dtype=np.float64)))
    columns = zip(parts, np.linalg.norm(means, axis=1).tolist(), along.tolist(), across.tolist(), strict=True)
    return FirstMinibatch(
        replicas=len(parts),
        seed=seed,
        norm=norm,
        parts=[
            Part(indices=indices.tolist(), norm=length, along=first, across=second)
            for indices, length, first, second in columns
        ],
    )


if __name__ == "__main__":  # a child process
    serve(_trained)
