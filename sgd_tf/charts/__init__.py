"""Draws what the package has measured, in one visual language: a table goes in, an Altair chart comes out."""

from sgd_tf.charts.axes import Axis
from sgd_tf.charts.claims import claim_chart
from sgd_tf.charts.code import code
from sgd_tf.charts.curves import COUNTERS, METRICS, Counter, Metric, curves
from sgd_tf.charts.data_parallel import gradient_arrows, sample_parts, time_by_devices
from sgd_tf.charts.double_loop import MAX_IMAGES, NUM_SLOTS, digit_image, flow, points, surface_grid, tiles, updates
from sgd_tf.charts.frame import save_html, specification
from sgd_tf.charts.ledger import positions, visit_shares, visits
from sgd_tf.charts.memory import memory_growth, time_by_size
from sgd_tf.charts.noise import arrows, escapes, noise_of_k, steps, valleys
from sgd_tf.charts.rate_search import learning_rates
from sgd_tf.charts.sampling import Line, floors, sampling_lines, seed_curves
from sgd_tf.charts.style import DRAWN, Theme, batch_size_color, embed_config
from sgd_tf.charts.sweep import Guides, by_batch_size, rate_map

__all__ = [
    "COUNTERS",
    "DRAWN",
    "MAX_IMAGES",
    "METRICS",
    "NUM_SLOTS",
    "Axis",
    "Counter",
    "Guides",
    "Line",
    "Metric",
    "Theme",
    "arrows",
    "batch_size_color",
    "by_batch_size",
    "claim_chart",
    "code",
    "curves",
    "digit_image",
    "embed_config",
    "escapes",
    "floors",
    "flow",
    "gradient_arrows",
    "learning_rates",
    "memory_growth",
    "noise_of_k",
    "points",
    "positions",
    "rate_map",
    "sample_parts",
    "sampling_lines",
    "save_html",
    "seed_curves",
    "specification",
    "steps",
    "surface_grid",
    "tiles",
    "time_by_devices",
    "time_by_size",
    "updates",
    "valleys",
    "visit_shares",
    "visits",
]
