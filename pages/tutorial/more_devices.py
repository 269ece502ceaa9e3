"""Step 12: one minibatch over several devices gives the same update."""

from sgd_tf.tutorial import more_devices, view
from sgd_tf.ui.language import prose

view.draw(more_devices.STEP, prose(__file__, "text"))
