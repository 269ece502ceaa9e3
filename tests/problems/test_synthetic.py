"""Synthetic problems follow the law of their docstrings."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.problems import load


def test_line_without_noise_is_the_line():
    problem = load("line", num_examples=10, slope=-3.0, intercept=0.5, noise=0.0)
    np.testing.assert_allclose(problem.y_train, -3.0 * problem.x_train[:, 0] + 0.5, atol=1e-6)
    np.testing.assert_allclose(problem.y_test, -3.0 * problem.x_test[:, 0] + 0.5, atol=1e-6)


def test_least_squares_recovers_the_line_within_its_standard_error():
    # (ŵ - w) / standard error is N(0, 1), with w = (slope, intercept) and the covariance σ² (AᵀA)⁻¹ of ŵ.
    scores = []
    for seed in range(100):
        problem = load("line", num_examples=200, seed=seed)
        A = np.column_stack([problem.x_train[:, 0], np.ones(200)]).astype(np.float64)
        estimate = np.linalg.lstsq(A, problem.y_train.astype(np.float64))[0]
        standard_error = 0.5 * np.sqrt(np.diag(np.linalg.inv(A.T @ A)))
        scores.append((estimate - [2.0, 1.0]) / standard_error)
    squares = np.square(scores).sum()  # χ² with 200 degrees of freedom: mean 200, std 20
    assert abs(squares - 200) < 4 * 20
    assert np.abs(np.mean(scores, axis=0)).max() < 4 / np.sqrt(100)


@given(num_examples=st.integers(10, 3_000), turns=st.floats(0.25, 4), seed=st.integers(0, 1_000))
@settings(max_examples=20)
def test_spirals_are_balanced_and_lie_on_their_arms(num_examples, turns, seed):
    problem = load("spirals", num_examples=num_examples, turns=turns, noise=0.0, seed=seed)
    assert problem.class_counts == ((num_examples + 1) // 2, num_examples // 2)
    radius = np.linalg.norm(problem.x_train, axis=1)
    angle = np.pi * turns * radius + np.pi * problem.y_train
    on_arm = radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    np.testing.assert_allclose(problem.x_train, on_arm, atol=1e-4)
    assert radius.max() <= 2 + 1e-6


def test_spirals_have_variance_1_on_the_average_of_both_coordinates():
    # E r² = 4 E u = 2 for both coordinates together; r² = 4u has the variance 16/12.
    x = load("spirals", num_examples=100_000, noise=0.0).x_train.astype(np.float64)
    assert np.square(x).sum(axis=1).mean() == pytest.approx(2.0, abs=4 * math.sqrt(16 / 12 / 100_000))


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("num_classes", [2, 10, 20])
def test_teacher_gives_every_class_at_least_a_quarter_of_its_even_share(num_classes, activation):
    problem = load("teacher", num_classes=num_classes, activation=activation)
    assert len(problem.class_counts) == num_classes
    assert sum(problem.class_counts) == 10_000
    assert min(problem.class_counts) > 10_000 / num_classes / 4


def test_teacher_stays_the_same_network_for_a_larger_n():
    few, many = load("teacher", num_examples=1_000), load("teacher", num_examples=150_000)
    np.testing.assert_array_equal(few.x_train, many.x_train[:1_000])
    # Sums of floats in pieces of another size may turn a tie.
    assert np.mean(few.y_train == many.y_train[:1_000]) > 0.998


def test_teacher_takes_as_many_samples_as_fit_in_memory():
    with pytest.raises(ValueError, match=r"in \[10, 250000\] with 256 features; received 1000000"):
        load("teacher", num_features=256, num_examples=1_000_000)
