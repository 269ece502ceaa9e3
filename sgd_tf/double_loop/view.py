"""What the page "What is SGD?" shows: the samples of an epoch, the way of a minibatch, the double loop, the counts."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from sgd_tf.double_loop import chart as double_loop_chart
from sgd_tf.double_loop import code_chart, player
from sgd_tf.double_loop.playback import LINES, MODELS, Phase, Playback, Step
from sgd_tf.jobs import tasks
from sgd_tf.problems import CATALOGUE
from sgd_tf.racing import scripts
from sgd_tf.training import counting
from sgd_tf.training.records import MAX_LEARNING_RATE
from sgd_tf.ui import address, experiment
from sgd_tf.ui.language import _, catalogue, current, titles
from sgd_tf.ui.runs import Rows
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.words import N_

KEY = "loop"  # of the player
WAYS = {"gd": N_("1 · GD: all N at once"), "sgd": N_("2 · SGD: k at a time")}
DATA = {"digits": N_("Digits"), "line": N_("Line"), "spirals": N_("Spirals")}
USUAL = {  # by data: N and learning rate
    "digits": (24, 0.2),
    "line": (24, 0.2),
    "spirals": (60, 0.5),
}
CHIPS = (1, 4, 6, 10, 32, 64, 256, 512)  # batch sizes to choose from, as far as they make no more than MAX_UPDATES
MAX_UPDATES = 300  # of a recorded run
MAX_SAMPLES = 2_000
MAX_EPOCHS = 10
MAX_TOLD = 36  # samples whose order is written down in full
PICTURE_HEIGHT = 344  # px, of tiles or points and of the flow below them
FLOW_HEIGHT = {True: 158, False: 80}  # px, with the images of the minibatch and without
NARRATION_HEIGHT = 46  # px
COMPARISON_HEIGHT = 260  # px
ORDERS_HEIGHT = 64  # px

SETTINGS = (
    address.choice("sgd_way", "gd", WAYS),
    address.choice("sgd_data", "digits", DATA),
    address.number("sgd_k", 6, 1, MAX_SAMPLES),
    address.number("sgd_n", None, 10, MAX_SAMPLES),
    address.number("sgd_epochs", 3, 1, MAX_EPOCHS),
    address.number("sgd_rate", None, 1e-6, MAX_LEARNING_RATE),
    address.number("sgd_seed", 0, 0, 2**31 - 1),
    address.number("sgd_at", None, 0, 1_000_000),
)
CALCULATOR = (
    address.number("count_n", 20_640, 1, 1_000_000),
    address.number("count_k", 256, 1, 1_000_000),
    address.number("count_epochs", 4_000, 1, 100_000),
)


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """What is to be recorded, and which of its two runs is looked at."""

    problem: str
    num_examples: int  # N
    batch_size: int  # k of SGD
    num_epochs: int
    learning_rate: float
    seed: int
    way: str  # "gd" or "sgd"

    @property
    def question(self) -> tuple[str, int, int, int, float, int]:
        """The arguments of the recording."""
        return (
            self.problem, self.num_examples, self.batch_size, self.num_epochs, self.learning_rate, self.seed
        )  # fmt: skip

    @property
    def film(self) -> Playback:
        """The steps of the run that is looked at."""
        size = self.num_examples if self.way == "gd" else self.batch_size
        return Playback(num_examples=self.num_examples, batch_size=size, num_epochs=self.num_epochs)

    @property
    def has_images(self) -> bool:
        """Whether a sample is an image."""
        return CATALOGUE[self.problem].is_image


@dataclass(frozen=True, kw_only=True)
class Recording:
    """What the worker told of both runs."""

    num_weights: int
    layers: tuple[int, ...]
    samples: pd.DataFrame  # index, label, and image (of few samples alone) or x and y
    features: list[list[float]]  # of each sample; of an image the pixels, from 0 to 16
    runs: Mapping[str, Rows]  # of "gd" and "sgd", by update

    @staticmethod
    def from_rows(rows: Rows, *, has_images: bool, is_line: bool) -> Recording:
        """Sort the rows of `tasks.record_double_loop`."""
        head = rows[0]
        samples = [row for row in rows if "sample" in row]
        features = np.array([row["features"] for row in samples])
        table = pd.DataFrame({"index": range(len(samples)), "label": [f"{row['target']:g}" for row in samples]})
        if has_images:
            are_shown = len(samples) <= double_loop_chart.MAX_IMAGES
            table["image"] = [
                double_loop_chart.digit_image(tuple(row["features"])) if are_shown else "" for row in samples
            ]
        elif is_line:
            table = table.assign(x=features[:, 0], y=[row["target"] for row in samples])
        else:
            table = table.assign(x=features[:, 0], y=features[:, 1])
        return Recording(
            num_weights=head["weights"],
            layers=tuple(head["layers"]),
            samples=table,
            features=[row["features"] for row in samples],
            runs={run: [row for row in rows if row.get("run") == run] for run in WAYS},
        )


@st.cache_resource(max_entries=64, show_spinner=False)
def _recording(question: tuple[Any, ...], _rows: Rows) -> Recording:
    problem = question[0]
    return Recording.from_rows(_rows, has_images=CATALOGUE[problem].is_image, is_line=problem == "line")


# Controls


def controls() -> Lesson:
    """Draw the choice of GD or SGD, of k and of the data; the rest under "More settings"."""
    address.restore(SETTINGS)
    state = st.session_state
    with st.container(horizontal=True, vertical_alignment="center", key="sgd_controls"):
        st.segmented_control(
            _("How many samples for one update?"),
            list(WAYS),
            format_func=titles(WAYS),
            key="sgd_way",
            required=True,
            label_visibility="collapsed",
            persist_state="session",
        )
        sizes = st.container(width="content")
        st.segmented_control(
            _("Samples"),
            list(DATA),
            format_func=titles(DATA),
            key="sgd_data",
            required=True,
            on_change=_usual,
            label_visibility="collapsed",
            persist_state="session",
        )
        more = st.popover(_("More settings"), icon=":material/tune:")
    info = CATALOGUE[state["sgd_data"]]
    usual_n, usual_rate = USUAL[info.name]
    limit = min(MAX_SAMPLES, info.max_examples)
    if state["sgd_n"] is not None:
        state["sgd_n"] = min(max(state["sgd_n"], info.min_examples), limit)
    with more:
        st.number_input(
            _("Training samples N"),
            info.min_examples,
            limit,
            value=None,
            step=1,
            key="sgd_n",
            placeholder=f"{usual_n}",
            persist_state="session",
        )
        st.number_input(_("Epochs"), 1, MAX_EPOCHS, step=1, key="sgd_epochs", persist_state="session")
        st.number_input(
            _("Learning rate"),
            1e-6,
            MAX_LEARNING_RATE,
            value=None,
            format="%.6g",
            key="sgd_rate",
            placeholder=f"{usual_rate:g}",
            persist_state="session",
        )
        st.number_input(_("Seed"), 0, 2**31 - 1, step=1, key="sgd_seed", persist_state="session")
    num_examples = state["sgd_n"] or usual_n
    with sizes:
        batch_size = _batch_size(num_examples, state["sgd_epochs"])
    lesson = Lesson(
        problem=info.name,
        num_examples=num_examples,
        batch_size=batch_size,
        num_epochs=state["sgd_epochs"],
        learning_rate=state["sgd_rate"] or usual_rate,
        seed=state["sgd_seed"],
        way=state["sgd_way"],
    )
    player.load(KEY, lesson.film, (lesson.question, lesson.way), start=state["sgd_at"] or 0)
    # A link that is copied after Pause shows the same moment. One for each step would fill the browser's history.
    paused = st.session_state.get(f"{KEY}_paused_at") == player.position(KEY)
    state["sgd_at"] = player.position(KEY) if paused and player.position(KEY) else None
    address.publish(SETTINGS)
    return lesson


def _usual() -> None:
    """Other data have another N and another learning rate; a callback."""
    st.session_state.update(sgd_n=None, sgd_rate=None, sgd_k=6)


def _batch_size(num_examples: int, num_epochs: int) -> int:
    """The choice of k."""
    chips = [k for k in CHIPS if k < num_examples and counting.num_updates(num_examples, k, num_epochs) <= MAX_UPDATES]
    state = st.session_state
    if state["sgd_k"] not in chips:
        state["sgd_k"] = min(chips, key=lambda k: abs(math.log(k / state["sgd_k"])))
    st.segmented_control(
        _("Batch size k"),
        chips,
        format_func="k = {}".format,
        key="sgd_k",
        required=True,
        label_visibility="collapsed",
        disabled=state["sgd_way"] == "gd",
        persist_state="session",
    )
    return state["sgd_k"]


def ask_updates(lesson: Lesson) -> str | None:
    """Ask how many updates an epoch makes; the options are the numbers that learners mix up."""
    film = lesson.film
    k = film.num_examples if lesson.way == "gd" else lesson.batch_size
    numbers = sorted({1, k, film.iterations, film.num_examples, film.num_epochs})
    if st.session_state.get("sgd_prediction") not in [str(option) for option in numbers]:
        st.session_state["sgd_prediction"] = None
    return experiment.predict(
        _("Predict: how many updates does one epoch make here?"),
        {str(option): f"{option:,}" for option in numbers},
        key="sgd_prediction",
    )


# The picture


def picture(lesson: Lesson, bar: DeltaGenerator, prediction: str | None) -> Recording | None:
    """Draw the player and follow it; a skeleton as long as the run is recorded.

    Args:
        lesson: what is played.
        bar: where the player's buttons go.
        prediction: what the learner expects of `ask_updates`.

    Returns:
        The recording, if it is there.
    """
    rows = experiment.answer(
        "double_loop",
        tasks.record_double_loop,
        *lesson.question,
        height=PICTURE_HEIGHT + NARRATION_HEIGHT + 90,
    )
    found = _recording(lesson.question, rows) if rows else None
    with bar:
        player.controls(KEY, lesson.film if found else None, redraw=["sgd_judged"])
    if found:
        player.follow(KEY, lesson.film, functools.partial(_draw, lesson, found, prediction))
    return found


def _draw(lesson: Lesson, found: Recording, prediction: str | None, position: int) -> None:
    film, step = lesson.film, lesson.film.at(position)
    left, right = st.columns([1.15, 1], gap="medium")
    with left, st.container(gap="xsmall"):
        where = _("Epoch {e} of {epochs} · iteration {i} of {n} · {u} of {updates} updates made").format(
            e=step.epoch + 1 if step.phase != "start" else 0,
            epochs=film.num_epochs,
            i=step.iteration + 1 if step.is_drawn or step.phase in ("epoch_over", "end") else 0,
            n=f"{film.iterations:,}",
            u=f"{step.update:,}",
            updates=f"{film.num_updates:,}",
        )
        st.progress(step.update / film.num_updates, where)
        with st.container(height=NARRATION_HEIGHT, border=False, key="sgd_narration"):
            st.markdown(_narration(lesson, found, step))
        with st.container(key="sgd_samples", gap="xxsmall"):
            _samples(lesson, found, step)
        with st.container(key="sgd_flow"):
            _flow(lesson, found, step)
    with right, st.container(gap="xsmall"):
        with st.container(key="sgd_code", border=True):
            _code(step)
        with st.container(height=ORDERS_HEIGHT, border=False, key="sgd_orders"):
            st.markdown(_orders(lesson, found, step))
        with st.container(key="sgd_judgement"):
            if prediction and position >= film.end_of_epoch(0):
                updates = sum(row["epoch"] == 0 and row["update"] > 0 for row in found.runs[lesson.way])
                options = {option: f"{int(option):,}" for option in (prediction, str(updates))}
                experiment.judge(prediction, str(updates), options)


def _row(found: Recording, lesson: Lesson, step: Step) -> Mapping[str, Any]:
    """The update that is being worked on, or the last one that was made."""
    return found.runs[lesson.way][step.update + (step.is_drawn and step.phase != "update")]


def _narration(lesson: Lesson, found: Recording, step: Step) -> str:
    """One sentence for what the lit line does, with the numbers of this step."""
    film = lesson.film
    row = _row(found, lesson, step)
    run = found.runs[lesson.way]
    k = len(row["indices"])
    texts: dict[Phase, str] = {
        "start": _("**Before the first line of the loop:** the weights are random, and no sample has been used."),
        "epoch": _("**Epoch {e} begins:** all {n} samples are available again, and a new random order is drawn."),
        "draw": _("**Draw:** the next {k} samples of the order become the minibatch."),
        "forward": _("**Forward:** the {k} samples pass through the model, all at once."),
        "loss": _("**Loss:** how wrong the model is on these {k}, as one number: their mean is {loss}."),
        "gradient": _("**Gradient:** the direction in which this loss grows, for all {weights} weights. Length {g}."),
        "update": _(
            "**Update {u}:** each weight takes one step of {rate} × gradient, downhill. "
            "Loss over all {n}: {was} → {now}."
        ),
        "epoch_over": _("**Epoch {e} is over:** no sample is left. All {n} were used exactly once, in {i} iterations."),
        "end": _(
            "**The end:** {epochs} epochs of {i} iterations are {updates} updates. Loss over all {n}: {first} → {now}."
        ),
    }
    if lesson.way == "gd":
        texts |= {
            "draw": _("**Draw:** GD takes all {n} samples at once."),
            "epoch_over": _("**Epoch {e} is over:** all {n} samples were used, for a single update."),
            "end": _(
                "**The end:** {epochs} epochs are only {updates} updates. Loss over all {n}: {first} → {now}. "
                "Now try SGD."
            ),
        }
    if step.phase == "epoch" and step.epoch == 0:
        texts["epoch"] = _("**Epoch 1 begins:** all {n} samples are available, in a random order.")
    return texts[step.phase].format(
        e=step.epoch + 1,
        epochs=film.num_epochs,
        g=number(row["gradient_norm"]),
        i=f"{film.iterations:,}",
        k=f"{k:,}",
        loss=number(row["loss"]),
        n=f"{film.num_examples:,}",
        first=number(run[0]["train_loss"]),
        now=number(row["train_loss"]),
        was=number(run[max(0, row["update"] - 1)]["train_loss"]),
        rate=f"{lesson.learning_rate:g}",
        u=f"{row['update']:,}",
        updates=f"{film.num_updates:,}",
        weights=f"{found.num_weights:,}",
    )


def number(value: float | None) -> str:
    """A number of a step, with three significant digits.

    >>> number(1.9), number(123_456.0), number(float("inf"))
    ('1.90', '123,456', '∞')
    """
    if value is None or math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:#.3g}".rstrip(".")


def _states(lesson: Lesson, found: Recording, step: Step) -> pd.DataFrame:
    """What has become of each sample in this epoch: index, state, note."""
    film = lesson.film
    states = np.full(film.num_examples, "waiting", dtype=object)
    notes = np.full(film.num_examples, _("waiting"), dtype=object)
    first = step.epoch * film.iterations + 1  # number of the epoch's first update
    over = step.phase in ("epoch_over", "end")
    num_used = film.iterations if over else step.iteration if step.is_drawn else 0
    used = _("used in iteration {i} of this epoch")
    for iteration in range(num_used):
        indices = found.runs[lesson.way][first + iteration]["indices"]
        states[indices] = "used"
        notes[indices] = used.format(i=iteration + 1)
    if step.is_drawn:
        indices = found.runs[lesson.way][first + step.iteration]["indices"]
        states[indices] = "drawn"
        notes[indices] = _("in the minibatch")
    return pd.DataFrame({"index": range(film.num_examples), "state": states, "note": notes})


def _samples(lesson: Lesson, found: Recording, step: Step) -> None:
    """All samples, and what has become of each in this epoch."""
    states = _states(lesson, found, step)
    counts = states["state"].value_counts()
    numbers = {state: f"{counts.get(state, 0):,}" for state in ("drawn", "used", "waiting")}
    legend = _(
        "**{n} training samples:** :yellow-background[{drawn} in the minibatch] · ✓ {used} used in this epoch · "
        "{waiting} waiting"
    )
    st.markdown(f":small[{legend.format(n=f'{len(states):,}', **numbers)}]")
    alt = _("{n} samples: {drawn} in the minibatch, {used} used in this epoch, {waiting} waiting.").format(
        n=f"{len(states):,}", **numbers
    )
    theme = page_theme(PICTURE_HEIGHT - FLOW_HEIGHT[lesson.has_images])
    if lesson.has_images:
        chart = double_loop_chart.tiles(found.samples, states, theme=theme)
    else:
        surface, states = _surface(lesson, found, step, states)
        chart = double_loop_chart.points(found.samples, states, surface, is_line=lesson.problem == "line", theme=theme)
    show_chart(chart, alt, key=f"sgd_samples_{lesson.problem}")


def _surface(lesson: Lesson, found: Recording, step: Step, states: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What the model looks like, and what it says of the drawn samples."""
    run = found.runs[lesson.way]
    now = np.array(run[step.update]["surface"])
    samples = found.samples
    states = states.assign(said=np.nan, rank=states["state"].map({"used": 0, "waiting": 1, "drawn": 2}))
    if lesson.problem == "line":
        x = np.array([-8.0, 8.0])
        moments = {"now": now}
        if step.phase == "update":
            moments["before"] = np.array(run[step.update - 1]["surface"])
        elif step.phase in ("forward", "loss", "gradient"):
            drawn = states["state"] == "drawn"
            states["said"] = np.where(drawn, now[0] + now[1] * samples["x"], np.nan)
        table = [{"x": a, "y": w[0] + w[1] * a, "moment": moment} for moment, w in moments.items() for a in x]
        return pd.DataFrame(table), states
    x, y = double_loop_chart.surface_grid()
    return pd.DataFrame({"x": x, "y": y, "share": now}), states


