"""The page on gradient noise in both languages: small experiments on the real TensorFlow, the rest on rows."""

import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf import problems
from sgd_tf.jobs import JobFailure
from sgd_tf.noise import gradient_noise, view
from sgd_tf.noise.curvature import largest_eigenvalue
from sgd_tf.problems import CATALOGUE
from sgd_tf.training import models, vectors
from sgd_tf.training.records import MAX_LEARNING_RATE, ModelConfig
from sgd_tf.ui import runs
from tests.lab import LANGUAGES, FakeCluster, InProcessCluster, checked, open_app

PAGE = "pages/learn/gradient_noise.py"
PARTS = ("path", "law", "escape", "edge")


@pytest.fixture(autouse=True)
def fresh_answers():
    runs._answers.clear()


@pytest.fixture
def cluster(monkeypatch):
    fake = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: fake)
    return fake


@pytest.fixture
def real(monkeypatch):
    cluster = InProcessCluster()
    monkeypatch.setattr(runs, "connect", lambda: cluster)
    return cluster


def open_page(language="en", **address):
    return open_app(language, page=PAGE, **address)


def words(app):
    return " ".join(element.value for element in [*app.markdown, *app.caption])


def start(app, part, guess=None):
    if guess:
        app.pills(key=f"noise_{part}_guess").set_value(guess).run()
    app.button(key=f"noise_{part}_run").click().run()
    return checked(app.run())


def finish(app, cluster, rows, status="done"):
    job = cluster.jobs[-1]
    job.rows, job.status = list(rows), status
    return checked(app.run())


# All parts


@pytest.mark.usefixtures("cluster")
@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("part", PARTS)
def test_each_part_opens_in_each_language(language, part):
    app = open_page(language, noise_part=part)
    assert app.subheader[0].value == {"ko": "그래디언트의 잡음", "en": "Gradient noise"}[language]
    assert app.segmented_control(key="noise_part").value == part
    assert {"ko": "눈여겨볼 것", "en": "What to notice"}[language] in words(app)
    if part != "path":
        assert app.button(key=f"noise_{part}_run").label == {"ko": "실행", "en": "Run"}[language]


@pytest.mark.usefixtures("cluster")
def test_nonsense_in_the_address_gives_the_defaults():
    app = open_page(noise_part="nope", noise_k="3", noise_at="-1", noise_on="", noise_spread="nan")
    assert app.segmented_control(key="noise_part").value == "path"
    assert app.select_slider(key="noise_k").value == 8
    assert app.slider(key="noise_at").value == 4


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
    ("part", "says"),
    [
        ("law", r"1437 \S+e-1\d by the law 0\.0\n.* exactly 35\.3"),
        ("escape", r"all 0\.0 \(0\.0, 0\.012"),
        ("edge", r"0\.95 0\.44\d*\n1\.05 3\d{6}\."),
    ],
)
def test_the_program_of_each_experiment_says_what_the_page_says(capsys, part, says):
    exec(view.CODE[part], {})
    assert re.search(says, capsys.readouterr().out)


def test_the_program_of_the_path_finds_the_sum_of_an_epoch_to_be_the_full_gradient(capsys):
    exec(view.CODE["path"], {})
    residual = [float(number) for number in capsys.readouterr().out.strip(" []\n").split()]
    assert len(residual) == 2
    assert max(map(abs, residual)) < 1e-5


# Path


def numbers(app):
    """Length of the full gradient, distance of a minibatch gradient, the law, and the residual of the sum."""
    (text,) = [element.value for element in app.markdown if "root mean square" in element.value]
    first = re.search(r"\*\*(.+?)\*\*.*?\*\*(.+?)\*\*.*by the law (.+?)\.\n", text)
    residual = re.search(r"less the gradient of all N: \*\*(.+?)\*\*", text)[1]
    return [*(float(group) for group in first.groups()), float(residual)], text


