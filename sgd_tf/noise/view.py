"""The page on gradient noise: the choice of its part, and controls, pictures and verdicts of its experiments."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.jobs import tasks
from sgd_tf.noise import chart as noise_chart
from sgd_tf.noise import noise_law
from sgd_tf.problems import CATALOGUE
from sgd_tf.training import history, tuned_rates
from sgd_tf.training.records import ModelConfig
from sgd_tf.ui import address, experiment, runs
from sgd_tf.ui.language import _, selectbox, titles
from sgd_tf.ui.numbers import digits
from sgd_tf.ui.runs import Rows, SessionRun
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.widgets import DEFAULT_LEARNING_RATE, MODELS, PROBLEMS
from sgd_tf.words import N_

CHART_HEIGHT = 420  # px

PARTS = {"path": N_("Path"), "law": N_("Law"), "escape": N_("Escape"), "edge": N_("Stability")}

# Law
MAX_SAMPLES = {"linear": 2_048, "mlp": 2_048, "cnn": 512}  # whose gradients are taken one by one, by model
STAGES = {"0": N_("Initial"), "5": N_("5 epochs"), "20": N_("20 epochs")}
SCALES = {"tiny": N_("k < 4"), "small": N_("4 to 32"), "medium": N_("32 to 256"), "large": N_("k > 256")}

# Escape
ESCAPE_SIZES = (1, 2, 4, 8, 16, 32, 64, 128, 512)
ESCAPE_SAMPLES, ESCAPE_RUNS = 512, 300
ESCAPES = {"one": N_("k = 1"), "between": N_("A k in between"), "gd": N_("GD"), "none": N_("None escapes")}

# Stability
FACTORS = (0.5, 0.95, 1.05, 1.5)
EDGE_UPDATES = 100
JUST_ABOVE = 1.05  # whose fate is to be predicted
EDGES = {
    "down": N_("Falls like the others"),
    "bump": N_("Rises, then falls"),
    "up": N_("Ends higher than it began"),
}


LAW_SETTINGS = (
    address.choice("noise_problem", "digits", PROBLEMS),
    address.choice("noise_model", "mlp", MODELS),
    address.choice("noise_stage", "0", STAGES),
    address.number("noise_seed", 0, 0, 2**31 - 1),
)
ESCAPE_SETTINGS = (
    address.number("noise_spread", 3.0, 0.5, 4.0),
    address.number("noise_seed", 0, 0, 2**31 - 1),
)
EDGE_SETTINGS = (
    address.choice("noise_edge_problem", "diabetes", PROBLEMS),
    address.choice("noise_edge_model", "linear", MODELS),
    address.number("noise_seed", 0, 0, 2**31 - 1),
)


def part() -> str:
    """Draw the choice of the part of the page, and tell which it is."""
    setting = address.choice("noise_part", "path", PARTS)
    address.restore([setting])
    st.segmented_control(
        _("Part"),
        list(PARTS),
        format_func=titles(PARTS),
        key=setting.key,
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    address.publish([setting])
    return st.session_state[setting.key]


# What each part does, as a program of the package.
CODE = {
    "path": """\
import sgd_tf
from sgd_tf.training import models
from sgd_tf.noise.gradient_noise import Gradients, minibatch_gradients

problem = sgd_tf.load("line", num_examples=200, noise=1.5)
gradients = Gradients(problem, models.linear(problem))
parts, shares = minibatch_gradients(gradients, 32)  # of one epoch, all at the same weights
print(shares @ parts - gradients.full())  # 0, but for rounding
""",
    "law": """\
import sgd_tf
from sgd_tf.training import models
from sgd_tf.noise.gradient_noise import Gradients, exact_noise, gradient_variance, noise_scale

problem = sgd_tf.load("digits")
gradients = Gradients(problem, models.mlp(problem))
exact = exact_noise(gradients)  # from the gradients of all samples, one by one
for result in gradient_variance(gradients, exact, [1, 32, 1437]):
    print(result.batch_size, result.mean, "by the law", result.law)
print(noise_scale(gradients, small=89, big=718).value, "exactly", exact.noise_scale)
""",
    "escape": """\
from sgd_tf.noise.escape import escapes

for k in (1, 8, 64, "all"):
    result = escapes(k, spread=3.0)
    print(k, result.share, result.interval(), "flown off:", result.num_diverged)
""",
    "edge": """\
import sgd_tf
from sgd_tf.training import models
from sgd_tf.noise.curvature import largest_eigenvalue
from sgd_tf.noise.gradient_noise import Gradients

