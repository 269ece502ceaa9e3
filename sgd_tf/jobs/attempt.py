"""One worker at work: run a function there, fetch the outcome, ask a job to stop, and judge how an attempt ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import pkgutil
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distributed import CancelledError, Client, KilledWorker

import sgd_tf
from sgd_tf.jobs.dask_internals import dumps
from sgd_tf.jobs.interface import JobStatus
from sgd_tf.jobs.worker import (
    JobFailure,
    Outcome,
    describe,
    forget_problems,
    kill_worker,
    receive_problem,
    request_stop,
    run_job,
)

if TYPE_CHECKING:
    from sgd_tf.jobs.job import Job

ANSWER_SECONDS = 10.0  # time limit for an answer of the scheduler
REPEAT_SECONDS = 0.2  # between two requests to stop a job
MAX_HELD = 4  # problems that a worker holds for others
VERDICT_SECONDS = 1.0  # the nanny's report on a death may come after the death
VERSION = "sgd_tf:__version__"  # name of the package's version for `pkgutil.resolve_name` in another process

logger = logging.getLogger(__name__)


@dataclass(eq=False)
class WorkerState:
    """State of a worker process, as far as the server knows it."""

    address: str
    memory_limit: int = 0  # bytes; 0 for none
    checked: bool = True  # whether the version of its package is known
    misfit: JobFailure | None = None  # why it cannot be used
    busy: bool = False  # with a check, a job or the warm-up
    warm: bool = False  # the first step of its warm-up is done
    warms_on: bool = False  # its warm-up has more steps, for times without a waiting job
    holds: list[str] = field(default_factory=list)  # names of the problems that it was given, the latest last
    warm_share: float = 0.0  # memory after its warm-up, as a share of the limit
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    out_of_memory: asyncio.Event = field(default_factory=asyncio.Event)


class WorkerLostError(Exception):
    """The worker died; carries the failure of a job that is not run again."""

    def __init__(self, failure: JobFailure) -> None:
        super().__init__(failure)
        self.failure = failure


def verdict(
    answer: Outcome | WorkerLostError | None, *, stop_wanted: bool, num_lost_rows: int, seconds_limit: float
) -> tuple[JobStatus, JobFailure | None]:
    """The status of a job after an attempt, and why it failed.

    ====================================  =======================  =============
    answer of the worker                  nobody asked to stop     stop was asked
    ====================================  =======================  =============
    done                                  done                     done
    failed                                failed                   stopped
    stopped, or none in time              failed: time limit       stopped
    none: it went over its memory limit   failed: memory           stopped
    none: it died                         waiting: once more       stopped
    ====================================  =======================  =============

    A job that is done, or has failed by itself, fails as well if rows were lost on the way.

    Args:
        answer: the worker's answer; None for no answer in time.
        stop_wanted: whether somebody asked the job to stop.
        num_lost_rows: rows that the worker sent and that did not arrive.
        seconds_limit: time limit of the attempt.
    """
    status: JobStatus
    match answer:
        case Outcome(status="done"):
            status, failure = "done", None
        case _ if stop_wanted:
            return "stopped", None
        case Outcome(status="failed"):
            status, failure = "failed", answer.failure
        case WorkerLostError(failure=JobFailure(kind="worker lost")):
            return "waiting", answer.failure
        case WorkerLostError():
            return "failed", answer.failure
        case _:
            return "failed", JobFailure("time limit", f"The job took longer than {seconds_limit:g} s.")
    if num_lost_rows:
        return "failed", JobFailure("error", f"{num_lost_rows} of {answer.num_rows} rows were lost.")
    return status, failure


async def run_on(
    client: Client, worker: WorkerState, key: tuple[Any, ...], function: Callable[..., Outcome], *args: Any
) -> Outcome:
    """Run a function in this very worker.

    Raises:
        WorkerLostError: if the worker dies. The task is bound to it, so dask does not run it elsewhere.
    """
    future = client.submit(function, *args, key=key, workers=[worker.address], allow_other_workers=False, pure=False)

    async def fetch() -> Outcome:
        return await future

    fetched = asyncio.create_task(fetch())
    gone = asyncio.create_task(worker.gone.wait())
    try:
        await asyncio.wait({fetched, gone}, return_when=asyncio.FIRST_COMPLETED)
        if fetched.done():
            error = fetched.exception()
            if error is None:
                return fetched.result()
            if not isinstance(error, KilledWorker | CancelledError):  # else the worker died
                text = "".join(traceback.format_exception(error))
                return Outcome(status="failed", failure=describe(error), traceback=text)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(VERDICT_SECONDS):
                await worker.out_of_memory.wait()
        if worker.out_of_memory.is_set():
            detail = "The worker process went over its memory limit."
            raise WorkerLostError(JobFailure("memory", detail, memory_limit=worker.memory_limit))
        raise WorkerLostError(JobFailure("worker lost", "The worker process ended."))
    finally:
        fetched.cancel()
        gone.cancel()
        future.release()


async def carry_out(client: Client, worker: WorkerState, job: Job) -> Outcome:
    """Run a job in this worker, which is given first what the job needs and the worker does not hold.

    Raises:
        WorkerLostError: if the worker dies.
    """
    for problem in job._needs:
        name = problem.info.name
        if name not in worker.holds:
            key = ("sgd-tf-problem", uuid.uuid4().hex)
            await forget(client, worker, worker.holds[: 1 - MAX_HELD])
            outcome = await run_on(client, worker, key, receive_problem, dumps(problem))
            if outcome.status == "failed":
                return outcome
            worker.holds.append(name)
    task = ("sgd-tf-job", job.id, job.attempt)  # the first part is what dask counts tasks by
    return await run_on(client, worker, task, run_job, job.id, job.attempt, job.seconds_limit, job._payload)


async def forget(client: Client, worker: WorkerState, names: list[str]) -> None:
    """Let a worker forget problems that it was given."""
    if names:
        await client.run(forget_problems, names, workers=[worker.address], on_error="ignore")
        worker.holds = [name for name in worker.holds if name not in names]


async def ask_to_stop(client: Client, worker: WorkerState, job_id: str) -> None:
    """Ask a job to stop, again and again until this is cancelled: it may not have begun at the first request."""
    while True:
        await client.run(request_stop, job_id, workers=[worker.address], on_error="ignore")
        await asyncio.sleep(REPEAT_SECONDS)


async def kill(client: Client, worker: WorkerState) -> None:
    """End a worker process; its nanny starts another."""
    with contextlib.suppress(Exception):
        async with asyncio.timeout(ANSWER_SECONDS):
            if not await client.run(kill_worker, workers=[worker.address], nanny=True):  # it has no nanny
                await client.restart_workers([worker.address], raise_for_error=False)
            await worker.gone.wait()


async def scheduler_misfit(client: Client, address: str) -> JobFailure | None:
    """Why a scheduler cannot be used, or None. It unpacks what is sent to the workers, so it needs the package too."""
    found: Any
    async with asyncio.timeout(ANSWER_SECONDS):
        try:
            found = await client.run_on_scheduler(pkgutil.resolve_name, VERSION)
        except ImportError as error:
            found = error
    return _misfit(address, found)


async def check(client: Client, worker: WorkerState) -> None:
    """Find out whether a worker that another has started has this package."""
    with contextlib.suppress(OSError):  # it has gone, or does not answer: the next look repeats the check
        async with asyncio.timeout(ANSWER_SECONDS):
            found = await client.run(pkgutil.resolve_name, VERSION, workers=[worker.address], on_error="return")
        worker.misfit, worker.checked = _misfit(worker.address, found[worker.address]), True


def _misfit(address: str, found: str | Exception) -> JobFailure | None:
    """Why a scheduler or a worker cannot be used, from its version or from the error of the question."""
    if found == sgd_tf.__version__:
        return None
    reason = describe(found).detail if isinstance(found, Exception) else f"sgd_tf {found}, not {sgd_tf.__version__}"
    logger.warning("%s cannot be used: %s", address, reason)
    return JobFailure("other package", f"{address}: {reason}")
