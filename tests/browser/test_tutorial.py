"""The tutorial in a browser: by keyboard from the first step to the notebook, and a film that asks nobody."""

import re

import pytest
from playwright.sync_api import expect

from sgd_tf.tutorial.answers import KEYS, NONE
from sgd_tf.tutorial.path import STEPS
from tests.browser.test_page import EXCLUDED, fits_a_telephone, violations


def playing(page):
    return page.locator(".film .play")


@pytest.mark.parametrize("language", ["ko", "en"])
def test_the_arrow_keys_lead_from_the_first_step_to_the_notebook_and_answers_stay(open_lab, language):
    lab = open_lab(f"lang={language}", page=STEPS[0].key, ready=f"film_{STEPS[0].key}")
    page, given = lab.page, {}
    for step in STEPS:
        expect(page).to_have_url(re.compile(rf"/{step.key}(\?|$)"))
        expect(lab.keyed(f"film_{step.key}").locator(".film .play")).to_be_visible()
        lab.settle()
        group = lab.keyed(f"answer_{step.key}")
        group.get_by_role("radio").nth(list(step.options).index(step.right)).focus()
        page.keyboard.press("Space")
        given[step.key] = step.right
        expect(page).to_have_url(re.compile(f"answers={''.join(given.get(key, NONE) for key in KEYS)}"))
        page.evaluate("document.activeElement.blur()")
        page.keyboard.press("ArrowRight")
    expect(lab.keyed("tutorial_notebook").get_by_role("button")).to_be_visible()
    expect(page.get_by_test_id("stAlert")).to_contain_text(str(len(STEPS)))


def test_a_film_plays_on_arrival_obeys_the_space_bar_and_sends_nothing(open_lab):
    lab = open_lab("", page="shuffled_epochs", ready="film_shuffled_epochs")
    page, messages = lab.page, []
    page.on("websocket", lambda socket: socket.on("framesent", lambda frame: messages.append(len(frame))))
    page.reload()
    expect(playing(page)).to_have_attribute("aria-label", re.compile("Pause"))
    lab.settle()
    heard = len(messages)
    expect(page.locator(".film .caption")).to_contain_text("Epoch 2", timeout=60_000)
    assert len(messages) == heard
    page.keyboard.press("Space")
    expect(playing(page)).to_have_attribute("aria-label", re.compile("^Play"))
    at = int(page.locator(".film input").input_value())
    page.locator(".film input").focus()
    page.keyboard.press("ArrowRight")
    expect(page.locator(".film input")).to_have_value(str(at + 1))
    expect(page).to_have_url(re.compile("shuffled_epochs"))


def test_a_film_waits_for_play_where_less_motion_is_asked_for(open_lab):
    lab = open_lab("", page="shuffled_epochs", ready="film_shuffled_epochs", reduced_motion="reduce")
    expect(playing(lab.page)).to_have_attribute("aria-label", re.compile("^Play"))
    playing(lab.page).click()
    expect(playing(lab.page)).to_have_attribute("aria-label", re.compile("Pause"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_page_moves_says_what_it_shows_and_breaks_no_rule_of_accessibility(open_lab, scheme):
    lab = open_lab("lang=en", page="", ready="start_race", color_scheme=scheme)
    picture = lab.page.get_by_role("img", name=re.compile("^A race"))
    tile = picture.locator("rect.a").first
    assert tile.evaluate("tile => getComputedStyle(tile).animationPlayState") == "running"
    assert tile.evaluate("tile => tile.getAnimations().length") == 1
    box = picture.bounding_box()
    assert 300 < box["height"] < box["width"] < 800
    assert violations(lab, EXCLUDED[scheme]) == []
    assert fits_a_telephone(lab)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules_hold_on_a_step_with_its_answer_at_the_end_and_for_teachers(open_lab, scheme):
    lab = open_lab("lang=en", page="two_loops", ready="film_two_loops", color_scheme=scheme)
    lab.keyed("answer_two_loops").get_by_role("radio").first.focus()
    lab.page.keyboard.press("Space")
    expect(lab.page.get_by_test_id("stAlert")).to_be_visible()
    assert violations(lab, EXCLUDED[scheme]) == []
    step = lab.page.url
    for page, key in (("your_turn", "film_your_turn"), ("teaching", "copy_link")):
        lab.open(step.replace("two_loops", page), key)
        expect(lab.page.get_by_role("button", name="Copy link")).to_be_visible()
        assert violations(lab, EXCLUDED[scheme]) == []


def test_on_a_telephone_the_film_comes_before_the_words(open_lab):
    lab = open_lab("lang=ko", page="one_update", ready="film_one_update", viewport={"width": 400, "height": 800})
    words, film = lab.page.get_by_text("경사하강법").first, lab.keyed("film_one_update")
    assert film.bounding_box()["y"] < words.bounding_box()["y"]
    assert lab.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")


def test_the_first_page_stands_still_where_less_motion_is_asked_for(open_lab):
    lab = open_lab("lang=en", page="", ready="start_race", reduced_motion="reduce")
    tile = lab.page.get_by_role("img", name=re.compile("^A race")).locator("rect.a").first
    assert tile.evaluate("tile => tile.getAnimations().length") == 0


def test_the_file_to_keep_plays_without_a_network(open_lab, tmp_path):
    lab = open_lab("lang=en", page="your_turn", ready="tutorial_page")
    with lab.page.expect_download() as download:
        lab.keyed("tutorial_page").get_by_role("button").click()
    file = tmp_path / "sgd_tutorial.html"
    download.value.save_as(file)
    page, asked, errors = lab.page, [], []
    lab.page.context.set_offline(True)
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(file.as_uri())
    film = page.locator("#shuffled_epochs .film")
    film_place = page.locator("#shuffled_epochs .place")
    film_place.scroll_into_view_if_needed()
    expect(film.locator(".caption")).to_contain_text("Epoch 2", timeout=60_000)
    assert (asked, errors) == ([file.as_uri()], [])
    page.locator("#shuffled_epochs summary").click()
    expect(page.locator("#shuffled_epochs details strong")).to_be_visible()
    assert page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
