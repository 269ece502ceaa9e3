"""The claims: the rule that gives a verdict, the experiments on real numbers, the table, the command line."""

import itertools
import json
import math
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf import __main__ as command_line
from sgd_tf import charts, train
from sgd_tf.claims import chart as claims_chart
from sgd_tf.claims import findings, rows, timing
from sgd_tf.claims.cases import double_loop, noise
from sgd_tf.claims.catalogue import CLAIMS
from sgd_tf.claims.claim import NUM_SEEDS, Claim, Picture, Point, Series
from sgd_tf.claims.contestants import LINEAR
from sgd_tf.claims.measures import Measure
from sgd_tf.claims.rows import ClaimPlan, Failure, Finding, SignOfLife, try_claim
from sgd_tf.noise import gradients
from sgd_tf.sampling import trials
from sgd_tf.training import counting, tuned_rates
from sgd_tf.training import run as training_run
from sgd_tf.training.records import TrainConfig
from tests.lab import travelled

ROOT = Path(__file__).parents[2]


def made_up(*, depends_on=None):
    """A claim of two conditions, a ≥ 1 and b ≤ 2."""
    return Claim(
        key="made_up",
        run=lambda _seeds: None,
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


def judged(numbers, *, depends_on=None, num_seeds=3):
    """The verdict where all runs give the same numbers."""
    values = {name: (float(number),) * num_seeds for name, number in numbers.items()}
    return made_up(depends_on=depends_on).judge(values, num_seeds)


@pytest.mark.parametrize(
    ("a", "b", "loose", "exact"),
    [
        (1, 2, "holds", "holds"),
        (1, 2.1, "depends", "fails"),
        (0.9, 2, "depends", "fails"),
        (0.9, 2.1, "fails", "fails"),
        (math.nan, math.nan, "open", "open"),
        (1, math.nan, "open", "open"),
        (0.9, math.nan, "open", "fails"),
        (math.inf, -math.inf, "holds", "holds"),
    ],
)
def test_all_conditions_met_holds_none_fails_some_depends_if_there_is_anything_to_depend_on(a, b, loose, exact):
    numbers = {"a": a, "b": b, "c": math.nan}
    assert judged(numbers, depends_on="the weather") == loose
    assert judged(numbers) == exact


@pytest.mark.parametrize(
    ("a", "loose", "exact"),
    [
        ((1, 1, 1), "holds", "holds"),
        ((1, 1, 0), "open", "fails"),  # a majority is no verdict
        ((0, 0, 1), "open", "fails"),
        ((1, math.nan, 1), "open", "open"),
        ((0, math.nan, 0), "open", "fails"),
        ((1, 1), "open", "holds"),  # two seeds are too few for what differs from seed to seed
        ((1,), "open", "holds"),
        ((0,), "open", "fails"),
    ],
)
def test_runs_must_agree_and_be_three_where_seeds_matter_and_one_miss_is_enough_where_a_claim_is_exact(a, loose, exact):
    values = {"a": a, "b": (2.0,) * len(a), "c": (math.nan,)}
    assert made_up(depends_on="the weather").judge(values, len(a)) == loose
    assert made_up().judge(values, len(a)) == exact


def test_a_measure_that_is_missing_is_no_verdict():
    with pytest.raises(KeyError):
        made_up().judge({"a": (1.0,)}, 1)


# The catalogue


def test_there_are_fourteen_claims_of_the_chapter_and_four_of_others_each_with_its_experiment():
    groups = [claim.group for claim in CLAIMS.values()]
    assert (groups.count("chapter"), groups.count("elsewhere"), len(groups)) == (14, 4, 18)
    assert list(CLAIMS) != []
    assert [claim.run.__name__ for claim in CLAIMS.values()] == list(CLAIMS)
    assert all(claim.run.__doc__ for claim in CLAIMS.values())


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
    *signs, finding = rows.measure(CLAIMS[key], num_seeds=num_seeds)
    assert set(signs) <= {None}
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


def test_an_experiment_leaves_the_seed_of_the_process_as_it_was():
    def shuffled():
        return list(tf.data.Dataset.range(30).shuffle(30, seed=4).as_numpy_iterator())

    before = shuffled()
    double_loop._keras_visits(10, 4)
    assert shuffled() == before


@pytest.mark.parametrize("key", ["without_replacement", "used_up", "new_order"])
def test_a_pipeline_that_draws_with_replacement_would_lose_its_claims(monkeypatch, key):
    real = trials.epoch_orders

    def with_replacement(*args, **options):
        return real(*args, **{**options, "sampling": "with_replacement"})

    monkeypatch.setattr(trials, "epoch_orders", with_replacement)
    monkeypatch.setattr(double_loop, "_keras_visits", lambda N, *_: np.ones(N))
    assert tried(key).verdict == "fails"


def test_a_formula_that_forgets_the_last_minibatch_would_lose_its_claim(monkeypatch):
    assert tried("iterations").verdict == "holds"
    monkeypatch.setattr(counting, "iterations_per_epoch", lambda N, k: max(1, N // k))
    monkeypatch.setattr(double_loop, "_keras_steps", lambda N, k, num_epochs: counting.num_updates(N, k, num_epochs))
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
    each = gradients.Gradients.of_each
    monkeypatch.setattr(gradients.Gradients, "of_each", lambda self, rows: 1.1 * each(self, rows))
    assert tried("full_pass").verdict == "fails"


def test_a_buffer_of_1000_lets_no_row_out_more_than_999_places_early():
    finding = tried("shuffle_buffer")
    # Row i stands at position i − 999 or later: among the first tenth (150 positions) rows from 1,000 on are
    # those of number 1,000 to 1,148, and fewer of them than if all 1,500 were shuffled, a third.
    shares = {point.x: point.y for point in finding.points if point.series == "buffer"}
    assert shares[0.05] < 1 / 3 < shares[0.95]
    assert finding.numbers["correlation"] > 0.1
    assert finding.verdict == "open"  # one seed says nothing about training


class Turns:
    """A run that makes 10 updates a turn, which take as many seconds as is written down."""

    def __init__(self, name, seconds, log):
        self.update, self.seconds, self._turns, self._name, self._log = 0, 0.0, iter(seconds), name, log

    def advance(self, **_):
        self._log.append(self._name)
        if (seconds := next(self._turns, None)) is not None:  # else it has diverged
            self.update += 10
            self.seconds += seconds


def test_the_seconds_of_an_update_are_those_of_the_best_of_turns_that_alternate():
    log = []
    runs = {32: Turns(32, [9.0, 2.0, 9.0], log), 100: Turns(100, [30.0, 40.0, 20.0], log), 7: Turns(7, [], log)}
    found = timing.seconds_per_update(runs, num_turns=3)
    assert (found[32], found[100]) == (pytest.approx(0.2), pytest.approx(2.0))
    assert math.isnan(found[7])
    assert log == [32, 100, 7] * 3


def test_updates_to_a_target_do_not_depend_on_the_clock(classification):
    config, model, target = TrainConfig(batch_size=10, learning_rate=0.1), LINEAR, 0.8

    def updates(seconds_of_a_look):
        clock = itertools.count(step=seconds_of_a_look)
        steps = timing.updates_to(classification, config, model, target, clock=lambda: next(clock))
        while True:
            try:
                next(steps)
            except StopIteration as end:
                return end.value

    losses = [record.train_loss for record in train(classification, config, model=model, updates=50)]  # of each update
    after = next(number for number, loss in enumerate(losses) if loss <= target)
    assert 1 < after < 32  # each update has a record there
    crossing = after - 1 + (losses[after - 1] - target) / (losses[after - 1] - losses[after])
    for found in updates(1e-6), updates(1e-2):
        assert (found.number, found.is_there) == (pytest.approx(crossing, abs=1e-4), True)
    assert not updates(10.0).is_there  # it gave up after one update


@pytest.mark.parametrize("load", [1.0, 3.0])
def test_sgd_against_gd_is_updates_to_the_target_of_the_race_times_the_best_seconds_of_an_update(monkeypatch, load):
    """Whatever else the machine does, if it slows both down: the ratios and the verdict are the same."""
    targets = []

    def updates_to(problem, config, model, target):
        yield None
        targets.append((problem.name, model.kind, target))
        is_gd = config.batch_size == problem.num_examples
        number = {"digits": (50, 40), "teacher": (30, 60), "breast_cancer": (10, 100), "diabetes": (5, 500)}
        return timing.Updates(number=number[problem.name][0 if is_gd else 1], is_there=True)

    def seconds_per_update(runs):
        return {k: load * (8e-4 if k > 32 else 1e-4) for k in runs}

    monkeypatch.setattr(timing, "updates_to", updates_to)
    monkeypatch.setattr(timing, "seconds_per_update", seconds_per_update)
    monkeypatch.setattr(training_run, "Run", lambda *_, **__: SimpleNamespace(close=lambda: None))
    finding = tried("efficient", num_seeds=3)
    assert finding.numbers == pytest.approx({"digits": 10, "teacher": 4, "breast_cancer": 0.8, "diabetes": 0.08})
    assert finding.verdict == "depends"
    assert set(targets) == {
        (name, kind, tuned_rates.target_loss(name, kind))
        for name, kind in (("digits", "mlp"), ("teacher", "mlp"), ("breast_cancer", "linear"), ("diabetes", "linear"))
    }


def test_a_plateau_ends_where_the_loss_leaves_ten_percent_or_exceeds_its_start():
    updates = np.arange(8)
    losses = np.array([4.0, 1.05, 1.0, 1.02, 1.09, 1.3, 5.0, 5.0])
    assert noise.longest_plateau(updates, losses) == 3  # updates 1 to 4
    assert noise.longest_plateau(updates, losses, width=0.01) == 0
    assert noise.longest_plateau(10 * updates, losses) == 30


def test_seeds_out_of_range_are_refused():
    with pytest.raises(ValueError, match=r"`num_seeds` must be an integer in \[1, 20\]; received 0"):
        rows.measure(CLAIMS["new_order"], num_seeds=0)


# Rows, tables, files


def a_finding(key="efficient", values=(2.0, 3.0, 0.5, math.inf), *, num_seeds=3):
    """A finding with these values; a tuple among them holds those of the runs."""
    claim = CLAIMS[key]
    values = {
        measure.name: tuple(value) if isinstance(value, tuple | list) else (float(value),)
        for measure, value in zip(claim.measures, values, strict=True)
    }
    points = tuple(Point(series=name, x=float(x)) for x, name in enumerate(claim.picture.series, 1))
    verdict = claim.judge(values, num_seeds)
    return Finding(claim=key, verdict=verdict, values=values, points=points, num_seeds=num_seeds, seconds=1.5)


def test_a_finding_says_what_comes_of_each_measure():
    finding = a_finding(values=((2.0, 4.0), 3.0, (0.5, math.nan, 0.25), math.inf))
    assert finding.verdict == "open"
    found = findings.measured(finding)
    assert [one.values for one in found[:2] + found[3:]] == [(2.0, 4.0), (3.0,), (math.inf,)]
    assert [one.outcome for one in found] == ["met", "met", "no number", "met"]


def test_the_table_has_a_row_for_each_number_with_its_condition():
    table = findings.to_table([a_finding()])
    assert table["value"].tolist() == [2.0, 3.0, 0.5, math.inf]
    assert table["outcome"].tolist() == ["met", "met", "missed", "met"]
    assert set(table["condition"]) == {"at least 1"}
    assert set(table["verdict"]) == {"depends"}


def test_json_is_strict_and_tells_what_it_depends_on():
    (entry,) = json.loads(json.dumps(findings.to_json([a_finding()]), allow_nan=False))
    assert entry["depends_on"].startswith("the problem")
    assert [measure["value"] for measure in entry["measures"]] == [2.0, 3.0, 0.5, None]
    assert [measure["text"] for measure in entry["measures"]] == ["2", "3", "0.5", "∞"]
    (entry,) = findings.to_json([a_finding(values=(2.0, 3.0, 1.0, 1.0))])
    assert (entry["verdict"], entry["depends_on"]) == ("holds", None)


def test_an_open_condition_says_why_and_shows_both_ends_where_the_runs_disagree():
    finding = a_finding(values=((2.0, 0.5, 3.0), 3.0, math.nan, 2.0))
    assert finding.verdict == "open"
    disagree, _met, unknown, _known = findings.measured(finding)
    assert (disagree.mark, disagree.text()) == ("?", "0.5 … 3")
    assert disagree.condition() == "at least 1; undecided: the runs disagree"
    assert (unknown.mark, unknown.text()) == ("?", "–")
    assert unknown.condition() == "at least 1; undecided: a run diverged or did not reach the target"
    few = findings.measured(a_finding(num_seeds=2))[0]
    assert (few.mark, few.condition()) == ("?", "at least 1; undecided: fewer than 3 seeds")


claim_keys = st.sampled_from(list(CLAIMS))
a_value = st.floats(width=32) | st.sampled_from([0.0, 1.0, 1.05, 0.01, 1e-5, 10.0, 0.5])


def drawn_values(data, claim, num_seeds):
    """A number of each run for each measure, NaN and inf among them."""
    lists = st.lists(a_value, min_size=num_seeds, max_size=num_seeds)
    return {measure.name: data.draw(lists) for measure in claim.measures}


@given(data=st.data(), key=claim_keys, num_seeds=st.integers(1, 20))
def test_no_finding_has_a_verdict_that_its_runs_do_not_carry(data, key, num_seeds):
    claim = CLAIMS[key]
    values = drawn_values(data, claim, num_seeds)
    verdict = claim.judge(values, num_seeds)
    kept = {
        measure.name: [measure.is_met(value) for value in values[measure.name] if not math.isnan(value)]
        for measure in claim.conditions
    }
    is_known = {name: len(met) == num_seeds for name, met in kept.items()}
    all_meet = {name for name, met in kept.items() if is_known[name] and all(met)}
    none_meets = {name for name, met in kept.items() if is_known[name] and not any(met)}
    if verdict == "holds":
        assert all_meet == set(kept)
    if claim.is_exact:
        assert (verdict == "fails") == (not all(all(met) for met in kept.values()))
        assert verdict != "depends"
    elif num_seeds < 3:
        assert verdict == "open"
    elif verdict != "open":
        assert (verdict == "fails") == (none_meets == set(kept))
        assert (verdict == "depends") == bool(all_meet and none_meets)
    order = data.draw(st.permutations(range(num_seeds)))
    assert claim.judge({name: [runs[i] for i in order] for name, runs in values.items()}, num_seeds) == verdict


@given(data=st.data(), key=claim_keys, num_seeds=st.integers(1, 20))
def test_a_run_that_loses_its_number_never_makes_a_verdict(data, key, num_seeds):
    claim = CLAIMS[key]
    values = drawn_values(data, claim, num_seeds)
    before = claim.judge(values, num_seeds)
    lost = data.draw(st.sampled_from(claim.conditions)).name
    values[lost][data.draw(st.integers(0, num_seeds - 1))] = math.nan
    assert claim.judge(values, num_seeds) in (before, "open")


@given(data=st.data(), key=claim_keys, num_seeds=st.integers(1, 4))
def test_no_nan_is_printed_and_json_stays_strict(data, key, num_seeds):
    finding = a_finding(key, list(drawn_values(data, CLAIMS[key], num_seeds).values()), num_seeds=num_seeds)
    assert not any("nan" in f"{found.text()} {found.condition()}" for found in findings.measured(finding))
    json.dumps(findings.to_json([finding]), allow_nan=False)


def test_the_time_that_is_left_follows_the_pace_so_far():
    keys = list(CLAIMS)[:3]
    expected = [CLAIMS[key].seconds for key in keys]
    assert findings.seconds_left(keys, [], num_seeds=3) == pytest.approx(sum(expected))
    others = {"verdict": "open", "values": {}, "points": (), "num_seeds": 3}
    done = [
        Finding(claim=keys[0], seconds=2 * expected[0], **others),
        Finding(claim="new_order", seconds=99.0, **others),
    ]
    assert findings.seconds_left(keys, done, num_seeds=3) == pytest.approx(2 * sum(expected[1:]))
    assert findings.seconds_left(keys, [], num_seeds=6) == pytest.approx(2 * sum(expected))


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
        spec = claims_chart.claim_chart(claim, points, theme=charts.Theme(dark=dark)).to_dict()
        text = json.dumps(spec, allow_nan=False)
        assert all(json.dumps(series.title) in text for series in claim.picture.series.values())
        assert json.dumps(claim.picture.x) in text


def test_lines_with_runs_that_diverged_show_the_worst_and_a_cross():
    claim = next(claim for claim in CLAIMS.values() if claim.picture.kind == "lines" and len(claim.picture.series) > 1)
    one, other = list(claim.picture.series)[:2]
    values = {one: [1.0, 2.0, math.nan], other: [3.0, math.inf, math.nan]}
    points = pd.DataFrame(
        [{"series": name, "x": 4.0, "y": y, "seed": seed} for name, ys in values.items() for seed, y in enumerate(ys)]
    )
    tables = claims_chart.claim_chart(claim, points).to_dict()["datasets"]
    line, crosses = tables["bands"], tables["lost"]
    assert [(row["median"], row["low"], row["high"]) for row in line] == [(2.0, 1.0, 3.0)]  # 3 is the top of the chart
    assert [(row["num_diverged"], row["num_seeds"]) for row in crosses] == [(1, 3), (2, 3)]


def test_dots_have_a_stroke_for_the_median_only_where_each_run_has_a_value():
    points = pd.DataFrame(
        {"series": ["engine"] * 3 + ["fit"] * 3, "x": [1e-7, 2e-7, 4e-7, 1e-7, 2e-7, math.nan], "y": 0.0, "seed": 0}
    )
    tables = claims_chart.claim_chart(CLAIMS["double_loop"], points).to_dict()["datasets"]
    assert [row["x"] for row in tables["medians"]] == [2e-7]
    assert len(tables["runs"]) == 5


def test_the_bound_of_a_condition_is_a_line_where_the_condition_says():
    points = pd.DataFrame({"series": ["engine"], "x": [1e-7], "y": [0.0], "seed": [0]})
    assert claims_chart.claim_chart(CLAIMS["double_loop"], points).to_dict()["datasets"]["bound"] == [{"x": 1e-5}]


# Workers and the command line


@pytest.fixture
def quick_experiments(monkeypatch):
    """Experiments at once: one claim that holds, and one whose experiment breaks down."""

    def holds(seeds):
        yield None
        for seed in seeds:
            yield Point(series="reshuffle", x=0.0, seed=seed)
        return {"broken": 0, "correlation": 0.01, "same": 0.0}

    def breaks(seeds):
        yield Point(series="yielded", x=float(seeds[0]))
        raise RuntimeError("no such thing")

    for key, run in (("new_order", holds), ("iterations", breaks)):
        monkeypatch.setitem(CLAIMS, key, replace(CLAIMS[key], run=run))


@pytest.mark.usefixtures("quick_experiments")
def test_a_worker_gives_signs_of_life_then_the_finding_or_why_there_is_none():
    *signs, finding = travelled(try_claim, ClaimPlan(claim="new_order", num_seeds=2))
    assert signs == [SignOfLife(claim="new_order")] * 4  # before the first step, and one for each
    assert finding == Finding(
        claim="new_order",
        verdict="holds",
        values={"broken": (0.0,), "correlation": (0.01,), "same": (0.0,)},
        points=(Point(series="reshuffle", x=0.0, seed=0), Point(series="reshuffle", x=0.0, seed=1)),
        num_seeds=2,
        seconds=finding.seconds,
    )
    failure = Failure(claim="iterations", reason="RuntimeError: no such thing")
    assert list(try_claim(ClaimPlan(claim="iterations", num_seeds=2)))[-1] == failure


@pytest.mark.usefixtures("quick_experiments")
def test_the_command_prints_a_table_and_returns_0_when_all_experiments_ran(capsys):
    assert command_line.main(["claims", "--only", "new_order", "--seeds", "2"]) == 0
    out = capsys.readouterr().out
    assert "| new_order: When all samples are used up" in out
    assert "✓ Epochs that do not contain every sample once: 0 (exactly 0)" in out
    assert out.splitlines()[-1].startswith(
        "holds: 1, does not hold: 0, depends: 0, not judged: 0, could not be tried: 0"
    )


@pytest.mark.usefixtures("quick_experiments")
def test_an_experiment_that_breaks_down_is_told_the_others_go_on_and_the_status_is_1(capsys, tmp_path):
    path = tmp_path / "claims.json"
    assert command_line.main(["claims", "--only", "iterations", "new_order", "--json", str(path)]) == 1
    assert "RuntimeError: no such thing" in capsys.readouterr().out
    failed, held = sorted(json.loads(path.read_text(encoding="utf-8")), key=lambda entry: entry["claim"])
    assert failed == {"claim": "iterations", "failure": "RuntimeError: no such thing"}
    assert held["verdict"] == "holds"


@pytest.mark.usefixtures("quick_experiments")
def test_json_on_the_standard_output_stands_there_alone(capsys):
    assert command_line.main(["claims", "--only", "new_order", "--json", "-"]) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    assert (entry["claim"], entry["verdict"], entry["num_seeds"]) == ("new_order", "holds", NUM_SEEDS)


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
