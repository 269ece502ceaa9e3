"""`sgd-tf race`: the table, the files, and messages for bad input."""

import math
import runpy
import sys
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sgd_tf import __main__ as command_line
from sgd_tf import problems
from sgd_tf.training import tuned_rates


@pytest.fixture
def run(tmp_path, capsys):
    def call(*words):
        try:
            status = command_line.main(["race", "--output", str(tmp_path / "out"), *words])
        except SystemExit as refused:  # by the parser of the words
            status = refused.code
        captured = capsys.readouterr()
        return status, captured.out, captured.err

    return call


def test_a_race_prints_its_table_and_writes_csv_and_html(run, tmp_path):
    status, out, err = run(
        *("--problem", "line", "--model", "linear", "--num-examples", "100"),
        *("--batch-size", "all", "8", "--learning-rate", "0.05", "--seconds", "0.05", "--target-value", "1"),
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


@pytest.fixture
def raced(monkeypatch):
    """What the command line asks a race for; it trains nothing."""
    from sgd_tf.racing import race as racing

    taken, race = {}, racing.race

    def stop(problem, configs, *, seconds, model, seeds):
        race(
            problem, configs, seconds=seconds, model=model, seeds=seeds
        )  # checks its arguments, and trains when it is asked
        taken.update(num_examples=problem.num_examples, configs=configs, seconds=seconds, model=model)
        raise ValueError("enough")

    monkeypatch.setattr(racing, "race", stop)
    return taken


def test_a_race_to_a_test_accuracy_prints_the_time_to_it(run, tmp_path):
    status, out, _err = run(
        *("--problem", "breast_cancer", "--model", "linear", "--batch-size", "32", "--learning-rate", "0.1"),
        *("--seconds", "0.05", "--target-metric", "test_accuracy", "--target-value", "0.5"),
    )
    assert status == 0
    assert out.splitlines()[0] == "To a test accuracy of 50 %"
    history = pd.read_csv(tmp_path / "out.csv")
    assert history["test_accuracy"].max() >= 0.5
    assert "–" not in out  # it was reached


def test_without_a_learning_rate_each_has_its_tuned_one(run, raced):
    assert run("--batch-size", "all", "32")[0] == 2
    rates = {config.batch_size: config.learning_rate for config in raced["configs"].values()}
    assert rates == {k: tuned_rates.tuned_learning_rate("digits", "mlp", k) for k in ("all", 32)}


# A number as a learner may type it. The same text must reach the race as this very number, or be refused.
NUMBERS = st.sampled_from(["0", "-1", "nan", "inf", "-inf", "1e400", "1e-400", "1e9", "-0.0", "", " ", "one", "0x10"])
NUMBERS = NUMBERS | st.floats().map(repr) | st.integers(-5, 2000).map(str) | st.integers().map(str)


@pytest.mark.parametrize("option", ["learning-rate", "seconds", "target-value", "seed", "num-examples", "batch-size"])
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=NUMBERS)
def test_each_number_reaches_the_race_as_it_was_given_or_ends_with_status_2(run, raced, option, text):
    raced.clear()
    size = () if option == "batch-size" else ("--batch-size", "8")
    status, out, err = run("--problem", "spirals", *size, f"--{option}={text}")
    assert (status, out) == (2, "")
    assert bool(raced) == (err == "sgd-tf: enough\n")
    if not raced:
        assert f"`{option.replace('-', '_')}` must be" in err or f"argument --{option}: " in err
        return
    (config,) = raced["configs"].values()
    if option == "seconds":
        assert raced["seconds"] == float(text)
    elif option == "target-value":
        assert 0 < float(text) < math.inf
    elif option == "num-examples":
        assert raced["num_examples"] == int(text)
    else:
        assert getattr(config, option.replace("-", "_")) == float(text)


@pytest.mark.parametrize(
    "words", [("--learning-rate", "0"), ("--target-value", "0"), ("--target-value", "nan"), ("--seed", "-1")]
)
def test_zero_is_a_number_and_not_the_preset(run, raced, words):
    status, out, err = run(*words)
    name = words[0].removeprefix("--").replace("-", "_")
    assert (status, out, raced) == (2, "", {})
    assert err.startswith(f"sgd-tf: `{name}` must be ")


def test_the_results_of_two_learning_rates_lie_in_two_pairs_of_files(run, tmp_path):
    short = ("--problem", "line", "--model", "linear", "--num-examples", "50", "--batch-size", "8", "--seconds", "0.01")
    names = ["run_lr0.1", "run_lr0.5", "plain"]
    for name in [*names[:2], "plain.csv"]:  # a suffix that is there already is not added again
        assert run(*short, "--output", str(tmp_path / name))[0] == 0
    wanted = {f"{name}{suffix}" for name in names for suffix in (".csv", ".html")}
    assert {path.name for path in tmp_path.iterdir()} == wanted


@pytest.mark.parametrize("output", ["nodir/x", "", "there/", ".", "there/..", "n" * 300, "taken"])
def test_a_file_that_can_not_be_written_is_refused_before_the_race(run, raced, tmp_path, monkeypatch, output):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "taken.html").mkdir()
    status, out, err = run("--output", output)
    assert (status, out, raced) == (2, "", {})
    assert err.startswith("sgd-tf: `output` must name a file")
    assert {path.name for path in tmp_path.iterdir()} == {"there", "taken.html"}  # the check leaves nothing