def _flow(lesson: Lesson, found: Recording, step: Step) -> None:
    """The minibatch on its way: model, loss, gradient, update."""
    row = _row(found, lesson, step)
    order: tuple[Phase, ...] = ("forward", "loss", "gradient", "update")
    reached = order.index(step.phase) if step.phase in order else -1
    after = [
        (
            "forward",
            _("Model"),
            " → ".join(map(str, found.layers)),
            _("{w} weights").format(w=f"{found.num_weights:,}"),
        ),
        ("loss", _("Loss"), number(row["loss"]), _("mean of {k}").format(k=f"{len(row['indices']):,}")),
        ("gradient", _("Gradient"), number(row["gradient_norm"]), _("its length")),
        (
            "update",
            _("Update"),
            f"{row['update']:,}",
            _("w − {rate} × gradient").format(rate=f"{lesson.learning_rate:g}"),
        ),
    ]
    stations = pd.DataFrame(
        [
            {
                "place": place,
                "title": title,
                "value": value if place <= reached or place == 0 else "",
                "detail": detail if place <= reached or place == 0 else "",
                "state": "here" if place == reached else "passed" if place < reached else "ahead",
            }
            for place, (_phase, title, value, detail) in enumerate(after)
        ]
    )
    travellers = pd.DataFrame({"slot": [], "image": [], "said": [], "more": []})
    if lesson.has_images:
        travellers = _travellers(found, row if step.is_drawn else None, is_said=reached >= 0)
    alt = (
        _("The way of the minibatch: model, loss, gradient, update.")
        + " "
        + _without_marks(_narration(lesson, found, step))
    )
    theme = page_theme(FLOW_HEIGHT[lesson.has_images])
    chart = double_loop_chart.flow(stations, travellers, has_images=lesson.has_images, theme=theme)
    show_chart(chart, alt, key=f"sgd_flow_{lesson.has_images}")


