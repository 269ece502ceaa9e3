"""The experiments of the lab's pages as plain TensorFlow: scripts that load their data by themselves."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from sgd_tf.plain_tensorflow import training
from sgd_tf.plain_tensorflow.data import data
from sgd_tf.plain_tensorflow.records import PlainRun, Snippet, join
from sgd_tf.training.records import SAMPLINGS, TrainConfig
from sgd_tf.training.source_text import literal


def if_any(make: Callable[[], str]) -> str | None:
    """The code that a function makes; None where the settings have no plain form, such as a table of one's own.

    >>> if_any(lambda: fits(PlainRun(problem="flights"), [(32, 0.1)])) is None
    True
    """
    try:
        return make()
    except ValueError:
        return None


def fits(run: PlainRun, settings: Sequence[tuple[int, float]]) -> str:
    """`model.fit` for several batch sizes and learning rates, each from the same initial weights.

    Args:
        run: problem, model, number of epochs and seed.
        settings: k and learning rate of each run.

    >>> "for k, rate in [(1437, 1.0), (32, 0.1)]:" in fits(PlainRun(problem="digits"), [(1437, 1.0), (32, 0.1)])
    True
    """
    budget = "The same number of epochs for each; a race of the lab gives each the same seconds."
    buffer = "a buffer of all N samples; Keras' guides write 1024"
    first = "the first epoch compiles, too"
    body = f"""for k, rate in [{", ".join(f"({k}, {literal(rate)})" for k, rate in settings)}]:
{_indented(training.model(run).body)}
    minibatches = (
        tf.data.Dataset.from_tensor_slices((x_train, y_train))
        .shuffle({run.size}, seed={run.config.seed}, reshuffle_each_iteration=True)  # {buffer}
        .batch(k)
        .prefetch(tf.data.AUTOTUNE)
    )
    model.compile(optimizer=keras.optimizers.SGD(learning_rate=rate), loss=loss_function)
    start = time.perf_counter()  # {first}
    # {budget}
    model.fit(minibatches, epochs={run.num_epochs}, shuffle=False, verbose=0)
    seconds = time.perf_counter() - start
    losses = [
        float(loss_function(y, model.predict(x, batch_size=1024, verbose=0)))
        for x, y in [(x_train, y_train), (x_test, y_test)]
    ]
    found = f"training loss {{losses[0]:.4f}}, test loss {{losses[1]:.4f}}"
    print(f"k = {{k}}, rate {{rate}}: {{seconds:.2f}} s, {{found}}")"""
    imports = ("import time", training.KERAS, training.TENSORFLOW)
    return f"{join(data(run), training.loss(run), Snippet(imports=imports, body=body))}\n"


def contestants(run: PlainRun, configs: Mapping[str, TrainConfig], *, prepare: str = "") -> str:
    """`model.fit` for several ways of training, one after the other.

    Args:
        run: problem, model and number of epochs.
        configs: of each, by a name that is printed.
        prepare: lines between the data and the first of them.
    """
    parts = [data(run), Snippet(body=prepare), training.loss(run)]
    for name, config in configs.items():
        one = replace(run, config=config)
        parts += [
            Snippet(body=f'print("{name}")'),
            training.model(one),
            training.minibatches(one),
            training.fit(one),
            training.evaluation(one),
        ]
    return f"{join(*parts)}\n"


def orders(num_examples: int, config: TrainConfig, num_epochs: int) -> str:
    """The five ways to draw, each as a `tf.data` pipeline, and a permutation per epoch as the lab draws it.

    Args:
        num_examples: N.
        config: k, size of the shuffle buffer and seed.
        num_epochs: that are printed.
    """
    run = PlainRun(problem="line", num_examples=num_examples, config=config)
    lab = "The lab draws one permutation per epoch: the same law as shuffle(N), at a fifth of its cost."
    show = f"""x_train = y_train = np.arange({num_examples})


