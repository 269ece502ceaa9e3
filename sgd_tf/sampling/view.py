"""Three experiments on what the way of drawing samples does to training: their pictures, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.jobs.rows import table
from sgd_tf.recordings import recorded
from sgd_tf.sampling import chart as sampling_chart
from sgd_tf.sampling import controls, rows, verdict, wording
from sgd_tf.sampling.rows import (
    FLOOR_EPOCHS,
    FLOOR_EXAMPLES,
    GENIE_EXAMPLES,
    CopiesDifference,
    Floor,
    FloorPlan,
    GenieMeasurement,
    GeniePlan,
    SortedMeasurement,
    SortedPlan,
)
from sgd_tf.training import over_seeds
from sgd_tf.training.records import Sampling
from sgd_tf.ui import take_home
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import digits
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Trial, Verdict
from sgd_tf.words import N_

# What the learner may expect
FALLS = {
    "stays": N_("It stays where it is"),
    "half": N_("It halves too"),
    "quarter": N_("It falls to a quarter, or lower"),
}
BUFFERED = {
    "in_order": N_("Closer to reading in order"),
    "between": N_("Closer to reshuffling"),
    "reshuffle": N_("As good as reshuffling"),
}
HURT = {"gd": N_("Only GD"), "sgd": N_("Only SGD"), "both": N_("Both"), "neither": N_("Neither")}

SECONDS = 30.0  # of training, at most
CHART_HEIGHT = 350  # px


def code(source: str, plain: str | None) -> None:
    """Draw the code of an experiment, folded: the lab's, and plain TensorFlow."""
    with st.expander(_("The code")):
        take_home.both(source, plain, name="sampling")


def _share(plan: Any, found: list[Any]) -> float:
    return min(1.0, len(found) / plan.num_rows)


def _verdict(says: object, text: str, options: Mapping[str, str]) -> Verdict:
    """A verdict on the page; its answer is one that the learner can choose, or none."""
    answer = getattr(says, "answer", None)
    return Verdict(text=text, answer=answer if answer in options else None)


# 1. The error floor


def floor_code(plan: FloorPlan) -> str:
    """The code that makes these runs."""
    return f"""from sgd_tf import load
from sgd_tf.sampling import trials

line = load("line", num_examples={FLOOR_EXAMPLES})
for row in trials.error_floors(
    line, batch_size={plan.batch_size}, learning_rates={plan.learning_rates}, seeds=range({plan.num_seeds})
):
    print(row.sampling, row.learning_rate, row.seed, row.floor)"""


def floor_picture(plan: FloorPlan, found: list[Floor]) -> None:
    """Draw the paths and the floors so far."""
    rates, runs = plan.learning_rates, table(found, Floor)
    theme = page_theme(CHART_HEIGHT)
    bands = over_seeds.band(runs, ["sampling", "learning_rate"], "floor")
    powers, extremes = verdict.floor_powers(bands), (rates[0], rates[-1])
    shown: dict[Sampling, str] = {"with_replacement": _("With replacement"), "reshuffle": _("Reshuffled each epoch")}
    short = {"with_replacement": _("With replacement"), "reshuffle": _("Reshuffled")}
    ways, slope = sampling_chart.sampling_lines(shown, theme), _("slope {p}")
    slopes = (
        {str(way): "\n" + slope.format(p=f"{power:.1f}") for way, power in powers.items()} if len(powers) == 2 else {}
    )
    ends = {
        way: sampling_chart.Line(
            label=line.label,
            color=line.color,
            dash=line.dash,
            end=short[way] + slopes.get(way, ""),
        )
        for way, line in ways.items()
    }
    on_way = _paths(runs[runs["learning_rate"].isin(extremes)])
    domain = sampling_chart.holding((5e-6, 20.0), pd.concat([on_way["median"], runs["floor"]]))
    with st.container(key="sampling_floor_chart"), st.grid(2, min_column_width=300, gap="small"):
        paths = sampling_chart.seed_curves(
            on_way,
            lines={
                f"{way} {rate:g}": sampling_chart.Line(
                    label=f"{line.label}, γ = {rate:g}",
                    color=line.color,
                    dash=line.dash,
                    end=f"γ = {rate:g}",
                    band=False,
                )
                for way, line in ways.items()
                for rate in extremes
            },
            x=charts.Axis("x", (0, FLOOR_EPOCHS), title=_("Epochs")),
            y=charts.Axis("median", domain, log=True, title=_("Squared distance to the optimum")),
            title=(
                _("Distance at the largest and the smallest γ"),
                _("Median of the seeds at the end of each epoch"),
            ),
            theme=theme,
        )
        words = _("Squared distance to the optimum against epochs, for each way of drawing and each learning rate")
        show_chart(paths, words, key="sampling_floor_paths")
        expected = runs["expected"].dropna()
        floors = sampling_chart.floors(
            runs,
            bands,
            lines=ends,
            learning_rates=rates,
            y_domain=domain,
            guide=None if expected.empty else (rates[0], float(expected.iloc[0])),
            theme=theme,
        )
        words = _("Error floor against the learning rate, reshuffled and with replacement")
        show_chart(floors, words, key="sampling_floor_floors")


