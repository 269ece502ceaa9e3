"""The page on several devices: its controls, and what a minibatch over devices and over processes shows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from sgd_tf.devices import chart as devices_chart
from sgd_tf.devices.replicas import ParallelPlan, split
from sgd_tf.problems import CATALOGUE
from sgd_tf.ui import address, experiment
from sgd_tf.ui.language import _, segments, selectbox
from sgd_tf.ui.numbers import difference_text
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.widgets import PROBLEMS
from sgd_tf.words import N_

PARTS = {"devices": N_("Several devices"), "machines": N_("Several machines")}
CHOICES = ("digits", "teacher", "flights")
SIZES = ("64", "256", "1024", "4096")
LARGEST = ("2", "4", "8")
FATES = {"all": N_("All stay"), "lose": N_("The last one is killed")}
WORKERS = ("2", "3")
# What the learner may expect
TIMES = {"faster": N_("Faster"), "same": N_("About as fast"), "slower": N_("Slower")}
SAME = {"same": N_("The same, up to rounding"), "other": N_("Different")}

NUM_UPDATES, LEARNING_RATE, LOSE_AFTER = 30, 0.1, 5
TIMED_FROM = 3  # the first updates compile
FASTER, SLOWER = 0.8, 1.25  # times the time of one device
ROUNDING = 1e-6  # of a weight: what float32 may leave
CHART_HEIGHT = 330  # px

SETTINGS = (
    address.choice("parallel_part", "devices", PARTS),
    address.choice("parallel_problem", "digits", CHOICES),
    address.choice("parallel_k", "256", SIZES),
    address.choice("parallel_r", "4", LARGEST),
    address.choice("parallel_workers", "2", WORKERS),
    address.choice("parallel_fate", "all", FATES),
)


def part() -> str:
    """Draw the choice of what to look at, and return it."""
    address.restore(SETTINGS)
    segments(_("What to look at"), PARTS, "parallel_part", label_visibility="collapsed")
    return str(st.session_state["parallel_part"])


def _plan() -> ParallelPlan:
    """Draw the problem and k."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        selectbox(_("What to learn"), {name: PROBLEMS[name] for name in CHOICES}, key="parallel_problem")
        problem = st.session_state["parallel_problem"]
        sizes = [size for size in SIZES if int(size) < CATALOGUE[problem].num_examples]
        if st.session_state["parallel_k"] not in sizes:
            st.session_state["parallel_k"] = "256"
        st.segmented_control(
            _("Batch size k"), sizes, format_func=_number, key="parallel_k", required=True, persist_state="session"
        )
    return ParallelPlan(
        problem=problem,
        batch_size=int(st.session_state["parallel_k"]),
        learning_rate=LEARNING_RATE,
        num_updates=NUM_UPDATES,
    )


def _number(size: str) -> str:
    return f"{int(size):,}"


# 1. Several devices


def devices_arguments() -> tuple[ParallelPlan, tuple[int, ...]]:
    """Draw the controls, and return what the worker is asked for: the run, and the numbers of devices."""
    plan = _plan()
    st.segmented_control(_("Devices R, at most"), LARGEST, key="parallel_r", required=True, persist_state="session")
    address.publish(SETTINGS)
    largest = int(st.session_state["parallel_r"])
    return plan, tuple(2**i for i in range(largest.bit_length()))


def _updates(run: SessionRun | None) -> pd.DataFrame:
    rows = [row for row in run.job.rows if "update" in row] if run else []
    return pd.DataFrame(rows, columns=None if rows else ["replicas", "update", "seconds", "loss"])


def start_text(run: SessionRun | None) -> str:
    """How far the start of the processes is."""
    if run is None or not run.job.rows:
        return ""
    waiting = [row["waiting"] for row in run.job.rows if "waiting" in row]
    stages = {row["stage"] for row in run.job.rows if "stage" in row}
    seconds = f"{waiting[-1]:.0f}" if waiting else "0"
    if "training" in stages:
        return _("Compiling and training … ({s} s)").format(s=seconds)
    if "devices" in stages:
        return _("The devices have found each other … ({s} s)").format(s=seconds)
    return _("Fresh processes load TensorFlow … ({s} s)").format(s=seconds)


def devices_picture(run: SessionRun | None) -> None:
    """Draw who has which samples, the gradients and the time so far, and at the end what they say."""
    table = _updates(run)
    firsts = [row for row in run.job.rows if "norm" in row] if run else []
    counts = run.plan[1] if run else ()
    num_all = max(1, len(counts) * NUM_UPDATES)
    text = start_text(run)
    if run and not run.is_active and len(table):
        text = _("{n} updates are made").format(n=len(table))
    experiment.status(run, len(table) / num_all, text)
    if not firsts:
        with st.container(height=CHART_HEIGHT, border=False, key="parallel_empty"):
            st.info(_("Here come: who has which samples, the gradients and their mean, the time of an update."))
        return
    _first_pictures(firsts[-1])
    times = times_table(table)
    if len(times):
        _time_and_table(run, times)
    if run and not run.is_active:
        _devices_verdict(run, times)


