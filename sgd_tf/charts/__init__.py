"""Draws what the package has measured, in one visual language: a table goes in, an Altair chart comes out."""

from sgd_tf.charts.axes import Axis
from sgd_tf.charts.claims import claim_spec
from sgd_tf.charts.data_parallel import gradient_arrows, sample_parts, time_by_devices
from sgd_tf.charts.double_loop import (
    CODE_LINE,
    MAX_IMAGES,
    NUM_SLOTS,
    code_spec,
    digit_image,
    flow_spec,
    points_spec,
    surface_grid,
    tiles_spec,
    updates_spec,
)
from sgd_tf.charts.frame import save_html, specification
from sgd_tf.charts.learning_curves import COUNTERS, METRICS, Counter, Metric, curves, curves_spec, four_axes
from sgd_tf.charts.ledger import positions, visit_shares, visits
from sgd_tf.charts.memory import memory_growth, time_by_size
from sgd_tf.charts.noise import arrows_spec, escapes_spec, noise_spec, steps_spec, valleys_spec
from sgd_tf.charts.rate_search import learning_rates
from sgd_tf.charts.sampling import Line, floors, sampling_lines, seed_curves
from sgd_tf.charts.style import DRAWN, Theme, batch_size_color, embed_config
from sgd_tf.charts.sweep import by_batch_size, rate_map

__all__ = [
    "CODE_LINE",
    "COUNTERS",
    "DRAWN",
    "MAX_IMAGES",
    "METRICS",
    "NUM_SLOTS",
    "Axis",
    "Counter",
    "Line",
    "Metric",
    "Theme",
    "arrows_spec",
    "batch_size_color",
    "by_batch_size",
    "claim_spec",
    "code_spec",
    "curves",
    "curves_spec",
    "digit_image",
    "embed_config",
    "escapes_spec",
    "floors",
    "flow_spec",
    "four_axes",
    "gradient_arrows",
    "learning_rates",
    "memory_growth",
    "noise_spec",
    "points_spec",
    "positions",
    "rate_map",
    "sample_parts",
    "sampling_lines",
    "save_html",
    "seed_curves",
    "specification",
    "steps_spec",
    "surface_grid",
    "tiles_spec",
    "time_by_devices",
    "time_by_size",
    "updates_spec",
    "valleys_spec",
    "visit_shares",
    "visits",
]
