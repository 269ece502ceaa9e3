"""What a learner takes home: a race as a script, the double loop as source text and as a notebook."""

from __future__ import annotations

import ast
import dataclasses
import functools
import textwrap
from collections.abc import Callable, Iterable
from importlib import resources
from typing import Any

import numpy as np

from sgd_tf.problems import CATALOGUE
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.training.records import BatchSize, ModelConfig, ModelKind, RacePlan, TrainConfig


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
        f"    {name!r}: sgd_tf.TrainConfig({_train_arguments(config)})," for name, config in plan.configs.items()
    )
    size = "" if plan.num_examples is None else f", num_examples={plan.num_examples}"
    is_loss = plan.target_metric == "train_loss"
    target = ""
    argument = ', y=sgd_tf.charts.Axis("train_loss", log=True)' if is_loss else f", y={plan.target_metric!r}"
    if plan.target is not None:
        value = _literal(plan.target)
        metric = "" if is_loss else f", metric={plan.target_metric!r}"
        target = f"\nprint(sgd_tf.time_to_target(history, {value}{metric}).to_string(index=False))"
        argument = f", target={value}{argument}" if plan.target > 0 else argument
    return f'''"""{plan.problem}: the same model, the same seconds, one batch size for each contestant."""

import sgd_tf

problem = sgd_tf.load({plan.problem!r}{size})
contestants = {{
{contestants}
}}
model = sgd_tf.ModelConfig({_model_arguments(plan.model)})

records = sgd_tf.race(problem, contestants, seconds={_literal(plan.seconds)}, model=model)
history = sgd_tf.to_frame(records)
{target}
history.to_csv("race.csv", index=False)
chart = sgd_tf.charts.curves(history{argument})
sgd_tf.charts.save_html(chart, "race.html")
'''


def sweep_script(plan: SweepPlan) -> str:
    """Python source that repeats a sweep over batch sizes, and prints what it says.

    Args:
        plan: the sweep.

    Returns:
        Source text; needs `sgd_tf` alone.

    >>> plan = SweepPlan(problem="digits", batch_sizes=(1, 32, 1437), target=0.05)
    >>> compile(sweep_script(plan), "sweep.py", "exec") is not None
    True
    """
    size = "" if plan.num_examples is None else f", num_examples={plan.num_examples}"
    names = ("batch_sizes", "learning_rates", "rule", "num_seeds", "target", "epochs", "seconds", "max_seconds")
    arguments = _arguments(plan, names, ",\n    ")
    return f'''"""{plan.problem}: which batch size reaches the target in the fewest seconds?"""

import sgd_tf
from sgd_tf.sweep import analysis
from sgd_tf.sweep.plans import SweepPlan, sweep

problem = sgd_tf.load({plan.problem!r}{size})
plan = SweepPlan(
    problem={plan.problem!r},
    model=sgd_tf.ModelConfig({_model_arguments(plan.model)}),
    {arguments},
)

rows = []
for row in sweep(problem, plan):  # each row is one run
    print(row["batch_size"], row["learning_rate"], row["seed"], row["updates_to_target"])
    rows.append(row)

table = analysis.to_table(rows)
table.to_csv("sweep.csv", index=False)
best = analysis.tuned(table, "updates_to_target")
print(analysis.spread(best, "updates_to_target").to_string(index=False))
print(analysis.fit_runs(best))
print(analysis.recommend(table))
for verdict in analysis.verdict_c13(table):
    print(verdict)
'''


def _train_arguments(config: TrainConfig) -> str:
    """Batch size, learning rate and seed of a TrainConfig, and what is not usual about it."""
    usual = TrainConfig()
    named = ["batch_size", "learning_rate", "seed"]
    named += [
        field.name
        for field in dataclasses.fields(config)
        if field.name not in named and getattr(config, field.name) != getattr(usual, field.name)
    ]
    return _arguments(config, named)


# What a kind of model depends on.
_MODEL_FIELDS: dict[ModelKind, tuple[str, ...]] = {
    "linear": ("kind",),
    "mlp": ("kind", "widths", "activation"),
    "cnn": ("kind", "activation"),
}


def _model_arguments(model: ModelConfig) -> str:
    return _arguments(model, _MODEL_FIELDS[model.kind])


def _arguments(config: object, names: Iterable[str], separator: str = ", ") -> str:
    return separator.join(f"{name}={_literal(getattr(config, name))}" for name in names)


