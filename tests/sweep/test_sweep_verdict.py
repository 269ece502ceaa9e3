"""What must hold of any table that a sweep can leave behind: half of it run, diverged, tied, met at once."""

import contextlib
import itertools
import math
import random
import re
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.sweep import analysis, critical_batch_size, wording
from sgd_tf.sweep.fastest import Fastest, fastest, seconds_by_size
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.rows import CellResult, LandscapePoint
from sgd_tf.sweep.verdict import judge, usual_sizes
from sgd_tf.training import comparison
from sgd_tf.ui import language

SIZES = (1, 8, 32, 256, 1437)
RATES = (0.1, 0.4)
MEASURES = ("updates_to_target", "test_loss_after_epochs", "test_accuracy_after_epochs")
STATES = ["reached"] * 4 + ["not reached", "diverged", "stuck", "at the start", "slow"]
UPDATES = [1.0, 12.5, 40.0, 40.0, 44.0, 300.0]  # ties are common
LOSSES = [0.0, 0.1, 0.1, 0.102, 0.5]


def run(draw, k, rate, seed, states=STATES):
    """The row of one run: it reached the target, or did not, diverged, got stuck, or was there at once."""
    state = draw.choice(states)
    made = {"reached": draw.choice(UPDATES), "at the start": 0.0}.get(state)
    loss = None if state in ("diverged", "slow") else draw.choice(LOSSES)
    seconds = draw.choice([0.5, 1.0, 1.0, 3.0])
    return CellResult(
        batch_size=k,
        learning_rate=rate,
        seed=seed,
        num_examples=1437,
        updates_to_target=made,
        examples_to_target=None if made is None else k * made,
        seconds_to_target=None if made is None else made * seconds / 500,
        **{f"{name}_loss_after_{budget}": loss for name in ("train", "test") for budget in ("epochs", "seconds")},
        **{f"test_accuracy_after_{budget}": None if loss is None else 1 - loss for budget in ("epochs", "seconds")},
        examples_per_second=500 * k / seconds,
        updates=500,
        seconds=seconds,
        train_loss={"diverged": None, "stuck": 2.0}.get(state, 0.2),
        start_loss=2.0,
        diverged_at=9 if state == "diverged" else None,
        wall_seconds=4.0,
    )


@st.composite
def tables(draw):
    """Any part of a sweep over up to five k, two rates and five seeds, in any order; of one state or of all."""
    number = draw(st.integers(0, 2**32))
    random_ = random.Random(number)
    sizes = random_.sample(SIZES, random_.randint(1, 5))
    rates = random_.choice([RATES[:1], RATES])
    cells = list(itertools.product(sizes, rates, range(draw(st.integers(1, 5)))))
    if draw(st.booleans()):
        cells = random_.sample(cells, random_.randint(1, len(cells)))
    states = draw(st.sampled_from([STATES, STATES, STATES, ["reached"], ["diverged"], ["at the start"], ["slow"]]))
    return [run(random_, *cell, states) for cell in cells]


def is_raced(run):
    return run.updates_to_target is not None and run.updates_to_target > 0


@settings(max_examples=20)
@given(tables())
def test_the_range_holds_what_is_within_its_factor_and_every_other_k_between_its_ends_is_explained(rows):
    table = analysis.to_table(rows)
    rates = analysis.choose_rates(table, "updates_to_target")
    chosen = {k: {row.seed: row for row in rows if (row.batch_size, row.learning_rate) == (k, rates[k])} for k in rates}
    always = [k for k in chosen if all(row.updates_to_target is not None for row in chosen[k].values())]
    seeds = set.intersection(*(set(chosen[k]) for k in always)) if always else set()
    seeds = {seed for seed in seeds if all(is_raced(chosen[k][seed]) for k in always)}
    found = fastest(seconds_by_size(table))
    if not seeds:
        assert found in ("not reached", "diverged", "at the start", "unknown")
        assert (found == "diverged") == all(
            row.updates_to_target is None and (row.diverged_at is not None or row.train_loss >= row.start_loss)
            for own in chosen.values()
            for row in own.values()
        )
        return
    per_update = {k: np.median([row.seconds / 500 for row in rows if row.batch_size == k]) for k in always}
    seconds = {k: np.median([chosen[k][s].updates_to_target * per_update[k] for s in seeds]) for k in always}
    least = min(seconds.values())
    left_out = dict(found.left_out)
    inside = [k for k in sorted(chosen) if found.low <= k <= found.high and k not in left_out]
    assert seconds[found.best] == pytest.approx(least)
    assert found.seconds == pytest.approx(least)
    assert {found.low, found.best, found.high} <= set(inside) <= set(always)
    assert max(seconds[k] for k in inside) == pytest.approx(found.slowest * least)
    assert all(seconds[k] > 1.1 * least for k, state in left_out.items() if state == "slower")
    assert all(k not in always for k, state in left_out.items() if state != "slower")
    assert all(k in inside or not found.low <= k <= found.high for k in always if seconds[k] <= 1.1 * least)
    assert found.num_seeds == len(seeds)
    assert math.isnan(found.share) if len(seeds) < 3 else 0 <= found.share <= 1
    assert (found.ends_low, found.ends_high) == (found.low == min(chosen), found.high == max(chosen))


