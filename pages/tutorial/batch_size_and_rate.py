"""Step 10: what k does to training, and the learning rate that goes with it."""

from sgd_tf.tutorial import batch_size_and_rate, view
from sgd_tf.ui.language import prose

view.draw(batch_size_and_rate.STEP, prose(__file__, "text"))
