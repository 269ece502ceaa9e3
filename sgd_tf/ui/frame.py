"""The frame around every page: the address, a button that copies it, and words for screen readers."""

from __future__ import annotations

import json
import re

import streamlit as st

from sgd_tf.ui import language, settings
from sgd_tf.ui.language import _

NEW = "is_new_session"  # key in the session
MAX_NAMES, MAX_LETTERS = 5, 40  # keys in one message and letters of each: anybody can write an address

# What the browser does once a page is there. A screen reader learns its language, and a text to watch, for `announce`.
# Streamlit enters each change of the address into the browser's history, and draws the page as it is when the browser
# goes back to an earlier one: a learner who has tried ten batch sizes would press Back ten times for nothing.
IN_THE_BROWSER = """<script>{
document.documentElement.lang = LANGUAGE;
const here = new URL(location);
if (here.searchParams.get("lang") !== LANGUAGE) {
  here.searchParams.set("lang", LANGUAGE);
  history.replaceState(history.state, "", here);
}
if (!document.getElementById("lab_says")) {
  const says = document.createElement("div");
  says.id = "lab_says";
  says.role = "status";
  says.style.cssText = "position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%)";
  document.body.append(says);
  const push = history.pushState.bind(history);
  history.pushState = (state, title, url) =>
    new URL(url, location).pathname === location.pathname
      ? history.replaceState(state, title, url)
      : push(state, title, url);
}
}</script>"""

ANNOUNCE = """<script>{
const says = document.getElementById("lab_says");
if (says && says.textContent !== TEXT) says.textContent = TEXT;
}</script>"""

# Streamlit's colours of code are below 4.5 to 1 on its background, and no theme reaches them. By `dark`: each class of
# token and its colour.
CODE_COLORS = {
    False: {
        "keyword, function, class-name, decorator": "#0B5CAD",
        "number, boolean": "#0F6B5F",
        "string": "#146C2E",
        "operator": "#9A4300",
        "comment, punctuation": "#5A5F70",
    },
    True: {
        "keyword, function, class-name, decorator": "#6CB6FF",
        "number, boolean": "#5FD6C4",
        "string": "#6FD08C",
        "operator": "#F2A65A",
        "comment, punctuation": "#A3A8B8",
    },
}

# Without https a browser has no `navigator.clipboard`: only the older way is left.
COPY_LINK = st.components.v2.component(
    "sgd_tf.copy_link",
    html='<button type="button"><span aria-hidden="true">link</span><b></b></button>',
    css="""
button {
  display: flex; align-items: center; gap: 0.4rem; min-height: 2rem; padding: 0 0.7rem; cursor: pointer;
  font: 0.875rem var(--st-font); color: var(--st-text-color); background: transparent;
  border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius);
}
button:hover, button:focus-visible { color: var(--st-primary-color); border-color: var(--st-primary-color); }
span { font: 1.25rem "Material Symbols Rounded"; }
b { font-weight: inherit; white-space: nowrap; }
@media (max-width: 640px) { b { display: none; } }
""",
    js="""
async function copy(text) {
  const written = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  if (written) return;
  const area = document.createElement("textarea");
  area.value = text;
  document.body.append(area);
  area.select();
  const selected = document.execCommand("copy");
  area.remove();
  if (!selected) throw new Error("not copied");
}
export default function ({ parentElement, data }) {
  const button = parentElement.querySelector("button");
  const show = (icon, text) => {
    [button.children[0].textContent, button.children[1].textContent] = [icon, text];
    button.ariaLabel = text;
  };
  show("link", data.copy);
  button.onclick = async () => {
    const [icon, text] = await copy(location.href).then(() => ["check", data.copied], () => ["error", data.failed]);
    show(icon, text);
    document.getElementById("lab_says").textContent = text;
    setTimeout(() => show("link", data.copy), 2000);
  };
}
""",
)


def begin() -> None:
    """Take the language from the address; call before anything is drawn."""
    st.session_state[NEW] = language.KEY not in st.session_state
    st.session_state.pop(settings.WRITTEN, None)  # a run of the page writes all of it; a fragment adds its own
    if not language.restore():
        settings.refuse(language.KEY)


def header(title: str) -> None:
    """Draw the title of the page, the button that copies its address, and the control of the language."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(title, anchor=False, width="stretch")
        words = {"copy": _("Copy link"), "copied": _("Copied"), "failed": _("Not copied: take the address above")}
        COPY_LINK(key="copy_link", data=words, width="content")
        language.switch()


def end() -> None:
    """Write the language into the address, and say what in it was not taken; call after the page."""
    st.html(f"<style>{_code_style(dark=st.context.theme.type == 'dark')}</style>")
    if not st.session_state[NEW]:  # else the browser does so: a step of Back less
        settings.write(language.KEY, [language.current()])
    script = IN_THE_BROWSER.replace("LANGUAGE", _in_script(language.current()))
    st.html(script, unsafe_allow_javascript=True)
    if names := settings.refused():
        text = _("Not taken from the address: {names}. The usual settings take their place.")
        st.toast(text.format(names=shown(names)), icon=":material/link_off:", duration="long")


def announce(text: str) -> None:
    """Let a screen reader say a text, if it has not just said it.

    Args:
        text: words in the learner's language; marks of Markdown are left out.
    """
    words = re.sub(r"[*`$\\]", "", text)
    st.html(ANNOUNCE.replace("TEXT", _in_script(words)), unsafe_allow_javascript=True)


def _code_style(*, dark: bool) -> str:
    """Colours of code that can be read."""
    return "\n".join(
        f"[data-testid=stCode] code .token.{name} {{ color: {color}; }}"
        for names, color in CODE_COLORS[dark].items()
        for name in names.split(", ")
    )


def _in_script(text: str) -> str:
    r"""A text as JavaScript writes it, which does not end the script.

    >>> _in_script("</script>")
    '"\\u003c/script>"'
    """
    return json.dumps(text).replace("<", r"\u003c")


def shown(names: list[str]) -> str:
    """Keys of an address as a message shows them: the first few, without what Markdown would take for its own.

    >>> shown(["k", "a`b"])
    '`k`, `ab`'
    """
    plain = ["".join(letter for letter in name if letter.isprintable() and letter != "`") for name in names[:MAX_NAMES]]
    return ", ".join(f"`{name[:MAX_LETTERS].strip() or '…'}`" for name in plain) + " …" * (len(names) > MAX_NAMES)
