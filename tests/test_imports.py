"""What is imported when: nothing heavy before it is used, and no module from the wrong side of the house."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("tensorflow", "keras", "sklearn", "streamlit", "distributed", "altair", "pandas")


def python(code):
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_importing_the_package_imports_nothing_heavy():
    done = python(f"import sys, sgd_tf; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


def test_the_package_trains_without_streamlit_distributed_and_babel():
    done = python(
        "import sys\n"
        "for name in ('streamlit', 'distributed', 'dask', 'babel'): sys.modules[name] = None\n"
        "import sgd_tf\n"
        "records = sgd_tf.train(sgd_tf.load('line', num_examples=50), updates=2)\n"
        "print(len(sgd_tf.to_frame(records)))"
    )
    assert done.stdout.strip() == "3", done.stderr[-2000:]


def test_every_public_name_is_found_and_an_unknown_one_is_an_attribute_error():
    import sgd_tf

    assert all(getattr(sgd_tf, name) is not None for name in sgd_tf.__all__)
    assert set(sgd_tf.__all__) <= set(dir(sgd_tf))
    with pytest.raises(AttributeError, match="module 'sgd_tf' has no attribute 'nothing'"):
        _ = sgd_tf.nothing


def test_every_name_in_the_documents_is_reachable_after_importing_the_package():
    import sgd_tf

    text = "".join(file.read_text(encoding="utf-8") for file in (*ROOT.glob("*.md"), *ROOT.glob("pages/**/*.md")))
    names = set(re.findall(r"\bsgd_tf\.([a-z]\w*)(?!\w*/)", text))
    assert {"race", "memory", "data_parallel"} <= names
    assert all(sgd_tf.__getattr__(name) is not None for name in names)  # whatever was imported before


def test_a_module_is_imported_when_it_is_first_used():
    done = python(
        "import sys, sgd_tf\n"
        "assert 'sgd_tf.history' not in sys.modules\n"
        "print(len(sgd_tf.history.COLUMNS) > 1, 'tensorflow' in sys.modules)\n"
        "sys.modules['altair'] = None\n"
        "try: sgd_tf.charts\n"
        "except ModuleNotFoundError as error: print(error.name)"
    )
    assert done.stdout.split() == ["True", "False", "altair"], done.stderr


def test_race_is_a_function_whatever_was_imported_before():
    done = python("import sgd_tf.racing, sgd_tf; print(callable(sgd_tf.race), callable(sgd_tf.train))")
    assert done.stdout.strip() == "True True", done.stderr


# Who may import whom: a module imports the ones to its right alone.
ORDER = (
    "ui",
    "jobs",
    "__main__",
    "claim_experiments",
    "claim_timing",
    "racing",
    "terminal",
    "claims",
    "measures",
    "race_results",
    "sweep_results",
    "comparison",
    "critical_batch_size",
    "sweep",
    "sampling",
    "gradient_noise",
    "curvature",
    "data_parallel",
    "memory",
    "training",
    "lesson",
    "models",
    "pipeline",
    "escape",
    "problems",
    "playback",
    "ledger",
    "counting",
    "processes",
    "noise_law",
    "valleys",
    "records",
    "words",
)


@pytest.mark.parametrize("file", sorted((ROOT / "sgd_tf").rglob("*.py")), ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_run_one_way(file):
    parts = file.relative_to(ROOT / "sgd_tf").parts
    place = parts[0].removesuffix(".py")
    forbidden = set()
    if place in ORDER:
        forbidden = {f"sgd_tf.{name}" for name in ORDER[: ORDER.index(place)]}
    if place in ("charts", "history"):
        forbidden |= {"tensorflow", "keras", "sgd_tf.training", "sgd_tf.ui", "sgd_tf.jobs"}
    if place == "ui":
        forbidden |= {"tensorflow", "keras", "sgd_tf.training", "sgd_tf.racing", "sgd_tf.models", "distributed"}
    imported = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    assert not {name for name in imported for bad in forbidden if name == bad or name.startswith(f"{bad}.")}
