"""The recorded runs of the lab's pages: generator functions, each with the plan of its page's default settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sgd_tf.claims import rows as claims
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.devices import rows as devices
from sgd_tf.double_loop import rows as double_loop
from sgd_tf.memory import rows as memory
from sgd_tf.noise import rows as noise
from sgd_tf.sampling import rows as sampling
from sgd_tf.step_cost import rows as step_cost
from sgd_tf.training.records import ModelConfig

Run = Callable[[Any], Iterator[Any]]

_MLP, _WIDE = ModelConfig(widths=(32,)), ModelConfig(widths=(256,))
_PARALLEL = devices.ParallelPlan(problem="digits", batch_size=256, learning_rate=0.1, num_updates=30)

PLANS: Mapping[Run, Any] = {
    double_loop.record_double_loop: double_loop.DoubleLoopPlan(
        problem="digits", num_examples=24, batch_size=6, num_epochs=3, learning_rate=0.2
    ),
    sampling.draw_orders: sampling.OrdersPlan(num_examples=100, buffer_size=20, seed=0),
    sampling.error_floors: sampling.FloorPlan(batch_size=8, num_seeds=5),
    sampling.sorted_runs: sampling.SortedPlan(batch_size=32, learning_rate=0.1, buffer_size=100, num_seeds=5),
    sampling.genie_runs: sampling.GeniePlan(num_copies=4, batch_size=32, num_seeds=5),
    sampling.compare_shufflers: sampling.ShufflersPlan(seed=0),
    noise.weight_paths: noise.PathPlan(),
    noise.measure_noise: noise.LawPlan(
        problem="digits", num_examples=1437, model=_MLP, num_epochs=0, learning_rate=1.0, seed=0
    ),
    noise.count_escapes: noise.EscapePlan(),
    noise.descend_around_the_limit: noise.EdgePlan(
        problem="diabetes", num_examples=353, model=ModelConfig(kind="linear", widths=()), seed=0
    ),
    memory.hit_the_wall: memory.WallPlan(
        problem="flights",
        model=_WIDE,
        batch_size=131072,
        micro_batch_size=None,
        limit=256 * 10**6,
        others=memory.measured_sizes("flights"),
    ),
    memory.accumulate: memory.PartsPlan(problem="flights", model=_WIDE, batch_size=16384),
    devices.train_over_devices: devices.DevicesPlan(run=_PARALLEL, largest=4),
    devices.train_over_workers: devices.MachinesPlan(run=_PARALLEL, num_workers=2, lose_after=None),
    step_cost.measure_steps: step_cost.StepCostPlan(
        problem="digits", num_examples=1437, model=_MLP, batch_sizes=(8, 64, 512, 1437)
    ),
    claims.try_claims: claims.Plan(keys=tuple(CLAIMS), num_seeds=3),
}
