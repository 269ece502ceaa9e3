"""The page "Which batch size?" in both languages, with workers that answer from a formula instead of training."""

import functools
from dataclasses import replace

import pytest

from sgd_tf.jobs import JobFailure
from sgd_tf.sweep import known_runs, plans, wording
from sgd_tf.sweep.rows import CellResult, LandscapePoint, measure_landscape, run_cells
from sgd_tf.ui import runs
from tests.lab import LANGUAGES, FakeCluster, checked, open_app

PAGE = "pages/lab/batch_size.py"
SMALL = {"sweep_k": ["4", "32", "256", "all"], "sweep_rates": "0.1, 0.4", "sweep_seeds": "3"}


@pytest.fixture(autouse=True)
def cluster(monkeypatch, request):
    if "done" in request.fixturenames:
        return None
    fake = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: fake)
    monkeypatch.setattr(known_runs, "_store", functools.cache(known_runs._store.__wrapped__))
    return fake


def answer(job):
    """The rows that a worker would send: S = 100 (1 + 32/k) updates of 1 ms + k · 20 µs at the rate 0.1."""
    if job.function is measure_landscape:
        return [
            LandscapePoint(place=place, train_loss=1.0, update=0, noise_scale=scale, max_learning_rate=0.5)
            for place, scale in (("start", 20.0), ("target", 200.0))
        ]
    rows = []
    for cell in job.arguments[1]:
        k, seed = cell.batch_size, cell.seed
        updates = 100 * (1 + 32 / k) * (2 if cell.learning_rate > 0.1 else 1) * (1 + 0.01 * seed)
        one_update, loss = 1e-3 + 2e-5 * k, 0.1 * (1 + k / 1000) * (1 + 0.001 * seed * k / 100)
        rows.append(
            CellResult(
                batch_size=k,
                learning_rate=cell.learning_rate,
                seed=seed,
                num_examples=1437,
                updates_to_target=updates,
                examples_to_target=k * updates,
                seconds_to_target=updates * one_update,
                **{f"{m}_after_{b}": loss for m in ("train_loss", "test_loss") for b in ("epochs", "seconds")},
                **{f"test_accuracy_after_{b}": 1 - loss for b in ("epochs", "seconds")},
                examples_per_second=k / one_update,
                updates=1000,
                seconds=1000 * one_update,
                train_loss=0.04,
                start_loss=2.3,
                diverged_at=None,
                wall_seconds=0.5,
            )
        )
    return rows


def press_run(app):
    return checked(app.button(key="sweep_run").click().run())


def serve(app, cluster, **changes):
    """Let the workers answer until the sweep has ended; with changes to all rows."""
    while any(job.status == "running" for job in cluster.jobs):
        for job in cluster.jobs:
            if job.status == "running":
                rows = answer(job)
                job.rows = [replace(row, **changes) if isinstance(row, CellResult) else row for row in rows]
                job.status = "done"
        checked(app.run())
    return checked(app.run())


def finished(cluster, language="en", **address):
    return serve(press_run(open_app(language, page=PAGE, **{**SMALL, **address})), cluster)


@pytest.fixture(scope="module")
def done():
    """A sweep at its end, with the workers that made it; tests read it, and may choose another picture."""
    workers = FakeCluster()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "connect", lambda: workers)
        patch.setattr(known_runs, "_store", functools.cache(known_runs._store.__wrapped__))
        yield workers, finished(workers)


def text_of(app):
    return " ".join(element.value for kind in ("markdown", "info", "success", "warning") for element in app.get(kind))


def verdict_of(app):
    """The box above the picture: its kind and its text."""
    return next((kind, element.value) for kind in ("info", "success", "warning") for element in app.get(kind))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_opens_in_each_language_and_runs_nothing(cluster, language):
    app = open_app(language, page=PAGE)
    assert app.subheader[0].value == {"ko": "미니배치 크기는 얼마가 좋을까?", "en": "Which batch size?"}[language]
    assert not app.button(key="sweep_run").disabled
    assert app.button(key="sweep_stop").disabled
    assert not cluster.jobs


def test_the_default_sweep_takes_all_powers_of_two_and_n_with_tuned_rates_and_five_seeds(cluster):
    press_run(open_app(page=PAGE))
    family, cells, _seconds = cluster.jobs[0].arguments
    assert family.problem == "digits"
    assert {cell.batch_size for cell in cells} == {*(2**i for i in range(11)), 1437}
    assert {cell.learning_rate for cell in cells} == set(plans.rate_grid("digits", family.model))
    assert {cell.seed for cell in cells} == {0}