def _without_marks(text: str) -> str:
    return text.replace("**", "")


def _travellers(found: Recording, row: Mapping[str, Any] | None, *, is_said: bool) -> pd.DataFrame:
    """The first samples of a minibatch, and what the model says of them."""
    indices = row["indices"] if row else []
    shown = indices if len(indices) <= double_loop_chart.NUM_SLOTS else indices[: double_loop_chart.NUM_SLOTS - 1]
    table = []
    for slot, index in enumerate(shown):
        label = found.samples["label"][index]
        said = f"{row['outputs'][slot]:g}" if row else ""
        mark = "✓" if said == label else "✗"
        table.append(
            {
                "slot": slot,
                "image": double_loop_chart.digit_image(tuple(found.features[index])),
                "said": f"{said} {mark}" if is_said else "",
                "more": "",
            }
        )
    if len(indices) > len(shown):
        more = f"+{len(indices) - len(shown):,}"
        table.append({"slot": len(shown), "image": "", "said": "", "more": more})
    return pd.DataFrame(table, columns=["slot", "image", "said", "more"])


def _code(step: Step) -> None:
    """The ten lines, and which of them runs."""
    lines = scripts.double_loop_lines()
    lit = LINES[step.phase]
    alt = _("The double loop. Now runs: {lines}").format(lines=" / ".join(lines[line - 1].strip() for line in lit))
    show_chart(code_chart.code(lines, lit, theme=page_theme(PICTURE_HEIGHT)), alt, key="sgd_code_lines")


