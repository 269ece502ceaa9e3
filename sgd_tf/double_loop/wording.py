"""What the page of the double loop says of a step: its narration, its counts, the orders of the epochs."""

from __future__ import annotations

import math

from sgd_tf.double_loop import exercise, verdict
from sgd_tf.double_loop.playback import Phase, Step
from sgd_tf.double_loop.recording import Lesson, Recording, turn_at
from sgd_tf.double_loop.rows import DoubleLoopPlan
from sgd_tf.ui.language import _
from sgd_tf.words import N_

MAX_WRITTEN = 36  # samples of which the order is written down in full
NUM_ORDERS = 3  # epochs of which the order is written down
OUTCOMES: dict[verdict.Outcome, str] = {
    "gd": N_("**GD learned more from the same samples.**"),
    "sgd": N_("**SGD learned more from the same samples.**"),
    "close": N_("**Both learned about the same from the same samples.**"),
    "nothing learned": N_("**Neither has learned:** no loss is lower than at the start. Try another learning rate."),
    "gd diverged": N_("**GD diverged, SGD did not.** Try a smaller learning rate."),
    "sgd diverged": N_("**SGD diverged, GD did not.** Try a smaller learning rate."),
    "both diverged": N_("**Both diverged.** Try a smaller learning rate."),
}


