"""The race: gradient descent and SGD train the same model side by side on the same clock."""

import streamlit as st

from sgd_tf.memory import advice
from sgd_tf.racing import controls, rows, search_view, view
from sgd_tf.ui import experiment, runs
from sgd_tf.ui.language import _, prose

experiment.advise(on_memory=advice.for_plan)
question, start = st.columns([3, 1.2], gap="medium", vertical_alignment="bottom")
with start:
    more = controls.start()
question.markdown(controls.explanation() or prose(__file__, "question"))
left, right = st.columns([1, 2], gap="medium")

with left, st.container(key="race_controls"):
    plan = controls.race(more)
    names = list(plan.configs) if plan else []
    if st.session_state.get("prediction") not in names:
        st.session_state["prediction"] = None
    prediction = st.pills(controls.prediction_question(plan), names, key="prediction", wrap=True)
    with st.container(horizontal=True):
        is_active = runs.active() is not None
        wants_race = st.button(
            _("Run"), type="primary", icon=":material/play_arrow:", key="run", disabled=plan is None or is_active
        )
        st.button(_("Stop"), icon=":material/stop:", key="stop", disabled=not is_active, on_click=runs.stop)
wants_search = st.session_state.get("search")  # the button stands beside the learning rates, if they are there
if plan and (wants_race or wants_search):
    if wants_race:
        runs.start("race", rows.run_race, plan, seconds=rows.race_seconds(plan), prediction=prediction)
    else:
        runs.start("search", rows.search_learning_rates, plan, seconds=rows.search_seconds(plan))
    st.rerun()

with right:
    view.picture(plan)

search_view.draw()
view.results()

notice, method = st.columns(2, gap="medium")
notice.markdown(prose(__file__, "notice"))
method.markdown(prose(__file__, "method"))
