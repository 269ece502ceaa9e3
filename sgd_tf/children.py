"""Child processes: started, watched, ended with all that they have started, and never left behind by their parent.

`Child` is one process, `Children` are several that send rows over pipes of their own. Two kinds start otherwise, and
end by `kill_tree` and `end_with_parent` too: Dask's workers, which its nannies replace, and the forked measurements of
`memory`, which share the imports of TensorFlow.
"""

from __future__ import annotations

import collections
import contextlib
import json
import logging
import multiprocessing
import os
import pickle
import queue
import re
import signal
import subprocess
import sys
import textwrap
import threading
import time
import traceback
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Generic, NoReturn, TextIO, TypeVar

import psutil

from sgd_tf.jobs import rows
from sgd_tf.problems import given

WORKER_BYTES = 1_200_000_000  # typical memory of a worker with TensorFlow, compiled programs and a data set
HEARTBEAT_SECONDS = 0.5  # without a row, after which the waiting caller gets a `Waiting`
ENDING_SECONDS = 5.0  # time for the others of a group to report why they end, when one has ended
LOG_LINES = 100  # last printed lines of a child, which the log gets when the child fails
MAX_LINE = 1_000  # characters of a line of an error message
# Lines in which TensorFlow names the place of an error.
PLACES = re.compile(r'Graph execution error|Detected at node|File "|\[\[\{\{node|\d+ (root|derived) error')

Request = TypeVar("Request")
Row = TypeVar("Row")

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Waiting:
    """No child has sent a row for half a second."""

    seconds: float  # since the children were started


class ChildError(RuntimeError):
    """A child process has ended with an error, or sends nothing.

    Attributes:
        index: number of the child.
        status: its exit status, negative for a signal; None if it was silent for too long.
        kind: name of the exception's class, "" if the child has raised none.
        arguments: arguments of that exception, as far as they are plain values.
    """

    def __init__(
        self, index: int, status: int | None, message: str, *, kind: str = "", arguments: Sequence[Any] = ()
    ) -> None:
        super().__init__(message)
        self.index, self.status, self.kind, self.arguments = index, status, kind, tuple(arguments)


