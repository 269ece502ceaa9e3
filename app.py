"""The frame of the lab: page settings, language, navigation. Start it with `streamlit run app.py`."""

import threading

import streamlit as st
from starlette.middleware import Middleware

from sgd_tf.ui import early_end

if threading.current_thread() is threading.main_thread():
    early_end.allow()  # the imports below take seconds

from sgd_tf.ui import address, guard, language, runs, server, static_files, visitors
from sgd_tf.ui.language import _

LEARN, LAB = "pages/learn/", "pages/lab/"


def draw() -> None:
    """Draw the page that the address names, in its frame."""
    language_setting = language.setting()
    address.restore([language_setting])
    st.set_page_config(page_title=_("The SGD lab"), page_icon="🏁", layout="wide")
    page = st.navigation(
        {
            _("Learn"): [
                st.Page(
                    f"{LEARN}what_is_sgd.py",
                    title=_("What is SGD?"),
                    icon=":material/school:",
                    help=_("Epoch, iteration, minibatch and the double loop, step by step."),
                ),
                st.Page(
                    f"{LEARN}sampling.py",
                    title=_("How samples are drawn"),
                    icon=":material/shuffle:",
                    help=_("Reshuffling, replacement, a shuffle buffer: who is visited when, and what it does."),
                ),
                st.Page(
                    f"{LEARN}gradient_noise.py",
                    title=_("What the noise does"),
                    icon=":material/grain:",
                    help=_(
                        "How far k samples lead astray, and what comes of it: the law, the escape, the limit 2/λmax."
                    ),
                ),
            ],
            _("Lab"): [
                st.Page(
                    f"{LAB}gd_vs_sgd.py",
                    title=_("GD against SGD"),
                    icon=":material/sports_score:",
                    help=_("Race full gradient descent against minibatch SGD on the same clock."),
                    default=True,
                ),
                st.Page(
                    f"{LAB}batch_size.py",
                    title=_("Which batch size?"),
                    icon=":material/tune:",
                    help=_("Sweep over k, learning rates and seeds: the fastest k, and when more stops helping."),
                ),
                st.Page(
                    f"{LAB}memory.py",
                    title=_("The memory wall"),
                    icon=":material/memory:",
                    help=_("How memory grows with k, a run that does not fit, and the same update by micro-batches."),
                ),
                st.Page(
                    f"{LAB}data_parallel.py",
                    title=_("Several devices"),
                    icon=":material/hub:",
                    help=_("One minibatch over several devices or machines, and the same update as on one."),
                ),
                st.Page(
                    f"{LAB}claims.py",
                    title=_("Claims in court"),
                    icon=":material/gavel:",
                    help=_("What is said of SGD, tried here: 18 claims, each with a rule and a verdict."),
                ),
            ],
        },
        position="top",
    )
    with st.container(horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"):
        st.subheader(page.title, anchor=False, width="content")
        language.switch()
    address.publish([language_setting])
    page.run()
    if refused := address.refused():
        text = _("No valid value in the address, so the usual one is used: {names}.")
        st.toast(text.format(names=", ".join(f"`{name}`" for name in refused)), icon=":material/link:", duration="long")
    address.keep_one_entry_a_page()
    runs.cluster()  # once the first visitor has a page to read, the workers start


if server.is_starting():
    server.check_settings()
    names = Middleware(visitors.BrowserNames)
    app = st.App(__file__, lifespan=server.lifespan, middleware=[guard.middleware(), names, *static_files.MIDDLEWARE])
else:
    draw()
