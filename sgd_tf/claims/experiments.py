"""The experiments that try the claims: each makes real runs with several seeds and tells numbers, never a verdict.

Each is a generator that takes the seeds, yields the points of its chart as they come, and returns its numbers by the
names that `claims.CLAIMS` judges: a list with one for each run, or one number of all. A run that diverges or does not
reach its target gives no number, NaN, and so no verdict.

Contestants of one seed have the same initial weights and the same order of the samples in each epoch, for every k. So
what compares two k is computed within a seed (a ratio, a difference), and only then looked at over the seeds.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np

from sgd_tf import problems
from sgd_tf.claims import timing
from sgd_tf.claims.catalogue import MAX_SEEDS, NUM_SEEDS, Claim, Finding, Point
from sgd_tf.devices import replicas
from sgd_tf.double_loop import lesson
from sgd_tf.memory import prediction
from sgd_tf.noise import curvature, gradient_noise, noise_law
from sgd_tf.racing import race
from sgd_tf.sampling import trials, visit_counts
from sgd_tf.sweep import analysis, plans
from sgd_tf.training import counting, losses, models, pipeline, tuned_rates
from sgd_tf.training.records import BatchSize, ModelConfig, Progress, Sampling, TrainConfig, check_int
from sgd_tf.training.run import Run
from sgd_tf.training.vectors import get_weights

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Array: TypeAlias = "np.ndarray[Any, Any]"
Numbers: TypeAlias = dict[str, float | Sequence[float]]

MLP = ModelConfig(widths=(32,))
LINEAR = ModelConfig(kind="linear", widths=())
SMALL_K = 32  # samples per update of SGD, where one k stands for it
NUM_PLACES = 24  # at which a curve is told
NUM_ROUNDS = 3  # in which the seconds of an update are measured anew
MAX_UPDATES = 3_000  # in which a run may reach its target


Experiment: TypeAlias = Generator[Point | None, None, Numbers]  # None: a sign of life, so that Stop is heard


def try_claim(
    claim: Claim, *, num_seeds: int = NUM_SEEDS, clock: Callable[[], float] = time.perf_counter
) -> Iterator[Point | Finding | None]:
    """Make the experiment of a claim and judge it.

    Args:
        claim: of `claims.CLAIMS`.
        num_seeds: seeds 0, 1, …; in [1, 20].
        clock: gives seconds.

    Yields:
        The points of the chart as they come, and None as a sign of life; last the finding.

    Raises:
        ValueError: if an argument is out of range.

    Example::

        *points, finding = try_claim(CLAIMS["efficient"], num_seeds=5)
        print(finding.verdict, finding.numbers)
    """
    check_int("num_seeds", num_seeds, 1, MAX_SEEDS)
    return _try_claim(claim, num_seeds, clock)


def _try_claim(claim: Claim, num_seeds: int, clock: Callable[[], float]) -> Iterator[Point | Finding | None]:
    start = clock()
    points: list[Point] = []
    experiment = EXPERIMENTS[claim.key](range(num_seeds))
    while True:
        try:
            point = next(experiment)
        except StopIteration as end:
            values = {
                measure.name: tuple(np.atleast_1d(end.value[measure.name]).astype(float).tolist())
                for measure in claim.measures
            }
            break
        if point is not None:
            points.append(point)
        yield point
    yield Finding(
        claim=claim.key,
        verdict=claim.judge(values, num_seeds),
        values=values,
        points=tuple(points),
        num_seeds=num_seeds,
        seconds=clock() - start,
    )


# Gradient descent


def full_pass(seeds: Sequence[int]) -> Experiment:
    """One update of gradient descent beside w − γ (1/N) Σᵢ ∇lossᵢ, whose gradients are taken one by one.

    The speeds are the best of all seeds: weights do not change them, and other work can only slow one down.
    """
    digits = problems.load("digits")
    N, rate = digits.num_examples, 0.5
    passed, differences, speeds = [], [], []
    for seed in seeds:
        gradients = gradient_noise.Gradients(digits, models.build(digits, MLP, seed=seed))
        mean = sum(gradients.of_each(rows).sum(axis=0, dtype=np.float64) for rows in gradients.chunks()) / N
        by_hand = get_weights(gradients.model) - rate * mean
        with contextlib.ExitStack() as stack:
            runs = {}
            for k, tuned in ((N, rate), (1, 0.05)):
                run = Run(digits, TrainConfig(batch_size=k, learning_rate=tuned, seed=seed), model=MLP)
                runs[k] = stack.enter_context(contextlib.closing(run))
                run.advance(update=1)
            passed.append(runs[N].examples / N)
            differences.append(_difference(get_weights(runs[N].model), by_hand))
            speeds.append({k: k / seconds for k, seconds in timing.seconds_per_update(runs).items()})
        for k, name in ((N, "gd"), (1, "one")):
            yield Point(series=name, x=speeds[-1][k], seed=seed)
    best = {k: max(speed[k] for speed in speeds) for k in (N, 1)}
    return {"passes": passed, "speedup": best[N] / best[1], "difference": differences}


def accumulation(seeds: Sequence[int]) -> Experiment:
    """Peak memory of an update in fresh processes, whole and in parts; the same update in parts whose gradients add up.

    The line of the chart is computed: `memory.predict`.
    """
    k, part, num_updates = 8_192, 256, 3
    model = ModelConfig(widths=(256, 256))
    info = problems.CATALOGUE["teacher"]
    sizes = prediction.layers_for(info, model)
    for size in (part, 512, 1_024, 2_048, 4_096, k):
        held = prediction.predict(sizes, TrainConfig(batch_size=size), num_examples=k, num_features=info.num_features)
        yield Point(series="computed", x=size, y=held.total / 1e6)
    measured: dict[tuple[str, int], float] = {}
    trials = [prediction.Trial(batch_size=size) for size in (part, k)]
    trials.append(prediction.Trial(batch_size=k, micro_batch_size=part))
    for row in prediction.measure("teacher", model, trials, num_examples=k):
        if "bytes" not in row:
            yield None
        else:
            series = "parts" if row["micro_batch_size"] else "whole"
            measured[series, row["batch_size"]] = row["bytes"]
            yield Point(series=series, x=row["batch_size"], y=row["bytes"] / 1e6)
    digits, differences = problems.load("digits"), []
    for seed in seeds:
        ends = []
        for micro in (None, part):
            config = TrainConfig(batch_size="all", learning_rate=0.5, micro_batch_size=micro, seed=seed)
            ends.append(_end(digits, config, MLP, updates=num_updates)[1])
        differences.append(_difference(*ends))
    whole = measured["whole", k]
    return {
        "growth": whole / measured["whole", part],
        "saving": whole / measured["parts", k],
        "difference": differences,
    }


def slow_updates(seeds: Sequence[int]) -> Experiment:
    """GD and SGD side by side on one clock, each at its tuned learning rate, and after as many epochs."""
    digits, seconds, epochs = problems.load("digits"), 0.4, 10
    N = digits.num_examples
    places = np.geomspace(seconds / 50, seconds, NUM_PLACES)
    ratios: dict[str, list[float]] = {"same_seconds": [], "same_epochs": []}
    updates = []
    for seed in seeds:
        configs = {name: _tuned(digits, MLP, k, seed) for name, k in (("gd", N), ("sgd", SMALL_K))}
        records: dict[str, list[Progress]] = {name: [] for name in configs}
        for record in race.race(digits, configs, seconds=seconds, model=MLP, progress=False):
            records[record.run].append(record)
        for name, told in records.items():
            losses = np.interp(places, [record.seconds for record in told], [_loss(record) for record in told])
            for place, loss in zip(places, losses, strict=True):
                yield Point(series=name, x=place, y=loss, seed=seed)
        gd, sgd = (records[name][-1] for name in ("gd", "sgd"))
        ratios["same_seconds"].append(_loss(gd) / _loss(sgd))
        updates.append(sgd.update / gd.update)
        after = [_loss(_end(digits, config, MLP, epochs=epochs)[0]) for config in configs.values()]
        ratios["same_epochs"].append(after[0] / after[1])
    return {**ratios, "updates": float(np.median(updates))}


# Drawing samples


def minibatch_gradient(seeds: Sequence[int]) -> Experiment:
    """Minibatch gradients beside the full one: their mean, and how far they lie from it, beside the law.

    E‖g_B − g‖² = (S²/k)(1 − k/N) for k of N samples, drawn without replacement (`noise_law.variance_law`).
    """
    digits = problems.load("digits")
    N, sizes = digits.num_examples, (8, 32, 128, 512)
    offsets, ratios = [], []
    for seed in seeds:
        gradients, _ = gradient_noise.trained(digits, _tuned(digits, MLP, SMALL_K, seed), MLP, num_epochs=2)
        exact = gradient_noise.exact_noise(gradients)
        drawn, shares = gradient_noise.minibatch_gradients(gradients, SMALL_K, seed=seed)
        offsets.append(float(np.linalg.norm(shares @ drawn - exact.gradient)) / math.sqrt(exact.signal))
        for found in gradient_noise.gradient_variance(gradients, exact, sizes, num_draws=192, seed=100 * seed):
            ratios.append((found.batch_size, found.mean / found.law))
            yield Point(series="measured", x=found.batch_size, y=found.mean / exact.s_squared, seed=seed)
            yield Point(series="law", x=found.batch_size, y=found.law / exact.s_squared, seed=seed)
    means = [float(np.mean([ratio for size, ratio in ratios if size == k])) for k in sizes]
    return {"offset": offsets, "lowest_law": min(means), "highest_law": max(means), "N": N}


def without_replacement(seeds: Sequence[int]) -> Experiment:
    """Who is drawn how often: minibatches of the pipeline, with and without replacement, beside (1 − 1/N)^N."""
    N, num_epochs = problems.load("digits").num_examples, 5
    most_in_minibatch, missed, replaced = [], [], []
    for seed in seeds:
        for way in ("reshuffle", "with_replacement"):
            epochs = trials.epoch_orders(N, num_epochs, sampling=way, seed=seed)
            shares = visit_counts.missed_shares(epochs, N)
            for epoch, share in enumerate(shares, 1):
                yield Point(series=way, x=epoch, y=share, seed=seed)
            if way == "reshuffle":
                missed.append(shares[0])
                drawn = [rows for epoch in epochs for rows in noise_law.cut_order(epoch, SMALL_K)]
                most_in_minibatch.append(max(np.bincount(rows).max() for rows in drawn))
            else:
                replaced.append(shares[0])
    return {
        "most_in_minibatch": most_in_minibatch,
        "missed": missed,
        "missed_replaced": float(np.mean(replaced)),
        "expected": visit_counts.expected_missed_share(N),
    }


def used_up(seeds: Sequence[int]) -> Experiment:
    """Samples that wait while others are drawn again; and how often Keras's own `fit` visits each sample.

    The model that is fitted has one weight for each sample, from which each visit takes 1: its weights are the visits.
    """
    N = problems.load("digits").num_examples
    places = np.unique(np.linspace(0, N, NUM_PLACES).astype(int))
    repeats: list[int] = []
    replaced: list[int] = []
    most, least = [], []
    for seed in seeds:
        for way in ("reshuffle", "with_replacement"):
            (epoch,) = trials.epoch_orders(N, 1, sampling=way, seed=seed)
            again = N - len(np.unique(epoch))  # draws of a sample that was used, while as many others wait
            (repeats if way == "reshuffle" else replaced).append(again)
            for place in places:
                yield Point(series=way, x=place / N, y=1 - len(np.unique(epoch[:place])) / N, seed=seed)
        visits = _keras_visits(N, SMALL_K)
        most.append(visits.max())
        least.append(visits.min())
    return {
        "repeats": repeats,
        "most": most,
        "least": least,
        "repeats_replaced": float(np.mean(replaced)),
    }


def new_order(seeds: Sequence[int]) -> Experiment:
    """Orders of successive epochs: whether each is a permutation, and how much one has of the one before."""
    N, num_epochs = problems.load("digits").num_examples, 4
    broken, same, correlations = 0, [], []
    for seed in seeds:
        for way in ("reshuffle", "shuffle_once"):
            epochs = trials.epoch_orders(N, num_epochs, sampling=way, seed=seed)
            places = np.argsort(epochs, axis=1)  # where each sample stands
            for before, after in zip(range(num_epochs - 1), range(1, num_epochs), strict=True):
                correlation = float(np.corrcoef(places[before], places[after])[0, 1])
                yield Point(series=way, x=correlation, seed=seed)
                if way == "reshuffle":
                    correlations.append(abs(correlation))
                    same.append(visit_counts.same_places(epochs[before], epochs[after]) / N)
            if way == "reshuffle":
                broken += sum(not np.array_equal(np.sort(epoch), np.arange(N)) for epoch in epochs)
    return {"broken": broken, "same": float(np.mean(same)), "correlation": correlations}


# Counting


def iterations(seeds: Sequence[int]) -> Experiment:
    """Minibatches that the pipeline really yields, and steps that Keras's own `fit` makes, beside ⌈N/k⌉ × epochs."""
    wrong = wrong_keras = checked = 0
    for seed in seeds:
        random = np.random.default_rng(seed)
        for _ in range(12):
            N = int(np.exp(random.uniform(0, np.log(3_000))))
            k = int(random.integers(1, N + 1)) if random.random() < 0.3 else min(N, int(2 ** random.uniform(0, 9)))
            sizes = [len(rows) for rows in pipeline.order(N, k, seed=seed)]
            expected = counting.iterations_per_epoch(N, k)
            wrong += len(sizes) != expected or sum(sizes) != N
            checked += 1
            yield Point(series="yielded", x=expected, y=len(sizes), seed=seed)
        steps = _keras_steps(N, k, num_epochs=2)
        wrong_keras += steps != counting.num_updates(N, k, 2)
    return {"wrong": wrong, "wrong_keras": wrong_keras, "checked": checked}


