"""Links of the teacher's page, each of which opens at a step or at a page of the lab."""

from __future__ import annotations

from sgd_tf.tutorial.answers import ANSWERS
from sgd_tf.tutorial.path import STEPS
from sgd_tf.ui import menu
from sgd_tf.ui.language import _, current

PAGES = ("learn/what_is_sgd", "lab/gd_vs_sgd", "lab/batch_size", "lab/claims", "tutorial/your_turn")


def links() -> dict[str, str]:
    """Markdown of each link by its name in the prose: steps by their number, title and rows, pages by their title."""
    steps = {
        step.key: f"[{place}. {_(menu.TITLES[f'tutorial/{step.key}'])}]({address(step.key)}) ({step.teaches})"
        for place, step in enumerate(STEPS, 1)
    }
    numbers = {f"step_{place}": f"[{place}]({address(step.key)})" for place, step in enumerate(STEPS, 1)}
    pages = {page.split("/")[1]: f"[{_(menu.TITLES[page])}]({address(page.split('/')[1])})" for page in PAGES}
    return steps | numbers | pages


def address(page: str) -> str:
    """Where a page opens, in the teacher's language.

    >>> address("one_update")
    'one_update?lang=ko'
    """
    return f"{page}?lang={current()}"


def with_links(prose: str) -> str:
    """Prose with its links.

    Args:
        prose: Markdown with `{name}` for each link.
    """
    ANSWERS.publish()
    return prose.format(**links())
