"""A contestant of a race as a row: what a learner can choose for it, its short form in an address, its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sgd_tf.checks import BatchSize, check_int
from sgd_tf.racing.rows import contestant_name
from sgd_tf.training.optimizer_settings import SCHEDULES, ScheduleName, usual_learning_rate
from sgd_tf.training.records import SAMPLINGS, Sampling, Shuffler, TrainConfig

OPTIMIZERS: Mapping[str, Mapping[str, Any]] = {  # arguments of TrainConfig
    "sgd": {"optimizer": "sgd"},
    "momentum": {"optimizer": "sgd", "momentum": 0.9},
    "nesterov": {"optimizer": "sgd", "momentum": 0.9, "nesterov": True},
    "rmsprop": {"optimizer": "rmsprop"},
    "adagrad": {"optimizer": "adagrad"},
    "adam": {"optimizer": "adam"},
    "adamw": {"optimizer": "adamw"},
    "nadam": {"optimizer": "nadam"},
    "lion": {"optimizer": "lion"},
}
TITLES = {
    "sgd": "SGD",
    "momentum": "SGD, β = 0.9",
    "nesterov": "Nesterov, β = 0.9",
    "rmsprop": "RMSprop",
    "adagrad": "Adagrad",
    "adam": "Adam",
    "adamw": "AdamW",
    "nadam": "Nadam",
    "lion": "Lion",
}
MAX_NAME = 24  # characters
MAX_EPOCHS = 1e6  # of warm-up and decay


@dataclass(frozen=True, kw_only=True)
class Contestant:
    """A row of the table of contestants.

    Raises:
        ValueError: if a field is out of its range.
    """

    batch_size: BatchSize = 32  # k; "all" is gradient descent
    learning_rate: float | None = None  # None for the usual one of the optimizer
    optimizer: str = "sgd"
    schedule: ScheduleName = "constant"
    warmup: float = 0.0  # epochs
    decay: float = 10.0  # epochs after the warm-up in which "cosine" and "linear" fall to 0
    sampling: Sampling = "reshuffle"
    seed: int = 0
    name: str = ""  # empty: made from the rest

    def __post_init__(self) -> None:
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"`optimizer` must be one of {', '.join(OPTIMIZERS)}; received {self.optimizer!r}.")
        if self.schedule not in SCHEDULES or self.sampling not in SAMPLINGS:
            raise ValueError(f"`schedule` or `sampling` is unknown; received {self.schedule!r}, {self.sampling!r}.")
        for field in ("warmup", "decay"):
            if not 0 <= getattr(self, field) <= MAX_EPOCHS:
                raise ValueError(f"`{field}` must be in [0, {MAX_EPOCHS:g}]; received {getattr(self, field)!r}.")
        if self.decay == 0:
            raise ValueError("`decay` must be greater than 0; received 0.")
        if len(self.name) > MAX_NAME:
            raise ValueError(f"`name` must have at most {MAX_NAME} characters; received {self.name!r}.")
        self.config()

    @classmethod
    def of(cls, text: str) -> Contestant:
        """The row that an entry of an address stands for: k, rate, optimizer, …, in the order of the fields.

        Raises:
            ValueError: for nonsense.

        >>> Contestant.of("256,0.003,adam").optimizer, Contestant.of("all").batch_size
        ('adam', 'all')
        """
        parts = text.split(",", len(dataclasses.fields(cls)) - 1)
        kinds: tuple[Any, ...] = (_batch_size, float, str, str, float, float, str, int, str)
        names = (field.name for field in dataclasses.fields(cls))
        return cls(**{name: kind(part) for name, kind, part in zip(names, kinds, parts, strict=False) if part})

    @property
    def text(self) -> str:
        """Its short form: what is as usual is left empty, or out at the end.

        >>> Contestant(batch_size=256, schedule="cosine", seed=3).text
        '256,,,cosine,,,,3'
        """
        usual, parts = Contestant(), []
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            is_usual = field.name != "batch_size" and value == getattr(usual, field.name)
            parts.append("" if is_usual else f"{value:g}" if isinstance(value, float) else str(value))
        return ",".join(parts).rstrip(",")

    def config(self, shuffler: Shuffler = "permutation") -> TrainConfig:
        """How it trains."""
        falls = self.schedule in ("cosine", "linear")
        arguments = OPTIMIZERS[self.optimizer]
        rate = usual_learning_rate(arguments["optimizer"]) if self.learning_rate is None else self.learning_rate
        return TrainConfig(
            batch_size=self.batch_size,
            learning_rate=rate,
            schedule=self.schedule,
            warmup=self.warmup,
            decay_epochs=self.warmup + self.decay if falls else None,
            sampling=self.sampling,
            shuffler=shuffler if self.sampling == "reshuffle" else "permutation",
            seed=self.seed,
            **arguments,
        )

    def title(self, num_examples: int) -> str:
        """Its name: the learner's own, or batch size and optimizer."""
        if self.name:
            return self.name
        name = contestant_name(self.batch_size, num_examples)
        return name if self.optimizer == "sgd" else f"{name}, {TITLES[self.optimizer].replace('SGD, ', '')}"


def configs(
    rows: Iterable[Contestant], num_examples: int, shuffler: Shuffler = "permutation"
) -> dict[str, TrainConfig]:
    """The contestants by name; of equal names the later ones get a number, and k > N becomes N.

    >>> list(configs([Contestant(), Contestant(seed=1), Contestant(batch_size=5000)], 1437))
    ['k = 32', 'k = 32 (2)', 'GD (k = 1,437)']
    """
    named: dict[str, TrainConfig] = {}
    for row in rows:
        k: BatchSize = "all" if row.batch_size == "all" or row.batch_size >= num_examples else row.batch_size
        fitting = dataclasses.replace(row, batch_size=k)
        title = name = fitting.title(num_examples)
        number = 1
        while name in named:
            number += 1
            name = f"{title} ({number})"
        named[name] = fitting.config(shuffler)
    return named


def rows_of(chosen: Mapping[str, TrainConfig]) -> list[Contestant]:
    """Plain contestants of a race, such as those of the chips, as rows."""
    return [
        Contestant(batch_size=each.batch_size, learning_rate=each.learning_rate, seed=each.seed)
        for each in chosen.values()
    ]


def _batch_size(text: str) -> BatchSize:
    return "all" if text == "all" else check_int("k", int(text), 1)