def _first_pictures(row: dict[str, Any]) -> None:
    """The parts of the first minibatch, and the gradients of the replicas."""
    num = int(row["replicas"])
    samples = pd.DataFrame([{"replica": r + 1, "sample": index} for r in range(num) for index in row[f"indices_{r}"]])
    arrows = pd.DataFrame(
        [
            {
                "replica": r + 1,
                "along": row[f"along_{r}"],
                "across": row[f"across_{r}"],
                "norm": row[f"norm_{r}"],
            }
            for r in range(num)
        ]
    )
    theme = page_theme(CHART_HEIGHT)
    with st.container(key="parallel_first"), st.grid(2, min_column_width=300, gap="small"):
        title = _("The first minibatch over R = {r} devices").format(r=num)
        parts = devices_chart.sample_parts(
            samples, title=(title, _("A square is a sample; point at it for its index")), theme=theme
        )
        show_chart(parts, _("The samples of the first minibatch, in blocks by device"), key="parallel_samples")
        titles = _("R gradients and their mean"), _("Seen in the plane in which they differ most")
        gradients = devices_chart.gradient_arrows(arrows, norm=row["norm"], title=titles, theme=theme)
        show_chart(gradients, _("The gradient of each device as an arrow, and their mean"), key="parallel_arrows")


def times_table(table: pd.DataFrame) -> pd.DataFrame:
    """Milliseconds of an update for each number of devices: median and quartiles, the first updates left out.

    Args:
        table: columns replicas, update, seconds; with "difference" where a run has ended.

    Returns:
        columns replicas, ms, low, high, and difference where it is known (else nan).
    """
    timed = table[table["update"] >= TIMED_FROM]
    if timed.empty:
        return pd.DataFrame(columns=["replicas", "ms", "low", "high", "difference"])
    ms = timed.assign(ms=1e3 * timed["seconds"]).groupby("replicas")["ms"]
    found = ms.quantile([0.25, 0.5, 0.75]).unstack().reset_index()
    found.columns = pd.Index(["replicas", "low", "ms", "high"])
    if "difference" in table:
        last = table.dropna(subset="difference").set_index("replicas")["difference"]
        return found.assign(difference=found["replicas"].map(last))
    return found.assign(difference=np.nan)


def _time_and_table(run: SessionRun | None, times: pd.DataFrame) -> None:
    cores = next((row["cores"] for row in run.job.rows if "cores" in row), 0) if run else 0
    device = next((row["device"] for row in run.job.rows if "device" in row), "CPU") if run else "CPU"
    label = (
        _("These devices share {n} cores: no speed-up is to be expected").format(n=cores)
        if device == "CPU"
        else _("Each device is a GPU of its own")
    )
    with st.container(key="parallel_times"), st.grid(2, min_column_width=300, gap="small"):
        titles = _("Time of an update"), _("Line across a bar: the ideal t₁/R")
        chart = devices_chart.time_by_devices(times, title=titles, theme=page_theme(CHART_HEIGHT))
        show_chart(chart, _("Milliseconds per update against the number of devices"), key="parallel_time")
        shown = pd.DataFrame(
            {
                _("Devices R"): times["replicas"].map("{:d}".format),
                _("Samples each"): [_each(run, r) for r in times["replicas"]],
                _("Time per update"): times["ms"].map("{:.3g} ms".format),
                _("Difference to one device"): [
                    "…" if value != value else difference_text(value) for value in times["difference"]
                ],
            }
        )
        with st.container():
            st.caption(f":material/info: {label}")
            st.table(shown.set_index(_("Devices R")))


def _each(run: SessionRun | None, replicas: int) -> str:
    k = run.plan[0].batch_size if run else 0
    sizes = sorted({part.stop - part.start for part in split(k, int(replicas))})
    return "–".join(f"{size:,}" for size in sizes)


def _devices_verdict(run: SessionRun, times: pd.DataFrame) -> None:
    """The prediction against the times, and the equality of the updates."""
    if len(times) < len(run.plan[1]) or times["difference"].isna().any():
        return
    times = times.sort_values("replicas")
    first, last = times.iloc[0], times.iloc[-1]
    experiment.judge(run.prediction, time_answer(last["ms"] / first["ms"]), TIMES)
    text = _(
        "After {n} updates no weight differs from those of one device by more than {difference}. An update over {r} "
        "devices took {ratio} times as long as on one."
    )
    st.markdown(
        "**"
        + text.format(
            n=run.plan[0].num_updates,
            difference=difference_text(times["difference"].max()),
            r=int(last["replicas"]),
            ratio=f"{last['ms'] / first['ms']:.2g}",
        )
        + "**"
    )


