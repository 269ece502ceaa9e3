"""The charts of a page: the theme that all of them take, and the one way to show them."""

from __future__ import annotations

import altair as alt
import streamlit as st

from sgd_tf.charts import Theme, specification
from sgd_tf.ui.language import catalogue, current


def page_theme(height: int, *, compact: bool = False) -> Theme:
    """Background and language of the page.

    Args:
        height: height of the whole chart, in px.
        compact: small type, for several charts side by side.
    """
    # The function of one language: charts of equal themes share their words.
    translate = catalogue(current()).gettext
    return Theme(dark=st.context.theme.type == "dark", translate=translate, height=height, compact=compact)


def show_chart(chart: alt.LayerChart, words: str, *, key: str | None = None) -> None:
    """Show a chart as wide as its place; drawn again under the same key, only its data are exchanged.

    Args:
        chart: made by a function of `sgd_tf.charts`.
        words: what it shows, for screen readers.
        key: name of the element.
    """
    st.vega_lite_chart(specification(chart), alt=words, height=chart.height, key=key)
