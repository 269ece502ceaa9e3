"""Step 4: the gradient of k samples beside the gradient of all."""

from sgd_tf.tutorial import k_samples, view
from sgd_tf.ui.language import prose

view.draw(k_samples.STEP, prose(__file__, "text"))
