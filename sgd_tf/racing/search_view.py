"""The search for learning rates: what each rate reached, as it comes, and which one was kept."""

from __future__ import annotations

import math
from collections.abc import Sequence

import streamlit as st

from sgd_tf.jobs.rows import table
from sgd_tf.racing import rows, search_chart
from sgd_tf.racing.rows import RunTrial, SearchPlan
from sgd_tf.racing.trials import best_trial, has_turned
from sgd_tf.training.records import ModelConfig, RacePlan
from sgd_tf.training.tuned_rates import LEARNING_RATES
from sgd_tf.ui import runs
from sgd_tf.ui.language import _
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.training_settings import subject
from sgd_tf.ui.trial import Trial, Verdict

Place = tuple[str, int, ModelConfig, int]  # what a learning rate holds for: problem, N, model, k

CHART_HEIGHT = 400  # px


def button() -> None:
    """Draw the button that starts a search."""
    st.button(
        _("Search"),
        icon=":material/search:",
        key="search",
        disabled=runs.active() is not None,
        help=_("Tries each contestant with growing learning rates, half a second each, and keeps the best."),
    )


def start_if_wanted(plan: RacePlan | None) -> None:
    """Start a search if the button was pressed, which stands beside the learning rates.

    Args:
        plan: of the race whose rates are searched; None if it cannot be run.
    """
    if plan and st.session_state.get("search"):
        st.session_state["searched_after"] = _latest_race()
        SEARCH.start(SearchPlan.of(plan))
    SEARCH.show_picture()


def is_latest() -> bool:
    """Whether the session's search began after its race."""
    race = _latest_race()
    return runs.get("search") is not None and (race is None or race == st.session_state.get("searched_after"))


def _latest_race() -> str | None:
    race = runs.get("race")
    return race.job.id if race else None


def draw() -> None:
    """Draw the search of this session, if there is one, and follow it while it runs."""
    search = runs.get("search")
    if search:
        with st.container(key="search_results"):
            st.subheader(_("Which learning rate is best for each k?"))
            SEARCH.result(search.plan)


def searched_rates() -> dict[Place, float]:
    """Learning rates that this session's searches found."""
    found: dict[Place, float] = st.session_state.setdefault("searched_rates", {})
    search = runs.get("search")
    if search and not search.is_active:
        plan: SearchPlan = search.plan
        for name, trials in _by_contestant(search.job.rows).items():
            if any(math.isfinite(trial.mean_loss) for trial in trials):
                k = plan.batch_sizes[name]
                place = (plan.problem, plan.num_examples, plan.model, plan.num_examples if k == "all" else k)
                found[place] = best_trial(trials).learning_rate
    return found


def _by_contestant(found: Sequence[RunTrial]) -> dict[str, list[RunTrial]]:
    names = dict.fromkeys(trial.run for trial in found)
    return {name: [trial for trial in found if trial.run == name] for name in names}


def _verdict(_plan: SearchPlan, found: list[RunTrial]) -> Verdict:
    """Which rates were kept, and which of them may not be the best."""
    trials = _by_contestant(found)
    lost = [name for name, tried in trials.items() if not any(math.isfinite(trial.mean_loss) for trial in tried)]
    kept = [name for name in trials if name not in lost]
    sentences = []
    if kept:
        sentences.append(_("Found. With “Tuned” the next race uses these rates."))
    if lost:
        text = _("{names}: every learning rate that was tried diverged, so none was kept.")
        sentences.append(text.format(names=", ".join(lost)))
    if names := [name for name in kept if not has_turned(trials[name])]:
        text = _("{names}: the best rate is the last one that was tried; one beyond it may be better.")
        sentences.append(text.format(names=", ".join(names)))
    return Verdict(text=" ".join(sentences))


def _state(plan: SearchPlan, found: list[RunTrial]) -> str:
    text = _("Searching learning rates: contestant {i} of {n}")
    return text.format(i=len(_by_contestant(found)), n=len(plan.batch_sizes))


def _settings(plan: SearchPlan) -> str:
    return subject(plan.problem, plan.model, plan.num_examples) + " · " + ", ".join(plan.batch_sizes)


def _progress(plan: SearchPlan, found: list[RunTrial]) -> float:
    return min(1.0, len(found) / (len(LEARNING_RATES) * len(plan.batch_sizes)))


def _picture(plan: SearchPlan, found: list[RunTrial]) -> None:
    trials = table(found, RunTrial)
    chart = search_chart.learning_rates(trials, batch_sizes=plan.batch_sizes, theme=page_theme(CHART_HEIGHT))
    show_chart(chart, _("Mean training loss of each learning rate"), key="search_chart")


SEARCH: Trial[SearchPlan, RunTrial] = Trial(
    kind="search",
    run=rows.search_learning_rates,
    question="",
    options={},
    seconds=lambda plan: plan.seconds,
    settings=_settings,
    progress=_progress,
    verdict=_verdict,
    picture=_picture,
    state=_state,
)
