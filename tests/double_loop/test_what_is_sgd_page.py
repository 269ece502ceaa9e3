"""The page "What is SGD?" in both languages: the player on a recorded run, the predictions, the calculator."""

import functools
import gc
import json
import re
import subprocess
import sys
from dataclasses import replace

import pytest

from sgd_tf import problems
from sgd_tf.double_loop import controls, exercise, player, rows
from sgd_tf.double_loop.playback import Playback
from sgd_tf.double_loop.rows import DoubleLoopPlan, Turn
from sgd_tf.jobs import JobFailure
from sgd_tf.jobs.rows import codec
from sgd_tf.ui import runs
from tests.lab import APP, LANGUAGES, FakeCluster, checked, open_app

PAGE = "pages/learn/what_is_sgd.py"
PLAN = DoubleLoopPlan(problem="digits", num_examples=24, batch_size=6, num_epochs=3, learning_rate=0.2)


@functools.cache
def recorded(plan=PLAN):
    """The rows of a worker, recorded once for all tests."""
    return list(rows.record_double_loop(plan))


def turns(way):
    """The updates of a run, from number 0."""
    return [row for row in recorded() if isinstance(row, Turn) and row.way == way]


class RecordedCluster(FakeCluster):
    """Each job is done as soon as it is submitted, with real rows."""

    def submit(self, function, *arguments, **options):
        job = super().submit(function, *arguments, **options)
        assert function is rows.record_double_loop
        job.rows, job.status = recorded(*arguments), "done"
        return job


class Clock:
    seconds = 1_000.0

    def __call__(self):
        return self.seconds


@pytest.fixture(autouse=True)
def cluster(monkeypatch):
    fake = RecordedCluster()
    monkeypatch.setattr(runs, "connect", lambda: fake)
    runs._answers.clear()
    yield fake
    runs._answers.clear()


@pytest.fixture
def clock(monkeypatch):
    fake = Clock()
    monkeypatch.setattr(player, "clock", fake)
    return fake


@pytest.fixture(scope="module", autouse=True)
def frozen():
    """Streamlit collects garbage after each run of a script, which takes a third of a second beside TensorFlow."""
    recorded()  # imports it
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def open_page(language="en", **address):
    return open_app(language, page=PAGE, **address)


def press(app, name, times=1):
    for _ in range(times):
        checked(app.button(key=f"loop_{name}").click().run())
    return app


def go(app, position):
    """Put the player at a position, as its buttons do, and draw the whole page."""
    app.session_state["loop_position"] = position
    return checked(app.run())


def narration(app):
    (text,) = [
        m.value
        for m in app.markdown
        if re.match(r"\*\*(Before|Epoch|Draw|Forward|Loss|Gradient|Update|The end)", m.value)
    ]
    return text


def legend(app):
    (text,) = [m.value for m in app.markdown if "yellow-background" in m.value and "waiting" in m.value]
    return [
        int(number.replace(",", "")) for number in re.findall(r"[\d,]+(?= training| in the mini| used| waiting)", text)
    ]


def orders(app):
    (text,) = [m.value for m in app.markdown if "Order of epoch" in m.value]
    found = {}
    for epoch, groups in re.findall(r"Order of epoch (\d+):\*\* (.*?)\]?(?=  \n|$)", text):
        found[int(epoch)] = [[int(i) for i in re.findall(r"\d+", group)] for group in groups.split("|")]
    return found


def drawn(way, epoch):
    return [turn.indices for turn in turns(way) if turn.update and turn.epoch == epoch]


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_opens_with_gradient_descent_before_its_first_line(cluster, language):
    app = open_page(language)
    assert app.subheader[0].value == {"ko": "SGD란 무엇일까?", "en": "What is SGD?"}[language]
    assert app.button(key="loop_play").label == {"ko": "재생", "en": "Play"}[language]
    assert not app.button(key="loop_step").disabled
    assert app.button(key="loop_back").disabled
    assert app.segmented_control(key="sgd_way").value == "gd"
    assert not cluster.jobs  # the run of these settings is recorded


