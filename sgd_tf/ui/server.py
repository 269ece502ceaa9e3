"""What the server does once, as it starts: settles how pages are found, and makes ready what visitors need."""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
import pandas as pd
import psutil
import streamlit as st

from sgd_tf.jobs import settings
from sgd_tf.ui import early_end, guard, runs, streamlit_internals
from sgd_tf.ui.settings import import_pages

OPENING = 0.5  # seconds that the server takes from here until it answers
FIRST_PAGE = 2.0  # seconds that a visitor who comes at once has the processor for the first page


def is_starting() -> bool:
    """Whether `app.py` is imported by the server as it starts, and not run for a visitor."""
    return streamlit_internals.session_id() is None


def check_settings() -> None:
    """End the server before it opens its port if an environment variable holds what is not allowed."""
    try:
        settings.from_environment()
        guard.from_environment()
    except ValueError as error:
        sys.exit(f"The lab cannot start. {error}")


@asynccontextmanager
async def lifespan(_: Any) -> AsyncIterator[None]:
    """Before the first visitor: import what the first page and the race need, and open a browser where there is one."""
    streamlit_internals.find_first_deep_link()
    _send_at_once()
    await anyio.to_thread.run_sync(_import_first_page)
    threading.Thread(target=runs.hold, name="sgd_tf.ui hold", daemon=True).start()
    later = threading.Timer(FIRST_PAGE, _make_ready)
    later.daemon = True
    later.start()
    if not st.get_option("server.headless"):
        asyncio.get_running_loop().call_later(OPENING, streamlit_internals.open_page)
    early_end.forbid()
    yield


def _import_first_page() -> None:
    for name in ("sgd_tf.tutorial.start_view", "sgd_tf.racing.view"):
        importlib.import_module(name)
    # Each call of Arrow lets other threads go first. With thirty learners and small tables that costs a sixth
    # of the server's time.
    pd.set_option("mode.string_storage", "python")


def _send_at_once() -> None:
    """Let no small message wait until the one before is confirmed, 40 ms later (Nagle's algorithm; TCP_NODELAY).

    asyncio sees to that for sockets that say that they are TCP's; Streamlit's, which is there already, does not say so.
    What is set on the socket that listens holds for all that it accepts.
    """
    for connection in psutil.Process().net_connections("tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.fd >= 0:  # Windows has no such number
            with socket.socket(fileno=os.dup(connection.fd)) as listener:
                listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _make_ready() -> None:
    """Import what the other pages need, and start the workers."""
    import_pages()
    # What has been imported now never is garbage: no collection needs to look at it.
    gc.collect()
    gc.freeze()
    runs.cluster()
