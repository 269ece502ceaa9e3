"""What the noise does: the gradient of k samples beside the true one, and what comes of the difference."""

import streamlit as st

from sgd_tf.noise import path_view, view
from sgd_tf.ui.language import prose

part = view.part()

if part == "path":
    st.markdown(prose(__file__, "path"))
    path_view.draw()
    st.markdown(prose(__file__, "path: notice"))

elif part == "law":
    st.markdown(prose(__file__, "law"))
    view.law()
    st.markdown(prose(__file__, "law: notice"))

elif part == "escape":
    st.markdown(prose(__file__, "escape"))
    view.escape()
    st.markdown(prose(__file__, "escape: notice"))

else:
    st.markdown(prose(__file__, "edge"))
    view.edge()
    st.markdown(prose(__file__, "edge: notice"))

view.code(part)
