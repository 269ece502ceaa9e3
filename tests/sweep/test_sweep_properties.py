"""What must hold of any table that a sweep can leave behind: half of it run, diverged, tied, met at once."""

import contextlib
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sgd_tf.sweep import analysis as results
from sgd_tf.sweep import comparison, critical_batch_size, wording
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.rows import CellResult
from sgd_tf.sweep.verdict import verdict_c13
from sgd_tf.ui import language

SIZES = (1, 8, 32, 256, 1437)
RATES = (0.1, 0.4)
MEASURES = ("updates_to_target", "test_loss_after_epochs", "test_accuracy_after_epochs")

updates = st.sampled_from([1.0, 12.5, 40.0, 40.0, 44.0, 300.0])  # ties are common
losses = st.sampled_from([0.0, 0.1, 0.1, 0.102, 0.5])


@st.composite
def runs(draw, k, rate, seed):
    """The row of one run: it reached the target, or did not, diverged, got stuck, or was there at once."""
    state = draw(st.sampled_from(["reached"] * 4 + ["not reached", "diverged", "stuck", "at the start", "slow"]))
    made = {"reached": draw(updates), "at the start": 0.0}.get(state)
    is_lost = state in ("diverged", "slow")
    loss = None if is_lost else draw(losses)
    seconds = draw(st.sampled_from([0.5, 1.0, 1.0, 3.0]))
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
    """Any part of a sweep over up to five k, two rates and five seeds, in any order."""
    sizes = draw(st.lists(st.sampled_from(SIZES), min_size=1, max_size=5, unique=True))
    rates = draw(st.sampled_from([RATES[:1], RATES]))
    num_seeds = draw(st.integers(1, 5))
    cells = list(itertools.product(sizes, rates, range(num_seeds)))
    if draw(st.booleans()):
        cells = draw(st.lists(st.sampled_from(cells), min_size=1, unique=True))
    return [draw(runs(*cell)) for cell in cells]


def is_raced(run):
    return run.updates_to_target is not None and run.updates_to_target > 0


@settings(max_examples=50)
@given(tables())
def test_the_range_holds_what_is_within_its_factor_and_every_other_k_between_its_ends_is_explained(rows):
    table = results.to_table(rows)
    rates = results.choose_rates(table, "updates_to_target")
    chosen = {k: {row.seed: row for row in rows if (row.batch_size, row.learning_rate) == (k, rates[k])} for k in rates}
    always = [k for k in chosen if all(row.updates_to_target is not None for row in chosen[k].values())]
    seeds = set.intersection(*(set(chosen[k]) for k in always)) if always else set()
    seeds = {seed for seed in seeds if all(is_raced(chosen[k][seed]) for k in always)}
    found = results.recommend(table)
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
    fastest = min(seconds.values())
    left_out = dict(found.left_out)
    inside = [k for k in sorted(chosen) if found.low <= k <= found.high and k not in left_out]
    assert seconds[found.best] == pytest.approx(fastest)
    assert found.seconds == pytest.approx(fastest)
    assert {found.low, found.best, found.high} <= set(inside) <= set(always)
    assert max(seconds[k] for k in inside) == pytest.approx(found.slowest * fastest)
    assert all(seconds[k] > 1.1 * fastest for k, state in left_out.items() if state == "slower")
    assert all(k not in always for k, state in left_out.items() if state != "slower")
    assert all(k in inside or not found.low <= k <= found.high for k in always if seconds[k] <= 1.1 * fastest)
    assert found.num_seeds == len(seeds)
    assert math.isnan(found.share) if len(seeds) < 3 else 0 <= found.share <= 1
    assert (found.ends_low, found.ends_high) == (found.low == min(chosen), found.high == max(chosen))


@settings(max_examples=30)
@given(tables(), st.data())
def test_a_further_seed_of_one_k_takes_no_other_k_out_of_the_answer(rows, data):
    rows = [row for row in rows if row.learning_rate == RATES[0]]
    before = results.seconds_by_size(results.to_table(rows))
    if not before["state"].isin(["fastest"]).any():
        return
    k = data.draw(st.sampled_from(sorted({row.batch_size for row in rows})))
    own = next(row for row in rows if row.batch_size == k)
    after = results.seconds_by_size(results.to_table([*rows, replace(own, seed=99)]))
    columns = ["batch_size", "state", "num_known"]
    others = before["batch_size"] != k
    assert after.loc[others, columns].equals(before.loc[others, columns])


@settings(max_examples=30)
@given(tables())
def test_there_is_no_interval_without_a_fit_and_no_fit_without_data(rows):
    table = results.to_table(rows)
    fit = results.fit_runs(results.tuned(table, "updates_to_target"))
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


