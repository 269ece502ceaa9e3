"""Claims about settings: the address reaches the control, nonsense does not, and the control writes back."""

import pytest
from streamlit.testing.v1 import AppTest


def settings_page():
    import streamlit as st

    from sgd_tf.ui import settings
    from sgd_tf.ui.settings import Chips, Choice, Number, OptionalNumber, Switch, Text
    from sgd_tf.ui.widgets import parse_widths

    def letter(text):
        if text not in "abcde":
            raise ValueError(text)

    high = st.session_state.get("limit", 100)
    given = {
        "measure": Choice(
            key="measure",
            label="Measured",
            options={"loss": "Training loss", "accuracy": "Test accuracy"},
            default="loss",
            widget="select",
        ).draw(),
        "size": Choice(key="size", label="Batch size k", options=("1", "8", "16"), default="8").draw(
            only=st.session_state.get("only")
        ),
        "samples": Number(key="samples", label="Samples N", low=10, high=100, default=50).draw(high=high),
        "rate": Number(key="rate", label="Learning rate", low=0.001, high=10.0, default=0.1).draw(),
        "epochs": Number(key="epochs", label="Epochs", low=1, high=10, default=2, widget="slider").draw(),
        "hidden": OptionalNumber(key="hidden", label="Hidden", low=1, high=9).draw(usual="4"),
        "light": Switch(key="light", label="Light", default=True).draw(),
        "widths": Text(key="widths", label="Widths", check=parse_widths, default="32").draw(),
        "letters": Chips(key="letters", label="Letters", check=letter, default=["a", "b"]).draw(
            "abcde", title=str.upper
        ),
    }
    st.session_state["given"] = given
    st.session_state["refused"] = settings.refused()


DEFAULTS = {
    "measure": "loss",
    "size": "8",
    "samples": 50,
    "rate": 0.1,
    "epochs": 2,
    "hidden": None,
    "light": True,
    "widths": "32",
    "letters": ["a", "b"],
}


def opened(language="en", **address):
    app = AppTest.from_function(settings_page, default_timeout=30)
    app.session_state["lang"] = language
    for key, value in address.items():
        app.query_params[key] = value
    return run(app)


def run(app):
    app.run()
    assert not app.exception, [element.value for element in app.exception]
    return app


def given(app):
    return app.session_state["given"]


def in_address(app, key):
    words = app.query_params[key]
    return [words] if isinstance(words, str) else sorted(words)


def test_without_an_address_all_settings_have_their_defaults_and_the_address_stays_empty():
    app = opened()
    assert given(app) == DEFAULTS
    assert dict(app.query_params) == {}
    assert app.session_state["refused"] == []


@pytest.mark.parametrize(
    ("key", "words", "value"),
    [
        ("measure", ["accuracy"], "accuracy"),
        ("size", ["16"], "16"),
        ("samples", ["100"], 100),
        ("rate", ["0.25"], 0.25),
        ("epochs", ["7"], 7),
        ("hidden", ["9"], 9),
        ("light", ["0"], False),
        ("widths", ["64, 32"], "64, 32"),
        ("letters", ["d", "a"], ["a", "d"]),
        ("letters", [""], []),
    ],
)
def test_a_value_in_the_address_reaches_its_control_and_stays_in_the_address(key, words, value):
    app = opened(**{key: words})
    assert given(app) == {**DEFAULTS, key: value}
    assert in_address(app, key) == sorted(words)
    assert app.session_state["refused"] == []


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("measure", "Training loss"),  # the title, not the option
        ("size", "4"),
        ("samples", "9"),
        ("samples", "101"),
        ("samples", "10.5"),
        ("samples", "9" * 400),
        ("rate", "nan"),
        ("rate", "0"),
        ("rate", "inf"),
        ("epochs", ""),
        ("hidden", "x"),
        ("light", "on"),
        ("widths", "64; 32"),
        ("letters", "f"),
        ("nobody", "1"),
    ],
)
def test_nonsense_gives_the_default_and_is_named_once(key, text):
    app = opened(**{key: text})
    assert given(app) == DEFAULTS
    assert app.session_state["refused"] == [key]
    assert run(app).session_state["refused"] == []


def test_what_a_learner_chooses_is_written_into_the_address_and_a_default_is_taken_out():
    app = opened(samples="60")
    app.number_input(key="samples").set_value(50)
    app.toggle(key="light").set_value(False)
    app.pills(key="letters").set_value([])
    app.slider(key="epochs").set_value(3)
    run(app)
    assert given(app) == {**DEFAULTS, "light": False, "letters": [], "epochs": 3}
    assert {key: in_address(app, key) for key in app.query_params} == {"light": ["0"], "letters": [""], "epochs": ["3"]}


def test_a_number_beyond_a_limit_of_the_moment_becomes_the_limit():
    app = opened(samples="100")
    app.session_state["limit"] = 30
    assert given(run(app))["samples"] == 30
    assert in_address(app, "samples") == ["30"]


def test_an_option_that_is_not_allowed_now_gives_way_to_the_default_or_else_to_the_last():
    app = opened(size="16")
    app.session_state["only"] = ("1", "8")
    assert given(run(app))["size"] == "8"
    app.session_state["only"] = ("1",)
    assert given(run(app))["size"] == "1"


def test_a_selectbox_keeps_its_option_while_the_language_changes():
    app = opened("en", measure="accuracy")
    for language in ("ko", "en", "ko"):
        app.session_state["lang"] = language
        run(app)
        assert given(app)["measure"] == "accuracy"
        assert app.selectbox(key="measure").options[1] == {"ko": "테스트 정확도", "en": "Test accuracy"}[language]


def page_or_fragment():
    import streamlit as st

    from sgd_tf.ui.settings import Choice

    if not st.session_state["is_fragment"]:
        Choice(key="rates", label="Learning rates", options=("tuned", "scaled"), default="tuned").draw()
        Choice(key="size", label="Batch size k", options=("1", "8"), default="8").draw()
    Choice(key="measure", label="Measured", options=("loss", "accuracy"), default="loss").draw()


def test_a_fragment_that_begins_with_an_old_address_keeps_what_the_page_has_written():
    app = AppTest.from_function(page_or_fragment, default_timeout=30)
    for key, value in {"lang": "en", "is_fragment": False, "rates": "scaled"}.items():
        app.session_state[key] = value
    app.run()
    assert app.query_params == {"rates": "scaled"}
    app.query_params.clear()
    app.query_params["size"] = "1"  # the page has gone back to its default since
    for key, value in {"is_fragment": True, "measure": "accuracy"}.items():
        app.session_state[key] = value
    app.run()
    assert app.query_params == {"rates": "scaled", "measure": "accuracy"}