def test_gradient_descent_uses_all_samples_for_the_one_update_of_an_epoch():
    app = open_page(sgd_at="2")
    assert "GD takes all 24 samples at once" in narration(app)
    assert legend(app) == [24, 24, 0, 0]
    go(app, 6)
    assert narration(app).startswith("**Update 1:**")
    press(app, "step")
    assert narration(app).startswith("**Epoch 1 is over:** all 24 samples were used, for a single update")
    assert legend(app) == [24, 0, 24, 0]


def test_an_epoch_of_sgd_draws_what_the_pipeline_drew_until_all_are_used():
    app = press(open_page(sgd_way="sgd"), "step")
    assert narration(app).startswith("**Epoch 1 begins:**")
    for iteration in range(4):
        go(app, 2 + 5 * iteration)
        assert narration(app).startswith("**Draw:**")
        assert legend(app) == [24, 6, 6 * iteration, 24 - 6 * (iteration + 1)]
        assert orders(app)[1] == drawn("sgd", 0)[: iteration + 1]
    press(app, "step", 5)
    assert "All 24 were used exactly once, in 4 iterations" in narration(app)
    assert legend(app) == [24, 0, 24, 0]
    press(app, "step")
    assert "all 24 samples are available again, and a new random order is drawn" in narration(app)
    assert legend(app) == [24, 0, 0, 24]
    press(app, "step")
    assert orders(app) == {1: drawn("sgd", 0), 2: drawn("sgd", 1)[:1]}


def test_the_numbers_of_a_step_are_those_of_the_recorded_update():
    app = open_page(sgd_way="sgd", sgd_at="4")
    run = turns("sgd")
    assert f"the mean is {run[1].loss:.3g}" in narration(app)
    press(app, "step")
    assert f"Length {run[1].gradient_norm:.3g}." in narration(app)
    press(app, "step")
    assert f"Loss over all 24: {run[0].train_loss:.3g} → {run[1].train_loss:.3g}." in narration(app)


def test_back_shows_what_was_there_before():
    def shown():
        return narration(app), legend(app), orders(app)

    app = open_page(sgd_way="sgd", sgd_at="20")
    seen = []
    for _ in range(5):  # over the end of the epoch
        seen.append(shown())
        press(app, "step")
    for before in reversed(seen):
        press(app, "back")
        assert shown() == before


def test_by_iteration_a_step_is_an_update_or_the_end_of_an_epoch():
    app = open_page(sgd_way="sgd", loop_unit="iteration", sgd_at="8")
    begins = []
    for _ in range(4):
        press(app, "step")
        begins.append(narration(app).split(":")[0])
    assert begins == ["**Update 2", "**Update 3", "**Update 4", "**Epoch 1 is over"]


def test_the_next_epoch_and_the_start_are_one_press_away():
    app = press(open_page(sgd_way="sgd"), "next", 2)
    assert narration(app).startswith("**Epoch 2 begins:**")
    press(app, "next", 2)
    assert "Updates: 4 × 3 = 12." in narration(app)
    assert app.button(key="loop_step").disabled
    assert app.button(key="loop_next").disabled
    press(app, "rewind")
    assert narration(app).startswith("**Before the first line")


def test_play_takes_one_step_each_time_that_it_is_due_and_pause_stays(clock):
    app = press(open_page(sgd_way="sgd"), "play")
    assert app.button(key="loop_play").label == "Pause"
    assert player.SECONDS["normal"] == 0.8
    places = [app.session_state["loop_position"]]
    for seconds in (0.1, 0.8, 0.8, 0.2, 0.8):
        clock.seconds += seconds
        checked(app.run())
        places.append(app.session_state["loop_position"])
    assert places == [1, 1, 2, 3, 3, 4]
    press(app, "play")
    assert app.button(key="loop_play").label == "Play"
    clock.seconds += 60
    app.run()
    assert app.session_state["loop_position"] == 4


