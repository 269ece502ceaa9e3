"""The connection to the workers: an event loop in a thread of its own, which hands jobs out and collects their rows."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import threading
import time
import uuid
from collections.abc import Callable, Coroutine
from typing import Any, cast

import dask
from distributed import Client, Security

from sgd_tf.jobs import attempt
from sgd_tf.jobs.attempt import WorkerLostError, WorkerState
from sgd_tf.jobs.embedded import END_SECONDS, START_SECONDS, EmbeddedCluster
from sgd_tf.jobs.job import Job
from sgd_tf.jobs.table import MAX_ATTEMPTS, JobTable
from sgd_tf.jobs.worker import TOPIC, JobFailure, Outcome, describe, request_stop, run_warm_up
from sgd_tf.problems import given

POLL_SECONDS = 0.2  # between two looks at the list of workers and at the touches
SETTLE_SECONDS = 0.1  # a job that was asked to stop shows as stopped after this, whatever its worker does
ROWS_SECONDS = 2.0  # the last rows of a job may come after its result
WARM_UP_SECONDS = 180.0
WORKERS_SECONDS = 10.0  # until a scheduler that another has started must have a worker
RETRY_SECONDS = 5.0  # between two tries to reach or to start a cluster
MAX_STARTS = 3  # failed starts of an embedded cluster before the next one waits for a job
# A worker is replaced when its jobs have left behind more than this share of what its limit leaves them: compiled code
# piles up.
RECYCLE_SHARE = 0.5

logger = logging.getLogger(__name__)


class ClusterLostError(Exception):
    """The cluster cannot be used, or not any longer; carries the reason, for the learners who wait."""

    def __init__(self, failure: JobFailure) -> None:
        super().__init__(failure)
        self.failure = failure


class Connection:
    """Starts or reaches a cluster, again after each loss, and runs the jobs of a table on its workers."""

    def __init__(
        self,
        table: JobTable,
        *,
        address: str | None,
        num_workers: int | None,
        memory_limit: str | int | None,
        abandoned_after: float,
        stop_grace: float,
    ) -> None:
        """Start the thread; see `Cluster` for the options."""
        self.failure: JobFailure | None = None  # why jobs fail: what training needs cannot be imported
        self.outage: JobFailure | None = None  # why jobs wait: the cluster cannot be used
        self._table = table
        self._address = address
        self._options: dict[str, Any] = {"num_workers": num_workers, "memory_limit": memory_limit}
        self._abandoned_after = abandoned_after
        self._stop_grace = stop_grace
        self._embedded: EmbeddedCluster | None = None

        # The rest belongs to the loop's thread.
        self._workers: dict[str, WorkerState] = {}
        self._warm_up: bytes | None = None
        self._warm_up_deaths = 0  # in a row
        self._workers_seen = 0.0  # time of the last look with a worker, monotonic
        self._losses = 0  # of the cluster in a row, with no work in between
        self._tasks: set[asyncio.Task[None]] = set()

        self._loop: asyncio.AbstractEventLoop
        self._main_task: asyncio.Task[None]
        self._wake: asyncio.Event
        started = threading.Event()
        self._thread = threading.Thread(target=self._run_loop, args=(started,), name="sgd_tf.jobs", daemon=True)
        self._thread.start()
        started.wait()

    # From any thread.

    def living(self) -> list[WorkerState]:
        """Workers that can be used now."""
        workers = list(self._workers.values())
        return [worker for worker in workers if worker.checked and not (worker.misfit or worker.gone.is_set())]

    def is_warm(self) -> bool:
        """Whether a worker is ready for jobs."""
        return self._warm_up is None or any(worker.warm for worker in self.living())

    def call(self, function: Callable[[], object]) -> None:
        """Call a function in the loop's thread, soon."""
        with contextlib.suppress(RuntimeError):  # the loop has ended: the cluster is closed
            self._loop.call_soon_threadsafe(function)

    def wake(self) -> None:
        """Look at the queue now."""
        self.call(self._wake.set)

    def close(self) -> None:
        """End the thread, and the workers that were started here."""
        self.call(self._main_task.cancel)
        self._thread.join(timeout=END_SECONDS + 1.0)
        self._end_embedded()

    def set_warm_up(self, payload: bytes) -> None:
        """Let every worker run a pickled function before its first job; only in the loop's thread."""
        if payload != self._warm_up:
            self._warm_up, self._warm_up_deaths = payload, 0
            for worker in self._workers.values():
                worker.warm = worker.warms_on = False
            self._wake.set()

    # In the loop's thread: the connection.

    def _run_loop(self, started: threading.Event) -> None:
        # Tornado needs a selector loop, which is not the default on Windows.
        with (
            contextlib.suppress(asyncio.CancelledError),
            asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner,
        ):
            runner.run(self._main(started))

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
            while not self._table.closed:
                try:
                    await self._session()
                except ClusterLostError as error:
                    self._losses += 1
                    # The first time a new cluster is there in a moment, if this is the one that answers for it.
                    self.outage = error.failure if self._address or self._losses > 1 else None
                    with self._table.lock:
                        for job in list(self._table.running.values()):
                            self._table.run_again(job, JobFailure("worker lost", error.failure.detail))
                    await self._pause()
                except Exception as error:
                    logger.exception("The connection to the workers failed.")
                    self.failure = describe(error)
                    self._table.conclude_all("failed", self.failure)
                    await self._somebody_waits()
                    self.failure = None
        finally:
            tending.cancel()
            self._table.conclude_all("stopped")

    async def _pause(self) -> None:
        """Wait before the next connection; not after a first loss, and until somebody needs it after several."""
        if self._address is None and self._losses >= MAX_STARTS:
            await self._somebody_waits()
        if self._losses > 1:
            await asyncio.sleep(RETRY_SECONDS)

    async def _somebody_waits(self) -> None:
        while not len(self._table.queue) and not self._table.closed:
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
                timeout=attempt.ANSWER_SECONDS,
            ) as client:
                client.subscribe_topic(TOPIC, self._on_rows)
                client.subscribe_topic("worker-restart-memory", self._on_memory)
                if self._address:
                    if misfit := await attempt.scheduler_misfit(client, self._address):
                        raise ClusterLostError(misfit)
                    self.outage = None
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
        with self._table.lock:
            embedded, self._embedded = self._embedded, None
        if embedded is not None:
            embedded.end()

    async def _leave(self, client: Client) -> None:
        with self._table.lock:
            job_ids = list(self._table.running)
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
        while not self._table.closed:  # looked at besides the cancelling, which a library on the way may swallow
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
        async with asyncio.timeout(attempt.ANSWER_SECONDS):
            identity = await client.scheduler.identity(n_workers=-1)
        for worker in list(self._workers.values()):
            if worker.address not in identity["workers"]:
                worker.gone.set()
                if not worker.busy:  # else somebody still asks why it died
                    del self._workers[worker.address]
        for address, information in identity["workers"].items():
            if address not in self._workers and information["status"] == "running":
                limit = int(information.get("memory_limit") or 0)
                self._workers[address] = WorkerState(address, memory_limit=limit, checked=self._address is None)
        for worker in self._workers.values():
            if not (worker.checked or worker.busy):
                self._spawn(self._check(client, worker), worker)
        self._look_at_outage()

    def _look_at_outage(self) -> None:
        """Say why no worker can be used, if so."""
        if self.living():
            self._workers_seen, self.outage = time.monotonic(), None
            return
        seconds = time.monotonic() - self._workers_seen
        if self._address is None:
            if seconds > START_SECONDS:
                raise self._lost("No worker has started.")
        elif misfits := [worker.misfit for worker in self._workers.values() if worker.misfit]:
            self.outage = misfits[0]
        elif seconds > WORKERS_SECONDS:
            self.outage = JobFailure("no workers", self._address)

    async def _check(self, client: Client, worker: WorkerState) -> None:
        await attempt.check(client, worker)
        worker.busy = False
        self._wake.set()

    async def _tend(self) -> None:
        while True:
            for job in self._table.untouched(self._abandoned_after):
                job.stop()
            await asyncio.sleep(POLL_SECONDS)

    def _dispatch(self, client: Client) -> None:
        for worker in self.living():
            if worker.busy:
                continue
            if gone := [name for name in worker.holds if given.find(name) is None]:
                self._spawn(self._forget(client, worker, gone), worker)
                continue
            if self._warm_up is None or self._warm_up_deaths >= MAX_ATTEMPTS:
                worker.warm, worker.warms_on = True, False  # as far as it can be: no restart after restart
            if worker.warm and (job := self._table.take()) is not None:
                self._spawn(self._run(client, worker, job), worker)
            elif self._warm_up is not None and (not worker.warm or worker.warms_on):
                self._spawn(self._warm(client, worker, self._warm_up), worker)

    def _spawn(self, work: Coroutine[Any, Any, None], worker: WorkerState) -> None:
        worker.busy = True
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _on_rows(self, event: tuple[float, dict[str, Any]]) -> None:
        message = event[1]
        job = self._table.running.get(message["job"])
        if job is not None and job.attempt == message["attempt"]:
            job._receive(message["first"], json.loads(message["rows"]))

    def _on_memory(self, event: tuple[float, dict[str, Any]]) -> None:
        if worker := self._workers.get(event[1]["worker"]):
            worker.out_of_memory.set()

    def _note(self, outcome: Outcome, what: str) -> None:
        """Log a failure. A failing import concerns the whole cluster, until something succeeds."""
        self._losses = 0
        if outcome.failure is None:
            self.failure = None
            return
        logger.error("%s failed: %s\n%s", what, outcome.failure.detail, outcome.traceback)
        if outcome.failure.kind == "import":
            self.failure = outcome.failure

    # In the loop's thread: one worker.

    async def _forget(self, client: Client, worker: WorkerState, names: list[str]) -> None:
        """Let a worker forget what no learner has any longer."""
        with contextlib.suppress(Exception):  # it has gone
            async with asyncio.timeout(attempt.ANSWER_SECONDS):
                await attempt.forget(client, worker, names)
        worker.busy = False
        self._wake.set()

    async def _warm(self, client: Client, worker: WorkerState, payload: bytes) -> None:
        try:
            async with asyncio.timeout(WARM_UP_SECONDS):
                key = ("sgd-tf-warm-up", uuid.uuid4().hex)
                outcome = await attempt.run_on(client, worker, key, run_warm_up, payload)
            if payload == self._warm_up:  # else another one has taken its place meanwhile
                if not outcome.goes_on:
                    self._warm_up_deaths = 0
                self._note(outcome, "The warm-up")
                self.failure = outcome.failure
                worker.warm, worker.warms_on, worker.warm_share = True, outcome.goes_on, outcome.memory_share
        except (WorkerLostError, TimeoutError) as error:
            late = JobFailure("time limit", f"The warm-up took longer than {WARM_UP_SECONDS:g} s.")
            if isinstance(error, TimeoutError):
                await attempt.kill(client, worker)
            if payload == self._warm_up:
                self._warm_up_deaths += 1
                if self._warm_up_deaths >= MAX_ATTEMPTS:
                    self.failure = error.failure if isinstance(error, WorkerLostError) else late
                    logger.error("The warm-up failed: %s", self.failure.detail)
        worker.busy = False
        self._wake.set()

    async def _run(self, client: Client, worker: WorkerState, job: Job) -> None:
        """Carry one attempt of a job to its end, on a worker that does nothing else."""
        ended = asyncio.create_task(attempt.carry_out(client, worker, job))
        wanted = asyncio.create_task(job._stop_wanted.wait())
        asking = None
        try:
            await asyncio.wait({ended, wanted}, timeout=job.seconds_limit, return_when=asyncio.FIRST_COMPLETED)
            if not ended.done():
                asking = asyncio.create_task(attempt.ask_to_stop(client, worker, job.id))
                await asyncio.wait({ended}, timeout=SETTLE_SECONDS)
            await self._judge(client, job, ended)
            await asyncio.wait({ended}, timeout=self._stop_grace)
            lost = ended.done() and ended.exception() is not None
            most = worker.warm_share + RECYCLE_SHARE * (1 - worker.warm_share)
            if not ended.done() or (not lost and ended.result().memory_share > most):
                await attempt.kill(client, worker)
            worker.busy = not ended.done() and not worker.gone.is_set()
        except Exception as error:
            logger.exception("Job %s failed in the server.", job.id)
            self._table.conclude(job, "failed", describe(error))
            worker.busy = False
        finally:
            for task in (ended, wanted, asking):
                if task is not None:
                    task.cancel()
            self._wake.set()

    async def _judge(self, client: Client, job: Job, ended: asyncio.Task[Outcome]) -> None:
        """Conclude a job after an attempt, by the table of `attempt.verdict`."""
        wanted = job._stop_wanted.is_set()
        error = ended.exception() if ended.done() else None
        answer: Outcome | WorkerLostError | None = None
        num_lost_rows = 0
        if isinstance(error, WorkerLostError):
            answer = error
            if not wanted:
                logger.warning("Job %s, attempt %d: %s", job.id, job.attempt, error.failure.detail)
        elif error is not None and not wanted:
            raise error
        elif ended.done() and error is None:
            answer = ended.result()
            if answer.status == "done" or (answer.status == "failed" and not wanted):
                self._note(answer, f"Job {job.id}")
            num_lost_rows = await self._num_lost_rows(client, job, answer.num_rows)
        status, failure = attempt.verdict(
            answer, stop_wanted=wanted, num_lost_rows=num_lost_rows, seconds_limit=job.seconds_limit
        )
        self._table.conclude(job, status, failure)

    async def _num_lost_rows(self, client: Client, job: Job, num_rows: int) -> int:
        """Wait for the last rows of a job, then count the missing ones; the scheduler's log may still hold them."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(ROWS_SECONDS):
                while job.num_rows < num_rows:
                    await job._rows_came.wait()
                    job._rows_came.clear()
        if job.num_rows < num_rows:
            async with asyncio.timeout(attempt.ANSWER_SECONDS):
                events = await client.get_events(TOPIC)
            for event in events:
                self._on_rows(event)
        return max(0, num_rows - job.num_rows)
