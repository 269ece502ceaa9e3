"""The process of `local_cluster` as the server holds it: started, asked for its address, ended, tidied up after."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

from distributed import Security

START_SECONDS = 60.0  # until the scheduler must be there
END_SECONDS = 2.0  # for an orderly end


class EmbeddedCluster:
    """A scheduler with workers on this machine, for this process alone; all of it is gone after `end`."""

    def __init__(self, *, num_workers: int | None, memory_limit: str | int | None) -> None:
        """Start the process.

        Args:
            num_workers: worker processes; None for one on every two cores.
            memory_limit: of one worker, in bytes or as "4GB"; None for a share of the machine's memory.
        """
        self.directory = tempfile.mkdtemp(prefix="sgd-tf-jobs-")  # of its temporary files
        self.credentials: Security | None = None  # once the scheduler is there
        options = {"--workers": num_workers, "--memory-limit": memory_limit, "--directory": self.directory}
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "sgd_tf.jobs.local_cluster"),
                *(str(part) for option in options.items() if option[1] is not None for part in option),
            ],
            stdin=subprocess.PIPE,  # its end tells the process that we are gone
            stdout=subprocess.PIPE,
            # The workers import what this process can import.
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path or str(Path.cwd()) for path in sys.path)},
            # A group of its own: it is ended as a whole, and Ctrl-C is a matter of the server, which ends it.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )

    async def connection(self) -> tuple[str, Security]:
        """The scheduler's address and the credentials without which it answers nobody.

        They come through a pipe that only the two processes hold: no file and no command line shows them.

        Raises:
            TimeoutError: if nothing comes.
            EOFError: if the process has ended.
        """
        loop = asyncio.get_running_loop()
        line: asyncio.Future[bytes] = loop.create_future()

        def read() -> None:
            assert self.process.stdout is not None
            with self.process.stdout:
                first = self.process.stdout.readline()
            with contextlib.suppress(RuntimeError):  # the loop has ended
                loop.call_soon_threadsafe(lambda: None if line.cancelled() else line.set_result(first))

        threading.Thread(target=read, name="sgd_tf.jobs start", daemon=True).start()
        async with asyncio.timeout(START_SECONDS):
            text = await line
        if not text:
            raise EOFError(f"The process of the workers ended at its start (exit status {self.process.wait()}).")
        announcement = json.loads(text)
        self.credentials = Security(require_encryption=True, **announcement["credentials"])
        return announcement["address"], self.credentials

    def end(self) -> None:
        """End the process and its workers, and remove their folder, also when the process was killed before."""
        assert self.process.stdin is not None
        with contextlib.suppress(OSError):  # it has gone already
            self.process.stdin.close()
        try:
            self.process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if hasattr(os, "killpg"):  # not on Windows
            # After an orderly end nobody is left but multiprocessing's own helper, which ignores this and tidies up.
            with contextlib.suppress(ProcessLookupError, PermissionError):  # the latter on macOS
                os.killpg(self.process.pid, signal.SIGTERM)
        shutil.rmtree(self.directory, ignore_errors=True)
