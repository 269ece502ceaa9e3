"""One minibatch over several devices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np

from sgd_tf import problems
from sgd_tf.claims.claim import SAME_WEIGHTS, Claim, Experiment, Picture, Point, Series
from sgd_tf.claims.contestants import MLP, difference, end
from sgd_tf.claims.measures import Measure
from sgd_tf.training.records import TrainConfig
from sgd_tf.words import N_

Array: TypeAlias = "np.ndarray[Any, Any]"


def many_devices(seeds: Sequence[int]) -> Experiment:
    """One minibatch over two devices and on one, in a process of their own, beside the lab's own loop.

    What one device must hold is what `memory.predict` says of its part of the minibatch.
    """
    from sgd_tf.devices import replicas
    from sgd_tf.devices.rows import FirstMinibatch, ParallelPlan, Update, Weights
    from sgd_tf.memory import predict

    num_devices, digits = 2, problems.load("digits")
    plan = ParallelPlan(problem="digits", model=MLP, batch_size=256, num_updates=12, learning_rate=0.5)
    differences, parts = [], []
    weights: dict[int, Array] = {}
    for row in replicas.over_devices(plan, [1, num_devices], seeds=seeds):
        if isinstance(row, FirstMinibatch) and row.replicas > 1:
            parts.append(max(len(part.indices) for part in row.parts) / plan.batch_size)
        elif isinstance(row, Update):
            yield Point(series="alone" if row.replicas == 1 else "two", x=row.update, y=row.loss, seed=row.seed)
        elif isinstance(row, Weights):
            weights[row.replicas] = np.array(row.values)
            if row.replicas > 1:
                config = TrainConfig(batch_size=plan.batch_size, learning_rate=plan.learning_rate, seed=row.seed)
                others = (weights[1], end(digits, config, MLP, updates=plan.num_updates)[1])
                differences.append(max(difference(weights[row.replicas], other) for other in others))
        else:
            yield None
    sizes = predict.layers(MLP, num_features=digits.num_features, num_outputs=digits.num_classes or 1)
    held = [
        predict.predict(
            sizes,
            TrainConfig(batch_size=k),
            num_examples=digits.num_examples,
            num_features=digits.num_features,
        ).total
        for k in (round(max(parts) * plan.batch_size), plan.batch_size)
    ]
    return {"difference": differences, "part": parts, "memory": held[0] / held[1]}


MANY_DEVICES = Claim(
    key="many_devices",
    run=many_devices,
    group="chapter",
    sentence=N_("A minibatch too large for one device can be split over several devices, and the update is the same."),
    experiment=N_("Digits, k = 256: 12 updates on two devices in a separate process, and on one device."),
    measures=(
        Measure(name="difference", title=SAME_WEIGHTS, form=".1e", at_most=1e-5),
        Measure(name="part", title=N_("Samples on one device ÷ samples of the minibatch"), form=".0%", at_most=0.5),
        Measure(name="memory", title=N_("Memory per device ÷ memory of a single device (computed)"), form=".0%"),
    ),
    picture=Picture(
        kind="lines",
        title=N_("One device and two devices"),
        x=N_("Parameter updates"),
        y=N_("Minibatch loss"),
        series={"alone": Series(title=N_("one device")), "two": Series(title=N_("two devices"))},
    ),
    page="lab/data_parallel",
    seconds=15,
)
