"""Step 2: memory is finite; parts whose gradients are added up give the same update."""

from sgd_tf.tutorial import memory_limit, view
from sgd_tf.ui.language import prose

view.draw(memory_limit.STEP, prose(__file__, "text"))
