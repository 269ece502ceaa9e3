"""A table as a Korean spreadsheet saves it, and the problem of it."""

import numpy as np
import pytest

from sgd_tf.own.building import given_problem
from sgd_tf.own.columns import columns_of
from sgd_tf.own.reading import read
from sgd_tf.own.understanding import understand


def spreadsheet(num_rows=60, seed=0):
    """A CSV in CP949 with thousands, a date, words and holes: a house of 3.3 million a square metre, dearer in 서울."""
    random = np.random.default_rng(seed)
    lines = ["날짜,지역,넓이,층,가격(만원)"]
    for row in range(num_rows):
        town, area, floor = ("서울", "부산", "대구")[row % 3], random.integers(20, 120), random.integers(1, 20)
        price = 330 * area + (5_000 if town == "서울" else 0) + 10 * floor
        lines.append(f'2024-03-{1 + row % 28:02},{town},{area if row % 20 else ""},{floor},"{price:,}"')
    return ("\r\n".join(lines) + "\r\n").encode("cp949")


def given_of(content):
    table = read(content)
    return given_problem(content, understand(columns_of(table.frame)))


@pytest.fixture
def own():
    """The problem of such a table, which nobody has given yet."""
    return given_of(spreadsheet())
