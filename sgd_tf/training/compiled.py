"""The compiled program of a run: a model, its loss, its optimizer, and the double loop over a block of minibatches.

Keras gives the model, the loss and the optimizer; the loop (`loop.Loop`) is written as in the Keras guide "Writing a
training loop from scratch in TensorFlow". Programs wait in a pool for the next run of their shape (`pool`).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np
import tensorflow as tf

from sgd_tf.training import compilers, counting, optimizers, pipeline
from sgd_tf.training.compilers import Compiler, Speed
from sgd_tf.training.loop import Loop
from sgd_tf.training.losses import per_example_loss
from sgd_tf.training.records import TrainConfig

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

Block: TypeAlias = "tuple[tf.Tensor, tf.Tensor]"  # (S, k, …) samples and (S, k) labels or targets of S minibatches

MAX_BLOCK_BYTES = 2**24  # bytes of samples in one call of the compiled loop
MAX_BLOCK_EXAMPLES = 2**16
MAX_BLOCK_UPDATES = 2**12
EVALUATION_ROWS = 2**14  # samples per forward pass of an evaluation


class Program:
    """A Keras model with its loss, its optimizer and the compiled loop over a block of minibatches.

    Attributes:
        model: the Keras model, with the weights of this moment.
        signature: equal for all runs that can use the program; None if it is for one run only.
        block_updates: S, minibatches per block.
        iterations_per_epoch: ⌈N/k⌉.
        compiler: the compiler in use.
        speed: how fast it is; None where no compiler was tried.
    """

    def __init__(self, model: keras.Model, problem: Problem, config: TrainConfig, signature: str | None) -> None:
        N, k = problem.num_examples, config.minibatch_size(problem.num_examples)
        self.model, self.signature, self.num_classes = model, signature, problem.num_classes
        self._num_examples = N
        targets = pipeline.targets(problem)
        self.optimizer, self._rate = optimizers.make(config, N)
        self.optimizer.build(model.trainable_variables)
        self._fresh_state = [_fresh(variable) for variable in self.optimizer.variables]
        self.block_updates = block_updates(problem, config)
        self.iterations_per_epoch = counting.iterations_per_epoch(N, k)
        self.speed: Speed | None = None
        self._loop = Loop(
            model=model,
            optimizer=self.optimizer,
            per_example_loss=per_example_loss(model, problem),
            iterations_per_epoch=self.iterations_per_epoch,
            rest=N % k,
            micro_batch_size=config.micro_batch_size or k,
            max_updates=MAX_BLOCK_UPDATES if k == N else self.block_updates,
            is_full_batch=k == N,
        )
        graph = compilers.graph_function(self._loop.updates)
        self._by: dict[Compiler, Any] = {"graph": graph, "xla": compilers.xla_function(graph)}
        self.compiler: Compiler = "xla"
        self._evaluate = compilers.graph_function(
            self._sums,
            input_signature=[
                tf.TensorSpec([None, *problem.x_train.shape[1:]], tf.float32),
                tf.TensorSpec([None, *targets.shape[1:]], tf.as_dtype(targets.dtype)),
            ],
        )

    def reset(self, model: keras.Model, config: TrainConfig) -> None:
        """Take the weights and seeds of a fresh model of the same shape, and forget the optimizer's state."""
        for mine, fresh in zip(self.model.variables, model.variables, strict=True):
            mine.assign(fresh)
        for variable, fresh_value in zip(self.optimizer.variables, self._fresh_state, strict=True):
            variable.assign(keras.ops.zeros_like(variable) if fresh_value is None else fresh_value)
        if self._rate:
            self._rate.set(config, self._num_examples)
        else:
            self.optimizer.learning_rate.assign(config.learning_rate)

    def choose_compiler(self, block: Block) -> None:
        """Make a few updates by each compiler, keep the faster one, and put all weights back.

        Its learning rate is 0 meanwhile, so that no weight runs away. What the model and the optimizer keep besides,
        such as moving averages and the state of random layers, is put back too.

        Args:
            block: minibatches to try it with.
        """
        variables = [*self.model.variables, *self.optimizer.variables, *(self._rate.variables if self._rate else ())]
        before = [variable.numpy() for variable in variables]
        if self._rate:
            self._rate.stop()
        else:
            self.optimizer.learning_rate.assign(0.0)
        try:
            self.speed = self._tried(block)
            self.compiler = self.speed.compiler
        finally:
            for variable, value in zip(variables, before, strict=True):
                variable.assign(value)

    def _tried(self, block: Block) -> Speed:
        most = self._loop.max_updates
        by_xla = self._compile_both(block)
        self.compiler = "graph"
        graph = compilers.measure(lambda num: self.run(block, 0, 0, num), most)
        if not by_xla or (graph >= compilers.LONG_UPDATE and self._is_hopeless_by_xla(block, graph)):
            return compilers.faster(graph, None)
        self.compiler = "xla"
        return compilers.faster(graph, compilers.measure(lambda num: self.run(block, 0, 0, num), most))

    def _compile_both(self, block: Block) -> bool:
        """Compile by XLA in the background, and all else meanwhile; whether XLA can.

        Random layers draw other numbers by XLA: their models train by the graph, so that one config gives one result.
        """
        no_updates = (*block, *map(tf.constant, (0, 0, 0)))
        if any("seed_generator" in variable.path for variable in self.model.variables):
            self._by["graph"](*no_updates)
            return False
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
            seconds: time of an update by the graph.
        """
        num = max(1, int(block[0].shape[1] * compilers.TRIAL_SECONDS / seconds))
        x, y = block[0][0, :num], block[1][0, :num]
        graph = compilers.graph_function(self._loop.update)
        xla = compilers.xla_function(graph)

        def seconds_of(step: Any) -> float:
            step(x, y)  # compiles
            return compilers.measure(lambda _: step(x, y).numpy(), 1)

        try:
            return seconds_of(xla) > compilers.HOPELESS * seconds_of(graph)
        except tf.errors.OpError:  # an operation that XLA does not know
            return True

    def run(self, block: Block, phase: int, start: int, stop: int) -> np.ndarray:
        """Updates number ``start`` to ``stop`` - 1 of a block that begins with iteration ``phase``.

        Returns:
            (stop - start,) float32, the mean loss of each minibatch before its update.
        """
        losses = self._by[self.compiler](*block, tf.constant(phase), tf.constant(start), tf.constant(stop))
        return losses.numpy()[: stop - start]

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> tuple[float, float | None]:
        """Mean loss over all samples, and the share that is classified right (None in a regression).

        Args:
            x: (n, …) samples.
            y: their targets, as `pipeline.targets` gives them.
        """
        total = np.zeros(2)
        for begin in range(0, len(x), EVALUATION_ROWS):
            part = slice(begin, begin + EVALUATION_ROWS)
            total += self._evaluate(x[part], y[part]).numpy()
        loss = total[0] / len(x) + sum(float(loss) for loss in self.model.losses)
        return float(loss), None if self.num_classes is None else float(total[1] / len(x))

    def _sums(self, x: tf.Tensor, y: tf.Tensor) -> tf.Tensor:
        predictions = self.model(x, training=False)
        correct = tf.zeros([], tf.int64)
        if self.num_classes is not None:
            labels = tf.cast(y if y.shape.rank == 1 else y[:, 0], tf.int32)
            correct = tf.math.count_nonzero(tf.argmax(predictions, -1, tf.int32) == labels)
        loss = tf.reduce_sum(tf.cast(self._loop.per_example_loss(y, predictions), tf.float64))
        return tf.stack([loss, tf.cast(correct, tf.float64)])


def _fresh(variable: keras.Variable) -> np.ndarray | None:
    """The first value of a variable of an optimizer; None for zeros, which most are and which need not be kept."""
    value = variable.numpy()
    return value if value.any() else None


def block_updates(problem: Problem, config: TrainConfig) -> int:
    """S, minibatches per block: as many as a block may hold, and one for gradient descent."""
    k = config.minibatch_size(problem.num_examples)
    if k == problem.num_examples:
        return 1
    bytes_per_minibatch = k * (problem.x_train[0].nbytes + 4)
    most = min(MAX_BLOCK_UPDATES, MAX_BLOCK_EXAMPLES // k, MAX_BLOCK_BYTES // bytes_per_minibatch)
    return max(1, most)
