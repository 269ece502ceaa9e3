"""What the noise does: the gradient of k samples beside the true one, and what comes of the difference."""

import streamlit as st

from sgd_tf.ui import noise_path_view, noise_view
from sgd_tf.ui.language import prose

part = noise_view.part()

if part == "path":
    st.markdown(prose(__file__, "path"))
    noise_path_view.draw()
    st.markdown(prose(__file__, "path: notice"))

elif part == "law":
    st.markdown(prose(__file__, "law"))
    noise_view.law()
    st.markdown(prose(__file__, "law: notice"))

elif part == "escape":
    st.markdown(prose(__file__, "escape"))
    noise_view.escape()
    st.markdown(prose(__file__, "escape: notice"))

else:
    st.markdown(prose(__file__, "edge"))
    noise_view.edge()
    st.markdown(prose(__file__, "edge: notice"))

noise_view.code(part)
