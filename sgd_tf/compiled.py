"""The compiled program of a run: a model, its loss, its optimizer, and the double loop over a block of minibatches.

Keras gives the model, the loss and the optimizer; the loop is written as in the Keras guide "Writing a training
loop from scratch in TensorFlow". It runs many minibatches per call.
"""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from sgd_tf import compilers, counting, models
from sgd_tf.compilers import Compiler, Speed
from sgd_tf.records import ModelConfig, TrainConfig

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Model: TypeAlias = "keras.Model | ModelConfig | Callable[..., keras.Model]"
Block: TypeAlias = "tuple[tf.Tensor, tf.Tensor]"  # (S, k, …) samples and (S, k) labels or targets of S minibatches

MAX_IDLE_PROGRAMS = 24  # kept for the next run of their shape, about 3.4 MB each
MAX_BLOCK_BYTES = 2**24  # of the samples that one call of the compiled loop is given
MAX_BLOCK_EXAMPLES = 2**16
MAX_BLOCK_UPDATES = 2**12
EVALUATION_ROWS = 2**14  # samples per forward pass of an evaluation


class Program:
    """A Keras model with its loss, its optimizer and the compiled loop over a block of minibatches.

    Attributes:
        model: the Keras model, with the weights of this moment.
        signature: what it has in common with the runs that can use it, or None if it is for one run only.
        block_updates: S, minibatches per block.
        iterations_per_epoch: ⌈N/k⌉.
        compiler: in use.
        speed: how fast it is; None where no compiler was tried.
    """

    def __init__(self, model: keras.Model, problem: Problem, config: TrainConfig, signature: str | None) -> None:
        N, k = problem.num_examples, config.minibatch_size(problem.num_examples)
        self.model, self.signature, self.num_classes = model, signature, problem.num_classes
        self.optimizer = keras.optimizers.SGD(learning_rate=float(config.learning_rate), momentum=config.momentum)
        self.optimizer.build(model.trainable_variables)
        self.loss = per_example_loss(model, problem)
        self.block_updates = block_updates(problem, config)
        self.iterations_per_epoch = counting.iterations_per_epoch(N, k)
        self.rest = N % k  # samples in the last minibatch of an epoch, if it is smaller
        self.micro_batch_size = config.micro_batch_size or k
        self.batch_size = k
        self.is_full_batch = k == N
        self.speed: Speed | None = None
        graph = compilers.graph_function(self._loop)
        self._by: dict[Compiler, Any] = {"graph": graph, "xla": compilers.xla_function(graph)}
        self.compiler: Compiler = "xla"
        self._evaluate = compilers.graph_function(
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

    def choose_compiler(self, block: Block) -> None:
        """Make a few updates by each compiler, keep the faster one, and put all weights back.

        Its learning rate is 0 meanwhile, so that no weight runs away. What the model and the optimizer keep besides,
        such as moving averages and the state of random layers, is put back too.

        Args:
            block: minibatches to try it with.
        """
        variables = [*self.model.variables, *self.optimizer.variables]
        before = [variable.numpy() for variable in variables]
        self.optimizer.learning_rate.assign(0.0)
        try:
            self.speed = self._tried(block)
            self.compiler = self.speed.compiler
        finally:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)

    def _tried(self, block: Block) -> Speed:
        most = MAX_BLOCK_UPDATES if self.is_full_batch else self.block_updates
        by_xla = self._compile_both(block)
        self.compiler = "graph"
        graph = compilers.measure(lambda num: self.run(block, 0, 0, num), most)
        if not by_xla or (graph >= compilers.LONG_UPDATE and self._is_hopeless_by_xla(block, graph)):
            return compilers.faster(graph, None)
        self.compiler = "xla"
        return compilers.faster(graph, compilers.measure(lambda num: self.run(block, 0, 0, num), most))

    def _compile_both(self, block: Block) -> bool:
        """Compile by XLA in the background, and all else meanwhile; whether XLA can."""
        no_updates = (*block, *map(tf.constant, (0, 0, 0)))
        self._by["graph"].get_concrete_function(*no_updates)  # traced once, for both
        with ThreadPoolExecutor(1) as background:
            by_xla = background.submit(self._by["xla"], *no_updates)
            self._by["graph"](*no_updates)
            self.evaluate(block[0][0, :1].numpy(), block[1][0, :1].numpy())
        if error := by_xla.exception():
            if not isinstance(error, tf.errors.OpError):
                raise error
            return False  # an operation that XLA does not know, such as one on strings
        return True

    def _is_hopeless_by_xla(self, block: Block, seconds: float) -> bool:
        """Whether XLA is far slower for a part of the minibatch that the graph does in a moment.

        Args:
            block: minibatches.
            seconds: of an update by the graph.
        """
        num = max(1, int(self.batch_size * compilers.TRIAL_SECONDS / seconds))
        x, y = block[0][0, :num], block[1][0, :num]
        graph = compilers.graph_function(self._step)
        xla = compilers.xla_function(graph)

        def seconds_of(step: Any) -> float:
            step(x, y)  # compiles
            return compilers.measure(lambda _: step(x, y).numpy(), 1)

        try:
            return seconds_of(xla) > compilers.HOPELESS * seconds_of(graph)
        except tf.errors.OpError:  # an operation that XLA does not know
            return True

    def run(self, block: Block, phase: int, start: int, stop: int) -> np.ndarray:
        """Updates number ``start`` to ``stop`` - 1 of a block whose first minibatch is iteration ``phase``.

        Returns:
            (stop - start,) float32, the mean loss of each minibatch before its update.
        """
        losses = self._by[self.compiler](*block, tf.constant(phase), tf.constant(start), tf.constant(stop))
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


