"""A number that an experiment measures: the bounds that make it a condition, what comes of them, how it is written."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, get_args

from sgd_tf.words import N_

# "met" and "missed" decide; the others leave the condition open.
Outcome = Literal["met", "missed", "too few seeds", "runs disagree", "no number"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
MIN_SEEDS = 3  # fewest seeds that decide what differs from seed to seed
RAISED = str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻")
MAX_MORE_DIGITS = 20  # a float has 17

MARKS: dict[Outcome | None, str] = {None: "·", "met": "✓", "missed": "✗"}  # None: no condition; "?" for the rest
OPEN_WORDS: dict[Outcome, str] = {
    "too few seeds": N_("undecided: fewer than {n} seeds"),
    "runs disagree": N_("undecided: the runs disagree"),
    "no number": N_("undecided: a run diverged or did not reach the target"),
}


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A number that an experiment measures; with a bound it is a condition.

    Raises:
        ValueError: if a bound is not finite, or the lower one is above the upper one.

    >>> ratio = Measure(name="ratio", title="Loss of GD as a multiple of that of SGD", at_least=1.0)
    >>> ratio.is_met(2.0), ratio.is_met(0.5), ratio.is_met(float("nan"))
    (True, False, False)
    """

    name: str
    title: str  # in English
    form: str = ".3g"  # how it is written, with more digits where the comparison needs them: .3g, .1e, ,.0f, .1%
    at_least: float | None = None
    at_most: float | None = None

    def __post_init__(self) -> None:
        for name, bound in (("at_least", self.at_least), ("at_most", self.at_most)):
            if bound is not None and not math.isfinite(bound):
                raise ValueError(f"`{name}` must be a finite number or None; received {bound!r}.")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"`at_least` must not be above `at_most`; received {self.at_least!r} > {self.at_most!r}.")

    @property
    def is_condition(self) -> bool:
        """Whether the verdict depends on it."""
        return self.at_least is not None or self.at_most is not None

    def is_met(self, value: float) -> bool:
        """Whether a value keeps to the bounds; NaN does not."""
        low = -math.inf if self.at_least is None else self.at_least
        high = math.inf if self.at_most is None else self.at_most
        return low <= value <= high

    def outcome(self, values: Sequence[float], *, num_seeds: int, is_exact: bool) -> Outcome:
        """What comes of the condition.

        Args:
            values: of the runs, or one of all; NaN where there is no number.
            num_seeds: of the runs.
            is_exact: whether one run that misses the bound is enough. If not, the runs must agree: the condition is
                met if all of at least three seeds meet it, and missed if none does.

        >>> Measure(name="n", title="Repeats", at_most=0).outcome([0, 1], num_seeds=2, is_exact=True)
        'missed'
        >>> ratio = Measure(name="ratio", title="Ratio", at_least=1)
        >>> [ratio.outcome(values, num_seeds=3, is_exact=False) for values in ([2, 3, 4], [2, 0.5, 4])]
        ['met', 'runs disagree']
        """
        is_met = [self.is_met(value) for value in values if not math.isnan(value)]
        if is_exact and not all(is_met):
            return "missed"
        if not is_exact and num_seeds < MIN_SEEDS:
            return "too few seeds"
        if not is_met or len(is_met) < len(values):
            return "no number"
        if all(is_met):
            return "met"
        return "runs disagree" if any(is_met) else "missed"

    def worst(self, values: Sequence[float]) -> float:
        """The value that is farthest on the wrong side of the bounds; NaN where there is none.

        >>> Measure(name="n", title="Repeats", at_least=1, at_most=1).worst([1, 3, 0.5])
        3
        """
        return max((value for value in values if not math.isnan(value)), key=self._excess, default=math.nan)

    def _excess(self, value: float) -> float:
        excess = [0.0] if not self.is_condition else []
        excess += [self.at_least - value] if self.at_least is not None else []
        excess += [value - self.at_most] if self.at_most is not None else []
        return max(excess)

    def text(self, value: float) -> str:
        """A value as it is written: with so many digits that its comparison with the bounds can be read off.

        >>> Measure(name="share", title="Share", form=".1%").text(0.367)
        '36.7%'
        >>> Measure(name="difference", title="Difference", form=".1e").text(2.04e-8)
        '2 · 10⁻⁸'
        >>> [Measure(name="ratio", title="Ratio", at_most=1.05).text(value) for value in (1.0496, 1.0504)]
        ['1.05', '1.0504']
        """
        if not math.isfinite(value):
            return "–" if math.isnan(value) else "∞" if value > 0 else "-∞"
        exact = _exact(value)
        return _shortest(exact, self.form, lambda number: self._sides(number) == self._sides(exact))

    def _sides(self, number: Decimal) -> tuple[bool, bool]:
        """The comparisons with the bounds."""
        return (
            self.at_least is None or number >= _exact(self.at_least),
            self.at_most is None or number <= _exact(self.at_most),
        )

    def range_text(self, values: Sequence[float]) -> str:
        """The lowest and the highest value, or the one that all are.

        >>> Measure(name="ratio", title="Ratio", at_least=1).range_text([2.0, 0.25, float("nan")])
        '0.25 … 2'
        """
        known = [value for value in values if not math.isnan(value)] or [math.nan]
        return " … ".join(dict.fromkeys((self.text(min(known)), self.text(max(known)))))

    def bound(self, translate: Callable[[str], str] = str) -> str:
        """What is asked of the number, in words, with all digits of the bounds and no more; empty where nothing is.

        >>> Measure(name="n", title="Repeats", at_least=0, at_most=0).bound()
        'exactly 0'
        """
        low, high = (
            None if bound is None else _shortest(_exact(bound), self.form, _exact(bound).__eq__, is_short=True)
            for bound in (self.at_least, self.at_most)
        )
        if low is not None and self.at_least == self.at_most:
            return translate(N_("exactly {bound}")).format(bound=low)
        words = [] if low is None else [translate(N_("at least {bound}")).format(bound=low)]
        words += [] if high is None else [translate(N_("at most {bound}")).format(bound=high)]
        return ", ".join(words)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """A measure with what was found."""

    measure: Measure
    values: tuple[float, ...]  # of the runs, or one of all; NaN: no number
    outcome: Outcome | None  # None where it is no condition

    @property
    def mark(self) -> str:
        """✓ met, ✗ missed, ? open, · no condition."""
        return MARKS.get(self.outcome, "?")

    def text(self) -> str:
        """The number as it is written: that of the worst run; where the runs disagree, the lowest and the highest."""
        if self.outcome == "runs disagree":
            return self.measure.range_text(self.values)
        return self.measure.text(self.measure.worst(self.values))

    def condition(self, translate: Callable[[str], str] = str) -> str:
        """What was asked, and why it is open if it is; empty where nothing was asked.

        >>> ratio = Measure(name="ratio", title="Ratio", at_least=1)
        >>> Measured(measure=ratio, values=(2.0,), outcome="too few seeds").condition()
        'at least 1; undecided: fewer than 3 seeds'
        """
        words = [self.measure.bound(translate)] if self.outcome else []
        words += [translate(OPEN_WORDS[self.outcome]).format(n=MIN_SEEDS)] if self.outcome in OPEN_WORDS else []
        return "; ".join(words)


