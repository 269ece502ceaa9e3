"""The page on sampling in both languages: the ledger on the real pipeline, the experiments on rows that are given."""

import dataclasses
import math

import pytest

from sgd_tf.jobs import JobFailure
from sgd_tf.sampling import rows, trials
from sgd_tf.sampling.rows import (
    CopiesDifference,
    Floor,
    FloorPlan,
    GenieMeasurement,
    OrdersPlan,
    SortedMeasurement,
    SortedPlan,
)
from sgd_tf.ui import runs
from tests.lab import LANGUAGES, InProcessCluster, checked, open_app, travelled

PAGE = "pages/learn/sampling.py"
ADDRESS = {
    "floor": {"sampling_floor_k": "8"},
    "sorted": {"sampling_sorted_b": "300"},
    "genie": {"sampling_copies": "4"},
}


@pytest.fixture(autouse=True)
def fresh_answers():
    runs._answers.clear()


@pytest.fixture
def real(monkeypatch):
    cluster = InProcessCluster()
    monkeypatch.setattr(runs, "connect", lambda: cluster)
    return cluster


def open_page(language="en", **address):
    return open_app(language, page=PAGE, **address)


def texts(app):
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.success, *app.warning, *app.info])


# The ledger


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_ledger_of_five_ways_is_drawn_from_the_real_pipeline(real, language):
    app = open_page(language, sampling_n="50", sampling_epochs="3")
    assert not app.table  # it answers the prediction
    app.button(key="sampling_ways_show").click().run()
    (job,) = real.jobs
    plan = OrdersPlan(num_examples=50, buffer_size=20, seed=0)
    assert (job.function, job.arguments) == (rows.draw_orders, (plan,))
    words = texts(app)
    for way in {
        "ko": ("에포크마다 다시 섞기", "한 번만 섞기", "순서대로", "복원 추출", "셔플 버퍼"),
        "en": ("Reshuffled each epoch", "Shuffled once", "In order", "With replacement", "Shuffle buffer"),
    }[language]:
        assert f"**{way}**" in words
    if language == "en":
        assert words.count("Never drawn: **0** of 50") == 4
        assert words.count("Same position as in epoch 2: **50** of 50") == 2
    measured = app.table[0].value
    assert len(measured) == 3
    # (1 − 1/50)^50, (1 − 1/50)^100, (1 − 1/50)^150
    assert measured.iloc[:, 1].tolist() == ["36.4%", "13.3%", "4.8%"]


def test_moving_through_the_epochs_asks_no_worker_again(real):
    app = open_page()
    app.button(key="sampling_ways_show").click().run()
    for num_epochs in (2, 7):
        app.slider(key="sampling_epochs").set_value(num_epochs).run()
        assert len(checked(app).table[0].value) == num_epochs
    app.number_input(key="sampling_k").set_value(25).run()
    assert not real.jobs  # the recorded orders are of these settings
    app.number_input(key="sampling_b").set_value(5).run()
    assert real.jobs[-1].arguments == (OrdersPlan(num_examples=100, buffer_size=5, seed=0),)


@pytest.mark.usefixtures("real")
@pytest.mark.parametrize(("guess", "is_right"), [("third", True), ("none", False)])
def test_the_guess_of_what_is_missed_is_judged_by_what_was_drawn(guess, is_right):
    app = open_page()
    assert app.button(key="sampling_ways_show")  # the answer is covered
    app.pills(key="sampling_ways_guess").set_value(guess).run()
    assert app.table
    assert len(checked(app).success) == is_right
    assert len(app.warning) == (not is_right)


def test_a_skeleton_stands_while_the_worker_draws(cluster):
    app = open_page(sampling_b="5")
    assert cluster.jobs
    assert not app.table


def test_a_failure_of_the_worker_is_a_sentence(cluster):
    app = open_page("ko", sampling_b="5")
    cluster.jobs[0].failure = JobFailure("error", "ValueError: no such thing")
    cluster.jobs[0].status = "failed"
    assert [element.value for element in checked(app.run()).error]


