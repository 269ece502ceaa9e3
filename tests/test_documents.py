"""What the documents say of the tree is true of the tree."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README, CONTRIBUTING = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
TREE = README.split("## The tree")[1].split("```")[1]


def folders(place):
    """Names of the folders in a folder that hold something of the project."""
    return {
        path.name for path in place.iterdir() if path.is_dir() and any(path.glob("*.*")) and path.name[0] not in "._"
    }


def test_the_tree_names_each_folder_of_the_package_and_no_other():
    named = re.findall(r"^  (\w+)/ ", TREE, flags=re.MULTILINE)
    assert len(named) == len(set(named))
    assert set(named) == folders(ROOT / "sgd_tf")


def test_the_tree_names_what_stands_at_the_top():
    named = re.findall(r"^([\w.]+)/? ", TREE, flags=re.MULTILINE)
    assert all((ROOT / name).exists() for name in named)
    assert folders(ROOT) - {"pages", "sgd_tf"} <= set(named)


@pytest.mark.parametrize("document", [README, CONTRIBUTING], ids=["README", "CONTRIBUTING"])
def test_a_file_or_folder_that_a_document_names_is_there(document):
    paths = set(re.findall(r"\b(?:sgd_tf|tests|pages|scripts|benchmarks|docs)/[\w/.]*\w", document))
    assert len(paths) > 3
    # The first has its name from the benchmarks that are run.
    missing = {path for path in paths if not (ROOT / path).exists() and not list(ROOT.glob(f"{path}*"))}
    assert missing - {"benchmarks/results"} == set()


def test_the_picture_of_a_row_s_way_shows_the_question_that_is_copied():
    picture = CONTRIBUTING.split("A row travels like this:")[1].split("```")[1]
    folder, jobs = ROOT / "sgd_tf/sampling", ROOT / "sgd_tf/jobs"
    files = set(re.findall(r"\b(\w+\.py)\b", picture))
    assert {"controls.py", "view.py", "rows.py", "chart.py", "verdict.py", "wording.py"} <= files
    assert all((folder / name).exists() or (jobs / name).exists() for name in files)
    source = "".join(path.read_text(encoding="utf-8") for path in folder.glob("*.py"))
    for definition in ("class FloorPlan", "class Floor", "def error_floors", "run=rows.error_floors"):
        assert definition in source
        assert re.sub("class |def ", "", definition) in picture
