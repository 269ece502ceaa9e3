"""The race page in both languages, with workers that answer from a list instead of training."""

import json
import math
from dataclasses import replace

import pytest
from streamlit.runtime.scriptrunner import ScriptRunContext
from streamlit.testing.v1 import AppTest

from sgd_tf import problems
from sgd_tf.jobs import JobFailure
from sgd_tf.jobs.worker import describe
from sgd_tf.problems import DownloadError
from sgd_tf.racing import view
from sgd_tf.racing.presets import PRESETS
from sgd_tf.racing.rows import Device, RunTrial, StableLimit, first_points, run_race, search_learning_rates
from sgd_tf.training import tuned_rates
from sgd_tf.training.history import Row
from sgd_tf.training.warm_up import warm_up
from sgd_tf.ui import progress, runs
from sgd_tf.ui.widgets import PROBLEMS
from tests.lab import APP, LANGUAGES, FakeJob, checked, open_app

pytestmark = pytest.mark.usefixtures("cluster")


def record(name, seconds, loss, **changes):
    """A row of a race, with the batch size that the name tells."""
    k = 1437 if name.startswith("GD") else int(name.removeprefix("k = "))
    update = round(seconds * 100_000 / k)
    values = {
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
    }
    return Row(**values | changes)


GD, SGD = "GD (k = 1,437)", "k = 32"
RACE = [
    Device(name="CPU"),
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
    assert app.subheader[0].value == {"ko": "경주: GD 대 SGD", "en": "Race: GD vs SGD"}[language]
    assert app.button(key="race_run").label == {"ko": "실행", "en": "Run"}[language]
    assert not app.button(key="race_run").disabled
    assert app.button(key="race_stop").disabled
    assert cluster.warmed is warm_up
    assert not cluster.jobs


def test_korean_is_the_language_where_neither_address_nor_browser_names_one():
    assert AppTest.from_file(APP, default_timeout=60).run().subheader[0].value == "SGD 실험실"


def test_the_language_of_the_browser_is_taken():
    app = AppTest.from_file(APP, default_timeout=60)
    app.context = {"locale": "en-GB"}
    assert checked(app.run()).subheader[0].value == "The SGD lab"


def test_the_default_race_is_digits_with_tuned_rates_for_all_256_and_32(cluster):
    app = open_app()
    app.button(key="race_run").click().run()
    (job,) = cluster.jobs
    (plan,) = job.arguments
    assert job.function is run_race
    assert (plan.problem, plan.model.kind, plan.model.widths, plan.seconds) == ("digits", "mlp", (32,), 5.0)
    assert [config.batch_size for config in plan.configs.values()] == ["all", 256, 32]
    assert list(plan.configs) == [GD, "k = 256", "k = 32"]
    assert plan.target is not None
    assert len({config.seed for config in plan.configs.values()}) == 1


def test_run_is_one_job_however_often_it_is_pressed(cluster):
    app = open_app()
    app.button(key="race_run").click().run()
    assert app.button(key="race_run").disabled
    app.session_state["race_run"] = False
    runs_now = len(cluster.jobs)
    for _ in range(2):
        app.run()
    assert runs_now == len(cluster.jobs) == 1


def test_a_job_is_held_as_long_as_its_page_is_connected(cluster, monkeypatch):
    connected = {"test session id"}
    monkeypatch.setattr(runs, "is_connected", connected.__contains__)
    monkeypatch.setattr(runs, "_held", {})
    app = open_app()
    app.button(key="race_run").click().run()
    job = cluster.jobs[0]
    runs.touch_held()
    assert job.touches == 1
    connected.clear()
    runs.touch_held()
    assert job.touches == 1
    job.status = "stopped"
    runs.touch_held()
    assert runs._held == {}


def test_stop_keeps_the_curve_so_far(cluster):
    app = open_app()
    app.button(key="race_run").click().run()
    cluster.jobs[0].rows = RACE[:6]
    app.button(key="race_stop").click().run()
    assert cluster.jobs[0].status == "stopped"
    assert not checked(app).button(key="race_run").disabled
    assert app.table  # standings and results of what there was


@pytest.mark.parametrize("rows", [[], RACE[:1], RACE[:3]])
def test_a_race_that_is_stopped_before_its_first_update_says_so(cluster, rows):
    app = open_app()
    app.button(key="race_run").click().run()
    finish(app, cluster, rows, "stopped")
    shown = [bar.text for bar in app.progress] + [element.value for element in app.info]
    assert shown == (["Stopped before anything was trained."] if rows else ["Stopped before the first result."])


def test_a_prediction_is_judged_by_the_race(cluster):
    app = open_app()
    app.pills(key="race_guess").set_value(SGD).run()
    app.button(key="race_run").click().run()
    finish(app, cluster)
    assert app.success[0].value.startswith("**Right: k = 32.** k = 32 reached the target in 0.5 s")
    assert not app.warning


def test_a_wrong_prediction_is_told_who_was_first(cluster):
    app = open_app()
    app.pills(key="race_guess").set_value(GD).run()
    app.button(key="race_run").click().run()
    finish(app, cluster)
    expected = "**Not so: you expected “GD (k = 1,437)”, the run says “k = 32”.** k = 32 reached the target in"
    assert app.warning[0].value.startswith(expected)


def raced(cluster, rows, *, language="en", status="done", prediction=None, **address):
    """The page after a race that gave these rows."""
    app = open_app(language, **address)
    if prediction:
        app.pills(key="race_guess").set_value(prediction).run()
    app.button(key="race_run").click().run()
    return finish(app, cluster, [RACE[0], *rows], status)


def words(app):
    """Sentences of the verdict: all that is said below the picture, less its tables."""
    return [e.value for kind in (app.success, app.warning, app.info, app.markdown, app.caption) for e in kind]


def said(app, text):
    return any(text in sentence for sentence in words(app))


def test_the_sentence_compares_the_first_with_gradient_descent(cluster):
    more = [record(SGD, 0.4, 0.3), record("k = 256", 0.6, 0.3)]
    app = raced(cluster, sorted([*more, *RACE[1:]], key=lambda row: row.seconds), target="0.251")
    # On the lines between the records: SGD at 0.4 + 0.1 (0.3 − 0.251)/(0.3 − 0.001) s, which is update 1,301.2 of its
    # 3,125 a second; GD at 1 + 3 (0.5 − 0.251)/(0.5 − 0.002) s, update 173.99.
    assert said(app, "k = 32 reached the target in 0.42 s, at update 1,302.")
    assert said(app, "GD (k = 1,437) was there after 2.5 s, at update 174: 6 times as long.")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("prediction", [None, SGD, "k = 256", GD])
def test_times_between_the_same_two_records_are_too_close_to_tell(cluster, language, prediction):
    rows = [record(name, s, loss) for name in (GD, SGD) for s, loss in [(0.0, 2.0), (1.0, 1.9)]]
    rows += [record("k = 256", s, loss) for s, loss in [(0.0, 2.0), (0.5, 0.3), (1.0, 0.2)]]
    rows += [record(SGD, 1.2, 0.1), record(GD, 1.4, 0.1)]
    app = raced(cluster, rows, language=language, prediction=prediction, target="0.25")
    assert said(app, {"en": "k = 256 reached the target in 0.75 s", "ko": "k = 256: 업데이트 293번, 0.75초"}[language])
    app = raced(cluster, rows, language=language, prediction=prediction, target="1.5")
    assert said(app, "k = 256 reached" if language == "en" else "k = 256")
    app = raced(cluster, [row for row in rows if row.run != "k = 256"], language=language, target="0.5",
                k=["32", "all"], prediction=prediction if prediction != "k = 256" else None)  # fmt: skip
    assert said(app, {"en": "Too close to tell: k = 32", "ko": "누가 먼저인지 가릴 수 없습니다"}[language])
    assert not any(
        said(app, text) for text in ("times as long", "배 걸렸", "Right", "Not so", "맞았습니다", "다릅니다")
    )


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_target_that_the_initial_weights_meet_has_no_winner(cluster, language):
    app = raced(cluster, RACE[1:], language=language, target="5", prediction=SGD)
    assert said(
        app, {"en": "The initial weights meet this target", "ko": "처음 가중치가 이미 이 목표를 만족"}[language]
    )
    for text in ("reached the target in", "목표까지", "times", "배 걸렸", "Right", "맞았습니다", "Not so", "다릅니다"):
        assert not said(app, text), text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_race_that_was_stopped_says_when_and_asks_for_no_more_seconds(cluster, language):
    app = raced(cluster, [*RACE[1:4], record(GD, 0.27, 1.0), record(SGD, 0.27, 0.5)], language=language,
                status="stopped", seconds="15")  # fmt: skip
    assert said(app, {"en": "Stopped at 0.27 of 15 s", "ko": "훈련 15초 중 0.27초에서"}[language])
    assert said(app, {"en": "Nobody had reached the target by then", "ko": "그때까지 아무도"}[language])
    assert not said(app, "more seconds")
    assert not said(app, "시간을 늘리거나")


@pytest.mark.parametrize("language", LANGUAGES)
def test_steps_that_are_too_long_are_advised_against_with_the_limit_where_it_is_known(cluster, language):
    rows = [
        record(GD, 0.0, 2.0),
        record(GD, 0.1, float("inf"), diverged_at=17, update=40),
        StableLimit(learning_rate=0.25),
    ]
    app = raced(cluster, rows, language=language, k=["all"])
    assert said(
        app, {"en": "Diverged: GD (k = 1,437) at update 17. Choose a smaller", "ko": "더 작은 학습률"}[language]
    )
    assert said(app, "2/λmax = 0.25")
    assert not said(app, {"en": "more seconds", "ko": "시간을 늘리거나"}[language])
    # One number: the standings, the state and the table to the target.
    standings, target = app.table[0].value, app.table[1].value
    assert standings.loc[GD].tolist().count("17") == 1
    assert "40" not in standings.loc[GD].tolist()
    for table in (standings, target):
        assert any("17" in str(value) for value in table.loc[GD].tolist()[-1:])


def test_one_contestant_is_compared_with_nobody(cluster):
    app = raced(cluster, [row for row in RACE[1:] if row.run == SGD], k=["32"], target="0.004")
    assert said(app, "k = 32 reached the target in 0.5 s, at update 1,560.")
    assert not any(said(app, text) for text in ("No other", "On unseen samples", "paired", "fewest updates"))


def test_who_made_the_fewest_updates_is_counted(cluster):
    rows = [record(GD, s, loss, update=int(42_412 * s)) for s, loss in [(0.0, 2.0), (1.0, 0.1)]]
    rows += [record(SGD, s, loss, update=int(29_375 * s)) for s, loss in [(0.0, 2.0), (1.0, 0.1)]]
    app = raced(cluster, rows, k=["32", "all"])
    # Of 100,000 samples a second GD is given 70 × 1,437, the other 3,125 × 32.
    assert said(app, "the fewest updates: k = 32, 29,375. The most samples: GD (k = 1,437), 100,590.")


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "96.7% right with k = 32, 97.5% with GD (k = 1,437). 3 of 360 test samples apart: that may be chance."),
     ("ko", "k = 32 96.7%, GD (k = 1,437) 97.5%. 테스트 샘플 360개 중 3개 차이: 우연일 수 있습니다.")],
)  # fmt: skip
def test_the_verdict_says_what_being_first_is_worth_on_unseen_samples(cluster, language, sentence):
    accuracy = {GD: 351 / 360, "k = 256": 350 / 360, SGD: 348 / 360}
    rows = [replace(row, test_accuracy=accuracy[row.run]) for row in RACE[1:]]
    rows[-2] = replace(rows[-2], test_accuracy=349 / 360)
    app = raced(cluster, rows, language=language)
    assert said(app, sentence)
    column = {"en": "Test accuracy (best)", "ko": "테스트 정확도 (최고)"}[language]
    assert app.table[1].value[column][SGD] == "96.7% (96.9%)"
    assert said(app, {"en": "same order (seed 0)", "ko": "같은 순서로 뽑습니다(시드 0)"}[language])


