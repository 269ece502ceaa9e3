"""The memory wall: how memory grows with k, a run that hits the limit, and the way around it."""

import streamlit as st

from sgd_tf.jobs import tasks
from sgd_tf.memory import view as view
from sgd_tf.ui import experiment, runs
from sgd_tf.ui.language import _, prose

st.markdown(prose(__file__, "question"))
part = view.part()
left, right = st.columns([1, 2], gap="medium")

if part == "wall":
    with left, st.container(key="memory_controls"):
        wanted = view.wall_arguments()
        guess = experiment.predict(
            _("Predict: does this update fit into the limit?"), view.FITS, key="memory_guess_wall"
        )
        if experiment.run_and_stop("memory_wall"):
            runs.start("memory_wall", tasks.hit_the_memory_wall, *wanted, seconds=55, prediction=guess)
            st.rerun()
        view.wall_ways_out()
    with right:
        experiment.follow("memory_wall", view.wall_picture)
    notice, method = st.columns(2, gap="medium")
    notice.markdown(prose(__file__, "wall_notice"))
    method.markdown(prose(__file__, "wall_method"))

if part == "parts":
    with left, st.container(key="memory_controls"):
        st.markdown(prose(__file__, "parts_question"))
        wanted = view.parts_arguments()
        guess = experiment.predict(
            _("Predict: cut into 64 parts, the peak memory of the update …"), view.FALLS, key="memory_guess_parts"
        )
        if experiment.run_and_stop("memory_parts"):
            runs.start("memory_parts", tasks.accumulate_gradients, *wanted, seconds=55, prediction=guess)
            st.rerun()
    with right:
        experiment.follow("memory_parts", view.parts_picture)
    notice, method = st.columns(2, gap="medium")
    notice.markdown(prose(__file__, "parts_notice"))
    method.markdown(prose(__file__, "parts_method"))
    with st.expander(_("The code")):
        st.code(view.code(), language="python")
