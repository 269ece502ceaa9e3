"""Recordings of single updates and short loops: what one costs, and what the double loop does."""

from __future__ import annotations

import time
from typing import Any

from sgd_tf.recordings.draws import ink

SIZES = (60, 240, 1437)  # N
TIMED_UPDATES = 300
SHOWN_UPDATES = 12


def one_update() -> dict[str, Any]:
    """Gradient descent on N digits: the loss after each of a few updates, and the median time of one."""
    from sgd_tf.problems import load

    images = [ink(image) for image in load("digits").x_train[: SIZES[0]]]
    return {"images": images} | {str(size): _descent(size) for size in SIZES}


def _descent(size: int) -> dict[str, Any]:
    import numpy as np
    import tensorflow as tf

    from sgd_tf.problems import load
    from sgd_tf.training import models
    from sgd_tf.training.records import ModelConfig

    problem = load("digits")
    x, y = tf.constant(problem.x_train[:size]), tf.constant(problem.y_train[:size])
    model = models.build(problem, ModelConfig(), seed=0)
    learning_rate = 0.5

    @tf.function
    def update() -> tf.Tensor:
        with tf.GradientTape() as tape:
            each = tf.nn.sparse_softmax_cross_entropy_with_logits(y, model(x))
            loss = tf.reduce_mean(each)
        for weight, gradient in zip(
            model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
        ):
            weight.assign_sub(learning_rate * gradient)
        return loss

    losses = [float(update()) for _ in range(SHOWN_UPDATES + 1)]
    times = []
    for _ in range(TIMED_UPDATES):
        start = time.perf_counter()
        update()
        times.append(time.perf_counter() - start)
    return {"losses": losses, "milliseconds": 1000 * float(np.median(times))}


def two_loops(num_epochs: int = 2) -> dict[str, Any]:
    """The double loop on 24 digits, k = 6, in plain Keras: the loss of each update, and the distance to `model.fit`."""
    import keras
    import numpy as np
    import tensorflow as tf
    from sklearn.datasets import load_digits

    images, labels = load_digits(return_X_y=True)
    x, y = (images[:24] / 16).astype("float32"), labels[:24]
    loss_function = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def new_model() -> keras.Model:
        keras.utils.set_random_seed(0)
        return keras.Sequential([keras.Input((64,)), keras.layers.Dense(32, "relu"), keras.layers.Dense(10)])

    def new_dataset() -> tf.data.Dataset:
        dataset = tf.data.Dataset.range(24).shuffle(24, seed=0, reshuffle_each_iteration=True)
        return dataset.batch(6)

    model, optimizer = new_model(), keras.optimizers.SGD(0.5)
    dataset = new_dataset()
    losses, drawn = [], []
    for _epoch in range(num_epochs):
        for indices in dataset:
            i = indices.numpy()
            with tf.GradientTape() as tape:
                loss = loss_function(y[i], model(x[i]))
            optimizer.apply(tape.gradient(loss, model.trainable_variables), model.trainable_variables)
            losses.append(float(loss))
            drawn.append(i.tolist())
    other = new_model()
    other.compile(keras.optimizers.SGD(0.5), loss_function)
    minibatches = tf.data.Dataset.from_tensor_slices(drawn).map(lambda i: (tf.gather(x, i), tf.gather(y, i)))
    steps = len(drawn) // num_epochs
    other.fit(minibatches, epochs=num_epochs, steps_per_epoch=steps, shuffle=False, verbose=0)
    pairs = zip(model.get_weights(), other.get_weights(), strict=True)
    return {"losses": losses, "drawn": drawn, "difference": max(float(np.abs(a - b).max()) for a, b in pairs)}
