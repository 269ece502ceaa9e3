"""Step 9: GD and SGD on one clock, on the digits that nobody trained on."""

from sgd_tf.tutorial import faster, view
from sgd_tf.ui.language import prose

view.draw(faster.STEP, prose(__file__, "text"))
