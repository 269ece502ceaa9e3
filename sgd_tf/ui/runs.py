"""The job of this session: started by a page, kept while the learner looks elsewhere, read by the views."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import streamlit as st

from sgd_tf.jobs import Cluster, Job, connect
from sgd_tf.presets import LEARNING_RATES
from sgd_tf.records import RacePlan

SEARCH_SECONDS = 0.5  # of training for each learning rate that a search tries
SLACK_SECONDS = 45.0  # for loading, compiling and evaluating, beyond the training time of a job
ACTIVE = ("waiting", "running")


@dataclass(frozen=True, kw_only=True)
class SessionRun:
    """What this session asked for last."""

    kind: Literal["race", "search"]
    plan: RacePlan
    job: Job
    prediction: str | None = None  # contestant that the learner expects to be first

    @property
    def is_active(self) -> bool:
        """Whether the job waits or runs."""
        return self.job.status in ACTIVE


def cluster() -> Cluster:
    """The workers, told to warm up; the first visitor starts them."""
    workers = connect()
    workers.warm_up("sgd_tf.jobs.tasks.warm_up")
    return workers


def get(kind: str) -> SessionRun | None:
    """The session's last run of a kind, "race" or "search"."""
    return st.session_state.get(f"run_{kind}")


def active() -> SessionRun | None:
    """The run that waits or trains for this session now, if there is one."""
    return next((run for kind in ("race", "search") if (run := get(kind)) and run.is_active), None)


def start_race(plan: RacePlan, prediction: str | None) -> None:
    """Submit a race, unless one of this session is active: a second click changes nothing."""
    seconds = plan.seconds * len(plan.configs)
    _start("race", "sgd_tf.jobs.tasks.run_race", plan, (plan,), seconds, prediction)


def start_search(plan: RacePlan) -> None:
    """Submit a search for the learning rates of a plan's contestants, unless a job of this session is active."""
    seconds = SEARCH_SECONDS * len(LEARNING_RATES) * len(plan.configs)
    arguments = (plan, SEARCH_SECONDS)
    _start("search", "sgd_tf.jobs.tasks.search_learning_rates", plan, arguments, seconds, None)


def _start(
    kind: Literal["race", "search"],
    function: Callable[..., Any] | str,
    plan: RacePlan,
    arguments: tuple[Any, ...],
    seconds: float,
    prediction: str | None,
) -> None:
    if active():
        return
    learner = st.session_state.setdefault("learner", uuid.uuid4().hex)
    limit = 2 * seconds + SLACK_SECONDS
    job = cluster().submit(function, *arguments, learner=learner, seconds_limit=limit)
    st.session_state[f"run_{kind}"] = SessionRun(kind=kind, plan=plan, job=job, prediction=prediction)


def stop() -> None:
    """Stop what is active; what it has found so far stays."""
    if run := active():
        run.job.stop()


def keep_alive() -> None:
    """Hold this session's job while the learner is on another page: a job that no page asks for is stopped."""
    if active():
        st.fragment(_touch, run_every=5.0)()


def _touch() -> None:
    if run := active():
        run.job.touch()
