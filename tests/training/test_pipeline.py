"""The order of the samples: permutations, epochs, last minibatches, and the five ways to draw."""

import itertools
import math

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sgd_tf.training import counting, pipeline
from sgd_tf.training.records import SAMPLINGS, SHUFFLERS, ModelConfig, TrainConfig

sizes = st.integers(1, 60).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n)))
few = settings(max_examples=25)


def epoch(dataset):
    return [minibatch.numpy() for minibatch in dataset]


@pytest.mark.parametrize("shuffler", SHUFFLERS)
@few
@given(size=sizes, seed=st.integers(0, 2**31 - 1))
def test_each_epoch_draws_every_sample_once_for_every_n_and_k(shuffler, size, seed):
    N, k = size
    dataset = pipeline.order(N, k, seed=seed, shuffler=shuffler)
    for _ in range(2):
        minibatches = epoch(dataset)
        assert sorted(np.concatenate(minibatches)) == list(range(N))
        assert [len(m) for m in minibatches] == [k] * (N // k) + [N % k] * (N % k > 0)


@few
@given(sizes, st.integers(1, 5))
def test_updates_counted_by_the_formula_are_the_minibatches_that_the_pipeline_yields(size, num_epochs):
    N, k = size
    dataset = pipeline.order(N, k)
    assert len(dataset) == len(epoch(dataset)) == counting.iterations_per_epoch(N, k) == math.ceil(N / k)
    assert sum(1 for _ in dataset.repeat(num_epochs)) == counting.num_updates(N, k, num_epochs)


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_nothing_is_tuned_while_it_runs(classification, sampling):
    # The thread that tunes would hold up the end of an epoch.
    for dataset in (
        pipeline.order(70, 8, sampling=sampling),
        pipeline.minibatches(classification, 8, sampling=sampling),
        pipeline.blocks(classification, 8, 3, sampling=sampling),
    ):
        assert dataset.options().autotune.enabled is False


def test_nothing_is_tuned_while_dataset_shuffle_draws(classification):
    for dataset in (
        pipeline.order(70, 8, shuffler="dataset"),
        pipeline.minibatches(classification, 8, shuffler="dataset"),
        pipeline.blocks(classification, 8, 3, shuffler="dataset"),
    ):
        assert dataset.options().autotune.enabled is False


def test_california_housing_by_256_makes_81_iterations_of_which_the_last_has_160_samples():
    minibatches = epoch(pipeline.order(20_640, 256))
    assert len(minibatches) == counting.iterations_per_epoch(20_640, 256) == 81
    assert len(minibatches[-1]) == 160
    assert counting.num_updates(20_640, 256, 4_000) == 324_000


def test_all_is_one_minibatch_of_all_samples():
    (minibatch,) = epoch(pipeline.order(7, "all"))
    assert sorted(minibatch) == list(range(7))


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_the_same_seed_gives_the_same_epochs_whatever_the_process_does(sampling):
    def epochs(seed):
        dataset = pipeline.order(50, 8, sampling=sampling, seed=seed, buffer_size=10)
        return [np.concatenate(epoch(dataset)).tolist() for _ in range(3)]

    first = epochs(3)
    np.random.seed(1)  # noqa: NPY002
    tf.random.uniform([5])
    assert epochs(3) == first
    if sampling != "in_order":
        assert epochs(4) != first


def test_reshuffled_orders_do_not_depend_on_the_seed_of_the_process():
    def orders():
        dataset = pipeline.order(50, 8, seed=3)
        return [np.concatenate(epoch(dataset)).tolist() for _ in range(2)]

    try:
        tf.random.set_seed(1)
        first = orders()
        tf.random.set_seed(2)
        assert orders() == first
    finally:
        tf.config.experimental.enable_op_determinism  # noqa: B018
        from tensorflow.python.eager import context

        context.context()._set_global_seed(None)


def test_two_epochs_have_different_orders_only_if_reshuffled():
    changes = {}
    for sampling in SAMPLINGS:
        dataset = pipeline.order(50, 8, sampling=sampling, buffer_size=10)
        first, second = (np.concatenate(epoch(dataset)).tolist() for _ in range(2))
        changes[sampling] = first != second
    assert changes == {
        "reshuffle": True,
        "shuffle_once": False,
        "in_order": False,
        "with_replacement": True,
        "buffer": True,
    }


def test_in_order_counts_up():
    assert np.concatenate(epoch(pipeline.order(10, 3, sampling="in_order"))).tolist() == list(range(10))


def test_with_replacement_misses_the_share_1_over_e_of_the_samples():
    N, num_epochs = 2_000, 20
    dataset = pipeline.order(N, 100, sampling="with_replacement", seed=1)
    missed = [1 - len(set(np.concatenate(epoch(dataset)))) / N for _ in range(num_epochs)]
    expected = (1 - 1 / N) ** N  # each of N draws leaves out a sample with probability 1 - 1/N
    deviation = math.sqrt((math.exp(-1) - 2 * math.exp(-2)) / N / num_epochs)  # of the mean, for large N
    assert abs(np.mean(missed) - expected) < 4 * deviation


def test_a_sample_leaves_the_shuffle_buffer_at_the_earliest_when_it_has_entered():
    N, b = 300, 20
    position = np.argsort(np.concatenate(epoch(pipeline.order(N, 7, sampling="buffer", buffer_size=b))))
    assert sorted(position) == list(range(N))
    # Sample i enters when i - b + 1 others have left, so it can not be drawn before position i - b + 1.
    assert (position >= np.arange(N) - b + 1).all()
    assert (position < np.arange(N) - b + 10).any()  # and the first ones come that early


# The law of "reshuffle", whoever draws


def drawn_epochs(shuffler, num_examples, num_epochs):
    """(num_epochs, N), the samples of each epoch in their order."""
    epochs = pipeline.order(num_examples, "all", seed=7, shuffler=shuffler).repeat(num_epochs)
    return np.stack(list(epochs.as_numpy_iterator()))


@pytest.fixture(scope="module", params=SHUFFLERS)
def epochs_of_four(request):
    return drawn_epochs(request.param, 4, 4_801)


def test_all_permutations_are_equally_likely(epochs_of_four):
    counts = dict.fromkeys(itertools.permutations(range(4)), 0)
    for order in epochs_of_four.tolist():
        counts[tuple(order)] += 1
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3


def test_the_order_of_an_epoch_says_nothing_about_the_next(epochs_of_four):
    orders = {order: number for number, order in enumerate(itertools.permutations(range(4)))}
    numbers = np.array([orders[tuple(order)] for order in epochs_of_four.tolist()])
    pairs = np.zeros((24, 24))
    np.add.at(pairs, (numbers[:-1], numbers[1:]), 1)  # 4,800 pairs, 8.3 expected in each of 576 cells
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


@pytest.mark.parametrize("shuffler", SHUFFLERS)
def test_every_sample_is_at_each_position_equally_often(shuffler):
    N, num_epochs = 20, 2_000
    epochs = drawn_epochs(shuffler, N, num_epochs)
    counts = np.zeros((N, N))
    for order in epochs:
        counts[np.arange(N), order] += 1
    # Rows and columns sum to num_epochs: (N - 1)² degrees of freedom, and the sum of squares is N / (N - 1) too large.
    expected = num_epochs / N
    statistic = ((counts - expected) ** 2 / expected).sum() * (N - 1) / N
    assert 1e-3 < stats.chi2.sf(statistic, (N - 1) ** 2) < 1 - 1e-3


@pytest.mark.parametrize("shuffler", SHUFFLERS)
def test_minibatches_hold_the_samples_that_the_order_names(classification, shuffler):
    indices = epoch(pipeline.order(70, 8, seed=5, shuffler=shuffler))
    pairs = list(pipeline.minibatches(classification, 8, seed=5, shuffler=shuffler))
    assert len(pairs) == len(indices) == 9
    for i, (x, y) in zip(indices, pairs, strict=True):
        np.testing.assert_array_equal(x, classification.x_train[i])
        np.testing.assert_array_equal(y, classification.y_train[i])


@pytest.mark.parametrize("shuffler", SHUFFLERS)
@pytest.mark.parametrize("num_minibatches", [1, 4, 9, 25])
def test_blocks_hold_the_same_minibatches_across_the_ends_of_epochs(classification, num_minibatches, shuffler):
    k, num_epochs = 8, 6
    dataset = pipeline.order(70, k, seed=5, shuffler=shuffler)
    expected = [m for _ in range(num_epochs) for m in epoch(dataset)]
    blocks = iter(pipeline.blocks(classification, k, num_minibatches, seed=5, shuffler=shuffler))
    for start in range(0, len(expected) - num_minibatches, num_minibatches):
        x, y = next(blocks)
        assert x.shape == (num_minibatches, k, 5)
        for row, i in enumerate(expected[start : start + num_minibatches]):
            np.testing.assert_array_equal(x[row, : len(i)], classification.x_train[i])
            np.testing.assert_array_equal(y[row, : len(i)], classification.y_train[i])


@pytest.mark.parametrize("batch_size", [32, "all"])
def test_a_run_on_dataset_shuffle_makes_the_updates_of_keras_on_that_line(classification, batch_size):
    import keras

    from sgd_tf.training import models
    from sgd_tf.training.run import Run

    N, num_epochs, model = classification.num_examples, 2, ModelConfig(kind="linear")
    config = TrainConfig(batch_size=batch_size, learning_rate=0.5, shuffler="dataset", seed=3)
    k = config.minibatch_size(N)
    with Run(classification, config, model=model) as run:
        run.advance(update=num_epochs * math.ceil(N / k))
        found = run.model.get_weights()
    fitted = models.build(classification, model, seed=3)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    fitted.compile(optimizer=keras.optimizers.SGD(learning_rate=0.5), loss=loss)
    samples = tf.data.Dataset.from_tensor_slices((classification.x_train, classification.y_train))
    line = samples.shuffle(N, seed=3, reshuffle_each_iteration=True).batch(k)
    for _ in range(num_epochs):  # `fit` would read a minibatch before the first epoch, and draw an order for it
        for x, y in line:
            fitted.train_on_batch(x, y)
    for one, other in zip(found, fitted.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"shuffler": "cards"}, "`shuffler` must be one of permutation, dataset; received 'cards'."),
        (
            {"shuffler": "dataset", "sampling": "in_order"},
            "`shuffler` must be \"permutation\" with `sampling` = 'in_order'; received 'dataset'.",
        ),
    ],
)
def test_a_shuffler_that_does_not_fit_is_named(classification, options, message):
    for call in (
        lambda: TrainConfig(**options),
        lambda: pipeline.order(10, 2, **options),
        lambda: pipeline.minibatches(classification, 2, **options),
        lambda: pipeline.blocks(classification, 2, 1, **options),
    ):
        with pytest.raises(ValueError) as error:  # noqa: PT011
            call()
        assert str(error.value) == message


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1), "`num_examples` must be an integer of at least 1; received 0."),
        ((10, 0), '`batch_size` must be in [1, 10] or "all"; received 0.'),
        ((10, 11), '`batch_size` must be in [1, 10] or "all"; received 11.'),
        ((10, 2.5), '`batch_size` must be in [1, 10] or "all"; received 2.5.'),
        ((10, True), '`batch_size` must be in [1, 10] or "all"; received True.'),
    ],
)
def test_bad_sizes_are_named(arguments, message):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        pipeline.order(*arguments)
    assert str(error.value) == message


def test_an_unknown_sampling_is_named():
    with pytest.raises(ValueError, match=r"`sampling` must be one of reshuffle, .* received 'sorted'"):
        pipeline.order(10, 2, sampling="sorted")
