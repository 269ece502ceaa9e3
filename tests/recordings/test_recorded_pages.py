"""The recorded runs of the lab's pages: shown on arrival without a worker, replaced by Run, equal to a fresh run."""

import dataclasses
import json

import numpy as np
import pytest

from sgd_tf.memory import predict
from sgd_tf.memory.rows import Measurement, hit_the_wall
from sgd_tf.noise.rows import Escapes, MeasuredNoise, Noise, Path, count_escapes, measure_noise, weight_paths
from sgd_tf.problems import CATALOGUE
from sgd_tf.recordings import recorded
from sgd_tf.recordings.plans import PLANS
from sgd_tf.sampling.rows import draw_orders, error_floors, genie_runs, sorted_runs
from sgd_tf.training.records import TrainConfig
from sgd_tf.ui import runs
from tests.lab import LANGUAGES, checked, open_app

PAGES = [  # page, address, part of a Run button's key
    ("learn/gradient_noise", {"noise_part": "law"}, "noise_law"),
    ("learn/gradient_noise", {"noise_part": "escape"}, "noise_escape"),
    ("learn/gradient_noise", {"noise_part": "edge"}, "noise_edge"),
    ("learn/sampling", {"sampling_part": "shufflers"}, "sampling_shufflers"),
    ("learn/sampling", {"sampling_part": "floor"}, "sampling_floor"),
    ("learn/sampling", {"sampling_part": "sorted"}, "sampling_sorted"),
    ("learn/sampling", {"sampling_part": "genie"}, "sampling_genie"),
    ("lab/memory", {}, "memory_wall"),
    ("lab/memory", {"memory_part": "parts"}, "memory_parts"),
    ("lab/data_parallel", {}, "parallel_devices"),
    ("lab/data_parallel", {"parallel_part": "machines"}, "parallel_machines"),
    ("lab/step_cost", {}, "step_cost"),
]
ANSWERED = [  # pages without a Run button
    ("learn/what_is_sgd", {}),
    ("learn/gradient_noise", {}),
    ("learn/sampling", {}),
]


def rows_of(function, kind):
    return [row for row in recorded(function)().rows if isinstance(row, kind)]


def is_kept(then, now):
    """Whether all that a plan said when it was recorded stands in it now; it may say more."""
    if isinstance(then, dict):
        return all(name in now and is_kept(value, now[name]) for name, value in then.items())
    return then == now


def captions(app):
    return "\n".join(each.value for each in app.caption)


@pytest.mark.parametrize("function", PLANS, ids=lambda function: function.__name__)
def test_a_recording_is_of_the_plan_that_the_script_records(function):
    recording = recorded(function)()
    assert is_kept(recording.source.data["plan"], json.loads(json.dumps(dataclasses.asdict(PLANS[function]))))
    assert recording.rows


@pytest.mark.parametrize(("page", "address", "kind"), PAGES, ids=[kind for *_rest, kind in PAGES])
def test_a_page_shows_on_arrival_the_recorded_run_of_its_own_settings(cluster, page, address, kind):
    app = open_app("en", page=f"pages/{page}.py", **address)
    assert "Recorded with" in captions(app)
    assert "Recorded: a real run on" in captions(app)
    assert "settings differ" not in captions(app)
    assert not cluster.jobs
    app.button(key=f"{kind}_run").click().run()
    assert "Recorded" not in captions(checked(app.run()))
    assert len(cluster.jobs) == 1


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize(("page", "address"), ANSWERED, ids=[page for page, _address in ANSWERED])
def test_a_page_that_answers_at_once_needs_no_worker_for_its_own_settings(cluster, language, page, address):
    runs._answers.clear()
    app = open_app(language, page=f"pages/{page}.py", **address)
    assert {"en": "Recorded: a real run on", "ko": "녹화:"}[language] in captions(app)
    assert not cluster.jobs


