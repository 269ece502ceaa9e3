"""Data-parallel SGD: one minibatch over several devices or machines, and the same update as on one device.

    python -m sgd_tf.data_parallel --devices 4               one process, 4 devices
    python -m sgd_tf.data_parallel --workers 2               2 processes on this machine, for trial
    python -m sgd_tf.data_parallel --hosts a:2222,b:2222 --index 0     on each machine, with its own index

Each replica r has a copy of the weights and the part B_r of the minibatch B. With the loss divided by k, not by the
size of the part, the sum of the gradients is that of the whole minibatch (Goyal et al. 2017, arXiv 1706.02677):
Σ_r (1/k) Σ_{i∈B_r} ∇loss_i = ∇ (1/k) Σ_{i∈B} loss_i. TensorFlow is used in child processes alone, which are watched: a
peer that is missing or dies blocks the others for good, and they ignore a friendly request to end.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from sgd_tf.records import ModelConfig, check_int

MAX_SILENCE = 30.0  # seconds without a word after which the processes are ended
START_SILENCE = 90.0  # the same before the first word: TensorFlow is imported, and the peers are found
MAX_REPLICAS = 16


@dataclass(frozen=True, kw_only=True)
class ParallelPlan:
    """A run over several devices, in plain values.

    Raises:
        ValueError: if a field is out of its range.
    """

    problem: str = "digits"  # name for `problems.load`
    num_examples: int | None = None  # N; None for as many as the problem has
    model: ModelConfig = field(default_factory=ModelConfig)
    batch_size: int = 256  # k, of the whole minibatch
    learning_rate: float = 0.1
    num_updates: int = 20
    seed: int = 0  # of the initial weights and of the order of the samples

    def __post_init__(self) -> None:
        check_int("batch_size", self.batch_size, 1)
        check_int("num_updates", self.num_updates, 1, 100_000)
        if not 0 < self.learning_rate <= 100:
            raise ValueError(f"`learning_rate` must be in (0, 100]; received {self.learning_rate!r}.")


class PeerError(RuntimeError):
    """A process of the run is missing, or has died; all others were ended."""


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


def over_devices(plan: ParallelPlan, num_devices: int) -> Iterator[dict[str, Any]]:
    """Train over several devices of this machine, with `tf.distribute.MirroredStrategy`.

    The devices are GPUs where there are as many, else logical devices that share the processor's cores.

    Args:
        plan: the run.
        num_devices: R, in [1, 16].

    Yields:
        A row for each update: {"update", "seconds", "loss", "device" ("CPU" or "GPU")}; for the first one also, by
        replica, "indices_<r>" (samples), "norm_<r>" (of its gradient), and "norm" of their sum. The last row has
        "weights": all parameters in one list.

    Raises:
        ValueError: if an argument is out of range.
        PeerError: if the process dies or says nothing for 30 s.
    """
    check_int("num_devices", num_devices, 1, MAX_REPLICAS)
    yield from _watched([_request(plan, num_devices=num_devices)], [{}])


def over_workers(plan: ParallelPlan, num_workers: int) -> Iterator[dict[str, Any]]:
    """Train over several processes of this machine, with `tf.distribute.MultiWorkerMirroredStrategy`.

    Args:
        plan: the run.
        num_workers: R, in [1, 16].

    Yields:
        Rows as `over_devices` gives them, without "indices_<r>" and "norm_<r>"; those of the first process.

    Raises:
        ValueError: if an argument is out of range.
        PeerError: if a process is missing, dies or says nothing for 30 s; then none is left behind.
    """
    check_int("num_workers", num_workers, 1, MAX_REPLICAS)
    hosts = [f"127.0.0.1:{port}" for port in _free_ports(num_workers)]
    requests = [_request(plan, num_workers=num_workers)] * num_workers
    yield from _watched(requests, [_tf_config(hosts, index) for index in range(num_workers)])


def as_worker(plan: ParallelPlan, hosts: Sequence[str], index: int) -> Iterator[dict[str, Any]]:
    """This machine's part of a run over several machines, each of which calls this with the same list.

    Args:
        plan: the run, the same on all machines.
        hosts: "name:port" of each machine.
        index: of this machine in the list.

    Yields:
        Rows as `over_workers`.

    Raises:
        ValueError: if an argument is out of range.
        PeerError: if a machine is missing, or a process dies or says nothing for 30 s.
    """
    check_int("index", index, 0, len(hosts) - 1)
    yield from _watched([_request(plan, num_workers=len(hosts))], [_tf_config(hosts, index)])


def _request(plan: ParallelPlan, **size: int) -> str:
    return json.dumps(asdict(plan) | size)


def _tf_config(hosts: Sequence[str], index: int) -> dict[str, str]:
    cluster = {"cluster": {"worker": list(hosts)}, "task": {"type": "worker", "index": index}}
    return {"TF_CONFIG": json.dumps(cluster)} if len(hosts) > 1 else {}


def _free_ports(num: int) -> list[int]:
    sockets = [socket.socket() for _ in range(num)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def _watched(requests: Sequence[str], environments: Sequence[dict[str, str]]) -> Iterator[dict[str, Any]]:
    """Run one child for each request, give the rows of the first, and end all when one is silent or dies."""
    command = [sys.executable, "-W", "ignore", "-m", "sgd_tf.data_parallel", "--child"]
    children = [
        subprocess.Popen(
            [*command, request],
            env=os.environ | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        for request, environment in zip(requests, environments, strict=True)
    ]
    lines: queue.Queue[tuple[int, str | None]] = queue.Queue()

    def listen(index: int) -> None:
        for line in children[index].stdout or ():
            lines.put((index, line))
        lines.put((index, None))

    listeners = [threading.Thread(target=listen, args=(index,), daemon=True) for index in range(len(children))]
    for listener in listeners:
        listener.start()
    heard = dict.fromkeys(range(len(children)), time.monotonic())
    patience = dict.fromkeys(heard, START_SILENCE)
    try:
        while heard:
            for index, when in heard.items():
                if time.monotonic() - when > patience[index]:
                    raise PeerError(f"Worker {index} has said nothing for {patience[index]:.0f} s: a peer is missing.")
            try:
                index, line = lines.get(timeout=0.2)
            except queue.Empty:
                continue
            if line is None:
                if children[index].wait() != 0:
                    raise PeerError(f"Worker {index} ended with exit status {children[index].returncode}.")
                heard.pop(index, None)
            else:
                heard[index], patience[index] = time.monotonic(), MAX_SILENCE
                row = json.loads(line)
                if index == 0 and "update" in row:
                    yield row
    finally:
        for child, listener in zip(children, listeners, strict=True):
            child.kill()  # SIGKILL: a process that waits for its peer ignores SIGTERM
            child.wait()
            listener.join()
            assert child.stdout is not None
            child.stdout.close()


def _child(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """In a child process: train, and tell each update."""
    import numpy as np
    import tensorflow as tf

    num_devices = request.get("num_devices", 1)
    on_gpu = len(tf.config.list_physical_devices("GPU")) >= num_devices
    kind = "GPU" if on_gpu else "CPU"
    if not on_gpu:
        tf.config.set_visible_devices([], "GPU")
        parts = [tf.config.LogicalDeviceConfiguration()] * num_devices
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], parts)
    if "TF_CONFIG" in os.environ:
        strategy: Any = tf.distribute.MultiWorkerMirroredStrategy()
    else:
        strategy = tf.distribute.MirroredStrategy([f"{kind}:{r}" for r in range(num_devices)])
    yield {"ready": True}

    import keras

    from sgd_tf import models, pipeline, problems

    problem = problems.load(request["problem"], num_examples=request["num_examples"])
    config = ModelConfig(**{**request["model"], "widths": tuple(request["model"]["widths"])})
    with strategy.scope():
        model = models.build(problem, config, seed=request["seed"])
        optimizer = keras.optimizers.SGD(request["learning_rate"])
        optimizer.build(model.trainable_variables)
    losses: Any = (
        keras.losses.MeanSquaredError(reduction=None)
        if problem.num_classes is None
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True, reduction=None)
    )
    x, y = tf.constant(problem.x_train), tf.constant(problem.y_train)

    @tf.function(reduce_retracing=True)
    def update(rows: Any, k: tf.Tensor) -> tuple[Any, Any, Any]:
        def replica(rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            with tf.GradientTape() as tape:
                targets = tf.gather(y, rows)[:, None] if problem.num_classes is None else tf.gather(y, rows)
                # Divided by k, the size of the whole minibatch: the gradients of the replicas add up to its gradient.
                loss = tf.reduce_sum(losses(targets, model(tf.gather(x, rows), training=True))) / k
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)  # adds up the gradients of all replicas
            context = tf.distribute.get_replica_context()
            total = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
            return loss, tf.linalg.global_norm(gradients), tf.linalg.global_norm(total)

        return strategy.run(replica, args=(rows,))

    num_replicas = strategy.num_replicas_in_sync
    mine = strategy.cluster_resolver.task_id if "TF_CONFIG" in os.environ else None
    batch_size = min(request["batch_size"], problem.num_examples)
    order = pipeline.order(problem.num_examples, batch_size, seed=request["seed"]).repeat()
    seconds = 0.0
    for i, indices in enumerate(order.take(request["num_updates"]), 1):
        parts = [indices[part] for part in split(len(indices), num_replicas)]
        start = time.perf_counter()
        if mine is None:
            rows = strategy.experimental_distribute_values_from_function(
                lambda context, parts=parts: parts[context.replica_id_in_sync_group]
            )
        else:
            rows = parts[mine]
        told = update(rows, tf.constant(float(len(indices))))
        loss, norms, total = ([float(one) for one in strategy.experimental_local_results(each)] for each in told)
        seconds = time.perf_counter() - start
        row: dict[str, Any] = {"update": i, "seconds": seconds, "loss": sum(loss), "norm": total[0], "device": kind}
        if i == 1 and mine is None:
            for r, part in enumerate(parts):
                row |= {f"indices_{r}": part.numpy().tolist(), f"norm_{r}": norms[r]}
        if i == request["num_updates"]:
            row["weights"] = np.concatenate([np.ravel(weights) for weights in model.get_weights()]).tolist()
        yield row


def main() -> None:
    """The command line of this module."""
    parser = argparse.ArgumentParser(prog="python -m sgd_tf.data_parallel", description=__doc__.splitlines()[0])
    how = parser.add_mutually_exclusive_group(required=True)
    how.add_argument("--devices", type=int, help="devices of one process")
    how.add_argument("--workers", type=int, help="processes on this machine")
    how.add_argument("--hosts", help="name:port of each machine, separated by commas; the same list on all")
    how.add_argument("--child", help=argparse.SUPPRESS)
    parser.add_argument("--index", type=int, default=0, help="of this machine in the list of hosts")
    parser.add_argument("--problem", default="digits")
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--learning-rate", type=float, default=0.1)
    parser.add_argument("--updates", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.child:
        for row in _child(json.loads(arguments.child)):
            print(json.dumps(row), flush=True)
        return
    try:
        plan = ParallelPlan(
            problem=arguments.problem,
            batch_size=arguments.batch_size,
            learning_rate=arguments.learning_rate,
            num_updates=arguments.updates,
            seed=arguments.seed,
        )
        if arguments.devices:
            rows = over_devices(plan, arguments.devices)
        elif arguments.workers:
            rows = over_workers(plan, arguments.workers)
        else:
            rows = as_worker(plan, arguments.hosts.split(","), arguments.index)
        for row in rows:
            print(f"update {row['update']:>5}  loss {row['loss']:.5f}  {1e3 * row['seconds']:.1f} ms", flush=True)
    except (ValueError, PeerError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
