"""The names that Dask does not document, each with what takes its place in a version without it.

Dask has no documented name for the cores and the memory that a container leaves to this process, for the limit of the
worker that a job runs in, and for its own way to pickle a function.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable
from typing import Any

import cloudpickle  # which Dask requires
import psutil
from dask.utils import parse_bytes
from distributed import Worker

__all__ = ["CPU_COUNT", "MEMORY_LIMIT", "dumps", "loads", "memory_limit_of", "parse_bytes"]


def _of_dask(module: str, name: str, otherwise: Any) -> Any:
    """What a module of Dask holds under a name, or else ``otherwise``.

    >>> _of_dask("math", "pi", 3), _of_dask("math", "no_such_name", 3), _of_dask("no_such_module", "pi", 3)
    (3.141592653589793, 3, 3)
    """
    try:
        return getattr(importlib.import_module(module), name, otherwise)
    except ImportError:
        return otherwise


# Cores that this process may use, by its affinity and a container's quota.
CPU_COUNT: int = _of_dask("dask.system", "CPU_COUNT", os.cpu_count() or 1)
# Bytes that this process may use, by a container's limit.
MEMORY_LIMIT: int = _of_dask("distributed.system", "MEMORY_LIMIT", psutil.virtual_memory().total)
# For functions of notebooks and scripts too, which another process cannot import.
dumps: Callable[[Any], bytes] = _of_dask("distributed.protocol.pickle", "dumps", cloudpickle.dumps)
loads: Callable[[bytes], Any] = _of_dask("distributed.protocol.pickle", "loads", cloudpickle.loads)


def memory_limit_of(worker: Worker) -> int | None:
    """Bytes that a worker process may take; None if there is no limit, or it is unknown."""
    return getattr(getattr(worker, "memory_manager", None), "memory_limit", None)