def time_answer(ratio: float) -> str:
    """The option of TIMES for a ratio of times.

    >>> time_answer(0.5), time_answer(1.1), time_answer(2.0)
    ('faster', 'same', 'slower')
    """
    return "faster" if ratio < FASTER else "same" if ratio <= SLOWER else "slower"


# 2. Several machines


def machines_arguments() -> tuple[ParallelPlan, int, int | None]:
    """Draw the controls, and return what the worker is asked for: the run, processes, and when one is killed."""
    plan = _plan()
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(_("Processes"), WORKERS, key="parallel_workers", required=True, persist_state="session")
        segments(_("During the run"), FATES, "parallel_fate")
    address.publish(SETTINGS)
    lose = st.session_state["parallel_fate"] == "lose"
    return plan, int(st.session_state["parallel_workers"]), LOSE_AFTER if lose else None


def machines_picture(run: SessionRun | None) -> None:
    """Draw the state of each process, the losses so far, and at the end what they say."""
    table = _updates(run)
    num_workers = run.plan[1] if run else int(st.session_state["parallel_workers"])
    rows = run.job.rows if run else []
    ended = next((row for row in rows if "ended" in row), None)
    lost = next((row["lost"] for row in rows if "lost" in row), None)
    text = start_text(run)
    if len(table):
        text = _("Update {n} of {all}").format(n=len(table), all=NUM_UPDATES)
    experiment.status(run, len(table) / NUM_UPDATES, text)
    stages: dict[int, str] = {row["worker"]: row["stage"] for row in rows if "stage" in row}
    words = {
        "tensorflow": _("TensorFlow is loaded, waits for the others"),
        "devices": _("has found the others"),
        "training": _("trains"),
    }
    shown = []
    for index in range(num_workers):
        state = words.get(stages.get(index, ""), _("starts") if run and run.is_active else "–")
        if index == lost:
            state = _("was killed")
        elif ended:
            state = _("was ended")
        elif run and run.job.status == "done":
            state = _("done")
        shown.append({_("Process"): str(index + 1), _("State"): state})
    with st.container(key="parallel_processes"):
        st.table(pd.DataFrame(shown).set_index(_("Process")))
    if run is None or run.is_active:
        return
    if ended:
        st.error(
            _(
                "Process {lost} was killed after update {n}. The others would have waited for it for ever; the watcher "
                "ended them {seconds} s later, and none is left."
            ).format(lost=ended["index"] + 1, n=run.plan[2], seconds=f"{ended['seconds']:.1f}")
        )
    differences = [row["difference"] for row in rows if "difference" in row]
    if differences:
        experiment.judge(run.prediction, "same" if differences[-1] <= ROUNDING else "other", SAME)
        times = times_table(table)
        text = _(
            "After {n} updates no weight differs from those of one process by more than {difference}. An update took "
            "{ms} ms; the processes share this machine's cores."
        )
        st.markdown(
            "**"
            + text.format(n=len(table), difference=difference_text(differences[-1]), ms=f"{times['ms'].iloc[0]:.3g}")
            + "**"
        )


def commands() -> str:
    """The command lines of the same run: for trial, and over real machines."""
    plan_k = st.session_state["parallel_k"]
    common = f"--problem {st.session_state['parallel_problem']} --batch-size {plan_k} --updates {NUM_UPDATES}"
    trial, first, second, wait = (
        _("For trial: {n} processes on this machine").format(n=st.session_state["parallel_workers"]),
        _("On the first machine"),
        _("On the second machine"),
        _("--patience: seconds that a machine may be missing"),
    )
    return f"""# {trial}
sgd-tf data-parallel --workers {st.session_state["parallel_workers"]} \\
  {common}

# {first} ({wait})
sgd-tf data-parallel --hosts 10.0.0.5:2222,10.0.0.6:2222 --index 0 \\
  --patience 120 {common}

# {second}
sgd-tf data-parallel --hosts 10.0.0.5:2222,10.0.0.6:2222 --index 1 \\
  --patience 120 {common}"""


def code() -> str:
    """The update over several replicas, as the lab makes it."""
    return """strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])   # or MultiWorkerMirroredStrategy()

with strategy.scope():                        # a copy of the weights on each device
    model = models.build(problem, config, seed=0)
    optimizer = keras.optimizers.SGD(0.1)

@tf.function
def update(rows, k):
    def replica(rows):                        # runs on each device with its own part of the samples
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(losses(tf.gather(y, rows), model(tf.gather(x, rows)))) / k   # k, not the part
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply(gradients, model.trainable_variables)   # adds up the gradients of all devices first
    strategy.run(replica, args=(rows,))

for indices in order:                         # the k samples of an iteration
    parts = [indices[part] for part in split(len(indices), strategy.num_replicas_in_sync)]
    rows = strategy.experimental_distribute_values_from_function(
        lambda context: parts[context.replica_id_in_sync_group])
    update(rows, float(len(indices)))"""
