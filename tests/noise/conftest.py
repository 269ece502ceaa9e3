"""Runs of the page's defaults, made once."""

import pytest

from sgd_tf.noise import controls, rows
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.records import ModelConfig
from tests.lab import travelled


@pytest.fixture(scope="session")
def path_rows():
    return travelled(rows.weight_paths, rows.PathPlan())


@pytest.fixture(scope="session")
def escape_rows():
    return travelled(rows.count_escapes, rows.EscapePlan())


def descend(problem):
    """Plan and rows of the linear model on a problem."""
    plan = rows.EdgePlan(
        problem=problem,
        num_examples=CATALOGUE[problem].num_examples,
        model=ModelConfig(kind="linear", widths=()),
        seed=0,
    )
    return plan, travelled(rows.descend_around_the_limit, plan)


@pytest.fixture(scope="session")
def edge_run():
    assert controls.EDGE_MODEL.default == "linear"
    return descend(controls.EDGE_PROBLEM.default)


@pytest.fixture(scope="session")
def cancer_run():
    return descend("breast_cancer")
