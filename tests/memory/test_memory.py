"""Memory of an update: the layers in numbers as Keras counts them, and the prediction against a measurement."""

import dataclasses

import keras
import numpy as np
import psutil
import pytest

from sgd_tf.memory import predict
from sgd_tf.memory.measure import Comparison, Trial, measure
from sgd_tf.memory.rows import Difference, Measurement, Waiting
from sgd_tf.problems import Problem
from sgd_tf.training import models
from sgd_tf.training.records import ModelConfig, TrainConfig
from tests.lab import standing

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
    sizes = predict.layers(config, num_features=48, num_outputs=3, image_shape=(6, 8, 1))
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
        predict.layers(ModelConfig(kind="cnn"), num_features=48, num_outputs=3)


SIZES = predict.layers(ModelConfig(widths=(32,)), num_features=64, num_outputs=10)


def test_only_the_batch_and_the_activations_grow_with_k():
    small, large = (
        predict.predict(SIZES, TrainConfig(batch_size=k), num_examples=10_000, num_features=64) for k in (10, 1_000)
    )
    assert (small.parameters, small.gradients) == (large.parameters, large.gradients)
    assert (large.batch, large.activations) == (100 * small.batch, 100 * small.activations)


def test_micro_batches_hold_the_activations_of_their_own_samples_and_a_sum_of_gradients():
    whole = predict.predict(SIZES, TrainConfig(batch_size=1_000), num_examples=10_000, num_features=64)
    parts = predict.predict(
        SIZES, TrainConfig(batch_size=1_000, micro_batch_size=50), num_examples=10_000, num_features=64
    )
    assert parts.activations == whole.activations / 20
    assert parts.gradients == 2 * whole.gradients
    assert parts.batch == whole.batch


def test_momentum_keeps_one_number_per_parameter():
    config = TrainConfig(batch_size=10, momentum=0.9)
    predicted = predict.predict(SIZES, config, num_examples=100, num_features=64)
    assert predicted.optimizer == predicted.parameters == 4 * (65 * 32 + 33 * 10)


@pytest.mark.parametrize("limit", [20_052, 50_000, 1_000_000])
def test_the_largest_k_fits_and_the_next_one_does_not(limit):
    def needed(k):
        return predict.predict(SIZES, TrainConfig(batch_size=k), num_examples=10_000, num_features=64).total

    k = predict.largest_batch_size(SIZES, limit, num_examples=10_000, num_features=64)
    assert needed(k) <= limit < needed(k + 1)


def test_where_not_even_one_sample_fits_there_is_no_largest_k():
    assert predict.largest_batch_size(SIZES, 20_051, num_examples=10_000, num_features=64) is None


@pytest.mark.parametrize("limit", [25_000, 60_000, 400_000])
def test_the_largest_micro_batch_fits_and_the_next_one_does_not(limit):
    def needed(m):
        config = TrainConfig(batch_size=50, micro_batch_size=m)
        return predict.predict(SIZES, config, num_examples=10_000, num_features=64).total

    m = predict.largest_micro_batch_size(SIZES, limit, batch_size=50, num_examples=10_000, num_features=64)
    if m is None:
        assert needed(1) > limit
    else:
        assert needed(m) <= limit
        assert m == 49 or needed(m + 1) > limit


def test_a_recommended_size_is_a_power_of_two_that_leaves_half_of_the_limit():
    k, m = predict.recommend(SIZES, 2_000_000, batch_size=2_000, num_examples=10_000, num_features=64)
    config = TrainConfig(batch_size=2_000, micro_batch_size=m)
    assert (k, m) == (1 << 10, 1 << 9)
    assert predict.predict(SIZES, TrainConfig(batch_size=k), num_examples=10_000, num_features=64).total <= 1_000_000
    assert predict.predict(SIZES, config, num_examples=10_000, num_features=64).total <= 1_000_000


# What follows is measured in fresh processes, which load TensorFlow once for all.

MODEL = ModelConfig(widths=(256,))
LIMIT = 60_000_000  # bytes
SPECS = predict.layers(MODEL, num_features=20, num_outputs=3)
K, M = predict.recommend(SPECS, LIMIT, batch_size=40_000, num_examples=40_000, num_features=20)
TRIALS = [
    Trial(batch_size="all", limit=LIMIT),
    Trial(batch_size=K, limit=LIMIT),
    Trial(batch_size="all", micro_batch_size=M, limit=LIMIT),
    Trial(batch_size="all"),
    Trial(batch_size="all", micro_batch_size=20_000),
    Trial(batch_size="all", micro_batch_size=25_000),
]


@pytest.fixture(scope="module")
def rows():
    """What the page's worker yields."""
    comparison = Comparison(batch_size=2_000, micro_batch_sizes=(300,))
    return list(measure("teacher", MODEL, TRIALS, comparison=comparison, num_examples=40_000))


@pytest.fixture(scope="module")
def measured(rows):
    return [row for row in rows if isinstance(row, Measurement)]


def test_a_run_that_does_not_fit_is_ended_and_the_sizes_that_are_named_fit(measured):
    over, smaller, in_parts, *_unlimited = measured
    assert not over.fits
    assert over.num_bytes > LIMIT
    assert over.seconds is None
    for row in (smaller, in_parts):
        assert row.fits
        assert row.num_bytes <= LIMIT
        assert row.seconds > 0


def test_the_measured_peak_grows_with_k_as_predicted_within_a_factor_of_two(measured):
    _over, small, _in_parts, large, *_parts = measured
    config = [TrainConfig(batch_size=row.batch_size) for row in (small, large)]
    predicted = [predict.predict(SPECS, each, num_examples=40_000, num_features=20).total for each in config]
    # What is merged, and which of the gradients are there at once, is the compiler's choice: half of them or twice.
    assert 1 / 2 < (large.num_bytes - small.num_bytes) / (predicted[1] - predicted[0]) < 2


@pytest.mark.parametrize("part", [-2, -1], ids=["equal", "unequal"])
def test_two_parts_of_a_minibatch_are_not_in_memory_at_once(measured, part):
    whole, parts = measured[3], measured[part]
    saved = whole.num_bytes - parts.num_bytes
    config = TrainConfig(batch_size="all", micro_batch_size=parts.micro_batch_size)
    predicted = [
        predict.predict(SPECS, each, num_examples=40_000, num_features=20).total
        for each in (TrainConfig(batch_size="all"), config)
    ]
    assert 1 / 2 < saved / (predicted[0] - predicted[1]) < 2


@pytest.mark.sentences
def test_an_update_by_micro_batches_is_the_update_of_the_whole_minibatch_but_for_batch_norm(rows):
    standing("pages/lab/memory.py", "parts_notice", "One update, the same update.")
    standing("pages/lab/memory.py", "parts_notice", "these neighbours change, so the update changes too")
    compared = [row for row in rows if isinstance(row, Difference)]
    plain = {row.micro_batch_size: row.difference for row in compared if not row.batch_norm}
    normed = {row.micro_batch_size: row.difference for row in compared if row.batch_norm}
    assert set(plain) == set(normed) == {300}  # 300 does not divide 2,000: the last part is smaller
    assert max(plain.values()) < 1e-5
    assert min(normed.values()) > 1e-3


def test_the_measuring_process_says_that_it_is_at_work_and_ends_with_the_one_who_asks():
    asking = measure("teacher", MODEL, [Trial(batch_size=10)])
    assert isinstance(next(asking), Waiting)
    (child,) = [each for each in psutil.Process().children() if "sgd_tf.memory.measure" in " ".join(each.cmdline())]
    asking.close()
    assert not child.is_running()
