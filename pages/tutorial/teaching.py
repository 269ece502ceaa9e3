"""For teachers: the plan of a lesson, questions for the class, one server for thirty."""

import streamlit as st

from sgd_tf.tutorial import teaching
from sgd_tf.ui.language import prose

st.markdown(teaching.with_links(prose(__file__, "plan")))
st.markdown(teaching.with_links(prose(__file__, "steps")))
st.markdown(teaching.with_links(prose(__file__, "server")))
