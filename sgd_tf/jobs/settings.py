"""The environment variables of the workers, checked: each with its meaning, what is allowed, and its default."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from distributed import Security

from sgd_tf.children import WORKER_BYTES
from sgd_tf.jobs.dask_internals import CPU_COUNT, MEMORY_LIMIT, parse_bytes

MEMORY_SHARE = 0.7  # share of the machine's memory for all workers
MAX_WORKER_MEMORY = 6_000_000_000  # bytes
ADDRESS = re.compile(r"(tcp|tls)://([\w.-]+|\[[0-9a-fA-F:.]+\]):[0-9]{1,5}")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where the training runs."""

    scheduler: str | None  # address of a running one; None for workers on this machine
    num_workers: int  # processes on this machine
    worker_memory: int  # bytes that one of them may take


def from_environment(
    environment: Mapping[str, str] = os.environ, *, num_cores: int = CPU_COUNT, memory: int = MEMORY_LIMIT
) -> Settings:
    """Read SGD_TF_SCHEDULER, SGD_TF_WORKERS and SGD_TF_WORKER_MEMORY; an empty one counts as absent.

    Args:
        environment: variables by name.
        num_cores: cores of this machine, at least 1.
        memory: bytes of this machine.

    Raises:
        ValueError: if a variable does not hold what is allowed, or the credentials of a scheduler are missing.

    >>> from_environment({"SGD_TF_WORKERS": "3"}, num_cores=8, memory=20 * 10**9)
    Settings(scheduler=None, num_workers=3, worker_memory=4666666666)
    """
    most = max(1, int(MEMORY_SHARE * memory / WORKER_BYTES))
    num_workers = min(most, plan(num_cores)[0])
    if text := environment.get("SGD_TF_WORKERS"):
        num_workers = _num_workers(text, most)
    worker_memory = default_memory(num_workers, memory)
    if text := environment.get("SGD_TF_WORKER_MEMORY"):
        worker_memory = _worker_memory(text)
    scheduler = environment.get("SGD_TF_SCHEDULER") or None
    if scheduler:
        _check_scheduler(scheduler)
    return Settings(scheduler=scheduler, num_workers=num_workers, worker_memory=worker_memory)


def plan(num_cores: int, num_workers: int | None = None) -> tuple[int, int]:
    """Share the cores out: workers, and cores for each of them.

    A run is timed on the cores that it has, so a worker gets two of them.

    Args:
        num_cores: cores of this machine, at least 1.
        num_workers: workers that are wished for; None for one on every two cores.

    >>> plan(num_cores=2), plan(num_cores=16), plan(num_cores=16, num_workers=4)
    ((1, 2), (8, 2), (4, 4))
    """
    num_workers = num_workers or max(1, num_cores // 2)
    return num_workers, max(1, num_cores // num_workers)


def default_memory(num_workers: int, memory: int = MEMORY_LIMIT) -> int:
    """Bytes that one of so many workers may take."""
    return int(min(MAX_WORKER_MEMORY, MEMORY_SHARE * memory / num_workers))


def _num_workers(text: str, most: int) -> int:
    allowed = f"`SGD_TF_WORKERS` must be a whole number in [1, {most}]"
    try:
        num_workers = int(text)
    except ValueError:
        raise ValueError(f"{allowed}; received {text!r}.") from None
    if num_workers < 1:
        raise ValueError(f"{allowed}; received {text!r}.")
    if num_workers > most:
        raise ValueError(f"{allowed}: each takes {_gigabytes(WORKER_BYTES)} with TensorFlow; received {text!r}.")
    return num_workers


def _worker_memory(text: str) -> int:
    allowed = f'`SGD_TF_WORKER_MEMORY` must be an amount of memory such as "4GB", at least {_gigabytes(WORKER_BYTES)}'
    try:
        num_bytes = parse_bytes(text)
    except (ValueError, OverflowError):  # the latter for "inf"
        raise ValueError(f"{allowed}; received {text!r}.") from None
    if num_bytes < WORKER_BYTES:
        raise ValueError(f"{allowed}, which a worker takes with TensorFlow; received {text!r}.")
    return num_bytes


def _check_scheduler(address: str) -> None:
    if not ADDRESS.fullmatch(address):
        raise ValueError(f'`SGD_TF_SCHEDULER` must be an address such as "tls://10.0.0.5:8786"; received {address!r}.')
    if address.startswith("tls:"):
        variables = "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY"
        try:
            context = Security().get_connection_args("client")["ssl_context"]
        except OSError as error:  # no such file, or no key in it
            raise ValueError(
                f"The files that {variables} name must hold a key and its certificate: {error}."
            ) from error
        if context is None:
            raise ValueError(f"`SGD_TF_SCHEDULER` = {address!r} needs a key: {variables} must name its files.")


def _gigabytes(num_bytes: int) -> str:
    return f"{num_bytes / 1e9:.2g}GB"
