"""The verdicts on memory are true for every run that the page can make: whole, stopped, over its limit, too small."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sgd_tf.memory import controls, predict, verdict, wording
from sgd_tf.memory.rows import Difference, Measurement, PartsPlan, WallPlan
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.counting import resolve_batch_size
from sgd_tf.training.records import TrainConfig
from tests.lab import numbers_in, sentences

MB = 10**6
PROBLEMS = st.sampled_from(list(controls.PROBLEM.options))
MODELS = st.sampled_from(list(controls.MODELS))


@st.composite
def settings(draw):
    """Problem, model and k as the page allows them."""
    info = CATALOGUE[draw(PROBLEMS)]
    kind = draw(MODELS)
    assume(kind != "cnn" or info.is_image)
    sizes = [size for size in controls.SIZES if size == "all" or int(size) < info.num_examples]
    k = draw(st.sampled_from(sizes))
    return info, controls.MODELS[kind], "all" if k == "all" else int(k)


def measurement(k, num_bytes, *, m=None, limit=256 * MB, fits=True, seconds=0.1):
    return Measurement(
        batch_size=k,
        micro_batch_size=m,
        limit=limit,
        fits=fits,
        num_bytes=num_bytes,
        base=700 * MB,
        seconds=seconds if fits else None,
        updates=3 if fits else 0,
        device="CPU",
    )


@st.composite
def wall_runs(draw):
    info, model, k = draw(settings())
    size = resolve_batch_size(info.num_examples, k)
    m = int(draw(st.sampled_from([m for m in controls.MICRO_SIZES if int(m) < size]))) or None
    limit = int(draw(st.sampled_from(list(controls.LIMIT.options)))) * MB
    plan = WallPlan(problem=info.name, model=model, batch_size=k, micro_batch_size=m, limit=limit, others=())
    own_limit = min(limit, draw(st.sampled_from([50, 500, 5_000])) * MB)
    fits = draw(st.booleans())
    peak = draw(st.integers(1, own_limit) if fits else st.just(0) | st.integers(own_limit + 1, 2 * own_limit))
    return plan, measurement(size, peak, m=m, limit=own_limit, fits=fits)


@given(wall_runs())
def test_the_verdict_on_a_limit_says_what_was_measured_and_what_fits(run):
    plan, own = run
    says = verdict.wall(plan, own)
    texts = sentences(lambda: wording.wall(says))
    assert says.answer == ("fits" if own.fits else "ended")
    for text in texts:
        assert f"k = {own.batch_size:,}" in text
        assert wording.megabytes(own.limit) in text
        assert own.num_bytes == 0 or wording.megabytes(own.num_bytes) in text
    info = CATALOGUE[plan.problem]
    layers = predict.layers_for(info, plan.model)
    named = [TrainConfig(batch_size=says.fitting_k)] if says.fitting_k else []
    if says.fitting_m:
        named.append(TrainConfig(batch_size=own.batch_size, micro_batch_size=says.fitting_m))
    for config in named:
        needed = predict.predict(layers, config, num_examples=info.num_examples, num_features=info.num_features)
        assert needed.total <= own.limit / 2
        assert all(f"{config.micro_batch_size or config.batch_size:,}" in text for text in texts)


def test_a_run_that_was_stopped_before_its_update_says_nothing_of_it():
    plan = WallPlan(
        problem="flights", model=controls.MODELS["wide"], batch_size=64, micro_batch_size=None, limit=MB, others=()
    )
    assert verdict.wall(plan, None) == verdict.Unfinished()
    assert sentences(lambda: wording.wall(verdict.Unfinished()))


@st.composite
def parts_runs(draw):
    info, model, k = draw(settings())
    plan = PartsPlan(problem=info.name, model=model, batch_size=k)
    peaks, seconds = st.integers(10_000, 3_000 * MB), st.floats(1e-5, 10)
    rows = [measurement(plan.minibatch_size, draw(peaks), fits=draw(st.booleans()), seconds=draw(seconds))]
    rows += [measurement(plan.minibatch_size, draw(peaks), m=m, seconds=draw(seconds)) for m in plan.micro_batch_sizes]
    if rows[0].fits:
        for norm in (False, True) if model.kind == "mlp" else (False,):
            size = st.floats(0, 1e-6) | st.floats(1e-6, 1.0)
            rows += [
                Difference(micro_batch_size=m, batch_norm=norm, difference=draw(size)) for m in plan.micro_batch_sizes
            ]
    return plan, rows[: draw(st.integers(1, len(rows)))]


@given(parts_runs())
def test_the_verdict_on_micro_batches_says_what_was_measured(run):
    plan, rows = run
    says = verdict.parts(plan, rows)
    texts = sentences(lambda: wording.parts(says))
    if len(rows) < 1 + len(plan.micro_batch_sizes):
        assert says == verdict.Unfinished()
        return
    whole, least = rows[0].num_bytes, rows[len(plan.micro_batch_sizes)].num_bytes
    for text in texts:
        assert wording.megabytes(whole) in text
        assert wording.megabytes(least) in text
    # An answer is one that the numbers give, with room for what the measurement cannot tell.
    if says.answer == "much":
        assert least < whole / 2
    elif says.answer == "little":
        assert whole / 2 < least < whole
    elif says.answer == "same":
        assert least > whole - 15 * MB
    times = [row.seconds for row in rows if isinstance(row, Measurement) and row.seconds]
    if says.times_differ:
        assert (says.seconds[says.fastest], says.seconds[says.slowest]) == (min(times), max(times))
        assert all(wording.milliseconds(min(times)) in text for text in texts)
    else:
        assert len(times) < 2 or max(times) < 2 * min(times)


def parts(whole, least, *, whole_fits=True, seconds=(0.1, 0.1)):
    plan = PartsPlan(problem="flights", model=controls.MODELS["wide"], batch_size=1_024)
    rows = [
        measurement(1_024, whole * MB, fits=whole_fits, seconds=seconds[0]),
        measurement(1_024, least * MB, m=16, seconds=seconds[1]),
    ]
    return verdict.parts(plan, rows)


@pytest.mark.parametrize(
    ("whole", "least", "answer"),
    [
        (100, 20, "much"),
        (100, 70, "little"),
        (100, 95, "same"),
        (100, 130, "same"),
        (100, 52, None),  # too close to half
        (7.5, 0.2, None),  # too small to compare
    ],
)
def test_the_peaks_of_whole_and_parts_give_the_answer(whole, least, answer):
    says = parts(whole, least)
    assert says.answer == answer
    falls = "the peak falls from" in sentences(lambda: wording.parts(says))[1]
    assert falls == (answer in ("little", "much"))


def test_a_whole_minibatch_that_does_not_fit_would_have_taken_more():
    assert parts(256, 20, whole_fits=False).answer == "much"
    assert parts(256, 200, whole_fits=False).answer is None


def test_the_order_of_the_times_is_that_of_the_run():
    ended = sentences(lambda: wording.parts(parts(100, 20, seconds=(0.2, 0.0229))))[1]
    assert ended.endswith("Fastest here: m = 16, 22.9 ms per update. Slowest: the whole minibatch, 200 ms.")
    assert "less than a factor of 2" in sentences(lambda: wording.parts(parts(100, 20, seconds=(0.2, 0.15))))[1]
    assert numbers_in(ended)[:3] == [16, 100, 20]