def kill_tree(process: psutil.Process) -> None:
    """Kill a process and its descendants, at once: one that waits for its peer ignores a request to end."""
    with contextlib.suppress(psutil.NoSuchProcess):
        for each in (process, *process.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()


class Child:
    """A process ``python -m <module> …`` in a group of its own: Ctrl-C reaches this process only, which ends it.

    The module calls `end_with_parent`. What it prints comes over the pipe `process.stdout`.
    """

    def __init__(self, module: str, arguments: Sequence[str], environment: Mapping[str, str], **inherited: Any) -> None:
        """Start it.

        Args:
            module: to run.
            arguments: words of its command line.
            environment: variables beside those of this process.
            **inherited: of `subprocess.Popen`, what the child is to inherit.
        """
        self.process = psutil.Popen(
            [sys.executable, "-m", module, *arguments],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,  # its end shows the child that this process has gone
            stdout=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
            **{"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0), **inherited},
        )

    def end(self, *, grace: float = 0.0) -> None:
        """End it and all that it has started.

        Args:
            grace: seconds that it has for an orderly end.
        """
        with contextlib.suppress(OSError):  # it has gone already
            self.process.stdin.close()
        with contextlib.suppress(psutil.TimeoutExpired):
            self.process.wait(grace)
        kill_tree(self.process)
        self.process.wait()
        if hasattr(os, "killpg"):  # not on Windows
            # What has lost its parent before; multiprocessing's own helper ignores this and tidies up.
            with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter on macOS
                os.killpg(self.process.pid, signal.SIGTERM)


class Children(Generic[Request, Row]):
    """Processes ``python -m <module> --child …``, one for each request; at the end of the block none is left.

    The function's module calls `serve` with it. The rows come over a pipe made for them, as JSON text. Whatever a child
    prints goes to the log: each line at level DEBUG, the last lines as a warning if it fails. It ends by itself when
    this process does, however that ends.

    Example::

        with Children(measured, [request]) as children:
            for index, row in children.rows(start_patience=60, patience=20):
                …
    """

    def __init__(
        self,
        function: Callable[[Request], Iterator[Row]],
        requests: Sequence[Request],
        environments: Sequence[Mapping[str, str]] = (),
    ) -> None:
        """Start them.

        Args:
            function: generator function at module level; its annotations name the types of request and row.
            requests: one for each child.
            environments: variables of each child, beside those of this process.
        """
        self._started, self._read = time.monotonic(), rows.codec(function).read
        write = _request_codec(function).write
        self._lines: queue.Queue[tuple[int, str | None]] = queue.Queue()
        self._printed = [collections.deque[str](maxlen=LOG_LINES) for _ in requests]
        self._children: list[Child] = []
        self._listeners: list[threading.Thread] = []
        self._keepers: list[threading.Thread] = []
        self._senders: list[threading.Thread] = []
        try:
            for request, environment in zip(requests, environments or [{}] * len(requests), strict=True):
                self._start(function.__module__, write(request), environment)
                self._give(given.named_in(request))
        except BaseException:
            self._end()
            raise

    def _start(self, module: str, request: Any, environment: Mapping[str, str]) -> None:
        index = len(self._children)
        ours, theirs = os.pipe()
        try:
            number, inherited = _inherited(theirs)
            arguments = ["--child", json.dumps(request), str(number)]
            quiet = {"PYTHONUNBUFFERED": "1", "PYTHONWARNINGS": "ignore", **environment}
            child = Child(module, arguments, quiet, stderr=subprocess.STDOUT, **inherited)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)  # the child's copy must be the last one: its end is the end of the pipe
        self._children.append(child)
        rows = os.fdopen(ours, encoding="utf-8")
        self._listeners.append(threading.Thread(target=self._listen, args=(index, rows), daemon=True))
        self._keepers.append(threading.Thread(target=self._keep, args=(index, child.process.stdout), daemon=True))
        self._listeners[-1].start()
        self._keepers[-1].start()

    def _give(self, problems: list[given.Given]) -> None:
        """Send the youngest child the problems that it needs, or none; only the two see what goes through the pipe."""
        payload = pickle.dumps(problems)
        stdin = self._children[-1].process.stdin.buffer

        def send() -> None:
            with contextlib.suppress(OSError, ValueError):  # it has ended
                stdin.write(len(payload).to_bytes(8, "big") + payload)
                stdin.flush()

        self._senders.append(threading.Thread(target=send, daemon=True))
        self._senders[-1].start()

    def _listen(self, index: int, pipe: TextIO) -> None:
        """Queue the rows of a child."""
        with pipe:
            for line in pipe:
                if line.endswith("\n"):  # else the child was killed while it wrote
                    self._lines.put((index, line))
        self._lines.put((index, None))

    def _keep(self, index: int, pipe: TextIO) -> None:
        """Log what a child prints, and keep the last lines."""
        with pipe:
            for line in pipe:
                self._printed[index].append(line)
                logger.debug("process %d: %s", index, line.rstrip())

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        for child in self._children:
            kill_tree(child.process)
        for child in self._children:
            child.end()
        for thread in (*self._listeners, *self._keepers, *self._senders):
            thread.join()

    @property
    def processes(self) -> list[psutil.Popen]:
        """The processes by their numbers."""
        return [child.process for child in self._children]

    def kill(self, index: int) -> None:
        """End a child, and what it has started, at once."""
        kill_tree(self._children[index].process)

    def rows(self, *, start_patience: float, patience: float) -> Iterator[tuple[int, Row | Waiting]]:
        """Rows of the children, until all have ended.

        Args:
            start_patience: seconds that a child may be silent before all have sent their first row.
            patience: seconds that a child may be silent from then on.

        Yields:
            (number of the child, row); and (-1, Waiting) when none has come for half a second.

        Raises:
            ChildError: if a child ends with an error, or is silent for too long.
        """
        heard = dict.fromkeys(range(len(self.processes)), time.monotonic())
        unheard = set(heard)
        while heard:
            allowed = start_patience if unheard else patience
            for index, when in heard.items():
                if time.monotonic() - when > allowed:
                    raise self._failed(
                        ChildError(index, None, f"Process {index} has sent nothing for {allowed:.0f} s.")
                    )
            try:
                index, line = self._lines.get(timeout=HEARTBEAT_SECONDS)
            except queue.Empty:
                yield -1, Waiting(seconds=time.monotonic() - self._started)
                continue
            row = {} if line is None else json.loads(line)
            if line is None and self.processes[index].wait() == 0:
                del heard[index]
                unheard.discard(index)
            elif line is None or "error" in row:
                raise self._failed(self._why(index, row))
            else:
                unheard.discard(index)
                if not unheard and allowed == start_patience:
                    heard = dict.fromkeys(heard, time.monotonic())  # from here on the other patience counts
                heard[index] = time.monotonic()
                yield index, self._read(row)

    def _why(self, index: int, row: Mapping[str, Any]) -> ChildError:
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
        cause = f": {row['error']}" if row else f" with exit status {states[index]}."
        kind, arguments = row.get("kind", ""), row.get("arguments", ())
        return ChildError(index, states[index], f"Process {index} ended{cause}", kind=kind, arguments=arguments)

    def _failed(self, error: ChildError) -> ChildError:
        """The error itself, after the log has got what its child has printed."""
        if error.status == -9:  # SIGKILL leaves a child no last words
            return error
        if self.processes[error.index].poll() is not None:
            self._keepers[error.index].join(1)
        logger.warning("%s It printed last:\n%s", error, "".join(self._printed[error.index]))
        return error


def _inherited(end: int) -> tuple[int, dict[str, Any]]:
    """A number by which a child knows this end of a pipe, and the arguments of `Popen` that hand the end down."""
    if sys.platform != "win32":
        return end, {"pass_fds": [end]}
    import msvcrt

    handle = msvcrt.get_osfhandle(end)
    os.set_handle_inheritable(handle, True)
    return handle, {"startupinfo": subprocess.STARTUPINFO(lpAttributeList={"handle_list": [handle]})}


def _own_pipe(number: int) -> TextIO:
    """In a child: the pipe for its rows, from the number that `_inherited` has given."""
    if sys.platform == "win32":
        import msvcrt

        number = msvcrt.open_osfhandle(number, os.O_WRONLY)
    return os.fdopen(number, "w", encoding="utf-8")


def _request_codec(function: Callable[..., Any]) -> rows.Codec:
    """The codec of a function's argument, from its annotation."""
    hints = typing.get_type_hints(function)
    return rows.of(next(hint for name, hint in hints.items() if name != "return"))


def serve(function: Callable[[Any], Iterator[Any]]) -> None:
    """In a child: send the rows of a request; after an error send its message and end with exit status 1.

    Args:
        function: the function that `Children` was given.
    """
    for problem in _given_by_parent():
        given.keep(problem)
    end_with_parent()
    pipe = _own_pipe(int(sys.argv[3]))
    try:
        request, write = _request_codec(function).read(json.loads(sys.argv[2])), rows.codec(function).write
        for row in function(request):
            print(json.dumps(write(row)), file=pipe, flush=True)
    except Exception as error:
        traceback.print_exc()
        kind, text = type(error).__name__, _in_short(str(error))
        arguments = [value for value in error.args if isinstance(value, str | int | float)]
        print(json.dumps({"error": f"{kind}: {text}", "kind": kind, "arguments": arguments}), file=pipe, flush=True)
        os._exit(1)  # not sys.exit: an orderly end would wait for a peer


def _given_by_parent() -> list[given.Given]:
    """In a child: the problems that the parent sends over standard input before all else."""

    def read(size: int) -> bytes:
        parts = []
        while size:
            parts.append(os.read(0, min(size, 2**20)))
            if not parts[-1]:
                os._exit(1)  # the parent has gone
            size -= len(parts[-1])
        return b"".join(parts)

    return pickle.loads(read(int.from_bytes(read(8), "big")))


def _in_short(message: str) -> str:
    r"""The first and the last line that name a cause: TensorFlow writes around it where the error arose.

    >>> _in_short('Graph execution error:\n\nDetected at node Conv2D\n  File "a.py"\nNo samples.\n\t [[{{node a}}]]')
    'No samples.'
    """
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    causes = [line for line in lines if not PLACES.match(line)] or lines or [""]
    return " … ".join(
        dict.fromkeys(textwrap.shorten(line, MAX_LINE, placeholder=" …") for line in (causes[0], causes[-1]))
    )


def end_with_parent(leave: Callable[[], NoReturn] = lambda: os._exit(1)) -> threading.Thread:
    """End this process as soon as its parent does, however that ends.

    Args:
        leave: ends it.

    Returns:
        The thread that waits for the end.
    """
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        else:
            while os.read(0, 4096):  # standard input closes with the parent, see `Child`
                pass
        leave()

    watching = threading.Thread(target=watch, name="sgd_tf parent", daemon=True)
    watching.start()
    return watching
