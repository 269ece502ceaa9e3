"""Memory of an update: how it grows with k, a run that hits the limit, and the way around it."""

import streamlit as st

from sgd_tf.memory import controls, plain, view
from sgd_tf.ui import take_home
from sgd_tf.ui.language import _, prose

part = controls.part()
if part == "wall":
    st.markdown(prose(__file__, "question"))
left, right = st.columns([1, 2], gap="medium")
notice, method = st.columns(2, gap="medium")

if part == "wall":
    with left, st.container(key="memory_controls"):
        plan = controls.wall_plan()
        wall = view.with_others(plan) if plan else None
        view.WALL.predict()
        view.WALL.buttons(wall)
        view.wall_ways_out()
    with right:
        view.WALL.result(wall)
    notice.markdown(prose(__file__, "wall_notice"))
    method.markdown(prose(__file__, "wall_method"))

if part == "parts":
    with left, st.container(key="memory_controls"):
        st.markdown(prose(__file__, "parts_question"))
        parts = controls.parts_plan()
        view.PARTS.predict(parts)
        view.PARTS.buttons(parts)
    with right:
        view.PARTS.result(parts)
    notice.markdown(prose(__file__, "parts_notice"))
    method.markdown(prose(__file__, "parts_method"))
    with st.expander(_("The code")):
        if parts:
            take_home.both(view.code(parts), plain.parts(parts), name="memory")
