"""The race: gradient descent and SGD train the same model side by side on the same clock."""

import streamlit as st

from sgd_tf.memory import advice
from sgd_tf.racing import controls, results_view, search_view, view
from sgd_tf.ui import progress
from sgd_tf.ui.language import prose

progress.advise(on_memory=advice.for_plan)
question, start = st.columns([3, 1.2], gap="medium", vertical_alignment="bottom")
with start:
    more = controls.start()
question.markdown(controls.explanation() or prose(__file__, "question"))
left, right = st.columns([1, 2], gap="medium")

with left, st.container(key="race_controls"):
    plan = controls.race(more)
    view.RACE.predict(plan)
    view.RACE.buttons(plan)
    view.go_on()
    search_view.start_if_wanted(plan)

with right:
    if search_view.is_latest():
        search_view.draw()
    else:
        view.draw(plan)

results_view.draw()
if not search_view.is_latest():
    search_view.draw()

notice, method = st.columns(2, gap="medium")
notice.markdown(prose(__file__, "notice"))
method.markdown(prose(__file__, "method"))
