"""The jobs of this session: started by a page, kept while the learner looks elsewhere, read by the views."""

from __future__ import annotations

import logging
import threading
import time
import uuid
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, TypeVar, TypeVarTuple

import streamlit as st

from sgd_tf.jobs import JobHandle, Learner, SlicedJob, WorkerPool, connect
from sgd_tf.jobs.slices import NextSlice
from sgd_tf.problems import given
from sgd_tf.training.warm_up import warm_up
from sgd_tf.ui import own_problems, settings, visitors
from sgd_tf.ui.streamlit_internals import is_connected, session_id

SLACK_SECONDS = 45.0  # for loading, compiling and evaluating, beyond the training time of a job
STOP_SECONDS = 0.5  # longest wait of a page for the end of a job that it has stopped
HOLD_SECONDS = 5.0  # how often the jobs of connected pages are touched
ACTIVE = ("waiting", "running")
MAX_ANSWERS = 64  # results that all learners share, the latest ones
MAX_KEPT = 200  # runs that an address can name, the latest ones
ADDRESS_KEY = "run"  # the id of the job of the run that a page shows

logger = logging.getLogger(__name__)

Rows = list[Any]
Row = TypeVar("Row")
Arguments = TypeVarTuple("Arguments")


@dataclass(frozen=True, kw_only=True)
class SessionRun:
    """What this session asked for last, of one kind."""

    kind: str  # "race", "search", or what a page calls its experiment
    plan: Any  # what was asked for
    job: JobHandle
    prediction: str | None = None  # what the learner expects of it

    @property
    def is_active(self) -> bool:
        """Whether the job waits or runs."""
        return self.job.status in ACTIVE


def cluster() -> WorkerPool:
    """The workers, which warm up; the first visitor starts them."""
    workers = connect()
    workers.warm_up(warm_up)
    return workers


def get(kind: str) -> SessionRun | None:
    """The session's last run of a kind."""
    return _runs().get(kind)


def _runs() -> dict[str, SessionRun]:
    """The session's last run of each kind."""
    return st.session_state.setdefault("runs", {})


def active() -> SessionRun | None:
    """A run that waits or trains for this session now, if there is one."""
    return next(_active(), None)


def are_of(problem: str) -> bool:
    """Whether a run of this session is of this problem."""
    return any(problem in given.own_names_in(run.plan) for run in _runs().values())


def _active() -> Iterator[SessionRun]:
    return (run for run in list(_runs().values()) if run.is_active)


def start(
    kind: str,
    function: Callable[[*Arguments], Iterator[Any]],
    *arguments: *Arguments,
    seconds: float,
    plan: Any = None,
    prediction: str | None = None,
) -> None:
    """Submit a job, unless one of this session is active: a second click changes nothing.

    Args:
        kind: name under which `get` finds it.
        function: generator function at module level, which a worker runs.
        *arguments: for the function; plain values or frozen dataclasses of them.
        seconds: training time of the job; its time limit leaves room for loading, compiling and evaluating.
        plan: description of the job for the views; by default its argument, or all arguments if there are more.
        prediction: option that the learner expects.
    """
    if not active():
        given: tuple[Any, ...] = arguments
        shown = given[0] if len(given) == 1 else given
        _submit(kind, function, arguments, seconds, shown if plan is None else plan, prediction)


def start_sliced(
    kind: str,
    next_slice: NextSlice,
    *,
    seconds: float,
    plan: Any,
    prediction: str | None = None,
    rows: Iterable[Any] = (),
) -> None:
    """Begin a computation that is longer than a job may be, unless a run of this session is active.

    Args:
        kind: name under which `get` finds it.
        next_slice: function that chooses the next slice.
        seconds: training time of a slice; its time limit leaves room for loading, compiling and evaluating.
        plan: description of it for the views.
        prediction: option that the learner expects.
        rows: known before the first slice.
    """
    if not active():
        limit = 2 * seconds + SLACK_SECONDS
        job = SlicedJob(
            cluster(), next_slice, learner=_learner(), seconds_limit=limit, typical_seconds=seconds, rows=rows
        )
        _remember(SessionRun(kind=kind, plan=plan, job=job, prediction=prediction))


def _learner() -> Learner:
    tab = str(st.session_state.setdefault("tab", uuid.uuid4().hex))
    return Learner(tab=tab, browser=visitors.browser() or tab, address=st.context.ip_address or "")


def _submit(
    kind: str,
    function: Callable[[*Arguments], Iterator[Any]],
    arguments: tuple[*Arguments],
    seconds: float,
    plan: Any,
    prediction: str | None,
) -> SessionRun:
    limit = 2 * seconds + SLACK_SECONDS
    job = cluster().submit(function, *arguments, learner=_learner(), seconds_limit=limit, typical_seconds=seconds)
    return _remember(SessionRun(kind=kind, plan=plan, job=job, prediction=prediction))


