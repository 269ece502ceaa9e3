"""The server's side: a queue of jobs, handed one by one to worker processes, and the rows that come back."""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import functools
import json
import logging
import math
import pkgutil
import threading
import time
import traceback
import uuid
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVarTuple, cast

import dask
from distributed import CancelledError, Client, KilledWorker, Security

import sgd_tf
from sgd_tf.jobs import rows, settings
from sgd_tf.jobs.dask_internals import dumps
from sgd_tf.jobs.embedded import END_SECONDS, START_SECONDS, EmbeddedCluster
from sgd_tf.jobs.fair_queue import Durations, FairQueue, Learner, seconds_until_free
from sgd_tf.jobs.rows import Codec
from sgd_tf.jobs.worker import (
    TOPIC,
    JobFailure,
    Outcome,
    check_function,
    describe,
    kill_worker,
    request_stop,
    run_job,
    run_warm_up,
)

JobStatus = Literal["waiting", "running", "done", "stopped", "failed"]
ClusterStatus = Literal["starting", "warming", "ready", "failed"]

MAX_ATTEMPTS = 2  # a job whose worker dies is run once more
POLL_SECONDS = 0.2  # how often the list of workers and the touches are looked at
SETTLE_SECONDS = 0.1  # a job that is told to stop shows as stopped after this, whatever its worker does
VERDICT_SECONDS = 1.0  # the nanny's word on why a worker died may come after the death
ROWS_SECONDS = 2.0  # the last rows of a job may come after its result
WARM_UP_SECONDS = 180.0
ANSWER_SECONDS = 10.0  # until a scheduler must answer
OVERDUE_SHARE = 0.1  # of its expected time, that a job is taken to need yet though that time is over
WORKERS_SECONDS = 10.0  # until a scheduler that another has started must have a worker
RETRY_SECONDS = 5.0  # between two tries to reach or to start a cluster
MAX_STARTS = 3  # of an embedded cluster that comes to nothing, before the next waits until somebody needs it
VERSION = "sgd_tf:__version__"  # of the package, for `pkgutil.resolve_name` in another process
# A worker is replaced when its jobs have left behind more than this share of what its limit leaves them: compiled code
# piles up.
RECYCLE_SHARE = 0.5

Arguments = TypeVarTuple("Arguments")

logger = logging.getLogger(__name__)


class ClusterLostError(Exception):
    """The cluster cannot be used, or not any longer; carries what those who wait are to know."""

    def __init__(self, failure: JobFailure) -> None:
        super().__init__(failure)
        self.failure = failure


