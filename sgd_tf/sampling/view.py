"""Three experiments on what the way of drawing samples does to training: their controls, pictures and answers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf import charts
from sgd_tf.jobs import rows
from sgd_tf.problems import CATALOGUE
from sgd_tf.sampling import chart as sampling_chart
from sgd_tf.sampling import visits_view as view
from sgd_tf.sampling.rows import (
    FLOOR_EPOCHS,
    FLOOR_EXAMPLES,
    GENIE_EXAMPLES,
    SORTED_EPOCHS,
    CopiesDifference,
    Floor,
    FloorPlan,
    GenieMeasurement,
    GeniePlan,
    SortedMeasurement,
    SortedPlan,
)
from sgd_tf.training import over_seeds
from sgd_tf.training.records import MAX_LEARNING_RATE, Sampling
from sgd_tf.ui import address, experiment
from sgd_tf.ui.language import _, segments
from sgd_tf.ui.numbers import digits, percent
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.theme import page_theme, show_chart
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
HURT = {"gd": N_("GD alone"), "sgd": N_("SGD alone"), "both": N_("Both"), "neither": N_("Neither")}

POINTS_LOST = 0.02  # of accuracy: less counts as the same
LOSS_RAISED = 1.1  # times the loss without copies: less counts as the same
CHART_HEIGHT = 350  # px


def _num_seeds() -> int:
    return view.numbers(
        _("Seeds"), view.SEEDS, "sampling_seeds", help=_("Runs of each kind. The band holds all of them.")
    )


def code(source: str) -> None:
    """Draw the code of an experiment, folded."""
    with st.expander(_("The code")):
        st.code(source, language="python")


def _table(run: SessionRun | None, kind: type) -> pd.DataFrame:
    """The rows of one kind of a run so far."""
    return rows.table(run.job.rows if run else [], kind)


def raised(power: float, num_digits: int = 2) -> str:
    """An exponent in small raised figures.

    >>> "γ" + raised(2.1)
    'γ²·¹⁰'
    """
    return f"{power:.{num_digits}f}".translate(str.maketrans("0123456789-.", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻·"))


def _tiny(value: float) -> str:
    mantissa, exponent = f"{value:.0e}".split("e")
    return f"{mantissa} · 10{raised(int(exponent), 0)}" if value else "0"


# 1. The error floor


def floor_plan() -> FloorPlan:
    """Draw the controls of the error floor, and return what they say."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        k = view.numbers(_("Batch size k"), view.FLOOR_SIZES, "sampling_floor_k")
        num_seeds = _num_seeds()
    address.publish(view.SETTINGS)
    return FloorPlan(batch_size=k, num_seeds=num_seeds)


def floor_code(plan: FloorPlan) -> str:
    """The code that makes these runs."""
    return f"""from sgd_tf import load
from sgd_tf.sampling import trials

line = load("line", num_examples={FLOOR_EXAMPLES})
for row in trials.error_floors(
    line, batch_size={plan.batch_size}, learning_rates={plan.learning_rates}, seeds=range({plan.num_seeds})
):
    print(row.sampling, row.learning_rate, row.seed, row.floor)"""


def _shown_floor() -> FloorPlan:
    state = st.session_state
    return FloorPlan(batch_size=int(state["sampling_floor_k"]), num_seeds=int(state["sampling_seeds"]))