@settings(max_examples=20)
@given(tables(), st.data())
def test_a_further_seed_of_one_k_takes_no_other_k_out_of_the_answer(rows, data):
    rows = [row for row in rows if row.learning_rate == RATES[0]]
    before = seconds_by_size(analysis.to_table(rows))
    if not before["state"].isin(["fastest"]).any():
        return
    k = data.draw(st.sampled_from(sorted({row.batch_size for row in rows})))
    own = next(row for row in rows if row.batch_size == k)
    after = seconds_by_size(analysis.to_table([*rows, replace(own, seed=99)]))
    before, after = (sizes[sizes["batch_size"] != k].set_index("batch_size") for sizes in (before, after))
    assert after["num_known"].equals(before["num_known"])
    # The seed changes the seconds of k, and so perhaps which of those that are compared is the fastest.
    compared = [sizes["state"].replace(["fastest", "as fast", "slower"], "compared") for sizes in (before, after)]
    assert compared[0].equals(compared[1])


@settings(max_examples=20)
@given(tables())
def test_there_is_no_interval_without_a_fit_and_no_fit_without_data(rows):
    table = analysis.to_table(rows)
    fit = analysis.fit_runs(analysis.tuned(table, "updates_to_target"))
    if fit is None:
        return
    assert fit.num_sizes >= 3
    assert 0 < fit.min_updates < math.inf
    assert 0 < fit.critical_batch_size < math.inf
    assert math.isfinite(fit.misfit)
    is_enough = fit.num_sizes >= 4 and fit.num_seeds >= 3 and fit.misfit <= critical_batch_size.MAX_MISFIT
    assert (fit.no_interval is None) == is_enough
    if is_enough:
        assert 0 <= fit.low <= fit.critical_batch_size <= fit.high
    else:
        assert math.isnan(fit.low)
        assert math.isnan(fit.high)


@settings(max_examples=20)
@given(tables())
def test_there_is_no_verdict_without_three_seeds(rows):
    table = analysis.to_table(rows)
    for verdict in usual_sizes(table):
        measure = f"test_loss_after_{verdict.budget}"
        own = analysis.tuned(table, measure) if verdict.rates == "tuned" else table
        by_size = {k: set(group["seed"]) for k, group in own.groupby("batch_size")}
        if verdict.usual is None:
            assert (verdict.usual_outcome, verdict.harm_from, verdict.largest) == ("open", None, None)
            continue
        shared = by_size[verdict.usual] & by_size[verdict.best]
        if len(shared) < 3:
            assert verdict.usual_outcome == "open"
        if verdict.harm_from is not None:
            assert verdict.usual < verdict.harm_from <= verdict.largest
            assert verdict.largest_outcome == "worse"
            assert len(by_size[verdict.usual] & by_size[verdict.largest]) >= 3
        if verdict.usual_outcome != "open":
            assert not math.isnan(verdict.usual_ratio)


def shared_and_known(one, other, measure):
    """Seeds with which both settings have a value, or diverged, or did not reach the target."""
    known = [
        set(runs.loc[runs[measure].notna() | runs["diverged_at"].notna() | (measure == MEASURES[0]), "seed"])
        for runs in (one, other)
    ]
    return known[0] & known[1]


@settings(max_examples=20)
@given(tables(), st.sampled_from(MEASURES))
def test_two_settings_are_compared_with_three_pairs_or_not_at_all(rows, measure):
    table = analysis.to_table(rows)
    groups = [group for _setting, group in table.groupby(["batch_size", "learning_rate"])]
    for one, other in itertools.combinations(groups, 2):
        if not shared_and_known(one, other, measure):
            with pytest.raises(ValueError, match="seed in common with which both have a value"):
                comparison.compare(one, other, measure)
            continue
        found, back = comparison.compare(one, other, measure), comparison.compare(other, one, measure)
        assert math.isnan(found.p_value) == (found.num_seeds < 3)
        assert found.is_significant == back.is_significant
        assert not math.isnan(found.ratio)
        assert found.num_seeds == len(shared_and_known(one, other, measure))
        if found.test == "t" and found.num_seeds >= 3:
            assert found.low <= found.ratio <= found.high
        if measure == "test_loss_after_epochs" and found.num_seeds < 3:
            assert comparison.outcome(one, other, measure) == "open"