def test_position_and_k_are_answered_without_asking_a_worker_again(real):
    app = open_page()
    length_at_4, *_rest = numbers(app)[0]
    app.slider(key="noise_at").set_value(0).run()
    (length_at_start, measured_8, law_8, residual), _text = numbers(checked(app))
    assert length_at_start > length_at_4
    assert residual < 1e-12
    assert measured_8 == pytest.approx(law_8, rel=0.35)
    app.select_slider(key="noise_k").set_value(32).run()
    (_length, _measured, law_32, _residual), text = numbers(checked(app))
    assert "The last minibatch has only 8 samples: it counts 8/200, the others 32/200." in text
    # (1/32 − 1/200) / (1/8 − 1/200), of the square
    assert law_32 == pytest.approx(law_8 * (0.02625 / 0.12) ** 0.5, rel=0.01)
    app.select_slider(key="noise_k").set_value(200).run()
    _length, measured_all, law_all, residual = numbers(checked(app))[0]
    assert measured_all == law_all == 0.0
    assert residual < 1e-12
    app.segmented_control(key="noise_on").set_value("gd").run()
    assert len(checked(app).session_state["runs"]["noise_paths"].job.rows) == 10
    assert len(real.jobs) == 1
    caption = next(element.value for element in app.caption if "Keras" in element.value)
    assert float(re.search(r"at most (\S+) of", caption)[1]) < 1e-4


@pytest.mark.usefixtures("real")
def test_the_path_is_kept_in_the_address():
    app = open_page(noise_k="64", noise_at="60", noise_on="gd")
    assert numbers(app)[0][0] < 1e-4  # gradient descent has come to the minimum
    app.slider(key="noise_at").set_value(7).run()
    assert {key: app.query_params.get(key) for key in ("noise_k", "noise_at", "noise_on")} == {
        "noise_k": "64",
        "noise_at": "7",
        "noise_on": "gd",
    }


# Law


def test_the_law_is_measured_on_the_real_pipeline_and_the_guess_judged(real, monkeypatch):
    monkeypatch.setattr(view, "MAX_SAMPLES", {"linear": 128})
    app = start(open_page(noise_part="law", noise_problem="breast_cancer", noise_model="linear"), "law", "medium")
    (job,) = real.jobs
    assert job.arguments[:2] == ("breast_cancer", 128)
    exact, *measured, scale = job.rows
    assert [row["batch_size"] for row in measured] == [1, 2, 4, 8, 16, 32, 64, 128]
    for row in measured[:-1]:
        assert row["law"] == pytest.approx(exact["s_squared"] * (1 / row["batch_size"] - 1 / 128))
        assert row["mean"] == pytest.approx(row["law"], rel=0.5)
    assert measured[-1]["law"] == 0.0
    assert scale["low"] < exact["noise_scale"] < scale["high"]
    text = words(app)
    assert "At k = N the law is exactly 0" in text
    equal = 1 / (1 / exact["noise_scale"] + 1 / 128)
    is_right = view.scale_bin(equal) == "medium"
    assert bool(app.success) == is_right
    assert bool(app.warning) == (not is_right)


EXACT = {"s_squared": 16.0, "signal": 0.5, "noise_scale": 32.0, "num_parameters": 10, "train_loss": 2.0}
SCALE = {"value": 30.0, "low": 25.0, "high": 40.0, "s_squared": 16.0, "signal": 0.5, "small": 4, "big": 64}


def measured(k, share=1.0):
    law = 16 / k * (1 - k / 1437)
    return {"batch_size": k, "mean": share * law, "standard_error": law / 50, "law": law, "num_draws": 256}


LAW = [EXACT, measured(1, 0.97), measured(32, 1.04), measured(1437), SCALE]


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
    for number in ("**0.97**", "**1.04**", "**30**", "25", "40", "32"):
        assert number in text


@pytest.mark.parametrize(
    ("exact", "estimate", "shown", "says"),
    [
        (5_000.0, (float("inf"), 900.0, float("inf")), "**∞** (95 %: 900 to ∞)", "B is no less than N"),
        (32.0, (float("inf"), 20.0, float("inf")), "**∞** (95 %: 20 to ∞)", "a k far below 32"),
        (0.4, (0.0, 0.0, 1.5), "**0** (95 %: 0 to 1.5)", "a single sample has less noise than gradient"),
        (0.4, (float("nan"), 0.0, float("inf")), "**–** (95 %: 0 to ∞)", "a single sample has less noise"),
    ],
)
def test_what_is_said_of_k_follows_the_exact_noise_scale(cluster, exact, estimate, shown, says):
    app = start(open_page(noise_part="law"), "law", "small")
    scale = SCALE | dict(zip(("value", "low", "high"), estimate, strict=True))
    finish(app, cluster, [EXACT | {"noise_scale": exact}, *LAW[1:-1], scale])
    assert shown in words(app)
    assert says in words(app)
    assert ("B is no less than N" in words(app)) == (exact >= 1437)
    assert bool(app.success) == (exact == 32.0)


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
    gradients = gradient_noise.Gradients(problem, models.build(problem, setting[1], seed=seed))
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
    assert stretch > 1 or max(view.FACTORS) * top.max_learning_rate <= MAX_LEARNING_RATE


