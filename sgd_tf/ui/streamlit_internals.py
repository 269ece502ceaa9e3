"""The names that Streamlit does not document, each with what takes its place in a version without it.

Streamlit has no documented way to distinguish the server's start from a visitor's run, to know whether a session's
page is still connected, to open the browser from an `st.App`, and to let the first deep link of a fresh server find
its page.
"""

from __future__ import annotations

import importlib
from typing import Any


def _of_streamlit(module: str, name: str) -> Any:
    """What a module of Streamlit holds under a name; None if it is not there.

    >>> _of_streamlit("math", "pi"), _of_streamlit("math", "no_such_name"), _of_streamlit("no_such_module", "pi")
    (3.141592653589793, None, None)
    """
    try:
        return getattr(importlib.import_module(module), name, None)
    except ImportError:
        return None


def session_id() -> str | None:
    """Id of the session that this code runs for; None outside a visitor's run, or where it is unknown."""
    context = _of_streamlit("streamlit.runtime.scriptrunner", "get_script_run_ctx")
    return getattr(context(suppress_warning=True), "session_id", None) if context else None


def is_connected(session: str) -> bool:
    """Whether a session's page is connected; True where that is unknown, so that nobody's run is stopped by mistake."""
    runtime = _of_streamlit("streamlit.runtime", "get_instance")
    is_active = getattr(runtime(), "is_active_session", None) if runtime else None
    return is_active(session) if is_active else True


def find_first_deep_link() -> None:
    """Let the first deep link find its page.

    Since there is a folder pages/, Streamlit would look there, and say that there is none, until `st.navigation` has
    run once.
    """
    manager = _of_streamlit("streamlit.runtime.pages_manager", "PagesManager")
    if manager is not None:
        manager.uses_pages_directory = False


def open_page() -> None:
    """Open the lab in the browser of this machine, if Streamlit can."""
    open_browser = _of_streamlit("streamlit.cli_util", "open_browser")
    get_url = _of_streamlit("streamlit.web.server.server_util", "get_url")
    if open_browser and get_url:
        open_browser(get_url("localhost"))
