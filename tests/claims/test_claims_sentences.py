"""Sentences that stand on the page of the claims, each against the claims and their experiments."""

import itertools
import re

import pytest

from sgd_tf.claims import rows
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.ui import menu
from tests.lab import standing

pytestmark = pytest.mark.sentences
PAGE = "pages/lab/claims.py"


def test_there_are_18_claims_14_of_them_from_the_chapter():
    standing(
        PAGE, "question", "Here 18 are tested on this machine: 14 from the textbook chapter behind this lab, 4 from"
    )
    groups = [claim.group for claim in CLAIMS.values()]
    assert (groups.count("chapter"), groups.count("elsewhere")) == (14, 4)
    helps = [entry.help for entries in menu.MENU.values() for entry in entries if entry.file == "lab/claims"]
    assert [re.findall(r"\d+", text) for text in helps] == [["18"]]


@pytest.mark.parametrize("key", ["iterations", "without_replacement", "used_up"])
def test_claims_that_are_arithmetic_hold(key):
    standing(PAGE, "notice", "Claims that are arithmetic always hold")
    *_signs, finding = rows.measure(CLAIMS[key], num_seeds=1)
    assert finding.verdict == "holds"


def test_rules_of_thumb_say_what_they_depend_on():
    standing(PAGE, "notice", "“More efficient”, “usually do well” and “generalise worse”")
    spoken = {"efficient": "more efficient", "practical": "usually do well", "generalisation": "generalise worse"}
    for key, words in spoken.items():
        assert words in CLAIMS[key].sentence
        assert not CLAIMS[key].is_exact


@pytest.mark.parametrize(("num_runs", "one_in"), [(3, 4), (10, 512)])
def test_runs_that_go_either_way_agree_by_chance_as_often_as_the_page_says(num_runs, one_in):
    standing(PAGE, "method", "three runs agree by chance one time in four, ten runs one time in 512")
    outcomes = list(itertools.product((True, False), repeat=num_runs))
    assert sum(len(set(outcome)) == 1 for outcome in outcomes) * one_in == len(outcomes)
