"""What several pages ask for: a problem, N of its samples, a model and its layers, another k, a learning rate."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import streamlit as st

from sgd_tf.problems import CATALOGUE, ProblemInfo
from sgd_tf.training.layers import to_text
from sgd_tf.training.records import MAX_LEARNING_RATE, Activation, ModelConfig, ModelKind
from sgd_tf.ui.language import _
from sgd_tf.ui.own_layers import OwnLayers
from sgd_tf.ui.own_problems import ProblemChoice, title_of
from sgd_tf.ui.settings import Choice, Number, OptionalNumber, Setting, Text, keep_within
from sgd_tf.ui.widgets import ACTIVATIONS, DEFAULT_LEARNING_RATE, MODELS, PROBLEMS, parse_widths
from sgd_tf.words import N_


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """The settings of one page; those of `TrainingSettings.of("sweep_")` are `sweep_problem`, `sweep_n` and so on."""

    problem: ProblemChoice
    num_examples: OptionalNumber[int]  # N; None for as many as the problem has
    model: Choice
    widths: Text  # hidden units of each layer of an MLP
    activation: Choice
    layers: OwnLayers
    other_k: OptionalNumber[int]  # beside the ones that are offered as chips
    rate: Number[float]

    @classmethod
    def of(cls, prefix: str = "") -> TrainingSettings:
        """Settings with their usual values.

        Args:
            prefix: begins their keys in the session and in the address.
        """
        return cls(
            problem=ProblemChoice(key=f"{prefix}problem", label=N_("Problem"), options=PROBLEMS, default="digits"),
            num_examples=OptionalNumber(
                key=f"{prefix}n",
                label=N_("Training samples N"),
                low=10,
                high=1_000_000,
            ),
            model=Choice(key=f"{prefix}model", label=N_("Model"), options=MODELS, default="mlp"),
            widths=Text(
                key=f"{prefix}widths",
                label=N_("Hidden layers of the MLP"),
                default="32",
                check=parse_widths,
            ),
            activation=Choice(
                key=f"{prefix}activation",
                label=N_("Activation"),
                options=ACTIVATIONS,
                default="relu",
                widget="select",
            ),
            layers=OwnLayers(key=f"{prefix}layers"),
            other_k=OptionalNumber(key=f"{prefix}other_k", label=N_("Another k"), low=1, high=1_000_000),
            rate=Number(
                key=f"{prefix}rate",
                label=N_("Learning rate"),
                low=1e-6,
                high=MAX_LEARNING_RATE,
                default=DEFAULT_LEARNING_RATE,
            ),
        )

    def __iter__(self) -> Iterator[Setting[Any]]:
        """All of them."""
        return iter(vars(self).values())

    def draw_problem(self) -> tuple[ProblemInfo, int]:
        """Draw the choice of the problem, and return it with N."""
        info = CATALOGUE[self.problem.draw()]
        keep_within(self.num_examples, info.min_examples, info.max_examples)
        return info, self.num_examples.value or info.num_examples

    def draw_model(self, info: ProblemInfo) -> None:
        """Draw the choice of the model: a CNN for images only; and the builder of own layers."""
        kind = self.model.draw(only=[kind for kind in MODELS if kind != "cnn" or info.is_image])
        if kind == "layers":
            self.layers.draw_builder(info)

    def model_config(self, info: ProblemInfo) -> ModelConfig | None:
        """The model chosen; None if its layers cannot be read or do not fit, and then a message says so."""
        kind = cast(ModelKind, self.model.value)
        if kind == "layers":
            return self.layers.config(info)
        try:
            widths = parse_widths(self.widths.value)
        except ValueError:
            st.error(_("Hidden layers: write one number from 1 to 4096 for each of at most 8 layers, such as 64, 32."))
            return None
        activation = cast(Activation, self.activation.value)
        return ModelConfig(kind=kind, widths=widths if kind == "mlp" else (), activation=activation)

    def another_k(self, num_examples: int) -> int | None:
        """The other k, at most N; for a larger one the page says that N is taken."""
        k = self.other_k.value
        if k is None or k <= num_examples:
            return k
        st.caption(_("k = {k} is taken as N = {n}: gradient descent.").format(k=f"{k:,}", n=f"{num_examples:,}"))
        return num_examples

    def draw_details(self, info: ProblemInfo) -> None:
        """Draw what few learners change: another k, N, the layers of the model."""
        self.other_k.draw(usual=_("any number from 1 to N"))
        self.num_examples.draw(low=info.min_examples, high=info.max_examples, usual=f"{info.num_examples:,}")
        self.widths.draw(disabled=self.model.value != "mlp")
        self.activation.draw(disabled=self.model.value in ("linear", "layers"))


def subject(problem: str, model: ModelConfig, num_examples: int) -> str:
    """What is trained, in a few words: "Two spirals · N = 1,000 · MLP (64, 32) tanh".

    Args:
        problem: name of a problem.
        model: which model.
        num_examples: N.
    """
    words = [_(MODELS[model.kind])]
    if model.layers is not None:
        words.append(f"({to_text(model.layers)})")
    if model.kind == "mlp":
        words.append(f"({', '.join(map(str, model.widths))})")
    if model.kind not in ("linear", "layers"):
        words.append(ACTIVATIONS[model.activation])
    return f"{title_of(problem)} · N = {num_examples:,} · {' '.join(words)}"
