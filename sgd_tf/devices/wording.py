"""Verdicts on several devices in words: one sentence or two for each kind of result, in the learner's language."""

from __future__ import annotations

from sgd_tf.devices.verdict import Diverged, LostVerdict, MissingVerdict, ParallelVerdict, Unfinished
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import difference_text, digits


def devices(says: ParallelVerdict | MissingVerdict | Diverged | Unfinished) -> str:
    """Equality of the weights over several devices, and the time of an update."""
    if not isinstance(says, ParallelVerdict):
        return _without_numbers(says)
    text = _(
        "After {n} updates, the weights with up to {r} devices differ by at most {difference} from the lab's own loop."
    )
    sentence = text.format(n=says.num_updates, r=says.replicas, difference=difference_text(says.difference))
    if says.speed == "same":
        return sentence + " " + _("With {r} devices an update took about as long as with one.").format(r=says.replicas)
    time = _("With {r} devices an update took {ratio} times as long as with one.")
    return sentence + " " + time.format(r=says.replicas, ratio=digits(says.ratio, 2))


def machines(says: ParallelVerdict | LostVerdict | MissingVerdict | Diverged | Unfinished) -> str:
    """Equality of the weights over several processes; or the end of all after one was killed."""
    if isinstance(says, LostVerdict):
        text = _(
            "Process {lost} was killed after update {n}. An update needs every gradient, so the others would have "
            "waited forever. The watcher stopped them {seconds} s later, and none is left."
        )
        return text.format(lost=says.process, n=says.after, seconds=digits(max(says.seconds, 0.01), 2))
    if not isinstance(says, ParallelVerdict):
        return _without_numbers(says)
    text = _(
        "After {n} updates, the weights differ by at most {difference} from those of one process. An update took "
        "{ms} ms; the processes share this machine's cores."
    )
    ms = digits(1e3 * says.seconds, 3)
    return text.format(n=says.num_updates, difference=difference_text(says.difference), ms=ms)


def _without_numbers(says: MissingVerdict | Diverged | Unfinished) -> str:
    if isinstance(says, MissingVerdict):
        text = _("Process {n} ended unexpectedly, so all processes of this run were ended. Run again.")
        if says.is_silent:
            text = _(
                "Process {n} sent nothing for too long, as happens on a busy machine, so all processes of this run "
                "were ended. Run again later, or choose a smaller k."
            )
        return text.format(n=says.process)
    if isinstance(says, Diverged):
        return _("Training diverged: the weights are no longer numbers, so there is nothing to compare.")
    return _("Stopped before there were two results to compare.")
