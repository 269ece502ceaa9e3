"""Gradient descent and SGD on one clock."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence

import numpy as np

from sgd_tf import problems
from sgd_tf.claims.claim import GD, SGD, Claim, Experiment, Numbers, Picture, Point, Series
from sgd_tf.claims.contestants import LINEAR, MLP, SMALL_K, end, loss_of, tuned
from sgd_tf.claims.measures import Measure
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import Progress
from sgd_tf.words import N_

NUM_PLACES = 24  # of a curve
NUM_ROUNDS = 3  # in which the seconds of an update are measured anew


def slow_updates(seeds: Sequence[int]) -> Experiment:
    """GD and SGD side by side on one clock, each at its tuned learning rate, and after as many epochs."""
    from sgd_tf.racing import race

    digits, seconds, epochs = problems.load("digits"), 0.4, 10
    N = digits.num_examples
    places = np.geomspace(seconds / 50, seconds, NUM_PLACES)
    ratios: dict[str, list[float]] = {"same_seconds": [], "same_epochs": []}
    updates = []
    for seed in seeds:
        configs = {name: tuned(digits, MLP, k, seed) for name, k in (("gd", N), ("sgd", SMALL_K))}
        records: dict[str, list[Progress]] = {name: [] for name in configs}
        for record in race.race(digits, configs, seconds=seconds, model=MLP, progress=False):
            records[record.run].append(record)
        for name, told in records.items():
            losses = np.interp(places, [record.seconds for record in told], [loss_of(record) for record in told])
            for place, loss in zip(places, losses, strict=True):
                yield Point(series=name, x=place, y=loss, seed=seed)
        gd, sgd = (records[name][-1] for name in ("gd", "sgd"))
        ratios["same_seconds"].append(loss_of(gd) / loss_of(sgd))
        updates.append(sgd.update / gd.update)
        after = [loss_of(end(digits, config, MLP, epochs=epochs)[0]) for config in configs.values()]
        ratios["same_epochs"].append(after[0] / after[1])
    return {**ratios, "updates": float(np.median(updates))}


SLOW_UPDATES = Claim(
    key="slow_updates",
    run=slow_updates,
    group="chapter",
    sentence=N_("One update per full pass is a slow way to learn."),
    experiment=N_(
        "Digits: GD and SGD with k = 32, each at its tuned learning rate, for 0.4 s of training and for 10 epochs."
    ),
    measures=(
        Measure(name="same_seconds", title=N_("GD loss ÷ SGD loss after 0.4 s"), at_least=1),
        Measure(name="same_epochs", title=N_("GD loss ÷ SGD loss after 10 epochs"), at_least=1),
        Measure(name="updates", title=N_("SGD updates ÷ GD updates in 0.4 s (median over seeds)")),
    ),
    depends_on=N_("what is held equal: seconds or epochs"),
    picture=Picture(
        kind="lines",
        title=N_("GD and SGD on one clock"),
        x=N_("Seconds of training"),
        y=N_("Training loss"),
        series={"gd": GD, "sgd": SGD},
        log_x=True,
        log_y=True,
    ),
    page="lab/gd_vs_sgd",
    seconds=5,
)


def efficient(seeds: Sequence[int]) -> Experiment:
    """Seconds of training to the target loss of the race: those of GD as a multiple of those of SGD.

    Seconds are the updates to the target, which no clock changes, times the seconds of an update. The latter are the
    best of several turns of k = N and k = 32 one after the other: other work on the machine can only slow a turn down.
    They are measured anew in each of three rounds; each seed gives a ratio for each round, and all must agree.
    """
    from sgd_tf.claims import timing
    from sgd_tf.training.run import Run

    numbers: Numbers = {}
    for name, model in (("digits", MLP), ("teacher", MLP), ("breast_cancer", LINEAR), ("diabetes", LINEAR)):
        problem, target = problems.load(name), tuned_rates.target_loss(name, model.kind)
        assert target is not None, name
        sizes = (problem.num_examples, SMALL_K)
        updates: dict[tuple[int, int], timing.Updates] = {}
        for k, seed in itertools.product(sizes, seeds):
            updates[k, seed] = yield from timing.updates_to(problem, tuned(problem, model, k, seed), model, target)
        rounds = []
        with contextlib.ExitStack() as stack:
            runs = {k: Run(problem, tuned(problem, model, k, seeds[0]), model=model) for k in sizes}
            for run in runs.values():
                stack.enter_context(contextlib.closing(run))
            for _ in range(NUM_ROUNDS):
                rounds.append(timing.seconds_per_update(runs))
                yield None
        ratios = []
        for seed in seeds:
            gd, sgd = (updates[k, seed] for k in sizes)
            ratios.append([timing.time_ratio(gd, sgd, *each.values()) for each in rounds])
            yield Point(series=name, x=float(np.median(ratios[-1])), seed=seed)
        numbers[name] = list(itertools.chain.from_iterable(ratios))
    return numbers


EFFICIENT = Claim(
    key="efficient",
    run=efficient,
    group="chapter",
    sentence=N_("SGD trains more efficiently than gradient descent."),
    experiment=N_(
        "Training time to the target loss of the race on four problems, k = N against k = 32, each at "
        "its tuned learning rate. Time = updates to the target × seconds per update (the best of several"
        " turns)."
    ),
    measures=(
        Measure(name="digits", title=N_("GD seconds ÷ SGD seconds: digits, MLP"), at_least=1),
        Measure(name="teacher", title=N_("GD seconds ÷ SGD seconds: 10,000 samples, MLP"), at_least=1),
        Measure(
            name="breast_cancer",
            title=N_("GD seconds ÷ SGD seconds: 455 samples, linear"),
            at_least=1,
        ),
        Measure(
            name="diabetes",
            title=N_("GD seconds ÷ SGD seconds: 353 samples, linear"),
            at_least=1,
        ),
    ),
    depends_on=N_("the problem: how many samples it has, and how alike they are"),
    picture=Picture(
        kind="dots",
        title=N_("GD seconds ÷ SGD seconds"),
        x=N_("Right of 1: SGD is faster"),
        series={
            "digits": Series(title=N_("digits")),
            "teacher": Series(title=N_("10,000 samples")),
            "breast_cancer": Series(title=N_("455 samples")),
            "diabetes": Series(title=N_("353 samples")),
        },
        log_x=True,
        bound="digits",
    ),
    page="lab/gd_vs_sgd",
    seconds=50,
)
