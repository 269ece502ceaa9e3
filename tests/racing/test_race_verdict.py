"""What a race showed: hand arithmetic, SciPy's sign test, and what holds for every table that a race can give."""

import math
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.problems import CATALOGUE
from sgd_tf.racing import stability, wording
from sgd_tf.racing.verdict import Verdict, unseen, verdict, work
from sgd_tf.training.history import to_frame
from sgd_tf.training.records import ModelConfig, Progress, RacePlan, TrainConfig
from sgd_tf.ui import language
from sgd_tf.ui.numbers import digits
from tests.lab import LANGUAGES

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


def judged(history, target, *, seconds=0.0, names=None, problem="digits", metric="train_loss", stable_below=None,
           until="limit"):  # fmt: skip
    """The verdict on a race of these runs, in which each was given so many seconds."""
    configs = {name: TrainConfig() for name in names or history["run"].unique()}
    plan = RacePlan(problem=problem, configs=configs, seconds=seconds, target=target, target_metric=metric, until=until)
    return verdict(plan, history, stable_below=stable_below)


def test_a_contestant_is_first_if_no_other_can_have_been_there_before_it():
    history = table(gd=[(0, 0, 2.0), (2, 20, 1.0), (4, 40, 0.0)], sgd=[(0, 0, 2.0), (1, 99, 1.0), (1.5, 150, 0.0)])
    found = judged(history, 0.5)
    # The one crosses between 2 and 4 s, at 3 s, the other between 1 and 1.5 s, at 1.25 s.
    assert (found.outcome, found.leaders, [at.name for at in found.order]) == ("first", ("sgd",), ["sgd", "gd"])
    assert [(at.seconds, at.update) for at in found.order] == [(pytest.approx(1.25), 125), (pytest.approx(3.0), 30)]
    assert (found.rival, found.times, found.is_lower_bound) == ("gd", pytest.approx(3 / 1.25), False)


def test_two_crossings_between_records_that_overlap_are_a_tie():
    history = table(gd=[(0, 0, 2.0), (1.4, 20, 0.6), (4, 40, 0.0)], sgd=[(0, 0, 2.0), (1, 99, 1.0), (1.5, 150, 0.0)])
    found = judged(history, 0.5)
    assert (found.outcome, found.leaders, found.rival, found.times) == ("tie", ("sgd", "gd"), None, None)


def test_a_crossing_before_the_first_record_gives_a_bound_of_the_ratio_only():
    history = table(gd=[(0, 0, 2.0), (1, 20, 1.0), (2, 40, 0.0)], sgd=[(0, 0, 2.0), (0.1, 99, 0.0)])
    found = judged(history, 0.5)
    # Somewhere in the first 0.1 s, against somewhere between 1 and 2 s.
    assert (found.outcome, found.times, found.is_lower_bound) == ("first", pytest.approx(10.0), True)


def test_the_rival_is_gradient_descent_also_where_it_did_not_arrive_else_the_next_one():
    runs = {"gd": [(0, 0, 2.0), (5, 9, 1.0)], "a": [(0, 0, 2.0), (1, 9, 1.0), (2, 18, 0.0)],
            "b": [(0, 0, 2.0), (3, 9, 1.0), (4, 18, 0.0)]}  # fmt: skip
    found = judged(table(**runs), 0.5)
    assert (found.leaders, found.rival, found.times) == (("a",), "gd", None)
    del runs["gd"]
    found = judged(table(**runs), 0.5)
    assert (found.leaders, found.rival, found.times) == (("a",), "b", pytest.approx(3.5 / 1.5))


def test_a_target_that_the_initial_weights_meet_and_one_that_nobody_meets_have_no_leader():
    history = table(gd=[(0, 0, 2.0), (5, 9, 1.0)], sgd=[(0, 0, 2.0), (1, 9, 1.0)])
    for target, outcome in [(5.0, "at the start"), (2.0, "at the start"), (0.5, "nobody")]:
        found = judged(history, target)
        assert (found.outcome, found.leaders, found.times) == (outcome, (), None)


