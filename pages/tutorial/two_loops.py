"""Step 8: epochs outside, iterations inside; and the same as `model.fit`."""

from sgd_tf.tutorial import two_loops, view
from sgd_tf.ui.language import prose

view.draw(two_loops.STEP, prose(__file__, "text"))
