"""One minibatch over several devices or machines: the same update as on one device."""

import streamlit as st

from sgd_tf.devices import view as view
from sgd_tf.jobs import tasks
from sgd_tf.ui import experiment, runs
from sgd_tf.ui.language import _, prose

st.markdown(prose(__file__, "question"))
part = view.part()
left, right = st.columns([1, 2], gap="medium")

if part == "devices":
    with left, st.container(key="parallel_controls"):
        wanted = view.devices_arguments()
        guess = experiment.predict(
            _("Predict: over more devices of this machine an update is …"), view.TIMES, key="parallel_guess_devices"
        )
        if experiment.run_and_stop("parallel_devices"):
            runs.start("parallel_devices", tasks.train_over_devices, *wanted, seconds=30, prediction=guess)
            st.rerun()
        st.markdown(prose(__file__, "devices_how"))
    with right:
        experiment.follow("parallel_devices", view.devices_picture)
    notice, method = st.columns(2, gap="medium")
    notice.markdown(prose(__file__, "devices_notice"))
    method.markdown(prose(__file__, "devices_method"))

if part == "machines":
    with left, st.container(key="parallel_controls"):
        wanted = view.machines_arguments()
        guess = experiment.predict(
            _("Predict: after the run the weights, beside those of one process, are …"),
            view.SAME,
            key="parallel_guess_machines",
        )
        if experiment.run_and_stop("parallel_machines"):
            runs.start("parallel_machines", tasks.train_over_workers, *wanted, seconds=40, prediction=guess)
            st.rerun()
        st.markdown(prose(__file__, "machines_how"))
    with right:
        experiment.follow("parallel_machines", view.machines_picture)
        st.code(view.commands(), language="bash")
    notice, method = st.columns(2, gap="medium")
    notice.markdown(prose(__file__, "machines_notice"))
    method.markdown(prose(__file__, "machines_method"))

with st.expander(_("The code")):
    st.code(view.code(), language="python")
