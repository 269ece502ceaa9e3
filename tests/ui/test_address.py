"""Claims about the state of the controls in the page's address: whatever stands there, the page is drawn."""

import contextlib
import importlib
import math
import pkgutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sgd_tf
from sgd_tf.ui import frame, runs, settings
from sgd_tf.ui.training_settings import TrainingSettings
from tests.lab import FakeCluster, open_app
from tests.ui.test_pages import VISITS

NINES = "9" * 400  # a whole number that no float can hold
NUMBERS = [*(str(10**i) for i in range(10)), "60", "300", "2000", str(2**31 - 1), "1e9"]
# What a number's parser may take for one: other digits, underscores, blanks, signs, infinities, endless digits.
numbers = st.one_of(
    st.integers().map(str),
    st.floats().map(repr),
    st.integers(1, 6_000).map("9".__mul__),
    st.integers(1, 500).map(lambda digits: f"-{'1' * digits}.5e{digits}"),
    st.text(st.characters(categories=["Nd"]), max_size=5),
    st.sampled_from(["", " 7 ", "1_000", "+3", "-0", "0x10", "1e400", "1e-400", "nan", "-inf", "infinity", "٣", "½"]),
)
lists = st.lists(st.one_of(numbers, st.just(",")), max_size=9).map(", ".join)
texts = st.one_of(numbers, lists, st.text(), st.just("\x00"), st.just("<script>"), st.just("all"))


SETTINGS = list(
    {
        value.key: value
        for module in pkgutil.walk_packages(sgd_tf.__path__, "sgd_tf.")
        if module.name.endswith(("view", "controls", "player"))
        for several in vars(importlib.import_module(module.name)).values()
        for value in (several if isinstance(several, TrainingSettings) else [several])
        if isinstance(value, settings.Setting)
    }.values()
)


@given(st.sampled_from(SETTINGS), st.lists(texts, min_size=1, max_size=4))
def test_any_texts_are_a_value_of_a_setting_or_nonsense_and_the_value_comes_back_as_it_was_written(setting, words):
    try:
        value = setting.parse(words)
    except (ValueError, KeyError, OverflowError):  # nonsense: the default is taken
        return
    assert not isinstance(value, float) or math.isfinite(value)
    assert setting.parse(setting.texts(value) or [""]) == value


def largest(setting):
    """The largest of NUMBERS that a setting takes, if there is one."""
    allowed = {}
    for number in NUMBERS:
        with contextlib.suppress(ValueError, KeyError):
            value = setting.parse([number])
            allowed[float(value[0] if isinstance(value, list) else value)] = number
    return allowed[max(allowed)] if allowed else None


@pytest.mark.parametrize("page_and_part", VISITS, ids=lambda visit: "-".join([Path(visit[0]).stem, *visit[1].values()]))
@pytest.mark.parametrize("text_of", [lambda _setting: NINES, largest], ids=["nines", "largest"])
def test_each_page_is_drawn_whatever_its_address_holds(monkeypatch, page_and_part, text_of):
    page, part = page_and_part
    texts = {setting.key: text_of(setting) for setting in SETTINGS}
    monkeypatch.setattr(runs, "connect", FakeCluster)
    app = open_app(page=page, **{key: text for key, text in texts.items() if text is not None} | part)
    takes_settings = page != "pages/practice/your_data.py"
    assert len(app.toast) == (takes_settings and text_of is not largest)


def test_what_the_address_holds_in_vain_is_named_once_in_the_learners_language(monkeypatch):
    monkeypatch.setattr(runs, "connect", FakeCluster)
    app = open_app("en", other_k=NINES, seconds="<script>", seed="7", sampling_k="5", colour="red")
    assert [toast.value for toast in app.toast] == [
        "Not taken from the address: `other_k`, `seconds`, `colour`. The usual settings take their place."
    ]
    assert app.number_input(key="other_k").value is None
    assert (app.number_input(key="seconds").value, app.number_input(key="seed").value) == (5, 7)
    assert not app.run().toast
    app = open_app("ko", other_k=NINES)
    assert "other_k" in app.toast[0].value
    assert "address" not in app.toast[0].value


def test_a_language_or_a_run_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setattr(runs, "connect", FakeCluster)
    app = open_app("xx", page="pages/learn/sampling.py", run="gone", sampling_part="floor")
    assert "`lang`, `run`" in app.toast[0].value
    assert app.segmented_control(key="lang").value == "ko"
    assert "run" not in app.query_params
    assert not app.run().toast


@given(st.lists(st.text(min_size=1), min_size=1, max_size=9, unique=True))
def test_whoever_writes_a_link_writes_no_markdown_into_its_message(names):
    shown = frame.shown(names)
    assert shown.count("`") == 2 * min(len(names), frame.MAX_NAMES)
    assert len(shown) < 300
    assert "\n" not in shown


def test_the_language_is_part_of_the_address_from_the_second_drawing_on_also_on_another_page(monkeypatch):
    """At first the browser adds it, which a step of Back would show otherwise."""
    monkeypatch.setattr(runs, "connect", FakeCluster)
    app = open_app("en")
    app.segmented_control(key="lang").set_value("ko").run()
    assert app.query_params["lang"] in ("ko", ["ko"])
    app.query_params.clear()
    app.switch_page("pages/learn/sampling.py").run()
    assert app.query_params["lang"] in ("ko", ["ko"])
