"""Your data: a table of the learner's own, understood on one screen, and raced."""

import streamlit as st

from sgd_tf.own import controls, view
from sgd_tf.ui.language import prose

st.markdown(prose(__file__, "question"))
table = controls.upload()
if table is None:
    st.caption(prose(__file__, "privacy"))
else:
    view.understood(table)
left, right = st.columns(2, gap="medium")
left.markdown(prose(__file__, "notice"))
right.markdown(prose(__file__, "rules"))
