"""The pages on memory and on several devices in a real browser, with real processes: main paths and accessibility."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.test_page import ENGLISH, EXCLUDED, fits_a_telephone, violations

SECONDS = 1_000  # ms


def run(lab, name):
    lab.button(f"{name}_run").click()
    expect(lab.button(f"{name}_stop")).to_be_enabled()
    expect(lab.button(f"{name}_run")).to_be_enabled(timeout=120 * SECONDS)
    expect(lab.button(f"{name}_stop")).to_be_disabled()


def try_update(lab, verdict):
    """Press Run, and wait for the verdict."""
    lab.button("memory_wall_run").click()
    expect(lab.button("memory_wall_stop")).to_be_enabled()
    expect(lab.keyed("memory_wall_verdict")).to_contain_text(re.compile(verdict), timeout=120 * SECONDS)
    expect(lab.button("memory_wall_run")).to_be_enabled()


def test_an_update_hits_the_wall_and_fits_in_micro_batches_in_korean(open_lab):
    query = "memory_problem=digits&memory_k=all&memory_limit=16&memory_model=deep"
    lab = open_lab(query, page="memory", ready="memory_wall_run", locale="ko-KR")
    lab.keyed("memory_wall_guess").get_by_role("radio").first.click()
    try_update(lab, "k = 1,437은 들어가지 않습니다")
    lab.button("memory_take_m").click()
    expect(lab.page).to_have_url(re.compile("memory_m="))
    try_update(lab, "k = 1,437, m = .* 들어갑니다")
    assert ENGLISH.findall(lab.page.locator("[data-testid=stMain]").inner_text()) == []


def test_a_minibatch_over_devices_is_shown_with_its_gradients_and_its_times(open_lab):
    lab = open_lab("parallel_r=2", page="data_parallel", ready="parallel_devices_run")
    lab.keyed("parallel_devices_guess").get_by_role("radio").last.click()
    run(lab, "parallel_devices")
    expect(lab.keyed("parallel_first").locator("svg.marks")).to_have_count(2)
    expect(lab.keyed("parallel_devices_verdict")).to_contain_text(re.compile("Right|Not so"))
    rows = lab.table("parallel_times")
    assert [row[0] for row in rows] == ["1", "2"]
    assert all(re.fullmatch(r"\d · 10⁻(⁷|⁸|⁹|¹.)|0", row[3]) for row in rows)  # below 1e-6
    assert violations(lab, EXCLUDED["light"]) == []


@pytest.mark.parametrize("page", ["memory", "data_parallel"])
def test_accessibility_rules_hold_in_the_dark_and_nothing_is_wider_than_a_telephone(open_lab, page):
    start = {"memory": "memory_wall", "data_parallel": "parallel_devices"}[page]
    lab = open_lab(page=page, ready=f"{start}_run", color_scheme="dark")
    assert violations(lab, EXCLUDED["dark"]) == []
    assert fits_a_telephone(lab)