@pytest.mark.parametrize(
    ("language", "question", "title"),
    [
        ("en", "Predict: who reaches a test accuracy of 95 % first?", "The cost of a test accuracy of 95 %"),
        ("ko", "예측: 누가 먼저 테스트 정확도 95 %에 도달할까?", "테스트 정확도 95 %까지 든 비용"),
    ],
)
def test_a_race_to_a_test_accuracy(cluster, language, question, title):
    accuracies = {GD: [0.1, 0.5, 0.96], SGD: [0.1, 0.97, 0.94]}
    rows = [record(name, float(s), 1.0 - s / 9, test_accuracy=values[s]) for name, values in accuracies.items()
            for s in range(3)]  # fmt: skip
    app = raced(cluster, rows, language=language, k=["32", "all"], target_by="test_accuracy", target_accuracy="95",
                y="test_accuracy")  # fmt: skip
    plan = cluster.jobs[-1].arguments[0]
    assert (plan.target_metric, plan.target) == ("test_accuracy", 0.95)
    assert app.pills(key="race_guess").label == question
    assert any(element.value == title for element in app.subheader)
    # GD: 1 + (0.95 − 0.5)/(0.96 − 0.5) s; SGD: (0.95 − 0.1)/(0.97 − 0.1) s. Bounds 1…2 and 0…1 do not overlap.
    assert app.table[1].value.iloc[:, 1].tolist() == ["1.98", "0.977"]
    assert said(app, {"en": "k = 32 reached the target in 0.98 s", "ko": "k = 32: 업데이트 3,054번, 0.98초"}[language])
    chart = json.loads(app.get("vega_lite_chart")[0].proto.spec)
    assert [{"as": "drawn", "calculate": "0.95"}] in [layer.get("transform") for layer in chart["layer"]]
    assert checked(app).query_params["target_by"] in ("test_accuracy", ["test_accuracy"])


