"""A race as a Python script that runs it again."""

from __future__ import annotations

from sgd_tf.records import ModelConfig, RacePlan, TrainConfig


def race_script(plan: RacePlan) -> str:
    """Python source that repeats a race, prints its table and saves its chart.

    Args:
        plan: the race.

    Returns:
        Source text; needs `sgd_tf` alone.

    >>> plan = RacePlan(problem="digits", configs={"GD": TrainConfig(batch_size="all", learning_rate=1.0)})
    >>> compile(race_script(plan), "race.py", "exec") is not None
    True
    """
    contestants = "\n".join(
        f"    {name!r}: sgd_tf.TrainConfig({_arguments(config)})," for name, config in plan.configs.items()
    )
    size = "" if plan.num_examples is None else f", num_examples={plan.num_examples}"
    target = ""
    argument = ""
    if plan.target is not None:
        target = f"\nprint(sgd_tf.time_to_target(history, {plan.target!r}).to_string(index=False))"
        argument = f", target={plan.target!r}"
    return f'''"""{plan.problem}: the same model, the same seconds, one batch size for each contestant."""

import sgd_tf

problem = sgd_tf.load({plan.problem!r}{size})
contestants = {{
{contestants}
}}
model = sgd_tf.ModelConfig({_model_arguments(plan.model)})

records = sgd_tf.race(problem, contestants, seconds={plan.seconds!r}, model=model)
history = sgd_tf.to_frame(records)
{target}
history.to_csv("race.csv", index=False)
chart = sgd_tf.charts.curves(history{argument}, log_y=True)
sgd_tf.charts.save_html(chart, "race.html")
'''


def _arguments(config: TrainConfig) -> str:
    """The arguments of a TrainConfig that make it what it is: batch size, learning rate, and what is not usual."""
    usual = TrainConfig()
    named = ["batch_size", "learning_rate", "seed"]
    others = ("momentum", "sampling", "buffer_size", "micro_batch_size")
    named += [name for name in others if getattr(config, name) != getattr(usual, name)]
    return ", ".join(f"{name}={getattr(config, name)!r}" for name in named)


def _model_arguments(model: ModelConfig) -> str:
    if model.kind == "mlp":
        return f"widths={model.widths!r}, activation={model.activation!r}"
    return f"kind={model.kind!r}"