def _orders(lesson: Lesson, found: Recording, step: Step) -> str:
    """In which order the samples of this epoch, and of the one before, were drawn so far."""
    film = lesson.film
    if step.phase == "start":
        return _("The order of each epoch will be written down here.")
    run = found.runs[lesson.way]
    texts = []
    for epoch in range(max(0, step.epoch - 1), step.epoch + 1):
        is_now = epoch == step.epoch and step.phase not in ("epoch_over", "end")
        num = film.iterations if not is_now else step.iteration + 1 if step.is_drawn else 0
        groups = []
        for iteration in range(num):
            indices = run[epoch * film.iterations + 1 + iteration]["indices"]
            is_lit = is_now and iteration == step.iteration
            if film.num_examples > MAX_TOLD:
                if iteration < num - 1 and num > 3:
                    continue
                indices = [*indices[:6], "…"]
            group = " ".join(map(str, indices))
            groups.append(f":yellow-background[{group}]" if is_lit else group)
        text = _("Order of epoch {e}:").format(e=epoch + 1)
        texts.append(f":small[**{text}** {' **|** '.join(groups) or '…'}]")
    return "  \n".join(texts)


# Below the picture

SAME_ORDER = {"same": N_("The same order"), "new": N_("A new order")}
VISITS = {
    "epochs": N_("Exactly once in each epoch"),
    "luck": N_("That depends on luck"),
    "all": N_("In every iteration"),
}


