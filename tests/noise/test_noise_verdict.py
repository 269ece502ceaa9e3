"""The verdicts on gradient noise are true for every run that the page can make; their sentences hold its numbers."""

import dataclasses
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.noise import noise_law, verdict, wording
from sgd_tf.noise.escape import share_interval
from sgd_tf.noise.rows import (
    Curvature,
    EdgePlan,
    End,
    EscapePlan,
    Escapes,
    LawPlan,
    MeasuredNoise,
    Noise,
    NoiseScale,
    PathPlan,
    run_name,
)
from sgd_tf.training import history
from sgd_tf.training.records import ModelConfig
from sgd_tf.ui.numbers import digits, percent
from tests.lab import sentences

LINEAR = ModelConfig(kind="linear", widths=())
POSITIVE = st.floats(1e-9, 1e9)

# Paths


@given(
    k=st.sampled_from(PathPlan.batch_sizes),
    update=st.integers(0, 60),
    pull=st.sampled_from([0.0, 1e-9, 0.1, 10.0]),
    seed=st.integers(0, 1_000),
)
def test_every_point_of_a_path_has_its_numbers_in_words(k, update, pull, seed):
    random = np.random.default_rng(seed)
    each = random.normal(size=(200, 2))
    each += pull - each.mean(axis=0)
    minibatches = noise_law.cut_order(random.permutation(200), k)
    says = verdict.path(each, *noise_law.minibatch_means(each, minibatches), k)
    assert says.length == pytest.approx(pull * math.sqrt(2), abs=1e-12)
    assert says.residual < 1e-12
    assert sum(says.sizes) == 200
    for text in sentences(lambda: " ".join(wording.path(says, says, update))):
        assert wording.length_text(says.length) in text
        assert (digits(says.expected, 3) in text) == (k < 200) or says.expected == 0
        assert (f"{says.sizes[-1]}/200" in text) == (says.sizes[-1] != k)


# Noise against k


@st.composite
def measurements(draw):
    num_examples = draw(st.integers(10, 2_048))
    plan = LawPlan(problem="line", num_examples=num_examples, model=LINEAR, num_epochs=0, learning_rate=0.1, seed=0)
    noise = Noise(s_squared=draw(st.just(0.0) | POSITIVE), signal=draw(st.just(0.0) | POSITIVE))
    low, value, high = draw(
        st.sampled_from([(0.0, math.nan, math.inf), (0.0, 0.0, 3.0), (0.0, 0.0, 0.0), (7.0, math.inf, math.inf)])
        | st.tuples(POSITIVE, POSITIVE, POSITIVE | st.just(math.inf)).map(sorted)
    )
    small, big = plan.two_sizes
    scale = NoiseScale(value=value, low=low, high=high, s_squared=1.0, signal=1.0, small=small, big=big, num_draws=200)
    share = draw(st.floats(0.5, 2.0))
    laws = noise_law.variance_law(noise.s_squared, np.array(plan.batch_sizes), num_examples)
    measured = [
        MeasuredNoise(batch_size=k, mean=share * float(law), standard_error=0.1, law=float(law), num_draws=100)
        for k, law in zip(plan.batch_sizes, laws, strict=True)
    ]
    return plan, [noise, *measured, scale]


@given(measurements())
def test_the_verdict_on_the_noise_names_the_k_at_which_it_equals_the_gradient(run):
    plan, found = run
    noise, N = found[0], plan.num_examples
    says = verdict.law(plan, found)
    texts = sentences(lambda: " ".join([wording.law(says), *wording.law_details(says)]))
    if not noise.signal or not noise.s_squared:
        assert says.answer is None
        assert says.kind == ("no noise" if noise.signal else "no gradient")
        return
    below, above = (
        float(noise_law.variance_law(noise.s_squared, min(max(k, 1), N), N)) / noise.signal
        for k in (says.batch_size - 0.51, says.batch_size + 0.51)
    )
    assert says.kind == "single" or below >= 1 - 1e-9
    assert above <= 1 + 1e-9
    assert (says.kind == "half") == (says.noise_ratio(N / 2) >= 1)
    ranges = {"tiny": (0, 3), "small": (4, 31), "medium": (32, 256), "large": (257, N)}
    low, high = ranges[says.answer]
    assert low <= says.batch_size <= high
    for text in texts:
        assert (f"{says.batch_size:,}" in text) or says.kind == "single"
        assert digits(noise.noise_scale, 3) in text


