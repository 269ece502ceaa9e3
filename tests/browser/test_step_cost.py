"""The page on the cost of a step in a real browser: a run in Korean, and the code of the loops."""

from playwright.sync_api import expect

from tests.browser.test_page import ENGLISH, EXCLUDED, violations

SECONDS = 1_000  # ms


def test_a_run_gives_a_verdict_a_line_for_each_loop_and_a_table(open_lab):
    query = "step_problem=spirals&step_n=64&step_model=linear&step_k=all"
    lab = open_lab(query, page="step_cost", ready="step_cost_run", locale="ko-KR")
    lab.keyed("step_cost_guess").get_by_role("radio").nth(2).click()
    lab.button("step_cost_run").click()
    verdict = lab.keyed("step_cost_verdict").get_by_test_id("stAlert")
    expect(verdict).to_contain_text("k = 64", timeout=120 * SECONDS)
    expect(lab.keyed("step_cost_table").locator("tbody tr")).to_have_count(7)
    expect(lab.keyed("step_cost_chart")).to_contain_text("steps_per_execution")
    assert ENGLISH.findall(lab.page.locator("[data-testid=stMain]").inner_text()) == []
    assert violations(lab, EXCLUDED["light"]) == []
    lab.page.get_by_text("코드", exact=True).click()
    lab.page.get_by_role("tab", name="jit_compile").click()
    expect(lab.page.get_by_role("tabpanel")).to_contain_text("jit_compile=True")
