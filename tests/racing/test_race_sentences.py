"""Sentences of the race page that state a number, an order or a direction, each held against training runs."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgd_tf import problems
from sgd_tf.problems import CATALOGUE
from sgd_tf.racing.presets import PRESETS
from sgd_tf.racing.stability import largest_stable_rate
from sgd_tf.training import models, tuned_rates
from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.history import PERCENTILES, losses_by_epoch_mean
from sgd_tf.training.records import ModelConfig, TrainConfig
from sgd_tf.training.run import train

pytestmark = pytest.mark.sentences


def bands(name, *sizes, epochs=4):
    """Width of the band of the minibatch losses as a ratio, for each batch size."""
    problem = problems.load(name)
    for k in sizes:
        rate = tuned_rates.tuned_learning_rate(name, "mlp", k)
        run = list(train(problem, TrainConfig(batch_size=k, learning_rate=rate), epochs=epochs))
        losses = np.concatenate([record.minibatch_loss for record in run])
        shares = losses_by_epoch_mean(losses, iterations_per_epoch(problem.num_examples, k))
        low, high = np.percentile(shares, PERCENTILES)
        yield high / low


def test_in_one_pass_sgd_makes_45_steps_with_32_of_1437_samples():
    assert iterations_per_epoch(CATALOGUE["digits"].num_examples, 32) == 45
    assert CATALOGUE["digits"].num_examples == 1437


def test_the_smaller_k_the_wider_the_band_and_gd_has_none():
    of_32, of_256, of_all = bands("digits", 32, 256, "all")
    assert of_32 > of_256 > of_all == 1.0


def test_with_k_1_the_updates_are_the_noisiest_ones_on_the_spirals():
    of_1, of_32, of_all = bands("spirals", 1, 32, "all")
    assert of_1 > of_32 > of_all == 1.0


def test_the_example_names_the_number_of_flights_that_train():
    assert f"{CATALOGUE['flights'].num_examples:,} flights" == PRESETS["flights"].title


def test_above_2_over_lambda_max_gd_diverges_and_each_step_overshoots_by_more_than_the_previous_one():
    preset, linear = PRESETS["wild"].settings, ModelConfig(kind="linear", widths=())
    problem = problems.load(preset["problem"])
    assert preset["rate"] > largest_stable_rate(problem, linear)
    config = TrainConfig(batch_size="all", learning_rate=preset["rate"])
    *records, last = train(problem, config, updates=20_000, model=linear)
    assert last.diverged_at is not None
    losses = np.concatenate([record.minibatch_loss for record in records])[200:]  # other directions have died out
    assert all(after > before for before, after in itertools.pairwise(losses[np.isfinite(losses)]))


def test_at_one_rate_a_larger_k_takes_fewer_steps_per_epoch_and_they_are_not_longer():
    problem = problems.load("digits")
    model = models.build(problem, ModelConfig(), seed=0)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    def step(start, k):
        with tf.GradientTape() as tape:
            value = loss(problem.y_train[start : start + k], model(problem.x_train[start : start + k]))
        return float(tf.linalg.global_norm(tape.gradient(value, model.trainable_variables)))

    sizes = [1437 if k == "all" else int(k) for k in PRESETS["same"].settings["k"]]
    lengths = [np.mean([step(start, k) for start in range(0, 1437 - k + 1, max(k, 144))]) for k in sizes]
    assert sizes == [8, 32, 256, 1437]
    assert lengths[0] > lengths[1] > lengths[2]
    assert lengths[3] < 1.05 * lengths[2]
    assert [iterations_per_epoch(1437, k) for k in sizes] == [180, 45, 6, 1]