def questions(lesson: Lesson, found: Recording | None) -> None:
    """Two questions about the order, judged by the recorded run as soon as the player has shown it."""
    sample = lesson.num_examples // 2
    first, second = st.columns(2, gap="medium")
    with first:
        same = experiment.predict(
            _("Predict: in which order does epoch 2 draw the samples?"), SAME_ORDER, key="sgd_same"
        )
    with second:
        visits = experiment.predict(
            _("Predict: how often is sample {i} used in this run?").format(i=sample), VISITS, key="sgd_visits"
        )
    if found:
        st.fragment(_judged, key="sgd_judged")(lesson, found, sample, same, visits)


def _judged(lesson: Lesson, found: Recording, sample: int, same: str | None, visits: str | None) -> None:
    film, position = lesson.film, player.position(KEY)
    orders = epoch_orders(found.runs[lesson.way])
    first, second = st.columns(2, gap="medium")
    with first:
        if same and len(orders) < 2:
            st.caption(_("This run has one epoch only: choose two or more under “More settings”."))
        elif same and position < film.end_of_epoch(1):
            st.caption(_("Play to the end of epoch 2."))
        elif same:
            experiment.judge(same, "same" if orders[0] == orders[1] else "new", SAME_ORDER)
    with second:
        if visits and position < film.last:
            st.caption(_("Play to the end."))
        elif visits:
            counts = [order.count(sample) for order in orders]
            is_once = all(count == 1 for count in counts)
            always = is_once and film.iterations == 1 and visits == "all"  # of gradient descent both are true
            experiment.judge(visits, "all" if always else "epochs" if is_once else "luck", VISITS)
            text = _("Sample {i} was drawn {times} times in {epochs} epochs.")
            st.caption(text.format(i=sample, times=sum(counts), epochs=len(counts)))


