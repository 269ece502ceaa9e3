"""The page on memory in both languages, on rows that are given: the wall, the ways out, the parts; and a race's end."""

import re

import keras
import numpy as np
import pytest

from sgd_tf.children import WORKER_BYTES, Waiting
from sgd_tf.jobs import JobFailure
from sgd_tf.memory import advice, predict, rows, view, wording
from sgd_tf.memory.rows import Device, Difference, Measurement, PartsPlan, WallPlan
from sgd_tf.problems import CATALOGUE
from sgd_tf.racing.rows import SearchPlan
from sgd_tf.training import models
from sgd_tf.training.records import ModelConfig, RacePlan, TrainConfig
from tests.lab import LANGUAGES, checked, open_app, sentences

PAGE = "pages/lab/memory.py"
MB = 10**6
WIDE = ModelConfig(widths=(256,))
RIGHT, WRONG = ":material/check_circle:", ":material/cancel:"


@pytest.fixture(autouse=True)
def cluster(cluster):
    view._known.clear()
    return cluster


def verdict(app):
    """What the frame says of the run, with the icon that it stands beside."""
    (said,) = [each for kind in (app.success, app.warning, app.info, app.error) for each in kind]
    return said.value, said.icon


def row(k, megabytes, *, m=None, limit=256, fits=True):
    return Measurement(
        batch_size=k,
        micro_batch_size=m,
        limit=limit * MB,
        fits=fits,
        num_bytes=megabytes * MB,
        base=700 * MB,
        seconds=0.1 if fits else None,
        updates=3,
        device="CPU",
    )


def wall_plan(k, m=None):
    return WallPlan(problem="flights", model=WIDE, batch_size=k, micro_batch_size=m, limit=256 * MB, others=())


def run_wall(cluster, guess, found, *, language="en", status="done", **address):
    app = open_app(language, page=PAGE, **address)
    if guess:
        app.pills(key="memory_wall_guess").set_value(guess).run()
    app.button(key="memory_wall_run").click().run()
    job = cluster.jobs[-1]
    job.rows, job.status = [Device(kind="CPU", memory=6_000 * MB), Waiting(seconds=3.0), *found], status
    return checked(app.run())


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_update_that_does_not_fit_names_a_k_and_an_m_that_do(cluster, language):
    app = run_wall(cluster, "fits", [row(131_072, 257, fits=False)], language=language)
    job = cluster.jobs[-1]
    assert job.function is rows.hit_the_wall
    assert job.arguments == (wall_plan(131_072),)
    assert job.arguments[0].others == (8184, 65_469, 261_876)  # N/32, N/4, N
    sizes = predict.layers(WIDE, num_features=25, num_outputs=1)
    k, m = predict.recommend(sizes, 256 * MB, batch_size=131_072, num_examples=261_876, num_features=25)
    text, icon = verdict(app)
    for said in ("k = 131,072", "257 MB", "256 MB", f"k = {k:,}", f"m = {m:,}"):
        assert said in text
    assert icon == WRONG
    # The way out is one press and the next run away.
    app.button(key="memory_take_m").click().run()
    assert app.select_slider(key="memory_m").value == str(m)
    app.button(key="memory_wall_run").click().run()
    assert cluster.jobs[-1].arguments == (wall_plan(131_072, m),)


def test_an_update_that_fits_says_what_it_took_and_what_was_predicted(cluster):
    app = run_wall(cluster, "fits", [row(1_024, 7), *(row(k, k / 500) for k in (8184, 65_469, 261_876))])
    predicted = predict.predict(
        predict.layers(WIDE, num_features=25, num_outputs=1),
        TrainConfig(batch_size=1_024),
        num_examples=261_876,
        num_features=25,
    )
    text, icon = verdict(app)
    assert icon == RIGHT
    assert f"took 7.0 MB of 256 MB. Predicted peak: {wording.megabytes(predicted.total)}" in text
    assert any("TensorFlow itself and the data held 700 MB before" in caption.value for caption in app.caption)
    # Measured were k/500 MB, a straight line: 256 MB / (1 MB / 500 samples) = 128,000.
    assert (
        predict.largest_measured([(k, k * MB / 500) for k in (65_469, 261_876)], 256 * MB, num_examples=261_876)
        == 128_000
    )
    # What was measured is known from now on: the next run makes the learner's update alone.
    assert not any("settings changed" in caption.value for caption in app.caption)
    app.button(key="memory_wall_run").click().run()
    assert cluster.jobs[-1].arguments[0].others == ()


def test_a_run_that_was_stopped_before_its_update_judges_no_prediction(cluster):
    text, _icon = verdict(run_wall(cluster, "fits", [], status="stopped"))
    assert text.startswith("Stopped before the update was measured")


@pytest.mark.parametrize(("guess", "icon"), [("fits", WRONG), ("ended", RIGHT), (None, ":material/block:")])
def test_an_update_that_did_not_fit_is_shown_at_once_while_other_k_are_measured(cluster, guess, icon):
    app = run_wall(cluster, guess, [row(131_072, 257, fits=False)], status="running")
    assert verdict(app)[1] == icon
    assert any("1 of 4 measurements are done" in caption.value for caption in app.caption)


