"""Sentences that stand on the page on gradient noise, each against a run of the page's default settings."""

import math

import numpy as np
import pytest

from sgd_tf.noise import controls, noise_law, rows, verdict
from sgd_tf.noise.rows import EdgePlan, EscapePlan, LawPlan, Path, PathPlan
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.records import ModelConfig
from tests.lab import standing

pytestmark = pytest.mark.sentences
PAGE = "pages/learn/gradient_noise.py"
K = int(controls.BATCH_SIZE.default)
MLP = ModelConfig(kind="mlp", widths=(32,))


# Paths


@pytest.fixture(scope="module")
def line(path_rows):
    samples, *paths = path_rows
    x, y = np.array(samples.x), np.array(samples.y)
    best = np.linalg.lstsq(np.column_stack([x, np.ones_like(x)]), y, rcond=None)[0]
    return x, y, np.array(samples.order), best, {row.batch_size: row for row in paths}


def at(line, path, update, k=K):
    x, y, order, _best, _paths = line
    each = noise_law.line_gradients(x, y, path.w[update], path.b[update])
    return verdict.path(each, *noise_law.minibatch_means(each, noise_law.cut_order(order, k)), k)


def test_the_mean_of_the_minibatch_steps_is_the_step_of_gradient_descent(line):
    standing(PAGE, "path: notice", "lies on the thick arrow, the step of GD")
    standing(PAGE, "path: notice", "one epoch leads exactly as far as one step of GD")
    for k, path in line[-1].items():
        for update in (0, 4, 60):
            assert at(line, path, update, k).residual < 1e-12


def test_the_cloud_shrinks_with_k(line):
    standing(PAGE, "path: notice", "the cloud shrinks to one arrow")
    distances = [at(line, line[-1][K], 4, k).expected for k in PathPlan.batch_sizes]
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] == 0


def test_near_the_minimum_the_noise_takes_over_on_both_paths(line):
    standing(PAGE, "path: notice", "Near the minimum the noise takes over.")
    standing(PAGE, "path: notice", "The full gradient has shrunk more than the noise.")
    for path in (line[-1][K], line[-1][PathPlan.num_examples]):
        assert at(line, path, 0).noise_ratio < 1 < at(line, path, 60).noise_ratio


def hovering(path, best):
    """Root mean square distance from the minimum over the last 20 updates."""
    points = np.column_stack([path.w, path.b])[-20:]
    return math.sqrt(np.square(points - best).sum(axis=1).mean())


def test_a_larger_k_or_a_smaller_rate_stays_closer(line):
    standing(PAGE, "path: notice", "With a larger k or a smaller learning rate it stays closer.")
    *_rest, best, paths = line
    assert hovering(paths[K], best) > hovering(paths[64], best) > hovering(paths[128], best)
    small, usual, large = (
        [
            row
            for row in rows.weight_paths(PathPlan(learning_rate=float(rate), batch_sizes=(K,)))
            if isinstance(row, Path)
        ]
        for rate in controls.RATE.options
    )
    assert hovering(small[0], best) < hovering(usual[0], best) < hovering(large[0], best)


def test_all_paths_lie_on_the_axes(path_rows):
    from sgd_tf.noise.path_view import B_DOMAIN, W_DOMAIN

    for plan in (PathPlan(), PathPlan(learning_rate=max(map(float, controls.RATE.options)))):
        paths = path_rows if plan == PathPlan() else rows.weight_paths(plan)
        for path in paths:
            if isinstance(path, Path):
                assert W_DOMAIN[0] < min(path.w) <= max(path.w) < W_DOMAIN[1]
                assert B_DOMAIN[0] < min(path.b) <= max(path.b) < B_DOMAIN[1]


# Noise against k


