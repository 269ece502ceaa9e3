"""Seconds per epoch of models of many kinds: `sgd_tf` against `model.fit`, in one run on this machine.

    python benchmarks/zoo.py [--quick] [--model NAME …] [--batch-size K …] [--out FOLDER]

All train on 2,400 samples of 28 × 28 numbers, in a new random order each epoch, by plain SGD. The engine tries XLA and
TensorFlow's graph executor and keeps the faster; both are timed too, so that its choice can be judged. `model.fit` runs
as the guides of Keras write it, and with many steps per execution on the index pipeline of this package.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable

import altair as alt
import keras
import pandas as pd
import report
import tensorflow as tf
from keras import layers

import sgd_tf
from sgd_tf.training import counting, pipeline
from sgd_tf.training.run import Run

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

N, SIDE, NUM_CLASSES = 2_400, 28, 10
LEARNING_RATE = 0.01
OURS = "sgd_tf"
RIVALS = ("model.fit", "model.fit, many steps per execution")
MIN_SECONDS = 0.2  # of one timing: as many epochs as that takes

Epoch = Callable[[], None]


def _image() -> layers.Layer:
    return layers.Reshape((SIDE, SIDE, 1))


def _rows() -> layers.Layer:
    return layers.Reshape((SIDE, SIDE))


def attention() -> keras.Model:
    """One block of self-attention over the 28 rows."""
    x = keras.Input((SIDE * SIDE,))
    rows = layers.Dense(32)(_rows()(x))
    attended = layers.LayerNormalization()(rows + layers.MultiHeadAttention(4, 8)(rows, rows))
    return keras.Model(x, layers.Dense(NUM_CLASSES)(layers.GlobalAveragePooling1D()(attended)))


def _stack(*parts: Callable[[], layers.Layer]) -> Callable[[], keras.Model]:
    return lambda: keras.Sequential(
        [keras.Input((SIDE * SIDE,)), *(part() for part in parts), layers.Dense(NUM_CLASSES)]
    )


def _dense(units: int) -> Callable[[], layers.Layer]:
    return lambda: layers.Dense(units, activation="relu")


def _convolution(channels: int, kind: type[layers.Layer] = layers.Conv2D, **options) -> Callable[[], layers.Layer]:
    return lambda: kind(channels, 3, activation="relu", **options)


MODELS: dict[str, Callable[[], keras.Model]] = {
    "linear": _stack(),
    "MLP 128": _stack(_dense(128)),
    "MLP 4 × 512": _stack(*[_dense(512)] * 4),
    "CNN of the lab": _stack(
        _image,
        _convolution(8, padding="same"),
        layers.MaxPooling2D,
        _convolution(16, padding="same"),
        layers.MaxPooling2D,
        layers.Flatten,
    ),
    "Keras' MNIST convnet": _stack(
        _image,
        _convolution(32),
        layers.MaxPooling2D,
        _convolution(64),
        layers.MaxPooling2D,
        layers.Flatten,
        lambda: layers.Dropout(0.5),
    ),
    "Dropout": _stack(_dense(128), lambda: layers.Dropout(0.5)),
    "GaussianNoise": _stack(lambda: layers.GaussianNoise(0.1), _dense(128)),
    "batch normalisation": _stack(_dense(128), layers.BatchNormalization, _dense(128), layers.BatchNormalization),
    "GRU": _stack(_rows, lambda: layers.GRU(32)),
    "self-attention": attention,
    "separable convolution": _stack(
        _image, _convolution(16, layers.SeparableConv2D), layers.MaxPooling2D, layers.Flatten
    ),
}


def ours(problem: sgd_tf.Problem, k: int, build: Callable[[], keras.Model], compiler=None) -> tuple[Epoch, str]:
    """The engine behind `sgd_tf.train`, and the compiler that it uses."""
    run = Run(problem, sgd_tf.TrainConfig(batch_size=k, learning_rate=LEARNING_RATE), model=build(), compiler=compiler)
    per_epoch = counting.iterations_per_epoch(problem.num_examples, k)
    return lambda: run.advance(update=run.update + per_epoch), run.compiler


def fit(problem: sgd_tf.Problem, k: int, build: Callable[[], keras.Model], *, many_steps: bool) -> Epoch:
    """`model.fit` on shuffled minibatches."""
    model = build()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    steps = counting.iterations_per_epoch(problem.num_examples, k) if many_steps else 1
    model.compile(keras.optimizers.SGD(LEARNING_RATE), loss, steps_per_execution=steps)
    dataset = tf.data.Dataset.from_tensor_slices((problem.x_train, problem.y_train)).shuffle(N).batch(k)
    if many_steps:
        dataset = pipeline.minibatches(problem, k)
    return lambda: model.fit(dataset, epochs=1, shuffle=False, verbose=0)


def measure(problem: sgd_tf.Problem, name: str, k: int, repetitions: int) -> list[dict]:
    """Seconds of an epoch of each contender, interleaved."""
    build = MODELS[name]
    epoch, compiler = ours(problem, k, build)
    epochs = {OURS: epoch}
    for way in ("xla", "graph"):
        epochs[f"{OURS} by {way}"], _ = ours(problem, k, build, way)
    for rival in RIVALS:
        epochs[rival] = fit(problem, k, build, many_steps=rival != RIVALS[0])
    times: dict[str, list[float]] = {contender: [] for contender in epochs}
    for turn in range(repetitions + 1):
        for contender, train in epochs.items():
            start, num = time.perf_counter(), 0
            while not num or time.perf_counter() - start < MIN_SECONDS:
                train()
                num += 1
            if turn:  # the first one compiles
                times[contender].append((time.perf_counter() - start) / num)
    rows = [report.timing(contender, seconds) for contender, seconds in times.items()]
    best = min(row["seconds"] for row in rows if row["name"] in RIVALS)
    common = {"model": name, "k": k, "compiler": compiler, "fit_over_ours": best / rows[0]["seconds"]}
    return [row | common for row in rows]


def chart(table: pd.DataFrame) -> alt.Chart:
    """Seconds per epoch of each model, one panel per k."""
    return (
        alt.Chart(table, title="Seconds per epoch of 2,400 samples of 28 × 28 numbers: lower is faster")
        .mark_point(filled=True, size=60)
        .encode(
            x=alt.X("seconds:Q", scale=alt.Scale(type="log"), title="Seconds per epoch"),
            y=alt.Y("model:N", sort=list(MODELS), title=None),
            color=alt.Color("name:N", title=None),
            column=alt.Column("k:O", title="Batch size k"),
        )
        .properties(width=260)
    )


def main() -> None:
    """Measure, print, and write JSON and chart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="3 repetitions instead of 5, and k = 32 only")
    parser.add_argument("--model", nargs="+", choices=list(MODELS), help="only these models", metavar="NAME")
    parser.add_argument("--batch-size", nargs="+", type=int, help="only these k")
    report.add_out(parser)
    arguments = parser.parse_args()
    tf.get_logger().setLevel("ERROR")  # each contender traces functions of its own, of which TensorFlow would warn
    problem = sgd_tf.load("teacher", num_examples=N, num_features=SIDE * SIDE, num_classes=NUM_CLASSES)
    rows: list[dict] = []
    for name in arguments.model or MODELS:
        for k in arguments.batch_size or ((32,) if arguments.quick else (8, 32, 512)):
            rows += measure(problem, name, k, 3 if arguments.quick else 5)
            report.print_ratios(f"{name}, k = {k}, by {rows[-1]['compiler']}", rows, OURS, model=name, k=k)
            keras.backend.clear_session()
    report.write("zoo", rows, chart(pd.DataFrame(rows)), arguments.out)
    ratios = {(row["model"], row["k"]): row["fit_over_ours"] for row in rows}
    slower = {key: f"{ratio:.2f}" for key, ratio in ratios.items() if ratio < 1}
    report.console.print(f"model.fit at its best ÷ {OURS}: median {statistics.median(ratios.values()):.2f}")
    report.console.print(f"Slower than model.fit: {slower or 'none'}")


if __name__ == "__main__":
    main()
