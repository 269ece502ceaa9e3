"""The claims on a terminal: which one is tried at the moment, and the verdicts as a table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from sgd_tf.claims import findings
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.rows import Finding

PIPE_WIDTH = 1_000  # of a line that is not broken
WORDS: dict[str, str] = {"holds": "holds", "fails": "does not hold", "depends": "depends", "open": "not judged"}
COLOURS: dict[str, str] = {"holds": "green", "fails": "red", "depends": "yellow", "open": "bright_black"}


def show_claims(keys: Sequence[str]) -> Iterator[str]:
    """Pass the keys of claims on, and show on a terminal which one is tried and how long the rest may take.

    Args:
        keys: of `catalogue.CLAIMS`.

    Yields:
        The same keys.
    """
    console = Console(stderr=True)
    if not console.is_terminal:
        yield from keys
        return
    columns = (BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=sum(CLAIMS[key].seconds for key in keys))
        for key in keys:
            bar.update(task, description=CLAIMS[key].sentence)
            yield key
            bar.advance(task, CLAIMS[key].seconds)


def print_claims(found: Sequence[Finding], failures: Mapping[str, str]) -> None:
    """Print the verdicts with their numbers: on a terminal as a table with lines, in a pipe as one of Markdown.

    Args:
        found: in the order in which they are printed.
        failures: why an experiment could not be run, by key of the claim.
    """
    console = Console()
    on_terminal = console.is_terminal
    grid = Table(title="Claims", box=box.HEAVY_HEAD, show_lines=True) if on_terminal else Table(box=box.MARKDOWN)
    for column in ("claim", "verdict", "numbers", "seeds", "seconds"):
        grid.add_column(column, justify="right" if column in ("seeds", "seconds") else "left", no_wrap=not on_terminal)
    for finding in found:
        claim = CLAIMS[finding.claim]
        lines = []
        for each in findings.measured(finding):
            asked = f" ({each.condition()})" if each.outcome else ""
            lines.append(f"{each.mark} {each.measure.title}: {each.text()}{asked}")
        verdict = WORDS[finding.verdict] + (f" on {claim.depends_on}" if finding.verdict == "depends" else "")
        grid.add_row(
            Text(f"{claim.key}: {claim.sentence}"),
            Text(verdict, style=COLOURS[finding.verdict]),
            Text(("\n" if on_terminal else "; ").join(lines)),
            str(finding.num_seeds),
            f"{finding.seconds:.1f}",
        )
    for key, why in failures.items():
        grid.add_row(Text(f"{key}: {CLAIMS[key].sentence}"), Text("could not be tried"), Text(why), "–", "–")
    if on_terminal:
        console.print(grid)
    else:
        Console(width=PIPE_WIDTH).print(grid)
    counts = findings.tally(finding.verdict for finding in found)
    total = sum(finding.seconds for finding in found)
    words = ", ".join(f"{WORDS[verdict]}: {number}" for verdict, number in counts.items())
    print(f"{words}, could not be tried: {len(failures)}; {total:.0f} s")
