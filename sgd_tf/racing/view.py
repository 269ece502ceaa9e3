"""What a race looks like: live while it runs, as a film when it is over, with its verdict above the picture."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast
from weakref import WeakKeyDictionary

import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.jobs import JobHandle
from sgd_tf.problems import CATALOGUE
from sgd_tf.racing import chart, controls, film, rows, seeds, verdict, wording
from sgd_tf.racing.rows import Device, StableLimit, race_seconds
from sgd_tf.racing.snapshots import Scene, Snapshot
from sgd_tf.training import history, seed_curves
from sgd_tf.training.records import RacePlan
from sgd_tf.ui import progress, runs
from sgd_tf.ui.film import player
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import count, digits, percent
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Trial, Verdict

CHART_HEIGHT = 345  # px: verdict and picture stand on a screen of 800 px
FIRST_ROWS = 5  # of a race, of which the last one is of a contestant that has been trained
FIRST_SECONDS = 0.4  # a race whose first rows come within this is shown with them, and not first without

Found = list[Any]  # rows of a race: its device, its records, the limit of gradient descent


def draw(plan: RacePlan | None) -> None:
    """Draw the race of this session, and follow it while it runs.

    Args:
        plan: what the controls describe; drawn as empty axes before the first race.
    """
    st.fragment(controls.axes, key="race_view")(redraw)
    run = runs.get("race")
    if run and run.is_active and st.session_state.get("race_begun") != run.job.id:
        st.session_state["race_begun"] = run.job.id
        run.job.wait(FIRST_SECONDS, num_rows=FIRST_ROWS)
    RACE.result(plan)


def redraw() -> None:
    """Draw the curves and numbers anew, and nothing else of the page; a callback of the controls that change them."""
    st.rerun(["race_view", "race_picture", "race_axes"])


def frame(run: SessionRun) -> pd.DataFrame:
    """History of a race so far; all who ask get the same table, which none may change."""
    attempt, found = run.job.attempt, run.job.rows
    made = _frames.get(run.job)
    if made is None or made[0] != (attempt, len(found)):
        table = history.to_frame(row for row in rows.latest_part(found) if isinstance(row, history.Row))
        _frames[run.job] = made = (attempt, len(found)), table
    return made[1]


# The latest table of each race, as long as somebody has the race.
_frames: WeakKeyDictionary[JobHandle, tuple[tuple[int, int], pd.DataFrame]] = WeakKeyDictionary()


def _table() -> pd.DataFrame:
    """History of the session's race."""
    run = runs.get("race")
    return frame(run) if run else history.to_frame([])


def as_one(table: pd.DataFrame) -> pd.DataFrame:
    """One run for each contestant: of several seeds their median."""
    return seed_curves.over_seeds(table) if seed_curves.has_seeds(table) else table


def _picture(plan: RacePlan, _found: Found) -> None:
    run, table = runs.get("race"), _table()
    y = controls.Y.value
    with st.container(key="race_chart"):
        if y == "test_accuracy" and CATALOGUE[plan.problem].task == "regression":
            with st.container(height=CHART_HEIGHT, border=False):
                st.info(_("This problem is a regression: it has a loss, but no accuracy."))
        else:
            curves(plan, table, x=controls.X.value, y=y, height=CHART_HEIGHT)
    with st.container(key="race_film"):
        _film(run, table)
    with st.container(key="race_standings"):
        _standings(as_one(table), plan)


def curves(
    plan: RacePlan,
    table: pd.DataFrame,
    *,
    x: str,
    y: str,
    height: int,
    compact: bool = False,
) -> None:
    """Show one chart of a race.

    Args:
        plan: of the race.
        table: its records so far.
        x: what is counted.
        y: what is measured.
        height: in px.
        compact: whether it is one of several side by side, which show ratios as distances.
    """
    drawn = chart.race_curves(
        table,
        plan,
        x=cast(charts.Counter, x),
        y=cast(charts.Metric, y),
        log=controls.LOG.value,
        is_over=(run := runs.get("race")) is not None and not run.is_active,
        theme=page_theme(height, compact=compact),
    )
    words = _("{y} of each contestant against {x}").format(y=controls.Y.title(y), x=controls.X.title(x))
    show_chart(drawn, words, key=f"race_{x}" if compact else "race_curves")