@pytest.mark.usefixtures("real")
def test_a_batch_size_above_the_number_of_samples_becomes_that_number():
    app = open_page(sampling_n="30", sampling_k="200")
    assert app.number_input(key="sampling_k").value == 30


@pytest.mark.parametrize(
    "address",
    [
        {"sampling_n": "-5", "sampling_b": "nan", "sampling_k": "0", "sampling_epochs": "1e9"},
        {"sampling_part": "moon", "sampling_seed": "x", "sampling_seeds": "4", "sampling_copies": "3"},
    ],
)
def test_nonsense_in_the_address_gives_the_defaults(real, address):
    open_page(**address)
    assert not real.jobs  # the orders of the defaults are recorded


# The experiments


def run_part(cluster, part, guess, rows, *, status="done", language="en", **address):
    """The page after a run of a part with these rows, or with those that a function gives for the job."""
    app = open_page(language, sampling_part=part, **address)
    if guess:
        app.pills(key=f"sampling_{part}_guess").set_value(guess).run()
    app.button(key=f"sampling_{part}_run").click().run()
    assert app.button(key=f"sampling_{part}_run").disabled
    job = cluster.jobs[-1]
    job.rows, job.status = (rows(job) if callable(rows) else list(rows)), status
    return checked(app.run())


def floor_rows(power, *, num_seeds=3):
    """Floors γ with replacement and γ^power reshuffled."""
    return [
        Floor(
            sampling=way,
            learning_rate=rate,
            seed=seed,
            floor=rate**p,
            expected=rate if way == "with_replacement" else None,
            distances=[1.0, rate**p],
        )
        for seed in range(num_seeds)
        for rate in FloorPlan(batch_size=8, num_seeds=num_seeds).learning_rates
        for way, p in (("with_replacement", 1.0), ("reshuffle", power))
    ]


@pytest.mark.parametrize(("guess", "is_right"), [("quarter", True), ("half", False)])
def test_the_floors_decide_whether_the_guess_was_right(cluster, guess, is_right):
    app = run_part(cluster, "floor", guess, floor_rows(2.0))
    assert (len(app.success), len(app.warning)) == (is_right, not is_right)
    # Halving the rate divides γ by 2 and γ² by 4.
    assert "by 2.0 with replacement and by 4.0 when reshuffled" in texts(app)


def test_the_floor_asks_for_five_halvings_in_proportion_to_k(cluster):
    app = open_page(sampling_part="floor", sampling_floor_k="16", sampling_seeds="10")
    app.button(key="sampling_floor_run").click().run()
    assert cluster.jobs[-1].function is rows.error_floors
    (plan,) = cluster.jobs[-1].arguments
    assert plan == FloorPlan(batch_size=16, num_seeds=10)
    assert plan.learning_rates == (0.4, 0.2, 0.1, 0.05, 0.025)


def test_a_stopped_run_keeps_its_picture_and_judges_no_prediction(cluster):
    app = run_part(cluster, "floor", "half", floor_rows(2.0)[:5], status="stopped")
    assert not app.success
    assert not app.warning
    assert not app.button(key="sampling_floor_run").disabled


def sorted_rows(accuracy, *, num_epochs=10):
    return [
        SortedMeasurement(
            sampling=way, seed=seed, epoch=e / 2, update=e, examples=e, train_loss=1.0, test_accuracy=value
        )
        for way, value in accuracy.items()
        for seed in range(3)
        for e in range(2 * num_epochs + 1)
    ]


@pytest.mark.parametrize(("rate", "said"), [("0.1", "As good as reshuffling"), ("0.001", "Nothing was learned")])
def test_the_buffer_is_judged_only_where_something_was_learned(cluster, rate, said):
    best = 0.95 if rate == "0.1" else 0.117
    rows = sorted_rows({"in_order": best / 2, "buffer": best, "reshuffle": best})
    app = run_part(cluster, "sorted", "reshuffle", rows, sampling_sorted_rate=rate)
    assert said in texts(app)
    assert len(app.success) == (rate == "0.1")


