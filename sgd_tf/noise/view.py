"""Three experiments on gradient noise: against k, out of a minimum, and at the largest stable learning rate."""

from __future__ import annotations

import math
from typing import Any

import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.jobs.rows import table
from sgd_tf.noise import chart as noise_chart
from sgd_tf.noise import film, rows, verdict, wording
from sgd_tf.noise.controls import settings_text
from sgd_tf.noise.rows import Curvature, EdgePlan, End, EscapePlan, Escapes, LawPlan, MeasuredNoise, Noise, NoiseScale
from sgd_tf.recordings import recorded
from sgd_tf.training import history
from sgd_tf.ui.film import player
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits, power_of_ten
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Trial, Verdict
from sgd_tf.words import N_

SECONDS = 30.0  # of training, at most
CHART_HEIGHT = 400  # px
EDGE_DOMAIN = (1 / 50, 30.0)  # of the losses, as multiples of the first one


# 1. Noise against k


def law_code(plan: LawPlan) -> str:
    """The code that measures the noise."""
    small, big = plan.two_sizes
    return f"""from sgd_tf import ModelConfig, TrainConfig, load
from sgd_tf.noise.gradient_noise import exact_noise, gradient_variance, noise_scale
from sgd_tf.noise.gradients import trained

problem = load("{plan.problem}", num_examples={plan.num_examples})
config = TrainConfig(batch_size={plan.training_size}, learning_rate={plan.learning_rate}, seed={plan.seed})
gradients, loss = trained(problem, config, {plan.model!r}, num_epochs={plan.num_epochs})
exact = exact_noise(gradients)  # from the gradients of all samples, one by one
for found in gradient_variance(gradients, exact, {plan.batch_sizes}, seed={plan.seed}):
    print(found.batch_size, found.mean, "formula", found.law)
print(noise_scale(gradients, small={small}, big={big}, seed={plan.seed}).value, "exact", exact.noise_scale)"""


def _law_progress(plan: LawPlan, found: list[Any]) -> float:
    return len(found) / (len(plan.batch_sizes) + 2)


def _law_state(plan: LawPlan, found: list[Any]) -> str:
    text = _("Measured: {done} of {total} batch sizes")
    return text.format(done=len(table(found, MeasuredNoise)), total=len(plan.batch_sizes))


def law_picture(plan: LawPlan, found: list[Noise | MeasuredNoise | NoiseScale]) -> None:
    """Draw what is measured so far beside the law, and at the end what it says."""
    noise = next((row for row in found if isinstance(row, Noise)), None)
    scale = next((row for row in found if isinstance(row, NoiseScale)), None)
    with st.container(key="noise_law_chart"):
        chart = noise_chart.noise_of_k(
            table(found, MeasuredNoise),
            s_squared=noise.s_squared if noise else 1.0,
            signal=noise.signal if noise else None,
            num_examples=plan.num_examples,
            scale=(scale.value, scale.low, scale.high) if scale else None,
            theme=page_theme(CHART_HEIGHT),
        )
        alt = _("Mean squared distance of minibatch gradients from the full gradient against k, with the formula")
        show_chart(chart, alt, key="noise_law_curve")
    if says := verdict.law(plan, found):
        with st.container(key="noise_law_results"):
            st.markdown("\n".join(f"- {line}" for line in wording.law_details(says)))


def law_verdict(plan: LawPlan, found: list[Noise | MeasuredNoise | NoiseScale]) -> Verdict:
    """Where the noise is as large as the gradient; of a run that was stopped, how far it came."""
    says = verdict.law(plan, found)
    if says is None:
        return Verdict(text=wording.stopped(len(table(found, MeasuredNoise)), len(plan.batch_sizes)))
    return Verdict(text=wording.law(says), answer=says.answer)