def _literal(value: Any) -> str:
    """Source text of a value. A NumPy number becomes a Python number: a script knows no NumPy."""
    if isinstance(value, tuple):
        return repr(tuple(part.item() if isinstance(part, np.generic) else part for part in value))
    return repr(value.item() if isinstance(value, np.generic) else value)


@functools.cache
def double_loop_source() -> str:
    """`lesson.double_loop` as it stands in the package, less its docstring and the types of its arguments.

    The text of the file is read, and nothing imported: whoever shows the loop needs no TensorFlow.

    >>> print(double_loop_source().splitlines()[0])
    def double_loop(model, minibatches, loss_function, learning_rate, num_epochs):
    """
    text = resources.files("sgd_tf.double_loop").joinpath("lesson.py").read_text(encoding="utf-8")
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef)]
    (loop,) = [node for node in functions if node.name == "double_loop"]
    lines = text.splitlines()[loop.body[1].lineno - 1 : loop.end_lineno]  # the docstring is the first statement
    names = ", ".join(argument.arg for argument in loop.args.args)
    return "\n".join([f"def double_loop({names}):", *lines])


def double_loop_lines() -> list[str]:
    """The body of `lesson.double_loop`: ten lines, without the indentation that they have in common.

    >>> lines = double_loop_lines()
    >>> len(lines), lines[2]
    (10, 'for epoch in range(num_epochs):')
    """
    body = double_loop_source().split("\n", 1)[1]
    return textwrap.dedent(body).splitlines()


def double_loop_notebook(
    problem: str,
    *,
    num_examples: int,
    batch_size: BatchSize,
    num_epochs: int,
    learning_rate: float,
    model: ModelConfig,
    seed: int = 0,
    translate: Callable[[str], str] = str,
) -> str:
    """A Jupyter notebook that runs the double loop as the lab has recorded it, and prints each update.

    Args:
        problem: name for `problems.load`.
        num_examples: N, training samples.
        batch_size: k, in [1, N], or "all" for gradient descent.
        num_epochs: passes over the training set.
        learning_rate: length of a step.
        model: which model.
        seed: of initial weights and order of the samples.
        translate: gives a sentence in the reader's language.

    Returns:
        JSON text of an .ipynb file; its cells need `sgd_tf` and what that needs.

    >>> text = double_loop_notebook("line", num_examples=24, batch_size=6, num_epochs=3, learning_rate=0.1,
    ...                             model=ModelConfig(kind="linear", widths=()))
    >>> "for x, y in minibatches:" in text
    True
    """
    from nbformat import v4

    _ = translate
    loss = "MeanSquaredError()"
    if CATALOGUE[problem].num_classes:
        loss = "SparseCategoricalCrossentropy(from_logits=True)"
    setting = f"""import keras
import tensorflow as tf
import sgd_tf
from sgd_tf.training import models

batch_size, learning_rate, num_epochs = {_literal(batch_size)}, {_literal(learning_rate)}, {num_epochs}
problem = sgd_tf.load({problem!r}, num_examples={num_examples}, seed={seed})
model = models.build(problem, sgd_tf.ModelConfig({_model_arguments(model)}), seed={seed})
minibatches = sgd_tf.minibatches(problem, batch_size, seed={seed})
loss_function = keras.losses.{loss}
print(sgd_tf.iterations_per_epoch(problem.num_examples, batch_size), "iterations per epoch")"""
    run = """steps = double_loop(model, minibatches, loss_function, learning_rate, num_epochs)
for update, (epoch, predictions, loss, gradient) in enumerate(steps, 1):
    print(f"epoch {epoch + 1}, update {update}: {len(predictions)} samples, loss {float(loss):.4f}")
train_loss = float(loss_function(problem.y_train, model(problem.x_train)))
print(f"loss over all {problem.num_examples} samples: {train_loss:.4f}")"""
    cells = [
        v4.new_markdown_cell("# " + _("The double loop of SGD")),
        v4.new_markdown_cell(_("Data, model, minibatches and loss, as they stood on the page.")),
        v4.new_code_cell(setting),
        v4.new_markdown_cell(_("Epochs outside, iterations inside. One turn of the inner loop is one update.")),
        v4.new_code_cell(double_loop_source()),
        v4.new_markdown_cell(_("Change batch_size above, run all again, and count the updates.")),
        v4.new_code_cell(run),
    ]
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # the same file each time
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    return v4.writes(notebook)
