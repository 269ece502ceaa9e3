"""Tasks in three grades: one setting is given, the learner chooses another, and a run of both is the check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sgd_tf.checks import BatchSize
from sgd_tf.exercise.rows import NUM_ROWS, Data, ExercisePlan, Setting
from sgd_tf.words import N_

NUM_SEEDS = 3


@dataclass(frozen=True, kw_only=True)
class Task:
    """What is asked, its hints from vague to plain, and how it is checked."""

    key: str
    grade: str  # in English, as it stands in the catalogues
    text: str  # in English; the goal in its words is that of `factor`
    hints: tuple[str, ...]  # in English
    chosen: Literal["k", "rate"]  # what the learner chooses
    batch_size: BatchSize = 256  # of the learner, where the rate is chosen
    learning_rate: float = 0.01  # of the learner, where k is chosen
    num_epochs: int = 100
    reference_epochs: int | None = None  # of the book's setting, where it has fewer
    factor: float  # goal: a multiple of the loss that the book's setting ends at
    solution: float  # a value that reaches the goal on either table

    def setting(self, value: float) -> Setting:
        """The learner's setting with the value chosen."""
        if self.chosen == "k":
            return Setting(batch_size="all" if value == NUM_ROWS else int(value), learning_rate=self.learning_rate)
        return Setting(batch_size=self.batch_size, learning_rate=value)

    def plan(self, data: Data, value: float) -> ExercisePlan | None:
        """The check: the book's setting and the learner's; None where these are the same."""
        reference, own = Setting(num_epochs=self.reference_epochs), self.setting(value)
        if (reference.batch_size, reference.learning_rate) == (own.batch_size, own.learning_rate):
            return None
        return ExercisePlan(data=data, settings=(reference, own), num_epochs=self.num_epochs, num_seeds=NUM_SEEDS)


TASKS: dict[str, Task] = {
    task.key: task
    for task in (
        Task(
            key="k",
            grade=N_("Grade 1: another k"),
            text=N_(
                "The learning rate stays at 0.01. Choose k so that the training loss after 100 epochs is at least 5% "
                "below that of the book's setting."
            ),
            hints=(
                N_("How many updates does an epoch have? It is ⌈N/k⌉, and N is 20,640."),
                N_("At the same learning rate, more updates get further in the same epochs."),
                N_("Divide k by eight: an epoch then has eight times as many updates."),
            ),
            chosen="k",
            factor=0.95,
            solution=32,
        ),
        Task(
            key="rate",
            grade=N_("Grade 2: k = 1,024, another rate"),
            text=N_(
                "k is 1,024, four times the book's. Choose the learning rate so that the training loss after 100 "
                "epochs is at most 5% above that of the book's setting."
            ),
            hints=(
                N_("An epoch has a quarter of the updates now. What can make each of them go further?"),
                N_("A mean over more samples is less noisy, so a longer step is safe, up to a limit."),
                N_("Scaled as k, by four, the rate is 0.04. Try values between that and 0.1."),
            ),
            chosen="rate",
            batch_size=1_024,
            factor=1.05,
            solution=0.08,
        ),
        Task(
            key="gd",
            grade=N_("Grade 3: gradient descent"),
            text=N_(
                "k is N: one update per epoch. Choose the learning rate so that 1,000 updates reach at most 1.1 times "
                "the loss that the book's setting has after 50 epochs, which are 4,050 updates."
            ),
            hints=(
                N_("With 0.01 the loss falls all the time, but too slowly."),
                N_("A gradient of all samples has no noise, but too long a step still jumps over the valley."),
                N_("Scaling by k/256 would give 0.8, far beyond the limit. Try values between 0.03 and 0.1."),
            ),
            chosen="rate",
            batch_size="all",
            num_epochs=1_000,
            reference_epochs=50,
            factor=1.1,
            solution=0.05,
        ),
    )
}
