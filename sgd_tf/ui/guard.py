"""What the server refuses: requests in the name of another host, frames of other sites, Streamlit's statistics."""

from __future__ import annotations

import ipaddress
import os
import re
import socket
import threading
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import urlsplit

from starlette.middleware import Middleware
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = "SGD_TF_HOSTS"  # environment variable
FRAME_ANCESTORS = "SGD_TF_FRAME_ANCESTORS"  # environment variable
STATISTICS = "/_stcore/metrics"  # what the server holds in memory, for anybody who asks
REFUSAL = """\
The lab is not open under this name. Whoever starts it can allow the name: {variable}={name}
이 주소로는 실험실을 열 수 없습니다. 서버를 시작할 때 {variable}={name}을 지정하면 열 수 있습니다.
"""

_LABEL = r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?"
_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*|\*")
_SOURCE = re.compile(rf"\*|[a-z][a-z0-9+.-]*:|([a-z][a-z0-9+.-]*://)?(\*\.)?{_LABEL}(\.{_LABEL})*(:(\d+|\*))?")


def allowed_names(text: str) -> frozenset[str]:
    """Names of hosts from text such as "lab.school.kr, *.school.kr"; "*" allows every name.

    Raises:
        ValueError: if something in it is not a name.

    >>> sorted(allowed_names("lab.school.kr, *.school.kr"))
    ['*.school.kr', 'lab.school.kr']
    """
    names = set()
    for part in text.replace(",", " ").split():
        try:
            name = part if part.isascii() else part.encode("idna").decode()
        except UnicodeError:
            name = ""
        if not _NAME.fullmatch(name.lower()):
            raise ValueError(
                f"`{HOSTS}` must be names such as lab.school.kr or *.school.kr, separated by commas; received {part!r}."
            )
        names.add(name.lower())
    return frozenset(names)


def frame_policy(text: str) -> str:
    """The Content-Security-Policy that lets the named sites show the lab in a frame, beside the lab itself.

    Args:
        text: sources such as "https://lms.school.kr https://*.school.kr"; "*" allows every site.

    Raises:
        ValueError: if something in it is not a source.

    >>> frame_policy("https://lms.school.kr")
    "frame-ancestors 'self' https://lms.school.kr"
    """
    sources = text.replace(",", " ").split()
    for source in sources:
        if not _SOURCE.fullmatch(source.lower()):
            raise ValueError(
                f"`{FRAME_ANCESTORS}` must be sites such as https://lms.school.kr, separated by blanks; "
                f"received {source!r}."
            )
    return " ".join(["frame-ancestors 'self'", *sources])


class OwnNames:
    """The names of this machine: those that it knows itself, later also the one that the network knows."""

    def __init__(self) -> None:
        name = socket.gethostname().lower()
        self.names = {"localhost", name, name.split(".")[0], name.split(".")[0] + ".local"}
        # Without a network the question may take many seconds.
        threading.Thread(target=self._ask, name="sgd_tf.ui names", daemon=True).start()

    def _ask(self) -> None:
        self.names.add(socket.getfqdn().lower())


def is_served(host: str, own: Iterable[str], allowed: Iterable[str]) -> bool:
    """Whether a request with this Host header is answered.

    A page of another site can have its own name lead to this machine, and so make the browser take the lab for a part
    of that site (DNS rebinding). It needs a name for that: an address in the header is always what the learner typed.

    Args:
        host: "name", "name:port" or an address, as the browser sends it.
        own: names of this machine.
        allowed: names, patterns such as "*.school.kr", or "*".

    >>> is_served("192.168.0.7:8501", [], []), is_served("[::1]:8501", [], [])
    (True, True)
    >>> is_served("elsewhere.example", ["localhost"], ["lab.school.kr"])
    False
    """
    try:
        parts = urlsplit(f"//{host}")
        name, _port = (parts.hostname or "").rstrip("."), parts.port
    except ValueError:
        return False
    if not name or parts.netloc != host or "@" in host:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return (
            name in own
            or name in allowed
            or "*" in allowed
            or any(pattern.startswith("*.") and name.endswith(pattern[1:]) for pattern in allowed)
        )
    return True


class Guard:
    """Answers for the server where a request is refused, and says in each answer who may show it in a frame."""

    def __init__(self, app: ASGIApp, *, serves: Callable[[str], bool], policy: str) -> None:
        self.app, self._serves = app, serves
        self._headers = [(b"content-security-policy", policy.encode()), (b"x-content-type-options", b"nosniff")]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a request or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":  # a copy: files in memory are sent many times
                message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
            await send(message)

        refusal = self._refusal(scope)
        await (refusal or self.app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        hosts = [value.decode("latin-1") for name, value in scope["headers"] if name == b"host"]
        strange = next((host for host in hosts if not self._serves(host)), None)
        if strange is not None:
            name = strange.rsplit(":", 1)[0]
            shown = name if _NAME.fullmatch(name.lower()) else "…"
            return PlainTextResponse(REFUSAL.format(variable=HOSTS, name=shown), status_code=421)
        if scope["path"].rstrip("/").endswith(STATISTICS):
            return PlainTextResponse("Not found", status_code=404)
        return None


def from_environment(environment: Mapping[str, str] = os.environ) -> tuple[frozenset[str], str]:
    """Names to allow from SGD_TF_HOSTS, and the policy from SGD_TF_FRAME_ANCESTORS.

    Raises:
        ValueError: if a variable does not hold what is allowed.
    """
    return allowed_names(environment.get(HOSTS, "")), frame_policy(environment.get(FRAME_ANCESTORS, ""))


def middleware() -> Middleware:
    """The guard with the settings of the environment."""
    allowed, policy = from_environment()
    own = OwnNames()
    return Middleware(Guard, serves=lambda host: is_served(host, own.names, allowed), policy=policy)