def epoch_orders(run: Rows) -> list[list[int]]:
    """The samples in the order in which each epoch of a recorded run has drawn them.

    >>> epoch_orders([{"epoch": 0, "indices": []}, {"epoch": 0, "indices": [2]}, {"epoch": 0, "indices": [0, 1]}])
    [[2, 0, 1]]
    """
    orders: list[list[int]] = []
    for row in run:
        if row["epoch"] == len(orders):
            orders.append([])
        orders[-1].extend(row["indices"])
    return orders


def words(lesson: Lesson) -> None:
    """Minibatch, iteration, epoch and update, each with its number in this run."""
    film = lesson.film
    n, k = film.num_examples, film.num_examples if lesson.way == "gd" else lesson.batch_size
    rest = counting.last_minibatch_size(n, k)
    text = _("{k} of {n} samples") if rest == k else _("{k} of {n} samples, the last one {rest}")
    size = text.format(k=f"{k:,}", n=f"{n:,}", rest=f"{rest:,}")
    table = pd.DataFrame(
        {
            _("Word"): [_("Minibatch"), _("Iteration"), _("Epoch"), _("Update")],
            _("Meaning"): [
                _("The k samples that are drawn for one update"),
                _("One turn of the inner loop: one minibatch, one update"),
                _("One turn of the outer loop: each of the N samples once"),
                _("One step of all weights"),
            ],
            _("In this run"): [
                size,
                _("{i} in each epoch").format(i=f"{film.iterations:,}"),
                f"{film.num_epochs}",
                f"{film.iterations:,} × {film.num_epochs} = {film.num_updates:,}",
            ],
        }
    )
    with st.container(key="sgd_words"):
        st.table(table.set_index(_("Word")))


