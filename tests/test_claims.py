"""The claims: the rule that gives a verdict, the experiments on real numbers, the table, the command line."""

import json
import math
from pathlib import Path

import altair as alt
import numpy as np
import pandas as pd
import pytest

from sgd_tf import __main__ as command_line
from sgd_tf import charts, claim_experiments, claims, counting, gradient_noise, sampling
from sgd_tf.claims import CLAIMS, Claim, Measure, Picture, Point, Series
from sgd_tf.jobs import tasks
from sgd_tf.jobs.worker import check_row

ROOT = Path(__file__).parents[1]


def made_up(*, depends_on=None):
    """A claim of two conditions, a ≥ 1 and b ≤ 2."""
    return Claim(
        key="made_up",
        group="elsewhere",
        sentence="It is so.",
        experiment="Look.",
        measures=(
            Measure(name="a", title="A", at_least=1),
            Measure(name="b", title="B", at_most=2),
            Measure(name="c", title="C"),
        ),
        depends_on=depends_on,
        picture=Picture(kind="dots", title="T", x="X", series={"s": Series(title="S")}),
        page="lab/claims",
        seconds=3.0,
    )


# The rule


@pytest.mark.parametrize(
    ("a", "b", "loose", "exact"),
    [
        (1, 2, "holds", "holds"),
        (1, 2.1, "depends", "fails"),
        (0.9, 2, "depends", "fails"),
        (0.9, 2.1, "fails", "fails"),
        (math.nan, math.nan, "fails", "fails"),
        (math.inf, -math.inf, "holds", "holds"),
    ],
)
def test_all_conditions_met_holds_none_fails_some_depends_if_there_is_anything_to_depend_on(a, b, loose, exact):
    numbers = {"a": a, "b": b, "c": math.nan}
    assert made_up(depends_on="the weather").judge(numbers) == loose
    assert made_up().judge(numbers) == exact


def test_a_number_that_is_missing_is_no_verdict():
    with pytest.raises(KeyError):
        made_up().judge({"a": 1.0})


def test_the_words_of_a_bound_hold_its_number():
    assert Measure(name="x", title="X", form=".1%", at_most=0.05).bound() == "at most 5.0%"
    assert Measure(name="x", title="X", at_least=1, at_most=2).bound() == "at least 1, at most 2"
    assert Measure(name="x", title="X", at_least=1).bound({"at least {bound}": "{bound} 이상"}.get) == "1 이상"
    assert Measure(name="x", title="X").bound() == ""


# The catalogue


def test_there_are_fourteen_claims_of_the_chapter_and_four_of_others_each_with_its_experiment():
    groups = [claim.group for claim in CLAIMS.values()]
    assert (groups.count("chapter"), groups.count("elsewhere"), len(groups)) == (14, 4, 18)
    assert list(CLAIMS) != []
    assert set(CLAIMS) == set(claim_experiments.EXPERIMENTS)
    assert all(experiment.__doc__ for experiment in claim_experiments.EXPERIMENTS.values())


@pytest.mark.parametrize("claim", CLAIMS.values(), ids=list(CLAIMS))
def test_each_claim_has_conditions_names_of_its_own_and_a_page(claim):
    names = [measure.name for measure in claim.measures]
    assert len(set(names)) == len(names)
    assert claim.conditions
    assert claim.picture.bound is None or claim.picture.bound in {measure.name for measure in claim.conditions}
    assert claim.sentence.endswith(".")
    assert (ROOT / "pages" / f"{claim.page}.py").exists()


# The experiments, with one seed


def tried(key, *, num_seeds=1):
    *steps, finding = claim_experiments.try_claim(CLAIMS[key], num_seeds=num_seeds)
    assert all(step is None or isinstance(step, Point) for step in steps)
    assert finding.points
    assert {point.series for point in finding.points} == set(CLAIMS[key].picture.series)
    return finding


def test_drawing_without_replacement_holds_and_with_replacement_misses_what_chance_says():
    finding = tried("without_replacement", num_seeds=4)
    assert finding.verdict == "holds"
    # (1 − 1/N)^N = 36.8 % of 1,437; the standard deviation of the share is √(1/e − 2/e²)/√N = 0.8 %, of 4 seeds 0.4 %
    assert finding.numbers["missed_replaced"] == pytest.approx(math.exp(-1), abs=4 * 0.004)


def test_each_sample_is_visited_once_by_the_pipeline_and_by_keras():
    finding = tried("used_up")
    assert finding.verdict == "holds"
    assert (finding.numbers["most"], finding.numbers["least"]) == (1, 1)


