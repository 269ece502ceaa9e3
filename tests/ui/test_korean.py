"""Claims about particles: they follow the reading of the name or number that is filled in."""

import io

import pytest
from babel.messages import Catalog, mofile
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.ui import korean, language
from sgd_tf.ui.korean import particle

OBJECTS = [  # each with its particle as a Korean reader says it
    *("0을", "1을", "2를", "3을", "4를", "5를", "6을", "7을", "8을", "9를"),
    *("10을", "256을", "300을", "1,000을", "1,437을", "4,096을", "10,000을", "131,072를", "1,000,000을"),
    *("100,000,000을", "1,000,000,000,000를", "0.05를", "1.10을", "1.33을", "-2.5를", "−3을", "1e-05을", "10⁻⁸을"),
    *("GD를", "SGD를", "CNN을", "MLP를", "GPU를", "N을", "k를", "m을", "l을", "R을", "γ를", "λmax를"),
    *("k = 32를", "GD (k = 1,437)를", "**k = 64**를", "‘모두 같게’를", "경사하강법을", "손글씨 숫자를"),
    *("90%를", "95 %를", "1.8×를", "3초를", "1.5s를", "5 MB를", "float32를", "Adam을", "model을", "Keras를"),
]
DIRECTIONS = ["1로", "3으로", "6으로", "7로", "8로", "10으로", "16으로", "1,437로", "N으로", "R로", "목표로", "물로"]


@pytest.mark.parametrize("text", OBJECTS)
def test_an_object_takes_the_particle_of_its_reading(text):
    assert particle(text[:-1], "을") == text[-1]


@pytest.mark.parametrize("text", DIRECTIONS)
def test_a_word_that_ends_with_r_takes_the_short_form_of_direction(text):
    word = text.removesuffix("로").removesuffix("으")
    assert word + particle(word, "으로") == text


@pytest.mark.parametrize(("form", "other"), korean.PARTICLES.items())
def test_every_particle_has_a_form_after_a_consonant_and_one_after_a_vowel(form, other):
    assert particle("256", form) == form
    assert particle("32", form) == other


SMALL = "영일이삼사오육칠팔구"


def reading(number):
    """A whole number below 100,000,000 in Hangul."""
    if number >= 10_000:
        return reading(number // 10_000) + "만" + (reading(number % 10_000) if number % 10_000 else "")
    for power, name in ((1000, "천"), (100, "백"), (10, "십")):
        if number >= power:
            return SMALL[number // power] + name + (reading(number % power) if number % power else "")
    return SMALL[number]


@given(st.integers(0, 99_999_999), st.sampled_from(sorted(korean.PARTICLES)))
def test_a_number_in_figures_takes_the_particle_of_the_number_in_words(number, form):
    assert particle(f"{number:,}", form) == particle(f"{number}", form) == particle(reading(number), form)


@given(st.text(), st.sampled_from(sorted(korean.PARTICLES)))
def test_any_name_takes_one_of_the_two_forms(name, form):
    assert particle(name, form) in (form, korean.PARTICLES[form])


def test_a_message_is_filled_in_with_its_particles():
    message = korean.with_particles("**{name}**{은} {seconds}초, {other}{은} {{k}}{을} 넘습니다.")
    assert message.format(name="k = 32", seconds=3, other="CNN") == "**k = 32**는 3초, CNN은 {k}를 넘습니다."


def test_a_name_with_braces_stays_as_it_is():
    assert korean.with_particles("{name}{이}").format(name="{x} 열") == "{x} 열이"


def test_a_catalogue_hands_out_messages_that_take_particles():
    written = Catalog("ko")
    written.add("{k} wins", "{k}{이} 이겼습니다")
    compiled = io.BytesIO()
    mofile.write_mo(compiled, written)
    compiled.seek(0)
    assert language.Catalogue(compiled).gettext("{k} wins").format(k=256) == "256이 이겼습니다"
