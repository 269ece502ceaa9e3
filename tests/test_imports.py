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

    text = "".join(
        file.read_text(encoding="utf-8")
        for file in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("pages/**/*.md"))
    )
    names = set(re.findall(r"\bsgd_tf\.([a-z]\w*)(?!\w*/)", text))
    assert {"race", "memory", "devices"} <= names
    assert all(sgd_tf.__getattr__(name) is not None for name in names)  # whatever was imported before


def test_a_module_is_imported_when_it_is_first_used():
    done = python(
        "import sys, sgd_tf\n"
        "assert 'sgd_tf.training.history' not in sys.modules\n"
        "print(callable(sgd_tf.to_frame), 'tensorflow' in sys.modules)\n"
        "sys.modules['altair'] = None\n"
        "try: sgd_tf.charts\n"
        "except ModuleNotFoundError as error: print(error.name)"
    )
    assert done.stdout.split() == ["True", "False", "altair"], done.stderr


def test_race_is_a_function_whatever_was_imported_before():
    done = python("import sgd_tf.racing.race, sgd_tf; print(callable(sgd_tf.race), callable(sgd_tf.train))")
    assert done.stdout.strip() == "True True", done.stderr


QUESTIONS = (
    *("racing", "double_loop", "sampling", "noise", "sweep", "memory", "devices"),
    *("own", "claims", "tutorial", "exercise"),
)
ABOVE = {  # who must not be imported by whom
    "problems": ("training", "charts", "jobs", "ui", *QUESTIONS),
    "training": ("charts", "jobs", "ui", *QUESTIONS),
    "plain_tensorflow": ("training.run", "training.models", "charts", "jobs", "ui", *QUESTIONS),
    "charts": ("training.run", "training.models", "jobs", "ui", *QUESTIONS),
    "jobs": ("charts", "ui", *QUESTIONS),
    "ui": ("training.run", "training.models", *QUESTIONS),
    **dict.fromkeys(QUESTIONS, QUESTIONS),
}
# Science that others stand on.
ALLOWED = {
    "claims": set(QUESTIONS),
    "tutorial": set(QUESTIONS),
    "sweep": {"sweep", "noise"},
    "problems/problem.py": {"own"},  # in `from_csv` only
}
HEAVY = ("tensorflow", "keras", "training.run", "training.models")


def imported_by(file):
    """Names that a file imports anywhere in it; those of this package without its name."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("sgd_tf.") for name in names}


@pytest.mark.parametrize("file", sorted((ROOT / "sgd_tf").rglob("*.py")), ids=lambda f: str(f.relative_to(ROOT)))
def test_imports_run_one_way(file):
    path = file.relative_to(ROOT / "sgd_tf")
    place = path.parts[0]
    allowed = {place} | ALLOWED.get(place, set()) | ALLOWED.get(str(path), set())
    forbidden = {name for name in ABOVE.get(place, ()) if name.split(".")[0] not in allowed}
    if path.stem.endswith(("view", "chart", "controls")) or place in ("charts", "ui"):
        forbidden |= set(HEAVY)
    found = imported_by(file)
    assert not {name for name in found for bad in forbidden if name == bad or name.startswith(f"{bad}.")}
