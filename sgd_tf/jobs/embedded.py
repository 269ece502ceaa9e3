"""The process of `local_cluster` as the server holds it: started, asked for its address, ended, tidied up after."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import threading
from pathlib import Path

from distributed import Security

from sgd_tf.children import Child

START_SECONDS = 60.0  # until the scheduler must be there
END_SECONDS = 2.0  # for an orderly end


class EmbeddedCluster:
    """A scheduler with workers on this machine, for this process only; all of it is gone after `end`."""

    def __init__(self, *, num_workers: int | None, memory_limit: str | int | None) -> None:
        """Start the process.

        Args:
            num_workers: worker processes; None for one on every two cores.
            memory_limit: memory limit of one worker, in bytes or as "4GB"; None for a share of the machine's memory.
        """
        self.directory = tempfile.mkdtemp(prefix="sgd-tf-jobs-")  # of its temporary files
        self.credentials: Security | None = None  # once the scheduler is there
        options = {"--workers": num_workers, "--memory-limit": memory_limit, "--directory": self.directory}
        words = [str(part) for option in options.items() if option[1] is not None for part in option]
        # The workers import what this process can import.
        path = os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
        self._child = Child("sgd_tf.jobs.local_cluster", words, {"PYTHONPATH": path})
        self.process = self._child.process

    async def connection(self) -> tuple[str, Security]:
        """The scheduler's address and the credentials without which it answers nobody.

        They come through a pipe that only the two processes hold: no file and no command line shows them.

        Raises:
            TimeoutError: if nothing comes.
            EOFError: if the process has ended.
        """
        loop = asyncio.get_running_loop()
        line: asyncio.Future[str] = loop.create_future()

        def read() -> None:
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
        self._child.end(grace=END_SECONDS)
        shutil.rmtree(self.directory, ignore_errors=True)