def test_a_regression_races_to_a_loss_whatever_the_address_says(cluster):
    app = open_app(problem="line", target_by="test_accuracy", target_accuracy="95")
    app.button(key="race_run").click().run()
    plan = cluster.jobs[-1].arguments[0]
    target = tuned_rates.target_loss("line", "mlp")
    assert (plan.target_metric, plan.target) == ("train_loss", target)
    assert app.pills(key="race_guess").label == f"Predict: who reaches a training loss of {target} first?"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_rate_that_was_never_searched_is_called_estimated(language):
    estimated = {"en": "estimated", "ko": "추정"}[language]
    assert not said(open_app(language), estimated)
    app = open_app(language, k=["32"], other_k="1436")
    [rates] = [sentence for sentence in words(app) if "k = 1,436: **" in sentence]
    assert rates.count(estimated) == 1
    assert rates.index("k = 1,436") < rates.index(estimated) < rates.index("k = 32")
    app = open_app(language, n="500", k=["32"])
    assert said(app, estimated)
    assert not said(open_app(language, rates="same"), estimated)


@pytest.mark.parametrize(
    ("address", "rest"),
    [
        ({"k": ["32", "all"], "other_k": "1436"}, "1,437 mod 1,436 = 1"),
        ({"n": "10", "k": ["1", "8", "all"], "other_k": "9"}, "10 mod 9 = 1"),
        ({"k": ["32", "256", "all"]}, None),  # 29 and 157 samples are left
        ({"n": "1440", "k": ["32", "all"]}, None),  # none is left
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_tiny_last_minibatch_is_pointed_out(language, address, rest):
    app = open_app(language, **address)
    text = {"en": "The last minibatch of an epoch is small: ", "ko": "마지막 미니배치가 작습니다: "}[language]
    assert said(app, text + (rest or "")) == (rest is not None)


def y_domain(app):
    spec = app.get("vega_lite_chart")[0].proto.spec
    return json.loads(spec)["layer"][1]["encoding"]["y"]["scale"]["domain"]


@pytest.mark.parametrize("log", ["1", "0"])
@pytest.mark.parametrize("losses", [(90.0, 40.3), (1e-3, 2e-7)])
def test_the_axis_follows_losses_that_leave_it(cluster, losses, log):
    rows = [record(name, s, loss) for name in (GD, SGD) for s, loss in [(0.0, 2.4), (1.0, losses[0]), (2.0, losses[1])]]
    app = raced(cluster, rows, k=["32", "all"], log=log, target="5")
    low, high = y_domain(app)
    assert low <= losses[1] <= high
    assert low <= 2.4 <= high


def test_a_loss_that_grew_does_not_squash_the_others_on_a_linear_axis(cluster):
    rows = [record(GD, s, loss) for s, loss in [(0.0, 2.4), (1.0, 1.0)]]
    rows += [record(SGD, s, loss) for s, loss in [(0.0, 2.4), (1.0, 400.0)]]
    assert y_domain(raced(cluster, rows, k=["32", "all"], log="0"))[1] < 5


@pytest.mark.parametrize(
    ("language", "sentence", "label"),
    [
        ("en", "The race ended at the target, after 4 s of training.", "Go on to 5 s"),
        ("ko", "목표에 도달하여 훈련 4초에서 경주가 끝났습니다.", "5초까지 계속 훈련"),
    ],
)
def test_a_race_that_ended_at_the_target_says_so_and_can_go_on_to_its_limit(cluster, language, sentence, label):
    app = raced(cluster, [row for row in RACE[1:] if row.seconds < 5.0] + [record(SGD, 4.0, 0.0001)], language=language)
    (plan,) = cluster.jobs[-1].arguments
    assert (plan.until, plan.seconds) == ("target", 5.0)
    assert said(app, sentence)
    assert app.button(key="race_go_on").label == label
    app.button(key="race_go_on").click().run()
    (following,) = cluster.jobs[-1].arguments
    assert (following.until, following) == ("limit", plan)
    finish(app, cluster)
    assert not said(app, sentence)
    assert not said(app, {"en": "settings changed", "ko": "설정이 바뀌었습니다"}[language])
    assert not any(button.key == "race_go_on" for button in app.button)


def test_where_others_wait_a_race_begins_with_its_first_points(cluster):
    cluster.num_waiting = 3
    app = open_app()
    app.button(key="race_run").click().run()
    (job,) = cluster.jobs
    assert job.function is first_points
    job.place, job.seconds_to_start, job.status = 2, 7.0, "waiting"
    assert checked(app.run()).progress[0].text == "In the queue: place 2, about 7 s"
    job.rows, job.status, job.place = RACE[:5], "done", None
    app.run()
    following = cluster.jobs[1]
    assert (following.function, following.arguments) == (run_race, job.arguments)
    following.place, following.seconds_to_start, following.status = 9, 40.0, "waiting"
    assert checked(app.run()).progress[0].text == "In the queue: place 9, about 40 s"
    assert app.table[0].value["Training loss"][GD] == "0.5"  # the first points are there
    following.place, following.status, following.rows = None, "running", RACE[:2]
    assert checked(app.run()).table[0].value["Training loss"][GD] == "0.5"
    following.rows, following.status = list(RACE), "done"
    assert said(checked(app.run()), "k = 32 reached the target in 0.5 s")
    assert len(cluster.jobs) == 2


def test_dataset_shuffle_can_draw_the_orders_of_a_race(cluster):
    app = open_app(shuffler="dataset")
    app.button(key="race_run").click().run()
    (plan,) = cluster.jobs[-1].arguments
    assert {config.shuffler for config in plan.configs.values()} == {"dataset"}
    assert said(finish(app, cluster), "Dataset.shuffle(N)")
    assert any('shuffler="dataset"' in code.value or "shuffler='dataset'" in code.value for code in app.code)


def test_the_finished_race_is_a_film(cluster):
    app = open_app()
    app.button(key="race_run").click().run()
    finish(app, cluster)
    components = [json.loads(each.proto.json) for each in app.get("bidi_component") if each.proto.json]
    (shown,) = [each for each in components if "captions" in each]
    captions = shown["captions"]["track"]
    assert captions[0] == "At the start: the initial weights, the same for all."
    assert captions[-1] == f"After 5 s of training. At the target: k = 32, k = 256, {GD}."
    assert [len(panel["layers"]) for panel in shown["panels"]] == [1]  # without snapshots the curves only


def test_a_diverged_contestant_is_said_so_and_the_others_are_shown(cluster):
    rows = [RACE[0], *(row for row in RACE[1:] if row.run != "k = 256")]
    rows.append(record("k = 256", 0.1, float("inf"), diverged_at=37))
    app = open_app()
    app.button(key="race_run").click().run()
    finish(app, cluster, rows)
    assert app.table[0].value["State"]["k = 256"] == "diverged at update 37"
    assert said(app, "k = 32 reached the target")
    assert said(app, "Diverged: k = 256 at update 37.")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["memory", "time limit", "worker lost", "import", "error"])
def test_a_failure_is_one_sentence_in_the_learners_language(cluster, language, kind):
    app = open_app(language)
    app.button(key="race_run").click().run()
    cluster.jobs[0].failure = JobFailure(kind, "ValueError: no such thing")
    finish(app, cluster, [], "failed")
    (message,) = [element.value for element in app.error]
    assert ("ValueError: no such thing" in message) == (kind in ("import", "error"))
    assert any("가" <= letter <= "힣" for letter in message) == (language == "ko")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", ["no cluster", "no scheduler", "no workers", "other package"])
def test_a_run_that_waits_for_a_cluster_says_what_is_missing(cluster, language, kind):
    app = open_app(language)
    app.button(key="race_run").click().run()
    cluster.jobs[0].status = "waiting"
    cluster.status, cluster.failure = "failed", JobFailure(kind, "tcp://10.0.0.5:8786")
    (message,) = [element.value for element in checked(app.run()).warning]
    assert "tcp://10.0.0.5:8786" in message
    assert any("가" <= letter <= "힣" for letter in message) == (language == "ko")


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failed_download_names_its_cause_and_what_works_without(cluster, language):
    app = open_app(language, problem="mnist")
    app.button(key="race_run").click().run()
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
    app.button(key="race_run").click().run()
    for status, place in [("waiting", 2), ("waiting", 1), ("running", None), ("done", None)]:
        cluster.jobs[0].status, cluster.jobs[0].place = status, place
        intervals.append(status)
        checked(app.run())
    often, seldom = progress.POLL_SECONDS, progress.QUEUE_SECONDS
    assert intervals == [often, "waiting", seldom, "waiting", often, "running", often, "done"]


def test_run_can_be_pressed_when_the_job_of_another_page_has_ended(monkeypatch):
    app = open_app()
    job = FakeJob("function", ())
    app.session_state["runs"] = {"sweep": runs.SessionRun(kind="sweep", plan=None, job=job)}
    assert checked(app.run()).button(key="race_run").disabled
    draw_film = view._film

    def end_meanwhile(*arguments):
        job.status = "done"
        draw_film(*arguments)

    monkeypatch.setattr(view, "_film", end_meanwhile)
    assert not checked(app.run()).button(key="race_run").disabled


@pytest.mark.parametrize(
    ("status", "cluster_status", "is_message"),
    [
        ("waiting", "ready", False),
        ("waiting", "failed", True),  # why it waits
        ("running", "ready", False),
        ("running", "failed", False),
        ("done", "ready", False),
        ("failed", "ready", True),
    ],
)
def test_the_status_line_keeps_its_height_unless_there_is_a_message_to_read(
    cluster, monkeypatch, status, cluster_status, is_message
):
    monkeypatch.setattr(cluster, "status", cluster_status)
    job = FakeJob("function", ())
    job.status = status
    height = progress.status_height(runs.SessionRun(kind="race", plan=None, job=job))
    assert height == ("content" if is_message else progress.STATUS_HEIGHT)


def test_the_curves_of_a_race_that_begins_again_are_those_of_the_second_attempt(cluster):
    app = open_app()
    app.button(key="race_run").click().run()
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
    app.button(key="race_run").click().run()
    finish(app, cluster)
    app.segmented_control(key="y").set_value("test_accuracy").run()
    assert not checked(app).toggle(key="log").disabled  # the seconds still have a logarithmic axis
    app.segmented_control(key="x").set_value("update").run()
    assert checked(app).toggle(key="log").disabled
    assert "accuracy" in app.get("vega_lite_chart")[0].proto.spec
    assert not app.selectbox  # a control of the race


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_place_in_the_queue_and_its_time_are_shown(cluster, language):
    app = open_app(language)
    app.button(key="race_run").click().run()
    job = cluster.jobs[0]
    job.status, job.place, job.seconds_to_start = "waiting", 7, 64.4
    assert {"en": "place 7, about 64 s", "ko": "7번째, 약 64초"}[language] in checked(app.run()).progress[0].text
    job.seconds_to_start = 490.0
    assert {"en": "about 8 min", "ko": "약 8분"}[language] in checked(app.run()).progress[0].text


def trial(learning_rate, mean_loss, diverged_at=None):
    return RunTrial(
        run=SGD,
        learning_rate=learning_rate,
        mean_loss=mean_loss,
        train_loss=mean_loss,
        updates=9,
        diverged_at=diverged_at,
    )


def test_a_search_is_offered_and_its_rates_are_used_by_the_next_race(cluster):
    app = open_app()
    app.button(key="search").click().run()
    (job,) = cluster.jobs
    assert job.function is search_learning_rates
    finish(app, cluster, [trial(0.123, 0.1), trial(0.5, 0.2)])
    app.run()
    app.button(key="race_run").click().run()
    assert cluster.jobs[-1].arguments[0].configs[SGD].learning_rate == 0.123


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_search_in_which_all_rates_diverged_keeps_none_and_says_so(cluster, language):
    app = open_app(language)
    app.button(key="race_run").click().run()
    before = cluster.jobs[-1].arguments[0].configs[SGD].learning_rate
    cluster.jobs[-1].status = "done"
    checked(app.run()).button(key="search").click().run()
    finish(app, cluster, [trial(rate, math.inf, diverged_at=3) for rate in (30.0, 50.0)])
    (said,) = [text.value for text in app.info if SGD in text.value]
    assert {"ko": "모두 발산", "en": "diverged, so none was kept"}[language] in said
    assert not app.success
    app.run()
    app.button(key="race_run").click().run()
    assert cluster.jobs[-1].arguments[0].configs[SGD].learning_rate == before


@pytest.mark.parametrize("best_at", [0.1, 0.5, 2.0])
def test_a_search_says_when_the_best_rate_is_at_an_end_of_what_was_tried(cluster, best_at):
    app = open_app()
    app.button(key="search").click().run()
    finish(app, cluster, [trial(rate, abs(rate - best_at)) for rate in (0.1, 0.5, 2.0)])
    app.run()
    (text,) = [text.value for text in app.info if "With “Tuned”" in text.value]
    assert (f"{SGD}: the best rate is the last one that was tried" in text) == (best_at != 0.5)


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
    app.button(key="race_run").click().run()
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
    app.button(key="race_run").click().run()
    (plan,) = cluster.jobs[0].arguments
    assert (plan.problem, plan.seconds, plan.model.widths) == ("digits", 5.0, (32,))


def test_what_can_not_be_raced_is_said_and_not_run():
    app = open_app(k=["1", "8", "32", "256", "1024", "all"])
    assert any("at most 5" in element.value for element in app.warning)
    assert app.button(key="race_run").disabled
    app.pills(key="k").set_value([]).run()
    assert any("at least one" in element.value for element in checked(app).warning)
    app.pills(key="k").set_value(["32", "all"]).run()
    app.number_input(key="seconds").set_value(40).run()
    assert any("choose at most 30 s" in element.value for element in checked(app).warning)
    app.number_input(key="seconds").set_value(5).run()
    app.text_input(key="widths").set_value("a few").run()
    assert any("Hidden layers" in element.value for element in checked(app).error)
    assert app.button(key="race_run").disabled


def test_learning_rates_that_are_scaled_are_proportional_to_k(cluster):
    app = open_app(rates="scaled", rate="0.02", k=["8", "32", "256"])
    app.button(key="race_run").click().run()
    (plan,) = cluster.jobs[0].arguments
    rates = {config.batch_size: config.learning_rate for config in plan.configs.values()}
    assert rates == pytest.approx({256: 0.16, 32: 0.02, 8: 0.005})


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_can_be_raced(cluster, preset):
    app = open_app()
    app.menu_button(key="preset").click(preset).run()
    checked(app).button(key="race_run").click().run()
    assert len(cluster.jobs) == 1


@pytest.mark.parametrize("name", PROBLEMS)
def test_every_problem_can_be_chosen_with_every_model_that_suits_it(cluster, name):
    app = open_app(problem=name)
    kinds = app.segmented_control(key="model").options
    assert kinds == ["Linear", "MLP", *(["CNN"] if problems.CATALOGUE[name].is_image else []), "Own layers"]
    app.button(key="race_run").click().run()
    assert cluster.jobs[0].arguments[0].problem == name


def test_the_pages_offer_every_problem_of_the_catalogue():
    assert set(PROBLEMS) == set(problems.CATALOGUE)


def test_contestants_keep_the_seed_of_the_page(cluster):
    app = open_app(seed="7")
    app.button(key="race_run").click().run()
    assert {c.seed for c in cluster.jobs[0].arguments[0].configs.values()} == {7}


def test_the_time_limit_leaves_room_for_compiling(cluster):
    app = open_app(seconds="20")
    app.button(key="race_run").click().run()
    assert cluster.jobs[0].limit > 20 * 3 + 30
