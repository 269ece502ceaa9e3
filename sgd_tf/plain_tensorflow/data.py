"""The data of a problem in plain code: loaded, split and scaled as `problems.load` does it.

Each snippet leaves x_train, y_train, x_test and y_test, with the same numbers as the problem of the lab.
"""

from __future__ import annotations

from collections.abc import Callable

from sgd_tf.plain_tensorflow.records import PlainRun, Snippet
from sgd_tf.problems.splitting import Draw

SPLIT = "from sklearn.model_selection import train_test_split"
SCALER = "from sklearn.preprocessing import StandardScaler"
TEST_SHARE = 0.2


def data(run: PlainRun, translate: Callable[[str], str] = str) -> Snippet:
    """The code that makes the arrays of a run.

    Args:
        run: its problem, N and the seed of its data.
        translate: gives a comment in the reader's language.

    >>> print(data(PlainRun(problem="digits")))
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split
    <BLANKLINE>
    x, y = load_digits(return_X_y=True)
    x = x.astype("float32") / 16  # pixels from 0 to 1
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, random_state=0, stratify=y)
    """
    makers = {"line": _line, "spirals": _spirals, "teacher": _teacher, "digits": _digits}
    if run.problem in makers:
        return makers[run.problem](run, translate)
    return _images(run, translate) if run.info.is_image else _table(run, translate)


def _split(run: PlainRun, *, stratify: bool) -> str:
    """The lines that split x and y, and take the first N training samples."""
    options = f"test_size={TEST_SHARE}, random_state={run.data_seed}" + (", stratify=y" if stratify else "")
    lines = f"x_train, x_test, y_train, y_test = train_test_split(x, y, {options})"
    if run.size < run.info.num_examples:
        lines += f"\nx_train, y_train = x_train[:{run.size}], y_train[:{run.size}]"
    return lines


def _digits(run: PlainRun, translate: Callable[[str], str]) -> Snippet:
    _ = translate
    scaled = _("pixels from 0 to 1")
    body = f"""x, y = load_digits(return_X_y=True)
x = x.astype("float32") / 16  # {scaled}
{_split(run, stratify=True)}"""
    return Snippet(imports=("from sklearn.datasets import load_digits", SPLIT), body=body)


def _table(run: PlainRun, translate: Callable[[str], str]) -> Snippet:
    _ = translate
    loader, arguments = {
        "diabetes": ("load_diabetes", "return_X_y=True, scaled=False"),
        "breast_cancer": ("load_breast_cancer", "return_X_y=True"),
        "california": ("fetch_california_housing", "return_X_y=True"),
    }[run.problem]
    is_regression = run.info.num_classes is None
    by_training = _("mean and standard deviation of the training samples only")
    body = f"""x, y = {loader}({arguments})
{_split(run, stratify=not is_regression)}
scaler = StandardScaler().fit(x_train)  # {by_training}
x_train, x_test = (scaler.transform(part).astype("float32") for part in (x_train, x_test))"""
    if is_regression:
        body += """
mean, std = y_train.mean(), y_train.std()
y_train, y_test = (((part - mean) / std).astype("float32") for part in (y_train, y_test))"""
    return Snippet(imports=(f"from sklearn.datasets import {loader}", SPLIT, SCALER), body=body)


def _images(run: PlainRun, translate: Callable[[str], str]) -> Snippet:
    _ = translate
    scaled = _("pixels from 0 to 1")
    body = f"(x_train, y_train), (x_test, y_test) = keras.datasets.{run.problem}.load_data()"
    imports = ["import keras"]
    if run.size < run.info.num_examples:
        imports.append("import numpy as np")
        body += f"""
rows = np.random.default_rng({run.data_seed}).permutation(len(x_train))[:{run.size}]
x_train, y_train = x_train[rows], y_train[rows]"""
    body += f"""
x_train, x_test = (part.reshape(len(part), -1).astype("float32") / 255 for part in (x_train, x_test))  \
# {scaled}"""
    return Snippet(imports=tuple(imports), body=body)


def _drawn(run: PlainRun, draw: str, before: str = "") -> Snippet:
    """Synthetic samples: a function of a generator and a number of samples, called for both parts."""
    num_test = Draw(run.size, TEST_SHARE, run.data_seed).num_test()
    body = f"""{before}{draw}


x_train, y_train = draw(np.random.default_rng([{run.data_seed}, 1]), {run.size})
x_test, y_test = draw(np.random.default_rng([{run.data_seed}, 2]), {num_test})"""
    return Snippet(imports=("import numpy as np",), body=body)


def _options(run: PlainRun) -> dict[str, int | float | str]:
    return {option.name: option.default for option in run.info.options}


def _line(run: PlainRun, translate: Callable[[str], str]) -> Snippet:
    del translate
    of = _options(run)
    return _drawn(
        run,
        f"""def draw(random, num):
    x, noise = random.standard_normal((num, 2)).T
    y = {of["slope"]} * x + {of["intercept"]} + {of["noise"]} * noise
    return x[:, None].astype("float32"), y.astype("float32")""",
    )


def _spirals(run: PlainRun, translate: Callable[[str], str]) -> Snippet:
    _ = translate
    of, evenly = _options(run), _("spreads the points evenly over the area")
    return _drawn(
        run,
        f"""def draw(random, num):
    label = random.permutation(np.arange(num) % 2)
    root = np.sqrt(random.random(num))  # {evenly}
    angle = 2 * np.pi * {of["turns"]} * root + np.pi * label
    x = 2 * root[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])
    x += {of["noise"]} * random.standard_normal((num, 2))
    return x.astype("float32"), label.astype("int32")""",
    )


def _teacher(run: PlainRun, translate: Callable[[str], str]) -> Snippet:
    _ = translate
    of = _options(run)
    d, classes = of["num_features"], of["num_classes"]
    heading, balance = _("The teacher: a random network with one hidden layer of 32 units."), _("balance the classes")
    teacher = f"""# {heading}
random = np.random.default_rng([{run.data_seed}, 0])
first = random.normal(0.0, 2 / np.sqrt({d}), ({d}, 32)).astype("float32")
bias = random.normal(0.0, 1.0, 32).astype("float32")
second = random.normal(0.0, 1.0, (32, {classes})).astype("float32")


def outputs(x):
    return np.{"tanh(x @ first + bias)" if of["activation"] == "tanh" else "maximum(x @ first + bias, 0)"} @ second


reference = outputs(random.standard_normal((10_000, {d}), dtype="float32"))
mean, std = reference.mean(axis=0), reference.std(axis=0)  # {balance}


"""
    draw = f"""def draw(random, num):
    x = random.standard_normal((num, {d}), dtype="float32")
    return x, ((outputs(x) - mean) / std).argmax(axis=1).astype("int32")"""
    return _drawn(run, draw, teacher)
