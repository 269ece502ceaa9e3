"""What a race showed: hand arithmetic, SciPy's sign test, and what holds for every table that a race can give."""

import contextlib
import math
import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.racing import standings, verdict
from sgd_tf.training.history import time_to_target, to_frame
from sgd_tf.training.records import ModelConfig, Progress, RacePlan, TrainConfig

NUM_EXAMPLES, NUM_TEST = 1437, 360  # of the digits


def rows_of(name, points, *, batch_size=32, accuracies=None, diverged_at=None):
    """A run with records at these (seconds, update, loss); one that diverged says so in its last."""
    for at, (seconds, update, loss) in enumerate(points):
        yield Progress(
            run=name,
            batch_size=batch_size,
            num_examples=NUM_EXAMPLES,
            update=update,
            examples=update * batch_size,
            seconds=seconds,
            minibatch_loss=np.array([]),
            train_loss=loss,
            test_loss=loss,
            test_accuracy=accuracies[at] if accuracies else None,
            diverged_at=diverged_at if at == len(points) - 1 else None,
        )


def table(**runs):
    """A history of runs by name; "gd" is gradient descent."""
    return to_frame(
        record
        for name, points in runs.items()
        for record in rows_of(name, points, batch_size=NUM_EXAMPLES if name == "gd" else 32)
    )


def test_a_contestant_is_first_if_no_other_can_have_been_there_before_it():
    history = table(gd=[(0, 0, 2.0), (2, 20, 1.0), (4, 40, 0.0)], sgd=[(0, 0, 2.0), (1, 99, 1.0), (1.5, 150, 0.0)])
    found = standings.verdict(time_to_target(history, 0.5))
    # The one crosses between 2 and 4 s, at 3 s, the other between 1 and 1.5 s, at 1.25 s.
    assert (found.outcome, found.leaders, found.order) == ("first", ("sgd",), ("sgd", "gd"))
    assert (found.rival, found.times, found.is_lower_bound) == ("gd", pytest.approx(3 / 1.25), False)


def test_two_crossings_between_records_that_overlap_are_a_tie():
    history = table(gd=[(0, 0, 2.0), (1.4, 20, 0.6), (4, 40, 0.0)], sgd=[(0, 0, 2.0), (1, 99, 1.0), (1.5, 150, 0.0)])
    found = standings.verdict(time_to_target(history, 0.5))
    assert (found.outcome, found.leaders, found.rival, found.times) == ("tie", ("sgd", "gd"), None, None)


def test_a_crossing_before_the_first_record_gives_a_bound_of_the_ratio_only():
    history = table(gd=[(0, 0, 2.0), (1, 20, 1.0), (2, 40, 0.0)], sgd=[(0, 0, 2.0), (0.1, 99, 0.0)])
    found = standings.verdict(time_to_target(history, 0.5))
    # Somewhere in the first 0.1 s, against somewhere between 1 and 2 s.
    assert (found.outcome, found.times, found.is_lower_bound) == ("first", pytest.approx(10.0), True)


def test_the_rival_is_gradient_descent_also_where_it_did_not_arrive_else_the_next_one():
    runs = {"gd": [(0, 0, 2.0), (5, 9, 1.0)], "a": [(0, 0, 2.0), (1, 9, 1.0), (2, 18, 0.0)],
            "b": [(0, 0, 2.0), (3, 9, 1.0), (4, 18, 0.0)]}  # fmt: skip
    found = standings.verdict(time_to_target(table(**runs), 0.5))
    assert (found.leaders, found.rival, found.times) == (("a",), "gd", None)
    del runs["gd"]
    found = standings.verdict(time_to_target(table(**runs), 0.5))
    assert (found.leaders, found.rival, found.times) == (("a",), "b", pytest.approx(3.5 / 1.5))


def test_a_target_that_the_initial_weights_meet_and_one_that_nobody_meets_have_no_leader():
    history = table(gd=[(0, 0, 2.0), (5, 9, 1.0)], sgd=[(0, 0, 2.0), (1, 9, 1.0)])
    for target, outcome in [(5.0, "at the start"), (2.0, "at the start"), (0.5, "nobody")]:
        found = standings.verdict(time_to_target(history, target))
        assert (found.outcome, found.leaders, found.times) == (outcome, (), None)


