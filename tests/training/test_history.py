"""Tests of the tables: numbers by hand and by NumPy."""

import json
import math
from dataclasses import asdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.training.history import COLUMNS, DTYPES, Row, at_time, divergences, latest, row, time_to_target, to_frame
from sgd_tf.training.records import Progress


def record(
    *,
    run="k = 4",
    batch_size=4,
    num_examples=8,
    update=0,
    seconds=0.0,
    minibatch_loss=(),
    train_loss=1.0,
    test_loss=1.0,
    test_accuracy=None,
    diverged_at=None,
):
    return Progress(
        run=run,
        batch_size=batch_size,
        num_examples=num_examples,
        update=update,
        examples=update * batch_size,
        seconds=seconds,
        minibatch_loss=np.array(minibatch_loss, dtype=np.float32),
        train_loss=train_loss,
        test_loss=test_loss,
        test_accuracy=test_accuracy,
        diverged_at=diverged_at,
    )


def test_row_thins_the_minibatch_losses_to_their_mean_and_a_band_about_the_training_loss():
    # Eleven losses, an epoch of N/k = 11 minibatches, about their mean of 5: percentile p of the quotients is p / 50.
    losses = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]
    values = row(record(update=11, num_examples=44, minibatch_loss=losses, train_loss=3.0))
    assert values.minibatch_loss == 5.0
    assert values.minibatch_loss_low == pytest.approx(3.0 * 0.2)
    assert values.minibatch_loss_high == pytest.approx(3.0 * 1.8)


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=50).filter(any), st.floats(0, 10))
def test_within_one_epoch_the_band_has_the_percentiles_of_numpy_over_the_mean(losses, train_loss):
    values = row(record(update=1, num_examples=400, minibatch_loss=losses, train_loss=train_loss))
    exact = np.array(losses, dtype=np.float32).astype(np.float64)
    expected = train_loss * np.percentile(exact, [10, 90]) / exact.mean() if exact.any() else [train_loss] * 2
    assert [values.minibatch_loss_low, values.minibatch_loss_high] == pytest.approx(expected, rel=1e-9)


def test_a_loss_that_falls_fast_does_not_widen_the_band():
    # Each minibatch of an epoch of two has half or one and a half times the loss, which falls by 1 % with each epoch.
    epochs = 0.99 ** np.arange(200)
    losses = np.stack([0.5 * epochs, 1.5 * epochs], axis=1).ravel()
    values = row(record(update=400, minibatch_loss=losses, train_loss=0.134))
    assert values.minibatch_loss_low == pytest.approx(0.5 * 0.134, rel=0.02)
    assert values.minibatch_loss_high == pytest.approx(1.5 * 0.134, rel=0.02)


@given(st.lists(st.floats(0, 2.0**100, width=32), min_size=1, max_size=30), st.floats(0, 1e30))
def test_the_band_of_gradient_descent_is_its_training_loss(losses, train_loss):
    values = row(record(batch_size=8, update=30, minibatch_loss=losses, train_loss=train_loss))
    assert [values.minibatch_loss_low, values.minibatch_loss_high] == [train_loss, train_loss]


def test_row_before_the_first_update_has_no_minibatch_loss():
    values = row(record(update=0))
    assert [getattr(values, name) for name in COLUMNS if name.startswith("minibatch")] == [None, None, None]


def test_row_holds_plain_values_that_json_can_write():
    given_numpy = record(batch_size=np.int64(8), update=np.int64(2), seconds=np.float32(0.5), diverged_at=np.int64(2))
    values = asdict(row(given_numpy))
    assert tuple(values) == COLUMNS
    assert {type(value) for value in values.values()} <= {str, bool, int, float, type(None)}
    assert json.loads(json.dumps(values)) == values


@pytest.mark.parametrize(("batch_size", "full_batch"), [(8, True), (7, False)], ids=["k = N", "k = N - 1"])
def test_full_batch_is_k_equal_to_n(batch_size, full_batch):
    assert row(record(batch_size=batch_size, num_examples=8)).full_batch is full_batch


def test_row_keeps_inf_and_nan_without_a_warning():
    values = row(record(update=3, minibatch_loss=[1.0, math.inf, math.nan], train_loss=math.inf, test_loss=math.nan))
    assert values.train_loss == math.inf
    assert math.isnan(values.test_loss)
    assert math.isnan(values.minibatch_loss)
    all_infinite = row(record(update=2, minibatch_loss=[math.inf, math.inf]))
    assert all_infinite.minibatch_loss == math.inf