def test_steps_are_too_long_where_a_loss_diverged_or_ended_no_lower_than_it_began():
    wild = rows_of("wild", [(0, 0, 2.0), (1, 9, math.inf)], diverged_at=5)
    history = pd.concat([table(calm=[(0, 0, 2.0), (1, 9, 1.9)], grew=[(0, 0, 2.0), (1, 9, 40.0)]), to_frame(wild)])
    found = judged(history, 0.1, stable_below=0.25)
    assert (found.outcome, found.diverged, found.grew, found.stable_below) == (
        "nobody",
        (("wild", 5),),
        ("grew",),
        0.25,
    )
    assert judged(table(calm=[(0, 0, 2.0), (1, 9, 1.9)]), 0.1, stable_below=0.25).stable_below is None


def test_what_was_stopped_is_no_result_of_the_whole_race():
    runs = {"gd": [(0, 0, 2.0), (1, 20, 1.0)], "sgd": [(0, 0, 2.0), (1, 99, 0.0)]}
    assert judged(table(**runs), 0.5, seconds=1.0).stopped_at is None
    found = judged(table(**runs), 0.5, seconds=5.0)
    assert (found.outcome, found.stopped_at, found.leaders) == ("first", 1.0, ("sgd",))
    wild = to_frame(rows_of("sgd", [(0, 0, 2.0), (1, 9, math.inf)], diverged_at=5))
    assert judged(wild, 0.5, seconds=5.0).stopped_at is None  # it has nothing left to do


def test_a_race_that_all_have_finished_ended_at_the_target_and_was_not_stopped():
    runs = {"gd": [(0, 0, 2.0), (1, 20, 0.0)], "sgd": [(0, 0, 2.0), (1.1, 99, 0.0)]}
    found = judged(table(**runs), 0.5, seconds=5.0, until="target")
    assert (found.ended_at, found.stopped_at, found.outcome) == (1.1, None, "tie")
    assert judged(table(**runs), 0.5, seconds=5.0).stopped_at == 1.1  # a race to the limit was stopped there
    assert judged(table(**runs), 0.5, seconds=1.0, until="target").ended_at is None  # at its limit anyway
    runs["gd"] = [(0, 0, 2.0), (1, 20, 1.0)]
    found = judged(table(**runs), 0.5, seconds=5.0, until="target")
    assert (found.ended_at, found.stopped_at) == (None, 1.1)
    wild = rows_of("wild", [(0, 0, 2.0), (0.1, 9, math.inf)], diverged_at=5)
    history = to_frame([*rows_of("sgd", runs["sgd"]), *wild])
    assert judged(history, 0.5, seconds=5.0, until="target").ended_at == 1.1  # who diverged is not waited for


def test_a_contestant_that_had_trained_for_less_time_when_the_race_was_stopped_leaves_it_open():
    runs = {"sgd": [(0, 0, 2.0), (1, 99, 0.0)], "gd": [(0, 0, 2.0), (0.5, 20, 1.0)]}
    found = judged(table(**runs), 0.5, seconds=5.0)
    assert (found.outcome, found.behind, found.answer) == ("open", ("gd",), None)
    found = judged(table(sgd=runs["sgd"]), 0.5, seconds=5.0, names=["sgd", "gd"])  # the other was not even compiled
    assert (found.outcome, found.behind) == ("open", ("gd",))


def test_before_the_first_update_there_is_nothing_to_judge():
    for history in (to_frame([]), table(gd=[(0, 0, 2.0)])):
        assert judged(history, 0.5, seconds=5.0, names=["gd", "sgd"]).outcome == "untrained"


def test_one_contestant_is_first_of_nobody():
    found = judged(table(sgd=[(0, 0, 2.0), (1, 99, 0.0)]), 0.5)
    assert (found.outcome, found.answer, found.rival, found.unseen) == ("alone", None, None, None)


