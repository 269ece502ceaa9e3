"""The soak's own judge: what it takes for a lost run and for a wrong message, and how it counts."""

import os
import random
import signal
import subprocess
import sys

import judge
import psutil
import pytest
import soak
import tally
from judge import Part
from learners import Learner
from streamlit.proto.Block_pb2 import Block
from streamlit.proto.Element_pb2 import Element

from sgd_tf.ui.language import LANGUAGES, catalogue
from sgd_tf.ui.progress import FAILURES

DONE = Part("progress", "All of it is there.", value=100)
LOST_TWICE = Part("alert", FAILURES["worker lost"], "ERROR")
OUTAGE = Part("alert", FAILURES["no cluster"].format(reason="exit status -9"), "WARNING")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", FAILURES)
def test_each_failure_of_the_lab_is_known_in_each_language(language, kind):
    text = catalogue(language).gettext(FAILURES[kind]).format(reason="ValueError: 3 (4)", names="digits")
    assert judge.failure_kind(text) == kind
    assert judge.failure_kind(f"{text} (ValueError: 1)") == kind


def test_elements_are_read_from_streamlits_messages():
    alert, bar, film, box, error = Element(), Element(), Element(), Block(id="$$ID-0a-noise_law_results"), Element()
    alert.alert.body, alert.alert.format = "No.", 2
    bar.progress.text, bar.progress.value = "Half", 50
    film.slider.id, film.slider.max = "$$ID-0a-film_job", 1.02
    error.exception.type, error.exception.message = "KeyError", "'k'"
    assert judge.parts_of([alert, bar, film, box, error]) == [
        Part("alert", "No.", "WARNING"),
        Part("progress", "Half", value=50),
        Part("slider", "film_job", value=1.02),
        Part("block", "noise_law_results"),
        Part("exception", "KeyError: 'k'"),
    ]


@pytest.mark.parametrize(
    ("part", "num_kills", "is_kill_recent", "is_wrong"),
    [
        (DONE, 0, False, False),
        (Part("exception", "OverflowError: int too large"), 9, True, True),
        (Part("markdown", "Traceback (most recent call last): …"), 9, True, True),
        (Part("alert", "k = 5,000 is taken as N = 1,437.", "WARNING"), 0, False, False),
        (Part("alert", FAILURES["memory"], "ERROR"), 2, True, True),
        (Part("alert", "Something else went wrong.", "ERROR"), 2, True, True),
        (LOST_TWICE, 0, False, True),
        (LOST_TWICE, 1, True, True),  # a run whose worker dies begins again once
        (LOST_TWICE, 2, True, False),
        (OUTAGE, 1, True, False),
        (OUTAGE, 1, False, True),
    ],
)
def test_a_message_is_wrong_unless_kills_explain_it(part, num_kills, is_kill_recent, is_wrong):
    wrong = judge.wrong_messages([DONE, part], num_kills=num_kills, is_kill_recent=is_kill_recent)
    assert wrong == ([f"{part.kind}: {part.text}"] if is_wrong else [])


@pytest.mark.parametrize(
    ("parts", "ending"),
    [
        ([DONE], "finished"),
        ([Part("progress", "Half", value=50)], "lost"),
        ([Part("progress", "Ready when you are: press Run.")], "lost"),
        ([Part("progress", "준비되었습니다. 실행을 누르세요.")], "lost"),
        ([Part("slider", "film_job", value=1.01)], "finished"),
        ([Part("slider", "film_job", value=0.4)], "lost"),
        ([LOST_TWICE], "failed"),
    ],
)
def test_a_run_is_lost_when_its_page_shows_neither_an_end_nor_a_failure(parts, ending):
    assert judge.ending(parts) == ending


def test_an_answer_without_a_button_is_there_unless_it_has_failed():
    film = Part("progress", "Epoch 0 of 3", value=0)
    assert judge.answer([film]) == "finished"
    assert judge.answer([film, LOST_TWICE]) == "failed"


