"""What is installed: the wheel with the lab in it, the declared dependencies, the locked versions."""

import ast
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with the package as it is installed."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder / "site")
    return folder / "site"


def files(folder, *patterns):
    """Paths of the files in a folder, without what Python compiles."""
    found = {path.relative_to(folder) for pattern in patterns for path in folder.glob(pattern) if path.is_file()}
    return {path for path in found if "__pycache__" not in path.parts}


def test_the_wheel_has_the_package_and_the_lab_and_nothing_else(site):
    lab = site / "sgd_tf" / "lab"
    assert files(lab, "**/*", ".*/*") == files(ROOT, "app.py", "pages/**/*", ".streamlit/config.toml")
    package = files(site / "sgd_tf", "**/*")
    assert {path for path in package if path.parts[0] != "lab"} == files(ROOT / "sgd_tf", "**/*")
    (info,) = site.glob("*.dist-info")
    assert {path.name for path in site.iterdir()} == {"sgd_tf", info.name}
    assert (info / "licenses" / "LICENSE").exists()
    assert "sgd-tf = sgd_tf.__main__:main" in (info / "entry_points.txt").read_text(encoding="utf-8")


def test_the_lab_of_the_wheel_runs_in_an_empty_folder_but_not_with_a_variable_that_is_not_allowed(site, tmp_path):
    server = subprocess.run(
        [sys.executable, "-m", "sgd_tf", "lab", "--server.headless=true", "--server.port=0"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(site), "SGD_TF_WORKERS": "two"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert server.returncode == 1
    line = server.stderr.splitlines()[-1]
    assert line.startswith("The lab cannot start. `SGD_TF_WORKERS` must be a whole number in [1, ")
    assert line.endswith("; received 'two'.")


def name_of(requirement):
    """The distribution of a requirement, such as "pillow" of "Pillow>=11"."""
    return normalized(re.match(r"[\w.-]+", requirement)[0])


def normalized(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def imported(file):
    """First names of the modules that a file imports, wherever it does, apart from Python's own and ours."""
    names = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module.split(".")[0])
    return names - sys.stdlib_module_names - {"sgd_tf"}


def test_every_import_is_a_declared_dependency():
    core = {name_of(requirement) for requirement in PROJECT["dependencies"]}
    app = core | {name_of(requirement) for requirement in PROJECT["optional-dependencies"]["app"]}
    distributions = metadata.packages_distributions()
    undeclared = set()
    for file in files(ROOT, "sgd_tf/**/*.py", "app.py", "pages/**/*.py"):
        names = imported(ROOT / file)
        is_of_lab = file.parts[:2] in (("sgd_tf", "ui"), ("sgd_tf", "jobs")) or "streamlit" in names
        for name in names:
            if not {normalized(found) for found in distributions[name]} & (app if is_of_lab else core):
                undeclared.add((str(file), name))
    assert undeclared == set()


def test_the_lock_has_a_version_for_each_dependency_and_names_no_index():
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    locked = {normalized(name) for name in re.findall(r"^([\w.-]+)==", lock, flags=re.MULTILINE)}
    extras = PROJECT["optional-dependencies"]
    declared = {name_of(entry) for entry in [*PROJECT["dependencies"], *extras["app"], *extras["cuda"]]}
    for file in ("requirements.txt", "requirements-cpu.txt", "requirements-dev.txt"):
        lines = (ROOT / file).read_text(encoding="utf-8").splitlines()
        declared |= {name_of(line) for line in lines if line and line[0] not in "#-"}
    assert declared <= locked
    assert "://" not in lock
