"""Optimizers and schedules of the learning rate against `model.fit`, on the same minibatches and weights."""

import dataclasses
import math

import keras
import numpy as np
import pytest

from sgd_tf.memory import predict
from sgd_tf.training import models, optimizers, pool
from sgd_tf.training.optimizer_settings import OPTIMIZERS
from sgd_tf.training.records import ModelConfig, TrainConfig
from sgd_tf.training.run import Run, train

N, EPOCHS, UPDATES = 70, 4, 20  # with k = 16: five updates in an epoch of 16 + 16 + 16 + 16 + 6 samples
K = keras.optimizers
SCHEDULES = K.schedules
LINEAR = ModelConfig(kind="linear")


class Halving(SCHEDULES.LearningRateSchedule):
    """A schedule of one's own."""

    def __call__(self, step):
        return 0.1 * 0.5 ** keras.ops.cast(step, "float32")

    def get_config(self):
        return {}


class RisingLine(SCHEDULES.LearningRateSchedule):
    """A warm-up of 10 updates to 0.3, then a line to 0 at update 20, by hand."""

    def __call__(self, step):
        t = keras.ops.cast(step, "float32")
        return keras.ops.where(t < 10, 0.03 * t, 0.3 * (20 - t) / 10)


def fitted(problem, optimizer, batch_size):
    model = models.build(problem, LINEAR, seed=2)
    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(problem.x_train, problem.y_train, batch_size=batch_size, epochs=EPOCHS, shuffle=False, verbose=0)
    return model.get_weights()


def trained(problem, config, compiler="graph"):
    config = optimizers.over(dataclasses.replace(config, sampling="in_order", seed=2), N, UPDATES)
    with Run(problem, config, model=LINEAR, compiler=compiler) as run:
        run.advance(update=UPDATES)
        return run.model.get_weights()


