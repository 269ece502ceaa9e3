"""The controls of the exercise: each setting once, and the plans that they make."""

from __future__ import annotations

from typing import cast

import streamlit as st

from sgd_tf.exercise.rows import BOOK, MAX_SEED, NUM_ROWS, Data, ExercisePlan, Setting, Weights
from sgd_tf.exercise.tasks import TASKS, Task
from sgd_tf.training.records import MAX_LEARNING_RATE
from sgd_tf.ui.language import _
from sgd_tf.ui.settings import Choice, Number, Switch, seed
from sgd_tf.words import N_

WIDTH = 132  # px, of a number's control
# A learning rate for each k: of a few that were tried, the best after 50 epochs of California.
SIZES: dict[int, float] = {32: 0.02, 256: 0.05, 1_024: 0.04, NUM_ROWS: 0.1}

PART = Choice(
    key="exercise_part",
    label=N_("What to do"),
    options={"book": N_("As in the book"), "open": N_("What the book left open"), "tasks": N_("Tasks")},
    default="book",
)
DATA = Choice(
    key="exercise_data",
    label=N_("Table"),
    options={"california": N_("California house values"), "flights": N_("20,640 flights (no download)")},
    default="california",
    widget="select",
)
EPOCHS = Choice(key="exercise_epochs", label=N_("Epochs"), options=[str(n) for n in BOOK if n >= 400], default="1000")
WEIGHTS = Choice(
    key="exercise_weights",
    label=N_("Initial weights"),
    options={"keras": N_("He-normal (Keras)"), "pytorch": N_("As PyTorch draws them")},
    default="keras",
)
SEEDS = Choice(key="exercise_seeds", label=N_("Seeds"), options=("1", "3", "5"), default="1")
SEED = seed("exercise_seed")
OPEN_EPOCHS = Choice(key="exercise_open_epochs", label=N_("Epochs"), options=("20", "50", "100", "200"), default="50")
OPEN_SEEDS = Choice(key="exercise_open_seeds", label=N_("Seeds"), options=("1", "3", "5"), default="3")
RATES = Choice(
    key="exercise_rates",
    label=N_("Learning rates"),
    options={"one": N_("0.01 for all"), "each": N_("One for each k")},
    default="each",
)
VALIDATION = Switch(key="exercise_validation", label=N_("Keep a fifth back for validation"), default=False)
OPEN_RATES: dict[int, Number[float]] = {
    k: Number(
        key=f"exercise_rate_{k}",
        label="k = N" if k == NUM_ROWS else f"k = {k:,}",
        low=1e-6,
        high=MAX_LEARNING_RATE,
        default=rate,
    )
    for k, rate in SIZES.items()
}
TASK = Choice(
    key="exercise_task",
    label=N_("Task"),
    options={key: task.grade for key, task in TASKS.items()},
    default="k",
    widget="select",
)
TASK_SIZE = Number(key="exercise_task_k", label=N_("Batch size k"), low=16, high=NUM_ROWS, default=256)
TASK_RATE = Number(key="exercise_task_rate", label=N_("Learning rate"), low=1e-6, high=MAX_LEARNING_RATE, default=0.01)


def part() -> str:
    """Draw the choice of what to do, and return it."""
    return PART.draw(label_visibility="collapsed")


def _data() -> Data:
    words = _("Scikit-learn downloads California once (0.4 MB). The flights are in the package.")
    return cast("Data", DATA.draw(help=words))


def book_plan() -> ExercisePlan:
    """Draw the controls of the exercise as the book has it, and return what they say."""
    data = _data()
    num_epochs = int(EPOCHS.draw(title=lambda text: f"{int(text):,}"))
    weights = cast("Weights", WEIGHTS.draw())
    with st.container(horizontal=True, vertical_alignment="bottom"):
        num_seeds = int(SEEDS.draw())
        return ExercisePlan(
            data=data,
            num_epochs=num_epochs,
            weights=weights,
            num_seeds=num_seeds,
            seed=SEED.draw(high=MAX_SEED + 1 - num_seeds, width=WIDTH),
        )


def open_plan() -> ExercisePlan:
    """Draw the controls of what the book left open, and return what they say."""
    data = _data()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        num_epochs, num_seeds = int(OPEN_EPOCHS.draw()), int(OPEN_SEEDS.draw())
    rates: dict[int, float] = dict.fromkeys(SIZES, 0.01)
    if RATES.draw() == "each":
        with st.container(horizontal=True, vertical_alignment="bottom"):
            rates = {k: number.draw(width=WIDTH) for k, number in OPEN_RATES.items()}
    return ExercisePlan(
        data=data,
        settings=tuple(
            Setting(batch_size="all" if k == NUM_ROWS else k, learning_rate=rate) for k, rate in rates.items()
        ),
        num_epochs=num_epochs,
        has_validation=VALIDATION.draw(),
        num_seeds=num_seeds,
    )


def task() -> Task:
    """Draw the choice of a task, and return it."""
    return TASKS[TASK.draw()]


def task_plan(chosen: Task) -> ExercisePlan | None:
    """Draw the control that a task leaves to the learner; return its check, None at the book's own setting."""
    data = _data()
    value = TASK_SIZE.draw(width=WIDTH) if chosen.chosen == "k" else TASK_RATE.draw(width=WIDTH)
    found = chosen.plan(data, value)
    if found is None:
        st.caption(_("This is the book's own setting: choose another k."))
    return found


def settings_text(plan: ExercisePlan) -> str:
    """The settings of a run in one line."""
    runs = "; ".join(f"{setting.name}, γ = {setting.learning_rate:g}" for setting in plan.settings)
    seeds = _("{n} seeds").format(n=plan.num_seeds) if plan.num_seeds > 1 else _("seed {n}").format(n=plan.seed)
    epochs = _("{n} epochs").format(n=f"{plan.num_epochs:,}")
    parts = [DATA.title(plan.data), runs, epochs, seeds]
    if plan.weights == "pytorch":
        parts.append(WEIGHTS.title("pytorch"))
    if plan.has_validation:
        parts.append(_("with validation"))
    return " · ".join(parts)
