"""A race as a script."""

from __future__ import annotations

import dataclasses

from sgd_tf.problems import given
from sgd_tf.training.records import RacePlan, Target, TrainConfig
from sgd_tf.training.source_text import keyword_arguments, literal, model_arguments


def race_script(plan: RacePlan) -> str:
    """Python source that repeats a race, prints its table and saves its chart.

    Args:
        plan: the race.

    Returns:
        Source text; needs only `sgd_tf`.

    >>> plan = RacePlan(problem="digits", configs={"GD": TrainConfig(batch_size="all", learning_rate=1.0)})
    >>> compile(race_script(plan), "race.py", "exec") is not None
    True
    """
    contestants = "\n".join(
        f"    {name!r}: sgd_tf.TrainConfig({_train_arguments(config)})," for name, config in plan.configs.items()
    )
    seeds = f", seeds={plan.seeds}" if plan.seeds > 1 else ""
    is_loss = plan.target_metric == "train_loss"
    target = ""
    argument = ', y=sgd_tf.charts.Axis("train_loss", log=True)' if is_loss else f", y={plan.target_metric!r}"
    if plan.target is not None:
        value = literal(plan.target)
        metric = "" if is_loss else f", metric={plan.target_metric!r}"
        target = f"\nprint(sgd_tf.time_to_target(history, {value}{metric}).to_string(index=False))"
        argument = f", target={value}{argument}" if plan.target > 0 else argument
    stop = "" if plan.stop_at is None else f", stop_at_target={_stop_at(plan.stop_at)}"
    return f'''"""{plan.problem}: the same model, the same seconds, one batch size for each contestant."""

import sgd_tf

problem = {given.source(plan.problem, plan.num_examples)}
contestants = {{
{contestants}
}}
model = sgd_tf.ModelConfig({model_arguments(plan.model)})

records = sgd_tf.race(problem, contestants, seconds={literal(plan.seconds)}, model=model{stop}{seeds})
history = sgd_tf.to_frame(records)
{target}
history.to_csv("race.csv", index=False)
chart = sgd_tf.charts.curves(history{argument})
sgd_tf.charts.save_html(chart, "race.html")
'''


def _stop_at(target: Target) -> str:
    """A target as an argument of `race`."""
    value = literal(target.value)
    return value if target.metric == "train_loss" else f"sgd_tf.Target(value={value}, metric={target.metric!r})"


def _train_arguments(config: TrainConfig) -> str:
    """Batch size, learning rate and seed of a TrainConfig, and what is not usual about it."""
    usual = TrainConfig()
    named = ["batch_size", "learning_rate", "seed"]
    named += [
        field.name
        for field in dataclasses.fields(config)
        if field.name not in named and getattr(config, field.name) != getattr(usual, field.name)
    ]
    return keyword_arguments(config, named)