def test_steps_are_too_long_where_a_loss_diverged_or_ended_no_lower_than_it_began():
    wild = rows_of("wild", [(0, 0, 2.0), (1, 9, math.inf)], diverged_at=5)
    history = pd.concat([table(calm=[(0, 0, 2.0), (1, 9, 1.9)], grew=[(0, 0, 2.0), (1, 9, 40.0)]), to_frame(wild)])
    assert standings.too_fast(history) == ("grew", "wild")
    assert standings.too_fast(table(untrained=[(0, 0, 2.0)])) == ()


def after(**accuracies):
    return to_frame(
        record
        for name, accuracy in accuracies.items()
        for record in rows_of(name, [(0, 0, 2.0), (1, 9, 1.0)], accuracies=[0.1, accuracy])
    )


@pytest.mark.parametrize(
    ("first", "pair"),
    [("a", ("a", "c")), ("b", ("b", "c")), ("c", ("c", "a")), (None, ("c", "a"))],
)
def test_the_first_is_compared_with_the_best_of_the_others_or_as_the_best_with_the_worst(first, pair):
    found = standings.unseen(after(a=348 / 360, b=350 / 360, c=351 / 360), num_test=360, first=first)
    assert (found.one, found.other) == pair


@pytest.mark.parametrize(
    ("correct", "other", "num_test", "is_clear"),
    [
        (348, 351, 360, False),  # 12 and 9 wrong: as likely as not
        (351, 351, 360, False),
        (340, 351, 360, False),  # 20 and 9 wrong: two-sided probability of 9 heads or fewer of 29 tosses is 6 %
        (336, 351, 360, True),  # 24 and 9 wrong: 1.4 %
        (360, 355, 360, False),  # 0 and 5 wrong: 2/32
        (360, 354, 360, True),  # 0 and 6 wrong: 2/64
    ],
)
def test_a_difference_in_test_accuracy_is_clear_where_a_sign_test_says_so(correct, other, num_test, is_clear):
    found = standings.unseen(after(a=correct / num_test, b=other / num_test), num_test=num_test, first="a")
    assert (found.num_apart, found.is_clear) == (abs(correct - other), is_clear)
    wrong, other_wrong = num_test - correct, num_test - other
    tosses = wrong + other_wrong
    tail = sum(math.comb(tosses, heads) for heads in range(min(wrong, other_wrong) + 1)) / 2**tosses
    assert is_clear == (2 * tail < 0.05)


def test_diverged_contestants_are_not_compared_on_unseen_samples():
    wild = to_frame(rows_of("wild", [(0, 0, 2.0), (1, 9, math.inf)], accuracies=[0.1, 0.1], diverged_at=5))
    assert standings.unseen(pd.concat([after(a=0.9), wild]), num_test=360) is None
    found = standings.unseen(table(gd=[(0, 0, 2.0), (1, 9, 0.5)], sgd=[(0, 0, 2.0), (1, 9, 0.4)]), num_test=360)
    assert (found.one, found.one_value, found.num_apart, found.is_clear) == ("sgd", 0.4, None, None)


def test_the_largest_stable_rate_is_two_over_the_largest_eigenvalue(make_problem):
    problem = make_problem["regression"](50, num_features=1)
    linear = ModelConfig(kind="linear", widths=())
    # Of 2/N Σ (x, 1)(x, 1)ᵀ, a matrix of two rows: half its trace, and the root of what its determinant leaves.
    x = problem.x_train[:, 0].astype(float)
    mean, square = x.mean(), np.mean(x**2)
    half = 1 + square
    largest = half + math.sqrt(half**2 - 4 * (square - mean**2))
    assert standings.largest_stable_rate(problem, linear) == pytest.approx(2 / largest, rel=1e-5)
    assert standings.largest_stable_rate(problem, ModelConfig()) is None
    assert standings.largest_stable_rate(make_problem["classification"](50), linear) is None


