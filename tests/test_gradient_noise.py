"""Gradients, their noise and the noise scale: against formulas, `model.fit`, and every minibatch that can be drawn."""

import contextlib
import math
from itertools import combinations

import keras
import numpy as np
import pytest

from sgd_tf import gradient_noise, models, pipeline
from sgd_tf.gradient_noise import (
    Gradients,
    exact_noise,
    get_weights,
    gradient_variance,
    minibatch_gradients,
    noise_scale,
    set_weights,
    trained,
    two_batch_estimate,
    weight_paths,
)
from sgd_tf.noise_law import line_gradients, sample_variance
from sgd_tf.problems import load
from sgd_tf.records import ModelConfig, TrainConfig
from sgd_tf.training import Run

LINEAR = ModelConfig(kind="linear", widths=())


START = np.array([-1.5, 3.5])


@pytest.fixture(scope="module")
def traced_line():
    problem = load("line", num_examples=200, noise=1.5)
    return Gradients(problem, models.linear(problem))


@pytest.fixture
def line(traced_line):
    """At the same weights for each test."""
    set_weights(traced_line.model, START)
    return traced_line


@pytest.fixture(scope="module")
def mlp():
    problem = load("breast_cancer", num_examples=150)
    return Gradients(problem, models.mlp(problem, widths=(8,), seed=1))


@pytest.fixture(params=["line", "mlp"])
def gradients(request):
    return request.getfixturevalue(request.param)


# The gradients


@pytest.mark.parametrize("point", [(-1.5, 3.5), (2.0, 1.0), (0.0, 0.0)])
def test_keras_gradients_of_a_line_are_the_formula_to_a_millionth(line, point):
    set_weights(line.model, np.array(point))
    x, y = line.problem.x_train[:, 0], line.problem.y_train
    formula = line_gradients(x, y, *point)
    scale = np.linalg.norm(formula, axis=1).max()
    np.testing.assert_allclose(line.of_each(np.arange(200)), formula, atol=1e-6 * scale)
    np.testing.assert_allclose(line.of(np.arange(17)), formula[:17].mean(axis=0), atol=1e-6 * scale)
    np.testing.assert_allclose(line.full(), formula.mean(axis=0), atol=1e-6 * scale)


def test_one_step_of_model_fit_is_the_full_gradient(mlp):
    problem = mlp.problem
    model = models.mlp(problem, widths=(8,), seed=1)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss)
    before = get_weights(model)
    model.fit(problem.x_train, problem.y_train, batch_size=len(problem.y_train), epochs=1, verbose=0)
    np.testing.assert_allclose(mlp.full(), (before - get_weights(model)) / 0.5, atol=1e-6)


@pytest.mark.parametrize("kind", ["mlp", "cnn"])
def test_gradients_one_by_one_are_those_of_minibatches_of_one(kind):
    problem = load("digits", num_examples=40)
    gradients = Gradients(problem, models.build(problem, ModelConfig(kind=kind)))
    each = gradients.of_each(np.arange(12))
    assert each.shape == (12, gradients.num_parameters)
    assert gradients.num_parameters == gradients.model.count_params()
    expected = np.stack([gradients.of(np.array([i])) for i in range(12)])
    np.testing.assert_allclose(each, expected, atol=1e-6)


def test_weights_are_set_as_they_are_got(mlp):
    weights = get_weights(mlp.model)
    set_weights(mlp.model, weights[::-1].copy())
    assert get_weights(mlp.model).tolist() == weights[::-1].tolist()
    set_weights(mlp.model, weights)
    assert get_weights(mlp.model).tolist() == weights.tolist()


@pytest.mark.parametrize("batch_size", [1, 7, 32, "all"])
def test_the_minibatch_gradients_of_an_epoch_add_up_to_the_full_gradient(gradients, batch_size):
    parts, shares = minibatch_gradients(gradients, batch_size, seed=3)
    N = gradients.problem.num_examples
    assert len(parts) == math.ceil(N / (N if batch_size == "all" else batch_size))
    full = gradients.full()
    assert np.linalg.norm(shares @ parts - full) <= 1e-5 * np.linalg.norm(parts, axis=1).mean()


# Their noise


def test_exact_noise_of_a_line_is_that_of_the_formula(line):
    formula = line_gradients(line.problem.x_train[:, 0], line.problem.y_train, *START)
    exact = exact_noise(line)
    assert exact.s_squared == pytest.approx(sample_variance(formula), rel=1e-6)
    assert exact.signal == pytest.approx(np.square(formula.mean(axis=0)).sum(), rel=1e-6)
    assert exact.noise_scale == pytest.approx(exact.s_squared / exact.signal)


def test_exact_noise_is_the_same_in_one_piece_and_in_many(mlp, monkeypatch):
    whole = exact_noise(mlp)
    monkeypatch.setattr(gradient_noise, "MAX_CHUNK_NUMBERS", 7 * mlp.num_parameters)
    monkeypatch.setattr(gradient_noise, "FULL_CHUNK", 11)
    parts = exact_noise(mlp)
    assert [len(rows) for rows in mlp.chunks()] == [7] * 21 + [3]
    assert parts.s_squared == pytest.approx(whole.s_squared, rel=1e-6)
    assert parts.s_squared == pytest.approx(sample_variance(mlp.of_each(np.arange(150))), rel=1e-6)


