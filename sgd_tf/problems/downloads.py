"""Downloads with a time limit: cached data, new data, or an error with its reason."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sgd_tf.problems.catalogue import CATALOGUE

DOWNLOAD_SECONDS = 14.0  # time limit of a caller, and of each answer from the network


class DownloadError(RuntimeError):
    """The data of a problem could not be downloaded or stored; the message names the problems without a download.

    Attributes:
        name: name of the problem.
        reason: message of the network or the file system, without a full stop.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name, reason)
        self.name, self.reason = name, reason

    def __str__(self) -> str:
        offline = ", ".join(info.name for info in CATALOGUE.values() if info.kind != "download")
        return f"`{self.name}` could not be downloaded: {self.reason}. These need no download: {offline}."


class Downloads:
    """Downloads under way, at most one per problem.

    The libraries have no time-out: a name server or a host that never answers would block the caller forever. So each
    download runs in a daemon thread, which never keeps the process from ending, with a time-out on its sockets, and
    the caller waits ``seconds``. A slow download continues meanwhile, and the next call joins it: two threads never
    write one file.
    """

    def __init__(self, seconds: float = DOWNLOAD_SECONDS) -> None:
        self.seconds = seconds
        self._under_way: dict[str, Future] = {}  # by name of the problem
        self._lock = threading.Lock()

    def get(
        self,
        name: str,
        fetch: Callable[[], Any],
        cached_files: Callable[[], list[Path]] = list,
        read: Callable[[Path], Any] = Path.read_bytes,
    ) -> Any:
        """The result of ``fetch``, from the library's own cache or from the network.

        Args:
            name: name of the problem.
            fetch: reads the cached files; downloads missing ones.
            cached_files: finds the files in the cache that the library does not verify itself. A process that ended
                during a download leaves an incomplete file: those that ``read`` rejects are removed, and ``fetch`` is
                called once more.
            read: reads one of these files, or raises an error if it is incomplete.

        Raises:
            DownloadError: if ``fetch`` fails, or has not finished in time.
        """
        with self._lock:
            future = self._under_way.get(name)
            if future is None or (future.done() and future.exception()):  # failed after its caller had given up
                future = self._under_way[name] = Future()
                arguments = (future, fetch, cached_files, read, self.seconds)
                threading.Thread(target=_run, args=arguments, daemon=True, name=f"download {name}").start()
        wait([future], self.seconds)
        if not future.done():
            raise DownloadError(
                name,
                f"not all has arrived within {self.seconds:g} s; if the network is slow, it goes on arriving: try "
                "again in a minute",
            )
        with self._lock:
            if self._under_way.get(name) is future:
                del self._under_way[name]
        error = future.exception()
        if error is not None:
            reason = str(error).replace(": None -- ", ": ").strip().rstrip(".") or type(error).__name__
            raise DownloadError(name, reason) from error
        return future.result()


def _run(
    future: Future,
    fetch: Callable[[], Any],
    cached_files: Callable[[], list[Path]],
    read: Callable[[Path], Any],
    seconds: float,
) -> None:
    """Set the result of ``future`` to that of ``fetch``, or its exception."""
    try:
        with _socket_timeout(seconds):
            try:
                result = fetch()
            except Exception:
                if not _remove_unreadable(cached_files(), read):
                    raise
                result = fetch()
    except Exception as error:  # Keras raises plain Exception
        future.set_exception(error)
    else:
        future.set_result(result)


_timeouts_before: list[float | None] = []  # default time-out of new sockets; one entry per download under way
_timeouts_lock = threading.Lock()


@contextmanager
def _socket_timeout(seconds: float) -> Iterator[None]:
    """A default time-out for all new sockets of the process: the libraries accept no other."""
    with _timeouts_lock:
        _timeouts_before.append(_timeouts_before[0] if _timeouts_before else socket.getdefaulttimeout())
        socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        with _timeouts_lock:
            before = _timeouts_before.pop()
            if not _timeouts_before:  # last of several simultaneous downloads
                socket.setdefaulttimeout(before)


def _remove_unreadable(paths: list[Path], read: Callable[[Path], Any]) -> int:
    """Remove incomplete files, and return their number."""
    num_removed = 0
    for path in paths:
        try:
            read(path)
        except (EOFError, ValueError, zlib.error, gzip.BadGzipFile):
            path.unlink(missing_ok=True)
            num_removed += 1
    return num_removed


def read_gzip(path: Path) -> None:
    """Read a gzip file up to its checksum, which verifies it."""
    with gzip.open(path) as file:
        while file.read(2**20):
            pass
