"""`python -m sgd_tf race`: the table, the files, and messages for bad input."""

import pandas as pd
import pytest

from sgd_tf import __main__ as command_line
from sgd_tf import presets, problems


@pytest.fixture
def run(tmp_path, capsys):
    def call(*words):
        status = command_line.main(["race", "--output", str(tmp_path / "out"), *words])
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_a_race_prints_its_table_and_writes_csv_and_html(run, tmp_path):
    status, out, err = run(
        *("--problem", "line", "--model", "linear", "--num-examples", "100"),
        *("--batch-size", "all", "8", "--learning-rate", "0.05", "--seconds", "0.05", "--target", "1"),
    )
    assert (status, err) == (0, "")  # no progress bar in a pipe
    lines = out.splitlines()
    assert lines[0] == "To a training loss of 1"
    assert [line.split("  ")[0].strip() or line.strip() for line in lines[2:4]]
    assert "GD (k = 100)" in lines[2]
    assert "k = 8" in lines[3]
    for word in ("contestant", "seconds to target", "updates to target", "epochs to target", "samples/s"):
        assert word in lines[1]
    history = pd.read_csv(tmp_path / "out.csv")
    assert set(history["run"]) == {"GD (k = 100)", "k = 8"}
    assert "<html" in (tmp_path / "out.html").read_text(encoding="utf-8")
    assert "cdn" not in (tmp_path / "out.html").read_text(encoding="utf-8")[:2_000]


def test_without_a_learning_rate_each_has_its_tuned_one(run, monkeypatch):
    taken = {}

    def stop(problem, configs, *, seconds, model):  # noqa: ARG001
        taken.update(configs)
        raise ValueError("enough")

    from sgd_tf import racing

    monkeypatch.setattr(racing, "race", stop)
    assert run("--batch-size", "all", "32")[0] == 2
    rates = {config.batch_size: config.learning_rate for config in taken.values()}
    assert rates == {k: presets.tuned_learning_rate("digits", "mlp", k) for k in ("all", 32)}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--batch-size", "0"), '`batch_size` must be an integer of at least 1, or "all"; received 0.'),
        (("--seconds", "0"), "`seconds` must be a finite number greater than 0; received 0.0."),
        (("--model", "cnn", "--problem", "line"), "`cnn` needs images"),
        (("--learning-rate", "1000"), "`learning_rate` must be in (0, 100]; received 1000.0."),
        (("--num-examples", "1"), "`num_examples` must be"),
    ],
)
def test_bad_input_is_one_line_and_status_2(run, words, message):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_data_set_that_can_not_be_downloaded_is_one_line(run, monkeypatch):
    def refuse(*_, **__):
        raise problems.DownloadError("mnist could not be downloaded. Without a network: digits.")

    monkeypatch.setattr(problems, "load", refuse)
    status, _, err = run("--problem", "mnist")
    assert status == 2
    assert err == "sgd_tf: mnist could not be downloaded. Without a network: digits.\n"
