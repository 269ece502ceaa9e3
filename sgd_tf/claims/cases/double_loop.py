"""What the double loop is: one update from a full pass, each sample once, ⌈N/k⌉ iterations, two loops."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from sgd_tf import problems
from sgd_tf.claims.claim import GD, REPLACED, RESHUFFLED, SAME_WEIGHTS, Claim, Experiment, Picture, Point, Series
from sgd_tf.claims.contestants import MLP, SMALL_K, difference, end
from sgd_tf.claims.measures import Measure
from sgd_tf.training import counting
from sgd_tf.training.records import TrainConfig
from sgd_tf.words import N_

Array: TypeAlias = "np.ndarray[Any, Any]"
NUM_PLACES = 24  # of a curve


def full_pass(seeds: Sequence[int]) -> Experiment:
    """One update of gradient descent beside w − γ (1/N) Σᵢ ∇lossᵢ, whose gradients are taken one by one.

    The speeds are the best of all seeds: weights do not change them, and other work can only slow one down.
    """
    from sgd_tf.claims import timing
    from sgd_tf.noise.gradients import Gradients
    from sgd_tf.training import models
    from sgd_tf.training.run import Run
    from sgd_tf.training.vectors import get_weights

    digits = problems.load("digits")
    N, rate = digits.num_examples, 0.5
    passed, differences, speeds = [], [], []
    for seed in seeds:
        gradients = Gradients(digits, models.build(digits, MLP, seed=seed))
        mean = sum(gradients.of_each(rows).sum(axis=0, dtype=np.float64) for rows in gradients.chunks()) / N
        by_hand = get_weights(gradients.model) - rate * mean
        with contextlib.ExitStack() as stack:
            runs = {}
            for k, tuned in ((N, rate), (1, 0.05)):
                run = Run(digits, TrainConfig(batch_size=k, learning_rate=tuned, seed=seed), model=MLP)
                runs[k] = stack.enter_context(contextlib.closing(run))
                run.advance(update=1)
            passed.append(runs[N].examples / N)
            differences.append(difference(get_weights(runs[N].model), by_hand))
            speeds.append({k: k / seconds for k, seconds in timing.seconds_per_update(runs).items()})
        for k, name in ((N, "gd"), (1, "one")):
            yield Point(series=name, x=speeds[-1][k], seed=seed)
    best = {k: max(speed[k] for speed in speeds) for k in (N, 1)}
    return {"passes": passed, "speedup": best[N] / best[1], "difference": differences}


FULL_PASS = Claim(
    key="full_pass",
    run=full_pass,
    group="chapter",
    sentence=N_(
        "Gradient descent passes all N samples through the model in parallel, averages their losses and "
        "makes one update."
    ),
    experiment=N_(
        "1,437 digits: one update with k = N, compared with the mean of 1,437 gradients computed one by one."
    ),
    measures=(
        Measure(name="passes", title=N_("Samples used before the update ÷ N"), at_least=1, at_most=1),
        Measure(name="difference", title=SAME_WEIGHTS, form=".1e", at_most=1e-5),
        Measure(name="speedup", title=N_("Samples per second: in parallel ÷ one by one"), at_least=2),
    ),
    picture=Picture(
        kind="dots",
        title=N_("In parallel or one by one"),
        x=N_("Samples per second"),
        series={"gd": GD, "one": Series(title=N_("k = 1"), batch_size=1)},
        log_x=True,
    ),
    page="learn/what_is_sgd",
    seconds=14,
)


def used_up(seeds: Sequence[int]) -> Experiment:
    """Samples that wait while others are drawn again; and how often Keras's own `fit` visits each sample.

    The model that is fitted has one weight for each sample, from which each visit takes 1: its weights are the visits.
    """
    from sgd_tf.sampling import trials

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


USED_UP = Claim(
    key="used_up",
    run=used_up,
    group="chapter",
    sentence=N_("A used sample is not drawn again until all others have been used."),
    experiment=N_(
        "The order of one epoch, draw by draw; and one epoch of Keras fit with a model that counts the "
        "uses of each sample."
    ),
    measures=(
        Measure(
            name="repeats", title=N_("Repeated draws while unused samples are left"), form=".0f", at_least=0, at_most=0
        ),
        Measure(
            name="most",
            title=N_("Keras fit, one epoch: uses of the most used sample"),
            form=".0f",
            at_least=1,
            at_most=1,
        ),
        Measure(
            name="least",
            title=N_("Keras fit, one epoch: uses of the least used sample"),
            form=".0f",
            at_least=1,
            at_most=1,
        ),
        Measure(
            name="repeats_replaced",
            title=N_("Repeated draws with replacement (mean over seeds)"),
            form=".0f",
        ),
    ),
    picture=Picture(
        kind="lines",
        title=N_("Samples not yet used"),
        x=N_("Part of the epoch"),
        y=N_("Share of the samples"),
        series={"with_replacement": REPLACED, "reshuffle": RESHUFFLED},
        percent=True,
    ),
    page="learn/what_is_sgd",
    seconds=1.5,
)


def iterations(seeds: Sequence[int]) -> Experiment:
    """Minibatches that the pipeline really yields, and steps that Keras's own `fit` makes, beside ⌈N/k⌉ × epochs."""
    from sgd_tf.training import pipeline

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


