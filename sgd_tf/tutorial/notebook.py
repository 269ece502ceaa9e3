"""The whole tutorial as one notebook in plain TensorFlow, with the learner's settings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sgd_tf.plain_tensorflow.documents import INSTALL
from sgd_tf.tutorial.plain import SETUP
from sgd_tf.tutorial.step import Step, Values


def notebook(steps: Sequence[tuple[str, Step, Values]], *, translate: Callable[[str], str] = str) -> str:
    """A Jupyter notebook with the code of all steps.

    Args:
        steps: title in the reader's language, the step, and the values of its controls.
        translate: gives a sentence in the reader's language.

    Returns:
        JSON text of an .ipynb file. It needs TensorFlow and scikit-learn, and runs where there is pip.
    """
    from nbformat import v4

    _ = translate
    cells = [
        v4.new_markdown_cell("# " + _("SGD, step by step")),
        v4.new_markdown_cell(
            _("The code of all steps, with the settings that you chose. It needs no package of the lab.")
        ),
        v4.new_code_cell(INSTALL),
        v4.new_markdown_cell(_("Data and a model that all steps begin with.")),
        v4.new_code_cell(SETUP.rstrip()),
    ]
    for number, (title, step, values) in enumerate(steps, 1):
        question = f"{_(step.question)} {_(step.options[step.right])}"
        cells.append(v4.new_markdown_cell(f"## {number}. {title}\n\n{question}"))
        cells.append(v4.new_code_cell(step.code(*values)))
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"  # the same file each time
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    whole = v4.new_notebook(cells=cells, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    return v4.writes(whole)
