"""Step 7: iterations per epoch, and updates in all."""

from sgd_tf.tutorial import number_of_updates, view
from sgd_tf.ui.language import prose

view.draw(number_of_updates.STEP, prose(__file__, "text"))
