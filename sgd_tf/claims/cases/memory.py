"""The memory of a full pass."""

from __future__ import annotations

from collections.abc import Sequence

from sgd_tf import problems
from sgd_tf.claims.claim import SAME_WEIGHTS, Claim, Experiment, Picture, Point, Series
from sgd_tf.claims.contestants import MLP, difference, end
from sgd_tf.claims.measures import Measure
from sgd_tf.training.records import ModelConfig, TrainConfig
from sgd_tf.words import N_


def accumulation(seeds: Sequence[int]) -> Experiment:
    """Peak memory of an update in fresh processes, whole and in parts; the same update in parts whose gradients add up.

    The line of the chart is computed: `memory.predict`.
    """
    from sgd_tf.memory import measure, predict
    from sgd_tf.memory.rows import Measurement

    k, part, num_updates = 8_192, 256, 3
    model = ModelConfig(widths=(256, 256))
    info = problems.CATALOGUE["teacher"]
    sizes = predict.layers_for(info, model)
    for size in (part, 512, 1_024, 2_048, 4_096, k):
        held = predict.predict(sizes, TrainConfig(batch_size=size), num_examples=k, num_features=info.num_features)
        yield Point(series="computed", x=size, y=held.total / 1e6)
    measured: dict[tuple[str, int], float] = {}
    trials = [measure.Trial(batch_size=size) for size in (part, k)]
    trials.append(measure.Trial(batch_size=k, micro_batch_size=part))
    for row in measure.measure("teacher", model, trials, num_examples=k):
        if isinstance(row, Measurement):
            series = "parts" if row.micro_batch_size else "whole"
            measured[series, row.batch_size] = row.num_bytes
            yield Point(series=series, x=row.batch_size, y=row.num_bytes / 1e6)
        else:
            yield None
    digits, differences = problems.load("digits"), []
    for seed in seeds:
        ends = []
        for micro in (None, part):
            config = TrainConfig(batch_size="all", learning_rate=0.5, micro_batch_size=micro, seed=seed)
            ends.append(end(digits, config, MLP, updates=num_updates)[1])
        differences.append(difference(*ends))
    whole = measured["whole", k]
    return {
        "growth": whole / measured["whole", part],
        "saving": whole / measured["parts", k],
        "difference": differences,
    }


ACCUMULATION = Claim(
    key="accumulation",
    run=accumulation,
    group="chapter",
    sentence=N_(
        "A full batch may not fit in memory. Gradient accumulation over smaller parts fits and gives the same update."
    ),
    experiment=N_(
        "An MLP, 8,192 samples, each update in a fresh process: peak memory for k = 256, for k = 8,192, "
        "and for k = 8,192 in micro-batches of 256, measured once each."
    ),
    measures=(
        Measure(name="growth", title=N_("Memory: k = 8,192 ÷ k = 256"), at_least=4),
        Measure(name="saving", title=N_("Memory at k = 8,192: whole ÷ in micro-batches"), at_least=2),
        Measure(name="difference", title=SAME_WEIGHTS, form=".1e", at_most=1e-5),
    ),
    picture=Picture(
        kind="lines",
        title=N_("Peak memory of an update"),
        x=N_("Batch size k"),
        y=N_("Megabytes"),
        series={
            "computed": Series(title=N_("computed")),
            "whole": Series(title=N_("whole")),
            "parts": Series(title=N_("micro-batches of 256")),
        },
        log_x=True,
        log_y=True,
    ),
    page="lab/memory",
    seconds=21,
)
