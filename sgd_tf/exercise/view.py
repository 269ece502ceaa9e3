"""The exercise on the page: as the book has it, what it left open, and the tasks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pandas as pd
import streamlit as st

from sgd_tf.exercise import chart, controls, notebook, rows, verdict, wording
from sgd_tf.exercise.rows import EpochLoss, ExercisePlan, Row
from sgd_tf.exercise.tasks import TASKS, Task
from sgd_tf.training import over_seeds
from sgd_tf.ui import runs
from sgd_tf.ui.language import _, current
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Trial, Verdict
from sgd_tf.words import N_

NEARNESS = {
    "exact": N_("0.3122 too, in all four digits"),
    "near": N_("Another number, at most 0.03 away"),
    "far": N_("A number further away"),
}
CHART_HEIGHT = 380  # px
SECONDS = 60.0  # of training, at most


def _bands(plan: ExercisePlan, found: list[Row]) -> pd.DataFrame:
    """Median and range over the seeds of each loss, by setting and epoch."""
    measures = [name for name in wording.MEASURES if plan.has_validation or name != "validation_loss"]
    columns = ["setting", "seed", "epoch", "measure", "loss"]
    table = pd.DataFrame(
        [
            (row.setting, row.seed, row.epoch, measure, value)
            for row in found
            if isinstance(row, EpochLoss) and row.epoch
            for measure in measures
            if (value := getattr(row, measure)) is not None
        ],
        columns=columns,
    ).astype({"loss": "float64", "epoch": "int64", "setting": "int64"})
    return over_seeds.band(table, ["setting", "measure", "epoch"], "loss")


def _of_whole_seeds(plan: ExercisePlan, found: list[Row]) -> list[Row]:
    """Without the seed under way, unless it is the first: a median over seeds of unequal lengths would jump."""
    last = {(row.seed, row.setting): row for row in found if isinstance(row, EpochLoss)}
    if not last or (seed := max(last)[0]) == plan.seed:
        return found
    ends = [setting.num_epochs or plan.num_epochs for setting in plan.settings]
    own = [last.get((seed, place)) for place in range(len(ends))]
    if all(row and (row.train_loss is None or row.epoch == end) for row, end in zip(own, ends, strict=True)):
        return found
    return [row for row in found if not isinstance(row, EpochLoss) or row.seed != seed]


def _picture(plan: ExercisePlan, found: list[Row]) -> None:
    first = chart.first_epoch(plan)
    names = {key: _(name) for key, name in wording.MEASURES.items() if plan.has_validation or key != "validation_loss"}
    with st.container(key="exercise_chart"):
        bands = _bands(plan, _of_whole_seeds(plan, found))
        picture = chart.losses(bands, plan, names=names, theme=page_theme(CHART_HEIGHT))
        words = _("Loss against epochs, a colour for each k")
        show_chart(picture, words, key="exercise_losses")
    lines = [_("Solid: mean of the minibatch losses of an epoch. Dashed: loss of all rows at its end.")]
    if plan.has_validation:
        lines.append(_("Dotted: loss of the rows kept back."))
    if first > 1:
        lines.append(_("The picture begins at epoch {n}.").format(n=first))
    if plan.data == "california" and plan.num_epochs >= min(rows.BOOK):
        lines.append(_("Diamonds: printed in the book."))
    st.caption(" ".join(lines))


def _progress(plan: ExercisePlan, found: list[Row]) -> float:
    return min(1.0, _done(plan, found)[0])


def _done(plan: ExercisePlan, found: list[Row]) -> tuple[float, float]:
    """Share of all updates of the plan that are made, and the seconds that they took."""
    last = {(row.setting, row.seed): row for row in found if isinstance(row, EpochLoss)}
    updates, made = 0, 0
    for place, setting in enumerate(plan.settings):
        per_epoch = math.ceil(rows.NUM_ROWS / setting.size)
        updates += plan.num_seeds * per_epoch * (setting.num_epochs or plan.num_epochs)
        made += per_epoch * sum(row.epoch for (at, _seed), row in last.items() if at == place)
    return made / updates, sum(row.seconds for row in last.values())


def _state(plan: ExercisePlan, found: list[Row]) -> str:
    """The share that is done, and the seconds that are left at the speed so far."""
    share, seconds = _done(plan, found)
    if not share:
        return ""
    left = seconds * (1 - share) / share
    return _("Training: {share}, about {left} s left").format(share=f"{share:.0%}", left=f"{max(1.0, left):.0f}")


def _trial(
    part: str,
    judge: Callable[[ExercisePlan, list[Row]], Verdict | None],
    *,
    question: str = "",
    options: Callable[[ExercisePlan], Mapping[str, str]] = lambda _plan: {},
) -> Trial[ExercisePlan, Row]:
    """A part of the exercise: its own question and verdict, and the runs that all parts share."""
    return Trial(
        kind=f"exercise_{part}",
        run=rows.train_all,
        question=question,
        options=options,
        seconds=lambda _plan: SECONDS,
        settings=controls.settings_text,
        progress=_progress,
        verdict=judge,
        picture=_picture,
        state=_state,
    )


# 1. As in the book


def _book_verdict(plan: ExercisePlan, found: list[Row]) -> Verdict | None:
    says = verdict.beside_book(plan, found)
    return Verdict(text=wording.beside_book(says, plan), answer=says.answer) if says else None


BOOK = _trial(
    "book",
    _book_verdict,
    question=N_("The book printed 0.3122 after 400 epochs. Your network starts from other weights. It prints …"),
    options=lambda plan: NEARNESS if plan.data == "california" else {},
)


# 2. What the book left open


def _sizes(plan: ExercisePlan) -> dict[str, str]:
    return {str(setting.batch_size): setting.name for setting in plan.settings}


def _open_verdict(plan: ExercisePlan, found: list[Row]) -> Verdict | None:
    says = verdict.ranking(plan, found)
    if says is None:
        return None
    names = [str(setting.batch_size) for setting in plan.settings]
    answer = None if says.best is None else names[says.best]
    return Verdict(text=wording.ranking(says, plan), answer=answer, also=[names[place] for place in says.also])


OPEN = _trial(
    "open",
    _open_verdict,
    question=N_("After the same epochs, which k has the lowest training loss?"),
    options=_sizes,
)


# 3. Tasks


def _task_verdict(plan: ExercisePlan, found: list[Row]) -> Verdict | None:
    task = next((task for task in TASKS.values() if _is_of(task, plan)), None)
    if task is None:
        return None
    says = verdict.attempt(plan, found, task.factor)
    return Verdict(text=wording.attempt(says), answer="reached" if says and says.is_reached else None)


def _is_of(task: Task, plan: ExercisePlan) -> bool:
    """Whether a plan is the check of a task."""
    own = plan.settings[1]
    return task.plan(plan.data, own.size if task.chosen == "k" else own.learning_rate) == plan


CHECK = _trial(
    "check",
    _task_verdict,
)


def hints(task: Task) -> None:
    """Draw the hints that are open, and the button that opens the next one."""
    key = f"exercise_hints_{task.key}"
    num = st.session_state.setdefault(key, 0)
    for number, hint in enumerate(task.hints[:num], start=1):
        st.markdown(f"{number}. {_(hint)}")
    if num < len(task.hints):
        st.button(
            _("Show a hint ({n} of {all})").format(n=num + 1, all=len(task.hints)),
            icon=":material/lightbulb:",
            key=f"exercise_hint_{task.key}",
            on_click=_open_hint,
            args=(key,),
        )


def _open_hint(key: str) -> None:
    st.session_state[key] += 1


def offer_flights(kind: str) -> None:
    """Where the table could not be downloaded: offer the one in the package."""
    run = runs.get(kind)
    failure = run.job.failure if run else None
    if failure and failure.kind == "download":
        st.button(
            _("Do the same exercise with 20,640 flights"),
            icon=":material/flight:",
            key=f"{kind}_flights",
            on_click=controls.DATA.set,
            args=("flights",),
        )


def code() -> None:
    """Draw the exercise as plain TensorFlow, folded, and the notebook with the tasks solved."""
    with st.expander(_("The code")):
        st.code(notebook.source(), language="python")
        st.download_button(
            _("The solution as a notebook"),
            notebook.notebook(_),
            file_name=f"exercise_{current()}.ipynb",
            mime="application/x-ipynb+json",
            icon=":material/download:",
            key="exercise_notebook",
        )