@pytest.mark.parametrize("key", ["without_replacement", "used_up", "new_order"])
def test_a_pipeline_that_draws_with_replacement_would_lose_its_claims(monkeypatch, key):
    real = sampling.epoch_orders

    def with_replacement(*args, **options):
        return real(*args, **{**options, "sampling": "with_replacement"})

    monkeypatch.setattr(sampling, "epoch_orders", with_replacement)
    monkeypatch.setattr(claim_experiments, "_keras_visits", lambda N, *_: np.ones(N))
    assert tried(key).verdict == "fails"


def test_a_formula_that_forgets_the_last_minibatch_would_lose_its_claim(monkeypatch):
    assert tried("iterations").verdict == "holds"
    monkeypatch.setattr(counting, "iterations_per_epoch", lambda N, k: max(1, N // k))
    monkeypatch.setattr(
        claim_experiments, "_keras_steps", lambda N, k, num_epochs: counting.num_updates(N, k, num_epochs)
    )
    finding = tried("iterations")
    assert finding.verdict == "fails"
    assert 0 < finding.numbers["wrong"] <= finding.numbers["checked"]


def test_the_double_loop_of_keras_comes_to_the_weights_of_the_engine_and_of_fit():
    finding = tried("double_loop")
    assert finding.verdict == "holds"
    assert finding.numbers["engine"] < 1e-6


def test_an_update_of_gradient_descent_is_the_mean_of_all_gradients_one_by_one(monkeypatch):
    finding = tried("full_pass")
    assert finding.numbers["passes"] == 1
    assert finding.numbers["difference"] < 1e-6
    each = gradient_noise.Gradients.of_each
    monkeypatch.setattr(gradient_noise.Gradients, "of_each", lambda self, rows: 1.1 * each(self, rows))
    assert tried("full_pass").verdict == "fails"


def test_a_buffer_of_1000_lets_no_row_out_more_than_999_places_early():
    finding = tried("shuffle_buffer")
    # Row i stands at position i − 999 or later: among the first tenth (150 positions) rows from 1,000 on are
    # those of number 1,000 to 1,148, and fewer of them than if all 1,500 were shuffled, a third.
    shares = {point.x: point.y for point in finding.points if point.series == "buffer"}
    assert shares[0.05] < 1 / 3 < shares[0.95]
    assert finding.numbers["correlation"] > 0.1
    assert finding.verdict in ("depends", "fails")


def test_a_plateau_ends_where_the_loss_leaves_ten_percent_or_exceeds_its_start():
    updates = np.arange(8)
    losses = np.array([4.0, 1.05, 1.0, 1.02, 1.09, 1.3, 5.0, 5.0])
    assert claim_experiments.longest_plateau(updates, losses) == 3  # updates 1 to 4
    assert claim_experiments.longest_plateau(updates, losses, width=0.01) == 0
    assert claim_experiments.longest_plateau(10 * updates, losses) == 30


def test_seeds_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"`num_seeds` must be an integer in \[1, 20\]; received 0"):
        claim_experiments.try_claim(CLAIMS["new_order"], num_seeds=0)


# Rows, tables, files


def finding_row(key="efficient", values=(2.0, 3.0, 0.5, math.inf)):
    claim = CLAIMS[key]
    numbers = dict(zip((measure.name for measure in claim.measures), values, strict=True))
    points = tuple(Point(series=name, x=float(x)) for x, name in enumerate(claim.picture.series, 1))
    finding = claims.Finding(
        claim=key, verdict=claim.judge(numbers), numbers=numbers, points=points, num_seeds=3, seconds=1.5
    )
    return check_row(finding.to_row())


def test_a_finding_travels_as_plain_values_and_comes_back():
    row = finding_row()
    assert row["verdict"] == "depends"
    assert list(claims.numbers_of(row).values()) == [2.0, 3.0, 0.5, math.inf]
    assert claims.points_of(row)["x"].tolist() == [1, 2, 3, 4]


def test_the_table_has_a_row_for_each_number_with_its_condition():
    table = claims.to_table([finding_row()])
    assert table["value"].tolist() == [2.0, 3.0, 0.5, math.inf]
    assert table["met"].tolist() == [True, True, False, True]
    assert set(table["condition"]) == {"at least 1"}
    assert set(table["verdict"]) == {"depends"}


def test_json_is_strict_and_tells_what_it_depends_on():
    (entry,) = json.loads(json.dumps(claims.to_json([finding_row()]), allow_nan=False))
    assert entry["depends_on"].startswith("the problem")
    assert [measure["value"] for measure in entry["measures"]] == [2.0, 3.0, 0.5, None]
    (entry,) = claims.to_json([finding_row(values=(2.0, 3.0, 1.0, 1.0))])
    assert (entry["verdict"], entry["depends_on"]) == ("holds", None)


def test_the_time_that_is_left_follows_the_pace_so_far():
    keys = list(CLAIMS)[:3]
    expected = [CLAIMS[key].seconds for key in keys]
    assert claims.seconds_left(keys, [], num_seeds=3) == pytest.approx(sum(expected))
    done = [{"claim": keys[0], "seconds": 2 * expected[0]}, {"claim": "new_order", "seconds": 99.0}]
    assert claims.seconds_left(keys, done, num_seeds=3) == pytest.approx(2 * sum(expected[1:]))
    assert claims.seconds_left(keys, [], num_seeds=6) == pytest.approx(2 * sum(expected))


# The chart


@pytest.mark.parametrize("dark", [False, True])
def test_the_chart_of_each_claim_is_vega_lite_that_names_its_series_and_axes(dark):
    for claim in CLAIMS.values():
        points = pd.DataFrame(
            [
                {"series": name, "x": x, "y": x * (1 + seed), "seed": seed}
                for name in claim.picture.series
                for x in (0.5, 1.0, 2.0, math.inf)
                for seed in (0, 1)
            ]
        )
        spec = charts.claim_spec(claim, points, dark=dark)
        alt.LayerChart.from_dict(spec)
        text = json.dumps(spec, allow_nan=False)
        assert all(json.dumps(series.title) in text for series in claim.picture.series.values())
        assert json.dumps(claim.picture.x) in text


def test_the_bound_of_a_condition_is_a_line_where_the_condition_says():
    points = pd.DataFrame({"series": ["engine"], "x": [1e-7], "y": [0.0], "seed": [0]})
    (rule,) = [
        layer for layer in charts.claim_spec(CLAIMS["double_loop"], points)["layer"] if layer["mark"]["type"] == "rule"
    ]
    assert rule["data"]["values"] == [{"x": 1e-5}]


# Workers and the command line


@pytest.fixture
def experiments(monkeypatch):
    """Experiments at once: one claim that holds, and one whose experiment breaks down."""

    def holds(seeds):
        yield None
        for seed in seeds:
            yield Point(series="reshuffle", x=0.0, seed=seed)
        return {"broken": 0, "correlation": 0.01, "same": 0.0}

    def breaks(seeds):
        yield Point(series="yielded", x=float(seeds[0]))
        raise RuntimeError("no such thing")

    monkeypatch.setattr(claim_experiments, "EXPERIMENTS", {"new_order": holds, "iterations": breaks})


@pytest.mark.usefixtures("experiments")
def test_a_worker_gives_signs_of_life_then_the_finding_or_why_there_is_none():
    rows = [check_row(row) for row in tasks.try_claim("new_order", 2)]
    assert [row.get("points") for row in rows[:-1]] == [0, 1, 2, 3]
    assert (rows[-1]["verdict"], rows[-1]["num_seeds"]) == ("holds", 2)
    assert list(tasks.try_claim("iterations", 2))[-1] == {
        "claim": "iterations",
        "failure": "RuntimeError: no such thing",
    }


@pytest.mark.usefixtures("experiments")
def test_the_command_prints_a_table_and_returns_0_when_all_experiments_ran(capsys):
    assert command_line.main(["claims", "--only", "new_order", "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert "| new_order: When all samples are used up" in out
    assert "✓ Epochs that are no permutation: 0 (at most 0)" in out
    assert out.splitlines()[-1].startswith("1 holds, 0 does not hold, 0 depends, 0 could not be tried")


@pytest.mark.usefixtures("experiments")
def test_an_experiment_that_breaks_down_is_told_the_others_go_on_and_the_status_is_1(capsys, tmp_path):
    path = tmp_path / "claims.json"
    assert command_line.main(["claims", "--only", "iterations", "new_order", "--json", str(path)]) == 1
    assert "RuntimeError: no such thing" in capsys.readouterr().out
    failed, held = sorted(json.loads(path.read_text(encoding="utf-8")), key=lambda entry: entry["claim"])
    assert failed == {"claim": "iterations", "failure": "RuntimeError: no such thing"}
    assert held["verdict"] == "holds"


@pytest.mark.usefixtures("experiments")
def test_json_on_the_standard_output_stands_there_alone(capsys):
    assert command_line.main(["claims", "--only", "new_order", "--json", "-"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["claim"], entry["verdict"], entry["num_seeds"]) == ("new_order", "holds", claims.NUM_SEEDS)


@pytest.mark.parametrize(
    ("words", "message"),
    [(("--seeds", "0"), "`seeds` must be an integer in [1, 20]; received 0."), (("--only", "moon"), "'moon'")],
)
def test_bad_arguments_have_status_2(capsys, words, message):
    try:
        status = command_line.main(["claims", *words])
    except SystemExit as error:  # of argparse
        status = error.code
    assert status == 2
    assert message in capsys.readouterr().err
