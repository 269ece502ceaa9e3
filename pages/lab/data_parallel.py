"""One minibatch over several devices or machines: the same update as on one device."""

import streamlit as st

from sgd_tf.devices import controls, plain, view
from sgd_tf.ui import take_home
from sgd_tf.ui.language import _, prose

part = controls.part()
st.markdown(prose(__file__, "question"))
left, right = st.columns([1, 2], gap="medium")
notice, method = st.columns(2, gap="medium")

if part == "devices":
    with left, st.container(key="parallel_controls"):
        devices = controls.devices_plan()
        view.DEVICES.predict()
        view.DEVICES.buttons(devices)
        st.markdown(prose(__file__, "devices_how"))
    with right:
        view.DEVICES.result(devices)
    notice.markdown(prose(__file__, "devices_notice"))
    method.markdown(prose(__file__, "devices_method"))
    code, plain_code = view.code(devices.run), plain.fit(devices.run)

if part == "machines":
    with left, st.container(key="parallel_controls"):
        machines = controls.machines_plan()
        view.MACHINES.predict()
        view.MACHINES.buttons(machines)
        st.markdown(prose(__file__, "machines_how"))
    with right:
        view.MACHINES.result(machines)
        st.code(view.commands(machines), language="bash")
    notice.markdown(prose(__file__, "machines_notice"))
    method.markdown(prose(__file__, "machines_method"))
    code, plain_code = view.code(machines.run), plain.fit(machines.run)

with st.expander(_("The code")):
    take_home.both(code, plain_code, name="data_parallel")