def more_updates(seeds: Sequence[int]) -> Experiment:
    """Updates that runs of as many epochs make, from k = N down to k = 4."""
    digits, epochs = problems.load("digits"), 3
    N = digits.num_examples
    sizes = (N, 256, 32, 4)
    steps, seen, least = [], [], math.inf
    for seed in seeds:
        made = []
        for k in sizes:
            record, _ = _end(digits, TrainConfig(batch_size=k, learning_rate=0.05, seed=seed), MLP, epochs=epochs)
            made.append(record.update)
            seen.append(abs(record.examples / N - epochs))
            yield Point(series="updates", x=k, y=record.update, seed=seed)
        steps += [after / before for before, after in itertools.pairwise(made)]
        least = min(least, made[-1] / made[0])
    return {"step": steps, "unequal": seen, "times": least}


def double_loop(seeds: Sequence[int]) -> Experiment:
    """The double loop in plain Keras, the engine of the lab and Keras's own `fit`: their weights at the end."""
    digits, epochs, rate = problems.load("digits", num_examples=320), 2, 0.3
    engine, fitted = [], []
    for seed in seeds:
        network = models.build(digits, MLP, seed=seed)
        loss = losses.mean_loss(network, digits)
        drawn = pipeline.minibatches(digits, SMALL_K, seed=seed)
        for _ in lesson.double_loop(network, drawn, loss, rate, epochs):
            pass
        plain = get_weights(network)
        config = TrainConfig(batch_size=SMALL_K, learning_rate=rate, seed=seed)
        engine.append(_difference(_end(digits, config, MLP, epochs=epochs)[1], plain))
        network = models.build(digits, MLP, seed=seed)
        network.compile(
            optimizer=keras.optimizers.SGD(rate), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
        drawn = pipeline.minibatches(digits, SMALL_K, seed=seed)
        network.fit(drawn, epochs=epochs, shuffle=False, verbose=0)
        fitted.append(_difference(get_weights(network), plain))
        yield Point(series="engine", x=max(engine[-1], 1e-10), seed=seed)
        yield Point(series="fit", x=max(fitted[-1], 1e-10), seed=seed)
    return {"engine": engine, "fit": fitted}


# Training


def efficient(seeds: Sequence[int]) -> Experiment:
    """Seconds of training to the target loss of the race: those of GD as a multiple of those of SGD.

    Seconds are the updates to the target, which no clock changes, times the seconds of an update. The latter are the
    best of several turns of k = N and k = 32 one after the other: other work on the machine can only slow a turn down.
    They are measured anew in each of three rounds; each seed gives a ratio for each round, and all must agree.
    """
    numbers: Numbers = {}
    for name, model in (("digits", MLP), ("teacher", MLP), ("breast_cancer", LINEAR), ("diabetes", LINEAR)):
        problem, target = problems.load(name), tuned_rates.target_loss(name, model.kind)
        assert target is not None, name
        sizes = (problem.num_examples, SMALL_K)
        updates: dict[tuple[int, int], timing.Updates] = {}
        for k, seed in itertools.product(sizes, seeds):
            updates[k, seed] = yield from timing.updates_to(problem, _tuned(problem, model, k, seed), model, target)
        rounds = []
        with contextlib.ExitStack() as stack:
            runs = {k: Run(problem, _tuned(problem, model, k, seeds[0]), model=model) for k in sizes}
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


def k_matters(seeds: Sequence[int]) -> Experiment:
    """Training loss after as many epochs for several k, at one learning rate and at tuned ones.

    How far the k of a seed lie apart, as a multiple of how far the seeds of one k lie apart at most; both as a factor
    between the largest and the smallest loss.
    """
    digits, epochs = problems.load("digits"), 10
    sizes = (8, 32, 128, 512, digits.num_examples)
    numbers: Numbers = {}
    for series in ("one", "tuned"):
        losses: dict[int, list[float]] = {}
        for k in sizes:
            for rate in (0.1,) if series == "one" else _rates(digits, MLP, k):
                configs = [TrainConfig(batch_size=k, learning_rate=rate, seed=seed) for seed in seeds]
                values = [_loss(_end(digits, config, MLP, epochs=epochs)[0]) for config in configs]
                yield None
                if k not in losses or _price(values) < _price(losses[k]):
                    losses[k] = values
            for seed, loss in zip(seeds, losses[k], strict=True):
                yield Point(series=series, x=k, y=loss, seed=seed)
        table = np.array([losses[k] for k in sizes])  # (sizes, seeds), NaN where a run diverged
        across_seeds = float((table.max(axis=1) / table.min(axis=1)).max())
        medians = np.median(table, axis=1)
        numbers[f"{series}_ratio"] = (table.max(axis=0) / table.min(axis=0) / across_seeds).tolist()
        numbers[f"{series}_sizes"] = float(medians.max() / medians.min())
    return numbers


def practical(seeds: Sequence[int]) -> Experiment:
    """A sweep on 16,384 samples: 256 or 512 beside the best k, and the largest k beyond 4,000 beside 256 or 512.

    Test losses after as many epochs and after as many seconds, at one learning rate and at the best for each k.
    """
    sizes = (32, 256, 512, 4_096, 16_384)
    plan = plans.SweepPlan(
        problem="teacher",
        num_examples=sizes[-1],
        model=MLP,
        batch_sizes=sizes,
        learning_rates=(0.1, 0.5, 2.0),
        num_seeds=len(seeds),
        target=0.5,
        epochs=5,
        seconds=0.2,
        max_seconds=0.4,
    )
    rows: list[plans.Row] = []
    for row in plans.sweep(problems.load("teacher", num_examples=sizes[-1]), plan):
        rows = [*rows, row]
        yield None
    table = analysis.to_table(rows)
    numbers: Numbers = {}
    for budget in ("epochs", "seconds"):
        measure = f"test_loss_after_{budget}"
        shared = analysis.at_rates(table, analysis.shared_rate(table))
        for rates, chosen in (("one", shared), ("tuned", analysis.tuned(table, measure))):
            kept = chosen.assign(loss=chosen[measure].mask(chosen["diverged_at"].notna(), math.inf))
            losses = kept.pivot(index="seed", columns="batch_size", values="loss").reindex(index=seeds)
            name = f"{budget}_{rates}"
            for k in sizes:
                for seed, loss in losses[k].items():
                    yield Point(series=name, x=k, y=loss, seed=int(seed))
            medians = losses.fillna(math.inf).median()
            usual, best = medians[[256, 512]].idxmin(), medians.idxmin()
            is_known = losses.notna().all(axis=None)  # a run that did not come so far might have been the best
            ratios = {
                f"usual_{name}": losses[usual] / losses[best] if is_known else losses[usual] * math.nan,
                f"large_{name}": losses[sizes[-1]] / losses[usual],
            }
            numbers |= {key: ratio.where(np.isfinite(ratio)).to_list() for key, ratio in ratios.items()}
    return numbers


def many_devices(seeds: Sequence[int]) -> Experiment:
    """One minibatch over two devices and on one, in a process of their own, beside the lab's own loop.

    What one device must hold is what `memory.predict` says of its part of the minibatch.
    """
    num_devices, digits = 2, problems.load("digits")
    plan = replicas.ParallelPlan(problem="digits", model=MLP, batch_size=256, num_updates=12, learning_rate=0.5)
    differences, parts = [], []
    weights: dict[int, Array] = {}
    for row in replicas.over_devices(plan, [1, num_devices], seeds=seeds):
        if "update" not in row:
            yield None
            continue
        count, seed = row["replicas"], row["seed"]
        yield Point(series="alone" if count == 1 else "two", x=row["update"], y=row["loss"], seed=seed)
        if count > 1 and row["update"] == 1:
            parts.append(max(len(row.get(f"indices_{r}", ())) for r in range(count)) / plan.batch_size)
        if "weights" in row:
            weights[count] = np.array(row["weights"])
        if "weights" in row and count > 1:
            config = TrainConfig(batch_size=plan.batch_size, learning_rate=plan.learning_rate, seed=seed)
            others = (weights[1], _end(digits, config, MLP, updates=plan.num_updates)[1])
            differences.append(max(_difference(weights[count], other) for other in others))
    sizes = prediction.layers(MLP, num_features=digits.num_features, num_outputs=digits.num_classes or 1)
    held = [
        prediction.predict(
            sizes,
            TrainConfig(batch_size=k),
            num_examples=digits.num_examples,
            num_features=digits.num_features,
        ).total
        for k in (round(max(parts) * plan.batch_size), plan.batch_size)
    ]
    return {"difference": differences, "part": parts, "memory": held[0] / held[1]}


# Claims of other texts


def stability(seeds: Sequence[int]) -> Experiment:
    """Gradient descent 1 % above 2/λmax, on a least-squares problem and on a network: growth, and plateau before it.

    λmax is that of the Hessian at the initial weights. A plateau is a stretch of updates whose losses lie within 10 %
    of each other; the longest one counts that ends before the loss has risen above its start.
    """
    factor, num_updates, limit = 1.01, 400, 1e4
    numbers: Numbers = {}
    for series, name, model in (("squares", "diabetes", LINEAR), ("network", "digits", MLP)):
        problem = problems.load(name)
        growths, plateaus = [], []
        for seed in seeds:
            gradients = gradient_noise.Gradients(problem, models.build(problem, model, seed=seed))
            found = curvature.largest_eigenvalue(gradients.hessian_product, gradients.num_parameters, seed=seed)
            losses: list[tuple[int, float]] = []
            descent: Any = curvature.descend(
                problem, factor * found.max_learning_rate, name="", model=model, num_updates=num_updates, seed=seed
            )
            with contextlib.closing(descent):
                for record, _weights in descent:
                    loss = record.train_loss if math.isfinite(record.train_loss) else math.inf
                    losses.append((record.update, min(loss, limit * (losses[0][1] if losses else math.inf))))
                    if loss >= limit * losses[0][1]:
                        break
            updates, values = np.array(losses).T
            growths.append(values[-1] / values[0])
            plateaus.append(longest_plateau(updates, values))
            for update, value in zip(updates[::5], values[::5], strict=True):
                yield Point(series=series, x=update, y=value / values[0], seed=seed)
        numbers |= {f"growth_{series}": growths, f"plateau_{series}": plateaus}
    return numbers


def longest_plateau(updates: Array, losses: Array, *, width: float = 0.1) -> float:
    """Updates of the longest stretch whose losses lie within 10 % of each other, before the loss exceeds its start.

    A run whose loss never exceeds its start has none: it comes to rest.

    Args:
        updates: (n,) at which the losses were measured, rising.
        losses: (n,) of a run.
        width: largest loss of a stretch over its smallest one, less 1.

    >>> longest_plateau(np.array([0, 1, 2, 3, 4, 5]), np.array([8.0, 2.0, 1.01, 1.0, 1.02, 9.0]))
    2.0
    >>> longest_plateau(np.array([0, 1, 2, 3]), np.array([8.0, 2.0, 2.0, 2.0]))
    0.0
    """
    above = np.nonzero(losses[1:] > losses[0])[0]
    if not len(above):
        return 0.0
    best = 0.0
    end = int(above[0]) + 1
    for first in range(end):
        low = high = losses[first]
        for last in range(first, end):
            low, high = min(low, losses[last]), max(high, losses[last])
            if high > (1 + width) * low:
                break
            best = max(best, float(updates[last] - updates[first]))
    return best


def linear_scaling(seeds: Sequence[int]) -> Experiment:
    """Training loss after as many epochs when the learning rate grows in proportion to k, from k = 8 on."""
    digits, epochs, base, rate = problems.load("digits"), 10, 8, 0.05
    sizes = {"small": 4 * base, "medium": 16 * base, "large": 64 * base}
    ratios: dict[str, list[float]] = {name: [] for name in sizes}
    for seed in seeds:
        losses = {}
        for series in ("scaled", "fixed"):
            for k in (base, *sizes.values()):
                scaled = rate * k / base if series == "scaled" else rate
                config = TrainConfig(batch_size=k, learning_rate=scaled, seed=seed)
                losses[series, k] = _loss(_end(digits, config, MLP, epochs=epochs)[0])
                yield Point(series=series, x=k, y=losses[series, k], seed=seed)
        for name, k in sizes.items():
            ratio = losses["scaled", k] / losses["scaled", base]
            ratios[name].append(max(ratio, 1 / ratio))
    return dict(ratios)


def shuffle_buffer(seeds: Sequence[int]) -> Experiment:
    """A shuffle buffer of 1,000 on 1,500 rows that are sorted by class: where the rows come out, and how it trains."""
    N, buffer_size, epochs = 1_500, 1_000, 10
    problem = problems.load("teacher", num_examples=N)
    correlations, last_class = [], []
    ordered = trials.sorted_by_class(problem)
    for seed in seeds:
        orders = {
            way: trials.epoch_orders(N, 1, sampling=way, buffer_size=buffer_size, seed=seed)[0]
            for way in ("buffer", "reshuffle")
        }
        for way, order in orders.items():
            for place, share in _late_shares(order, buffer_size):
                yield Point(series=way, x=place, y=share, seed=seed)
        places = np.argsort(orders["buffer"])
        correlations.append(float(np.corrcoef(np.arange(N), places)[0, 1]))
        labels = ordered.y_train[orders["buffer"][: N // 5]]
        last_class.append(float((labels == labels.max()).mean()) if len(labels) else 0.0)
    rows = trials.sorted_runs(
        problem,
        batch_size=SMALL_K,
        learning_rate=0.2,
        buffer_size=buffer_size,
        num_epochs=epochs,
        records_per_epoch=4,
        seeds=seeds,
    )
    accuracies: dict[tuple[Sampling, int], list[float]] = {}
    for row in rows:
        yield None
        if row.epoch > epochs - 2:
            accuracy = row.test_accuracy if math.isfinite(row.train_loss) else math.nan
            accuracies.setdefault((row.sampling, row.seed), []).append(accuracy)
    means = {key: float(np.mean(values)) for key, values in accuracies.items()}
    lost = [means.get(("reshuffle", seed), math.nan) - means.get(("buffer", seed), math.nan) for seed in seeds]
    return {"correlation": correlations, "lost": lost, "late": float(np.mean(last_class))}


def generalisation(seeds: Sequence[int]) -> Experiment:
    """Test accuracy of k = 32 less that of k = N: after as many epochs, and at the same training loss.

    At one learning rate, and at the better of two for each k by the median of its accuracies. A run may make 3,000
    updates to the training loss.
    """
    digits, epochs, target = problems.load("digits"), 20, 0.05
    N = digits.num_examples
    numbers: Numbers = {}
    for name in ("one_epochs", "tuned_epochs", "tuned_target"):
        accuracies: dict[int, list[float]] = {}
        for k in (SMALL_K, N):
            for rate in (0.1,) if name == "one_epochs" else _rates(digits, MLP, k):
                configs = [TrainConfig(batch_size=k, learning_rate=rate, seed=seed) for seed in seeds]
                if name == "tuned_target":
                    values = [_accuracy_at(digits, config, MLP, target) for config in configs]
                else:
                    values = [_accuracy(_end(digits, config, MLP, epochs=epochs)[0]) for config in configs]
                yield None
                if k not in accuracies or _price(values, sign=-1) < _price(accuracies[k], sign=-1):
                    accuracies[k] = values
        lost = [small - full for small, full in zip(accuracies[SMALL_K], accuracies[N], strict=True)]
        for seed, points in zip(seeds, lost, strict=True):
            yield Point(series=name, x=points, seed=seed)
        numbers[name] = lost
    return numbers


# What several of them need


def _rates(problem: Problem, model: ModelConfig, batch_size: int) -> tuple[float, float]:
    """Learning rates to choose from: the one that a search found for this k, and a third of it, which is safer."""
    rate = _tuned(problem, model, batch_size, 0).learning_rate
    return rate / 3, rate


def _tuned(problem: Problem, model: ModelConfig, batch_size: int, seed: int) -> TrainConfig:
    """This k with the learning rate that a search found for it."""
    rate = tuned_rates.tuned_learning_rate(problem.name, model.kind, batch_size, problem.num_examples)
    assert rate is not None, problem.name
    return TrainConfig(batch_size=batch_size, learning_rate=rate, seed=seed)


def _end(
    problem: Problem, config: TrainConfig, model: ModelConfig, *, epochs: int | None = None, updates: int | None = None
) -> tuple[Progress, Array]:
    """The record at the end of a run, and its (P,) weights."""
    k: BatchSize = config.batch_size
    num = updates if updates is not None else counting.num_updates(problem.num_examples, k, epochs or 0)
    with Run(problem, config, model=model) as run:
        run.advance(update=num)
        return run.record(), get_weights(run.model)


def _accuracy_at(problem: Problem, config: TrainConfig, model: ModelConfig, target: float) -> float:
    """Test accuracy at the first record whose training loss is at the target; NaN if 3,000 updates do not reach it."""
    with Run(problem, config, model=model) as run:
        step = 4 if run.batch_size < problem.num_examples else 8
        while not run.is_over and run.update < MAX_UPDATES:
            run.advance(update=run.update + step)
            record = run.record()
            if record.train_loss <= target:
                return _accuracy(record)
    return math.nan


def _loss(record: Progress) -> float:
    """Training loss; NaN of a run that has diverged."""
    return record.train_loss if record.diverged_at is None and record.is_finite else math.nan


def _accuracy(record: Progress) -> float:
    """Test accuracy; NaN of a run that has diverged."""
    return record.test_accuracy if record.test_accuracy is not None and math.isfinite(_loss(record)) else math.nan


def _price(values: Sequence[float], *, sign: int = 1) -> tuple[int, float]:
    """What chooses between learning rates or batch sizes: fewest runs without a number, then the lowest median.

    >>> _price([3.0, math.nan, 1.0]), _price([0.9, 0.8, 0.7], sign=-1)
    ((1, 2.0), (0, -0.8))
    """
    known = [sign * value for value in values if math.isfinite(value)]
    return len(values) - len(known), float(np.median(known)) if known else math.inf


def _keras_visits(num_examples: int, batch_size: int) -> Array:
    """How often Keras's own `fit` shows each of the samples to a model in one epoch, in an order of its own."""
    table = keras.layers.Embedding(num_examples, 1, embeddings_initializer="zeros")
    model = keras.Sequential([keras.Input((), dtype="int32"), table])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=lambda _, visits: keras.ops.sum(visits))
    indices = np.arange(num_examples, dtype=np.int32)
    model.fit(indices, np.zeros(num_examples, np.float32), batch_size=batch_size, epochs=1, verbose=0)
    return -np.asarray(table.get_weights()[0])[:, 0]


def _keras_steps(num_examples: int, batch_size: int, *, num_epochs: int) -> int:
    """Parameter updates that Keras's own `fit` makes."""
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    x = np.zeros((num_examples, 1), np.float32)
    model.fit(x, x, batch_size=batch_size, epochs=num_epochs, verbose=0)
    return int(model.optimizer.iterations)


def _late_shares(order: Array, buffer_size: int) -> Iterable[tuple[float, float]]:
    """Share of the rows from number `buffer_size` on among each tenth of what is drawn, by the middle of that tenth."""
    parts = np.array_split(np.asarray(order), 10)
    return [((i + 0.5) / 10, float((part >= buffer_size).mean())) for i, part in enumerate(parts)]


def _difference(one: Array, other: Array) -> float:
    """The largest difference between two weights."""
    return float(np.abs(np.asarray(one, np.float64) - np.asarray(other, np.float64)).max())


EXPERIMENTS: dict[str, Callable[[Sequence[int]], Experiment]] = {
    experiment.__name__: experiment
    for experiment in (
        full_pass,
        accumulation,
        slow_updates,
        minibatch_gradient,
        without_replacement,
        used_up,
        new_order,
        iterations,
        more_updates,
        double_loop,
        efficient,
        k_matters,
        practical,
        many_devices,
        stability,
        linear_scaling,
        shuffle_buffer,
        generalisation,
    )
}
