"""What a race looks like: live while it runs, as a film when it is over, and what it showed in the end."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.jobs import JobHandle
from sgd_tf.problems import CATALOGUE
from sgd_tf.racing import scripts, verdict
from sgd_tf.racing.rows import Device, race_seconds
from sgd_tf.training import history
from sgd_tf.training.records import RacePlan
from sgd_tf.ui import address, experiment, runs
from sgd_tf.ui.language import _, titles
from sgd_tf.ui.numbers import count, digits, percent
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.words import N_

CHART_HEIGHT = 400  # px
MOST_ABOVE = 1e3  # times the loss of the initial weights that the axis of a loss may hold
MOST_BELOW = 1e9  # the same, as a divisor of it
FIRST_ROWS = 3  # of a race, of which the last one is of a contestant that has been trained
FIRST_SECONDS = 0.4  # a race whose first rows come within this is shown with them, and not first without
COUNTERS = {"seconds": N_("Seconds"), "epoch": N_("Epochs"), "update": N_("Updates"), "examples": N_("Samples")}
METRICS = {"train_loss": N_("Training loss"), "test_loss": N_("Test loss"), "test_accuracy": N_("Accuracy")}
SETTINGS = (
    address.choice("x", "seconds", COUNTERS),
    address.choice("y", "train_loss", METRICS),
    address.switch("log", default=True),
)


def _axes() -> None:
    """Draw the controls of the picture: what is counted, what is measured, and on which scale."""
    address.restore(SETTINGS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            _("Counted in"),
            list(COUNTERS),
            format_func=titles(COUNTERS),
            key="x",
            required=True,
            persist_state="session",
            on_change=_redraw,
        )
        st.segmented_control(
            _("Measured"),
            list(METRICS),
            format_func=titles(METRICS),
            key="y",
            required=True,
            persist_state="session",
            on_change=_redraw,
        )
        st.toggle(
            _("Log"),
            key="log",
            persist_state="session",
            on_change=_redraw,
            help=_("Logarithmic scale: each step down is a tenth of the loss."),
            disabled=st.session_state["y"] == "test_accuracy",
        )
    address.publish(SETTINGS)


def picture(plan: RacePlan | None) -> None:
    """Draw the race of this session, and follow it while it runs.

    Args:
        plan: what the controls describe; drawn as empty axes before the first race.
    """
    st.fragment(_axes, key="race_view")()
    run = runs.get("race")
    if run and run.is_active and st.session_state.get("race_begun") != run.job.id:
        st.session_state["race_begun"] = run.job.id
        run.job.wait(FIRST_SECONDS, num_rows=FIRST_ROWS)
    experiment.follow("race", functools.partial(_picture, plan))


def _picture(plan: RacePlan | None, run: SessionRun | None) -> None:
    table = frame(run) if run else history.to_frame([])
    shown = run.plan if run else plan
    visible = table if run is None or run.is_active else _looked_at(run, table)
    with st.container(key="race_chart"):
        _chart(visible, table, shown)
    with st.container(height=experiment.status_height(run), border=False, key="race_clock"):
        _clock(run, table)
    _standings(visible, shown)


def frame(run: SessionRun) -> pd.DataFrame:
    """History of a race so far; all who ask get the same table, which none may change."""
    attempt, found = run.job.attempt, run.job.rows
    made = _frames.get(run.job)
    if made is None or made[0] != (attempt, len(found)):
        table = history.to_frame(row for row in found if isinstance(row, history.Row))
        _frames[run.job] = made = (attempt, len(found)), table
    return made[1]


# The latest table of each race, as long as somebody has the race.
_frames: WeakKeyDictionary[JobHandle, tuple[tuple[int, int], pd.DataFrame]] = WeakKeyDictionary()


def _film_key(run: SessionRun) -> str:
    """Key of the control that holds the second of training at which a finished race is looked at."""
    return f"film_{run.job.id}"


def _looked_at(run: SessionRun, table: pd.DataFrame) -> pd.DataFrame:
    """What was known of a finished race at the second that its control holds."""
    now = st.session_state.get(_film_key(run))
    return table if now is None else history.at_time(table, now)


def _redraw() -> None:
    """Draw the curves and numbers anew, and nothing else of the page; a callback of the controls that change them."""
    st.rerun(["race_view", "race_picture", "race_axes"])


def _chart(visible: pd.DataFrame, table: pd.DataFrame, plan: RacePlan | None) -> None:
    x, y = st.session_state["x"], st.session_state["y"]
    is_regression = plan is not None and CATALOGUE[plan.problem].task == "regression"
    if y == "test_accuracy" and is_regression:
        with st.container(height=CHART_HEIGHT, border=False):
            st.info(_("This problem is a regression: it has a loss, but no accuracy."))
        return
    _curves(plan, table, visible, x=x, y=y, height=CHART_HEIGHT)


def _curves(
    plan: RacePlan | None,
    table: pd.DataFrame,
    visible: pd.DataFrame,
    *,
    x: charts.Counter,
    y: charts.Metric,
    height: int,
    compact: bool = False,
) -> None:
    """One chart of what is visible of a race, on the axes of the whole race."""
    log = st.session_state["log"] and y != "test_accuracy"
    target = plan.target if plan and y == plan.target_metric else None
    chart = charts.curves(
        visible,
        x=charts.Axis(x, _x_domain(table, plan, x)),
        y=charts.Axis(y, _y_domain(table, plan, y, log=log), log=log),
        target=None if log and target == 0 else target,
        band=y == "train_loss",
        theme=page_theme(height, compact=compact),
    )
    key = f"race_{x}" if compact else "race_curves"
    show_chart(chart, _chart_name(y, x), key=key)


def _chart_name(metric: str, counter: str) -> str:
    measured, counted = METRICS[metric], COUNTERS[counter]
    return _("{y} of each contestant against {x}").format(y=_(measured), x=_(counted))


def _x_domain(table: pd.DataFrame, plan: RacePlan | None, x: str) -> tuple[float, float]:
    """From 0 to the budget; for the other counters to a round number above what they have reached."""
    if x == "seconds":
        return 0.0, plan.seconds if plan else 5.0
    return 0.0, _round_up(1.0 if table.empty else max(1.0, float(table[x].max())), (1, 2, 5, 10))


def _round_up(value: float, steps: Sequence[float]) -> float:
    """The next of these steps, times a power of ten: axes that many races share, whose charts are written once."""
    unit = 10 ** math.floor(math.log10(value))
    return float(next(step * unit for step in steps if step * unit >= value))


def _y_domain(table: pd.DataFrame, plan: RacePlan | None, y: str, *, log: bool) -> tuple[float, float]:
    """Fixed at the start of a race by the loss of the initial weights and the target; it follows a loss that leaves it.

    The axis is extended in steps, so that it jumps seldom. Runs that diverged do not count. On a linear axis one run
    inside is enough: a loss that grew would squash the others.
    """
    if y == "test_accuracy":
        return 0.0, 1.0
    has_diverged = table["run"].isin(table.loc[table["diverged_at"].notna(), "run"])
    losses = table.loc[np.isfinite(table[y]) & ~has_diverged, ["run", y]]
    first = float(table[y].iloc[0]) if len(table) else 0.0
    start = _round_up(first, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8, 10)) if 0 < first < math.inf else 2.5
    target = plan.target if plan and plan.target and y == plan.target_metric else None
    high = max(start, target if target and target <= MOST_ABOVE * start else 0.0)
    last = losses.drop_duplicates("run", keep="last")[y]
    reached = losses[y].max() if log else last.min()
    if reached > 1.6 * high:
        high = min(_round_up(float(reached), (1, 2, 5, 10)), MOST_ABOVE * high)
    if not log:
        return 0.0, 1.05 * high
    goal = min(target or start / 100, start / 2)
    low = goal / max(1.5, min(1000.0, (start / goal) ** 0.85))
    lowest = losses.loc[losses[y] > 0, y].min()
    if lowest < low:
        low = max(_round_up(float(lowest), (1, 2, 5, 10)) / 2.5, start / MOST_BELOW)
    return low, 1.6 * high


def _clock(run: SessionRun | None, table: pd.DataFrame) -> None:
    """One line below the chart: the queue, the time that is left, or the film of the finished race."""
    search = runs.get("search")
    if search and search.is_active:
        num_tried = len({trial.run for trial in search.job.rows})
        text = _("Searching learning rates: contestant {i} of {n}, shown below")
        num = len(search.plan.configs)
        st.progress(max(0, num_tried - 1) / num, text.format(i=max(1, num_tried), n=num))
        return
    if run is None:
        st.progress(0.0, _("Ready when you are: press Run."))
        return
    job = run.job
    total = race_seconds(run.plan)
    if job.status == "waiting":
        experiment.waiting(run)
    elif job.status == "running":
        done = _training_seconds(table, run.plan)
        if table.empty:
            st.progress(0.0, _("Loading the data and compiling …"))
            return
        left = max(0.0, total - done)
        text = _("Trained for {done:.1f} of {total:.0f} s · {left:.0f} s left · on {device}").format(
            done=done, total=total, left=left, device=_device(run)
        )
        if run.job.attempt > 1:
            text = _("Started again") + " · " + text
        st.progress(min(1.0, done / total), text)
    elif job.status == "failed":
        st.error(experiment.failure_text(job.failure, run.plan))
    elif table.empty or not table["seconds"].any():
        st.progress(0.0, _("Stopped before anything was trained."))
    else:
        # The browser rounds to whole steps: an end between two of them would come back as a change that nobody made.
        end = math.ceil(100 * table["seconds"].max()) / 100
        st.slider(
            _("Look back: seconds of training"),
            0.0,
            end,
            value=end,
            step=0.01,
            format="%.2f s",
            key=_film_key(run),
            on_change=_redraw,
        )


def _training_seconds(table: pd.DataFrame, plan: RacePlan) -> float:
    """Seconds that all contestants have trained together; one that diverged counts as finished."""
    last = table.drop_duplicates("run", keep="last")
    return float(last["seconds"].where(last["diverged_at"].isna(), plan.seconds).sum())


def _device(run: SessionRun) -> str:
    return next((row.name for row in run.job.rows[:1] if isinstance(row, Device)), "CPU")


def _standings(visible: pd.DataFrame, plan: RacePlan | None) -> None:
    """Where each contestant stands at the moment that is looked at."""
    if plan is None:
        return
    last = {row["run"]: row for row in history.latest(visible).to_dict("records")} if len(visible) else {}
    rows = []
    for name in plan.configs:
        values: Mapping[str, Any] = last.get(name, {})
        rows.append(
            {
                "name": name,
                "loss": digits(values.get("train_loss"), 3),
                "accuracy": percent(values.get("test_accuracy")),
                "updates": count(history.num_updates(values)),
                "updates_per_second": count(values.get("updates_per_second")),
                "examples_per_second": count(values.get("examples_per_second")),
                "state": verdict.state(values),
            }
        )
    titles = {
        "name": _("Contestant"),
        "loss": _("Training loss"),
        "accuracy": _("Test accuracy"),
        "updates": _("Updates"),
        "updates_per_second": _("Updates/s"),
        "examples_per_second": _("Samples/s"),
        "state": _("State"),
    }
    table = pd.DataFrame(rows)
    if not table["accuracy"].ne("–").any() and CATALOGUE[plan.problem].task == "regression":
        table = table.drop(columns="accuracy")
    if not table["state"].ne("").any():
        table = table.drop(columns="state")
    with st.container(key="race_standings"):
        st.table(table.rename(columns=titles).set_index(_("Contestant")))


def results() -> None:
    """What a finished race showed: the verdict, the table to the target, the four axes, the code and the data."""
    run = runs.get("race")
    table = frame(run) if run and not run.is_active else history.to_frame([])
    with st.container(key=None if table.empty else "race_results"):
        if run and not table.empty:
            verdict.draw(run, table)
        st.fragment(_four_axes, key="race_axes")()  # always: the film may ask for it when the next race has begun
        if run and not table.empty:
            _take_home(run, table)


def _four_axes() -> None:
    """The finished race against seconds, epochs, updates and samples, at the moment that is looked at."""
    run = runs.get("race")
    if run is None or run.is_active:
        return
    table = frame(run)
    if table.empty:
        return
    st.subheader(_("The same race on four axes"))
    st.caption(_who_is_ahead(table))
    with st.grid(2, min_column_width=300, gap="small"):
        for counter in charts.COUNTERS:
            _curves(run.plan, table, _looked_at(run, table), x=counter, y="train_loss", height=250, compact=True)


def _who_is_ahead(table: pd.DataFrame) -> str:
    """What the four axes are for, with who made the fewest updates and who saw the most samples."""
    sentence = _("Who is ahead depends on what is counted.")
    last = history.latest(table)
    if len(last) == 1:
        return sentence
    fewest, most = last.loc[last["update"].idxmin()], last.loc[last["examples"].idxmax()]
    text = _("Fewest updates: {name}, {updates}. Most samples: {other}, {samples}.").format(
        name=fewest["run"], updates=count(fewest["update"]), other=most["run"], samples=count(most["examples"])
    )
    return f"{sentence} {text}"


def _take_home(run: SessionRun, table: pd.DataFrame) -> None:
    """The numbers as CSV and the race as a script."""
    script = scripts.race_script(run.plan)
    with st.container(horizontal=True):
        st.download_button(
            _("All numbers (CSV)"),
            table.to_csv(index=False),
            "race.csv",
            "text/csv",
            icon=":material/table:",
            on_click="ignore",
        )
        st.download_button(
            _("This race as a script"), script, "race.py", "text/x-python", icon=":material/code:", on_click="ignore"
        )
    with st.expander(_("The code of this race")):
        st.code(script, language="python")
