"""Own layers in a real browser: built by the keyboard, and raced."""

import re

from playwright.sync_api import expect

from tests.browser.test_page import EXCLUDED, violations

SECONDS = 1_000  # ms


def test_layers_are_built_by_the_keyboard_and_raced(open_lab):
    query = "problem=spirals&n=200&model=layers&layers=dense+16+tanh&k=32&seconds=1"
    lab = open_lab(query, page="gd_vs_sgd", ready="race_run", locale="en-US")
    opener = lab.keyed("layers_builder").get_by_role("button", name="Layers")
    opener.press("Enter")
    lab.keyed("layers_add").get_by_role("button").press("Enter")
    expect(lab.page).to_have_url(re.compile(r"layers=dense\+16\+tanh%2C\+dense\+32\+relu"))
    lab.page.locator("[class*=_0_drop] button").first.press("Enter")
    expect(lab.page).to_have_url(re.compile(r"layers=dense\+32\+relu"))
    code = lab.page.get_by_text(re.compile(r"^model = keras.Sequential.*Dense\(32", re.DOTALL))
    expect(code.first).to_be_visible()
    lab.page.keyboard.press("Escape")
    assert violations(lab, EXCLUDED["light"]) == []
    lab.button("race_run").click()
    expect(lab.keyed("race_verdict").get_by_test_id("stAlert")).to_be_visible(timeout=120 * SECONDS)
