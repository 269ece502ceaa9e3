"""The code to take home runs without this package, and trains as the lab does."""

import json
import subprocess
import sys
import warnings
from types import SimpleNamespace

import nbformat
import numpy as np
import pytest

from sgd_tf import ModelConfig, TrainConfig, load, train
from sgd_tf.plain_tensorflow import documents, training
from sgd_tf.plain_tensorflow.data import data
from sgd_tf.plain_tensorflow.records import PROBLEMS, PlainRun
from sgd_tf.problems import datasets, loading
from sgd_tf.training.run import Run

PARTS = ("x_train", "y_train", "x_test", "y_test")


def ran(*snippets, **names):
    """The names that are there after the snippets have run."""
    for snippet in snippets:
        exec(str(snippet), names)
    return SimpleNamespace(**{name: value for name, value in names.items() if name != "__builtins__"})


def fetched(name):
    """What a download would give: a few random samples of the right shapes."""
    random = np.random.default_rng(0)
    if name == "california":
        return SimpleNamespace(
            data=random.lognormal(size=(200, 8)), target=random.lognormal(size=200), feature_names=list("abcdefgh")
        )
    images = random.integers(0, 256, (130, 28, 28)).astype(np.uint8)
    images[:, 0, 0], images[:, 0, 1] = 0, 255  # the full range in each image
    labels = (np.arange(130) % 10).astype(np.uint8)
    return (images[:100], labels[:100]), (images[100:], labels[100:])


@pytest.fixture
def no_network(monkeypatch):
    """Downloads without a network, of the lab and of the code to take home."""
    import keras
    import sklearn.datasets

    california = fetched("california")
    monkeypatch.setattr(datasets, "DOWNLOADS", SimpleNamespace(get=lambda name, *_: fetched(name)))
    monkeypatch.setattr(sklearn.datasets, "fetch_california_housing", lambda **_: (california.data, california.target))
    for name in ("mnist", "fashion_mnist"):
        monkeypatch.setattr(getattr(keras.datasets, name), "load_data", lambda: fetched("images"))
    loading.make.cache_clear()
    yield
    loading.make.cache_clear()


@pytest.mark.usefixtures("no_network")
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_data_of_the_code_are_those_of_the_lab(problem):
    lab = load(problem, num_examples=60, seed=3)
    plain = ran(data(PlainRun(problem=problem, num_examples=60, data_seed=3)))
    for part in PARTS:
        np.testing.assert_allclose(getattr(plain, part), getattr(lab, part), rtol=2e-6, atol=2e-6, err_msg=part)


@pytest.mark.parametrize("problem", ["digits", "breast_cancer", "diabetes"])
def test_all_training_samples_are_those_of_the_lab(problem):
    lab, plain = load(problem), ran(data(PlainRun(problem=problem)))
    for part in PARTS:
        np.testing.assert_allclose(getattr(plain, part), getattr(lab, part), rtol=2e-6, atol=2e-6, err_msg=part)


@pytest.mark.parametrize(
    "model",
    [
        ModelConfig(kind="linear"),
        ModelConfig(widths=(7, 5), activation="tanh"),
        ModelConfig(widths=(7,), activation="leaky_relu"),
        ModelConfig(kind="cnn", activation="relu"),
    ],
    ids=lambda model: f"{model.kind}-{model.activation}",
)
def test_the_model_of_the_code_is_that_of_the_lab(model):
    from sgd_tf.training import models

    digits = load("digits", num_examples=20)
    lab = models.build(digits, model, seed=1)
    plain = ran(training.model(PlainRun(problem="digits", model=model))).model

    def initial_laws(model):
        found = [layer.kernel_initializer for layer in model.layers if hasattr(layer, "kernel_initializer")]
        return [(type(law).__name__, law.scale, law.mode, law.distribution) for law in found]

    assert initial_laws(plain) == initial_laws(lab)
    plain.set_weights(lab.get_weights())
    np.testing.assert_allclose(plain(digits.x_train), lab(digits.x_train), rtol=1e-5, atol=1e-6)


def epochs_of(config, num_epochs=2, num_examples=60):
    """The samples that the code draws in each epoch, in their order, and the sizes of the minibatches."""
    x = np.arange(num_examples, dtype=np.float32)
    run = PlainRun(problem="line", num_examples=num_examples, config=config)
    drawn = ran(training.minibatches(run), x_train=x, y_train=x).minibatches
    epochs = [[part.numpy() for part, _ in drawn] for _ in range(num_epochs)]
    return [np.concatenate(epoch).astype(int) for epoch in epochs], [len(part) for part in epochs[0]]


