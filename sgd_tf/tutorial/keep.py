"""The whole tutorial as one HTML file that opens without a network: words, films, answers and code."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from sgd_tf.tutorial.step import Step, Values
from sgd_tf.ui.film import player
from sgd_tf.ui.language import _, current

# Nothing may be fetched, from wherever the file is opened.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:"
STYLE = """
:root { color-scheme: light dark; font: 17px/1.6 "Source Sans Pro", "Noto Sans KR", system-ui, sans-serif; }
body { margin: 0; background: #fff; color: #171717; }
main { max-width: 50rem; margin: 0 auto; padding: 1.5rem 1rem 4rem; }
section { padding-top: 2rem; border-top: 1px solid #c9cad3; margin-top: 3rem; }
h1, h2 { line-height: 1.25; }
pre.code { overflow-x: auto; padding: .8rem; border-radius: 8px; background: #f4f4f7; font: 14px/1.5 monospace; }
details { margin: 1rem 0; padding: .6rem .8rem; border: 1px solid #c9cad3; border-radius: 8px; }
summary { cursor: pointer; }
nav a { display: inline-block; padding: .2rem .6rem .2rem 0; }
a { color: #5e1a88; }
.place { min-height: 320px; margin: 1rem 0; }
.formula { text-align: center; font-family: serif; font-size: 1.15rem; }
@media (prefers-color-scheme: dark) {
  body { background: #0e1117; color: #fafafa; } a { color: #d4acfe; }
  pre.code { background: #262730; } section, details { border-color: #4a4f5c; }
}
"""
# A film plays while it is on the screen.
PLAY = """
const films = JSON.parse(document.getElementById("films").textContent);
const dark = matchMedia("(prefers-color-scheme: dark)");
const ends = new Map();
const watch = new IntersectionObserver((entries) => {
  for (const { target, isIntersecting } of entries) {
    const film = films.films[target.dataset.film];
    if (isIntersecting && !ends.has(target)) {
      const theme = films[dark.matches ? "dark" : "light"];
      ends.set(target, show({ parentElement: target, data: { ...film, theme } }));
    } else if (!isIntersecting && ends.has(target)) {
      ends.get(target)();
      ends.delete(target);
    }
  }
});
document.querySelectorAll(".place").forEach((place) => watch.observe(place));
"""
SIGNS = {r"\lceil": "⌈", r"\rceil": "⌉", r"\times": "×", r"\gamma": "γ", r"\nabla": "∇"}


@dataclass(frozen=True, kw_only=True)
class Chapter:
    """A step with the learner's settings."""

    title: str  # in the learner's language
    prose: str  # Markdown
    step: Step
    values: Values


def page(chapters: Sequence[Chapter]) -> str:
    """The file, in the learner's language.

    Args:
        chapters: in their order.
    """
    title, steps = _("SGD, step by step"), _("Steps")
    intro = _("All steps with the settings that you chose. Films play while they are on the screen.")
    links = "".join(f'<a href="#{each.step.key}">{i}. {_text(each.title)}</a>' for i, each in enumerate(chapters, 1))
    films = [player.data(each.step.film(*each.values), dark=False) for each in chapters]
    for film in films:
        del film["theme"]
    sent = {"films": films} | {name: player.colors(dark=name == "dark") for name in ("light", "dark")}
    data = json.dumps(sent, ensure_ascii=False, separators=(",", ":")).replace("<", r"\u003c")
    folder = resources.files("sgd_tf.ui.film")
    scripts = "".join(folder.joinpath(name).read_text(encoding="utf-8") for name in player.SCRIPTS)
    body = "".join(_section(place, each) for place, each in enumerate(chapters))
    return f"""<!doctype html>
<html lang="{current()}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link rel="icon" href="data:,">
<title>{_text(title)}</title>
<style>{folder.joinpath("index.css").read_text(encoding="utf-8")}{STYLE}</style>
</head>
<body>
<main>
<h1>{_text(title)}</h1>
<p>{_text(intro)}</p>
<nav aria-label="{_text(steps)}">{links}</nav>
{body}
</main>
<script type="application/json" id="films">{data}</script>
<script type="module">
{scripts.replace("export default function", "const show = function")};
{PLAY}</script>
</body>
</html>
"""


def _section(place: int, chapter: Chapter) -> str:
    step, values, show = chapter.step, chapter.values, _("Show the answer")
    right = f"**{_(step.options[step.right])}** {step.explain(*values)}"
    return f"""<section id="{step.key}">
<h2>{place + 1}. {_text(chapter.title)}</h2>
{markdown(chapter.prose)}
<div class="place" data-film="{place}"></div>
{markdown(f"**{_(step.question)}**")}
<details><summary>{_text(show)}</summary>{markdown(right)}</details>
<pre class="code" tabindex="0"><code>{_text(step.code(*values))}</code></pre>
</section>
"""


def _text(words: str) -> str:
    return html.escape(words)


def markdown(text: str) -> str:
    r"""Markdown as HTML; a formula on a line of its own becomes plain signs.

    >>> markdown("$$k = \\lceil N/2 \\rceil$$")
    '<p class="formula">k = ⌈ N/2 ⌉</p>\n'
    >>> markdown("**a** < b")
    '<p><strong>a</strong> &lt; b</p>\n'
    """
    from markdown_it import MarkdownIt

    rendered = str(MarkdownIt("commonmark", {"html": False}).render(text))
    return re.sub(r"<p>\$\$(.+?)\$\$</p>", lambda found: f'<p class="formula">{_plain(found[1])}</p>', rendered)


def _plain(formula: str) -> str:
    formula = re.sub(r"\\text\{(.+?)\}", r"\1", formula)
    for command, sign in SIGNS.items():
        formula = formula.replace(command, sign)
    return formula
