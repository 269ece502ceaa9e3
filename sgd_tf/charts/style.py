"""The look of all charts: a page's theme, the colours of light and dark, one colour for each batch size."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar

import numpy as np

from sgd_tf.training.records import check_int

Translate = Callable[[str], str]  # gives a word of a chart in the reader's language
Domain = tuple[float, float]
T = TypeVar("T")

# Colours. The yellow is the book's, kept for drawn samples: it is on no ramp.
DRAWN = "#FFC107"
FULL_BATCH = {False: "#262730", True: "#FAFAFA"}  # gradient descent, by `dark`
BACKGROUND = {False: "#FFFFFF", True: "#0E1117"}
TEXT = {False: "#31333F", True: "#FAFAFA"}
MUTED_TEXT = {False: "#5F6270", True: "#A8ACB8"}
GRID = {False: "#E6E7EB", True: "#2A2E38"}

# From k = 1 to k = 65,536 in equal steps of log k. Hue runs from orange over magenta and violet to blue, the
# way that survives the common kinds of colour blindness; contrast with the background grows with k, from
# 4.6:1 up, towards the neutral of gradient descent. Equal steps of lightness in OKLCH (Björn Ottosson, 2020).
LIGHT_RAMP = "#B95A05 #BC3C1A #AF2843 #9B1B5D #7F1976 #5E1A88 #3F198A #231584 #001376"
DARK_RAMP = "#D16D23 #E36F59 #EE758B #F081B8 #E991E6 #D4ACFE #C5C5FF #C0D8FF #C0E8FE"
RAMP = {False: LIGHT_RAMP.split(), True: DARK_RAMP.split()}
MAX_LOG2_BATCH_SIZE = 16
FONT = "'Source Sans Pro', 'Source Sans', 'Noto Sans KR', 'NanumGothic', system-ui, sans-serif"


def batch_size_color(batch_size: int, *, full_batch: bool = False, dark: bool = False) -> str:
    """The colour of a batch size, the same wherever it is drawn.

    The place on the ramp is log₂(k) / 16, at most 1; gradient descent has a neutral of its own.

    Args:
        batch_size: k, at least 1; all k from 65,536 on have the last colour.
        full_batch: whether the run is gradient descent, k = N.
        dark: whether the page's background is dark.

    Returns:
        "#RRGGBB", with a contrast of at least 4.5:1 to the background.

    Raises:
        ValueError: if ``batch_size`` is out of its range.

    >>> batch_size_color(1), batch_size_color(65_536), batch_size_color(1437, full_batch=True)
    ('#B95A05', '#001376', '#262730')
    """
    batch_size = check_int("batch_size", batch_size, 1)
    if full_batch:
        return FULL_BATCH[dark]
    ramp = np.array([[int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in RAMP[dark]])
    place = min(math.log2(batch_size) / MAX_LOG2_BATCH_SIZE, 1.0) * (len(ramp) - 1)
    rgb = [round(np.interp(place, np.arange(len(ramp)), channel)) for channel in ramp.T]
    return "#{:02X}{:02X}{:02X}".format(*rgb)


def embed_config(*, dark: bool = False) -> dict[str, Any]:
    """Vega-Lite configuration of a single chart, in a notebook or a file.

    >>> embed_config(dark=True)["background"]
    '#0E1117'
    """
    return {
        "background": BACKGROUND[dark],
        "font": FONT,
        "view": {"stroke": None},
        "title": {"color": TEXT[dark], "subtitleColor": MUTED_TEXT[dark]},
        "axis": {
            "labelColor": MUTED_TEXT[dark],
            "titleColor": TEXT[dark],
            "labelFontSize": 12,
            "titleFontSize": 13,
            "titleFontWeight": "normal",
            "gridColor": GRID[dark],
            "domain": False,
            "ticks": False,
        },
    }


@dataclass(frozen=True, kw_only=True)
class Theme:
    """What a page asks of all its charts: background, language and size.

    >>> Theme(dark=True).text
    '#FAFAFA'
    """

    dark: bool = False  # whether the page's background is dark
    translate: Translate = str  # gives a word of a chart in one language, for example `gettext` of a catalogue
    height: int = 360  # height of the whole chart with titles and axes, in px
    width: int | Literal["container"] = "container"  # width of the whole chart, in px
    compact: bool = False  # small type and no subtitle, for several charts side by side

    def of(self, colors: Mapping[bool, T]) -> T:
        """The entry for this background, of a table by `dark`."""
        return colors[self.dark]

    @property
    def background(self) -> str:
        """Colour of the page."""
        return BACKGROUND[self.dark]

    @property
    def text(self) -> str:
        """Colour of text and of marks without a meaning of their own."""
        return TEXT[self.dark]

    @property
    def muted(self) -> str:
        """Colour of what stands back: rules, bands, ticks."""
        return MUTED_TEXT[self.dark]

    @property
    def grid(self) -> str:
        """Colour of grid lines."""
        return GRID[self.dark]

    def color_of(self, batch_size: int, num_examples: int | None = None) -> str:
        """The colour of a batch size k; of k = N that of gradient descent."""
        return batch_size_color(batch_size, full_batch=batch_size == num_examples, dark=self.dark)


LIGHT = Theme()  # theme of a chart in a notebook or a script
