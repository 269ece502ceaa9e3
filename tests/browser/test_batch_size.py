"""The page "Which batch size?" in a real browser: a sweep from the prediction to the answer, and its pictures."""

import io
import re
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import expect

from tests.browser.test_page import ENGLISH, EXCLUDED, fits_a_telephone, violations

SECONDS = 1_000  # ms
# A straight line: 3 k × 2 rates, and one more seed of the best; a sweep of some seconds.
SMALL = (
    "sweep_problem=line&sweep_model=linear&sweep_n=200&sweep_k=8&sweep_k=64&sweep_k=all&sweep_rates=0.02,+0.1"
    "&sweep_seeds=3"
)
PICTURES = {"target": 2, "seconds": 1, "budget": 2, "map": 1, "throughput": 1}


def run(lab):
    """Press Run and wait for the answer."""
    lab.button("sweep_run").click()
    expect(lab.keyed("sweep_results")).to_be_visible(timeout=120 * SECONDS)
    expect(lab.button("sweep_run")).to_be_enabled(timeout=120 * SECONDS)
    expect(lab.keyed("sweep_usual").locator("tbody tr")).to_have_count(4)


@pytest.fixture(scope="module")
def finished(server, new_tab):
    """A small sweep at its end."""
    with new_tab() as lab:
        lab.open(f"{server.url}batch_size?lang=en&{SMALL}", "sweep_run")
        lab.keyed("sweep_guess").get_by_role("radio", name="5 to 32").click()
        run(lab)
        yield lab


def test_the_answer_stands_above_the_picture_and_judges_the_prediction(finished):
    verdict = finished.keyed("sweep_verdict")
    fastest = re.compile(r"k = \d+ is the fastest: [\d. ·⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+ s of training to a loss of 0.27")
    expect(verdict).to_contain_text(fastest)
    expect(verdict.get_by_test_id("stAlert")).to_contain_text(re.compile("Right|Not so|Too close to tell"))
    assert verdict.bounding_box()["y"] < finished.keyed("sweep_chart").bounding_box()["y"]


def test_the_verdict_compares_epochs_and_seconds_at_one_rate_and_at_tuned_ones(finished):
    finished.keyed("sweep_results").get_by_text("256 or 512 is usually good").click()
    expect(finished.keyed("sweep_usual")).to_be_visible()
    rows = finished.table("sweep_usual")
    assert [row[0] for row in rows] == ["3 epochs", "3 epochs", "0.05 s of training", "0.05 s of training"]
    assert [row[1].endswith("for all k") for row in rows] == [True, False, True, False]


def test_every_picture_of_the_sweep_is_drawn(finished):
    for place, num_charts in enumerate(PICTURES.values()):
        finished.keyed("sweep_view").get_by_role("radio").nth(place).click()
        expect(finished.keyed("sweep_chart").locator("svg.marks")).to_have_count(num_charts)
    finished.keyed("sweep_view").get_by_role("radio").first.click()
    expect(finished.keyed("sweep_chart").get_by_text("perfect scaling").first).to_be_visible()


def test_two_settings_can_be_compared(finished):
    finished.keyed("sweep_results").get_by_text("Two settings compared").click()
    comparison = finished.keyed("sweep_comparison")
    expect(comparison).to_contain_text(re.compile(r"k = \d+ .*paired t-test, 3 seeds"))


def test_the_csv_has_one_row_for_each_run(finished):
    with finished.page.expect_download() as download:
        finished.keyed("sweep_results").get_by_role("button", name="All runs (CSV)").click()
    table = pd.read_csv(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert set(table["batch_size"]) == {8, 64, 200}
    assert not table.duplicated(["batch_size", "learning_rate", "seed"]).any()
    assert len(table[table["seed"] == 0]) == 3 * 2


def test_a_finished_sweep_survives_a_reload(finished):
    said = finished.keyed("sweep_verdict").inner_text()
    finished.page.reload()
    expect(finished.keyed("sweep_results")).to_be_visible()
    assert finished.keyed("sweep_verdict").inner_text() == said


def test_a_long_sweep_shows_results_as_they_come_and_stop_keeps_them(open_lab):
    lab = open_lab("lang=en&sweep_seeds=20", page="batch_size", ready="sweep_run")
    lab.button("sweep_run").click()
    expect(lab.keyed("sweep_status")).to_contain_text(
        re.compile(r"[1-9]\d* of about \d+ runs · about"), timeout=90 * SECONDS
    )
    lab.button("sweep_stop").click()
    expect(lab.keyed("sweep_verdict")).to_contain_text(re.compile(r"Runs still missing: about \d+"))
    expect(lab.button("sweep_run")).to_be_enabled()
    expect(lab.keyed("sweep_results")).to_be_visible()


def test_a_link_opens_the_same_sweep(open_lab):
    lab = open_lab(f"{SMALL}&sweep_view=map&sweep_rule=linear", page="batch_size", ready="sweep_run")
    for _visit in range(2):
        expect(lab.keyed("sweep_problem").get_by_role("combobox")).to_have_value("A straight line")
        expect(lab.chosen("sweep_chips")).to_have_text(["8", "64", "N = 200"])
        expect(lab.chosen("sweep_rule")).to_have_text(["∝ k"])
        expect(lab.chosen("sweep_view")).to_have_text(["Learning rate × k"])
        lab.page.reload()


def test_the_korean_page_is_korean_from_the_question_to_the_answer_and_accessible_in_the_dark(open_lab):
    lab = open_lab(SMALL, page="batch_size", ready="sweep_run", locale="ko-KR", color_scheme="dark")
    run(lab)
    assert violations(lab, EXCLUDED["dark"]) == []
    text = lab.page.locator("[data-testid=stMain]").inner_text()
    assert ENGLISH.findall(text) == []
    assert "가장 빠른 것은 k = " in text


def test_accessibility_rules_hold_after_a_sweep_and_nothing_is_wider_than_a_telephone(finished):
    assert violations(finished, EXCLUDED["light"]) == []
    assert fits_a_telephone(finished)
