"""Seconds per epoch of minibatch SGD: `sgd_tf` against its rivals, the same work in one run on this machine.

    python benchmarks/throughput.py [--quick] [--out FOLDER]

All train the same MLP (one hidden layer of 128, cross-entropy, plain SGD, float32) from the same weights, in a new
random order each epoch; with k = N, where all orders are one minibatch, those whose loop is written here draw none.
Only training is timed; each has trained two epochs before, and the losses then show that all do the same work.
Repetitions are interleaved, so that a slow moment of the machine meets all; before each turn the machine rests for a
moment. PyTorch runs eagerly, as it is taught.
"""

from __future__ import annotations

import argparse
import functools
import os
import sys
import time
from collections.abc import Callable, Sequence

import altair as alt
import keras
import numpy as np
import pandas as pd
import report
import tensorflow as tf

import sgd_tf
from sgd_tf.training import counting, models, pipeline
from sgd_tf.training.run import Run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

# PyTorch imports Triton, with which it compiles for a GPU, where it is installed; Triton's LLVM beside TensorFlow's
# would end the process.
sys.modules["triton"] = None  # type: ignore[assignment]

WIDTH = 128  # hidden units
LEARNING_RATE = 0.004  # with 784 numbers and k = 1 nobody diverges, at which scikit-learn would stop
WARM_UP_EPOCHS = 2
REST = (
    0.3  # seconds before each turn: threads of some libraries go on waiting busily, and would take the next one's core
)
SHORT = 0.5  # seconds; an epoch below that is first run untimed, since training goes on with warm caches
SLOW = 2.0  # seconds; an epoch above that is timed three times only, the last one before the others included
NUM_EXAMPLES = 60_000

Weights = list[np.ndarray]  # W₁ (d, 128), b₁, W₂ (128, c), b₂
Contender = tuple[Callable[[], None], Callable[[], Weights]]  # trains one epoch; gives the weights


def sgd_tf_train(problem: sgd_tf.Problem, k: int, weights: Weights) -> Contender:
    """The engine behind `sgd_tf.train`, its tf.data pipeline included."""
    model = models.mlp(problem, widths=(WIDTH,))
    model.set_weights(weights)
    run = Run(problem, sgd_tf.TrainConfig(batch_size=k, learning_rate=LEARNING_RATE), model=model)
    per_epoch = counting.iterations_per_epoch(problem.num_examples, k)

    def epoch() -> None:
        run.advance(update=run.update + per_epoch)

    return epoch, model.get_weights


def fit_as_written(problem: sgd_tf.Problem, k: int, weights: Weights) -> Contender:
    """`model.fit` on `from_tensor_slices(...).shuffle(N).batch(k)`, as the guides of Keras write it.

    Keras adds a prefetch that tf.data tunes. With TensorFlow 2.21 an epoch then may end only when the tuner wakes next,
    10, 30, 70, 150, … ms after its begin: part of the time of whoever calls it so.
    """
    dataset = tf.data.Dataset.from_tensor_slices((problem.x_train, problem.y_train))
    return _fit(problem, weights, dataset.shuffle(problem.num_examples).batch(k))


def fit_on_arrays(problem: sgd_tf.Problem, k: int, weights: Weights) -> Contender:
    """`model.fit(x, y, batch_size=k)`, which shuffles by itself."""
    model = _compiled(problem, weights)
    x, y = problem.x_train, problem.y_train
    return lambda: model.fit(x, y, batch_size=k, epochs=1, verbose=0), model.get_weights


def fit_at_its_best(problem: sgd_tf.Problem, k: int, weights: Weights) -> Contender:
    """`model.fit` on the index pipeline of this package, many steps per execution, compiled by XLA."""
    steps = min(counting.iterations_per_epoch(problem.num_examples, k), 256)
    dataset = pipeline.minibatches(problem, k)
    if k == problem.num_examples:
        dataset = tf.data.Dataset.from_tensors((problem.x_train, problem.y_train))
    return _fit(problem, weights, dataset, steps_per_execution=steps, jit_compile=True)


def _fit(problem: sgd_tf.Problem, weights: Weights, dataset, **options) -> Contender:
    model = _compiled(problem, weights, **options)
    return lambda: model.fit(dataset, epochs=1, shuffle=False, verbose=0), model.get_weights