def test_without_a_target_the_lowest_loss_at_the_end_is_the_answer():
    found = judged(table(gd=[(0, 0, 2.0), (1, 9, 0.5)], sgd=[(0, 0, 2.0), (1, 9, 0.4)]), None)
    assert (found.outcome, found.lowest, found.answer) == ("no target", ("sgd", 0.4), "sgd")
    found = judged(table(gd=[(0, 0, 2.0), (1, 9, 0.4)], sgd=[(0, 0, 2.0), (1, 9, 0.4)]), None)
    assert (found.lowest, found.answer) == (None, None)


def test_who_is_first_on_each_axis_is_counted_for_the_target():
    history = table(
        gd=[(0, 0, 2.0), (2, 20, 1.0), (4, 40, 0.0)],  # to 0.5: 3 s, 30 updates of 1,437 samples
        sgd=[(0, 0, 2.0), (1, 99, 1.0), (1.5, 150, 0.0), (4, 400, 0.0)],  # 1.25 s, 124.5 updates of 32 samples
    )
    plan = RacePlan(problem="digits", configs={name: TrainConfig() for name in ("gd", "sgd")}, target=0.5)
    found = work(plan, history)
    assert found.first == {"seconds": ("sgd",), "updates": ("gd",), "epochs": ("sgd",), "examples": ("sgd",)}
    assert (found.fewest_updates, found.most_samples) == (("gd", 40), ("gd", 40 * 1437))
    assert work(plan, history[history["run"] == "gd"]) is None
    assert work(replace(plan, target=5.0), history).first == {}
    alone = table(gd=[(0, 0, 2.0), (4, 40, 1.0)], sgd=[(0, 0, 2.0), (4, 400, 0.0)])
    assert work(plan, alone).first == {}


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
    found = unseen(after(a=348 / 360, b=350 / 360, c=351 / 360), num_test=360, first=first)
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
    found = unseen(after(a=correct / num_test, b=other / num_test), num_test=num_test, first="a")
    assert (found.num_apart, found.is_clear) == (abs(correct - other), is_clear)
    wrong, other_wrong = num_test - correct, num_test - other
    tosses = wrong + other_wrong
    tail = sum(math.comb(tosses, heads) for heads in range(min(wrong, other_wrong) + 1)) / 2**tosses
    assert is_clear == (2 * tail < 0.05)


def test_diverged_contestants_are_not_compared_on_unseen_samples():
    wild = to_frame(rows_of("wild", [(0, 0, 2.0), (1, 9, math.inf)], accuracies=[0.1, 0.1], diverged_at=5))
    assert unseen(pd.concat([after(a=0.9), wild]), num_test=360) is None
    found = unseen(table(gd=[(0, 0, 2.0), (1, 9, 0.5)], sgd=[(0, 0, 2.0), (1, 9, 0.4)]), num_test=360)
    assert (found.one, found.one_value, found.num_apart, found.is_clear) == ("sgd", 0.4, None, None)


def test_the_largest_stable_rate_is_two_over_the_largest_eigenvalue(make_problem):
    problem = make_problem["regression"](50, num_features=1)
    linear = ModelConfig(kind="linear", widths=())
    # Of 2/N Σ (x, 1)(x, 1)ᵀ, a matrix of two rows: half its trace, and the root of what its determinant leaves.
    x = problem.x_train[:, 0].astype(float)
    mean, square = x.mean(), np.mean(x**2)
    half = 1 + square
    largest = half + math.sqrt(half**2 - 4 * (square - mean**2))
    assert stability.largest_stable_rate(problem, linear) == pytest.approx(2 / largest, rel=1e-5)
    assert stability.largest_stable_rate(problem, ModelConfig()) is None
    assert stability.largest_stable_rate(make_problem["classification"](50), linear) is None