def number(value: float | None) -> str:
    """A number of a step, with three significant digits.

    >>> number(1.9), number(123_456.0), number(float("inf"))
    ('1.90', '123,456', '∞')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def amount(value: float) -> str:
    """A number of a step, or that there is none."""
    return number(value) if math.isfinite(value) else _("diverged")


def place(lesson: Lesson, step: Step) -> str:
    """Epoch, iteration and updates so far."""
    film = lesson.film
    return _("Epoch {e} of {epochs} · iteration {i} of {n} · updates made: {u} of {updates}").format(
        e=step.epoch + 1 if step.phase != "start" else 0,
        epochs=film.num_epochs,
        i=step.iteration + 1 if step.is_drawn or step.phase in ("epoch_over", "end") else 0,
        n=f"{film.iterations:,}",
        u=f"{step.update:,}",
        updates=f"{film.num_updates:,}",
    )


def narration(lesson: Lesson, found: Recording, step: Step) -> str:
    """One sentence for what the lit line does, with the numbers of this step."""
    film = lesson.film
    turn = turn_at(lesson, found, step)
    run = found.runs[lesson.way]
    return _sentences(lesson, step)[step.phase].format(
        e=step.epoch + 1,
        epochs=film.num_epochs,
        g=amount(turn.gradient_norm),
        i=f"{film.iterations:,}",
        k=f"{len(turn.indices):,}",
        loss=amount(turn.loss),
        n=f"{film.num_examples:,}",
        first=number(run[0].train_loss),
        now=amount(turn.train_loss),
        was=amount(run[max(0, turn.update - 1)].train_loss),
        rate=f"{lesson.plan.learning_rate:g}",
        u=f"{turn.update:,}",
        updates=f"{film.num_updates:,}",
        weights=f"{found.network.num_weights:,}",
    )


def _sentences(lesson: Lesson, step: Step) -> dict[Phase, str]:
    """What each line of the loop does, by phase."""
    texts: dict[Phase, str] = {
        "start": _("**Before the first line of the loop:** the weights are random, and no sample has been used."),
        "epoch": _("**Epoch {e} begins:** all {n} samples are available again, and a new random order is drawn."),
        "draw": _("**Draw:** the next samples of the order become the minibatch ({k})."),
        "forward": _("**Forward:** the minibatch ({k}) passes through the model, all at once."),
        "loss": _("**Loss:** how wrong the model is on the minibatch ({k}), as one number: the mean is {loss}."),
        "gradient": _("**Gradient:** the direction in which this loss grows, for all {weights} weights. Length {g}."),
        "update": _(
            "**Update {u}:** each weight takes one step of {rate} × gradient, downhill. "
            "Loss over all {n}: {was} → {now}."
        ),
        "epoch_over": _("**Epoch {e} is over:** no sample is left. All {n} were used exactly once, in {i} iterations."),
        "end": _("**The end.** Updates: {i} × {epochs} = {updates}. Loss over all {n}: {first} → {now}."),
    }
    if lesson.plan.has_images:
        texts["forward"] += " " + _("Below each image: the answer of the model, ✓ right or ✗ wrong.")
    if lesson.way == "gd":
        texts |= {
            "draw": _("**Draw:** GD takes all {n} samples at once."),
            "epoch_over": _("**Epoch {e} is over:** all {n} samples were used, for a single update."),
            "end": _(
                "**The end.** One update per epoch, {updates} in all. Loss over all {n}: {first} → {now}. Now try SGD."
            ),
        }
    if step.phase == "epoch" and step.epoch == 0:
        texts["epoch"] = _("**Epoch 1 begins:** all {n} samples are available, in a random order.")
    return texts


def orders(lesson: Lesson, found: Recording, step: Step) -> str:
    """In which order the samples of this epoch, and of those before, were drawn so far."""
    film = lesson.film
    if step.phase == "start":
        return _("The order of each epoch will be written down here.")
    run = found.runs[lesson.way]
    texts = []
    for epoch in range(max(0, step.epoch + 1 - NUM_ORDERS), step.epoch + 1):
        is_now = epoch == step.epoch and step.phase not in ("epoch_over", "end")
        num = film.iterations if not is_now else step.iteration + 1 if step.is_drawn else 0
        groups = []
        for iteration in range(num):
            indices = [f"{index}" for index in run[epoch * film.iterations + 1 + iteration].indices]
            is_lit = is_now and iteration == step.iteration
            if film.num_examples > MAX_WRITTEN:
                if iteration < num - 1 and num > 3:
                    continue
                indices = [*indices[:6], "…"]
            group = " ".join(indices)
            groups.append(f":yellow-background[{group}]" if is_lit else group)
        text = _("Order of epoch {e}:").format(e=epoch + 1)
        texts.append(f":small[**{text}** {' **|** '.join(groups) or '…'}]")
    return "  \n".join(texts)


def updates_of_epoch(lesson: Lesson, num_updates: int) -> str:
    """How many updates an epoch has made, and why."""
    text = _("Updates of epoch 1: ⌈{n}/{k}⌉ = {updates}.")
    return text.format(n=f"{lesson.plan.num_examples:,}", k=f"{lesson.batch_size:,}", updates=f"{num_updates:,}")


def order_of_epochs(found: verdict.Orders) -> str:
    """Whether two epochs have drawn the samples in the same order."""
    if found.is_same:
        return _("Epoch 2 drew the samples in the order of epoch 1.")
    return _("Epoch 2 drew the same samples in another order than epoch 1.")


def draws(sample: int, found: verdict.Orders) -> str:
    """How often each epoch has drawn a sample."""
    text = _("Draws of sample {i} in each epoch: {draws}.")
    return text.format(i=f"{sample:,}", draws=", ".join(map(str, found.draws)))


def comparison(plan: DoubleLoopPlan, found: verdict.Comparison) -> str:
    """Both runs, beside each other, in Markdown."""
    text = _(
        "Updates: **{gd}** with GD, **{sgd}** with SGD, at the same learning rate ({rate}). "
        "Training loss: {start} → {gd_loss} with GD, {start} → {sgd_loss} with SGD."
    )
    text = text.format(
        gd=f"{found.gd.num_updates:,}",
        sgd=f"{found.sgd.num_updates:,}",
        rate=f"{plan.learning_rate:g}",
        start=number(found.gd.start_loss),
        gd_loss=amount(found.gd.end_loss),
        sgd_loss=amount(found.sgd.end_loss),
    )
    return f"{_(OUTCOMES[found.outcome])} {text} {_rises(found.sgd)}".strip()


def _rises(end: verdict.RunEnd) -> str:
    """How often a run of SGD has made the loss larger; nothing where it diverged."""
    if end.has_diverged:
        return ""
    if not end.num_rises:
        return _("With SGD, the loss over all samples fell at every update.")
    text = _("With SGD, the loss over all samples rose at {num} of {total} updates: a minibatch shows only a part.")
    return text.format(num=f"{end.num_rises:,}", total=f"{end.num_updates:,}")


def exercise_check(program: list[exercise.Line], found: exercise.Check) -> str:
    """How far the learner's loop is right, and what to look at."""
    if found.is_done and not found.fault:
        return _("All {n} lines are right: this is the double loop.").format(n=found.num_lines)
    if found.fault is None:
        return _("Right so far: {n} of {all} lines.").format(n=found.num_right, all=found.num_lines)
    if found.fault == "order":
        text = _("Line {n}, “{line}”, does not come there. Move it, or remove it.")
    else:
        text = _("Line {n}, “{line}”, comes there, but not at this indentation. How often does it run?")
    return text.format(n=found.num_right + 1, line=program[found.num_right].text)


def without_marks(text: str) -> str:
    """A text without Markdown's marks for bold."""
    return text.replace("**", "")
