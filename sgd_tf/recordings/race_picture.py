"""The recorded race as a small picture that moves: an SVG with CSS animation, which asks nobody while it plays.

One tile stands for 32 samples: gradient descent sends all 45 through the model for one update, SGD one. The times of
updates and the accuracies are those of the recording, slowed down until SGD reaches the target.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sgd_tf.charts.style import (
    BACKGROUND,
    DRAWN,
    FONT,
    FULL_BATCH,
    GRID,
    MUTED_TEXT,
    TEXT,
    batch_size_color,
)
from sgd_tf.problems import CATALOGUE
from sgd_tf.recordings.races import TARGET

K = 32  # batch size of SGD, and samples that a tile stands for
FILM, HOLD = 8.0, 3.0  # seconds until SGD is at the target, and until the film begins again
WIDTH, HEIGHT, LANE = 640, 292, 132
COLUMNS, STEP, SIDE = 9, 18, 15  # of the tiles
LEFT, TOP = 12, 36  # corner of the tiles in a lane
MODEL = (268, 24, 92, 98)  # left, top, width, height in a lane
TRACK, LENGTH = 384, 224  # of the accuracies, from 0 to 1
FLIGHT = 0.35  # seconds of a tile on its way
LAYERS = ((288, (44, 62, 80, 98)), (314, (53, 71, 89)), (340, (62, 80)))  # x, and y of each unit
DARK_BEGIN, DARK_END = "@media (prefers-color-scheme: dark) {", "} /* dark */"


def svg(data: dict[str, Any]) -> str:
    """The picture, in the reader's choice of light or dark, still where less motion is asked for.

    Args:
        data: of the recording "race".
    """
    race = Race.of(data)
    lanes = [_lane("gd", 0, race.gd), _lane("sgd", LANE, race.sgd)]
    rules = [rule for lane in lanes for rule in lane.rules] + _clock_rules()
    parts = [part for lane in lanes for part in lane.parts]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" '
            f'height="{HEIGHT}">',
            f"<style>{_colors(False)}{DARK_BEGIN} {_colors(True)}{DARK_END}",
            f"text {{ font-family: {FONT}; fill: var(--text) }} .m {{ fill: var(--muted) }}",
            f".a {{ animation: {FILM + HOLD:g}s linear infinite }} .s {{ animation-timing-function: step-end }}",
            "@media (prefers-reduced-motion: reduce) { .a { animation: none !important } }",
            *rules,
            "</style>",
            *parts,
            *_clock(race.finish),
            "</svg>\n",
        ]
    )


def themed(picture: str, *, dark: bool) -> str:
    """The picture for a page of that look, whatever the reader's system prefers.

    >>> themed("a" + DARK_BEGIN + "b" + DARK_END + "c", dark=False)
    'ac'
    """
    before, rest = picture.split(DARK_BEGIN)
    inside, after = rest.split(DARK_END)
    return before + (inside if dark else "") + after


@dataclass(frozen=True, kw_only=True)
class Runner:
    """One of the two, until the finish."""

    k: int
    num_samples: int  # N
    updates: Sequence[float]  # moment of each update, as a share of the time to the finish
    moments: Sequence[float]  # of the measurements, as such a share
    accuracies: Sequence[float]

    @property
    def num_tiles(self) -> int:
        """Tiles of K samples that stand for all."""
        return math.ceil(self.num_samples / K)


@dataclass(frozen=True, kw_only=True)
class Race:
    """What the picture shows of a recording."""

    finish: float  # seconds of training until SGD is at the target
    gd: Runner
    sgd: Runner

    @classmethod
    def of(cls, data: dict[str, Any]) -> Race:
        """The race of a recording, until SGD is at the target."""
        sgd = data[str(K)]
        finish = next(s for s, a in zip(sgd["seconds"], sgd["accuracies"], strict=True) if a >= TARGET)
        num = CATALOGUE["digits"].num_examples
        return cls(finish=finish, gd=_runner(data["all"], num, num, finish), sgd=_runner(sgd, K, num, finish))


def _runner(run: dict[str, Any], k: int, num_samples: int, finish: float) -> Runner:
    seconds, updates = run["seconds"], run["updates"]
    seen = [i for i, second in enumerate(seconds) if second <= finish]
    last = next((u for s, u in zip(seconds, updates, strict=True) if s >= finish), updates[-1])
    times = [_between(updates, seconds, update) / finish for update in range(1, last + 1)]
    return Runner(
        k=k,
        num_samples=num_samples,
        updates=[time for time in times if time <= 1],
        moments=[seconds[i] / finish for i in seen],
        accuracies=[run["accuracies"][i] for i in seen],
    )


def _between(xs: Sequence[float], ys: Sequence[float], x: float) -> float:
    """Linear interpolation.

    >>> _between([0, 2, 4], [0, 1, 5], 3)
    3.0
    """
    place = max(next(i for i, each in enumerate(xs) if each >= x), 1)
    share = (x - xs[place - 1]) / (xs[place] - xs[place - 1])
    return ys[place - 1] + share * (ys[place] - ys[place - 1])


@dataclass(frozen=True, kw_only=True)
class Lane:
    """Rules of the animation, and what is drawn."""

    rules: list[str]
    parts: list[str]


def _lane(name: str, top: int, runner: Runner) -> Lane:
    tiles = _block(runner) if name == "gd" else _stream(runner)
    counts, bar = _counts(name, runner), _bar(name, runner)
    words = f"k = N = {runner.num_samples:,}" if name == "gd" else f"k = {runner.k}"
    x, y, w, h = MODEL
    head = [
        f'<g transform="translate(0 {top})">',
        f'<text x="{LEFT}" y="24" font-size="22" font-weight="700" style="fill: var(--{name})">{name.upper()}</text>',
        f'<text x="{LEFT + (38 if name == "gd" else 50)}" y="24" font-size="19" class="m">{words}</text>',
        *_slots(runner.num_tiles),
    ]
    model = [
        f'<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="10" fill="var(--back)" stroke="var(--{name})" '
        'stroke-width="2"/>',
        *_network(name),
    ]
    rules = tiles.rules + counts.rules + bar.rules
    return Lane(rules=rules, parts=head + tiles.parts + model + counts.parts + bar.parts + ["</g>"])


def _slots(num: int) -> list[str]:
    squares = "".join(f"M{x} {y}h{SIDE}v{SIDE}h-{SIDE}z" for x, y in map(_corner, range(num)))
    return [f'<path d="{squares}" fill="none" stroke="var(--grid)"/>']


def _corner(tile: int) -> tuple[int, int]:
    return LEFT + STEP * (tile % COLUMNS), TOP + STEP * (tile // COLUMNS)


def _network(name: str) -> list[str]:
    lines = "".join(
        f"M{x0} {y0}L{x1} {y1}" for (x0, ys), (x1, zs) in itertools.pairwise(LAYERS) for y0 in ys for y1 in zs
    )
    units = "".join(f'<circle cx="{x}" cy="{y}" r="5.5"/>' for x, ys in LAYERS for y in ys)
    return [f'<path d="{lines}" stroke="var(--muted)" fill="none"/>', f'<g style="fill: var(--{name})">{units}</g>']


def _block(runner: Runner) -> Lane:
    """All tiles go into the model at once, once for each update."""
    stops = []
    before = 0.0
    far = MODEL[0] - LEFT + 4
    for end in runner.updates:
        start, arrive = before + 0.25 * (end - before), before + 0.95 * (end - before)
        stops += [(before, "transform: none; opacity: 0"), (start, "transform: none; opacity: 1")]
        stops += [(arrive, f"transform: translateX({far}px); opacity: 1")]
        stops += [(end - 1e-4, f"transform: translateX({far}px); opacity: 0")]
        before = end
    stops += [(before, "transform: none; opacity: 0"), (1.02, "transform: none; opacity: 1")]
    squares = "".join(f"M{x} {y}h{SIDE}v{SIDE}h-{SIDE}z" for x, y in map(_corner, range(runner.num_tiles)))
    clip = f'<clipPath id="c"><rect x="0" y="0" width="{MODEL[0] + 4}" height="{LANE}"/></clipPath>'
    block = f'<g clip-path="url(#c)"><path class="a" style="animation-name: all" d="{squares}" fill="{DRAWN}"/></g>'
    return Lane(rules=[_keyframes("all", stops)], parts=[clip, block])


def _stream(runner: Runner) -> Lane:
    """One tile for each update; none comes twice in an epoch; a new order in each epoch."""
    num, rng = runner.num_tiles, random.Random(0)
    stops: dict[int, list[tuple[float, str]]] = {tile: [] for tile in range(num)}
    x, y = MODEL[0] + 4, MODEL[1] + MODEL[3] / 2 - SIDE / 2
    for first in range(0, len(runner.updates), num):
        epoch = runner.updates[first : first + num]
        begin = runner.updates[first - 1] if first else 0.0
        for tile, arrive in zip(rng.sample(range(num), num), epoch, strict=False):
            left, top = _corner(tile)
            behind = f"translate: {x - left}px {y - top:g}px"  # of the model, until the epoch is over
            stops[tile] += [(begin, "translate: 0"), (max(arrive - FLIGHT / FILM, begin), "translate: 0")]
            stops[tile] += [(arrive, behind), (epoch[-1] - 1e-4, behind)]
            if first + num < len(runner.updates):
                stops[tile].append((epoch[-1], "translate: 0"))
    rules = [_keyframes(f"t{tile}", found) for tile, found in stops.items()]
    tiles = [
        f'<rect class="a" style="animation-name: t{tile}; {found[-1][1]}" x="{left}" y="{top}" width="{SIDE}" '
        f'height="{SIDE}"/>'
        for tile, found in stops.items()
        for left, top in [_corner(tile)]
    ]
    return Lane(rules=rules, parts=[f'<g fill="{DRAWN}">', *tiles, "</g>"])


def _counts(name: str, runner: Runner) -> Lane:
    """The number of updates, by ones or by tens."""
    num = len(runner.updates)
    shown = sorted({*range(0, num, 1 if num < 20 else 10), num})
    rules, parts = [], []
    for place, count in enumerate(shown):
        begin = runner.updates[count - 1] if count else 0.0
        end = runner.updates[shown[place + 1] - 1] if count < num else 9.0
        stops = [(0.0, f"opacity: {0 if count else 1}"), (begin, "opacity: 1"), (end, "opacity: 0")]
        rules.append(_keyframes(f"{name}{count}", stops))
        rest = "" if count == num else ' opacity="0"'
        parts.append(
            f'<text class="a s" style="animation-name: {name}{count}; fill: var(--{name})" x="{TRACK}" y="50" '
            f'font-size="30" font-weight="700"{rest}>{count}</text>'
        )
    formula = f'<text x="{TRACK + 66}" y="50" font-size="20" class="m">× &#160;w ← w − γg</text>'
    return Lane(rules=rules, parts=[*parts, formula])


def _bar(name: str, runner: Runner) -> Lane:
    """The accuracy on unseen digits on its way to the target."""
    points = list(zip(runner.moments, runner.accuracies, strict=True))
    end = points[-1][1]
    stops = [(moment, f"transform: scaleX({accuracy / end:.4g})") for moment, accuracy in points]
    at, goal = 74, TRACK + TARGET * LENGTH
    flag = "".join(
        f'<rect x="{goal + 6 * i:g}" y="{at - 16 + 6 * j}" width="6" height="6" '
        f'fill="var(--{"text" if (i + j) % 2 else "back"})"/>'
        for i in range(3)
        for j in range(2)
    )
    is_there = end >= TARGET
    look = 'class="a" style="animation-name: flag"' if is_there else 'opacity=".35"'
    wave = _keyframes("flag", [(0.0, "opacity: .35"), (0.999, "opacity: .35"), (1.0, "opacity: 1"), (9, "opacity: 1")])
    parts = [
        f'<rect x="{TRACK}" y="{at}" width="{LENGTH}" height="18" rx="4" fill="var(--grid)"/>',
        f'<rect class="a" style="animation-name: {name}b; transform-origin: {TRACK}px 0; fill: var(--{name})" '
        f'x="{TRACK}" y="{at}" width="{end * LENGTH:.4g}" height="18" rx="4"/>',
        f'<path d="M{goal:g} {at - 16}V{at + 18}" stroke="var(--text)" stroke-width="2"/>',
        f'<g {look} stroke="var(--text)" stroke-width=".5">{flag}</g>',
        f'<text x="{goal:g}" y="{at + 39}" font-size="18" text-anchor="middle" class="m">{TARGET:.0%}</text>',
    ]
    return Lane(rules=[_keyframes(f"{name}b", stops), *([wave] if is_there else [])], parts=parts)


def _clock_rules() -> list[str]:
    return [_keyframes("clock", [(0.0, "transform: scaleX(0)"), (1.0, "transform: none")])]


def _clock(finish: float) -> list[str]:
    """Milliseconds of training: a line that grows."""
    y, right, last = HEIGHT - 24, WIDTH - 66, finish * 1e3
    ticks = "".join(
        f'<text x="{LEFT + (right - LEFT) * ms / last:.4g}" y="{y + 19}" font-size="18" class="m">{ms}</text>'
        for ms in range(math.floor(last) + 1)
    )
    return [
        f'<rect x="{LEFT}" y="{y}" width="{right - LEFT}" height="3" fill="var(--grid)"/>',
        f'<rect class="a" style="animation-name: clock; transform-origin: {LEFT}px 0" x="{LEFT}" y="{y}" '
        f'width="{right - LEFT}" height="3" fill="var(--muted)"/>',
        ticks,
        f'<text x="{right + 8}" y="{y + 6}" font-size="18" class="m">{last:.1f} ms</text>',
    ]


def _keyframes(name: str, stops: Sequence[tuple[float, str]]) -> str:
    """A rule of the animation; moments are shares of the time to the finish, later ones are dropped.

    >>> _keyframes("a", [(0.0, "opacity: 0"), (1.0, "opacity: 1")])
    '@keyframes a { 0% { opacity: 0 } 72.73% { opacity: 1 } 100% { opacity: 1 } }'
    """
    share = FILM / (FILM + HOLD)
    kept = [(100 * share * moment, look) for moment, look in stops if share * moment < 1]
    last = kept[-1][1]
    return f"@keyframes {name} {{ " + " ".join(f"{at:.4g}% {{ {look} }}" for at, look in [*kept, (100, last)]) + " }"


def _colors(dark: bool) -> str:
    table = {"text": TEXT, "muted": MUTED_TEXT, "grid": GRID, "back": BACKGROUND, "gd": FULL_BATCH}
    values = {name: colors[dark] for name, colors in table.items()} | {"sgd": batch_size_color(K, dark=dark)}
    return "svg { " + "; ".join(f"--{name}: {value}" for name, value in values.items()) + " }"
