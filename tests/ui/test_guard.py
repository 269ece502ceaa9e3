"""Claims about what the server refuses: foreign names, foreign frames, its statistics."""

import asyncio
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.ui import guard

OWN = {"localhost", "lab1"}
names = st.from_regex(r"[a-z][a-z0-9-]{0,9}(\.[a-z][a-z0-9-]{0,9}){1,3}", fullmatch=True)
ports = st.one_of(st.just(""), st.integers(1, 65_535).map(":{}".format))


@given(names, ports)
def test_a_name_is_served_only_if_it_is_the_machines_or_was_allowed(name, port):
    assert not guard.is_served(name + port, OWN, [])
    assert guard.is_served(name + port, OWN, [name])
    assert guard.is_served(name.upper() + port, OWN, [name])
    assert guard.is_served(name + "." + port, OWN, [name])
    assert guard.is_served(name + port, OWN, ["*"])
    assert not guard.is_served(name + port, OWN, [name + ".x", "x" + name, "*." + name])
    assert guard.is_served("a." + name + port, OWN, ["*." + name])
    assert not guard.is_served("a" + name + port, OWN, ["*." + name])


@given(st.one_of(st.ip_addresses(v=4).map(str), st.ip_addresses(v=6).map("[{}]".format)), ports)
def test_an_address_is_served_since_no_page_can_have_the_browser_send_it_for_its_own(address, port):
    assert guard.is_served(address + port, OWN, [])


@given(st.text())
def test_any_header_is_served_or_refused_and_raises_nothing(text):
    assert guard.is_served(text, OWN, []) in (True, False)
    assert not guard.is_served(text + "/", OWN, ["*"])


@pytest.mark.parametrize(
    "host", ["", ":80", "localhost:many", "localhost:99999", "kim@localhost", "localhost/x", "[::1", "?"]
)
def test_a_host_that_is_not_well_formed_is_refused(host):
    assert not guard.is_served(host, OWN, ["*"])


def test_names_to_allow_are_read_and_what_is_no_name_is_named():
    assert guard.allowed_names("") == set()
    assert guard.allowed_names(" lab.school.kr,*.School.kr  a") == {"lab.school.kr", "*.school.kr", "a"}
    assert guard.allowed_names("lab.한국") == {"lab.xn--3e0b707e"}  # as IANA lists it
    for wrong in ("https://lab.school.kr", "lab.school.kr:8501", "a..b", "*lab", "-"):
        with pytest.raises(ValueError, match=r"`SGD_TF_HOSTS` must be names.*received"):
            guard.allowed_names(f"lab.school.kr, {wrong}")


def test_the_sites_that_may_show_the_lab_are_read_and_what_is_none_is_named():
    assert guard.frame_policy("") == "frame-ancestors 'self'"
    assert guard.frame_policy("https://lms.school.kr:*, https://*.kr *") == (
        "frame-ancestors 'self' https://lms.school.kr:* https://*.kr *"
    )
    for wrong in ("https://a.kr; script-src *", "'none'", "a.kr\r\nSet-Cookie:x", "https://a.kr/page"):
        with pytest.raises(ValueError, match=r"`SGD_TF_FRAME_ANCESTORS` must be sites.*received"):
            guard.frame_policy(wrong)


def answers(scope):
    """The messages that a guard sends for an app that answers everything with 200 or by accepting."""

    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": kept})
        await send({"type": "http.response.body", "body": b"page"})

    kept, sent = [(b"content-type", b"text/html")], []

    async def send(message):
        sent.append(message)

    asyncio.run(
        guard.Guard(app, serves=lambda host: host == "lab1", policy="frame-ancestors 'self'")(scope, None, send)
    )
    assert kept == [(b"content-type", b"text/html")]  # what may be sent again is not changed
    return sent


def request(*hosts, path="/", kind="http"):
    return {
        "type": kind,
        "path": path,
        "headers": [(b"host", host.encode()) for host in hosts],
        "extensions": {"websocket.http.response": {}},
    }


def test_a_refusal_names_the_variable_in_both_languages_and_nothing_that_is_no_name():
    start, body = answers(request("elsewhere.example:80"))
    text = body["body"].decode()
    assert start["status"] == 421
    assert text.count("SGD_TF_HOSTS=elsewhere.example") == 2
    assert "실험실" in text
    assert "<script>" not in answers(request("<script>"))[1]["body"].decode()


def test_each_host_of_a_request_must_be_served():
    assert answers(request("lab1"))[0]["status"] == 200
    assert answers(request("lab1", "elsewhere.example"))[0]["status"] == 421
    assert answers(request())[0]["status"] == 200  # of HTTP/1.0: no browser


def test_a_connection_in_another_name_is_refused_before_it_is_accepted():
    start, _body = answers(request("elsewhere.example", path="/_stcore/stream", kind="websocket"))
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 421)


@pytest.mark.parametrize("path", ["/_stcore/metrics", "/_stcore/metrics/", "/lab/_stcore/metrics"])
def test_the_statistics_are_closed(path):
    assert answers(request("lab1", path=path))[0]["status"] == 404


def test_the_machine_answers_to_its_own_names():
    own = guard.OwnNames()
    name = socket.gethostname().lower()
    assert {"localhost", name, name.split(".")[0] + ".local"} <= own.names