def test_without_all_measurements_there_is_no_verdict_on_the_noise():
    plan = LawPlan(problem="line", num_examples=100, model=LINEAR, num_epochs=0, learning_rate=0.1, seed=0)
    assert verdict.law(plan, []) is None
    assert verdict.law(plan, [Noise(s_squared=1.0, signal=1.0)]) is None


def test_noise_that_is_thousands_of_times_the_gradient_is_not_called_as_large():
    plan = LawPlan(problem="line", num_examples=500, model=LINEAR, num_epochs=20, learning_rate=0.1, seed=0)
    law = 2.0 * (1 - 1 / 500)
    rows = [
        Noise(s_squared=2.0, signal=2.0 / (500 * 6771)),
        MeasuredNoise(batch_size=1, mean=law, standard_error=0.1, law=law, num_draws=100),
        MeasuredNoise(batch_size=500, mean=1e-16, standard_error=1e-17, law=0.0, num_draws=100),
        NoiseScale(value=math.inf, low=900.0, high=math.inf, s_squared=2.0, signal=0.0, small=31, big=250, num_draws=9),
    ]
    says = verdict.law(plan, rows)
    for text in sentences(lambda: wording.law(says)):
        assert "**6,771** · ‖g‖²" in text  # (S²/k)(1 − k/N) at k = N/2 is S²/N
    assert says.answer == "large"


# Escape


@st.composite
def escapes(draw):
    plan = EscapePlan()
    rows = []
    for k in plan.batch_sizes:
        lost = draw(st.just(0) | st.integers(0, 300)) if k < plan.num_examples else 0
        num = draw(st.just(0) | st.integers(0, 300 - lost)) if k < plan.num_examples else 0
        rows.append(
            Escapes(
                batch_size=k,
                num_runs=300,
                num_escaped=num,
                num_diverged=lost,
                interval=share_interval(num, 300),
                ends=[],
            )
        )
    return rows


@given(escapes())
def test_the_k_with_most_escapes_leads_only_if_its_interval_lies_above_all_others(rows):
    says = verdict.escape(rows, len(rows))
    most = max(row.num_escaped for row in rows)
    leaders = {row.batch_size for row in says.leaders}
    assert {row.batch_size for row in rows[:-1] if row.num_escaped == most} <= leaders
    others = [row for row in rows[:-1] if row.batch_size not in leaders]
    assert all(row.interval[1] < says.leaders[0].interval[0] for row in others)
    assert (says.answer == "none") == (most == 0)
    if most and says.answer is None:
        assert 1 in leaders
        assert len(leaders) > 1
    for text in sentences(lambda: f"{wording.escape(says)} {wording.escape_details(says)}"):
        if most:
            assert all(f"k = {k}" in text for k in leaders)
            assert percent(most / 300) in text
        for row in rows:
            assert not row.num_diverged or f"k = {row.batch_size}: {row.num_diverged}" in text


def test_a_tie_has_no_winner():
    rows = [
        Escapes(
            batch_size=k,
            num_runs=300,
            num_escaped=num,
            num_diverged=0,
            interval=share_interval(num, 300),
            ends=[],
        )
        for k, num in ((1, 200), (2, 205), (512, 0))
    ]
    says = verdict.escape(rows, 3)
    assert says.answer is None
    for text in sentences(lambda: wording.escape(says)):
        assert "k = 2: 68.3%, k = 1: 66.7%" in text


def test_a_stopped_escape_has_no_verdict():
    assert verdict.escape([], 9) is None


# The largest stable rate


def curvature(value):
    return Curvature(value=value, residual=1e-6, num_products=20, converged=True)


def descents(courses, *, problem="diabetes", limit=4.0):
    """The verdict on runs with these losses by factor; None at their end for one that diverged."""
    plan = EdgePlan(problem=problem, num_examples=100, model=LINEAR, seed=0, factors=tuple(courses))
    rows = [curvature(2.0)]
    for factor, losses in courses.items():
        for update, loss in enumerate(losses):
            rows.append(
                history.Row(
                    run=run_name(factor),
                    batch_size=100,
                    full_batch=True,
                    num_examples=100,
                    update=update,
                    epoch=update,
                    examples=100 * update,
                    seconds=0.1 * update,
                    minibatch_loss=loss,
                    minibatch_loss_low=None,
                    minibatch_loss_high=None,
                    train_loss=math.inf if loss is None else loss,
                    test_loss=1.0,
                    test_accuracy=None,
                    diverged_at=update if loss is None else None,
                )
            )
        end = None if losses[-1] is None else curvature(limit)
        rows.append(End(factor=factor, ratio=1 - 2 * factor, curvature=end))
    return verdict.edge(plan, rows)


