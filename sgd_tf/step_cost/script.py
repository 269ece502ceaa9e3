"""The code of each way as the page shows it, and a script that measures the plain ways without this package."""

from __future__ import annotations

from importlib import resources

from sgd_tf.plain_tensorflow import training
from sgd_tf.plain_tensorflow.data import data
from sgd_tf.plain_tensorflow.records import PlainRun, Snippet, join
from sgd_tf.step_cost.rows import FUNCTIONS, PLAIN_WAYS, StepCostPlan, Way
from sgd_tf.training.source_text import function_source

LOOPS, LOOP = "step_cost/loops.py", "training/loop.py"


def source_of(way: Way) -> str:
    """The functions that make the updates of a way, read from the files that run.

    >>> "steps_per_execution=32" in source_of("several_steps")
    True
    """
    if way == "compiled":
        return "\n\n\n".join(function_source(LOOP, name) for name in ("updates", "update"))
    names = ["minibatches", FUNCTIONS[way]]
    if way in ("fit", "several_steps", "xla"):
        names.append("epochs_of_fit")
    elif way != "epoch_graphs":
        names.append("epochs_of_loop")
    return "\n\n\n".join(function_source(LOOPS, name) for name in names)


def plain_script(plan: StepCostPlan) -> str:
    """Python source that measures the ways in plain Keras, and prints milliseconds per epoch.

    Args:
        plan: problem, model, batch sizes and rounds.

    >>> from sgd_tf.training.records import ModelConfig
    >>> plan = StepCostPlan(problem="digits", num_examples=1437, model=ModelConfig(), batch_sizes=(8,))
    >>> compile(plain_script(plan), "step_cost.py", "exec") is not None
    True
    """
    run = PlainRun(problem=plan.problem, num_examples=plan.num_examples, model=plan.model)
    loops = resources.files("sgd_tf").joinpath(LOOPS).read_text(encoding="utf-8")
    arrays, model, loss = data(run), training.model(run), training.loss(run)
    indented = "\n".join(f"    {line}" if line else "" for line in model.body.splitlines())
    ways = ", ".join(FUNCTIONS[way] for way in PLAIN_WAYS)
    return f"""{loops}

{join(Snippet(imports=("import statistics", *arrays.imports), body=arrays.body), Snippet(body=loss.body))}


def measured(way, batch_size):
{indented}
    data = minibatches(x_train, y_train, batch_size)
    train = way(model, data, keras.optimizers.SGD(learning_rate=0.01), loss_function)
    train(1)  # compiles
    return statistics.median(train(1) for _round in range({plan.num_rounds}))


for batch_size in {list(plan.batch_sizes)}:
    for way in [{ways}]:
        print(f"k = {{batch_size}}: {{way.__name__}} takes {{1e3 * measured(way, batch_size):.3g}} ms per epoch")
"""
