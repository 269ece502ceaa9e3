"""One training run: a compiled double loop over epochs and minibatches, with a clock, as progress records."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from sgd_tf.training import compiled, optimizers, pipeline, pool
from sgd_tf.training.compilers import COMPILERS, Compiler
from sgd_tf.training.models import Model
from sgd_tf.training.records import Progress, TrainConfig
from sgd_tf.training.schedule import Budget

if TYPE_CHECKING:
    import keras

    from sgd_tf.problems import Problem

__all__ = ["Model", "Run", "train"]

Clock = Callable[[], float]

SHORT_CALL = 0.001  # seconds; below, a call of the compiled loop costs as much as its updates


def train(
    problem: Problem,
    config: TrainConfig | None = None,
    *,
    model: Model | None = None,
    epochs: float | None = None,
    updates: int | None = None,
    seconds: float | None = None,
) -> Iterator[Progress]:
    """Train a model by minibatch SGD; yield progress records.

    Each update draws the next minibatch B of k samples and steps against the gradient of its mean loss:
    w ← w − γ ∇(1/k Σ_{i∈B} loss_i(w)). With ``batch_size="all"`` this is gradient descent. Training ends when the
    first of the budgets is used up; at least one is needed. Records are spaced evenly in the logarithm of time at
    first, later by a fiftieth of the budget. A run that diverges ends early and says so in its last record.

    Args:
        problem: training and test samples.
        config: batch size, learning rate, optimizer, seed, … A schedule that falls to 0 does so at the end of the
            epochs or updates, unless it has ``decay_epochs``.
        model: a `ModelConfig`; or a function ``model(problem, seed=…)`` that makes a Keras model; or a Keras
            model, which is trained in place from the weights that it has. A compiled model brings its loss and a copy
            of its optimizer; the config must not name one, nor a learning rate, then. Without a
            model, an MLP with 32 hidden units.
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
    config = config or TrainConfig()
    budget = Budget(problem, config, epochs=epochs, updates=updates, seconds=seconds)
    config = optimizers.over(config, problem.num_examples, budget.updates)
    return _train(Run(problem, config, model=model), budget)


def _train(run: Run, budget: Budget) -> Iterator[Progress]:
    with run:
        yield run.record()
        while not run.is_over and budget.remains(run):
            run.advance(*budget.next_record(run))
            yield run.record()


