"""Gradient noise: the gradient of k samples beside the full gradient, and what comes of the difference."""

import streamlit as st

from sgd_tf.noise import controls, path_view, plain, view
from sgd_tf.ui import take_home
from sgd_tf.ui.language import _, prose

part = controls.part()

if part == "path":
    st.markdown(prose(__file__, "path"))
    paths, k, on_gd, update = controls.path_plan()
    path_view.draw(paths, k, on_gd, update)
    st.markdown(prose(__file__, "path: notice"))
    code = path_view.code(paths, k)

elif part == "law":
    st.markdown(prose(__file__, "law"))
    left, right = st.columns([1, 2.2], gap="medium")
    with left, st.container(key="noise_law_controls"):
        view.LAW.predict()
        law = controls.law_plan()
        view.LAW.buttons(law)
    with right:
        view.LAW.result(law)
    st.markdown(prose(__file__, "law: notice"))
    code = view.law_code(law) if law else ""

elif part == "escape":
    st.markdown(prose(__file__, "escape"))
    left, right = st.columns([1, 2.7], gap="medium")
    with left, st.container(key="noise_escape_controls"):
        view.ESCAPE.predict()
        escapes = controls.escape_plan()
        view.ESCAPE.buttons(escapes)
    with right:
        view.ESCAPE.result(escapes)
    st.markdown(prose(__file__, "escape: notice"))
    code = view.escape_code(escapes)

else:
    st.markdown(prose(__file__, "edge"))
    left, right = st.columns([1, 2.2], gap="medium")
    with left, st.container(key="noise_edge_controls"):
        view.EDGE.predict()
        edge = controls.edge_plan()
        view.EDGE.buttons(edge)
    with right:
        view.EDGE.result(edge)
    st.markdown(prose(__file__, "edge: notice"))
    code = view.edge_code(edge)

with st.expander(_("The code"), icon=":material/code:"):
    if part == "path" or (part == "law" and law):
        take_home.both(code, plain.path(paths) if part == "path" else plain.law(law), name="gradient_noise")
    else:
        st.code(code, language="python")
