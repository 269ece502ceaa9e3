"""What a sweep looks like: five pictures while it runs and after, what it says, and two settings compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import altair as alt
import pandas as pd
import streamlit as st

from sgd_tf.charts import Axis
from sgd_tf.jobs import SlicedJob
from sgd_tf.problems import CATALOGUE
from sgd_tf.sweep import analysis, chart, known_runs, plain, plans, wording
from sgd_tf.sweep.controls import settings_text
from sgd_tf.sweep.fastest import Fastest
from sgd_tf.sweep.plans import SweepPlan
from sgd_tf.sweep.rows import CellResult, Heartbeat, LandscapePoint, Rows
from sgd_tf.sweep.script import sweep_script
from sgd_tf.sweep.verdict import SweepVerdict, judge
from sgd_tf.training import comparison
from sgd_tf.ui import progress, runs, take_home
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits
from sgd_tf.ui.settings import Choice
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Trial, Verdict
from sgd_tf.words import N_

CHART_HEIGHT = 370  # px
SMALL_HEIGHT = 270  # px, of one of four
VIEW = Choice(
    key="sweep_view",
    label=N_("Picture"),
    options={
        "target": N_("To the target"),
        "seconds": N_("Seconds"),
        "budget": N_("Same budget"),
        "map": N_("Learning rate × k"),
        "throughput": N_("Samples per second"),
    },
    default="target",
)
MEASURE = Choice(
    key="sweep_measure",
    label=N_("Measured"),
    options=wording.MEASURES,
    default="steady_seconds_to_target",
    widget="select",
)
SETTINGS = (VIEW, MEASURE)
LEARNING_RATES = {
    "tuned": N_("each k at its best learning rate"),
    "fixed": N_("one learning rate for all k"),
    "linear": N_("learning rate proportional to k"),
    "square_root": N_("learning rate proportional to √k"),
}
BAND = N_("Line: median of the seeds. Band: from the lowest to the highest.")
LEGENDS = {
    "target": (BAND, N_("Dotted: perfect scaling, twice the k for half the updates. Dashed: the fitted law.")),
    "seconds": (BAND,),
    "budget": (BAND,),
    "map": (N_("Dot: the best rate of this k. –: not reached. ×: diverged, or no better than at the start."),),
    "throughput": (N_("Line: median of all runs of a k. Band: their interquartile range."),),
}

BUDGETS: tuple[Literal["epochs", "seconds"], ...] = ("epochs", "seconds")

SweepRow = CellResult | LandscapePoint | Heartbeat
Drawn = tuple[alt.LayerChart, str]  # with words for screen readers


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """What the pictures are drawn of."""

    plan: SweepPlan
    table: pd.DataFrame  # the runs so far
    noise: Sequence[LandscapePoint]
    verdict: SweepVerdict | None  # once the sweep is over

    def by_k(
        self,
        spread: pd.DataFrame,
        title: str,
        y: Axis,
        guides: chart.Guides | None = None,
        *,
        has_rates: bool = True,
        height: int = CHART_HEIGHT,
    ) -> Drawn:
        """A chart against k; with the learning rates in the line below the title."""
        drawn = chart.by_batch_size(
            spread,
            title=(title, _(LEARNING_RATES[self.plan.rule]) if has_rates else ""),
            y=y,
            batch_sizes=self.plan.batch_sizes,
            num_examples=self.plan.num_examples or max(self.plan.batch_sizes),
            guides=guides,
            theme=page_theme(height),
        )
        return drawn, title


def _known(plan: SweepPlan, rows: Sequence[SweepRow]) -> Rows:
    """All that is known of a sweep that this session has begun; nothing before."""
    return known_runs.remember(plan, rows) if rows else ()


def _cells(plan: SweepPlan, known: Rows) -> list[CellResult]:
    return plans.rows_of(plan, [row for row in known if isinstance(row, CellResult)])


def _picture(plan: SweepPlan, rows: Sequence[SweepRow]) -> None:
    """Draw the picture that is chosen of the runs so far."""
    known, view = _known(plan, rows), VIEW.value
    shown = Shown(
        plan=plan,
        table=analysis.to_table(_cells(plan, known)),
        noise=[row for row in known if isinstance(row, LandscapePoint)],
        verdict=judge(plan, known) if known and not runs.active() else None,
    )
    drawn = PICTURES[view](shown)
    with st.container(key="sweep_chart"), st.grid(min(2, len(drawn)), min_column_width=300, gap="small"):
        for place, (picture, words) in enumerate(drawn):
            show_chart(picture, words, key=f"sweep_{view}_{place}")
    st.caption(" ".join([*map(_, LEGENDS[view]), *_further(view, shown)]))


def _further(view: str, shown: Shown) -> Iterator[str]:
    """What a legend says of this very sweep."""
    best = analysis.spread(analysis.tuned(shown.table, "updates_to_target"), "updates_to_target")
    if view in ("target", "seconds") and not best["median"].map(math.isfinite).all():
        yield _("×: most runs of this k did not reach the target.")
    limits = {point.place: point.max_learning_rate for point in shown.noise if point.max_learning_rate is not None}
    if view == "map" and "start" in limits:
        yield _("Dashed: 2/λmax at the start, {rate}.").format(rate=digits(limits["start"], 2))
    if view == "map" and "target" in limits:
        yield _("Dotted: 2/λmax at the target, {rate}.").format(rate=digits(limits["target"], 2))


def _target(shown: Shown) -> list[Drawn]:
    best, target = analysis.tuned(shown.table, "updates_to_target"), f"{shown.plan.target:g}"
    law = shown.verdict.law if shown.verdict else None
    scales = [point.noise_scale for point in shown.noise]
    return [
        shown.by_k(
            analysis.spread(best, "updates_to_target"),
            _("Updates to a training loss of {target}").format(target=target),
            Axis("median", log=True, title=_("Parameter updates")),
            chart.Guides(perfect_scaling=True, fit=law, noise_scales=scales),
        ),
        shown.by_k(
            analysis.spread(best, "examples_to_target"),
            _("Samples to a training loss of {target}").format(target=target),
            Axis("median", log=True, title=_("Samples seen")),
            chart.Guides(same_samples=True, fit=law),
        ),
    ]


def _seconds(shown: Shown) -> list[Drawn]:
    best = analysis.tuned(shown.table, "updates_to_target")
    seconds = shown.verdict.sizes if shown.verdict else analysis.spread(best, "steady_seconds_to_target")
    title = _("Seconds of training to a training loss of {target}").format(target=f"{shown.plan.target:g}")
    return [shown.by_k(seconds, title, Axis("median", log=True, title=_("Seconds of training")))]


def _budget(shown: Shown) -> list[Drawn]:
    plan = shown.plan
    drawn = []
    has_accuracy = CATALOGUE[plan.problem].num_classes is not None
    for metric in ("test_loss", "test_accuracy") if has_accuracy else ("test_loss",):
        is_loss = metric == "test_loss"
        title = _("Test loss after {budget}") if is_loss else _("Test accuracy after {budget}")
        y = Axis("median", log=is_loss, percent=not is_loss, title=_("Test loss") if is_loss else _("Test accuracy"))
        for budget in BUDGETS:
            series = _series(plan, shown.table, f"{metric}_after_{budget}", f"test_loss_after_{budget}")
            words = title.format(budget=wording.budget(plan, budget))
            height = SMALL_HEIGHT if has_accuracy else CHART_HEIGHT
            drawn.append(shown.by_k(series, words, y, has_rates=plan.rule != "tuned", height=height))
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


def _map(shown: Shown) -> list[Drawn]:
    plan = shown.plan
    title = _("Updates to the target for each learning rate and k")
    drawn = chart.rate_map(
        analysis.rate_cells(shown.table),
        title=title,
        batch_sizes=plan.batch_sizes,
        learning_rates=sorted({rate for k in plan.batch_sizes for rate in plan.rates(k)}),
        limits={point.place: point.max_learning_rate for point in shown.noise if point.max_learning_rate is not None},
        theme=page_theme(CHART_HEIGHT),
    )
    return [(drawn, title)]


def _throughput(shown: Shown) -> list[Drawn]:
    title = _("Samples per second against batch size")
    y = Axis("median", log=True, title=_("Samples per second"))
    return [shown.by_k(analysis.speed(shown.table), title, y, has_rates=False)]


PICTURES = {"target": _target, "seconds": _seconds, "budget": _budget, "map": _map, "throughput": _throughput}


def _progress(plan: SweepPlan, rows: Sequence[SweepRow]) -> float:
    done, total = _counts(plan, _known(plan, rows))
    return done / total


def _counts(plan: SweepPlan, known: Rows) -> tuple[int, int]:
    """Runs that are done, and all runs of the sweep, about."""
    cells = _cells(plan, known)
    return len(cells), len(cells) + plans.num_missing(plan, cells)


def _state(plan: SweepPlan, rows: Sequence[SweepRow]) -> str:
    """How far a sweep is, and how long it still takes."""
    known, run = _known(plan, rows), runs.get(known_runs.KIND)
    done, total = _counts(plan, known)
    if not done:
        return ""
    if done == total:
        return _("All {total} runs are done; measuring the noise of the gradient …").format(total=total)
    num_jobs = run.job.num_under_way if run and isinstance(run.job, SlicedJob) else 1
    left = plans.seconds_left(plan, _cells(plan, known)) / max(1, num_jobs)
    text = _("{done} of about {total} runs · about {left} left")
    return text.format(done=done, total=total, left=progress.duration(left))


def _verdict(plan: SweepPlan, rows: Sequence[SweepRow]) -> Verdict:
    found = judge(plan, _known(plan, rows))
    answer, also = wording.answer(found)
    return Verdict(text=wording.text(found), answer=answer, also=also)


SWEEP: Trial[SweepPlan, SweepRow] = Trial(
    kind=known_runs.KIND,
    begin=known_runs.begin,
    question=N_("Predict: which k reaches the target in the fewest seconds?"),
    options=wording.ranges,
    settings=settings_text,
    progress=_progress,
    state=_state,
    verdict=_verdict,
    picture=_picture,
)


def results() -> None:
    """What the sweep says in numbers, once it does not run any more."""
    run = runs.get(known_runs.KIND)
    if run is None or run.is_active:
        return
    found = judge(run.plan, _known(run.plan, run.job.rows))
    if found.table.empty:
        return
    with st.container(key="sweep_results"):
        if isinstance(found.fastest, Fastest):
            st.subheader(_("Which k, by which measure?"))
            st.table(wording.best_sizes(found))
            st.markdown(wording.why_they_differ(found))
        with st.expander(_("How sure is this? Each k in numbers")):
            st.markdown("\n".join(f"- {sentence}" for sentence in wording.how_sure(found)))
            st.table(wording.each_k(found.sizes))
        with st.expander(_("“256 or 512 is usually good, beyond 4,000 it hurts”: here?")):
            _usual(found)
        with st.expander(_("Two settings compared: is the difference significant?")):
            _compare(found)
        _take_home(found)


def _usual(found: SweepVerdict) -> None:
    if not found.usual:
        st.info(_("No k came as far as its epochs or seconds with all seeds, without diverging."))
        return
    with st.container(key="sweep_usual"):
        st.table(wording.usual_table(found))
    st.markdown(wording.usual_text(found))


def _compare(found: SweepVerdict) -> None:
    """Two settings over the seeds that both have."""
    table = found.table
    cells = {setting: runs for setting, runs in table.groupby(["batch_size", "learning_rate"]) if len(runs) > 1}
    settings = {f"k = {k:,} · γ = {rate:.3g}": runs for (k, rate), runs in cells.items()}
    measures = [name for name in wording.MEASURES if table[name].notna().any()]
    if len(settings) < 2 or not measures:
        few = _("Two settings with several seeds each are needed: take more seeds.")
        st.info(few if measures else _("No run has a value to compare."))
        return
    st.caption(
        _(
            "Two settings of this sweep, compared seed by seed: the same seed is the same start and the same order of "
            "the samples. This is one test of one pair. The answer above corrects for one test per k, and counts how "
            "far the measured speeds scatter."
        )
    )
    best = analysis.choose_rates(table, "updates_to_target")
    usual = {k: name for name, (k, rate) in zip(settings, cells, strict=True) if best[k] == rate}
    fastest = found.fastest.best if isinstance(found.fastest, Fastest) else 0
    first = usual.get(fastest, next(iter(settings)))
    others = [usual.get(k) for k in (256, max(usual, default=0))] + list(settings)
    second = next(name for name in others if name not in (None, first))
    for key, name in (("sweep_one", first), ("sweep_other", second)):
        if st.session_state.get(key) not in settings:
            st.session_state[key] = name
    left, middle, right = st.columns(3)
    with left:
        measure = MEASURE.draw(measures)
    one = middle.selectbox(_("One setting"), list(settings), key="sweep_one", persist_state="session")
    other = right.selectbox(_("The other"), list(settings), key="sweep_other", persist_state="session")
    with st.container(key="sweep_comparison"):
        if one == other:
            st.info(_("Choose two different settings."))
            return
        try:
            compared = comparison.compare(settings[one], settings[other], measure)
        except ValueError:
            st.info(_("There is no seed with which both have a value."))
        else:
            st.markdown(wording.compared(compared, measure, one, other))


def _take_home(found: SweepVerdict) -> None:
    """The numbers as CSV and the sweep as a script."""
    files = {"sweep.csv": (_("All runs (CSV)"), found.table), "sweep_by_k.csv": (_("Each k (CSV)"), found.sizes)}
    script = sweep_script(found.plan)
    with st.container(horizontal=True):
        for name, (label, table) in files.items():
            text = table.to_csv(index=False)
            st.download_button(label, text, name, "text/csv", icon=":material/table:", on_click="ignore")
        label = _("This sweep as a script")
        st.download_button(label, script, "sweep.py", "text/x-python", icon=":material/code:", on_click="ignore")
    with st.expander(_("The code of this sweep")):
        take_home.both(script, plain.fits(found.plan), name="sweep")
