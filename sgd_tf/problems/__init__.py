"""Learning problems: arrays to train and test on, with their task, units, source and licence.

``load("digits")`` returns a problem by name, ``Problem.from_arrays(x, y)`` makes one from your own arrays, and
``CATALOGUE`` holds the facts of each name, without loading it. Importing this package is quick: scikit-learn, PyArrow
and Keras are imported on first use, by the problems that need them.
"""

from sgd_tf.problems.catalogue import CATALOGUE, Option, ProblemInfo
from sgd_tf.problems.downloads import DownloadError
from sgd_tf.problems.loading import load
from sgd_tf.problems.problem import Problem

__all__ = ["load", "Problem", "CATALOGUE", "ProblemInfo", "Option", "DownloadError"]  # noqa: RUF022 (in reading order)
