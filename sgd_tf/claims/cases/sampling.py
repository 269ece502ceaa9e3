"""How the samples are drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np

from sgd_tf import problems
from sgd_tf.claims.claim import REPLACED, RESHUFFLED, Claim, Experiment, Picture, Point, Series
from sgd_tf.claims.contestants import SMALL_K
from sgd_tf.claims.measures import Measure
from sgd_tf.noise import noise_law
from sgd_tf.sampling import visit_counts
from sgd_tf.training.records import Sampling
from sgd_tf.words import N_

Array: TypeAlias = "np.ndarray[Any, Any]"


def without_replacement(seeds: Sequence[int]) -> Experiment:
    """Who is drawn how often: minibatches of the pipeline, with and without replacement, beside (1 − 1/N)^N."""
    from sgd_tf.sampling import trials

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


WITHOUT_REPLACEMENT = Claim(
    key="without_replacement",
    run=without_replacement,
    group="chapter",
    sentence=N_("The k samples of a minibatch are drawn without replacement."),
    experiment=N_(
        "The tf.data pipeline for 1,437 samples: how often each sample comes, against sampling with replacement."
    ),
    measures=(
        Measure(
            name="most_in_minibatch",
            title=N_("Largest count of one sample in a minibatch"),
            form=".0f",
            at_least=1,
            at_most=1,
        ),
        Measure(
            name="missed", title=N_("Fraction of samples never drawn in an epoch"), form=".1%", at_least=0, at_most=0
        ),
        Measure(name="missed_replaced", title=N_("The same with replacement (mean over seeds)"), form=".1%"),
        Measure(name="expected", title=N_("Expected with replacement: (1 − 1/N)^N"), form=".1%"),
    ),
    picture=Picture(
        kind="lines",
        title=N_("Samples never drawn"),
        x=N_("Epochs"),
        y=N_("Share of the samples"),
        series={"with_replacement": REPLACED, "reshuffle": RESHUFFLED},
        percent=True,
    ),
    page="learn/sampling",
    seconds=1,
)


def new_order(seeds: Sequence[int]) -> Experiment:
    """Orders of successive epochs: whether each is a permutation, and how much one has of the one before."""
    from sgd_tf.sampling import trials

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


NEW_ORDER = Claim(
    key="new_order",
    run=new_order,
    group="chapter",
    sentence=N_("When all samples are used up, all are available again, and a new order is drawn."),
    experiment=N_(
        "Orders of four epochs: does each contain every sample once, and does one order say anything about the next?"
    ),
    measures=(
        Measure(
            name="broken", title=N_("Epochs that do not contain every sample once"), form=".0f", at_least=0, at_most=0
        ),
        Measure(
            name="correlation",
            title=N_("Correlation of the positions in two successive epochs (absolute value)"),
            at_most=0.1,
        ),
        Measure(
            name="same",
            title=N_("Fraction of samples at the same position as in the previous epoch (mean; chance: 1/N)"),
            form=".2%",
            at_most=0.01,
        ),
    ),
    picture=Picture(
        kind="dots",
        title=N_("Positions in one epoch and the next"),
        x=N_("Correlation"),
        series={"reshuffle": RESHUFFLED, "shuffle_once": Series(title=N_("one order for all"))},
    ),
    page="learn/sampling",
    seconds=1,
)


def shuffle_buffer(seeds: Sequence[int]) -> Experiment:
    """A shuffle buffer of 1,000 on 1,500 rows that are sorted by class: where the rows come out, and how it trains."""
    from sgd_tf.sampling import trials

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


SHUFFLE_BUFFER = Claim(
    key="shuffle_buffer",
    run=shuffle_buffer,
    group="elsewhere",
    sentence=N_("A shuffle buffer of 1,000 shuffles 1,500 sorted rows well enough."),
    experiment=N_(
        "1,500 samples sorted by class (three classes): where in an epoch a row comes out, and test "
        "accuracy after 10 epochs."
    ),
    measures=(
        Measure(name="correlation", title=N_("Correlation of the positions before and after shuffling"), at_most=0.1),
        Measure(name="lost", title=N_("Test accuracy: new order each epoch minus buffer"), form=".1%", at_most=0.01),
        Measure(
            name="late",
            title=N_("Fraction of the last class in the first fifth of an epoch (mean; fair: a third)"),
            form=".1%",
        ),
    ),
    depends_on=N_("what you look at: the order or the training"),
    picture=Picture(
        kind="lines",
        title=N_("Rows from number 1,000 on"),
        x=N_("Part of the epoch"),
        y=N_("Fraction of the rows drawn"),
        series={"buffer": Series(title=N_("buffer of 1,000")), "reshuffle": RESHUFFLED},
        percent=True,
    ),
    page="learn/sampling",
    address={"sampling_part": "sorted"},
    seconds=4,
)


def _late_shares(order: Array, buffer_size: int) -> Iterable[tuple[float, float]]:
    """Share of the rows from number `buffer_size` on among each tenth of what is drawn, by the middle of that tenth."""
    parts = np.array_split(np.asarray(order), 10)
    return [((i + 0.5) / 10, float((part >= buffer_size).mean())) for i, part in enumerate(parts)]
