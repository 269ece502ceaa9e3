"""The builder of own layers: add, move, drop and change; the address and the model follow; pages that offer it."""

import pytest
from streamlit.testing.v1 import AppTest

from sgd_tf.training.records import ModelConfig
from tests.lab import open_app


def builder_page():
    import streamlit as st

    from sgd_tf.problems import CATALOGUE
    from sgd_tf.ui.own_layers import OwnLayers

    info = CATALOGUE[st.session_state.get("of", "digits")]
    st.session_state["model"] = OwnLayers(key="own").draw(info)


def opened(layers, of="digits", language="en"):
    app = AppTest.from_function(builder_page, default_timeout=30)
    app.session_state["lang"], app.session_state["of"] = language, of
    app.query_params["own"] = layers
    app.run()
    assert not app.exception, [element.value for element in app.exception]
    return app


def widget(app, place, name, language="en"):
    number = app.session_state["own_number"]
    key = f"own_{language}_{number}_{place}_{name}"
    return next(each for each in (*app.button, *app.selectbox, *app.number_input) if each.key == key)


def in_address(app, key):
    value = app.query_params[key]
    return value if isinstance(value, str) else value[-1]


def test_layers_are_added_moved_changed_and_dropped_and_stand_in_the_address():
    app = opened("dense 60 relu, dropout 0.2")
    app.button(key="own_add").click().run()
    assert in_address(app, "own") == "dense 60 relu, dropout 0.2, dense 32 relu"
    widget(app, 2, "up").click().run()
    widget(app, 1, "width").set_value(16).run()
    widget(app, 1, "activation").set_value("tanh").run()
    widget(app, 2, "rate").set_value(0.5).run()
    widget(app, 0, "drop").click().run()
    widget(app, 0, "down").click().run()
    widget(app, 0, "kind").set_value("batchnorm").run()
    app.toggle(key="own_more").set_value(True).run()
    widget(app, 1, "l2").set_value(0.01).run()
    widget(app, 1, "initializer").set_value("zeros").run()
    assert in_address(app, "own") == "batchnorm, dense 16 tanh zeros l2=0.01"
    assert app.session_state["model"] == ModelConfig(layers="batchnorm, dense 16 tanh zeros l2=0.01")
    # 4 · 64 of the normalisation, 64 · 16 + 16, 16 · 10 + 10; activations 4 · (64 + 16 + 10) bytes
    size = "1,466 weights, 5.86 kB; activations of a sample 360 B, of k = 256 samples 92.2 kB"
    assert size in [caption.value for caption in app.caption]
    lines = "keras.layers.BatchNormalization(),", 'keras.layers.Dense(16, activation="tanh", kernel_initializer="zeros"'
    assert all(line in app.code[0].value for line in lines)


@pytest.mark.parametrize(
    ("layers", "of", "language", "message"),
    [
        ("conv 8, flatten", "line", "en", "Layer 1, `conv 8 3 relu`: it needs images"),
        ("dense 8, conv 8, flatten", "digits", "en", "Layer 2, `conv 8 3 relu`: no dense layer and no flatten"),
        ("conv 8, dense 8", "digits", "ko", "2번째 층 `dense 8 relu`: 이미지와 이 층 사이에 Flatten을 넣으세요."),
        ("conv 8", "digits", "ko", "1번째 층 `conv 8 3 relu` 뒤에 Flatten을 넣으세요."),
        ("maxpool 9, flatten", "digits", "en", "nothing is left of the image here."),
    ],
)
def test_layers_that_do_not_fit_give_a_message_and_no_model(layers, of, language, message):
    app = opened(layers, of, language)
    assert app.session_state["model"] is None
    assert message in app.error[0].value


@pytest.mark.parametrize(
    ("page", "address"),
    [
        ("lab/gd_vs_sgd", {"model": "layers", "layers": "dense 8 tanh"}),
        ("lab/batch_size", {"sweep_model": "layers", "sweep_layers": "dense 8 tanh"}),
        ("lab/memory", {"memory_model": "layers", "memory_layers": "dense 8 tanh"}),
        ("lab/step_cost", {"step_model": "layers", "step_layers": "dense 8 tanh"}),
        ("learn/gradient_noise", {"noise_part": "law", "noise_model": "layers", "noise_layers": "dense 8 tanh"}),
    ],
)
def test_the_pages_run_the_layers_that_the_address_names(cluster, page, address):
    app = open_app("en", page=f"pages/{page}.py", **address)
    next(button for button in app.button if button.key.endswith("_run")).click().run()
    assert not app.exception
    plan = next(argument for argument in cluster.jobs[-1].arguments if hasattr(argument, "model"))
    assert plan.model == ModelConfig(layers="dense 8 tanh")
    key = next(key for key in address if key.endswith("layers"))
    assert in_address(app, key) == "dense 8 tanh"
