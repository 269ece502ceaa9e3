"""The gettext marker for sentences that stand outside the pages."""

from __future__ import annotations


def N_(message: str) -> str:  # noqa: N802, the name that gettext tools search for
    """Mark a message for translation and return it unchanged; a page translates it when it shows it."""
    return message
