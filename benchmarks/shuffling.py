"""Seconds to draw an epoch: one permutation, as the engine draws it, against `Dataset.shuffle(N)`, sample by sample.

    python benchmarks/shuffling.py [--out FOLDER]

Both draw minibatches of k samples of the same arrays in a new order each epoch, in blocks as the compiled loop reads
them, without training. Repetitions are interleaved, so that a slow moment of the machine meets both.
"""

from __future__ import annotations

import argparse
import itertools

import altair as alt
import numpy as np
import pandas as pd
import report

from sgd_tf import problems
from sgd_tf.sampling.shufflers import drawing
from sgd_tf.training.records import SHUFFLERS

SIZES = (1_437, 10_000, 60_000)  # N
BATCH_SIZES = (8, 256)  # k
NUM_REPETITIONS = 9
NUM_FEATURES = 64


def main() -> None:
    """Measure, print the tables and write them."""
    parser = argparse.ArgumentParser(description=__doc__)
    report.add_out(parser)
    arguments = parser.parse_args()
    rows = []
    for N, k in itertools.product(SIZES, BATCH_SIZES):
        problem = problems.load("teacher", num_examples=N, num_features=NUM_FEATURES)
        draws = {shuffler: drawing(problem, k, shuffler) for shuffler in SHUFFLERS}
        seconds = np.array([[draw() for draw in draws.values()] for _ in range(NUM_REPETITIONS)])
        for shuffler, times in zip(draws, seconds.T.tolist(), strict=True):
            rows.append({"num_examples": N, "batch_size": k, **report.timing(shuffler, times)})
        report.print_ratios(f"An epoch of N = {N:,}, k = {k}", rows, "permutation", num_examples=N, batch_size=k)
    chart = alt.Chart(pd.DataFrame(rows).drop(columns="repetitions")).mark_line(point=True)
    chart = chart.encode(
        x=alt.X("num_examples:Q", title="N").scale(type="log"),
        y=alt.Y("seconds:Q", title="Seconds to draw an epoch").scale(type="log"),
        color=alt.Color("name:N", title="Drawn by"),
        strokeDash=alt.StrokeDash("batch_size:N", title="k"),
    )
    report.write("shuffling", rows, chart, arguments.out)


if __name__ == "__main__":
    main()
