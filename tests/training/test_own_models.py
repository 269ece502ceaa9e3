"""Keras models of the user in all functions: their own loss, and sample and class weights, as in `model.fit`."""

import dataclasses
import functools
import math
import re

import keras
import numpy as np
import pytest

from sgd_tf.memory import measure, predict
from sgd_tf.memory.predict import layers, layers_of
from sgd_tf.noise.gradient_noise import exact_noise
from sgd_tf.noise.gradients import trained
from sgd_tf.racing.race import race
from sgd_tf.racing.search import try_learning_rates
from sgd_tf.sweep.measure import sweep
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.training import models, pipeline
from sgd_tf.training.records import ModelConfig, TrainConfig
from sgd_tf.training.run import Run, train
from sgd_tf.training.vectors import get_weights

CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(problem, *, seed=0, loss=None):
    """Two layers, with batch normalisation; compiled if there is a loss."""
    outputs = problem.num_classes or 1
    model = keras.Sequential(
        [
            keras.Input((problem.num_features,)),
            keras.layers.Dense(6, activation="tanh", kernel_initializer=keras.initializers.GlorotUniform(seed)),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(outputs, kernel_initializer=keras.initializers.GlorotUniform(seed + 1)),
        ]
    )
    if loss is not None:
        model.compile(keras.optimizers.SGD(0.1), loss)
    return model


def of_config(config, problem, *, seed):
    return models.build(problem, config, seed=seed)


@pytest.mark.parametrize("optimizer", [keras.optimizers.Adam(0.01), keras.optimizers.SGD(0.05, momentum=0.9)])
def test_a_compiled_model_brings_a_copy_of_its_optimizer(classification, optimizer):
    ours, theirs = network(classification, seed=1), network(classification, seed=1)
    for model in (ours, theirs):
        model.compile(type(optimizer).from_config(optimizer.get_config()), CROSS_ENTROPY)
    *_, record = train(classification, TrainConfig(batch_size=16, seed=3), model=ours, epochs=2)
    theirs.fit(pipeline.minibatches(classification, 16, seed=3), epochs=2, shuffle=False, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    assert record.update == 10
    assert int(ours.optimizer.iterations) == 0  # a copy has trained


def test_an_optimizer_in_the_model_and_in_the_config_is_refused(classification):
    model = network(classification, loss=CROSS_ENTROPY)
    with pytest.raises(ValueError, match=r"`learning_rate` must be left out .* here SGD; received 0\.2"):
        next(train(classification, TrainConfig(learning_rate=0.2), model=model, updates=1))


def by_hand(y, prediction):
    return keras.ops.mean(keras.ops.sqrt(1 + (y - prediction) ** 2), axis=-1)


def assert_trains_as_fit(problem, loss, fit_loss=None):
    """Two epochs of the engine, and two of `model.fit`."""
    config = TrainConfig(batch_size=16, learning_rate=0.1, seed=3)
    ours, theirs = network(problem, seed=1, loss=loss), network(problem, seed=1, loss=fit_loss or loss)
    *_, record = train(problem, config, model=ours, epochs=2)
    theirs.fit(pipeline.minibatches(problem, 16, seed=3), epochs=2, shuffle=False, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    return record, theirs


@pytest.mark.parametrize("loss", ["mae", keras.losses.Huber(0.5), by_hand])
def test_a_compiled_model_of_a_regression_brings_its_loss_as_to_model_fit(regression, loss):
    record, theirs = assert_trains_as_fit(regression, loss)
    expected = theirs.evaluate(regression.x_test, regression.y_test, verbose=0)
    assert record.test_loss == pytest.approx(expected, rel=1e-5)


def test_a_compiled_classifier_brings_its_loss(classification):
    record, theirs = assert_trains_as_fit(classification, CROSS_ENTROPY)
    expected = theirs.evaluate(classification.x_train, classification.y_train, batch_size=70, verbose=0)
    assert record.train_loss == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        ("categorical_crossentropy", "with a loss that takes labels 0 … 2 of shape (n,), such as sparse_categorical"),
        (keras.losses.SparseCategoricalCrossentropy(reduction="sum"), "a loss that is a mean; received the reduction"),
        (["mse"], "`model` must be compiled with one loss; received 1 in a list."),
    ],
)
def test_a_loss_that_the_engine_does_not_have_is_refused(classification, loss, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Run(classification, TrainConfig(), model=network(classification, loss=loss))


@pytest.mark.parametrize("batch_size", [16, "all"])
def test_sample_weights_and_class_weights_are_those_of_model_fit(classification, batch_size):
    by_class = {0: 0.5, 2: 3.0}
    weights = np.array([by_class.get(label, 1.0) for label in classification.y_train.tolist()])
    weighted = classification.weighted(class_weight=by_class)
    np.testing.assert_array_equal(weighted.sample_weight, classification.weighted(sample_weight=weights).sample_weight)

    config = TrainConfig(batch_size=batch_size, learning_rate=0.1, sampling="in_order")
    ours, theirs = network(weighted, seed=1), network(weighted, seed=1, loss=CROSS_ENTROPY)
    *_, record = train(weighted, config, model=ours, epochs=1)
    k = 70 if batch_size == "all" else batch_size
    theirs.fit(
        weighted.x_train, weighted.y_train, batch_size=k, class_weight=by_class, shuffle=False, epochs=1, verbose=0
    )
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    expected = keras.losses.sparse_categorical_crossentropy(
        weighted.y_train, theirs(weighted.x_train, training=False), from_logits=True
    )
    assert record.train_loss == pytest.approx(float(np.mean(weights * np.asarray(expected))), rel=1e-5)
    assert record.test_accuracy == pytest.approx(
        np.mean(np.argmax(theirs.predict(weighted.x_test, verbose=0), axis=1) == weighted.y_test)
    )


def test_the_gradient_of_weighted_samples_is_the_weighted_mean(classification):
    weights = np.arange(70) % 5
    (plain, _), (weighted, _) = (
        trained(problem, TrainConfig(), network, num_epochs=0)
        for problem in (classification, classification.weighted(sample_weight=weights))
    )
    each = plain.of_each(np.arange(70))
    np.testing.assert_allclose(weighted.full(), (weights[:, None] * each).mean(axis=0), atol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "One of `sample_weight` and `class_weight` must be given."),
        ({"sample_weight": np.ones(3)}, "`sample_weight` must have the shape (70,); received (3,)."),
        ({"sample_weight": np.zeros(70)}, "finite numbers of at least 0, not all of them 0."),
        ({"class_weight": {3: 1.0}}, "`class_weight` must have labels 0 … 2 or names of classes as keys; received 3."),
        ({"class_weight": {0: math.inf}}, "`class_weight` must hold finite numbers of at least 0; received inf."),
    ],
)
def test_weights_out_of_range_are_refused(classification, arguments, message):
    problem = dataclasses.replace(classification, class_names=("a", "b", "c"))
    with pytest.raises(ValueError, match=re.escape(message)):
        problem.weighted(**arguments)