def test_training_shortens_the_gradient_and_raises_the_noise_scale():
    standing(PAGE, "law: notice", "Choose “After 20 epochs”: the gradient has become shorter, and B larger.")
    from sgd_tf.noise.gradient_noise import exact_noise
    from sgd_tf.noise.gradients import trained
    from sgd_tf.problems import load
    from sgd_tf.training.records import TrainConfig
    from sgd_tf.training.tuned_rates import tuned_learning_rate

    problem = load(controls.LAW_PROBLEM.default)
    config = TrainConfig(batch_size=32, learning_rate=tuned_learning_rate("digits", "mlp", 32))
    noises = [exact_noise(trained(problem, config, MLP, num_epochs=num_epochs)[0]) for num_epochs in (0, 20)]
    assert noises[0].signal > noises[1].signal
    assert noises[0].noise_scale < noises[1].noise_scale


def test_four_times_the_samples_halve_the_length_of_the_noise():
    standing(PAGE, "law: notice", "Four times as many samples about halve it.")
    law = noise_law.variance_law(1.0, np.array([8, 32]), 1_437)
    assert math.sqrt(law[0] / law[1]) == pytest.approx(2, rel=0.01)


def test_the_measurement_names_its_own_numbers():
    standing(PAGE, "law: notice", "at most 2,048 samples (512 with a CNN)")
    assert controls.MAX_SAMPLES == {"linear": 2_048, "mlp": 2_048, "cnn": 512}
    standing(PAGE, "law: notice", "The weights after 5 and 20 epochs come from SGD with k = 32.")
    plan = LawPlan(problem="digits", num_examples=1_437, model=MLP, num_epochs=5, learning_rate=0.1, seed=0)
    assert plan.training_size == 32


# Escape


def test_noise_leads_out_too_little_does_not_and_too_much_does_not_let_a_run_stay(escape_rows):
    standing(PAGE, "escape: notice", "GD never leaves.")
    standing(PAGE, "escape: notice", "Too little noise cannot push a run over the ridge.")
    standing(PAGE, "escape: notice", "Too much noise does not let it stay in the deeper valley.")
    shares = {row.batch_size: row.share for row in escape_rows}
    assert shares[512] == shares[128] == shares[64] == 0
    assert shares[1] < shares[8] > 0.8
    assert verdict.escape(escape_rows, 9).answer == "between"


def test_the_strongest_noise_throws_runs_out(escape_rows):
    standing(PAGE, "escape: notice", "The strongest noise throws some runs out of both valleys")
    assert [row.batch_size for row in escape_rows if row.num_diverged] == [1]
    (wild,) = rows.count_escapes(EscapePlan(spread=controls.SPREAD.high, batch_sizes=(1,)))
    assert wild.num_diverged > 30


# The largest stable rate


def test_on_a_quadratic_five_per_cent_above_the_limit_are_enough(edge_run):
    standing(
        PAGE, "edge: notice", "the loss first falls in the other directions, then the direction of λmax takes over"
    )
    standing(PAGE, "edge: notice", "There a learning rate 5% above the limit is enough.")
    standing(PAGE, "edge: notice", "follows the formula up to rounding")
    says = verdict.edge(*edge_run)
    assert says.is_quadratic
    assert says.just_above.losses[0] > min(says.just_above.losses)
    assert says.answer == "up"
    assert [run.course for run in says.runs] == ["down", "down", "up", "up"]
    for run in says.runs:
        assert run.ratio == pytest.approx(run.formula, abs=1e-5)


def test_a_network_escapes_the_limit():
    standing(PAGE, "edge: notice", "at 1.5 × 2/λmax the loss first rises, then the run reaches a flatter region")
    problem = controls.EDGE_PROBLEM.default
    plan = EdgePlan(problem=problem, num_examples=CATALOGUE[problem].num_examples, model=MLP, seed=0, factors=(1.5,))
    (run,) = verdict.edge(plan, list(rows.descend_around_the_limit(plan))).runs
    assert run.course == "bump"
    assert max(run.losses) > 2 * run.losses[0]
    assert run.limit > run.learning_rate


def test_on_breast_cancer_the_loss_may_not_even_rise(cancer_run):
    standing(PAGE, "edge: notice", "With “Breast cancer” it may not even rise.")
    assert {run.course for run in verdict.edge(*cancer_run).runs} == {"down"}


def test_the_search_for_the_curvature_takes_about_twenty_products(edge_run):
    standing(PAGE, "edge: notice", "about twenty times")
    assert 10 <= edge_run[1][0].num_products <= 30
