"""Search the learning rates and target losses that the presets carry: writes `sgd_tf/data/learning_rates.json`.

Usage: python scripts/tune_learning_rates.py [--keep-rates] [NAME …]

A name is a problem, or a problem and a model such as digits/cnn; without names it is all that need no download. What is
not named keeps its values. The file is written after each model, so a run that was interrupted goes on with the names
that are left. All takes about 20 minutes on two cores. Use an idle machine, since the targets depend on its speed;
--keep-rates finds the targets again at the rates that are there, in a third of the time.

For each problem, model and batch size `racing.try_learning_rates` tries learning rates until smaller and larger ones
are worse than the best: half a second of training each, two seconds for gradient descent, which makes few updates. All
mean losses are kept. Only 100, the largest rate that is allowed, may be the best at an end.

The target is a training loss that makes a race worth watching. The contestants of the default race (k = 32, k = 256 and
gradient descent, 5 s each) train at the rates that were found. A loss may be a target if

- it is at most 90 % of the loss of the untrained model, and at least half-way down from each contestant's loss after
  10 ms (or one update) to the lowest loss of the race: so nobody begins at the target;
- a contestant reaches it between 2 % and 90 % of the 5 s.

Of these it is the one that most contestants reach within 90 % of the time, and the last of them nearest to 30 % of it:
so there is a loser to wait for, also where a machine is three times slower. Between 15 % and 60 %, fewer significant
digits go first. Some problems are solved at once: there is no such loss, since a contestant is at the end of its way
after 10 ms. The target is then 5 % above the lowest one.

Beside the values stands what was measured: of the default race, and of the runs of a sweep (`presets.sweep_budget`).
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from sgd_tf import problems
from sgd_tf.problems import Problem
from sgd_tf.racing import race, search
from sgd_tf.racing.trials import best_trial, has_turned
from sgd_tf.sweep import measure, plans
from sgd_tf.training import history, schedule, tuned_rates
from sgd_tf.training.records import BatchSize, ModelConfig, ModelKind, TrainConfig

FILE = Path(__file__).parents[1] / "sgd_tf/data/learning_rates.json"
BATCH_SIZES = (1, 8, 32, 256, 2048)  # N is added
TRIAL_SECONDS, GD_TRIAL_SECONDS = 0.5, 2.0
CONTESTANTS: tuple[BatchSize, ...] = (32, 256, "all")  # of the default race
RACE_SECONDS = 5.0
EARLIEST, BEST, LATEST = 0.02, 0.3, 0.9  # shares of the race at which a target is reached
WELL_BELOW = 0.9  # target at most, as a share of the untrained loss
ABOVE_SOLVED = 1.05  # target of a problem that is solved at once, as a multiple of the lowest loss


def choose_target(table: pd.DataFrame, seconds: float) -> float:
    """A loss that makes a race of so many seconds worth watching, by the rule above.

    Args:
        table: of `history.to_frame`, with the whole race.
        seconds: training time of each contestant.

    Returns:
        Training loss.
    """
    runs = [(run["seconds"].to_numpy(), run["train_loss"].to_numpy()) for _, run in table.groupby("run", sort=False)]
    low = min(losses[np.isfinite(losses)].min() for _, losses in runs)
    first = min(_first_loss(*run, seconds) for run in runs)
    high = min(WELL_BELOW * runs[0][1][0], (low + first) / 2)
    solved = float(f"{ABOVE_SOLVED * low:.3g}")
    best: tuple[int, bool, int, float, float] = (0, False, 0, 0.0, solved)
    for digits in (1, 2, 3):
        targets = list(_round_numbers(low, high, digits))
        shares = np.array([_first_times(*run, targets) for run in runs]) / seconds  # (runs, targets)
        for target, reached in zip(targets, shares.T, strict=True):
            in_time = reached[reached <= LATEST]
            if in_time.size and in_time.max() >= EARLIEST:
                distance = abs(math.log(in_time.max() / BEST))
                best = max(best, (in_time.size, distance < math.log(2), -digits, -distance, target))
    return best[-1]


def _first_loss(times: np.ndarray, losses: np.ndarray, seconds: float) -> float:
    """The loss after the first gap between the records of a race, or after the first update if that takes longer."""
    return float(losses[np.searchsorted(times, schedule.FIRST_GAP * seconds)])


def _first_times(times: np.ndarray, losses: np.ndarray, targets: Sequence[float]) -> np.ndarray:
    """When the loss of a run was first at each target; inf: never."""
    lowest = np.minimum.accumulate(np.where(np.isfinite(losses), losses, math.inf))
    return np.append(times, math.inf)[np.searchsorted(-lowest, -np.array(targets))]


def _round_numbers(low: float, high: float, digits: int) -> Iterator[float]:
    """The numbers from `low` to `high` that have so many significant digits."""
    if not 0 < low <= high:
        return
    for exponent in range(math.floor(math.log10(low)), math.floor(math.log10(high)) + 1):
        for mantissa in range(10 ** (digits - 1), 10**digits):
            number = float(f"{mantissa}e{exponent - digits + 1}")
            if low <= number <= high:
                yield number


def find_rates(problem: Problem, model: ModelConfig) -> tuple[dict[str, float], dict[str, dict[str, float | None]]]:
    """The best learning rate of each batch size, and the mean loss of each rate that was tried; None: diverged."""
    rates: dict[str, float] = {}
    tried: dict[str, dict[str, float | None]] = {}
    first, N = tuned_rates.LEARNING_RATES[0], problem.num_examples
    for k in (*(k for k in BATCH_SIZES if k < N), N):
        grid = [rate for rate in tuned_rates.LEARNING_RATES if rate >= first]
        seconds = GD_TRIAL_SECONDS if k == N else TRIAL_SECONDS
        found = search.try_learning_rates(
            problem, TrainConfig(batch_size=k), seconds=seconds, learning_rates=grid, model=model
        )
        trials = sorted(found, key=lambda trial: trial.learning_rate)
        best = rates[str(k)] = best_trial(trials).learning_rate
        tried[str(k)] = {f"{t.learning_rate:g}": _plain(t.mean_loss) for t in trials}
        at_end = "" if has_turned(trials) else ", at an end of what was tried"
        print(f"{problem.name} {model.kind} k = {k}: {best:g} of {len(trials)}{at_end}", flush=True)
        first = min(best / 3, tuned_rates.LEARNING_RATES[-4])  # a larger k takes a larger rate: begin below this one
    return rates, tried


def _plain(number: float) -> float | None:
    return float(f"{number:.4g}") if math.isfinite(number) else None


def measure_race(problem: Problem, model: ModelConfig, rates: dict[str, float]) -> tuple[float, dict[str, Any]]:
    """The target, and what the contestants of the default race did."""
    configs = {
        str(k): TrainConfig(batch_size=k, learning_rate=rates[str(problem.num_examples if k == "all" else k)])
        for k in CONTESTANTS
    }
    table = history.to_frame(race.race(problem, configs, seconds=RACE_SECONDS, model=model))
    target = choose_target(table, RACE_SECONDS)
    reached = history.time_to_target(table, target).set_index("run")["seconds"] / RACE_SECONDS
    first = {
        str(name): _first_loss(run["seconds"].to_numpy(), run["train_loss"].to_numpy(), RACE_SECONDS)
        for name, run in table.groupby("run", sort=False)
    }
    return target, {
        "untrained_loss": _plain(table["train_loss"].iloc[0]),
        "first_loss": {name: _plain(loss) for name, loss in first.items()},
        "lowest_loss": _plain(table["train_loss"].min()),
        "reached": {name: _plain(share) for name, share in reached.items()},
    }


def measure_sweep(problem: Problem, model: ModelConfig, rates: dict[str, float]) -> dict[str, Any]:
    """When each batch size reaches the target of a sweep, as a share of the time that a run may take."""
    budget = tuned_rates.sweep_budget(problem.name, model.kind)
    sizes = tuple(map(int, rates))
    plan = plans.SweepPlan(
        problem=problem.name,
        model=model,
        batch_sizes=sizes,
        target=budget.target,
        epochs=budget.epochs,
        seconds=budget.seconds,
        max_seconds=budget.max_seconds,
    )
    reached = {}
    for k in sizes:
        cell = plans.Cell(batch_size=k, learning_rate=rates[str(k)], seed=0)
        row = measure.cell_result(plan, cell, list(measure.train_cell(problem, plan, cell)))
        seconds = row.seconds_to_target
        reached[str(k)] = None if seconds is None else _plain(seconds / budget.max_seconds)
    return {"target": budget.target, "reached": reached}


def tune(name: str, kind: ModelKind, known: dict[str, Any] | None) -> dict[str, Any]:
    """All that the file says of one problem and model; rates that are known already are kept."""
    problem, model = problems.load(name), ModelConfig(kind=kind)
    rates, tried = (known["learning_rates"], known["tried"]) if known else find_rates(problem, model)
    target, race = measure_race(problem, model, rates)
    measured = {"tried": tried, "race": race, "sweep": measure_sweep(problem, model, rates)}
    return {"target": target, "learning_rates": rates, **measured}


def _models(name: str) -> list[tuple[str, ModelKind]]:
    """The problems and models that a name of the command line stands for."""
    problem, _, kind = name.partition("/")
    if problem not in problems.CATALOGUE:
        sys.exit(f"Unknown problem: {problem}. There are: {', '.join(problems.CATALOGUE)}.")
    kinds: list[ModelKind] = ["linear", "mlp"]
    if problems.CATALOGUE[problem].is_image:
        kinds.append("cnn")
    if kind and kind not in kinds:
        sys.exit(f"Unknown model of {problem}: {kind}. There are: {', '.join(kinds)}.")
    return [(problem, one) for one in kinds if kind in ("", one)]


def main() -> None:
    """Tune what the command line names, and write the file after each model."""
    parser = argparse.ArgumentParser(description="Search learning rates and target losses.")
    parser.add_argument("names", nargs="*", metavar="NAME", help="problem, or problem/model")
    parser.add_argument("--keep-rates", action="store_true", help="find the targets again at the rates that are there")
    options = parser.parse_args()
    offline = [name for name, info in problems.CATALOGUE.items() if info.kind != "download"]
    for name, kind in [pair for text in options.names or offline for pair in _models(text)]:
        start = time.perf_counter()
        table = json.loads(FILE.read_text(encoding="utf-8")) if FILE.exists() else {}
        of_problem = table.setdefault(name, {})
        found = of_problem[kind] = tune(name, kind, of_problem.get(kind) if options.keep_rates else None)
        FILE.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
        shown = {key: found["race"][key] for key in ("first_loss", "reached")}
        print(f"{name} {kind}: target {found['target']:g}, {shown}, {time.perf_counter() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
