"""The race and the search for learning rates: a worker's rows for a plan."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sgd_tf import problems
from sgd_tf.jobs import Slice
from sgd_tf.racing.snapshots import Album, Scene, Snapshot
from sgd_tf.racing.stability import largest_stable_rate
from sgd_tf.racing.trials import Trial
from sgd_tf.training import history
from sgd_tf.training.optimizer_settings import is_plain
from sgd_tf.training.records import BatchSize, ModelConfig, Progress, RacePlan, TrainConfig
from sgd_tf.training.tuned_rates import LEARNING_RATES

if TYPE_CHECKING:
    from sgd_tf.training.run import Run

SEARCH_SECONDS = 0.5  # of training for each learning rate that a search tries


@dataclass(frozen=True, kw_only=True)
class Device:
    """The device that trains."""

    name: str  # "CPU", or the name of a GPU


@dataclass(frozen=True, kw_only=True)
class StableLimit:
    """2/λmax, above which gradient descent diverges."""

    learning_rate: float


def contestant_name(batch_size: BatchSize, num_examples: int) -> str:
    """How a contestant is called everywhere: "GD (k = 1,437)" for the full batch, "k = 32" for a minibatch.

    >>> contestant_name("all", 1437), contestant_name(32, 1437)
    ('GD (k = 1,437)', 'k = 32')
    """
    if batch_size == "all" or batch_size >= num_examples:
        return f"GD (k = {num_examples:,})"
    return f"k = {batch_size:,}"


def race_seconds(plan: RacePlan) -> float:
    """Training time of a race, all contestants together."""
    return plan.seconds * len(plan.configs) * plan.seeds


RaceRow: TypeAlias = Device | history.Row | StableLimit | Scene | Snapshot


def run_race(plan: RacePlan, *, has_snapshots: bool = True) -> Iterator[RaceRow]:
    """Race the contestants of a plan.

    Args:
        plan: of the race.
        has_snapshots: whether to show what the models have learned.

    Yields:
        The device first; then the records, some of them with a snapshot; after a contestant has diverged the limit of
        gradient descent, where it is known.
    """
    from sgd_tf.racing import race

    yield Device(name=_device())
    problem = problems.load(plan.problem, num_examples=plan.num_examples)
    rounds = race.of_seeds(plan.configs, plan.seeds)
    for number, configs in enumerate(rounds):
        album = Album(problem, plan.seconds) if has_snapshots and number == 0 else None
        steps = race.advance_all(problem, configs, seconds=plan.seconds, model=plan.model, target=plan.stop_at)
        with contextlib.closing(steps):
            for row in _with_snapshots(steps, album):
                if not isinstance(row, Progress):
                    yield row
                    continue
                yield history.row(row if len(rounds) == 1 else race.named(row, configs[row.run].seed))
                is_lost = row.diverged_at is not None and is_plain(configs[row.run])
                if is_lost and (limit := largest_stable_rate(problem, plan.model)):
                    yield StableLimit(learning_rate=limit)


def _with_snapshots(
    steps: Iterable[tuple[Run, Progress]], album: Album | None
) -> Iterator[Progress | Scene | Snapshot]:
    """The records of a race, and between them what the models have learned, if there is an album."""
    last: dict[str, tuple[Progress, Any]] = {}
    for run, record in steps:
        yield record
        if album is None:
            continue
        if not last:
            yield album.scene
        last[record.run] = record, run.model
        if album.is_due(record):
            yield album.snapshot(record, run.model)
    for record, model in last.values():  # the models keep their weights until the next race
        if album is not None and album.is_new(record):
            yield album.snapshot(record, model)


def first_points(plan: RacePlan) -> Iterator[RaceRow]:
    """The beginning of a race: two points of each contestant, in a moment."""
    yield from itertools.islice(run_race(plan, has_snapshots=False), 1 + 2 * len(plan.configs))


def next_part(plan: RacePlan, found: Sequence[object], under_way: Collection[Slice]) -> Slice | None:
    """The parts of a race while others wait: its first points, then the race from its start.

    Each part begins with its `Device`.
    """
    if under_way:
        return None
    begun = sum(isinstance(row, Device) for row in found)
    return [Slice.of(first_points, plan), Slice.of(run_race, plan), None][min(begun, 2)]


def latest_part(found: Sequence[Any]) -> Sequence[Any]:
    """The rows of the race, or of its first points until the race itself has as many."""
    starts = [at for at, row in enumerate(found) if isinstance(row, Device)]
    if len(starts) < 2:
        return found
    return max(found[starts[-1] :], found[: starts[-1]], key=len)


def _device() -> str:
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))


@dataclass(frozen=True, kw_only=True)
class SearchPlan:
    """A search for the learning rate of each contestant of a race."""

    problem: str  # name for `problems.load`
    num_examples: int  # N
    model: ModelConfig
    batch_sizes: Mapping[str, BatchSize]  # by contestant
    seed: int

    @classmethod
    def of(cls, plan: RacePlan) -> SearchPlan:
        """The search for the rates of a race; its own rates are not used."""
        return cls(
            problem=plan.problem,
            num_examples=plan.num_examples or problems.CATALOGUE[plan.problem].num_examples,
            model=plan.model,
            batch_sizes={name: config.batch_size for name, config in plan.configs.items()},
            seed=next(iter(plan.configs.values())).seed,
        )

    @property
    def seconds(self) -> float:
        """Training time, about: a search may end before its last rate, or go beyond it."""
        return SEARCH_SECONDS * len(LEARNING_RATES) * len(self.batch_sizes)


@dataclass(frozen=True, kw_only=True)
class RunTrial(Trial):
    """A trial for one contestant."""

    run: str  # name of the contestant


def search_learning_rates(plan: SearchPlan) -> Iterator[RunTrial]:
    """Search the learning rate of each contestant of a plan."""
    from sgd_tf.racing import search

    problem = problems.load(plan.problem, num_examples=plan.num_examples)
    for name, k in plan.batch_sizes.items():
        config = TrainConfig(batch_size=k, seed=plan.seed)
        for trial in search.try_learning_rates(problem, config, seconds=SEARCH_SECONDS, model=plan.model):
            yield RunTrial(run=name, **asdict(trial))
