"""The files of Streamlit's page, sent from memory: a new visitor asks for sixty before anything is shown."""

from __future__ import annotations

from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

NOT_THE_WHOLE = {b"range", b"if-range", b"if-none-match", b"if-modified-since"}


class FilesInMemory:
    """Keeps each file that never changes once it has been sent, and sends it from there to the next visitor.

    What may be kept says so: `Cache-Control: immutable`, which Streamlit gives to the files with a hash in their name.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._kept: dict[tuple[str, bool], list[Message]] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, from memory if it can be."""
        headers = dict(scope.get("headers", ()))  # the server's start has none
        if scope["type"] != "http" or scope["method"] != "GET" or NOT_THE_WHOLE & headers.keys():
            await self.app(scope, receive, send)
            return
        key = scope["path"], b"gzip" in headers.get(b"accept-encoding", b"")  # as GZipMiddleware decides
        if key in self._kept:
            for message in self._kept[key]:
                await send(message)
            return
        answer: list[Message] = []

        async def send_and_note(message: Message) -> None:
            answer.append(message)
            await send(message)

        await self.app(scope, receive, send_and_note)
        if _is_immutable(answer):
            self._kept[key] = answer


def _is_immutable(answer: list[Message]) -> bool:
    if not answer or answer[0].get("status") != 200 or answer[-1].get("more_body", False):
        return False
    return b"immutable" in dict(answer[0]["headers"]).get(b"cache-control", b"")


# Streamlit sends these files as they are, since it would have to compress them for each visitor anew; here, once.
MIDDLEWARE = [Middleware(FilesInMemory), Middleware(GZipMiddleware, compresslevel=6)]
