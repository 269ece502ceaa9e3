"""Gradients, their noise and the noise scale: against formulas, `model.fit`, and every minibatch that can be drawn."""

import math
from itertools import combinations
from types import SimpleNamespace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.noise import gradients as of_a_model
from sgd_tf.noise.gradient_noise import exact_noise, gradient_variance, noise_scale, scale_of_norms, two_batch_estimate
from sgd_tf.noise.gradients import Gradients, minibatch_gradients, trained, weight_paths
from sgd_tf.noise.noise_law import line_gradients, sample_variance
from sgd_tf.noise.rows import Noise
from sgd_tf.problems import load
from sgd_tf.training import models, pipeline
from sgd_tf.training.records import ModelConfig, TrainConfig
from sgd_tf.training.run import Run
from sgd_tf.training.vectors import get_weights, set_weights

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
    monkeypatch.setattr(of_a_model, "MAX_CHUNK_NUMBERS", 7 * mlp.num_parameters)
    monkeypatch.setattr(of_a_model, "FULL_CHUNK", 11)
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


@pytest.mark.parametrize("batch_size", [0, 201, -1, 1.5, True, "some"])
def test_a_batch_size_out_of_range_is_named_at_the_call(line, batch_size):
    with pytest.raises(ValueError, match=rf'`batch_size` must be in \[1, 200\] or "all"; received {batch_size!r}'):
        gradient_variance(line, exact_noise(line), [1, batch_size])


def test_all_is_k_equal_to_n_and_the_last_seed_is_a_seed(line):
    exact = exact_noise(line)
    one, other = gradient_variance(line, exact, ["all", 200], num_draws=2, seed=2**31 - 1)
    assert one.batch_size == other.batch_size == 200
    with pytest.raises(ValueError, match="`seed` must be an integer in"):
        gradient_variance(line, exact, [1], seed=2**31)


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


class Given:
    """Gradients of samples that are given; those of a minibatch are their mean."""

    def __init__(self, per_example):
        self.per_example = np.asarray(per_example, dtype=np.float64)
        self.problem = SimpleNamespace(num_examples=len(self.per_example))

    def of(self, indices):
        return self.per_example[indices].mean(axis=0)


@pytest.mark.parametrize("seed", [46, 0, 2**31 - 1])
def test_a_small_noise_scale_has_an_upper_bound_whatever_its_sign_comes_out_as(seed):
    problem = load("line")
    gradients = Gradients(problem, models.linear(problem))
    assert exact_noise(gradients).noise_scale == pytest.approx(2.858, abs=1e-3)
    found = noise_scale(gradients, small=62, big=500, seed=seed)
    assert (found.s_squared < 0) == (seed == 46)
    assert 0 <= found.low <= found.value <= found.high < 12
    if seed == 46:
        assert found.value == found.low == 0


def test_without_any_gradient_the_noise_scale_is_unknown():
    found = noise_scale(Given(np.zeros((8, 2))), small=1, big=4, num_draws=10)
    assert math.isnan(found.value)
    assert (found.low, found.high) == (0.0, math.inf)
    assert math.isnan(Noise(signal=0.0, s_squared=0.0).noise_scale)


def test_samples_with_the_same_gradient_have_no_noise():
    found = noise_scale(Given(np.ones((8, 2))), small=1, big=4, num_draws=10)
    assert found.value == found.low == found.high == 0.0


def norms_of(per_example, batch_size, *, num_draws, random):
    """(num_draws,) squared norms of the means of so many samples, drawn without replacement."""
    orders = random.permuted(np.tile(np.arange(len(per_example)), (num_draws, 1)), axis=1)
    return np.square(per_example[orders[:, :batch_size]].mean(axis=1)).sum(axis=1)


@pytest.mark.parametrize("mean", [2.0, 0.5, 0.1])
def test_the_interval_holds_the_noise_scale_as_often_as_it_says(mean):
    random = np.random.default_rng(5)
    per_example = random.normal(mean, 1.0, size=(64, 3))
    exact = sample_variance(per_example) / np.square(per_example.mean(axis=0)).sum()
    results = []
    for seed in range(100):
        small_norms, big_norms = (norms_of(per_example, k, num_draws=100, random=random) for k in (4, 32))
        results.append(scale_of_norms(small_norms, big_norms, small=4, big=32, num_examples=64, seed=seed))
    if mean == 2.0:  # B = .26: the noise is seen by chance only, and the interval ends at 0
        assert all(math.isfinite(found.high) for found in results)
        assert any(found.low == found.value == 0 for found in results)
    hits = sum(found.low <= exact <= found.high for found in results)
    assert hits >= 88  # of 100: fewer have a chance of 1 in 200 where 95 % are held


@settings(max_examples=40)
@given(
    data=st.data(),
    num_examples=st.integers(2, 12),
    mean=st.floats(-10, 10),
    spread=st.sampled_from([0.0, 1e-12, 0.1, 1.0, 100.0]),
    seed=st.integers(0, 2**31 - 1),
)
def test_a_noise_scale_is_a_number_in_its_interval_or_unknown(data, num_examples, mean, spread, seed):
    big = data.draw(st.integers(2, num_examples))
    small = data.draw(st.integers(1, big - 1))
    random = np.random.default_rng(seed)
    per_example = random.normal(mean, spread, size=(num_examples, 2))
    small_norms, big_norms = (norms_of(per_example, k, num_draws=12, random=random) for k in (small, big))
    found = scale_of_norms(small_norms, big_norms, small=small, big=big, num_examples=num_examples, seed=seed)
    if math.isnan(found.value):
        assert (found.low, found.high) == (0.0, math.inf)
        assert not small_norms.any()  # squares of 1e-200 are 0
        assert not big_norms.any()
    else:
        assert 0 <= found.low <= found.value <= found.high
        assert found.low < math.inf
        assert found.high > 0 or spread == 0


def test_gradients_of_a_run_that_diverged_are_refused():
    problem = load("line", num_examples=100)
    config = TrainConfig(batch_size=32, learning_rate=90.0)
    with pytest.raises(ValueError, match="the run does not diverge; with 90 it diverged at update"):
        trained(problem, config, LINEAR, num_epochs=20)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"small": 1, "big": 8, "confidence": 1.5}, r"`confidence` must be in \(0, 1\); received 1.5"),
        ({"small": 1, "big": 8, "confidence": 0}, r"`confidence` must be in \(0, 1\); received 0"),
        ({"small": 1, "big": 8, "seed": -1}, r"`seed` must be an integer in \[0, 2147483647\]; received -1"),
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
    with Run(problem, config, model=LINEAR) as run:
        for update in (1, 13, 40):
            run.advance(update=update)
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
    with Run(problem, config, model=LINEAR) as run:
        run.advance(update=12)  # ⌈100 / 32⌉ × 3
        np.testing.assert_array_equal(get_weights(end.model), get_weights(run.model))
        assert loss_at_end == pytest.approx(run.record().train_loss)
