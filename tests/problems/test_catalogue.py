"""The catalogue: its facts are those of the loaded problems, its options are checked, seeds repeat a problem."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from sgd_tf.problems import CATALOGUE, load, loading

OFFLINE = [name for name, info in CATALOGUE.items() if info.kind != "download"]


def test_importing_the_catalogue_imports_no_heavy_library():
    heavy = "tensorflow", "keras", "sklearn", "pandas", "pyarrow", "scipy", "streamlit", "distributed"
    code = f"import sys, sgd_tf.problems; print([name for name in {heavy!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


@pytest.mark.parametrize("name", OFFLINE)
def test_the_catalogue_holds_the_facts_of_the_loaded_problem(name):
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


@pytest.mark.parametrize("name", OFFLINE)
def test_the_same_seed_gives_the_same_problem_and_another_seed_another(name):
    first = load(name, num_examples=100, seed=3)
    loading.make.cache_clear()
    again, other = load(name, num_examples=100, seed=3), load(name, num_examples=100, seed=4)
    assert first is not again
    for array in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(first, array), getattr(again, array))
    assert not np.array_equal(first.x_train, other.x_train)


def test_a_repeated_load_is_the_same_object():
    assert load("digits") is load("digits", test_share=0.2, seed=0)


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
        ("digits", {"noise": 1}, "`noise` is not an option of the problem 'digits'; its options: none"),
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