def publish(*kinds: str) -> None:
    """Let the address name the session's runs of these kinds, so that a reload of the page or a link finds them."""
    ids = [run.job.id for run in map(get, kinds) if run is not None]
    if ids:
        settings.write(ADDRESS_KEY, ids)


def adopt(*kinds: str) -> None:
    """Take up the runs that the address names, if this session has none of the kind and the server still keeps it.

    Another learner's run is taken up when it is over, without what that learner expected.
    """
    kept, lock = _kept()
    asked = st.query_params.get_all(ADDRESS_KEY)
    with lock:
        named = [kept[name] for name in asked if name in kept]
    if len(named) < len(asked):  # nor will the others be there later
        settings.write(ADDRESS_KEY, [run.job.id for run, _browser in named])
        settings.refuse(ADDRESS_KEY)
    for run, browser in named:
        if run.kind not in kinds or get(run.kind) is not None or not _has_data(run):
            continue
        if browser and browser == visitors.browser():
            _remember(run)
        elif not run.is_active:
            _runs()[run.kind] = replace(run, prediction=None)


def _has_data(run: SessionRun) -> bool:
    """Whether this session has the tables that a run is of: what is found in a table is not shown to others."""
    return given.own_names_in(run.plan) <= set(own_problems.held())


@st.cache_resource
def _kept() -> tuple[OrderedDict[str, tuple[SessionRun, str]], threading.Lock]:
    """The latest runs of all sessions by the id of their job, with the browser that began each."""
    return OrderedDict(), threading.Lock()


def _remember(run: SessionRun) -> SessionRun:
    _runs()[run.kind] = run
    kept, lock = _kept()
    with lock:
        kept[run.job.id] = run, visitors.browser()
        if len(kept) > MAX_KEPT:
            kept.popitem(last=False)
    st.session_state[f"followed_{run.kind}"] = run.job.id
    session = session_id()
    if session:
        _held[run.job.id] = session, run.job
    return run


# A job that nobody touches is stopped. Here it is touched for as long as its learner's page is connected, whichever it
# is: the page's own timers would not do, since browsers let those of a tab in the background rest.
_held: dict[str, tuple[str, JobHandle]] = {}  # id of the job → its session, the job


def hold() -> None:
    """Touch the jobs of connected pages again and again, as long as the server runs."""
    while True:
        time.sleep(HOLD_SECONDS)
        try:
            touch_held()
            own_problems.let_go(time.monotonic())
        except Exception:  # a job that cannot be asked must not cost the others their runs
            logger.exception("A job was not touched, or a table not let go.")


def touch_held() -> None:
    """Touch the jobs whose page is connected; forget those that have ended."""
    for key, (session, job) in list(_held.items()):
        if job.status not in ACTIVE:
            del _held[key]
        elif is_connected(session):
            job.touch()


def end_of(run: SessionRun) -> bool:
    """Whether the run has ended since this was asked last: true once."""
    key = f"followed_{run.kind}"
    is_over = not run.is_active and st.session_state.get(key) == run.job.id
    if is_over:
        del st.session_state[key]
    return is_over


def ask(
    kind: str, function: Callable[[*Arguments], Iterator[Row]], *arguments: *Arguments, seconds: float
) -> list[Row] | SessionRun:
    """What a worker computes without a button: at once if anybody has asked before, else by a job.

    The same question is asked by each rerun of the page. Another one of the same kind takes its place: what was
    asked before is stopped. A page has one such kind at most, since a learner has one job that waits.

    Args:
        kind: name of the question, under which `get` finds it.
        function: generator function at module level, which a worker runs; its rows depend on its arguments only.
        *arguments: for the function; hashable.
        seconds: longest duration of the job.

    Returns:
        All rows; or the job, if it has not ended well yet.
    """
    answers, lock = _answers()
    question = (function, arguments)
    with lock:
        if question in answers:
            answers.move_to_end(question)
            return answers[question]
    run = get(kind)
    if run is None or run.plan != question or run.job.status == "stopped":
        if run and run.is_active:
            run.job.stop()
        run = _submit(kind, function, arguments, seconds, question, None)
    if run.job.status != "done":
        return run
    with lock:
        answers[question] = run.job.rows
        if len(answers) > MAX_ANSWERS:
            answers.popitem(last=False)
    return run.job.rows


@st.cache_resource
def _answers() -> tuple[OrderedDict[Any, Rows], threading.Lock]:
    return OrderedDict(), threading.Lock()


def stop() -> None:
    """Stop what is active; what it has found so far stays.

    The page is drawn after this, and shows the end at once if it has come by then.
    """
    stopping = list(_active())
    for run in stopping:
        run.job.stop()
    for run in stopping:
        run.job.wait(STOP_SECONDS)
