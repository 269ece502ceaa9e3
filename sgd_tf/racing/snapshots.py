"""What the models of a race have learned, from time to time: small pictures, made while no clock runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from sgd_tf.training.records import Progress
from sgd_tf.training.schedule import FIRST_GAP

if TYPE_CHECKING:
    from sgd_tf.problems import Problem

MAX_SNAPSHOTS = 24  # of a contestant: the start, the first update, evenly spaced in log time, the end
GROWTH = FIRST_GAP ** (-1 / (MAX_SNAPSHOTS - 4))  # of the seconds, from one snapshot to the next
CELLS = 28  # of a decision boundary, across and up
NUM_SAMPLES = {"boundary": 150, "samples": 120, "predictions": 80}  # of the test part, at most
MAX_SIDE = 14  # px; larger images are thinned out
MARGIN = 0.08  # of the range of a feature, beyond it
NONE = "."  # the answer of a model that has diverged

Kind = Literal["boundary", "samples", "predictions"]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """What the snapshots of all contestants of a race are of: the same test samples."""

    kind: Kind  # classes over two features; samples right or wrong; predicted against true values
    num_samples: int
    points: list[tuple[float, float]]  # "boundary": place of each sample; "predictions": true value, twice; in [0, 1]
    labels: str  # "boundary": class of each sample, a character each
    images: list[str]  # "samples": ink of each pixel, a hexadecimal digit each; empty for what is no image


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What a contestant had learned at one moment.

    The answer holds a character for each cell of the boundary, row by row from the top: its class; for each sample "0"
    (right) or "1" (wrong); or two hexadecimal digits for each prediction, from 0 to 255 along the axis. "." stands for
    no number.
    """

    run: str  # name of the contestant
    seconds: float  # of training
    update: int
    answer: str


class Album:
    """Makes the snapshots of a race, evenly spaced in the logarithm of the training time.

    An answer is one forward pass over at most 784 rows, which takes milliseconds: with three contestants on the digits
    the snapshots are some per cent of the duration of a race, and nothing of its training time.
    """

    def __init__(self, problem: Problem, seconds: float) -> None:
        """Choose what the snapshots are of.

        Args:
            problem: its test samples are shown.
            seconds: limit of the race.
        """
        self._first_gap = FIRST_GAP * seconds
        self._due: dict[str, float] = {}  # contestant → seconds of its next snapshot
        self._latest: dict[str, int] = {}  # contestant → update of its latest one
        self._problem = problem
        kind: Kind = "predictions"
        if problem.num_classes is not None:
            is_flat = problem.num_features == 2 and problem.image_shape is None
            kind = "boundary" if is_flat else "samples"
        num = min(NUM_SAMPLES[kind], problem.num_test)
        x, y = problem.x_test[:num], problem.y_test[:num]
        points, labels, images, self._x = [], "", [], x
        if kind == "boundary":
            low, high = _range(problem.x_train, 0)
            points = [(float(a), float(b)) for a, b in np.round(np.clip((x - low) / (high - low), 0, 1), 3)]
            labels = "".join(map(_character, y))
            self._x = _grid(low, high).astype(np.float32)
        elif kind == "samples":
            images = [_ink(image, problem.image_shape) for image in x] if problem.image_shape else []
        else:
            self._low, self._high = (float(end) for end in _range(problem.y_train, None))
            points = [(each, each) for each in np.round(self._shares(y), 3).tolist()]
        self.scene = Scene(kind=kind, num_samples=num, points=points, labels=labels, images=images)

    def is_due(self, record: Progress) -> bool:
        """Whether a snapshot should be made at a record."""
        return record.seconds >= self._due.get(record.run, 0.0)

    def is_new(self, record: Progress) -> bool:
        """Whether the contestant has been trained since its latest snapshot."""
        return self._latest.get(record.run) != record.update

    def snapshot(self, record: Progress, model: Any) -> Snapshot:
        """What a model answers at the moment of a record.

        Args:
            record: of the contestant.
            model: its Keras model, with the weights of that moment.
        """
        self._latest[record.run] = record.update
        if record.update:
            self._due[record.run] = max(self._first_gap, GROWTH * record.seconds)
        outputs = np.asarray(model(self._x, training=False), dtype=np.float64)
        return Snapshot(run=record.run, seconds=record.seconds, update=record.update, answer=self._answer(outputs))

    def _answer(self, outputs: np.ndarray) -> str:
        is_number = np.isfinite(outputs).all(axis=1)
        if self.scene.kind == "predictions":
            levels = np.round(255 * np.nan_to_num(self._shares(outputs[:, 0]))).astype(int)
            return "".join(f"{each:02x}" if known else NONE * 2 for each, known in zip(levels, is_number, strict=True))
        classes = outputs.argmax(axis=1)
        if self.scene.kind == "samples":
            wrong = (classes != self._problem.y_test[: self.scene.num_samples]) | ~is_number
            return "".join("1" if each else "0" for each in wrong)
        return "".join(_character(each) if known else NONE for each, known in zip(classes, is_number, strict=True))

    def _shares(self, values: np.ndarray) -> np.ndarray:
        """How far along the axis of the predictions these values lie."""
        return np.clip((values - self._low) / (self._high - self._low), 0, 1)


def _range(values: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """The lowest and the highest value, with a margin."""
    low, high = np.asarray(values.min(axis=axis)), np.asarray(values.max(axis=axis))
    margin = MARGIN * np.where(high > low, high - low, 1.0)
    return low - margin, high + margin


def _grid(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """(CELLS², 2) middles of the cells, row by row from the top."""
    shares = (np.arange(CELLS) + 0.5) / CELLS
    across, up = np.meshgrid(shares, shares[::-1])
    return low + np.stack([across.ravel(), up.ravel()], axis=1) * (high - low)


def _character(label: Any) -> str:
    """A character for a class, other than the one for none."""
    return chr(ord("0") + int(label))


def _ink(image: np.ndarray, shape: tuple[int, int, int]) -> str:
    """An image as hexadecimal digits, one for each pixel of a square, from its darkest to its brightest."""
    pixels = image.reshape(shape).mean(axis=-1)
    step = -(-max(pixels.shape) // MAX_SIDE)
    side = min(pixels.shape) // step
    square = pixels[: side * step, : side * step].reshape(side, step, side, step).mean(axis=(1, 3))
    low, high = float(square.min()), float(square.max())
    return "".join(f"{each:x}" for each in np.round(15 * (square - low) / ((high - low) or 1.0)).astype(int).ravel())
