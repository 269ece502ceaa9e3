"""The page on several devices: what a minibatch over devices and over processes shows."""

from __future__ import annotations

from typing import Any

import pandas as pd
import streamlit as st

from sgd_tf.children import Waiting
from sgd_tf.devices import chart as devices_chart
from sgd_tf.devices import rows, verdict, wording
from sgd_tf.devices.controls import settings_text
from sgd_tf.devices.replicas import split
from sgd_tf.devices.rows import (
    Cores,
    DevicesPlan,
    Difference,
    Ended,
    FirstMinibatch,
    Lost,
    MachinesPlan,
    Missing,
    ParallelPlan,
    Stage,
    Update,
)
from sgd_tf.problems import CATALOGUE
from sgd_tf.recordings import recorded
from sgd_tf.ui import runs
from sgd_tf.ui.language import _
from sgd_tf.ui.numbers import difference_text
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Trial, Verdict
from sgd_tf.words import N_

# What the learner may expect
SAME = {"same": N_("The same, up to rounding"), "other": N_("Different")}

CHART_HEIGHT = 330  # px


def _start_text(found: list[Any]) -> str:
    """How far the start of the processes is."""
    waiting = [row.seconds for row in found if isinstance(row, Waiting)]
    stages = {row.stage for row in found if isinstance(row, Stage)}
    seconds = f"{waiting[-1]:.0f}" if waiting else "0"
    if "training" in stages:
        return _("Compiling and training … ({s} s)").format(s=seconds)
    if "devices" in stages:
        return _("The devices have found each other … ({s} s)").format(s=seconds)
    return _("Fresh processes load TensorFlow … ({s} s)").format(s=seconds)


def _num_updates(found: list[Any]) -> int:
    return sum(isinstance(row, Update) for row in found)


# 1. Several devices


def _devices_state(_plan: DevicesPlan, found: list[Any]) -> str:
    return _start_text(found)


def _devices_picture(plan: DevicesPlan, found: list[Any]) -> None:
    """Draw the samples of each device, the gradients and the time so far."""
    firsts = [row for row in found if isinstance(row, FirstMinibatch)]
    if firsts:
        _first_pictures(firsts[-1])
    else:
        _parts_to_come(plan)
    times = verdict.times(found)
    if len(times):
        _time_and_table(plan, found, times)


def _parts_to_come(plan: DevicesPlan) -> None:
    """Draw the parts of a minibatch before the run."""
    parts = enumerate(split(plan.run.batch_size, plan.largest), 1)
    samples = pd.DataFrame(
        [{"replica": r, "sample": place} for r, part in parts for place in range(part.start, part.stop)]
    )
    with st.container(key="parallel_empty"), st.grid(2, min_column_width=300, gap="small"):
        _draw_parts(samples, plan.largest, _("A square is a sample of the minibatch"))
        st.info(
            _("This run will show the samples of each device, the gradients and their mean, and the time per update.")
        )


def _draw_parts(samples: pd.DataFrame, num_devices: int, subtitle: str) -> None:
    title = _("The first minibatch over R = {r} devices").format(r=num_devices)
    chart = devices_chart.sample_parts(samples, title=(title, subtitle), theme=page_theme(CHART_HEIGHT))
    show_chart(chart, _("The samples of the first minibatch, in blocks by device"), key="parallel_samples")


def _first_pictures(first: FirstMinibatch) -> None:
    """The parts of the first minibatch, and the gradients of the replicas."""
    replicas = list(enumerate(first.parts, 1))
    samples = pd.DataFrame([{"replica": r, "sample": index} for r, part in replicas for index in part.indices])
    arrows = pd.DataFrame(
        [{"replica": r, "along": part.along, "across": part.across, "norm": part.norm} for r, part in replicas]
    )
    theme = page_theme(CHART_HEIGHT)
    with st.container(key="parallel_first"), st.grid(2, min_column_width=300, gap="small"):
        _draw_parts(samples, first.replicas, _("A square is a sample; point at it for its index"))
        titles = _("R gradients and their mean"), _("Seen in the plane in which they differ most")
        gradients = devices_chart.gradient_arrows(arrows, norm=first.norm, title=titles, theme=theme)
        show_chart(gradients, _("The gradient of each device as an arrow, and their mean"), key="parallel_arrows")


def _time_and_table(plan: DevicesPlan, found: list[Any], times: pd.DataFrame) -> None:
    on_cpu = any(row.device == "CPU" for row in found if isinstance(row, Update))
    cores = next((row.num for row in found if isinstance(row, Cores)), 0)
    label = (
        _("These devices share {n} cores: they show the method, not its speed").format(n=cores)
        if on_cpu
        else _("Each device is a GPU of its own")
    )
    with st.container(key="parallel_times"), st.grid(2, min_column_width=300, gap="small"):
        titles = _("Time of an update"), _("Line across a bar: the ideal t₁/R")
        chart = devices_chart.time_by_devices(times, title=titles, theme=page_theme(CHART_HEIGHT))
        show_chart(chart, _("Milliseconds per update against the number of devices"), key="parallel_time")
        shown = pd.DataFrame(
            {
                _("Devices R"): times["replicas"].map("{:d}".format),
                _("Samples each"): [_each(plan.run.batch_size, r) for r in times["replicas"]],
                _("Time per update"): times["ms"].map("{:.3g} ms".format),
                _("Difference from the lab's own loop"): [
                    "…" if value != value else difference_text(value) for value in times["difference"]
                ],
            }
        )
        with st.container():
            st.caption(f":material/info: {label}")
            st.table(shown.set_index(_("Devices R")))


