"""The frame of an experiment: predict, Run, Stop, follow it live, and what it said."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import streamlit as st

from sgd_tf.ui import experiment, runs
from sgd_tf.ui.language import _
from sgd_tf.ui.runs import SessionRun

Plan = TypeVar("Plan")
Row = TypeVar("Row")

NARROW = 640  # px; narrower pages show controls and picture one below the other

# Moves a narrow page to the picture of the run that has just begun.
SHOW_PICTURE = """<script>
if (innerWidth < {narrow}) document.querySelector(".st-key-{kind}_status")?.scrollIntoView({{behavior: "smooth"}});
</script>"""
# Invisible; a screen reader speaks it whenever it changes.
SPOKEN = """<div role="status" aria-live="polite"
style="position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap">{text}</div>"""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What a run said, in the learner's language."""

    text: str  # the numbers that say so
    answer: str | None = None  # the option of the prediction that they give; None where they give none


@dataclass(frozen=True, kw_only=True, eq=False)
class Trial(Generic[Plan, Row]):
    """An experiment of a page: its prediction, its job and its picture.

    A plan is a frozen dataclass: the values of the controls, the argument of the job, and the settings that a result is
    of.
    """

    kind: str  # key of its run in the session and of its parts on the page
    run: Callable[[Plan], Iterator[Row]]  # what a worker does
    question: str  # what the learner predicts, in English
    options: Mapping[str, str]  # and may predict: titles in English
    seconds: Callable[[Plan], float]  # of training, at most
    settings: Callable[[Plan], str]  # one line that names them, in the learner's language
    progress: Callable[[Plan, list[Row]], float]  # share of the rows that have come, in [0, 1]
    verdict: Callable[[Plan, list[Row]], Verdict | None]
    picture: Callable[[Plan, list[Row]], None]  # drawn of no rows, too: axes of the plan

    def controls(self, plan: Plan | None) -> None:
        """Draw the prediction and the buttons, and start the run when Run is pressed.

        Args:
            plan: what the page's controls describe; None if it cannot be run.
        """
        runs.adopt(self.kind)
        prediction = experiment.predict(_(self.question), self.options, key=f"{self.kind}_guess")
        if experiment.run_and_stop(self.kind, disabled=plan is None) and plan is not None:
            runs.start(self.kind, self.run, plan, seconds=self.seconds(plan), plan=plan, prediction=prediction)
            st.session_state["begun"] = self.kind
            st.rerun()
        if st.session_state.pop("begun", None) == self.kind:
            st.html(SHOW_PICTURE.format(narrow=NARROW, kind=self.kind), unsafe_allow_javascript=True)
        runs.publish(self.kind)

    def result(self, plan: Plan) -> None:
        """Draw the state of the run or its verdict, and the picture; follow it while it runs.

        Args:
            plan: what the page's controls describe: before the first run its empty picture is drawn.
        """
        experiment.follow(self.kind, functools.partial(self._draw, plan))

    def _draw(self, plan: Plan, run: SessionRun | None) -> None:
        rows: list[Any] = run.job.rows if run else []
        shown = run.plan if run else plan
        found = self.verdict(shown, rows) if run and not run.is_active and rows else None
        with st.container(key=f"{self.kind}_verdict"):
            if run and found and run.job.status != "failed":
                judge(run.prediction, found, self.options)
            else:
                experiment.status(run, self.progress(shown, rows) if rows else 0.0, self._state(run))
        if run:
            changed = "" if run.plan == plan else f" · :orange[{_('settings changed: run again')}]"
            st.caption(f"{self.settings(run.plan)}{changed}")
        self.picture(shown, rows)

    def _state(self, run: SessionRun | None) -> str:
        if run is None or not run.job.rows:
            return ""
        return {"running": _("Training …"), "stopped": _("Stopped.")}.get(run.job.status, _("Done."))


def judge(prediction: str | None, verdict: Verdict, options: Mapping[str, str]) -> None:
    """Draw what a run said, beside what the learner expected.

    Args:
        prediction: the option chosen before the run, if there was one.
        verdict: of the run.
        options: titles by option, in English.
    """
    if prediction is None or prediction not in options or verdict.answer is None:
        text, draw, icon = verdict.text, st.info, ":material/insights:"
    elif prediction == verdict.answer:
        text = f"**{_('Right: {answer}.').format(answer=_(options[prediction]))}** {verdict.text}"
        draw, icon = st.success, ":material/check_circle:"
    else:
        words = _("Not so: you expected “{guess}”, the run says “{answer}”.")
        text = words.format(guess=_(options[prediction]), answer=_(options[verdict.answer]))
        text, draw, icon = f"**{text}** {verdict.text}", st.warning, ":material/cancel:"
    draw(text, icon=icon)
    speak(text)


def speak(text: str) -> None:
    """Let a screen reader say what has changed.

    Args:
        text: Markdown.
    """
    st.html(SPOKEN.format(text=html.escape(text.replace("*", ""))))
