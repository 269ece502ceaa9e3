"""The page on gradient noise in both languages, on rows that are given or recorded; and its code."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf import problems
from sgd_tf.jobs import JobFailure
from sgd_tf.noise import gradient_noise, path_view, rows, view
from sgd_tf.noise.curvature import largest_eigenvalue
from sgd_tf.noise.gradients import Gradients
from sgd_tf.noise.rows import (
    Curvature,
    EdgePlan,
    EscapePlan,
    Escapes,
    LawPlan,
    MeasuredNoise,
    Noise,
    NoiseScale,
    PathPlan,
)
from sgd_tf.problems import CATALOGUE
from sgd_tf.training import models, vectors
from sgd_tf.training.records import MAX_LEARNING_RATE, ModelConfig
from sgd_tf.ui import runs
from tests.lab import LANGUAGES, checked, open_app, travelled

PAGE = "pages/learn/gradient_noise.py"
PARTS = ("path", "law", "escape", "edge")
LINEAR = ModelConfig(kind="linear", widths=())


NOISE = Noise(s_squared=16.0, signal=0.5)
SCALE = NoiseScale(value=30.0, low=25.0, high=40.0, s_squared=16.0, signal=0.5, small=89, big=718, num_draws=200)


def measured(k, share=1.0):
    law = 16 / k * (1 - k / 1437)
    return MeasuredNoise(batch_size=k, mean=share * law, standard_error=law / 50, law=law, num_draws=256)


def escaped(k, num, num_diverged=0):
    return Escapes(
        batch_size=k,
        num_runs=300,
        num_escaped=num,
        num_diverged=num_diverged,
        interval=(num / 310, num / 290),
        ends=[0.9, -1.0, math.nan],
    )


@pytest.fixture(autouse=True)
def fresh_answers():
    runs._answers.clear()


@pytest.fixture
def recorded(cluster, monkeypatch, path_rows):
    """A cluster that has the paths at once."""
    submit = cluster.submit

    def done(*args, **options):
        job = submit(*args, **options)
        job.rows, job.status = path_rows, "done"
        return job

    monkeypatch.setattr(cluster, "submit", done)
    return cluster


def open_page(language="en", **address):
    return open_app(language, page=PAGE, **address)


def words(app):
    return " ".join(each.value for each in [*app.markdown, *app.caption, *app.success, *app.warning, *app.info])


def start(app, part, guess=None):
    if guess:
        app.pills(key=f"noise_{part}_guess").set_value(guess).run()
    app.button(key=f"noise_{part}_run").click().run()
    return checked(app.run())


def finish(app, cluster, found, status="done"):
    job = cluster.jobs[-1]
    job.rows, job.status = list(found), status
    return checked(app.run())


# All parts


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PARTS)
def test_each_part_opens_in_each_language(language, part):
    app = open_page(language, noise_part=part)
    assert app.segmented_control(key="noise_part").value == part
    assert {"ko": "눈여겨볼 것", "en": "What to notice"}[language] in words(app)
    if part != "path":
        assert app.button(key=f"noise_{part}_run").label == {"ko": "실행", "en": "Run"}[language]


@pytest.mark.usefixtures("cluster")
def test_nonsense_in_the_address_gives_the_defaults():
    app = open_page(noise_part="nope", noise_k="3", noise_at="-1", noise_on="", noise_rate="1")
    assert app.segmented_control(key="noise_part").value == "path"
    assert app.select_slider(key="noise_k").value == "8"
    assert app.slider(key="noise_at").value == 4
    assert app.segmented_control(key="noise_rate").value == "0.1"


def test_the_controls_make_the_plan(cluster):
    start(open_page(noise_part="law", noise_problem="flights", noise_model="linear", noise_stage="5"), "law")
    (plan,) = cluster.jobs[-1].arguments
    assert (plan.problem, plan.num_examples, plan.model, plan.num_epochs) == ("flights", 2_048, LINEAR, 5)
    start(open_page(noise_part="escape", noise_spread="1.5", noise_seed="7"), "escape")
    assert cluster.jobs[-1].arguments == (EscapePlan(spread=1.5, seed=7),)
    start(open_page(noise_part="edge", noise_edge_problem="spirals", noise_edge_model="cnn"), "edge")
    (plan,) = cluster.jobs[-1].arguments
    assert (plan.problem, plan.model) == ("spirals", LINEAR)  # no CNN without images


@pytest.mark.parametrize(("part", "language"), [("law", "ko"), ("escape", "en"), ("edge", "ko")])
def test_a_failure_is_one_sentence(cluster, part, language):
    app = start(open_page(language, noise_part=part), part)
    cluster.jobs[-1].failure = JobFailure("memory", "")
    finish(app, cluster, [], "failed")
    (message,) = [element.value for element in app.error]
    assert any("가" <= letter <= "힣" for letter in message) == (language == "ko")


@pytest.mark.parametrize("part", PARTS[1:])
def test_a_run_that_is_stopped_at_once_leaves_a_page_that_can_run_again(cluster, part):
    app = start(open_page(noise_part=part), part)
    app.button(key=f"noise_{part}_stop").click().run()
    assert cluster.jobs[-1].status == "stopped"
    assert not checked(app).button(key=f"noise_{part}_run").disabled


@pytest.mark.parametrize(
    ("part", "found", "said"),
    [
        ("law", [NOISE, measured(1, 0.97), measured(32, 1.04)], ("2", "12")),
        ("escape", [escaped(1, 3)], ("1", "9")),
        ("edge", [Curvature(value=2.0, residual=1e-6, num_products=20, converged=True)], ()),
    ],
)
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_run_that_is_stopped_says_how_far_it_came(cluster, language, part, found, said):
    guess = {"law": "tiny", "escape": "one", "edge": "up"}[part]
    app = finish(start(open_page(language, noise_part=part), part, guess), cluster, found, "stopped")
    (text,) = [each.value for each in app.info]
    assert re.search("정지|Stopped", text)
    assert all(number in re.findall(r"\d+", text) for number in said)
    assert not [*app.success, *app.warning]


# The code


def test_the_code_of_the_path_finds_the_sum_of_an_epoch_to_be_the_full_gradient(capsys):
    exec(path_view.code(PathPlan(), 8), {})
    residual = [float(number) for number in capsys.readouterr().out.strip(" []\n").split()]
    assert len(residual) == 2
    assert max(map(abs, residual)) < 1e-5


def test_the_code_of_the_noise_gives_the_rows_of_the_page(capsys):
    plan = LawPlan(problem="line", num_examples=40, model=LINEAR, num_epochs=1, learning_rate=0.1, seed=3)
    noise, *measured, scale = travelled(rows.measure_noise, plan)
    exec(view.law_code(plan), {})
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines == [f"{row.batch_size} {row.mean} formula {row.law}" for row in measured]
    assert last == f"{scale.value} exact {noise.noise_scale}"
    for row in measured[:-1]:
        assert row.law == pytest.approx(noise.s_squared * (1 / row.batch_size - 1 / 40))
        assert row.mean == pytest.approx(row.law, rel=0.5)
    assert measured[-1].law == 0.0
    assert scale.low <= noise.noise_scale <= scale.high


def test_the_code_of_the_escape_gives_the_rows_of_the_page(capsys):
    plan = EscapePlan(batch_sizes=(2, 32), num_examples=32, num_runs=20)
    exec(view.escape_code(plan), {})
    found = travelled(rows.count_escapes, plan)
    expected = [f"{row.batch_size} {row.share} {row.interval} diverged: {row.num_diverged}" for row in found]
    assert capsys.readouterr().out.splitlines() == expected


def test_the_code_of_the_largest_rate_gives_the_losses_of_the_page(capsys):
    plan = EdgePlan(problem="line", num_examples=40, model=LINEAR, seed=2, factors=(0.5, 1.05), num_updates=4)
    exec(view.edge_code(plan), {})
    found = travelled(rows.descend_around_the_limit, plan)
    last = {row.run: row.train_loss for row in found if isinstance(row, rows.history.Row)}
    assert capsys.readouterr().out.split() == [
        text for factor in plan.factors for text in (f"{factor}", f"{last[rows.run_name(factor)]}")
    ]


# Path


def test_position_and_k_are_answered_without_asking_a_worker_again(recorded):
    app = open_page()
    app.slider(key="noise_at").set_value(0).run()
    # The start: 13.158 for k = 1 and √((1/8 − 1/200) / (1 − 1/200)) of it for k = 8, over 8.371.
    assert "Full gradient: length **8.37**" in words(checked(app))
    assert "Noise ÷ gradient: **0.55** at update 0." in words(app)
    app.select_slider(key="noise_k").set_value("32").run()
    assert "The last minibatch has only 8 samples and counts 8/200; a full one counts 32/200." in words(checked(app))
    app.select_slider(key="noise_k").set_value("200").run()
    assert "Its gradient has no noise" in words(checked(app))
    app.segmented_control(key="noise_on").set_value("gd").run()
    assert not recorded.jobs  # the paths of the default plan are those of the package
    app.segmented_control(key="noise_rate").set_value("0.03").run()
    assert recorded.jobs[-1].arguments == (PathPlan(learning_rate=0.03),)


@pytest.mark.usefixtures("recorded")
def test_the_path_is_kept_in_the_address():
    app = open_page(noise_k="64", noise_at="60", noise_on="gd")
    app.slider(key="noise_at").set_value(7).run()
    assert {key: app.query_params.get(key) for key in ("noise_k", "noise_at", "noise_on")} == {
        "noise_k": "64",
        "noise_at": "7",
        "noise_on": "gd",
    }


# Noise against k

LAW = [NOISE, measured(1, 0.97), measured(32, 1.04), measured(1437), SCALE]


def test_the_points_come_as_they_are_measured(cluster):
    app = start(open_page(noise_part="law"), "law")
    finish(app, cluster, LAW[:3], "running")
    assert app.progress[0].text == "Measured: 2 of 12 batch sizes"


@pytest.mark.parametrize(("language", "guess", "is_right"), [("ko", "small", True), ("en", "large", False)])
def test_the_verdict_on_the_noise_scale(cluster, language, guess, is_right):
    app = start(open_page(language, noise_part="law"), "law", guess)
    finish(app, cluster, LAW)
    assert bool(app.success) == is_right
    text = words(app)
    for number in ("**k ≈ 31**", "**0.97**", "**1.04**", "**32**", "30", "25", "40"):  # 1 / (1/32 + 1/1437) = 31.3
        assert number in text
    assert "settings changed" not in text
    app.segmented_control(key="noise_stage").set_value("20").run()
    assert {"ko": "설정", "en": "settings changed: run again"}[language] in words(checked(app))


def test_a_gradient_far_below_the_noise_is_called_so(cluster):
    app = start(open_page("ko", noise_part="law", noise_problem="line", noise_model="linear", noise_stage="20"), "law")
    law = 2.0 * (1 - 1 / 1_000)
    one = MeasuredNoise(batch_size=1, mean=law, standard_error=0.1, law=law, num_draws=256)
    noise = Noise(s_squared=2.0, signal=2.0 / (1_000 * 6_771))
    finish(app, cluster, [noise, one, measured(1_000), SCALE])
    assert "**6,771** · ‖g‖²" in words(app)


OFFLINE = sorted(name for name, info in CATALOGUE.items() if info.kind != "download")


@st.composite
def problems_and_models(draw):
    """A problem and a model of the page."""
    name = draw(st.sampled_from(OFFLINE))
    kind = draw(st.sampled_from(["linear", "mlp", "cnn"] if CATALOGUE[name].is_image else ["linear", "mlp"]))
    return name, ModelConfig(kind=kind, widths=(32,) if kind == "mlp" else ())


@settings(max_examples=3)
@given(
    setting=problems_and_models(),
    num_examples=st.integers(10, 40),
    stretch=st.sampled_from([0.0, 0.1, 1.0, 3.0]),  # of the initial weights: what training may make of them
    seed=st.integers(0, 2**31 - 1),
)
def test_whatever_is_chosen_noise_and_curvature_are_finite_or_unknown(setting, num_examples, stretch, seed):
    problem = problems.load(setting[0], num_examples=num_examples)
    gradients = Gradients(problem, models.build(problem, setting[1], seed=seed))
    vectors.set_weights(gradients.model, stretch * vectors.get_weights(gradients.model))
    exact = gradient_noise.exact_noise(gradients)
    assert math.isfinite(exact.s_squared + exact.signal)
    assert min(exact.s_squared, exact.signal) >= 0
    for found in gradient_noise.gradient_variance(gradients, exact, [1, num_examples], num_draws=2, seed=seed):
        assert math.isfinite(found.mean + found.standard_error + found.law)
        assert min(found.mean, found.standard_error, found.law) >= 0
    small, big = max(1, num_examples // 16), num_examples // 2
    scale = gradient_noise.noise_scale(gradients, small=small, big=big, num_draws=20, seed=seed)
    unknown = math.isnan(scale.value) and (scale.low, scale.high) == (0, math.inf)
    assert unknown or 0 <= scale.low <= scale.value <= scale.high
    top = largest_eigenvalue(gradients.hessian_product, gradients.num_parameters, seed=seed)
    assert math.isfinite(top.value)
    assert top.converged
    assert stretch > 1 or max(EdgePlan.factors) * top.max_learning_rate <= MAX_LEARNING_RATE


# Escape


@pytest.mark.parametrize(
    ("counts", "answer"),
    [({1: 200, 8: 150}, "k = 1"), ({1: 100, 8: 280}, "A k between 1 and N"), ({}, "None escapes"), ({512: 250}, "GD")],
)
def test_the_runs_say_who_escapes(cluster, counts, answer):
    app = start(open_page(noise_part="escape"), "escape", "gd" if answer != "GD" else "one")
    finish(app, cluster, [escaped(k, counts.get(k, 0)) for k in EscapePlan.batch_sizes])
    assert any(f"the run says “{answer}”" in element.value for element in app.warning)


def test_runs_that_are_lost_are_counted(cluster):
    app = start(open_page(noise_part="escape"), "escape")
    finish(app, cluster, [escaped(k, 3, num_diverged=7 if k == 1 else 0) for k in EscapePlan.batch_sizes])
    assert "k = 1: 7" in words(app)


# The largest stable rate


def test_gradient_descent_on_both_sides_of_the_limit_stands_in_a_table(cluster, edge_run):
    plan, found = edge_run
    app = start(open_page(noise_part="edge"), "edge", "up")
    assert cluster.jobs[-1].arguments == (plan,)
    finish(app, cluster, found)
    assert any("Right: ends higher than it began." in element.value for element in app.success)
    table = app.table[0].value
    law, first = table["Formula 1 − γλmax"].tolist(), table["Measured, first update"].tolist()
    assert law == first == ["× 0.000", "× −0.900", "× −1.100", "× −2.000"]
    assert table["Loss at the end"].iloc[3].startswith("diverged at update ")
    assert float(table["Loss at the end"].iloc[2].replace(",", "")) > 1e6
    assert table["2/λmax at the end"].tolist() == ["0.241", "0.241", "0.241", "–"]
    app.segmented_control(key="noise_edge_model").set_value("mlp").run()
    captions = [element.value for element in checked(app).caption]
    assert any(text.startswith("Diabetes after one year · Linear") and "run again" in text for text in captions)


def test_a_loss_that_falls_above_the_limit_is_not_said_to_rise(cluster, cancer_run):
    plan, found = cancer_run
    address = {"noise_part": "edge", "noise_edge_problem": "breast_cancer", "noise_edge_model": "linear"}
    app = start(open_page(**address), "edge", "down")
    assert cluster.jobs[-1].arguments == (plan,)
    finish(app, cluster, found)
    (said,) = [element.value for element in app.success]
    assert "falls from 1.54 to 0.0555 by update 100" in said
    assert "At its last weights the loss is flatter" in said


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(
    ("eigenvalue", "converged", "says"),
    [
        (-0.5, True, {"en": "curves upwards in no direction", "ko": "위로 굽지 않으므로"}),
        (0.0, True, {"en": "curves upwards in no direction", "ko": "위로 굽지 않으므로"}),
        (float("nan"), False, {"en": "λmax is unknown", "ko": "λmax를 알 수 없습니다"}),
        (4.0, False, {"en": "it is not exact", "ko": "정확하지는 않습니다"}),
    ],
)
def test_a_limit_that_is_not_there_or_not_exact_is_said(cluster, language, eigenvalue, converged, says):
    app = start(open_page(language, noise_part="edge"), "edge")
    finish(app, cluster, [Curvature(value=eigenvalue, residual=0.1, num_products=9, converged=converged)])
    text = words(app)
    assert says[language] in text
    if not math.isnan(eigenvalue):
        assert re.search(r"2/λmax = (\S*( [\d.]+)?)", text)[1] == ("≈ 0.5" if eigenvalue > 0 else "–")
    assert not re.search(r"\binf\b|∞|\bnan\b", text)
