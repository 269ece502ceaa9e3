"""Contestants as rows: the short form in an address, the names, and the page with rows in its address."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.racing.contestants import OPTIMIZERS, Contestant, configs, rows_of
from sgd_tf.training.optimizer_settings import SCHEDULES
from sgd_tf.training.records import SAMPLINGS, TrainConfig
from tests.lab import LANGUAGES, open_app

SIZES = st.one_of(st.just("all"), st.integers(1, 100_000))
ROWS = st.builds(
    Contestant,
    batch_size=SIZES,
    learning_rate=st.none() | st.sampled_from([0.001, 0.25, 1.5]),
    optimizer=st.sampled_from(list(OPTIMIZERS)),
    schedule=st.sampled_from(SCHEDULES),
    warmup=st.sampled_from([0.0, 0.5, 5.0]),
    decay=st.sampled_from([1.0, 10.0]),
    sampling=st.sampled_from(SAMPLINGS),
    seed=st.integers(0, 2**31 - 1),
    name=st.text(alphabet="ab, 가", max_size=24).map(str.strip),
)


@given(ROWS)
def test_a_row_comes_back_from_its_short_form_and_can_race(row):
    again = Contestant.of(row.text)
    assert again == row or again.name == row.name.rstrip(",")  # a name that ends in a comma loses it
    assert again.config() == row.config()


def test_a_row_says_how_it_trains():
    config = Contestant.of("256,0.5,nesterov,cosine,1,4,buffer,3,mine").config()
    expected = TrainConfig(
        batch_size=256, learning_rate=0.5, momentum=0.9, nesterov=True, schedule="cosine", warmup=1.0, decay_epochs=5.0,
        sampling="buffer", seed=3,
    )  # fmt: skip
    assert config == expected
    assert Contestant.of("32,,adam").config().learning_rate == 0.001


@pytest.mark.parametrize("text", ["0", "x", "32,200", "32,0.1,adm", "32,,,,,0", "32,,,,,,,-1", "32,nan"])
def test_nonsense_in_an_address_is_refused(text):
    with pytest.raises(ValueError):  # noqa: PT011
        Contestant.of(text)


def test_rows_begin_with_the_chosen_contestants_and_have_names_of_their_own():
    chosen = {"GD": TrainConfig(batch_size="all", learning_rate=1.0), "SGD": TrainConfig(learning_rate=0.25, seed=2)}
    rows = rows_of(chosen)
    assert [row.text for row in rows] == ["all,1", "32,0.25,,,,,,2"]
    named = configs([*rows, rows[1], Contestant(optimizer="momentum"), Contestant(batch_size=9999)], 1437)
    assert list(named) == ["GD (k = 1,437)", "k = 32", "k = 32 (2)", "k = 32, β = 0.9", "GD (k = 1,437) (2)"]
    assert named["GD (k = 1,437) (2)"].batch_size == "all"


@pytest.mark.parametrize("code", LANGUAGES)
def test_rows_of_an_address_race(cluster, code):
    app = open_app(code, rows="1", row=["256,0.003,adam", "all,1,,cosine,1,20,,,mine"])
    assert not app.warning
    (button,) = [each for each in app.button if each.key == "race_run"]
    button.click().run()
    (job,) = cluster.jobs
    (plan,) = job.arguments
    assert list(plan.configs) == ["k = 256, Adam", "mine"]
    assert plan.configs["mine"].decay_epochs == 21
