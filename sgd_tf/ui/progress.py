"""How far a run is, its place in the queue, or why it failed: what stands where its result will."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar, TypeVarTuple

import streamlit as st

from sgd_tf.jobs import JobFailure
from sgd_tf.problems import CATALOGUE
from sgd_tf.recordings import Recording, recorded
from sgd_tf.ui import frame, runs
from sgd_tf.ui.language import _
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.widgets import PROBLEMS
from sgd_tf.words import N_

Arguments = TypeVarTuple("Arguments")
Row = TypeVar("Row")

POLL_SECONDS = 0.4  # how often a live page asks for what is new
QUEUE_SECONDS = 3.0  # the same, where others are first in the queue
QUICK_SECONDS = 0.15  # an answer that comes within this is shown without a skeleton before it
STATUS_HEIGHT = 76  # px
FAILURES = {
    "memory": N_("The run took more memory than a worker has. Choose a smaller k or fewer samples N."),
    "time limit": N_(
        "The run passed its time limit and was stopped. Choose a smaller run, or try again when the machine is less "
        "busy."
    ),
    "worker lost": N_("The process that trained ended unexpectedly, twice. Please try again."),
    "import": N_("What training needs cannot be loaded on this server: {reason}"),
    "download": N_("The data could not be downloaded: {reason}. These need no download: {names}."),
    "error": N_("The run failed."),
    "no cluster": N_("The processes that train could not be started ({reason}). Runs wait until they are there."),
    "no scheduler": N_("The Dask scheduler at {reason} does not answer. Runs wait until it is back."),
    "no workers": N_("The Dask scheduler at {reason} has no workers. Runs wait until there is one."),
    "other package": N_(
        "The Dask cluster lacks this version of the lab's package ({reason}). Runs wait until it is there."
    ),
}


def follow(kind: str, draw: Callable[[SessionRun | None], None]) -> None:
    """Draw a run now, again and again while it is active, and once the whole page at its end.

    Args:
        kind: name of the run.
        draw: draws the session's run of that kind, or what stands there before the first. No controls in it: what
            is redrawn on a timer loses them when the connection is cut.
    """
    interval = _interval()
    st.fragment(_follow, run_every=interval, key=f"{kind}_picture")(kind, draw, interval)


def _interval() -> float | None:
    """Seconds until the page asks again; None where nothing can be new.

    A class that waits in the queue would keep the server busy with drawing the same thing again.
    """
    run = runs.active()
    if run is None:
        return None
    is_next = (run.job.place or 1) <= max(1, runs.cluster().num_workers)  # what runs has no place
    return POLL_SECONDS if is_next else QUEUE_SECONDS


def _follow(kind: str, draw: Callable[[SessionRun | None], None], interval: float | None) -> None:
    run = runs.get(kind)
    draw(run)
    # Once: the rest of the page learns that the run is over, this one or one of another page; or the timer is set anew.
    if (run and runs.end_of(run)) or (interval and interval != _interval()):
        st.rerun()


def status(run: SessionRun | None, share: float = 0.0, text: str = "") -> None:
    """One line: ready, the queue, how far the run is, or why it failed.

    Args:
        run: run of the session, if there is one.
        share: fraction of the work that is done, in [0, 1].
        text: current or last step of the work, in the learner's language.
    """
    with st.container(height=status_height(run), border=False, key=None if run is None else f"{run.kind}_status"):
        if run is None:
            st.progress(0.0, _("Ready when you are: press Run."))
        elif run.job.status == "waiting":
            waiting(run)
        elif run.job.status == "failed":
            st.error(failure_text(run.job.failure, run.plan))
        else:
            text = text or _("Loading the data and compiling …")
            st.progress(min(1.0, share), text)
            # Of a run under way a screen reader says the quarters only.
            quarter = _("Training: {share}").format(share=f"{math.floor(4 * share) / 4:.0%}")
            frame.announce(quarter if run.is_active else text)


def status_height(run: SessionRun | None) -> int | Literal["content"]:
    """Height of the status line: fixed, in px, so that nothing below moves; a message is shown in full."""
    if run is None or run.job.status not in ("waiting", "failed"):
        return STATUS_HEIGHT
    has_message = run.job.status == "failed" or runs.cluster().status == "failed"
    return "content" if has_message else STATUS_HEIGHT


def origin(recording: Recording) -> str:
    """Where recorded numbers are from, in the learner's language."""
    text = _("Recorded: a real run on {machine}, {date}, {versions}.")
    return text.format(machine=recording.machine, date=recording.date, versions=recording.versions)