def test_the_pipeline_of_the_code_draws_as_the_setting_says():
    everyone = np.arange(60)
    (first, second), sizes = epochs_of(TrainConfig(batch_size=16))
    assert sizes == [16, 16, 16, 12]
    assert (np.sort(first) == everyone).all()
    assert (np.sort(second) == everyone).all()
    assert (first != second).any()
    (first, second), sizes = epochs_of(TrainConfig(batch_size="all", sampling="in_order"))
    assert sizes == [60]
    assert (first == everyone).all()
    (first, second), _ = epochs_of(TrainConfig(sampling="shuffle_once"))
    assert (first != everyone).any()
    assert (first == second).all()
    (first, second), _ = epochs_of(TrainConfig(sampling="with_replacement"))
    assert len(first) == 60 > len(set(first))
    assert (first != second).any()
    (first, _), _ = epochs_of(TrainConfig(sampling="buffer", buffer_size=5))
    assert all(sample - position < 5 for position, sample in enumerate(first))
    _, sizes = epochs_of(TrainConfig(batch_size=16, micro_batch_size=4))
    assert sizes == [4] * 15


@pytest.mark.parametrize("make", [training.fit, training.double_loop])
@pytest.mark.parametrize("problem", ["digits", "diabetes"])
def test_from_the_same_weights_and_in_the_same_order_the_code_makes_the_updates_of_the_lab(problem, make):
    config = TrainConfig(batch_size=48, learning_rate=0.05, momentum=0.5, sampling="in_order", seed=2)
    run = PlainRun(problem=problem, num_examples=100, config=config, num_epochs=2)
    with Run(load(problem, num_examples=100), config, model=run.model) as lab:
        weights = lab.model.get_weights()
        lab.advance(update=6)
        expected = lab.model.get_weights()
    plain = ran(data(run), training.model(run))
    plain.model.set_weights(weights)
    plain = ran(training.minibatches(run), training.loss(run), make(run), **vars(plain))
    for one, other in zip(plain.model.get_weights(), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5)


