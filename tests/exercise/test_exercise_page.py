"""The page of the exercise in both languages, on rows that are given."""

import pytest

from sgd_tf.exercise import rows
from sgd_tf.exercise.rows import NUM_ROWS, EpochLoss, ExercisePlan, Setting, TableFacts
from sgd_tf.exercise.tasks import TASKS
from sgd_tf.jobs import JobFailure
from tests.lab import LANGUAGES, checked, open_app

PAGE = "pages/practice/exercise.py"


def given_rows(plan, losses):
    """Rows in which each setting has the same loss from the first epoch on."""
    num_validation = 4_128 if plan.has_validation else 0
    yield TableFacts(num_examples=NUM_ROWS - num_validation, num_validation=num_validation, variance=1.33)
    for seed in plan.seeds:
        for epoch in plan.epochs:
            for place, loss in enumerate(losses):
                if epoch <= (plan.settings[place].num_epochs or plan.num_epochs):
                    yield EpochLoss(
                        setting=place,
                        seed=seed,
                        epoch=epoch,
                        seconds=epoch / 100,
                        mean_loss=loss + 0.001 * seed if epoch else None,
                        train_loss=loss + 0.001 * seed,
                        validation_loss=loss + 0.01 if plan.has_validation else None,
                    )


def texts(app):
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.success, *app.warning, *app.info])


def begin(app, kind):
    app.button(key=f"exercise_{kind}_run").click().run()
    assert checked(app).button(key=f"exercise_{kind}_run").disabled
    return app


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("guess", "is_right"), [("near", True), ("exact", False), (None, None)])
def test_the_run_stands_beside_the_book_and_the_prediction_is_judged(cluster, language, guess, is_right):
    app = open_app(language, page=PAGE)
    if guess:
        app.pills(key="exercise_book_guess").set_value(guess).run()
    begin(app, "book")
    (job,) = cluster.jobs
    assert (job.function, job.arguments) == (rows.train_all, (ExercisePlan(),))
    job.rows, job.status = list(given_rows(ExercisePlan(), [0.3])), "done"
    checked(app.run())
    assert (len(app.success), len(app.warning)) == (is_right is True, is_right is False)
    said = {
        "en": "After 1,000 epochs the book printed 0.3110, this run 0.3000.",
        "ko": "책은 0.3110, 이번 실행은 0.3000",
    }
    assert said[language] in texts(app)


def test_while_it_trains_the_page_says_how_long_it_will_take(cluster):
    app = begin(open_app(page=PAGE, exercise_epochs="4000"), "book")
    plan = ExercisePlan(num_epochs=4_000)
    (job,) = cluster.jobs
    job.rows = [row for row in given_rows(plan, [0.4]) if isinstance(row, TableFacts) or row.epoch <= 1_000]
    (bar,) = checked(app.run()).get("progress")
    assert bar.proto.text == "Training: 25%, about 30 s left"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_the_book_left_open_names_the_lowest_loss_and_the_rows_kept_back(cluster, language):
    app = begin(open_app(language, page=PAGE, exercise_part="open", exercise_validation="1"), "open")
    (plan,) = cluster.jobs[0].arguments
    assert [setting.batch_size for setting in plan.settings] == [32, 256, 1_024, "all"]
    cluster.jobs[0].rows, cluster.jobs[0].status = list(given_rows(plan, [0.31, 0.32, 0.35, 0.6])), "done"
    said = texts(checked(app.run()))
    assert "k = 32, γ = 0.02: 0.3110" in said
    assert {"en": "On the 4,128 rows kept back, k = 32 ends lowest, at 0.3200.", "ko": "k = 32가 0.3200으로"}[
        language
    ] in said


def test_a_task_opens_its_hints_one_by_one_and_its_check_tells_whether_the_goal_is_reached(cluster):
    app = open_app(page=PAGE, exercise_part="tasks")
    assert app.button(key="exercise_check_run").disabled  # the book's own setting
    for number, hint in enumerate(TASKS["k"].hints, start=1):
        app.button(key="exercise_hint_k").click().run()
        assert f"{number}. {hint}" in texts(checked(app))
    assert "exercise_hint_k" not in {button.key for button in app.button}
    for k, loss, words in ((32, 0.30, "Goal reached"), (64, 0.35, "Goal not reached")):
        app.number_input(key="exercise_task_k").set_value(k).run()
        begin(app, "check")
        job = cluster.jobs[-1]
        (plan,) = job.arguments
        assert plan.settings == (Setting(), Setting(batch_size=k))
        job.rows, job.status = list(given_rows(plan, [0.35, loss])), "done"
        assert words in texts(checked(app.run()))


def test_without_a_network_the_same_exercise_is_offered_on_a_table_that_is_here(cluster):
    app = begin(open_app(page=PAGE), "book")
    cluster.jobs[0].status, cluster.jobs[0].failure = "failed", JobFailure("download", "no network")
    checked(app.run())
    app.button(key="exercise_book_flights").click().run()
    begin(app, "book")
    assert cluster.jobs[-1].arguments[0].data == "flights"
    assert not [pills for pills in app.pills if pills.key == "exercise_book_guess"]