LAW: Trial[LawPlan, Noise | MeasuredNoise | NoiseScale] = Trial(
    kind="noise_law",
    run=rows.measure_noise,
    recorded=recorded(rows.measure_noise),
    question=N_("Predict: at which k is the noise as large as the gradient?"),
    options=wording.CROSSINGS,
    seconds=lambda _plan: SECONDS,
    settings=settings_text,
    progress=_law_progress,
    state=_law_state,
    verdict=law_verdict,
    picture=law_picture,
)


# 2. Escape from a minimum


def escape_code(plan: EscapePlan) -> str:
    """The code that makes these runs."""
    return f"""from sgd_tf.noise.escape import escapes

for k in {plan.batch_sizes}:
    found = escapes(
        k, num_examples={plan.num_examples}, spread={plan.spread}, num_runs={plan.num_runs}, seed={plan.seed}
    )
    print(k, found.share, found.interval, "diverged:", found.num_diverged)"""


def escape_picture(plan: EscapePlan, found: list[Escapes]) -> None:
    """Draw where the runs ended, and the share that escaped for each k."""
    options: dict[str, Any] = {
        "batch_sizes": plan.batch_sizes,
        "num_examples": plan.num_examples,
        "theme": page_theme(CHART_HEIGHT),
    }
    if len(found) == len(plan.batch_sizes):
        with st.container(key="noise_escape_film"):
            player.show(film.escape(found), key="noise_escape_player")
    with st.grid(2, min_column_width=300, gap="small"):
        with st.container(key="noise_valleys"):
            alt = _("A curve with a shallow and a deeper valley, and below it where the runs of each batch size ended")
            show_chart(noise_chart.valleys(found, **options), alt, key="noise_valleys_chart")
        with st.container(key="noise_shares"):
            alt = _("Share of the runs of each batch size that ended in the deeper valley")
            show_chart(noise_chart.escapes(found, **options), alt, key="noise_shares_chart")
    says = verdict.escape(found, len(plan.batch_sizes))
    if says and (details := wording.escape_details(says)):
        st.caption(details)


def escape_verdict(plan: EscapePlan, found: list[Escapes]) -> Verdict:
    """Which k escapes most often; of a run that was stopped, how far it came."""
    says = verdict.escape(found, len(plan.batch_sizes))
    if says is None:
        return Verdict(text=wording.stopped(len(found), len(plan.batch_sizes)))
    return Verdict(text=wording.escape(says), answer=says.answer)


ESCAPE: Trial[EscapePlan, Escapes] = Trial(
    kind="noise_escape",
    run=rows.count_escapes,
    recorded=recorded(rows.count_escapes),
    question=N_("Predict: which ends in the deeper valley most often?"),
    options=wording.ESCAPES,
    seconds=lambda _plan: SECONDS,
    settings=settings_text,
    progress=lambda plan, found: len(found) / len(plan.batch_sizes),
    verdict=escape_verdict,
    picture=escape_picture,
)


# 3. The largest stable rate


def edge_code(plan: EdgePlan) -> str:
    """The code that makes these runs."""
    return f"""from sgd_tf import ModelConfig, TrainConfig, load, train
from sgd_tf.noise.curvature import largest_eigenvalue
from sgd_tf.noise.gradients import Gradients
from sgd_tf.training import models

problem = load("{plan.problem}", num_examples={plan.num_examples})
model = {plan.model!r}
gradients = Gradients(problem, models.build(problem, model, seed={plan.seed}))
found = largest_eigenvalue(gradients.hessian_product, gradients.num_parameters, seed={plan.seed})
for factor in {plan.factors}:
    rate = factor * found.max_learning_rate
    config = TrainConfig(batch_size="all", learning_rate=rate, seed={plan.seed})
    *_, last = train(problem, config, model=model, updates={plan.num_updates})
    print(factor, last.train_loss)"""


