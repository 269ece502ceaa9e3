"""Ways to make the updates of an epoch in plain Keras: what is measured, and what the page shows as code.

A way takes a model, a pipeline, an optimizer and a loss. It returns a function that trains for some epochs and returns
the seconds that they took.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import keras
import tensorflow as tf

Train = Callable[[int], float]  # from a number of epochs to their seconds
Function = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]


def minibatches(x: tf.Tensor, y: tf.Tensor, batch_size: int) -> tf.data.Dataset:
    """The pipeline of all plain ways: a new order in each epoch, minibatches of k samples."""
    samples = tf.data.Dataset.from_tensor_slices((x, y))
    return samples.shuffle(len(x), reshuffle_each_iteration=True).batch(batch_size).prefetch(tf.data.AUTOTUNE)


class EpochClock(keras.callbacks.Callback):
    """Seconds of the epochs of one call of `model.fit`, without what the call does before and after them."""

    def on_train_begin(self, logs: object = None) -> None:  # noqa: D102
        del logs
        self.seconds = 0.0

    def on_epoch_begin(self, epoch: int, logs: object = None) -> None:  # noqa: D102
        del epoch, logs
        self.start = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: object = None) -> None:  # noqa: D102
        del epoch, logs
        self.seconds += time.perf_counter() - self.start


def fit(model: keras.Model, data: tf.data.Dataset, optimizer: keras.Optimizer, loss: Function) -> Train:
    """One call of a graph per update, for all of them the same."""
    model.compile(optimizer=optimizer, loss=loss)
    return epochs_of_fit(model, data)


def fit_several_steps(model: keras.Model, data: tf.data.Dataset, optimizer: keras.Optimizer, loss: Function) -> Train:
    """One call of a graph per 32 updates."""
    model.compile(optimizer=optimizer, loss=loss, steps_per_execution=32)
    return epochs_of_fit(model, data)


def fit_xla(model: keras.Model, data: tf.data.Dataset, optimizer: keras.Optimizer, loss: Function) -> Train:
    """One call per update, of a program that XLA has compiled."""
    model.compile(optimizer=optimizer, loss=loss, jit_compile=True)
    return epochs_of_fit(model, data)


def epochs_of_fit(model: keras.Model, data: tf.data.Dataset) -> Train:
    """Training by `model.fit`, with its clock."""
    clock = EpochClock()

    def train(num_epochs: int) -> float:
        model.fit(data, epochs=num_epochs, shuffle=False, verbose=0, callbacks=[clock])
        return clock.seconds

    return train


def loop_in_python(model: keras.Model, data: tf.data.Dataset, optimizer: keras.Optimizer, loss: Function) -> Train:
    """Python calls each operation of an update by itself."""

    def update(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradient = tape.gradient(value, model.trainable_variables)
        optimizer.apply(gradient, model.trainable_variables)
        return value

    return epochs_of_loop(data, update)


def loop_of_graphs(model: keras.Model, data: tf.data.Dataset, optimizer: keras.Optimizer, loss: Function) -> Train:
    """Python calls one graph per update."""

    @tf.function(reduce_retracing=True)
    def update(x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            value = loss(y, model(x, training=True))
        gradient = tape.gradient(value, model.trainable_variables)
        optimizer.apply(gradient, model.trainable_variables)
        return value

    return epochs_of_loop(data, update)


def loop_in_graph(model: keras.Model, data: tf.data.Dataset, optimizer: keras.Optimizer, loss: Function) -> Train:
    """Python calls one graph per epoch, which holds the inner loop, too."""

    @tf.function
    def epoch() -> None:
        for x, y in data:
            with tf.GradientTape() as tape:
                value = loss(y, model(x, training=True))
            gradient = tape.gradient(value, model.trainable_variables)
            optimizer.apply(gradient, model.trainable_variables)

    def train(num_epochs: int) -> float:
        start = time.perf_counter()
        for _epoch in range(num_epochs):
            epoch()
        model.trainable_variables[0].numpy()  # waits for the last update
        return time.perf_counter() - start

    return train


def epochs_of_loop(data: tf.data.Dataset, update: Function) -> Train:
    """Training by a double loop, with its clock."""

    def train(num_epochs: int) -> float:
        start = time.perf_counter()
        for _epoch in range(num_epochs):
            for x, y in data:
                value = update(x, y)
            float(value)  # waits for the last update
        return time.perf_counter() - start

    return train