def test_play_ends_at_the_end_and_begins_anew_from_there(clock):
    last = Playback(num_examples=24, batch_size="all", num_epochs=3).last
    app = press(open_page(sgd_at=str(last - 2)), "play")
    clock.seconds += 1
    checked(app.run())
    assert app.session_state["loop_position"] == last
    assert app.button(key="loop_play").label == "Play"
    press(app, "play")
    assert app.session_state["loop_position"] == 1


@pytest.mark.usefixtures("clock")
def test_a_step_while_it_plays_pauses_it():
    app = press(open_page(), "play")
    press(app, "step")
    assert app.button(key="loop_play").label == "Play"
    assert app.session_state["loop_position"] == 2


def test_a_pause_is_in_the_address_and_the_next_step_takes_it_out(clock):
    app = press(open_page(sgd_way="sgd"), "play")
    clock.seconds += 1
    press(app.run(), "play")
    assert checked(app).query_params["sgd_at"] == "2"
    press(app, "step")
    assert "sgd_at" not in app.query_params


def test_a_link_opens_at_its_moment():
    app = open_page(sgd_way="sgd", sgd_at="8")
    assert legend(app) == [24, 6, 6, 12]
    assert app.session_state["loop_position"] == 8
    assert open_page(sgd_at="99999").session_state["loop_position"] == 22  # 3 epochs of 7 steps, and the end


def test_another_k_is_another_film(cluster):
    app = open_page(sgd_way="sgd", sgd_at="8")
    app.segmented_control(key="sgd_k").set_value(10).run()
    assert checked(app).session_state["loop_position"] == 0
    assert cluster.jobs[-1].arguments == (replace(PLAN, batch_size=10),)
    assert legend(go(app, 2 + 5 + 5)) == [24, 4, 20, 0]


def test_both_ways_are_one_recording(cluster):
    app = open_page(sgd_seed="1")
    app.segmented_control(key="sgd_way").set_value("sgd").run()
    assert not checked(app).segmented_control(key="sgd_k").disabled
    assert len(cluster.jobs) == 1


@pytest.mark.parametrize(("guess", "right"), [("4", True), ("6", False)])
def test_the_prediction_is_judged_by_the_recorded_epoch_when_it_is_over(guess, right):
    app = open_page(sgd_way="sgd")
    app.pills(key="sgd_prediction").set_value(guess).run()
    go(app, 21)
    assert not app.success
    assert not app.warning
    go(app, 22)
    why = "Updates of epoch 1: ⌈24/6⌉ = 4."
    assert [e.value for e in app.success] == ([f"**Right: 4.** {why}"] if right else [])
    wrong = f"**Not so: you expected “6”, the run says “4”.** {why}"
    assert [e.value for e in app.warning] == ([] if right else [wrong])


def test_a_prediction_is_of_one_run():
    app = open_page()
    app.pills(key="sgd_prediction").set_value("24").run()
    app.segmented_control(key="sgd_way").set_value("sgd").run()
    assert checked(app).pills(key="sgd_prediction").value is None


def test_of_gradient_descent_the_epoch_makes_one_update():
    app = open_page()
    app.pills(key="sgd_prediction").set_value("24").run()
    press(app, "next", 2)
    assert [e.value for e in app.warning] == [
        "**Not so: you expected “24”, the run says “1”.** Updates of epoch 1: ⌈24/24⌉ = 1."
    ]


def test_order_and_visits_are_judged_when_the_player_has_shown_them():
    app = open_page(sgd_way="sgd")
    app.pills(key="sgd_same").set_value("same").run()
    app.pills(key="sgd_visits").set_value("epochs").run()
    assert {"Play to the end of epoch 2.", "Play to the end."} <= {caption.value for caption in app.caption}
    press(app, "next", 3)
    assert [e.value for e in app.warning] == [
        "**Not so: you expected “The same order”, the run says “A new order”.** "
        "Epoch 2 drew the same samples in another order than epoch 1."
    ]
    press(app, "next")
    assert [e.value for e in app.success] == [
        "**Right: Exactly once in each epoch.** Draws of sample 12 in each epoch: 1, 1, 1."
    ]


