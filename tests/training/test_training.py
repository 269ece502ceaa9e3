"""The engine against hand arithmetic, closed forms, and `model.fit`."""

import dataclasses
import math
from itertools import pairwise

import keras
import numpy as np
import pytest
import tensorflow as tf

from sgd_tf.training import compiled, counting, history, models, pipeline, pool
from sgd_tf.training.compilers import Speed
from sgd_tf.training.records import SAMPLINGS, ModelConfig, TrainConfig
from sgd_tf.training.run import Run, train


def zeros(problem, *, seed):
    """A linear model whose weights all start at zero, so that one update can be computed by hand."""
    model = models.linear(problem, seed=seed)
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    return model


def last(records):
    *_, record = records
    return record


def weights_after(problem, config, *, model=None, **budget):
    run = Run(problem, config, model=model)
    updates = budget["updates"]
    run.advance(update=updates)
    return run.model.get_weights(), run


def test_one_update_of_a_linear_regression_by_hand(make_problem):
    problem = make_problem["regression"](2, num_features=1)
    x, y = problem.x_train[:, 0].astype(float), problem.y_train.astype(float)
    # Loss (w x + b − y)², mean over both samples; at w = b = 0 the gradient is −2 mean(x y), −2 mean(y).
    (w, b), run = weights_after(problem, TrainConfig(batch_size="all", learning_rate=0.1), model=zeros, updates=1)
    assert w.item() == pytest.approx(0.2 * np.mean(x * y), rel=1e-6)
    assert b.item() == pytest.approx(0.2 * np.mean(y), rel=1e-6)
    assert run.record().minibatch_loss == pytest.approx([np.mean(y**2)], rel=1e-6)


def test_one_update_of_a_softmax_regression_by_hand(classification):
    N, c = classification.num_examples, classification.num_classes
    (w, b), run = weights_after(
        classification, TrainConfig(batch_size="all", learning_rate=0.5), model=zeros, updates=1
    )
    # At zero weights all classes have probability 1/c; the gradient of the logits is 1/c − [class is y].
    delta = np.full((N, c), 1 / c) - np.eye(c)[classification.y_train]
    np.testing.assert_allclose(w, -0.5 * classification.x_train.T @ delta / N, atol=1e-6)
    np.testing.assert_allclose(b, -0.5 * delta.mean(axis=0), atol=1e-6)
    assert run.record().minibatch_loss == pytest.approx([math.log(c)], rel=1e-6)


def test_the_band_of_gradient_descent_lies_on_its_line(classification):
    records = list(train(classification, TrainConfig(batch_size="all", learning_rate=0.5), updates=60))
    assert len(records) > 10
    for before, after in pairwise(records):
        # The loss before an update is that of the weights of the record before it.
        assert after.minibatch_loss[0] == pytest.approx(before.train_loss, rel=1e-5)
        values = history.row(after)
        band = [values.minibatch_loss_low, values.minibatch_loss_high]
        assert band == pytest.approx([after.train_loss] * 2, rel=1e-9)


def test_momentum_adds_the_former_step(make_problem):
    problem = make_problem["regression"](1, num_features=1)
    config = TrainConfig(batch_size="all", learning_rate=0.01, momentum=0.5)
    x, y = float(problem.x_train[0, 0]), float(problem.y_train[0])
    w = b = velocity_w = velocity_b = 0.0
    for _ in range(3):
        error = w * x + b - y
        velocity_w, velocity_b = 0.5 * velocity_w - 0.02 * error * x, 0.5 * velocity_b - 0.02 * error
        w, b = w + velocity_w, b + velocity_b
    (w_run, b_run), _ = weights_after(problem, config, model=zeros, updates=3)
    assert (w_run.item(), b_run.item()) == (pytest.approx(w, rel=1e-5), pytest.approx(b, rel=1e-5))


@pytest.mark.parametrize(
    ("task", "batch_size"), [*(("classification", k) for k in (1, 7, 64, 70)), ("regression", 16), ("regression", 70)]
)
def test_one_epoch_equals_model_fit(make_problem, task, batch_size):
    problem = make_problem[task](70)
    config = TrainConfig(batch_size=batch_size, learning_rate=0.05, sampling="in_order", seed=4)
    ours = models.mlp(problem, widths=(8,), seed=4)
    updates = counting.iterations_per_epoch(70, batch_size)
    record = last(train(problem, config, model=ours, epochs=1))

    theirs = models.mlp(problem, widths=(8,), seed=4)
    loss = (
        keras.losses.MeanSquaredError()
        if task == "regression"
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    theirs.compile(optimizer=keras.optimizers.SGD(0.05), loss=loss)
    theirs.fit(problem.x_train, problem.y_train, batch_size=batch_size, shuffle=False, epochs=1, verbose=0)
    assert record.update == updates
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)
    evaluated = theirs.evaluate(problem.x_test, problem.y_test, verbose=0)
    assert record.test_loss == pytest.approx(evaluated, rel=1e-4)


