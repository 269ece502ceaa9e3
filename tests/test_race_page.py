"""The race page in both languages, with workers that answer from a list instead of training."""

import pytest
from streamlit.runtime.scriptrunner import ScriptRunContext
from streamlit.testing.v1 import AppTest

from sgd_tf import problems
from sgd_tf.jobs import JobFailure
from sgd_tf.jobs.worker import describe
from sgd_tf.problems import DownloadError
from sgd_tf.ui import controls, experiment, race_view, runs
from tests.lab import APP, LANGUAGES, FakeCluster, FakeJob, checked, open_app


@pytest.fixture(autouse=True)
def cluster(monkeypatch):
    fake = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: fake)
    return fake


def record(name, seconds, loss, **changes):
    """A row of a race, with the batch size that the name tells."""
    k = 1437 if name.startswith("GD") else int(name.removeprefix("k = "))
    update = round(seconds * 100_000 / k)
    return {
        "run": name,
        "batch_size": k,
        "full_batch": k == 1437,
        "num_examples": 1437,
        "update": update,
        "epoch": update * k / 1437,
        "examples": update * k,
        "seconds": seconds,
        "minibatch_loss": loss,
        "minibatch_loss_low": loss / 2,
        "minibatch_loss_high": loss * 2,
        "train_loss": loss,
        "test_loss": loss * 1.5,
        "test_accuracy": 0.9,
        "diverged_at": None,
    } | changes


GD, SGD = "GD (k = 1,437)", "k = 32"
RACE = [
    {"device": "CPU"},
    *(record(name, 0.0, 2.0) for name in (GD, "k = 256", SGD)),
    *(record(GD, s, loss) for s, loss in [(1.0, 0.5), (4.0, 0.002), (5.0, 0.001)]),
    *(record("k = 256", s, loss) for s, loss in [(1.0, 0.1), (2.0, 0.001), (5.0, 0.0005)]),
    *(record(SGD, s, loss) for s, loss in [(0.5, 0.001), (5.0, 0.0001)]),
]


def finish(app, cluster, rows=RACE, status="done"):
    job = cluster.jobs[-1]
    job.rows, job.status = list(rows), status
    return checked(app.run())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_opens_in_each_language(cluster, language):
    app = open_app(language)
    assert app.subheader[0].value == {"ko": "GD 대 SGD", "en": "GD against SGD"}[language]
    assert app.button(key="run").label == {"ko": "실행", "en": "Run"}[language]
    assert not app.button(key="run").disabled
    assert app.button(key="stop").disabled
    assert cluster.warmed == "sgd_tf.jobs.tasks.warm_up"
    assert not cluster.jobs


def test_korean_is_the_language_where_neither_address_nor_browser_names_one():
    assert AppTest.from_file(APP, default_timeout=60).run().subheader[0].value == "GD 대 SGD"


def test_the_language_of_the_browser_is_taken():
    app = AppTest.from_file(APP, default_timeout=60)
    app.context = {"locale": "en-GB"}
    assert checked(app.run()).subheader[0].value == "GD against SGD"


def test_the_default_race_is_digits_with_tuned_rates_for_all_256_and_32(cluster):
    app = open_app()
    app.button(key="run").click().run()
    (job,) = cluster.jobs
    (plan,) = job.arguments
    assert job.function == "sgd_tf.jobs.tasks.run_race"
    assert (plan.problem, plan.model.kind, plan.model.widths, plan.seconds) == ("digits", "mlp", (32,), 5.0)
    assert [config.batch_size for config in plan.configs.values()] == ["all", 256, 32]
    assert list(plan.configs) == [GD, "k = 256", "k = 32"]
    assert plan.target is not None
    assert len({config.seed for config in plan.configs.values()}) == 1


def test_run_is_one_job_however_often_it_is_pressed(cluster):
    app = open_app()
    app.button(key="run").click().run()
    assert app.button(key="run").disabled
    app.session_state["run"] = False
    runs_now = len(cluster.jobs)
    for _ in range(2):
        app.run()
    assert runs_now == len(cluster.jobs) == 1


class Server:
    """Stands for Streamlit's runtime: which sessions have a page that is connected."""

    def __init__(self):
        self.connected = {"test session id"}

    def get_instance(self):
        return self

    def is_active_session(self, session):
        return session in self.connected


