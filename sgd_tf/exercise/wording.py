"""The exercise in words, in the learner's language."""

from __future__ import annotations

import math

from sgd_tf.exercise.rows import BOOK, ExercisePlan
from sgd_tf.exercise.verdict import AT, Attempt, BesideBook, Final, Ranking
from sgd_tf.ui.language import _
from sgd_tf.words import N_

MEASURES = {
    "mean_loss": N_("mean of the minibatch losses"),
    "train_loss": N_("at the end of the epoch"),
    "validation_loss": N_("on the rows kept back"),
}


def loss(value: float) -> str:
    """A loss in the digits of the book.

    >>> loss(0.31224)
    '0.3122'
    """
    return f"{value:.4f}" if value < 1_000 else f"{value:.0e}"


def beside_book(says: BesideBook, plan: ExercisePlan) -> str:
    """How the run's losses stand beside the book's, and what became of each seed."""
    parts = []
    if says.losses:
        epoch, printed, own = says.losses[-1]
        for at, book_loss, own_loss in says.losses:
            if at == AT != epoch:
                text = _("After {n} epochs the book printed {book}, this run {own}.")
                parts.append(text.format(n=f"{at:,}", book=loss(book_loss), own=loss(own_loss)))
        text = _("After {n} epochs the book printed {book}, this run {own}.")
        parts.append(text.format(n=f"{epoch:,}", book=loss(printed), own=loss(own)))
        if says.spread:
            text = _("That is the median of {num} seeds, from {low} to {high}.")
            low, high = map(loss, says.spread)
            parts.append(text.format(num=len(says.end.rows), low=low, high=high))
        if len(says.losses) > 1:
            text = _("This run is lower than the book at {num} of the {all} epochs that the book prints.")
            parts.append(text.format(num=says.num_better, all=len(says.losses)))
    elif plan.data == "california":
        text = _("The book prints its first loss after {n} epochs, and this run ended before.")
        parts.append(text.format(n=min(BOOK)))
    else:
        text = _("After epoch {n} the loss is {own}, in squares of the delay's standard deviation.")
        shown = says.end.mean_loss
        if shown is not None:
            parts.append(text.format(n=f"{says.end.epochs:,}", own=loss(shown)))
    return " ".join([*parts, *_failures(says.end)])


def _failures(end: Final) -> list[str]:
    """Seeds that learned nothing, or diverged."""
    parts, num = [], len(end.rows)
    if end.num_stuck:
        text = _("Seeds that learned nothing: {num} of {all}. Their network gives one value for every row.")
        parts.append(text.format(num=end.num_stuck, all=num))
    if end.num_diverged:
        parts.append(_("Seeds that diverged: {num} of {all}.").format(num=end.num_diverged, all=num))
    return parts


def ranking(says: Ranking, plan: ExercisePlan) -> str:
    """The settings in the order of their losses, the time they took, and what the rows kept back say."""
    parts = [_doubt(says)]
    shown = [_one(end, plan) for end in says.ends]
    parts.append(_("Training loss at the end: {list}.").format(list="; ".join(shown)))
    first = next((end for end in says.ends if math.isfinite(end.loss) and end.mean_loss is not None), None)
    if first and first.mean_loss is not None:
        text = _("{name}: the mean of the minibatch losses of its last epoch is {mean}, the loss at its end {end}.")
        name = plan.settings[first.place].name
        parts.append(text.format(name=name, mean=loss(first.mean_loss), end=loss(first.loss)))
    kept_back = [end for end in says.ends if end.validation_loss is not None]
    if kept_back:
        best = min(kept_back, key=lambda end: end.validation_loss or math.inf)
        text = _("On the {num} rows kept back, {name} ends lowest, at {loss}.")
        name, value = plan.settings[best.place].name, loss(best.validation_loss or 0.0)
        parts.append(text.format(num=f"{says.num_validation:,}", name=name, loss=value))
    return " ".join(part for part in parts if part)


def _one(end: Final, plan: ExercisePlan) -> str:
    setting = plan.settings[end.place]
    name = f"{setting.name}, γ = {setting.learning_rate:g}"
    if end.num_diverged + end.num_stuck == len(end.rows):
        text = _("{name}: diverged") if end.num_diverged else _("{name}: learned nothing")
        return text.format(name=name)
    if not math.isfinite(end.loss):
        return _("{name}: {num} of {all} seeds diverged").format(name=name, num=end.num_diverged, all=len(end.rows))
    return _("{name}: {loss} in {seconds} s").format(name=name, loss=loss(end.loss), seconds=f"{end.seconds:#.2g}")


def _doubt(says: Ranking) -> str:
    words = {
        "one setting": _("One setting is there: nothing to compare."),
        "few seeds": _("With fewer than three seeds this shows no order: another seed may turn it round."),
        "nothing learned": _("No setting learned anything."),
        "unequal epochs": _("The run was stopped: not all settings have the same epochs."),
        None: "",
    }
    return words[says.doubt]


def attempt(says: Attempt | None) -> str:
    """Whether the goal of a task is reached, and by how much."""
    if says is None:
        return _("Stopped before both runs were over: run it again to the end.")
    if not math.isfinite(says.loss):
        return _("Your setting diverged with at least half of the seeds. The goal is {goal}.").format(
            goal=loss(says.goal)
        )
    values = {"own": loss(says.loss), "goal": loss(says.goal), "book": loss(says.reference.loss)}
    text = _("Goal not reached: your setting ends at {own}. The goal is at most {goal}, the book's setting has {book}.")
    if says.is_reached:
        text = _("Goal reached: your setting ends at {own}. The goal is at most {goal}, the book's setting has {book}.")
    return " ".join([text.format(**values), *_failures(says.own)])
