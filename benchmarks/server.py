"""The lab's server for a benchmark, started as the README says, on a free port."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Server:
    """The lab as `make app` starts it, or another Streamlit script; ended at the end of a `with` block."""

    def __init__(
        self,
        script: Path = ROOT / "app.py",
        *,
        environment: dict[str, str] | None = None,
        log: IO[bytes] | int = subprocess.DEVNULL,
    ) -> None:
        """Choose a free port; nothing is started yet.

        Args:
            script: to run.
            environment: variables besides those of this process; None for one worker.
            log: file for what the server and its workers print.
        """
        self.script = script
        self.environment = {"SGD_TF_WORKERS": "1"} if environment is None else environment
        self.log = log
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self.start_seconds = 0.0

    def __enter__(self) -> Server:
        start = time.perf_counter()
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "streamlit",
                "run",
                str(self.script),
                "--server.headless=true",
                f"--server.port={self.port}",
            ],
            cwd=self.script.parent,
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=self.log,
        )
        while not self._answers():
            if self.process.poll() is not None or time.perf_counter() - start > 120:
                raise RuntimeError("The server did not start.")
            time.sleep(0.01)
        self.start_seconds = time.perf_counter() - start
        return self

    def _answers(self) -> bool:
        try:
            with DIRECT.open(f"{self.url}_stcore/health", timeout=20) as answer:
                return answer.status == 200
        except OSError:
            return False

    def __exit__(self, *_exception: object) -> None:
        self.process.terminate()
        self.process.wait(timeout=20)