def test_a_job_is_held_as_long_as_its_page_is_connected(cluster, monkeypatch):
    server = Server()
    monkeypatch.setattr(runs, "runtime", server)
    monkeypatch.setattr(runs, "_held", {})
    app = open_app()
    app.button(key="run").click().run()
    job = cluster.jobs[0]
    runs.touch_held()
    assert job.touches == 1
    server.connected.clear()
    runs.touch_held()
    assert job.touches == 1
    job.status = "stopped"
    runs.touch_held()
    assert runs._held == {}


def test_stop_keeps_the_curve_so_far(cluster):
    app = open_app()
    app.button(key="run").click().run()
    cluster.jobs[0].rows = RACE[:6]
    app.button(key="stop").click().run()
    assert cluster.jobs[0].status == "stopped"
    assert not checked(app).button(key="run").disabled
    assert app.table  # standings and results of what there was


@pytest.mark.parametrize("rows", [[], RACE[:1], RACE[:3]])
def test_a_race_that_is_stopped_before_its_first_update_says_so(cluster, rows):
    app = open_app()
    app.button(key="run").click().run()
    finish(app, cluster, rows, "stopped")
    assert app.progress[0].text == "Stopped before anything was trained."


def test_a_prediction_is_judged_by_the_race(cluster):
    app = open_app()
    app.pills(key="prediction").set_value(SGD).run()
    app.button(key="run").click().run()
    finish(app, cluster)
    assert any("Your prediction was right: k = 32 was first." in e.value for e in app.success)
    assert not app.warning


def test_a_wrong_prediction_is_told_who_was_first(cluster):
    app = open_app()
    app.pills(key="prediction").set_value(GD).run()
    app.button(key="run").click().run()
    finish(app, cluster)
    assert any("You expected GD (k = 1,437); k = 32 was first." in e.value for e in app.warning)


def test_the_sentence_compares_the_first_with_gradient_descent(cluster):
    app = open_app()
    app.number_input(key="target").set_value(0.251).run()
    app.button(key="run").click().run()
    finish(app, cluster)
    # On the lines between the records: SGD at 0.5 (2 − 0.251)/(2 − 0.001) s, GD at 1 + 3 (0.5 − 0.251)/(0.5 − 0.002) s.
    assert any("**k = 32 reached the target in 0.44 s" in m.value for m in app.markdown)
    assert any("gradient descent needed 2.5 s" in m.value for m in app.markdown)
    assert any("5.7 times as long" in m.value for m in app.markdown)


def test_the_finished_race_is_a_film(cluster):
    app = open_app()
    app.button(key="run").click().run()
    finish(app, cluster)
    film = app.slider(key=f"film_{cluster.jobs[-1].id}")
    assert (film.min, film.max, film.value) == (0.0, 5.0, 5.0)
    film.set_value(1.0).run()
    standings = checked(app).table[0].value
    assert standings["Training loss"].to_dict() == {GD: "0.5", "k = 256": "0.1", "k = 32": "0.001"}


def test_a_diverged_contestant_is_said_so_and_the_others_are_shown(cluster):
    rows = [row for row in RACE if row.get("run") != "k = 256"]
    rows.append(record("k = 256", 0.1, float("inf"), diverged_at=37))
    app = open_app()
    app.button(key="run").click().run()
    finish(app, cluster, rows)
    assert app.table[0].value["State"]["k = 256"] == "diverged at update 37"
    assert any("**k = 32 reached the target" in m.value for m in app.markdown)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["memory", "time limit", "worker lost", "import", "error"])
def test_a_failure_is_one_sentence_in_the_learners_language(cluster, language, kind):
    app = open_app(language)
    app.button(key="run").click().run()
    cluster.jobs[0].failure = JobFailure(kind, "ValueError: no such thing")
    finish(app, cluster, [], "failed")
    (message,) = [element.value for element in app.error]
    assert ("ValueError: no such thing" in message) == (kind == "error")
    assert any("가" <= letter <= "힣" for letter in message) == (language == "ko")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failed_download_names_its_cause_and_what_works_without(cluster, language):
    app = open_app(language, problem="mnist")
    app.button(key="run").click().run()
    cluster.jobs[0].failure = describe(DownloadError("mnist", "[Errno 28] No space left on device"))
    finish(app, cluster, [], "failed")
    (message,) = [element.value for element in app.error]
    assert {"ko": "두 나선", "en": "Two spirals"}[language] in message
    assert message.count("[Errno 28] No space left on device") == 1
    assert "DownloadError" not in message


