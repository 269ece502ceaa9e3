"""Claims about the frame of an experiment: prediction, run, what it says, and a run that outlives its session."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from streamlit.testing.v1 import AppTest

from sgd_tf.jobs import JobFailure
from sgd_tf.ui import runs, visitors


@dataclass(frozen=True, kw_only=True)
class CoinPlan:
    """Tosses of a coin."""

    tosses: int


@dataclass(frozen=True, kw_only=True)
class Toss:
    """One toss."""

    heads: bool


def toss(plan: CoinPlan) -> Iterator[Toss]:
    """Toss a coin."""
    for number in range(plan.tosses):
        yield Toss(heads=number % 2 == 0)


def trial_page():
    from dataclasses import replace

    import streamlit as st

    from sgd_tf.ui import runs
    from sgd_tf.ui.trial import Trial, Verdict
    from tests.ui.test_trial import CoinPlan, toss

    def verdict(plan, rows):
        if len(rows) < plan.tosses:
            return None
        heads = sum(row.heads for row in rows)
        return Verdict(text=f"{heads} heads", answer="most" if 2 * heads > plan.tosses else "few")

    trial = Trial(
        kind="coin",
        run=toss,
        question="Heads?",
        options={"few": "Neither", "most": "Both"},
        seconds=lambda plan: plan.tosses,
        settings=lambda plan: f"{plan.tosses} tosses",
        progress=lambda plan, rows: len(rows) / plan.tosses,
        verdict=verdict,
        picture=lambda plan, rows: st.code(f"{len(rows)} of {plan.tosses}"),
    )
    tosses = st.number_input("tosses", 0, 9, value=4, key="tosses")
    plan = CoinPlan(tosses=tosses) if tosses else None
    if st.session_state.get("depends"):
        trial = replace(
            trial,
            question=lambda plan: f"How many of {plan.tosses}?",
            options=lambda plan: {str(number): str(number) for number in range(plan.tosses)},
            begin=lambda plan, guess: runs.start("coin", toss, plan, seconds=1.0, prediction=f"begun with {guess}"),
        )
    trial.predict(plan)
    trial.buttons(plan)
    trial.result(plan)


@pytest.fixture(autouse=True)
def cluster(cluster):
    runs._kept.clear()
    return cluster


def opened(*, run="", **session):
    app = AppTest.from_function(trial_page, default_timeout=30)
    app.session_state["lang"] = "en"
    for key, value in session.items():
        app.session_state[key] = value
    if run:
        app.query_params["run"] = run
    return drawn(app)


def drawn(app):
    app.run()
    assert not app.exception, [element.value for element in app.exception]
    return app


def started(cluster, *, guess=None):
    """A page with a run that has begun, and its job."""
    app = opened()
    if guess:
        app.pills(key="coin_guess").set_value(guess)
    app.button(key="coin_run").click()
    drawn(app)
    return app, cluster.jobs[-1]


def finish(app, job, *, heads=4, num_rows=4, status="done"):
    job.rows = [Toss(heads=number < heads) for number in range(num_rows)]
    job.status = status
    return drawn(app)


def said(app):
    kinds = ("success", "warning", "info", "error")
    return [(kind, element.value) for kind in kinds for element in getattr(app, kind)]


def test_before_the_first_run_the_picture_and_the_settings_are_those_of_the_controls():
    app = opened(tosses=3)
    assert app.code[0].value == "0 of 3"
    assert [caption.value for caption in app.caption] == ["3 tosses"]
    assert said(app) == []


def test_a_run_takes_the_plan_and_names_itself_in_the_address(cluster):
    app, job = started(cluster)
    assert (job.function, job.arguments) == (toss, (CoinPlan(tosses=4),))
    assert app.query_params["run"] in (job.id, [job.id])
    assert app.button(key="coin_run").disabled
    assert not app.button(key="coin_stop").disabled


def test_a_run_that_passed_its_time_limit_says_so_beside_what_it_found(cluster):
    app, job = started(cluster, guess="most")
    job.failure = JobFailure("time limit", "")
    found = said(finish(app, job, status="failed"))
    assert [kind for kind, _text in found] == ["success", "error"]
    assert "4 heads" in found[0][1]
    assert "passed its time limit" in found[1][1]
    (late,) = said(finish(app, job, num_rows=2, status="failed"))
    assert late[0] == "error"


def test_what_cannot_be_run_has_no_run():
    app = opened(tosses=0)
    assert app.button(key="coin_run").disabled
    assert not app.code


def test_question_and_options_may_depend_on_the_plan():
    app = opened(depends=True, tosses=3)
    assert (app.pills(key="coin_guess").label, app.pills(key="coin_guess").options) == (
        "How many of 3?",
        ["0", "1", "2"],
    )
    app.pills(key="coin_guess").set_value("2")
    app.number_input(key="tosses").set_value(2)
    assert drawn(app).pills(key="coin_guess").value is None  # no longer an option
    app.number_input(key="tosses").set_value(1)
    assert not drawn(app).pills  # no choice
    app.number_input(key="tosses").set_value(0)
    assert not drawn(app).pills


def test_what_begins_a_run_may_be_given():
    app = opened(depends=True)
    app.pills(key="coin_guess").set_value("2")
    app.button(key="coin_run").click()
    drawn(app)
    assert app.session_state["runs"]["coin"].prediction == "begun with 2"


@pytest.mark.parametrize(
    ("guess", "expected"),
    [
        ("most", ("success", "**Right: Both.** 4 heads")),
        ("few", ("warning", "**Not so: you expected “Neither”, the run says “Both”.** 4 heads")),
        (None, ("info", "4 heads")),
    ],
)
def test_the_verdict_answers_the_prediction(cluster, guess, expected):
    app, job = started(cluster, guess=guess)
    assert said(finish(app, job)) == [expected]
    assert app.code[0].value == "4 of 4"


def test_a_screen_reader_hears_each_quarter_and_the_verdict_unless_the_message_speaks_for_itself(cluster):
    app, job = started(cluster, guess="few")
    for num_rows, words in [(0, "Training: 0%"), (1, "Training: 25%"), (3, "Training: 75%")]:
        finish(app, job, num_rows=num_rows, status="running")
        assert words in app.get("html")[-1].proto.body
    finish(app, job)  # a warning, which is an alert
    assert not app.get("html")
    app.session_state["runs"] = {}
    app = opened(run=job.id)
    assert '"4 heads"' in app.get("html")[-1].proto.body


def test_a_prediction_made_after_the_run_began_is_not_judged(cluster):
    app, job = started(cluster)
    app.pills(key="coin_guess").set_value("most")
    assert said(finish(app, job)) == [("info", "4 heads")]


def test_a_stopped_run_keeps_its_picture_and_says_how_far_it_came(cluster):
    app, job = started(cluster, guess="most")
    finish(app, job, num_rows=1, status="stopped")
    assert said(app) == []
    assert "Stopped at 25%." in [bar.proto.text for bar in app.get("progress")]
    assert app.code[0].value == "1 of 4"
    assert not app.button(key="coin_run").disabled


def test_a_run_that_is_stopped_before_its_first_row_says_so(cluster):
    app, job = started(cluster)
    finish(app, job, num_rows=0, status="stopped")
    assert "Stopped before the first result." in [bar.proto.text for bar in app.get("progress")]


def test_a_failed_run_says_why_and_is_not_judged(cluster):
    app, job = started(cluster, guess="most")
    job.failure = JobFailure("worker lost", "")
    finish(app, job, status="failed")
    ((kind, text),) = said(app)
    assert (kind, "ended unexpectedly" in text) == ("error", True)
    assert app.code[0].value == "4 of 4"


def test_a_result_stays_what_it_is_while_the_controls_change_and_says_so(cluster):
    app, job = started(cluster)
    finish(app, job)
    app.number_input(key="tosses").set_value(6)
    drawn(app)
    assert app.caption[0].value == "4 tosses · :orange[settings changed: run again]"
    assert said(app) == [("info", "4 heads")]
    assert app.code[0].value == "4 of 4"
    app.number_input(key="tosses").set_value(4)
    drawn(app)
    assert app.caption[0].value == "4 tosses"


def test_another_session_finds_a_finished_run_without_what_its_learner_expected(cluster):
    app, job = started(cluster, guess="most")
    finish(app, job)
    assert said(opened(run=job.id)) == [("info", "4 heads")]


def test_a_reload_finds_a_running_job_and_what_was_expected_of_it(cluster, monkeypatch):
    monkeypatch.setattr(visitors, "browser", lambda: "mine")
    _app, job = started(cluster, guess="most")
    app = opened(run=job.id)
    assert app.button(key="coin_run").disabled
    assert said(finish(app, job)) == [("success", "**Right: Both.** 4 heads")]


def test_a_running_job_of_another_learner_is_not_taken(cluster, monkeypatch):
    monkeypatch.setattr(visitors, "browser", lambda: "theirs")
    _app, job = started(cluster)
    monkeypatch.setattr(visitors, "browser", lambda: "mine")
    app = opened(run=job.id)
    assert not app.button(key="coin_run").disabled
    assert app.button(key="coin_stop").disabled
    assert app.code[0].value == "0 of 4"


def test_an_address_with_an_unknown_run_is_an_empty_picture():
    assert opened(run="nobody").code[0].value == "0 of 4"
