"""The page on the cost of a step in both languages, on rows that are given."""

import itertools

import pytest

from sgd_tf import ModelConfig
from sgd_tf.step_cost import rows
from sgd_tf.step_cost.rows import WAYS, FirstEpoch, StepCostPlan, Timing
from sgd_tf.ui import runs
from tests.lab import LANGUAGES, checked, open_app

PAGE = "pages/lab/step_cost.py"
DEFAULT = StepCostPlan(problem="digits", num_examples=1_437, model=ModelConfig(), batch_sizes=(8, 64, 512, 1_437))


def given_rows(plan):
    """The lab's loop is 20 times as fast as the others."""
    for number, k, way in itertools.product(range(plan.num_rounds), plan.batch_sizes, WAYS):
        if number == 0:
            yield FirstEpoch(way=way, batch_size=k, seconds=1.5)
        yield Timing(way=way, batch_size=k, round=number, seconds=(0.005 if way == "compiled" else 0.1) + k * 1e-6)


def texts(app):
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.success, *app.warning, *app.info])


def begin(app, guess=None):
    if guess:
        app.pills(key="step_cost_guess").set_value(guess).run()
    app.button(key="step_cost_run").click().run()
    assert checked(app).button(key="step_cost_run").disabled
    return app


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("guess", "is_right"), [("many", True), ("same", False), (None, None)])
def test_a_run_is_judged_and_its_times_stand_in_the_table(cluster, language, guess, is_right):
    app = begin(open_app(language, page=PAGE), guess)
    (job,) = cluster.jobs
    assert (job.function, job.arguments) == (rows.measure_steps, (DEFAULT,))
    job.rows, job.status = list(given_rows(DEFAULT)), "done"
    checked(app.run())
    assert (len(app.success), len(app.warning)) == (is_right is True, is_right is False)
    table = app.table[0].value
    assert table.shape == (len(WAYS), 5)
    assert table.iloc[0].tolist() == ["100", "100", "101", "101", "1.5"]
    said = texts(app)
    assert {"en": "the same 180 updates in 5.01 ms", "ko": "같은 업데이트 180번에 5.01 ms"}[language] in said
    assert "k = 8, 64, 512, N" in said


def test_while_it_runs_the_page_says_which_round_it_is_and_stopped_it_says_what_is_there(cluster):
    app = begin(open_app(page=PAGE))
    (job,) = cluster.jobs
    first_round = len(DEFAULT.batch_sizes) * len(WAYS) * 2
    job.rows = list(given_rows(DEFAULT))[:first_round]
    (bar,) = checked(app.run()).get("progress")
    assert bar.proto.text == "Round 2 of 5: 33% of the measurements"
    job.status = "stopped"
    assert "Stopped after round 1 of 5: too few to judge a prediction." in texts(checked(app.run()))


def test_other_settings_make_another_plan_and_the_result_says_so(cluster):
    app = open_app(page=PAGE, step_problem="teacher", step_model="linear", step_n="5000", step_k="all")
    begin(app)
    plan = StepCostPlan(problem="teacher", num_examples=5_000, model=ModelConfig(kind="linear"), batch_sizes=(5_000,))
    assert cluster.jobs[0].arguments == (plan,)
    app.segmented_control(key="step_model").set_value("wide").run()
    assert "settings changed: run again" in texts(checked(app))


@pytest.mark.usefixtures("cluster")
def test_a_smaller_problem_takes_fewer_samples_and_drops_batch_sizes_that_it_has_not():
    app = open_app(page=PAGE)
    app.selectbox(key="step_problem").set_value("breast_cancer").run()
    assert checked(app).number_input(key="step_n").value == 455
    assert app.pills(key="step_k").value == ["8", "64", "all"]


@pytest.mark.usefixtures("cluster")
def test_without_a_batch_size_nothing_can_be_run():
    app = open_app(page=PAGE)
    app.pills(key="step_k").set_value([]).run()
    assert checked(app).button(key="step_cost_run").disabled
    assert "Choose 1 to 6 batch sizes." in texts(app)


@pytest.mark.usefixtures("cluster")
def test_nonsense_in_the_address_gives_the_defaults():
    app = open_app(page=PAGE, step_problem="moon", step_n="-3", step_k="7", step_model="x")
    begin(app)
    assert runs.connect().jobs[0].arguments == (DEFAULT,)
