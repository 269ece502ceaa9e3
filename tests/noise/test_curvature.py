"""λmax against exact Hessians, and gradient descent on both sides of 2/λmax."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.noise.curvature import descend, largest_eigenvalue
from sgd_tf.noise.gradients import Gradients
from sgd_tf.problems import load
from sgd_tf.training import models
from sgd_tf.training.records import ModelConfig
from sgd_tf.training.vectors import get_weights, set_weights

LINEAR = ModelConfig(kind="linear", widths=())


def hessian_of_least_squares(problem):
    """(2/N) XᵀX with a column of ones for the bias."""
    design = np.column_stack([problem.x_train.astype(np.float64), np.ones(problem.num_examples)])
    return 2 / problem.num_examples * design.T @ design


@pytest.mark.parametrize("name", ["diabetes", "line"])
def test_the_largest_eigenvalue_of_least_squares_is_that_of_its_exact_hessian(name):
    problem = load(name, num_examples=150)
    gradients = Gradients(problem, models.linear(problem, seed=3))
    values, vectors = np.linalg.eigh(hessian_of_least_squares(problem))
    found = largest_eigenvalue(gradients.hessian_product, gradients.num_parameters)
    assert found.value == pytest.approx(values[-1], rel=1e-5)
    assert found.residual <= 1e-4 * found.value
    assert abs(found.vector @ vectors[:, -1]) == pytest.approx(1.0, abs=1e-4)
    assert found.max_learning_rate == pytest.approx(2 / values[-1], rel=1e-5)


@pytest.fixture(scope="module")
def network():
    problem = load("spirals", num_examples=60)
    return Gradients(problem, models.mlp(problem, widths=(6,), activation="tanh", seed=5))


def test_products_with_the_hessian_of_a_network_are_differences_of_its_gradients(network):
    v = np.random.default_rng(0).standard_normal(network.num_parameters)
    v /= np.linalg.norm(v)
    weights, h = get_weights(network.model), 1e-2
    ends = []
    for sign in (1, -1):
        set_weights(network.model, weights + sign * h * v)
        ends.append(network.full())
    set_weights(network.model, weights)
    np.testing.assert_allclose(network.hessian_product(v), (ends[0] - ends[1]) / (2 * h), atol=1e-3)


def test_the_largest_eigenvalue_of_a_network_is_that_of_the_hessian_written_down(network):
    hessian = np.stack([network.hessian_product(row) for row in np.eye(network.num_parameters)])
    np.testing.assert_allclose(hessian, hessian.T, atol=1e-6)
    values = np.linalg.eigvalsh(hessian)
    assert values[0] < 0  # no minimum: both signs are there
    found = largest_eigenvalue(network.hessian_product, network.num_parameters)
    assert found.value == pytest.approx(values[-1], rel=1e-4)


def counted(matrix):
    """The product with a matrix, and the list that gets a 1 for each."""
    calls = []
    return (lambda v: calls.append(1) or matrix @ v), calls


@given(values=st.lists(st.floats(-5, 5), min_size=1, max_size=40), seed=st.integers(0, 2**32 - 1))
def test_the_largest_eigenvalue_is_found_whatever_the_signs_and_the_size(values, seed):
    axes, _ = np.linalg.qr(np.random.default_rng(seed).standard_normal((len(values), len(values))))
    matrix = axes @ np.diag(values) @ axes.T
    product, calls = counted(matrix)
    found = largest_eigenvalue(product, len(values), tolerance=1e-6)
    assert found.num_products == len(calls) <= 1_000
    assert np.linalg.norm(found.vector) == pytest.approx(1.0)
    assert found.residual == pytest.approx(
        np.linalg.norm(matrix @ found.vector - found.value * found.vector), abs=1e-12
    )
    assert found.converged
    assert found.value == pytest.approx(max(values), abs=2e-5)


def test_at_a_saddle_the_end_that_curves_upwards_is_found():
    found = largest_eigenvalue(np.diag([5.0, -5.0, 1.0]).dot, 3)
    assert found.value == pytest.approx(5.0, rel=1e-12)
    assert found.max_learning_rate == pytest.approx(0.4, rel=1e-12)
    assert found.num_products == 3


def test_at_weights_of_zero_the_largest_eigenvalue_of_a_network_is_that_of_the_formula():
    problem = load("diabetes")
    gradients = Gradients(problem, models.mlp(problem, widths=(4,), activation="tanh"))
    set_weights(gradients.model, np.zeros(gradients.num_parameters))
    # There ŷ = b + Σⱼ vⱼ (Wⱼ x + cⱼ) to second order, so that ∂²L/∂vⱼ∂(Wⱼ, cⱼ) = −2 mean(y (x, 1)) =: −2m and
    # ∂²L/∂b² = 2; all else is 0. The eigenvalues are 2, and 2‖m‖ and −2‖m‖ four times each.
    design = np.column_stack([problem.x_train.astype(np.float64), np.ones(problem.num_examples)])
    expected = 2 * np.linalg.norm((problem.y_train[:, None] * design).mean(axis=0))
    found = largest_eigenvalue(gradients.hessian_product, gradients.num_parameters)
    assert expected == pytest.approx(2.4939, abs=1e-4)
    assert found.value == pytest.approx(expected, rel=1e-5)
    assert found.converged
    assert found.num_products <= 30


def test_products_that_do_not_suffice_give_the_best_so_far_and_it_is_said():
    matrix = np.random.default_rng(1).standard_normal((300, 300))
    matrix += matrix.T
    largest = np.linalg.eigvalsh(matrix)[-1]
    values = []
    for most in (10, 25, 45):
        product, calls = counted(matrix)
        found = largest_eigenvalue(product, 300, tolerance=1e-9, max_products=most)
        assert not found.converged
        assert found.num_products == len(calls) <= most
        assert found.residual == pytest.approx(np.linalg.norm(matrix @ found.vector - found.value * found.vector))
        values.append(found.value)
    assert values == sorted(values)
    assert 0.9999 * largest < values[-1] < largest
    assert largest_eigenvalue(matrix.dot, 300, tolerance=1e-9).value == pytest.approx(largest, rel=1e-12)


@pytest.mark.parametrize("size", [1, 2, 30])
def test_nothing_that_curves_upwards_sets_no_limit(size):
    for matrix in (np.zeros((size, size)), -np.eye(size)):
        found = largest_eigenvalue(matrix.dot, size)
        assert found.value == pytest.approx(matrix[0, 0])
        assert found.converged
        assert found.max_learning_rate == float("inf")


@pytest.mark.parametrize(("size", "good"), [(1, 0), (3, 0), (3, 2), (30, 0), (30, 7)])
def test_a_product_that_is_not_finite_makes_the_eigenvalue_unknown(size, good):
    calls = []

    def product(v):
        calls.append(1)
        return v if len(calls) <= good else np.where(np.arange(size) == size - 1, np.nan, v)

    found = largest_eigenvalue(product, size)
    assert np.isnan([found.value, found.residual, found.max_learning_rate]).all()
    assert not found.converged
    assert found.num_products == len(calls) == good + 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_parameters": 0}, "`num_parameters` must be an integer of at least 1; received 0"),
        ({"num_parameters": 2, "tolerance": 0.0}, r"`tolerance` must be in \(0, 1\); received 0.0"),
        ({"num_parameters": 2, "max_products": 1}, "`max_products` must be an integer of at least 2; received 1"),
    ],
)
def test_what_is_out_of_range_is_named(options, message):
    with pytest.raises(ValueError, match=message):
        largest_eigenvalue(lambda v: v, **options)


# Gradient descent around the limit


@pytest.fixture(scope="module")
def diabetes():
    problem = load("diabetes")
    values, vectors = np.linalg.eigh(hessian_of_least_squares(problem))
    return problem, 2 / values[-1], vectors[:, -1]


@pytest.mark.parametrize("factor", [0.5, 0.95, 1.05, 1.5])
def test_the_error_along_the_steepest_direction_is_multiplied_by_one_minus_gamma_lambda(diabetes, factor):
    problem, limit, steepest = diabetes
    gradients = Gradients(problem, models.linear(problem))
    slopes = []
    for _record, weights in descend(problem, factor * limit, name="x", model=LINEAR, num_updates=3):
        set_weights(gradients.model, weights)
        slopes.append(float(steepest @ gradients.full()))
    assert slopes[1] / slopes[0] == pytest.approx(1 - 2 * factor, abs=1e-4)
    if factor > 0.5:
        assert slopes[3] / slopes[0] == pytest.approx((1 - 2 * factor) ** 3, rel=1e-3)


def test_gradient_descent_settles_below_the_limit_and_grows_by_the_law_above_it(diabetes):
    problem, limit, _steepest = diabetes
    losses = {}
    for factor in (0.95, 1.05, 1.5):
        records = [record for record, _ in descend(problem, factor * limit, name="x", model=LINEAR, num_updates=100)]
        assert [record.update for record in records[:23]] == [*range(21), 22, 24]
        losses[factor] = records
    lowest = np.mean(np.square(residuals_of_least_squares(problem)))
    assert losses[0.95][-1].train_loss == pytest.approx(lowest, rel=0.01)
    before, after = (record.train_loss for record in losses[1.05][-2:])
    assert after / before == pytest.approx(1.1**4, rel=1e-3)  # two updates, of (1 − 2.1)² each
    assert losses[1.5][-1].diverged_at is not None
    assert losses[1.05][-1].diverged_at is None


def residuals_of_least_squares(problem):
    design = np.column_stack([problem.x_train, np.ones(problem.num_examples)]).astype(np.float64)
    best, *_ = np.linalg.lstsq(design, problem.y_train.astype(np.float64), rcond=None)
    return design @ best - problem.y_train
