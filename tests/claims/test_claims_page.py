"""The page of the claims in both languages, with workers that answer from a formula instead of experiments."""

import dataclasses
import io
import json
import math
import re

import pandas as pd
import pytest

from sgd_tf.claims import findings, view
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import Point
from sgd_tf.claims.rows import ClaimPlan, Failure, Finding, SignOfLife, try_claim
from sgd_tf.claims.wording import VERDICTS as WORDS
from sgd_tf.jobs import JobFailure
from tests.lab import LANGUAGES, checked, open_app

PAGE = "pages/lab/claims.py"


@pytest.fixture(autouse=True)
def nothing_is_recorded(request, monkeypatch):
    """No recorded verdicts, and claims as in the texts, but for tests of these."""
    if "recorded_verdicts" not in request.fixturenames:
        monkeypatch.setattr(view, "recorded_ends", dict)
        monkeypatch.setattr(view, "SORT", dataclasses.replace(view.SORT, default="text"))


@pytest.fixture
def recorded_verdicts():
    """The verdicts of the package."""
    return view.recorded_ends()


def answer(key, num_seeds, verdict="holds"):
    """What a worker sends of a claim: all conditions at their bound, beyond it, the first one alone beyond it, or no
    number for it."""
    claim, values, num_missed = CLAIMS[key], {}, 0
    for measure in claim.measures:
        bound = measure.at_least if measure.at_least is not None else measure.at_most
        is_missed = measure.is_condition and (verdict == "fails" or (verdict != "holds" and num_missed == 0))
        num_missed += is_missed
        beyond = math.nan if verdict == "open" else -1 if measure.at_least is not None else 1
        number = 7.0 if bound is None else bound + beyond if is_missed else bound
        values[measure.name] = (float(number),) * num_seeds
    assert claim.judge(values, num_seeds) == verdict
    points = [Point(series=name, x=x, y=x) for name in claim.picture.series for x in (1.0, 2.0)]
    finding = Finding(claim=key, verdict=verdict, values=values, points=tuple(points), num_seeds=num_seeds, seconds=2.0)
    return [SignOfLife(claim=key), finding]


def serve(app, cluster, verdicts=(), failures=()):
    """Let the workers answer until the run has ended."""
    while any(job.status == "running" for job in cluster.jobs):
        for job in cluster.jobs:
            if job.status == "running":
                key, num_seeds = job.arguments[0].claim, job.arguments[0].num_seeds
                job.rows = answer(key, num_seeds, dict(verdicts).get(key, "holds"))
                if key in failures:
                    job.rows = [Failure(claim=key, reason="RuntimeError: no such thing")]
                job.status = "done"
        checked(app.run())
    return checked(app.run())


def text_of(app):
    return "\n".join(element.value for element in [*app.markdown, *app.caption])


def open_lines(app, *keys):
    """Open the lines of claims, by default of all."""
    for key in keys or CLAIMS:
        app.session_state[f"claims_open_{key}"] = True
    return checked(app.run())


def counts(app):
    """How many claims have each verdict, as the page says."""
    return [re.sub(r":material\S+ ", "", option) for option in app.segmented_control(key="claims_show").options]


def result(app):
    """What the page says of the run."""
    (box,) = [*app.info, *app.success, *app.warning]
    return box.value


def press(app, key):
    return checked(app.button(key=key).click().run())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_lists_all_claims_each_with_its_rule_before_anything_has_run(cluster, language):
    app = open_app(language, page=PAGE)
    assert not cluster.jobs
    assert app.subheader[0].value == {"ko": "주장 확인하기", "en": "Test the claims"}[language]
    lines = [line.label for line in app.expander][: len(CLAIMS)]
    assert all({"ko": "아직 확인하지 않음]", "en": "Not tested yet]"}[language] in line for line in lines)
    assert (
        counts(app) == {"ko": ["모두: 18", "아직 확인하지 않음: 18"], "en": ["All: 18", "Not tested yet: 18"]}[language]
    )
    assert not app.get("page_link")  # a folded line sends nothing of what is in it
    words = text_of(open_lines(app))
    assert len(re.findall(r"^○ ", words, re.MULTILINE)) == sum(len(claim.conditions) for claim in CLAIMS.values())
    for number, (claim, line) in enumerate(zip(CLAIMS.values(), lines, strict=True), 1):
        assert f"**{number}. " in line
        assert (claim.sentence in line) == (language == "en")
        if language == "en":
            assert claim.experiment in words
            assert all(f"○ {measure.title} ({measure.bound()})" in words for measure in claim.conditions)
    assert len(app.get("page_link")) == 18