def _paths(runs: pd.DataFrame) -> pd.DataFrame:
    """Median over the seeds of the distance after each epoch."""
    if runs.empty:
        columns = ["line", "x", "median", "low", "high", "num_seeds", "num_diverged"]
        return pd.DataFrame(columns=columns).astype({"median": "float64"})
    line = runs["sampling"] + " " + runs["learning_rate"].map("{:g}".format)
    long = runs.assign(line=line)[["line", "distances"]].explode("distances").astype({"distances": "float64"})
    long["x"] = long.groupby(level=0).cumcount()
    return over_seeds.band(long, ["line", "x"], "distances")


def floor_verdict(plan: FloorPlan, found: list[Floor]) -> Verdict:
    """What halving the learning rate does to the floor."""
    says = verdict.floor(plan, table(found, Floor))
    return _verdict(says, wording.floor(says), FALLS)


def floor_settings(plan: FloorPlan) -> str:
    """The settings of a run."""
    return f"k = {plan.batch_size} · {_num_seeds(plan)}"


def _num_seeds(plan: FloorPlan | SortedPlan | GeniePlan) -> str:
    return _("{n} seeds").format(n=plan.num_seeds)


FLOOR: Trial[FloorPlan, Floor] = Trial(
    kind="sampling_floor",
    run=rows.error_floors,
    recorded=recorded(rows.error_floors),
    question=N_("Predict: halve the learning rate. With replacement, the error floor halves. With reshuffling, it …"),
    options=FALLS,
    seconds=lambda _plan: SECONDS,
    settings=floor_settings,
    progress=_share,
    verdict=floor_verdict,
    picture=floor_picture,
)


# 2. Data that is sorted by class


def sorted_code(plan: SortedPlan) -> str:
    """The code that makes these runs."""
    return f"""from sgd_tf import load
from sgd_tf.sampling import trials

for row in trials.sorted_runs(
    load("digits"),
    batch_size={plan.batch_size},
    learning_rate={plan.learning_rate},
    buffer_size={plan.buffer_size},
    num_epochs={plan.num_epochs},
    seeds=range({plan.num_seeds}),
):
    print(row)"""


def sorted_picture(plan: SortedPlan, found: list[SortedMeasurement]) -> None:
    """Draw the curves so far."""
    measured = controls.MEASURE.value
    is_accuracy = measured == "test_accuracy"
    labels: dict[Sampling, str] = {
        "in_order": _("In order"),
        "buffer": _("Buffer of {b}").format(b=plan.buffer_size),
        "reshuffle": _("Reshuffled"),
    }
    worst = -np.inf if is_accuracy else np.inf
    bands = over_seeds.band(
        table(found, SortedMeasurement).rename(columns={"epoch": "x", "sampling": "line"}),
        ["line", "x"],
        measured,
        worst=worst,
    )
    theme = page_theme(CHART_HEIGHT)
    domain = (0.0, 1.0) if is_accuracy else sampling_chart.holding((0.05, 10), bands[["median", "low", "high"]].stack())
    with st.container(key="sampling_sorted_chart"):
        curves = sampling_chart.seed_curves(
            bands,
            lines=sampling_chart.sampling_lines(labels, theme),
            x=charts.Axis("x", (0, plan.num_epochs), title=_("Epochs")),
            y=charts.Axis(
                "median",
                domain,
                log=not is_accuracy,
                title=controls.MEASURE.title(measured),
                percent=is_accuracy,
            ),
            title=(_("Digits sorted by class"), _("Median and range of the seeds")),
            borders=range(1, plan.num_epochs),
            theme=theme,
        )
        words = _("Learning curves on digits sorted by class: in order, through a shuffle buffer, reshuffled")
        show_chart(curves, words, key="sampling_sorted_curves")
        st.caption(wording.beyond(bands["high"], domain[1]))


def sorted_verdict(plan: SortedPlan, found: list[SortedMeasurement]) -> Verdict:
    """What each way of reading reaches."""
    says = verdict.sorted_data(plan, table(found, SortedMeasurement))
    return _verdict(says, wording.sorted_data(says, plan), BUFFERED)


def sorted_settings(plan: SortedPlan) -> str:
    """The settings of a run."""
    return f"b = {plan.buffer_size:,} · γ = {plan.learning_rate:g} · k = {plan.batch_size} · {_num_seeds(plan)}"


