"""The first page: its picture is that of the recorded race, and it leads on."""

from importlib import resources
from xml.etree import ElementTree

import pytest

from sgd_tf.recordings import load, race_picture
from sgd_tf.recordings.race_picture import Race
from tests.lab import checked, open_app

START = "pages/start/start.py"
PICTURE = resources.files("sgd_tf.recordings").joinpath("race.svg").read_text(encoding="utf-8")
RACE = Race.of(load("race").data)

pytestmark = pytest.mark.usefixtures("cluster")


def test_the_picture_is_drawn_from_the_recorded_race_and_small():
    assert race_picture.svg(load("race").data) == PICTURE
    assert len(PICTURE) < 60_000
    ElementTree.fromstring(PICTURE)


def test_it_is_still_where_less_motion_is_asked_for_and_has_a_light_and_a_dark_look():
    assert "@media (prefers-reduced-motion: reduce) { .a { animation: none !important } }" in PICTURE
    light, dark = (race_picture.themed(PICTURE, dark=dark) for dark in (False, True))
    assert "prefers-color-scheme" in PICTURE
    assert "prefers-color-scheme" not in light + dark
    assert len(light) < len(dark)


def test_the_race_ends_when_sgd_is_at_the_target():
    data = load("race").data["32"]
    before, at = (max(a for s, a in zip(data["seconds"], data["accuracies"], strict=True) if ok(s)) for ok in (
        lambda second: second < RACE.finish, lambda second: second <= RACE.finish
    ))  # fmt: skip
    assert before < race_picture.TARGET <= at == RACE.sgd.accuracies[-1]
    assert RACE.sgd.updates[-1] == pytest.approx(1)
    assert list(RACE.gd.updates) == sorted(RACE.gd.updates)
    assert max(RACE.gd.updates) <= 1


@pytest.mark.parametrize("language", ["en", "ko"])
def test_the_sentence_has_the_numbers_of_the_picture(language):
    words = " ".join(element.value for element in open_app(language, page=START).markdown)
    for number in (len(RACE.gd.updates), len(RACE.sgd.updates), round(100 * RACE.sgd.accuracies[-1])):
        assert str(number) in words
        assert f">{number}<" in PICTURE or number > 90


def test_two_ways_lead_on_to_the_tutorial_and_to_the_race():
    app = checked(open_app(page=START).button(key="start_tutorial").click().run())
    assert app.subheader[0].value == "How much must you see before a step?"
    app = checked(open_app(page=START).button(key="start_to_race").click().run())
    assert app.subheader[0].value == "Race: GD vs SGD"
