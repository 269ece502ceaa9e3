"""The verdicts on sampling are true for every run that the page can make: whole, stopped, diverged, learned nothing."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.jobs.rows import table
from sgd_tf.sampling import controls, verdict, wording
from sgd_tf.sampling.rows import (
    SORTED_WAYS,
    CopiesDifference,
    Floor,
    FloorPlan,
    GenieMeasurement,
    GeniePlan,
    SortedMeasurement,
    SortedPlan,
)
from sgd_tf.sampling.verdict import FLOOR_WAYS, Diverged, FloorVerdict, GenieVerdict, SortedVerdict, Unfinished
from tests.lab import numbers_in, sentences

SEEDS = st.sampled_from([int(num) for num in controls.SEEDS.options])
# Where a run is stopped: a fraction of its rows, 1 for a run that came to its end.
STOPPED = st.one_of(st.just(1.0), st.floats(0.01, 1.0))


def cut(rows, share):
    return rows[: max(1, math.ceil(share * len(rows)))]


# The five ways


@given(n=st.integers(controls.MIN_N, controls.MAX_N), seed=st.integers(0, 1_000))
def test_what_drawing_with_replacement_misses_is_counted_in_any_draw(n, seed):
    order = np.random.default_rng(seed).integers(0, n, size=(controls.MAX_EPOCHS, n))
    says = verdict.missed(order)
    in_first = n - len(set(order[0].tolist()))
    for text in sentences(lambda: wording.missed(says)):
        assert {in_first, n} <= set(numbers_in(text))
    assert says.share == pytest.approx(np.mean([1 - len(set(epoch)) / n for epoch in order.tolist()]))


# The error floor


@st.composite
def floor_runs(draw):
    plan = FloorPlan(batch_size=draw(st.sampled_from([1, 4, 8, 16])), num_seeds=draw(SEEDS))
    floors = st.floats(1e-9, 1e3) | st.just(math.inf) if draw(st.booleans()) else st.floats(1e-9, 1e3)
    kinds = itertools.product(range(plan.num_seeds), plan.learning_rates, FLOOR_WAYS)
    rows = [
        Floor(sampling=way, learning_rate=rate, seed=seed, floor=draw(floors), expected=None, distances=[])
        for seed, rate, way in cut(list(kinds), draw(STOPPED))
    ]
    return plan, rows


@given(floor_runs())
def test_the_verdict_on_the_floor_is_that_of_the_complete_seeds(run):
    plan, rows = run
    says = verdict.floor(plan, table(rows, Floor))
    texts = sentences(lambda: wording.floor(says))
    complete, begun = divmod(len(rows), 10)
    if any(math.isinf(row.floor) for row in rows):
        assert isinstance(says, Diverged)
    elif not complete:
        assert isinstance(says, Unfinished)
    else:
        assert says.num_seeds == complete
        for way, power in says.powers.items():  # the slope of a straight line through the medians, by NumPy
            medians = [
                np.median(
                    [row.floor for row in rows[: 10 * complete] if (row.sampling, row.learning_rate) == (way, rate)]
                )
                for rate in plan.learning_rates
            ]
            assert power == pytest.approx(np.polyfit(np.log(plan.learning_rates), np.log(medians), 1)[0], abs=1e-6)
            assert all(f"{power:.2f}" in text and f"{2**power:.1f}" in text for text in texts)
    assert begun or plan.num_seeds >= complete


def floors(*powers):
    """One seed for each power: floors γ with replacement, γ to that power when reshuffled."""
    plan = FloorPlan(batch_size=8, num_seeds=5)
    return plan, [
        Floor(sampling=way, learning_rate=rate, seed=seed, floor=rate**p, expected=None, distances=[])
        for seed, power in enumerate(powers)
        for rate in plan.learning_rates
        for way, p in (("with_replacement", 1.0), ("reshuffle", power))
    ]


@pytest.mark.parametrize(
    ("powers", "answer"),
    [
        ([0.1] * 5, "stays"),
        ([1.0] * 5, "half"),
        ([2.0] * 5, "quarter"),
        ([3.0, 2.0, 2.0, 2.0, 1.0], "quarter"),  # 4 of 5 seeds
        ([1.0, 1.0, 2.0, 2.0, 2.0], None),  # the seeds disagree
        ([2.0, 2.0], None),  # stopped: too few seeds
    ],
)
def test_the_floors_give_the_answer_that_the_seeds_agree_on(powers, answer):
    plan, rows = floors(*powers)
    says = verdict.floor(plan, table(rows, Floor))
    assert says.answer == answer
    assert says.divisors["with_replacement"] == pytest.approx(2.0)
    assert says.divisors["reshuffle"] == pytest.approx(2 ** np.median(powers))


# Sorted data


@st.composite
def sorted_runs(draw):
    num_seeds = draw(SEEDS)
    plan = SortedPlan(batch_size=32, learning_rate=0.1, buffer_size=draw(st.integers(1, 1437)), num_seeds=num_seeds)
    accuracies = {(seed, way): draw(st.floats(0, 1)) for seed in range(num_seeds) for way in SORTED_WAYS}
    may_diverge = draw(st.booleans())
    rows = []
    for (seed, way), accuracy in accuracies.items():
        end = draw(st.integers(1, 21)) if may_diverge else 21
        for step in range(21):
            lost = step >= end
            rows.append(
                SortedMeasurement(
                    sampling=way,
                    seed=seed,
                    epoch=step / 2,
                    update=step,
                    examples=step,
                    train_loss=math.nan if lost else 1.0,
                    test_accuracy=math.nan if lost else accuracy,
                )
            )
    return plan, cut(rows, draw(STOPPED))


@given(sorted_runs())
def test_the_verdict_on_sorted_data_is_that_of_the_complete_seeds(run):
    plan, rows = run
    says = verdict.sorted_data(plan, table(rows, SortedMeasurement))
    texts = sentences(lambda: wording.sorted_data(says, plan))
    complete = len(rows) // (3 * 21)
    if any(math.isnan(row.train_loss) for row in rows):
        assert isinstance(says, Diverged)
    elif not complete:
        assert isinstance(says, Unfinished)
    else:
        last = [[row.test_accuracy for row in rows if row.sampling == way and row.epoch == 10.0] for way in SORTED_WAYS]
        medians = [float(np.median(values[:complete])) for values in last]
        if max(medians) < 0.2:
            assert says == verdict.NothingLearned(accuracy=pytest.approx(max(medians)), has_risen=False)
            return
        assert [says.accuracy[way] for way in SORTED_WAYS] == pytest.approx(medians)
        for text in texts:
            places = [text.index(f"{median:.1%}") for median in medians]
            assert all(place > 0 for place in places)
        assert says.answer in (None, "same") or says.num_seeds >= 3


def of_accuracies(in_order, buffer, reshuffle, *, num_seeds=3):
    plan = SortedPlan(batch_size=32, learning_rate=0.1, buffer_size=100, num_seeds=num_seeds, num_epochs=2)
    accuracies = {"in_order": in_order, "buffer": buffer, "reshuffle": reshuffle}
    return plan, [
        SortedMeasurement(
            sampling=way, seed=seed, epoch=e / 2, update=e, examples=e, train_loss=1.0, test_accuracy=value
        )
        for seed in range(num_seeds)
        for way, value in accuracies.items()
        for e in range(5)
    ]


@pytest.mark.parametrize(
    ("accuracies", "answer"),
    [
        ((0.5, 0.6, 0.95), "in_order"),
        ((0.5, 0.8, 0.95), "between"),
        ((0.5, 0.94, 0.95), "reshuffle"),
        ((0.93, 0.94, 0.95), "same"),  # the buffer is close to both: no winner of a tie
        ((0.95, 0.94, 0.5), "same"),
    ],
)
def test_the_buffer_is_judged_by_how_much_of_the_way_it_goes(accuracies, answer):
    plan, rows = of_accuracies(*accuracies)
    says = verdict.sorted_data(plan, table(rows, SortedMeasurement))
    assert isinstance(says, SortedVerdict)
    assert says.answer == answer


@pytest.mark.parametrize(("end", "advice"), [(1.0, "larger learning rate"), (30.0, "smaller learning rate")])
def test_where_nothing_was_learned_no_way_of_reading_is_as_good_as_another(end, advice):
    plan, rows = of_accuracies(0.115, 0.115, 0.117)
    rows = [dataclasses.replace(row, train_loss=end) if row.update else row for row in rows]
    says = verdict.sorted_data(plan, table(rows, SortedMeasurement))
    assert says == verdict.NothingLearned(accuracy=pytest.approx(0.117), has_risen=end > 1)
    assert advice in sentences(lambda: wording.sorted_data(says, plan))[1]


# The evil genie


@st.composite
def genie_runs(draw):
    plan = GeniePlan(num_copies=draw(st.sampled_from([2, 4, 8])), batch_size=32, num_seeds=draw(SEEDS), num_epochs=2)
    losses = st.floats(1e-4, 3.0) | st.just(math.nan) if draw(st.booleans()) else st.floats(1e-4, 3.0)
    rows = []
    for seed, method, copies in itertools.product(range(plan.num_seeds), ("gd", "sgd"), (1, plan.num_copies)):
        per_epoch = copies * (1 if method == "gd" else 32)
        for epoch in range(plan.num_epochs * (plan.num_copies // copies) + 1):
            row = GenieMeasurement(
                method=method,
                copies=copies,
                seed=seed,
                epoch=epoch,
                update=epoch * (1 if method == "gd" else per_epoch),
                examples=epoch * 1024 * copies,
                train_loss=draw(losses),
                test_accuracy=0.5,
            )
            rows.append(row)
    rows = cut(rows, share := draw(STOPPED))
    return plan, [*rows, CopiesDifference(difference=draw(st.floats(0, 1e-3)), updates=2)] if share == 1 else rows


@given(genie_runs())
def test_the_verdict_on_the_genie_is_that_of_the_complete_seeds(run):
    plan, found = run
    rows = [row for row in found if isinstance(row, GenieMeasurement)]
    says = verdict.genie(plan, table(found, GenieMeasurement))
    texts = sentences(lambda: wording.genie(says, plan, found))
    per_seed = 2 * (3 + 2 * plan.num_copies + 1)
    if any(math.isnan(row.train_loss) for row in rows):
        assert isinstance(says, Diverged)
    elif len(rows) < per_seed:
        assert isinstance(says, Unfinished)
    else:
        assert says.num_seeds == len(rows) // per_seed
        for method, factor in says.factors.items():
            ends = {
                (row.seed, row.copies): row.train_loss
                for row in rows
                if row.method == method and row.seed < says.num_seeds
            }  # the last row of each run: both have seen as many samples
            ratios = [ends[seed, plan.num_copies] / ends[seed, 1] for seed in range(says.num_seeds)]
            assert factor == pytest.approx(np.median(ratios))
            assert all(f"{factor:.2f}" in text for text in texts)


@pytest.mark.parametrize(
    ("gd", "sgd", "answer"), [(3.0, 1.0, "gd"), (1.0, 2.0, "sgd"), (2.0, 2.0, "both"), (1.0, 0.9, "neither")]
)
def test_the_genie_hurts_the_method_with_the_raised_loss(gd, sgd, answer):
    losses = {
        (method, what): [1.0] * 3 for method in ("gd", "sgd") for what in ("copies", "examples", "update", "epoch")
    }
    losses |= {("gd", "copies"): [gd] * 3, ("sgd", "copies"): [sgd] * 3}
    says = GenieVerdict(losses=losses, answers=(answer,) * 3, num_planned=3)
    assert says.factors == {"gd": gd, "sgd": sgd}
    assert says.answer == answer


def test_one_halving_of_the_rate_divides_a_floor_by_two_to_its_power():
    says = FloorVerdict(powers={"with_replacement": 1.0, "reshuffle": 2.0}, answers=("quarter",) * 3, num_planned=3)
    assert says.divisors == {"with_replacement": 2.0, "reshuffle": 4.0}
    for text in sentences(lambda: wording.floor(says)):
        assert numbers_in(text)[:2] in ([2.0, 4.0], [1.0, 2.0])  # Korean writes 1/2.0
