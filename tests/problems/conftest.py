import threading

import pytest

from sgd_tf.problems import datasets, loading
from sgd_tf.problems.downloads import Downloads


@pytest.fixture(autouse=True)
def _forget_loaded():
    yield
    loading.make.cache_clear()


@pytest.fixture
def empty_caches(tmp_path, monkeypatch):
    """Empty caches of scikit-learn and Keras, no download under way, and no way around the proxy."""
    import keras

    monkeypatch.setenv("SCIKIT_LEARN_DATA", str(tmp_path / "scikit_learn_data"))
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(keras.src.backend.config, "_KERAS_DIR", str(tmp_path / "keras"))  # read at import
    monkeypatch.setattr(datasets, "DOWNLOADS", Downloads())
    (tmp_path / "keras").mkdir()
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    yield tmp_path
    for thread in threading.enumerate():
        if thread.name.startswith("download "):
            thread.join(60)