def test_measured_noise_follows_the_law_within_its_standard_error(gradients):
    exact = exact_noise(gradients)
    results = list(gradient_variance(gradients, exact, [1, 4, 16, 64, 100], num_draws=256))
    for result in results:
        assert result.num_draws >= 16
        assert 0 < result.standard_error < 0.4 * result.law
        assert abs(result.mean - result.law) < 3.5 * result.standard_error
    # From k = 16 to 64 the noise falls to a quarter, and to less than that, as more of the N samples are drawn.
    N = gradients.problem.num_examples
    assert results[3].law / results[2].law == pytest.approx((1 - 64 / N) / (1 - 16 / N) / 4)


def test_at_k_equal_to_n_nothing_is_left_but_rounding(gradients):
    exact = exact_noise(gradients)
    (result,) = gradient_variance(gradients, exact, [gradients.problem.num_examples])
    assert result.law == 0.0
    assert result.mean < 1e-10 * exact.s_squared


def test_measuring_again_gives_the_same_numbers(mlp):
    exact = exact_noise(mlp)
    one, other = (list(gradient_variance(mlp, exact, [4, 16], num_draws=2, seed=5)) for _ in range(2))
    assert one == other


# The noise scale


def test_the_two_batch_estimates_are_unbiased_over_every_pair_of_minibatches():
    gradients = np.random.default_rng(3).normal(0.4, 1.0, size=(7, 2))
    norms = {
        k: np.mean([np.square(gradients[list(rows)].mean(axis=0)).sum() for rows in combinations(range(7), k)])
        for k in (2, 5)
    }
    s_squared, signal = two_batch_estimate(norms[2], norms[5], small=2, big=5, num_examples=7)
    assert s_squared == pytest.approx(sample_variance(gradients))
    assert signal == pytest.approx(np.square(gradients.mean(axis=0)).sum())


def test_the_interval_of_the_noise_scale_holds_the_exact_one(gradients):
    exact = exact_noise(gradients)
    found = noise_scale(gradients, small=2, big=75, num_draws=200)
    assert found.low < found.value < found.high
    assert found.low < exact.noise_scale < found.high
    assert found.high < 4 * found.low  # not by being wide
    assert found.value == pytest.approx(found.s_squared / found.signal)


def test_where_the_gradient_can_not_be_told_from_zero_the_scale_has_no_upper_bound(line):
    x, y = line.problem.x_train[:, 0], line.problem.y_train
    set_weights(line.model, np.polyfit(x.astype(float), y, 1))  # the minimum
    found = noise_scale(line, small=2, big=8, num_draws=50)
    assert found.high == math.inf
    assert found.low > found.small


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"small": 8, "big": 8}, r"`small` must be an integer in \[1, 7\]; received 8"),
        ({"small": 1, "big": 201}, r"`big` must be an integer in \[2, 200\]; received 201"),
        ({"small": 1, "big": 8, "num_draws": 1}, "`num_draws` must be an integer of at least 2; received 1"),
    ],
)
def test_batch_sizes_out_of_range_are_named(line, options, message):
    with pytest.raises(ValueError, match=message):
        noise_scale(line, **options)


# Weights along a run


@pytest.mark.parametrize("batch_size", [7, 200])
def test_the_path_of_the_weights_is_that_of_the_engine(line, batch_size):
    problem = line.problem
    start = get_weights(models.linear(problem, seed=4))
    ((weights, steps),) = weight_paths(line, [batch_size], start, learning_rate=0.1, num_updates=40, seed=4)
    assert weights.shape == (41, 2)
    assert steps.shape == (40, 2)
    np.testing.assert_allclose(np.diff(weights, axis=0), -0.1 * steps, atol=1e-6)
    config = TrainConfig(batch_size=batch_size, learning_rate=0.1, seed=4)
    with contextlib.closing(Run(problem, config, model=LINEAR)) as run:
        for update in (1, 13, 40):
            run.advance(until=(update, math.inf))
            np.testing.assert_allclose(weights[update], get_weights(run.model), atol=2e-6)


def test_the_steps_of_a_path_are_the_minibatches_of_the_order(line):
    ((weights, steps),) = weight_paths(line, [64], START, learning_rate=0.1, num_updates=5)
    order = pipeline.order(200, 64)
    rows = [minibatch.numpy() for _ in range(2) for minibatch in order][:5]
    assert [len(part) for part in rows] == [64, 64, 64, 8, 64]
    for part, point, step in zip(rows, weights[:-1], steps, strict=True):
        formula = line_gradients(line.problem.x_train[part, 0], line.problem.y_train[part], *map(float, point))
        np.testing.assert_allclose(step, formula.mean(axis=0), rtol=1e-4)


def test_gradients_after_no_epoch_are_those_of_the_initial_weights_and_later_those_of_the_run():
    problem = load("line", num_examples=100)
    config = TrainConfig(batch_size=32, learning_rate=0.05, seed=2)
    start, loss_at_start = trained(problem, config, LINEAR, num_epochs=0)
    np.testing.assert_array_equal(get_weights(start.model), get_weights(models.linear(problem, seed=2)))
    end, loss_at_end = trained(problem, config, LINEAR, num_epochs=3)
    assert loss_at_end < loss_at_start
    with contextlib.closing(Run(problem, config, model=LINEAR)) as run:
        run.advance(until=(12, math.inf))  # ⌈100 / 32⌉ × 3
        np.testing.assert_array_equal(get_weights(end.model), get_weights(run.model))
        assert loss_at_end == pytest.approx(run.record().train_loss)