def test_a_page_asks_often_while_it_trains_and_seldom_while_others_are_first(cluster, monkeypatch):
    intervals = []
    enqueue = ScriptRunContext.enqueue

    def note(context, message):
        if message.WhichOneof("type") == "auto_rerun":
            intervals.append(round(message.auto_rerun.interval, 3))
        enqueue(context, message)

    monkeypatch.setattr(ScriptRunContext, "enqueue", note)
    app = open_app()
    assert intervals == []
    app.button(key="run").click().run()
    for status, place in [("waiting", 2), ("waiting", 1), ("running", None), ("done", None)]:
        cluster.jobs[0].status, cluster.jobs[0].place = status, place
        intervals.append(status)
        checked(app.run())
    often, seldom = experiment.POLL_SECONDS, experiment.QUEUE_SECONDS
    assert intervals == [often, "waiting", seldom, "waiting", often, "running", often, "done"]


def test_run_can_be_pressed_when_the_job_of_another_page_has_ended(monkeypatch):
    app = open_app()
    job = FakeJob("function", ())
    app.session_state["runs"] = {"sweep": runs.SessionRun(kind="sweep", plan=None, job=job)}
    assert checked(app.run()).button(key="run").disabled
    draw_clock = race_view._clock

    def end_meanwhile(*arguments):
        job.status = "done"
        draw_clock(*arguments)

    monkeypatch.setattr(race_view, "_clock", end_meanwhile)
    assert not checked(app.run()).button(key="run").disabled


def test_the_curves_of_a_race_that_begins_again_are_those_of_the_second_attempt(cluster):
    app = open_app()
    app.button(key="run").click().run()
    job = cluster.jobs[0]
    job.rows = RACE[:4]
    assert losses(app) == [2.0] * 3
    job.attempt, job.rows = 2, [RACE[0], *(record(name, 0.0, 1.0) for name in (GD, "k = 256", SGD))]
    assert losses(app) == [1.0] * 3


def losses(app):
    """Column of the table of standings."""
    return checked(app.run()).table[0].value["Training loss"].astype(float).tolist()


def test_a_change_of_the_picture_draws_nothing_else(cluster):
    app = open_app()
    app.button(key="run").click().run()
    finish(app, cluster)
    app.segmented_control(key="y").set_value("test_accuracy").run()
    assert checked(app).toggle(key="log").disabled
    assert "accuracy" in app.get("vega_lite_chart")[0].proto.spec
    assert not app.selectbox  # a control of the race


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_place_in_the_queue_and_its_time_are_shown(cluster, language):
    app = open_app(language)
    app.button(key="run").click().run()
    job = cluster.jobs[0]
    job.status, job.place, job.seconds_to_start = "waiting", 7, 64.4
    assert {"en": "place 7, about 64 s", "ko": "7번째, 약 64초"}[language] in checked(app.run()).progress[0].text
    job.seconds_to_start = 490.0
    assert {"en": "about 8 min", "ko": "약 8분"}[language] in checked(app.run()).progress[0].text


def test_a_search_is_offered_and_its_rates_are_used_by_the_next_race(cluster):
    app = open_app()
    app.button(key="search").click().run()
    (job,) = cluster.jobs
    assert job.function == "sgd_tf.jobs.tasks.search_learning_rates"
    trial = {"run": SGD, "learning_rate": 0.123, "mean_loss": 0.1, "train_loss": 0.1, "diverged_at": None}
    finish(app, cluster, [trial, trial | {"learning_rate": 0.5, "mean_loss": 0.2}])
    app.run()
    app.button(key="run").click().run()
    assert cluster.jobs[-1].arguments[0].configs[SGD].learning_rate == 0.123


@pytest.mark.parametrize("best_at", [0.1, 0.5, 2.0])
def test_a_search_says_when_the_best_rate_is_at_an_end_of_what_was_tried(cluster, best_at):
    app = open_app()
    app.button(key="search").click().run()
    trials = [
        {"run": SGD, "learning_rate": rate, "mean_loss": abs(rate - best_at), "train_loss": 0.1, "diverged_at": None}
        for rate in (0.1, 0.5, 2.0)
    ]
    finish(app, cluster, trials)
    app.run()
    said = [text.value for text in app.caption if "the last one that was tried" in text.value]
    assert bool(said) == (best_at != 0.5)
    assert all(text.startswith(SGD) for text in said)


@pytest.mark.parametrize(
    ("address", "sizes"),
    [
        ({"k": ["all", "1"]}, ["all", 1]),
        ({"k": ["32"], "other_k": "100"}, [100, 32]),
        ({"k": ["32"], "other_k": "5000"}, ["all", 32]),
        ({"problem": "line", "n": "500", "k": ["1", "all"]}, ["all", 1]),
    ],
)
def test_the_address_holds_the_race(cluster, address, sizes):
    app = open_app(**address)
    app.button(key="run").click().run()
    (plan,) = cluster.jobs[0].arguments
    assert [config.batch_size for config in plan.configs.values()] == sizes
    assert plan.num_examples == (500 if "n" in address else None)


