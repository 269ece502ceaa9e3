"""Own layers: their text form, what is refused, shapes and weights by Keras, and training against `model.fit`."""

import dataclasses
import json
import re

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.jobs import rows
from sgd_tf.training import layers, models, pipeline
from sgd_tf.training.layers import BatchNormalization, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from sgd_tf.training.records import ModelConfig, TrainConfig
from sgd_tf.training.run import Run

ACTIVATIONS, INITIALIZERS = st.sampled_from(layers.ACTIVATIONS), st.none() | st.sampled_from(layers.INITIALIZERS)
L2 = st.floats(0, layers.MAX_L2)
ANYWHERE = st.builds(Dropout, st.floats(0, 0.95)) | st.builds(BatchNormalization)
IN_ROWS = st.builds(Dense, st.integers(1, 4096), ACTIVATIONS, INITIALIZERS, L2) | ANYWHERE
IN_IMAGES = (
    st.builds(Conv2D, st.integers(1, 512), st.integers(1, 11), ACTIVATIONS, INITIALIZERS, L2)
    | st.builds(MaxPooling2D, st.integers(2, 11))
    | ANYWHERE
)
ROWS = st.lists(IN_ROWS, max_size=7)
NETWORKS = ROWS | st.builds(lambda first, rows: [*first, Flatten(), *rows], st.lists(IN_IMAGES, max_size=7), ROWS)
EVERY_KIND = "conv 8 3 leaky_relu l2=0.01, batchnorm, maxpool 2, flatten, dropout 0.25, dense 9 gelu zeros, dense 5"


@pytest.fixture
def images(make_problem):
    return dataclasses.replace(make_problem["classification"](30, num_features=64), image_shape=(8, 8, 1))


@given(NETWORKS)
def test_a_list_of_layers_is_what_its_text_says(network):
    text = layers.to_text(network)
    assert layers.parse(text) == tuple(network)
    assert layers.to_text(layers.parse(text)) == text
    assert ModelConfig(layers=text) == ModelConfig(layers=network)
    assert hash(ModelConfig(layers=text)) == hash(ModelConfig(layers=network))
    assert repr(ModelConfig(layers=network)) == f"ModelConfig(layers={text!r})"


def test_own_layers_travel_to_a_process_of_their_own():
    codec = rows.of(ModelConfig)
    model = ModelConfig(layers=EVERY_KIND)
    assert codec.read(json.loads(json.dumps(codec.write(model)))) == model


def test_the_initializer_that_goes_with_the_activation_need_not_be_named():
    assert Dense(8, "relu", "he_normal") == Dense(8)
    assert layers.parse("dense 8 tanh glorot_uniform") == (Dense(8, "tanh"),)