def _each(batch_size: int, replicas: int) -> str:
    sizes = sorted({part.stop - part.start for part in split(batch_size, int(replicas))})
    return "–".join(f"{size:,}" for size in sizes)


def _devices_verdict(plan: DevicesPlan, found: list[Any]) -> Verdict:
    """Equality of the weights over several devices, and the time of an update."""
    says = verdict.devices(plan, found)
    is_missing = isinstance(says, verdict.MissingVerdict)
    return Verdict(text=wording.devices(says), answer=getattr(says, "answer", None), is_failure=is_missing)


DEVICES = Trial(
    kind="parallel_devices",
    run=rows.train_over_devices,
    recorded=recorded(rows.train_over_devices),
    question=N_("Predict: compared with one device, the weights after 30 updates are …"),
    options=SAME,
    seconds=lambda _plan: 30.0,
    settings=settings_text,
    progress=lambda plan, found: _num_updates(found) / plan.num_updates,
    state=_devices_state,
    verdict=_devices_verdict,
    picture=_devices_picture,
)

# 2. Several machines


def _machines_state(plan: MachinesPlan, found: list[Any]) -> str:
    if num := _num_updates(found):
        return _("Update {n} of {all}").format(n=num, all=plan.run.num_updates)
    return _start_text(found)


def _machines_picture(plan: MachinesPlan, found: list[Any]) -> None:
    """Draw the state of each process."""
    stages = {row.worker: row.stage for row in found if isinstance(row, Stage)}
    lost = {row.worker for row in found if isinstance(row, Lost)}
    has_ended = any(isinstance(row, Ended | Missing) for row in found)
    is_done = any(isinstance(row, Difference) for row in found)
    words = {
        "tensorflow": _("TensorFlow loaded, waiting for the others"),
        "devices": _("has found the others"),
        "training": _("trains"),
    }
    shown = []
    for index in range(plan.num_workers):
        state = words.get(stages.get(index, ""), _("starts") if found and runs.active() else "–")
        if index in lost:
            state = _("was killed")
        elif has_ended:
            state = _("stopped by the watcher")
        elif is_done:
            state = _("done")
        shown.append({_("Process"): str(index + 1), _("State"): state})
    with st.container(key="parallel_processes"):
        st.table(pd.DataFrame(shown).set_index(_("Process")))


def _machines_verdict(plan: MachinesPlan, found: list[Any]) -> Verdict:
    """Equality of the weights over several processes; or the end of all after one was killed."""
    says = verdict.machines(plan, found)
    is_lost = isinstance(says, verdict.LostVerdict | verdict.MissingVerdict)
    return Verdict(text=wording.machines(says), answer=getattr(says, "answer", None), is_failure=is_lost)


MACHINES = Trial(
    kind="parallel_machines",
    run=rows.train_over_workers,
    recorded=recorded(rows.train_over_workers),
    question=N_("Predict: compared with one process, the weights after 30 updates are …"),
    options=SAME,
    seconds=lambda _plan: 40.0,
    settings=settings_text,
    progress=lambda plan, found: _num_updates(found) / plan.run.num_updates,
    state=_machines_state,
    verdict=_machines_verdict,
    picture=_machines_picture,
)


def commands(plan: MachinesPlan) -> str:
    """The command lines of the same run: for trial, and over real machines."""
    run = plan.run
    common = f"--problem {run.problem} --batch-size {run.batch_size} --updates {run.num_updates}"
    trial, first, second, wait = (
        _("Try it with {n} processes on this machine").format(n=plan.num_workers),
        _("On the first machine"),
        _("On the second machine"),
        _("--patience: seconds to wait for a missing machine"),
    )
    return f"""# {trial}
sgd-tf data-parallel --workers {plan.num_workers} \\
  {common}

# {first} ({wait})
sgd-tf data-parallel --hosts 10.0.0.5:2222,10.0.0.6:2222 --index 0 \\
  --patience 120 {common}

# {second}
sgd-tf data-parallel --hosts 10.0.0.5:2222,10.0.0.6:2222 --index 1 \\
  --patience 120 {common}"""


def code(run: ParallelPlan) -> str:
    """The update over two devices of this machine in plain TensorFlow."""
    is_regression = CATALOGUE[run.problem].num_classes is None
    loss = (
        "tf.square(y - tf.squeeze(outputs, -1))"
        if is_regression
        else "tf.nn.sparse_softmax_cross_entropy_with_logits(y, outputs)"
    )
    return f"""import keras
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)   # R = 2
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"], tf.distribute.ReductionToOneDevice())


def losses(y, outputs):                       # of each sample
    return {loss}


def train(build_model, x, y, k={run.batch_size}, updates={run.num_updates}):
    with strategy.scope():                    # a copy of the weights on each device
        model = build_model()
        optimizer = keras.optimizers.SGD({run.learning_rate:g})
        optimizer.build(model.trainable_variables)

    @tf.function(reduce_retracing=True)
    def update(rows, k):
        def replica(rows):                    # runs on each device with its own part of the samples
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(losses(tf.gather(y, rows), model(tf.gather(x, rows)))) / k   # k, not the part
            gradients = tape.gradient(loss, model.trainable_variables)
            optimizer.apply(gradients, model.trainable_variables)   # adds up the gradients of all devices first
        strategy.run(replica, args=(rows,))

    order = tf.data.Dataset.range(len(x)).shuffle(len(x), reshuffle_each_iteration=True).batch(k)
    for indices in order.repeat().take(updates):                    # the k samples of an iteration
        parts = np.array_split(indices, strategy.num_replicas_in_sync)
        rows = strategy.experimental_distribute_values_from_function(
            lambda context: tf.constant(parts[context.replica_id_in_sync_group]))
        update(rows, tf.constant(float(len(indices))))
    return model"""