def edge_picture(plan: EdgePlan, found: list[Curvature | history.Row | End]) -> None:
    """Draw λmax, the losses so far, and at the end how the first updates compare with the formula."""
    losses = verdict.records(found)
    start = float(losses["train_loss"].iloc[0]) if len(losses) else 1.0
    low, high = EDGE_DOMAIN
    with st.container(key="noise_edge_chart"):
        chart = charts.curves(
            losses,
            x=charts.Axis("update", (0.0, float(plan.num_updates))),
            y=charts.Axis("train_loss", (low * start, high * start), log=True),
            band=False,
            theme=page_theme(CHART_HEIGHT),
        )
        alt = _("Training loss of gradient descent against updates, with four learning rates around 2/λmax")
        show_chart(chart, alt, key="noise_edge_curves")
    if not found or not isinstance(found[0], Curvature):
        return
    top = found[0]
    if not math.isnan(top.value):
        text = _("λmax = {value} after {num} products with the Hessian (residual {residual}); 2/λmax = {limit}")
        text = text.format(
            value=digits(top.value, 4),
            num=top.num_products,
            residual=power_of_ten(top.residual),
            limit=wording.limit(top, 4),
        )
        if not top.converged:
            text += " · " + _("λmax is the best value that so many products give; it is not exact.")
        st.caption(text)
    says = verdict.edge(plan, found)
    if isinstance(says, verdict.EdgeVerdict):
        with st.container(key="noise_edge_results"):
            ends = {row.factor: row.curvature for row in found if isinstance(row, End)}
            st.table(_edge_table(says, ends))
            if details := wording.edge_details(says):
                st.caption(details)


def _edge_table(says: verdict.EdgeVerdict, ends: dict[float, Curvature | None]) -> pd.DataFrame:
    """The runs around the limit: the formula, the first update, the last loss."""
    diverged = _("diverged at update {n}")
    lines = []
    for run in says.runs:
        end = ends[run.factor]
        lines.append(
            {
                _("Learning rate γ"): f"{rows.run_name(run.factor)} = {digits(run.learning_rate, 3)}",
                _("Formula 1 − γλmax"): _times(run.formula),
                _("Measured, first update"): _times(run.ratio),
                _("Loss at the end"): digits(run.losses[-1], 3)
                if run.diverged_at is None
                else diverged.format(n=run.diverged_at),
                _("2/λmax at the end"): wording.limit(end, 3) if end else "–",
            }
        )
    return pd.DataFrame(lines).set_index(_("Learning rate γ"))


def _times(factor: float) -> str:
    """A factor with three decimals, without a sign before 0.

    >>> _times(-1.1), _times(-1e-7), _times(float("nan"))
    ('× −1.100', '× 0.000', '–')
    """
    return "–" if math.isnan(factor) else f"× {round(factor, 3) + 0.0:.3f}".replace("-", "−")


def edge_verdict(plan: EdgePlan, found: list[Curvature | history.Row | End]) -> Verdict:
    """What the run just above the limit does; of an experiment that was stopped, how far it came."""
    says = verdict.edge(plan, found)
    if says is None:
        num_done = sum(isinstance(row, End) for row in found)
        return Verdict(text=wording.stopped(num_done, len(plan.factors), of_runs=True))
    answer = says.answer if isinstance(says, verdict.EdgeVerdict) else None
    return Verdict(text=wording.edge(says), answer=answer)


def _edge_progress(plan: EdgePlan, found: list[Any]) -> float:
    return sum(isinstance(row, End) for row in found) / len(plan.factors)


EDGE: Trial[EdgePlan, Curvature | history.Row | End] = Trial(
    kind="noise_edge",
    run=rows.descend_around_the_limit,
    recorded=recorded(rows.descend_around_the_limit),
    question=N_("Predict: GD runs with a learning rate 5% above 2/λmax. Its loss …"),
    options=wording.COURSES,
    seconds=lambda _plan: SECONDS,
    settings=settings_text,
    progress=_edge_progress,
    verdict=edge_verdict,
    picture=edge_picture,
)
