"""Which batch size? A sweep over k, learning rates and seeds, and the answer for this model on this machine."""

import streamlit as st

from sgd_tf.memory import advice
from sgd_tf.sweep import controls, view
from sgd_tf.ui import progress
from sgd_tf.ui.language import _, prose

progress.advise(on_memory=advice.for_plan)
question, settings = st.columns([3, 1.2], gap="medium", vertical_alignment="bottom")
question.markdown(prose(__file__, "question"))
with settings, st.container(horizontal=True, horizontal_alignment="right"):
    more = st.popover(_("More settings"), icon=":material/tune:")
left, right = st.columns([1, 2], gap="medium")

with left, st.container(key="sweep_controls"):
    plan = controls.draw(more)
    view.SWEEP.predict(plan)
    view.SWEEP.buttons(plan)

with right:
    view.VIEW.draw(label_visibility="collapsed")
    view.SWEEP.result(plan)

view.results()

notice, method = st.columns(2, gap="medium")
notice.markdown(prose(__file__, "notice"))
method.markdown(prose(__file__, "method"))
