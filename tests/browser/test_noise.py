"""The page on gradient noise in a real browser: each part, both languages, both themes, a telephone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_page import ENGLISH, EXCLUDED, fits_a_telephone, violations

SECONDS = 1_000  # ms
JUDGED = {"en-US": "Right: |Not so: ", "ko-KR": "예측이 맞았습니다|예측과 다릅니다"}


def open_path(open_lab, query="", **options):
    lab = open_lab(query, page="gradient_noise", ready="noise_path_numbers", **options)
    for key in ("noise_steps", "noise_cloud", "noise_sum"):
        expect(lab.keyed(key).locator("svg.marks")).to_be_visible()
    return lab


def run(lab, part):
    """Guess, press Run and wait for what it says."""
    lab.keyed(f"noise_{part}_guess").get_by_role("radio").first.click()
    lab.button(f"noise_{part}_run").click()
    expect(lab.keyed(f"noise_{part}_verdict").get_by_test_id("stAlert")).to_be_visible(timeout=120 * SECONDS)
    expect(lab.button(f"noise_{part}_run")).to_be_enabled()


def move(lab, key, to):
    """Set a slider to its n-th place by the keyboard."""
    thumb = lab.keyed(key).get_by_role("slider")
    thumb.focus()
    thumb.press("Home")
    for _ in range(to):
        thumb.press("ArrowRight")


def main_text(lab):
    return lab.page.locator("[data-testid=stMain]").inner_text()


@pytest.mark.parametrize("locale", JUDGED)
def test_sliders_move_the_point_and_change_k_and_the_address_keeps_both(open_lab, locale):
    lab = open_path(open_lab, locale=locale)
    numbers = lab.keyed("noise_path_numbers")
    move(lab, "noise_k", 5)
    expect(numbers).to_contain_text("8/200")  # the last minibatch of k = 32
    move(lab, "noise_at", 2)
    expect(lab.page).to_have_url(re.compile("(?=.*noise_k=32)(?=.*noise_at=2)"))
    expect(lab.keyed("noise_steps")).to_contain_text("k = 32")
    if locale == "ko-KR":
        assert ENGLISH.findall(main_text(lab)) == []
    lab.settle()  # the address changes before the numbers do
    text = numbers.inner_text()
    lab.page.reload()
    expect(numbers).to_have_text(re.compile(re.escape(text.split("\n")[0])))


def test_arrows_point_the_way_they_go(open_lab):
    lab = open_path(open_lab, "noise_k=200&noise_at=0&noise_on=gd")
    # From (-1.5, 3.5) down to the right, to (2, 1): an arrowhead that pointed upwards is turned by 90 to 180 degrees.
    heads = lab.keyed("noise_sum").locator("svg .mark-symbol path")
    angles = [float(re.search(r"rotate\(([-\d.]+)", head.get_attribute("transform"))[1]) for head in heads.all()]
    assert angles
    assert all(90 < angle < 180 for angle in angles)


@pytest.mark.parametrize(("part", "locale"), [("law", "ko-KR"), ("escape", "en-US"), ("edge", "ko-KR")])
def test_each_experiment_runs_and_judges_the_prediction(open_lab, part, locale):
    query = {"law": "&noise_problem=line&noise_model=linear"}.get(part, "")
    lab = open_lab(f"noise_part={part}{query}", page="gradient_noise", ready=f"noise_{part}_run", locale=locale)
    run(lab, part)
    said = lab.keyed(f"noise_{part}_verdict").get_by_test_id("stAlert")
    expect(said).to_contain_text(re.compile(JUDGED[locale]))
    if part == "law":
        expect(lab.keyed("noise_law_chart").locator("svg.marks")).to_contain_text("k = N: 0")
    elif part == "escape":
        expect(said).to_contain_text("0 of 300")
        expect(lab.keyed("noise_shares").locator("svg.marks")).to_contain_text("91%")
    else:
        results = lab.keyed("noise_edge_results")
        expect(results.locator("tbody tr")).to_have_count(4)
        expect(results).to_contain_text("× −1.100")
    if locale == "ko-KR":
        assert ENGLISH.findall(main_text(lab)) == []


def test_a_run_goes_on_while_another_part_is_looked_at(open_lab):
    lab = open_lab("noise_part=escape", page="gradient_noise", ready="noise_escape_run")
    lab.button("noise_escape_run").click()
    expect(lab.button("noise_escape_stop")).to_be_enabled()
    lab.keyed("noise_part").get_by_role("radio", name="Largest stable rate").click()
    expect(lab.button("noise_edge_run")).to_be_visible()
    lab.keyed("noise_part").get_by_role("radio", name="Escape from a minimum").click()
    expect(lab.keyed("noise_escape_verdict").get_by_test_id("stAlert")).to_be_visible(timeout=120 * SECONDS)


@pytest.mark.parametrize(("scheme", "parts"), [("light", ("law",)), ("dark", ("escape", "edge"))])
def test_accessibility_rules_hold_on_each_part_and_nothing_is_wider_than_a_telephone(server, open_lab, scheme, parts):
    lab = open_path(open_lab, color_scheme=scheme)
    assert violations(lab, EXCLUDED[scheme]) == []
    assert fits_a_telephone(lab)
    for part in parts:
        lab.open(f"{server.url}gradient_noise?noise_part={part}", f"noise_{part}_run")
        expect(lab.page.locator("svg.marks").first).to_be_visible()
        assert violations(lab, EXCLUDED[scheme]) == []
        assert fits_a_telephone(lab)
