"""The page on own data: upload, guesses that can be changed, and what others may see of it."""

import pytest

from sgd_tf.own import controls
from sgd_tf.problems import given
from sgd_tf.racing.rows import Device
from sgd_tf.ui import own_problems
from tests.lab import LANGUAGES, checked, open_app
from tests.own.conftest import spreadsheet

PAGE = "pages/practice/your_data.py"
RACE = "pages/lab/gd_vs_sgd.py"
HOSTILE = ["=cmd|' /C calc'!A0", "<script>alert(1)</script>", "![x](http://x)", "$x$", ":red[x]"]


def uploaded(content, title="집값.csv", language="en", app=None):
    """The page after an upload."""
    app = app or open_app(language, page=PAGE)
    app.file_uploader[0].upload(title, content)
    return checked(app.run())


def columns(app):
    """The table of the columns."""
    return next(each.value for each in app.dataframe if "kind" in each.value)


def race(app):
    """The race page, after the button that goes there."""
    checked(app.button(key="own_race").click().run())
    return checked(app.switch_page(RACE).run())


def words(app):
    """All that the page says."""
    elements = [*app.markdown, *app.caption, *app.error, *app.info]
    return "\n".join(element.value for element in elements)


@pytest.fixture(autouse=True)
def workers(cluster):
    return cluster


@pytest.fixture
def app():
    return uploaded(spreadsheet())


def test_a_korean_spreadsheet_is_understood(app):
    assert "`집값.csv`" in words(app)
    assert "CSV · CP949 · 60 rows · 5 columns" in words(app)
    assert app.selectbox(key=controls.TARGET).value == "가격(만원)"
    assert "45 rows to train on, 12 to test on · 4 features" in words(app)
    assert "Dropped: 3 of 60 rows" in words(app)
    table = columns(app)
    assert table["kind"].tolist() == ["leave out", "category", "number", "number", "number"]
    assert table["missing"].tolist() == [0, 0, 3, 0, 0]
    assert [sum(bins) for bins in table["values"]][1:] == [60, 57, 60, 60]


def test_each_guess_can_be_changed(app):
    checked(app.selectbox(key=controls.TARGET).select("지역").run())
    assert next(each.value for each in app.dataframe if "class" in each.value)["class"].tolist() == [
        "대구",
        "부산",
        "서울",
    ]
    app.session_state[controls.MISSING] = "fill"
    checked(app.run())
    assert "48 rows to train on" in words(app)
    assert "Values filled in: 3." in words(app)


def test_it_is_raced_and_then_among_the_problems_of_every_page(app, cluster):
    race(app)
    name = app.session_state["problem"]
    assert name.startswith(given.PREFIX)
    app.button(key="race_run").click().run()
    (job,) = cluster.jobs
    assert job.arguments[0].problem == name
    assert given.named_in(job.arguments) == [own_problems_of(app)[name].problem]
    job.rows, job.status = [Device(name="CPU")], "done"
    for page, key in (
        ("pages/lab/batch_size.py", "sweep_problem"),
        ("pages/lab/step_cost.py", None),
        ("pages/lab/memory.py", "memory_problem"),
        ("pages/lab/data_parallel.py", None),
        ("pages/learn/gradient_noise.py", None),
    ):
        checked(app.switch_page(page).run())
        if key:
            assert "집값.csv" in app.selectbox(key=key).options
            checked(app.selectbox(key=key).select(name).run())


def own_problems_of(app):
    return app.session_state[own_problems.KEY].problems


def test_another_session_sees_nothing_of_it(app, cluster):
    race(app)
    app.button(key="race_run").click().run()
    cluster.jobs[0].status = "done"
    checked(app.run())
    name, run = app.session_state["problem"], app.query_params["run"][0]
    other = open_app("en", page=RACE, problem=name, run=run)
    assert "집값" not in words(other)
    assert "The table in this address is not here" in words(other)
    assert other.session_state["problem"] == "digits"
    assert "runs" not in other.session_state or not other.session_state["runs"]
    # Whoever has the same file gets to the same address.
    again = uploaded(spreadsheet(), app=checked(other.switch_page(PAGE).run()))
    race(again)
    assert again.session_state["problem"] == name


def test_what_was_uploaded_is_let_go_when_its_page_has_left(app, monkeypatch):
    tables = app.session_state[own_problems.KEY]
    name = next(iter(tables.problems))
    connected = {"kim": True}
    monkeypatch.setitem(own_problems._of_sessions, "kim", tables)
    monkeypatch.setattr(own_problems, "is_connected", lambda session: connected.get(session, True))
    own_problems.let_go(0.0)
    connected["kim"] = False
    own_problems.let_go(10.0)
    own_problems.let_go(100.0)  # a page may come back to its session
    assert name in tables.problems
    own_problems.let_go(131.0)
    assert (tables.problems, tables.uploaded) == ({}, None)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_file_that_is_no_table_is_refused_in_the_learner_s_language(language):
    app = uploaded(b"\x89PNG\r\n\x1a\n", "cat.csv", language)
    expected = {"en": "Images are not read here", "ko": "이미지는 폴더로도"}[language]
    assert [expected in error.value for error in app.error] == [True]
    assert not app.dataframe


def test_names_and_words_of_a_table_are_shown_as_text():
    rows = [",".join([*(f"{(i * 7 + j) % 11}" for j in range(len(HOSTILE))), HOSTILE[i % 5]]) for i in range(40)]
    header = ",".join(f'"{name}"' for name in [*HOSTILE, "<b>y</b>"])
    app = uploaded("\n".join([header, *rows]).encode(), "<i>![y](http://y).csv")
    assert "`<i>![y](http://y).csv`" in words(app)
    assert columns(app)["name"].tolist() == [*HOSTILE, "<b>y</b>"]
    for name in HOSTILE:
        assert name not in words(app).replace(f"`{name}`", "")


def test_an_example_shows_its_source_and_its_licence():
    app = open_app("en", page=PAGE)
    checked(app.button(key="own_flights").click().run())
    assert "CC0 1.0" in words(app)
    checked(app.button(key="own_remove").click().run())
    assert not app.dataframe
    assert own_problems_of(app) == {}