RUNS = {
    "fit": PlainRun(
        problem="digits", num_examples=600, config=TrainConfig(batch_size=32, learning_rate=0.1), num_epochs=3
    ),
    "double_loop": PlainRun(
        problem="diabetes",
        model=ModelConfig(kind="linear"),
        config=TrainConfig(batch_size=50, learning_rate=0.01),
        num_epochs=2,
    ),
    "notebook": PlainRun(
        problem="spirals",
        num_examples=300,
        model=ModelConfig(widths=(16,), activation="tanh"),
        config=TrainConfig(batch_size="all", learning_rate=0.3, momentum=0.5),
        num_epochs=10,
    ),
}
BLOCKED = """
import contextlib, io, json, sys
sys.modules["sgd_tf"] = None  # an import of it would raise
sources, lines = json.load(sys.stdin), {}
for name, cells in sources.items():
    out, scope = io.StringIO(), {"__name__": "__main__"}
    with contextlib.redirect_stdout(out):
        for cell in cells:
            exec(cell, scope)
    lines[name] = out.getvalue().splitlines()
print(json.dumps(lines))
"""


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each document prints, in a process that cannot import this package."""
    cells = {
        "fit": [documents.script(RUNS["fit"])],
        "double_loop": [documents.script(RUNS["double_loop"], "double_loop")],
        "notebook": [
            cell["source"]
            for cell in nbformat.reads(documents.notebook(RUNS["notebook"]), 4)["cells"]
            if cell["cell_type"] == "code"
        ],
    }
    done = subprocess.run(
        [sys.executable, "-I", "-c", BLOCKED],
        input=json.dumps(cells),
        capture_output=True,
        text=True,
        cwd=tmp_path_factory.mktemp("elsewhere"),
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize(("form", "num_trainings"), [("fit", 1), ("double_loop", 1), ("notebook", 2)])
def test_the_code_reaches_the_losses_of_the_lab_without_this_package(printed, form, num_trainings):
    run = RUNS[form]
    problem = load(run.problem, num_examples=run.num_examples)
    losses = []
    for seed in range(8):
        config = TrainConfig(**{**run.config.__dict__, "seed": seed})
        *_, last = train(problem, config, model=run.model, epochs=run.num_epochs)
        losses.append(last.train_loss)
    mean, spread = np.mean(losses), np.std(losses, ddof=1)
    found = [float(line.split()[-1]) for line in printed[form] if line.startswith("training loss")]
    assert len(found) == num_trainings
    assert all(abs(loss - mean) < 4 * spread + 1e-4 for loss in found), (found, losses)


def test_the_notebook_is_valid_and_installs_first_what_is_missing():
    notebook = nbformat.reads(documents.notebook(RUNS["fit"]), 4)
    nbformat.validate(notebook)
    first = next(cell["source"] for cell in notebook["cells"] if cell["cell_type"] == "code")
    calls = []
    util = SimpleNamespace(find_spec=lambda name: None if name == "sklearn" else name)
    importlib = SimpleNamespace(util=util)
    subprocess_ = SimpleNamespace(run=lambda command, check: calls.append((command[1:], check)))
    names = {"importlib": importlib, "importlib.util": util, "subprocess": subprocess_, "sys": sys}
    exec(first, {"__builtins__": {"__import__": lambda name, *_: names[name.split(".")[0]]}})
    assert calls == [(["-m", "pip", "install", "scikit-learn"], True)]


# What the comments in the code say of Keras.


def small_model(**options):
    import keras

    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1, kernel_initializer="zeros")])
    steps = options.pop("gradient_accumulation_steps", None)
    optimizer = keras.optimizers.SGD(learning_rate=0.1, gradient_accumulation_steps=steps)
    model.compile(optimizer=optimizer, loss="mse", **options)
    return model


@pytest.fixture
def in_order():
    """Eight samples in order, in four minibatches."""
    return in_minibatches(2)


def in_minibatches(size):
    import tensorflow as tf

    x = np.arange(8, dtype=np.float32)[:, None]
    return tf.data.Dataset.from_tensor_slices((x, x)).batch(size)


def test_fit_with_shuffle_warns_and_takes_a_dataset_in_its_order(in_order):
    with pytest.warns(UserWarning, match=r"shuffle=True.*ignored"):
        small_model().fit(in_order, verbose=0)
    shuffled, ordered = small_model(), small_model()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        shuffled.fit(in_order, verbose=0, shuffle=True)
    ordered.fit(in_order, verbose=0, shuffle=False)
    for one, other in zip(shuffled.get_weights(), ordered.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_steps_per_execution_makes_several_updates_in_one_call(in_order):
    import keras

    class Calls(keras.callbacks.Callback):
        num = 0

        def on_train_batch_end(self, batch, logs=None):
            del batch, logs
            self.num += 1

    for steps, num_calls in ((1, 4), (3, 2)):
        model, calls = small_model(steps_per_execution=steps), Calls()
        model.fit(in_order, verbose=0, shuffle=False, callbacks=[calls])
        assert (calls.num, int(model.optimizer.iterations)) == (num_calls, 4)


def test_xla_is_used_by_default_only_where_there_is_a_gpu():
    import tensorflow as tf

    assert small_model().jit_compile == bool(tf.config.list_physical_devices("GPU"))
    assert small_model(jit_compile=True).jit_compile


def test_accumulated_gradients_make_the_update_of_the_whole_minibatch(in_order):
    whole, parts = small_model(), small_model(gradient_accumulation_steps=2)
    whole.fit(in_minibatches(4), verbose=0, shuffle=False)
    parts.fit(in_order, verbose=0, shuffle=False)
    for one, other in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


# Bad input


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"problem": "flights"}, "`problem` must be one of line, .*; received 'flights'"),
        ({"problem": "digits", "num_examples": 2_000}, r"`num_examples` must be an integer in \[10, 1437\]"),
        ({"problem": "digits", "num_epochs": 0}, "`num_epochs` must be an integer of at least 1; received 0"),
        ({"problem": "line", "config": TrainConfig(batch_size=1_001)}, r"`batch_size` must be in \[1, 1000\]"),
        ({"problem": "line", "model": ModelConfig(kind="cnn")}, "`model` must be linear or an MLP for 'line'"),
        (
            {"problem": "line", "config": TrainConfig(batch_size=32, micro_batch_size=10)},
            "`micro_batch_size` must divide k = 32.* received 10",
        ),
    ],
)
def test_what_has_no_plain_form_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        PlainRun(**fields)


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="`form` must be one of fit, double_loop; received 'loop'"):
        documents.script(PlainRun(problem="line"), "loop")
