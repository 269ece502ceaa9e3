"""The controls of the page on own data: the file, and each guess about it, which can be changed."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import dataclass

import streamlit as st

from sgd_tf.own import wording
from sgd_tf.own.building import given_problem, own_table
from sgd_tf.own.columns import Column, columns_of
from sgd_tf.own.errors import TableError
from sgd_tf.own.examples import EXAMPLES
from sgd_tf.own.reading import UPLOAD, Dialect, clean_names, read
from sgd_tf.own.understanding import Choices, Understanding, understand, why_not_target
from sgd_tf.problems import given
from sgd_tf.ui import own_problems, runs
from sgd_tf.ui.language import _
from sgd_tf.ui.training_settings import TrainingSettings
from sgd_tf.words import N_

RACE = TrainingSettings.of()  # settings of the race page
MAX_TITLE = 60  # letters of the name of a file
FILE, ERROR, VARIANT = "own_file", "own_error", "own_variant"  # keys in the session
TARGET, TASK, MISSING, SCALE = "own_target", "own_task", "own_missing", "own_scale"
TASKS = {"classification": N_("Classification"), "regression": N_("Regression")}
MISSINGS = {"drop": N_("Drop the row"), "fill": N_("Fill it in")}
KINDS = {"number": N_("number"), "category": N_("category"), "out": N_("leave out")}

_one_at_a_time = threading.Lock()  # of the tables of all learners: reading and building take much memory for a moment


@dataclass(frozen=True, kw_only=True, eq=False)
class Uploaded:
    """The file of this session."""

    title: str
    content: bytes
    digest: str
    format: str
    dialect: Dialect | None
    columns: tuple[Column, ...]
    kinds: dict[str, str]  # chosen, by column
    example: str | None = None  # key of EXAMPLES


def upload() -> Uploaded | None:
    """Draw the place for a file and the examples; return what was uploaded last, or None."""
    number = st.session_state.setdefault(FILE, 0)
    file = st.file_uploader(
        _("CSV, Parquet or NPZ, up to 5 MB"),
        key=f"{FILE}_{number}",
        max_upload_size=UPLOAD.num_bytes // 2**20 if UPLOAD.num_bytes else None,
        help=_("100,000 rows and 64 columns at most, 20 rows at least. Images are not read."),
    )
    if file is not None:
        take(file.name, file.getvalue())
        st.session_state[FILE] = number + 1  # an empty control: what was uploaded is kept once
        st.rerun()
    with st.container(horizontal=True):
        for key, example in EXAMPLES.items():
            pressed = st.button(_(example.title), icon=":material/table_chart:", key=f"own_{key}")
            if pressed:
                take(example.file, example.content(), example=key)
    error = st.session_state.get(ERROR)
    if error is not None:
        st.error(wording.sentence(error), icon=":material/block:")
    return own_problems.tables().uploaded


def take(title: str, content: bytes, *, example: str | None = None) -> None:
    """Read a file and make it the session's; if it cannot be read, keep the reason."""
    own_problems.tables().uploaded = None
    for key in (ERROR, TARGET, TASK):
        st.session_state.pop(key, None)
    st.session_state[MISSING], st.session_state[SCALE] = "drop", True
    try:
        with _one_at_a_time:
            table = read(content, limits=UPLOAD)
            columns = columns_of(table.frame, decimal=table.dialect.decimal if table.dialect else ".")
    except TableError as error:
        keep_reason(error)
        return
    own_problems.tables().uploaded = Uploaded(
        title=clean_names([title])[0][:MAX_TITLE],
        content=content,
        digest=hashlib.sha256(content).hexdigest()[:12],
        format=table.format,
        dialect=table.dialect,
        columns=columns,
        kinds={},
        example=example,
    )


def keep_reason(error: TableError) -> None:
    """Keep why a table cannot be used, without the frames that hold the table."""
    st.session_state[ERROR] = TableError(error.code, **error.facts)


