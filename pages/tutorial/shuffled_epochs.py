"""Step 6: one pass over a new order is an epoch; `Dataset.shuffle` draws it."""

from sgd_tf.tutorial import shuffled_epochs, view
from sgd_tf.ui.language import prose

view.draw(shuffled_epochs.STEP, prose(__file__, "text"))