def test_a_sweep_goes_on_slice_by_slice_to_its_end_and_measures_the_noise_last(done):
    workers, app = done
    assert [job.function for job in workers.jobs] == [
        run_cells,
        run_cells,
        measure_landscape,
    ]
    first, second = ({cell.seed for cell in job.arguments[1]} for job in workers.jobs[:2])
    assert (first, second) == ({0}, {1, 2})
    num_runs = [len(job.arguments[1]) for job in workers.jobs[:2]]
    assert num_runs == [8, 8]  # 4 k × 2 rates, and 4 × 2 more seeds of the best
    assert not app.get("progress")


def test_results_come_while_it_runs(cluster):
    app = press_run(open_app(page=PAGE, **SMALL))
    cluster.jobs[0].rows = answer(cluster.jobs[0])[:3]
    checked(app.run())
    assert "3 of about " in app.get("progress")[-1].text
    assert app.button(key="sweep_run").disabled


def test_the_answer_is_the_fastest_k_of_the_formula(done):
    # Seconds: 100 (1 + 32/k)(1 + 0.02 k) ms: 0.97 at k = 4, 0.328 at 32, 0.689 at 256, 3.04 at N.
    kind, text = verdict_of(done[1])
    assert kind == "info"  # nobody has predicted anything
    assert text.startswith("**k = 32** is the fastest: 0.33 s of training to a loss of 0.05.")
    # (1 + 32/256)/(1 + 1) of the updates, (1 + 0.02 · 256)/(1 + 0.02 · 32) = 3.73 times the time of one.
    assert "With k = 256 the updates fall to 56%, but each takes 3.7 times as long." in text
    assert "In 100% of the bootstrap resamples" in text_of(done[1])


def test_a_result_names_the_settings_that_made_it_and_says_when_the_controls_have_moved_on(cluster):
    app = finished(cluster)
    settings = "4 k from 4 to 1,437 · learning rate: Tuned for each k · training loss 0.05 · seeds: 3"
    assert any(caption.value.endswith(settings) for caption in app.caption)
    app.number_input(key="sweep_seeds").set_value(4).run()
    assert any(caption.value.endswith(f"{settings} · :orange[settings changed: run again]") for caption in app.caption)


def test_a_sweep_can_be_sent_as_a_link(cluster):
    app = finished(cluster)
    other = open_app(page=PAGE, run=app.query_params["run"], **SMALL)
    assert verdict_of(other) == verdict_of(app)
    assert len(other.table) == len(app.table)


def test_the_best_k_by_each_measure_stand_beside_each_other_with_a_word_on_why_they_differ(done):
    table = done[1].table[0].value
    assert table["k"].tolist()[:3] == ["32", "≈ 32", "≈ 20 → ≈ 200"]
    assert table["k"].tolist()[3:] == ["4"] * 4  # the test loss grows with k
    assert "Here the fastest k is near the critical batch size." in text_of(done[1])


def test_each_k_stands_in_one_table_with_its_seconds_its_factor_and_whether_it_is_in_the_range(done):
    table = done[1].table[1].value
    assert table.index.tolist() == ["4", "32", "256", "1,437"]
    assert table["times the fastest"].tolist() == ["2.96", "1", "2.1", "9.27"]  # 0.972, 0.328, 0.689 and 3.04 s
    assert table["Compared with the fastest"].tolist() == ["clearly slower", "the fastest", *["clearly slower"] * 2]


LOST = {"updates_to_target": None, "examples_to_target": None, "train_loss": None, "diverged_at": 5} | {
    f"{name}_after_{budget}": None
    for name in ("train_loss", "test_loss", "test_accuracy")
    for budget in ("epochs", "seconds")
}


@pytest.mark.parametrize(
    ("changes", "advice"),
    [
        (
            LOST,
            "Choose smaller learning rates. At the start gradient descent is stable up to a learning rate of about 0.5",
        ),
        ({"updates_to_target": 0.0}, "The loss is at the target before the first update. Choose a lower target."),
    ],
)
def test_runs_that_all_diverge_and_a_target_that_holds_at_once_give_advice_and_no_verdict(cluster, changes, advice):
    app = open_app(page=PAGE, **SMALL)
    app.pills(key="sweep_guess").set_value("32").run()
    app = serve(press_run(app), cluster, **changes)
    assert advice in app.info[0].value
    assert not app.success
    assert not app.warning
    assert "nan" not in text_of(app)
    assert "Significant" not in text_of(app)


