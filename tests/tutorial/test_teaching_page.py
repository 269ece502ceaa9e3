"""The teacher's page: a plan, a question for each step, links that open there."""

import re

import pytest

from sgd_tf.tutorial.path import STEPS
from sgd_tf.ui import menu
from tests.lab import open_app

PAGE = "pages/tutorial/teaching.py"
ADDRESSES = {file.split("/")[1] for file in menu.TITLES}

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_each_step_has_its_rows_a_question_and_a_link_in_the_language_of_the_page(language):
    plan, steps, server = (element.value for element in open_app(language, page=PAGE).markdown[-3:])
    found = re.findall(r"\]\((\w+)\?lang=(\w+)\)", plan + steps + server)
    assert {code for _page, code in found} == {language}
    assert {page for page, _code in found} <= ADDRESSES
    rows = re.findall(r"^\| \[(\d+)\. .+?\]\((\w+)\?lang=\w+\) \((.+?)\) \| .+ \| .+ \|$", steps, flags=re.MULTILINE)
    assert rows == [(str(place), step.key, step.teaches) for place, step in enumerate(STEPS, 1)]
    assert {page for page, _code in re.findall(r"\]\((\w+)\?lang=(\w+)\)", plan)} >= {step.key for step in STEPS}


def test_the_rows_of_the_chapter_are_all_taught():
    rows = ", ".join(step.teaches for step in STEPS).split(", ")
    assert rows == [f"C{number}" for number in range(1, 15)]
