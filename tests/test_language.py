"""Korean and English are complete: labels in the catalogues, prose beside each page."""

import string
from pathlib import Path

import pytest
from babel.messages import extract, pofile

from sgd_tf.ui import korean, language

ROOT = Path(__file__).parents[1]
KEYWORDS = {"_": None, "N_": None}
PAGES = sorted((ROOT / "pages").rglob("*.py"))


def messages():
    """Every message id in the sources."""
    files = [ROOT / "app.py", *PAGES, *(ROOT / "sgd_tf").rglob("*.py")]
    for file in files:
        with file.open("rb") as source:
            for _line, message, _comments, _context in extract.extract("python", source, keywords=KEYWORDS):
                yield message


def catalogue(code):
    with (ROOT / f"sgd_tf/ui/locale/{code}.po").open("rb") as file:
        return pofile.read_po(file, locale=code)


@pytest.mark.parametrize("code", [code for code in language.LANGUAGES if code != language.SOURCE])
def test_every_message_is_translated_and_none_is_left_over(code):
    translated = {m.id for m in catalogue(code) if m.id and m.string and not m.fuzzy}
    assert translated == set(messages())


@pytest.mark.parametrize("code", [code for code in language.LANGUAGES if code != language.SOURCE])
def test_translations_hold_the_same_placeholders(code):
    def fields(text):
        fields = string.Formatter().parse(korean.MARK.sub("", text))
        return sorted(f"{name}:{spec}" for _, name, spec, _ in fields if name is not None)

    for message in catalogue(code):
        if message.id:
            assert fields(message.string) == fields(message.id), message.id


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_page_has_the_same_sections_of_prose_in_each_language(page):
    names = {code: list(language.sections(page.with_suffix(f".{code}.md"))) for code in language.LANGUAGES}
    assert len(set(map(tuple, names.values()))) == 1
    source = page.read_text(encoding="utf-8")
    assert all(f'prose(__file__, "{name}")' in source for name in names["en"])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_korean_prose_is_korean_and_english_prose_is_not(page):
    for code in language.LANGUAGES:
        for name, text in language.sections(page.with_suffix(f".{code}.md")).items():
            letters = [letter for letter in text if letter.isalpha()]
            share = sum("가" <= letter <= "힣" for letter in letters) / len(letters)
            assert share > 0.7 if code == "ko" else share == 0, (code, name)


def test_the_catalogue_of_the_source_language_says_the_message_itself():
    assert language.catalogue("en").gettext("Run") == "Run"
    assert language.catalogue("ko").gettext("Run") == "실행"