@pytest.mark.parametrize("is_compiled", [False, True])
def test_race_search_sweep_and_noise_take_a_keras_model_and_leave_it_as_it_is(classification, is_compiled):
    model = network(classification, seed=5, loss=CROSS_ENTROPY if is_compiled else None)
    before = get_weights(model)
    first = next(train(classification, model=network(classification, seed=5), updates=1))
    configs = {"GD": TrainConfig(batch_size="all"), "SGD": TrainConfig(batch_size=32)}
    starts = [
        record.train_loss
        for record in race(classification, configs, seconds=0.01, model=model, progress=False)
        if record.update == 0
    ]
    plan = SweepPlan(problem="test", batch_sizes=(32,), learning_rates=(0.1,), num_seeds=1, target=0.01, epochs=1)
    plan = dataclasses.replace(plan, seconds=0.01, max_seconds=0.02)
    starts += [row.start_loss for row in sweep(classification, plan, model=model)]
    assert starts == pytest.approx([first.train_loss] * 3)
    list(
        try_learning_rates(
            classification, TrainConfig(), seconds=0.01, learning_rates=[0.1], patience=None, model=model
        )
    )
    gradients, loss = trained(classification, TrainConfig(batch_size=32), model, num_epochs=2)
    assert loss < first.train_loss
    assert exact_noise(gradients).s_squared > 0
    np.testing.assert_array_equal(get_weights(model), before)


def test_gradients_after_training_are_at_the_weights_and_the_moving_averages_of_the_run(classification):
    model = ModelConfig(layers="dense 6 tanh l2=0.1, batchnorm")
    gradients, loss = trained(classification, TrainConfig(batch_size=16), model, num_epochs=3)
    network = gradients.model
    evaluated = CROSS_ENTROPY(classification.y_train, network(classification.x_train, training=False))
    penalty = 0.1 * np.square(network.layers[0].kernel.numpy()).sum()
    assert loss == pytest.approx(float(evaluated) + penalty, rel=1e-5)
    bare, _ = trained(classification, TrainConfig(), ModelConfig(layers="dense 6 tanh, batchnorm"), num_epochs=0)
    for mine, theirs in zip(bare.model.variables, network.variables, strict=True):
        mine.assign(theirs)
    of_penalty = gradients.full() - bare.full()
    np.testing.assert_allclose(of_penalty[:30], 0.2 * network.layers[0].kernel.numpy().ravel(), atol=1e-5)
    np.testing.assert_allclose(of_penalty[30:], 0, atol=1e-6)


def test_sizes_of_a_keras_model_are_those_of_its_layers(classification):
    problem = dataclasses.replace(
        classification, x_train=np.zeros((70, 64), "f"), x_test=np.zeros((5, 64), "f"), image_shape=(8, 8, 1)
    )
    for config in (ModelConfig(widths=(8, 6)), ModelConfig(kind="cnn"), ModelConfig(layers="dense 8, batchnorm")):
        expected = layers(config, num_features=64, num_outputs=3, image_shape=(8, 8, 1))
        assert layers_of(models.build(problem, config), problem) == expected
        assert layers_of(functools.partial(of_config, config), problem) == expected
        assert layers_of(config, problem) == expected
    sizes = layers_of(network(problem), problem)
    assert predict.largest_batch_size(sizes, 100_000, num_examples=70, num_features=64) == 70


def test_memory_is_measured_of_a_keras_model():
    *_, row = measure.measure("digits", network, [measure.Trial(batch_size=32)], num_examples=100)
    assert row.fits
    assert row.updates > 0


def test_what_is_no_model_is_refused(classification):
    for nothing in (3, lambda *_, **__: None):
        with pytest.raises(ValueError, match="`model` must be a Keras model, a function model"):
            next(train(classification, model=nothing, updates=1))
