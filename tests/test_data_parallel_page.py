"""The page on several devices in both languages, on rows that are given: the times, a process that is lost."""

import pytest

from sgd_tf.devices.replicas import ParallelPlan
from sgd_tf.jobs import tasks
from sgd_tf.ui import runs
from tests.lab import LANGUAGES, FakeCluster, checked, open_app

PAGE = "pages/lab/data_parallel.py"


@pytest.fixture(autouse=True)
def cluster(monkeypatch):
    fake = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: fake)
    return fake


def texts(app):
    return " ".join(element.value for element in [*app.markdown, *app.caption])


def run_part(cluster, part, guess, rows, *, language="en", status="done", **address):
    app = open_app(language, page=PAGE, parallel_part=part, **address)
    if guess:
        app.pills(key=f"parallel_guess_{part}").set_value(guess).run()
    app.button(key=f"parallel_{part}_run").click().run()
    cluster.jobs[-1].rows, cluster.jobs[-1].status = [{"cores": 2}, {"stage": "training", "worker": 0}, *rows], status
    return checked(app.run())


def device_rows(times, *, k=256, num_updates=30, difference=6e-8):
    """Runs that take so many ms for each update after the first two, by number of devices."""
    rows = []
    for count, ms in times.items():
        for update in range(1, num_updates + 1):
            seconds = 1.0 if update <= 2 else ms / 1e3
            rows.append({"replicas": count, "update": update, "seconds": seconds, "loss": 1.0, "device": "CPU"})
        first, last = rows[-num_updates], rows[-1]
        first["norm"] = 0.5
        for r in range(count):
            part = list(range(r * k // count, (r + 1) * k // count))
            first |= {f"indices_{r}": part, f"norm_{r}": 0.6, f"along_{r}": 0.5, f"across_{r}": 0.1 * (-1) ** r}
        rows[-num_updates] = first
        last["difference"] = difference
    return rows


@pytest.mark.parametrize("language", LANGUAGES)
def test_devices_on_shared_cores_are_said_so_and_their_times_judge_the_guess(cluster, language):
    app = run_part(cluster, "devices", "slower", device_rows({1: 2.0, 2: 3.0, 4: 5.0}), language=language)
    job = cluster.jobs[-1]
    assert job.function is tasks.train_over_devices
    assert job.arguments == (ParallelPlan(num_updates=30), (1, 2, 4))
    assert len(app.success) == 1
    table = app.table[0].value
    assert table.index.tolist() == ["1", "2", "4"]
    assert table.iloc[:, 0].tolist() == ["256", "128", "64"]
    assert table.iloc[:, 1].tolist() == ["2 ms", "3 ms", "5 ms"]  # the first two updates are left out
    assert table.iloc[:, 2].tolist() == ["6.0e-08"] * 3
    assert "2.5" in texts(app)  # 5 ms / 2 ms


@pytest.mark.parametrize(("ms", "guess"), [(1.0, "faster"), (2.2, "same"), (4.0, "slower")])
def test_the_guess_is_held_against_the_ratio_of_the_times(cluster, ms, guess):
    app = run_part(cluster, "devices", guess, device_rows({1: 2.0, 2: ms}), parallel_r="2")
    assert len(app.success) == 1
    assert cluster.jobs[-1].arguments[1] == (1, 2)


def test_a_run_that_is_not_at_its_end_shows_its_parts_and_no_verdict(cluster):
    rows = device_rows({1: 2.0, 2: 3.0})[:40]
    app = run_part(cluster, "devices", "same", rows, status="stopped", parallel_r="2")
    assert not app.success
    assert not app.warning
    assert len(app.table[0].value) == 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_lost_process_is_told_with_the_seconds_until_none_was_left(cluster, language):
    stages = [{"stage": stage, "worker": w} for stage in ("tensorflow", "devices", "training") for w in (0, 1)]
    updates = [{"replicas": 2, "update": n, "seconds": 0.1, "loss": 1.0, "device": "CPU"} for n in range(1, 6)]
    rows = [*stages, *updates, {"lost": 1}, {"ended": "Process 1 was ended by signal 9.", "index": 1, "seconds": 0.13}]
    app = run_part(cluster, "machines", None, rows, language=language, parallel_fate="lose")
    assert cluster.jobs[-1].function is tasks.train_over_workers
    assert cluster.jobs[-1].arguments == (ParallelPlan(num_updates=30), 2, 5)
    (error,) = [element.value for element in app.error]
    assert "0.1" in error
    states = app.table[0].value.iloc[:, 0].tolist()
    assert states == {"en": ["was ended", "was killed"], "ko": ["끝내짐", "죽음"]}[language]


def test_processes_that_stay_make_the_update_of_one(cluster):
    updates = [{"replicas": 2, "update": n, "seconds": 0.1, "loss": 1.0, "device": "CPU"} for n in range(1, 31)]
    updates[-1]["difference"] = 6e-8
    app = run_part(cluster, "machines", "same", updates)
    assert cluster.jobs[-1].arguments[2] is None
    assert len(app.success) == 1
    assert "by more than 6.0e-08" in texts(app)


def test_the_command_lines_are_those_of_the_run_that_is_chosen():
    app = open_app("en", page=PAGE, parallel_part="machines", parallel_workers="3", parallel_k="64")
    shown = app.code[0].value
    assert "sgd-tf data-parallel --workers 3 \\\n  --problem digits --batch-size 64" in shown
    assert "--index 0" in shown
    assert "--index 1" in shown
