"""Verdicts on memory in words: one sentence or two for each kind of result, in the learner's language."""

from __future__ import annotations

from sgd_tf.memory.predict import MEGABYTE
from sgd_tf.memory.verdict import PartsVerdict, Unfinished, WallVerdict
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import difference_text, digits


def wall(says: WallVerdict | Unfinished) -> str:
    """What happened to the learner's update, and if it did not fit, a k and an m that do."""
    if isinstance(says, Unfinished):
        return _("Stopped before the update was measured: there is nothing to say yet.")
    values = {
        "name": f"k = {says.batch_size:,}" + (f", m = {says.micro_batch_size:,}" if says.micro_batch_size else ""),
        "limit": megabytes(says.limit),
        "measured": megabytes(says.measured or 0),
        "predicted": megabytes(says.predicted),
    }
    if says.answer == "fits":
        text = _("{name} fits: at its peak the update took {measured} of {limit}. Predicted peak: {predicted}.")
        return text.format(**values)
    if says.measured is None:
        text = _(
            "{name} does not fit: its process ran out of memory under the limit of {limit}. Predicted peak: "
            "{predicted}."
        )
    else:
        text = _(
            "{name} does not fit. Its process was stopped at {measured}; the limit is {limit}. Predicted peak: "
            "{predicted}."
        )
    sentences = [text.format(**values), _ways_out(says)]
    if says.limit_of_worker:
        sentences.append(_("The limit is that of this server, which is below yours."))
    return " ".join(sentences)


def _ways_out(says: WallVerdict) -> str:
    """A k and an m that fit."""
    k, m = says.fitting_k, says.fitting_m
    if k and m:
        text = _("These fit: k = {k}, or k = {batch} as it is, in micro-batches of m = {m}.")
    elif k:
        text = _("This fits: k = {k}. With k = {batch} the minibatch itself is too large, even in micro-batches.")
    else:
        text = _("Not even one sample fits: choose a smaller model or a higher limit.")
    return text.format(k=f"{k or 0:,}", m=f"{m or 0:,}", batch=f"{says.batch_size:,}")


def parts(says: PartsVerdict | Unfinished) -> str:
    """Memory, difference and time of the update by micro-batches."""
    if isinstance(says, Unfinished):
        return _("Stopped before the whole minibatch and the smallest micro-batches were measured.")
    return " ".join(filter(None, (_peak(says), _difference(says), _normed(says), _times(says))))


def _peak(says: PartsVerdict) -> str:
    values = {"m": f"{says.smallest:,}", "whole": megabytes(says.whole), "least": megabytes(says.least)}
    if not says.whole_fits:
        text = _(
            "The whole minibatch does not fit: its process was stopped at {whole}. In micro-batches of {m} it takes "
            "{least}."
        )
    elif says.is_small:
        text = _(
            "Too small to compare: the peak is {whole} for the whole minibatch and {least} in micro-batches of {m}. "
            "Up to 15 MB depend on neither k nor m. Choose a larger k."
        )
    elif says.answer == "same":
        text = _("The peak stays about the same: {whole} for the whole minibatch, {least} in micro-batches of {m}.")
    elif says.answer is None:
        text = _("The peak falls by about half, too close to tell: from {whole} to {least} in micro-batches of {m}.")
    else:
        text = _("In micro-batches of {m}, the peak falls from {whole} to {least}.")
    return text.format(**values)


def _difference(says: PartsVerdict) -> str:
    if not says.differences:
        return ""
    if says.is_rounding:
        text = _("The update is the same: the largest relative difference is {difference}, rounding in float32.")
    else:
        text = _("The update differs by up to {difference}, more than rounding should leave.")
    return text.format(difference=difference_text(max(says.differences)))


def _normed(says: PartsVerdict) -> str:
    if not says.normed:
        return ""
    low, high = (difference_text(find(says.normed)) for find in (min, max))
    if low == high:
        return _("With batch norm it differs by {high} of its largest entry.").format(high=high)
    return _("With batch norm it differs by {low} to {high} of its largest entry.").format(low=low, high=high)


def _times(says: PartsVerdict) -> str:
    if len(says.seconds) < 2:
        return ""
    if not says.times_differ:
        return _("The times differ by less than a factor of 2, which may be chance: each size is timed once.")
    text = _("Fastest here: {fast}, {ms} per update. Slowest: {slow}, {more}.")
    times = {"ms": milliseconds(says.seconds[says.fastest]), "more": milliseconds(says.seconds[says.slowest])}
    return text.format(fast=_size(says.fastest), slow=_size(says.slowest), **times)


def _size(micro_batch_size: int | None) -> str:
    return _("the whole minibatch") if micro_batch_size is None else f"m = {micro_batch_size:,}"


def megabytes(num_bytes: float) -> str:
    """Bytes as MB, with as many digits as mean something.

    >>> megabytes(1_234_567), megabytes(551_606_280)
    ('1.2 MB', '552 MB')
    """
    value = num_bytes / MEGABYTE
    return f"{value:,.1f} MB" if value < 10 else f"{value:,.0f} MB"


def milliseconds(seconds: float) -> str:
    """A time per update.

    >>> milliseconds(0.0234), milliseconds(0.40772)
    ('23.4 ms', '408 ms')
    """
    return f"{digits(1e3 * seconds, 3)} ms"
