"""What is said of the double loop is true of its recorded runs, whatever their losses are, in both languages."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.double_loop import exercise, verdict, wording
from sgd_tf.double_loop.exercise import Line
from sgd_tf.double_loop.playback import Phase, Step
from sgd_tf.double_loop.recording import Lesson, Recording
from sgd_tf.double_loop.rows import DoubleLoopPlan, Network, Turn
from tests.lab import numbers_in, sentences

losses = st.floats(1e-3, 1e3) | st.sampled_from([math.inf, math.nan])


def turn(update, loss, *, way="sgd", epoch=0, indices=(0,)):
    return Turn(
        way=way,
        update=update,
        epoch=epoch,
        indices=list(indices) if update else [],
        outputs=[],
        loss=loss,
        gradient_norm=loss,
        train_loss=loss,
        surface=[],
    )


def run_of(values, way="sgd"):
    return [turn(update, loss, way=way) for update, loss in enumerate(values)]


def plan_of(num_epochs=3, k=6, n=24):
    return DoubleLoopPlan(problem="digits", num_examples=n, batch_size=k, num_epochs=num_epochs, learning_rate=0.2)


@given(
    start=st.floats(1e-3, 1e3),
    gd=st.lists(losses, min_size=1, max_size=5),
    sgd=st.lists(losses, min_size=2, max_size=9),
)
def test_the_comparison_says_what_the_last_losses_say(start, gd, sgd):
    found = verdict.compare({"gd": run_of([start, *gd], "gd"), "sgd": run_of([start, *sgd])})
    for text in sentences(lambda: wording.comparison(plan_of(), found)):
        assert {len(gd), len(sgd)} <= set(numbers_in(text))
    outcome = found.outcome
    if gd[-1] <= 10 * start and sgd[-1] <= 10 * start:
        assert outcome in ("gd", "sgd", "close", "nothing learned")
        if outcome == "sgd":
            assert sgd[-1] < gd[-1]
            assert sgd[-1] < start
        if outcome == "gd":
            assert gd[-1] < sgd[-1]
            assert gd[-1] < start
        if outcome == "nothing learned":
            assert min(gd[-1], sgd[-1]) >= start
    else:
        assert "diverged" in outcome


@pytest.mark.parametrize(
    ("values", "rises"), [([3.0, 2.0, 1.0], 0), ([3.0, 3.0, 4.0, 1.0], 1), ([1.0, math.inf, math.nan], 2)]
)
def test_rises_are_counted(values, rises):
    assert verdict.run_end(run_of(values)).num_rises == rises


def test_orders_are_compared_and_a_sample_is_counted():
    def run(*epochs):
        drawn = [turn(at, 1.0, epoch=at - 1, indices=order) for at, order in enumerate(epochs, 1)]
        return [turn(0, 1.0), *drawn]

    found = verdict.orders(run([0, 1, 2], [2, 1, 0]), 1)
    assert (found.is_same, found.draws, found.visits, found.is_full_batch) == (False, (1, 1), "epochs", True)
    assert verdict.orders(run([0, 1], [0, 1]), 0).is_same
    assert verdict.orders(run([0, 0]), 0).visits == "luck"
    assert verdict.orders(run([0, 1]), 0).is_same is None


PHASES = ("start", "epoch", "draw", "forward", "loss", "gradient", "update", "epoch_over", "end")


@given(
    phase=st.sampled_from(PHASES),
    way=st.sampled_from(["gd", "sgd"]),
    num_epochs=st.integers(1, 3),
    n=st.integers(10, 40),
    k=st.integers(1, 9),
    loss=losses,
)
def test_no_step_is_told_with_a_plural_of_one_or_without_a_number(phase: Phase, way, num_epochs, n, k, loss):
    lesson = Lesson(plan=plan_of(num_epochs, k, n), way=way)
    film = lesson.film
    steps = [film.at(position) for position in range(film.last + 1)]
    step = [step for step in steps if step.phase == phase][-1]  # the last minibatch may hold one sample
    sizes = [min(lesson.batch_size, n - at) for at in range(0, n, lesson.batch_size)]
    turns = [turn(0, 2.0)]
    for epoch in range(num_epochs):
        turns += [turn(len(turns) + at, loss, epoch=epoch, indices=range(size)) for at, size in enumerate(sizes)]
    found = Recording(network=Network(num_weights=9, layers=(1, 1)), samples=None, features=[], runs={way: turns})
    sentences(lambda: wording.narration(lesson, found, step).split(":**")[-1])  # after "Epoch 1 begins"
    sentences(lambda: wording.place(lesson, step))
    sentences(lambda: wording.updates_of_epoch(lesson, film.iterations))


program = st.lists(
    st.builds(Line, text=st.sampled_from(exercise.pieces()), level=st.integers(0, 4)), unique_by=lambda line: line.text
)


@given(program=program)
def test_a_loop_is_right_up_to_the_first_line_that_differs(program):
    found, right = exercise.check(program), exercise.solution()
    assert program[: found.num_right] == right[: found.num_right]
    assert found.is_done == (program == right)
    if found.fault:
        line, wanted = program[found.num_right], right[found.num_right]
        assert line != wanted
        assert (found.fault == "indentation") == (line.text == wanted.text)
    else:
        assert program == right[: len(program)]
    if program:
        sentences(lambda: wording.exercise_check(program, found))


@given(program=program.filter(bool), data=st.data())
def test_lines_that_are_moved_stay_the_same_lines(program, data):
    at = data.draw(st.integers(0, len(program) - 1))
    by = data.draw(st.sampled_from([-1, 1]))
    assert sorted(line.text for line in exercise.moved(program, at, by)) == sorted(line.text for line in program)
    assert exercise.moved(exercise.moved(program, at, by), min(max(at + by, 0), len(program) - 1), -by) == program or (
        at + by not in range(len(program))
    )
    assert [line.text for line in exercise.indented(program, at, by)] == [line.text for line in program]


def test_the_pieces_do_not_stand_in_their_order():
    assert exercise.pieces() != [line.text for line in exercise.solution()]
    assert exercise.check([Line(text=exercise.pieces()[0], level=0)]).fault == "order"


def test_a_step_is_of_a_phase():
    assert {Step(phase=phase, epoch=0, iteration=0, update=0).phase for phase in PHASES} == set(PHASES)