def test_of_gradient_descent_each_iteration_uses_each_sample():
    app = open_page()
    app.pills(key="sgd_visits").set_value("all").run()
    press(app, "next", 4)
    assert [e.value for e in app.success] == [
        "**Right: In every iteration.** Draws of sample 12 in each epoch: 1, 1, 1."
    ]


def test_one_epoch_has_no_second_order():
    app = open_page(sgd_epochs="1")
    app.pills(key="sgd_same").set_value("new").run()
    press(app, "next", 2)
    assert any("This run has one epoch only" in caption.value for caption in app.caption)


def test_the_words_have_the_numbers_of_the_run_once_an_epoch_was_played():
    app = open_page(sgd_way="sgd", sgd_k="10")
    assert set(app.table[0].value["In this run"]) == {"?"}  # or the table would answer the prediction
    press(app, "next", 2)
    press(app, "rewind")
    assert app.table[0].value["In this run"].to_dict() == {
        "Minibatch": "10 of 24 samples, the last one 4",
        "Iteration": "3 in each epoch",
        "Epoch": "3",
        "Update": "3 × 3 = 9",
    }


def test_both_runs_are_compared_by_their_updates_and_losses_once_one_was_played():
    def compared(app):
        return [m.value for m in app.markdown if "with GD, **" in m.value]

    gd, sgd = (turns(way)[-1].train_loss for way in ("gd", "sgd"))
    app = open_page()
    assert compared(app) == []
    (text,) = compared(press(app, "next", 4))
    assert "Updates: **3** with GD, **12** with SGD" in text
    assert f"→ {gd:.3g} with GD" in text
    assert f"→ {sgd:.3g} with SGD" in text


@pytest.mark.parametrize(
    ("n", "k", "epochs", "numbers"),
    [
        (20_640, 256, 4_000, ["81", "324,000", "160"]),
        (24, 6, 3, ["4", "12", "6"]),
        (1_000_000, 1, 1, ["1,000,000", "1,000,000", "1"]),
        (100, 256, 2, ["1", "2", "100"]),
    ],
)
def test_the_calculator_counts_as_by_hand(n, k, epochs, numbers):
    app = open_page(count_n=str(n), count_k=str(k), count_epochs=str(epochs))
    assert [metric.value for metric in app.metric] == numbers
    (formula,) = [element.value for element in app.markdown if "lceil" in element.value]
    assert f"\\mathbf{{{numbers[1].replace(',', '{,}')}}}" in formula
    assert any("is taken as N" in caption.value for caption in app.caption) == (k > n)


def test_the_calculator_follows_its_controls_and_the_address_them():
    app = open_page()
    assert [metric.value for metric in app.metric] == ["81", "324,000", "160"]
    app.number_input(key="count_k").set_value(512).run()
    assert [metric.value for metric in checked(app).metric] == ["41", "164,000", "160"]
    assert app.query_params["count_k"] == "512"


@pytest.mark.parametrize("way", rows.WAYS)
@pytest.mark.parametrize("data", controls.DATA.options)
def test_all_data_can_be_played_to_the_end(way, data):
    app = open_page("ko", sgd_way=way, sgd_data=data, sgd_at="5")
    press(app, "step", 2)
    press(app, "next", 3)
    assert app.button(key="loop_step").disabled


