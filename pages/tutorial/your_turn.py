"""The end of the tutorial: the learner's answers, and the notebook to keep."""

from pathlib import Path

from sgd_tf.tutorial import end_view
from sgd_tf.ui.language import prose

end_view.draw(prose(__file__, "text"), Path(__file__).parent)
