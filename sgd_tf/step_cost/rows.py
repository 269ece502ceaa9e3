"""The experiment on the cost of a step: its plan, and a worker's rows for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, TypeAlias, get_args

from sgd_tf.problems import CATALOGUE
from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.records import ModelConfig, check_int

Way = Literal["fit", "several_steps", "xla", "python", "graphs", "epoch_graphs", "compiled"]
WAYS: tuple[Way, ...] = get_args(Way)
PLAIN_WAYS: tuple[Way, ...] = ("fit", "several_steps", "xla", "python", "graphs", "epoch_graphs")
# Functions of `loops`; the last way is the loop of the lab.
FUNCTIONS: Mapping[Way, str] = MappingProxyType(
    {
        "fit": "fit",
        "several_steps": "fit_several_steps",
        "xla": "fit_xla",
        "python": "loop_in_python",
        "graphs": "loop_of_graphs",
        "epoch_graphs": "loop_in_graph",
    }
)
MAX_UPDATES = 800  # per epoch: `model.fit` takes about a millisecond for each
PYTHON_UPDATES = 32  # that the loop in Python is timed over, at most: each takes several milliseconds
MAX_SIZES = 6  # batch sizes of one run: seven programs are compiled for each
NUM_ROUNDS = 5


def batch_sizes_for(num_examples: int) -> tuple[int, ...]:
    """Batch sizes that can be measured: powers of two with at most `MAX_UPDATES` updates per epoch, and N.

    >>> batch_sizes_for(1437)
    (2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1437)
    """
    powers = [2**power for power in range(21) if 2**power < num_examples]
    return (*(k for k in powers if iterations_per_epoch(num_examples, k) <= MAX_UPDATES), num_examples)


@dataclass(frozen=True, kw_only=True)
class StepCostPlan:
    """Seconds per epoch of all ways, for some batch sizes.

    Raises:
        ValueError: if a batch size is out of range, or an epoch would have more than `MAX_UPDATES` updates.

    >>> StepCostPlan(problem="digits", num_examples=1437, model=ModelConfig(), batch_sizes=(1,))
    Traceback (most recent call last):
    ...
    ValueError: `batch_sizes` must give at most 800 updates per epoch; received 1, which gives 1437.
    """

    problem: str  # name for `problems.load`
    num_examples: int  # N
    model: ModelConfig
    batch_sizes: tuple[int, ...]  # k, in rising order
    num_rounds: int = NUM_ROUNDS  # measurements of each way and each k; the median counts

    def __post_init__(self) -> None:
        info = CATALOGUE[self.problem]
        check_int("num_examples", self.num_examples, info.min_examples, info.max_examples)
        check_int("num_rounds", self.num_rounds, 1)
        if not 1 <= len(self.batch_sizes) <= MAX_SIZES or list(self.batch_sizes) != sorted(set(self.batch_sizes)):
            raise ValueError(f"`batch_sizes` must be 1 to {MAX_SIZES} rising numbers; received {self.batch_sizes}.")
        for k in self.batch_sizes:
            if (updates := iterations_per_epoch(self.num_examples, k)) > MAX_UPDATES:
                raise ValueError(
                    f"`batch_sizes` must give at most {MAX_UPDATES} updates per epoch; received {k}, which gives "
                    f"{updates}."
                )

    @property
    def num_rows(self) -> int:
        """Number of rows of a whole run: a first epoch and its rounds for each way and each k."""
        return len(self.batch_sizes) * len(WAYS) * (1 + self.num_rounds)

    @property
    def seconds(self) -> float:
        """Time of the run on a busy machine, about: compiling, then several loops with a call per update."""
        updates = sum(iterations_per_epoch(self.num_examples, k) for k in self.batch_sizes)
        return 25.0 * len(self.batch_sizes) + 0.006 * (2 + self.num_rounds) * updates


@dataclass(frozen=True, kw_only=True)
class FirstEpoch:
    """The first epoch of one way with one k: tracing and compiling included."""

    way: Way
    batch_size: int  # k
    seconds: float


@dataclass(frozen=True, kw_only=True)
class Timing:
    """One measurement: the ways and the batch sizes take turns."""

    way: Way
    batch_size: int  # k
    round: int  # from 0
    seconds: float  # per epoch


Row: TypeAlias = FirstEpoch | Timing


def measure_steps(plan: StepCostPlan) -> Iterator[Row]:
    """Rows of `measure.measure`."""
    from sgd_tf.step_cost import measure

    yield from measure.measure(plan)
