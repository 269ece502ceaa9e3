"""Sentences that stand on the page on memory, each against the prediction of the page's default settings.

Those that need a measurement are held in `test_memory.py`, where one measurement serves all.
"""

import pytest

from sgd_tf.memory import controls, predict
from sgd_tf.problems import CATALOGUE
from sgd_tf.training.records import TrainConfig
from tests.lab import standing

pytestmark = pytest.mark.sentences
PAGE = "pages/lab/memory.py"


@pytest.fixture(scope="module")
def memory():
    """Predicted bytes of the default problem and model, by k."""
    info, model = CATALOGUE[controls.PROBLEM.default], controls.MODELS[controls.MODEL.default]
    layers = predict.layers_for(info, model)
    sizes = [int(size) for size in controls.SIZES if size != "all"]
    return {
        k: predict.predict(
            layers, TrainConfig(batch_size=k), num_examples=info.num_examples, num_features=info.num_features
        )
        for k in sizes
    }


def test_parameters_and_gradients_are_level_and_the_rest_grows_in_proportion_to_k(memory):
    standing(PAGE, "wall_notice", "Parameters and gradients take the same memory for every k")
    standing(PAGE, "wall_notice", "The minibatch and the activations grow in proportion to k")
    assert len({(each.parameters, each.gradients) for each in memory.values()}) == 1
    assert len({(each.batch / k, each.activations / k) for k, each in memory.items()}) == 1


def test_with_the_default_k_the_activations_fill_memory_and_not_the_data(memory):
    standing(PAGE, "wall_notice", "The activations fill memory, not the data")
    standing(PAGE, "wall_notice", "from some k on they are almost all")
    chosen = memory[int(controls.BATCH_SIZE.default)]
    assert chosen.activations > 0.9 * chosen.total
    assert chosen.batch < 0.1 * chosen.total


def test_the_default_update_is_above_the_default_limit(memory):
    standing(PAGE, "question", "stops its process if it goes over the limit")
    limit = int(controls.LIMIT.default) * predict.MEGABYTE
    assert memory[int(controls.BATCH_SIZE.default)].total > limit
