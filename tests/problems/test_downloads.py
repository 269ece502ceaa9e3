"""Problems: what the catalogue promises, how data are split and scaled, what happens without a network."""

from __future__ import annotations

import gzip
import importlib.util
import math
import pickle
import socket
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.problems import CATALOGUE, DownloadError, Problem, load
from sgd_tf.problems import datasets as problems

OFFLINE = [name for name, info in CATALOGUE.items() if info.kind != "download"]
DOWNLOADED = [name for name, info in CATALOGUE.items() if info.kind == "download"]
X, Y = np.arange(20.0), np.arange(20.0)
SCRIPT = Path(__file__).parents[2] / "scripts" / "make_flights.py"


@pytest.fixture(autouse=True)
def _forget_loaded():
    yield
    problems._load.cache_clear()


def raw(problem: Problem, column: int) -> tuple[np.ndarray, np.ndarray]:
    return problem.x_train[:, column], problem.x_test[:, column]


# The catalogue


def test_importing_the_catalogue_imports_no_heavy_library():
    heavy = "tensorflow", "keras", "sklearn", "pandas", "pyarrow", "scipy", "streamlit", "distributed"
    code = f"import sys, sgd_tf.problems; print([name for name in {heavy!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("name", OFFLINE)
def test_the_catalogue_tells_what_load_gives(name):
    info, problem = CATALOGUE[name], load(name)
    facts = {
        "name": problem.name,
        "task": problem.task,
        "num_examples": problem.num_examples,
        "num_test": problem.num_test,
        "num_features": problem.num_features,
        "num_classes": problem.num_classes,
        "image_shape": problem.image_shape,
    }
    assert {fact: getattr(info, fact) for fact in facts} == facts
    assert load(name, num_examples=info.min_examples).num_examples == info.min_examples
    assert load(name, num_examples=info.max_examples).num_examples == info.max_examples


@pytest.mark.parametrize("name", OFFLINE)
def test_arrays_have_the_promised_types_and_cannot_be_changed(name):
    problem = load(name)
    labels = np.float32 if problem.task == "regression" else np.int32
    for x, y in ((problem.x_train, problem.y_train), (problem.x_test, problem.y_test)):
        assert (x.dtype, y.dtype) == (np.float32, labels)
        assert x.shape == (len(y), problem.num_features)
        assert np.isfinite(x).all()
        assert np.isfinite(y).all()
        with pytest.raises(ValueError, match="read-only"):
            x[0] = 0
        with pytest.raises(ValueError, match="read-only"):
            y[0] = 0
    assert len(problem.feature_names) == len(set(problem.feature_names)) == problem.num_features
    assert set(problem.units) <= {*problem.feature_names, problem.target_name}
    assert problem.source.endswith(".")
    assert problem.licence
    assert len(repr(problem)) < 120


@pytest.mark.parametrize("name", [name for name in OFFLINE if CATALOGUE[name].task == "classification"])
def test_class_counts_count_the_training_labels(name):
    problem = load(name)
    assert problem.class_counts == tuple(int((problem.y_train == label).sum()) for label in range(problem.num_classes))
    assert len(problem.class_names) == problem.num_classes
    assert set(problem.y_test.tolist()) <= set(range(problem.num_classes))


def test_each_problem_says_what_it_is_in_one_sentence():
    for name, info in CATALOGUE.items():
        assert info.name == name
        assert info.summary.endswith(".")
        assert info.is_image == (name in ("digits", "mnist", "fashion_mnist"))
        for option in info.options:
            assert option.check(option.default) == option.default


# Seeds


@pytest.mark.parametrize("name", OFFLINE)
def test_the_same_seed_gives_the_same_problem_and_another_seed_another(name):
    first = load(name, num_examples=100, seed=3)
    problems._load.cache_clear()
    again, other = load(name, num_examples=100, seed=3), load(name, num_examples=100, seed=4)
    assert first is not again
    for array in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(first, array), getattr(again, array))
    assert not np.array_equal(first.x_train, other.x_train)


def test_a_repeated_load_is_the_same_object():
    assert load("digits") is load("digits", test_share=0.2, seed=0)


# Splitting and scaling


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


