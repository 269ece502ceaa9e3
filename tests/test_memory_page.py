"""The page on memory in both languages, on rows that are given: the wall, the ways out, the parts; and a race's end."""

import re

import pytest

from sgd_tf.children import WORKER_BYTES
from sgd_tf.jobs import JobFailure, tasks
from sgd_tf.memory import prediction, view
from sgd_tf.memory.prediction import Trial
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.records import ModelConfig, RacePlan, TrainConfig
from sgd_tf.ui import experiment, runs
from tests.lab import LANGUAGES, FakeCluster, checked, open_app

PAGE = "pages/lab/memory.py"
MB = 10**6
WIDE = ModelConfig(widths=(256,))


@pytest.fixture(autouse=True)
def cluster(monkeypatch):
    fake = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: fake)
    view._known.clear()
    return fake


def texts(app):
    return " ".join(element.value for element in [*app.markdown, *app.caption, *app.error, *app.success])


def row(k, megabytes, *, m=None, limit=256, fits=True):
    seconds = 0.1 if fits else None
    return {
        "batch_size": k, "micro_batch_size": m, "limit": limit * MB, "fits": fits, "bytes": megabytes * MB,
        "base": 700 * MB, "held": 0, "seconds": seconds, "updates": 3, "device": "CPU",
    }  # fmt: skip


def run_wall(cluster, guess, rows, *, language="en", status="done", **address):
    app = open_app(language, page=PAGE, **address)
    if guess:
        app.pills(key="memory_guess_wall").set_value(guess).run()
    app.button(key="memory_wall_run").click().run()
    job = cluster.jobs[-1]
    job.rows, job.status = [{"device": "CPU", "device_memory": 6_000 * MB}, {"waiting": 3.0}, *rows], status
    return checked(app.run())


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_update_that_does_not_fit_names_a_k_and_an_m_that_do(cluster, language):
    app = run_wall(cluster, "fits", [row(131_072, 257, fits=False)], language=language)
    job = cluster.jobs[-1]
    assert job.function is tasks.hit_the_memory_wall
    assert job.arguments[:4] == ("flights", None, WIDE, Trial(batch_size=131_072, limit=256 * MB))
    assert job.arguments[4] == (8184, 65_469, 261_876)  # N/32, N/4, N
    sizes = prediction.layers(WIDE, num_features=25, num_outputs=1)
    k, m = prediction.recommend(sizes, 256 * MB, batch_size=131_072, num_examples=261_876, num_features=25)
    (error,) = [element.value for element in app.error]
    for said in ("k = 131,072", "257 MB", "256 MB", f"k = {k:,}", f"m = {m:,}"):
        assert said in error
    assert app.warning[0].value  # the prediction was wrong
    # The way out is one press and the next run away.
    app.button(key="memory_take_m").click().run()
    assert app.select_slider(key="memory_m").value == str(m)
    app.button(key="memory_wall_run").click().run()
    assert cluster.jobs[-1].arguments[3] == Trial(batch_size=131_072, micro_batch_size=m, limit=256 * MB)


def test_an_update_that_fits_says_what_it_took_and_what_was_predicted(cluster):
    app = run_wall(cluster, "fits", [row(1_024, 7), *(row(k, k / 500) for k in (8184, 65_469, 261_876))])
    predicted = prediction.predict(
        prediction.layers(WIDE, num_features=25, num_outputs=1),
        TrainConfig(batch_size=1_024),
        num_examples=261_876,
        num_features=25,
    )
    assert next(element.value for element in app.success).startswith("Your prediction was right")
    assert f"took 7.0 MB of 256 MB; predicted were {view.megabytes(predicted.total)}" in texts(app)
    assert "TensorFlow itself, with the data, held 700 MB before" in texts(app)
    # Measured were k/500 MB, a straight line: 256 MB / (1 MB / 500 samples) = 128,000.
    assert (
        prediction.largest_measured([(k, k * MB / 500) for k in (65_469, 261_876)], 256 * MB, num_examples=261_876)
        == 128_000
    )
    # What was measured is known from now on: the next run makes the learner's update alone.
    app.button(key="memory_wall_run").click().run()
    assert cluster.jobs[-1].arguments[4] == ()