def _compiled(problem: sgd_tf.Problem, weights: Weights, **options) -> keras.Model:
    model = models.mlp(problem, widths=(WIDTH,))
    model.set_weights(weights)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(LEARNING_RATE), loss, **options)
    return model


def pytorch_data_loader(problem: sgd_tf.Problem, k: int, weights: Weights) -> Contender:
    """PyTorch with `DataLoader(TensorDataset(x, y), batch_size=k, shuffle=True)`."""
    import torch

    step, x, y, get_weights = _pytorch(problem, weights)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(x, y), batch_size=k, shuffle=True)

    def epoch() -> None:
        for minibatch in loader:
            step(*minibatch)

    return epoch, get_weights


def pytorch_loop(problem: sgd_tf.Problem, k: int, weights: Weights) -> Contender:
    """PyTorch with `randperm(N).split(k)`."""
    import torch

    step, x, y, get_weights = _pytorch(problem, weights)

    def epoch() -> None:
        for indices in torch.randperm(len(x)).split(k):
            step(x[indices], y[indices])

    return (epoch if k < len(x) else lambda: step(x, y)), get_weights


def _pytorch(problem: sgd_tf.Problem, weights: Weights):
    import torch

    x, y = torch.from_numpy(problem.x_train.copy()), torch.from_numpy(problem.y_train.astype(np.int64))
    layers = [torch.nn.Linear(*weights[i].shape) for i in (0, 2)]
    with torch.no_grad():
        for layer, kernel, bias in zip(layers, weights[::2], weights[1::2], strict=True):
            layer.weight.copy_(torch.from_numpy(kernel.T.copy()))
            layer.bias.copy_(torch.from_numpy(bias.copy()))
    model = torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])
    optimizer = torch.optim.SGD(model.parameters(), lr=LEARNING_RATE)
    loss = torch.nn.CrossEntropyLoss()

    def step(x, y) -> None:
        optimizer.zero_grad()
        loss(model(x), y).backward()
        optimizer.step()

    def get_weights() -> Weights:
        parameters = [parameter.detach().numpy() for parameter in model.parameters()]
        return [parameter.T for parameter in parameters]

    return step, x, y, get_weights


def jax_scan(problem: sgd_tf.Problem, k: int, weights: Weights) -> Contender:
    """JAX: the whole epoch is one compiled `lax.scan` over the minibatches, the permutation included."""
    import jax
    import jax.numpy as jnp

    x, y = jnp.asarray(problem.x_train), jnp.asarray(problem.y_train)
    N, num_full = len(x), len(x) // k

    def loss(parameters, x, y):
        first, first_bias, second, second_bias = parameters
        logits = jax.nn.relu(x @ first + first_bias) @ second + second_bias
        return jnp.mean(jax.nn.logsumexp(logits, axis=1) - logits[jnp.arange(len(y)), y])

    def step(parameters, minibatch):
        value, gradients = jax.value_and_grad(loss)(parameters, *minibatch)
        return [p - LEARNING_RATE * g for p, g in zip(parameters, gradients, strict=True)], value

    @functools.partial(jax.jit, donate_argnums=0)
    def epoch_of(parameters, key, x, y):
        if k == N:
            return step(parameters, (x, y))
        order = jax.random.permutation(key, N)
        full, rest = order[: num_full * k], order[num_full * k :]
        xs, ys = x[full].reshape(num_full, k, -1), y[full].reshape(num_full, k)
        parameters, losses = jax.lax.scan(step, parameters, (xs, ys))
        if len(rest):
            parameters, _ = step(parameters, (x[rest], y[rest]))
        return parameters, losses

    state = {"parameters": [jnp.array(part) for part in weights], "key": jax.random.key(0)}

    def epoch() -> None:
        state["key"], key = jax.random.split(state["key"])
        state["parameters"], losses = epoch_of(state["parameters"], key, x, y)
        losses.block_until_ready()

    return epoch, lambda: [np.asarray(part) for part in state["parameters"]]