def test_what_a_run_of_a_page_has_not_drawn_again_is_gone():
    learner = Learner("ws://127.0.0.1/_stcore/stream")
    learner.elements = dict.fromkeys([(0, 0), (0, 1), (0, 2), (0, 3)])
    learner._fragments = {(0, 0): "", (0, 1): "", (0, 2): "picture", (0, 3): "picture"}
    learner._drawn, learner._redrawn = {(0, 2)}, frozenset(["picture"])
    learner._forget_stale()
    assert set(learner.elements) == {(0, 0), (0, 1), (0, 2)}
    learner._drawn, learner._redrawn = {(0, 0)}, frozenset()
    learner._forget_stale()
    assert set(learner.elements) == {(0, 0)}


def test_a_run_with_results_of_its_own_is_finished_when_they_stand_there():
    assert judge.ending([DONE], "noise_law_results") == "lost"
    assert judge.ending([DONE, Part("block", "noise_law_results")], "noise_law_results") == "finished"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_race_that_has_begun_again_is_seen(language):
    text = catalogue(language).gettext("Started again") + " · 3 s"
    assert judge.has_begun_again([Part("progress", text)])
    assert not judge.has_begun_again([DONE])


def test_each_nonsense_is_nonsense_to_some_setting_and_each_choice_is_a_value():
    settings = [setting for place in soak.PLACES for setting in place.settings]
    assert all(any(soak.is_nonsense(setting, text) for setting in settings) for text in soak.NONSENSE)
    for place in soak.PLACES:
        for setting in place.settings:
            options = [*place.choices.get(setting.key, ()), *filter(None, [place.address.get(setting.key)])]
            for option in options:
                assert not any(
                    soak.is_nonsense(setting, text) for text in ([option] if isinstance(option, str) else option)
                )


def test_an_address_names_its_nonsense_and_keeps_what_makes_the_run_short():
    draw = random.Random(0)
    visits = [(place, *soak.address_of(place, draw)) for place in soak.PLACES for _ in range(20)]
    assert 0 < sum(bool(fuzzed) for *_, fuzzed in visits) < len(visits)
    for place, query, fuzzed in visits:
        assert all(f"{key}={text}" in query for key, text in place.address.items())
        assert all(f"{key}=" in query for key in fuzzed)


def test_events_are_counted_by_ten_minutes():
    notes = tally.Notes()
    notes.events = [(5.0, "finished"), (500.0, "wrong"), (600.0, "finished"), (900.0, "cut")]
    notes.samples = [tally.Sample(300.0 * i, i, 200.0 + i, 900.0, 21 + i, 2.0) for i in range(4)]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in tally.table(notes).splitlines()]
    by_head = [dict(zip(rows[0], row, strict=True)) for row in rows[2:]]
    columns = ["minutes", "finished / begun again", "wrong", "worker killed / cluster killed / cut", "server, MB"]
    assert [[row[column] for column in columns] for row in by_head] == [
        ["0–10", "1 / 0", "1", "0 / 0 / 0", "200 → 201"],
        ["10–15", "1 / 0", "0", "0 / 0 / 1", "202 → 203"],
        ["all", "2 / 0", "1", "0 / 0 / 1", "200 → 203"],
    ]


def test_what_grows_is_counted_per_run_and_what_is_left_behind_is_named():
    notes = tally.Notes()
    notes.samples = [tally.Sample(900.0 * i, 4 * i, 200.0 + 2 * i, 900.0, 21 + i, 2.0) for i in range(9)]
    server, workers, descriptors, left = tally.summary(notes, [])
    assert server == ("Server, per run: 0.500 MB from start to end; after the first third 0.500 MB, 8.0 MB an hour.")
    assert workers == "Workers, per run: 0.000 MB from start to end."
    assert descriptors == "Descriptors of the server: 21 at the start, 29 at the end, 0.250 per run."
    assert left == "Left behind after the server's end: nothing."
    assert tally.summary(notes, ["process 7: python"])[-1] == "Left behind after the server's end: process 7: python."


def test_processes_and_files_that_outlive_the_server_are_found_and_the_processes_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(soak, "END_SECONDS", 0.0)
    watch = soak.Watch(os.getpid(), tmp_path)
    assert watch.left_behind() == []
    (tmp_path / "sgd-tf-jobs-1").mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        watch.seen.add(psutil.Process(child.pid))
        process, folder = watch.left_behind()
        assert process.startswith(f"process {child.pid}: ")
        assert folder == "in the temporary folder: sgd-tf-jobs-1"
        assert child.wait() == -signal.SIGKILL
    assert watch.left_behind() == [folder]
