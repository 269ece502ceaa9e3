"""The main job in a real browser: predict, run, watch, look back, take the numbers home."""

import ast
import io
import re
from pathlib import Path

import pandas as pd
import pytest
from playwright.sync_api import expect

GD = "GD (k = 1,437)"
CONTESTANTS = {GD, "k = 256", "k = 32"}
# Corners of the longest line of the chart.
CORNERS = """() => Math.max(0, ...[...document.querySelectorAll(".st-key-race_chart .mark-line path")].map(
  (path) => (path.getAttribute("d") ?? "").split("L").length))"""


@pytest.fixture(scope="module")
def finished(server, new_tab):
    """The race that the page opens with, at its end; gradient descent was expected to be first."""
    with new_tab() as lab:
        lab.open(f"{server.url}gd_vs_sgd")
        lab.keyed("race_guess").get_by_role("radio", name=GD).click()
        lab.start()
        lab.early_corners = lab.page.evaluate(CORNERS)
        lab.page.wait_for_function(f"early => ({CORNERS})() > early", arg=lab.early_corners)
        lab.late_corners = lab.page.evaluate(CORNERS)
        assert lab.results.count() == 0
        lab.expect_results()
        yield lab


def test_the_curves_grow_while_the_race_is_on(finished):
    assert finished.late_corners > finished.early_corners >= 0


def test_the_table_tells_seconds_updates_and_epochs_to_the_target_for_each_contestant(finished):
    rows = {name: cells for name, *cells in finished.table("race_target")}
    assert set(rows) == CONTESTANTS
    for _rate, seconds, updates, epochs, samples, _accuracy in rows.values():
        assert float(seconds) > 0
        assert int(updates.replace(",", "")) > 0
        # An epoch is a pass over all 1,437 samples.
        assert float(epochs.replace(",", "")) == pytest.approx(int(samples.replace(",", "")) / 1437, rel=0.01)


def test_the_verdict_above_the_picture_holds_the_prediction_against_the_table(finished):
    winner = min(finished.table("race_target"), key=lambda row: float(row[2]))[0]
    said = finished.clock.get_by_test_id("stAlert")
    expect(said).to_contain_text(f"Right: {GD}." if winner == GD else f"the run says “{winner}”.")
    expect(said).to_contain_text("reached the target in")
    assert said.bounding_box()["y"] < finished.keyed("race_chart").bounding_box()["y"]


def test_the_csv_holds_every_contestant_from_start_to_end(finished):
    with finished.page.expect_download() as download:
        finished.results.get_by_role("button", name="All numbers (CSV)").click()
    assert download.value.suggested_filename == "race.csv"
    history = pd.read_csv(io.BytesIO(Path(download.value.path()).read_bytes()))
    assert set(history["run"]) == CONTESTANTS
    for _name, rows in history.groupby("run"):
        assert rows["seconds"].iloc[0] == 0
        assert rows["seconds"].iloc[-1] > 0
        assert rows["seconds"].is_monotonic_increasing
        assert rows["train_loss"].iloc[-1] < rows["train_loss"].iloc[0]


def test_the_script_is_python_and_names_every_contestant(finished):
    with finished.page.expect_download() as download:
        finished.results.get_by_role("button", name="This race as a script").click()
    assert download.value.suggested_filename == "race.py"
    source = Path(download.value.path()).read_text(encoding="utf-8")
    texts = {node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Constant)}
    assert texts >= CONTESTANTS | {"digits"}
    shown = finished.results.locator("code").first
    finished.results.get_by_text("The code of this race").click()
    expect(shown).to_contain_text("sgd_tf.race(")


def test_the_film_shows_what_each_model_has_learned_at_the_moment_that_is_chosen(finished):
    caption = finished.keyed("race_film").locator(".caption")
    finished.film.press("Home")
    expect(caption).to_have_text("At the start: the initial weights, the same for all.")
    finished.film.press("End")
    expect(caption).to_contain_text("At the target:")
    expect(finished.keyed("race_film").locator("canvas")).to_have_count(1 + len(CONTESTANTS))


def test_the_finished_race_can_be_counted_in_updates(finished):
    finished.keyed("x").get_by_role("radio", name="Updates").click()
    expect(finished.keyed("race_chart").get_by_text("Training loss against parameter updates")).to_be_visible()
    expect(finished.page).to_have_url(re.compile("x=update"))
    expect(finished.results).to_be_visible()


def test_another_race_takes_the_place_of_the_one_before(finished):
    finished.keyed("k").get_by_role("button", name="GD").click()
    expect(finished.page).to_have_url(re.compile("k=32&k=256"))
    expect(finished.page.get_by_text("settings changed: run again")).to_be_visible()
    finished.start()
    expect(finished.results).to_be_hidden()
    finished.stop.click()
    finished.expect_results()
    assert {row[0] for row in finished.table("race_target")} == CONTESTANTS - {GD}


def test_a_reload_finds_the_finished_race(finished):
    said = finished.clock.get_by_test_id("stAlert").text_content()
    finished.page.reload()
    expect(finished.clock.get_by_test_id("stAlert")).to_have_text(said)
    finished.expect_results()
