"""What the code to take home repeats: a problem, a model, a way to train it; and a piece of source text."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

from sgd_tf.checks import check_int, resolve_batch_size
from sgd_tf.problems import CATALOGUE, ProblemInfo
from sgd_tf.training.layers import shapes
from sgd_tf.training.records import ModelConfig, TrainConfig

Form = Literal["fit", "double_loop"]
FORMS: tuple[Form, ...] = get_args(Form)
# The flights are a file of this package.
PROBLEMS = tuple(name for name in CATALOGUE if name != "flights")


@dataclass(frozen=True, kw_only=True)
class PlainRun:
    """A run in plain values.

    Raises:
        ValueError: if a field is out of its range, or plain TensorFlow has no line for it.

    >>> PlainRun(problem="flights")
    Traceback (most recent call last):
    ...
    ValueError: `problem` must be one of line, spirals, teacher, digits, diabetes, breast_cancer, california, mnist, \
fashion_mnist; received 'flights'.
    """

    problem: str  # one of PROBLEMS
    num_examples: int | None = None  # N, training samples; None for as many as the problem has
    config: TrainConfig = field(default_factory=TrainConfig)  # k, learning rate, momentum, sampling, seed
    model: ModelConfig = field(default_factory=ModelConfig)
    num_epochs: int = 10
    data_seed: int = 0  # of the split into training and test samples, or of synthetic samples

    def __post_init__(self) -> None:
        if self.problem not in PROBLEMS:
            raise ValueError(f"`problem` must be one of {', '.join(PROBLEMS)}; received {self.problem!r}.")
        if self.num_examples is not None:
            check_int("num_examples", self.num_examples, self.info.min_examples, self.info.max_examples)
        check_int("num_epochs", self.num_epochs, 1)
        check_int("data_seed", self.data_seed, 0, 2**31 - 1)
        resolve_batch_size(self.size, self.config.batch_size)
        usual = TrainConfig()
        others = ("optimizer", "nesterov", "weight_decay", "clipnorm", "schedule", "warmup")
        if found := [name for name in others if getattr(self.config, name) != getattr(usual, name)]:
            raise ValueError(f"`config` must be SGD with a constant learning rate here; received another {found[0]!r}.")
        if self.model.kind == "cnn" and not self.info.is_image:
            raise ValueError(f"`model` must be linear or an MLP for {self.problem!r}, which has no images.")
        if self.model.layers is not None:
            info = self.info
            sizes = {"num_features": info.num_features, "num_outputs": info.num_classes or 1}
            shapes(self.model.layers, **sizes, image_shape=info.image_shape)
        if self.parts_per_minibatch is not None and self.parts_per_minibatch * (self.part_size or 0) != self.batch_size:
            raise ValueError(
                f"`micro_batch_size` must divide k = {self.batch_size}, as Keras adds up parts of one size; "
                f"received {self.config.micro_batch_size}."
            )

    @property
    def info(self) -> ProblemInfo:
        """Facts of the problem."""
        return CATALOGUE[self.problem]

    @property
    def size(self) -> int:
        """N, the number of training samples."""
        return self.info.num_examples if self.num_examples is None else self.num_examples

    @property
    def batch_size(self) -> int:
        """Batch size k as a number in [1, N]."""
        return resolve_batch_size(self.size, self.config.batch_size)

    @property
    def part_size(self) -> int | None:
        """Samples that go through the model at once, where a minibatch goes in parts."""
        m = self.config.micro_batch_size
        return None if m is None or m >= self.batch_size else m

    @property
    def parts_per_minibatch(self) -> int | None:
        """Number of parts of a minibatch, if it goes in parts."""
        return self.batch_size // self.part_size if self.part_size else None


@dataclass(frozen=True, kw_only=True)
class Snippet:
    """Some lines of Python, with the imports that they need."""

    imports: tuple[str, ...] = ()
    body: str

    def __str__(self) -> str:
        return join(self)


def join(*snippets: Snippet) -> str:
    """Source text of several snippets, one after the other, below the imports of all.

    >>> first = Snippet(imports=("from math import pi",), body="x = pi")
    >>> then = Snippet(imports=("import sys",), body="y = x")
    >>> print(join(first, then))
    import sys
    from math import pi
    <BLANKLINE>
    x = pi
    <BLANKLINE>
    y = x
    """
    imports = sorted({line for snippet in snippets for line in snippet.imports}, key=_import_order)
    return "\n\n".join(part for part in ("\n".join(imports), *(snippet.body for snippet in snippets)) if part)


def _import_order(line: str) -> tuple[bool, str]:
    return line.startswith("from"), line.lower()
