"""The exercise in plain TensorFlow: a script that prints the book's losses, and a notebook that solves the tasks."""

from __future__ import annotations

from collections.abc import Callable

from sgd_tf.exercise.tasks import TASKS
from sgd_tf.plain_tensorflow.documents import INSTALL, write_notebook
from sgd_tf.plain_tensorflow.records import Snippet, join
from sgd_tf.words import N_

Translate = Callable[[str], str]

DATA = Snippet(
    imports=(
        "from sklearn.datasets import fetch_california_housing",
        "from sklearn.preprocessing import StandardScaler",
    ),
    body="""x, y = fetch_california_housing(return_X_y=True)
x = StandardScaler().fit_transform(x).astype("float32")
y = y.astype("float32")  # in 100,000 US$
N = len(x)""",
)
TRAINING = Snippet(
    imports=("import tensorflow as tf",),
    body="""def train(batch_size=256, learning_rate=0.01, epochs=400, seed=0):
    tf.keras.utils.set_random_seed(seed)
    model = tf.keras.Sequential([tf.keras.Input((x.shape[1],))])
    for width in (6, 5, 4, 3):
        model.add(tf.keras.layers.Dense(width, kernel_initializer="he_normal"))
        model.add(tf.keras.layers.LeakyReLU(negative_slope=0.01))
    model.add(tf.keras.layers.Dense(1))
    minibatches = (
        tf.data.Dataset.from_tensor_slices((x, y))
        .cache()
        .shuffle(N, seed=seed, reshuffle_each_iteration=True)
        .batch(batch_size)
        .prefetch(tf.data.AUTOTUNE)
    )
    model.compile(
        optimizer=tf.keras.optimizers.SGD(learning_rate), loss="mse", steps_per_execution=32
    )
    # Keras' loss of an epoch is the mean of its minibatch losses, each weighted by its samples.
    return model.fit(minibatches, epochs=epochs, shuffle=False, verbose=0).history["loss"]""",
)
RUN = Snippet(
    body="""losses = train(epochs=400)  # the book trains for 4,000
for epoch, printed in {200: 0.3362, 400: 0.3122}.items():
    print(epoch, round(losses[epoch - 1], 4), "in the book:", printed)"""
)


def source() -> str:
    """Python source of the exercise as the book has it, for 400 of its epochs.

    >>> "sgd_tf" in source(), "shuffle(N, seed=seed, reshuffle_each_iteration=True)" in source()
    (False, True)
    """
    return join(DATA, TRAINING, RUN)


def notebook(translate: Translate = str) -> str:
    """A Jupyter notebook: the exercise, then each task with a setting that reaches its goal.

    Args:
        translate: gives a sentence in the reader's language.

    Returns:
        JSON text of an .ipynb file, which runs where there is pip.
    """
    _ = translate
    cells: list[str | Snippet] = [
        "# " + _(N_("The book's exercise")),
        Snippet(body=INSTALL),
        _(N_("**Data.** 20,640 districts of California, 8 features, standardised over all rows.")),
        DATA,
        _(N_("**Network.** 8-6-5-4-3-1 with LeakyReLU, mean squared error, plain SGD.")),
        TRAINING,
        _(N_("**As in the book**, for 400 of its 4,000 epochs.")),
        RUN,
    ]
    for task in TASKS.values():
        own = task.setting(task.solution)
        size = "N" if own.batch_size == "all" else own.batch_size
        epochs = task.reference_epochs or task.num_epochs
        body = f"""book = train(epochs={epochs})[-1]
own = train(batch_size={size}, learning_rate={own.learning_rate:g}, epochs={task.num_epochs})[-1]
print("the book's setting:", book, "this setting:", own, "goal:", {task.factor:g} * book)"""
        cells += [f"**{_(task.grade)}.** {_(task.text)}", Snippet(body=body)]
    return write_notebook(cells)
