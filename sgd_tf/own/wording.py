"""What is said of a table, in the learner's language; names and values of the table are shown as they are."""

from __future__ import annotations

from sgd_tf.own.columns import MAX_CATEGORIES
from sgd_tf.own.errors import MESSAGES, REASONS, TableError, write
from sgd_tf.ui.language import _
from sgd_tf.ui.plain_text import code


def sentence(error: TableError) -> str:
    """Why a table cannot be used."""
    facts = {name: _fact(name, value) for name, value in error.facts.items()}
    return _(MESSAGES[error.code]).format(**facts)


def reason(key: str) -> str:
    """Why a column is left out, after its name."""
    return _(REASONS[key]).format(limit=MAX_CATEGORIES)


def _fact(name: str, value: object) -> str:
    if name == "reason":
        return reason(str(value))
    if name == "kind" or not isinstance(value, str | list | tuple):
        return write(value)
    if isinstance(value, str):
        return code(value)
    return write([code(str(each)) for each in value])