def floor_picture(run: SessionRun | None) -> None:
    """Draw the paths and the floors so far, the state of the run, and at its end what it says."""
    plan: FloorPlan = run.plan if run else _shown_floor()
    rates, table = plan.learning_rates, _table(run, Floor)
    theme, domain = page_theme(CHART_HEIGHT), (5e-6, 20.0)
    bands = over_seeds.band(table, ["sampling", "learning_rate"], "floor")
    powers, extremes = floor_powers(bands), (rates[0], rates[-1])
    shown: dict[Sampling, str] = {"with_replacement": _("With replacement"), "reshuffle": _("Reshuffled each epoch")}
    short = {"with_replacement": _("With replacement"), "reshuffle": _("Reshuffled")}
    ways = sampling_chart.sampling_lines(shown, theme)
    ends = {
        way: sampling_chart.Line(
            label=line.label,
            color=line.color,
            dash=line.dash,
            end=short[way] + (f"\n∝ γ{raised(powers[way], 1)}" if way in powers else ""),
        )
        for way, line in ways.items()
    }
    with st.container(key="sampling_floor_chart"), st.grid(2, min_column_width=300, gap="small"):
        paths = sampling_chart.seed_curves(
            _paths(table[table["learning_rate"].isin(extremes)]),
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
                _("On the way, at the largest and the smallest γ"),
                _("Median of the seeds at the end of each epoch"),
            ),
            theme=theme,
        )
        words = _("Squared distance to the optimum against epochs, for each way of drawing and each learning rate")
        show_chart(paths, words, key="sampling_floor_paths")
        expected = table["expected"].dropna()
        floors = sampling_chart.floors(
            table,
            bands,
            lines=ends,
            learning_rates=rates,
            y_domain=domain,
            guide=None if expected.empty else (rates[0], float(expected.iloc[0])),
            theme=theme,
        )
        words = _("Error floor against the learning rate, reshuffled and with replacement")
        show_chart(floors, words, key="sampling_floor_floors")
    _status(run, len(table), plan.num_rows)
    if run and not run.is_active and len(powers) == 2 and (bands["num_seeds"] >= 1).sum() == 2 * len(rates):
        experiment.judge(run.prediction, floor_answer(powers), FALLS)
        text = _(
            "Halving the learning rate divides the floor by {one} with replacement and by {other} when "
            "reshuffled: fitted powers γ{p} and γ{q}, {n} seeds. Theory: γ¹, and γ² or more."
        )
        one, other = powers["with_replacement"], powers["reshuffle"]
        numbers = {"one": f"{2**one:.2g}", "other": f"{2**other:.2g}", "p": raised(one), "q": raised(other)}
        st.markdown("**" + text.format(**numbers, n=table["seed"].nunique()) + "**")


def floor_powers(bands: pd.DataFrame) -> dict[Sampling, float]:
    """The power p in floor ∝ γᵖ of each way of drawing with at least two learning rates, all of which have a floor."""
    groups = {str(way): group for way, group in bands.groupby("sampling", sort=False)}
    return {
        way: over_seeds.power(groups[way]["learning_rate"], groups[way]["median"])
        for way in view.WAYS
        if way in groups and len(groups[way]) > 1 and np.isfinite(groups[way]["median"]).all()
    }


def floor_answer(powers: Mapping[Sampling, float]) -> str:
    """The option of FALLS that comes closest to what one halving does to the floor when reshuffled.

    >>> floor_answer({"reshuffle": 1.1}), floor_answer({"reshuffle": 2.4})
    ('half', 'quarter')
    """
    power = powers["reshuffle"]
    return "stays" if power < 0.5 else "half" if power < 1.5 else "quarter"


def _paths(table: pd.DataFrame) -> pd.DataFrame:
    """Median over the seeds of the distance after each epoch."""
    if table.empty:
        columns = ["line", "x", "median", "low", "high", "num_seeds", "num_diverged"]
        return pd.DataFrame(columns=columns).astype({"median": "float64"})
    line = table["sampling"] + " " + table["learning_rate"].map("{:g}".format)
    long = table.assign(line=line)[["line", "distances"]].explode("distances").astype({"distances": "float64"})
    long["x"] = long.groupby(level=0).cumcount()
    return over_seeds.band(long, ["line", "x"], "distances")


def _status(run: SessionRun | None, num_rows: int, num_expected: int) -> None:
    share = 1.0 if run and run.job.status == "done" else min(1.0, num_rows / num_expected)
    experiment.status(run, share, _("{share} of the runs are trained").format(share=f"{share:.0%}") if num_rows else "")


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


