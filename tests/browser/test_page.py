"""The page itself in a real browser: its address, both languages, both themes, a telephone, a screen reader."""

import io
import re
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from babel.messages import pofile
from playwright.sync_api import expect

CATALOGUE = Path(__file__).parents[2] / "sgd_tf" / "ui" / "locale" / "ko.po"
NARROW = {"width": 400, "height": 800}
# Four English words in a row: prose is not in the catalogue.
ENGLISH = re.compile(r"(?:\b[A-Za-z]{2,}\b[ ,.]+){3}[A-Za-z]{2,}")
# Streamlit's frame is not ours. On its primary buttons it writes white; in the dark theme the same colour has words on
# the dark background: no colour is 4.5 to 1 from both, so ours is as far from white as the words allow.
EXCLUDED = {
    "light": ["[data-testid=stHeader]"],
    "dark": ["[data-testid=stHeader]", "[data-testid=stBaseButton-primary]"],
}


def test_a_reload_restores_the_controls_from_the_address(open_lab):
    lab = open_lab("problem=spirals&k=1&k=all&rates=same&seconds=2&x=update")
    for _visit in range(2):
        expect(lab.run).to_be_enabled()
        expect(lab.problem).to_have_value("Two spirals")
        expect(lab.chosen("k")).to_have_text(["1", "GD"])
        expect(lab.chosen("rates")).to_have_text(["Same"])
        expect(lab.chosen("x")).to_have_text(["Updates"])
        lab.page.get_by_role("button", name="More settings").click()
        expect(lab.keyed("seconds").locator("input")).to_have_value("2")
        lab.page.reload()


def test_what_is_chosen_on_the_page_is_there_after_a_reload(open_lab):
    lab = open_lab()
    lab.problem.click()
    lab.page.get_by_role("option", name="Breast cancer").click()
    lab.keyed("rates").get_by_role("radio", name="Scaled").click()
    lab.keyed("y").get_by_role("radio", name="Accuracy").click()
    expect(lab.page).to_have_url(re.compile("(?=.*problem=breast_cancer)(?=.*rates=scaled)(?=.*y=test_accuracy)"))
    lab.page.reload()
    expect(lab.problem).to_have_value("Breast cancer")
    expect(lab.chosen("rates")).to_have_text(["Scaled"])
    expect(lab.chosen("y")).to_have_text(["Accuracy"])


def test_nonsense_in_the_address_opens_the_defaults(open_lab):
    lab = open_lab(
        "learning_rate=nan&batch_size=-3&lang=xx&problem=moon&k=-3&k=abc&seconds=1e99&rate=nan&x=&y=z&log=2&seed=-1"
        "&n=0&widths=a,b&target=inf&other_k=1.5&model=&activation=%00&rates=%F0%9F%8F%81"
    )
    expect(lab.problem).to_have_value("Handwritten digits, 8×8")
    expect(lab.chosen("k")).to_have_text(["32", "256", "GD"])
    expect(lab.chosen("rates")).to_have_text(["Tuned"])
    expect(lab.chosen("x")).to_have_text(["Seconds"])


@pytest.mark.parametrize("is_secure", [True, False])
def test_the_button_copies_the_address_with_the_language(open_lab, is_secure):
    lab = open_lab("problem=spirals&colour=red", permissions=["clipboard-read", "clipboard-write"])
    expect(lab.page.get_by_test_id("stToast")).to_contain_text("colour")
    if not is_secure:  # as over http
        lab.page.evaluate("delete Navigator.prototype.clipboard")
    assert lab.page.evaluate("!!navigator.clipboard") == is_secure
    button = lab.button("copy_link")
    button.click()
    expect(button).to_have_accessible_name("Copied")
    expect(lab.page.locator("#lab_says")).to_have_text("Copied")
    lab.page.evaluate(
        "document.body.append(document.createElement('textarea')), document.querySelector('body > textarea').focus()"
    )
    lab.page.keyboard.press("ControlOrMeta+V")
    expect(lab.page.locator("body > textarea")).to_have_value(lab.page.url)
    assert lab.page.url.endswith("problem=spirals&colour=red&lang=en")
    lab.page.go_back()  # the language took no step of its own
    expect(lab.page).to_have_url("about:blank")


def test_an_embedded_page_has_its_title_but_no_menu(open_lab):
    lab = open_lab("embed=true", locale="ko-KR")
    expect(lab.page).to_have_title(re.compile(".+ · SGD 실험실"))
    expect(lab.page.get_by_text("배우기")).to_have_count(0)
    expect(lab.page).to_have_url(re.compile("embed=true&lang=ko"))


def test_an_unknown_page_leads_to_the_lab(open_lab):
    lab = open_lab("../nowhere")
    expect(lab.page.get_by_role("heading", name="Race: GD vs SGD")).to_be_visible()