@settings(max_examples=30)
@given(tables())
def test_there_is_no_verdict_without_three_seeds(rows):
    table = results.to_table(rows)
    for verdict in verdict_c13(table):
        measure = f"test_loss_after_{verdict.budget}"
        own = results.tuned(table, measure) if verdict.rates == "tuned" else table
        by_size = {k: set(group["seed"]) for k, group in own.groupby("batch_size")}
        if verdict.practical is None:
            assert (verdict.practical_outcome, verdict.harm_from, verdict.large) == ("open", None, None)
            continue
        shared = by_size[verdict.practical] & by_size[verdict.best]
        if len(shared) < 3:
            assert verdict.practical_outcome == "open"
        if verdict.harm_from is not None:
            assert verdict.practical < verdict.harm_from <= verdict.largest
            assert verdict.largest_outcome == "worse"
            assert len(by_size[verdict.practical] & by_size[verdict.largest]) >= 3
        if verdict.practical_outcome != "open":
            assert not math.isnan(verdict.practical_ratio)


def shared_and_known(one, other, measure):
    """Seeds with which both settings have a value, or diverged, or did not reach the target."""
    known = [
        set(runs.loc[runs[measure].notna() | runs["diverged_at"].notna() | (measure == MEASURES[0]), "seed"])
        for runs in (one, other)
    ]
    return known[0] & known[1]


@settings(max_examples=30)
@given(tables(), st.sampled_from(MEASURES))
def test_two_settings_are_compared_with_three_pairs_or_not_at_all(rows, measure):
    table = results.to_table(rows)
    groups = [group for _setting, group in table.groupby(["batch_size", "learning_rate"])]
    for one, other in itertools.combinations(groups, 2):
        if not shared_and_known(one, other, measure):
            with pytest.raises(ValueError, match="seed in common with which both have a value"):
                comparison.compare(one, other, measure)
            continue
        found, back = comparison.compare(one, other, measure), comparison.compare(other, one, measure)
        assert math.isnan(found.p_value) == (found.num_seeds < 3)
        assert (found.effect == "unknown") == (found.num_seeds < 3)
        assert found.is_real == back.is_real
        assert not math.isnan(found.ratio)
        assert found.num_seeds == len(shared_and_known(one, other, measure))
        if found.test == "t" and found.num_seeds >= 3:
            assert found.low <= found.ratio <= found.high
        if measure == "test_loss_after_epochs" and found.num_seeds < 3:
            assert comparison.outcome(one, other, measure) == "open"


PLAN = SweepPlan(problem="digits", num_examples=1437, batch_sizes=SIZES, learning_rates=RATES, target=0.05)


@settings(max_examples=15)
@given(tables(), st.sampled_from([12.0, math.inf, math.nan]))
def test_no_sentence_holds_a_number_that_is_none(rows, scale):
    say = all_sentences(results.to_table(rows), scale)
    for code in language.LANGUAGES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(language, "current", lambda code=code: code)
            for sentence in say():
                words = sentence.replace("%", " ").replace(".", " ").replace(",", " ").split()
                assert words
                assert not {"nan", "None", "inf", "∞", "–"} & set(words), sentence


def all_sentences(table, scale):
    """What says, in the language that is spoken then, all that the page says of a table."""
    sizes = results.seconds_by_size(table)
    found, fit = results.recommended(sizes), results.fit_runs(results.tuned(table, "updates_to_target"))
    verdicts = verdict_c13(table)
    groups = [group for _setting, group in table.groupby(["batch_size", "learning_rate"])]
    compared = []
    for (one, other), measure in itertools.product(itertools.combinations(groups, 2), MEASURES):
        with contextlib.suppress(ValueError):
            compared.append((comparison.compare(one, other, measure), measure))

    def say():
        sentences = wording.unfinished(PLAN, sizes, 3)
        if isinstance(found, str):
            sentences += wording.no_answer(found, None)
        else:
            sentences += wording.answer(PLAN, found, sizes)
        if fit is not None:
            scales = {"start": 12.0, "target": scale}
            sentences += wording.critical(PLAN, fit, scales)
        sentences += wording.verdicts(PLAN, verdicts)
        for verdict in verdicts:
            sentences += [words(PLAN, verdict) for words in (wording.budget, wording.rate)]
            sentences += [wording.practical(verdict)]
            sentences += [wording.large(verdict)] if verdict.practical else []
        return [*sentences, *(wording.compared(*pair, "k = 1", "k = 8") for pair in compared)]

    return say