def test_frame_has_the_documented_columns_and_dtypes_with_and_without_records():
    for records in ([], [record()], [record(test_accuracy=0.5, diverged_at=3)]):
        frame = to_frame(records)
        assert len(frame) == len(records)
        assert frame.dtypes.astype(str).to_dict() == DTYPES


def test_frame_of_records_equals_frame_of_their_rows_after_json():
    records = [record(), record(update=1, minibatch_loss=[2.0], train_loss=math.inf, diverged_at=1)]
    sent = [Row(**json.loads(json.dumps(asdict(row(one))))) for one in records]
    pd.testing.assert_frame_equal(to_frame(records), to_frame(sent))


def test_epoch_is_samples_seen_over_n():
    assert to_frame([record(update=3, batch_size=4, num_examples=8)])["epoch"].tolist() == [1.5]


def run_of(values, **fields):
    """A run whose records lie 2 s, 10 updates, 40 samples and 5 epochs apart."""
    return [
        record(update=10 * index, seconds=2.0 * index, **{"train_loss": value, **fields})
        for index, value in enumerate(values)
    ]


def test_loss_reaches_the_target_between_two_records_by_linear_interpolation():
    reached = time_to_target(to_frame(run_of([4.0, 2.0, 1.0])), 1.25).iloc[0]
    # From 2.0 to 1.0 the target 1.25 lies three quarters of the way along.
    assert reached["reached"]
    assert reached[["seconds", "updates", "epochs", "examples"]].tolist() == [3.5, 17.5, 8.75, 70.0]
    assert pd.isna(reached["diverged_at"])


def test_accuracy_reaches_the_target_from_below():
    records = [
        record(update=10 * index, seconds=2.0 * index, test_accuracy=value)
        for index, value in enumerate([0.25, 0.5, 1.0])
    ]
    reached = time_to_target(to_frame(records), 0.75, metric="test_accuracy").iloc[0]
    assert reached[["seconds", "updates"]].tolist() == [3.0, 15.0]


def test_a_record_on_the_target_is_the_crossing():
    assert time_to_target(to_frame(run_of([4.0, 2.0, 1.0])), 2.0)["seconds"].tolist() == [2.0]


def test_the_first_crossing_counts():
    assert time_to_target(to_frame(run_of([3.0, 1.0, 3.0, 0.0])), 2.0)["seconds"].tolist() == [1.0]


def test_a_run_that_starts_at_the_target_is_there_at_its_first_record():
    reached = time_to_target(to_frame(run_of([0.5, 0.4])), 1.0).iloc[0]
    assert reached["reached"]
    assert reached[["seconds", "updates"]].tolist() == [0.0, 0.0]


def test_a_target_that_is_not_reached_gives_na():
    frame = time_to_target(to_frame(run_of([3.0, 2.0])), 1.0)
    assert frame["reached"].tolist() == [False]
    assert frame[["seconds", "updates", "epochs", "examples"]].isna().all(axis=None)


def test_each_run_has_its_row_and_a_diverged_one_says_so():
    slow = run_of([4.0, 3.0], run="GD", batch_size=8)
    lost = [*run_of([4.0], run="k = 4"), *run_of([math.inf], run="k = 4", diverged_at=7)]
    frame = time_to_target(to_frame([slow[0], lost[0], slow[1], lost[1]]), 3.5)
    assert frame["run"].tolist() == ["GD", "k = 4"]
    assert frame["full_batch"].tolist() == [True, False]
    assert frame["reached"].tolist() == [True, False]
    assert frame["diverged_at"].tolist() == [pd.NA, 7]


def test_minibatch_loss_is_read_from_the_first_record_that_has_one():
    records = [record(), record(update=10, seconds=2.0, minibatch_loss=[3.0]),
               record(update=20, seconds=4.0, minibatch_loss=[1.0])]  # fmt: skip
    assert time_to_target(to_frame(records), 2.0, metric="minibatch_loss")["seconds"].tolist() == [3.0]


def test_time_to_target_of_nothing_is_empty_with_all_columns():
    frame = time_to_target(to_frame([]), 1.0)
    assert frame.empty
    assert frame.dtypes.astype(str).to_dict() == time_to_target(to_frame(run_of([1.0])), 1).dtypes.astype(str).to_dict()


