"""The controls of the double loop: GD or SGD, k, the data, and the prediction."""

from __future__ import annotations

import math

import streamlit as st

from sgd_tf.double_loop import player
from sgd_tf.double_loop.recording import Lesson
from sgd_tf.double_loop.rows import DoubleLoopPlan, Way
from sgd_tf.problems import CATALOGUE
from sgd_tf.training import counting
from sgd_tf.training.records import MAX_LEARNING_RATE
from sgd_tf.ui import settings, trial
from sgd_tf.ui.language import _
from sgd_tf.ui.settings import Choice, Number, OptionalNumber
from sgd_tf.words import N_

USUAL = {  # by data: N and learning rate
    "digits": (24, 0.2),
    "line": (24, 0.2),
    "spirals": (60, 0.5),
}
CHIPS = (1, 4, 6, 10, 32, 64, 256, 512)  # batch sizes to choose from, as far as they make no more than MAX_UPDATES
MAX_UPDATES = 300  # of a recorded run
MAX_SAMPLES = 2_000
PREDICTIONS = ("sgd_prediction", "sgd_same", "sgd_visits")  # keys of what the learner expects of a run

WAY = Choice(
    key="sgd_way",
    label=N_("How many samples for one update?"),
    options={"gd": N_("1 · GD: all N at once"), "sgd": N_("2 · SGD: k at a time")},
    default="gd",
)
DATA = Choice(
    key="sgd_data",
    label=N_("Samples"),
    options={"digits": N_("Digits"), "line": N_("Line"), "spirals": N_("Spirals")},
    default="digits",
)
BATCH_SIZE = Number(key="sgd_k", label=N_("Batch size k"), low=1, high=MAX_SAMPLES, default=6)
SAMPLES = OptionalNumber(key="sgd_n", label=N_("Training samples N"), low=10, high=MAX_SAMPLES)
EPOCHS = Number(key="sgd_epochs", label=N_("Epochs"), low=1, high=10, default=3)
RATE = OptionalNumber(key="sgd_rate", label=N_("Learning rate"), low=1e-6, high=MAX_LEARNING_RATE)
SEED = settings.seed("sgd_seed")
MOMENT = OptionalNumber(key="sgd_at", label="", low=0, high=1_000_000)  # where the player was paused; has no control
SETTINGS = (WAY, DATA, BATCH_SIZE, SAMPLES, EPOCHS, RATE, SEED, MOMENT)


def controls() -> Lesson:
    """Draw the choice of GD or SGD, of k and of the data; the rest under "More settings"."""
    with st.container(horizontal=True, vertical_alignment="center", key="sgd_controls"):
        way: Way = "sgd" if WAY.draw(label_visibility="collapsed") == "sgd" else "gd"
        sizes = st.container(width="content")
        info = CATALOGUE[DATA.draw(on_change=_usual, label_visibility="collapsed")]
        more = st.popover(_("More settings"), icon=":material/tune:")
    usual_n, usual_rate = USUAL[info.name]
    with more:
        limit = min(MAX_SAMPLES, info.max_examples)
        num_examples = SAMPLES.draw(low=info.min_examples, high=limit, usual=f"{usual_n}") or usual_n
        num_epochs = EPOCHS.draw()
        learning_rate = RATE.draw(usual=f"{usual_rate:g}") or usual_rate
        seed = SEED.draw()
    with sizes:
        batch_size = _batch_size(num_examples, num_epochs, is_drawn=way == "sgd")
    plan = DoubleLoopPlan(
        problem=info.name,
        num_examples=num_examples,
        batch_size=batch_size,
        num_epochs=num_epochs,
        learning_rate=learning_rate,
        seed=seed,
    )
    lesson = Lesson(plan=plan, way=way)
    if st.session_state.get("sgd_predicted") != lesson:  # a prediction is of one run
        st.session_state["sgd_predicted"] = lesson
        st.session_state.update(dict.fromkeys(PREDICTIONS))
    player.load(lesson.film, lesson, start=MOMENT.value or 0)
    # A link that is copied after Pause shows the same moment. One for each step would fill the browser's history.
    MOMENT.set(player.paused_at() or None)
    MOMENT.publish()
    return lesson


def _usual() -> None:
    """Other data have another N and another learning rate; a callback."""
    SAMPLES.set(None)
    RATE.set(None)
    BATCH_SIZE.set(BATCH_SIZE.default)


def _batch_size(num_examples: int, num_epochs: int, *, is_drawn: bool) -> int:
    """The choice of k: of the chips that are allowed now the nearest one to the chosen k; GD has no choice."""
    chips = [k for k in CHIPS if k < num_examples and counting.num_updates(num_examples, k, num_epochs) <= MAX_UPDATES]
    if BATCH_SIZE.value not in chips:
        BATCH_SIZE.set(min(chips, key=lambda k: abs(math.log(k / BATCH_SIZE.value))))
    if not is_drawn:
        st.markdown(f"k = N = {num_examples:,}")
        return BATCH_SIZE.value
    st.segmented_control(
        _(BATCH_SIZE.label),
        chips,
        format_func="k = {}".format,
        key=BATCH_SIZE.key,
        required=True,
        label_visibility="collapsed",
        persist_state="session",
    )
    BATCH_SIZE.publish()
    return BATCH_SIZE.value


def ask_updates(lesson: Lesson) -> str | None:
    """Ask how many updates an epoch makes; the options are the numbers that learners mix up."""
    film = lesson.film
    numbers = sorted({1, lesson.batch_size, film.iterations, film.num_examples, film.num_epochs})
    if st.session_state.get("sgd_prediction") not in [str(option) for option in numbers]:
        st.session_state["sgd_prediction"] = None
    return trial.predict(
        _("Predict: how many updates does one epoch make here?"),
        {str(option): f"{option:,}" for option in numbers},
        key="sgd_prediction",
    )
