"""The verdicts on the cost of a step are true for every run that the page can make: whole, stopped, undecided."""

import itertools
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf import ModelConfig
from sgd_tf.step_cost import verdict, wording
from sgd_tf.step_cost.rows import WAYS, FirstEpoch, StepCostPlan, Timing
from sgd_tf.step_cost.verdict import Unfinished
from tests.lab import numbers_in, sentences

PLAN = StepCostPlan(problem="digits", num_examples=1_437, model=ModelConfig(), batch_sizes=(8, 64, 1_437))


def measured(plan, seconds, share=1.0):
    """The rows of a run, or of its first part: seconds(way, k, round)."""
    found = []
    for number, k, way in itertools.product(range(plan.num_rounds), plan.batch_sizes, WAYS):
        if number == 0:
            found.append(FirstEpoch(way=way, batch_size=k, seconds=1.0))
        found.append(Timing(way=way, batch_size=k, round=number, seconds=seconds(way, k, number)))
    return found[: max(1, math.ceil(share * len(found)))]


@st.composite
def any_runs(draw):
    sizes = draw(st.sampled_from([(8,), (8, 64), (8, 64, 1_437), (1_437,)]))
    plan = StepCostPlan(problem="digits", num_examples=1_437, model=ModelConfig(), batch_sizes=sizes)
    draw_seconds = st.floats(1e-5, 1e2)
    common = draw(st.sampled_from([None, 0.01]))  # all the same: nothing is clear
    rows = measured(plan, lambda *_: common or draw(draw_seconds), draw(st.just(1.0) | st.floats(0.01, 1.0)))
    return plan, rows


@given(any_runs())
def test_what_is_said_of_any_run_stands_in_its_rows(run):
    plan, rows = run
    says = verdict.step_cost(plan, rows)
    times = {}
    for row in rows:
        if isinstance(row, Timing):
            times.setdefault((row.way, row.batch_size), []).append(row.seconds)
    texts = sentences(lambda: wording.step_cost(says))
    k = plan.batch_sizes[0]
    num_rounds = min(len(times.get((way, k), [])) for way in ("fit", "compiled"))
    if not num_rounds:
        assert isinstance(says, Unfinished)
        return
    assert (says.batch_size, len(says.ratios)) == (k, num_rounds)
    ratios = np.divide(times["fit", k][:num_rounds], times["compiled", k][:num_rounds])
    np.testing.assert_allclose(says.ratios, ratios)
    for text in texts:
        assert k in numbers_in(text)
        assert re.search(rf"(?<![\d.,]){re.escape(wording.times(np.median(ratios)))}(?!\d)", text)
    if says.answer:
        assert num_rounds >= 3
        low, high = {"same": (0, 2), "some": (2, 10), "many": (10, math.inf)}[says.answer]
        assert np.mean((ratios >= low) & (ratios < high)) >= 0.8


@given(any_runs())
def test_none_of_those_that_are_named_fastest_is_clearly_slower_than_another(run):
    plan, rows = run
    says = verdict.step_cost(plan, rows)
    if isinstance(says, Unfinished) or not says.fastest_plain:
        return
    medians = {way: says.seconds[way] for way in verdict.PLAIN_WAYS}
    assert min(medians, key=medians.get) in says.fastest_plain
    assert says.gain >= verdict.CLEARLY or "fit" in says.fastest_plain
    assert len(says.shortest) == (0 if len(plan.batch_sizes) == 1 or not says.shortest else 2)


def price_per_call(way, k, number):
    """A call costs 1 ms and a sample 1 µs; other ways pay for fewer calls; every second round is twice as slow."""
    updates = -(-1_437 // k)
    calls = {"several_steps": updates / 32, "epoch_graphs": 1, "compiled": 0, "python": 10 * updates}
    return (1e-3 * calls.get(way, updates) + 1e-6 * 1_437) * (1 + number % 2)


def test_the_price_of_the_calls_is_found_whatever_else_the_machine_does():
    says = verdict.step_cost(PLAN, measured(PLAN, price_per_call))
    assert says.ratio == pytest.approx(1 + 180e-3 / 1.437e-3)
    assert says.loop_seconds == pytest.approx(1e-3)  # the median round is one of the quick ones
    assert (says.answer, says.doubt) == ("many", None)
    assert says.fastest_plain == ("epoch_graphs",)
    assert {each.way: each.batch_sizes for each in says.shortest} == {"fit": (1_437,), "compiled": PLAN.batch_sizes}
    korean, english = sentences(lambda: wording.step_cost(says))
    assert "With k = 8 an epoch of model.fit takes 181 ms, and the lab's loop makes the same 180 updates" in english
    assert "126 times as fast (126–126 in 5 rounds). So at most 0.79% of that epoch is mathematics" in english
    assert "1.00 ms for each update" in english
    assert "Fastest in plain Keras there: epoch as graph" in english
    assert "k = 8 / k = 64 / k = 1,437 (too close to tell) in the lab's loop" in english
    assert "k = 8에서 model.fit은 한 에포크에 181 ms" in korean


def test_two_loops_with_a_fastest_k_each_show_that_it_depends_on_the_loop():
    def seconds(way, k, _number):
        return 1.0 / k if way != "compiled" else 1e-4 * k

    says = verdict.step_cost(PLAN, measured(PLAN, seconds))
    assert [each.batch_sizes for each in says.shortest] == [(1_437,), (8,)]
    assert says.depends_on_loop
    assert any("depends on the loop" in text for text in sentences(lambda: wording.step_cost(says)))


@pytest.mark.parametrize(
    ("ratios", "answer", "doubt"),
    [
        ([1.0, 1.1, 0.9, 1.0, 1.2], "same", None),
        ([2.0, 3.0, 4.0, 9.9, 12.0], "some", None),  # 4 of 5
        ([9.0, 9.5, 9.9, 10.0, 11.0], None, "rounds disagree"),
        ([20.0, 30.0], None, "few rounds"),
    ],
)
def test_a_prediction_is_judged_where_the_rounds_agree(ratios, answer, doubt):
    plan = StepCostPlan(problem="digits", num_examples=1_437, model=ModelConfig(), batch_sizes=(1_437,))
    rows = [
        Timing(way=way, batch_size=1_437, round=number, seconds=ratio if way == "fit" else 1.0)
        for number, ratio in enumerate(ratios)
        for way in WAYS
    ]
    says = verdict.step_cost(plan, rows)
    assert (says.answer, says.doubt) == (answer, doubt)
    assert says.is_clear == (answer == "some" or doubt == "rounds disagree")
    for text in sentences(lambda: wording.step_cost(says)):
        assert "1 updates" not in text
        assert "업데이트 1번" not in text


def test_a_run_that_was_stopped_early_compares_nothing():
    says = verdict.step_cost(PLAN, measured(PLAN, price_per_call)[:5])
    assert isinstance(says, Unfinished)
    assert all("%" not in text for text in sentences(lambda: wording.step_cost(says)))
