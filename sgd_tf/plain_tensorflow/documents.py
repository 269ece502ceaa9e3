"""The code to take home as a whole: a script, or a notebook that installs what is missing."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sgd_tf.plain_tensorflow import training
from sgd_tf.plain_tensorflow.data import data
from sgd_tf.plain_tensorflow.records import FORMS, Form, PlainRun, Snippet, join

# What a notebook may need, by the name that is imported.
PACKAGES = {"tensorflow": "tensorflow", "sklearn": "scikit-learn", "pandas": "pandas", "altair": "altair"}
INSTALL = f"""import importlib.util
import subprocess
import sys

packages = {PACKAGES}
missing = [name for module, name in packages.items() if importlib.util.find_spec(module) is None]
if missing:
    subprocess.run([sys.executable, "-m", "pip", "install", *missing], check=True)"""

Translate = Callable[[str], str]


def script(run: PlainRun, form: Form = "fit", *, translate: Translate = str) -> str:
    """Python source that trains as the lab does, and prints the losses; needs TensorFlow and scikit-learn.

    Args:
        run: problem, model, k, learning rate, epochs, seeds.
        form: "fit" for `model.fit`, "double_loop" for a loop with `GradientTape`.
        translate: gives a comment in the reader's language.

    Raises:
        ValueError: if `form` is another word.

    >>> source = script(PlainRun(problem="digits"))
    >>> "sgd_tf" in source, ".shuffle(1437, seed=0, reshuffle_each_iteration=True)" in source
    (False, True)
    """
    parts = (
        data(run, translate),
        training.minibatches(run, translate),
        training.model(run, translate),
        training.loss(run),
        _training(run, form, translate),
        training.evaluation(run),
    )
    return f"{join(*parts)}\n"


def _training(run: PlainRun, form: Form, translate: Translate) -> Snippet:
    if form not in FORMS:
        raise ValueError(f"`form` must be one of {', '.join(FORMS)}; received {form!r}.")
    return training.fit(run, translate) if form == "fit" else training.double_loop(run, translate)


def notebook(run: PlainRun, *, title: str = "SGD", translate: Translate = str) -> str:
    """A Jupyter notebook that trains by `model.fit`, then by the double loop, and draws the losses.

    Args:
        run: problem, model, k, learning rate, epochs, seeds.
        title: its heading, in the reader's language.
        translate: gives a sentence in the reader's language.

    Returns:
        JSON text of an .ipynb file. It runs where there is pip, such as in Colab.
    """
    _ = translate
    model, loss, picture = training.model(run, translate), training.loss(run), training.picture(run)
    cells: list[str | Snippet] = [
        f"# {title}",
        Snippet(body=INSTALL),
        _("**Data.** The same samples, the same split and the same scale as in the lab."),
        data(run, translate),
        _("**Minibatches.** One iteration over the dataset is one epoch."),
        training.minibatches(run, translate),
        _("**Model and loss.**"),
        Snippet(imports=model.imports, body=f"{model.body}\n{loss.body}"),
        _("**Training by `model.fit`.**"),
        training.fit(run, translate),
        training.evaluation(run),
        picture,
        _("**The same by the double loop.** Fresh weights; epochs outside, iterations inside."),
        Snippet(imports=(*model.imports, training.TENSORFLOW), body=model.body),
        training.double_loop(run, translate),
        training.evaluation(run),
        picture,
    ]
    return write_notebook(cells)


def write_notebook(cells: Sequence[str | Snippet]) -> str:
    """A notebook of these cells: text is Markdown, a snippet is code.

    Args:
        cells: in their order.

    Returns:
        JSON text of an .ipynb file, the same for the same cells.
    """
    from nbformat import v4

    written = [v4.new_markdown_cell(cell) if isinstance(cell, str) else v4.new_code_cell(str(cell)) for cell in cells]
    for number, cell in enumerate(written):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    return v4.writes(
        v4.new_notebook(cells=written, metadata={"kernelspec": kernel, "language_info": {"name": "python"}})
    )
