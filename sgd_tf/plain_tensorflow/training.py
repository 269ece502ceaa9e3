"""Model, minibatches and training in plain Keras: `model.fit`, or the double loop with `GradientTape`.

The snippets stand after those of `data`: they use x_train, y_train, x_test and y_test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from sgd_tf.plain_tensorflow.records import PlainRun, Snippet
from sgd_tf.problems import ProblemInfo
from sgd_tf.training.layers import Conv2D, Dense, Layer, default_initializer, is_convolutional
from sgd_tf.training.source_text import literal

KERAS, TENSORFLOW = "import keras", "import tensorflow as tf"
Translate = Callable[[str], str]


def model(run: PlainRun, translate: Translate = str) -> Snippet:
    """The code that builds the model, with initial weights of the same law as in `training.models`.

    Args:
        run: its model, and the seed of the initial weights.
        translate: gives a comment in the reader's language.

    >>> print(model(PlainRun(problem="diabetes")).body)
    keras.utils.set_random_seed(0)  # of the initial weights
    model = keras.Sequential(
        [
            keras.Input((10,)),
            keras.layers.Dense(32, activation="relu", kernel_initializer="he_normal"),
            keras.layers.Dense(1),
        ]
    )
    """
    _ = translate
    seeded = _("of the initial weights")
    body = f"""keras.utils.set_random_seed({run.config.seed})  # {seeded}
model = {sequential(run.info, run.model.hidden_layers, translate)}"""
    return Snippet(imports=(KERAS,), body=body)


def sequential(info: ProblemInfo, layers: Sequence[Layer], translate: Translate = str) -> str:
    """The code of a Keras model of layers for a problem, with its input and its output layer.

    Args:
        info: facts of the problem.
        layers: without the output layer.
        translate: gives a comment in the reader's language.
    """
    _ = translate
    lines = [f"keras.Input(({info.num_features},))", *keras_layers(layers, info.image_shape)]
    lines.append(f"keras.layers.Dense({info.num_classes or 1})")
    text = "\n".join(f"        {line}," for line in lines)
    if info.num_classes:
        logits = _("logits, one per class")
        text += f"  # {logits}"
    return f"keras.Sequential(\n    [\n{text}\n    ]\n)"


def keras_layers(layers: Sequence[Layer], image_shape: tuple[int, int, int] | None = None) -> list[str]:
    """The lines of code for layers, from input to output, without the output layer.

    Args:
        layers: as in `training.layers`.
        image_shape: (height, width, channels), to which convolutions shape the rows of pixels; None for no such line.

    >>> keras_layers([Dense(32, "tanh", l2=0.01)])[0]
    'keras.layers.Dense(32, activation="tanh", kernel_regularizer=keras.regularizers.L2(0.01))'
    """
    is_image = image_shape is not None and is_convolutional(layers)
    lines = [f"keras.layers.Reshape({image_shape})"] if is_image else []
    for layer in layers:
        if isinstance(layer, Dense):
            lines += _with_activation("Dense", f"{layer.width}", layer)
        elif isinstance(layer, Conv2D):
            lines += _with_activation("Conv2D", f'{layer.filters}, {layer.size}, padding="same"', layer)
        else:  # a layer of Keras of the same name
            arguments = ", ".join(map(literal, vars(layer).values()))
            lines.append(f"keras.layers.{type(layer).__name__}({arguments})")
    return lines


def _with_activation(name: str, arguments: str, layer: Dense | Conv2D) -> list[str]:
    """The lines of a layer and its activation. Glorot-uniform weights and no activation are Keras' defaults."""
    is_leaky = layer.activation == "leaky_relu"  # as a string it would have a slope of 0.2
    if layer.activation != "linear" and not is_leaky:
        arguments += f', activation="{layer.activation}"'
    initializer = layer.initializer or default_initializer(layer.activation)
    if initializer != "glorot_uniform":
        arguments += f', kernel_initializer="{initializer}"'
    if layer.l2:
        arguments += f", kernel_regularizer=keras.regularizers.L2({literal(layer.l2)})"
    line = f"keras.layers.{name}({arguments})"
    return [line, "keras.layers.LeakyReLU(negative_slope=0.01)"] if is_leaky else [line]


def minibatches(run: PlainRun, translate: Translate = str) -> Snippet:
    """The code of the `tf.data` pipeline, a dataset of minibatches: one epoch per iteration over it.

    Args:
        run: k, how the samples are drawn, and the seed of the order.
        translate: gives a comment in the reader's language.

    >>> print(minibatches(PlainRun(problem="digits")).body.splitlines()[-6])
    minibatches = (
    """
    _ = translate
    N, k, seed = run.size, run.batch_size, run.config.seed
    steps = ["tf.data.Dataset.from_tensor_slices((x_train, y_train))"]
    comments = []
    if run.config.sampling == "in_order":
        comments = [_("No shuffle: the same order in each epoch.")]
    elif run.config.sampling == "with_replacement":
        steps = [
            f"tf.data.Dataset.random(seed={seed}, rerandomize_each_iteration=True)",
            f".take({N})",
            f".map(lambda i: (tf.gather(x_train, i % {N}), tf.gather(y_train, i % {N})))",
        ]
        comments = [_("N independent draws: some samples come twice, about N/e of them not at all.")]
    else:
        again = run.config.sampling != "shuffle_once"
        buffer = min(run.config.buffer_size, N) if run.config.sampling == "buffer" else N
        steps.append(f".shuffle({buffer}, seed={seed}, reshuffle_each_iteration={again})")
        comments = [
            _("The buffer of shuffle must hold all N samples. Keras' guides write shuffle(buffer_size=1024)"),
            _("for 50,000 samples: then what stands late in the file comes late in each epoch."),
        ]
        if not again:
            comments.append(_("reshuffle_each_iteration=False: all epochs have the order of the first."))
    if run.part_size:
        text = _("Each minibatch of {k} samples goes through the model in parts of {m}.")
        comments.append(text.format(k=k, m=run.part_size))
    steps += [f".batch({run.part_size or k})", ".prefetch(tf.data.AUTOTUNE)"]
    lines = "\n".join(f"    {step}" for step in steps)
    heads = "\n".join(f"# {comment}" for comment in comments)
    return Snippet(imports=(TENSORFLOW,), body=f"{heads}\nminibatches = (\n{lines}\n)")


