"""One permutation per epoch and `Dataset.shuffle(N)`: the same law; times are judged by each repetition."""

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from sgd_tf.recordings import recorded
from sgd_tf.sampling import shufflers, shufflers_view, verdict
from sgd_tf.sampling.rows import ShuffledEpochs, ShufflersPlan, ShuffleTime, compare_shufflers
from sgd_tf.training.records import SHUFFLERS
from tests.lab import checked, open_app, sentences

PLAN = ShufflersPlan(seed=0)
MIN_P = 0.001


@pytest.fixture(scope="module", params=SHUFFLERS)
def orders(request):
    return shufflers.epoch_orders(12, 600, shuffler=request.param, seed=1)


def test_each_epoch_is_a_permutation(orders):
    assert (np.sort(orders, axis=1) == np.arange(12)).all()


def test_positions_are_uniform(orders):
    assert shufflers.uniformity(orders) > MIN_P


def test_epochs_are_independent(orders):
    assert shufflers.uniformity(shufflers.from_epoch_to_epoch(orders)) > MIN_P


def test_the_test_of_the_law_sees_an_order_that_is_kept_and_a_sample_that_prefers_the_front():
    rng = np.random.default_rng(0)
    free = np.stack([rng.permutation(12) for _ in range(600)])
    assert shufflers.uniformity(free) > MIN_P
    kept = np.repeat(free[:300], 2, axis=0)  # each order twice: uniform, but not independent
    assert shufflers.uniformity(shufflers.from_epoch_to_epoch(kept)) < 1e-9
    front = np.array([[0, *row[row != 0]] if i % 4 == 0 else row for i, row in enumerate(free)])
    assert shufflers.uniformity(front) < 1e-9


def test_the_p_values_of_random_permutations_are_uniform_themselves():
    rng = np.random.default_rng(0)
    p = [shufflers.uniformity(np.stack([rng.permutation(6) for _ in range(200)])) for _ in range(400)]
    assert np.mean(np.array(p) < 0.1) == pytest.approx(0.1, abs=0.05)  # standard error: 0.015
    assert np.mean(p) == pytest.approx(0.5, abs=0.05)  # standard error: 0.0144


def times(ratios, size=60_000):
    rows = [
        {"shuffler": name, "num_examples": size, "repetition": i, "seconds": 0.01 * (ratio if name == "dataset" else 1)}
        for i, ratio in enumerate(ratios)
        for name in SHUFFLERS
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("ratios", "answer"),
    [([4, 5, 6], "permutation"), ([0.5, 0.6], "dataset"), ([1.1, 0.9], "same"), ([0.9, 3.0], None)],
)
def test_the_faster_one_is_faster_in_each_repetition(ratios, answer):
    says = verdict.shufflers(PLAN, times(ratios))
    assert says.answer == answer
    assert sentences(lambda: shufflers_view.wording.shufflers(says))


def test_a_run_that_is_stopped_before_the_largest_n_gives_no_answer():
    says = verdict.shufflers(PLAN, times([4, 5], size=1_437))
    assert isinstance(says, verdict.Unfinished)
    assert sentences(lambda: shufflers_view.wording.shufflers(says))


def test_the_recorded_run_has_both_laws_and_all_times():
    rows = recorded(compare_shufflers)().rows
    tf.random.set_seed(None)  # another test may have seeded the process, which `Dataset.shuffle` mixes in
    for row in (row for row in rows if isinstance(row, ShuffledEpochs)):
        assert row.are_permutations
        assert min(row.positions, row.independence) > MIN_P
        assert row.orders == shufflers.epoch_orders(24, len(row.orders), shuffler=row.shuffler, seed=0).tolist()
    assert sum(isinstance(row, ShuffleTime) for row in rows) == PLAN.num_rows - 2


def test_the_page_shows_both_side_by_side_before_a_run_and_judges_one(cluster):
    app = open_app("en", page="pages/learn/sampling.py", sampling_part="shufflers")
    assert not cluster.jobs
    assert list(app.table[0].value.index) == ["One permutation per epoch", "Dataset.shuffle(N)"]
    assert list(app.table[1].value.index) == ["N = 1,437", "N = 10,000", "N = 60,000"]
    app.pills(key="sampling_shufflers_guess").set_value("dataset").run()
    app.button(key="sampling_shufflers_run").click().run()
    (job,) = cluster.jobs
    assert job.arguments == (PLAN,)
    job.rows = [
        ShuffleTime(shuffler=name, num_examples=60_000, repetition=0, seconds=seconds)
        for name, seconds in (("permutation", 0.005), ("dataset", 0.03))
    ]
    job.status = "done"
    assert checked(app.run()).warning[0].value.startswith("**Not so: you expected")


def test_the_code_of_the_page_prints_both_laws(capsys):
    exec(shufflers_view.code(ShufflersPlan(seed=0, num_examples=6, num_epochs=100)), {})
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(SHUFFLERS)
    assert all(float(p) > MIN_P for line in lines for p in line.split()[1:])