# Escape


def test_the_escape_is_run_on_the_real_tensorflow_and_the_guess_judged(real, monkeypatch):
    monkeypatch.setattr(view, "ESCAPE_RUNS", 60)
    monkeypatch.setattr(view, "ESCAPE_SIZES", (1, 8, 64, 512))
    app = start(open_page(noise_part="escape"), "escape", "between")
    rows = real.jobs[0].rows
    assert [row["batch_size"] for row in rows] == [1, 8, 64, 512]
    assert rows[1]["low"] > rows[2]["high"]
    assert rows[-1]["num_escaped"] == 0
    assert any("Your prediction was right: A k in between." in element.value for element in app.success)
    assert "Most often with k = 8" in words(app)
    assert "GD: **0 of 60**" in words(app)


def escaped(k, num, num_diverged=0):
    return {
        "batch_size": k,
        "num_runs": 300,
        "num_escaped": num,
        "num_diverged": num_diverged,
        "share": num / 300,
        "low": num / 310,
        "high": num / 290,
        "ends": [0.9, -1.0],
    }


@pytest.mark.parametrize(
    ("counts", "answer"),
    [
        ({1: 200, 8: 150}, "k = 1"),
        ({1: 100, 8: 280}, "A k in between"),
        ({}, "None escapes"),
        ({512: 300}, "GD"),
    ],
)
def test_the_runs_say_who_escapes(cluster, counts, answer):
    app = start(open_page(noise_part="escape"), "escape", "gd" if answer != "GD" else "one")
    finish(app, cluster, [escaped(k, counts.get(k, 0)) for k in view.ESCAPE_SIZES])
    assert any(f"The run says: {answer}." in element.value for element in app.warning)


def test_runs_that_are_lost_are_counted(cluster):
    app = start(open_page(noise_part="escape"), "escape")
    finish(app, cluster, [escaped(k, 3, num_diverged=7 if k == 1 else 0) for k in view.ESCAPE_SIZES])
    assert "k = 1: 7" in words(app)


# Stability


def test_gradient_descent_on_both_sides_of_the_limit_is_run_on_the_real_engine(real):
    app = start(open_page(noise_part="edge"), "edge", "up")
    (job,) = real.jobs
    assert job.arguments[:2] == ("diabetes", 353)
    assert any("Your prediction was right: Ends higher than it began." in element.value for element in app.success)
    table = app.table[0].value
    law, found = (
        [float(text.removeprefix("× ").replace("−", "-")) for text in table[column]]
        for column in ("Steepest direction, by the law", "Measured, first update")
    )
    assert law == [0.0, -0.9, -1.1, -2.0]
    assert found == pytest.approx(law, abs=1e-3)
    assert table["Loss at the end"].iloc[3].startswith("diverged at update ")
    assert float(table["Loss at the end"].iloc[2].replace(",", "")) > 1e6
    assert table["2/λmax at the end"].tolist() == ["0.241", "0.241", "0.241", "–"]


@pytest.mark.parametrize(
    ("losses", "answer"),
    [([2.0, 1.0, 0.5], "down"), ([2.0, 3.0, 0.5], "bump"), ([2.0, 1.0, 2.1], "up"), ([2.0, float("inf")], "up")],
)
def test_what_a_loss_did_has_a_name(losses, answer):
    assert view.edge_answer(losses) == answer


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
    found = {"eigenvalue": eigenvalue, "residual": 0.1, "num_products": 9, "num_parameters": 3, "converged": converged}
    finish(app, cluster, [found])
    assert says[language] in words(app)
    text = f"{words(app)} {app.progress[0].text}"
    assert re.search(r"2/λmax = (.*)", text)[1] == ("≈ 0.5" if eigenvalue > 0 else "–")
    assert not re.search(r"\binf\b|∞|\bnan\b", text)