PLAN = SweepPlan(problem="digits", num_examples=1437, batch_sizes=SIZES, learning_rates=RATES, target=0.05, epochs=1.0)
NOT_A_NUMBER = {"nan", "None", "inf", "∞", "–", "-"}
WRONG_PLURAL = re.compile(r"(?<![\d.,])1 (times|updates|seeds|epochs|runs)\b")
ZERO = re.compile(r"(?<![\d.,])0 ?(s|초|times|배)\b")


def in_language(code, patch):
    patch.setattr(language, "current", lambda: code)


@settings(max_examples=15)
@given(tables(), st.sampled_from([12.0, math.inf, math.nan]))
def test_no_sentence_holds_a_number_that_is_none_nor_a_plural_of_one(rows, scale):
    scales = {"start": 12.0, "target": scale}
    noise = [
        LandscapePoint(place=place, train_loss=1.0, update=0, noise_scale=value, max_learning_rate=None)
        for place, value in scales.items()
    ]
    verdict = judge(PLAN, (*rows, *noise))
    for code in language.LANGUAGES:
        with pytest.MonkeyPatch.context() as patch:
            in_language(code, patch)
            for sentence in all_sentences(verdict):
                words = re.sub(r"[%,.;:()]", " ", sentence.replace(" = ", " ")).split()
                assert words
                assert not NOT_A_NUMBER & set(words), sentence
                assert not WRONG_PLURAL.search(sentence), sentence
                assert not ZERO.search(sentence), sentence
                assert "{" not in sentence, sentence


def all_sentences(verdict):
    """All that the page says of a sweep, in the language that is spoken."""
    yield wording.text(verdict)
    yield wording.why_they_differ(verdict)
    yield wording.usual_text(verdict)
    yield from wording.how_sure(verdict)
    yield from wording.best_sizes(verdict).get("k", [])
    for usual in verdict.usual:
        yield wording.budget(PLAN, usual.budget)
        yield wording.rate(PLAN, usual)
    if verdict.usual:
        yield from wording.usual_table(verdict).to_numpy().ravel()
    groups = [group for _setting, group in verdict.table.groupby(["batch_size", "learning_rate"])]
    for (one, other), measure in itertools.product(itertools.pairwise(groups), MEASURES):
        with contextlib.suppress(ValueError):
            yield wording.compared(comparison.compare(one, other, measure), measure, "k = 1", "k = 8")


@settings(max_examples=15)
@given(tables())
def test_the_answer_names_the_k_that_is_lowest_in_the_table_and_no_winner_where_nobody_was_compared(rows):
    verdict = judge(PLAN, tuple(rows))
    sizes = verdict.sizes.dropna(subset="ratio").set_index("batch_size")
    answer, also = wording.answer(verdict)
    for code in language.LANGUAGES:
        with pytest.MonkeyPatch.context() as patch:
            in_language(code, patch)
            named = re.search(r"\*\*k = ([\d,]+)\*\*", wording.text(verdict))
        assert (named is not None) == isinstance(verdict.fastest, Fastest) == bool(len(sizes))
        if named:
            assert int(named[1].replace(",", "")) == sizes["median"].idxmin()
    if len(sizes) < 2 or verdict.fastest.num_seeds < 3:  # nobody to compare, or too few seeds to judge
        assert (answer, also) == (None, frozenset())
        return
    assert answer == wording.range_of(sizes["median"].idxmin())
    assert also == {wording.range_of(k) for k in sizes.index[sizes["state"] == "as fast"]} - {answer}
    if verdict.step:
        step = verdict.step
        assert step.updates * step.seconds == pytest.approx(sizes.loc[step.k, "ratio"])
        assert step.is_larger == (step.k > sizes["median"].idxmin())


def test_one_k_that_reached_the_target_is_not_called_faster_than_others():
    rows = [run(random.Random(0), k, 0.1, seed, ["reached" if k == 8 else "slow"]) for k in (8, 32) for seed in (0, 1)]
    verdict = judge(PLAN, tuple(rows))
    with pytest.MonkeyPatch.context() as patch:
        in_language("en", patch)
        assert wording.text(verdict).startswith("Only **k = 8** reached the target with every seed: ")
    assert wording.answer(verdict) == (None, frozenset())
