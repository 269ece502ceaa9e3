"""What a sweep looks like: five pictures while it runs and after, its answer, and two settings compared."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import altair as alt
import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.problems import CATALOGUE
from sgd_tf.sweep import analysis, comparison, known_runs, plans, wording
from sgd_tf.sweep import chart as sweep_chart
from sgd_tf.sweep.analysis import NoAnswer, Recommendation
from sgd_tf.sweep.controls import RANGES, range_of
from sgd_tf.sweep.critical_batch_size import Hyperbola
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.rows import Place
from sgd_tf.sweep.script import sweep_script
from sgd_tf.sweep.verdict import Verdict, verdict_c13
from sgd_tf.ui import address, experiment, runs
from sgd_tf.ui.language import _, selectbox, titles
from sgd_tf.ui.numbers import count
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.words import N_

CHART_HEIGHT = 370  # px
SMALL_HEIGHT = 270  # px, of one of four
VIEWS = {
    "target": N_("To the target"),
    "seconds": N_("Seconds"),
    "budget": N_("Same budget"),
    "map": N_("Learning rate × k"),
    "throughput": N_("Samples per second"),
}
SETTINGS = (
    address.choice("sweep_view", "target", VIEWS),
    address.choice("sweep_measure", "steady_seconds_to_target", wording.MEASURES),
)


@dataclass(frozen=True)
class Analysis:
    """What the finished runs of a sweep say."""

    table: pd.DataFrame  # every run
    sizes: pd.DataFrame  # of `sweep_results.seconds_by_size`
    fit: Hyperbola | None
    recommendation: Recommendation | NoAnswer
    verdicts: list[Verdict]


def views() -> None:
    """Draw the choice of the picture."""
    address.restore(SETTINGS)
    st.segmented_control(
        _("Picture"),
        list(VIEWS),
        format_func=titles(VIEWS),
        key="sweep_view",
        required=True,
        persist_state="session",
        label_visibility="collapsed",
    )
    address.publish(SETTINGS)


def picture(plan: SweepPlan | None) -> None:
    """Draw what is known of the sweep that the controls describe, or follow the one that runs.

    Args:
        plan: of the controls.
    """
    experiment.follow(known_runs.KIND, functools.partial(_picture, plan))


def _picture(plan: SweepPlan | None, run: SessionRun | None) -> None:
    shown = run.plan if run and (run.is_active or plan is None) else plan
    if shown is None:
        return
    known = known_runs.known(shown)
    rows = plans.rows_of(shown, known.cells.values())
    drawn = _specs(shown, rows, known)
    with st.container(key="sweep_chart"), st.grid(min(2, len(drawn)), min_column_width=300, gap="small"):
        for chart, words in drawn:
            show_chart(chart, words)
    _status(shown, run, rows, known)


def _specs(plan: SweepPlan, rows: list[Any], known: known_runs.Known) -> list[tuple[alt.LayerChart, str]]:
    """The charts of the chosen picture; kept as long as nothing in them has changed."""
    view = st.session_state["sweep_view"]
    is_final = not runs.active()
    key = (plan, view, len(rows), len(known.landscape), is_final, page_theme(CHART_HEIGHT))
    kept = st.session_state.get("sweep_specs")
    if kept is None or kept[0] != key:
        table = analysis.to_table(rows)
        found = analysed(plan) if is_final and rows else None
        kept = (key, _DRAWN[view](plan, table, found, known))
        st.session_state["sweep_specs"] = kept
    return kept[1]


def analysed(plan: SweepPlan) -> Analysis:
    """What the runs of a sweep that are known say: computed once for the same runs."""
    rows = plans.rows_of(plan, known_runs.known(plan).cells.values())
    key = (plan, len(rows))
    kept = st.session_state.get("sweep_analysis")
    if kept is None or kept[0] != key:
        table = analysis.to_table(rows)
        sizes = analysis.seconds_by_size(table)
        result = Analysis(
            table=table,
            sizes=sizes,
            fit=analysis.fit_runs(analysis.tuned(table, "updates_to_target")),
            recommendation=analysis.recommended(sizes),
            verdicts=verdict_c13(table),
        )
        kept = (key, result)
        st.session_state["sweep_analysis"] = kept
    return kept[1]


def _status(plan: SweepPlan, run: SessionRun | None, rows: list[Any], known: known_runs.Known) -> None:
    """One line of fixed height: how far the sweep is, and how long it still takes."""
    missing = plans.num_missing(plan, known.cells.values())
    total = len(rows) + missing
    is_mine = run is not None and (run.is_active or run.plan == plan)
    if run and is_mine and run.is_active:
        text = ""
        if rows:
            left = plans.seconds_left(plan, known.cells.values()) / max(1, getattr(run.job, "num_under_way", 1))
            text = _("{done} of about {total} runs · about {left} left").format(
                done=len(rows), total=total, left=experiment.duration(left)
            )
            if not missing:
                text = _("All {total} runs are done; measuring the noise of the gradient …").format(total=total)
        experiment.status(run, len(rows) / total, text)
    elif run and is_mine and run.job.status == "failed":
        experiment.status(run)
    elif not rows:
        experiment.status(None)
    else:
        text = _("All {total} runs are there. More seeds or more k run only what is missing.").format(total=total)
        if missing:
            text = _("{done} of about {total} runs are there. Run makes the rest.").format(done=len(rows), total=total)
        with st.container(height=experiment.STATUS_HEIGHT, border=False, key="sweep_status"):
            st.progress(len(rows) / total, text)


def _subtitle(plan: SweepPlan) -> str:
    what = {
        "tuned": _("each k at its best learning rate"),
        "fixed": _("one learning rate for all k"),
        "linear": _("learning rate proportional to k"),
        "square_root": _("learning rate proportional to √k"),
    }[plan.rule]
    return what


def _crosses(spread: pd.DataFrame) -> str:
    """What a cross in a chart means, where there is one."""
    if spread["median"].map(math.isfinite).all():
        return ""
    return " · " + _("× not reached")


def _common(plan: SweepPlan, height: int = CHART_HEIGHT) -> dict[str, Any]:
    return {
        "batch_sizes": plan.batch_sizes,
        "num_examples": plan.num_examples,
        "theme": page_theme(height),
    }


def _target_charts(
    plan: SweepPlan, table: pd.DataFrame, found: Analysis | None, known: known_runs.Known
) -> list[tuple[alt.LayerChart, str]]:
    best = analysis.tuned(table, "updates_to_target")
    fit = found.fit if found else None
    prices = {name: analysis.spread(best, f"{name}_to_target") for name in ("updates", "examples")}
    scales = [point.noise_scale for point in known.landscape.values()]
    target = f"{plan.target:g}"
    updates = sweep_chart.by_batch_size(
        prices["updates"],
        title=(
            _("Updates to a training loss of {target}").format(target=target),
            _subtitle(plan) + _crosses(prices["updates"]),
        ),
        y=charts.Axis("median", log=True, title=_("Parameter updates")),
        guides=sweep_chart.Guides(perfect_scaling=True, fit=fit, noise_scales=scales),
        **_common(plan),
    )
    samples = sweep_chart.by_batch_size(
        prices["examples"],
        title=(
            _("Samples to a training loss of {target}").format(target=target),
            _("median of the seeds, band from the lowest to the highest"),
        ),
        y=charts.Axis("median", log=True, title=_("Samples seen")),
        guides=sweep_chart.Guides(same_samples=True, fit=fit),
        **_common(plan),
    )
    return [
        (updates, _("Parameter updates to the target against batch size")),
        (samples, _("Samples to the target against batch size")),
    ]


def _seconds_charts(
    plan: SweepPlan, table: pd.DataFrame, found: Analysis | None, known: known_runs.Known
) -> list[tuple[alt.LayerChart, str]]:
    del known
    best = analysis.tuned(table, "updates_to_target")
    seconds = found.sizes if found else analysis.spread(best, "steady_seconds_to_target")
    band = _("median of the seeds, band from the lowest to the highest")
    chart = sweep_chart.by_batch_size(
        seconds[["batch_size", "learning_rate", "median", "low", "high", "num_seeds", "num_known"]],
        title=(
            _("Seconds of training to a training loss of {target}").format(target=f"{plan.target:g}"),
            f"{_subtitle(plan)} · {band}{_crosses(seconds)}",
        ),
        y=charts.Axis("median", log=True, title=_("Seconds of training")),
        **_common(plan),
    )
    return [(chart, _("Seconds to the target against batch size"))]


def _budget_charts(
    plan: SweepPlan, table: pd.DataFrame, found: Analysis | None, known: known_runs.Known
) -> list[tuple[alt.LayerChart, str]]:
    del found, known
    budgets = {
        "epochs": _("{n} epochs").format(n=f"{plan.epochs:g}"),
        "seconds": _("{n} s of training").format(n=f"{plan.seconds:g}"),
    }
    metrics = {"test_loss": (_("Test loss"), _("Test loss after {budget}"))}
    if CATALOGUE[plan.problem].num_classes:
        metrics["test_accuracy"] = (_("Test accuracy"), _("Test accuracy after {budget}"))
    drawn = []
    for metric, (y_title, title) in metrics.items():
        for budget, words in budgets.items():
            chart = sweep_chart.by_batch_size(
                _series(plan, table, f"{metric}_after_{budget}", f"test_loss_after_{budget}"),
                title=title.format(budget=words),
                y=charts.Axis("median", log=metric == "test_loss", percent=metric == "test_accuracy", title=y_title),
                **_common(plan, SMALL_HEIGHT if len(metrics) > 1 else CHART_HEIGHT),
            )
            drawn.append((chart, title.format(budget=words)))
    return drawn


def _series(plan: SweepPlan, table: pd.DataFrame, measure: str, chosen_by: str) -> pd.DataFrame:
    """Spread at the tuned rates and at one rate for all; of a rule there is one rate for each k."""
    if plan.rule != "tuned" or table.empty:
        return analysis.spread(table, measure)
    shared = analysis.shared_rate(table)
    parts = {
        _("best for each k"): analysis.tuned(table, chosen_by),
        _("{rate} for all k").format(rate=f"{shared:.3g}"): analysis.at_rates(table, shared),
    }
    return pd.concat(
        [analysis.spread(part, measure).assign(series=name) for name, part in parts.items()], ignore_index=True
    )


def _map_chart(
    plan: SweepPlan, table: pd.DataFrame, found: Analysis | None, known: known_runs.Known
) -> list[tuple[alt.LayerChart, str]]:
    del found
    places: dict[Place, str] = {"start": _("2/λmax at the start"), "target": _("2/λmax at the target")}
    limits = {
        words: limit
        for place, words in places.items()
        if (point := known.landscape.get(place)) and (limit := point.max_learning_rate) is not None
    }
    chart = sweep_chart.rate_map(
        analysis.rate_cells(table),
        title=(
            _("Updates to the target for each learning rate and k"),
            _("dot: the best rate of this k · – not reached · × diverged, or no better than at the start"),
        ),
        batch_sizes=plan.batch_sizes,
        learning_rates=sorted({rate for k in plan.batch_sizes for rate in plan.rates(k)}),
        limits=limits,
        theme=page_theme(CHART_HEIGHT),
    )
    return [(chart, _("Map of learning rates and batch sizes"))]


def _throughput_chart(
    plan: SweepPlan, table: pd.DataFrame, found: Analysis | None, known: known_runs.Known
) -> list[tuple[alt.LayerChart, str]]:
    del found, known
    chart = sweep_chart.by_batch_size(
        analysis.speed(table),
        title=(
            _("Samples per second against batch size"),
            _("median of all runs of a k, band: their middle half"),
        ),
        y=charts.Axis("median", log=True, title=_("Samples per second")),
        **_common(plan),
    )
    return [(chart, _("Samples per second against batch size"))]


_DRAWN = {
    "target": _target_charts,
    "seconds": _seconds_charts,
    "budget": _budget_charts,
    "map": _map_chart,
    "throughput": _throughput_chart,
}


def results(plan: SweepPlan | None) -> None:
    """What the sweep of the controls says, once it does not run any more.

    Args:
        plan: of the controls.
    """
    run = runs.get(known_runs.KIND)
    if plan is None or (run and run.is_active):
        return
    found = analysed(plan)
    if found.table.empty:
        return
    with st.container(key="sweep_results"):
        _answer(plan, found, run)
        _verdicts(plan, found)
        _compare(found)
        _take_home(plan, found)


def _answer(plan: SweepPlan, found: Analysis, run: SessionRun | None) -> None:
    st.subheader(_("The answer"))
    best = found.recommendation
    known = known_runs.known(plan)
    unfinished = wording.unfinished(plan, found.sizes, plans.num_missing(plan, known.cells.values()))
    if not isinstance(best, Recommendation):
        start = known.landscape.get("start")
        limit = start.max_learning_rate if start else None
        st.warning(" ".join([*wording.no_answer(best, limit), *unfinished]))
        return
    if run and run.plan == plan:
        _judge(run.prediction, best, found.sizes)
    st.markdown(" ".join([*wording.answer(plan, best, found.sizes), *unfinished]))
    if found.fit is not None:
        scales = {place: point.noise_scale for place, point in known.landscape.items()}
        st.markdown(" ".join(wording.critical(plan, found.fit, scales)))
    with st.expander(_("Each k in numbers")):
        st.table(wording.each_k(found.sizes))


def _judge(prediction: str | None, best: Recommendation, sizes: pd.DataFrame) -> None:
    """Hold the prediction against the answer: a k that can not be told from the fastest is no wrong prediction."""
    tied = {range_of(int(k)) for k in sizes.loc[sizes["state"] == "as fast", "batch_size"]}
    answer = range_of(best.best)
    if prediction in tied and prediction != answer:
        text = _("You expected: {guess}. The fastest lies in {answer}, but these seeds can not tell the two apart.")
        st.info(text.format(guess=_(RANGES[str(prediction)]), answer=_(RANGES[answer])))
    else:
        experiment.judge(prediction, answer, RANGES)


def _verdicts(plan: SweepPlan, found: Analysis) -> None:
    st.subheader(_("“256 or 512 is usually good, beyond 4,000 it hurts”: here?"))
    if not found.verdicts:
        st.info(_("No k came as far as its epochs or seconds with all seeds, without diverging."))
        return
    rows = [
        {
            _("Compared after"): wording.budget(plan, verdict),
            _("Learning rate"): wording.rate(plan, verdict),
            _("Lowest test loss"): f"k = {count(verdict.best)}",
            _("256 or 512"): wording.practical(verdict),
            _("Larger k"): wording.large(verdict),
        }
        for verdict in found.verdicts
    ]
    with st.container(key="sweep_verdict"):
        st.table(pd.DataFrame(rows).set_index(_("Compared after")))
    st.markdown(" ".join(wording.verdicts(plan, found.verdicts)))


def _compare(found: Analysis) -> None:
    """Two settings over the seeds that both have."""
    table = found.table
    cells = table.groupby(["batch_size", "learning_rate"])["seed"].nunique()
    settings = {_setting(k, rate): (k, rate) for (k, rate), num in cells.items() if num > 1}
    st.subheader(_("Is this difference real?"))
    if len(settings) < 2:
        st.info(_("Two settings with several seeds each are needed: take more seeds."))
        return
    st.caption(
        _(
            "Two settings of this sweep, compared seed by seed: the same seed is the same start and the same order of "
            "the samples. So pairs are compared, not independent runs."
        )
    )
    measures = {name: title for name, title in wording.MEASURES.items() if table[name].notna().any()}
    if not measures:
        st.info(_("No run has a value to compare."))
        return
    best = analysis.choose_rates(table, "updates_to_target")
    usual = {int(k): name for name, (k, rate) in settings.items() if best[int(k)] == rate}
    fastest = found.recommendation.best if isinstance(found.recommendation, Recommendation) else 0
    first = usual.get(fastest, next(iter(settings)))
    others = [usual.get(k) for k in (256, max(usual, default=0))] + list(settings)
    second = next(name for name in others if name not in (None, first))
    address.restore(SETTINGS)
    for key, name in (("sweep_one", first), ("sweep_other", second)):
        if st.session_state.get(key) not in settings:
            st.session_state[key] = name
    left, middle, right = st.columns(3)
    with left:
        if st.session_state["sweep_measure"] not in measures:
            st.session_state["sweep_measure"] = next(iter(measures))
        selectbox(_("Measured"), measures, key="sweep_measure")
    middle.selectbox(_("One setting"), list(settings), key="sweep_one", persist_state="session")
    right.selectbox(_("The other"), list(settings), key="sweep_other", persist_state="session")
    address.publish(SETTINGS)
    one, other, measure = (st.session_state[key] for key in ("sweep_one", "sweep_other", "sweep_measure"))
    if measure not in table:
        return
    with st.container(key="sweep_comparison"):
        if one == other:
            st.info(_("Choose two different settings."))
            return
        pair = _runs_of(table, *settings[one]), _runs_of(table, *settings[other])
        try:
            compared = comparison.compare(*pair, measure)
        except ValueError:
            st.info(_("There is no seed with which both have a value."))
        else:
            st.markdown(wording.compared(compared, measure, one, other))


def _setting(k: int, rate: float) -> str:
    """How a setting is called, in any language."""
    return f"k = {k:,} · γ = {rate:.3g}"


def _runs_of(table: pd.DataFrame, k: int, rate: float) -> pd.DataFrame:
    return table[(table["batch_size"] == k) & (table["learning_rate"] == rate)]


def _take_home(plan: SweepPlan, found: Analysis) -> None:
    """The numbers as CSV and the sweep as a script."""
    script = sweep_script(plan)
    files = {"sweep.csv": (_("All runs (CSV)"), found.table), "sweep_by_k.csv": (_("Each k (CSV)"), found.sizes)}
    with st.container(horizontal=True):
        for name, (label, table) in files.items():
            st.download_button(
                label,
                table.to_csv(index=False),
                name,
                "text/csv",
                icon=":material/table:",
                on_click="ignore",
            )
        st.download_button(
            _("This sweep as a script"),
            script,
            "sweep.py",
            "text/x-python",
            icon=":material/code:",
            on_click="ignore",
        )
    with st.expander(_("The code of this sweep")):
        st.code(script, language="python")
