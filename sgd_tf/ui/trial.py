"""The frame of an experiment: predict, Run, Stop, follow it live, and the verdict on its run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import streamlit as st

from sgd_tf.recordings import RecordedRun
from sgd_tf.ui import frame, progress, runs
from sgd_tf.ui.language import _, titles
from sgd_tf.ui.runs import SessionRun

Plan = TypeVar("Plan")
Row = TypeVar("Row")

NARROW = 640  # px; narrower pages show controls and picture one below the other

# Moves a narrow page to the picture of the run that has just begun, below the header of Streamlit.
SHOW_PICTURE = """<script>
if (innerWidth < {narrow}) {{
  const place = document.querySelector(".st-key-{kind}_verdict");
  if (place) {{
    place.style.scrollMarginTop = "4.5rem";
    place.scrollIntoView({{behavior: "smooth"}});
  }}
}}
</script>"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Result of a run, in the learner's language."""

    text: str  # the numbers that say so
    answer: str | None = None  # the option of the prediction that they give; None where they give none
    also: Collection[str] = ()  # options that the run cannot distinguish from it
    is_failure: bool = False  # whether something was ended by force: in plain sight where no prediction is judged


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial(Generic[Plan, Row]):
    """An experiment of a page: its prediction, its job and its picture.

    A plan is a frozen dataclass: the values of the controls, the argument of the job, and the settings that a result is
    of.
    """

    kind: str  # key of its run in the session and of its parts on the page
    run: Callable[[Plan], Iterator[Row]] | None = None  # what a worker does; None where `begin` is given
    question: str | Callable[[Plan], str]  # what the learner predicts, in English; or in the learner's language
    options: Mapping[str, str] | Callable[[Plan], Mapping[str, str]]  # and may predict: titles in English
    seconds: Callable[[Plan], float] | None = None  # of training, at most
    settings: Callable[[Plan], str]  # one line that names them, in the learner's language
    progress: Callable[[Plan, list[Row]], float]  # share of the rows that have come, in [0, 1]
    verdict: Callable[[Plan, list[Row]], Verdict | None]  # of the rows of a run that is over, also of one stopped
    picture: Callable[[Plan, list[Row]], None]  # drawn of no rows, too: axes of the plan
    state: Callable[[Plan, list[Row]], str] | None = None  # what runs at the moment, if more than the share is known
    begin: Callable[[Plan, str | None], None] | None = None  # of plan and prediction; for what is more than one job
    is_known: Callable[[Plan, list[Row]], bool] | None = None  # whether the verdict is there before the run is over
    beside: tuple[str, ...] = ()  # kinds of other runs of the page, which its address names too
    recorded: Callable[[], RecordedRun[Plan, Row]] | None = None  # drawn before the first run of the session

    def predict(self, plan: Plan | None = None) -> None:
        """Ask what the learner expects, if there is a choice.

        Args:
            plan: what the page's controls describe, where question or options depend on it; None if it cannot be run.
        """
        if plan is None and (callable(self.question) or callable(self.options)):
            return
        options, key = self._options(plan), f"{self.kind}_guess"
        if st.session_state.get(key) not in options:
            st.session_state[key] = None
        if len(options) > 1:
            question = self.question(plan) if plan is not None and callable(self.question) else _(str(self.question))
            predict(question, options, key=key)

    def _options(self, plan: Plan | None) -> Mapping[str, str]:
        if callable(self.options):
            return {} if plan is None else self.options(plan)
        return self.options

    def buttons(self, plan: Plan | None, *, label: str | None = None) -> None:
        """Draw Run and Stop, and start the run when Run is pressed.

        Args:
            plan: what the page's controls describe; None if it cannot be run.
            label: of Run, in the learner's language; None for "Run".
        """
        runs.adopt(self.kind, *self.beside)
        if run_and_stop(self.kind, disabled=plan is None, label=label) and plan is not None:
            self.start(plan)
        self.show_picture()
        runs.publish(self.kind, *self.beside)

    def start(self, plan: Plan) -> None:
        """Start the run, and draw the page anew."""
        prediction = st.session_state.get(f"{self.kind}_guess")
        if self.begin is not None:
            self.begin(plan, prediction)
        elif self.run is not None and self.seconds is not None:
            runs.start(self.kind, self.run, plan, seconds=self.seconds(plan), prediction=prediction)
        st.session_state["begun"] = self.kind
        st.rerun()

    def show_picture(self) -> None:
        """Move a narrow page to the picture of a run that has just begun."""
        if st.session_state.get("begun") == self.kind:
            del st.session_state["begun"]
            st.html(SHOW_PICTURE.format(narrow=NARROW, kind=self.kind), unsafe_allow_javascript=True)

    def result(self, plan: Plan | None) -> None:
        """Draw the state of the run or its verdict, and the picture; follow it while it runs.

        Args:
            plan: what the page's controls describe: before the first run its empty picture is drawn; None if it cannot
                be run.
        """
        progress.follow(self.kind, functools.partial(self._draw, plan))

    def shown(self, plan: Plan | None = None) -> tuple[Plan | None, list[Row]]:
        """What the page shows: plan and rows of the session's run; of the recorded run before there is one.

        Args:
            plan: what the page's controls describe, shown with no rows where there is neither.
        """
        if run := runs.get(self.kind):
            return run.plan, list(run.job.rows)
        if self.recorded:
            recording = self.recorded()
            return recording.plan, list(recording.rows)
        return plan, []

    def _draw(self, plan: Plan | None, run: SessionRun | None) -> None:
        if run is None and self.recorded:
            self._draw_recorded(plan, self.recorded())
            return
        shown, rows = self.shown(plan)
        if shown is None:
            return
        is_late = run is not None and run.job.failure is not None and run.job.failure.kind == "time limit"
        is_over = is_late or (run is not None and run.job.status in ("done", "stopped"))
        is_known = is_over or (self.is_known is not None and self.is_known(shown, rows))
        found = self.verdict(shown, rows) if is_known and rows else None
        state = self.state(shown, rows) if self.state and run and run.job.status == "running" and rows else ""
        with st.container(key=f"{self.kind}_verdict", gap=None):  # what is announced takes no place
            if run and found:
                if is_late:
                    st.error(progress.failure_text(run.job.failure, run.plan))
                judge(run.prediction, found, self._options(shown))
                said = [] if is_over else [state]  # the verdict is there, and the rest of the run goes on
            else:
                share = 1.0 if run and run.job.status == "done" else self.progress(shown, rows) if rows else 0.0
                progress.status(run, share, state or _state(run, share))
                said = []
        changed = _("settings changed: run again")
        st.caption(" · ".join([self.settings(shown), *said, *([f":orange[{changed}]"] if shown != plan else [])]))
        self.picture(shown, rows)

    def _draw_recorded(self, plan: Plan | None, recording: RecordedRun[Plan, Row]) -> None:
        """The recorded run: its picture, and what it shows once the learner has predicted."""
        rows = list(recording.rows)
        guess = st.session_state.get(f"{self.kind}_guess")
        found = self.verdict(recording.plan, rows) if guess else None
        with st.container(key=f"{self.kind}_verdict", gap=None):
            if found:
                words = _("In the recorded run:")
                st.info(f"**{words}** {found.text}", icon=":material/history:")
            else:
                progress.status(None)
        said = [_("Recorded with {settings}").format(settings=self.settings(recording.plan))]
        if plan != recording.plan:
            words = _("your settings differ: press Run")
            said.append(f":orange[{words}]")
        st.caption(" · ".join(said) + f"  \n:material/history: {progress.origin(recording.source)}")
        self.picture(recording.plan, rows)


