"""Numbers with bounds: what is printed says the comparison that was made, on a terminal, on the page, in the files."""

import math
import re
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sgd_tf.claims import wording
from sgd_tf.claims.measures import Measure, Measured
from sgd_tf.ui import language

FORMS = (".3g", ".1e", ".0f", ",.0f", ".0%", ".1%", ".2%")
RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻", "0123456789-")
NUMBER = r"-?[\d,]+(?:\.\d+)?(?: · 10[⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+)?%?|-?∞"
WORDS = {
    "en": {"at_least": rf"at least ({NUMBER})", "at_most": rf"at most ({NUMBER})", "exactly": rf"exactly ({NUMBER})"},
    "ko": {"at_least": rf"({NUMBER}) 이상", "at_most": rf"({NUMBER}) 이하", "exactly": rf"정확히 ({NUMBER})"},
}
finite = st.floats(allow_nan=False, allow_infinity=False)


def read(text):
    """The number that a reader sees."""
    if "∞" in text:
        return Decimal(text.replace("∞", "Infinity"))
    digits = text.replace(",", "").removesuffix("%").replace(" · 10", "e").translate(RAISED)
    return Decimal(digits) / (100 if text.endswith("%") else 1)


def comparison_read(line, code):
    """What a reader makes of "… : <number> (<bound>, <bound>)"; whether the number keeps to its bounds."""
    number, asked = re.fullmatch(rf".*: \**({NUMBER})\** \((.*)\)", line).groups()
    value, found = read(number), {}
    for kind, pattern in WORDS[code].items():
        if match := re.search(pattern, asked):
            found[kind] = read(match[1])
    assert found
    low, high = (found.get(kind, found.get("exactly")) for kind in ("at_least", "at_most"))
    return (low is None or value >= low) and (high is None or value <= high)


@st.composite
def bounded(draw):
    """A measure with one or two bounds, and a value that often lies close to one of them."""
    low, high = draw(st.sampled_from([(True, False), (False, True), (True, True)]))
    first, second = sorted((draw(finite | st.sampled_from([0.0, 1.0, 1.05, 0.01, 1e-5])), draw(finite)))
    if draw(st.booleans()):
        second = first
    measure = Measure(
        name="x",
        title="X",
        form=draw(st.sampled_from(FORMS)),
        at_least=first if low else None,
        at_most=second if high else None,
    )
    near = [bound * (1 + draw(st.floats(-1e-2, 1e-2))) for bound in (first, second)]
    steps = [math.nextafter(bound, side) for bound in (first, second) for side in (-math.inf, math.inf)]
    return measure, draw(st.sampled_from([*near, *steps, first, second, math.inf, -math.inf]) | finite)


@given(case=bounded())
@example(case=(Measure(name="x", title="X", at_most=1.05), 1.0504))
@example(case=(Measure(name="x", title="X", form=".0f", at_most=0), 1e-300))
@example(case=(Measure(name="x", title="X", form=".1%", at_least=0), -1e-5))
def test_the_comparison_that_is_printed_is_the_one_that_was_made(case):
    measure, value = case
    is_met = measure.is_met(value)
    found = Measured(measure=measure, values=(value,), outcome="met" if is_met else "missed")
    on_terminal = f"{found.mark} {measure.title}: {found.text()} ({found.condition()})"
    assert comparison_read(on_terminal, "en") == is_met
    assert len(on_terminal) < 120
    for code in language.LANGUAGES:
        translate = language.catalogue(code).gettext
        line = f"{measure.title}: **{found.text()}** ({found.condition(translate)})"
        assert comparison_read(line, code) == is_met


def test_the_page_prints_what_the_terminal_prints(monkeypatch):
    found = Measured(measure=Measure(name="x", title="X", at_most=1.05), values=(1.0504,), outcome="missed")
    for code, line in (("en", ":red[✗] X: **1.0504** (at most 1.05)"), ("ko", ":red[✗] X: **1.0504** (1.05 이하)")):
        monkeypatch.setattr(wording, "_", language.catalogue(code).gettext)
        assert wording.condition(found) == line


@pytest.mark.parametrize(
    ("form", "value", "text"),
    [
        (".3g", 999.9, "1,000"),
        (".3g", 1234.5, "1,234"),
        (".3g", -math.inf, "-∞"),
        (".3g", math.nan, "–"),
        (".1e", 0.0, "0"),
        (".1e", 2.04e-8, "2 · 10⁻⁸"),
        (".1%", -0.0004, "0.0%"),
        (",.0f", 12_345.6, "12,346"),
    ],
)
def test_a_number_without_bounds_has_the_digits_of_its_form(form, value, text):
    assert Measure(name="x", title="X", form=form).text(value) == text


def test_the_words_of_a_bound_hold_all_digits_of_its_number_and_no_more():
    assert Measure(name="x", title="X", form=".1%", at_most=0.05).bound() == "at most 5%"
    assert Measure(name="x", title="X", form=".1%", at_least=0, at_most=0).bound() == "exactly 0%"
    assert Measure(name="x", title="X", form=".1e", at_most=1e-5).bound() == "at most 1 · 10⁻⁵"
    assert Measure(name="x", title="X", at_most=1.05).bound() == "at most 1.05"
    assert Measure(name="x", title="X", form=".0%", at_most=0.055).bound() == "at most 5.5%"
    assert Measure(name="x", title="X", at_least=1, at_most=2).bound() == "at least 1, at most 2"
    assert Measure(name="x", title="X", at_least=1).bound({"at least {bound}": "{bound} 이상"}.get) == "1 이상"
    assert Measure(name="x", title="X").bound() == ""


@pytest.mark.parametrize(
    ("bounds", "message"),
    [
        ({"at_least": math.nan}, "`at_least` must be a finite number or None; received nan"),
        ({"at_most": math.inf}, "`at_most` must be a finite number or None; received inf"),
        ({"at_least": 2.0, "at_most": 1.0}, "`at_least` must not be above `at_most`; received 2.0 > 1.0"),
    ],
)
def test_bounds_that_no_number_can_keep_are_refused(bounds, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        Measure(name="x", title="X", **bounds)