FACTORS = st.sampled_from([0.5, 0.7, 0.2, 0.9, 1.0, 1.3, 30.0, 0.0, math.nan, math.inf])
STEPS = st.lists(
    st.tuples(st.sampled_from([0.3, 1.0, 0.001, 0.00001]), st.integers(1, 60), FACTORS, st.integers(0, NUM_TEST)),
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


# What no sentence may hold: no number, no time, one of several, an exponent.
FORBIDDEN = re.compile(
    r"\bnan\b|–|∞|\binf\b|None|(?<![\d.,])0 (times|s\b)|(?<![\d.,])0(초|배)|(?<![\d.,])1(배| times| updates)|e[+-]\d"
)


@settings(max_examples=100)
@given(
    history=races(),
    target=st.sampled_from([0.5, 0.9, 0.3, 0.0, 2.9, None]),
    metric=st.sampled_from(["train_loss", "test_accuracy"]),
    seconds=st.sampled_from([0.1, 30.0]),
    late=st.booleans(),
    problem=st.sampled_from(["digits", "line"]),
    spoken=st.sampled_from(LANGUAGES),
    until=st.sampled_from(["limit", "target"]),
)
def test_whatever_a_race_gives_the_words_are_those_of_its_numbers(
    history, target, metric, seconds, late, problem, spoken, until
):
    if problem == "line" or target is None:
        metric = "train_loss"
        history = history if problem == "digits" else history.assign(test_accuracy=math.nan)
    target = min(target, 1.0) if metric == "test_accuracy" else target
    names = [*history["run"].unique(), *(["k = 2"] if late else [])]
    found = judged(history, target, seconds=seconds, names=names, problem=problem, metric=metric, stable_below=0.25,
                   until=until)  # fmt: skip
    plan = RacePlan(
        problem=problem,
        configs={name: TrainConfig() for name in names},
        seconds=seconds,
        target=target,
        target_metric=metric,
        until=until,
    )
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(wording, "_", language.catalogue(spoken).gettext)
        said, order = wording.verdict(found, plan), wording.work(work(plan, history))
    for sentence in (said, order):
        assert not FORBIDDEN.search(sentence), sentence
    check_order(found, history)
    # The names of those that are compared stand in the sentence, in their order; a race without a first names none so.
    if found.outcome == "first":
        assert said.index(found.leaders[0]) < said.index(found.rival or found.leaders[0]) + 1
        times = {digits(found.times, num) for num in (2, 3)} if found.times else set()
        assert set(re.findall(r"([\d.,]+)(?: times as long|배 걸렸)", said)) <= times
        assert bool(re.search("times as long|배 걸렸", said)) == bool(times)
    else:
        assert not re.search("times as long|배 걸렸|No other did|다른 참가자는", said)
    assert (re.search("Stopped at|에서 멈췄", said) is not None) == (
        found.stopped_at is not None and found.outcome != "untrained"
    )
    assert re.search("Allow more seconds|시간을 늘리거나", said) is None or (
        found.outcome == "nobody" and found.stopped_at is None and found.num_too_fast < len(names)
    )
    assert all(name in said for name, _update in found.diverged) or found.outcome == "untrained"


def check_order(found: Verdict, history):
    """The order is that of the seconds, a tie has no winner, and nobody wins what was not raced."""
    assert [at.seconds for at in found.order] == sorted(at.seconds for at in found.order)
    assert {at.name for at in found.order} <= set(history["run"])
    assert (found.outcome == "nobody") <= (not found.order)
    assert (len(found.leaders) > 1) == (found.outcome == "tie")
    assert (found.answer is not None) <= (found.outcome in ("first", "no target"))
    assert found.times is None or (found.outcome == "first" and 1 < found.times < math.inf)
    assert found.num_too_fast <= found.num_contestants
    if found.unseen is not None:
        assert {found.unseen.one, found.unseen.other} <= set(history["run"])
        assert found.unseen.num_test in (NUM_TEST, CATALOGUE["line"].num_test)
