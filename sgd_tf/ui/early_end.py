"""How the server ends while it starts: at once, since nothing is there yet that must be tidied up."""

from __future__ import annotations

import signal
from typing import Any

import uvicorn

_handlers: dict[int, Any] = {}  # signal's number → what uvicorn does when it comes


def allow() -> None:
    """Let Ctrl-C and SIGTERM end the process at once, until `forbid`.

    uvicorn notes them, and looks at its notes when all imports are done, which takes seconds.
    """
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if isinstance(getattr(handler, "__self__", None), uvicorn.Server):
            _handlers[number] = handler
            signal.signal(number, signal.SIG_DFL)


def forbid() -> None:
    """Let uvicorn end the server again, in order."""
    while _handlers:
        signal.signal(*_handlers.popitem())
