"""The double loop to take home: its source text, and a notebook that runs it."""

from __future__ import annotations

import ast
import functools
import textwrap
from collections.abc import Callable
from importlib import resources

from sgd_tf.double_loop.rows import DoubleLoopPlan, Way
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.records import ModelConfig
from sgd_tf.training.source_text import literal, model_arguments


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
    plan: DoubleLoopPlan, way: Way, *, model: ModelConfig | None = None, translate: Callable[[str], str] = str
) -> str:
    """A Jupyter notebook that runs the double loop as the lab has recorded it, and prints each update.

    Args:
        plan: the recording.
        way: the run of it that is repeated.
        model: by default that of the plan.
        translate: gives a sentence in the reader's language.

    Returns:
        JSON text of an .ipynb file; its cells need `sgd_tf` and what that needs.

    >>> plan = DoubleLoopPlan(problem="line", num_examples=24, batch_size=6, num_epochs=3, learning_rate=0.1)
    >>> "for x, y in minibatches:" in double_loop_notebook(plan, "sgd")
    True
    """
    from nbformat import v4

    _ = translate
    loss = "MeanSquaredError()"
    if CATALOGUE[plan.problem].num_classes:
        loss = "SparseCategoricalCrossentropy(from_logits=True)"
    setting = f"""import keras
import tensorflow as tf
import sgd_tf
from sgd_tf.training import models

batch_size, learning_rate, num_epochs = {literal(plan.size_of(way))}, {literal(plan.learning_rate)}, {plan.num_epochs}
problem = sgd_tf.load({plan.problem!r}, num_examples={plan.num_examples}, seed={plan.seed})
model = models.build(problem, sgd_tf.ModelConfig({model_arguments(model or plan.model)}), seed={plan.seed})
minibatches = sgd_tf.minibatches(problem, batch_size, seed={plan.seed})
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