def _film(run: SessionRun | None, table: pd.DataFrame) -> None:
    """What the models of a race that is over had learned at each moment, with its curves."""
    if run is None or run.is_active:
        return
    of_race = rows.latest_part(run.job.rows)
    scene = next((row for row in of_race if isinstance(row, Scene)), None)
    shown = film.film(run.plan, as_one(table), scene, [row for row in of_race if isinstance(row, Snapshot)])
    if shown is not None:
        player.show(shown, key=f"film_{run.job.id}")


def _standings(table: pd.DataFrame, plan: RacePlan) -> None:
    """Where each contestant stands."""
    last = {row["run"]: row for row in history.latest(table).to_dict("records")} if len(table) else {}
    values: list[Mapping[str, Any]] = [last.get(name, {}) for name in plan.configs]
    columns = {
        _("Contestant"): list(plan.configs),
        _("Training loss"): [digits(each.get("train_loss"), 3) for each in values],
        _("Test accuracy"): [percent(each.get("test_accuracy")) for each in values],
        _("Updates"): [count(history.num_updates(each)) for each in values],
        _("Updates/s"): [count(each.get("updates_per_second")) for each in values],
        _("Samples/s"): [count(each.get("examples_per_second")) for each in values],
        _("State"): [wording.state(each) for each in values],
    }
    if CATALOGUE[plan.problem].task == "regression":
        del columns[_("Test accuracy")]
    if not any(columns[_("State")]):
        del columns[_("State")]
    st.table(pd.DataFrame(columns).set_index(_("Contestant")))


def found(plan: RacePlan) -> verdict.Verdict:
    """What the session's race showed."""
    run = runs.get("race")
    limits = [row.learning_rate for row in run.job.rows if isinstance(row, StableLimit)] if run else []
    return verdict.verdict(plan, as_one(_table()), stable_below=limits[0] if limits else None)


def _verdict(plan: RacePlan, _found: Found) -> Verdict:
    showed = found(plan)
    run = runs.get("race")
    real = seeds.is_it_real(plan, _table(), is_over=run is not None and run.job.status == "done")
    text = wording.verdict(showed, plan)
    return Verdict(text=text if real is None else f"{text} {wording.real(real)}", answer=showed.answer)


def _training_seconds(plan: RacePlan) -> float:
    """Seconds that all contestants have trained together; one that diverged counts as finished."""
    last = _table().drop_duplicates("run", keep="last")
    return float(last["seconds"].where(last["diverged_at"].isna(), plan.seconds).sum())


def _num_arrived(plan: RacePlan) -> int:
    """Contestants at the target so far."""
    if plan.target is None:
        return 0
    return int(history.time_to_target(as_one(_table()), plan.target, metric=plan.target_metric)["reached"].sum())


def go_on() -> None:
    """Offer to run a race to its limit that has ended at the target: the same race, from its start."""
    run = runs.get("race")
    if run is None or run.is_active or found(run.plan).ended_at is None:
        return
    words = _("Go on to {seconds} s").format(seconds=f"{run.plan.seconds:g}")
    why = _("The same race from the start, without an end at the target: what becomes of the loss, and of the test?")
    if st.button(words, icon=":material/fast_forward:", key="race_go_on", help=why, disabled=runs.active() is not None):
        RACE.start(dataclasses.replace(run.plan, until="limit"))


def _state(plan: RacePlan, found: Found) -> str:
    run = runs.get("race")
    if run and run.job.place is not None:  # its first points are there
        return progress.waiting_text(run)
    if _table().empty:
        return ""  # it loads and compiles
    device = next((row.name for row in found[:1] if isinstance(row, Device)), "CPU")
    text = wording.progress(plan, _training_seconds(plan), device, num_arrived=_num_arrived(plan))
    return _("Started again") + " · " + text if run and run.job.attempt > 1 else text


def _begin(plan: RacePlan, prediction: str | None) -> None:
    """Start a race: where others wait, with its first points, so that each of a class sees something soon."""
    seconds = race_seconds(plan)
    if runs.cluster().num_waiting == 0:
        runs.start("race", rows.run_race, plan, seconds=seconds, prediction=prediction)
        return
    runs.start_sliced(
        "race",
        lambda found, under_way, _num: rows.next_part(plan, found, under_way),
        seconds=seconds,
        plan=plan,
        prediction=prediction,
    )


RACE: Trial[RacePlan, Any] = Trial(
    kind="race",
    begin=_begin,
    question=wording.question,
    options=lambda plan: {name: name for name in plan.configs},
    settings=wording.settings,
    progress=lambda plan, _found: min(1.0, _training_seconds(plan) / race_seconds(plan)),
    verdict=_verdict,
    picture=_picture,
    state=_state,
    beside=("search",),
)