def test_a_batch_size_above_the_number_of_samples_is_taken_as_all_and_said_so():
    app = open_app(other_k="5000")
    assert any("k = 5,000 is taken as N = 1,437" in caption.value for caption in app.caption)


def test_changed_controls_are_written_into_the_address_in_plain_words_whatever_the_language():
    app = open_app("ko")
    app.selectbox(key="problem").select("line").run()
    app.pills(key="k").set_value(["1", "all"]).run()
    app.segmented_control(key="rates").set_value("same").run()
    app.number_input(key="rate").set_value(0.25).run()
    app.segmented_control(key="x").set_value("update").run()
    app.run()  # the change of an axis has redrawn the picture alone
    wanted = {"problem": "line", "k": ["1", "all"], "rates": "same", "rate": "0.25", "x": "update"}
    assert {key: checked(app).query_params.get(key) for key in wanted} == wanted
    app.menu_button(key="preset").click("digits").run()
    assert "problem" not in app.query_params


@pytest.mark.parametrize(
    "address",
    [
        {"rate": "nan", "rates": "same"},
        {"k": ["-3"]},
        {"k": ["many"]},
        {"problem": "nope", "model": "rnn", "x": "y", "y": "x"},
        {"n": "1e99", "seconds": "0", "seed": "-1", "target": "inf", "other_k": "0"},
        {"widths": "0, 9999999", "activation": "gelu"},
        {"lang": "xx"},
    ],
)
def test_nonsense_in_the_address_gives_the_defaults(cluster, address):
    language = address.pop("lang", "en")
    app = open_app(language, **address)
    app.button(key="run").click().run()
    (plan,) = cluster.jobs[0].arguments
    assert (plan.problem, plan.seconds, plan.model.widths) == ("digits", 5.0, (32,))


def test_what_can_not_be_raced_is_said_and_not_run():
    app = open_app(k=["1", "8", "32", "256", "1024", "all"])
    assert any("at most 5" in element.value for element in app.warning)
    assert app.button(key="run").disabled
    app.pills(key="k").set_value([]).run()
    assert any("at least one" in element.value for element in checked(app).warning)
    app.pills(key="k").set_value(["32", "all"]).run()
    app.number_input(key="seconds").set_value(40).run()
    assert any("choose at most 30 s" in element.value for element in checked(app).warning)
    app.number_input(key="seconds").set_value(5).run()
    app.text_input(key="widths").set_value("a few").run()
    assert any("Hidden layers" in element.value for element in checked(app).error)
    assert app.button(key="run").disabled


def test_learning_rates_that_are_scaled_are_proportional_to_k(cluster):
    app = open_app(rates="scaled", rate="0.02", k=["8", "32", "256"])
    app.button(key="run").click().run()
    (plan,) = cluster.jobs[0].arguments
    rates = {config.batch_size: config.learning_rate for config in plan.configs.values()}
    assert rates == pytest.approx({256: 0.16, 32: 0.02, 8: 0.005})


@pytest.mark.parametrize("preset", controls.PRESETS)
def test_every_preset_can_be_raced(cluster, preset):
    app = open_app()
    app.menu_button(key="preset").click(preset).run()
    checked(app).button(key="run").click().run()
    assert len(cluster.jobs) == 1


@pytest.mark.parametrize("name", controls.PROBLEMS)
def test_every_problem_can_be_chosen_with_every_model_that_suits_it(cluster, name):
    app = open_app(problem=name)
    kinds = app.segmented_control(key="model").options
    assert len(kinds) == (3 if problems.CATALOGUE[name].is_image else 2)
    app.button(key="run").click().run()
    assert cluster.jobs[0].arguments[0].problem == name


def test_the_pages_offer_every_problem_of_the_catalogue():
    assert set(controls.PROBLEMS) == set(problems.CATALOGUE)


def test_contestants_keep_the_seed_of_the_page(cluster):
    app = open_app(seed="7")
    app.button(key="run").click().run()
    assert {c.seed for c in cluster.jobs[0].arguments[0].configs.values()} == {7}


def test_the_time_limit_leaves_room_for_compiling(cluster):
    app = open_app(seconds="20")
    app.button(key="run").click().run()
    assert cluster.jobs[0].limit > 20 * 3 + 30
