"""What a sweep looks like: five pictures while it runs and after, its answer, and two settings compared."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import pandas as pd
import streamlit as st

from sgd_tf import charts, export, sweep, sweep_results
from sgd_tf.problems import CATALOGUE, N_
from sgd_tf.sweep import SweepPlan
from sgd_tf.sweep_results import Comparison, Hyperbola, Recommendation, Verdict
from sgd_tf.ui import address, experiment, runs, sweep_runs
from sgd_tf.ui.controls import PROBLEMS
from sgd_tf.ui.language import _, current, selectbox, titles
from sgd_tf.ui.numbers import count, digits
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.sweep_controls import RANGES, range_of

CHART_HEIGHT = 370  # px
NOTABLE = 1.05  # times as long, from which on it is told
SMALL_HEIGHT = 270  # px, of one of four
VIEWS = {
    "target": N_("To the target"),
    "seconds": N_("Seconds"),
    "budget": N_("Same budget"),
    "map": N_("Learning rate × k"),
    "throughput": N_("Samples per second"),
}
MEASURES = {
    "steady_seconds_to_target": N_("Seconds to the target"),
    "updates_to_target": N_("Updates to the target"),
    "examples_to_target": N_("Samples to the target"),
    "test_loss_after_epochs": N_("Test loss after the same epochs"),
    "test_loss_after_seconds": N_("Test loss after the same seconds"),
    "test_accuracy_after_epochs": N_("Test accuracy after the same epochs"),
    "test_accuracy_after_seconds": N_("Test accuracy after the same seconds"),
}
EFFECTS = {
    "none": N_("no effect to speak of"),
    "small": N_("a small effect"),
    "medium": N_("a medium effect"),
    "large": N_("a large effect"),
    "very large": N_("a very large effect"),
}
OUTCOMES = {
    "as good": N_("as good as the best"),
    "worse": N_("worse"),
    "open": N_("open: the seeds differ too much"),
}
SETTINGS = (
    address.choice("sweep_view", "target", VIEWS),
    address.choice("sweep_measure", "steady_seconds_to_target", MEASURES),
)


@dataclass(frozen=True)
class Analysis:
    """What the finished runs of a sweep say."""

    table: pd.DataFrame
    fit: Hyperbola | None
    recommendation: Recommendation | None
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
    experiment.follow(sweep_runs.KIND, functools.partial(_picture, plan))


def _picture(plan: SweepPlan | None, run: SessionRun | None) -> None:
    shown = run.plan if run and (run.is_active or plan is None) else plan
    if shown is None:
        return
    known = sweep_runs.known(shown)
    rows = sweep.rows_of(shown, known.cells.values())
    drawn = _specs(shown, rows, known)
    with st.container(key="sweep_chart"), st.grid(min(2, len(drawn)), min_column_width=300, gap="small"):
        for spec, alt in drawn:
            st.vega_lite_chart(spec, alt=alt, height=spec["height"])
    _status(shown, run, rows, known)


def _specs(plan: SweepPlan, rows: list[Any], known: sweep_runs.Known) -> list[tuple[dict[str, Any], str]]:
    """The charts of the chosen picture; kept as long as nothing in them has changed."""
    view = st.session_state["sweep_view"]
    is_final = not runs.active()
    key = (plan, view, len(rows), len(known.landscape), is_final, current(), experiment.is_dark())
    kept = st.session_state.get("sweep_specs")
    if kept is None or kept[0] != key:
        table = sweep_results.to_table(rows)
        fit = analysis(plan).fit if is_final and rows else None
        kept = (key, _DRAWN[view](plan, table, fit, known))
        st.session_state["sweep_specs"] = kept
    return kept[1]


def analysis(plan: SweepPlan) -> Analysis:
    """What the runs of a sweep that are known say: computed once for the same runs."""
    rows = sweep.rows_of(plan, sweep_runs.known(plan).cells.values())
    key = (plan, len(rows))
    kept = st.session_state.get("sweep_analysis")
    if kept is None or kept[0] != key:
        table = sweep_results.to_table(rows)
        result = Analysis(table, None, None, [])
        if rows:
            best = sweep_results.tuned(table, "updates_to_target")
            result = Analysis(
                table,
                sweep_results.fit_runs(best),
                sweep_results.recommend(table),
                sweep_results.verdict_c13(table),
            )
        kept = (key, result)
        st.session_state["sweep_analysis"] = kept
    return kept[1]


def _status(plan: SweepPlan, run: SessionRun | None, rows: list[Any], known: sweep_runs.Known) -> None:
    """One line of fixed height: how far the sweep is, and how long it still takes."""
    missing = sweep.num_missing(plan, known.cells.values())
    total = len(rows) + missing
    is_mine = run is not None and (run.is_active or run.plan == plan)
    if run and is_mine and run.is_active:
        text = ""
        if rows:
            left = sweep.seconds_left(plan, known.cells.values()) / max(1, getattr(run.job, "num_under_way", 1))
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


def _common(plan: SweepPlan) -> dict[str, Any]:
    return {
        "batch_sizes": plan.batch_sizes,
        "num_examples": plan.num_examples,
        "dark": experiment.is_dark(),
        "translate": _,
    }


def _target_charts(
    plan: SweepPlan, table: pd.DataFrame, fit: Hyperbola | None, known: sweep_runs.Known
) -> list[tuple[dict[str, Any], str]]:
    best = sweep_results.tuned(table, "updates_to_target")
    scales = [row["noise_scale"] for row in known.landscape.values()]
    target = f"{plan.target:g}"
    updates = charts.by_batch_size(
        sweep_results.spread(best, "updates_to_target"),
        title=_("Updates to a training loss of {target}").format(target=target),
        y_title=_("Parameter updates"),
        subtitle=_subtitle(plan),
        perfect_scaling=True,
        fit=fit,
        noise_scales=scales,
        height=CHART_HEIGHT,
        **_common(plan),
    )
    samples = charts.by_batch_size(
        sweep_results.spread(best, "examples_to_target"),
        title=_("Samples to a training loss of {target}").format(target=target),
        y_title=_("Samples seen"),
        subtitle=_("median of the seeds, band from the lowest to the highest"),
        least=True,
        fit=fit,
        height=CHART_HEIGHT,
        **_common(plan),
    )
    return [
        (updates, _("Parameter updates to the target against batch size")),
        (samples, _("Samples to the target against batch size")),
    ]


def _seconds_charts(
    plan: SweepPlan, table: pd.DataFrame, fit: Hyperbola | None, known: sweep_runs.Known
) -> list[tuple[dict[str, Any], str]]:
    del fit, known
    chart = charts.by_batch_size(
        sweep_results.spread(sweep_results.tuned(table, "updates_to_target"), "steady_seconds_to_target"),
        title=_("Seconds of training to a training loss of {target}").format(target=f"{plan.target:g}"),
        y_title=_("Seconds of training"),
        subtitle=_subtitle(plan) + " · " + _("median of the seeds, band from the lowest to the highest"),
        height=CHART_HEIGHT,
        **_common(plan),
    )
    return [(chart, _("Seconds to the target against batch size"))]


def _budget_charts(
    plan: SweepPlan, table: pd.DataFrame, fit: Hyperbola | None, known: sweep_runs.Known
) -> list[tuple[dict[str, Any], str]]:
    del fit, known
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
            chart = charts.by_batch_size(
                _series(plan, table, f"{metric}_after_{budget}", f"test_loss_after_{budget}"),
                title=title.format(budget=words),
                y_title=y_title,
                log_y=metric == "test_loss",
                percent=metric == "test_accuracy",
                height=SMALL_HEIGHT if len(metrics) > 1 else CHART_HEIGHT,
                **_common(plan),
            )
            drawn.append((chart, title.format(budget=words)))
    return drawn


def _series(plan: SweepPlan, table: pd.DataFrame, measure: str, chosen_by: str) -> pd.DataFrame:
    """Spread at the tuned rates and at one rate for all; of a rule there is one rate for each k."""
    if plan.rule != "tuned" or table.empty:
        return sweep_results.spread(table, measure)
    shared = sweep_results.shared_rate(table)
    parts = {
        _("best for each k"): sweep_results.tuned(table, chosen_by),
        _("{rate} for all k").format(rate=f"{shared:.3g}"): sweep_results.at_rates(table, shared),
    }
    return pd.concat(
        [sweep_results.spread(part, measure).assign(series=name) for name, part in parts.items()], ignore_index=True
    )


def _map_chart(
    plan: SweepPlan, table: pd.DataFrame, fit: Hyperbola | None, known: sweep_runs.Known
) -> list[tuple[dict[str, Any], str]]:
    del fit
    places = {"start": _("2/λmax at the start"), "target": _("2/λmax at the target")}
    limits = {
        words: known.landscape[place]["max_learning_rate"]
        for place, words in places.items()
        if place in known.landscape and known.landscape[place]["max_learning_rate"] is not None
    }
    chart = charts.rate_map(
        sweep_results.rate_cells(table),
        title=_("Updates to the target for each learning rate and k"),
        subtitle=_("dot: the best rate of this k · – not reached · × diverged, or no better than at the start"),
        batch_sizes=plan.batch_sizes,
        learning_rates=sorted({rate for k in plan.batch_sizes for rate in plan.rates(k)}),
        limits=limits,
        dark=experiment.is_dark(),
        translate=_,
        height=CHART_HEIGHT,
    )
    return [(chart, _("Map of learning rates and batch sizes"))]


def _throughput_chart(
    plan: SweepPlan, table: pd.DataFrame, fit: Hyperbola | None, known: sweep_runs.Known
) -> list[tuple[dict[str, Any], str]]:
    del fit, known
    chart = charts.by_batch_size(
        sweep_results.speed(table),
        title=_("Samples per second against batch size"),
        y_title=_("Samples per second"),
        subtitle=_("median of all runs of a k, band: their middle half"),
        height=CHART_HEIGHT,
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
    run = runs.get(sweep_runs.KIND)
    if plan is None or (run and run.is_active):
        return
    found = analysis(plan)
    if found.table.empty:
        return
    with st.container(key="sweep_results"):
        _answer(plan, found, run)
        _verdicts(plan, found)
        _compare(found)
        _take_home(plan, found.table)


def _answer(plan: SweepPlan, found: Analysis, run: SessionRun | None) -> None:
    st.subheader(_("The answer"))
    best = found.recommendation
    if best is None:
        st.warning(_("No k reached the target with all its seeds: choose a higher target or more seconds for a run."))
        return
    if run and run.plan == plan:
        experiment.judge(run.prediction, range_of(best.best), RANGES)
    st.markdown(" ".join(_answer_sentences(plan, best)))
    if found.fit is not None:
        st.markdown(" ".join(_fit_sentences(plan, found.fit)))


def _answer_sentences(plan: SweepPlan, best: Recommendation) -> list[str]:
    low, high = count(best.low), count(best.high)
    span = _("k = {k}").format(k=low) if low == high else _("k between {low} and {high}").format(low=low, high=high)
    sentences = [
        _("For “{problem}”, this model and this machine: **{span}**.").format(
            problem=_(PROBLEMS[plan.problem]), span=span
        ),
        _("k = {k} is the fastest: {seconds} s of training to a loss of {target}.").format(
            k=count(best.best), seconds=digits(best.seconds, 2), target=f"{plan.target:g}"
        ),
    ]
    if best.slowest >= NOTABLE:
        sentences.append(
            _("Within the range none takes more than {times} times as long.").format(times=digits(best.slowest, 2))
        )
    if math.isnan(best.share):
        sentences.append(_("With one seed nobody can tell how sure that is: take more seeds."))
    else:
        sentences.append(
            _("How sure: draw the {n} seeds and clock readings anew, and the fastest k lies there in {share}.").format(
                n=best.num_seeds, share=f"{best.share:.0%}"
            )
        )
    if best.ends_low and best.low > 1:
        sentences.append(_("The range begins at the smallest k of the sweep: add smaller ones."))
    if best.ends_high and best.high < (plan.num_examples or math.inf):
        sentences.append(_("The range ends at the largest k of the sweep: add larger ones."))
    return sentences


def _fit_sentences(plan: SweepPlan, fit: Hyperbola) -> list[str]:
    k = count(fit.critical_batch_size)
    sentences = []
    if fit.critical_batch_size >= fit.largest:
        sentences.append(_("Up to the largest k of the sweep, twice the k takes about half the updates."))
    elif fit.critical_batch_size <= fit.smallest:
        sentences.append(_("From the smallest k of the sweep on, a larger k hardly saves updates."))
    else:
        sentences.append(_("More stops helping at about **k = {k}**, the critical batch size.").format(k=k))
        sentences.append(_("There updates and samples are twice what they are at least."))
        if not math.isnan(fit.low):
            sentences.append(
                _("With 95 % it lies between {low} and {high}.").format(low=count(fit.low), high=count(fit.high))
            )
    sentences.append(_("The fitted law misses the updates by {share} on average.").format(share=f"{fit.deviation:.0%}"))
    landscape = sweep_runs.known(plan).landscape
    if "target" in landscape:
        sentences.append(
            _("The noise of the gradient alone predicts {start} at the start and {end} at the target.").format(
                start=count(landscape["start"]["noise_scale"]), end=count(landscape["target"]["noise_scale"])
            )
        )
    elif "start" in landscape:
        sentences.append(
            _("The noise of the gradient alone predicts {start} at the start.").format(
                start=count(landscape["start"]["noise_scale"])
            )
        )
    if plan.rule != "tuned":
        sentences.append(_("All this at the learning rates of the rule; tuned ones may say something else."))
    return sentences


def _verdicts(plan: SweepPlan, found: Analysis) -> None:
    st.subheader(_("“256 or 512 is usually good, beyond 4,000 it hurts”: here?"))
    if not found.verdicts:
        st.info(_("No run came as far as its epochs or seconds."))
        return
    rows = [
        {
            _("Compared after"): _budget(plan, verdict),
            _("Learning rate"): _rate(plan, verdict),
            _("Lowest test loss"): f"k = {count(verdict.best)}",
            _("256 or 512"): _practical(verdict),
            _("Larger k"): _large(verdict),
        }
        for verdict in found.verdicts
    ]
    with st.container(key="sweep_verdict"):
        st.table(pd.DataFrame(rows).set_index(_("Compared after")))
    judged = [verdict for verdict in found.verdicts if verdict.practical is not None]
    good = sum(verdict.practical_outcome == "as good" for verdict in judged)
    sentences = []
    if judged:
        sentences.append(
            _("256 or 512 is as good as the best k in {good} of {all} cases.").format(good=good, all=len(judged))
        )
    large = [verdict for verdict in judged if verdict.large is not None]
    if large:
        harmful = sum(verdict.large_outcome == "worse" for verdict in large)
        sentences.append(_("A k beyond 4,000 hurts in {bad} of {all} cases.").format(bad=harmful, all=len(large)))
    else:
        sentences.append(_("No k beyond 4,000 was run; N is {n} here.").format(n=count(plan.num_examples)))
    st.markdown(" ".join(sentences))


def _budget(plan: SweepPlan, verdict: Verdict) -> str:
    if verdict.budget == "epochs":
        return _("{n} epochs").format(n=f"{plan.epochs:g}")
    return _("{n} s of training").format(n=f"{plan.seconds:g}")


def _rate(plan: SweepPlan, verdict: Verdict) -> str:
    if verdict.rates == "tuned":
        return _("best for each k")
    if verdict.learning_rate is not None:
        return _("{rate} for all k").format(rate=f"{verdict.learning_rate:.3g}")
    return {"linear": _("proportional to k"), "square_root": _("proportional to √k")}.get(plan.rule, "–")


def _practical(verdict: Verdict) -> str:
    if verdict.practical is None:
        return _("not run")
    times = "∞" if math.isinf(verdict.practical_ratio) else f"{verdict.practical_ratio:.2f}"
    words = _(OUTCOMES[verdict.practical_outcome])
    return _("k = {k}: {times} times the lowest, {words}").format(k=count(verdict.practical), times=times, words=words)


def _large(verdict: Verdict) -> str:
    if verdict.practical is None:
        return "–"
    if verdict.harm_from is None:
        return _("the largest k is not clearly worse")
    return _("worse from k = {k} on").format(k=count(verdict.harm_from))


def _compare(found: Analysis) -> None:
    """Two settings over the seeds that both have."""
    table = found.table
    cells = table.groupby(["batch_size", "learning_rate"])["seed"].nunique()
    settings = {_setting(k, rate): (k, rate) for (k, rate), num in cells.items() if num > 1}
    st.subheader(_("Is this difference real?"))
    if len(settings) < 2:
        st.info(_("Two settings with several seeds each are needed: take more seeds."))
        return
    st.caption(_("Two settings of this sweep, compared seed by seed: the same seed is the same start."))
    best = sweep_results.choose_rates(table, "updates_to_target")
    usual = {int(k): name for name, (k, rate) in settings.items() if best[int(k)] == rate}
    fastest = found.recommendation.best if found.recommendation else 0
    first = usual.get(fastest, next(iter(settings)))
    others = [usual.get(k) for k in (256, max(usual, default=0))] + list(settings)
    second = next(name for name in others if name not in (None, first))
    address.restore(SETTINGS)
    for key, name in (("sweep_one", first), ("sweep_other", second)):
        if st.session_state.get(key) not in settings:
            st.session_state[key] = name
    left, middle, right = st.columns(3)
    with left:
        measures = {name: title for name, title in MEASURES.items() if table[name].notna().any()}
        if st.session_state["sweep_measure"] not in measures:
            st.session_state["sweep_measure"] = next(iter(measures), "updates_to_target")
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
        else:
            compared = sweep_results.compare(
                _runs_of(table, *settings[one]), _runs_of(table, *settings[other]), measure
            )
            st.markdown(_comparison(compared, measure, one, other))


def _setting(k: int, rate: float) -> str:
    """How a setting is called, in any language."""
    return f"k = {k:,} · γ = {rate:.3g}"


def _runs_of(table: pd.DataFrame, k: int, rate: float) -> pd.DataFrame:
    return table[(table["batch_size"] == k) & (table["learning_rate"] == rate)]


def _comparison(found: Comparison, measure: str, one: str, other: str) -> str:
    what = _(MEASURES[measure])
    if found.test == "sign":
        text = _("**{what}**: not all runs of {one} and {other} have a value. Counting who won with each seed:")
        sentence = text.format(what=what, one=one, other=other)
    elif found.is_difference:
        text = _("**{what}**: {one} is {difference} points above {other} (95 %: {low} to {high}).")
        difference, low, high = (f"{100 * value:+.2f}" for value in (found.ratio, found.low, found.high))
        sentence = text.format(what=what, one=one, other=other, difference=difference, low=low, high=high)
    else:
        text = _("**{what}**: {one} has {times} times the value of {other} (95 %: {low} to {high}).")
        times, low, high = (digits(value, 3) for value in (found.ratio, found.low, found.high))
        sentence = text.format(what=what, one=one, other=other, times=times, low=low, high=high)
    test = _("paired t-test") if found.test == "t" else _("sign test")
    p = "< 0.001" if found.p_value < 0.001 else f"= {found.p_value:.2g}"
    verdict = _("It may be chance (p {p}, {test}, {n} seeds): {effect}, but not shown with so few seeds.")
    if found.is_real:
        verdict = _("The difference is real: {effect}, by chance alone rarer than 1 in 20 (p {p}, {test}, {n} seeds).")
    return sentence + " " + verdict.format(effect=_(EFFECTS[found.effect]), p=p, test=test, n=found.num_seeds)


def _take_home(plan: SweepPlan, table: pd.DataFrame) -> None:
    """The numbers as CSV and the sweep as a script."""
    script = export.sweep_script(plan)
    with st.container(horizontal=True):
        st.download_button(
            _("All runs (CSV)"),
            table.to_csv(index=False),
            "sweep.csv",
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
