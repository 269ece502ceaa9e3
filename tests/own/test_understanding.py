"""What is found in a table, and the problem that is built from it."""

import io
import warnings

import numpy as np
import pandas as pd
import pytest

from sgd_tf.own.building import problem_of
from sgd_tf.own.columns import columns_of
from sgd_tf.own.reading import UPLOAD
from sgd_tf.own.understanding import Choices, understand
from sgd_tf.problems import Problem
from tests.own.test_reading import refused

N = 60


def frame(**columns):
    usual = {"size": np.arange(N) % 7, "town": ["a", "b", "c"] * (N // 3), "price": np.arange(N) * 1.5}
    return pd.DataFrame({**usual, **columns})


def found_in(table, limits=UPLOAD, **choices):
    return understand(columns_of(table), Choices(**choices), limits=limits)


def left_out(found):
    return {each.name: each.reason for each in found.left_out}


def test_columns_of_no_use_are_left_out_with_their_reasons():
    table = frame(
        id=np.arange(1, N + 1),
        day=[f"2024-01-{1 + i % 28:02}" for i in range(N)],
        month=[f"{1 + i % 12}월 {1 + i % 28}일" for i in range(N)],
        when=pd.date_range("2024-01-01", periods=N),
        note=[f"note {i}" for i in range(N)],
        same="x",
        nothing="",
        rare=[1.0, 2.0] + [None] * (N - 2),
        lists=[[1]] * N,
    )
    found = found_in(table, target="price")
    assert [column.name for column in found.features] == ["size", "town"]
    assert left_out(found) == {
        **{"id": "row_number", "day": "date", "month": "date", "when": "date", "note": "text", "same": "constant"},
        **{"nothing": "empty", "rare": "sparse", "lists": "nested"},
    }
    assert (found.num_rows, found.num_dropped, found.task) == (N, 0, "regression")


def test_missing_values_infinite_ones_and_words_among_numbers_are_counted():
    sizes = [str(i % 7) for i in range(N)]
    sizes[3:7] = ["n/a", "inf", "unknown", ""]
    found = found_in(frame(size=sizes), target="price")
    size = found.columns[0]
    assert (size.num_empty, size.num_infinite, size.num_words, size.words) == (2, 1, 2, ("inf", "unknown"))
    assert (found.num_missing, found.num_dropped, found.num_rows) == (4, 4, N - 4)
    filled = found_in(frame(size=sizes), target="price", missing="fill")
    assert (filled.num_dropped, filled.num_filled) == (0, 4)


def test_filling_takes_median_and_most_frequent_word_of_the_training_part():
    sizes = np.r_[np.arange(N - 1.0), np.nan]
    towns = [None, *["a"] * 40, *["b"] * 19]
    table = frame(size=sizes, town=towns, price=np.arange(N) * 1.0)
    problem = problem_of(found_in(table, target="price", missing="fill", scale=False), name="p")
    assert problem.feature_names == ("size", "town = b")
    rows = np.r_[problem.y_train, problem.y_test]
    x = np.r_[problem.x_train, problem.x_test]
    train = problem.y_train[problem.y_train < N - 1]
    assert x[rows == N - 1, 0] == np.median(train)
    assert x[rows == 0, 1] == 0
    assert not np.isnan(x).any()


def test_a_category_becomes_a_column_for_each_word_but_the_most_frequent():
    table = frame(town=["a"] * 30 + ["b"] * 20 + ["c"] * 10)
    problem = problem_of(found_in(table, target="price", scale=False), name="p")
    assert problem.feature_names == ("size", "town = b", "town = c")
    x = np.r_[problem.x_train, problem.x_test]
    assert x[:, 1:].sum(axis=0).tolist() == [20, 10]


def test_rows_without_a_target_are_dropped_also_when_values_are_filled():
    prices = np.where(np.arange(N) < 5, np.nan, np.arange(N) * 1.5)
    for missing in ("drop", "fill"):
        assert found_in(frame(price=prices), target="price", missing=missing).num_rows == N - 5


@pytest.mark.parametrize(
    ("target", "task", "classes"),
    [
        ([0.5, 2.5] * (N // 2), "regression", ()),
        ([0, 1] * (N // 2), "classification", ("0", "1")),
        ([5, 1, 2, 3, 4] * (N // 5), "classification", ("1", "2", "3", "4", "5")),
        (["no", "yes"] * (N // 2), "classification", ("no", "yes")),
        ([True, False] * (N // 2), "classification", ("False", "True")),
        (["1,000", "900"] * (N // 2), "classification", ("900", "1,000")),
        (np.arange(N), "regression", ()),
    ],
)
def test_the_task_follows_from_the_target_and_can_be_chosen(target, task, classes):
    found = found_in(frame(price=target), target="price")
    assert (found.task, found.classes()) == (task, classes)
    problem = problem_of(found, name="p")
    assert problem.class_names == classes
    if task == "classification":
        assert sum(problem.class_counts) == problem.num_examples == 48
    if len(classes) == 5:
        assert found_in(frame(price=target), target="price", task="regression").task == "regression"


def test_the_target_is_guessed_by_its_name_or_else_the_last_column():
    assert found_in(frame()).target.name == "price"
    assert found_in(frame(정답=["a", "b"] * 30, last=range(N))).target.name == "정답"


def test_a_guess_of_a_kind_can_be_changed():
    found = found_in(frame(), target="price", kinds={"size": "category", "town": "out"})
    assert found.width == 6
    assert left_out(found) == {"town": "chosen"}
    numbered = frame(id=np.arange(N))
    assert found_in(numbered, target="price", kinds={"id": "number"}).width == 4


@pytest.mark.parametrize(
    ("code", "table", "choices"),
    [
        ("few_rows", frame(size=[1.0, None, 2.0, None] * 15).head(38), {"target": "price"}),
        ("few_rows", frame().head(19), {"target": "price"}),
        ("one_class", frame(price="x"), {"target": "price"}),
        ("constant_target", frame(price=2.5), {"target": "price"}),
        ("rare_class", frame(price=["a"] * (N - 1) + ["b"]), {"target": "price"}),
        ("few_test_rows", frame(price=[f"c{i % 15}" for i in range(N)]), {"target": "price"}),
        ("many_classes", frame(price=[f"c{i}" for i in range(N)]).loc[np.arange(404) % N], {"target": "price"}),
        ("not_numbers", frame(), {"target": "town", "task": "regression"}),
        ("target_unusable", frame(price=pd.date_range("2024-01-01", periods=N)), {"target": "price"}),
        ("unknown_column", frame(), {"target": "cost"}),
        ("feature_unusable", frame(note=[f"{i}!" for i in range(N)]), {"target": "price", "features": ("note",)}),
        ("target_is_feature", frame(), {"target": "price", "features": ("price",)}),
        ("no_features", frame(size=1, town="x"), {"target": "price"}),
        ("too_wide", frame(size=np.arange(N) * 1e38), {"target": "price"}),
        ("one_column", frame()[["price"]], {}),
    ],
)
def test_what_cannot_be_learned_has_its_own_message(code, table, choices):
    if code == "many_classes":
        table = table.assign(price=[f"c{i}" for i in range(len(table))])
    refused(code, found_in, table, **choices)


def test_too_many_columns_of_categories_are_refused_before_they_are_made():
    words = np.array([f"w{i}" for i in range(20)])
    table = pd.DataFrame({f"c{i}": words[(np.arange(10_000) + i) % 20] for i in range(63)})
    said = refused("too_many_values", found_in, table.assign(y=np.arange(10_000.0)), target="y")
    assert all("11,970,000" in text and "1,197" in text for text in said)
    found = found_in(table.head(400).assign(y=np.arange(400) * 0.5), target="y")
    assert problem_of(found, name="p").x_train.shape == (320, 1197)


def test_the_split_and_the_scale_are_those_of_arrays():
    table = frame().drop(columns="town")
    problem = Problem.from_frame(table, target="price")
    same = Problem.from_arrays(table[["size"]], table["price"])
    for name in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(problem, name), getattr(same, name))
    assert (problem.target_mean, problem.target_std) == (same.target_mean, same.target_std)


def test_a_csv_is_a_problem_in_one_call_and_a_warning_names_what_was_left_out(tmp_path):
    file = tmp_path / "집값.csv"
    file.write_bytes(frame(day="2024-01-01").to_csv(index=False, sep=";", decimal=",").encode("cp949"))
    with pytest.warns(UserWarning, match="집값.csv: Left out: day .dates or times"):
        problem = Problem.from_csv(file, target="price")
    assert (problem.name, problem.target_name, problem.feature_names) == (
        "집값.csv",
        "price",
        ("size", "town = b", "town = c"),
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = Problem.from_csv(io.BytesIO(file.read_bytes()), target="town", features=["size", "price"], name="t")
    assert (chosen.name, chosen.class_names, chosen.num_features) == ("t", ("a", "b", "c"), 2)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"missing": "zero"}, '`missing` must be "drop" or "fill"; received .zero.'),
        ({"task": "ranking"}, "`task` must be .* received 'ranking'"),
        ({"features": "size"}, "`features` must be a list of names of columns; received 'size'"),
        ({"scale": 1}, "`scale` must be True or False; received 1"),
        ({"test_share": 2}, "`test_share` must be a number in"),
        ({"target": "cost"}, "There is no column cost. The columns are: size, town, price."),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        Problem.from_frame(frame(), **{"target": "price", **options})
    with pytest.raises(TypeError, match="`sheet` is not an option"):
        Problem.from_frame(frame(), target="price", sheet=1)
