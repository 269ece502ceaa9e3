"""The claims on their page: one line for each with its verdict, which opens to its rule, its numbers and its chart."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

import streamlit as st

from sgd_tf.claims import chart as claims_chart
from sgd_tf.claims import findings, verdict, wording
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import NUM_SEEDS, Claim, Point
from sgd_tf.claims.rows import ClaimPlan, Failure, Finding, Plan, SignOfLife, try_claim, try_claims
from sgd_tf.claims.verdict import End
from sgd_tf.jobs import Slice, rows
from sgd_tf.jobs.slices import Rows
from sgd_tf.recordings import recorded
from sgd_tf.ui import menu, progress, runs, trial
from sgd_tf.ui.language import _
from sgd_tf.ui.settings import Choice
from sgd_tf.ui.theme import page_theme, show_chart
from sgd_tf.ui.trial import Trial, Verdict
from sgd_tf.words import N_

KIND = "claims"
JOB_SECONDS = 60.0  # of the longest experiment with `NUM_SEEDS` seeds, beside others on a busy server
CHART_HEIGHT = 230  # px
LOOKS = {  # icon and colour of a verdict, and of a claim without one; words stand beside them
    "holds": (":material/check_circle:", "green"),
    "depends": (":material/balance:", "orange"),
    "fails": (":material/cancel:", "red"),
    "open": (":material/help:", "gray"),
    "no result": (":material/error:", "red"),
    "not tested": (":material/pending:", "gray"),
    "is tested": (":material/hourglass_top:", "blue"),
}
WORDS: dict[str, str] = {
    **wording.VERDICTS,
    "no result": wording.NO_RESULT,
    "not tested": wording.NOT_TESTED,
    "is tested": wording.IS_TESTED,
}
SEEDS = Choice(key="claims_seeds", label=N_("Seeds"), options=("3", "5", "10"), default=str(NUM_SEEDS))
SHOW = Choice(key="claims_show", label=N_("Show"), options={"all": N_("All")} | WORDS, default="all")
SORT = Choice(
    key="claims_sort",
    label=N_("Order"),
    options={"verdict": N_("By verdict"), "text": N_("As in the texts")},
    default="verdict",
)
SETTINGS = (SEEDS, SHOW, SORT)


def seeds() -> int:
    """Draw the choice of how many seeds, and return it."""
    text = _(
        "Each experiment is repeated with this many seeds; the runs must agree. Three may agree by chance, ten hardly."
    )
    return int(SEEDS.draw(help=text))


def begin(plan: Plan, prediction: str | None) -> None:
    """Test claims, one job for each, on all workers that nobody else waits for.

    Args:
        plan: of the run.
        prediction: how many claims the learner expects to hold; of a single claim its verdict.
    """

    def next_slice(rows_so_far: Rows, under_way: Sequence[Slice], num_free: int) -> Slice | None:
        del num_free
        taken = set(verdict.ends_of(rows_so_far)) | {part.arguments[0].claim for part in under_way}
        left = [key for key in plan.keys if key not in taken]
        return Slice.of(try_claim, ClaimPlan(claim=left[0], num_seeds=plan.num_seeds)) if left else None

    collect()  # what an earlier run has found
    seconds = JOB_SECONDS * plan.num_seeds / NUM_SEEDS
    runs.start_sliced(KIND, next_slice, seconds=seconds, plan=plan, prediction=prediction)


def _options(plan: Plan) -> Mapping[str, str]:
    return wording.HOW_MANY if len(plan.keys) > 1 else wording.GUESSES


def _settings(plan: Plan) -> str:
    run = runs.get(KIND)
    seconds = findings.seconds_left(plan.keys, [], num_seeds=plan.num_seeds)
    is_over = run is not None and not run.is_active
    return wording.settings(plan.keys, plan.num_seeds, None if is_over else progress.duration(seconds))


def _progress(plan: Plan, job_rows: Rows) -> float:
    return len(verdict.ends_of(job_rows)) / len(plan.keys)


def _state(plan: Plan, job_rows: Rows) -> str:
    ends = verdict.ends_of(job_rows)
    run = runs.get(KIND)
    left = findings.seconds_left(plan.keys, _findings(ends), num_seeds=plan.num_seeds)
    left /= max(1, getattr(run.job, "num_under_way", 1) if run else 1)
    return wording.progress(plan.keys, verdict.outcome(plan.keys, ends), progress.duration(left))


def _verdict(plan: Plan, job_rows: Rows) -> Verdict | None:
    ends = verdict.ends_of(job_rows)
    found = verdict.outcome(plan.keys, ends)
    if not found.num_tested:
        return None
    took = sum(finding.seconds for finding in _findings(ends))
    (end,) = ends.values() if len(plan.keys) == 1 else (None,)
    answer = end.verdict if isinstance(end, Finding) and end.verdict in wording.GUESSES else found.answer
    return Verdict(text=wording.result(plan.keys, found, progress.duration(took)), answer=answer)


def _findings(ends: Mapping[str, End]) -> list[Finding]:
    return [end for end in ends.values() if isinstance(end, Finding)]


def _picture(_plan: Plan, job_rows: Rows) -> None:
    """The list of claims has buttons, so no timer redraws it: news of a claim redraws the whole page."""
    run = runs.get(KIND)
    if run and run.is_active and _news(job_rows) != st.session_state.get("claims_news"):
        st.rerun()


def _news(job_rows: Rows) -> tuple[int, int]:
    """How many claims have begun, and how many have ended."""
    return len({row.claim for row in job_rows}), len(verdict.ends_of(job_rows))


TRIAL: Trial[Plan, SignOfLife | Finding | Failure] = Trial(
    kind=KIND,
    question=N_("Predict: how many of the 18 claims will hold exactly as stated?"),
    options=_options,
    settings=_settings,
    progress=_progress,
    verdict=_verdict,
    picture=_picture,
    state=_state,
    begin=begin,
    recorded=recorded(try_claims),
)


def shown(num_seeds: int) -> Plan:
    """The plan of the result that the page shows, with the seeds that are chosen now; before the first run of all."""
    run = runs.get(KIND)
    return Plan(keys=run.plan.keys if run else tuple(CLAIMS), num_seeds=num_seeds)


def collect() -> dict[str, End]:
    """What this session has found, by claim: kept while the learner looks elsewhere, the latest run of each."""
    found: dict[str, End] = st.session_state.setdefault("claims_found", {})
    run = runs.get(KIND)
    job_rows = run.job.rows if run else []
    found.update(verdict.ends_of(job_rows))
    st.session_state["claims_news"] = _news(job_rows)
    return found


def recorded_ends() -> dict[str, End]:
    """The recorded verdicts, by claim: what stands where nothing was tested here."""
    return verdict.ends_of(recorded(try_claims)().rows)


def summary(found: Mapping[str, End]) -> list[str]:
    """How many claims have each verdict, as a choice of which ones are listed; both files.

    Args:
        found: of `collect`.

    Returns:
        Keys of the claims that are listed.
    """
    shown = recorded_ends() | dict(found)
    states = {key: _state_of(claim, shown.get(key)) for key, claim in CLAIMS.items()}
    counts = {state: list(states.values()).count(state) for state in WORDS}

    def title(option: str) -> str:
        if option == "all":
            return _("All") + f": {len(CLAIMS)}"
        return f"{LOOKS[option][0]} {_(WORDS[option])}: {counts[option]}"

    there = [state for state, number in counts.items() if number]
    with st.container(horizontal=True, vertical_alignment="center", key="claims_summary"):
        chosen = SHOW.draw(["all", *there], title=title, label_visibility="collapsed", width="content")
        SORT.draw(label_visibility="collapsed", width="content")
        _files([end for key in CLAIMS if isinstance(end := found.get(key), Finding)])
    right, judged = verdict.num_right({key: guess_of(key) for key in CLAIMS}, found)
    if judged:
        st.caption(
            _("Your predictions of single claims: {right} of {judged} right.").format(right=right, judged=judged)
        )
    return [key for key, state in states.items() if chosen in ("all", state)]


def _files(tested: Sequence[Finding]) -> None:
    table = findings.to_table(tested, _).to_csv(index=False).encode("utf-8-sig")  # for spreadsheets
    nested = json.dumps(findings.to_json(tested, _), ensure_ascii=False, indent=1)
    for label, data, name, kind, icon in (
        (_("Table (CSV)"), table, "claims.csv", "text/csv", ":material/table:"),
        (_("Findings (JSON)"), nested, "claims.json", "application/json", ":material/data_object:"),
    ):
        st.download_button(label, data, name, kind, icon=icon, on_click="ignore", disabled=not tested)


def guess_of(key: str) -> str | None:
    """The verdict that the learner expects of a claim."""
    guess = st.session_state.get(f"claims_guess_{key}")
    return guess if guess in wording.GUESSES else None


def all_claims(keys: Collection[str], found: Mapping[str, End], num_seeds: int) -> None:
    """Claims, group by group: those with the same verdict, or those of the same text.

    Args:
        keys: of those that are listed.
        found: of `collect`.
        num_seeds: for a claim that is tested on its own.
    """
    shown = recorded_ends() | dict(found)
    if runs.get(KIND) and any(key not in found for key in keys):  # before the first run the result says so
        st.caption(f":material/history: {progress.origin(recorded(try_claims)().source)}")
    for title, claims in _groups([CLAIMS[key] for key in CLAIMS if key in keys], shown):
        st.subheader(title, anchor=False)
        with st.container(gap="xsmall"):
            for claim in claims:
                _line(claim, shown.get(claim.key), num_seeds, is_recorded=claim.key not in found)


def _groups(claims: Sequence[Claim], shown: Mapping[str, End]) -> list[tuple[str, list[Claim]]]:
    """Claims under their headings; a claim that is being tested stays where its last verdict stands."""
    by_text = SORT.value == "text"

    def group_of(claim: Claim) -> str:
        return claim.group if by_text else _verdict_of(shown.get(claim.key))

    titles = wording.GROUPS if by_text else WORDS
    groups = [(_(title), [claim for claim in claims if group_of(claim) == name]) for name, title in titles.items()]
    return [(title, group) for title, group in groups if group]


def _line(claim: Claim, end: End | None, num_seeds: int, *, is_recorded: bool) -> None:
    """One claim: its verdict in a line, and what has led to it when the line is opened."""
    state = _state_of(claim, end)
    icon, color = LOOKS[state]
    label = f":{color}[{icon}] **{wording.number(claim.key)}. {_(claim.sentence)}** :{color}[{_(WORDS[state])}]"
    if is_recorded and state in wording.VERDICTS:
        words = _("recorded")
        label += f" :gray[({words})]"
    elif (guess := guess_of(claim.key)) and state in wording.VERDICTS:
        label += " · " + wording.guess_held(guess, state)
    key = f"claims_open_{claim.key}"
    st.session_state[key] = bool(st.session_state.get(key))  # a line whose words change would fold up
    with st.container(key=f"claim_{claim.key}"):
        fold = st.expander(label, key=key, on_change="rerun")
        if fold.open:
            with fold:
                _card(claim, end, num_seeds, is_recorded=is_recorded)


def _card(claim: Claim, end: End | None, num_seeds: int, *, is_recorded: bool) -> None:
    left, right = st.columns([3, 2], gap="medium", vertical_alignment="center")
    with left:
        if is_recorded or not isinstance(end, Finding):
            trial.predict(
                _("Predict: what will the verdict be here?"), wording.GUESSES, key=f"claims_guess_{claim.key}"
            )
        st.caption(_(claim.experiment))
        st.markdown(wording.rule(claim, end))
        if isinstance(end, Finding):
            st.caption(_("Seeds: {n}").format(n=end.num_seeds))
        with st.container(horizontal=True, vertical_alignment="center"):
            if st.button(
                _("Test it here"),
                icon=":material/play_arrow:",
                key=f"claims_run_{claim.key}",
                disabled=runs.active() is not None,
            ):
                begin(Plan(keys=(claim.key,), num_seeds=num_seeds), guess_of(claim.key))
                st.rerun()
            link = _("Explore: {page}").format(page=_(menu.TITLES[claim.page]))
            st.page_link(
                f"pages/{claim.page}.py", label=link, icon=":material/explore:", query_params=dict(claim.address)
            )
    with right, st.container(height=CHART_HEIGHT + 20, border=False, key=f"claim_chart_{claim.key}"):
        _chart(claim, end)


def _state_of(claim: Claim, end: End | None) -> str:
    """The verdict on a claim, or what is with it: a key of LOOKS."""
    run = runs.get(KIND)
    if run and run.is_active and claim.key in run.plan.keys:
        has_begun = any(row.claim == claim.key for row in run.job.rows)
        if has_begun and claim.key not in verdict.ends_of(run.job.rows):
            return "is tested"
    return _verdict_of(end)


def _verdict_of(end: End | None) -> str:
    if end is None:
        return "not tested"
    return end.verdict if isinstance(end, Finding) else "no result"


def _chart(claim: Claim, end: End | None) -> None:
    if end is None:
        st.caption(_("The chart appears here after the run."))
    elif isinstance(end, Failure):
        st.error(_("The experiment failed: {why}").format(why=end.reason))
    else:
        chart = claims_chart.claim_chart(claim, rows.table(end.points, Point), theme=page_theme(CHART_HEIGHT))
        show_chart(chart, f"{_(claim.picture.title)}: {_(claim.sentence)}", key=f"claim_spec_{claim.key}")
