"""The claims in court: one row for each, with its rule, its numbers, its chart, and the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import streamlit as st

from sgd_tf.claims import chart as claims_chart
from sgd_tf.claims import findings
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import NUM_SEEDS, Claim, Point, Verdict
from sgd_tf.claims.measures import Measured
from sgd_tf.claims.rows import ClaimPlan, Failure, Finding, try_claim
from sgd_tf.jobs import Slice, rows
from sgd_tf.jobs.slices import Rows
from sgd_tf.ui import experiment, menu, runs
from sgd_tf.ui.language import _
from sgd_tf.ui.runs import SessionRun
from sgd_tf.ui.settings import Choice
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.words import N_

KIND = "claims"
JOB_SECONDS = 60.0  # of the longest experiment with `NUM_SEEDS` seeds, beside others on a busy server
CHART_HEIGHT = 230  # px
SEEDS = Choice(key="claims_seeds", label=N_("Seeds"), options=("3", "5", "10"), default=str(NUM_SEEDS))
SETTINGS = (SEEDS,)
GROUPS = {"chapter": N_("What the chapter says"), "elsewhere": N_("What other texts say")}
VERDICTS = {  # icon, colour and words: the colour is never alone
    "holds": (":material/check_circle:", "green", N_("Holds")),
    "fails": (":material/cancel:", "red", N_("Does not hold")),
    "depends": (":material/balance:", "orange", N_("Depends")),
    "open": (":material/help:", "gray", N_("Not judged")),
}
NOT_TRIED = (":material/pending:", "gray", N_("Not tried yet"))
NO_RESULT = (":material/error:", "red", N_("Could not be tried"))
IS_TRIED = (":material/hourglass_top:", "blue", N_("Is being tried"))
HOW_MANY = {
    "all": N_("All of them"),
    "most": N_("14 to 17"),
    "some": N_("9 to 13"),
    "few": N_("Fewer than 9"),
}

End = Finding | Failure  # of the trial of a claim


@dataclass(frozen=True, kw_only=True)
class Plan:
    """Which claims are to be tried, and with how many seeds."""

    keys: tuple[str, ...]
    num_seeds: int


def seeds() -> int:
    """Draw the choice of how many seeds, and return it."""
    text = _("Runs of each experiment, which must agree. Three that agree may do so by chance; ten hardly.")
    return int(SEEDS.draw(help=text))


def run_all(num_seeds: int, prediction: str | None) -> None:
    """Draw the two buttons, and try all claims when the first is pressed; a run that the address names is taken up.

    Args:
        num_seeds: of each experiment.
        prediction: how many the learner expects to hold.
    """
    runs.adopt(KIND)
    if experiment.run_and_stop(KIND, label=_("Run all")):
        start(list(CLAIMS), num_seeds, prediction)
        st.rerun()
    runs.publish(KIND)


def start(keys: Sequence[str], num_seeds: int, prediction: str | None = None) -> None:
    """Try claims, one job for each, on all workers that nobody else waits for.

    Args:
        keys: of the claims, in order.
        num_seeds: of each experiment.
        prediction: how many the learner expects to hold.
    """
    plan = Plan(keys=tuple(keys), num_seeds=num_seeds)

    def next_slice(rows_so_far: Rows, under_way: Sequence[Slice], num_free: int) -> Slice | None:
        del num_free
        taken = set(_ends(rows_so_far)) | {part.arguments[0].claim for part in under_way}
        left = [key for key in plan.keys if key not in taken]
        return Slice.of(try_claim, ClaimPlan(claim=left[0], num_seeds=plan.num_seeds)) if left else None

    collect()  # what an earlier run has found
    seconds = JOB_SECONDS * num_seeds / NUM_SEEDS
    runs.start_sliced(KIND, next_slice, seconds=seconds, plan=plan, prediction=prediction)


def _ends(job_rows: Rows) -> dict[str, End]:
    """How the trials that are over have ended, by claim."""
    return {row.claim: row for row in job_rows if isinstance(row, Finding | Failure)}


def collect() -> dict[str, End]:
    """What this session has found, by claim: kept while the learner looks elsewhere, the latest run of each."""
    found: dict[str, End] = st.session_state.setdefault("claims_found", {})
    run = runs.get(KIND)
    ends = _ends(run.job.rows) if run else {}
    found.update(ends)
    st.session_state["claims_ends"] = len(ends)
    return found


def follow() -> None:
    """One line on how far the trial is, kept up to date; the page is drawn again with each verdict."""
    experiment.follow(KIND, _progress)


def _progress(run: SessionRun | None) -> None:
    if run is None:
        experiment.status(None)
        return
    ends = _ends(run.job.rows)
    tried = [end for end in ends.values() if isinstance(end, Finding)]
    total = len(run.plan.keys)
    if total == 1:  # not "1 of 1": the summary counts the verdicts of earlier runs too
        text = _("This run: claim {number}.").format(number=_number(run.plan.keys[0]))
    else:
        text = _("This run: {done} of {total} claims.").format(done=len(ends), total=total)
    if run.is_active and run.job.rows:
        left = findings.seconds_left(run.plan.keys, tried, num_seeds=run.plan.num_seeds)
        left /= max(1, getattr(run.job, "num_under_way", 1))
        text += " " + _("About {left} left.").format(left=experiment.duration(left))
    elif run.job.status == "done":
        took = sum(finding.seconds for finding in tried)
        text += " " + _("Computing took {seconds}.").format(seconds=experiment.duration(took))
    experiment.status(run, len(ends) / total, text if run.job.rows else "")
    if run.is_active and len(ends) > st.session_state.get("claims_ends", 0):
        st.rerun()


def _number(key: str) -> int:
    """The number that a claim has on the page."""
    return list(CLAIMS).index(key) + 1


def summary(found: Mapping[str, End]) -> None:
    """How many claims hold, and whether the learner expected that; both files.

    Args:
        found: of `collect`.
    """
    ends = [found[key] for key in CLAIMS if key in found]
    tried = [end for end in ends if isinstance(end, Finding)]
    num_failed = len(ends) - len(tried)
    counts = findings.tally(finding.verdict for finding in tried)
    parts = [f"{VERDICTS[verdict][0]} **{_(VERDICTS[verdict][2])}: {number}**" for verdict, number in counts.items()]
    for state, number in ((NO_RESULT, num_failed), (NOT_TRIED, len(CLAIMS) - len(ends))):
        parts += [f"{state[0]} {_(state[2])}: {number}"] if number else []
    run = runs.get(KIND)
    with st.container(key="claims_summary"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(" &nbsp; ".join(parts), width="content")
            _files(tried)  # from the start, so that nothing moves when the first verdict comes
        if run and not run.is_active and len(tried) == len(CLAIMS):
            _judge(run.prediction, counts)


def _judge(prediction: str | None, counts: Mapping[Verdict, int]) -> None:
    """Hold the prediction against how many claims hold, if those that were not judged can not change the answer."""
    answer = how_many(counts["holds"])
    if answer == how_many(counts["holds"] + counts["open"]):
        experiment.judge(prediction, answer, HOW_MANY)
    elif prediction:
        st.info(_("Your prediction stays open: claims that were not judged decide it."))


def how_many(number: int) -> str:
    """The option that a number of claims that hold belongs to.

    >>> how_many(18), how_many(14), how_many(13), how_many(0)
    ('all', 'most', 'some', 'few')
    """
    return "all" if number == len(CLAIMS) else "most" if number >= 14 else "some" if number >= 9 else "few"


def _files(tried: Sequence[Finding]) -> None:
    table = findings.to_table(tried, _).to_csv(index=False).encode("utf-8-sig")  # for spreadsheets
    nested = json.dumps(findings.to_json(tried, _), ensure_ascii=False, indent=1)
    for label, data, name, kind, icon in (
        (_("Table (CSV)"), table, "claims.csv", "text/csv", ":material/table:"),
        (_("Findings (JSON)"), nested, "claims.json", "application/json", ":material/data_object:"),
    ):
        st.download_button(label, data, name, kind, icon=icon, on_click="ignore", disabled=not tried)


def all_claims(found: Mapping[str, End], num_seeds: int) -> None:
    """All claims, group by group.

    Args:
        found: of `collect`.
        num_seeds: for a claim that is tried on its own.
    """
    number = 0
    for group, title in GROUPS.items():
        st.subheader(_(title))
        for claim in CLAIMS.values():
            if claim.group == group:
                number += 1
                _row(number, claim, found.get(claim.key), num_seeds)


def _row(number: int, claim: Claim, end: End | None, num_seeds: int) -> None:
    """One claim. Its parts stand there before the run already: what is found takes their place, and nothing moves."""
    with st.container(border=True, key=f"claim_{claim.key}"):
        left, right = st.columns([3, 2], gap="medium", vertical_alignment="center")
        with left:
            icon, color, words = _state(claim, end)
            with st.container(horizontal=True, vertical_alignment="center"):
                st.markdown(f"**{number}. {_(claim.sentence)}**")
                st.markdown(f":{color}[{icon} **{_(words)}**]" + _seeds_text(end), width="content")
            st.caption(_(claim.experiment))
            st.markdown(_rule(claim, end))
            with st.container(horizontal=True, vertical_alignment="center"):
                if st.button(
                    _("Try it"),
                    icon=":material/play_arrow:",
                    key=f"claims_run_{claim.key}",
                    disabled=runs.active() is not None,
                ):
                    start([claim.key], num_seeds)
                    st.rerun()
                link = _("Explore: {page}").format(page=_(menu.TITLES[claim.page]))
                st.page_link(
                    f"pages/{claim.page}.py", label=link, icon=":material/explore:", query_params=dict(claim.address)
                )
        with right, st.container(height=CHART_HEIGHT + 20, border=False, key=f"claim_chart_{claim.key}"):
            _picture(claim, end)


def _state(claim: Claim, end: End | None) -> tuple[str, str, str]:
    run = runs.get(KIND)
    if run and run.is_active and claim.key in run.plan.keys:
        has_begun = any(row.claim == claim.key for row in run.job.rows)
        if has_begun and claim.key not in _ends(run.job.rows):
            return IS_TRIED
    if end is None:
        return NOT_TRIED
    return VERDICTS[end.verdict] if isinstance(end, Finding) else NO_RESULT


def _seeds_text(end: End | None) -> str:
    """How many seeds a verdict is from: not always as many as are chosen now."""
    if not isinstance(end, Finding):
        return ""
    text = _("{n} seeds").format(n=end.num_seeds)
    return f" :gray[{text}]"


def _rule(claim: Claim, end: End | None) -> str:
    """The conditions as a list, with the numbers once they are there."""
    verdict = end.verdict if isinstance(end, Finding) else None
    if isinstance(end, Finding):
        lines = [_condition(found) for found in findings.measured(end)]
    else:
        lines = [
            f"○ {_(measure.title)} ({measure.bound(_)})" if measure.is_condition else f"· {_(measure.title)}"
            for measure in claim.measures
        ]
    if verdict == "depends" and claim.depends_on:
        ending = _("It depends on **{what}**.").format(what=_(claim.depends_on))
    elif verdict == "open":
        ending = _("A condition is open, and the others do not decide.")
    elif claim.depends_on:
        ending = _("Holds if all ○ are met, does not if all are missed, depends if some are met and some missed.")
    else:
        ending = _("Holds if all ○ are met, does not if one is missed.")
    return "  \n".join(lines) + f"\n\n{ending}"


def _condition(found: Measured) -> str:
    color = {"met": "green", "missed": "red"}.get(found.outcome or "", "gray")
    mark = f":{color}[{found.mark}]" if found.outcome else found.mark
    asked = f" ({found.condition(_)})" if found.outcome else ""
    return f"{mark} {_(found.measure.title)}: **{found.text()}**{asked}"


def _picture(claim: Claim, end: End | None) -> None:
    if end is None:
        st.caption(_("The chart of this experiment stands here once it has run."))
    elif isinstance(end, Failure):
        st.error(_("The experiment could not be made: {why}").format(why=end.reason))
    else:
        chart = claims_chart.claim_chart(claim, rows.table(end.points, Point), theme=page_theme(CHART_HEIGHT))
        show_chart(chart, f"{_(claim.picture.title)}: {_(claim.sentence)}", key=f"claim_spec_{claim.key}")