problem = sgd_tf.load("diabetes")
gradients = Gradients(problem, models.linear(problem))
found = largest_eigenvalue(gradients.hessian_product, gradients.num_parameters)
for factor in (0.95, 1.05):
    rate = factor * found.max_learning_rate
    config = sgd_tf.TrainConfig(batch_size="all", learning_rate=rate)
    *_, last = sgd_tf.train(problem, config, model=models.linear, updates=100)
    print(factor, last.train_loss)
""",
}


def code(part: str) -> None:
    """Draw the program of a part, folded up."""
    with st.expander(_("The same in Python"), icon=":material/code:"):
        st.code(CODE[part], language="python")


def _seed() -> None:
    st.number_input(_("Seed"), 0, 2**31 - 1, step=1, key="noise_seed", persist_state="session", width=140)


def _problem_and_model(problem_key: str, model_key: str) -> tuple[str, int, ModelConfig]:
    """Draw the choice of a problem and a model; give its name, N and the model."""
    selectbox(_("What to learn"), PROBLEMS, key=problem_key)
    info = CATALOGUE[st.session_state[problem_key]]
    kinds = [kind for kind in MODELS if kind != "cnn" or info.is_image]
    if st.session_state[model_key] not in kinds:
        st.session_state[model_key] = "mlp"
    st.segmented_control(
        _("Model"), kinds, format_func=titles(MODELS), key=model_key, required=True, persist_state="session"
    )
    kind = st.session_state[model_key]
    num_examples = min(info.num_examples, MAX_SAMPLES[kind])
    text = _("N = {n} of {total} samples") if num_examples < info.num_examples else "N = {n}"
    st.caption(text.format(n=f"{num_examples:,}", total=f"{info.num_examples:,}"))
    return info.name, num_examples, ModelConfig(kind=kind, widths=(32,) if kind == "mlp" else ())


# Law


def law() -> None:
    """Draw the part "Law": controls, the measurement against k, and what it says."""
    address.restore(LAW_SETTINGS)
    left, right = st.columns([1, 2.2], gap="medium")
    with left, st.container(key="noise_law_controls"):
        problem, num_examples, model = _problem_and_model("noise_problem", "noise_model")
        with st.container(horizontal=True):
            st.segmented_control(
                _("Weights after"),
                list(STAGES),
                format_func=titles(STAGES),
                key="noise_stage",
                required=True,
                persist_state="session",
            )
            _seed()
        guess = experiment.predict(
            _("Predict: at which k is the noise as large as the gradient?"), SCALES, key="noise_law_guess"
        )
        wants_run = experiment.run_and_stop("noise_law")
    address.publish(LAW_SETTINGS)
    if wants_run:
        rate = (
            tuned_rates.tuned_learning_rate(problem, model.kind, min(32, num_examples), num_examples)
            or DEFAULT_LEARNING_RATE
        )
        stage, seed = int(st.session_state["noise_stage"]), st.session_state["noise_seed"]
        runs.start(
            "noise_law",
            tasks.measure_noise,
            problem,
            num_examples,
            model,
            stage,
            rate,
            seed,
            seconds=30.0,
            prediction=guess,
        )
        st.rerun()
    with right:
        experiment.follow("noise_law", functools.partial(_law_picture, num_examples))
    _law_verdict(runs.get("noise_law"))


def _law_rows(run: SessionRun | None) -> tuple[dict[str, Any] | None, pd.DataFrame, dict[str, Any] | None]:
    """What a run has told so far: the exact noise, the measured ones, and the estimate of the noise scale."""
    rows: Rows = run.job.rows if run else []
    measured = pd.DataFrame(
        [row for row in rows if "law" in row], columns=["batch_size", "mean", "standard_error", "law", "num_draws"]
    )
    scale = next((row for row in rows if "low" in row), None)
    return (rows[0] if rows else None), measured, scale


def _law_picture(chosen: int, run: SessionRun | None) -> None:
    exact, measured, scale = _law_rows(run)
    num_examples = run.plan[1] if run else chosen
    with st.container(key="noise_law_chart", height=CHART_HEIGHT, border=False):
        if exact is None and run and run.is_active:
            st.skeleton("stretch")
        else:
            chart = noise_chart.noise_of_k(
                measured,
                s_squared=exact["s_squared"] if exact else 1.0,
                signal=exact["signal"] if exact else None,
                num_examples=num_examples,
                scale=None if scale is None else (scale["value"], scale["low"], scale["high"]),
                theme=page_theme(CHART_HEIGHT),
            )
            alt = _("Mean squared distance of minibatch gradients from the full gradient against k, with the law")
            show_chart(chart, alt, key="noise_law_curve")
    total = math.ceil(math.log2(num_examples)) + 2
    text = ""
    if run and not run.is_active:
        text = _("Measured with {num} minibatches.").format(num=f"{int(measured['num_draws'].sum()):,}")
    elif len(measured):
        text = _("Measured: {done} of {total} batch sizes").format(done=len(measured), total=total - 1)
    experiment.status(run, 1.0 if run and not run.is_active else len(measured) / total, text)


def scale_bin(batch_size: float) -> str:
    """Which of the answers in SCALES a k is.

    >>> scale_bin(3.0), scale_bin(35.0)
    ('tiny', 'medium')
    """
    return next(name for name, limit in zip(SCALES, (4, 32, 256, math.inf), strict=True) if batch_size < limit)


def _law_verdict(run: SessionRun | None) -> None:
    exact, measured, scale = _law_rows(run)
    if run is None or run.is_active or exact is None or scale is None:
        return
    num_examples = run.plan[1]
    equal = noise_law.equal_noise_batch_size(exact["noise_scale"], num_examples)
    with st.container(key="noise_law_results"):
        experiment.judge(run.prediction, scale_bin(equal), SCALES)
        inner = measured[measured["batch_size"] < num_examples]
        ratio = inner["mean"] / inner["law"]
        last = measured[measured["batch_size"] == num_examples]["mean"].iloc[0]
        lines = [
            _(
                "Measured / law lies between **{low}** and **{high}** for the {num} batch sizes below N. At k = N the "
                "law is exactly 0; measured was {last}, the rounding of 32-bit numbers."
            ).format(low=f"{ratio.min():.2f}", high=f"{ratio.max():.2f}", num=len(inner), last=f"{last:.0e}"),
            _(
                "Noise scale B = S²/‖g‖²: **{value}** (95 %: {low} to {high}) from minibatches of {small} and {big} "
                "samples alone; {exact} from the gradients of all samples one by one."
            ).format(
                value=digits(scale["value"], 3),
                low=digits(scale["low"], 3),
                high=digits(scale["high"], 3),
                small=f"{scale['small']:,}",
                big=f"{scale['big']:,}",
                exact=digits(exact["noise_scale"], 3),
            ),
            _useful_k(exact["noise_scale"], num_examples),
        ]
        st.markdown("\n".join(f"- {line}" for line in lines))


def _useful_k(noise_scale: float, num_examples: int) -> str:
    """One honest sentence on what the noise scale says about k."""
    if noise_scale >= num_examples:
        return _(
            "So at these weights even a minibatch of half the samples has as much noise as gradient: B is no less than "
            "N, and no k is too large yet."
        )
    if noise_scale < 1:
        return _("So at these weights even a single sample has less noise than gradient: B is below 1.")
    return _(
        "So at these weights a k far below {k} gives steps that are mostly noise, and a k far above {k} spends samples "
        "on little. It is a rough guide: it moves as training goes on, and says nothing of speed or memory."
    ).format(k=digits(noise_scale, 2))


# Escape


def escape() -> None:
    """Draw the part "Escape": controls, where the runs ended, and the share that escaped for each k."""
    address.restore(ESCAPE_SETTINGS)
    left, right = st.columns([1, 2.7], gap="medium")
    with left, st.container(key="noise_escape_controls"):
        st.slider(
            _("How much the samples differ"),
            0.5,
            4.0,
            step=0.5,
            key="noise_spread",
            persist_state="session",
            help=_("Standard deviation of the slopes that tell the samples apart; their mean is 0."),
        )
        _seed()
        guess = experiment.predict(
            _("Predict: which ends in the deeper valley most often?"), ESCAPES, key="noise_escape_guess"
        )
        wants_run = experiment.run_and_stop("noise_escape")
    address.publish(ESCAPE_SETTINGS)
    if wants_run:
        runs.start(
            "noise_escape",
            tasks.escape_runs,
            ESCAPE_SIZES,
            ESCAPE_SAMPLES,
            st.session_state["noise_spread"],
            ESCAPE_RUNS,
            st.session_state["noise_seed"],
            seconds=30.0,
            prediction=guess,
        )
        st.rerun()
    with right:
        experiment.follow("noise_escape", _escape_picture)
    _escape_verdict(runs.get("noise_escape"))


def _escape_picture(run: SessionRun | None) -> None:
    rows: Rows = run.job.rows if run else []
    results = pd.DataFrame(
        rows, columns=["batch_size", "share", "low", "high", "num_escaped", "num_diverged", "num_runs"]
    )
    ends = pd.DataFrame(
        [(row["batch_size"], w) for row in rows for w in row["ends"]], columns=["batch_size", "w"]
    ).astype({"batch_size": "int64", "w": "float64"})
    options: dict[str, Any] = {
        "batch_sizes": ESCAPE_SIZES,
        "num_examples": ESCAPE_SAMPLES,
        "theme": page_theme(CHART_HEIGHT),
    }
    with st.grid(2, min_column_width=300, gap="small"):
        with st.container(key="noise_valleys"):
            alt = _("A curve with a shallow and a deeper valley, and below it where the runs of each batch size ended")
            show_chart(noise_chart.valleys(ends, **options), alt, key="noise_valleys_chart")
        with st.container(key="noise_shares"):
            alt = _("Share of the runs of each batch size that ended in the deeper valley")
            show_chart(noise_chart.escapes(results, **options), alt, key="noise_shares_chart")
    done = len(rows) / len(ESCAPE_SIZES)
    text = _("{num} runs from the shallow valley").format(num=f"{len(rows) * ESCAPE_RUNS:,}") if rows else ""
    experiment.status(run, done, text)


def escape_answer(rows: Sequence[Mapping[str, Any]]) -> str:
    """Which of the answers in ESCAPES the runs give: where the largest share escaped, or that none did.

    >>> escape_answer([{"batch_size": 1, "num_escaped": 3}, {"batch_size": 8, "num_escaped": 7}])
    'between'
    """
    best = max(rows, key=lambda row: row["num_escaped"])
    if best["num_escaped"] == 0:
        return "none"
    return {1: "one", ESCAPE_SAMPLES: "gd"}.get(best["batch_size"], "between")


def _escape_verdict(run: SessionRun | None) -> None:
    rows = run.job.rows if run else []
    if run is None or run.is_active or len(rows) < len(ESCAPE_SIZES):
        return
    best = max(rows, key=lambda row: row["num_escaped"])
    last = rows[-1]
    with st.container(key="noise_escape_results"):
        experiment.judge(run.prediction, escape_answer(rows), ESCAPES)
        text = _(
            "Most often with k = {k}: **{share}** of {num} runs (95 %: {low} to {high}). GD: **{gd} of {num}**, as it "
            "has no noise and starts where the slope is 0."
        )
        st.markdown(
            text.format(
                k=best["batch_size"],
                share=f"{best['share']:.0%}",
                num=best["num_runs"],
                low=f"{best['low']:.0%}",
                high=f"{best['high']:.0%}",
                gd=last["num_escaped"],
            )
        )
        wild = [row for row in rows if row["num_diverged"]]
        if wild:
            found = ", ".join(f"k = {row['batch_size']}: {row['num_diverged']}" for row in wild)
            text = _("Runs that the noise threw out for good, and that neither stayed nor escaped (×): {found}.")
            st.caption(text.format(found=found))


# Stability


def edge() -> None:
    """Draw the part "Stability": λmax, the limit 2/λmax, and gradient descent on both sides of it."""
    address.restore(EDGE_SETTINGS)
    left, right = st.columns([1, 2.2], gap="medium")
    with left, st.container(key="noise_edge_controls"):
        problem, num_examples, model = _problem_and_model("noise_edge_problem", "noise_edge_model")
        _seed()
        guess = experiment.predict(
            _("Predict: the loss of GD with a learning rate 5 % above 2/λmax …"), EDGES, key="noise_edge_guess"
        )
        wants_run = experiment.run_and_stop("noise_edge")
    address.publish(EDGE_SETTINGS)
    if wants_run:
        runs.start(
            "noise_edge",
            tasks.descend_around_the_limit,
            problem,
            num_examples,
            model,
            FACTORS,
            EDGE_UPDATES,
            st.session_state["noise_seed"],
            seconds=30.0,
            prediction=guess,
        )
        st.rerun()
    with right:
        experiment.follow("noise_edge", _edge_picture)
    _edge_verdict(runs.get("noise_edge"))


def _limit(found: Mapping[str, Any] | None, num: int) -> str:
    """2/λmax with so many digits: "–" where there is none, "≈" before the best that the products gave.

    >>> _limit({"eigenvalue": 4.0, "converged": True}, 3), _limit({"eigenvalue": -1.0, "converged": True}, 3)
    ('0.5', '–')
    """
    if found is None or not found["eigenvalue"] > 0:
        return "–"
    return ("" if found["converged"] else "≈ ") + digits(2 / found["eigenvalue"], num)


def _without_limit(first: Mapping[str, Any]) -> str:
    """What to say of a λmax that gives no limit, or one that is not exact; empty of all others."""
    if math.isnan(first["eigenvalue"]):
        return _("λmax is unknown: the loss is not a finite number here.")
    if first["eigenvalue"] <= 0:
        return _("Here the loss curves upwards in no direction: it sets no limit to the learning rate.")
    return "" if first["converged"] else _("λmax is the best value that so many products give; it is not exact.")


def _edge_rows(run: SessionRun | None) -> tuple[dict[str, Any] | None, pd.DataFrame, dict[float, Any]]:
    """What a run has told so far: λmax, the records, and λmax at the end of the runs that did not diverge."""
    rows: Rows = run.job.rows if run else []
    table = history.to_frame(history.Row(**row) for row in rows if "run" in row)
    table["run"] = [f"{factor} × 2/λmax" for factor in table["run"]]
    return (
        (rows[0] if rows else None),
        table,
        {row["factor"]: row for row in rows if "factor" in row and "eigenvalue" in row},
    )


def _edge_picture(run: SessionRun | None) -> None:
    first, table, _ends = _edge_rows(run)
    start = float(table["train_loss"].iloc[0]) if len(table) else 1.0
    with st.container(key="noise_edge_chart"):
        chart = charts.curves(
            table,
            x=charts.Axis("update", (0.0, float(EDGE_UPDATES))),
            y=charts.Axis("train_loss", (start / 200, start * 1e4), log=True),
            band=False,
            theme=page_theme(CHART_HEIGHT),
        )
        alt = _("Training loss of gradient descent against updates, with four learning rates around 2/λmax")
        show_chart(chart, alt, key="noise_edge_curves")
    text = ""
    if first:
        text = _("λmax = {value} after {num} products with the Hessian (residual {residual}); 2/λmax = {limit}").format(
            value=digits(first["eigenvalue"], 4),
            num=first["num_products"],
            residual=f"{first['residual']:.0e}",
            limit=_limit(first, 4),
        )
    done = table["run"].nunique() / len(FACTORS) if run and run.is_active else 1.0
    experiment.status(run, done, text)


def edge_answer(losses: Sequence[float]) -> str:
    """Which of the answers in EDGES the losses of a run give; it is finite as long as it has not diverged.

    >>> edge_answer([2.0, 1.0, 0.5]), edge_answer([2.0, 3.0, 0.5]), edge_answer([2.0, 1.5, 1e9])
    ('down', 'bump', 'up')
    """
    if not math.isfinite(losses[-1]) or losses[-1] > losses[0]:
        return "up"
    rises = any(after > 1.01 * before for before, after in itertools.pairwise(losses))
    return "bump" if rises else "down"


def _times(factor: float) -> str:
    return f"× {factor:.4f}".replace("-", "−")


def _edge_verdict(run: SessionRun | None) -> None:
    first, table, ends = _edge_rows(run)
    ratios = {row["factor"]: row["ratio"] for row in (run.job.rows if run else []) if "ratio" in row}
    if first and (text := _without_limit(first)):
        st.caption(text)
    if run is None or run.is_active or first is None or table["run"].nunique() < len(FACTORS):
        return
    limit = 2 / first["eigenvalue"]
    by_run = {float(name.split()[0]): part for name, part in table.groupby("run", sort=False)}
    problem, _num_examples, model, *_rest = run.plan
    is_quadratic = CATALOGUE[problem].task == "regression" and model.kind == "linear"
    rows = []
    for factor, part in by_run.items():
        diverged = part["diverged_at"].dropna()
        lost = _("diverged at update {n}").format(n=int(diverged.iloc[0])) if len(diverged) else ""
        rows.append(
            {
                _("Learning rate"): f"{factor:g} × 2/λmax = {digits(factor * limit, 3)}",
                _("Steepest direction, by the law"): _times(1 - 2 * factor),
                _("Measured, first update"): _times(ratios[factor]),
                _("Loss at the end"): lost or digits(float(part["train_loss"].iloc[-1]), 3),
                _("2/λmax at the end"): _limit(ends.get(factor), 3),
            }
        )
    with st.container(key="noise_edge_results"):
        experiment.judge(run.prediction, edge_answer(by_run[JUST_ABOVE]["train_loss"].tolist()), EDGES)
        st.table(pd.DataFrame(rows).set_index(_("Learning rate")))
        if is_quadratic:
            st.caption(
                _(
                    "The loss of this model is a quadratic: λmax is the same everywhere and the law is exact. Above "
                    "the limit the steepest direction soon outgrows all others."
                )
            )
        else:
            st.caption(
                _(
                    "This loss is no quadratic: the law holds near the initial weights only. Compare each learning "
                    "rate with 2/λmax at its end: a run that goes on has moved to where the loss is flat enough."
                )
            )
