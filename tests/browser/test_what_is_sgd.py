"""The page "What is SGD?" in a real browser: step, back, play to the end of an epoch, both languages, a telephone."""

import json
import re

import nbformat
import pytest
from playwright.sync_api import expect

from tests.browser.test_page import ENGLISH, EXCLUDED, NARROW, violations

SECONDS = 1_000  # ms
YELLOW = 'path[fill="#FFC107"]'


@pytest.fixture
def open_page(open_lab):
    def open_one(query="", **options):
        lab = open_lab(query, page="what_is_sgd", ready="sgd_flow", **options)
        expect(lab.keyed("sgd_flow").locator("svg.marks")).to_be_visible()
        expect(lab.button("loop_play")).to_be_enabled()
        return lab

    return open_one


def step(lab, words):
    """Press Step, and wait for what it says then."""
    lab.button("loop_step").click()
    expect(lab.keyed("sgd_narration")).to_contain_text(words)


def expect_samples(lab, drawn, used):
    tiles = lab.keyed("sgd_samples").locator("svg.marks")
    expect(tiles.locator(YELLOW)).to_have_count(drawn)
    expect(tiles.get_by_text("✓", exact=True)).to_have_count(used)
    expect(tiles.locator("image")).to_have_count(24)


def test_the_double_loop_is_stepped_forwards_and_backwards_and_played_to_the_end_of_an_epoch_in_korean(open_page):
    lab = open_page("sgd_way=sgd&loop_speed=fast", locale="ko-KR")
    expect_samples(lab, 0, 0)
    lab.keyed("sgd_prediction").get_by_role("radio", name="4", exact=True).click()
    step(lab, "1")
    step(lab, "뽑기:")
    expect_samples(lab, 6, 0)
    lit = lab.keyed("sgd_code").locator("svg.marks")
    expect(lit.locator(YELLOW)).to_have_count(1)
    expect(lab.keyed("sgd_code").get_by_label("for x, y in minibatches:").first).to_be_attached()
    lab.button("loop_back").click()
    expect_samples(lab, 0, 0)

    lab.button("loop_play").click()
    expect(lab.button("loop_play")).to_contain_text("일시정지")
    expect(lab.keyed("sgd_orders").locator("p")).to_contain_text("에포크 2의 순서:", timeout=60 * SECONDS)
    lab.button("loop_play").click()
    expect(lab.button("loop_play")).to_contain_text("재생")
    expect(lab.keyed("sgd_judgement")).to_contain_text("예측이 맞았습니다: 4.")

    lab.button("loop_rewind").click()
    expect_samples(lab, 0, 0)
    lab.button("loop_next").click()
    lab.button("loop_next").click()
    expect(lab.keyed("sgd_narration")).to_contain_text("에포크 2 시작: 샘플 24개를 모두 다시 쓸 수 있게 되고")
    expect_samples(lab, 0, 0)
    lab.button("loop_back").click()
    expect(lab.keyed("sgd_narration")).to_contain_text(
        "에포크 1 끝: 남은 샘플이 없습니다. 24개가 모두 정확히 한 번씩, 4번의 이터레이션에 쓰였습니다."
    )
    expect_samples(lab, 0, 24)
    words = lab.page.locator("[data-testid=stMain]").inner_text()
    for code in lab.keyed("sgd_pieces").get_by_role("button").all_inner_texts():
        words = words.replace(code, "")
    assert ENGLISH.findall(words) == []


def test_gradient_descent_is_all_yellow_and_is_played_to_its_end(open_page):
    lab = open_page("loop_speed=fast&loop_unit=iteration&sgd_epochs=2")
    lab.button("loop_step").click()
    expect_samples(lab, 24, 0)
    lab.button("loop_play").click()
    expect(lab.keyed("sgd_narration")).to_contain_text("One update per epoch, 2 in all", timeout=60 * SECONDS)
    expect(lab.button("loop_play")).to_contain_text("Play")
    expect(lab.button("loop_step")).to_be_disabled()
    expect_samples(lab, 0, 24)