def block_updates(problem: Problem, config: TrainConfig) -> int:
    """S, minibatches per block: as many as a block may hold, and one for gradient descent."""
    k = config.minibatch_size(problem.num_examples)
    if k == problem.num_examples:
        return 1
    bytes_per_minibatch = k * (problem.x_train[0].nbytes + 4)
    most = min(MAX_BLOCK_UPDATES, MAX_BLOCK_EXAMPLES // k, MAX_BLOCK_BYTES // bytes_per_minibatch)
    return max(1, most)


# Compiled programs wait here for the next run of the same shape: a compilation takes most of a second.
_idle: OrderedDict[str, list[Program]] = OrderedDict()
_speeds: dict[str, Speed] = {}  # by signature: what a process has found once holds for all its runs
_lock = threading.Lock()


def acquire(
    problem: Problem, config: TrainConfig, model: Model | None, *, block: Block, compiler: Compiler | None = None
) -> Program:
    """The compiled program for a model and a batch size, with fresh weights: an idle one, or a new one.

    Args:
        problem: training and test samples.
        config: batch size, learning rate, seed, …
        model: as in `training.train`.
        block: its first minibatches, with which the compilers are tried.
        compiler: to be used without a trial; None for the faster one.
    """
    if isinstance(model, keras.Model):
        fresh, signature = model, None
        _check_shapes(fresh, problem)
    else:
        if model is None or isinstance(model, ModelConfig):
            fresh = models.build(problem, model or ModelConfig(), seed=config.seed)
        else:
            fresh = model(problem, seed=config.seed)
        _check_shapes(fresh, problem)
        signature = _signature(fresh, problem, config, compiler)
    with _lock:
        waiting = _idle.get(signature) if signature else None
        program = waiting.pop() if waiting else None
        speed = _speeds.get(signature) if signature else None
    if program is not None:
        program.reset(fresh, config)
    else:
        program = Program(fresh, problem, config, signature)
        if compiler is not None:
            program.compiler = compiler
        elif speed is not None:
            program.speed = speed
            program.compiler = speed.compiler
        else:
            program.choose_compiler(block)
            if signature and program.speed:
                with _lock:
                    _speeds[signature] = program.speed
    program.run(block, 0, 0, 0)  # compiles, off the clock, and changes nothing
    program.evaluate(problem.x_train[:1], problem.y_train[:1])
    return program


def release(program: Program | None) -> None:
    """Keep a program for the next run of its shape."""
    if program is None or program.signature is None:
        return
    with _lock:
        _idle.setdefault(program.signature, []).append(program)
        _idle.move_to_end(program.signature)
        while sum(map(len, _idle.values())) > MAX_IDLE_PROGRAMS:
            oldest = next(signature for signature, waiting in _idle.items() if waiting)
            _idle[oldest].pop()
        for signature in [signature for signature, waiting in _idle.items() if not waiting]:
            del _idle[signature]


def _signature(model: keras.Model, problem: Problem, config: TrainConfig, compiler: Compiler | None) -> str | None:
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
    of_config = [config.micro_batch_size, config.momentum, compiler]
    return json.dumps([shape, *of_config, strip(architecture)], sort_keys=True, default=repr)


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
