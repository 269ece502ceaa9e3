"""Step 5: drawing with and without replacement."""

from sgd_tf.tutorial import view, without_replacement
from sgd_tf.ui.language import prose

view.draw(without_replacement.STEP, prose(__file__, "text"))
