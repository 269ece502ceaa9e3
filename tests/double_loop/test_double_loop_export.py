"""The double loop that a learner takes home: the text of the lab itself, in a notebook that runs."""

import ast
import contextlib
import inspect
import io
import re
import subprocess
import sys
import textwrap
from dataclasses import replace

import nbformat
import pytest

from sgd_tf import problems
from sgd_tf.double_loop import lesson, notebook
from sgd_tf.double_loop.rows import DoubleLoopPlan

PLAN = DoubleLoopPlan(problem="digits", num_examples=24, batch_size=10, num_epochs=2, learning_rate=0.2, seed=3)


def test_the_source_that_is_shown_is_the_function_that_runs():
    def body(source):
        (function,) = ast.parse(textwrap.dedent(source)).body
        statements = function.body[1:] if ast.get_docstring(function) else function.body
        names = [argument.arg for argument in function.args.args]
        return names, [ast.dump(statement) for statement in statements]

    assert body(notebook.double_loop_source()) == body(inspect.getsource(lesson.double_loop))


def test_the_lines_that_are_shown_are_those_of_the_source():
    source = textwrap.dedent(notebook.double_loop_source().split("\n", 1)[1])
    assert notebook.double_loop_lines() == source.splitlines()


def test_showing_the_source_imports_no_tensorflow():
    code = (
        "import sys; from sgd_tf.double_loop import notebook; from sgd_tf.double_loop.rows import DoubleLoopPlan; "
        "notebook.double_loop_lines(); "
        f"notebook.double_loop_notebook({PLAN!r}, 'gd'); "
        "print([name for name in ('tensorflow', 'keras', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(("name", "way"), [("line", "gd"), ("digits", "sgd")])
def test_the_notebook_runs_and_prints_the_updates_of_the_page(name, way):
    plan = replace(PLAN, problem=name)
    written = nbformat.reads(notebook.double_loop_notebook(plan, way), as_version=4)
    nbformat.validate(written)
    printed, namespace = io.StringIO(), {}
    with contextlib.redirect_stdout(printed):
        for cell in written.cells:
            if cell.cell_type == "code":
                exec(compile(cell.source, "cell", "exec"), namespace)

    problem = problems.load(name, num_examples=24, seed=3)
    k = {"gd": "all", "sgd": 10}[way]
    run = lesson.record(problem, batch_size=k, model=plan.model, num_epochs=2, learning_rate=0.2, seed=3)
    updates = list(run)[1:]
    lines = printed.getvalue().splitlines()
    assert len(lines) == len(updates) + 2
    for update, line in zip(updates, lines[1:], strict=False):
        told = [float(number) for number in re.findall(r"[\d.]+", line)]
        wanted = [update.epoch + 1, update.update, len(update.indices), update.loss]
        assert told == pytest.approx(wanted, abs=1e-4)
    assert float(lines[-1].split()[-1]) == pytest.approx(updates[-1].train_loss, abs=1e-4)


def test_the_same_settings_give_the_same_file_and_the_words_are_translated():
    first = notebook.double_loop_notebook(PLAN, "sgd")
    assert first == notebook.double_loop_notebook(PLAN, "sgd")
    translated = nbformat.reads(notebook.double_loop_notebook(PLAN, "sgd", translate=str.upper), as_version=4)
    words = "".join(cell.source for cell in translated.cells if cell.cell_type == "markdown")
    assert words == words.upper()
    assert notebook.double_loop_source() in [cell.source for cell in translated.cells]
