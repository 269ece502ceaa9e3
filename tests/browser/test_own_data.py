"""A stranger's spreadsheet in a real browser: uploaded, understood, raced, in both languages."""

import re

from playwright.sync_api import expect

from tests.own.conftest import spreadsheet


def test_a_korean_spreadsheet_is_uploaded_understood_and_raced_while_the_language_changes(server, new_tab):
    with new_tab() as lab:
        lab.open(f"{server.url}your_data?lang=ko", ready="own_flights")
        file = {"name": "집값.csv", "mimeType": "text/csv", "buffer": spreadsheet(300)}
        lab.page.locator("input[type=file]").set_input_files(file)
        expect(lab.keyed("own_guesses")).to_contain_text("훈련용 행 228개, 테스트용 행 57개")
        expect(lab.page.get_by_text("CSV · CP949")).to_be_visible()
        lab.keyed("lang").get_by_text("English").click()
        expect(lab.keyed("own_guesses")).to_contain_text("228 rows to train on, 57 to test on · 4 features")
        lab.button("own_race").click()
        expect(lab.problem).to_have_value(re.compile("집값.csv"), timeout=60_000)
        lab.start()
        lab.keyed("lang").get_by_text("한국어").click()
        lab.expect_results()
        expect(lab.page.get_by_text(re.compile("집값.csv.* N = 228")).first).to_be_visible()
        assert "own-" in lab.page.url
        assert "집값" not in lab.page.url
