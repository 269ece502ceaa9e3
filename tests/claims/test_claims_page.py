"""The page of the claims in both languages, with workers that answer from a formula instead of experiments."""

import io
import json
import math
import re

import pandas as pd
import pytest

from sgd_tf.claims import findings
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import Point
from sgd_tf.claims.rows import ClaimPlan, Failure, Finding, SignOfLife, try_claim
from sgd_tf.jobs import JobFailure
from sgd_tf.ui import runs
from tests.lab import LANGUAGES, FakeCluster, checked, open_app

PAGE = "pages/lab/claims.py"


@pytest.fixture
def cluster(monkeypatch):
    fake = FakeCluster()
    monkeypatch.setattr(runs, "connect", lambda: fake)
    return fake


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


def run_text(app):
    """What the line of the run says."""
    (bar,) = app.get("progress")
    return bar.proto.text


def press(app, key):
    return checked(app.button(key=key).click().run())


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_shows_all_claims_with_their_rules_before_anything_has_run(cluster, language):
    app = open_app(language, page=PAGE)
    assert not cluster.jobs
    assert app.subheader[0].value == {"ko": "주장 확인하기", "en": "Test the claims"}[language]
    words = text_of(app)
    assert words.count({"ko": "아직 확인하지 않음**]", "en": "Not tried yet**]"}[language]) == 18
    assert len(re.findall(r"^○ ", words, re.MULTILINE)) == sum(len(claim.conditions) for claim in CLAIMS.values())
    if language == "en":
        for claim in CLAIMS.values():
            assert claim.sentence in words
            assert claim.experiment in words
            assert all(f"○ {measure.title} ({measure.bound()})" in words for measure in claim.conditions)
    else:
        assert not any(claim.sentence in words for claim in CLAIMS.values())
    assert len(app.get("page_link")) == 18


@pytest.fixture
def finished(cluster):
    """Run all, at its end: one claim depends, one does not hold, one could not be tried."""
    app = open_app(page=PAGE, claims_seeds="5")
    app.pills(key="claims_guess").set_value("most").run()
    cluster.num_workers = 9
    press(app, "claims_run")
    assert app.button(key="claims_run").disabled
    assert app.button(key="claims_run_efficient").disabled
    return serve(app, cluster, {"efficient": "depends", "full_pass": "fails"}, failures=("iterations",))


def test_run_all_tries_each_claim_once_in_order_with_the_seeds_that_were_chosen(cluster, finished):
    assert [job.arguments for job in cluster.jobs] == [(ClaimPlan(claim=key, num_seeds=5),) for key in CLAIMS]
    assert {job.function for job in cluster.jobs} == {try_claim}
    assert not finished.button(key="claims_run").disabled


def test_each_verdict_stands_beside_its_claim_with_numbers_and_what_it_depends_on(finished):
    words = text_of(finished)
    assert words.count(":material/check_circle: **Holds**]") == 15
    assert words.count(":material/balance: **Depends**]") == 1
    assert words.count(":material/cancel: **Does not hold**]") == 1
    assert f"It depends on **{CLAIMS['efficient'].depends_on}**." in words
    # 1 - 1: the first condition is missed by one.
    assert ":red[✗] GD seconds ÷ SGD seconds: digits, MLP: **0** (at least 1)" in words
    assert ":green[✓] GD seconds ÷ SGD seconds: 353 samples, linear: **1** (at least 1)" in words
    assert "**Holds: 15**" in words
    (failure,) = finished.error
    assert failure.value == "The experiment could not be made: RuntimeError: no such thing"
    assert len(finished.get("vega_lite_chart")) == 17


def test_a_single_claim_completes_the_trial_and_the_files_hold_all(cluster, finished):
    press(finished, "claims_run_iterations")
    assert cluster.jobs[-1].arguments == (ClaimPlan(claim="iterations", num_seeds=5),)
    app = serve(finished, cluster)
    assert "**Holds: 16**" in text_of(app)
    found = [app.session_state["claims_found"][key] for key in CLAIMS]
    table = pd.read_csv(io.StringIO(findings.to_table(found).to_csv(index=False)))
    assert table["claim"].nunique() == 18
    assert len(json.loads(json.dumps(findings.to_json(found), allow_nan=False))) == 18


