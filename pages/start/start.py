"""The first page: a race that moves, what the lab is, and two ways on."""

from sgd_tf.tutorial import start_view
from sgd_tf.ui.language import prose

start_view.draw(prose(__file__, "text"))