def test_three_reshuffled_epochs_equal_model_fit_on_the_pipeline(classification):
    ours, theirs = (models.mlp(classification, widths=(8,), seed=1) for _ in range(2))
    last(train(classification, TrainConfig(batch_size=16, learning_rate=0.05, seed=9), model=ours, epochs=3))
    theirs.compile(keras.optimizers.SGD(0.05), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    theirs.fit(pipeline.minibatches(classification, 16, seed=9), epochs=3, shuffle=False, verbose=0)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("sampling", SAMPLINGS)
@pytest.mark.parametrize("batch_size", ["all", 16])
def test_each_update_takes_the_samples_that_the_order_names(make_problem, sampling, batch_size):
    problem = make_problem["regression"](70)
    config = TrainConfig(batch_size=batch_size, learning_rate=1e-20, sampling=sampling, buffer_size=10, seed=6)
    # At weights that stay zero the loss of a minibatch is the mean of y² over its samples.
    squares = problem.y_train.astype(float) ** 2
    order = pipeline.order(70, batch_size, sampling=sampling, buffer_size=10, seed=6)
    expected = [squares[indices.numpy()].mean() for _ in range(3) for indices in order]
    losses = np.concatenate([r.minibatch_loss for r in train(problem, config, model=zeros, epochs=3)])
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


@pytest.mark.parametrize(("batch_size", "micro_batch_sizes"), [("all", (1, 16, 40)), (16, (5, 69))])
def test_accumulated_gradients_give_the_update_of_the_whole_minibatch(classification, batch_size, micro_batch_sizes):
    config = TrainConfig(batch_size=batch_size, learning_rate=0.1)
    whole, _ = weights_after(classification, config, updates=6)
    for m in micro_batch_sizes:
        parts, run = weights_after(classification, dataclasses.replace(config, micro_batch_size=m), updates=6)
        assert run.update == 6
        for a, b in zip(whole, parts, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)


def test_gradient_descent_on_least_squares_follows_the_closed_form(make_problem):
    problem = make_problem["regression"](70)
    gamma, steps = 0.05, 40
    (w, b), _ = weights_after(problem, TrainConfig(batch_size="all", learning_rate=gamma), model=zeros, updates=steps)
    # w_t − w* = (I − γ H)^t (w_0 − w*), with H = 2 XᵀX / N and w* the least-squares solution.
    X = np.column_stack([problem.x_train.astype(float), np.ones(70)])
    best, *_ = np.linalg.lstsq(X, problem.y_train.astype(float), rcond=None)
    expected = best - np.linalg.matrix_power(np.eye(4) - gamma * 2 * X.T @ X / 70, steps) @ best
    np.testing.assert_allclose(np.append(w[:, 0], b), expected, rtol=1e-4, atol=1e-5)


def test_the_smaller_last_minibatch_is_averaged_over_its_own_samples(make_problem):
    problem = make_problem["regression"](5, num_features=1)
    config = TrainConfig(batch_size=2, learning_rate=1e-6, sampling="in_order")
    run = Run(problem, config, model=zeros)
    run.advance(update=3)
    y = problem.y_train
    expected = [np.mean(y[:2] ** 2), np.mean(y[2:4] ** 2), y[4] ** 2]
    np.testing.assert_allclose(run.record().minibatch_loss, expected, rtol=1e-4)
    assert run.examples == 5


def test_the_same_config_gives_the_same_numbers_while_others_train(classification):
    config = TrainConfig(batch_size=8, learning_rate=0.2, seed=3)
    alone = list(train(classification, config, updates=30))
    together = []
    for record, _ in zip(
        train(classification, config, updates=30),
        train(classification, TrainConfig(batch_size=4, seed=8), updates=200),
        strict=False,
    ):
        tf.random.uniform([3])
        together.append(record)
    assert len(alone) == len(together)
    for a, b in zip(alone, together, strict=True):
        assert (a.update, a.train_loss, a.test_loss) == (b.update, b.train_loss, b.test_loss)
        np.testing.assert_array_equal(a.minibatch_loss, b.minibatch_loss)
    other = last(train(classification, TrainConfig(batch_size=8, learning_rate=0.2, seed=4), updates=30))
    assert other.train_loss != alone[-1].train_loss


def test_numbers_do_not_depend_on_how_the_updates_are_cut_into_calls(classification):
    def after(*stops):
        run = Run(classification, TrainConfig(batch_size=16, seed=2))
        for stop in stops:
            run.advance(update=stop)
        return run.record().train_loss

    assert after(23) == after(1, 2, 5, 11, 23) == after(*range(1, 24))


def test_every_update_has_its_loss_in_exactly_one_record(classification):
    records = list(train(classification, TrainConfig(batch_size=8), epochs=7))
    num = counting.num_updates(70, 8, 7)
    assert records[-1].update == sum(len(r.minibatch_loss) for r in records) == num
    assert [r.update for r in records] == np.cumsum([len(r.minibatch_loss) for r in records]).tolist()
    assert records[0].update == 0
    assert records[-1].epoch == 7


def test_a_learning_rate_that_is_too_large_ends_as_diverged(make_problem):
    problem = make_problem["regression"](70)
    records = list(train(problem, TrainConfig(batch_size="all", learning_rate=100), updates=500))
    end = records[-1]
    assert end.diverged_at is not None
    assert end.update < 500
    assert all(r.diverged_at is None and math.isfinite(r.train_loss) for r in records[:-1])
    finite = np.concatenate([r.minibatch_loss for r in records])[: end.diverged_at]
    assert np.isfinite(finite).all()


def test_a_batch_size_above_n_is_refused(classification):
    config = TrainConfig(batch_size=71)
    with pytest.raises(ValueError, match=r'`batch_size` must be in \[1, 70\] or "all"; received 71.'):
        Run(classification, config)
    with pytest.raises(ValueError, match=r'`batch_size` must be in \[1, 70\] or "all"; received 71.'):
        next(train(classification, config, epochs=2))


@pytest.mark.parametrize(("epochs", "updates"), [(0.2, 1), (1.5, 2), (2.5, 3), (3.5, 4)])
def test_broken_epochs_are_rounded_to_whole_updates_and_halves_up(classification, epochs, updates):
    assert last(train(classification, TrainConfig(batch_size="all"), epochs=epochs)).update == updates


def test_seconds_are_those_of_the_clock_and_exclude_evaluation(classification):
    ticks = iter(range(10_000))
    run = Run(classification, TrainConfig(batch_size=8), clock=lambda: float(next(ticks)))
    # Each block of S minibatches takes a tick to draw, of which each of its updates bears 1/S.
    share = 1 / compiled.block_updates(classification, run.config)
    run.advance(update=1)  # one call: two readings of the clock, one tick apart
    assert run.seconds == 1 + share
    run.record()
    run.record()
    assert run.seconds == 1 + share
    run.advance(update=2)
    assert run.seconds == 2 + 2 * share


def test_drawing_is_charged_evenly_and_the_first_block_is_not_free(classification, monkeypatch):
    monkeypatch.setattr(compiled, "MAX_BLOCK_UPDATES", 4)
    ticks = iter(range(10_000))
    clock = lambda: float(next(ticks))  # noqa: E731
    run = Run(classification, TrainConfig(batch_size=8), clock=clock)
    for update in range(1, 13):
        run.advance(update=update)
        assert run.seconds == update * (1 + 1 / 4)
    gradient_descent = Run(classification, TrainConfig(batch_size="all"), clock=clock)
    gradient_descent.advance(update=1)
    assert gradient_descent.seconds == 1  # all samples, each once, are the same minibatch in any order


@pytest.fixture
def of_known_speed(monkeypatch):
    """Programs for so many seconds per update, in blocks of four."""
    acquire = pool.acquire

    def set_speed(seconds_per_update):
        def acquired(*arguments, **rest):
            program = acquire(*arguments, **rest)
            program.speed = Speed(compiler=program.compiler, seconds_per_update=seconds_per_update)
            return program

        monkeypatch.setattr(pool, "acquire", acquired)

    monkeypatch.setattr(compiled, "MAX_BLOCK_UPDATES", 4)
    return set_speed


def test_the_first_call_is_as_long_as_its_updates_and_their_drawing_allow(classification, of_known_speed):
    of_known_speed(0.5)
    ticks = iter(range(10_000))
    run = Run(classification, TrainConfig(batch_size=8), clock=lambda: float(next(ticks)))
    # A block of four takes a tick to draw: 0.5 + 0.25 s for each update, of which two fit into 1.5 s.
    run.advance(second=1.5)
    assert run.update == 2


def test_a_call_too_short_to_be_measured_counts_by_the_speed_known_before_it(classification, of_known_speed):
    of_known_speed(2**-12)  # 1/4096 s: four updates are less than a millisecond
    run = Run(classification, TrainConfig(batch_size="all"))  # its one minibatch is drawn once
    run.advance(update=4)
    assert run.seconds == 4 * 2**-12


def test_a_run_that_diverges_at_once_shows_its_losses_until_then(make_problem):
    # γ far above 2/λmax: the loss grows until it overflows, within a few milliseconds.
    problem, config = make_problem["regression"](100), TrainConfig(batch_size="all", learning_rate=1.0)
    records = list(train(problem, config, model=ModelConfig(kind="linear"), seconds=5))
    assert records[-1].diverged_at is not None
    finite = [record.train_loss for record in records if math.isfinite(record.train_loss)]
    assert len(finite) >= 4
    assert finite == sorted(finite)


def test_batch_normalisation_and_regularisers_train_as_in_an_eager_loop(classification):
    def build(problem, *, seed):
        return keras.Sequential(
            [
                keras.Input((problem.num_features,)),
                keras.layers.Dense(
                    8,
                    kernel_initializer=keras.initializers.GlorotUniform(seed),
                    kernel_regularizer=keras.regularizers.L2(0.01),
                ),
                keras.layers.BatchNormalization(),
                keras.layers.ReLU(),
                keras.layers.Dense(3, kernel_initializer=keras.initializers.GlorotUniform(seed + 1)),
            ]
        )

    ours, theirs = build(classification, seed=5), build(classification, seed=5)
    config = TrainConfig(batch_size=16, learning_rate=0.05, sampling="in_order")
    record = last(train(classification, config, model=ours, epochs=2))

    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer = keras.optimizers.SGD(0.05)
    x, y = classification.x_train, classification.y_train
    for start in [*range(0, 70, 16)] * 2:
        with tf.GradientTape() as tape:
            value = loss(y[start : start + 16], theirs(x[start : start + 16], training=True)) + sum(theirs.losses)
        optimizer.apply(tape.gradient(value, theirs.trainable_variables), theirs.trainable_variables)
    for a, b in zip(ours.variables, theirs.variables, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5, err_msg=a.path)
    theirs.compile(loss=loss)
    assert record.train_loss == pytest.approx(theirs.evaluate(x, y, verbose=0), rel=1e-4)


def test_dropout_draws_a_new_mask_at_each_update_and_the_same_ones_from_the_same_seed(make_problem):
    d, updates = 1_000, 40
    problem = make_problem["regression"](1, num_features=d)
    problem = dataclasses.replace(problem, x_train=np.ones((1, d), "f"), y_train=np.zeros(1, "f"))

    def build(problem, *, seed):
        return keras.Sequential(
            [
                keras.Input((problem.num_features,)),
                keras.layers.Dropout(0.5, seed=seed),
                keras.layers.Dense(1, kernel_initializer="ones"),
            ]
        )

    def num_kept(seed):
        config = TrainConfig(batch_size=1, learning_rate=1e-20, seed=seed)
        records = list(train(problem, config, model=build, updates=updates))
        assert records[-1].train_loss == pytest.approx(d**2)  # nothing is dropped in an evaluation
        losses = np.concatenate([record.minibatch_loss for record in records])
        return (np.sqrt(losses) / 2).tolist()  # the prediction is 2 × the number of inputs that are kept

    kept = num_kept(3)
    assert len(set(kept)) > updates / 2
    assert abs(np.mean(kept) - d / 2) < 4 * math.sqrt(d / 4 / updates)
    assert num_kept(3) == kept
    assert num_kept(4) != kept


def test_a_softmax_at_the_end_is_taken_for_probabilities(classification):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3, activation="softmax")])
    expected = keras.losses.sparse_categorical_crossentropy(classification.y_test, model(classification.x_test))
    first = next(train(classification, model=model, updates=1))
    assert first.test_loss == pytest.approx(float(np.mean(expected)), rel=1e-5)