def sorted_plan() -> SortedPlan:
    """Draw the controls of the sorted data, and return what they say."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        buffer_size = st.number_input(
            _("Buffer size b"),
            1,
            CATALOGUE["digits"].num_examples,
            step=50,
            key="sampling_sorted_b",
            persist_state="session",
            width=132,
        )
        rate = st.number_input(
            _("Learning rate"),
            1e-3,
            MAX_LEARNING_RATE,
            format="%.6g",
            key="sampling_sorted_rate",
            persist_state="session",
            width=132,
        )
        k = view.numbers(_("Batch size k"), view.SORTED_SIZES, "sampling_sorted_k")
        num_seeds = _num_seeds()
    address.publish(view.SETTINGS)
    return SortedPlan(batch_size=k, learning_rate=float(rate), buffer_size=int(buffer_size), num_seeds=num_seeds)


def measure() -> None:
    """Draw the choice of what is measured."""
    segments(_("Measured"), view.MEASURES, "sampling_measure", label_visibility="collapsed")
    address.publish(view.SETTINGS)


def sorted_picture(run: SessionRun | None) -> None:
    """Draw the curves so far, the state of the run, and at its end what it says."""
    measured = st.session_state["sampling_measure"]
    is_accuracy = measured == "test_accuracy"
    table = _table(run, SortedMeasurement)
    num_epochs = run.plan.num_epochs if run else SORTED_EPOCHS
    buffer_size = run.plan.buffer_size if run else st.session_state["sampling_sorted_b"]
    labels: dict[Sampling, str] = {
        "in_order": _("In order"),
        "buffer": _("Buffer of {b}").format(b=buffer_size),
        "reshuffle": _("Reshuffled"),
    }
    worst = -np.inf if is_accuracy else np.inf
    bands = over_seeds.band(
        table.rename(columns={"epoch": "x", "sampling": "line"}), ["line", "x"], measured, worst=worst
    )
    theme = page_theme(CHART_HEIGHT)
    with st.container(key="sampling_sorted_chart"):
        curves = sampling_chart.seed_curves(
            bands,
            lines=sampling_chart.sampling_lines(labels, theme),
            x=charts.Axis("x", (0, num_epochs), title=_("Epochs")),
            y=charts.Axis(
                "median",
                (0, 1) if is_accuracy else (0.05, 10),
                log=not is_accuracy,
                title=_(view.MEASURES[measured]),
                percent=is_accuracy,
            ),
            title=_("Digits sorted by class: median and range of the seeds"),
            borders=range(1, num_epochs),
            theme=theme,
        )
        words = _("Learning curves on digits sorted by class: in order, through a shuffle buffer, reshuffled")
        show_chart(curves, words, key="sampling_sorted_curves")
    _status(run, len(table), run.plan.num_rows if run else 1)
    if run is None or run.is_active or table.empty:
        return
    diverged = table[table["train_loss"].isna()].groupby(["sampling", "seed"]).ngroups
    if diverged:
        text = _("{lost} of {num} runs diverged. Choose a smaller learning rate.")
        st.warning(text.format(lost=diverged, num=table.groupby(["sampling", "seed"]).ngroups))
    reached = sorted_reached(table, num_epochs)
    if diverged or len(reached) < len(labels):
        return
    experiment.judge(run.prediction, sorted_answer(reached["accuracy"].to_dict()), BUFFERED)
    text = _(
        "Test accuracy in the last epoch, mean over the epoch (median of {n} seeds): in order {one}, buffer of {b} "
        "{two}, reshuffled {three}. Within that epoch it moved by {swing} points in order, and by {calm} reshuffled."
    )
    swing = reached["swing"] * 100
    values = {
        "n": table["seed"].nunique(),
        "b": buffer_size,
        "one": percent(reached["accuracy"]["in_order"]),
        "two": percent(reached["accuracy"]["buffer"]),
        "three": percent(reached["accuracy"]["reshuffle"]),
        "swing": f"{swing['in_order']:.1f}",
        "calm": f"{swing['reshuffle']:.1f}",
    }
    st.markdown("**" + text.format(**values) + "**")


def sorted_reached(table: pd.DataFrame, num_epochs: int) -> pd.DataFrame:
    """Where each way of drawing is in the last epoch, of the runs that came so far.

    Args:
        table: columns sampling, seed, epoch, test_accuracy, nan of a run that has diverged.
        num_epochs: of each run.

    Returns:
        by sampling: accuracy, the mean over the last epoch, and swing, its highest value less its lowest; both the
        median of the seeds.
    """
    table = table[np.isfinite(table["test_accuracy"])]
    reached = table.groupby(["sampling", "seed"])["epoch"].transform("max") >= num_epochs
    last = table[reached & (table["epoch"] > num_epochs - 1)]
    runs = last.groupby(["sampling", "seed"], sort=False)["test_accuracy"]
    each = pd.DataFrame({"accuracy": runs.mean(), "swing": runs.max() - runs.min()})
    return each.groupby(level="sampling", sort=False).median()


def sorted_answer(accuracy: Mapping[str, float]) -> str:
    """The option of BUFFERED that the accuracies give.

    >>> sorted_answer({"in_order": 0.5, "buffer": 0.65, "reshuffle": 0.95})
    'in_order'
    >>> sorted_answer({"in_order": 0.5, "buffer": 0.94, "reshuffle": 0.95})
    'reshuffle'
    """
    if accuracy["buffer"] >= accuracy["reshuffle"] - POINTS_LOST:
        return "reshuffle"
    middle = (accuracy["in_order"] + accuracy["reshuffle"]) / 2
    return "between" if accuracy["buffer"] > middle else "in_order"


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


def genie_plan() -> GeniePlan:
    """Draw the controls of the genie, and return what they say."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        copies = view.numbers(_("Copies of each sample r"), view.COPIES, "sampling_copies")
        k = view.numbers(_("Batch size k of SGD"), view.GENIE_SIZES, "sampling_genie_k")
        num_seeds = _num_seeds()
    address.publish(view.SETTINGS)
    return GeniePlan(num_copies=copies, batch_size=k, num_seeds=num_seeds)