@given(
    table=st.lists(
        st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=20, max_size=60
    ),
    constant=st.floats(-1e6, 1e6),
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


def test_a_column_constant_in_the_training_part_alone_is_0_in_the_test_part_too():
    train, test = problems._standardise(np.full((5, 1), 0.1), np.array([[1e9]]))[:2]
    np.testing.assert_array_equal(train, np.zeros((5, 1)))
    np.testing.assert_array_equal(test, [[0.0]])


def test_the_test_part_is_scaled_by_the_statistics_of_the_training_part():
    train, test, mean, std = problems._standardise(np.array([[1.0], [3.0]]), np.array([[6.0]]))
    assert (mean.item(), std.item()) == (2.0, 1.0)
    np.testing.assert_array_equal(train, [[-1.0], [1.0]])
    np.testing.assert_array_equal(test, [[4.0]])


# Synthetic problems


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


# The flights


def test_the_flights_file_is_small_and_names_its_source_and_licence():
    file = pq.ParquetFile(problems.FLIGHTS_FILE)
    assert file.metadata.num_rows >= 300_000
    assert problems.FLIGHTS_FILE.stat().st_size < 4_000_000
    assert b"Bureau of Transportation Statistics" in file.schema_arrow.metadata[b"source"]
    assert file.schema_arrow.metadata[b"licence"].startswith(b"CC0")


def test_flights_hold_nothing_that_is_known_only_after_departure():
    known = {"month", "day", "carrier", "origin", "distance"}
    known |= {"scheduled_departure", "scheduled_duration", "departure_delay"}
    assert set(pq.ParquetFile(problems.FLIGHTS_FILE).schema_arrow.names) == {*known, "arrival_delay"}
    for name in load("flights").feature_names:
        assert "arrival" not in name
        assert "air_time" not in name


def test_flights_encode_time_in_circles_and_categories_in_columns():
    problem = load("flights")
    table = pd.read_parquet(problems.FLIGHTS_FILE)
    x = np.concatenate([problem.x_train, problem.x_test]).astype(np.float64)
    names = list(problem.feature_names)
    # A standardised column of zeros and ones has two values; the share of the higher one is that of the ones.
    dates = pd.to_datetime(table.assign(year=2013)[["year", "month", "day"]])
    shares = {
        "monday": None,  # Monday, the origin EWR and the carrier UA are what the others are compared with
        "sunday": (dates.dt.day_of_week == 6).sum(),
        "tuesday": (dates.dt.day_of_week == 1).sum(),
        "origin_EWR": None,
        "origin_LGA": (table["origin"] == "LGA").sum(),
        "carrier_UA": None,
        "carrier_B6": (table["carrier"] == "B6").sum(),
        "carrier_other": table["carrier"].isin(["FL", "AS", "F9", "YV", "HA", "OO"]).sum(),
    }
    for name, count in shares.items():
        if count is None:
            assert name not in names
        else:
            column = x[:, names.index(name)]
            assert len(np.unique(column)) == 2
            assert (column > column.mean()).sum() == count
    # 0:00 lies beside 23:59, which minutes after midnight would not know.
    cosines = np.sort(np.cos(table["scheduled_departure"] / 1440 * 2 * np.pi))
    column = np.sort(x[:, names.index("departure_time_cos")])
    assert np.corrcoef(column, cosines)[0, 1] == pytest.approx(1, abs=1e-9)
    assert np.linalg.matrix_rank(np.cov(x.T)) == problem.num_features


def test_a_linear_model_explains_most_of_the_arrival_delay_but_not_all():
    # Departure delay alone explains 83.5 % (training part); much more would be a leak.
    from sklearn.linear_model import LinearRegression

    problem = load("flights")
    score = LinearRegression().fit(problem.x_train, problem.y_train).score(problem.x_test, problem.y_test)
    assert score == pytest.approx(0.85, abs=0.01)


def test_the_script_makes_the_bundled_flights(tmp_path):
    spec = importlib.util.spec_from_file_location("make_flights", SCRIPT)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    script.main(tmp_path / "flights.parquet")
    made, bundled = pq.read_table(tmp_path / "flights.parquet"), pq.read_table(problems.FLIGHTS_FILE)
    assert made.equals(bundled, check_metadata=True)


# One's own arrays


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
        (["1", "b"] * 10, Y, {}, "`x` must hold numbers alone"),
        ([[1, 2], [3]] * 10, Y, {}, "`x` must hold numbers alone, in rows of equal length"),
        (X.astype(complex), Y, {}, "`x` must hold numbers alone"),
        (X.astype("datetime64[s]"), Y, {}, "`x` must hold numbers alone"),
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


# Wrong arguments


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("nope", {}, "`name` must be one of line, spirals, teacher, .* received 'nope'"),
        ("line", {"num_examples": 9}, r"`num_examples` must be an integer in \[10, 1000000\]; received 9"),
        ("line", {"num_examples": 1_000_001}, r"in \[10, 1000000\]; received 1000001"),
        (
            "digits",
            {"num_examples": 1_438},
            r"`num_examples` must be an integer in \[10, 1437\]; received 1438",
        ),
        ("digits", {"num_examples": 1_000, "test_share": 0.5}, r"in \[10, 898\]; received 1000"),
        ("digits", {"num_examples": 9}, "`num_examples` must be an integer .* received 9"),
        ("digits", {"noise": 1}, "`noise` is no option of the problem 'digits'; its options: none"),
        ("line", {"turns": 1}, "its options: slope, intercept, noise"),
        ("line", {"noise": -1}, r"`noise` must be a number in \[0, 10\]; received -1"),
        ("line", {"noise": float("nan")}, "`noise` must be a number .* received nan"),
        ("line", {"noise": "1"}, "`noise` must be a number .* received '1'"),
        ("teacher", {"num_classes": 1}, r"`num_classes` must be an integer in \[2, 20\]; received 1"),
        ("teacher", {"activation": "gelu"}, "`activation` must be one of tanh, relu; received 'gelu'"),
        ("line", {"seed": 1.5}, "`seed` must be an integer"),
        ("line", {"test_share": float("nan")}, "`test_share` must be a number"),
    ],
)
def test_load_names_the_argument_what_is_allowed_and_what_came(name, options, message):
    with pytest.raises(ValueError, match=message):
        load(name, **options)