class Run:
    """A training run that is advanced piece by piece, with its own clock; a context manager that closes itself.

    Attributes:
        update: parameter updates so far.
        seconds: training time so far, with the drawing of the samples; tracing, compiling and evaluation excluded.
            Calls of less than a millisecond count by the speed measured before the run.
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
        compiler: Compiler | None = None,
        clock: Clock = time.perf_counter,
    ) -> None:
        """Make or reuse the compiled program for this model and batch size, and set the initial weights.

        Where the program is new, XLA and TensorFlow's graph executor are tried for a few updates off the clock, and the
        faster one is kept: on a CPU XLA is slow at convolutions and at random numbers. Both give the same updates.

        Args:
            problem: training and test samples.
            config: batch size, learning rate, seed, …
            name: name of the run in its records; by default its batch size.
            model: as in `train`.
            compiler: "xla" or "graph", used without a trial; None for the faster one.
            clock: gives seconds; a test may replace it.
        """
        self.problem, self.config, self._clock = problem, config or TrainConfig(), clock
        self.batch_size = self.config.minibatch_size(problem.num_examples)
        if compiler not in (None, *COMPILERS):
            raise ValueError(f"`compiler` must be one of {', '.join(COMPILERS)}, or None; received {compiler!r}.")
        self.name = name if name is not None else str(self.config.batch_size)
        self.update = 0
        self.seconds, self.evaluation_seconds = 0.0, math.inf
        self.diverged_at: int | None = None
        self._losses: list[np.ndarray] = []
        self._train_targets, self._test_targets = pipeline.targets(problem), pipeline.targets(problem, "test")

        self._blocks: Any = iter(
            pipeline.blocks(
                problem,
                self.batch_size,
                compiled.block_updates(problem, self.config),
                sampling=self.config.sampling,
                buffer_size=self.config.buffer_size,
                seed=self.config.seed,
                shuffler=self.config.shuffler,
            )
        )
        # All N samples, each once, are the same minibatch in any order: it is drawn once and used again.
        draws_anew = self.config.sampling == "with_replacement" or self.config.shuffler == "dataset"
        self._same_block = self.batch_size == problem.num_examples and not draws_anew
        self._block: Any
        self._draw()
        self._program = pool.acquire(problem, self.config, model, block=self._block, compiler=compiler)
        speed = self._program.speed
        self._seconds_per_update = speed.seconds_per_update + self._draw_seconds if speed else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def examples(self) -> int:
        """Samples seen so far: N in each full epoch, k in each minibatch since."""
        epochs, iterations = divmod(self.update, self._program.iterations_per_epoch)
        return epochs * self.problem.num_examples + iterations * self.batch_size

    @property
    def model(self) -> keras.Model:
        """The Keras model with the weights of this moment."""
        return self._program.model

    @property
    def compiler(self) -> Compiler:
        """The compiler that this run trains by."""
        return self._program.compiler

    @property
    def is_over(self) -> bool:
        """Whether the run has diverged, so that no update is left to make."""
        return self.diverged_at is not None

    def advance(self, update: float = math.inf, second: float = math.inf) -> None:
        """Train up to an update or a second, both counted from the start of the run, whichever is first.

        At least one update is made, and at most one more than fits into the seconds by the speed so far.

        Args:
            update: number of updates at which to stop.
            second: training time at which to stop.
        """
        while not self.is_over:
            num = self._num_updates_within(second - self.seconds)
            self._make_updates(int(min(num, max(1, update - self.update))))
            if self.update >= update or self.seconds >= second:
                break

    def record(self) -> Progress:
        """Evaluate the model on all training and test samples, off the clock; return the record."""
        start = self._clock()
        train_loss, _ = self._program.evaluate(self.problem.x_train, self._train_targets)
        test_loss, accuracy = self._program.evaluate(self.problem.x_test, self._test_targets)
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
            seed=self.config.seed,
        )

    def close(self) -> None:
        """Hand the compiled program back for the next run of its shape. The run cannot go on after this."""
        pool.release(self.__dict__.pop("_program", None))
        self._block = self._blocks = None

    def _draw(self) -> None:
        """Take the next block of minibatches; the time of drawing it is charged evenly to its updates."""
        start = self._clock()
        self._block = next(self._blocks)
        self._position = 0
        self._draw_seconds = 0.0 if self._same_block else (self._clock() - start) / len(self._block[0])

    def _num_updates_within(self, seconds: float) -> int:
        if self._seconds_per_update is None:
            return 1
        num = int(min(compiled.MAX_BLOCK_UPDATES, seconds / self._seconds_per_update))
        if self._program.speed is None:  # the first estimates are rough: grow step by step
            num = min(num, 4 * self.update)
        return max(1, num)

    def _make_updates(self, num: int) -> None:
        """Up to ``num`` updates in one call of the compiled loop, on the clock."""
        if self._position == len(self._block[0]) and not self._same_block:
            self._draw()
        start = self._clock()
        if self._same_block:
            num = min(num, compiled.MAX_BLOCK_UPDATES)
            losses = self._program.run(self._block, 0, 0, num)
        else:
            num = min(num, self._program.block_updates - self._position)
            phase = (self.update - self._position) % self._program.iterations_per_epoch
            losses = self._program.run(self._block, phase, self._position, self._position + num)
            self._position += num
        self._charge(num, self._clock() - start)
        finite = np.isfinite(losses)
        if not finite.all():
            first = int(np.argmin(finite))  # its loss is that of the weights after the update before it
            self.diverged_at = self.update + first
            losses = losses[: first + 1]
        self._losses.append(losses)
        self.update += num

    def _charge(self, num: int, elapsed: float) -> None:
        """Add the time of ``num`` updates and of their drawing to the clock of the run.

        Args:
            num: updates of one call.
            elapsed: seconds that the call took. A call so short that it pays for the call itself is charged by the
                speed that was measured before the run, unless the run has a clock of its own.
        """
        speed = self._program.speed if self._clock is time.perf_counter else None
        if speed and num * speed.seconds_per_update < SHORT_CALL:
            self.seconds += num * (speed.seconds_per_update + self._draw_seconds)
            return
        elapsed += num * self._draw_seconds
        self.seconds += elapsed
        rate = elapsed / num
        self._seconds_per_update = rate if self._seconds_per_update is None else (rate + self._seconds_per_update) / 2