def scikit_learn(problem: sgd_tf.Problem, k: int, weights: Weights) -> Contender:
    """`MLPClassifier.partial_fit`: one pass over the samples in minibatches of k."""
    from sklearn.neural_network import MLPClassifier

    x, y = problem.x_train.copy(), problem.y_train.copy()
    classifier = MLPClassifier(
        (WIDTH,),
        solver="sgd",
        batch_size=k,
        learning_rate_init=LEARNING_RATE,
        momentum=0.0,
        nesterovs_momentum=False,
        alpha=0.0,
        shuffle=k < len(x),
    )
    classifier.partial_fit(x[:k], y[:k], classes=np.arange(problem.num_classes))
    for parts, given in ((classifier.coefs_, weights[::2]), (classifier.intercepts_, weights[1::2])):
        for part, values in zip(parts, given, strict=True):
            part[:] = values

    def get_weights() -> Weights:
        first, second = classifier.coefs_
        return [first, classifier.intercepts_[0], second, classifier.intercepts_[1]]

    return lambda: classifier.partial_fit(x, y), get_weights


def numpy_products(problem: sgd_tf.Problem, k: int, weights: Weights) -> Contender:
    """The floor: the five matrix products of each update in NumPy, in order of the samples, and nothing else."""
    x = np.array(problem.x_train)
    first, second = weights[0].copy(), weights[2].copy()
    N, num_classes = len(x), second.shape[1]
    hidden, logits = np.empty((k, WIDTH), np.float32), np.empty((k, num_classes), np.float32)
    to_hidden, to_first, to_second = np.empty_like(hidden), np.empty_like(first), np.empty_like(second)
    at_logits = np.random.default_rng(0).normal(size=(k, num_classes)).astype(np.float32)

    def epoch() -> None:
        for start in range(0, N, k):
            rows = x[start : start + k]
            n = len(rows)
            np.matmul(rows, first, out=hidden[:n])
            np.matmul(hidden[:n], second, out=logits[:n])
            np.matmul(hidden[:n].T, at_logits[:n], out=to_second)
            np.matmul(at_logits[:n], second.T, out=to_hidden[:n])
            np.matmul(rows.T, to_hidden[:n], out=to_first)

    return epoch, lambda: []


OURS = "sgd_tf.train"
FLOOR = "matrix products alone (NumPy)"
CONTENDERS: dict[str, tuple[str, Callable[..., Contender]]] = {  # by name: module that it needs, maker
    OURS: ("tensorflow", sgd_tf_train),
    "model.fit as written": ("tensorflow", fit_as_written),
    "model.fit on arrays": ("tensorflow", fit_on_arrays),
    "model.fit at its best": ("tensorflow", fit_at_its_best),
    "PyTorch, DataLoader": ("torch", pytorch_data_loader),
    "PyTorch, randperm and split": ("torch", pytorch_loop),
    "JAX, lax.scan": ("jax", jax_scan),
    "scikit-learn, partial_fit": ("sklearn", scikit_learn),
    FLOOR: ("numpy", numpy_products),
}
PIPELINE = "tf.data pipeline alone"


def pipeline_alone(problem: sgd_tf.Problem, k: int) -> Callable[[], None]:
    """Drawing the order of an epoch and gathering its samples into the blocks that the engine trains on."""
    run = Run(problem, sgd_tf.TrainConfig(batch_size=k))
    size = run._program.block_updates
    blocks = iter(pipeline.blocks(problem, k, size))
    run.close()
    state = {"left": 0}
    per_epoch = counting.iterations_per_epoch(problem.num_examples, k)

    def epoch() -> None:
        if k == problem.num_examples:
            return  # all samples, each once, are the same minibatch in any order: the engine draws it once per run
        while state["left"] < per_epoch:
            next(blocks)
            state["left"] += size
        state["left"] -= per_epoch

    return epoch