def show(name, minibatches):
    for epoch in range({num_epochs}):
        drawn = np.concatenate([x for x, _ in minibatches])
        missed = {num_examples} - len(set(drawn.tolist()))
        print(f"{{name}}, epoch {{epoch + 1}}: {{missed}} never drawn, order {{drawn[:12]}}")"""
    parts = [Snippet(imports=("import numpy as np",), body=show)]
    for way in SAMPLINGS:
        one = replace(run, config=replace(config, sampling=way))
        parts += [training.minibatches(one), Snippet(body=f'show("{way}", minibatches)')]
    permutation = f"""# {lab}
random = np.random.default_rng({config.seed})
for epoch in range({num_epochs}):
    drawn = random.permutation({num_examples})
    print(f"permutation, epoch {{epoch + 1}}: 0 never drawn, order {{drawn[:12]}}")"""
    return f"{join(*parts, Snippet(body=permutation))}\n"


def gradient_noise(run: PlainRun, batch_sizes: Sequence[int], *, is_trained: bool = True, num_draws: int = 100) -> str:
    """Distance of the gradient of k samples from the full gradient, measured and by the law (S²/k)(1 − k/N).

    Args:
        run: problem, model, and the training before the measurement.
        batch_sizes: k.
        is_trained: whether there is a training before.
        num_draws: minibatches of each k.
    """
    spread = "sample variance of the gradients of single samples"
    without = "without replacement"
    body = f"""N = len(x_train)
x_all, y_all = tf.constant(x_train), tf.constant(y_train)


@tf.function(reduce_retracing=True)
def gradient(rows):
    with tf.GradientTape() as tape:
        loss = loss_function(tf.gather(y_all, rows), model(tf.gather(x_all, rows)))
    parts = tape.gradient(loss, model.trainable_variables)
    return tf.concat([tf.reshape(part, [-1]) for part in parts], axis=0)


def distance(rows):
    return float(tf.reduce_sum((gradient(tf.constant(rows)) - full) ** 2))


random = np.random.default_rng({run.config.seed})
full = gradient(tf.range(N))
S_squared = sum(distance([i]) for i in range(N)) / (N - 1)  # {spread}
for k in {list(batch_sizes)}:
    measured = np.mean([distance(random.choice(N, k, replace=False)) for _ in range({num_draws})])  # {without}
    print(f"k = {{k}}: measured {{measured:.4g}}, law {{S_squared / k * (1 - k / N):.4g}}")"""
    before = [training.minibatches(run), training.fit(run)] if is_trained else []
    snippet = Snippet(imports=("import numpy as np", training.TENSORFLOW), body=body)
    return f"{join(data(run), training.model(run), training.loss(run), *before, snippet)}\n"


def devices(run: PlainRun) -> str:
    """`model.fit` over two devices: GPUs where there are two, else two halves of the processor.

    Args:
        run: problem, model, k of the whole minibatch, learning rate and epochs.
    """
    halves, copies = "two logical devices on one processor", "a copy of the weights on each device"
    whole = "k is the size of the whole minibatch; each device takes half of it, and the gradients are averaged."
    setup = f"""names = [gpu.name for gpu in tf.config.list_logical_devices("GPU")][:2] if len(
    tf.config.list_physical_devices("GPU")
) > 1 else ["CPU:0", "CPU:1"]
if names[0] == "CPU:0":  # {halves}
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(names, tf.distribute.ReductionToOneDevice())"""
    fit = training.fit(run)
    compiled, rest = fit.body.split("\n# ", 1)
    inside = f"# {whole}\nwith strategy.scope():  # {copies}\n{_indented(training.model(run).body)}\n"
    inside += _indented(compiled)
    parts = [
        Snippet(imports=(training.TENSORFLOW, *training.model(run).imports), body=setup),
        data(run),
        training.minibatches(run),
        training.loss(run),
        Snippet(body=f"{inside}\n# {rest}"),
        training.evaluation(run),
    ]
    return f"{join(*parts)}\n"


def _indented(lines: str) -> str:
    return "\n".join(f"    {line}" if line else "" for line in lines.splitlines())
