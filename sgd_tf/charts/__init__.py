"""Draws what the package has measured, in one visual language: a table goes in, an Altair chart comes out."""

from sgd_tf.charts.learning_curves import COUNTERS, METRICS, Counter, Metric, curves, curves_spec, four_axes
from sgd_tf.charts.rate_search import learning_rates
from sgd_tf.charts.style import DRAWN, batch_size_color, embed_config, save_html

__all__ = [
    "COUNTERS",
    "DRAWN",
    "METRICS",
    "Counter",
    "Metric",
    "batch_size_color",
    "curves",
    "curves_spec",
    "embed_config",
    "four_axes",
    "learning_rates",
    "save_html",
]
