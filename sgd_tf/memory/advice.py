"""A batch size that fits, for a run that took more memory than a worker has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from sgd_tf.checks import BatchSize, resolve_batch_size
from sgd_tf.children import WORKER_BYTES
from sgd_tf.memory import predict
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.records import ModelConfig, RacePlan, TrainConfig
from sgd_tf.ui.language import _


@runtime_checkable
class Sweep(Protocol):
    """A plan of runs with several batch sizes."""

    problem: str
    num_examples: int | None
    model: ModelConfig
    batch_sizes: Sequence[int] | Mapping[str, BatchSize]  # the latter by contestant


def for_plan(plan: object, limit: int) -> str:
    """The limit of the worker, what the largest k of a plan takes, and a k that fits.

    Args:
        plan: of the run that failed.
        limit: bytes that a worker may take.

    Returns:
        A sentence in the learner's language; empty where the prediction explains nothing, and for other plans.
    """
    if not isinstance(plan, RacePlan | Sweep):
        return ""
    info = CATALOGUE[plan.problem]
    num_examples = plan.num_examples or info.num_examples
    sizes = predict.layers_for(info, plan.model)
    if isinstance(plan, RacePlan):
        k = max(config.minibatch_size(num_examples) for config in plan.configs.values())
    else:
        asked = plan.batch_sizes.values() if isinstance(plan.batch_sizes, Mapping) else plan.batch_sizes
        k = max(resolve_batch_size(num_examples, size) for size in asked)
    config = TrainConfig(batch_size=k)
    needed = predict.predict(sizes, config, num_examples=num_examples, num_features=info.num_features).total
    room = max(1, limit - WORKER_BYTES)
    fitting, _m = predict.recommend(
        sizes, room, batch_size=k, num_examples=num_examples, num_features=info.num_features
    )
    if fitting is None or fitting >= k:
        return ""
    text = _(
        "The run needed more memory than a worker has ({limit}, with TensorFlow). One update with k = {k} needs about "
        "{needed}. Try k = {fitting}."
    )
    values = {"limit": _gigabytes(limit), "needed": _gigabytes(needed)}
    return text.format(k=f"{k:,}", fitting=f"{fitting:,}", **values)


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.2g} GB"