def test_runs_that_diverge_are_counted_and_the_others_are_not_judged_without_them(cluster):
    rows = [
        dataclasses.replace(row, train_loss=math.nan, test_accuracy=math.nan)
        if row.sampling == "buffer" and row.seed < 2 and row.update
        else row
        for row in sorted_rows({"in_order": 0.5, "buffer": 0.9, "reshuffle": 0.9})
    ]
    app = run_part(cluster, "sorted", "reshuffle", rows, sampling_sorted_rate="50")
    (said,) = [element.value for element in app.info]
    assert said.startswith("2 of 9 runs diverged")
    assert not app.success
    assert cluster.jobs[-1].arguments == (SortedPlan(batch_size=32, learning_rate=50.0, buffer_size=100, num_seeds=5),)


def genie_rows(gd, sgd, *, num_copies=4, num_epochs=8, num_examples=1024):
    """Losses of 1 at all measurements but those with copies."""
    return [
        GenieMeasurement(
            method=method,
            copies=copies,
            seed=seed,
            epoch=epoch,
            update=epoch * num_examples * copies // (num_examples * copies if method == "gd" else 32),
            examples=epoch * num_examples * copies,
            train_loss=loss if copies > 1 else 1.0,
            test_accuracy=0.5,
        )
        for seed in range(3)
        for method, loss in (("gd", gd), ("sgd", sgd))
        for copies in (1, num_copies)
        for epoch in range(num_epochs * (num_copies // copies) + 1)
    ]


def test_the_genie_hurts_the_method_with_the_raised_loss(cluster):
    rows = [*genie_rows(3.0, 1.0), CopiesDifference(difference=6e-8, updates=8)]
    app = run_part(cluster, "genie", "gd", rows)
    assert len(app.success) == 1
    assert "multiply the loss of GD by 3.00 and the loss of SGD by 1.00" in texts(app)
    assert "differ by at most 6 · 10⁻⁸" in texts(app)
    assert app.table[0].value.iloc[:, 0].tolist() == ["3", "1"]


@pytest.mark.parametrize(("part", "language"), [("floor", "ko"), ("sorted", "en"), ("genie", "ko")])
def test_each_part_shows_what_its_worker_really_sends(cluster, part, language):
    def one_seed(job):
        (plan,) = job.arguments
        return travelled(job.function, dataclasses.replace(plan, num_seeds=1))

    large = {"sampling_sorted_k": "128", "sampling_genie_k": "128", "sampling_copies": "2"}  # few updates
    app = run_part(cluster, part, None, one_seed, language=language, sampling_counter="epoch", **large)
    assert {"floor": "γ", "sorted": "%", "genie": "GD"}[part] in texts(app)
    assert len(app.info) == 1


@pytest.mark.parametrize(
    ("part", "function", "given"),
    [
        ("floor", "error_floors", {"batch_size": 8, "learning_rates": (0.2, 0.1, 0.05, 0.025, 0.0125)}),
        ("sorted", "sorted_runs", {"batch_size": 32, "buffer_size": 300}),
        ("genie", "genie_runs", {"num_copies": 4, "batch_size": 32}),
    ],
)
@pytest.mark.usefixtures("cluster")
def test_the_code_asks_for_what_the_controls_say(monkeypatch, part, function, given):
    app = open_page(sampling_part=part, sampling_seeds="3", **ADDRESS[part])
    asked = []
    monkeypatch.setattr(trials, function, lambda problem, **given: asked.append((problem.name, given)) or [])
    exec(app.code[0].value, {})
    ((name, told),) = asked
    assert name == ("line" if part == "floor" else "digits")
    assert {key: told[key] for key in given} == given
    assert told["seeds"] == range(3)


def test_a_guess_of_another_run_is_not_judged(cluster):
    app = run_part(cluster, "floor", None, floor_rows(2.0))
    app.pills(key="sampling_floor_guess").set_value("half").run()
    assert not checked(app).success
    assert not app.warning
