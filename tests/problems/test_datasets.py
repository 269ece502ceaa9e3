"""Data sets: the bundled flights, and the files in the caches of Keras and scikit-learn."""

from __future__ import annotations

import gzip
import importlib.util
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from sgd_tf.problems import DownloadError, datasets, load
from sgd_tf.problems.downloads import Downloads, read_gzip

SCRIPT = Path(__file__).parents[2] / "scripts" / "make_flights.py"


def test_the_flights_file_is_small_and_names_its_source_and_licence():
    file = pq.ParquetFile(datasets.FLIGHTS_FILE)
    assert file.metadata.num_rows >= 300_000
    assert datasets.FLIGHTS_FILE.stat().st_size < 4_000_000
    assert b"Bureau of Transportation Statistics" in file.schema_arrow.metadata[b"source"]
    assert file.schema_arrow.metadata[b"licence"].startswith(b"CC0")


def test_flights_hold_nothing_that_is_known_only_after_departure():
    known = {"month", "day", "carrier", "origin", "distance"}
    known |= {"scheduled_departure", "scheduled_duration", "departure_delay"}
    assert set(pq.ParquetFile(datasets.FLIGHTS_FILE).schema_arrow.names) == {*known, "arrival_delay"}
    for name in load("flights").feature_names:
        assert "arrival" not in name
        assert "air_time" not in name


def test_flights_encode_time_in_circles_and_categories_in_columns():
    problem = load("flights")
    table = pd.read_parquet(datasets.FLIGHTS_FILE)
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
    made, bundled = pq.read_table(tmp_path / "flights.parquet"), pq.read_table(datasets.FLIGHTS_FILE)
    assert made.equals(bundled, check_metadata=True)


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
        Downloads().get("fashion_mnist", fetch, lambda: list(folder.glob("*.gz")), read_gzip)
    assert len(list(folder.glob("*.gz"))) == 4
