"""A table of one's own reaches each worker once, also a new one, and is gone when nobody has it any longer."""

import gc
import pickle

import psutil
import pytest

from sgd_tf import jobs, problems
from sgd_tf.children import Children
from sgd_tf.jobs import attempt
from sgd_tf.problems import CATALOGUE, given
from sgd_tf.racing.scripts import race_script
from sgd_tf.training import tuned_rates
from sgd_tf.training.records import ModelConfig, RacePlan, TrainConfig
from tests import child_functions, job_functions
from tests.jobs.waiting import ended, eventually
from tests.own.conftest import given_of, spreadsheet


def test_a_given_problem_is_found_by_its_name_as_long_as_somebody_holds_it():
    own = given_of(spreadsheet())
    name = own.info.name
    with pytest.raises(ValueError, match="`name` must be one of"):
        problems.load(name)
    held = given.give(own)
    assert held is own
    assert given.give(pickle.loads(pickle.dumps(own))) is own  # one for all who have the same
    problem = problems.load(name)
    assert (problem.name, problem.num_examples) == (name, CATALOGUE[name].num_examples)
    assert problems.load(name, num_examples=20).num_examples == 20
    with pytest.raises(ValueError, match="`num_examples` must be"):
        problems.load(name, num_examples=2_000)
    assert name not in list(CATALOGUE)
    del own, held
    gc.collect()
    assert given.find(name) is None
    with pytest.raises(KeyError):
        _ = CATALOGUE[name]


def test_the_name_is_that_of_the_content_and_the_choices_and_holds_neither(own):
    assert own.info.name == pickle.loads(pickle.dumps(own)).info.name
    assert len(own.info.name) == len(given.PREFIX) + 20
    assert "서울" not in repr(own.build)
    assert "가격" not in str(own.info)


def test_rates_and_target_of_an_own_table_follow_the_rules(own):
    held = given.give(own)
    name, info = held.info.name, held.info
    expected = 0.2 / (info.largest_eigenvalue + (info.num_features + 1) / 8)
    assert tuned_rates.tuned_learning_rate(name, "mlp", 8) == pytest.approx(expected, rel=0.05)  # two digits
    assert not tuned_rates.is_searched(name, ModelConfig(), 8, info.num_examples)
    assert tuned_rates.target_loss(name, "linear") == info.target_loss == pytest.approx(0.1, abs=0.01)


def test_plans_that_name_it_are_found_and_its_script_reads_a_file(own):
    held = given.give(own)
    plan = RacePlan(problem=held.info.name, configs={"GD": TrainConfig(batch_size="all")})
    assert given.named_in((plan, 3)) == [held]
    assert given.own_names_in(plan) == {held.info.name}
    script = race_script(plan)
    compile(script, "race.py", "exec")
    assert "sgd_tf.Problem.from_csv(\"your_table.csv\", target='가격(만원)')" in script


def test_a_child_process_is_given_what_its_request_names(own):
    held = given.give(own)
    with Children(child_functions.answer, [held.info.name]) as children:
        rows = [row.number for index, row in children.rows(start_patience=60, patience=60) if index >= 0]
    assert rows[0] == held.info.num_examples


def test_a_worker_gets_it_once_a_new_worker_again_and_it_is_gone_with_its_owner(monkeypatch):
    own = given_of(spreadsheet())
    sent = []
    monkeypatch.setattr(attempt, "dumps", lambda problem, dumps=attempt.dumps: sent.append(problem) or dumps(problem))
    cluster = jobs.Cluster(num_workers=1, memory_limit="2GB", stop_grace=1.0)
    try:
        name, size = given.give(own).info.name, own.info.num_examples
        rows = [ended(cluster.submit(job_functions.num_examples, name, learner=f"{i}"), 60.0).rows for i in range(3)]
        assert [row.i for (row,) in rows] == [size] * 3
        assert len(sent) == 1
        psutil.Process(rows[0][0].process).kill()
        eventually(lambda: cluster.num_workers == 0)
        (row,) = ended(cluster.submit(job_functions.num_examples, name, learner="kim"), 60.0).rows
        assert (row.i, len(sent)) == (size, 2)
        assert row.process != rows[0][0].process
        sent.clear()
        del own
        gc.collect()
        tick = iter(range(100))
        eventually(lambda: ended(cluster.submit(job_functions.num_given, next(tick), learner="lee")).rows[0].i == 0)
    finally:
        cluster.close()