def counter() -> None:
    """Draw the choice of what is counted."""
    segments(_("Counted in"), view.COUNTERS, "sampling_counter", label_visibility="collapsed")
    address.publish(view.SETTINGS)


def genie_picture(run: SessionRun | None) -> None:
    """Draw the curves so far, the state of the run, and at its end what it says."""
    plan: GeniePlan = run.plan if run else _shown_genie()
    copies, k, epochs, table = plan.num_copies, plan.batch_size, plan.num_epochs, _table(run, GenieMeasurement)
    counted = st.session_state["sampling_counter"]
    theme = page_theme(CHART_HEIGHT)
    line = table["method"] + table["copies"].ne(1).map({True: "_copies", False: ""})
    bands = over_seeds.band(table.assign(line=line, x=table[counted]), ["line", "x"], "train_loss")
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
    with st.container(key="sampling_genie_chart"):
        curves = sampling_chart.seed_curves(
            bands,
            lines=lines,
            x=charts.Axis(
                "x",
                (1 if counted == "update" else 0, ends[counted]),
                log=counted == "update",
                title=_(view.COUNTERS[counted]),
            ),
            y=charts.Axis("median", (0.02, 4), log=True, title=_("Training loss")),
            title=_("With and without copies: median and range of the seeds"),
            theme=theme,
        )
        words = _("Training loss of GD and SGD, with and without copies of the samples, against what is counted")
        show_chart(curves, words, key="sampling_genie_curves")
    _status(run, len(table), plan.num_rows)
    if run is None or run.is_active:
        return
    found = genie_losses(table, epochs)
    if found is None:
        return
    ratios = {method: found[method, "ratios"] for method in ("gd", "sgd")}
    experiment.judge(run.prediction, genie_answer(ratios), HURT)
    end = _table(run, CopiesDifference)
    text = _(
        "At as many samples seen, {r} copies multiply the loss of GD by {gd} and that of SGD by {sgd} "
        "(median of {n} seeds)."
    )
    factors = {method: f"{np.median(ratio):.2f}" for method, ratio in ratios.items()}
    sentence = text.format(r=copies, **factors, n=min(len(ratio) for ratio in ratios.values()))
    if not end.empty:
        same = _("After {u} updates of GD the weights with and without copies differ by {d} at most: rounding.")
        sentence += " " + same.format(u=int(end["updates"].iloc[0]), d=_tiny(end["difference"].iloc[0]))
    st.markdown(f"**{sentence}**")
    _genie_table(found, copies)