def test_a_pause_is_a_link_to_its_moment(open_page):
    lab = open_page("sgd_way=sgd&sgd_k=10&sgd_at=13&lang=en")
    expect_samples(lab, 4, 20)  # the last minibatch of the epoch
    expect(lab.chosen("sgd_k")).to_have_text(["k = 10"])
    lab.button("loop_play").click()
    expect(lab.page).not_to_have_url(re.compile("sgd_at"))
    lab.button("loop_play").click()
    expect(lab.page).to_have_url(re.compile(r"sgd_at=\d+"))
    lab.button("loop_step").click()
    expect(lab.page).not_to_have_url(re.compile("sgd_at"))


def test_another_k_and_other_data_are_recorded_and_begin_at_their_start(open_page):
    lab = open_page("sgd_way=sgd&sgd_at=8")
    lab.keyed("sgd_data").get_by_role("radio", name="Line").click()
    expect(lab.keyed("sgd_narration")).to_contain_text("Before the first line", timeout=60 * SECONDS)
    step(lab, "Epoch 1 begins")
    step(lab, "Draw")
    expect(lab.keyed("sgd_samples").locator(YELLOW)).to_have_count(6)


def test_the_calculator_answers(open_page):
    lab = open_page()
    results, formula = lab.keyed("count_results"), lab.keyed("count_formula")
    expect(results).to_contain_text(re.compile(r"epoch81\D+324,000\D+160"))
    for key, value in (("count_n", "24"), ("count_k", "10"), ("count_epochs", "3")):
        field = lab.keyed(key).get_by_role("spinbutton")
        field.fill(value)
        field.press("Enter")
        expect(lab.page).to_have_url(re.compile(f"{key}={value}"))
    expect(results).to_contain_text(re.compile(r"epoch3\D+9\D+4$"))
    expect(formula).to_contain_text("24")


def test_the_code_can_be_taken_home(open_page):
    lab = open_page("sgd_way=sgd")
    lab.page.get_by_role("button", name="Copy the code").click()
    shown = lab.page.get_by_test_id("stPopoverBody")
    code = shown.get_by_test_id("stCode")
    expect(code).to_contain_text("for x, y in minibatches:")
    code.hover()
    expect(shown.get_by_test_id("stElementToolbarButton")).to_be_visible()
    lab.page.keyboard.press("Escape")
    with lab.page.expect_download() as download:
        lab.button("sgd_notebook").click()
    notebook = nbformat.from_dict(json.loads(download.value.path().read_text(encoding="utf-8")))
    nbformat.validate(notebook)
    assert "batch_size, learning_rate, num_epochs = 6, 0.2, 3" in str(notebook.cells)


@pytest.mark.parametrize("query", ["sgd_way=sgd&sgd_n=1437&sgd_k=32&sgd_at=3", "sgd_data=line"])
def test_on_a_telephone_nothing_is_wider_than_the_screen_and_the_tiles_can_be_read(open_page, query):
    lab = open_page(query, viewport=NARROW, has_touch=True, is_mobile=True)
    assert lab.page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
    images = lab.keyed("sgd_samples").locator("svg.marks image")
    for image in images.all():
        assert image.bounding_box()["width"] >= 24
    letters = lab.page.locator("svg.marks text:visible")
    sizes = letters.evaluate_all("all => all.map((text) => parseFloat(getComputedStyle(text).fontSize))")
    assert min(sizes) >= 9


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_question_the_player_and_the_tiles_are_on_the_first_screen_and_accessible(open_page, scheme):
    lab = open_page("sgd_way=sgd&sgd_at=8", color_scheme=scheme)
    for key in ("loop_play", "sgd_samples", "sgd_code", "sgd_flow"):
        box = lab.keyed(key).bounding_box()
        assert box["y"] + box["height"] <= 800, key
    assert violations(lab, EXCLUDED[scheme]) == []
