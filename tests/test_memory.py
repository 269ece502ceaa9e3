"""Memory of an update: the layers in numbers as Keras counts them, and the prediction against a measurement."""

import dataclasses

import keras
import numpy as np
import pytest

from sgd_tf import memory, models
from sgd_tf.problems import Problem
from sgd_tf.records import ModelConfig, TrainConfig

MODELS = [
    ModelConfig(kind="linear"),
    ModelConfig(widths=(7, 5), activation="leaky_relu"),
    ModelConfig(kind="cnn"),
]


@pytest.fixture(scope="module")
def images() -> Problem:
    random = np.random.default_rng(0)
    problem = Problem.from_arrays(random.normal(size=(60, 48)).astype(np.float32), np.arange(60) % 3)
    return dataclasses.replace(problem, image_shape=(6, 8, 1))


@pytest.mark.parametrize("config", MODELS, ids=lambda config: config.kind)
def test_layers_have_the_parameters_and_outputs_that_keras_counts(images, config):
    sizes = memory.layers(config, num_features=48, num_outputs=3, image_shape=(6, 8, 1))
    model = models.build(images, config)
    assert sum(layer.parameters for layer in sizes) == model.count_params()
    theirs = [
        int(np.prod(layer.output.shape[1:]))
        for layer in model.layers
        if not isinstance(layer, keras.layers.Reshape | keras.layers.Flatten)
    ]
    assert [layer.outputs for layer in sizes] == theirs


def test_a_cnn_without_images_is_refused():
    with pytest.raises(ValueError, match="`image_shape` is None"):
        memory.layers(ModelConfig(kind="cnn"), num_features=48, num_outputs=3)


SIZES = memory.layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)


def test_only_the_batch_and_the_activations_grow_with_k():
    small, large = (
        memory.predict(SIZES, TrainConfig(batch_size=k), num_examples=10_000, num_features=64) for k in (10, 1_000)
    )
    assert (small.parameters, small.gradients) == (large.parameters, large.gradients)
    assert (large.batch, large.activations) == (100 * small.batch, 100 * small.activations)


def test_micro_batches_hold_the_activations_of_their_own_samples_and_a_sum_of_gradients():
    whole = memory.predict(SIZES, TrainConfig(batch_size=1_000), num_examples=10_000, num_features=64)
    parts = memory.predict(
        SIZES, TrainConfig(batch_size=1_000, micro_batch_size=50), num_examples=10_000, num_features=64
    )
    assert parts.activations == whole.activations / 20
    assert parts.gradients == 2 * whole.gradients
    assert parts.batch == whole.batch


def test_momentum_keeps_one_number_per_parameter():
    config = TrainConfig(batch_size=10, momentum=0.9)
    predicted = memory.predict(SIZES, config, num_examples=100, num_features=64)
    assert predicted.optimizer == predicted.parameters == 4 * (65 * 32 + 33 * 10)


@pytest.mark.parametrize("limit", [20_132, 50_000, 1_000_000])
def test_the_largest_k_fits_and_the_next_one_does_not(limit):
    def needed(k):
        return memory.predict(SIZES, TrainConfig(batch_size=k), num_examples=10_000, num_features=64).total

    k = memory.largest_batch_size(SIZES, limit, num_examples=10_000, num_features=64)
    assert needed(k) <= limit < needed(k + 1)


def test_where_not_even_one_sample_fits_there_is_no_largest_k():
    assert memory.largest_batch_size(SIZES, 20_131, num_examples=10_000, num_features=64) is None


def test_the_measured_peak_grows_with_k_as_predicted_and_micro_batches_bring_it_down():
    model = ModelConfig(widths=(256,))
    sizes = memory.layers(model, num_features=20, num_outputs=3)
    ks = (10_000, 40_000)
    measured = {row["batch_size"]: row["bytes"] for row in memory.measure("teacher", model, ks, num_examples=40_000)}
    predicted = {
        k: memory.predict(sizes, TrainConfig(batch_size=k), num_examples=40_000, num_features=20).total for k in ks
    }
    grown, expected = (numbers[40_000] - numbers[10_000] for numbers in (measured, predicted))
    assert grown == pytest.approx(expected, rel=0.25)
    (parts,) = memory.measure("teacher", model, [40_000], num_examples=40_000, micro_batch_size=1_000)
    assert parts["bytes"] < measured[40_000] / 3