@pytest.mark.usefixtures("cluster")
def test_with_other_settings_the_recorded_run_stays_and_says_so():
    app = open_app("en", page="pages/learn/gradient_noise.py", noise_part="escape", noise_seed="5")
    assert "your settings differ: press Run" in captions(app)


@pytest.mark.usefixtures("cluster")
def test_what_a_recording_shows_is_said_after_the_prediction_and_judges_nobody():
    app = open_app("en", page="pages/learn/gradient_noise.py", noise_part="escape")
    assert not app.info
    app.pills(key="noise_escape_guess").set_value("one")
    app = checked(app.run())
    assert app.info[0].value.startswith("**In the recorded run:**")
    assert not app.success
    assert not app.warning


# Against fresh runs


def test_fresh_orders_are_the_recorded_ones():
    assert [row.orders for row in draw_orders(recorded(draw_orders)().plan)] == [
        row.orders for row in recorded(draw_orders)().rows
    ]


def test_fresh_paths_are_the_recorded_ones():
    plan = dataclasses.replace(PLANS[weight_paths], batch_sizes=(8, 200), num_updates=20)
    fresh = {row.batch_size: row for row in weight_paths(plan) if isinstance(row, Path)}
    for path in rows_of(weight_paths, Path):
        if path.batch_size in fresh:
            assert path.w[:21] == pytest.approx(fresh[path.batch_size].w, abs=1e-4)


def test_fresh_escapes_of_other_seeds_lie_around_the_recorded_share():
    plan = dataclasses.replace(PLANS[count_escapes], batch_sizes=(4,), seed=1)
    (fresh,) = count_escapes(plan)
    (found,) = (row for row in rows_of(count_escapes, Escapes) if row.batch_size == 4)
    low, high = found.interval
    assert low - (high - low) / 2 <= fresh.share <= high + (high - low) / 2


def test_the_recorded_noise_follows_the_law_within_its_standard_errors():
    (noise,) = rows_of(measure_noise, Noise)
    N = PLANS[measure_noise].num_examples
    for row in rows_of(measure_noise, MeasuredNoise):
        law = noise.s_squared / row.batch_size * (1 - row.batch_size / N)
        assert row.law == pytest.approx(law, rel=1e-4, abs=1e-9)
        assert abs(row.mean - law) <= 4 * row.standard_error + 1e-9


def test_a_fresh_error_floor_lies_within_the_spread_of_the_recorded_seeds():
    plan = PLANS[error_floors]
    rate = plan.learning_rates[0]
    fresh = next(iter(error_floors(dataclasses.replace(plan, num_seeds=1))))
    same = [
        row.floor
        for row in recorded(error_floors)().rows
        if (row.sampling, row.learning_rate) == (fresh.sampling, pytest.approx(rate))
    ]
    assert min(same) * (1 - 1e-4) <= fresh.floor <= max(same) * (1 + 1e-4)


@pytest.mark.parametrize("function", [sorted_runs, genie_runs], ids=lambda function: function.__name__)
def test_the_first_fresh_measurements_are_the_recorded_ones(function):
    fresh = iter(function(dataclasses.replace(PLANS[function], num_seeds=1)))
    for row in recorded(function)().rows[:4]:
        other = next(fresh)
        assert other.update == row.update
        assert other.train_loss == pytest.approx(row.train_loss, rel=0.02)


def test_the_recorded_peaks_are_those_that_are_predicted():
    plan = PLANS[hit_the_wall]
    layers = predict.layers_for(CATALOGUE[plan.problem], plan.model)
    for row in rows_of(hit_the_wall, Measurement)[1:]:
        expected = predict.predict(
            layers,
            TrainConfig(batch_size=row.batch_size),
            num_examples=CATALOGUE[plan.problem].num_examples,
            num_features=CATALOGUE[plan.problem].num_features,
        )
        assert np.log2(row.num_bytes / expected.total) == pytest.approx(0, abs=1)
