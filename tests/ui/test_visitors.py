"""Claims about the browsers of visitors: one name for all tabs of one, another for each other one."""

import asyncio
from http.cookies import SimpleCookie

import pytest
import streamlit as st

from sgd_tf.ui import runs, visitors
from tests.lab import FakeCluster, open_app


def cookie_of(content_type=b"text/html; charset=utf-8", *, sent="", scheme="http", kind="http"):
    """The cookie that a browser is given with an answer, or None."""
    given = [(b"content-type", content_type)]

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": given})

    messages = []

    async def send(message):
        messages.append(message)

    scope = {"type": kind, "scheme": scheme, "headers": [(b"cookie", sent.encode())] if sent else []}
    asyncio.run(visitors.BrowserNames(app)(scope, None, send))
    cookies = SimpleCookie(dict(messages[0]["headers"]).get(b"set-cookie", b"").decode())
    assert len(given) == 1  # what may be sent to others is not changed
    return cookies.get(visitors.COOKIE)


def test_each_new_browser_is_given_a_name_of_its_own_until_it_ends():
    first, second = cookie_of(), cookie_of(sent="theme=dark")
    assert first.value != second.value
    assert min(len(first.value), len(second.value)) >= 22  # 128 bits
    assert (first["httponly"], first["samesite"], first["path"], first["secure"]) == (True, "Lax", "/", "")
    assert (first["max-age"], first["expires"]) == ("", "")
    assert cookie_of(scheme="https")["secure"]


@pytest.mark.parametrize(
    "answer",
    [
        {"sent": f"{visitors.COOKIE}=kim"},
        {"content_type": b"text/javascript"},
        {"kind": "websocket"},
        {"kind": "lifespan"},
    ],
    ids=str,
)
def test_a_browser_with_a_name_keeps_it_and_what_is_no_page_gives_none(answer):
    assert cookie_of(**answer) is None


def test_two_tabs_of_one_browser_are_one_learner_with_two_places(monkeypatch):
    cluster = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: cluster)
    monkeypatch.setattr(type(st.context), "cookies", {visitors.COOKIE: "kim" * 100})
    monkeypatch.setattr(type(st.context), "ip_address", "192.168.0.7")
    for _ in range(2):
        open_app().button(key="race_run").click().run()
    first, second = (job.learner for job in cluster.jobs)
    assert first.tab != second.tab
    assert first.browser == second.browser == ("kim" * 100)[:64]
    assert first.address == second.address == "192.168.0.7"


def test_a_tab_of_a_browser_without_cookies_is_a_learner_of_its_own(monkeypatch):
    cluster = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: cluster)
    monkeypatch.setattr(type(st.context), "cookies", {})
    monkeypatch.setattr(type(st.context), "ip_address", None)  # as of a visitor on the same machine
    open_app().button(key="race_run").click().run()
    learner = cluster.jobs[0].learner
    assert (learner.browser, learner.address) == (learner.tab, "")