@pytest.fixture
def finished(cluster):
    """Run, at its end: one claim depends, one does not hold, the test of one failed to run."""
    app = open_app(page=PAGE, claims_seeds="5")
    app.pills(key="claims_guess").set_value("most").run()
    cluster.num_workers = 9
    press(app, "claims_run")
    assert app.button(key="claims_run").disabled
    return serve(app, cluster, {"efficient": "depends", "full_pass": "fails"}, failures=("iterations",))


def test_run_tests_each_claim_once_in_order_with_the_seeds_that_were_chosen(cluster, finished):
    assert [job.arguments for job in cluster.jobs] == [(ClaimPlan(claim=key, num_seeds=5),) for key in CLAIMS]
    assert {job.function for job in cluster.jobs} == {try_claim}
    assert not finished.button(key="claims_run").disabled


def test_each_verdict_stands_beside_its_claim_with_numbers_and_what_it_depends_on(finished):
    assert counts(finished) == ["All: 18", "Holds: 15", "It depends: 1", "Does not hold: 1", "Test failed to run: 1"]
    lines = [line.label for line in finished.expander]
    assert "SGD trains more efficiently" in lines[10]
    assert lines[10].endswith(":orange[It depends]")
    assert lines[0].endswith(":red[Does not hold]")
    words = text_of(open_lines(finished, "efficient", "iterations"))
    assert f"It depends on **{CLAIMS['efficient'].depends_on}**." in words
    # 1 - 1: the first condition is missed by one.
    assert ":red[✗] GD seconds ÷ SGD seconds: digits, MLP: **0** (at least 1)" in words
    assert ":green[✓] GD seconds ÷ SGD seconds: 353 samples, linear: **1** (at least 1)" in words
    assert "Seeds: 5" in words  # also where fewer are chosen by now
    (failure,) = finished.error
    assert failure.value == "The experiment failed: RuntimeError: no such thing"
    assert len(finished.get("vega_lite_chart")) == 1


def test_the_result_is_held_against_the_prediction_and_counts_what_the_list_counts(finished):
    assert result(finished) == (
        "**Right: 14 to 17.** Holds: 15 · Does not hold: 1 · It depends: 1 · Test failed to run: 1. "
        "Computing took 34 s."
    )


def test_claims_can_be_listed_by_their_verdict(finished):
    finished.segmented_control(key="claims_show").set_value("depends").run()
    assert ["more efficiently" in line.label for line in checked(finished).expander[:-2]] == [True]


def test_a_single_claim_completes_the_trial_and_the_files_hold_all(cluster, finished):
    press(open_lines(finished, "iterations"), "claims_run_iterations")
    assert cluster.jobs[-1].arguments == (ClaimPlan(claim="iterations", num_seeds=5),)
    app = serve(finished, cluster)
    assert "Holds: 16" in counts(app)
    assert result(app) == f"Claim 8: {CLAIMS['iterations'].sentence} Holds."
    found = [app.session_state["claims_found"][key] for key in CLAIMS]
    table = pd.read_csv(io.StringIO(findings.to_table(found).to_csv(index=False)))
    assert table["claim"].nunique() == 18
    assert len(json.loads(json.dumps(findings.to_json(found), allow_nan=False))) == 18


def test_a_claim_that_is_not_judged_says_why_and_leaves_the_prediction_open(cluster):
    cluster.num_workers = 9
    app = open_app(page=PAGE)
    app.pills(key="claims_guess").set_value("all").run()
    press(app, "claims_run")
    app = open_lines(serve(app, cluster, {"efficient": "open"}), "efficient")
    words = text_of(app)
    assert counts(app) == ["All: 18", "Holds: 17", "Not judged: 1"]
    assert (
        ":gray[?] GD seconds ÷ SGD seconds: digits, MLP: **–** "
        "(at least 1; undecided: a run diverged or did not reach the target)" in words
    )
    assert "A condition is undecided, and the others do not settle it." in words
    assert "Claims without a verdict could still change how many hold." in result(app)
    assert len(app.info) == 1


def test_what_the_learner_predicted_of_a_claim_stands_beside_its_verdict(cluster):
    app = open_lines(open_app(page=PAGE), "new_order", "used_up")
    app.pills(key="claims_guess_new_order").set_value("holds").run()
    app.pills(key="claims_guess_used_up").set_value("depends").run()
    press(app, "claims_run_new_order")
    app = serve(app, cluster)
    assert result(app).startswith("**Right: Holds.** Claim 7")
    press(app, "claims_run_used_up")
    app = serve(app, cluster)
    assert result(app).startswith("**Not so: you expected “It depends”, the run says “Holds”.** Claim 6")
    lines = [line.label for line in app.expander]
    assert lines[6].endswith(":green[Holds] · :green[as you predicted]")
    assert lines[5].endswith(":green[Holds] · :gray[you predicted: It depends]")
    assert "Your predictions of single claims: 1 of 2 right." in text_of(app)


