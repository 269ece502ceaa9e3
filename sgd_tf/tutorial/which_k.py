"""Step 11: limits of k on one axis: what fits, and what still helps."""

from __future__ import annotations

from typing import Any

from sgd_tf.recordings import load
from sgd_tf.tutorial.step import Deeper, Step
from sgd_tf.ui import progress
from sgd_tf.ui.film import picture
from sgd_tf.ui.film.picture import Film, track
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits
from sgd_tf.ui.settings import Choice
from sgd_tf.words import N_

LIMIT = Choice(
    key="t11_limit",
    label=N_("What to look at"),
    options={"accuracy": N_("accuracy"), "memory": N_("memory")},
    default="accuracy",
)
BYTES = 4  # of a float32
WIDTHS = (784, 32, 10)  # numbers in a sample, and outputs of the layers


def sizes() -> list[int]:
    """Recorded k, the smallest first."""
    return [int(name) for name in load("mnist").data if name.isdigit()]


def megabytes(k: int) -> float:
    """What grows with k in an update: the minibatch, the outputs of the layers and their gradients."""
    return k * BYTES * (WIDTHS[0] + 2 * (WIDTHS[1] + WIDTHS[2])) / 1e6


def film(limit: str) -> Film:
    """A curve over k that is drawn point by point."""
    data = load("mnist").data
    all_k = sizes()
    plot = {"accuracy": _accuracy, "memory": _memory}[limit](data, all_k)
    captions = [_("60,000 digits of MNIST, 3 epochs for each k."), *[_caption(limit, data, k) for k in all_k]]
    return Film(
        panels=[picture.panel((100, 42), plot, tall=240)],
        frames=len(captions),
        seconds=1.0,
        captions=track(captions),
        alt=_("A curve over the batch size k from 32 to 16,384, drawn point by point."),
        note=progress.origin(load("mnist")) if limit == "accuracy" else "",
        caption_lines=1,
    )


def _caption(limit: str, data: dict[str, Any], k: int) -> str:
    run = data[str(k)]
    if limit == "accuracy":
        text = _("k = {k}: {same} % right at rate {rate}, {tuned} % at its best rate, {best}.")
        return text.format(
            k=f"{k:,}",
            same=f"{100 * run['same']:.1f}",
            tuned=f"{100 * run['tuned']:.1f}",
            rate="0.1",
            best=run["best_rate"],
        )
    return _("k = {k}: {amount} MB grow with k.").format(k=f"{k:,}", amount=digits(megabytes(k), 2))


def _plot(lines: list[dict[str, Any]], y: dict[str, Any], title: str) -> dict[str, Any]:
    ticks = [[k, f"{k:,}"] for k in (32, 256, 2048, 16384)]
    x = picture.axis((24, 200_000), _("batch size k"), log=True, ticks=ticks)
    marks = [picture.rule(x=4096, color="grid"), picture.rule(x=256, color="grid"), *lines]
    return picture.plot((0, 0, 100, 42), *marks, x=x, y=y, title=title)


def _line(all_k: list[int], values: list[float], color: str, name: str, dy: int = 0) -> dict[str, Any]:
    upto = track([frame - 1 for frame in range(len(all_k) + 1)])
    return picture.line(all_k, values, color=color, upto=upto, name=name, head=True, points=3, dy=dy)


def _accuracy(data: dict[str, Any], all_k: list[int]) -> dict[str, Any]:
    same, tuned = ([100 * data[str(k)][kind] for k in all_k] for kind in ("same", "tuned"))
    lines = [
        _line(all_k, tuned, "primary", _("best rate"), -8),
        _line(all_k, same, "alarm", _("rate 0.1"), 8),
    ]
    low = 5 * int(min(same) / 5)
    y = picture.axis((low, 100), ticks=[[each, f"{each} %"] for each in range(low, 101, 10 if low < 75 else 5)])
    return _plot(lines, y, _("Accuracy on 10,000 unseen digits"))


def _memory(data: dict[str, Any], all_k: list[int]) -> dict[str, Any]:
    del data
    amounts = [megabytes(k) for k in all_k]
    y = picture.axis((0, 1.2 * max(amounts)))
    return _plot(
        [_line(all_k, amounts, "primary", _("in proportion to k"))], y, _("Megabytes that grow with k, computed")
    )


def explain(limit: str) -> str:
    """K = 256 beside k = 16,384."""
    del limit
    data = load("mnist").data
    small, large = data["256"], data["16384"]
    text = _(
        "At rate 0.1, k = 16,384 reads {large} % right and k = 256 {small} %: it has made 12 updates instead of 705. "
        "With the best of four rates for each k it reads {tuned} %, against {other} %: tuning helps, but 12 updates "
        "stay few."
    )
    return text.format(
        large=f"{100 * large['same']:.1f}",
        small=f"{100 * small['same']:.1f}",
        tuned=f"{100 * large['tuned']:.1f}",
        other=f"{100 * small['tuned']:.1f}",
    )


def code(limit: str) -> str:
    """Try batch sizes by hand: seconds and loss."""
    del limit
    return """\
import time
for k in (32, 128, 512, N):
    fresh = new_model()
    fresh.compile(keras.optimizers.SGD(0.1), loss_function)
    start = time.perf_counter()
    loss = fresh.fit(x, y, batch_size=k, epochs=3, verbose=0).history["loss"][-1]
    print(f"k = {k}: {time.perf_counter() - start:.1f} s, loss {loss:.2f}")"""


def deeper(limit: str) -> Deeper:
    """The sweep; for memory, its page."""
    return Deeper(page="lab/memory" if limit == "memory" else "lab/batch_size")


STEP = Step(
    key="which_k",
    teaches="C13",
    controls=(LIMIT,),
    film=film,
    question=N_("60,000 samples, 3 epochs, one learning rate: k = 16,384 instead of 256 is …"),
    options={"a": N_("better"), "b": N_("the same"), "c": N_("much worse")},
    right="c",
    explain=explain,
    code=code,
    deeper=deeper,
)