def test_a_stopped_run_gives_no_verdict(cluster):
    app = run_wall(cluster, "fits", [], status="stopped")
    assert not app.success
    assert not app.error


def test_the_whole_and_its_parts_stand_in_a_table_with_the_difference_of_the_update(cluster):
    app = open_app("en", page=PAGE, memory_part="parts", memory_problem="digits", memory_parts_k="1024")
    app.pills(key="memory_guess_parts").set_value("much").run()
    app.button(key="memory_parts_run").click().run()
    job = cluster.jobs[-1]
    assert job.function is tasks.accumulate_gradients
    assert job.arguments == ("digits", None, WIDE, 1_024, (256, 64, 16))
    job.rows = [row(1_024, 100), row(1_024, 40, m=256), row(1_024, 20, m=64), row(1_024, 10, m=16)]
    for batch_norm, size in ((False, 2e-7), (True, 0.4)):
        job.rows += [{"micro_batch_size": m, "batch_norm": batch_norm, "difference": size} for m in (256, 64, 16)]
    job.status = "done"
    table = checked(app.run()).table[0].value
    assert table.index.tolist() == ["whole", "256", "64", "16"]
    assert table.iloc[:, 0].tolist() == ["1", "4", "16", "64"]
    assert table.iloc[:, 1].tolist() == ["100.0", "40.0", "20.0", "10.0"]
    assert table.iloc[1:, 3].tolist() == ["2.0e-07"] * 3
    assert table.iloc[1:, 4].tolist() == ["40.0%"] * 3
    assert len(app.success) == 1  # 10 MB is less than half of 100
    assert "from 100 MB to 10 MB" in texts(app)
    assert "rounding in float32" in texts(app)
    assert "With batch norm it is not the same update" in app.warning[0].value


def test_nonsense_in_the_address_gives_the_defaults(cluster):
    app = open_app("ko", page=PAGE, memory_k="-3", memory_limit="nan", memory_model="moon", memory_problem="x")
    app.button(key="memory_wall_run").click().run()
    assert cluster.jobs[-1].arguments[3] == Trial(batch_size=131_072, limit=256 * MB)


# A race or a sweep that takes too much memory


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_race_without_memory_names_the_limit_and_a_k_that_fits(cluster, language):
    app = open_app(language, problem="mnist", model="cnn", k="all")
    app.button(key="run").click().run()
    job = cluster.jobs[-1]
    job.failure, job.status = JobFailure("memory", "The worker process went over its memory limit."), "failed"
    (said,) = [element.value for element in checked(app.run()).error]
    info = CATALOGUE["mnist"]
    sizes = prediction.layers(
        ModelConfig(kind="cnn", widths=()), num_features=784, num_outputs=10, image_shape=info.image_shape
    )
    needed = prediction.predict(sizes, TrainConfig(batch_size="all"), num_examples=60_000, num_features=784).total
    room = cluster.memory_limit - WORKER_BYTES
    k, _m = prediction.recommend(sizes, room, batch_size=60_000, num_examples=60_000, num_features=784)
    assert needed > room
    for part in ("6 GB", "k = 60,000", f"{needed / 1e9:.2g} GB", f"k = {k:,}"):
        assert part in said
    fitting = prediction.predict(sizes, TrainConfig(batch_size=k), num_examples=60_000, num_features=784).total
    assert fitting < room / 2


@pytest.mark.usefixtures("cluster")
def test_where_the_plan_explains_nothing_the_message_stays_general():
    small = RacePlan(problem="line", configs={"a": TrainConfig(batch_size=1)})
    failure = JobFailure("memory", "")
    for plan in (None, small, ("anything", 3)):
        assert experiment._memory_advice(failure, plan) == ""


def test_a_k_that_fits_is_named_although_the_worker_is_being_replaced(cluster, monkeypatch):
    monkeypatch.setattr(cluster, "memory_limit", None)  # no worker is there
    app = open_app(problem="mnist", model="cnn", k="all")
    app.button(key="run").click().run()
    job = cluster.jobs[-1]
    job.failure, job.status = JobFailure("memory", "", memory_limit=6_000_000_000), "failed"
    (said,) = [element.value for element in checked(app.run()).error]
    assert "6 GB with TensorFlow itself" in said
    assert re.search(r"k = [\d,]+ fits", said)