def loss(run: PlainRun) -> Snippet:
    """The code of the loss: squared error, or cross-entropy of logits; its mean over a minibatch is minimised."""
    name = "SparseCategoricalCrossentropy(from_logits=True)" if run.info.num_classes else "MeanSquaredError()"
    return Snippet(imports=(KERAS,), body=f"loss_function = keras.losses.{name}")


def _optimizer(run: PlainRun) -> str:
    arguments = f"learning_rate={literal(run.config.learning_rate)}"
    if run.config.momentum:
        arguments += f", momentum={literal(run.config.momentum)}"
    if run.parts_per_minibatch:
        arguments += f", gradient_accumulation_steps={run.parts_per_minibatch}"
    return f"keras.optimizers.SGD({arguments})"


def _accumulation(run: PlainRun, translate: Translate) -> str:
    """A comment on minibatches that go in parts; empty where they do not."""
    _ = translate
    if not run.parts_per_minibatch:
        return ""
    text = _("Gradients of {n} parts are averaged before an update; parts left at the end of an epoch wait.")
    return f"# {text.format(n=run.parts_per_minibatch)}\n"


def fit(run: PlainRun, translate: Translate = str) -> Snippet:
    """The code that trains by `model.fit`, and keeps the mean loss of each epoch in ``losses``.

    Args:
        run: learning rate, momentum, number of epochs.
        translate: gives a comment in the reader's language.
    """
    _ = translate
    metrics = '\n    metrics=["accuracy"],' if run.info.num_classes else ""
    several = _("32 updates per call: with a small k the call costs more than the update")
    xla = _("XLA; the default is to use it only where there is a GPU")
    shuffles = _(
        "shuffle=False: the dataset shuffles. With True, the default, fit does not shuffle a dataset, and warns."
    )
    mean = _("mean over the samples of each epoch, before their updates")
    body = f"""{_accumulation(run, translate)}model.compile(
    optimizer={_optimizer(run)},
    loss=loss_function,{metrics}
    # steps_per_execution=32,  # {several}
    # jit_compile=True,  # {xla}
)
# {shuffles}
history = model.fit(minibatches, epochs={run.num_epochs}, shuffle=False, verbose=2)
losses = history.history["loss"]  # {mean}"""
    return Snippet(imports=(KERAS,), body=body)


def double_loop(run: PlainRun, translate: Translate = str) -> Snippet:
    """The code that trains by a loop of one's own, and keeps the mean loss of each epoch in ``losses``.

    Args:
        run: learning rate, momentum, number of epochs.
        translate: gives a comment in the reader's language.
    """
    _ = translate
    graph = _("runs as one graph; without this line Python runs each operation by itself")
    outside, inside = _("epochs outside"), _("iterations inside")
    of_minibatch = "loss_function(y, model(x, training=True))"
    if any(getattr(layer, "l2", 0) for layer in run.model.hidden_layers):
        penalty = _("with the L2 terms of the layers")
        of_minibatch += f" + sum(model.losses)  # {penalty}"
    body = f"""{_accumulation(run, translate)}optimizer = {_optimizer(run)}


@tf.function  # {graph}
def update(x, y):
    with tf.GradientTape() as tape:
        loss = {of_minibatch}
    gradient = tape.gradient(loss, model.trainable_variables)
    optimizer.apply(gradient, model.trainable_variables)
    return loss


losses = []
for epoch in range({run.num_epochs}):  # {outside}
    total = 0.0
    for x, y in minibatches:  # {inside}
        total += update(x, y) * len(x)
    losses.append(float(total) / len(x_train))
    print(f"epoch {{epoch + 1}}: loss {{losses[-1]:.4f}}")"""
    return Snippet(imports=(KERAS, TENSORFLOW), body=body)


def evaluation(run: PlainRun) -> Snippet:
    """The code that prints loss and accuracy after training, over all training samples and all test samples."""
    body = """for part, x, y in [("training", x_train, y_train), ("test", x_test, y_test)]:
    predictions = model.predict(x, batch_size=1024, verbose=0)
    print(f"{part} loss: {float(loss_function(y, predictions)):.4f}")"""
    if run.info.num_classes:
        body += '\n    print(f"{part} accuracy: {(predictions.argmax(axis=1) == y).mean():.1%}")'
    return Snippet(body=body)


def picture(run: PlainRun) -> Snippet:
    """The code of a chart of ``losses``, which a notebook shows."""
    ticks = f"tickMinStep=1, values=[{', '.join(map(str, _ticks(run.num_epochs)))}]"
    body = f"""curve = pd.DataFrame({{"epoch": range(1, {run.num_epochs} + 1), "loss": losses}})
alt.Chart(curve).mark_line(point=True).encode(
    x=alt.X("epoch:Q").axis({ticks}),
    y=alt.Y("loss:Q").scale(type="log"),
)"""
    return Snippet(imports=("import altair as alt", "import pandas as pd"), body=body)


def _ticks(num_epochs: int) -> list[int]:
    step = max(1, math.ceil(num_epochs / 10))
    return list(range(step, num_epochs + 1, step))
