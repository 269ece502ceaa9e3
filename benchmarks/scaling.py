"""How cost grows: time per epoch against N and k, memory against N, k and the number of runs, races against learners.

    python benchmarks/scaling.py [--quick] [--out FOLDER]

Where cost should be proportional, the slope in log-log of the upper half is printed: it should be near 1.
"""

from __future__ import annotations

import argparse
import functools
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import altair as alt
import numpy as np
import pandas as pd
import report

from sgd_tf.memory import measure
from sgd_tf.memory.rows import Measurement
from sgd_tf.training import counting
from sgd_tf.training.records import ModelConfig

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

if TYPE_CHECKING:
    from sgd_tf.jobs import Cluster

NUM_FEATURES = 64
RUNS = 200  # in one process, for the growth of its memory
# In a process of its own: one that has freed gigabytes before would grow into what it has.
GROWTH = """
import gc, sys
import numpy as np
import psutil
import sgd_tf

problem, process, sizes = sgd_tf.load("digits"), psutil.Process(), []
for seed in range(int(sys.argv[1])):
    for _ in sgd_tf.train(problem, sgd_tf.TrainConfig(batch_size=32, seed=seed), updates=500):
        pass
    gc.collect()
    sizes.append(process.memory_info().rss)
later = sizes[len(sizes) // 10 :]
print(np.polyfit(np.arange(len(later)), later, 1)[0])
"""


def epoch_seconds(num_examples: int, k: int, repetitions: int) -> float:
    """Median seconds of an epoch of the engine, its pipeline included; of several epochs where one is short."""
    import sgd_tf
    from sgd_tf.training.run import Run

    problem = sgd_tf.load("teacher", num_examples=num_examples, num_features=NUM_FEATURES, num_classes=10)
    run = Run(problem, sgd_tf.TrainConfig(batch_size=min(k, num_examples)))
    per_epoch = counting.iterations_per_epoch(num_examples, run.batch_size)
    num_epochs = max(1, 20_000 // num_examples)
    times = []
    for _ in range(repetitions + 2):
        start = time.perf_counter()
        run.advance(update=run.update + num_epochs * per_epoch)
        times.append((time.perf_counter() - start) / num_epochs)
    run.close()
    return statistics.median(times[2:])


def peak_bytes(num_examples: int, k: int) -> int:
    """Peak memory of updates in a fresh process, TensorFlow and the data aside."""
    model = ModelConfig(widths=(128,))
    rows = measure.measure("teacher", model, [measure.Trial(batch_size=k)], num_examples=num_examples)
    return next(row.num_bytes for row in rows if isinstance(row, Measurement))


def growth_per_run(num_runs: int) -> float:
    """Bytes by which a process grows with each run of one shape: slope over its runs, the first tenth aside."""
    command = [sys.executable, "-W", "ignore", "-c", GROWTH, str(num_runs)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()[-1])


def class_seconds(cluster: Cluster, num_learners: int) -> float:
    """Seconds until all learners have had their race of 1 s, who all pressed Run at once; one worker."""
    from sgd_tf.racing.rows import run_race
    from sgd_tf.training.records import RacePlan, TrainConfig

    plan = RacePlan(problem="digits", configs={"k = 32": TrainConfig(batch_size=32)}, seconds=1.0)
    start = time.perf_counter()
    jobs = [cluster.submit(run_race, plan, learner=str(learner), seconds_limit=60) for learner in range(num_learners)]
    while not all(job.wait(0.05) for job in jobs):
        for job in jobs:
            job.touch()
    elapsed = time.perf_counter() - start
    if any(job.status != "done" for job in jobs):
        raise RuntimeError(f"Jobs ended as {sorted({job.status for job in jobs})}.")
    return elapsed


def slope(x: Sequence[float], y: Sequence[float]) -> float:
    """Of log y against log x, over the upper half of the points."""
    half = len(x) // 2
    return float(np.polyfit(np.log(x[half:]), np.log(y[half:]), 1)[0])


def main() -> None:
    """Measure, print, and write JSON and chart."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer points and repetitions")
    report.add_out(parser)
    arguments = parser.parse_args()
    repetitions = 3 if arguments.quick else 7
    rows: list[dict] = []

    def measure(what: str, line: str, across: str, points: Sequence[int], value, unit: str) -> None:
        values = []
        for point in points:
            values.append(value(point))
            rows.append({"what": what, "line": line, "across": across, "x": point, "y": values[-1], "unit": unit})
            report.console.print(f"{what}, {line}: {across} = {point:,}: {values[-1]:,.6g} {unit}")
        report.console.print(f"  slope {slope(points, values):.2f}")

    sizes = (
        (1_000, 10_000, 100_000, 1_000_000) if arguments.quick else tuple(round(10 ** (3 + i / 2)) for i in range(7))
    )
    ks = (1, 16, 256, 4_096, 60_000) if arguments.quick else (1, 4, 16, 64, 256, 1_024, 4_096, 16_384, 60_000)
    time_title, memory_title = "Seconds per epoch", "Memory of training (MB)"
    for k in (32, 256):
        measure(time_title, f"k = {k}", "N", sizes, lambda N, k=k: epoch_seconds(N, k, repetitions), "s")
    measure(time_title, "N = 60,000", "k", ks, lambda k: epoch_seconds(60_000, k, repetitions), "s")
    big = sizes[-4:]
    measure(memory_title, "k = 256", "N", big, lambda N: peak_bytes(N, 256) / 1e6, "MB")
    measure(
        memory_title, "N = 250,000", "k", (256, 4_096, 65_536, 250_000), lambda k: peak_bytes(250_000, k) / 1e6, "MB"
    )

    grown = growth_per_run(RUNS) / 1e6
    report.console.print(f"{RUNS} runs in one process: {grown:.3f} MB a run")
    rows.append({"what": "Growth per run", "line": "digits", "across": "runs", "x": RUNS, "y": grown, "unit": "MB"})

    from sgd_tf.jobs import Cluster
    from sgd_tf.training.warm_up import warm_up

    cluster = Cluster(num_workers=1)
    cluster.warm_up(warm_up)
    races = functools.partial(class_seconds, cluster)
    races(1)
    learners = (1, 4, 16) if arguments.quick else (1, 2, 4, 8, 16, 30)
    measure("Races of 1 s, one worker", "all at once", "learners", learners, races, "s")
    cluster.close()

    panels = [
        alt.Chart(part)
        .mark_line(point=True)
        .encode(
            x=alt.X("x:Q", scale=alt.Scale(type="log"), title=across),
            y=alt.Y("y:Q", scale=alt.Scale(type="log"), title=what),
            color=alt.Color("line:N", title=None),
        )
        .properties(width=280, height=220, title=f"{what} against {across}")
        for (what, across), part in pd.DataFrame(rows).query("across != 'runs'").groupby(["what", "across"], sort=False)
    ]
    chart = alt.concat(*panels, columns=3).resolve_scale(color="independent", x="independent", y="independent")
    report.write("scaling", rows, chart, arguments.out)


if __name__ == "__main__":
    main()
