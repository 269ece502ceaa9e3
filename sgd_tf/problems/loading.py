"""Problems by name, checked against the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from sgd_tf.checks import check_int
from sgd_tf.problems import datasets, given, synthetic
from sgd_tf.problems.catalogue import CATALOGUE
from sgd_tf.problems.problem import Problem
from sgd_tf.problems.splitting import Draw

_LOADERS: dict[str, Callable[..., Problem]] = {
    "line": synthetic.line,
    "spirals": synthetic.spirals,
    "teacher": synthetic.teacher,
    "digits": datasets.digits,
    "diabetes": datasets.diabetes,
    "breast_cancer": datasets.breast_cancer,
    "flights": datasets.flights,
    "california": datasets.california,
    "mnist": datasets.mnist,
    "fashion_mnist": datasets.fashion_mnist,
}


def load(
    name: str, *, num_examples: int | None = None, test_share: float = 0.2, seed: int = 0, **options: Any
) -> Problem:
    """Load a problem of the catalogue.

    Synthetic problems (``line``, ``spirals``, ``teacher``) draw N training samples and
    N · test_share / (1 - test_share) test samples, at least 1,000 and at most 10,000. The other problems split their
    samples in two parts. There ``num_examples`` selects a random part of the training samples; a larger number only
    adds samples.

    Args:
        name: key of ``CATALOGUE``; or the name of a problem that this process was given, with a split and options of
            its own.
        num_examples: N, the number of training samples, at least 10; None for the default in the catalogue (all
            training samples, except for synthetic problems).
        test_share: test samples / all samples, in [0.05, 0.5]. ``mnist`` and ``fashion_mnist`` have their own test
            part of 10,000.
        seed: seed of the samples of a synthetic problem, and of the split.
        **options: options of the problem; ``CATALOGUE[name].options`` holds their ranges and defaults.

    Returns:
        The problem, with read-only arrays. The last two problems are cached.

    Raises:
        ValueError: if an argument is out of range.
        DownloadError: within 15 seconds, if the data cannot be downloaded or stored.

    >>> load("digits")
    Problem('digits', classification, num_examples=1437, num_test=360, num_features=64, num_classes=10)
    >>> load("spirals", num_examples=200, noise=0.0).class_counts
    (100, 100)
    >>> load("nope")
    Traceback (most recent call last):
    ...
    ValueError: `name` must be one of line, spirals, teacher, digits, diabetes, breast_cancer, flights, \
california, mnist, fashion_mnist; received 'nope'.
    """
    own = given.find(name) if isinstance(name, str) else None
    if own is not None:
        size = num_examples
        if size is not None:
            size = check_int("num_examples", size, own.info.min_examples, own.info.max_examples)
        return own.problem(size)
    if name not in CATALOGUE:
        raise ValueError(f"`name` must be one of {', '.join(CATALOGUE)}; received {name!r}.")
    info = CATALOGUE[name]
    allowed = {option.name: option for option in info.options}
    for option in options:
        if option not in allowed:
            takes = ", ".join(allowed) or "none"
            raise ValueError(f"`{option}` is not an option of the problem {name!r}; its options: {takes}.")
    values = {key: option.check(options.get(key, option.default)) for key, option in allowed.items()}
    if num_examples is None and info.kind == "synthetic":
        num_examples = info.num_examples
    if num_examples is not None:  # the upper limit depends on test_share: the split checks it
        high = info.max_examples if info.kind == "synthetic" else None
        num_examples = check_int("num_examples", num_examples, info.min_examples, high)
    draw = Draw(num_examples, test_share, seed)
    return make(name, draw, tuple(values.items()))


# Two problems of the largest kind take 440 MB; small ones are made again in milliseconds.
@lru_cache(maxsize=2)
def make(name: str, draw: Draw, options: tuple[tuple[str, Any], ...]) -> Problem:
    """The problem ``name`` with options as (name, value) pairs, unchecked; the last two results are cached."""
    return _LOADERS[name](draw, **dict(options))
