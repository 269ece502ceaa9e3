"""A learner's own arrays: task, labels, names, and the errors for unusable data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from sgd_tf.problems import Problem

X, Y = np.arange(20.0), np.arange(20.0)


def test_labels_become_numbers_and_keep_their_names():
    problem = Problem.from_arrays(
        pd.DataFrame({"age": range(20), "height": range(100, 120)}),
        pd.Series(["red", "blue"] * 10, name="team"),
    )
    assert problem.class_names == ("blue", "red")
    assert (problem.num_classes, problem.class_counts) == (2, (8, 8))
    assert problem.feature_names == ("age", "height")
    assert problem.target_name == "team"
    assert problem.name == "yours"
    # Row i has label i % 2, red first; ages below the mean of each class come from both.
    order = np.argsort(np.concatenate([problem.x_train[:, 0], problem.x_test[:, 0]]))
    labels = np.concatenate([problem.y_train, problem.y_test])[order]
    np.testing.assert_array_equal(labels, [1, 0] * 10)


def test_names_of_number_labels_have_all_their_digits():
    labels = np.array([1_000_001.0, 1_000_002.0] * 10)
    assert Problem.from_arrays(X, labels, task="classification").class_names == ("1000001", "1000002")
    labels = np.array([0.125, 7] * 10)
    assert Problem.from_arrays(X, labels, task="classification").class_names == ("0.125", "7.0")


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["a", "b"] * 20, "classification"),
        ([True, False] * 20, "classification"),
        ([0, 1, 2, 3] * 10, "classification"),
        ([0.0, 1.0] * 20, "classification"),
        (pd.Series(["a", "b"] * 20, dtype="category"), "classification"),
        (pd.array([1, 2] * 20, dtype="Int64"), "classification"),
        ([0.5, 1.5] * 20, "regression"),
        (list(range(40)), "regression"),
        ([*range(9), *range(9), *range(22)], "regression"),
    ],
)
def test_the_task_follows_from_the_target(y, task):
    assert Problem.from_arrays(np.arange(40), y).task == task


def test_the_task_can_be_said():
    assert Problem.from_arrays(np.arange(40), [0, 1, 2, 3] * 10, task="regression").task == "regression"
    assert Problem.from_arrays(np.arange(40), [0.5, 1.5] * 20, task="classification").class_names == (
        "0.5",
        "1.5",
    )


def test_images_become_rows_of_pixels_from_0_to_1():
    images = np.arange(20 * 4 * 5 * 3).reshape(20, 4, 5, 3) % 256
    problem = Problem.from_arrays(images, [0, 1] * 10, task="classification")
    assert problem.image_shape == (4, 5, 3)
    assert problem.x_train.shape == (16, 60)
    assert (problem.x_train.min(), problem.x_train.max()) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("x", "y", "options", "message"),
    [
        (X[:19], Y[:19], {}, "`x` must have at least 20 rows; received 19"),
        (X, Y[:19], {}, r"`y` must have the shape \(20,\), one value per row of `x`; received \(19,\)"),
        (X, Y[:, None], {}, r"`y` must have the shape \(20,\).* received \(20, 1\)"),
        (np.float64(3), Y, {}, r"`x` must have the shape .* received \(\)"),
        (np.zeros((20, 0)), Y, {}, r"`x` must have the shape .* received \(20, 0\)"),
        (np.zeros((20, 1, 1, 1, 1)), Y, {}, r"`x` must have the shape"),
        (np.where(X == 3, np.nan, X), Y, {}, "`x` must hold finite numbers below 3.4e38; received 1 other"),
        (np.where(X < 2, np.inf, X), Y, {}, "`x` must hold finite numbers below 3.4e38; received 2 other"),
        (np.where(X < 2, 1e39, X), Y, {}, "`x` must hold finite numbers below 3.4e38; received 2 other"),
        (X, np.where(Y == 3, np.nan, Y), {}, "`y` must have no missing value; received 1"),
        (X, np.where(Y == 3, -np.inf, Y), {}, "`y` must hold finite numbers"),
        (X, ["a", None] * 10, {}, "`y` must have no missing value; received 10"),
        (["1", "b"] * 10, Y, {}, "`x` must contain only numbers"),
        ([[1, 2], [3]] * 10, Y, {}, "`x` must contain only numbers, in rows of equal length"),
        (X.astype(complex), Y, {}, "`x` must contain only numbers"),
        (X.astype("datetime64[s]"), Y, {}, "`x` must contain only numbers"),
        (pd.DataFrame({"a": X, "b": ["u"] * 20}), Y, {}, "received text or dates in the column 'b'"),
        (pd.DataFrame({"a": ["1"] * 20}), Y, {}, "received text or dates in the column 'a'"),
        (
            pd.DataFrame({"a": pd.array([None, *range(19)], dtype="Int64")}),
            Y,
            {},
            "finite .* received 1 other",
        ),
        (X, np.ones(20), {}, "`y` must have from 2 to 100 classes; received 1"),
        (X, np.full(20, 1.5), {}, "`y` must vary in the training part"),
        (X, np.full(20, 1.5) + 1e-17 * Y, {}, "`y` must vary in the training part"),
        (X, ["a"] * 19 + ["b"], {}, "`y` must have at least 2 samples of each class; received 1 of 'b'"),
        (
            X,
            [str(i) for i in range(10)] * 2,
            {},
            "`test_share` must leave a test sample for each of the 10 classes",
        ),
        (X, ["a", "b"] * 10, {"task": "regression"}, "`y` must hold numbers in a regression"),
        (X, Y, {"task": "clustering"}, "`task` must be .* received 'clustering'"),
        (X, Y, {"feature_names": ["a", "b"]}, "`feature_names` must be 1 names.* received 2"),
        (X, Y, {"test_share": 0.9}, r"`test_share` must be a number in \[0.05, 0.5\]; received 0.9"),
        (X, Y, {"seed": -1}, r"`seed` must be an integer in \[0, 2147483647\]; received -1"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_by_name(x, y, options, message):
    with pytest.raises(ValueError, match=message):
        Problem.from_arrays(x, y, **options)


def test_one_hundred_classes_are_the_most():
    labels = [f"class {i}" for i in range(101)] * 10
    with pytest.raises(ValueError, match="`y` must have from 2 to 100 classes; received 101"):
        Problem.from_arrays(np.arange(1010), labels)


def test_the_arrays_given_stay_as_they_are():
    x, y = np.arange(40.0).reshape(20, 2), np.arange(20.0)
    Problem.from_arrays(x, y)
    x[0], y[0] = 7, 7  # still writable
    np.testing.assert_array_equal(x[1:], np.arange(2.0, 40).reshape(19, 2))


def test_a_test_part_of_ones_own_is_scaled_by_the_training_part():
    x, y = np.arange(20.0), 3 * np.arange(20.0)
    problem = Problem.from_arrays(x, y, x_test=[9.5, 29.0], y_test=[28.5, 57.0])
    assert (problem.num_examples, problem.num_test) == (20, 2)
    np.testing.assert_allclose(problem.x_test[:, 0], (np.array([9.5, 29.0]) - x.mean()) / x.std(), rtol=1e-6)
    np.testing.assert_allclose(problem.y_test, (np.array([28.5, 57.0]) - y.mean()) / y.std(), rtol=1e-6)
    labels = Problem.from_arrays(x, ["a", "b"] * 10, x_test=[1.0], y_test=["b"])
    assert labels.y_test.tolist() == [1]


def test_without_scaling_the_numbers_stay():
    problem = Problem.from_arrays(X, 2.5 * Y, scale=False)
    np.testing.assert_array_equal(np.sort(np.r_[problem.x_train, problem.x_test].ravel()), X)
    assert (problem.target_mean, problem.target_std) == (0.0, 1.0)
    images = np.arange(20 * 4).reshape(20, 2, 2)
    assert Problem.from_arrays(images, [0, 1] * 10, scale=False).x_train.max() > 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"x_test": X}, "`x_test` and `y_test` must be given together"),
        ({"y_test": Y}, "`x_test` and `y_test` must be given together"),
        ({"x_test": np.zeros((3, 2)), "y_test": [0, 1, 0]}, "`x_test` must have 1 features, as `x` has; received 2"),
        ({"x_test": [1, 2], "y_test": [0]}, r"`y_test` must have the shape \(2,\), one value per row of `x_test`"),
        ({"x_test": [np.nan], "y_test": [0]}, "`x_test` must hold finite numbers"),
        ({"x_test": [1], "y_test": [7], "task": "classification"}, "`y_test` must hold labels that occur in `y`.*'7'"),
        ({"scale": "no"}, "`scale` must be True or False; received 'no'"),
    ],
)
def test_a_wrong_test_part_is_refused_by_name(options, message):
    with pytest.raises(ValueError, match=message):
        Problem.from_arrays(X, np.arange(20) % 2, **options)