def test_the_critical_batch_size_is_that_of_the_formula(done):
    assert "At the critical batch size, **k ≈ 32**" in text_of(done[1])


@pytest.mark.parametrize(("guess", "kind"), [("32", "success"), ("more", "warning")])
def test_the_prediction_is_judged_by_the_fastest_k(cluster, guess, kind):
    app = open_app(page=PAGE, **SMALL)
    app.pills(key="sweep_guess").set_value(guess).run()
    judged, text = verdict_of(serve(press_run(app), cluster))
    assert judged == kind
    assert "5 to 32" in text


def test_a_prediction_that_can_not_be_told_from_the_answer_is_not_wrong(cluster):
    app = open_app(page=PAGE, **SMALL)
    app.pills(key="sweep_guess").set_value("256").run()
    kind, text = verdict_of(serve(press_run(app), cluster, updates_to_target=100.0, updates=1000, seconds=1.0))
    assert kind == "info"
    assert text.startswith("**Too close to tell: you expected “33 to 256”")


def test_only_ranges_that_hold_a_k_of_the_sweep_can_be_predicted():
    app = open_app(page=PAGE, sweep_k=["8", "256"])
    assert app.pills(key="sweep_guess").options == ["5 to 32", "33 to 256"]


def test_the_verdict_has_a_row_for_epochs_and_seconds_at_one_rate_and_at_tuned_ones(done):
    table = done[1].table[-1].value
    assert table.index.tolist() == ["10 epochs", "10 epochs", "0.1 s of training", "0.1 s of training"]
    assert table["Learning rate"].tolist() == ["0.1 for all k", "best for each k"] * 2
    # The test loss is 0.1 (1 + k/1000): 1.256/1.004 at k = 256 against k = 4.
    assert table["256 or 512"].iloc[0] == "k = 256: 1.25 times the lowest, worse"
    assert table["Larger k"].iloc[0] == "worse from k = 1,437 on"


def test_two_settings_are_compared_with_their_ratio_and_a_test(done):
    _workers, app = done
    assert app.selectbox(key="sweep_one").value == "k = 32 · γ = 0.1"
    assert app.selectbox(key="sweep_other").value == "k = 256 · γ = 0.1"
    app.selectbox(key="sweep_measure").set_value("updates_to_target").run()
    ratio = (1 + 32 / 32) / (1 + 32 / 256)
    assert f"k = 32 · γ = 0.1 has {ratio:.3g} times the value of k = 256 · γ = 0.1" in text_of(checked(app))
    app.selectbox(key="sweep_other").set_value("k = 32 · γ = 0.1").run()
    assert any("Choose two different settings." in element.value for element in checked(app).info)


def test_more_seeds_run_only_what_is_missing(cluster):
    app = finished(cluster)
    made = len(cluster.jobs)
    app.number_input(key="sweep_seeds").set_value(4).run()
    app = serve(press_run(app), cluster)
    (job,) = cluster.jobs[made:]
    assert {cell.seed for cell in job.arguments[1]} == {3}
    assert len(job.arguments[1]) == 4


def test_a_sweep_that_somebody_else_has_made_is_there_when_run_is_pressed(cluster):
    finished(cluster)
    made = len(cluster.jobs)
    other = open_app(page=PAGE, **SMALL)
    assert "Ready when you are" in other.get("progress")[-1].text  # who has not predicted yet is shown nothing
    assert "**k = 32**" in verdict_of(checked(press_run(other).run()))[1]
    assert len(cluster.jobs) == made


def test_stop_keeps_what_is_there_and_run_goes_on_from_there(cluster):
    app = press_run(open_app(page=PAGE, **SMALL))
    cluster.jobs[0].rows = answer(cluster.jobs[0])[:3]
    app.button(key="sweep_stop").click().run()
    assert cluster.jobs[0].status == "stopped"
    assert "Runs still missing: about " in verdict_of(checked(app))[1]
    press_run(app)
    assert len(cluster.jobs[1].arguments[1]) == 8 - 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_failure_is_one_sentence(cluster, language):
    app = press_run(open_app(language, page=PAGE, **SMALL))
    cluster.jobs[0].failure, cluster.jobs[0].status = JobFailure("memory", "The worker …"), "failed"
    checked(app.run())
    (message,) = [element.value for element in app.error]
    assert any("가" <= letter <= "힣" for letter in message) == (language == "ko")


