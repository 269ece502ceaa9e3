"""One training run: the double loop over epochs and minibatches, compiled, and told as progress records.

Keras gives the model, the loss and the optimizer; the loop is written as in the Keras guide "Writing a training
loop from scratch in TensorFlow". It runs many minibatches per call, inside one XLA program.
"""

from __future__ import annotations

import contextlib
import json
import math
import threading
import time
import warnings
from collections import OrderedDict
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from sgd_tf import counting, models, pipeline
from sgd_tf.records import ModelConfig, Progress, TrainConfig, check_int

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Clock = Callable[[], float]
Model: TypeAlias = "keras.Model | ModelConfig | Callable[..., keras.Model]"

MAX_IDLE_TRAINERS = 24  # compiled programs kept for the next run of their shape, about 3.4 MB each
MAX_BLOCK_BYTES = 2**24  # of the samples that one call of the compiled loop is given
MAX_BLOCK_EXAMPLES = 2**16
MAX_BLOCK_UPDATES = 2**12
EVALUATION_ROWS = 2**14  # samples per forward pass of an evaluation


def train(
    problem: Problem,
    config: TrainConfig | None = None,
    *,
    model: Model | None = None,
    epochs: float | None = None,
    updates: int | None = None,
    seconds: float | None = None,
) -> Iterator[Progress]:
    """Train a model by minibatch SGD and tell about it as it goes.

    Each update draws the next minibatch B of k samples and steps against the gradient of its mean loss:
    w ← w − γ ∇(1/k Σ_{i∈B} loss_i(w)). With ``batch_size="all"`` this is gradient descent. Training ends when the
    first of the budgets is used up; at least one is needed. Records are spaced evenly in the logarithm of time at
    first, later by a fiftieth of the budget. A run that diverges ends early and says so in its last record.

    Args:
        problem: training and test samples.
        config: batch size, learning rate, seed, …
        model: a `ModelConfig`; or a function ``model(problem, seed=…)`` that makes a Keras model; or a Keras
            model, which is trained in place from the weights that it has. Without one, an MLP with 32 hidden units.
        epochs: passes over the training set, greater than 0.
        updates: parameter updates, at least 1.
        seconds: training time, greater than 0; compiling and evaluation are not counted.

    Yields:
        Progress records; the first before any update.

    Raises:
        ValueError: if an argument is out of range.

    Example::

        for progress in train(load("digits"), TrainConfig(batch_size=32), epochs=3):
            print(progress.update, progress.train_loss)
    """
    budget = _Budget(problem, config or TrainConfig(), epochs=epochs, updates=updates, seconds=seconds)
    return _train(Run(problem, config, model=model), budget)


def _train(run: Run, budget: _Budget) -> Iterator[Progress]:
    with contextlib.closing(run):
        yield run.record()
        while not run.is_over and budget.remains(run):
            run.advance(until=budget.next_record(run))
            yield run.record()


