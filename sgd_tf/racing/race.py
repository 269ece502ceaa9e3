"""Several runs on one clock: gradient descent against SGD."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import keras

from sgd_tf.racing.terminal import show_progress
from sgd_tf.training.models import copies_of
from sgd_tf.training.optimizer_settings import check_length
from sgd_tf.training.records import Progress, Target, TrainConfig, check_int
from sgd_tf.training.run import Model, Run
from sgd_tf.training.schedule import next_record

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

MAX_SEEDS = 100


def race(
    problem: Problem,
    configs: Mapping[str, TrainConfig],
    *,
    seconds: float,
    model: Model | None = None,
    stop_at_target: float | Target | None = None,
    seeds: int = 1,
    progress: bool | None = None,
) -> Iterator[Progress]:
    """Train several contestants side by side until each has trained for the same number of seconds.

    Fair by construction: the contestant whose own training clock is lowest is the next to be advanced, and no
    clock runs while another contestant is advanced, evaluated or compiled.

    With a target to stop at, the race ends as soon as each contestant that has not diverged has reached it, and all
    have trained for as long as the one that has trained longest.

    Args:
        problem: training and test samples.
        configs: the contestants by name. Give all the same ``seed`` to start them from the same weights.
        seconds: training time of each, greater than 0.
        model: as in `train`; a Keras model is copied for each contestant, and stays as it is.
        stop_at_target: a training loss, or a `Target` such as ``Target(value=0.95, metric="test_accuracy")``, whose
            last arrival ends the race; None to race for all of the seconds.
        seeds: how often each trains, with its own ``seed``, the next one, and so on. All race with one seed before the
            next one begins, so that the seeds share their compiled programs. ``record.run`` then holds the seed, and
            ``record.contestant`` the name.
        progress: whether to show a progress bar; by default on a terminal or in a notebook, not in a pipe.

    Yields:
        Progress records of all contestants, as they come; ``record.run`` is the contestant's name.

    Raises:
        ValueError: if an argument is out of range.

    Example::

        records = race(load("digits"), {"GD": TrainConfig(batch_size="all"), "SGD": TrainConfig()}, seconds=5)
        history = to_frame(records)
    """
    if not configs:
        raise ValueError("`configs` must name at least one contestant; received none.")
    check_seconds(seconds)
    for config in configs.values():
        check_length(config)
    target = stop_at_target if isinstance(stop_at_target, Target | None) else Target(value=stop_at_target)
    if target is not None and target.metric == "test_accuracy" and problem.num_classes is None:
        raise ValueError("`stop_at_target` must be a training loss in a regression; received a test accuracy.")
    check_int("seeds", seeds, 1, MAX_SEEDS)
    total = seconds * len(configs) * seeds
    records = _records(problem, of_seeds(configs, seeds), seconds, model, target)
    return show_progress(records, total=total, shown=progress)


def check_seconds(seconds: float) -> None:
    """Refuse a training time that is not a finite number greater than 0."""
    if not 0 < seconds < math.inf:
        raise ValueError(f"`seconds` must be a finite number greater than 0; received {seconds!r}.")


def of_seeds(configs: Mapping[str, TrainConfig], seeds: int) -> list[dict[str, TrainConfig]]:
    """The contestants of a race for each seed."""
    return [
        {name: replace(config, seed=config.seed + each) for name, config in configs.items()} for each in range(seeds)
    ]


def _records(
    problem: Problem,
    rounds: Sequence[Mapping[str, TrainConfig]],
    seconds: float,
    model: Model | None,
    target: Target | None,
) -> Iterator[Progress]:
    """A race for each seed, one after another."""
    for configs in rounds:
        steps = advance_all(problem, configs, seconds=seconds, model=model, target=target)
        with contextlib.closing(steps):
            for _run, record in steps:
                yield record if len(rounds) == 1 else named(record, configs[record.run].seed)


def named(record: Progress, seed: int) -> Progress:
    """A record of one of several seeds: its run is contestant and seed."""
    return replace(record, run=f"{record.run}, seed {seed}", contestant=record.run)


def advance_all(
    problem: Problem,
    configs: Mapping[str, TrainConfig],
    *,
    seconds: float,
    model: Model | None = None,
    target: Target | None = None,
) -> Generator[tuple[Run, Progress]]:
    """The contestants at work: the arguments of `race`, with a `Target` or None; yields each record with its run."""
    if isinstance(model, keras.Model):
        model = copies_of(model)
    with contextlib.ExitStack() as stack:
        runs = []
        arrived: set[str] = set()

        def recorded(run: Run) -> tuple[Run, Progress]:
            record = run.record()
            if target is not None and target.is_met(record):
                arrived.add(record.run)
            return run, record

        for name, config in configs.items():
            run = stack.enter_context(Run(problem, config, name=name, model=model))
            yield recorded(run)
            runs.append(run)
            run.advance(*next_record(run, seconds))
            yield recorded(run)  # there is something to see while the next one is compiled
        while racing := [run for run in runs if not run.is_over and run.seconds < seconds]:
            if arrived.issuperset(run.name for run in runs if not run.is_over):
                break
            run = min(racing, key=lambda run: run.seconds)
            run.advance(*next_record(run, seconds))
            yield recorded(run)
        longest = max(run.seconds for run in runs)
        for run in racing:  # the race has ended at the target: the others are brought level
            if run.seconds < longest:
                run.advance(second=longest)
                yield recorded(run)