def _state(run: SessionRun | None, share: float) -> str:
    """What a run without a verdict does, or how it ended; empty while nothing has come."""
    if run is None or (run.job.status == "running" and not run.job.rows):
        return ""
    if run.job.status == "stopped" and not share:
        return _("Stopped before the first result.")
    words = {"running": _("Training: {share}"), "stopped": _("Stopped at {share}."), "done": _("Done.")}
    return words.get(run.job.status, "").format(share=f"{share:.0%}")


def judge(prediction: str | None, verdict: Verdict, options: Mapping[str, str]) -> None:
    """Draw the verdict on a run, beside what the learner expected.

    Args:
        prediction: the option chosen before the run, if there was one.
        verdict: of the run.
        options: titles by option, in English.
    """
    if prediction is None or prediction not in options or verdict.answer is None:
        text, draw, icon = verdict.text, st.info, ":material/insights:"
        if verdict.is_failure:
            draw, icon = st.error, ":material/block:"
    elif prediction == verdict.answer:
        words = _("Right: {answer}.").format(answer=_(options[prediction]))
        text = f"**{words}** {verdict.text}"
        draw, icon = st.success, ":material/check_circle:"
    elif prediction in verdict.also:
        words = _("Too close to tell: you expected “{guess}”, and “{answer}” is not clearly better.")
        words = words.format(guess=_(options[prediction]), answer=_(options[verdict.answer]))
        text, draw, icon = f"**{words}** {verdict.text}", st.info, ":material/balance:"
    else:
        words = _("Not so: you expected “{guess}”, the run says “{answer}”.")
        words = words.format(guess=_(options[prediction]), answer=_(options[verdict.answer]))
        text = f"**{words}** {verdict.text}"
        draw, icon = st.warning, ":material/cancel:"
    draw(text, icon=icon)
    if draw not in (st.warning, st.error):  # which a screen reader says by itself
        frame.announce(text)


def predict(question: str, options: Mapping[str, str], *, key: str) -> str | None:
    """Ask what the learner expects, before the run.

    Args:
        question: text in the learner's language.
        options: titles by option, in English.
        key: name of the choice in the session.

    Returns:
        The option chosen, or None.
    """
    return st.pills(question, list(options), format_func=titles(options), key=key, wrap=True, persist_state="session")


def run_and_stop(kind: str, *, disabled: bool = False, label: str | None = None) -> bool:
    """Draw the two buttons of an experiment.

    Args:
        kind: name of the run; keys of the buttons are `<kind>_run` and `<kind>_stop`.
        disabled: whether Run cannot be pressed for another reason than a job of this session.
        label: text of Run, in the learner's language; None for "Run".

    Returns:
        Whether Run was pressed.
    """
    is_active = runs.active() is not None
    with st.container(horizontal=True):
        pressed = st.button(
            label or _("Run"),
            type="primary",
            icon=":material/play_arrow:",
            key=f"{kind}_run",
            disabled=disabled or is_active,
        )
        st.button(_("Stop"), icon=":material/stop:", key=f"{kind}_stop", disabled=not is_active, on_click=runs.stop)
    return pressed