def measure(problem: sgd_tf.Problem, k: int, names: Sequence[str], repetitions: int) -> list[dict]:
    """Seconds of an epoch of each contender, and the training loss that its weights have after the warm-up."""
    weights = models.mlp(problem, widths=(WIDTH,), seed=0).get_weights()
    contenders = {name: CONTENDERS[name][1](problem, k, weights) for name in names}
    epochs = {name: epoch for name, (epoch, _weights) in contenders.items()} | {PIPELINE: pipeline_alone(problem, k)}
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for name, epoch in epochs.items():
        for _ in range(WARM_UP_EPOCHS):
            start = time.perf_counter()
            epoch()
            elapsed = time.perf_counter() - start
        if elapsed > SLOW:
            seconds[name].append(elapsed)
    losses = {name: loss_of(problem, get()) for name, (_epoch, get) in contenders.items()}
    for _ in range(repetitions):
        for name, epoch in epochs.items():
            if len(seconds[name]) >= 3 and min(seconds[name]) > SLOW:
                continue
            time.sleep(REST)
            if min(seconds[name], default=0.0) < SHORT:
                epoch()
            start = time.perf_counter()
            epoch()
            seconds[name].append(time.perf_counter() - start)
    return [report.timing(name, times) | {"loss": losses.get(name)} for name, times in seconds.items()]


def loss_of(problem: sgd_tf.Problem, weights: Weights) -> float | None:
    """Mean cross-entropy over the training samples, by NumPy; None without weights."""
    if not weights:
        return None
    first, first_bias, second, second_bias = weights
    logits = np.maximum(problem.x_train @ first + first_bias, 0.0) @ second + second_bias
    logits -= logits.max(axis=1, keepdims=True)
    chosen = np.take_along_axis(logits, problem.y_train[:, None].astype(np.int64), axis=1)[:, 0]
    return float(np.mean(np.log(np.exp(logits).sum(axis=1)) - chosen))


def chart(table: pd.DataFrame) -> alt.Chart:
    """Seconds per epoch against k, one line per contender, one panel per size of the samples."""
    return (
        alt.Chart(table[table["name"] != PIPELINE])
        .mark_line(point=True)
        .encode(
            x=alt.X("k:Q", scale=alt.Scale(type="log"), title="Batch size k"),
            y=alt.Y("seconds_per_60000:Q", scale=alt.Scale(type="log"), title="Seconds per epoch (60,000 samples)"),
            color=alt.Color("name:N", sort=list(CONTENDERS), title=None),
            strokeWidth=alt.condition(f"datum.name == '{OURS}'", alt.value(4), alt.value(1.5)),
            strokeDash=alt.condition(f"datum.name == '{FLOOR}'", alt.value([4, 4]), alt.value([1, 0])),
            column=alt.Column("problem:N", title=None, sort=None),
        )
        .properties(width=320, height=320, title="Seconds per epoch, MLP with 128 hidden units: lower is faster")
    )


def main() -> None:
    """Measure, print, and write JSON and chart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="3 repetitions instead of 9, and samples of 64 numbers only"
    )
    parser.add_argument(
        "--repetitions", type=int, default=9, choices=range(3, 100), metavar="N", help="of each epoch that is timed"
    )
    parser.add_argument("--batch-size", nargs="+", type=int, help="only these k")
    parser.add_argument("--features", nargs="+", type=int, help="only samples of so many numbers")
    report.add_out(parser)
    arguments = parser.parse_args()
    tf.get_logger().setLevel("ERROR")  # each contender traces functions of its own, of which TensorFlow would warn
    names = report.installed({name: module for name, (module, _make) in CONTENDERS.items()})
    repetitions = 3 if arguments.quick else arguments.repetitions
    rows = []
    for d in arguments.features or ((64,) if arguments.quick else (64, 784)):
        for k in arguments.batch_size or (1, 8, 32, 256, 4096, NUM_EXAMPLES):
            N = NUM_EXAMPLES // 10 if k == 1 else NUM_EXAMPLES
            problem = sgd_tf.load("teacher", num_examples=N, num_features=d, num_classes=10)
            for row in measure(problem, k, names, repetitions):
                scaled = row["seconds"] * NUM_EXAMPLES / N
                rows.append({"problem": f"{d}-{WIDTH}-10", "k": k, "N": N, **row, "seconds_per_60000": scaled})
            report.print_ratios(f"{d}-{WIDTH}-10, N = {N:,}, k = {k:,}", rows, OURS, k=k, problem=f"{d}-{WIDTH}-10")
        report.write("throughput", rows, chart(pd.DataFrame(rows)), arguments.out)


if __name__ == "__main__":
    main()
