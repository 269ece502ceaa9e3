"""Draws what the package has measured, in one visual language: a table goes in, an Altair chart comes out."""

from sgd_tf.charts.axes import Axis
from sgd_tf.charts.curves import COUNTERS, METRICS, Counter, Metric, curves
from sgd_tf.charts.frame import save_html, specification
from sgd_tf.charts.style import DRAWN, Theme, batch_size_color, embed_config

__all__ = [
    "COUNTERS",
    "DRAWN",
    "METRICS",
    "Axis",
    "Counter",
    "Metric",
    "Theme",
    "batch_size_color",
    "curves",
    "embed_config",
    "save_html",
    "specification",
]
