"""Which browser a visitor uses: a random name in a cookie, the same in all tabs, gone when the browser ends."""

from __future__ import annotations

import secrets

import streamlit as st
from starlette.datastructures import Headers
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "sgd_tf_browser"
MAX_LENGTH = 64  # longest name that is taken from a browser


def browser() -> str:
    """Name of the browser of this session; empty if it keeps no cookies."""
    return st.context.cookies.get(COOKIE, "")[:MAX_LENGTH]


class BrowserNames:
    """Gives each browser a name with the first page that it opens."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add the cookie to a page for a browser that has none."""
        if scope["type"] != "http" or COOKIE in cookie_parser(Headers(scope=scope).get("cookie", "")):
            await self.app(scope, receive, send)
            return
        secure = "; Secure" if scope["scheme"] == "https" else ""
        cookie = f"{COOKIE}={secrets.token_urlsafe(16)}; Path=/; HttpOnly; SameSite=Lax{secure}".encode()

        async def send_with_name(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message.get("headers", ())
                if dict(headers).get(b"content-type", b"").startswith(b"text/html"):
                    message = {**message, "headers": [*headers, (b"set-cookie", cookie)]}
            await send(message)

        await self.app(scope, receive, send_with_name)