FACTORS = st.sampled_from([0.5, 0.7, 0.2, 0.9, 1.0, 1.3, 30.0, 0.0, math.nan, math.inf])
STEPS = st.lists(
    st.tuples(st.sampled_from([0.3, 1.0, 0.001, 0.0]), st.integers(1, 60), FACTORS, st.integers(0, NUM_TEST)),
    min_size=2,
    max_size=6,
)


@st.composite
def races(draw):
    """A race that went on, was stopped or diverged, with up to four contestants from one start."""
    records = []
    for name in draw(st.permutations(["gd", "k = 32", "k = 8", "k = 1"]))[: draw(st.sampled_from([2, 3, 4, 1]))]:
        points, accuracies = [(0.0, 0, 2.0)], [0.0]
        pace = draw(st.sampled_from([1.0, 10.0, 0.1]))
        for more_seconds, more_updates, factor, correct in draw(STEPS | st.just([])):
            seconds, update, loss = points[-1]
            points.append((seconds + pace * more_seconds, update + more_updates, loss * factor))
            accuracies.append(correct / NUM_TEST)
            if not math.isfinite(factor):
                break
        _seconds, update, loss = points[-1]
        k = NUM_EXAMPLES if name == "gd" else int(name.removeprefix("k = "))
        diverged_at = None if math.isfinite(loss) else update - draw(st.integers(0, 1))
        records += rows_of(name, points, batch_size=k, accuracies=accuracies, diverged_at=diverged_at)
    return to_frame(records)


def sentences(monkeypatch, history, plan, *, prediction, status):
    """All that the verdict says of a race, in English."""
    said = []
    page = SimpleNamespace(
        **dict.fromkeys(("markdown", "caption", "info", "success", "warning", "subheader", "table"), said.append),
        container=lambda **_: contextlib.nullcontext(),
    )
    monkeypatch.setattr(verdict, "st", page)
    monkeypatch.setattr(verdict, "_", str)
    job = SimpleNamespace(status=status, rows=[])
    verdict.draw(SimpleNamespace(plan=plan, job=job, prediction=prediction), history)
    return [text for text in said if isinstance(text, str)], [text for text in said if not isinstance(text, str)]


@settings(max_examples=50)
@given(
    history=races(),
    target=st.sampled_from([0.5, 0.9, 0.3, 0.0, 2.9]),
    metric=st.sampled_from(["train_loss", "test_accuracy"]),
    status=st.sampled_from(["done", "stopped"]),
    prediction=st.sampled_from([None, "gd", "k = 8"]),
)
def test_whatever_a_race_gives_the_verdict_is_sound(history, target, metric, status, prediction):
    target = min(target, 1.0) if metric == "test_accuracy" else target
    configs = {name: TrainConfig() for name in history["run"].unique()}
    plan = RacePlan(problem="digits", configs=configs, target=target, target_metric=metric)
    with pytest.MonkeyPatch.context() as monkeypatch:
        said, [shown] = sentences(monkeypatch, history, plan, prediction=prediction, status=status)
    for sentence in said:
        assert not re.search(r"\bnan\b|–|∞|\binf\b|None|[^.\d]0 times|[^.\d]1 times|e[+]\d", sentence), sentence
    found = standings.verdict(time_to_target(history, target, metric=metric))
    # The table's order is the verdict's; its seconds are numbers exactly where the target was reached.
    seconds = shown["Seconds"][shown["Seconds"] != "not reached"].astype(float)
    assert seconds[list(found.order)].is_monotonic_increasing
    assert set(seconds.index) == set(found.order)
    assert (found.outcome == "nobody") == (not found.order)
    assert (len(found.leaders) > 1) == (found.outcome == "tie")
    wins = [sentence for sentence in said if "**" in sentence and " reached the target in " in sentence]
    assert bool(wins) == (found.outcome == "first")
    assert found.times is None or (found.outcome == "first" and 1 < found.times < math.inf)
    assert not (found.outcome in ("nobody", "at the start") and prediction and any("xpected" in s for s in said))
    if found.outcome == "tie":
        assert not any("times as long" in sentence or "was first" in sentence for sentence in said)