ITERATIONS = Claim(
    key="iterations",
    run=iterations,
    group="chapter",
    sentence=N_("An epoch has ⌈N/k⌉ iterations, and a run ⌈N/k⌉ × epochs."),
    experiment=N_(
        "Random N up to 3,000 and k up to N: count the minibatches of the pipeline and the updates of Keras fit."
    ),
    measures=(
        Measure(
            name="wrong",
            title=N_("Pairs (N, k) for which the pipeline differs from the formula"),
            form=".0f",
            at_most=0,
        ),
        Measure(
            name="wrong_keras",
            title=N_("Runs in which Keras fit differs from the formula"),
            form=".0f",
            at_least=0,
            at_most=0,
        ),
        Measure(name="checked", title=N_("Pairs (N, k) tested"), form=".0f"),
    ),
    picture=Picture(
        kind="lines",
        title=N_("Iterations per epoch"),
        x=N_("Formula ⌈N/k⌉"),
        y=N_("Minibatches counted"),
        series={"yielded": Series(title=N_("counted"))},
        log_x=True,
        log_y=True,
    ),
    page="learn/what_is_sgd",
    seconds=3,
)


def double_loop(seeds: Sequence[int]) -> Experiment:
    """The double loop in plain Keras, the engine of the lab and Keras's own `fit`: their weights at the end."""
    import keras

    from sgd_tf.double_loop import lesson
    from sgd_tf.training import losses, models, pipeline
    from sgd_tf.training.vectors import get_weights

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
        engine.append(difference(end(digits, config, MLP, epochs=epochs)[1], plain))
        network = models.build(digits, MLP, seed=seed)
        network.compile(
            optimizer=keras.optimizers.SGD(rate), loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        )
        drawn = pipeline.minibatches(digits, SMALL_K, seed=seed)
        network.fit(drawn, epochs=epochs, shuffle=False, verbose=0)
        fitted.append(difference(get_weights(network), plain))
        yield Point(series="engine", x=max(engine[-1], 1e-10), seed=seed)
        yield Point(series="fit", x=max(fitted[-1], 1e-10), seed=seed)
    return {"engine": engine, "fit": fitted}


DOUBLE_LOOP = Claim(
    key="double_loop",
    run=double_loop,
    group="chapter",
    sentence=N_("The program is a double loop: epochs outside, iterations inside."),
    experiment=N_(
        "The double loop in ten lines of Keras, the compiled engine of this lab, and Keras fit: weights "
        "after 20 updates."
    ),
    measures=(
        Measure(name="engine", title=N_("Largest weight difference: engine of the lab"), form=".1e", at_most=1e-5),
        Measure(name="fit", title=N_("Largest weight difference: Keras fit"), form=".1e", at_most=1e-5),
    ),
    picture=Picture(
        kind="dots",
        title=N_("Difference from the double loop"),
        x=N_("Largest weight difference"),
        series={"engine": Series(title=N_("engine of the lab")), "fit": Series(title=N_("Keras fit"))},
        log_x=True,
        bound="engine",
    ),
    page="learn/what_is_sgd",
    seconds=3,
)


def _keras_visits(num_examples: int, batch_size: int) -> Array:
    """How often Keras's own `fit` shows each of the samples to a model in one epoch, in an order of its own."""
    import keras

    table = keras.layers.Embedding(num_examples, 1, embeddings_initializer="zeros")
    model = keras.Sequential([keras.Input((), dtype="int32"), table])
    model.compile(optimizer=keras.optimizers.SGD(1.0), loss=lambda _, visits: keras.ops.sum(visits))
    indices = np.arange(num_examples, dtype=np.int32)
    model.fit(indices, np.zeros(num_examples, np.float32), batch_size=batch_size, epochs=1, verbose=0)
    return -np.asarray(table.get_weights()[0])[:, 0]


def _keras_steps(num_examples: int, batch_size: int, *, num_epochs: int) -> int:
    """Parameter updates that Keras's own `fit` makes."""
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(optimizer=keras.optimizers.SGD(0.0), loss="mse")
    x = np.zeros((num_examples, 1), np.float32)
    model.fit(x, x, batch_size=batch_size, epochs=num_epochs, verbose=0)
    return int(model.optimizer.iterations)
