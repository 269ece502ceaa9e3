"""What is SGD? The samples of an epoch, the minibatches and the double loop, step by step."""

import streamlit as st

from sgd_tf.double_loop import calculator_view, controls, exercise_view, lesson_view, view
from sgd_tf.ui.language import prose

question, guess = st.columns([1.15, 1], gap="medium", vertical_alignment="center")
with st.container(gap="xsmall"):
    lesson = controls.controls()
    bar = st.container()
question.markdown(prose(__file__, "question"))
with guess:
    prediction = controls.ask_updates(lesson)
recording = view.picture(lesson, bar, prediction)
view.take_home(lesson)

meanings, orders = st.columns([1.15, 1], gap="medium")
with meanings:
    st.markdown(prose(__file__, "words"))
    lesson_view.words(lesson)
with orders:
    st.markdown(prose(__file__, "order"))
    lesson_view.questions(lesson, recording)

runs, notice = st.columns([1.15, 1], gap="medium")
with runs:
    st.markdown(prose(__file__, "runs"))
    if recording:
        lesson_view.comparison(lesson, recording)
notice.markdown(prose(__file__, "notice"))

counts, yours = st.columns([1.15, 1], gap="medium")
with counts:
    st.markdown(prose(__file__, "count"))
    st.fragment(calculator_view.calculator)()
with yours:
    st.markdown(prose(__file__, "yours"))
    st.fragment(exercise_view.draw)()
