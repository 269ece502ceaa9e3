"""Tests of the schedule of records."""

from types import SimpleNamespace

import pytest

from sgd_tf.training import schedule


def simulated(budget, *, evaluation_seconds, seconds_per_update):
    """Seconds and updates of all records of a run at constant speed."""
    run = SimpleNamespace(seconds=0.0, update=0, evaluation_seconds=evaluation_seconds)
    moments = []
    while run.seconds < budget:
        update, second = schedule.next_record(run, budget)
        until_second = max(1, -(-(second - run.seconds) // seconds_per_update))
        run.update += int(min(update - run.update, until_second))
        run.seconds = run.update * seconds_per_update
        moments.append((run.seconds, run.update))
    return moments


@pytest.mark.parametrize("seconds_per_update", [1e-5, 1e-3])
@pytest.mark.parametrize("evaluation_seconds", [1e-6, 0.003, 0.02, 0.1])
def test_records_are_dense_at_first_and_cost_a_fifth_of_the_budget_or_at_most_twenty_evaluations(
    evaluation_seconds, seconds_per_update
):
    budget = 5.0
    moments = simulated(budget, evaluation_seconds=evaluation_seconds, seconds_per_update=seconds_per_update)
    assert moments[-1][0] == pytest.approx(budget, abs=2 * seconds_per_update)
    assert sum(second < budget / 10 for second, _ in moments) >= 7  # the beginning is seen
    assert len(moments) * evaluation_seconds <= max(budget / 5, 20 * evaluation_seconds)
    assert len(moments) <= 100


def test_a_fast_run_is_recorded_after_1_4_16_updates_of_its_first_gap():
    moments = simulated(5.0, evaluation_seconds=0.001, seconds_per_update=1e-5)
    assert [update for _, update in moments[:6]] == [1, 4, 16, 64, 256, 1000]  # the first gap is 10 ms
    costly = simulated(5.0, evaluation_seconds=0.1, seconds_per_update=1e-5)
    assert costly[0][1] == 1000
