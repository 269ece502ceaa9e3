"""Bundled and downloaded data sets: each function makes the problem with its units, source and licence."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from sgd_tf.checks import check_int
from sgd_tf.problems.downloads import Downloads, read_gzip
from sgd_tf.problems.problem import Problem, from_parts, from_samples
from sgd_tf.problems.splitting import MIN_EXAMPLES, Array, Draw

DOWNLOADS = Downloads()  # one for the process: all callers of a data set share its download
FLIGHTS_FILE = Path(__file__).parents[1] / "data" / "flights.parquet"


def digits(draw: Draw) -> Problem:
    """Handwritten digits in 8 × 8 pixels, from scikit-learn."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    return from_samples(
        bunch.data,
        bunch.target,
        draw,
        name="digits",
        task="classification",
        class_names=[str(digit) for digit in bunch.target_names],
        feature_names=tuple(bunch.feature_names),
        target_name="digit",
        source=(
            "E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning "
            "Repository, 1998 (its test part, as bundled with scikit-learn)."
        ),
        licence="CC BY 4.0",
        image_shape=(8, 8, 1),
    )


def diabetes(draw: Draw) -> Problem:
    """Progression of diabetes after a year, from ten measurements of a patient; from scikit-learn."""
    from sklearn.datasets import load_diabetes

    bunch = load_diabetes(scaled=False)
    return from_samples(
        bunch.data,
        bunch.target,
        draw,
        name="diabetes",
        task="regression",
        feature_names=tuple(bunch.feature_names),
        target_name="progression",
        units={"age": "years", "bmi": "kg/m²", "bp": "mmHg"},
        source=(
            "B. Efron, T. Hastie, I. Johnstone and R. Tibshirani, Least Angle Regression, Annals of "
            "Statistics 32, 2004 (as bundled with scikit-learn)."
        ),
        licence="none stated; distributed with scikit-learn (BSD-3-Clause)",
    )


def breast_cancer(draw: Draw) -> Problem:
    """Diagnosis of a breast tumour, from the shapes of its cell nuclei; from scikit-learn."""
    from sklearn.datasets import load_breast_cancer

    bunch = load_breast_cancer()
    return from_samples(
        bunch.data,
        bunch.target,
        draw,
        name="breast_cancer",
        task="classification",
        class_names=[str(name) for name in bunch.target_names],
        feature_names=tuple(str(name).replace(" ", "_") for name in bunch.feature_names),
        target_name="diagnosis",
        source=(
            "W. Wolberg, O. Mangasarian, N. Street and W. Street, Breast Cancer Wisconsin (Diagnostic), UCI "
            "Machine Learning Repository, 1995 (as bundled with scikit-learn)."
        ),
        licence="CC BY 4.0",
    )