# Downloads


@pytest.fixture
def empty_caches(tmp_path, monkeypatch):
    """Caches of scikit-learn and Keras without a file, and a network without a way around the proxy."""
    import keras

    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(tmp_path / "keras"))  # read at import
    (tmp_path / "keras").mkdir()
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    for thread in threading.enumerate():
        if thread.name.startswith("download "):
            thread.join(60)
    problems._downloads.clear()


def files_in(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and path.name != "keras.json"]


@pytest.mark.filterwarnings("ignore:Retry downloading")
@pytest.mark.parametrize("name", DOWNLOADED)
def test_a_refused_connection_is_an_error_that_names_what_works_offline(name, empty_caches, monkeypatch):
    with socket.socket() as unused:  # bound, but not listening: connections are refused
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(DownloadError, match=f"`{name}` could not be downloaded: .*refused") as caught:
            load(name)
    assert all(other in str(caught.value) for other in OFFLINE)
    assert files_in(empty_caches) == []
    assert socket.getdefaulttimeout() is None


@pytest.mark.filterwarnings("ignore:Retry downloading")
@pytest.mark.parametrize("name", DOWNLOADED)
@pytest.mark.usefixtures("empty_caches")
def test_a_server_that_never_answers_is_an_error_in_time(name, monkeypatch):
    monkeypatch.setattr(problems, "DOWNLOAD_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # the system accepts, nobody answers
        monkeypatch.setenv("https_proxy", f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(DownloadError, match=f"`{name}` could not be downloaded") as caught:
            load(name)
    assert all(other in str(caught.value) for other in OFFLINE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a disk that is always full")
@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
@pytest.mark.usefixtures("empty_caches")
def test_a_full_disk_is_named_in_its_own_words(name, monkeypatch):
    import keras

    def retrieve(_url, _filename, _report):
        with Path("/dev/full").open("wb", buffering=0) as file:
            file.write(b"what has arrived")

    monkeypatch.setattr(keras.src.utils.file_utils, "urlretrieve", retrieve)
    with pytest.raises(DownloadError) as caught:
        load(name)
    assert caught.value.reason == "[Errno 28] No space left on device"
    assert str(caught.value).startswith(f"`{name}` could not be downloaded: [Errno 28] No space left on device. These")


def test_a_folder_that_can_not_be_made_is_named_in_its_own_words(empty_caches):
    (empty_caches / "scikit_learn_data").write_text("a file where the folder should be")
    with pytest.raises(DownloadError) as caught:
        load("california")
    assert caught.value.reason == f"[Errno 17] File exists: '{empty_caches / 'scikit_learn_data'}'"


def test_a_failed_download_travels_to_another_process():
    error = pickle.loads(pickle.dumps(DownloadError("mnist", "timed out")))
    assert (error.name, error.reason, str(error)) == ("mnist", "timed out", str(DownloadError("mnist", "timed out")))


def test_the_wait_for_a_download_is_less_than_15_seconds():
    assert problems.DOWNLOAD_SECONDS < 15


@pytest.mark.usefixtures("empty_caches")
def test_a_slow_download_goes_on_and_the_next_call_takes_part_in_it(monkeypatch):
    arrived, calls = threading.Event(), []

    def fetch():
        calls.append("fetch")
        arrived.wait()
        return "data"

    monkeypatch.setattr(problems, "DOWNLOAD_SECONDS", 0.05)
    for _ in range(2):
        with pytest.raises(DownloadError, match=r"within 0.05 s; .* goes on arriving"):
            problems._downloaded("mnist", fetch)
    arrived.set()
    monkeypatch.setattr(problems, "DOWNLOAD_SECONDS", 60)
    assert problems._downloaded("mnist", fetch) == "data"
    assert calls == ["fetch"]


@pytest.mark.usefixtures("empty_caches")
def test_a_failed_download_can_be_tried_again():
    answers = iter([Exception("URL fetch failure on x: None -- no route."), None])

    def fetch():
        answer = next(answers)
        if answer is not None:
            raise answer
        return "data"

    with pytest.raises(DownloadError, match=r"downloaded: URL fetch failure on x: None -- no route\. These"):
        problems._downloaded("mnist", fetch)
    assert problems._downloaded("mnist", fetch) == "data"


@pytest.mark.usefixtures("empty_caches")
def test_a_download_that_failed_after_its_caller_had_gone_is_tried_again(monkeypatch):
    hanging = threading.Event()

    def fetch_in_vain():
        hanging.wait()
        raise TimeoutError("timed out")

    monkeypatch.setattr(problems, "DOWNLOAD_SECONDS", 0.05)
    with pytest.raises(DownloadError, match=r"within 0.05 s"):
        problems._downloaded("mnist", fetch_in_vain)
    hanging.set()
    future = problems._downloads["mnist"]
    assert isinstance(future.exception(60), TimeoutError)
    monkeypatch.setattr(problems, "DOWNLOAD_SECONDS", 60)
    assert problems._downloaded("mnist", lambda: "data") == "data"


@pytest.mark.usefixtures("empty_caches")
def test_a_hanging_download_does_not_hold_up_another(monkeypatch):
    hanging = threading.Event()
    monkeypatch.setattr(problems, "DOWNLOAD_SECONDS", 0.05)
    with pytest.raises(DownloadError):
        problems._downloaded("mnist", hanging.wait)
    monkeypatch.setattr(problems, "DOWNLOAD_SECONDS", 60)
    assert problems._downloaded("california", socket.getdefaulttimeout) == 60
    assert socket.getdefaulttimeout() == 60  # as long as the first one is under way
    hanging.set()
    assert problems._downloaded("mnist", hanging.wait) is True
    assert socket.getdefaulttimeout() is None


def test_a_hanging_download_does_not_keep_the_process_from_ending():
    code = (
        "import threading; from sgd_tf.problems import datasets as problems\n"
        "problems.DOWNLOAD_SECONDS = 0.05\n"
        "try: problems._downloaded('mnist', threading.Event().wait)\n"
        "except problems.DownloadError: print('in time')"
    )
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "in time"


def write_idx(path: Path, array: np.ndarray) -> None:
    """A file of Fashion-MNIST: a header of 8 bytes before labels, 16 before images."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with gzip.open(path, "wb") as file:
        file.write(bytes(8 if array.ndim == 1 else 16) + array.tobytes())


def write_fashion_mnist(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    images = np.random.default_rng(0).integers(0, 256, (50, 28, 28), dtype=np.uint8)
    images[0, 0, :2] = 0, 255
    labels = np.arange(50, dtype=np.uint8) % 10
    for part, rows in (("train", slice(0, 40)), ("t10k", slice(40, 50))):
        write_idx(folder / f"{part}-images-idx3-ubyte.gz", images[rows])
        write_idx(folder / f"{part}-labels-idx1-ubyte.gz", labels[rows])
    return images, labels


def test_fashion_mnist_keeps_its_own_test_part(empty_caches):
    images, labels = write_fashion_mnist(empty_caches / "keras" / "datasets" / "fashion-mnist")
    problem = load("fashion_mnist", test_share=0.5, num_examples=40)
    np.testing.assert_array_equal(problem.x_test, images[40:].reshape(10, 784) / np.float32(255))
    np.testing.assert_array_equal(problem.y_test, labels[40:])
    assert (problem.num_examples, problem.image_shape) == (40, (28, 28, 1))
    # The training part is all the others, in an order of the seed.
    rows = np.lexsort(problem.x_train.T)
    expected = images[:40].reshape(40, 784) / np.float32(255)
    expected_rows = np.lexsort(expected.T)
    np.testing.assert_array_equal(problem.x_train[rows], expected[expected_rows])
    np.testing.assert_array_equal(problem.y_train[rows], labels[:40][expected_rows])
    assert problem.class_counts == (4,) * 10
    few = load("fashion_mnist", num_examples=10)
    np.testing.assert_array_equal(few.y_train, problem.y_train[:10])


@pytest.mark.parametrize("broken", ["train-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"])
def test_an_incomplete_file_in_the_cache_is_removed_and_fetched_again(broken, empty_caches, monkeypatch):
    import keras

    folder = empty_caches / "keras" / "datasets" / "fashion-mnist"
    images, _ = write_fashion_mnist(folder)
    whole = (folder / broken).read_bytes()
    (folder / broken).write_bytes(whole[:-10])
    downloaded = []

    def retrieve(_url, filename, _report):
        downloaded.append(Path(filename).name)
        Path(filename).write_bytes(whole)

    monkeypatch.setattr(keras.src.utils.file_utils, "urlretrieve", retrieve)
    problem = load("fashion_mnist")
    assert downloaded == [broken]
    np.testing.assert_array_equal(problem.x_test, images[40:].reshape(10, 784) / np.float32(255))


def test_files_in_the_cache_that_can_be_read_survive_any_error(empty_caches):
    folder = empty_caches / "keras" / "datasets" / "fashion-mnist"
    write_fashion_mnist(folder)

    def fetch():
        raise ValueError("a wrong argument")

    with pytest.raises(DownloadError, match="a wrong argument"):
        problems._downloaded(
            "fashion_mnist",
            fetch,
            lambda: problems._keras_files("fashion-mnist/*.gz"),
            problems._read_to_the_end,
        )
    assert len(list(folder.glob("*.gz"))) == 4


@pytest.mark.usefixtures("empty_caches")
def test_california_reads_the_cache_of_scikit_learn():
    import joblib
    from sklearn.datasets import get_data_home

    rng = np.random.default_rng(0)
    table = rng.uniform(1.0, 2.0, (100, 9))  # value, and the columns of the census that scikit-learn keeps
    joblib.dump(table, Path(get_data_home()) / "cal_housing_py3.pkz", compress=6)
    problem = load("california")
    assert (problem.num_examples, problem.num_test, problem.num_features) == (80, 20, 8)
    assert problem.feature_names[0] == "MedInc"
    assert problem.units["MedHouseVal"] == "100,000 US$"
    y = np.concatenate([problem.y_train, problem.y_test])
    back = problem.target_mean + problem.target_std * y.astype(np.float64)
    np.testing.assert_allclose(np.sort(back), np.sort(table[:, 0]) / 100_000, rtol=1e-6)
