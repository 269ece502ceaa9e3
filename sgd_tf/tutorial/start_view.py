"""The first page: a race of sample tiles into a model, and two ways on."""

from __future__ import annotations

from importlib import resources

import streamlit as st

from sgd_tf.recordings import load, race_picture
from sgd_tf.recordings.race_picture import Race
from sgd_tf.tutorial.answers import ANSWERS
from sgd_tf.tutorial.path import STEPS
from sgd_tf.ui import progress
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits

RACE = "pages/lab/gd_vs_sgd.py"

# As an image the picture would not hear that the reader asks for less motion.
PICTURE = st.components.v2.component(
    "sgd_tf.race_picture",
    js="""
export default function ({ parentElement, data }) {
  const place = parentElement.querySelector("[role=img]") ?? parentElement.appendChild(document.createElement("div"));
  if (place.svg !== data.svg) place.innerHTML = place.svg = data.svg;
  place.firstElementChild.style.cssText = "display: block; width: 100%; height: auto";
  place.role = "img";
  place.ariaLabel = data.alt;
}
""",
)


def draw(prose: str) -> None:
    """Draw the page.

    Args:
        prose: what the lab is, in the learner's language.
    """
    ANSWERS.publish()
    race = Race.of(load("race").data)
    left, right = st.columns([1.75, 1], gap="large", vertical_alignment="center")
    with left:
        picture = resources.files("sgd_tf.recordings").joinpath("race.svg").read_text(encoding="utf-8")
        svg = race_picture.themed(picture, dark=st.context.theme.type == "dark")
        PICTURE(data={"svg": svg, "alt": alt(race)}, key="start_race")
        st.caption(progress.origin(load("race")))
    with right:
        st.markdown(prose)
        st.markdown(seen(race))
        with st.container(horizontal=True, key="start_ways"):
            to_tutorial = st.button(
                _("Start the tutorial"), type="primary", icon=":material/play_arrow:", key="start_tutorial"
            )
            to_race = st.button(_("Race yourself"), icon=":material/sports_score:", key="start_to_race")
        if to_tutorial:
            st.switch_page(f"pages/tutorial/{STEPS[0].key}.py", query_params=ANSWERS.query())
        if to_race:
            st.switch_page(RACE)


def seen(race: Race) -> str:
    """What the picture shows, in numbers."""
    text = _(
        "In the picture a tile is {k} digits. In the same {ms} ms of training, GD makes **{gd} updates** "
        "and SGD **{sgd}**. SGD then reads {share} % of unseen digits, GD {behind} %."
    )
    return text.format(
        k=race.sgd.k,
        ms=digits(1e3 * race.finish, 2),
        gd=len(race.gd.updates),
        sgd=len(race.sgd.updates),
        share=round(100 * race.sgd.accuracies[-1]),
        behind=round(100 * race.gd.accuracies[-1]),
    )


def alt(race: Race) -> str:
    """The picture in words."""
    text = _(
        "A race: gradient descent sends all {n} samples through the model for one update, SGD {k} samples at a time. "
        "SGD reaches {target} % of unseen digits first."
    )
    return text.format(n=f"{race.gd.num_samples:,}", k=race.sgd.k, target=round(100 * race_picture.TARGET))
