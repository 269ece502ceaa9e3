"""The recorded double loop: its plan, and a worker's rows for it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from sgd_tf import problems
from sgd_tf.double_loop.playback import MODELS
from sgd_tf.training.records import BatchSize, ModelConfig

Way = Literal["gd", "sgd"]
WAYS: tuple[Way, ...] = ("gd", "sgd")
NUM_SLOTS = 8  # samples of a minibatch that are shown on their way through the model
PIXEL_LEVELS = 16  # pixels of the digits travel as whole numbers from 0 to 16


@dataclass(frozen=True, kw_only=True)
class DoubleLoopPlan:
    """Gradient descent and SGD on the same samples, from the same weights, for the same number of epochs."""

    problem: str
    num_examples: int  # N
    batch_size: int  # k of SGD
    num_epochs: int
    learning_rate: float
    seed: int = 0  # of initial weights and order of the samples, in both runs

    @property
    def model(self) -> ModelConfig:
        """The model that is trained."""
        return MODELS[self.problem]

    @property
    def has_images(self) -> bool:
        """Whether a sample is an image."""
        return problems.CATALOGUE[self.problem].is_image

    @property
    def is_line(self) -> bool:
        """Whether the model is a straight line."""
        return self.problem == "line"

    def size_of(self, way: Way) -> BatchSize:
        """The batch size of a run."""
        return "all" if way == "gd" else self.batch_size


@dataclass(frozen=True, kw_only=True)
class Network:
    """The model that is trained."""

    num_weights: int
    layers: tuple[int, ...]  # widths, from input to output


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A training sample; samples come in the order of their indices."""

    target: float  # a label, or a number in a regression
    features: list[float]  # of an image its pixels, from 0 to 16


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn of the inner loop: `lesson.Update` as it travels. Turn 0 stands for the initial weights."""

    way: Way
    update: int  # updates so far, this one included
    epoch: int  # from 0
    indices: list[int]  # of the samples of the minibatch, as they were drawn
    outputs: list[float]  # of the first eight of them, before the update
    loss: float  # mean over the minibatch, before the update
    gradient_norm: float  # length of the gradient of that loss
    train_loss: float  # over all training samples, after the update
    surface: list[float]  # `lesson.surface` after the update


def record_double_loop(plan: DoubleLoopPlan) -> Iterator[Network | Sample | Turn]:
    """Run the double loop as gradient descent and as SGD: the network, all samples, then each turn of both runs."""
    from sgd_tf.double_loop import lesson
    from sgd_tf.training import models

    data = problems.load(plan.problem, num_examples=plan.num_examples, seed=plan.seed)
    yield Network(
        num_weights=models.build(data, plan.model).count_params(),
        layers=(data.num_features, *plan.model.widths, data.num_classes or 1),
    )
    scale, digits = (PIXEL_LEVELS, 0) if data.image_shape else (1, 4)
    for features, target in zip(data.x_train.astype("float64"), data.y_train, strict=True):
        yield Sample(target=round(float(target), 4), features=(scale * features).round(digits).tolist())
    for way in WAYS:
        updates = lesson.record(
            data,
            batch_size=plan.size_of(way),
            learning_rate=plan.learning_rate,
            num_epochs=plan.num_epochs,
            model=plan.model,
            seed=plan.seed,
        )
        for update in updates:
            yield Turn(
                way=way,
                update=update.update,
                epoch=update.epoch,
                indices=update.indices.tolist(),
                outputs=[round(float(output), 4) for output in update.outputs[:NUM_SLOTS]],
                loss=update.loss,
                gradient_norm=update.gradient_norm,
                train_loss=update.train_loss,
                surface=update.surface.round(3).tolist(),
            )
