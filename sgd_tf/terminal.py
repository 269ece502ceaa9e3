"""What a terminal shows: a progress bar while a race runs, and its results as a table."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sgd_tf import records


def show_progress(
    runs: Iterable[records.Progress], *, total: float, shown: bool | None = None
) -> Iterator[records.Progress]:
    """Pass records on, and show how much of the training time is over and the loss of each contestant.

    Args:
        runs: progress records of one or several contestants.
        total: seconds of training of all contestants together.
        shown: whether to show the bar; None for on a terminal or in a notebook alone.

    Yields:
        The same records.
    """
    console = Console(stderr=True)
    if shown is None:
        shown = console.is_terminal or console.is_jupyter
    if not shown:
        yield from runs
        return
    seconds: dict[str, float] = {}
    losses: dict[str, float] = {}
    columns = (BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("", total=total)
        for record in runs:
            yield record
            losses[record.run] = record.train_loss
            is_over = record.diverged_at is not None
            seconds[record.run] = total / max(len(seconds), 1) if is_over else record.seconds
            text = "  ".join(f"{name}: {loss:.4g}" for name, loss in losses.items())
            bar.update(task, completed=min(total, sum(seconds.values())), description=text)


def print_table(table: pd.DataFrame, *, title: str) -> None:
    """Print a DataFrame: on a terminal with lines, in a pipe as plain text.

    Args:
        table: one row per contestant.
        title: what the table shows.
    """
    if not sys.stdout.isatty():
        print(title)
        print(table.to_string(index=False))
        return
    grid = Table(title=title)
    for column in table.columns:
        grid.add_column(str(column), justify="left" if table[column].dtype == object else "right")
    for row in table.astype(str).itertuples(index=False):
        grid.add_row(*row)
    Console().print(grid)
