"""Axes that stand still: from where to where, linear or logarithmic, and the ticks on them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import altair as alt
import numpy as np

from sgd_tf.charts.style import Domain


@dataclass(frozen=True)
class Axis:
    """What an axis shows, and from where to where."""

    field: str  # column of the table
    domain: Domain | None = None  # values at its beginning and its end; None: from the data
    log: bool = False  # whether it is logarithmic
    title: str = ""  # in the reader's language
    percent: bool = False  # whether the values are shares

    @property
    def ends(self) -> Domain:
        """The domain, where it is known."""
        if self.domain is None:
            raise ValueError(f"`domain` of the axis of {self.field!r} must be (low, high); received None.")
        return self.domain

    def share(self, values: np.ndarray) -> np.ndarray:
        """How far along the axis the values lie: 0 at its beginning, 1 at its end.

        >>> Axis("update", (1, 100), log=True).share(np.array([1, 10, 100])).tolist()
        [0.0, 0.5, 1.0]
        """
        low, high = self.ends
        if self.log:
            return np.log(values / low) / math.log(high / low)
        return (values - low) / (high - low)

    def value(self, share: float) -> float:
        """The value that lies so far along the axis: the inverse of ``share``."""
        low, high = self.ends
        return low * (high / low) ** share if self.log else low + share * (high - low)

    def nearest(self, value: float) -> float:
        """How far along the axis a value lies; of what lies beyond an end, that end."""
        low, high = self.ends
        return float(self.share(np.array([min(max(value, low), high)]))[0])

    def within_reach(self, field: str) -> str:
        """Vega expression of a field, held near the axis.

        A loss of 1e30 is a coordinate that no renderer survives; far outside of the plot all look alike.
        """
        low, high = self.ends
        floor, ceiling = (1e-3 * low, 1e3 * high) if self.log else (51 * low - 50 * high, 51 * high - 50 * low)
        return f"clamp(datum.{field}, {floor!r}, {ceiling!r})"

    def holds(self) -> str:
        """Vega expression of whether a datum lies on the axis."""
        return f"inrange(datum.{self.field}, {list(self.ends)})"

    def ticks(self) -> list[float] | None:
        """Places of the ticks of a logarithmic axis, where Vega would draw all of 1, 2, …, 9; else None.

        >>> Axis("train_loss", (0.03, 2.5), log=True).ticks()
        [0.05, 0.1, 0.2, 0.5, 1.0, 2.0]
        """
        low, high = self.ends
        return log_ticks(self.ends, (1, 2, 5) if high / low <= 1e3 else (1,)) if self.log else None

    def scale(self) -> alt.Scale:
        """The scale with these ends."""
        return scale(self.ends, log=self.log)


def scale(domain: Sequence[float], *, log: bool = False, base: int | None = None) -> alt.Scale:
    """A scale from one end of the domain to the other, whatever the data are.

    >>> scale((1, 8), log=True, base=2).to_dict()
    {'base': 2, 'domain': [1, 8], 'nice': False, 'type': 'log'}
    """
    return alt.Scale(
        type="log" if log else "linear",
        base=base or alt.Undefined,
        domain=list(domain),
        nice=False,
        zero=alt.Undefined if log else False,  # Vega warns about it on a logarithmic axis
    )


def fields(channel: type[Any], *names: str, **options: Any) -> list[Any]:
    """Encodings of several columns on one axis.

    >>> [y.to_dict()["field"] for y in fields(alt.Y, "median", "low", title="Loss")]
    ['median', 'low']
    """
    return [channel(f"{name}:Q", **options) for name in names]


def log_ticks(domain: Domain, digits: Sequence[int] = (1,)) -> list[float]:
    """The numbers d · 10ⁱ between the ends of a logarithmic axis.

    >>> log_ticks((0.5, 200)), log_ticks((0.05, 1), (1, 2, 5))
    ([1.0, 10.0, 100.0], [0.05, 0.1, 0.2, 0.5, 1.0])
    """
    low, high = domain
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{digit}e{decade}") for decade in decades for digit in digits]
    return [tick for tick in ticks if low * (1 - 1e-9) <= tick <= high * (1 + 1e-9)]


def powers_of_four(low: float, high: float) -> list[int]:
    """Batch sizes for the ticks of an axis.

    >>> powers_of_four(0.8, 100)
    [1, 4, 16, 64]
    """
    return [4**power for power in range(11) if low <= 4**power <= high]


def index_ticks(num_examples: int) -> list[int]:
    """Four or five round indices from 0 on.

    >>> index_ticks(100)
    [0, 25, 50, 75]
    """
    steps = [unit * 10**power for power in range(6) for unit in (1, 2.5, 5)]
    step = next(int(step) for step in steps if step >= 1 and step == int(step) and step * 5 > num_examples)
    return list(range(0, num_examples, step))


def small(title: str, **options: Any) -> alt.Axis:
    """An axis in small type, for a small chart."""
    style: dict[str, Any] = {"titleFontSize": 12, "labelFontSize": 11, "titlePadding": 4, "labelOverlap": True}
    return alt.Axis(title=title, **style | {"grid": False} | options)


def look(channel: type[Any], field: str, looks: dict[str, Any], **options: Any) -> Any:
    """An encoding that gives each of a few words its colour, dash or shape, without a legend.

    >>> look(alt.Color, "run", {"GD": "black"}).to_dict()["scale"]
    {'domain': ['GD'], 'range': ['black']}
    """
    kind = "O" if channel in (alt.Size, alt.StrokeWidth) else "N"  # Vega-Lite wants an order where a size is given
    words: dict[str, Any] = {"domain": list(looks), "range": list(looks.values())}
    return channel(f"{field}:{kind}", scale=alt.Scale(**words | options), legend=None)