def cite(function: Callable[..., Iterator[Any]], plan: object) -> None:
    """Draw where the numbers of an answer are from, if it is the recorded one; see `answer`."""
    recording = recorded(function)()
    if plan == recording.plan:
        st.caption(f":material/history: {origin(recording.source)}")


def duration(seconds: float) -> str:
    """A time that is left, in the learner's language."""
    if seconds < 90:
        return _("{n} s").format(n=max(1, round(seconds)))
    return _("{n} min").format(n=round(seconds / 60))


def answer(
    kind: str,
    function: Callable[[*Arguments], Iterator[Row]],
    *arguments: *Arguments,
    seconds: float = 20.0,
    height: int = 300,
    is_recorded: bool = False,
) -> list[Row] | None:
    """What a worker computes for a page without a button; a skeleton stands in its place meanwhile.

    Args:
        kind: name of the question; a page has one at most.
        function: generator function at module level, which a worker runs.
        *arguments: for the function; hashable.
        seconds: longest duration of the job.
        height: height of the skeleton, in px, equal to that of the result.
        is_recorded: whether there is a recorded run, which answers for its own arguments without a worker.

    Returns:
        All rows; or None, as long as there is a skeleton, or a message in its place.
    """
    if is_recorded and arguments == (recorded(function)().plan,):
        return list(recorded(function)().rows)
    found = runs.ask(kind, function, *arguments, seconds=seconds)
    if isinstance(found, SessionRun) and found.is_active and found.job.wait(QUICK_SECONDS):
        found = runs.ask(kind, function, *arguments, seconds=seconds)
    if not isinstance(found, SessionRun):
        return found
    with st.container(height=height, border=False, key=f"{kind}_waiting"):
        if found.job.status == "failed":
            st.error(failure_text(found.job.failure, found.plan))
        else:
            follow(kind, _skeleton)
    return None


def _skeleton(run: SessionRun | None) -> None:
    if run and run.is_active:
        st.caption(waiting_text(run) if run.job.status == "waiting" else _("Computing …"))
        st.skeleton("stretch")


def failure_text(failure: JobFailure | None, plan: object = None) -> str:
    """What went wrong and what to do, in the learner's language.

    Args:
        failure: why the job failed.
        plan: plan of the run; the page may know what helps, see `advise`.
    """
    detail = failure.detail if failure else ""
    if failure and (advice := _advice(failure, plan)):
        return advice
    kind = failure.kind if failure else "error"
    if kind == "download":
        offline = [_(PROBLEMS[name]) for name, info in CATALOGUE.items() if info.kind != "download"]
        return _(FAILURES[kind]).format(reason=detail, names=", ".join(offline))
    return _(FAILURES[kind]).format(reason=detail) + (f" ({detail})" if kind == "error" and detail else "")


def advise(on_memory: Callable[[object, int], str]) -> None:
    """Take what a page knows about runs that took too much memory.

    Args:
        on_memory: function of the run's plan and a worker's memory limit in bytes; returns a sentence in the learner's
            language, or "" for a plan that it does not explain.
    """
    st.session_state["advise_on_memory"] = on_memory


def _advice(failure: JobFailure, plan: object) -> str:
    # The workers that are there now may be none: the one that went over its limit is being replaced.
    limit = failure.memory_limit or runs.cluster().memory_limit
    on_memory: Callable[[object, int], str] | None = st.session_state.get("advise_on_memory")
    return on_memory(plan, limit) if on_memory and limit and failure.kind == "memory" else ""


def waiting(run: SessionRun) -> None:
    """Draw why a run has not begun yet: a warning where it cannot."""
    if runs.cluster().status == "failed":
        st.warning(waiting_text(run))
    else:
        st.progress(0.0, waiting_text(run))


def waiting_text(run: SessionRun) -> str:
    """Why a run has not begun yet."""
    cluster = runs.cluster()
    if cluster.status == "failed":
        return failure_text(cluster.failure)
    if cluster.status in ("starting", "warming"):
        return _("Getting the workers ready: TensorFlow takes about 15 s to load, once …")
    return _("In the queue: place {place}, about {time}").format(
        place=run.job.place or 1, time=duration(run.job.seconds_to_start or 0.0)
    )
