"""Claims about the settings of a training: they stand under a prefix, and give a problem, N and a model."""

import pytest
from streamlit.testing.v1 import AppTest

from sgd_tf.training.records import ModelConfig
from sgd_tf.ui.training_settings import TrainingSettings


def training_page():
    import streamlit as st

    from sgd_tf.ui.training_settings import TrainingSettings

    training = TrainingSettings.of("own_")
    info, num_examples = training.draw_problem()
    training.draw_model(info)
    st.session_state["given"] = (info.name, num_examples, training.model_config(info), training.another_k(num_examples))
    training.draw_details(info)


def opened(**address):
    app = AppTest.from_function(training_page, default_timeout=30)
    app.session_state["lang"] = "en"
    for key, value in address.items():
        app.query_params[f"own_{key}"] = value
    app.run()
    assert not app.exception, [element.value for element in app.exception]
    return app


@pytest.mark.parametrize(
    ("address", "given"),
    [
        ({}, ("digits", 1437, ModelConfig(), None)),
        ({"problem": "line", "model": "linear"}, ("line", 1000, ModelConfig(kind="linear", widths=()), None)),
        ({"n": "500", "widths": "8, 4", "activation": "tanh"},
         ("digits", 500, ModelConfig(widths=(8, 4), activation="tanh"), None)),
        ({"n": "999999", "other_k": "7"}, ("digits", 1437, ModelConfig(), 7)),  # no more than there are
        ({"problem": "line", "model": "cnn"}, ("line", 1000, ModelConfig(), None)),  # not for images only
    ],
)  # fmt: skip
def test_the_address_gives_problem_samples_and_model(address, given):
    assert opened(**address).session_state["given"] == given


def test_a_k_that_is_larger_than_n_is_n_and_is_said_to_be():
    app = opened(other_k="5000")
    assert app.session_state["given"][-1] == 1437
    assert [caption.value for caption in app.caption] == ["k = 5,000 is taken as N = 1,437: gradient descent."]
    assert not opened(other_k="1437").caption


def test_layers_that_cannot_be_read_give_no_model_and_a_message():
    app = opened()
    app.text_input(key="own_widths").set_value("a few").run()
    assert app.session_state["given"][2] is None
    assert "Hidden layers" in app.error[0].value


def test_each_page_has_its_own_settings():
    keys = [{setting.key for setting in TrainingSettings.of(prefix)} for prefix in ("", "own_")]
    assert keys[1] == {f"own_{key}" for key in keys[0]}
