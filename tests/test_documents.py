"""What the documents say of the tree is true of the tree."""

import re
from pathlib import Path

import pytest

from sgd_tf import recordings
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.recordings.race_picture import FILM, TARGET, Race
from sgd_tf.ui import menu

ROOT = Path(__file__).parents[1]
DOCUMENTS = {str(file.relative_to(ROOT)): file for folder in (ROOT, ROOT / "docs") for file in folder.glob("*.md")}
README, CONTRIBUTING = (DOCUMENTS[name].read_text(encoding="utf-8") for name in ("README.md", "CONTRIBUTING.md"))
TREE = CONTRIBUTING.split("## The tree")[1].split("```")[1]


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
    assert {path for path in paths if not (ROOT / path).exists() and not list(ROOT.glob(f"{path}*"))} == set()


@pytest.mark.parametrize("name", sorted(DOCUMENTS))
def test_a_link_of_a_document_leads_to_a_file_and_a_heading_that_are_there(name):
    text = DOCUMENTS[name].read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)\s]+)\)|(?:src|srcset)=\"([^\"]+)\"", text)
    for link in filter(None, (one or other for one, other in links)):
        if link.startswith("https://"):
            continue
        path, _, heading = link.partition("#")
        file = (DOCUMENTS[name].parent / path).resolve() if path else DOCUMENTS[name]
        assert file.exists(), link
        if heading:
            lines = file.read_text(encoding="utf-8").splitlines()
            headings = {
                re.sub(r"[^\w -]", "", line.lstrip("# ")).lower().replace(" ", "-") for line in lines if line[:1] == "#"
            }
            assert heading in headings, link


def test_the_front_page_is_short_moves_and_names_what_was_not_tried():
    assert len(README.splitlines()) <= 150
    assert README.index("sgd_tf/recordings/race.svg") < README.index("make app") < 1_200
    for words in ("**Not tried yet:** Windows, macOS and a GPU", "**아직 확인하지 못한 환경:** Windows, macOS, GPU"):
        assert words in README


def test_the_numbers_of_the_front_page_are_those_of_the_lab():
    race = Race.of(recordings.load("race").data)
    assert f"{race.gd.num_samples:,} samples" in README
    assert f"{race.sgd.k} samples at a time and reads {TARGET:.0%}".replace("%", " %") in README
    assert f"{FILM / race.finish:.0e}" == "2e+03"  # two thousand times slower
    assert f"{len(CLAIMS)} claims" in README
    assert len(menu.MENU["Tutorial"]) == 13 + 1  # thirteen pages, and one for teachers


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