class Run:
    """A training run that is advanced piece by piece, with its own clock.

    Attributes:
        update: parameter updates so far.
        seconds: training time so far; tracing, compiling and evaluation excluded.
        diverged_at: update after which the loss was not finite, or None.
        evaluation_seconds: how long an evaluation takes, at least; inf before the first.
    """

    def __init__(
        self,
        problem: Problem,
        config: TrainConfig | None = None,
        *,
        name: str | None = None,
        model: Model | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Make or reuse the compiled program for this model and batch size, and set the initial weights.

        Args:
            problem: training and test samples.
            config: batch size, learning rate, seed, …
            name: of the run in its records; by default its batch size.
            model: as in `train`.
            clock: gives seconds; a test may replace it.
        """
        self.problem, self.config, self._clock = problem, config or TrainConfig(), clock
        self.batch_size = self.config.minibatch_size(problem.num_examples)
        self.name = name if name is not None else str(self.config.batch_size)
        self.update = 0
        self.seconds, self.evaluation_seconds = 0.0, math.inf
        self.diverged_at: int | None = None
        self._losses: list[np.ndarray] = []
        self._seconds_per_update: float | None = None

        self._trainer = _acquire(problem, self.config, model)
        block_updates = self._trainer.block_updates
        self._blocks: Any = iter(
            pipeline.blocks(
                problem,
                self.batch_size,
                block_updates,
                sampling=self.config.sampling,
                buffer_size=self.config.buffer_size,
                seed=self.config.seed,
            )
        )
        # All N samples, each once, are the same minibatch in any order: it is drawn once and used again.
        self._same_block = self.batch_size == problem.num_examples and self.config.sampling != "with_replacement"
        self._block: Any = next(self._blocks)
        self._position = 0
        self._trainer.run(self._block, 0, 0, 0)  # compiles, off the clock, and changes nothing
        self._trainer.evaluate(problem.x_train[:1], problem.y_train[:1])

    @property
    def examples(self) -> int:
        """Samples seen so far: N in each full epoch, k in each minibatch since."""
        epochs, iterations = divmod(self.update, self._trainer.iterations_per_epoch)
        return epochs * self.problem.num_examples + iterations * self.batch_size

    @property
    def model(self) -> keras.Model:
        """The Keras model with the weights of this moment."""
        return self._trainer.model

    @property
    def is_over(self) -> bool:
        """Whether the run has diverged, so that no update is left to make."""
        return self.diverged_at is not None

    def advance(self, *, until: tuple[float, float]) -> None:
        """Make updates until the run has made so many updates or trained for so many seconds, whichever is first.

        At least one update is made, and at most one more than fits into the seconds by the speed so far.

        Args:
            until: (updates, seconds), both counted from the start of the run; inf for no limit.
        """
        until_update, until_second = until
        while not self.is_over:
            num = self._num_updates_within(until_second - self.seconds)
            self._make_updates(int(min(num, max(1, until_update - self.update))))
            if self.update >= until_update or self.seconds >= until_second:
                break

    def record(self) -> Progress:
        """Evaluate the model on all training and test samples, off the clock, and tell what happened."""
        start = self._clock()
        train_loss, _ = self._trainer.evaluate(self.problem.x_train, self.problem.y_train)
        test_loss, accuracy = self._trainer.evaluate(self.problem.x_test, self.problem.y_test)
        self.evaluation_seconds = min(self.evaluation_seconds, self._clock() - start)
        if self.diverged_at is None and not math.isfinite(train_loss):
            self.diverged_at = self.update
        losses, self._losses = np.concatenate([np.empty(0, np.float32), *self._losses]), []
        return Progress(
            run=self.name,
            batch_size=self.batch_size,
            num_examples=self.problem.num_examples,
            update=self.update,
            examples=self.examples,
            seconds=self.seconds,
            minibatch_loss=losses,
            train_loss=train_loss,
            test_loss=test_loss,
            test_accuracy=accuracy,
            diverged_at=self.diverged_at,
        )

    def close(self) -> None:
        """Hand the compiled program back for the next run of its shape. The run can not go on after this."""
        _release(self.__dict__.pop("_trainer", None))
        self._block = self._blocks = None

    def _num_updates_within(self, seconds: float) -> int:
        if self._seconds_per_update is None:
            return 1
        num = min(MAX_BLOCK_UPDATES, seconds / self._seconds_per_update)
        return max(1, min(int(num), 4 * self.update))  # the first estimates are rough: grow step by step

    def _make_updates(self, num: int) -> None:
        """Up to ``num`` updates in one call of the compiled loop, on the clock."""
        start = self._clock()
        if self._same_block:
            num = min(num, MAX_BLOCK_UPDATES)
            losses = self._trainer.run(self._block, 0, 0, num)
        else:
            if self._position == self._trainer.block_updates:
                self._block, self._position = next(self._blocks), 0
            num = min(num, self._trainer.block_updates - self._position)
            phase = (self.update - self._position) % self._trainer.iterations_per_epoch
            losses = self._trainer.run(self._block, phase, self._position, self._position + num)
            self._position += num
        elapsed = self._clock() - start

        self.seconds += elapsed
        rate = elapsed / num
        self._seconds_per_update = rate if self._seconds_per_update is None else (rate + self._seconds_per_update) / 2
        finite = np.isfinite(losses)
        if not finite.all():
            first = int(np.argmin(finite))  # its loss is that of the weights after the update before it
            self.diverged_at = self.update + first
            losses = losses[: first + 1]
        self._losses.append(losses)
        self.update += num


class _Budget:
    """How long a run may go on, and when it is to be recorded."""

    def __init__(
        self,
        problem: Problem,
        config: TrainConfig,
        *,
        epochs: float | None,
        updates: int | None,
        seconds: float | None,
    ) -> None:
        if epochs is None and updates is None and seconds is None:
            raise ValueError("One of `epochs`, `updates` and `seconds` must be given.")
        for name, value in (("epochs", epochs), ("seconds", seconds)):
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"`{name}` must be a finite number greater than 0; received {value!r}.")
        self.updates: float = math.inf if updates is None else check_int("updates", updates, 1)
        if epochs is not None:
            k = config.minibatch_size(problem.num_examples)
            per_epoch = counting.iterations_per_epoch(problem.num_examples, k)
            self.updates = min(self.updates, max(1, round(epochs * per_epoch)))
        self.seconds = math.inf if seconds is None else seconds

    def remains(self, run: Run) -> bool:
        return run.update < self.updates and run.seconds < self.seconds

    def next_record(self, run: Run) -> tuple[float, float]:
        """(updates, seconds) at which the next record is due."""
        update, second = math.inf, math.inf
        if math.isfinite(self.updates):
            update = min(self.updates, run.update + max(1, min(run.update // 8, self.updates // 50)))
        if math.isfinite(self.seconds):
            second = next_record_second(run, self.seconds)
        return update, second


def next_record_second(run: Run, seconds: float) -> float:
    """The second of training at which the next record of a run is due: evenly spaced in log time, then in time.

    The first gap is 1/500 of the budget. Gaps grow by an eighth, up to 1/50 of the budget; where evaluations take so
    long that they would cost more than a fifth of the budget, there are fewer of them, in the same proportion.

    Args:
        run: whose clock and whose cost of an evaluation count.
        seconds: budget of the run.
    """
    num_records = min(80.0, max(10.0, seconds / 5 / run.evaluation_seconds))
    growth = max(1 / 8, 500 ** (1 / num_records) - 1)
    longest = max(seconds / 50, 2 * seconds / num_records if num_records < 80 else 0.0)
    return min(seconds, run.seconds + min(max(growth * run.seconds, seconds / 500), longest))


class _Trainer:
    """A Keras model with its loss, its optimizer and the compiled loop over a block of minibatches."""

    def __init__(self, model: keras.Model, problem: Problem, config: TrainConfig, signature: str | None) -> None:
        N, k = problem.num_examples, config.minibatch_size(problem.num_examples)
        self.model, self.signature, self.num_classes = model, signature, problem.num_classes
        self.optimizer = keras.optimizers.SGD(learning_rate=float(config.learning_rate), momentum=config.momentum)
        self.optimizer.build(model.trainable_variables)
        self.loss = per_example_loss(model, problem)
        self.block_updates = _block_updates(problem, config)
        self.iterations_per_epoch = counting.iterations_per_epoch(N, k)
        self.rest = N % k  # samples in the last minibatch of an epoch, if it is smaller
        self.micro_batch_size = config.micro_batch_size or k
        self.batch_size = k
        self.is_full_batch = k == N
        self._compiled = tf.function(self._loop, jit_compile=True)
        self._evaluate = tf.function(
            self._sums,
            input_signature=[
                tf.TensorSpec([None, *problem.x_train.shape[1:]], tf.float32),
                tf.TensorSpec([None], tf.as_dtype(problem.y_train.dtype)),
            ],
        )

    def reset(self, model: keras.Model, config: TrainConfig) -> None:
        """Take the weights and seeds of a fresh model of the same shape, and forget the optimizer's state."""
        for mine, fresh in zip(self.model.variables, model.variables, strict=True):
            mine.assign(fresh)
        for variable in self.optimizer.variables:
            variable.assign(keras.ops.zeros_like(variable))
        self.optimizer.learning_rate.assign(config.learning_rate)

    def run(self, block: tuple[tf.Tensor, tf.Tensor], phase: int, start: int, stop: int) -> np.ndarray:
        """Updates number ``start`` to ``stop`` - 1 of a block whose first minibatch is iteration ``phase``.

        Returns:
            (stop - start,) float32, the mean loss of each minibatch before its update.
        """
        arguments = (*block, tf.constant(phase), tf.constant(start), tf.constant(stop))
        try:
            losses = self._compiled(*arguments)
        except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
            if not getattr(self._compiled, "_jit_compile", False):
                raise
            warnings.warn(f"XLA can not compile this model, which trains slower: {error.message[:200]}", stacklevel=4)
            self._compiled = tf.function(self._loop)
            losses = self._compiled(*arguments)
        return losses.numpy()[: stop - start]

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float | None]:
        """Mean loss over all samples, and the share that is classified right (None in a regression)."""
        total = np.zeros(2)
        for begin in range(0, len(x), EVALUATION_ROWS):
            part = slice(begin, begin + EVALUATION_ROWS)
            total += self._evaluate(x[part], y[part]).numpy()
        loss = total[0] / len(x) + sum(float(loss) for loss in self.model.losses)
        return float(loss), None if self.num_classes is None else float(total[1] / len(x))

    def _loop(self, xs: tf.Tensor, ys: tf.Tensor, phase: tf.Tensor, start: tf.Tensor, stop: tf.Tensor) -> tf.Tensor:
        """Updates ``start`` to ``stop`` - 1 with the minibatches xs (S, k, …), ys (S, k); returns their losses.

        Args:
            xs: samples of a block.
            ys: labels or targets of a block.
            phase: iteration within its epoch of the first minibatch of the block.
            start: first minibatch.
            stop: one past the last minibatch; more than S for gradient descent, whose one minibatch serves again.
        """
        # Loops over tensors, not tf.range: XLA would compile anew for each value of its limits.
        losses = tf.TensorArray(tf.float32, size=MAX_BLOCK_UPDATES if self.is_full_batch else self.block_updates)
        num_full = self.iterations_per_epoch - 1 if self.rest else self.iterations_per_epoch
        i = start
        while i < stop:  # epochs
            num_full_left = num_full - tf.math.floormod(phase + i, self.iterations_per_epoch)
            full_stop = tf.minimum(stop, i + num_full_left)
            while i < full_stop:  # iterations
                row = 0 if self.is_full_batch else i
                losses = losses.write(i - start, self._step(xs[row], ys[row]))
                i += 1
            if self.rest and i < stop:  # the last minibatch of an epoch is smaller
                losses = losses.write(i - start, self._step(xs[i][: self.rest], ys[i][: self.rest]))
                i += 1
        return losses.stack()

    def _step(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        """One parameter update with the samples x (n, …), y (n,); returns their mean loss before it."""
        n, m = x.shape[0], min(self.micro_batch_size, x.shape[0])
        loss, gradients = self._gradients(x[:m], y[:m], m / n)
        if n // m > 1:  # a loop of no turns would still copy all gradients in each update
            for i in tf.range(1, n // m):
                part_loss, part = self._gradients(_rows(x, i * m, m), _rows(y, i * m, m), m / n)
                loss += part_loss
                gradients = [a + b for a, b in zip(gradients, part, strict=True)]
        if n % m:
            part_loss, part = self._gradients(x[n - n % m :], y[n - n % m :], (n % m) / n)
            loss += part_loss
            gradients = [a + b for a, b in zip(gradients, part, strict=True)]
        self.optimizer.apply(gradients, self.model.trainable_variables)
        return loss

    def _gradients(self, x: tf.Tensor, y: tf.Tensor, share: float) -> tuple[tf.Tensor, list[tf.Tensor]]:
        # The mean over n samples is the sum of the means over its parts, each weighted by its share of n.
        with tf.GradientTape() as tape:
            loss = share * (tf.reduce_mean(self.loss(y, self.model(x, training=True))) + _sum(self.model.losses))
        return loss, tape.gradient(loss, self.model.trainable_variables)

    def _sums(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        predictions = self.model(x, training=False)
        correct = tf.zeros([], tf.int64)
        if self.num_classes is not None:
            correct = tf.math.count_nonzero(tf.argmax(predictions, -1, tf.int32) == tf.cast(y, tf.int32))
        loss = tf.reduce_sum(tf.cast(self.loss(y, predictions), tf.float64))
        return tf.stack([loss, tf.cast(correct, tf.float64)])


def _rows(tensor: tf.Tensor, start: tf.Tensor, num: int) -> tf.Tensor:
    """Rows ``start`` to ``start + num`` - 1; a slice would have no length that XLA knows beforehand."""
    rest = tensor.shape[1:].as_list()
    return tf.slice(tensor, [start, *[0] * len(rest)], [num, *rest])


def _sum(values: list[tf.Tensor]) -> tf.Tensor | float:
    return tf.add_n(values) if values else 0.0


def per_example_loss(model: keras.Model, problem: Problem) -> Callable[[tf.Tensor, tf.Tensor], tf.Tensor]:
    """Loss of each sample: squared error, or cross-entropy of logits (of probabilities after a softmax)."""
    if problem.num_classes is None:
        return lambda y, prediction: tf.square(tf.squeeze(prediction, -1) - y)
    last = model.layers[-1]
    softmax = isinstance(last, keras.layers.Softmax) or getattr(last, "activation", None) is keras.activations.softmax
    return keras.losses.SparseCategoricalCrossentropy(from_logits=not softmax, reduction=None)


def _block_updates(problem: Problem, config: TrainConfig) -> int:
    """S, minibatches per block: as many as a block may hold, and one for gradient descent."""
    k = config.minibatch_size(problem.num_examples)
    if k == problem.num_examples:
        return 1
    bytes_per_minibatch = k * (problem.x_train[0].nbytes + 4)
    most = min(MAX_BLOCK_UPDATES, MAX_BLOCK_EXAMPLES // k, MAX_BLOCK_BYTES // bytes_per_minibatch)
    return max(1, most)


# Compiled programs wait here for the next run of the same shape: a compilation takes most of a second.
_idle: OrderedDict[str, list[_Trainer]] = OrderedDict()
_lock = threading.Lock()


def _acquire(problem: Problem, config: TrainConfig, model: Model | None) -> _Trainer:
    """The compiled program for a model and a batch size, with fresh weights: an idle one, or a new one."""
    if isinstance(model, keras.Model):
        _check_shapes(model, problem)
        return _Trainer(model, problem, config, signature=None)
    if model is None or isinstance(model, ModelConfig):
        fresh = models.build(problem, model or ModelConfig(), seed=config.seed)
    else:
        fresh = model(problem, seed=config.seed)
    _check_shapes(fresh, problem)
    signature = _signature(fresh, problem, config)
    with _lock:
        waiting = _idle.get(signature) if signature else None
        trainer = waiting.pop() if waiting else None
    if trainer is None:
        return _Trainer(fresh, problem, config, signature)
    trainer.reset(fresh, config)
    return trainer


def _release(trainer: _Trainer | None) -> None:
    if trainer is None or trainer.signature is None:
        return
    with _lock:
        _idle.setdefault(trainer.signature, []).append(trainer)
        _idle.move_to_end(trainer.signature)
        while sum(map(len, _idle.values())) > MAX_IDLE_TRAINERS:
            oldest = next(signature for signature, waiting in _idle.items() if waiting)
            _idle[oldest].pop()
        for signature in [signature for signature, waiting in _idle.items() if not waiting]:
            del _idle[signature]


def _signature(model: keras.Model, problem: Problem, config: TrainConfig) -> str | None:
    """What two runs must have in common to share a compiled program; names and seeds do not matter.

    None for a model with code that is not Keras' own, which is known by its name alone: it may have changed since.
    """

    def strip(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: strip(part) for key, part in value.items() if key not in ("name", "seed", "build_config")}
        return [strip(part) for part in value] if isinstance(value, list | tuple) else value

    try:
        architecture = keras.saving.serialize_keras_object(model)
    except NotImplementedError:  # a layer of one's own that does not tell its arguments
        return None
    if not _is_of_keras(architecture):
        return None
    shape = [problem.x_train.shape, problem.num_classes, config.minibatch_size(problem.num_examples)]
    return json.dumps(
        [shape, config.micro_batch_size, config.momentum, strip(architecture)], sort_keys=True, default=repr
    )


def _is_of_keras(part: Any) -> bool:
    """Whether all that is named in a serialised model is a part of Keras."""
    if isinstance(part, dict):
        own = str(part.get("module", "keras")).split(".")[0] == "keras" and part.get("class_name") != "__lambda__"
        return own and all(map(_is_of_keras, part.values()))
    return not isinstance(part, list | tuple) or all(map(_is_of_keras, part))


def _check_shapes(model: keras.Model, problem: Problem) -> None:
    """Raise a ValueError unless the model takes the samples and gives one output per class (or one number)."""
    outputs = 1 if problem.num_classes is None else problem.num_classes
    try:
        shape = tuple(model(problem.x_train[:1], training=False).shape)
    except Exception as error:
        received = problem.x_train.shape[1:]
        raise ValueError(f"`model` must take samples of shape {received}; it says: {error}") from error
    if shape != (1, outputs):
        raise ValueError(f"`model` must give {outputs} outputs per sample for {problem.name!r}; it gives {shape[1:]}.")
