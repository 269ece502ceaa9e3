"""The sampling page in a real browser: the ledger, a run of each kind, both languages, both themes, a telephone."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_page import ENGLISH, EXCLUDED, fits_a_telephone, violations

SECONDS = 1_000  # ms
WORDS = {
    "en-US": {"judged": "Right: |Not so: ", "missed": "Never drawn: "},
    "ko-KR": {"judged": "맞았습니다|예측과 다릅니다", "missed": "한 번도 안 뽑힘: "},
}


def open_ways(open_lab, query="", **options):
    lab = open_lab(query, page="sampling", ready="sampling_ways", **options)
    expect(lab.keyed("sampling_ways").locator("svg.marks")).to_have_count(8)  # those of the answer are covered
    return lab


def open_part(open_lab, part, query="", **options):
    return open_lab(
        f"sampling_part={part}&sampling_seeds=3&{query}", page="sampling", ready=f"sampling_{part}_run", **options
    )


def run(lab, part):
    """Press Run and wait for the verdict."""
    lab.button(f"sampling_{part}_run").click()
    expect(lab.button(f"sampling_{part}_stop")).to_be_enabled()
    expect(lab.keyed(f"sampling_{part}_verdict").get_by_test_id("stAlert")).to_be_visible(timeout=120 * SECONDS)
    expect(lab.button(f"sampling_{part}_run")).to_be_enabled()


def main_text(lab):
    return lab.page.locator("[data-testid=stMain]").inner_text()


@pytest.mark.parametrize("locale", WORDS)
def test_the_five_ways_are_drawn_and_the_guess_is_judged(open_lab, locale):
    words = WORDS[locale]
    lab = open_ways(open_lab, locale=locale)
    ways = lab.keyed("sampling_ways")
    expect(ways).to_contain_text(re.compile(words["missed"]))
    lab.keyed("sampling_ways_guess").get_by_role("radio").nth(2).click()
    expect(lab.page.get_by_test_id("stAlert")).to_contain_text(re.compile(words["judged"]))
    expect(ways.locator("svg.marks")).to_have_count(10)
    lab.keyed("sampling_n").get_by_role("spinbutton").fill("50")
    lab.keyed("sampling_n").get_by_role("spinbutton").press("Enter")
    expect(ways).to_contain_text("50")
    expect(lab.keyed("sampling_missed")).to_contain_text("36.4%")  # (1 − 1/50)^50
    expect(lab.page).to_have_url(re.compile("sampling_n=50"))
    if locale == "ko-KR":
        assert ENGLISH.findall(main_text(lab)) == []


def test_a_link_opens_the_same_ledger(open_lab):
    lab = open_ways(open_lab, "sampling_n=30&sampling_epochs=4&sampling_b=3")
    lab.button("sampling_ways_show").click()
    expect(lab.keyed("sampling_b").get_by_role("spinbutton")).to_have_value("3")
    expect(lab.keyed("sampling_missed").locator("tbody tr")).to_have_count(4)


def test_the_error_floor_runs_and_says_which_powers_it_found(open_lab):
    lab = open_part(open_lab, "floor")
    lab.keyed("sampling_floor_guess").get_by_role("radio").nth(2).click()
    run(lab, "floor")
    expect(lab.page.get_by_test_id("stAlert")).to_contain_text(re.compile(WORDS["en-US"]["judged"]))
    expect(lab.page.get_by_test_id("stMain")).to_contain_text(re.compile(r"fitted powers of γ: [012]\."))
    expect(lab.keyed("sampling_floor_chart").locator("svg.marks")).to_have_count(2)
    assert violations(lab, EXCLUDED["light"]) == []


def test_the_genie_runs_in_korean_and_the_axis_can_be_changed_afterwards(open_lab):
    lab = open_part(open_lab, "genie", "sampling_copies=2", locale="ko-KR")
    run(lab, "genie")
    verdict = lab.keyed("sampling_genie_verdict").get_by_test_id("stAlertContainer").inner_text()
    *quarters, last = lab.page.evaluate("window.announced")
    assert quarters == sorted(set(quarters), key=quarters.index)
    assert {*quarters} <= {f"훈련 중: {share}%" for share in (0, 25, 50, 75, 100)}
    assert last in verdict
    expect(lab.keyed("sampling_genie_table").locator("tbody tr")).to_have_count(2)
    before = lab.table("sampling_genie_table")
    lab.keyed("sampling_counter").get_by_role("radio", name="에포크").click()
    expect(lab.keyed("sampling_genie_chart")).to_contain_text("에포크")
    assert lab.table("sampling_genie_table") == before
    assert ENGLISH.findall(main_text(lab)) == []


def test_a_run_goes_on_while_another_part_is_looked_at(open_lab):
    lab = open_part(open_lab, "sorted")
    lab.button("sampling_sorted_run").click()
    expect(lab.button("sampling_sorted_stop")).to_be_enabled()
    lab.keyed("sampling_part").get_by_role("radio", name="Copied data").click()
    expect(lab.button("sampling_genie_run")).to_be_disabled()
    lab.keyed("sampling_part").get_by_role("radio", name="Sorted data").click()
    said = lab.keyed("sampling_sorted_verdict")
    expect(said).to_contain_text("Test accuracy in the last epoch", timeout=120 * SECONDS)


@pytest.mark.parametrize(("scheme", "parts"), [("light", ("genie",)), ("dark", ("floor", "sorted"))])
def test_accessibility_rules_hold_on_each_part_and_nothing_is_wider_than_a_telephone(server, open_lab, scheme, parts):
    lab = open_ways(open_lab, color_scheme=scheme)
    assert violations(lab, EXCLUDED[scheme]) == []
    assert fits_a_telephone(lab)
    for part in parts:
        lab.open(f"{server.url}sampling?sampling_part={part}", f"sampling_{part}_run")
        expect(lab.keyed(f"sampling_{part}_chart").locator("svg.marks").first).to_be_visible()
        assert violations(lab, EXCLUDED[scheme]) == []
        assert fits_a_telephone(lab)
