"""What a terminal shows: a progress bar while something runs, and the results as a table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pandas as pd
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from sgd_tf.racing.seeds import Real
from sgd_tf.training import history, records
from sgd_tf.training.comparison import MIN_SEEDS


def show_progress(
    runs: Iterable[records.Progress], *, total: float, shown: bool | None = None
) -> Iterator[records.Progress]:
    """Pass records on, and show how much of the training time is over and the loss of each contestant.

    Args:
        runs: progress records of one or several contestants.
        total: seconds of training of all contestants together.
        shown: whether to show the bar; None: on a terminal and in a notebook only.

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


def print_race(
    table: pd.DataFrame,
    *,
    target: float | None,
    learning_rates: Mapping[str, str],
    target_note: str = "",
    target_metric: records.TargetMetric = "train_loss",
) -> None:
    """Print how each contestant ended: on a terminal with lines, in a pipe as plain text.

    Args:
        table: of `history.to_frame`.
        target: value to reach, whose time is printed; None for none.
        learning_rates: as they are printed, by contestant.
        target_note: is printed after the target.
        target_metric: what the target is a value of.
    """
    last = history.latest(table)
    rows = pd.DataFrame(
        {
            "contestant": last["run"],
            "learning rate": [learning_rates[name] for name in last["run"]],
            "training loss": [_loss(record) for record in last.to_dict("records")],
            "test accuracy": last["test_accuracy"].map("{:.1%}".format),
            "updates": [f"{history.num_updates(record):,}" for record in last.to_dict("records")],
            "updates/s": last["updates_per_second"].map("{:,.0f}".format),
            "samples/s": last["examples_per_second"].map("{:,.0f}".format),
        }
    )
    title = "After the race"
    if target is not None:
        words = (
            f"training loss of {target:g}"
            if target_metric == "train_loss"
            else f"test accuracy of {100 * target:.4g} %"
        )
        title = f"To a {words}{target_note}"
        reached = history.time_to_target(table, target, metric=target_metric)
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


def real(found: Real) -> str:
    """Whether the lead of the best contestant is more than chance gives between seeds."""
    if found.num_seeds < MIN_SEEDS or found.versus is None or found.p_value is None:
        return f"Medians of {found.num_seeds} seeds; whether the lead is real shows with {MIN_SEEDS} or more."
    test = "paired t-test" if found.versus.test == "t" else "sign test"
    verdict = "hardly chance" if found.is_real else "may be chance"
    return (
        f"Medians of {found.num_seeds} seeds; {found.leader} ahead of {found.rival} with {found.num_won}: "
        f"{verdict} ({test}, p = {found.p_value:.2g})."
    )


def _loss(record: Mapping[Any, Any]) -> str:
    """The training loss of a last record; of a run that diverged, the update after which it was not finite."""
    diverged_at = record["diverged_at"]
    return f"{record['train_loss']:.3g}" if pd.isna(diverged_at) else f"diverged at update {diverged_at:,}"
