"""Step 1: all N samples pass through the model, one loss, one update."""

from sgd_tf.tutorial import one_update, view
from sgd_tf.ui.language import prose

view.draw(one_update.STEP, prose(__file__, "text"))
