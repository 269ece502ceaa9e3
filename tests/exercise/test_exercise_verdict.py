"""What is said of runs of the exercise is true for each run that the page can make: whole, stopped, diverged, stuck."""

import math
import re

import numpy as np
from hypothesis import assume, given
from hypothesis import strategies as st

from sgd_tf.exercise import verdict, wording
from sgd_tf.exercise.rows import BOOK, NUM_ROWS, EpochLoss, ExercisePlan, Setting, TableFacts
from tests.lab import sentences

FACTS = TableFacts(num_examples=NUM_ROWS, num_validation=0, variance=1.3316)
SETTINGS = (Setting(batch_size=32), Setting(), Setting(batch_size=1_024, learning_rate=0.08), Setting(batch_size="all"))


@st.composite
def runs(draw, least=1, most=4):
    """A plan and its rows, seed by seed, cut anywhere; a run may diverge, and losses are often equal."""
    plan = ExercisePlan(
        settings=SETTINGS[: draw(st.integers(least, most))],
        num_epochs=draw(st.sampled_from([5, 250, 1_000])),
        num_seeds=draw(st.integers(1, 4)),
        has_validation=draw(st.booleans()),
        data=draw(st.sampled_from(["california", "flights"])),
    )
    loss = st.sampled_from([0.25, 0.31224, 0.3122, 0.35, 1.3316, 1.34, 5e5])
    ends = {(place, seed): draw(loss | st.none()) for place in range(len(plan.settings)) for seed in plan.seeds}
    rows = [FACTS]
    for seed in plan.seeds:
        for epoch in plan.epochs:
            for place in range(len(plan.settings)):
                end = ends[place, seed]
                if end is None and epoch > 2:
                    continue
                value = None if end is None and epoch == 2 else (end or 0.5)
                rows.append(
                    EpochLoss(
                        setting=place,
                        seed=seed,
                        epoch=epoch,
                        seconds=0.01 * epoch,
                        mean_loss=value if epoch else None,
                        train_loss=value,
                        validation_loss=value if plan.has_validation else None,
                    )
                )
    return plan, rows[: draw(st.just(len(rows)) | st.integers(1, len(rows)))]


def last_rows(rows):
    return {(row.setting, row.seed): row for row in rows if isinstance(row, EpochLoss) and row.epoch}


@given(runs(1, 1))
def test_beside_the_book_stand_the_losses_of_its_epochs(run):
    plan, rows = run
    says = verdict.beside_book(plan, rows)
    if not last_rows(rows):
        assert says is None
        return
    texts = sentences(lambda: wording.beside_book(says, plan))
    for epoch, printed, own in says.losses:
        assert BOOK[epoch] == printed
        losses = [row.mean_loss for row in rows if isinstance(row, EpochLoss) and row.epoch == epoch]
        assert math.isclose(own, np.median(losses))
    if says.losses:
        assert all(wording.loss(says.losses[-1][2]) in text for text in texts)
    assert (says.answer is None) == (400 not in {epoch for epoch, _printed, _own in says.losses})
    if says.answer == "exact":
        at = next(own for epoch, _printed, own in says.losses if epoch == 400)
        assert wording.loss(at) == "0.3122"


@given(runs())
def test_the_best_is_beaten_by_none_and_what_cannot_be_told_from_it_beats_it_somewhere(run):
    plan, rows = run
    says = verdict.ranking(plan, rows)
    last = last_rows(rows)
    if not last:
        assert says is None
        return
    sentences(lambda: wording.ranking(says, plan))
    losses = [end.loss for end in says.ends]
    assert losses == sorted(losses)
    assert (says.best is None) == (says.doubt is not None)
    if says.best is None:
        return
    seeds = {seed for _place, seed in last}
    for end in says.ends[1:]:
        pairs = [(last[says.best, seed].train_loss, last[end.place, seed].train_loss) for seed in seeds]
        better = [a is not None and (b is None or a < b) for a, b in pairs]
        assert (end.place in says.also) == (not all(better))


@given(runs(2, 2), st.sampled_from([0.95, 1.05]))
def test_a_goal_is_reached_by_a_whole_run_at_or_below_it(run, factor):
    plan, rows = run
    assume(all(row.train_loss for row in rows if isinstance(row, EpochLoss) and row.setting == 0))  # it never diverges
    says = verdict.attempt(plan, rows, factor)
    for text in sentences(lambda: wording.attempt(says)):
        assert says is not None or re.search("Stopped|멈췄", text)
    whole = len(last_rows(rows)) == 2 * plan.num_seeds and all(
        row.train_loss is None or row.epoch == plan.num_epochs for row in last_rows(rows).values()
    )
    assert (says is not None) == whole
    if says and says.is_reached:
        assert says.own.loss <= factor * says.reference.loss


def test_seeds_that_give_one_value_for_all_houses_are_counted():
    plan = ExercisePlan(num_epochs=400, num_seeds=2)
    rows = [FACTS]
    for seed, loss in ((0, 0.31), (1, 1.3315)):
        rows.append(
            EpochLoss(
                setting=0, seed=seed, epoch=400, seconds=1.0, mean_loss=loss, train_loss=loss, validation_loss=None
            )
        )
    says = verdict.beside_book(plan, rows)
    assert (says.end.num_stuck, says.answer) == (1, "far")
    english = sentences(lambda: wording.beside_book(says, plan))[1]
    assert "Seeds that learned nothing: 1 of 2." in english