@pytest.mark.parametrize(
    ("losses", "course", "answer"),
    [
        ([2.0, 1.0, 0.5], "down", "down"),
        ([2.0, 3.0, 0.5], "bump", "bump"),
        ([2.0, 1.0, 2.1], "up", "up"),
        ([2.0, 1.0, None], "up", "up"),
        ([2.0, None], "up", "up"),
        ([2.0, 0.5, 1.0], "late", None),
        ([2.0, 2.001, 1.999], "flat", None),
    ],
)
def test_what_a_loss_did_has_a_name(losses, course, answer):
    says = descents({1.05: losses})
    assert says.just_above.course == course
    assert says.answer == answer


@given(
    losses=st.lists(POSITIVE, min_size=2, max_size=6),
    diverges=st.booleans(),
    problem=st.sampled_from(["diabetes", "breast_cancer"]),
    limit=st.sampled_from([-1.0, 0.1, 1e3, math.nan]),
)
def test_the_sentence_on_the_run_above_the_limit_holds_its_losses(losses, diverges, problem, limit):
    losses = [*losses, None] if diverges else losses
    says = descents({0.5: [1.0, 0.5], 1.05: losses}, problem=problem, limit=limit)
    start, low = losses[0], min(loss for loss in losses if loss is not None)
    for text in sentences(lambda: f"{wording.edge(says)} {wording.edge_details(says)}"):
        assert digits(start, 3) in text
        assert "1.05" in text
        if diverges:
            assert str(len(losses) - 1) in text
        else:
            assert digits(losses[-1], 3) in text
            assert says.just_above.course != "down" or losses[-1] <= 1.01 * low
            assert (says.answer == "up") == (losses[-1] > start)


@pytest.mark.parametrize(
    ("losses", "bump", "said"),
    [
        # As two spirals with an MLP: the start is the highest, and the rise comes later.
        ([1.96, 0.64, 1.09, 0.9, 0.428], (1, 2), ["1.96", "0.64", "1.09", "0.428"]),
        ([2.0, 3.0, 1.0, 1.5, 0.5], (0, 1), ["2", "3", "0.5"]),
    ],
)
def test_a_rise_on_the_way_goes_from_the_low_before_it_to_its_peak(losses, bump, said):
    run = descents({1.05: losses})
    assert run.just_above.bump == bump
    assert run.answer == "bump"
    for text in sentences(lambda: wording.edge(run)):
        numbers = iter(re.findall(r"\d[\d.]*\d|\d", text))
        assert all(number in numbers for number in said)  # in this order


def test_how_far_the_first_update_is_from_the_formula_is_computed():
    says = descents({0.5: [1.0, 0.5], 1.05: [1.0, 0.9]}, problem="breast_cancer")
    runs = tuple(dataclasses.replace(run, ratio=ratio) for run, ratio in zip(says.runs, (-0.87, -0.613), strict=True))
    for text in sentences(lambda: wording.edge_details(dataclasses.replace(says, runs=runs))):
        assert "0.87" in text  # −0.87 against 0; −0.613 is nearer to −1.1


@pytest.mark.parametrize(("value", "is_unknown"), [(-1.0, False), (0.0, False), (math.nan, True)])
def test_initial_weights_without_a_limit_are_said_to_set_none(value, is_unknown):
    plan = EdgePlan(problem="diabetes", num_examples=100, model=LINEAR, seed=0)
    says = verdict.edge(plan, [curvature(value)])
    assert says == verdict.NoLimit(is_unknown=is_unknown)
    assert sentences(lambda: wording.edge(says))


def test_runs_that_have_not_all_ended_have_no_verdict():
    plan = EdgePlan(problem="diabetes", num_examples=100, model=LINEAR, seed=0)
    assert verdict.edge(plan, []) is None
    assert verdict.edge(plan, [curvature(2.0)]) is None
