"""What is said of a trial of claims is true of its rows, for all verdicts, stopped or not, in both languages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.claims import verdict, wording
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import VERDICTS
from sgd_tf.claims.rows import Failure, Finding, SignOfLife
from tests.lab import LANGUAGES, numbers_in, sentences, speaking

KEYS = tuple(CLAIMS)
ends = st.sampled_from([*VERDICTS, "no result"])
some_ends = st.lists(ends, min_size=1, max_size=len(KEYS)).map(lambda states: dict(zip(KEYS, states, strict=False)))


def end(key, state):
    if state == "no result":
        return Failure(claim=key, reason="RuntimeError: no such thing")
    return Finding(claim=key, verdict=state, values={}, points=(), num_seeds=3, seconds=2.0)


def outcome(states, keys=KEYS):
    rows = [row for key, state in states.items() for row in (SignOfLife(claim=key), end(key, state))]
    return verdict.outcome(keys, verdict.ends_of(rows))


@given(states=some_ends)
def test_the_counts_of_a_result_are_those_of_its_rows(states):
    found = outcome(states)
    there = [state for state in (*VERDICTS, "no result") if state in states.values()]
    counts = [list(states.values()).count(state) for state in there]
    is_over = len(states) == len(KEYS)
    for text in sentences(lambda: wording.result(KEYS, found, "9 s")):
        numbers = numbers_in(text)
        if is_over:
            assert numbers == [*counts, 9]
        else:
            assert sorted(numbers[:2]) == [len(states), len(KEYS)]
            assert numbers[2:] == counts


@given(states=some_ends, rest=st.lists(ends, min_size=18, max_size=18))
def test_an_answer_stands_whatever_the_claims_without_a_verdict_turn_out_to_be(states, rest):
    found = outcome(states)
    settled = {
        key: states[key] if states.get(key) in ("holds", "fails", "depends") else other
        for key, other in zip(KEYS, rest, strict=True)
    }
    num_holding = list(settled.values()).count("holds")
    if found.answer is not None:
        assert verdict.how_many(num_holding, len(KEYS)) == found.answer
    elif not {"open", "no result"} & set(states.values()):
        assert len(states) < len(KEYS)


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.parametrize("state", [*VERDICTS, "no result"])
def test_of_a_single_claim_its_verdict_is_said(key, state):
    found = outcome({key: state}, keys=(key,))
    assert found.answer is None
    words = wording.NO_RESULT if state == "no result" else wording.VERDICTS[state]
    for code in LANGUAGES:
        with speaking(code):
            text, claim, word = (
                wording.result((key,), found, "2 s"),
                wording._(CLAIMS[key].sentence),
                wording._(words),
            )
        assert claim in text
        assert text.endswith(f"{word}.")


@given(states=some_ends)
def test_how_far_a_run_is_counts_the_claims_that_are_over(states):
    for text in sentences(lambda: wording.progress(KEYS, outcome(states), "2 min")):
        assert sorted(numbers_in(text)) == sorted([len(states), len(KEYS), 2])


@given(guesses=st.dictionaries(st.sampled_from(KEYS), st.sampled_from([None, *wording.GUESSES])), states=some_ends)
def test_predictions_count_where_there_is_a_verdict(guesses, states):
    right, judged = verdict.num_right(guesses, {key: end(key, state) for key, state in states.items()})
    pairs = [(guess, states[key]) for key, guess in guesses.items() if guess and states.get(key) in wording.GUESSES]
    assert judged == len(pairs)
    assert right == sum(guess == state for guess, state in pairs)
