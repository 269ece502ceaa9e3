"""What a step costs: the time of an epoch against k, for several ways to write the same loop."""

import streamlit as st

from sgd_tf.step_cost import controls, view
from sgd_tf.ui.language import prose

left, right = st.columns([1, 2], gap="medium")
with left:
    st.markdown(prose(__file__, "question"))
    view.COST.predict()
    plan = controls.plan()
    view.COST.buttons(plan)
with right:
    view.COST.result(plan)
st.markdown(prose(__file__, "notice"))
view.code(plan)