@pytest.mark.parametrize(
    ("target", "metric", "message"),
    [
        (math.nan, "train_loss", "`target` must be a finite number; received nan"),
        (1.0, "epoch", "`metric` must be one of train_loss, test_loss, .*; received 'epoch'"),
    ],
)
def test_time_to_target_refuses_what_is_out_of_range(target, metric, message):
    with pytest.raises(ValueError, match=message):
        time_to_target(to_frame([]), target, metric=metric)


@given(st.lists(st.floats(0, 10), max_size=20).map(sorted), st.floats(0, 10), st.integers(1, 3))
def test_at_time_is_the_prefix_of_each_run(times, seconds, num_runs):
    frame = to_frame(
        record(run=f"run {run}", update=index, seconds=time)
        for index, time in enumerate(times)
        for run in range(num_runs)
    )
    known = at_time(frame, seconds)
    for run, records in frame.groupby("run"):
        of_run = known[known["run"] == run]
        pd.testing.assert_frame_equal(of_run, records.head(len(of_run)))
        assert len(of_run) == sum(time <= seconds for time in times)


def test_latest_is_the_last_record_of_each_run_with_its_speed():
    a = [record(run="a", update=0), record(run="a", update=30, seconds=2.0)]
    b = [record(run="b", update=0)]
    frame = latest(to_frame([a[0], b[0], a[1]]))
    assert frame["run"].tolist() == ["a", "b"]
    assert frame["update"].tolist() == [30, 0]
    assert frame["updates_per_second"].tolist()[0] == 15.0
    assert frame["examples_per_second"].tolist()[0] == 60.0
    assert frame[["updates_per_second", "examples_per_second"]].iloc[1].isna().all()
    assert frame.dtypes.astype(str)[list(COLUMNS)].to_dict() == DTYPES


@pytest.mark.parametrize("counter", ["seconds", "update", "epoch", "examples"])
def test_a_divergence_lies_between_its_records_at_the_update_that_it_names(counter):
    records = [*run_of([4.0, 9.0]), record(update=30, seconds=8.0, train_loss=math.inf, diverged_at=15)]
    lost = divergences(to_frame([*run_of([1.0, 0.5], run="calm"), *records]))
    assert lost["run"].tolist() == ["k = 4"]
    # Update 15 lies a quarter of the way from update 10, at 2 s, to update 30, at 8 s; k/N = 1/2.
    assert lost[counter].item() == {"seconds": 3.5, "update": 15, "epoch": 7.5, "examples": 60}[counter]


def test_a_run_that_diverges_at_its_first_record_or_at_update_0_has_a_place():
    only = to_frame([record(update=0, train_loss=math.nan, diverged_at=0)])
    assert divergences(only).iloc[0].tolist() == ["k = 4", 0.0, 0.0, 0.0, 0.0]
    assert divergences(to_frame(run_of([1.0]))).empty


HISTORIES = st.lists(
    st.tuples(st.integers(0, 50), st.floats(0, 1, width=32), st.floats(0, 10) | st.just(math.nan)), min_size=1
)


def any_run(name, steps):
    """A run with records so many updates and seconds apart."""
    made, spent = 0, 0.0
    for updates, seconds, loss in [(0, 0.0, steps[0][2]), *steps]:
        made, spent = made + updates, spent + seconds
        yield record(run=name, update=made, seconds=spent, train_loss=loss, test_accuracy=loss / 10)


@given(HISTORIES, st.floats(0, 10))
def test_a_crossing_lies_within_its_bounds_in_seconds_and_updates_together(steps, target):
    table = to_frame(any_run("a", steps))
    for metric, goal in (("train_loss", target), ("test_accuracy", target / 10)):
        there = time_to_target(table, goal, metric=metric).iloc[0]
        met = table[metric] <= goal if metric == "train_loss" else table[metric] >= goal
        assert there["reached"] == met.any()
        if not there["reached"]:
            assert there[["seconds", "updates", "seconds_from", "seconds_to"]].isna().all()
            continue
        after = table[met].iloc[0]
        before = table[table[metric].notna()].loc[: after.name].tail(2).iloc[0]
        assert (there["seconds_from"], there["seconds_to"]) == (before["seconds"], after["seconds"])
        assert before["seconds"] <= there["seconds"] <= after["seconds"]
        assert before["update"] <= there["updates"] <= after["update"]
        if after["update"] > before["update"] and after["seconds"] > before["seconds"]:
            shares = [
                (there[name] - before[column]) / (after[column] - before[column])
                for name, column in (("seconds", "seconds"), ("updates", "update"), ("examples", "examples"))
            ]
            assert shares == pytest.approx([shares[1]] * 3, abs=1e-3)
