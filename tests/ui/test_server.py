"""What the server adds to Streamlit's: files from memory, and messages that do not wait for one another."""

import asyncio
import contextlib
import gzip
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import uvicorn
from starlette.applications import Starlette

from sgd_tf.ui import early_end, server, static_files

FILE = b"export const answer = 42;\n" * 100


class Files:
    """A server of one file, which counts how often it is asked."""

    def __init__(self, cache_control=b"public, immutable, max-age=31536000", status=200):
        self.start = {"type": "http.response.start", "status": status, "headers": [(b"cache-control", cache_control)]}
        self.num_asked = 0

    async def __call__(self, _scope, _receive, send):
        self.num_asked += 1
        await send(self.start | {"headers": [*self.start["headers"], (b"content-length", b"%d" % len(FILE))]})
        await send({"type": "http.response.body", "body": FILE[:1000], "more_body": True})
        await send({"type": "http.response.body", "body": FILE[1000:], "more_body": False})


def stacked(files):
    app = files
    for layer in reversed(static_files.MIDDLEWARE):
        app = layer.cls(app, *layer.args, **layer.kwargs)
    return app


def ask(app, path="/static/a.js", method="GET", **headers):
    """Headers and body of the answer."""
    scope = {
        "type": "http",
        "method": method,
        "path": path,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    sent = []

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(app(scope, receive, send))
    assert not sent[-1].get("more_body", False)
    return dict(sent[0]["headers"]), b"".join(message["body"] for message in sent[1:])


def test_a_file_that_never_changes_is_asked_for_once_in_each_encoding():
    files = Files()
    app = stacked(files)
    for _ in range(3):
        headers, body = ask(app)
        assert body == FILE
        assert int(headers[b"content-length"]) == len(FILE)
        packed, body = ask(app, accept_encoding="gzip, br")
        assert packed[b"content-encoding"] == b"gzip"
        assert gzip.decompress(body) == FILE
        assert len(body) < len(FILE) / 4
    assert files.num_asked == 2


def test_two_files_are_not_mixed_up():
    files = Files()
    app = stacked(files)
    for path in ("/static/a.js", "/static/b.js"):
        assert ask(app, path)[1] == FILE
    assert files.num_asked == 2


@pytest.mark.parametrize(
    "files", [Files(cache_control=b"no-cache"), Files(status=404)], ids=["may change", "is not there"]
)
def test_what_may_change_or_is_not_there_is_asked_for_each_time(files):
    app = stacked(files)
    assert [ask(app)[1] for _ in range(3)] == [FILE] * 3
    assert files.num_asked == 3


@pytest.mark.parametrize(
    "request_of",
    [{"range": "bytes=0-9"}, {"if_none_match": '"tag"'}, {"method": "HEAD"}],
    ids=lambda request: str(request),
)
def test_a_request_for_less_than_the_whole_is_passed_on(request_of):
    files = Files()
    app = stacked(files)
    ask(app)
    ask(app, **request_of)
    ask(app, **request_of)
    assert files.num_asked == 3


def test_what_the_app_does_at_its_start_and_its_end_is_done():
    done = []

    @contextlib.asynccontextmanager
    async def lifespan(_app):
        done.append("start")
        yield
        done.append("end")

    orders = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    answers = []

    async def receive():
        return orders.pop(0)

    async def send(message):
        answers.append(message["type"])

    app = Starlette(lifespan=lifespan, middleware=static_files.MIDDLEWARE)
    asyncio.run(app({"type": "lifespan"}, receive, send))
    assert done == ["start", "end"]
    assert answers == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


@pytest.mark.parametrize(
    ("variable", "value", "allowed"),
    [
        ("SGD_TF_WORKERS", "two", "a whole number in [1, "),
        ("SGD_TF_HOSTS", "https://lab.school.kr", "names such as lab.school.kr or *.school.kr, separated by commas"),
        ("SGD_TF_FRAME_ANCESTORS", "'none'", "sites such as https://lms.school.kr, separated by blanks"),
    ],
)
def test_a_variable_that_holds_what_is_not_allowed_ends_the_start_with_a_sentence(
    monkeypatch, variable, value, allowed
):
    monkeypatch.setenv(variable, value)
    with pytest.raises(SystemExit) as error:
        server.check_settings()
    assert error.value.code.startswith(f"The lab cannot start. `{variable}` must be {allowed}")
    assert error.value.code.endswith(f"; received {value!r}.")


# As the server: uvicorn has its handlers when it imports the app.
START = """
import signal, sys, uvicorn

class Sender:
    def find_spec(self, name, *_):
        if name == "distributed":
            signal.raise_signal(signal.{name})

sys.meta_path.insert(0, Sender())
with uvicorn.Server(uvicorn.Config("app:app")).capture_signals():
    import app
    print("The imports went on.")
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_a_signal_during_the_imports_ends_the_server_at_once_and_without_a_word(name):
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", START.format(name=name)], cwd=root, capture_output=True, text=True, timeout=120
    )
    assert (done.returncode, done.stdout, done.stderr) == (-getattr(signal, name), "", "")


def test_a_server_that_has_started_ends_in_order():
    uvicorns = uvicorn.Server(uvicorn.Config("app:app"))
    with uvicorns.capture_signals():
        early_end.allow()
        early_end.forbid()
        for number in (signal.SIGINT, signal.SIGTERM):
            assert signal.getsignal(number) == uvicorns.handle_exit
            assert not uvicorns.should_exit


def test_small_messages_do_not_wait_for_one_another():
    # As Streamlit makes its socket: without the number of the protocol, so that asyncio takes it for another kind.
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        assert listener.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
        server._send_at_once()
        with socket.create_connection(listener.getsockname()), listener.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