def comparison(lesson: Lesson, found: Recording) -> None:
    """Both recorded runs: the same samples in the same number of epochs, and the updates that each has made of them."""
    sizes = {"gd": lesson.num_examples, "sgd": lesson.batch_size}
    names = {"gd": "GD", "sgd": f"SGD, k = {lesson.batch_size:,}"}
    tables = []
    for run, k in sizes.items():
        rows = found.runs[run]
        seen = np.cumsum([len(row["indices"]) for row in rows]) / lesson.num_examples
        table = pd.DataFrame(
            {
                "epoch": seen,
                "update": [row["update"] for row in rows],
                "train_loss": [row["train_loss"] for row in rows],
            }
        )
        tables.append(table.assign(run=names[run], batch_size=k, full_batch=run == "gd"))
    updates = pd.concat(tables, ignore_index=True)
    last = {run: found.runs[run][-1] for run in sizes}
    text = _(
        "After {epochs} epochs both have seen each sample {epochs} times. GD has made **{gd} updates** of it and SGD "
        "**{sgd}**; the loss went from {start} to {gd_loss} with GD, and to {sgd_loss} with SGD. Both took the same "
        "learning rate, {rate}."
    ).format(
        epochs=lesson.num_epochs,
        gd=f"{last['gd']['update']:,}",
        sgd=f"{last['sgd']['update']:,}",
        start=number(found.runs["gd"][0]["train_loss"]),
        gd_loss=number(last["gd"]["train_loss"]),
        sgd_loss=number(last["sgd"]["train_loss"]),
        rate=f"{lesson.learning_rate:g}",
    )
    st.markdown(text)
    with st.container(key="sgd_comparison"):
        alt = _("Training loss after each update of GD and SGD, against epochs.") + " " + _without_marks(text)
        show_chart(double_loop_chart.updates(updates, theme=page_theme(COMPARISON_HEIGHT)), alt)


