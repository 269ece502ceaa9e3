"""Shapes, numbers of parameters, and initial weights that depend on the seed alone."""

import dataclasses

import keras
import numpy as np
import pytest

from sgd_tf.training import models
from sgd_tf.training.records import ModelConfig

CONFIGS = {
    "linear": ModelConfig(kind="linear"),
    "mlp": ModelConfig(widths=(8, 6), activation="tanh"),
    "leaky": ModelConfig(widths=(6, 5, 4, 3), activation="leaky_relu"),
    "cnn": ModelConfig(kind="cnn"),
}


@pytest.fixture
def images(make_problem):
    problem = make_problem["classification"](30, num_features=64)
    return dataclasses.replace(problem, image_shape=(8, 8, 1))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("linear", 64 * 3 + 3),
        ("mlp", 64 * 8 + 8 + 8 * 6 + 6 + 6 * 3 + 3),
        ("leaky", 64 * 6 + 6 + 6 * 5 + 5 + 5 * 4 + 4 + 4 * 3 + 3 + 3 * 3 + 3),
        ("cnn", 9 * 8 + 8 + 9 * 8 * 16 + 16 + 2 * 2 * 16 * 3 + 3),
    ],
)
def test_number_of_parameters_by_hand(images, name, parameters):
    model = models.build(images, CONFIGS[name])
    assert model.count_params() == parameters
    assert model(images.x_train).shape == (30, 3)


@pytest.mark.parametrize("name", CONFIGS)
def test_initial_weights_depend_on_the_seed_alone(images, name):
    def weights(seed):
        return models.build(images, CONFIGS[name], seed=seed).get_weights()

    first = weights(1)
    keras.utils.set_random_seed(123)
    for a, b in zip(first, weights(1), strict=True):
        np.testing.assert_array_equal(a, b)
    assert any((a != b).any() for a, b in zip(first, weights(2), strict=True))


def test_two_layers_of_one_size_start_with_different_weights(images):
    _, _, first, _, second, *_ = models.mlp(images, widths=(5, 5, 5)).get_weights()
    assert (first != second).any()


def test_he_initial_weights_have_variance_two_over_fan_in(make_problem):
    problem = make_problem["classification"](30, num_features=400)
    kernel = models.mlp(problem, widths=(400,)).get_weights()[0]
    # Keras cuts the normal distribution off at two standard deviations and scales it back to the variance.
    assert np.var(kernel) == pytest.approx(2 / 400, rel=0.02)


def test_leaky_relu_has_the_slope_of_the_exercise(images):
    layer = models.build(images, CONFIGS["leaky"]).layers[0]
    assert np.asarray(layer.activation(np.array([-1.0, 2.0], "f"))).tolist() == pytest.approx([-0.01, 2.0])


def test_a_regression_has_one_output(regression):
    assert models.build(regression, CONFIGS["mlp"])(regression.x_train).shape == (70, 1)


def test_a_network_for_images_refuses_a_table(classification):
    with pytest.raises(ValueError, match=r"`cnn` needs images of at least 4 × 4 pixels; 'test' has None\."):
        models.build(classification, CONFIGS["cnn"])
