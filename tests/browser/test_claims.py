"""The page of the claims in a real browser: two claims tried, their verdicts and charts, and what is kept."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.test_page import EXCLUDED, fits_a_telephone, violations

SECONDS = 1_000  # ms


def try_claim(lab, key):
    """Open a claim, test it and wait for its verdict and its chart."""
    lab.keyed(f"claim_{key}").locator("summary").click()
    lab.button(f"claims_run_{key}").click()
    expect(lab.keyed(f"claim_chart_{key}").locator("svg.marks")).to_be_visible(timeout=120 * SECONDS)
    expect(lab.button("claims_run")).to_be_enabled()


def test_a_claim_is_tried_and_its_verdict_stays_on_return(open_lab):
    lab = open_lab("lang=ko", page="claims", ready="claims_run")
    expect(lab.page.locator("[class*=st-key-claim_] summary")).to_have_count(18)
    try_claim(lab, "new_order")
    row = lab.keyed("claim_new_order")
    expect(row.locator("summary")).to_contain_text("성립")
    expect(row.locator("summary")).not_to_contain_text("녹화")  # the recorded verdict stood there before
    expect(row).to_contain_text(re.compile(r"모든 샘플이 한 번씩 나오지 않은 에포크 수: 0 \(정확히 0\)"))
    expect(lab.keyed("claims_verdict")).to_contain_text("주장 7번")
    with lab.page.expect_download() as download:
        lab.keyed("claims_summary").get_by_role("button", name="결과(JSON)").click()
    (entry,) = json.loads(Path(download.value.path()).read_text(encoding="utf-8"))
    assert (entry["claim"], entry["verdict"]) == ("new_order", "holds")
    row.get_by_role("link").click()
    expect(lab.keyed("sampling_part")).to_be_visible()
    lab.keyed("sampling_part").get_by_role("radio").nth(1).click()
    expect(lab.page).to_have_url(re.compile("sampling_part=shufflers"))
    lab.page.go_back()  # at once, also from another setting
    expect(lab.keyed("claim_new_order").locator("summary")).to_contain_text("성립")


def test_run_all_goes_on_from_claim_to_claim_and_stop_keeps_what_was_found(open_lab):
    lab = open_lab("lang=en", page="claims", ready="claims_run")
    lab.button("claims_run").click()
    expect(lab.keyed("claims_status")).to_contain_text(
        re.compile(r"[1-9]\d? of 18 claims tested. About"), timeout=120 * SECONDS
    )
    expect(lab.keyed("claim_full_pass")).to_contain_text("Holds")
    lab.button("claims_stop").click()
    expect(lab.button("claims_run")).to_be_enabled()
    expect(lab.keyed("claims_summary")).to_contain_text(re.compile(r"Holds: [1-9]"))
    expect(lab.keyed("claims_verdict")).to_contain_text("You stopped after")


def test_the_page_is_accessible_and_fits_a_telephone(open_lab):
    lab = open_lab("lang=en", page="claims", ready="claims_run", color_scheme="dark")
    try_claim(lab, "without_replacement")
    assert violations(lab, EXCLUDED["dark"]) == []
    assert fits_a_telephone(lab)