def test_what_was_found_is_there_when_the_learner_comes_back(cluster):
    app = open_lines(open_app(page=PAGE), "new_order")
    press(app, "claims_run_new_order")
    serve(app, cluster)
    checked(app.switch_page("pages/learn/sampling.py").run())
    cluster.jobs[-1].stop()  # what that page has asked for
    app = checked(app.switch_page(PAGE).run())
    assert "Holds: 1" in counts(app)
    press(open_lines(app, "used_up"), "claims_run_used_up")
    assert "Holds: 2" in counts(serve(app, cluster))


def test_stop_keeps_the_verdicts_so_far(cluster):
    app = open_app("ko", page=PAGE)
    press(app, "claims_run")
    cluster.jobs[0].rows, cluster.jobs[0].status = answer("full_pass", 3), "done"
    checked(app.run())
    press(app, "claims_stop")
    assert cluster.jobs[-1].status == "stopped"
    assert "성립: 1" in counts(app)
    assert result(app) == "주장 18가지 가운데 1가지를 확인하고 멈췄습니다. 성립: 1."
    assert not app.button(key="claims_run").disabled


def test_a_worker_that_is_lost_is_a_sentence_and_the_rest_stays(cluster):
    app = open_app(page=PAGE)
    press(app, "claims_run")
    cluster.jobs[0].rows, cluster.jobs[0].status = answer("full_pass", 3), "done"
    checked(app.run())
    cluster.jobs[-1].failure, cluster.jobs[-1].status = JobFailure("time limit", ""), "failed"
    checked(app.run())
    assert any("passed its time limit" in element.value for element in checked(app.run()).error)
    assert "Holds: 1" in counts(app)


def test_nonsense_in_the_address_gives_three_seeds(cluster):
    app = open_app(page=PAGE, claims_seeds="4")
    press(open_lines(app, "new_order"), "claims_run_new_order")
    assert cluster.jobs[-1].arguments == (ClaimPlan(claim="new_order", num_seeds=3),)


def test_a_finished_run_survives_a_reload(cluster):
    app = open_lines(open_app(page=PAGE), "new_order")
    press(app, "claims_run_new_order")
    serve(app, cluster)
    name = app.query_params["run"]
    app = open_app(page=PAGE, run=name)
    assert "Holds: 1" in counts(app)


def test_the_recorded_verdicts_are_there_at_once_by_verdict_and_a_test_replaces_its_own(cluster, recorded_verdicts):
    app = open_app(page=PAGE)
    assert not cluster.jobs
    numbers = {each: sum(end.verdict == each for end in recorded_verdicts.values()) for each in WORDS}
    assert counts(app) == ["All: 18", *(f"{WORDS[each]}: {number}" for each, number in numbers.items() if number)]
    lines = [line.label for line in app.expander][: len(CLAIMS)]
    assert all(line.endswith(":gray[(recorded)]") for line in lines)
    assert [heading.value for heading in app.subheader][1 : 1 + sum(map(bool, numbers.values()))] == [
        WORDS[each] for each, number in numbers.items() if number
    ]
    assert "Recorded: a real run on" in text_of(app)
    press(open_lines(app, "new_order"), "claims_run_new_order")
    app = serve(app, cluster)
    assert sum(line.label.endswith(":gray[(recorded)]") for line in app.expander[: len(CLAIMS)]) == 17


def test_the_recorded_claims_can_be_read_in_the_order_of_the_texts(cluster, recorded_verdicts):
    app = open_app(page=PAGE, claims_sort="text", claims_show=recorded_verdicts["efficient"].verdict)
    assert not cluster.jobs
    numbers = [int(found[1]) for line in app.expander if (found := re.search(r"\*\*(\d+)\. ", line.label))]
    same = [end.verdict == recorded_verdicts["efficient"].verdict for end in recorded_verdicts.values()]
    assert numbers == sorted(numbers)
    assert len(numbers) == sum(same)


@pytest.mark.parametrize("key", ["new_order", "used_up", "iterations"])
def test_a_fresh_test_of_an_exact_claim_gives_the_recorded_verdict(recorded_verdicts, key):
    *_before, fresh = try_claim(ClaimPlan(claim=key, num_seeds=3))
    assert fresh.verdict == recorded_verdicts[key].verdict
    for name, values in recorded_verdicts[key].values.items():
        assert fresh.values[name] == pytest.approx(values, rel=1e-5)
