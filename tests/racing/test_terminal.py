"""The progress bar passes records on and stays out of pipes; the table says "–" where there is no number."""

import io

import pandas as pd
import pytest
from rich.console import Console

from sgd_tf.racing import terminal
from sgd_tf.training import history
from sgd_tf.training.records import Progress

LOSSES = {"GD": [(0.0, 2.0), (1.0, 1.0), (2.0, 0.5)], "k = 2": [(0.0, 2.0), (1.0, 0.25), (2.0, float("nan"))]}


def records():
    for name, points in LOSSES.items():
        for i, (seconds, loss) in enumerate(points):
            yield Progress(
                run=name,
                batch_size=8 if name == "GD" else 2,
                num_examples=8,
                update=10 * i,
                examples=(80 if name == "GD" else 20) * i,
                seconds=seconds,
                minibatch_loss=[loss] * (i > 0),
                train_loss=loss,
                test_loss=loss,
                test_accuracy=None,
                diverged_at=15 if loss != loss else None,
            )


@pytest.fixture
def screen(monkeypatch):
    """A terminal that is 200 columns wide and writes into memory."""
    file = io.StringIO()
    monkeypatch.setattr(terminal, "Console", lambda **_: Console(file=file, force_terminal=True, width=200))
    return file


@pytest.mark.parametrize("shown", [True, None])
def test_records_pass_through_the_bar_in_their_order_and_their_losses_are_shown(screen, shown):
    passed = list(terminal.show_progress(records(), total=4.0, shown=shown))
    assert [(r.run, r.update) for r in passed] == [(r.run, r.update) for r in records()]
    assert "GD: 0.5" in screen.getvalue()
    assert "k = 2: nan" in screen.getvalue()


def test_in_a_pipe_nothing_is_shown(capsys):
    assert len(list(terminal.show_progress(records(), total=4.0))) == 6
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_the_table_tells_the_time_to_the_target_and_has_no_number_where_there_is_none(capsys):
    rates = {"GD": "0.5", "k = 2": "0.01 (estimated)"}
    terminal.print_race(history.to_frame(records()), target=1.0, learning_rates=rates)
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == "To a training loss of 1"
    table = pd.read_fwf(io.StringIO("\n".join(line.strip() for line in lines)), colspecs="infer")
    assert len(table) == 2
    gd, sgd = lines[1], lines[2]
    # GD meets 1.0 at its record at 1 s; the other on its line from 2.0 to 0.25, at (2 − 1) / 1.75 s.
    assert gd.split()[-3:] == ["1", "10", "10.0"]
    assert sgd.split()[-3:] == ["0.571", "6", "1.4"]
    assert "–" in gd  # a regression has no accuracy
    assert "0.01 (estimated)" in sgd
    assert "diverged at update 15" in sgd  # which has no loss
    assert sgd.split()[-6:-3] == ["15", "10", "20"]  # updates until then; 20 of them and 40 samples in 2 s


def test_on_a_terminal_the_table_has_lines(screen):
    terminal.print_race(history.to_frame(records()), target=None, learning_rates={"GD": "0.5", "k = 2": "0.01"})
    assert "After the race" in screen.getvalue()
    assert "┃" in screen.getvalue()