class Job:
    """A computation that was submitted: what it has yielded so far, and how it stands.

    All attributes are reads in memory, safe from any thread.
    """

    def __init__(
        self,
        cluster: Cluster,
        payload: bytes,
        learner: Learner,
        codec: Codec,
        *,
        kind: str,
        seconds: float,
        seconds_limit: float,
    ) -> None:
        self.id = uuid.uuid4().hex
        self.learner = learner
        self.seconds_limit = seconds_limit  # counted from the start of each attempt
        self._kind, self._seconds = kind, seconds  # name of the function, and what it is planned to take
        self._cluster = cluster
        self._lock = cluster._lock
        self._payload = payload
        self._status: JobStatus = "waiting"
        self._attempt = 0
        self._failure: JobFailure | None = None
        self._codec = codec
        self._rows: list[Any] = []
        self._early: dict[int, list[Any]] = {}  # first row's number → rows that overtook others
        self._started_at: float | None = None
        self._finished_at: float | None = None
        self._start_tick = self._finish_tick = 0.0  # monotonic, for `elapsed`
        self._touched = time.monotonic()
        self._news = threading.Condition(self._lock)  # rows have come, or the end
        self._is_over = False
        self._stop_wanted = asyncio.Event()  # for the cluster's loop
        self._rows_came = asyncio.Event()  # for the cluster's loop

    def __repr__(self) -> str:
        return f"<Job {self.id[:8]} {self.status}, {self.num_rows} rows>"

    @property
    def status(self) -> JobStatus:
        """Where the job stands; the last three are final."""
        return self._status

    @property
    def place(self) -> int | None:
        """Place in the queue, where 1 is next; None when the job does not wait."""
        with self._lock:
            order = self._cluster._queue.order(self._cluster._running_tabs())
            return order.index(self) + 1 if self in order else None

    @property
    def seconds_to_start(self) -> float | None:
        """About how many seconds the job still waits; None when it does not wait."""
        with self._lock:
            return self._cluster._seconds_to_start(self)

    @property
    def rows(self) -> list[Any]:
        """All rows so far, in the order in which the job yielded them; the list is the caller's own."""
        with self._lock:
            return list(self._rows)

    @property
    def num_rows(self) -> int:
        """Number of rows so far."""
        return len(self._rows)

    @property
    def attempt(self) -> int:
        """0 before the job begins, then 1; 2 when its worker died and another began again."""
        return self._attempt

    @property
    def failure(self) -> JobFailure | None:
        """Why the job failed, or None."""
        return self._failure

    @property
    def started_at(self) -> float | None:
        """When the attempt began, in seconds since the epoch; None before."""
        return self._started_at

    @property
    def finished_at(self) -> float | None:
        """When the job ended, in seconds since the epoch; None before."""
        return self._finished_at

    @property
    def elapsed(self) -> float:
        """Seconds from the attempt's begin until the end, or until now; 0 before the begin."""
        with self._lock:
            if self._started_at is None:
                return 0.0
            return (self._finish_tick if self._is_over else time.monotonic()) - self._start_tick

    def stop(self) -> None:
        """End the job: at once where it waits, within a second where it runs. Its rows stay."""
        with self._lock:
            if self._status == "waiting":
                self._cluster._queue.remove(self)
                self._finish("stopped")
        self._cluster._call(self._stop_wanted.set)

    def touch(self) -> None:
        """Say that somebody still wants the job; without this it is stopped after a while."""
        self._touched = time.monotonic()

    def wait(self, timeout: float | None = None, *, num_rows: float = math.inf) -> bool:
        """Block until the job has ended, and touch it meanwhile.

        Args:
            timeout: seconds to wait at most; None for no limit.
            num_rows: rows that are enough, also if there are more to come.

        Returns:
            Whether the job has ended.
        """
        deadline = float("inf") if timeout is None else time.monotonic() + timeout
        with self._news:
            while not self._is_over and len(self._rows) < num_rows and (left := deadline - time.monotonic()) > 0:
                self.touch()
                self._news.wait(min(left, 1.0))
            return self._is_over

    def _begin(self) -> None:
        with self._lock:
            self._status = "running"
            self._attempt += 1
            self._rows.clear()
            self._early.clear()
            self._started_at, self._start_tick = time.time(), time.monotonic()

    def _receive(self, first: int, rows: list[Any]) -> None:
        with self._lock:
            if first >= len(self._rows):  # otherwise a message that came twice
                self._early[first] = rows
            while (following := self._early.pop(len(self._rows), None)) is not None:
                self._rows.extend(map(self._codec.read, following))
            self._news.notify_all()
        self._rows_came.set()

    def _finish(self, status: JobStatus, failure: JobFailure | None = None) -> None:
        with self._lock:
            self._status, self._failure = status, failure
            self._finished_at, self._finish_tick = time.time(), time.monotonic()
            self._payload = b""
            self._early.clear()
            self._is_over = True
            self._news.notify_all()


@dataclass(eq=False)
class _Worker:
    """What the manager knows of a worker process."""

    address: str
    memory_limit: int = 0  # bytes; 0 for none
    checked: bool = True  # whether it has this package is known
    misfit: JobFailure | None = None  # why it can not be used
    busy: bool = False  # a check, a job or the warm-up has it
    warm: bool = False  # its first step of the warm-up is done
    warms_on: bool = False  # there are more steps, for when no job waits
    warm_share: float = 0.0  # of its memory limit, taken after its warm-up
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    out_of_memory: asyncio.Event = field(default_factory=asyncio.Event)


