"""The frame of the lab: page settings, language, navigation. Start it with `streamlit run app.py`."""

import threading

import streamlit as st
from starlette.middleware import Middleware

from sgd_tf.ui import early_end

if threading.current_thread() is threading.main_thread():
    early_end.allow()  # the imports below take seconds

from sgd_tf.ui import frame, guard, menu, runs, server, static_files, visitors
from sgd_tf.ui.language import _


def draw() -> None:
    """Draw the page that the address names, in its frame."""
    frame.begin()
    page = st.navigation(
        {
            group and _(group): [
                st.Page(
                    f"pages/{entry.file}.py",
                    title=_(entry.title),
                    icon=entry.icon,
                    help=_(entry.help),
                    default=entry.file == menu.FIRST,
                )
                for entry in entries
            ]
            for group, entries in menu.MENU.items()
        },
        position="hidden" if st.context.is_embedded else "top",
    )
    lab = _("The SGD lab")
    title = lab if page.title == lab else f"{page.title} · {lab}"
    st.set_page_config(page_title=title, page_icon="🏁", layout="wide")
    frame.header(page.title)
    page.run()
    frame.end()
    runs.cluster()  # once the first visitor has a page to read, the workers start


if server.is_starting():
    server.check_settings()
    names = Middleware(visitors.BrowserNames)
    app = st.App(__file__, lifespan=server.lifespan, middleware=[guard.middleware(), names, *static_files.MIDDLEWARE])
else:
    draw()