BY_XLA = ("adam", "nadam", "warm-up and cosine")
IN_PARTS = ("momentum", "adam", "clipnorm")  # of 5 samples
CASES = {
    "sgd": ({}, lambda: K.SGD(0.1)),
    "momentum": ({"momentum": 0.9}, lambda: K.SGD(0.1, momentum=0.9)),
    "nesterov": ({"momentum": 0.9, "nesterov": True}, lambda: K.SGD(0.1, momentum=0.9, nesterov=True)),
    "weight decay": ({"weight_decay": 0.1}, lambda: K.SGD(0.1, weight_decay=0.1)),
    "clipnorm": ({"clipnorm": 0.05}, lambda: K.SGD(0.1, clipnorm=0.05)),
    "rmsprop": ({"optimizer": "rmsprop", "momentum": 0.5}, lambda: K.RMSprop(momentum=0.5)),
    "adagrad": ({"optimizer": "adagrad", "learning_rate": 0.1}, lambda: K.Adagrad(0.1)),
    "adam": ({"optimizer": "adam"}, K.Adam),
    "adamw": ({"optimizer": "adamw", "weight_decay": 0.1}, lambda: K.AdamW(weight_decay=0.1)),
    "nadam": ({"optimizer": "nadam", "learning_rate": 0.01}, lambda: K.Nadam(0.01)),
    "lion": ({"optimizer": "lion"}, K.Lion),
    "object": ({"optimizer": K.Adam(0.01, beta_1=0.5)}, lambda: K.Adam(0.01, beta_1=0.5)),
    "cosine": ({"schedule": "cosine", "learning_rate": 0.3}, lambda: K.SGD(SCHEDULES.CosineDecay(0.3, 20))),
    "linear": ({"schedule": "linear", "learning_rate": 0.3}, lambda: K.SGD(SCHEDULES.PolynomialDecay(0.3, 20, 0.0))),
    "warm-up and cosine": (
        {"schedule": "cosine", "learning_rate": 0.3, "warmup": 1, "decay_epochs": 3, "optimizer": "adam"},
        lambda: K.Adam(SCHEDULES.CosineDecay(0.0, 10, warmup_target=0.3, warmup_steps=5)),
    ),
    "warm-up and linear": ({"schedule": "linear", "learning_rate": 0.3, "warmup": 2}, lambda: K.SGD(RisingLine())),
    "Keras schedule": (
        {"schedule": SCHEDULES.PiecewiseConstantDecay([3, 8], [0.1, 0.5, 0.01])},
        lambda: K.SGD(SCHEDULES.PiecewiseConstantDecay([3, 8], [0.1, 0.5, 0.01])),
    ),
    "schedule of one's own": ({"schedule": Halving()}, lambda: K.SGD(Halving())),
    "object with a schedule": (
        {"optimizer": K.SGD(SCHEDULES.ExponentialDecay(0.2, 5, 0.5), momentum=0.5)},
        lambda: K.SGD(SCHEDULES.ExponentialDecay(0.2, 5, 0.5), momentum=0.5),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_each_optimizer_and_schedule_equals_model_fit(classification, case):
    arguments, optimizer = CASES[case]
    expected = fitted(classification, optimizer(), 16)
    parts = 5 if case in IN_PARTS else None
    config = TrainConfig(batch_size=16, micro_batch_size=parts, **arguments)
    found = trained(classification, config, "xla" if case in BY_XLA else "graph")
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


def test_gradient_descent_by_adam_equals_model_fit(classification):
    config = TrainConfig(batch_size="all", optimizer="adam", learning_rate=0.05, schedule="linear", decay_epochs=EPOCHS)
    with Run(classification, dataclasses.replace(config, seed=2), model=LINEAR, compiler="graph") as run:
        run.advance(update=EPOCHS)
        found = run.model.get_weights()
    expected = fitted(classification, K.Adam(SCHEDULES.PolynomialDecay(0.05, EPOCHS, 0.0)), N)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["nadam", "adagrad"])  # their state does not begin with zeros
def test_a_program_serves_another_rate_and_schedule_with_a_fresh_state(classification, optimizer):
    def run_of(config):
        with Run(classification, config, model=LINEAR, compiler="graph") as run:
            run.advance(update=7)
            return run.model, [*run.model.get_weights()]

    pool._idle.clear()
    slow = TrainConfig(batch_size=16, optimizer=optimizer, learning_rate=0.01, schedule="cosine", decay_epochs=2)
    fast = dataclasses.replace(slow, learning_rate=0.3, decay_epochs=5, seed=1)
    model, before = run_of(slow)
    other, _ = run_of(fast)
    assert other is model, "the program was compiled anew"
    _, again = run_of(slow)
    for one, two in zip(before, again, strict=True):
        np.testing.assert_array_equal(one, two)


def test_an_optimizer_that_is_given_is_copied(classification):
    optimizer = K.Adam(0.01)
    config = TrainConfig(batch_size=16, optimizer=optimizer)
    assert config.learning_rate == 0.01
    first, second = trained(classification, config), trained(classification, config)
    for one, two in zip(first, second, strict=True):
        np.testing.assert_array_equal(one, two)
    assert not optimizer.built
    assert int(optimizer.iterations) == 0


def test_the_rate_without_an_argument_is_the_optimizers():
    assert [TrainConfig(optimizer=name).learning_rate for name in OPTIMIZERS] == [0.1, *[0.001] * 6]
    assert TrainConfig(schedule=SCHEDULES.CosineDecay(0.3, 10)).learning_rate == pytest.approx(0.3)
    # a schedule of its own and a seed: `replace` gives the rate back that was read off the schedule
    config = dataclasses.replace(TrainConfig(schedule=SCHEDULES.CosineDecay(0.3, 10)), seed=1)
    assert config.learning_rate == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"optimizer": "adm"},
            "`optimizer` must be one of sgd, rmsprop, adagrad, adam, adamw, nadam, lion, or a Keras optimizer; "
            "received 'adm'.",
        ),
        ({"momentum": 1.0}, "`momentum` must be in [0, 1); received 1.0."),
        ({"optimizer": "adam", "momentum": 0.9}, '`momentum` must be 0 with `optimizer` = "adam"; received 0.9.'),
        (
            {"nesterov": True},
            '`nesterov` must be False unless `optimizer` is "sgd" and `momentum` is greater than 0; received True.',
        ),
        ({"weight_decay": -1.0}, "`weight_decay` must be a finite number of at least 0; received -1.0."),
        ({"clipnorm": 0.0}, "`clipnorm` must be a finite number greater than 0; received 0.0."),
        (
            {"schedule": "cosin"},
            "`schedule` must be one of constant, cosine, linear, or a Keras LearningRateSchedule; received 'cosin'.",
        ),
        ({"warmup": -1}, "`warmup` must be a finite number of epochs of at least 0; received -1."),
        ({"warmup": math.nan}, "`warmup` must be a finite number of epochs of at least 0; received nan."),
        (
            {"decay_epochs": 3},
            '`decay_epochs` must be None unless `schedule` is "cosine" or "linear"; received 3.',
        ),
        (
            {"schedule": "cosine", "warmup": 2, "decay_epochs": 2},
            "`decay_epochs` must be a finite number greater than `warmup` = 2; received 2.",
        ),
        (
            {"optimizer": K.SGD(0.1), "momentum": 0.9},
            "`momentum` must be an argument of the Keras optimizer itself; received 0.9.",
        ),
        (
            {"optimizer": K.SGD(0.1, gradient_accumulation_steps=4)},
            "`optimizer` must not set `gradient_accumulation_steps`: `micro_batch_size` accumulates; received 4.",
        ),
        (
            {"schedule": SCHEDULES.CosineDecay(0.3, 10), "learning_rate": 0.1},
            "`learning_rate` must be left to the Keras schedule; received 0.1.",
        ),
        (
            {"optimizer": K.SGD(SCHEDULES.CosineDecay(0.3, 10)), "schedule": "linear"},
            "`schedule` must be \"constant\" with an optimizer that has a schedule; received 'linear'.",
        ),
    ],
)
def test_what_does_not_go_together_is_named(arguments, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        TrainConfig(**arguments)
    assert str(error.value) == message


def test_a_decay_of_unknown_length_is_refused_at_the_call(classification):
    from sgd_tf.racing.race import race

    config = TrainConfig(schedule="cosine")
    message = '`decay_epochs` must be given with `schedule` = "cosine" where training is not limited in'
    for call in (
        lambda: train(classification, config, seconds=1),
        lambda: race(classification, {"SGD": config}, seconds=1),
        lambda: Run(classification, config),
    ):
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(ValueError, match="`decay_epochs` must be a finite number greater than `warmup` = 5"):
        train(classification, dataclasses.replace(config, warmup=5), epochs=5)


@pytest.mark.parametrize(
    ("config", "states"),
    [
        (TrainConfig(), 0),
        (TrainConfig(momentum=0.9), 1),
        (TrainConfig(optimizer="adam"), 2),
        (TrainConfig(optimizer=K.Adam()), 2),
    ],
)
def test_the_predicted_memory_counts_what_the_optimizer_keeps(config, states):
    sizes = predict.layers(LINEAR, num_features=64, num_outputs=10)
    memory = predict.predict(sizes, config, num_examples=1437, num_features=64)
    assert memory.optimizer == states * memory.parameters
    optimizer, _ = optimizers.make(config, N)
    optimizer.build([keras.Variable(np.zeros(3))])
    assert sum(len(v.shape) == 1 for v in optimizer.variables) == states
