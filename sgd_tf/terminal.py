"""What a terminal shows: a progress bar while a race runs, and its results as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sgd_tf import history, records


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


def print_race(table: pd.DataFrame, *, target: float | None, learning_rates: Mapping[str, float]) -> None:
    """Print how each contestant ended: on a terminal with lines, in a pipe as plain text.

    Args:
        table: of `history.to_frame`.
        target: training loss whose time is told; None for none.
        learning_rates: by contestant.
    """
    last = history.latest(table)
    rows = pd.DataFrame(
        {
            "contestant": last["run"],
            "learning rate": [f"{learning_rates[name]:g}" for name in last["run"]],
            "training loss": last["train_loss"].map("{:.3g}".format),
            "test accuracy": last["test_accuracy"].map("{:.1%}".format),
            "updates": last["update"].map("{:,}".format),
            "updates/s": last["updates_per_second"].map("{:,.0f}".format),
            "samples/s": last["examples_per_second"].map("{:,.0f}".format),
        }
    )
    title = "After the race"
    if target is not None:
        title = f"To a training loss of {target:g}"
        reached = history.time_to_target(table, target)
        rows["seconds to target"] = reached["seconds"].map("{:.3g}".format)
        rows["updates to target"] = reached["updates"].map("{:,.0f}".format)
        rows["epochs to target"] = reached["epochs"].map("{:,.1f}".format)
    rows = rows.replace(r"^nan%?$", "–", regex=True)
    console = Console()
    if not console.is_terminal:
        print(title, rows.to_string(index=False), sep="\n")
        return
    grid = Table(title=title)
    for column in rows.columns:
        grid.add_column(column, justify="left" if column == "contestant" else "right")
    for row in rows.itertuples(index=False):
        grid.add_row(*row)
    console.print(grid)
