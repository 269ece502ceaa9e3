"""Training part and test part: every sample in one of them, both scaled by the training part."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.problems import Problem, load
from sgd_tf.problems.splitting import standardise


def raw(problem: Problem, column: int) -> tuple[np.ndarray, np.ndarray]:
    return problem.x_train[:, column], problem.x_test[:, column]


@pytest.mark.parametrize("name", ["diabetes", "breast_cancer", "flights"])
def test_features_of_tables_have_mean_0_and_std_1_in_the_training_part(name):
    x = load(name).x_train.astype(np.float64)
    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(x.std(axis=0), 1, atol=1e-5)


@pytest.mark.parametrize("name", ["diabetes", "flights"])
def test_targets_of_regressions_have_mean_0_and_std_1_in_the_training_part(name):
    y = load(name).y_train.astype(np.float64)
    assert y.mean() == pytest.approx(0, abs=1e-6)
    assert y.std() == pytest.approx(1, abs=1e-6)


def test_standardised_targets_convert_back_to_the_values_of_scikit_learn():
    from sklearn.datasets import load_diabetes

    problem = load("diabetes")
    y = np.concatenate([problem.y_train, problem.y_test])
    back = problem.target_mean + problem.target_std * y
    np.testing.assert_allclose(np.sort(back), np.sort(load_diabetes().target), atol=1e-4)


def test_digits_are_split_as_scikit_learn_splits_and_scaled_from_0_to_1():
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    x, y = load_digits(return_X_y=True)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=7, stratify=y)
    problem = load("digits", seed=7)
    np.testing.assert_array_equal(problem.x_train, x_train / 16)  # pixels run from 0 to 16
    np.testing.assert_array_equal(problem.x_test, x_test / 16)
    np.testing.assert_array_equal(problem.y_train, y_train)
    np.testing.assert_array_equal(problem.y_test, y_test)
    np.testing.assert_array_equal(problem.x_train[0].reshape(problem.image_shape)[..., 0].ravel(), x_train[0] / 16)


def test_a_larger_num_examples_adds_to_a_smaller_one_and_leaves_the_test_part():
    few, many = load("digits", num_examples=100), load("digits", num_examples=500)
    np.testing.assert_array_equal(few.y_train, many.y_train[:100])
    np.testing.assert_array_equal(few.x_train, many.x_train[:100])
    np.testing.assert_array_equal(few.x_test, many.x_test)


@given(
    num_rows=st.integers(20, 200),
    share=st.floats(0.05, 0.5),
    seed=st.integers(0, 2**31 - 1),
    num_classes=st.integers(2, 4),
)
@settings(max_examples=30)
def test_every_row_is_in_one_part_and_classes_have_the_same_share_in_both(num_rows, share, seed, num_classes):
    labels = np.arange(num_rows) % num_classes
    if math.ceil(share * num_rows) < num_classes:
        with pytest.raises(ValueError, match=r"`test_share` must leave a test sample for each"):
            Problem.from_arrays(np.arange(num_rows), labels, task="classification", test_share=share)
        return
    problem = Problem.from_arrays(np.arange(num_rows), labels, task="classification", test_share=share, seed=seed)
    num_test = math.ceil(share * num_rows)
    assert (problem.num_examples, problem.num_test) == (num_rows - num_test, num_test)
    # Standardising keeps the order: the ranks of all x are the rows again.
    x = np.concatenate([problem.x_train[:, 0], problem.x_test[:, 0]])
    rows = np.argsort(np.argsort(x))
    assert len(np.unique(x)) == num_rows
    np.testing.assert_array_equal(np.concatenate([problem.y_train, problem.y_test]), rows % num_classes)
    exact = np.bincount(labels) * (num_rows - num_test) / num_rows
    assert np.abs(np.array(problem.class_counts) - exact).max() <= 1


# 0 or at least 1e-6: a column of smaller ones can reach 1e153 when it is scaled, which is refused.
CELL = st.floats(-1e6, 1e6).map(lambda value: round(value, 6))


@given(
    table=st.lists(st.tuples(CELL, CELL, CELL), min_size=20, max_size=60),
    constant=CELL,
)
@settings(max_examples=50)
def test_any_table_is_standardised_and_constant_columns_become_0(table, constant):
    x = np.column_stack([np.array(table), np.full(len(table), constant)])
    y = np.arange(len(table)) * 1.5
    problem = Problem.from_arrays(x, y)
    for column in range(4):
        train, test = raw(problem, column)
        if np.all(train == 0):
            assert np.all(test == 0)
        else:
            assert train.mean(dtype=float) == pytest.approx(0, abs=1e-4)
            assert train.std(dtype=float) == pytest.approx(1, abs=1e-4)
    assert not problem.x_train[:, 3].any()


def test_a_table_that_is_beyond_float32_when_it_is_scaled_is_refused():
    x = np.zeros((20, 1))
    x[1], x[17] = 1.0, 3.8e-154  # the larger one falls into the test part, and is divided by the deviation of the other
    with pytest.raises(ValueError, match="must have a smaller range"):
        Problem.from_arrays(x, np.arange(20) * 1.5)


def test_a_column_that_is_constant_in_the_training_part_is_0_in_the_test_part_too():
    train, test = standardise(np.full((5, 1), 0.1), np.array([[1e9]]))[:2]
    np.testing.assert_array_equal(train, np.zeros((5, 1)))
    np.testing.assert_array_equal(test, [[0.0]])


def test_the_test_part_is_scaled_by_the_statistics_of_the_training_part():
    train, test, mean, std = standardise(np.array([[1.0], [3.0]]), np.array([[6.0]]))
    assert (mean.item(), std.item()) == (2.0, 1.0)
    np.testing.assert_array_equal(train, [[-1.0], [1.0]])
    np.testing.assert_array_equal(test, [[4.0]])