@pytest.mark.parametrize(("data", "n"), [("digits", 1437), ("line", 2000), ("spirals", 300)])
def test_many_samples_are_drawn_too_and_k_stays_within_what_can_be_recorded(cluster, data, n):
    app = open_page(sgd_way="sgd", sgd_data=data, sgd_n=str(n), sgd_k="512" if n > 512 else "256")
    (job,) = cluster.jobs
    assert legend(go(app, 2))[:2] == [n, job.arguments[0].batch_size]
    chips = [int(option.removeprefix("k = ")) for option in app.segmented_control(key="sgd_k").options]
    assert all(-(-n // k) * 3 <= controls.MAX_UPDATES for k in chips)


def test_other_data_bring_their_own_n_and_learning_rate(cluster):
    app = open_page(sgd_n="100", sgd_rate="0.7")
    assert cluster.jobs[-1].arguments == (replace(PLAN, num_examples=100, learning_rate=0.7),)
    app.segmented_control(key="sgd_data").set_value("spirals").run()
    assert checked(app)
    assert cluster.jobs[-1].arguments == (replace(PLAN, problem="spirals", num_examples=60, learning_rate=0.5),)


@pytest.mark.parametrize(
    "address",
    [
        {"sgd_way": "adam", "sgd_data": "moon", "loop_speed": "warp", "loop_unit": "x"},
        {"sgd_k": "0", "sgd_n": "-5", "sgd_epochs": "1e9", "sgd_rate": "nan", "sgd_seed": "-1"},
        {"sgd_at": "-3", "count_n": "0", "count_k": "inf", "count_epochs": "two"},
    ],
)
def test_nonsense_in_the_address_gives_the_defaults(cluster, address):
    app = open_page(**address)
    assert not cluster.jobs  # the run of the defaults is recorded
    assert [metric.value for metric in app.metric] == ["81", "324,000", "160"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_as_long_as_the_run_is_recorded_nothing_can_be_played(monkeypatch, language):
    waiting = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: waiting)
    app = open_page(language, sgd_seed="1")
    assert all(app.button(key=f"loop_{name}").disabled for name in ("play", "back", "step", "next", "rewind"))
    assert [metric.value for metric in app.metric] == ["81", "324,000", "160"]
    waiting.jobs[0].failure, waiting.jobs[0].status = JobFailure("memory", ""), "failed"
    (message,) = [element.value for element in checked(app.run()).error]
    assert any("가" <= letter <= "힣" for letter in message) == (language == "ko")


def test_the_page_imports_no_tensorflow(tmp_path):
    file = tmp_path / "rows.json"
    write = codec(rows.record_double_loop).write
    file.write_text(json.dumps([write(row) for row in recorded()]))
    code = f"""
import json, sys
from unittest.mock import patch
from sgd_tf.jobs.rows import codec
from sgd_tf.ui import runs
from tests.lab import FakeCluster, open_app
class Recorded(FakeCluster):
    def submit(self, function, *arguments, **options):
        job = super().submit(function, *arguments, **options)
        job.rows, job.status = [codec(function).read(row) for row in json.load(open({str(file)!r}))], "done"
        return job
recorded = Recorded()
with patch.object(runs, "connect", lambda: recorded):
    app = open_app(page={PAGE!r})
assert not app.button(key="loop_step").disabled
print([name for name in ("tensorflow", "keras", "sklearn") if name in sys.modules])
"""
    root = APP.removesuffix("app.py")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True, check=False, cwd=root
    )
    assert done.stdout.strip().splitlines()[-1:] == ["[]"], done.stderr[-2000:]


def test_the_loop_that_a_learner_puts_together_is_held_against_the_real_one():
    app = open_page()
    right, pieces = exercise.solution(), exercise.pieces()
    for line in right:
        press_key(app, f"sgd_piece_{pieces.index(line.text)}")
    assert app.radio(key="sgd_program_at").options[0].strip("`") == right[0].text
    (message,) = [e.value for e in app.warning]
    assert message.startswith(f"Line 2, “{right[1].text}”, comes there, but not at this indentation.")
    for at, line in enumerate(right):
        app.radio(key="sgd_program_at").set_value(at).run()
        for _ in range(line.level):
            press_key(app, "sgd_program_more")
    assert [e.value for e in app.success] == ["All 8 lines are right: this is the double loop."]
    press_key(app, "sgd_program_up")  # the last line
    (message,) = [e.value for e in app.warning]
    assert message.startswith(f"Line 7, “{right[7].text}”, does not come there.")
    press_key(app, "sgd_program_remove")
    assert "Right so far: 7 of 8 lines." in [caption.value for caption in app.caption]


def press_key(app, key):
    checked(app.button(key=key).click().run())


def test_the_data_of_the_page_are_known():
    assert set(controls.DATA.options) == set(controls.USUAL) <= set(problems.CATALOGUE)