def _exact(number: float) -> Decimal:
    """The decimal number that Python writes for a float: 0.05 and not the binary fraction next to it."""
    return Decimal(repr(float(number)))


def _shortest(exact: Decimal, form: str, is_enough: Callable[[Decimal], bool], *, is_short: bool = False) -> str:
    """A number with the digits of its form, and as many more as are needed; or with as few as are enough."""
    fewest = 1 if form.endswith("g") else 0
    for more in range(fewest - _digits(form) if is_short else 0, MAX_MORE_DIGITS):
        number, text = _rounded(exact, form, more)
        if is_enough(number):
            break
    return text


def _rounded(exact: Decimal, form: str, more: int) -> tuple[Decimal, str]:
    """A number with the digits of its form and some more, and how it is written."""
    kind, is_percent = form[-1], form.endswith("%")
    scaled = 100 * exact if is_percent else exact
    digits = _digits(form) + more
    size = scaled.adjusted()  # 2 of 345.6
    num_significant = {"e": digits + 1, "g": digits}.get(kind)
    is_tiny = size < -4 if num_significant else more > 4  # of a fixed number of decimals none may show anything
    if scaled and (size >= 9 or is_tiny):
        mantissa, exponent = f"{scaled:.{max(0, (num_significant or digits) - 1)}e}".split("e")
        number = Decimal(f"{mantissa}e{exponent}")
        text = f"{_stripped(mantissa)} · 10{str(int(exponent)).translate(RAISED)}"
    elif num_significant:
        decimals = max(0, num_significant - 1 - size) if scaled else 0
        text = _stripped(f"{scaled:,.{decimals}f}")
        number = Decimal(text.replace(",", ""))
    else:
        text = f"{scaled:,.{digits}f}"
        number = Decimal(text.replace(",", ""))
    if not number:
        text = text.removeprefix("-")
    return (number / 100, f"{text}%") if is_percent else (number, text)


def _digits(form: str) -> int:
    return int(form.strip(",.%efg"))


def _stripped(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text