def _misfit(address: str, found: str | Exception) -> JobFailure | None:
    """Why a scheduler or a worker cannot be used, from the version that it has or the error that it gave."""
    if found == sgd_tf.__version__:
        return None
    reason = describe(found).detail if isinstance(found, Exception) else f"sgd_tf {found}, not {sgd_tf.__version__}"
    logger.warning("%s can not be used: %s", address, reason)
    return JobFailure("other package", f"{address}: {reason}")


class _LostError(Exception):
    """The worker died; carries the failure that this means if the job is not run again."""

    def __init__(self, failure: JobFailure) -> None:
        super().__init__(failure)
        self.failure = failure


class Cluster:
    """Worker processes and the queue in front of them.

    The constructor returns at once: the workers start in the background, and jobs may be submitted meanwhile.
    """

    def __init__(
        self,
        *,
        address: str | None = None,
        num_workers: int | None = None,
        memory_limit: str | int | None = None,
        abandoned_after: float = 30.0,
        stop_grace: float = 5.0,
    ) -> None:
        """Start the workers, or connect to those that run already.

        Args:
            address: of a running scheduler, e.g. "tcp://10.0.0.5:8786"; None starts workers on this machine.
            num_workers: worker processes to start; None for one on every two cores.
            memory_limit: of one worker to start, in bytes or e.g. "4GB"; None for a share of the machine's memory.
            abandoned_after: seconds after which a job that nobody touches is stopped.
            stop_grace: seconds that a job has to end when it is told to; then its worker is killed.
        """
        self._address = address
        self._options: dict[str, Any] = {"num_workers": num_workers, "memory_limit": memory_limit}
        self._abandoned_after = abandoned_after
        self._stop_grace = stop_grace

        self._lock = threading.RLock()  # guards the queue, the running jobs and the jobs' state
        self._queue = FairQueue()
        self._durations = Durations()
        self._running: dict[str, Job] = {}  # job's id → job
        self._failure: JobFailure | None = None  # of the jobs: what training needs cannot be imported
        self._outage: JobFailure | None = None  # of the cluster: why the jobs wait
        self._closed = False

        # The rest belongs to the loop's thread.
        self._workers: dict[str, _Worker] = {}
        self._warm_up: bytes | None = None
        self._warm_up_deaths = 0  # in a row
        self._workers_seen = 0.0  # when there was a worker, monotonic
        self._losses = 0  # of the cluster, in a row: it has done nothing in between
        self._tasks: set[asyncio.Task[None]] = set()
        self._embedded: EmbeddedCluster | None = None

        self._loop: asyncio.AbstractEventLoop
        self._main_task: asyncio.Task[None]
        self._wake: asyncio.Event
        started = threading.Event()
        self._thread = threading.Thread(target=self._run_loop, args=(started,), name="sgd_tf.jobs", daemon=True)
        self._thread.start()
        started.wait()

    # What the pages call.

    @property
    def status(self) -> ClusterStatus:
        """Whether a job that is submitted now can begin; "failed" also after `close`."""
        if self.failure is not None or self._closed:
            return "failed"
        workers = self._living()
        if not workers:
            return "starting"
        return "ready" if self._warm_up is None or any(worker.warm for worker in workers) else "warming"

    @property
    def failure(self) -> JobFailure | None:
        """Why the status is "failed", or None. Jobs wait as long as the cluster can not be used."""
        return self._outage or self._failure

    @property
    def num_workers(self) -> int:
        """Worker processes that are there now, hence jobs that can run at the same time."""
        return len(self._living())

    @property
    def memory_limit(self) -> int | None:
        """Bytes that a worker may take, the least of all workers; None if that is not known."""
        limits = [worker.memory_limit for worker in self._living() if worker.memory_limit]
        return min(limits, default=None)

    @property
    def num_waiting(self) -> int:
        """Jobs in the queue, whoever's they are."""
        return len(self._queue)

    def submit(
        self,
        function: Callable[[*Arguments], Iterator[Any]],
        *args: *Arguments,
        learner: Learner | str,
        seconds_limit: float = 90.0,
        typical_seconds: float | None = None,
    ) -> Job:
        """Put a computation in the queue.

        A tab of a learner has at most one job running and one waiting. Submitting again what already waits or runs
        returns that very job, so a double click is one job; submitting something else while one waits takes
        the place of the waiting one, which ends as "stopped": the last wish counts.

        Args:
            function: a generator function at module level, which annotated with the dataclasses that it yields.
            *args: for the function.
            learner: who asks for the job, or a name; learners take turns.
            seconds_limit: the job fails when it takes longer.
            typical_seconds: that such a job takes, for the estimate of how long others wait; None for `seconds_limit`.

        Raises:
            TypeError: if a worker cannot import the function, or an argument or a row cannot travel.
            ValueError: if `seconds_limit` is not above 0.
            RuntimeError: if the cluster was closed.
        """
        if not seconds_limit > 0:
            raise ValueError(f"`seconds_limit` must be above 0; received {seconds_limit!r}.")
        check_function(function)
        job = Job(
            self,
            dumps((function, args)),
            Learner.of(learner),
            rows.codec(function),
            kind=f"{function.__module__}.{function.__qualname__}",
            seconds=typical_seconds or seconds_limit,
            seconds_limit=seconds_limit,
        )
        with self._lock:
            if self._closed:
                raise RuntimeError("The cluster was closed.")
            waiting = self._queue.of(job.learner.tab)
            for other in (waiting, *self._running.values()):
                if other and (other.learner.tab, other._payload) == (job.learner.tab, job._payload):
                    other.touch()
                    return other
            if waiting:
                self._queue.replace(waiting, job)
                waiting._finish("stopped")
            else:
                self._queue.add(job)
        self._call(self._wake.set)
        return job

    def warm_up(self, function: Callable[[], Any]) -> None:
        """Run a function once in every worker before its first job, also in those that replace a dead one.

        Returns at once; a second call with the same function does nothing.

        Args:
            function: a function at module level without arguments. If it is a generator function, jobs may begin at its
                first `yield`, and go first at each one that follows.

        Raises:
            TypeError: if a worker cannot import it.
        """
        check_function(function)
        self._call(functools.partial(self._set_warm_up, dumps(function)))

    def close(self) -> None:
        """Stop all jobs and end the workers, if they were started here. May be called twice."""
        with self._lock:
            self._closed = True
        self._call(self._main_task.cancel)
        self._thread.join(timeout=END_SECONDS + 1.0)
        self._end_embedded()

    # Between the threads.

    def _call(self, function: Callable[[], object]) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has ended: the cluster is closed
            self._loop.call_soon_threadsafe(function)

    def _run_loop(self, started: threading.Event) -> None:
        # Tornado needs a selector loop, which is not the default on Windows.
        with (
            contextlib.suppress(asyncio.CancelledError),
            asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner,
        ):
            runner.run(self._main(started))

    def _living(self) -> list[_Worker]:
        workers = list(self._workers.values())
        return [worker for worker in workers if worker.checked and not (worker.misfit or worker.gone.is_set())]

    def _running_tabs(self) -> set[str]:
        return {job.learner.tab for job in self._running.values()}

    def _seconds_to_start(self, job: Job) -> float | None:
        order = self._queue.order(self._running_tabs())
        if job not in order:
            return None

        def expected(other: Job) -> float:
            return self._durations.expected(other._kind, other._seconds)

        running = [
            max(expected(other) - other.elapsed, OVERDUE_SHARE * expected(other)) for other in self._running.values()
        ]
        return seconds_until_free(running, map(expected, order[: order.index(job)]), max(1, self.num_workers))

    def _conclude(self, job: Job, status: JobStatus, failure: JobFailure | None = None) -> None:
        with self._lock:
            if self._running.pop(job.id, None):
                job._finish(status, failure)
                if status == "done":
                    self._durations.note(job._kind, job._seconds, job.elapsed)

    def _run_again(self, job: Job, failure: JobFailure) -> None:
        """Put a job whose worker died back into the queue; once, and unless it was to stop anyway."""
        with self._lock:
            if job._stop_wanted.is_set():
                self._conclude(job, "stopped")
            elif job.attempt >= MAX_ATTEMPTS:
                self._conclude(job, "failed", failure)
            elif self._running.pop(job.id, None):
                job._status = "waiting"
                self._queue.add(job)

    def _conclude_all(self, status: JobStatus, failure: JobFailure | None = None) -> None:
        with self._lock:
            jobs = [*self._running.values(), *self._queue.clear()]
            self._running.clear()
            for job in jobs:
                job._finish(status, failure)

    # In the loop's thread: the connection.

    async def _main(self, started: threading.Event) -> None:
        """Connect and serve, and again after a loss: the jobs wait meanwhile."""
        self._loop = asyncio.get_running_loop()
        self._main_task = cast("asyncio.Task[None]", asyncio.current_task())
        self._wake = asyncio.Event()
        started.set()
        # What dask has to say about lost connections reaches the learners through the jobs.
        log = logging.getLogger("distributed")
        for each in (log, log.getChild("client")):
            each.setLevel(logging.CRITICAL)
        dask.config.set({"distributed.admin.large-graph-warning-threshold": "1GB"})
        tending = asyncio.create_task(self._tend())
        try:
            while not self._closed:
                try:
                    await self._session()
                except ClusterLostError as error:
                    self._losses += 1
                    # The first time a new cluster is there in a moment, if this is the one that answers for it.
                    self._outage = error.failure if self._address or self._losses > 1 else None
                    with self._lock:
                        for job in list(self._running.values()):
                            self._run_again(job, JobFailure("worker lost", error.failure.detail))
                    await self._pause()
                except Exception as error:
                    logger.exception("The manager of the workers failed.")
                    self._failure = describe(error)
                    self._conclude_all("failed", self._failure)
                    await self._somebody_waits()
                    self._failure = None
        finally:
            tending.cancel()
            self._conclude_all("stopped")

    async def _pause(self) -> None:
        """Wait before the next connection; not after a first loss, and until somebody needs it after several."""
        if self._address is None and self._losses >= MAX_STARTS:
            await self._somebody_waits()
        if self._losses > 1:
            await asyncio.sleep(RETRY_SECONDS)

    async def _somebody_waits(self) -> None:
        while not len(self._queue) and not self._closed:
            await self._wake.wait()
            self._wake.clear()

    def _lost(self, reason: str) -> ClusterLostError:
        logger.warning("The workers are lost: %s", reason)
        return ClusterLostError(
            JobFailure("no scheduler", self._address) if self._address else JobFailure("no cluster", reason)
        )

    async def _session(self) -> None:
        """Hold one connection to one cluster, until it is lost."""
        try:
            address, security = await self._connection()
            async with Client(
                address,
                security=security,
                asynchronous=True,
                set_as_default=False,
                name="sgd_tf",
                timeout=ANSWER_SECONDS,
            ) as client:
                client.subscribe_topic(TOPIC, self._on_rows)
                client.subscribe_topic("worker-restart-memory", self._on_memory)
                if self._address:
                    await self._check_scheduler(client)
                    self._outage = None
                self._workers_seen = time.monotonic()
                try:
                    await self._serve(client)
                finally:
                    await self._leave(client)
        except (OSError, EOFError) as error:  # a time-out is an OSError
            raise self._lost(describe(error).detail) from error
        finally:
            self._workers.clear()
            self._end_embedded()

    async def _connection(self) -> tuple[str, Security | None]:
        """Address and credentials of the scheduler; None leaves the latter to Dask's own configuration."""
        if self._address is not None:
            return self._address, None
        self._embedded = EmbeddedCluster(**self._options)
        return await self._embedded.connection()

    def _end_embedded(self) -> None:
        with self._lock:
            embedded, self._embedded = self._embedded, None
        if embedded is not None:
            embedded.end()

    async def _leave(self, client: Client) -> None:
        with self._lock:
            job_ids = list(self._running)
        if self._address and client.status == "running":  # workers that stay: they shall not go on for nobody
            with contextlib.suppress(Exception):
                async with asyncio.timeout(1.0):
                    for job_id in job_ids:
                        await client.run(request_stop, job_id, on_error="ignore")
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # In the loop's thread: the service.

    async def _serve(self, client: Client) -> None:
        while not self._closed:  # looked at besides the cancelling, which a library on the way may swallow
            if self._embedded is not None and (status := self._embedded.process.poll()) is not None:
                raise self._lost(f"The process of the workers ended (exit status {status}).")
            if client.status != "running":
                raise self._lost("The connection to the scheduler was lost.")
            await self._look_at_workers(client)
            self._dispatch(client)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._wake.wait()
            self._wake.clear()

    async def _look_at_workers(self, client: Client) -> None:
        assert client.scheduler is not None
        async with asyncio.timeout(ANSWER_SECONDS):
            identity = await client.scheduler.identity(n_workers=-1)
        for worker in list(self._workers.values()):
            if worker.address not in identity["workers"]:
                worker.gone.set()
                if not worker.busy:  # else somebody still asks why it died
                    del self._workers[worker.address]
        for address, information in identity["workers"].items():
            if address not in self._workers and information["status"] == "running":
                limit = int(information.get("memory_limit") or 0)
                self._workers[address] = _Worker(address, memory_limit=limit, checked=self._address is None)
        for worker in self._workers.values():
            if not (worker.checked or worker.busy):
                self._spawn(self._check_worker(client, worker), worker)
        self._look_at_outage()

    def _look_at_outage(self) -> None:
        """Say why no worker can be used, if so."""
        if self._living():
            self._workers_seen, self._outage = time.monotonic(), None
            return
        seconds = time.monotonic() - self._workers_seen
        if self._address is None:
            if seconds > START_SECONDS:
                raise self._lost("No worker has started.")
        elif misfits := [worker.misfit for worker in self._workers.values() if worker.misfit]:
            self._outage = misfits[0]
        elif seconds > WORKERS_SECONDS:
            self._outage = JobFailure("no workers", self._address)

    async def _check_scheduler(self, client: Client) -> None:
        """A scheduler unpacks what is sent to the workers, so it needs the package too."""
        found: Any
        async with asyncio.timeout(ANSWER_SECONDS):
            try:
                found = await client.run_on_scheduler(pkgutil.resolve_name, VERSION)
            except ImportError as error:
                found = error
        if misfit := _misfit(str(self._address), found):
            raise ClusterLostError(misfit)

    async def _check_worker(self, client: Client, worker: _Worker) -> None:
        """Find out whether a worker that another has started has this package."""
        with contextlib.suppress(OSError):  # it has gone, or says nothing: it is looked at again
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await client.run(pkgutil.resolve_name, VERSION, workers=[worker.address], on_error="return")
            worker.misfit, worker.checked = _misfit(worker.address, found[worker.address]), True
        worker.busy = False
        self._wake.set()

    async def _tend(self) -> None:
        while True:
            self._stop_abandoned()
            await asyncio.sleep(POLL_SECONDS)

    def _stop_abandoned(self) -> None:
        with self._lock:
            jobs = [*self._running.values(), *self._queue.order(())]
        for job in jobs:
            if time.monotonic() - job._touched > self._abandoned_after:
                job.stop()

    def _dispatch(self, client: Client) -> None:
        for worker in self._living():
            if worker.busy:
                continue
            if self._warm_up is None or self._warm_up_deaths >= MAX_ATTEMPTS:
                worker.warm, worker.warms_on = True, False  # as far as it can be: no restart after restart
            if worker.warm and (job := self._take_job()) is not None:
                self._spawn(self._run(client, worker, job), worker)
            elif self._warm_up is not None and (not worker.warm or worker.warms_on):
                self._spawn(self._warm(client, worker, self._warm_up), worker)

    def _take_job(self) -> Job | None:
        """The next job of the queue, which now counts as running."""
        with self._lock:
            job = self._queue.take(self._running_tabs())
            if job is not None:
                self._running[job.id] = job
                job._begin()
            return job

    def _spawn(self, work: Coroutine[Any, Any, None], worker: _Worker) -> None:
        worker.busy = True
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _set_warm_up(self, payload: bytes) -> None:
        if payload != self._warm_up:
            self._warm_up, self._warm_up_deaths = payload, 0
            for worker in self._workers.values():
                worker.warm = worker.warms_on = False
            self._wake.set()

    def _on_rows(self, event: tuple[float, dict[str, Any]]) -> None:
        message = event[1]
        job = self._running.get(message["job"])
        if job is not None and job.attempt == message["attempt"]:
            job._receive(message["first"], json.loads(message["rows"]))

    def _on_memory(self, event: tuple[float, dict[str, Any]]) -> None:
        if worker := self._workers.get(event[1]["worker"]):
            worker.out_of_memory.set()

    def _note(self, outcome: Outcome, what: str) -> None:
        """Log a failure. A failing import concerns the whole cluster, until something succeeds."""
        self._losses = 0
        if outcome.failure is None:
            self._failure = None
            return
        logger.error("%s failed: %s\n%s", what, outcome.failure.detail, outcome.traceback)
        if outcome.failure.kind == "import":
            self._failure = outcome.failure

    # In the loop's thread: one worker.

    async def _warm(self, client: Client, worker: _Worker, payload: bytes) -> None:
        try:
            async with asyncio.timeout(WARM_UP_SECONDS):
                key = ("sgd-tf-warm-up", uuid.uuid4().hex)
                outcome = await self._result(client, worker, key, run_warm_up, payload)
            if payload == self._warm_up:  # else another one has taken its place meanwhile
                if not outcome.goes_on:
                    self._warm_up_deaths = 0
                self._note(outcome, "The warm-up")
                self._failure = outcome.failure
                worker.warm, worker.warms_on, worker.warm_share = True, outcome.goes_on, outcome.memory_share
        except (_LostError, TimeoutError) as error:
            late = JobFailure("time limit", f"The warm-up took longer than {WARM_UP_SECONDS:g} s.")
            if isinstance(error, TimeoutError):
                await self._kill(client, worker)
            if payload == self._warm_up:
                self._warm_up_deaths += 1
                if self._warm_up_deaths >= MAX_ATTEMPTS:
                    self._failure = error.failure if isinstance(error, _LostError) else late
                    logger.error("The warm-up failed: %s", self._failure.detail)
        worker.busy = False
        self._wake.set()

    async def _run(self, client: Client, worker: _Worker, job: Job) -> None:
        """Carry one attempt of a job to its end, on a worker that does nothing else."""
        key = ("sgd-tf-job", job.id, job.attempt)  # the first part is what dask counts tasks by
        arguments = (job.id, job.attempt, job.seconds_limit, job._payload)
        ended = asyncio.create_task(self._result(client, worker, key, run_job, *arguments))
        wanted = asyncio.create_task(job._stop_wanted.wait())
        asking = None
        try:
            await asyncio.wait({ended, wanted}, timeout=job.seconds_limit, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                asking = asyncio.create_task(self._ask_to_stop(client, worker, job))
                await asyncio.wait({ended}, timeout=SETTLE_SECONDS)
            await self._judge(client, job, ended)
            await asyncio.wait({ended}, timeout=self._stop_grace)
            lost = ended.done() and ended.exception() is not None
            most = worker.warm_share + RECYCLE_SHARE * (1 - worker.warm_share)
            if not ended.done() or (not lost and ended.result().memory_share > most):
                await self._kill(client, worker)
            worker.busy = not ended.done() and not worker.gone.is_set()
        except Exception as error:
            logger.exception("Job %s failed in the manager.", job.id)
            self._conclude(job, "failed", describe(error))
            worker.busy = False
        finally:
            for task in (ended, wanted, asking):
                if task is not None:
                    task.cancel()
            self._wake.set()

    async def _judge(self, client: Client, job: Job, ended: asyncio.Task[Outcome]) -> None:
        """Say how a job ended, from what its worker tells, or from the lack of it."""
        wanted = job._stop_wanted.is_set()
        error = ended.exception() if ended.done() else None
        outcome = ended.result() if ended.done() and error is None else None
        if isinstance(error, _LostError) and not wanted:
            logger.warning("Job %s, attempt %d: %s", job.id, job.attempt, error.failure.detail)
            if error.failure.kind == "worker lost":
                self._run_again(job, error.failure)
            else:
                self._conclude(job, "failed", error.failure)
        elif error is not None and not wanted:
            raise error
        elif outcome is not None and (outcome.status == "done" or (outcome.status == "failed" and not wanted)):
            self._note(outcome, f"Job {job.id}")
            if await self._have_all_rows(client, job, outcome.num_rows):
                self._conclude(job, outcome.status, outcome.failure)
            else:
                lost = JobFailure("error", f"{outcome.num_rows - job.num_rows} of {outcome.num_rows} rows were lost.")
                self._conclude(job, "failed", lost)
        else:
            if outcome is not None:
                await self._have_all_rows(client, job, outcome.num_rows)
            late = JobFailure("time limit", f"The job took longer than {job.seconds_limit:g} s.")
            self._conclude(job, *(("stopped",) if wanted else ("failed", late)))

    async def _result(
        self,
        client: Client,
        worker: _Worker,
        key: tuple[Any, ...],
        function: Callable[..., Outcome],
        *args: Any,
    ) -> Outcome:
        """Run a function in this very worker.

        Raises:
            _LostError: if the worker dies. The task is bound to it, so dask does not run it elsewhere.
        """
        future = client.submit(
            function, *args, key=key, workers=[worker.address], allow_other_workers=False, pure=False
        )

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
                raise _LostError(JobFailure("memory", detail, memory_limit=worker.memory_limit))
            raise _LostError(JobFailure("worker lost", "The worker process ended."))
        finally:
            fetched.cancel()
            gone.cancel()
            future.release()

    async def _have_all_rows(self, client: Client, job: Job, num_rows: int) -> bool:
        """Wait until all rows are here; what got lost on the way may still be in the scheduler's log."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROWS_SECONDS):
                while job.num_rows < num_rows:
                    await job._rows_came.wait()
                    job._rows_came.clear()
        if job.num_rows < num_rows:
            async with asyncio.timeout(ANSWER_SECONDS):
                events = await client.get_events(TOPIC)
            for event in events:
                self._on_rows(event)
        return job.num_rows >= num_rows

    async def _ask_to_stop(self, client: Client, worker: _Worker, job: Job) -> None:
        while True:  # the job may not have begun when the first request comes
            await client.run(request_stop, job.id, workers=[worker.address], on_error="ignore")
            await asyncio.sleep(POLL_SECONDS)

    async def _kill(self, client: Client, worker: _Worker) -> None:
        """End a worker process; its nanny starts another."""
        with contextlib.suppress(Exception):
            async with asyncio.timeout(ANSWER_SECONDS):
                if not await client.run(kill_worker, workers=[worker.address], nanny=True):  # it has no nanny
                    await client.restart_workers([worker.address], raise_for_error=False)
                await worker.gone.wait()


_cluster: Cluster | None = None
_cluster_lock = threading.Lock()


def connect() -> Cluster:
    """The cluster of this process; the first call starts it, and returns at once.

    The environment variable SGD_TF_SCHEDULER holds the address of a running scheduler to use; without it,
    workers start on this machine (SGD_TF_WORKERS of them, each with at most SGD_TF_WORKER_MEMORY).

    Raises:
        ValueError: if one of these holds what is not allowed.
    """
    global _cluster
    with _cluster_lock:
        if _cluster is None or _cluster._closed:
            chosen = settings.from_environment()
            _cluster = Cluster(
                address=chosen.scheduler, num_workers=chosen.num_workers, memory_limit=chosen.worker_memory
            )
            atexit.register(_cluster.close)
        return _cluster
