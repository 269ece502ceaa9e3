"""Step 11: limits of k on one axis: what fits, and what still helps."""

from sgd_tf.tutorial import view, which_k
from sgd_tf.ui.language import prose

view.draw(which_k.STEP, prose(__file__, "text"))