@pytest.mark.parametrize(
    ("given_layers", "message"),
    [
        ("dense 64, drop 0.2", "received 'drop 0.2' as layer 2."),
        ("dense 64, ", "received '' as layer 2."),
        ("dense 0", "received 'dense 0' as layer 1: `width` must be an integer in [1, 4096]; received 0."),
        ("dense", "received 'dense' as layer 1, such as 'dense 64 relu'."),
        ("dense 8 relux", "`activation` must be one of relu, leaky_relu, elu, gelu, tanh, sigmoid, linear; received"),
        ("dense 8 l2=x", "received 'dense 8 l2=x' as layer 1, such as"),
        ("dropout 1", "`rate` must be in [0, 0.95]; received 1.0."),
        ("dropout relu", "received 'dropout relu' as layer 1, such as 'dropout 0.2'."),
        ("conv 8, dense 10", "`layers` must have flatten between the images and 'dense 10 relu', layer 2."),
        ("dense 8, conv 8", "`layers` must have no dense and no flatten before 'conv 8 3 relu', layer 2."),
        ("conv 8, maxpool 2", "`layers` must have flatten after 'maxpool 2', layer 2: the output layer is dense."),
        (["dense 8"] * 17, "`layers` must hold at most 16 layers; received 17."),
        ([Dense(8), keras], "as layer 2."),
        (8, "`layers` must be a list of layers or their text form; received 8."),
    ],
)
def test_what_is_no_list_of_layers_is_refused_with_its_place(given_layers, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ModelConfig(layers=given_layers)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"kind": "layers"}, '`layers` must be given with `kind` = "layers"'),
        ({"kind": "cnn", "layers": "dense 8"}, "`kind` must be \"layers\" where `layers` are given; received 'cnn'."),
        ({"widths": (8,), "layers": "dense 8"}, "`widths` and `activation` must be left out"),
    ],
)
def test_own_layers_stand_beside_no_other_kind(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ModelConfig(**arguments)


@pytest.mark.parametrize("text", [EVERY_KIND, "", "dropout 0.5", "dense 7, batchnorm", "maxpool 3, conv 3 5, flatten"])
def test_shapes_and_weights_are_those_of_keras(images, text):
    model = models.build(images, ModelConfig(layers=text))
    found = layers.shapes(layers.parse(text), num_features=64, num_outputs=3, image_shape=(8, 8, 1))
    built = [layer for layer in model.layers if layer.name != "image"]
    assert [shape.outputs for shape in found] == [layer.output.shape[1:] for layer in built]
    assert [shape.weights for shape in found] == [layer.count_params() - _num_states(layer) for layer in built]


def _num_states(layer):
    return 2 if isinstance(layer, keras.layers.Dropout) and layer.count_params() else 0  # the state of its seed


def test_layers_that_do_not_fit_the_samples_are_refused(images, classification):
    with pytest.raises(ValueError, match="must have no 'conv 8 3 relu', layer 2: the samples are not images"):
        models.build(classification, ModelConfig(layers="dropout 0.1, conv 8, flatten"))
    with pytest.raises(ValueError, match="images that 'maxpool 5', layer 2, can take; received 4 × 4 pixels"):
        models.build(images, ModelConfig(layers="maxpool 2, maxpool 5, flatten"))


def test_own_layers_like_those_of_the_lab_start_with_the_same_weights(images):
    for config in (ModelConfig(widths=(8, 6), activation="tanh"), ModelConfig(kind="cnn"), ModelConfig(kind="linear")):
        same = ModelConfig(layers=config.hidden_layers)
        ours, theirs = (models.build(images, model, seed=3).get_weights() for model in (config, same))
        for a, b in zip(ours, theirs, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("batch_size", [16, "all"])
def test_batch_normalisation_and_l2_train_and_evaluate_as_in_model_fit(images, batch_size):
    model = ModelConfig(layers="conv 4 3 relu l2=0.01, batchnorm, flatten, dense 8 tanh l2=0.02")
    config = TrainConfig(batch_size=batch_size, learning_rate=0.05, seed=2)
    with Run(images, config, model=model) as run:
        run.advance(update=2 * (1 if batch_size == "all" else 2))
        record, ours = run.record(), [variable.numpy() for variable in run.model.variables]

    theirs = models.build(images, model, seed=2)
    theirs.compile(keras.optimizers.SGD(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    theirs.fit(pipeline.minibatches(images, batch_size, seed=2), epochs=2, shuffle=False, verbose=0)
    for a, b in zip(ours, theirs.variables, strict=False):  # then those of the metrics
        np.testing.assert_allclose(a, b.numpy(), rtol=1e-5, atol=1e-5, err_msg=b.path)
    for loss, x, y in (
        (record.train_loss, images.x_train, images.y_train),
        (record.test_loss, images.x_test, images.y_test),
    ):
        assert loss == pytest.approx(theirs.evaluate(x, y, batch_size=len(x), verbose=0), rel=1e-5)


def test_dropout_gives_the_same_numbers_with_the_same_config_and_others_with_another_seed(classification):
    def losses(seed):
        config = TrainConfig(batch_size=16, seed=seed)
        with Run(classification, config, model=ModelConfig(layers="dropout 0.5, dense 8")) as run:
            run.advance(update=12)
            return run.record().minibatch_loss.tolist()

    first = losses(1)
    assert losses(2) != first
    keras.utils.set_random_seed(7)
    assert losses(1) == first


def test_a_model_with_dropout_trains_by_one_compiler_whatever_their_speeds(classification):
    with Run(classification, TrainConfig(batch_size=16), model=ModelConfig(layers="dropout 0.5")) as run:
        assert run.compiler == "graph"
