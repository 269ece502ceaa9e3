"""Each step of the tutorial: its words, its film, its code and its answer."""

import ast
import html
import json
import re
import subprocess
import sys
from itertools import product
from pathlib import Path

import nbformat
import numpy as np
import pytest

from sgd_tf.recordings import load
from sgd_tf.tutorial import end_view
from sgd_tf.tutorial.answers import KEYS, LETTERS, NONE, tally
from sgd_tf.tutorial.notebook import notebook
from sgd_tf.tutorial.path import STEPS
from sgd_tf.tutorial.plain import SETUP
from sgd_tf.ui import language, menu
from sgd_tf.ui.film import player
from tests.lab import checked, open_app

ROOT = Path(__file__).parents[2]
IDS = [step.key for step in STEPS]
MAX_WORDS = 90

pytestmark = pytest.mark.usefixtures("cluster")  # a step needs no worker, and none starts


def settings(step):
    """Every choice of values of a step's controls."""
    return list(product(*(control.options for control in step.controls)))


def tracks(value):
    """Every track in the data of a film."""
    if isinstance(value, dict):
        if set(value) == {"track"}:
            yield value["track"]
        for each in value.values():
            yield from tracks(each)
    elif isinstance(value, (list, tuple)):
        for each in value:
            yield from tracks(each)


def test_the_steps_are_in_the_order_of_their_answers():
    assert [key for key in KEYS if key in IDS] == IDS
    assert all(step.right in step.options for step in STEPS)
    assert all(set(step.options) <= set(LETTERS) for step in STEPS)


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_a_step_has_at_most_90_words(step):
    for code in language.LANGUAGES:
        texts = language.sections(ROOT / f"pages/tutorial/{step.key}.{code}.md")
        assert len(" ".join(texts.values()).split()) <= MAX_WORDS


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_a_film_has_a_value_for_each_of_its_frames(step):
    for values in settings(step):
        film = step.film(*values)
        sent = player.data(film, dark=False)
        assert film.frames >= 3
        assert {len(track) for track in tracks(sent)} <= {film.frames}
        assert not re.search(r"\bnan\b", str(sent["captions"]))


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_the_code_has_3_to_8_lines_of_plain_tensorflow(step):
    for values in settings(step):
        code = step.code(*values)
        ast.parse(code)
        assert 3 <= len(code.splitlines()) <= 8
        assert "sgd_tf" not in code
        assert max(map(len, code.splitlines())) <= 88


def test_the_code_of_all_steps_runs_without_the_package():
    cells = [step.code(*(control.default for control in step.controls)) for step in STEPS]
    program = "\n".join([f"import sys\nsys.modules['sgd_tf'] = None\n{SETUP}", *cells])
    program = re.sub(r"epochs=\d+", "epochs=1", program)  # that it runs is the claim
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("code", list(language.LANGUAGES))
@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_each_answer_is_judged_kept_in_the_address_and_explained(step, code):
    for letter in step.options:
        app = open_app(code, page=f"pages/tutorial/{step.key}.py", answers=as_text({step.key: letter}))
        judged = app.success if letter == step.right else app.warning
        assert len(app.success) + len(app.warning) == len(judged) == 1
        assert not re.search(r"\bnan\b|–(?!\d)|\binf\b|\{", judged[0].value)
    other = next(iter(step.options))
    checked(app.radio(key=f"answer_{step.key}").set_value(other).run())
    assert app.query_params["answers"] in (as_text({step.key: other}), [as_text({step.key: other})])


@pytest.mark.parametrize("step", STEPS, ids=IDS)
def test_the_deeper_page_is_on_the_menu(step):
    for values in settings(step):
        assert step.deeper(*values).page in menu.TITLES


def test_answers_are_counted():
    assert tally(["a", "b", None], ["a", "c", "a"]) == (2, 1)


def test_nonsense_in_the_address_is_no_answer():
    app = open_app("en", page=f"pages/tutorial/{STEPS[0].key}.py", answers="xyz")
    assert not app.success
    assert not app.warning


def test_the_notebook_has_the_settings_and_code_of_every_step():
    titled = [(step.key, step, tuple(list(control.options)[-1] for control in step.controls)) for step in STEPS]
    cells = nbformat.reads(notebook(titled), as_version=4).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert code[1:] == [SETUP.rstrip(), *(step.code(*values) for _title, step, values in titled)]
    assert "sgd_tf" not in "".join(code)


def as_text(given):
    return "".join(given.get(key, NONE) for key in KEYS)


@pytest.mark.parametrize("code", list(language.LANGUAGES))
def test_the_end_counts_the_answers_and_leads_to_those_that_were_wrong(code):
    given = {step.key: step.right for step in STEPS}
    app = open_app(code, page="pages/tutorial/your_turn.py", answers=as_text(given))
    assert str(len(STEPS)) in app.success[0].value
    for step in STEPS[:2]:
        given[step.key] = "a" if step.right != "a" else "b"
    app = open_app(code, page="pages/tutorial/your_turn.py", answers=as_text(given))
    assert str(len(STEPS) - 2) in app.info[0].value
    app = open_app(code, page="pages/tutorial/your_turn.py")
    assert len(app.info) == 1


def test_the_rate_that_counts_as_right_is_the_nearest_to_the_recorded_one():
    step = next(step for step in STEPS if step.key == "updates_per_second")
    recorded = load("flights").data["all"]
    rate = recorded["updates"][-1] / recorded["seconds"][-1]
    offered = {letter: float(text.removeprefix("About ").replace(",", "")) for letter, text in step.options.items()}
    assert min(offered, key=lambda letter: abs(np.log(offered[letter] / rate))) == step.right


def test_the_minibatch_does_not_fit_whole_and_fits_in_each_number_of_parts():
    recorded = load("memory").data
    step = next(step for step in STEPS if step.key == "memory_limit")
    assert recorded["whole"]["131072"]["bytes"] > recorded["limit"]
    assert all(recorded["parts"][parts]["bytes"] < recorded["limit"] for (parts,) in settings(step))


@pytest.mark.parametrize("code", ["ko", "en"])
def test_the_file_to_keep_has_words_answers_code_and_films_of_all_steps_and_fetches_nothing(code):
    end_view._page.cache_clear()
    app = open_app(code, page="pages/tutorial/your_turn.py")
    assert app.get("download_button")[1].proto.label.endswith(("included", "하나로"))
    values = tuple(tuple(control.default for control in step.controls) for step in STEPS)
    assert end_view._page.cache_info().currsize == 1
    page = end_view._page(ROOT / "pages/tutorial", code, values)
    assert end_view._page.cache_info().hits == 1  # what the page has made
    assert f'<html lang="{code}">' in page
    assert not re.search(r"https?://(?!www\.w3\.org/)|\bimport\(|\bfetch\(|\\(text|lceil)", page)
    data = json.loads(re.search(r'id="films">(.+?)</script>', page)[1])
    assert [film["frames"] for film in data["films"]] == [
        step.film(*chosen).frames for step, chosen in zip(STEPS, values, strict=True)
    ]
    for step, chosen in zip(STEPS, values, strict=True):
        assert f'<section id="{step.key}">' in page
        assert html.escape(step.code(*chosen)) in page
        assert html.escape(language.catalogue(code).gettext(step.options[step.right]), quote=False).replace(
            "`", ""
        ) in re.sub("</?code>", "", page)
