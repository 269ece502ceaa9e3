"""Child processes that tell rows as lines of JSON, are watched, and never outlive the process that started them."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any

HEARTBEAT_SECONDS = 0.5  # without a row, after which the waiting caller hears that
ENDING_SECONDS = 5.0  # that the others of a group have to say why they end, when one of them has ended


class ChildError(RuntimeError):
    """A child process has ended with an error, or says nothing.

    Attributes:
        index: number of the child.
        status: its exit status, negative for a signal; None if it was silent for too long.
    """

    def __init__(self, index: int, status: int | None, message: str) -> None:
        super().__init__(message)
        self.index, self.status = index, status


class Children:
    """Processes ``python -m <module> --child <request>``, one for each request; at the end of the block none is left.

    A child calls `serve`. It ends by itself when this process does, however that ends.

    Example::

        with Children("sgd_tf.memory", [request]) as children:
            for index, row in children.rows():
                …
    """

    def __init__(self, module: str, requests: Sequence[Any], environments: Sequence[Mapping[str, str]] = ()) -> None:
        """Start them.

        Args:
            module: dotted name.
            requests: one for each child, of plain values.
            environments: variables of each child, beside those of this process.
        """
        command = [sys.executable, "-W", "ignore", "-m", module, "--child"]
        self._lines: queue.Queue[tuple[int, str | None]] = queue.Queue()
        self.processes = [
            subprocess.Popen(
                [*command, json.dumps(request)],
                env={**os.environ, **environment},
                stdin=subprocess.PIPE,  # its end tells the child that we are gone
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # a group of its own, to be ended as a whole
            )
            for request, environment in zip(requests, environments or [{}] * len(requests), strict=True)
        ]
        self._listeners = [
            threading.Thread(target=self._listen, args=(index,), daemon=True) for index in range(len(self.processes))
        ]
        for listener in self._listeners:
            listener.start()

    def _listen(self, index: int) -> None:
        for line in self.processes[index].stdout or ():
            self._lines.put((index, line))
        self._lines.put((index, None))

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for index in range(len(self.processes)):
            self.kill(index)
        for child, listener in zip(self.processes, self._listeners, strict=True):
            child.wait()
            listener.join()
            assert child.stdin is not None
            assert child.stdout is not None
            child.stdin.close()
            child.stdout.close()

    def kill(self, index: int) -> None:
        """End a child, and what it has started, at once: SIGKILL, as one that waits for its peer ignores SIGTERM."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.processes[index].pid, signal.SIGKILL)
            else:
                self.processes[index].kill()

    def rows(self, *, start_patience: float, patience: float) -> Iterator[tuple[int, dict[str, Any]]]:
        """What the children say, until all have ended.

        Args:
            start_patience: seconds that a child may be silent before all have said their first row.
            patience: seconds that a child may be silent from then on.

        Yields:
            (number of the child, row); and (-1, {}) when none has come for half a second.

        Raises:
            ChildError: if a child ends with an error, or is silent for too long.
        """
        heard = dict.fromkeys(range(len(self.processes)), time.monotonic())
        unheard = set(heard)
        while heard:
            allowed = start_patience if unheard else patience
            for index, when in heard.items():
                if time.monotonic() - when > allowed:
                    raise ChildError(index, None, f"Process {index} has said nothing for {allowed:.0f} s.")
            try:
                index, line = self._lines.get(timeout=HEARTBEAT_SECONDS)
            except queue.Empty:
                yield -1, {}
                continue
            row = {} if line is None else json.loads(line)
            if line is None and self.processes[index].wait() == 0:
                del heard[index]
                unheard.discard(index)
            elif line is None or "error" in row:
                raise self._why(index, row.get("error", ""))
            else:
                unheard.discard(index)
                if not unheard and allowed == start_patience:
                    heard = dict.fromkeys(heard, time.monotonic())  # from here on the other patience counts
                heard[index] = time.monotonic()
                yield index, row

    def _why(self, index: int, error: str) -> ChildError:
        """The first cause: a child that a signal has ended, before those that complain of its absence."""
        deadline = time.monotonic() + ENDING_SECONDS
        while True:
            states = [child.poll() for child in self.processes]
            killed = [each for each, status in enumerate(states) if status is not None and status < 0]
            if killed:
                return ChildError(
                    killed[0],
                    states[killed[0]],
                    f"Process {killed[0]} was ended by signal {-(states[killed[0]] or 0)}.",
                )
            if states[index] is not None or time.monotonic() > deadline:
                break
            time.sleep(0.05)
        said = f": {error}" if error else f" with exit status {states[index]}."
        return ChildError(index, states[index], f"Process {index} ended{said}")


def serve(rows: Iterator[Mapping[str, Any]]) -> None:
    """In a child: tell each row, and end with an exit status of 1 after an error, of which one line is told.

    Args:
        rows: what this child computes.
    """
    end_with_parent()
    try:
        for row in rows:
            print(json.dumps(row), flush=True)
    except Exception as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
        text = " … ".join(dict.fromkeys((lines[0][:200], lines[-1][:200])))
        print(json.dumps({"error": f"{type(error).__name__}: {text}"}), flush=True)
        sys.stdout.flush()
        os._exit(1)  # not sys.exit: an orderly end would wait for a peer


def end_with_parent() -> None:
    """End this process as soon as its standard input closes, which it does however the parent ends."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
