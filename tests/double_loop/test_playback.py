"""The film of the double loop: the same steps as two nested loops, forwards, backwards and by epochs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.double_loop.playback import Playback
from sgd_tf.training import pipeline
from sgd_tf.training.counting import iterations_per_epoch, last_minibatch_size, num_updates


@st.composite
def films(draw, most=40):
    num_examples = draw(st.integers(1, most))
    batch_size = draw(st.integers(1, num_examples))
    return Playback(num_examples=num_examples, batch_size=batch_size, num_epochs=draw(st.integers(1, 4)))


def nested_loops(film):
    """(phase, epoch, iteration, updates so far), written down by the two loops themselves."""
    update = 0
    yield "start", 0, 0, update
    for epoch in range(film.num_epochs):
        yield "epoch", epoch, 0, update
        for iteration, _first in enumerate(range(0, film.num_examples, film.batch_size)):
            for phase in ("draw", "forward", "loss", "gradient"):
                yield phase, epoch, iteration, update
            update += 1
            yield "update", epoch, iteration, update
        yield "epoch_over", epoch, iteration, update
    yield "end", epoch, iteration, update


def steps(film):
    found = [film.at(position) for position in range(film.last + 1)]
    return [(step.phase, step.epoch, step.iteration, step.update) for step in found]


@given(films())
def test_the_steps_are_those_of_two_nested_loops(film):
    assert steps(film) == list(nested_loops(film))


@given(films())
def test_back_undoes_forward_line_by_line_and_stops_at_the_ends(film):
    for position in range(film.last):
        assert film.forward(position) == position + 1
        assert film.back(position + 1) == position
    assert film.back(0) == 0
    assert film.forward(film.last) == film.last


@given(films())
def test_by_iteration_each_update_and_each_end_of_an_epoch_is_a_stop(film):
    stops = [0]
    while stops[-1] < film.last:
        stops.append(film.forward(stops[-1], "iteration"))
    phases = [film.at(stop).phase for stop in stops]
    epoch = ["update"] * film.iterations + ["epoch_over"]
    assert phases == ["start", *epoch * film.num_epochs, "end"]
    assert [film.back(stop, "iteration") for stop in stops[1:]] == stops[:-1]


@given(films())
def test_the_next_epoch_is_where_the_next_order_is_drawn(film):
    begins = [position for position, step in enumerate(steps(film)) if step[0] == "epoch"]
    for position in range(film.last + 1):
        assert film.next_epoch(position) == next((begin for begin in begins if begin > position), film.last)
    ends = [position for position, step in enumerate(steps(film)) if step[0] == "epoch_over"]
    assert [film.end_of_epoch(epoch) for epoch in range(film.num_epochs)] == ends


def test_a_position_outside_of_the_film_is_its_nearest_end():
    film = Playback(num_examples=24, batch_size=6, num_epochs=3)
    assert film.at(-5) == film.at(0)
    assert film.at(10_000) == film.at(film.last)


@settings(max_examples=25)
@given(films(most=200))
def test_the_counts_are_what_the_pipeline_yields(film):
    sizes = [len(minibatch) for minibatch in pipeline.order(film.num_examples, film.batch_size)]
    assert iterations_per_epoch(film.num_examples, film.batch_size) == len(sizes) == film.iterations
    assert last_minibatch_size(film.num_examples, film.batch_size) == sizes[-1]
    assert set(sizes[:-1]) <= {film.batch_size}
    assert num_updates(film.num_examples, film.batch_size, film.num_epochs) == film.num_epochs * len(sizes)


@pytest.mark.parametrize(
    ("num_examples", "batch_size", "iterations", "last"),
    [(20_640, 256, 81, 160), (24, 6, 4, 6), (24, 10, 3, 4), (1_000_000, 1, 1_000_000, 1), (1_437, "all", 1, 1_437)],
)
def test_counts_of_an_epoch_by_hand(num_examples, batch_size, iterations, last):
    assert iterations_per_epoch(num_examples, batch_size) == iterations
    assert last_minibatch_size(num_examples, batch_size) == last


@given(st.integers(1, 10**6), st.data())
def test_all_minibatches_together_are_the_training_set(num_examples, data):
    k = data.draw(st.integers(1, num_examples))
    full = iterations_per_epoch(num_examples, k) - 1
    assert full * k + last_minibatch_size(num_examples, k) == num_examples
    assert 1 <= last_minibatch_size(num_examples, k) <= k
