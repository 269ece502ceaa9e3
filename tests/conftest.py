import gc

import hypothesis
import numpy as np
import pytest

from sgd_tf.problems import Problem

# An example may take long: on a busy machine, or where it is the first that needs TensorFlow or SciPy. The examples are
# the same in each run; `--hypothesis-profile=search --hypothesis-seed=1` looks for others.
hypothesis.settings.register_profile("search", hypothesis.settings(), deadline=None)
hypothesis.settings.register_profile("lab", hypothesis.settings(), deadline=None, derandomize=True)
hypothesis.settings.load_profile("lab")


def pytest_collection_finish():
    """Leave what is there now out of garbage collection: TensorFlow's modules, imported by the tests that use it."""
    gc.collect()
    gc.freeze()


@pytest.fixture
def cluster(monkeypatch):
    """The workers that pages find: they run nothing, and hold the jobs that a page has submitted."""
    from sgd_tf.ui import runs
    from tests.lab import FakeCluster

    fake = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: fake)
    return fake


def make_classification(num_examples: int, *, num_features: int = 5, num_classes: int = 3, seed: int = 0) -> Problem:
    """A small problem made by NumPy: labels of a random linear map, so that it can be learned."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(num_examples + 20, num_features))
    y = (x @ random.normal(size=(num_features, num_classes))).argmax(axis=1)
    y[:num_classes], y[-num_classes:] = range(num_classes), range(num_classes)  # every class in both parts
    return _problem(x, y, num_examples, num_classes)


def make_regression(num_examples: int, *, num_features: int = 3, seed: int = 0) -> Problem:
    random = np.random.default_rng(seed)
    x = random.normal(size=(num_examples + 20, num_features))
    y = x @ random.normal(size=num_features) + 0.3 + 0.1 * random.normal(size=len(x))
    return _problem(x, y, num_examples, None)


def _problem(x, y, num_examples, num_classes):
    dtype = np.float32 if num_classes is None else np.int32
    return Problem(
        name="test",
        task="regression" if num_classes is None else "classification",
        num_classes=num_classes,
        feature_names=tuple(f"x{i}" for i in range(x.shape[1])),
        target_name="y",
        source="Made by NumPy.",
        licence="none",
        x_train=x[:num_examples].astype(np.float32),
        y_train=y[:num_examples].astype(dtype),
        x_test=x[num_examples:].astype(np.float32),
        y_test=y[num_examples:].astype(dtype),
    )


@pytest.fixture
def make_problem():
    """Both makers by task, for tests that choose N."""
    return {"classification": make_classification, "regression": make_regression}


@pytest.fixture
def classification() -> Problem:
    return make_classification(70)


@pytest.fixture
def regression() -> Problem:
    return make_regression(70)
