"""A sweep as a script."""

from __future__ import annotations

from sgd_tf.problems import given
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.training.source_text import keyword_arguments, model_arguments


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
    names = ("batch_sizes", "learning_rates", "rule", "num_seeds", "target", "epochs", "seconds", "max_seconds")
    arguments = keyword_arguments(plan, names, ",\n    ")
    return f'''"""{plan.problem}: which batch size reaches the target in the fewest seconds?"""

import sgd_tf
from sgd_tf.sweep.measure import sweep
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.verdict import judge

problem = {given.source(plan.problem, plan.num_examples)}
plan = SweepPlan(
    problem={plan.problem!r},
    model=sgd_tf.ModelConfig({model_arguments(plan.model)}),
    {arguments},
)

rows = []
for row in sweep(problem, plan):  # each row is one run
    print(row.batch_size, row.learning_rate, row.seed, row.updates_to_target)
    rows.append(row)

verdict = judge(plan, tuple(rows))
verdict.table.to_csv("sweep.csv", index=False)
print(verdict.sizes.to_string(index=False))
print(verdict.fastest, verdict.law, *verdict.usual, sep="\\n")
'''