def flights(draw: Draw) -> Problem:
    """Arrival delay of a flight, from the facts known when it leaves the gate.

    Periodic times become sine and cosine. The most frequent value of each category, and Monday, have no column, so
    the columns are linearly independent. Carriers with less than 1 % of the flights are one category: a standardised
    column with so few ones would exceed 10.
    """
    import pyarrow.parquet as pq

    table = pq.read_table(FLIGHTS_FILE, read_dictionary=["carrier", "origin"])
    number = {column: table[column].to_numpy() for column in table.column_names if column not in ("carrier", "origin")}
    days_before = np.cumsum([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30])  # of each month of 2013
    day_of_year = days_before[number["month"] - 1] + number["day"]  # 1..365
    weekday = day_of_year % 7  # January 1, 2013 was a Tuesday, the weekday 1 after Monday 0
    columns: dict[str, Array] = {name: number[name] for name in ("departure_delay", "distance", "scheduled_duration")}
    columns |= _circle("departure_time", number["scheduled_departure"], 1440)
    columns |= _circle("season", day_of_year, 365)
    weekdays = ("tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    columns |= {name: weekday == day for day, name in enumerate(weekdays, start=1)}
    for category in ("origin", "carrier"):
        columns |= _one_column_each(category, table[category].combine_chunks())
    x = np.empty((len(weekday), len(columns)), np.float32)
    for position, column in enumerate(columns.values()):
        x[:, position] = column
    metadata = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    return from_samples(
        x,
        number["arrival_delay"].astype(np.float64),
        draw,
        name="flights",
        task="regression",
        feature_names=tuple(columns),
        target_name="arrival_delay",
        units={
            "arrival_delay": "min",
            "departure_delay": "min",
            "distance": "mi",
            "scheduled_duration": "min",
        },
        source=metadata["source"],
        licence=metadata["licence"],
    )


def _circle(name: str, value: Array, period: int) -> dict[str, Array]:
    """Sine and cosine of a periodic quantity: 23:59 is close to 0:00."""
    angle = value * (2 * np.pi / period)
    return {f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}


def _one_column_each(category: str, values: Any) -> dict[str, Array]:
    """A Boolean column for each value of a category except the most frequent; values below 1 % share ``_other``.

    Args:
        category: prefix of the column names.
        values: a ``pyarrow.DictionaryArray``.
    """
    codes, names = values.indices.to_numpy(), values.dictionary.to_pylist()
    counts = np.bincount(codes, minlength=len(names))
    rare = counts < 0.01 * len(codes)
    kept = sorted(set(np.flatnonzero(~rare).tolist()) - {int(counts.argmax())}, key=lambda code: names[code])
    columns = {f"{category}_{names[code]}": codes == code for code in kept}
    return columns | ({f"{category}_other": rare[codes]} if rare.any() else {})


def california(draw: Draw) -> Problem:
    """Median house value in each district of California in 1990, downloaded by scikit-learn."""
    import joblib
    from sklearn.datasets import fetch_california_housing, get_data_home

    bunch = DOWNLOADS.get(
        "california",
        lambda: fetch_california_housing(n_retries=1, delay=0.1),
        lambda: list(Path(get_data_home()).glob("cal_housing*.pkz")),
        joblib.load,
    )
    return from_samples(
        bunch.data,
        bunch.target,
        draw,
        name="california",
        task="regression",
        feature_names=tuple(bunch.feature_names),
        target_name="MedHouseVal",
        units={
            "MedHouseVal": "100,000 US$",
            "MedInc": "10,000 US$",
            "HouseAge": "years",
            "Latitude": "°",
            "Longitude": "°",
        },
        source=(
            "R. Kelley Pace and R. Barry, Sparse Spatial Autoregressions, Statistics and Probability Letters "
            "33, 1997, from the U.S. census of 1990 (downloaded by scikit-learn)."
        ),
        licence="none stated; data of the U.S. census, public domain",
    )


def mnist(draw: Draw) -> Problem:
    """Handwritten digits in 28 × 28 pixels, downloaded by Keras."""
    import keras

    arrays = DOWNLOADS.get("mnist", keras.datasets.mnist.load_data)  # Keras verifies the checksum of this file
    return _images(
        arrays,
        draw,
        name="mnist",
        class_names=[str(digit) for digit in range(10)],
        target_name="digit",
        source=(
            "Y. LeCun, L. Bottou, Y. Bengio and P. Haffner, Gradient-Based Learning Applied to Document "
            "Recognition, Proceedings of the IEEE 86, 1998 (downloaded by Keras)."
        ),
        licence="CC BY-SA 3.0",
    )


def fashion_mnist(draw: Draw) -> Problem:
    """Articles of clothing in 28 × 28 pixels, downloaded by Keras."""
    import keras

    arrays = DOWNLOADS.get(
        "fashion_mnist",
        keras.datasets.fashion_mnist.load_data,
        lambda: _keras_files("fashion-mnist/*.gz"),
        read_gzip,
    )
    return _images(
        arrays,
        draw,
        name="fashion_mnist",
        class_names=(
            *("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"),
            *("Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
        ),
        target_name="article",
        source=(
            "H. Xiao, K. Rasul and R. Vollgraf, Fashion-MNIST: a Novel Image Dataset for Benchmarking "
            "Machine Learning Algorithms, 2017, arXiv 1708.07747 (downloaded by Keras)."
        ),
        licence="MIT",
    )


def _images(arrays: Any, draw: Draw, **facts: Any) -> Problem:
    """Make a problem from grey images with a given test part: ((x, y), (x, y)), x of shape (n, h, w)."""
    (x_train, y_train), (x_test, y_test) = arrays
    size = len(x_train)
    if draw.num_examples is not None:
        size = check_int("num_examples", draw.num_examples, MIN_EXAMPLES, size)
    rows = np.random.default_rng(draw.seed).permutation(len(x_train))[:size]
    height, width = x_train.shape[1:]
    return from_parts(
        x_train[rows].reshape(len(rows), -1),
        y_train[rows],
        x_test.reshape(len(x_test), -1),
        y_test,
        task="classification",
        image_shape=(height, width, 1),
        feature_names=tuple(f"pixel_{row}_{column}" for row in range(height) for column in range(width)),
        **facts,
    )


def _keras_files(pattern: str) -> list[Path]:
    """Files in the data set folders of Keras."""
    homes = (os.environ.get("KERAS_HOME", "~/.keras"), f"{tempfile.gettempdir()}/.keras")
    return [path for home in homes for path in (Path(home).expanduser() / "datasets").glob(pattern)]