def exercise() -> None:
    """Let the learner put the lines of the loop in order, and say how far it is right."""
    right = scripts.double_loop_lines()[2:]
    indented = {line.strip(): line for line in right}
    chosen = st.multiselect(
        _("The lines of the loop, in the order in which they stand:"),
        sorted(indented),
        key="sgd_lines",
        placeholder=_("Choose the next line"),
        persist_state="session",
    )
    written = [indented[line] for line in chosen]
    num_right = next(
        (at for at, pair in enumerate(zip(written, right, strict=False)) if len(set(pair)) > 1), len(written)
    )
    if written:
        st.code("\n".join(written), language="python")
    if written == right:
        st.success(_("All {n} lines are right: this is the double loop.").format(n=len(right)))
    elif num_right < len(written):
        text = _("The first {n} lines are right, but “{line}” does not come next. Take it out and choose another.")
        st.warning(text.format(n=num_right, line=chosen[num_right]))
    elif written:
        st.caption(_("Right so far: {n} of {all} lines.").format(n=num_right, all=len(right)))


def take_home(lesson: Lesson) -> None:
    """The double loop to copy, and the same as a notebook."""
    with st.container(horizontal=True):
        with st.popover(_("Copy the code"), icon=":material/content_copy:", key="sgd_copy"):
            st.code(scripts.double_loop_source(), language="python")
        st.download_button(
            _("The same as a notebook"),
            _notebook(lesson, current()),
            "double_loop.ipynb",
            "application/x-ipynb+json",
            icon=":material/book_2:",
            key="sgd_notebook",
            on_click="ignore",
        )


@st.cache_data(max_entries=64, show_spinner=False)
def _notebook(lesson: Lesson, language: str) -> str:
    return scripts.double_loop_notebook(
        lesson.problem,
        num_examples=lesson.num_examples,
        batch_size="all" if lesson.way == "gd" else lesson.batch_size,
        num_epochs=lesson.num_epochs,
        learning_rate=lesson.learning_rate,
        model=MODELS[lesson.problem],
        seed=lesson.seed,
        translate=catalogue(language).gettext,
    )


def calculator() -> None:
    """N, k and epochs in; iterations per epoch, updates and the last minibatch out."""
    address.restore(CALCULATOR)
    with st.container(horizontal=True, key="count_controls"):
        for setting, label, limit in zip(
            CALCULATOR, (_("Samples N"), _("Batch size k"), _("Epochs")), (1_000_000, 1_000_000, 100_000), strict=True
        ):
            st.number_input(label, 1, limit, step=1, key=setting.key, persist_state="session", width=180)
    address.publish(CALCULATOR)
    n, k, epochs = (st.session_state[setting.key] for setting in CALCULATOR)
    if k > n:
        text = _("k = {k} is taken as N = {n}: gradient descent.")
        st.caption(text.format(k=f"{k:,}", n=f"{n:,}"))
        k = n
    iterations = counting.iterations_per_epoch(n, k)
    updates = counting.num_updates(n, k, epochs)
    rest = counting.last_minibatch_size(n, k)
    with st.container(key="count_formula"):
        word = _("epochs")
        shown = {"n": n, "k": k, "e": epochs, "i": iterations, "u": updates}
        t = {name: f"{value:,}".replace(",", "{,}") for name, value in shown.items()}
        # Within a line, since the box of a formula of its own can scroll, but not be reached by keyboard.
        st.markdown(
            rf"$\begin{{aligned}}\left\lceil \frac{{N}}{{k}} \right\rceil \times \text{{{word}}}"
            rf" &= \left\lceil \frac{{{t['n']}}}{{{t['k']}}} \right\rceil \times {t['e']}"
            rf" \\ &= {t['i']} \times {t['e']} \\ &= \mathbf{{{t['u']}}}\end{{aligned}}$"
        )
    with st.container(horizontal=True, key="count_results"):
        st.metric(_("Iterations per epoch"), f"{iterations:,}", width="content")
        st.metric(_("Updates in all"), f"{updates:,}", width="content")
        st.metric(_("Samples in the last minibatch"), f"{rest:,}", width="content")
    if rest == k:
        text = _("k divides N: all {i} minibatches of an epoch hold {k} samples.")
    else:
        text = _(
            "k does not divide N: {full} minibatches hold {k} samples each, and the last one the {rest} that are left."
        )
    st.caption(text.format(i=f"{iterations:,}", k=f"{k:,}", full=f"{iterations - 1:,}", rest=f"{rest:,}"))
