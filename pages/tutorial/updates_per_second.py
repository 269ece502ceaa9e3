"""Step 3: one update per pass is a slow way to learn."""

from sgd_tf.tutorial import updates_per_second, view
from sgd_tf.ui.language import prose

view.draw(updates_per_second.STEP, prose(__file__, "text"))
