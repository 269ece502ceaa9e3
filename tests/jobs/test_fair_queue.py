"""Claims about the waiting line: learners take turns, however many tabs, browsers or addresses they have."""

from collections import Counter
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.jobs import Learner
from sgd_tf.jobs.fair_queue import MAX_IN_A_ROW, Durations, FairQueue, seconds_until_free


@dataclass(eq=False)
class Waiting:
    learner: Learner
    attempt: int = 0


def line(*learners):
    queue = FairQueue()
    jobs = [Waiting(learner) for learner in learners]
    for job in jobs:
        queue.add(job)
    return queue, jobs


def tabs(browser, num, address=""):
    return [Learner(tab=f"{browser}{i}", browser=browser, address=address) for i in range(num)]


def take_all(queue):
    return [queue.take(()) for _ in range(len(queue))]


# Lines of up to four browsers at two addresses, in any order of submitting.
lines = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["here", "there"])), max_size=25).map(
    lambda pairs: [
        Learner(tab=f"{browser} {at} {i}", browser=browser + at, address=at) for i, (browser, at) in enumerate(pairs)
    ]
)


def test_twelve_tabs_of_one_browser_hold_up_another_learner_for_one_turn():
    queue, jobs = line(*tabs("kim", 12), *tabs("lee", 1))
    assert queue.order(()).index(jobs[-1]) == 1
    assert take_all(queue)[:3] == [jobs[0], jobs[-1], jobs[1]]


def test_a_running_tab_counts_as_a_turn_of_its_browser():
    queue, jobs = line(*tabs("kim", 3))
    assert queue.take(()) is jobs[0]
    queue.add(lee := Waiting(Learner.of("lee")))
    assert queue.order(["kim0"]) == [lee, jobs[1], jobs[2]]


def test_tabs_of_one_browser_run_beside_each_other_where_nobody_else_waits():
    queue, jobs = line(*tabs("kim", 2))
    assert queue.take(()) is jobs[0]
    assert queue.take(["kim0"]) is jobs[1]


def test_a_tab_waits_for_its_own_job_though_others_may_start():
    queue, jobs = line(*tabs("kim", 1), *tabs("kim", 2)[1:])
    assert queue.order(["kim0"]) == [jobs[1], jobs[0]]
    assert queue.take(["kim0"]) is jobs[1]
    assert queue.take(["kim0", "kim1"]) is None


def test_twelve_browsers_at_one_address_hold_up_another_address_for_three_turns():
    queue, jobs = line(*(Learner(tab=f"{i}", browser=f"{i}", address="kim") for i in range(12)), *tabs("lee", 1, "lee"))
    assert queue.order(()).index(jobs[-1]) == 3
    assert take_all(queue)[:5] == [jobs[0], jobs[1], jobs[2], jobs[-1], jobs[3]]


def test_a_class_behind_one_address_has_three_turns_of_four_however_many_others_there_are():
    a_class = [Learner(tab=f"class {i}", browser=f"class {i}", address="school") for i in range(30)]
    others = [Learner(tab=f"other {i}", browser=f"other {i}", address=f"home {i}") for i in range(30)]
    queue, _jobs = line(*a_class, *others)
    taken = [job.learner.address == "school" for job in take_all(queue)]
    assert all(sum(taken[start : start + 4]) == 3 for start in range(0, 40, 4))
    alone, jobs = line(*a_class)
    assert take_all(alone) == jobs


def test_a_job_whose_worker_died_comes_first_and_has_had_its_turn():
    queue, jobs = line(*tabs("kim", 1), *tabs("lee", 2))
    queue.add(again := Waiting(Learner.of("park"), attempt=1))
    assert take_all(queue) == [again, *jobs]


@given(lines)
def test_the_places_that_are_shown_are_those_that_come(learners):
    queue, jobs = line(*learners)
    order = queue.order(())
    assert sorted(map(id, order)) == sorted(map(id, jobs))
    assert take_all(queue) == order


@given(lines)
def test_no_browser_has_two_turns_more_than_another_that_waits(learners):
    queue, jobs = line(*learners)
    waits = Counter(job.learner.browser for job in jobs)
    had = Counter()
    for job in take_all(queue):
        had[job.learner.browser] += 1
        assert all(had[job.learner.browser] <= had[other] + 1 for other in waits if had[other] < waits[other])


@given(lines)
def test_no_address_has_more_turns_in_a_row_than_allowed_while_another_waits_in_the_same_round(learners):
    queue, _jobs = line(*learners)
    order = take_all(queue)
    had, rounds = Counter(), []
    for job in order:
        rounds.append(had[job.learner.browser])
        had[job.learner.browser] += 1
    for start in range(len(order) - MAX_IN_A_ROW):
        addresses = {job.learner.address for job in order[start : start + MAX_IN_A_ROW + 1]}
        last = start + MAX_IN_A_ROW
        if len(addresses) == 1:
            waiting = zip(order[last:], rounds[last:], strict=True)
            assert all(job.learner.address in addresses for job, round_ in waiting if round_ == rounds[last])


@pytest.mark.parametrize(
    ("running", "ahead", "num_workers", "seconds"),
    [
        ([], [], 1, 0.0),
        ([7.0], [], 1, 7.0),
        ([7.0], [15.0, 15.0], 1, 37.0),
        ([7.0], [], 2, 0.0),  # the other worker is idle
        ([7.0, 3.0], [15.0], 2, 7.0),  # the one ahead starts at 3
        ([7.0, 3.0], [2.0, 9.0], 2, 7.0),  # at 3 and at 5
    ],
)
def test_the_time_until_a_worker_is_free(running, ahead, num_workers, seconds):
    assert seconds_until_free(running, ahead, num_workers) == seconds


def test_a_duration_is_what_was_planned_until_one_of_its_kind_has_ended():
    durations = Durations()
    assert durations.expected("race", 15.0) == 15.0
    durations.note("race", 10.0, 12.0)
    assert durations.expected("race", 15.0) == pytest.approx(18.0)
    assert durations.expected("question", 20.0) == 20.0
    durations.note("race", 10.0, 10.0)
    assert durations.expected("race", 10.0) == pytest.approx(0.7 * 12.0 + 0.3 * 10.0)
