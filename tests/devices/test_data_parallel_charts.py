"""Tests of the charts on several devices: names never lie over each other or over samples."""

import numpy as np
import pandas as pd
import pytest

from sgd_tf.charts.style import Theme
from sgd_tf.devices import chart, controls
from sgd_tf.devices.replicas import split

HEIGHT = 330


@pytest.mark.parametrize("num", [1, 2, 4, 8])
def test_no_name_of_an_arrow_lies_upon_another(num):
    across = np.linspace(-0.01, 0.01, num)  # all arrows end in one place
    gradients = pd.DataFrame({"replica": range(1, num + 1), "along": 0.5, "across": across, "norm": 0.5})
    rows = chart.gradient_arrows(gradients, norm=0.5, title="Gradients", theme=Theme(height=HEIGHT)).to_dict()
    names = pd.DataFrame(rows["datasets"]["gradients"])
    top = rows["layer"][0]["encoding"]["y"]["scale"]["domain"][1]
    places = np.sort(names["label_y"]) / (2 * top) * (HEIGHT - chart.AXES_HEIGHT)
    assert len(places) == num + 1  # and the mean
    assert np.diff(places).min() >= 14.9  # px: the height of a name


@pytest.mark.parametrize("num", [2, 4, 8])
@pytest.mark.parametrize("k", [int(size) for size in controls.SIZES])
def test_the_name_of_a_block_fits_between_it_and_the_block_above(num, k):
    samples = pd.DataFrame(
        [{"replica": r, "sample": at} for r, part in enumerate(split(k, num), 1) for at in range(part.start, part.stop)]
    )
    rows = chart.sample_parts(samples, title="Parts", theme=Theme(height=HEIGHT)).to_dict()["datasets"]
    squares = pd.DataFrame(rows["samples"])
    blocks = squares.groupby("replica").agg(top=("y", "min"), bottom=("y2", "max"))
    pitch = blocks["top"].drop_duplicates().diff().iloc[1] if num > 2 else None
    if pitch is not None:
        height = blocks["bottom"].max() - blocks["top"].min()
        gap = (pitch - (blocks["bottom"] - blocks["top"]).max()) / height * (HEIGHT - chart.TITLE_HEIGHT)
        assert gap >= 14  # px: the height of a name
