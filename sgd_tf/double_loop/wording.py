"""What the page of the double loop says of a step: its narration, its counts, the orders of the epochs."""

from __future__ import annotations

import math

from sgd_tf.double_loop.playback import Phase, Step
from sgd_tf.double_loop.recording import Lesson, Recording, turn_at
from sgd_tf.double_loop.rows import Way
from sgd_tf.ui.language import _

MAX_WRITTEN = 36  # samples of which the order is written down in full


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


def place(lesson: Lesson, step: Step) -> str:
    """Epoch, iteration and updates so far."""
    film = lesson.film
    return _("Epoch {e} of {epochs} · iteration {i} of {n} · {u} of {updates} updates made").format(
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
    return _sentences(lesson.way, step)[step.phase].format(
        e=step.epoch + 1,
        epochs=film.num_epochs,
        g=number(turn.gradient_norm),
        i=f"{film.iterations:,}",
        k=f"{len(turn.indices):,}",
        loss=number(turn.loss),
        n=f"{film.num_examples:,}",
        first=number(run[0].train_loss),
        now=number(turn.train_loss),
        was=number(run[max(0, turn.update - 1)].train_loss),
        rate=f"{lesson.plan.learning_rate:g}",
        u=f"{turn.update:,}",
        updates=f"{film.num_updates:,}",
        weights=f"{found.network.num_weights:,}",
    )


def _sentences(way: Way, step: Step) -> dict[Phase, str]:
    """What each line of the loop does, by phase."""
    texts: dict[Phase, str] = {
        "start": _("**Before the first line of the loop:** the weights are random, and no sample has been used."),
        "epoch": _("**Epoch {e} begins:** all {n} samples are available again, and a new random order is drawn."),
        "draw": _("**Draw:** the next {k} samples of the order become the minibatch."),
        "forward": _("**Forward:** the {k} samples pass through the model, all at once."),
        "loss": _("**Loss:** how wrong the model is on these {k}, as one number: their mean is {loss}."),
        "gradient": _("**Gradient:** the direction in which this loss grows, for all {weights} weights. Length {g}."),
        "update": _(
            "**Update {u}:** each weight takes one step of {rate} × gradient, downhill. "
            "Loss over all {n}: {was} → {now}."
        ),
        "epoch_over": _("**Epoch {e} is over:** no sample is left. All {n} were used exactly once, in {i} iterations."),
        "end": _(
            "**The end:** {epochs} epochs of {i} iterations are {updates} updates. Loss over all {n}: {first} → {now}."
        ),
    }
    if way == "gd":
        texts |= {
            "draw": _("**Draw:** GD takes all {n} samples at once."),
            "epoch_over": _("**Epoch {e} is over:** all {n} samples were used, for a single update."),
            "end": _(
                "**The end:** {epochs} epochs are only {updates} updates. Loss over all {n}: {first} → {now}. "
                "Now try SGD."
            ),
        }
    if step.phase == "epoch" and step.epoch == 0:
        texts["epoch"] = _("**Epoch 1 begins:** all {n} samples are available, in a random order.")
    return texts


def orders(lesson: Lesson, found: Recording, step: Step) -> str:
    """In which order the samples of this epoch, and of the one before, were drawn so far."""
    film = lesson.film
    if step.phase == "start":
        return _("The order of each epoch will be written down here.")
    run = found.runs[lesson.way]
    texts = []
    for epoch in range(max(0, step.epoch - 1), step.epoch + 1):
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


def without_marks(text: str) -> str:
    """A text without Markdown's marks for bold."""
    return text.replace("**", "")
