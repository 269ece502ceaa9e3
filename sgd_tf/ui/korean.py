"""Korean particles after a name or a number that is filled in: 32를 but 256을, GD로 but CNN으로.

A message of the Korean catalogue marks the particle in its form after a consonant, in braces of its own:
"{name}{은} {seconds}초". `str.format` of such a message puts in the form that fits the reading of what stands
before the mark.
"""

from __future__ import annotations

import re

# form after a final consonant: form after a vowel
PARTICLES = {
    "은": "는",
    "이": "가",
    "을": "를",
    "과": "와",
    "으로": "로",
    "이나": "나",
    "이라": "라",
    "이라면": "라면",
    "이고": "고",
    "이었": "였",
}
MARK = re.compile(r"\{(" + "|".join(PARTICLES) + r")\}")

FIRST, LAST, NUM_FINALS = "가", "힣", 28  # Hangul syllables; 28 finals each, the first of them none
NONE, RIEUL = 0, 8  # finals: none, ㄹ

DIGITS = "영일이삼사오육칠팔구"
# what a whole number with so many zeros at its end ends with
POWERS = {0: "", 1: "십", 2: "백", 3: "천", 4: "만", 8: "억", 12: "조", 16: "경"}
LETTERS = dict(zip("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "이비시디이프지치이이이엘엠엔오피큐알스티유이유스이지", strict=True))
UNITS = {"s": "초", "ms": "초", "kB": "트", "MB": "트", "GB": "트"}  # MB is read 메가바이트, not as two letters
WORDS = {"Adam": "담", "ε": "론"}  # other signs end with a vowel: γ, λ, %, ×, ∞
ENDINGS = {"l": "엘", "m": "엠", "n": "엔", "ng": "응"}  # of words like Keras and model; others end with a vowel

NUMBER = re.compile(r"(?P<whole>\d[\d,]*)(?:\.(?P<decimals>\d+))?$")
EXPONENT = re.compile(r"(\de[+-]?\d+|[⁰¹²³⁴-⁹])$")  # 1e-05 and 10⁻⁸ are read "… 제곱"
WORD = re.compile(r"[A-Za-z]+$")
BRACKET = re.compile(r"(?<=\S)\s*\([^()]*\)$")  # GD (k = 1,437) goes by GD
NOT_READ = "*_`'\"’”」』>$ "  # Markdown and quotation marks


class Message(str):
    """A message with marks of particles; `format` puts them in."""

    def format(self, *args: object, **values: object) -> str:
        """The message with its fields and particles filled in."""
        text = MARK.sub(r"{{\1}}", self).format(*args, **values)
        return MARK.sub(lambda mark: particle(text[: mark.start()], mark[1]), text)


def with_particles(text: str) -> str:
    """A message of the catalogue, as a `Message` where it marks particles."""
    return Message(text) if MARK.search(text) else text


def particle(word: str, form: str) -> str:
    """The form of a particle that fits after a word.

    Args:
        word: text that ends with the word.
        form: the particle as it is after a consonant, a key of PARTICLES.

    >>> [f"{k}{particle(k, '을')}" for k in ("32", "1,437", "131,072", "1.33", "256")]
    ['32를', '1,437을', '131,072를', '1.33을', '256을']
    >>> [f"{name}{particle(name, '으로')}" for name in ("GD", "CNN", "8", "10", "GD (k = 10)", "90%")]
    ['GD로', 'CNN으로', '8로', '10으로', 'GD (k = 10)로', '90%로']
    """
    final = final_consonant(word)
    vowel = final == NONE or (final == RIEUL and form == "으로")
    return PARTICLES[form] if vowel else form


def final_consonant(word: str) -> int:
    """Index of the consonant at the end of a word as it is read; 0 where it ends with a vowel."""
    syllable = last_syllable(word)
    return (ord(syllable) - ord(FIRST)) % NUM_FINALS if FIRST <= syllable <= LAST else NONE


def last_syllable(word: str) -> str:
    """The syllable that a word ends with when it is read, or one with the same final; "" where it is unknown."""
    word = word.rstrip(NOT_READ)
    while shorter := BRACKET.sub("", word).rstrip(NOT_READ):
        if shorter == word:
            break
        word = shorter
    word = word.rstrip(NOT_READ + ")]")
    if EXPONENT.search(word):
        return "곱"
    if number := NUMBER.search(word):
        return syllable_of_number(**number.groupdict())
    if latin := WORD.search(word):
        return syllable_of_latin(latin[0])
    return WORDS.get(word[-1:], word[-1:])


def syllable_of_number(whole: str, decimals: str | None) -> str:
    """The last syllable of a number as it is read, digit by digit after the point."""
    if decimals:
        return DIGITS[int(decimals[-1])]
    figures = whole.replace(",", "")
    if not figures.strip("0"):
        return DIGITS[0]
    zeros = len(figures) - len(figures.rstrip("0"))
    power = max(num for num in POWERS if num <= zeros)
    return POWERS[power] or DIGITS[int(figures[-1])]


def syllable_of_latin(word: str) -> str:
    """The last syllable of a word in Latin letters: its letters are spelled out where it is an abbreviation."""
    if known := UNITS.get(word) or WORDS.get(word):
        return known
    if len(word) == 1 or word.isupper():
        return LETTERS[word[-1].upper()]
    return next((syllable for ending, syllable in ENDINGS.items() if word.endswith(ending)), "")