def test_where_the_findings_of_claims_go_is_checked_before_they_are_tried(tmp_path, capsys):
    assert command_line.main(["claims", "--only", "iterations", "--json", str(tmp_path / "nodir" / "x.json")]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "No such file or directory" in captured.err


def test_a_contestant_that_diverged_says_so_and_at_which_update(run, tmp_path):
    status, out, _ = run(
        *("--problem", "diabetes", "--model", "linear", "--batch-size", "all", "8", "--seconds", "0.05"),
        *("--learning-rate", "5"),
    )
    assert status == 0
    table = pd.read_csv(tmp_path / "out.csv")
    for name, records in table.groupby("run"):
        (diverged_at,) = records["diverged_at"].dropna().astype(int)
        (line,) = [line for line in out.splitlines() if line.strip().startswith(f"{name} ")]
        assert f"diverged at update {diverged_at:,} " in line
        assert "inf" not in line


def test_the_table_says_which_rates_and_targets_were_not_searched(run):
    short = ("--problem", "line", "--seconds", "0.01", "--batch-size")
    of_search = run(*short, "all", "8")[1]
    assert "(estimated)" not in of_search
    title, _, between, gd, *_ = run(*short, "9", "all")[1].splitlines()
    assert ["(estimated)" in text for text in (title, between, gd)] == [False, True, False]
    title, _, k_8, gd, *_ = run(*short, "8", "all", "--widths", "64", "64")[1].splitlines()
    assert all("(estimated)" in text for text in (title, k_8, gd))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--batch-size", "0"), '`batch_size` must be in [1, 1437] or "all"; received 0.'),
        (("--batch-size", "32", "1438"), '`batch_size` must be in [1, 1437] or "all"; received 1438.'),
        (("--widths", "0"), "`widths` must be an integer in [1, 4096]; received 0."),
        (("--seconds", "nan"), "`seconds` must be a finite number greater than 0; received nan."),
        (("--seconds", "0"), "`seconds` must be a finite number greater than 0; received 0.0."),
        (("--model", "cnn", "--problem", "line"), "`cnn` needs images"),
        (("--learning-rate", "1000"), "`learning_rate` must be in (0, 100]; received 1000.0."),
        (("--num-examples", "1"), "`num_examples` must be"),
        (("--target-metric", "test_accuracy"), "`target_value` must be a test accuracy in (0, 1]; received None."),
        (
            ("--target-metric", "test_accuracy", "--target-value", "95"),
            "must be a test accuracy in (0, 1]; received 95.0.",
        ),
        (("--target-metric", "test_accuracy", "--problem", "line"), "`target_metric` must be train_loss: 'line' is"),
    ],
)
def test_bad_input_is_one_line_and_status_2(run, words, message):
    status, out, err = run(*words)
    assert (status, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


def test_a_data_set_that_can_not_be_downloaded_is_one_line(run, monkeypatch):
    def refuse(*_, **__):
        raise problems.DownloadError("mnist", "timed out")

    monkeypatch.setattr(problems, "load", refuse)
    status, _, err = run("--problem", "mnist")
    assert status == 2
    assert err.startswith("sgd-tf: `mnist` could not be downloaded: timed out. These need no download: line, ")
    assert err.count("\n") == 1


def test_the_lab_starts_with_the_options_of_streamlit(monkeypatch):
    started = []
    monkeypatch.setattr(sys, "argv", ["sgd-tf"])
    monkeypatch.setattr(runpy, "run_module", lambda name, **_options: started.append((name, *sys.argv[1:])))
    app = str(Path(__file__).parents[1] / "app.py")
    assert command_line.main(["lab", "--server.port", "8600", "--server.headless=true"]) == 0
    assert started == [("streamlit", "run", app, "--server.port", "8600", "--server.headless=true")]


def test_without_streamlit_the_lab_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "streamlit", None)
    assert command_line.main(["lab"]) == 2
    assert capsys.readouterr().err == "sgd-tf: The lab needs more packages: pip install 'sgd-tf[app]'.\n"


@pytest.mark.parametrize("words", [["race", "--server.port", "8600"], ["claims", "--sedes", "3"]])
def test_an_option_that_a_command_does_not_have_is_refused(words, capsys):
    with pytest.raises(SystemExit) as refused:
        command_line.main(words)
    assert refused.value.code == 2
    assert f"unrecognized arguments: {' '.join(words[1:])}" in capsys.readouterr().err


def test_a_race_on_a_table_of_ones_own(run, raced, tmp_path):
    file = tmp_path / "houses.csv"
    rows = "".join(f"{i % 9},{'서울' if i % 2 else '부산'},{3 * (i % 9)}.5\n" for i in range(50))
    file.write_bytes(f"넓이,지역,가격\n{rows}".encode("cp949"))
    status, _out, err = run("--data", str(file), "--target", "가격", "--batch-size", "8")
    assert (status, err) == (2, "sgd-tf: enough\n")
    assert raced["num_examples"] == 40


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--data", "none.csv", "--target", "y"), "No such file"),
        (("--data", "none.csv"), "`target` must be the name of a column of `data`; received none."),
        (("--target", "price"), "`target` must be given with `data`; received 'price'."),
        (("--data", "none.csv", "--target", "y", "--num-examples", "9"), "`num_examples` must be given without `data`"),
        (("--data", "none.csv", "--problem", "line"), "not allowed with argument"),
    ],
)
def test_what_a_table_needs_is_named(run, words, message):
    status, _out, err = run(*words)
    assert status == 2
    assert message in err