def test_the_language_can_be_changed_to_and_fro_and_the_choices_stay(open_lab):
    lab = open_lab("problem=spirals&k=32&k=all&rates=same")
    for language, run, problem, rates in [
        ("한국어", "실행", "두 나선", "모두 같게"),
        ("English", "Run", "Two spirals", "Same"),
        ("한국어", "실행", "두 나선", "모두 같게"),
    ]:
        lab.page.get_by_role("radio", name=language).click()
        expect(lab.run).to_contain_text(run)
        expect(lab.problem).to_have_value(problem)
        expect(lab.chosen("rates")).to_have_text([rates])
        expect(lab.chosen("k")).to_have_text(["32", "GD"])
    expect(lab.page).to_have_url(re.compile("problem=spirals"))


def test_a_problem_that_is_chosen_after_a_change_of_language_is_the_one_that_is_raced(open_lab):
    lab = open_lab("k=32&seconds=1")
    lab.page.get_by_role("radio", name="한국어").click()
    expect(lab.run).to_contain_text("실행")
    lab.problem.click()
    lab.page.get_by_role("option", name="유방암").click()
    expect(lab.page).to_have_url(re.compile("problem=breast_cancer"))
    expect(lab.problem).to_have_value("유방암")


def test_no_english_is_left_on_the_korean_page(open_lab):
    messages = pofile.read_po(io.BytesIO(CATALOGUE.read_bytes()), locale="ko")
    english = [message.id for message in messages if message.id and message.id != message.string]
    # "{n} of {m} s" may be any text between; a single word, such as a name, may be the same in both languages.
    sentences = [
        re.compile(re.sub(r"\\\{.*?\\\}", r"[^\\n]+?", re.escape(text)))
        for text in english
        if len(re.findall(r"[A-Za-z]{2,}", re.sub(r"\{.*?\}", "", text))) > 1
    ]
    assert len(sentences) > 50
    lab = open_lab("k=32&k=all&seconds=1", locale="ko-KR")
    lab.page.get_by_role("button", name="더 많은 설정").click()
    expect(lab.keyed("seconds")).to_be_visible()
    texts = [
        lab.page.locator("[data-testid=stMain]").inner_text(),
        lab.page.locator("[data-testid=stPopoverBody]").inner_text(),
    ]
    lab.page.keyboard.press("Escape")
    lab.race()
    texts += [lab.page.locator("[data-testid=stMain]").inner_text(), *lab.page.evaluate("window.clockTexts")]
    for text in texts:
        assert [pattern.pattern for pattern in sentences if pattern.search(text)] == []
        # Prose is not in the catalogue: no four English words in a row.
        assert re.findall(r"(?:\b[A-Za-z]{2,}\b[ ,.]+){3}[A-Za-z]{2,}", text) == []


def luminance(color: str) -> float:
    """Relative luminance of "rgb(…)", by WCAG 2.2."""
    parts = [int(part) / 255 for part in re.findall(r"\d+", color)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    darker, lighter = sorted([luminance(one), luminance(other)])
    return (lighter + 0.05) / (darker + 0.05)


def test_on_a_telephone_nothing_is_wider_than_the_screen_and_run_can_be_pressed(open_lab):
    lab = open_lab("k=32&seconds=1", viewport=NARROW, has_touch=True, is_mobile=True)
    overflow = "document.scrollingElement.scrollWidth - innerWidth"
    assert lab.page.evaluate(overflow) <= 0
    lab.run.scroll_into_view_if_needed()
    lab.run.tap()
    lab.expect_results()
    assert lab.page.evaluate(overflow) <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_accessibility_rules_hold_after_a_race_and_the_letters_of_its_chart_can_be_read(open_lab, scheme):
    lab = open_lab("k=32&k=all&seconds=1", color_scheme=scheme)
    lab.race()
    assert violations(lab, EXCLUDED[scheme]) == []
    chart = lab.keyed("race_chart").locator("svg.marks")
    box = chart.bounding_box()
    assert box["width"] > 300
    assert box["height"] > 300
    background = lab.page.locator("[data-testid=stApp]").evaluate("app => getComputedStyle(app).backgroundColor")
    letters = chart.get_by_text("Training loss against training time").evaluate("text => getComputedStyle(text).fill")
    # WCAG 2.2, 1.4.3: at least 4.5 to 1.
    assert contrast(background, letters) >= 4.5
    assert (luminance(background) > 0.5) == (scheme == "light")


def violations(lab, excluded: list[str]) -> list[str]:
    """What axe finds in the page at rest that is serious or critical."""
    lab.settle()
    options = {"resultTypes": ["violations"]}  # all rules are tried; what passes is not described: a third less time
    found = Axe().run(lab.page, context={"exclude": excluded}, options=options).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


def fits_a_telephone(lab) -> bool:
    """Whether nothing is wider than the screen of a telephone; the window has its former size afterwards."""
    before = lab.page.viewport_size
    lab.page.set_viewport_size(NARROW)
    lab.settle()
    fits = lab.page.evaluate("document.scrollingElement.scrollWidth <= innerWidth")
    lab.page.set_viewport_size(before)
    return fits