def test_a_model_is_trained_in_place_from_the_weights_that_it_has(classification):
    model = models.mlp(classification, widths=(4,), seed=0)
    before = last(train(classification, model=model, updates=20))
    again = next(train(classification, model=model, updates=1))
    assert again.train_loss == before.train_loss


def test_compiled_programs_are_used_again_by_the_next_run(classification):
    config = TrainConfig(batch_size=9, seed=1)
    first = Run(classification, config)
    program = first._program
    first.close()
    second = Run(classification, TrainConfig(batch_size=9, seed=2, learning_rate=0.3))
    assert second._program is program
    third = Run(classification, config)
    assert third._program is not program  # in use
    second.close()
    third.close()
    assert program._by["graph"].experimental_get_tracing_count() == 1


def test_a_function_of_ones_own_is_trained_as_it_is_now_and_not_as_it_was(classification):
    def first_loss(factor):
        def activation(x):
            return factor * x

        def build(problem, seed):
            kernel = keras.initializers.Ones()
            del problem, seed
            return keras.Sequential(
                [keras.Input((5,)), keras.layers.Dense(3, activation=activation, kernel_initializer=kernel)]
            )

        records = list(train(classification, model=build, updates=3))
        assert pool._idle == before  # kept programs are known by names, and this one shares its name with others
        return records[-1].train_loss

    before = dict(pool._idle)
    assert first_loss(1.0) != first_loss(0.0) == pytest.approx(math.log(3), rel=1e-6)