def _shown_genie() -> GeniePlan:
    copies, k, num_seeds = (int(st.session_state[f"sampling_{name}"]) for name in ("copies", "genie_k", "seeds"))
    return GeniePlan(num_copies=copies, batch_size=k, num_seeds=num_seeds)


def genie_losses(table: pd.DataFrame, num_epochs: int) -> dict[tuple[str, str], list[float]] | None:
    """Loss with copies in the end, and without them after as many samples, updates and epochs.

    Args:
        table: columns method, copies, seed, epoch, update, examples, train_loss.
        num_epochs: over the copies.

    Returns:
        one number per seed by (method, what): "copies", "examples", "update", "epoch", and "ratios", the loss with
        copies over that without after as many samples. None if a run is missing.
    """
    found: dict[tuple[str, str], list[float]] = {}
    for method in ("gd", "sgd"):
        for _seed, runs in table[table["method"] == method].groupby("seed"):
            without, copied = (runs[runs["copies"].eq(1) == alone] for alone in (True, False))
            if without.empty or copied.empty or copied["epoch"].max() < num_epochs or runs["train_loss"].isna().any():
                continue
            end = copied.iloc[-1]
            found.setdefault((method, "copies"), []).append(float(end["train_loss"]))
            for counted in view.COUNTERS:
                nearest = without.loc[(without[counted] - end[counted]).abs().idxmin()]
                found.setdefault((method, counted), []).append(float(nearest["train_loss"]))
            ratio = found[method, "copies"][-1] / found[method, "examples"][-1]
            found.setdefault((method, "ratios"), []).append(ratio)
    return found if {method for method, _what in found} == {"gd", "sgd"} else None


def genie_answer(ratios: Mapping[str, list[float]]) -> str:
    """The option of HURT: whose loss the copies raise by a tenth or more in the median, and in every seed.

    >>> genie_answer({"gd": [3.5, 3.7], "sgd": [0.9, 1.1]})
    'gd'
    """
    hurt = {method: np.median(ratio) >= LOSS_RAISED and min(ratio) > 1 for method, ratio in ratios.items()}
    if hurt["gd"] == hurt["sgd"]:
        return "both" if hurt["gd"] else "neither"
    return "gd" if hurt["gd"] else "sgd"


def _genie_table(found: Mapping[tuple[str, str], list[float]], copies: int) -> None:
    """Draw the losses in the end next to those without copies at the same samples, updates and epochs."""
    middle = {key: digits(float(np.median(values)), 3) for key, values in found.items()}
    names = {"gd": "GD", "sgd": "SGD"}
    rows = pd.DataFrame(
        {
            _("Training loss"): names.values(),
            _("{r} copies, in the end").format(r=copies): [middle[method, "copies"] for method in names],
            _("None, as many samples"): [middle[method, "examples"] for method in names],
            _("None, as many updates"): [middle[method, "update"] for method in names],
            _("None, as many epochs"): [middle[method, "epoch"] for method in names],
        }
    )
    with st.container(key="sampling_genie_table"):
        st.table(rows.set_index(_("Training loss")))