@pytest.mark.parametrize("view", ["target", "seconds", "budget", "map", "throughput"])
def test_each_picture_is_drawn_after_a_sweep(done, view):
    _workers, app = done
    app.segmented_control(key="sweep_view").set_value(view).run()
    num_charts = {"target": 2, "budget": 4}.get(view, 1)
    assert len(checked(app).get("vega_lite_chart")) == num_charts


@pytest.mark.parametrize("view", ["target", "seconds", "budget", "map", "throughput"])
def test_each_picture_has_its_axes_before_the_first_sweep(view):
    app = open_app("ko", page=PAGE, sweep_view=view, **SMALL)
    assert len(app.get("vega_lite_chart")) == {"target": 2, "budget": 4}.get(view, 1)


def test_the_results_are_there_in_korean(cluster):
    app = finished(cluster, "ko")
    assert "가장 빠른 것은 **k = 32**입니다" in verdict_of(app)[1]
    assert "임계 배치 크기 **k ≈ 32**" in text_of(app)


@pytest.mark.parametrize(("rule", "exponent"), [("fixed", 0), ("linear", 1), ("square_root", 0.5)])
def test_a_rule_gives_each_k_one_rate(cluster, rule, exponent):
    press_run(open_app(page=PAGE, **SMALL, sweep_rule=rule, sweep_rate="0.05"))
    rates = {cell.batch_size: cell.learning_rate for cell in cluster.jobs[0].arguments[1]}
    assert rates == pytest.approx({k: 0.05 * (k / 32) ** exponent for k in (4, 32, 256, 1437)}, rel=1e-5)


def test_what_holds_for_the_rates_of_a_rule_may_not_hold_for_tuned_ones(cluster):
    assert "tuned ones may say something else" in text_of(finished(cluster, sweep_rule="linear", sweep_rate="0.05"))


def test_another_problem_brings_its_own_sizes_and_the_address_stays_short():
    app = open_app(page=PAGE)
    app.selectbox(key="sweep_problem").set_value("line").run()
    assert app.session_state["sweep_chips"][-2:] == ["512", "all"]
    assert "sweep_k" not in app.query_params


def test_fewer_than_two_sizes_are_refused():
    app = open_app(page=PAGE, sweep_k="32")
    assert app.button(key="sweep_run").disabled
    assert "Choose from 2 to 24" in app.warning[0].value


@pytest.mark.parametrize(
    "address",
    [
        {"sweep_problem": "moon", "sweep_k": "-3", "sweep_rates": "a, b", "sweep_seeds": "nan", "sweep_view": "x"},
        {"sweep_rates": "0", "sweep_epochs": "-1", "sweep_seconds": "inf", "sweep_target": "nan", "sweep_rule": ""},
    ],
)
def test_nonsense_in_the_address_is_the_default(cluster, address):
    app = open_app(page=PAGE, **address)
    press_run(app)
    family, cells, _seconds = cluster.jobs[0].arguments
    assert (family.problem, len({cell.batch_size for cell in cells})) == ("digits", 12)


def test_numbers_that_are_no_rates_are_named():
    app = open_app(page=PAGE)
    app.text_input(key="sweep_rates").set_value("0.1, 1000").run()
    assert "write at most 16 numbers above 0 and up to 100" in checked(app).error[0].value


def test_the_ranges_of_the_prediction_hold_every_k_once():
    assert [wording.range_of(k) for k in (1, 4, 5, 32, 33, 256, 257, 10**6)] == [
        *["4"] * 2,
        *["32"] * 2,
        *["256"] * 2,
        *["more"] * 2,
    ]


@pytest.mark.parametrize(
    ("settings", "estimated"),
    [
        ({}, False),
        ({"sweep_model": "linear", "sweep_widths": "64, 64"}, False),  # which a linear model does not have
        ({"sweep_activation": "tanh"}, True),
        ({"sweep_widths": "64, 64"}, True),
        ({"sweep_n": "500"}, True),
        ({"sweep_problem": "fashion_mnist", "sweep_n": "500"}, False),  # nothing was searched
    ],
)
def test_a_target_that_was_searched_for_another_model_or_n_is_called_estimated(settings, estimated):
    app = open_app(page=PAGE, **settings)
    said = [caption.value for caption in app.caption if caption.value.startswith("Estimated: ")]
    assert bool(said) == estimated
    assert all("N = 1,437" in text for text in said)
