"""Tests of the tables: numbers by hand and by NumPy."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.history import COLUMNS, DTYPES, at_time, latest, row, time_to_target, to_frame
from sgd_tf.records import Progress


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


def test_row_thins_the_minibatch_losses_to_mean_and_percentiles():
    losses = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0]  # eleven values: percentile p is p / 10
    values = row(record(update=11, minibatch_loss=losses))
    assert values["minibatch_loss"] == 5.0
    assert values["minibatch_loss_low"] == 1.0
    assert values["minibatch_loss_high"] == 9.0


@given(st.lists(st.floats(0, 1e6, width=32), min_size=1, max_size=50))
def test_percentiles_are_those_of_numpy(losses):
    values = row(record(update=1, minibatch_loss=losses))
    expected = np.percentile(np.array(losses, dtype=np.float64), [10, 90])
    assert [values["minibatch_loss_low"], values["minibatch_loss_high"]] == expected.tolist()


def test_row_before_the_first_update_has_no_minibatch_loss():
    values = row(record(update=0))
    assert [values[name] for name in COLUMNS if name.startswith("minibatch")] == [None, None, None]


def test_row_holds_plain_values_that_json_can_write():
    given_numpy = record(batch_size=np.int64(8), update=np.int64(2), seconds=np.float32(0.5), diverged_at=np.int64(2))
    values = row(given_numpy)
    assert tuple(values) == COLUMNS
    assert {type(value) for value in values.values()} <= {str, bool, int, float, type(None)}
    assert json.loads(json.dumps(values)) == values


@pytest.mark.parametrize(("batch_size", "full_batch"), [(8, True), (7, False)], ids=["k = N", "k = N - 1"])
def test_full_batch_is_k_equal_to_n(batch_size, full_batch):
    assert row(record(batch_size=batch_size, num_examples=8))["full_batch"] is full_batch


def test_row_keeps_inf_and_nan_without_a_warning():
    values = row(record(update=3, minibatch_loss=[1.0, math.inf, math.nan], train_loss=math.inf, test_loss=math.nan))
    assert values["train_loss"] == math.inf
    assert math.isnan(values["test_loss"])
    assert math.isnan(values["minibatch_loss"])
    all_infinite = row(record(update=2, minibatch_loss=[math.inf, math.inf]))
    assert all_infinite["minibatch_loss"] == math.inf


def test_frame_has_the_documented_columns_and_dtypes_with_and_without_records():
    for records in ([], [record()], [record(test_accuracy=0.5, diverged_at=3)]):
        frame = to_frame(records)
        assert len(frame) == len(records)
        assert frame.dtypes.astype(str).to_dict() == DTYPES


def test_frame_of_records_equals_frame_of_their_rows_after_json():
    records = [record(), record(update=1, minibatch_loss=[2.0], train_loss=math.inf, diverged_at=1)]
    sent = json.loads(json.dumps([row(one) for one in records]))
    pd.testing.assert_frame_equal(to_frame(records), to_frame(sent))


def test_frame_names_the_columns_that_a_mapping_lacks():
    values = row(record())
    del values["epoch"], values["seconds"]
    with pytest.raises(ValueError, match=r"`records\[1\]` .* it lacks epoch, seconds\."):
        to_frame([record(), values])


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
