"""The ways to write the loop make the same updates, and their measurement gives a row for each turn."""

import contextlib
import io
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf import ModelConfig, TrainConfig, load
from sgd_tf.step_cost import rows, script
from sgd_tf.step_cost.rows import FUNCTIONS, MAX_UPDATES, WAYS, FirstEpoch, StepCostPlan, Timing
from sgd_tf.training.counting import iterations_per_epoch
from sgd_tf.training.source_text import function_source
from tests.lab import standing, travelled

PAGE = "pages/lab/step_cost.py"
LINEAR = ModelConfig(kind="linear")
N, K, EPOCHS = 70, 32, 2


@pytest.fixture(scope="module")
def spirals():
    return load("spirals", num_examples=N)


def trained(way, problem):
    """The model after two epochs in order, by one of the plain ways."""
    import keras
    import tensorflow as tf

    from sgd_tf.step_cost import loops
    from sgd_tf.training import models

    data = tf.data.Dataset.from_tensor_slices((problem.x_train, problem.y_train)).batch(K)
    model = models.build(problem, LINEAR, seed=3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    train = getattr(loops, FUNCTIONS[way])(model, data, keras.optimizers.SGD(learning_rate=0.5), loss)
    assert train(EPOCHS) > 0
    return model


@pytest.fixture(scope="module")
def weights_of_the_lab(spirals):
    from sgd_tf.training.run import Run

    config = TrainConfig(batch_size=K, learning_rate=0.5, sampling="in_order", seed=3)
    with Run(spirals, config, model=LINEAR) as run:
        run.advance(update=EPOCHS * iterations_per_epoch(N, K))
        return run.model.get_weights()


@pytest.mark.parametrize("way", FUNCTIONS)
def test_each_way_makes_the_updates_of_the_lab(spirals, weights_of_the_lab, way):
    # 32, 32 and 6 samples: the last minibatch is smaller
    for one, other in zip(trained(way, spirals).get_weights(), weights_of_the_lab, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_pipeline_draws_each_sample_once_in_an_order_of_its_own():
    from sgd_tf.step_cost import loops

    x = np.arange(50, dtype=np.float32)
    data = loops.minibatches(x, x, 20)
    epochs = [[part.numpy() for part, _ in data] for _ in range(2)]
    assert [len(part) for part in epochs[0]] == [20, 20, 10]
    first, second = map(np.concatenate, epochs)
    assert (np.sort(first) == x).all()
    assert (np.sort(second) == x).all()
    assert (first != second).any()


@pytest.mark.sentences
@pytest.mark.parametrize(("way", "num_calls"), [("fit", 3), ("several_steps", 1)])
def test_the_number_of_calls_is_the_one_that_the_page_states(spirals, monkeypatch, way, num_calls):
    from sgd_tf.step_cost import loops
    from sgd_tf.training import compiled

    standing(PAGE, "notice", "`model.fit` makes one call per update, so ⌈N/k⌉ calls per epoch.")
    standing(PAGE, "notice", "With `steps_per_execution=32` it makes 32 updates per call.")
    standing(PAGE, "notice", f"The lab's loop makes up to {compiled.MAX_BLOCK_UPDATES:,} updates per call.")
    calls = []
    monkeypatch.setattr(
        loops.EpochClock, "on_train_batch_end", lambda _clock, batch, logs=None: calls.append((batch, logs)), False
    )
    trained(way, spirals)
    assert len(calls) == EPOCHS * num_calls  # ⌈70/32⌉ = 3


def test_a_worker_measures_each_way():
    plan = StepCostPlan(problem="spirals", num_examples=N, model=LINEAR, batch_sizes=(K,), num_rounds=1)
    found = travelled(rows.measure_steps, plan)
    assert [(type(row), row.way) for row in found] == [(kind, way) for way in WAYS for kind in (FirstEpoch, Timing)]
    assert all(row.seconds > 0 for row in found)


def test_the_ways_and_the_batch_sizes_take_turns(monkeypatch):
    from sgd_tf.step_cost import measure

    asked = []

    def contestant(way, _problem, _model, batch_size, _stack):
        def train(num_epochs):
            asked.append((way, batch_size, num_epochs))
            return 0.008 * num_epochs if batch_size == 2 else 1.0 * num_epochs

        return measure.Contestant(train=train, share=0.5 if way == "python" else 1.0)

    monkeypatch.setattr(measure, "_contestant", contestant)
    plan = StepCostPlan(problem="spirals", num_examples=N, model=LINEAR, batch_sizes=(2, N), num_rounds=2)
    found = list(measure.measure(plan))
    assert len(found) == plan.num_rows == 2 * 7 * 3
    turns = [(row.round, row.batch_size, row.way) for row in found if isinstance(row, Timing)]
    assert turns == list(itertools.product(range(2), plan.batch_sizes, WAYS))
    # A measurement lasts for 20 ms or more: three epochs of 8 ms. The loop in Python makes half an epoch.
    assert asked[-14:] == [(way, k, epochs) for k, epochs in ((2, 3), (N, 1)) for way in WAYS]
    assert {row.seconds for row in found if isinstance(row, Timing) and row.way == "python"} == {0.016, 2.0}


def test_on_a_machine_that_is_far_too_busy_no_further_round_begins(monkeypatch):
    from sgd_tf.step_cost import measure

    plan = StepCostPlan(problem="spirals", num_examples=N, model=LINEAR, batch_sizes=(N,), num_rounds=5)
    monkeypatch.setattr(measure, "_contestant", lambda *_: measure.Contestant(train=lambda _epochs: 1.0))
    seconds = itertools.count(step=plan.seconds / 14)  # the first round asks the clock 22 times
    found = list(measure.measure(plan, clock=lambda: next(seconds)))
    assert {row.round for row in found if isinstance(row, Timing)} == {0}
    assert len(found) == 14


def test_the_loop_in_python_is_timed_over_32_updates_and_scaled_to_an_epoch(monkeypatch, spirals):
    from sgd_tf.step_cost import loops, measure

    drawn = []

    def loop(_model, data, _optimizer, _loss):
        drawn.append(len(data))
        return lambda num_epochs: 1.0 * num_epochs

    monkeypatch.setattr(loops, "loop_in_python", loop)
    with contextlib.ExitStack() as stack:
        shares = [measure._contestant("python", spirals, LINEAR, k, stack).share for k in (1, N)]
    assert drawn == [32, 1]
    assert shares == [32 / 70, 1]


def test_the_script_measures_the_plain_ways_without_this_package():
    plan = StepCostPlan(problem="spirals", num_examples=64, model=LINEAR, batch_sizes=(64,), num_rounds=1)
    source = script.plain_script(plan)
    assert "sgd_tf" not in source
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(source, "step_cost.py", "exec"), {"__name__": "__main__"})
    lines = out.getvalue().splitlines()
    assert [line.split()[3] for line in lines] == list(FUNCTIONS.values())


def test_the_code_that_is_shown_is_the_code_that_runs():
    for way, name in FUNCTIONS.items():
        assert function_source("step_cost/loops.py", name) in script.source_of(way)
    assert "while i < full_stop:  # iterations" in script.source_of("compiled")
    with pytest.raises(
        ValueError, match=r"`name` must be that of one function in training/loop\.py; received 'nothing'"
    ):
        function_source("training/loop.py", "nothing")


@given(st.integers(10, 20_000))
def test_every_batch_size_that_is_offered_can_be_measured(num_examples):
    sizes = rows.batch_sizes_for(num_examples)
    assert sizes == tuple(sorted(set(sizes)))
    assert sizes[-1] == num_examples
    assert all(iterations_per_epoch(num_examples, k) <= MAX_UPDATES for k in sizes)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_examples": 5}, r"`num_examples` must be an integer in \[10, 1000000\]; received 5"),
        ({"batch_sizes": ()}, r"`batch_sizes` must be 1 to 6 rising numbers; received \(\)"),
        ({"batch_sizes": (64, 8)}, "rising numbers; received"),
        ({"batch_sizes": (1_001,)}, r"`batch_size` must be in \[1, 1000\]"),
        ({"batch_sizes": (1,)}, "at most 800 updates per epoch; received 1, which gives 1000"),
        ({"num_rounds": 0}, "`num_rounds` must be an integer of at least 1; received 0"),
    ],
)
def test_a_plan_out_of_range_is_refused(fields, message):
    plan = {"problem": "spirals", "num_examples": 1_000, "model": LINEAR, "batch_sizes": (10,)} | fields
    with pytest.raises(ValueError, match=message):
        StepCostPlan(**plan)