def test_idle_programs_are_bounded(classification, monkeypatch):
    monkeypatch.setattr(pool, "MAX_IDLE_PROGRAMS", 2)
    for k in (3, 4, 5, 6):
        Run(classification, TrainConfig(batch_size=k)).close()
    assert sum(map(len, pool._idle.values())) == 2


def test_a_model_that_xla_can_not_compile_trains_without_it(classification):
    class Text(keras.layers.Layer):
        def call(self, x):  # strings are unknown to XLA
            return x + 0.0 * tf.strings.to_number(tf.strings.as_string(x[:1, :1]))

    model = keras.Sequential([keras.Input((5,)), Text(), keras.layers.Dense(3)])
    run = Run(classification, TrainConfig(batch_size=16), model=model)
    run.advance(update=5)
    assert run.update == 5
    assert run.compiler == "graph"


@pytest.mark.parametrize(
    ("config", "budget", "message"),
    [
        ({}, {}, "One of `epochs`, `updates` and `seconds` must be given."),
        ({}, {"epochs": 0}, "`epochs` must be a finite number greater than 0; received 0."),
        ({}, {"seconds": math.inf}, "`seconds` must be a finite number greater than 0; received inf."),
        ({}, {"updates": 2.5}, "`updates` must be an integer of at least 1; received 2.5."),
        ({"learning_rate": math.nan}, {}, r"`learning_rate` must be in \(0, 100\]; received nan."),
        ({"momentum": 1.0}, {}, r"`momentum` must be in \[0, 1\); received 1.0."),
        ({"seed": -1}, {}, r"`seed` must be an integer in \[0, 2147483647\]; received -1."),
        ({"batch_size": -3}, {}, '`batch_size` must be an integer of at least 1, or "all"; received -3.'),
        ({"micro_batch_size": 0}, {}, "`micro_batch_size` must be an integer of at least 1; received 0."),
    ],
)
def test_bad_arguments_are_named_with_their_range(classification, config, budget, message):
    with pytest.raises(ValueError, match=message):
        next(train(classification, TrainConfig(**config), **budget))


def test_a_model_of_the_wrong_shape_is_named(classification):
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4)])
    with pytest.raises(ValueError, match="`model` must give 3 outputs per sample for 'test'; it gives"):
        next(train(classification, model=model, updates=1))
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(3)])
    with pytest.raises(ValueError, match="`model` must take samples of shape"):
        next(train(classification, model=model, updates=1))


def test_model_config_names_its_ranges():
    with pytest.raises(ValueError, match="`kind` must be one of linear, mlp, cnn, layers; received 'rnn'"):
        ModelConfig(kind="rnn")
    with pytest.raises(ValueError, match=r"`widths` must be an integer in \[1, 4096\]; received 0"):
        ModelConfig(widths=(8, 0))