def remove() -> None:
    """Forget the file and its problem; a callback of its button."""
    own_problems.tables().uploaded = None
    for key in (ERROR, TARGET, TASK):
        st.session_state.pop(key, None)
    _let_go(st.session_state.pop(VARIANT, None))


def guesses(table: Uploaded) -> Understanding | None:
    """Draw target, task and the rest; return what they make of the table, or None: then a message says why."""
    usable = [each.name for each in table.columns if why_not_target(each, each.guess) is None]
    usable = usable or [table.columns[-1].name]
    guess = _understood(table, Choices(kinds=table.kinds))
    if st.session_state.get(TARGET) not in usable:
        first = guess.target.name if isinstance(guess, Understanding) else usable[-1]
        st.session_state[TARGET] = first if first in usable else usable[-1]
    target = st.selectbox(
        _("Target: what to predict"), usable, key=TARGET, on_change=_forget_task, persist_state="session"
    )
    _choice(
        MISSING, _("Where a value is missing"), MISSINGS, help=_("Filled in: the median, or the most frequent word.")
    )
    st.session_state.setdefault(SCALE, True)
    scale = st.toggle(_("Scale to mean 0 and standard deviation 1"), key=SCALE, persist_state="session")
    choices = Choices(target=target, kinds=table.kinds, missing=st.session_state[MISSING] or "drop", scale=scale)
    found = _understood(table, choices)
    if isinstance(found, Understanding) and found.kinds[found.target.name] == "number":
        if st.session_state.get(TASK) is None:
            st.session_state[TASK] = found.task
        _choice(TASK, _("Task"), TASKS)
        if st.session_state[TASK] not in (None, found.task):
            found = _understood(table, Choices(**{**vars(choices), "task": st.session_state[TASK]}))
    if isinstance(found, TableError):
        st.error(wording.sentence(found), icon=":material/block:")
        return None
    return found


def _forget_task() -> None:
    st.session_state.pop(TASK, None)


def _choice(key: str, label: str, titles: dict[str, str], *, help: str | None = None) -> None:  # noqa: A002
    words = {option: _(title) for option, title in titles.items()}
    st.session_state.setdefault(key, next(iter(titles)))
    st.segmented_control(
        label, list(titles), format_func=words.__getitem__, key=key, required=True, persist_state="session", help=help
    )


def _understood(table: Uploaded, choices: Choices) -> Understanding | TableError:
    try:
        return understand(table.columns, choices, limits=UPLOAD)
    except TableError as error:
        return TableError(error.code, **error.facts)


def change_kind(table: Uploaded, name: str, kind: str) -> None:
    """Take another kind for a column than the guess."""
    kinds = {**table.kinds, name: kind}
    own_problems.tables().uploaded = Uploaded(**{**vars(table), "kinds": kinds})


def hold(table: Uploaded, found: Understanding) -> given.Given | None:
    """Make the table one of the session's problems, and return it; None where it cannot be built: a message says why.

    It takes the place of what the same file was before with other choices, unless a run of the session is of that.
    """
    name = own_table(table.content, found).name
    if name in own_problems.held():
        return own_problems.held()[name].problem
    try:
        with _one_at_a_time:
            problem = given_problem(table.content, found)
    except TableError as error:
        st.error(wording.sentence(error), icon=":material/block:")
        return None
    _let_go(st.session_state.get(VARIANT))
    st.session_state[VARIANT] = own_problems.hold(problem, table.title)
    return own_problems.held()[name].problem


def _let_go(name: str | None) -> None:
    if name and not runs.are_of(name):
        own_problems.held().pop(name, None)


def race_it(name: str) -> Callable[[], None]:
    """Set the controls of the race to a problem; a callback of the button that goes there."""

    def set_controls() -> None:
        RACE.problem.set(name)
        RACE.num_examples.set(None)
        if RACE.model.value == "cnn":
            RACE.model.set("mlp")

    return set_controls