SORTED: Trial[SortedPlan, SortedMeasurement] = Trial(
    kind="sampling_sorted",
    run=rows.sorted_runs,
    recorded=recorded(rows.sorted_runs),
    question=N_("Predict: with the shuffle buffer, test accuracy is …"),
    options=BUFFERED,
    seconds=lambda _plan: SECONDS,
    settings=sorted_settings,
    progress=_share,
    verdict=sorted_verdict,
    picture=sorted_picture,
)


# 3. The evil genie


def genie_code(plan: GeniePlan) -> str:
    """The code that makes these runs."""
    return f"""from sgd_tf import load
from sgd_tf.sampling import trials

digits = load("digits", num_examples={GENIE_EXAMPLES})
for row in trials.genie_runs(
    digits,
    num_copies={plan.num_copies},
    batch_size={plan.batch_size},
    num_epochs={plan.num_epochs},
    seeds=range({plan.num_seeds}),
):
    print(row)"""


def genie_picture(plan: GeniePlan, found: list[GenieMeasurement | CopiesDifference]) -> None:
    """Draw the curves so far, and the losses in the end."""
    copies, k, epochs, runs = plan.num_copies, plan.batch_size, plan.num_epochs, table(found, GenieMeasurement)
    counted = controls.COUNTER.value
    theme = page_theme(CHART_HEIGHT)
    line = runs["method"] + runs["copies"].ne(1).map({True: "_copies", False: ""})
    bands = over_seeds.band(runs.assign(line=line, x=runs[counted]), ["line", "x"], "train_loss")
    gd, sgd = theme.color_of(k, k), theme.color_of(k)
    with_copies = _("{r} copies").format(r=copies)
    lines = {
        "gd": sampling_chart.Line(label="GD", color=gd),
        "gd_copies": sampling_chart.Line(label=f"GD, {with_copies}", color=gd, dash=(6, 3)),
        "sgd": sampling_chart.Line(label=f"SGD, k = {k}", color=sgd),
        "sgd_copies": sampling_chart.Line(label=f"SGD, {with_copies}", color=sgd, dash=(6, 3)),
    }
    ends = {
        "examples": GENIE_EXAMPLES * copies * epochs,
        "update": GENIE_EXAMPLES * copies * epochs // k,
        "epoch": copies * epochs,
    }
    domain = sampling_chart.holding((0.02, 4), bands[["median", "low", "high"]].stack())
    with st.container(key="sampling_genie_chart"):
        curves = sampling_chart.seed_curves(
            bands,
            lines=lines,
            x=charts.Axis(
                "x",
                (1 if counted == "update" else 0, ends[counted]),
                log=counted == "update",
                title=controls.COUNTER.title(counted),
            ),
            y=charts.Axis("median", domain, log=True, title=_("Training loss")),
            title=(_("With and without copies"), _("Median and range of the seeds")),
            theme=theme,
        )
        words = _("Training loss of GD and SGD, with and without copies of the samples, against what is counted")
        show_chart(curves, words, key="sampling_genie_curves")
    says = verdict.genie(plan, runs)
    if isinstance(says, verdict.GenieVerdict):
        _genie_table(says, copies)


def _genie_table(says: verdict.GenieVerdict, copies: int) -> None:
    """Draw the losses in the end next to those without copies at the same samples, updates and epochs."""
    middle = {key: digits(float(np.median(values)), 3) for key, values in says.losses.items()}
    names = {"gd": "GD", "sgd": "SGD"}
    losses = pd.DataFrame(
        {
            _("Training loss"): names.values(),
            _("{r} copies, in the end").format(r=copies): [middle[method, "copies"] for method in names],
            _("No copies, same samples"): [middle[method, "examples"] for method in names],
            _("No copies, same updates"): [middle[method, "update"] for method in names],
            _("No copies, same epochs"): [middle[method, "epoch"] for method in names],
        }
    )
    with st.container(key="sampling_genie_table"):
        st.table(losses.set_index(_("Training loss")))


def genie_verdict(plan: GeniePlan, found: list[GenieMeasurement | CopiesDifference]) -> Verdict:
    """What the copies do to the losses."""
    says = verdict.genie(plan, table(found, GenieMeasurement))
    return _verdict(says, wording.genie(says, plan, found), HURT)


def genie_settings(plan: GeniePlan) -> str:
    """The settings of a run."""
    return f"r = {plan.num_copies} · k = {plan.batch_size} · {_num_seeds(plan)}"


GENIE: Trial[GeniePlan, GenieMeasurement | CopiesDifference] = Trial(
    kind="sampling_genie",
    run=rows.genie_runs,
    recorded=recorded(rows.genie_runs),
    question=N_("Predict: at the same number of samples seen, which loss do the copies raise?"),
    options=HURT,
    seconds=lambda _plan: SECONDS,
    settings=genie_settings,
    progress=_share,
    verdict=genie_verdict,
    picture=genie_picture,
)