def test_the_whole_and_its_parts_stand_in_a_table_with_the_difference_of_the_update(cluster):
    app = open_app("en", page=PAGE, memory_part="parts", memory_problem="digits", memory_parts_k="1024")
    app.pills(key="memory_parts_guess").set_value("much").run()
    app.button(key="memory_parts_run").click().run()
    job = cluster.jobs[-1]
    assert job.function is rows.accumulate
    assert job.arguments == (PartsPlan(problem="digits", model=WIDE, batch_size=1_024),)
    job.rows = [row(1_024, 100), row(1_024, 40, m=256), row(1_024, 20, m=64), row(1_024, 10, m=16)]
    for batch_norm, size in ((False, 2e-7), (True, 0.4)):
        job.rows += [Difference(micro_batch_size=m, batch_norm=batch_norm, difference=size) for m in (256, 64, 16)]
    job.status = "done"
    table = checked(app.run()).table[0].value
    assert table.index.tolist() == ["whole", "256", "64", "16"]
    assert table.iloc[:, 0].tolist() == ["1", "4", "16", "64"]
    assert table.iloc[:, 1].tolist() == ["100.0", "40.0", "20.0", "10.0"]
    assert table.iloc[1:, 3].tolist() == ["2 · 10⁻⁷"] * 3
    assert table.iloc[1:, 4].tolist() == ["40.0%"] * 3
    text, icon = verdict(app)
    assert icon == RIGHT  # 10 MB is less than half of 100
    assert "from 100 MB to 10 MB" in text
    assert "rounding in float32" in text
    assert "With batch norm it differs by 40.0%" in text


def test_the_axis_of_the_memory_holds_what_a_tiny_minibatch_takes_beyond_the_prediction(cluster, monkeypatch):
    domains, draw = [], view.memory_chart.memory_growth

    def memory_growth(*tables, y_domain, **options):
        domains.append(y_domain)
        return draw(*tables, y_domain=y_domain, **options)

    monkeypatch.setattr(view.memory_chart, "memory_growth", memory_growth)
    app = open_app("en", page=PAGE, memory_part="parts", memory_problem="digits", memory_parts_k="16")
    app.button(key="memory_parts_run").click().run()
    job = cluster.jobs[-1]
    job.rows, job.status = [row(16, 8), row(16, 8, m=4), row(16, 1, m=1)], "done"
    checked(app.run())
    assert domains[-1][1] > 8


def test_nonsense_in_the_address_gives_the_defaults(cluster):
    app = open_app("ko", page=PAGE, memory_k="-3", memory_limit="nan", memory_model="moon", memory_problem="x")
    app.button(key="memory_wall_run").click().run()
    assert cluster.jobs[-1].arguments == (wall_plan(131_072),)


@pytest.mark.parametrize(("problem", "kind"), [("digits", "classification"), ("flights", "regression")])
def test_the_code_makes_the_update_of_the_whole_minibatch(problem, kind, make_problem):
    data = make_problem[kind](50)
    plan = PartsPlan(problem=problem, model=WIDE, batch_size=64)  # m = 16, which does not divide 50
    shown = {}
    exec(view.code(plan), shown)
    whole, in_parts = (models.build(data, WIDE, seed=0) for _ in range(2))
    loss = (
        keras.losses.MeanSquaredError()
        if kind == "regression"
        else keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    whole.compile(keras.optimizers.SGD(0.1), loss)
    whole.train_on_batch(data.x_train, data.y_train)
    shown["update"](in_parts, data.x_train, data.y_train)
    for theirs, ours in zip(whole.get_weights(), in_parts.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-6)


# A race or a sweep that takes too much memory


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_race_without_memory_names_the_limit_and_a_k_that_fits(cluster, language):
    app = open_app(language, problem="mnist", model="cnn", k="all")
    app.button(key="race_run").click().run()
    job = cluster.jobs[-1]
    job.failure, job.status = JobFailure("memory", "The worker process went over its memory limit."), "failed"
    (said,) = [element.value for element in checked(app.run()).error]
    info = CATALOGUE["mnist"]
    sizes = predict.layers(
        ModelConfig(kind="cnn", widths=()), num_features=784, num_outputs=10, image_shape=info.image_shape
    )
    needed = predict.predict(sizes, TrainConfig(batch_size="all"), num_examples=60_000, num_features=784).total
    room = cluster.memory_limit - WORKER_BYTES
    k, _m = predict.recommend(sizes, room, batch_size=60_000, num_examples=60_000, num_features=784)
    assert needed > room
    for part in ("6 GB", "k = 60,000", f"{needed / 1e9:.2g} GB", f"k = {k:,}"):
        assert part in said
    fitting = predict.predict(sizes, TrainConfig(batch_size=k), num_examples=60_000, num_features=784).total
    assert fitting < room / 2


def test_a_search_for_learning_rates_without_memory_names_a_k_that_fits():
    race = RacePlan(
        problem="mnist",
        model=ModelConfig(kind="cnn", widths=()),
        configs={"SGD": TrainConfig(batch_size=32), "GD": TrainConfig(batch_size="all")},
    )
    of_race, of_search = (
        sentences(lambda: advice.for_plan(plan, 6_000_000_000))  # noqa: B023
        for plan in (race, SearchPlan.of(race))
    )
    assert "k = 60,000" in of_race[0]
    assert of_search == of_race


def test_where_the_plan_explains_nothing_there_is_no_advice():
    small = RacePlan(problem="line", configs={"a": TrainConfig(batch_size=1)})
    for plan in (None, small, ("anything", 3)):
        assert advice.for_plan(plan, 6_000 * MB) == ""


def test_a_k_that_fits_is_named_although_the_worker_is_being_replaced(cluster, monkeypatch):
    monkeypatch.setattr(cluster, "memory_limit", None)  # no worker is there
    app = open_app(problem="mnist", model="cnn", k="all")
    app.button(key="race_run").click().run()
    job = cluster.jobs[-1]
    job.failure, job.status = JobFailure("memory", "", memory_limit=6_000_000_000), "failed"
    (said,) = [element.value for element in checked(app.run()).error]
    assert "(6 GB, with TensorFlow)" in said
    assert re.search(r"Try k = [\d,]+", said)
