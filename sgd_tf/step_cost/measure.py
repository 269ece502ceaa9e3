"""Seconds per epoch of each way to make the updates, measured in turns.

A machine that has other work to do for a while slows down all ways of that round, and the ratio of two ways is taken
within a round.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import keras
import tensorflow as tf

from sgd_tf import problems
from sgd_tf.problems import Problem
from sgd_tf.step_cost import loops
from sgd_tf.step_cost.loops import Train
from sgd_tf.step_cost.rows import FUNCTIONS, PYTHON_UPDATES, WAYS, FirstEpoch, Row, StepCostPlan, Timing, Way
from sgd_tf.training import compiled, models
from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.records import ModelConfig, TrainConfig
from sgd_tf.training.run import Run

LEARNING_RATE = 0.01  # so small that nothing diverges; it does not matter for the time
SHORTEST = 0.02  # seconds of one measurement, at least: as many epochs as that takes
MAX_EPOCHS = 200  # of one measurement
LONGEST = 1.5  # times the planned seconds after which no round begins

Clock = Callable[[], float]


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A way to train that is ready to be measured."""

    train: Train
    num_epochs: int = 1  # of one measurement
    share: float = 1.0  # of an epoch that `train` makes


def measure(plan: StepCostPlan, *, clock: Clock = time.perf_counter) -> Iterator[Row]:
    """The first epoch of each way with each k, then the rounds.

    Args:
        plan: problem, model, batch sizes, rounds.
        clock: gives seconds; a test may replace it.

    Yields:
        A row per measurement. In the first round each way with each k is compiled just before. On a machine so busy
        that the rounds take much longer than planned, no further one begins: a job that runs too long is lost.
    """
    begin = clock()
    problem = problems.load(plan.problem, num_examples=plan.num_examples)
    known: dict[tuple[int, Way], Contestant] = {}
    with contextlib.ExitStack() as stack:
        for number in range(plan.num_rounds):
            if clock() - begin > LONGEST * plan.seconds:
                break
            for k, way in itertools.product(plan.batch_sizes, WAYS):
                if number == 0:
                    start = clock()
                    one = _contestant(way, problem, plan.model, k, stack)
                    built = clock()
                    one.train(1)
                    yield FirstEpoch(way=way, batch_size=k, seconds=built - start + (clock() - built) / one.share)
                    known[k, way] = replace(one, num_epochs=max(one.num_epochs, _num_epochs(one.train(1))))
                one = known[k, way]
                seconds = one.train(one.num_epochs) / one.num_epochs / one.share
                yield Timing(way=way, batch_size=k, round=number, seconds=seconds)


def _num_epochs(seconds: float) -> int:
    """Epochs of a measurement, if one takes so long."""
    return min(MAX_EPOCHS, math.ceil(SHORTEST / max(seconds, 1e-9)))


def _contestant(
    way: Way, problem: Problem, model: ModelConfig, batch_size: int, stack: contextlib.ExitStack
) -> Contestant:
    """A way to train, before its first epoch."""
    if way == "compiled":
        return _lab(problem, model, batch_size, stack)
    data = loops.minibatches(tf.constant(problem.x_train), tf.constant(problem.y_train), batch_size)
    share = 1.0
    if way == "python" and len(data) > PYTHON_UPDATES:
        share = PYTHON_UPDATES / len(data)
        data = data.take(PYTHON_UPDATES)
    fresh = models.build(problem, model)
    optimizer = keras.optimizers.SGD(learning_rate=LEARNING_RATE)
    of_logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    loss = of_logits if problem.num_classes else keras.losses.MeanSquaredError()
    own_loop = way in ("python", "graphs", "epoch_graphs")
    objective = _with_penalties(fresh, loss) if own_loop else loss  # `model.fit` adds them itself
    return Contestant(train=getattr(loops, FUNCTIONS[way])(fresh, data, optimizer, objective), share=share)


def _with_penalties(model: keras.Model, loss: loops.Function) -> loops.Function:
    """The loss with the L2 terms of the layers, where a model has some."""
    if not model.losses:
        return loss
    return lambda y, prediction: loss(y, prediction) + tf.add_n(model.losses)


def _lab(problem: Problem, model: ModelConfig, batch_size: int, stack: contextlib.ExitStack) -> Contestant:
    """The lab's loop: many updates per call, fed with many minibatches at once.

    A measurement lasts for as many epochs as are drawn at once: each has its share of the drawing.
    """
    config = TrainConfig(batch_size=batch_size, learning_rate=LEARNING_RATE)
    run = stack.enter_context(Run(problem, config, model=model))
    per_epoch = iterations_per_epoch(problem.num_examples, batch_size)

    def train(num_epochs: int) -> float:
        start = time.perf_counter()
        run.advance(update=run.update + num_epochs * per_epoch)
        return time.perf_counter() - start

    return Contestant(train=train, num_epochs=math.ceil(compiled.block_updates(problem, config) / per_epoch))