def test_the_prediction_is_judged_by_how_many_hold(cluster):
    cluster.num_workers = 9
    app = open_app(page=PAGE)
    app.pills(key="claims_guess").set_value("most").run()
    press(app, "claims_run")
    app = serve(app, cluster, {"efficient": "depends"})
    assert len(app.success) == 1
    assert not app.warning


def test_counts_on_the_page_are_of_the_same_claims(cluster, finished):
    """15 hold, one each depends, does not hold, could not be tried: 18; a run of one claim counts no "1 of 1"."""
    words = text_of(finished)
    counted = ("Holds: 15**", "Does not hold: 1**", "Depends: 1**", "Not judged: 0**", "Could not be tried: 1")
    assert all(count in words for count in counted)
    assert "Not tried yet" not in words
    assert run_text(finished) == "This run: 18 of 18 claims. Computing took 34 s."
    press(finished, "claims_run_new_order")
    app = serve(finished, cluster)
    assert run_text(app) == "This run: claim 7. Computing took 2 s."
    assert all(count in text_of(app) for count in counted)


def test_a_claim_that_is_not_judged_says_why_and_leaves_the_prediction_open(cluster):
    cluster.num_workers = 9
    app = open_app(page=PAGE)
    app.pills(key="claims_guess").set_value("all").run()
    press(app, "claims_run")
    app = serve(app, cluster, {"efficient": "open"})
    words = text_of(app)
    assert "**Holds: 17**" in words
    assert "**Not judged: 1**" in words
    assert (
        ":gray[?] GD seconds ÷ SGD seconds: digits, MLP: **–** "
        "(at least 1; undecided: a run diverged or did not reach the target)" in words
    )
    assert "A condition is open, and the others do not decide." in words
    assert [element.value for element in app.info] == [
        "Your prediction stays open: claims that were not judged decide it."
    ]
    assert not app.success
    assert not app.warning


def test_a_verdict_says_from_how_many_seeds_it_is(cluster):
    app = open_app(page=PAGE, claims_seeds="5")
    press(app, "claims_run_new_order")
    app = serve(app, cluster)
    app.segmented_control(key="claims_seeds").set_value("3").run()
    assert "**Holds**] :gray[5 seeds]" in text_of(app)


def test_what_was_found_is_there_when_the_learner_comes_back(cluster):
    app = open_app(page=PAGE)
    press(app, "claims_run_new_order")
    serve(app, cluster)
    checked(app.switch_page("pages/learn/sampling.py").run())
    cluster.jobs[-1].stop()  # what that page has asked for
    app = checked(app.switch_page(PAGE).run())
    assert "**Holds: 1**" in text_of(app)
    press(app, "claims_run_used_up")
    assert "**Holds: 2**" in text_of(serve(app, cluster))


def test_stop_keeps_the_verdicts_so_far(cluster):
    app = open_app("ko", page=PAGE)
    press(app, "claims_run")
    cluster.jobs[0].rows, cluster.jobs[0].status = answer("full_pass", 3), "done"
    checked(app.run())
    press(app, "claims_stop")
    assert cluster.jobs[-1].status == "stopped"
    assert "**성립합니다: 1**" in text_of(app)
    assert not app.button(key="claims_run").disabled


def test_a_worker_that_is_lost_is_a_sentence_and_the_rest_stays(cluster):
    app = open_app(page=PAGE)
    press(app, "claims_run")
    cluster.jobs[0].rows, cluster.jobs[0].status = answer("full_pass", 3), "done"
    checked(app.run())
    cluster.jobs[-1].failure, cluster.jobs[-1].status = JobFailure("time limit", ""), "failed"
    checked(app.run())
    assert any("longer than it may" in element.value for element in checked(app.run()).error)
    assert "**Holds: 1**" in text_of(app)


def test_nonsense_in_the_address_gives_three_seeds(cluster):
    app = open_app(page=PAGE, claims_seeds="4")
    press(app, "claims_run_new_order")
    assert cluster.jobs[-1].arguments == (ClaimPlan(claim="new_order", num_seeds=3),)


def test_a_finished_run_survives_a_reload(cluster):
    app = open_app(page=PAGE)
    press(app, "claims_run_new_order")
    serve(app, cluster)
    name = app.query_params["run"]
    app = open_app(page=PAGE, run=name)
    assert "**Holds: 1**" in text_of(app)
