"""The verdicts on several devices are true for every run that the page can make: whole, stopped, diverged, one lost."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sgd_tf.devices import controls, verdict, wording
from sgd_tf.devices.rows import DevicesPlan, Difference, Ended, MachinesPlan, Missing, ParallelPlan, Update
from sgd_tf.devices.verdict import Diverged, LostVerdict, ParallelVerdict, Unfinished
from sgd_tf.ui.numbers import difference_text
from tests.lab import sentences, standing

RUN = ParallelPlan(num_updates=controls.NUM_UPDATES)
SECONDS, DIFFERENCES = st.floats(1e-4, 5.0), st.sampled_from([0.0, 2e-7, 9.9e-7, 3e-5, 0.02, 1.7])


def updates(replicas, seconds, num=RUN.num_updates):
    """Updates that take so long, after the first two, which compile."""
    return [
        Update(replicas=replicas, seed=0, update=n, seconds=seconds if n > 2 else 9.0, loss=1.0, device="CPU")
        for n in range(1, num + 1)
    ]


@st.composite
def device_runs(draw):
    plan = DevicesPlan(run=RUN, largest=int(draw(st.sampled_from(controls.LARGEST.options))))
    times = {count: draw(SECONDS) for count in plan.device_counts}
    differences = DIFFERENCES | st.just(math.nan) if draw(st.booleans()) else DIFFERENCES
    found = []
    for count, seconds in times.items():
        found += [*updates(count, seconds), Difference(replicas=count, difference=draw(differences))]
    share = draw(st.just(1.0) | st.floats(0.01, 1.0))
    return plan, times, found[: max(1, math.ceil(share * len(found)))]


@given(device_runs())
def test_the_verdict_on_devices_is_that_of_the_runs_that_came_to_their_end(run):
    plan, times, found = run
    says = verdict.devices(plan, found)
    texts = sentences(lambda: wording.devices(says))
    differences = {row.replicas: row.difference for row in found if isinstance(row, Difference)}
    if any(math.isnan(value) for value in differences.values()):
        assert says == Diverged()
    elif len(differences) < 2:
        assert says == Unfinished()
    else:
        largest, last = max(differences.values()), max(differences)
        assert (says.replicas, says.difference) == (last, largest)
        assert says.answer == ("same" if largest <= 1e-6 else "other")
        assert says.ratio == pytest.approx(times[last] / times[1])
        assert all(difference_text(largest) in text for text in texts)


@pytest.mark.parametrize(
    ("ratio", "speed", "words"),
    [(0.5, "faster", "0.5 times as long"), (1.1, "same", "about as long"), (2.5, "slower", "2.5 times as long")],
)
def test_the_times_are_compared_with_those_of_one_device(ratio, speed, words):
    plan = DevicesPlan(run=RUN, largest=2)
    found = [*updates(1, 0.2), *updates(2, 0.2 * ratio)]
    found += [Difference(replicas=r, difference=6e-8) for r in (1, 2)]
    says = verdict.devices(plan, found)
    assert says.speed == speed
    assert words in sentences(lambda: wording.devices(says))[1]


@given(seconds=SECONDS, difference=DIFFERENCES | st.just(math.inf), num=st.integers(0, RUN.num_updates))
def test_the_verdict_on_processes_compares_the_weights_at_the_end(seconds, difference, num):
    plan = MachinesPlan(run=RUN, num_workers=2, lose_after=None)
    found = updates(2, seconds, num)
    if num == RUN.num_updates:
        found.append(Difference(replicas=2, difference=difference))
    says = verdict.machines(plan, found)
    texts = sentences(lambda: wording.machines(says))
    if num < RUN.num_updates:
        assert says == Unfinished()
    elif math.isinf(difference):
        assert says == Diverged()
    else:
        assert isinstance(says, ParallelVerdict)
        assert says.seconds == pytest.approx(np.median([row.seconds for row in found[2:-1]]))
        assert all(difference_text(difference) in text for text in texts)


@given(seconds=st.floats(0.0, 30.0), process=st.sampled_from([1, 2]))
def test_a_process_that_was_killed_is_a_result(seconds, process):
    plan = MachinesPlan(run=RUN, num_workers=3, lose_after=controls.LOSE_AFTER)
    says = verdict.machines(plan, [*updates(3, 0.1, 5), Ended(worker=process, seconds=seconds)])
    assert says == LostVerdict(process=process + 1, after=controls.LOSE_AFTER, seconds=seconds)
    assert all(str(process + 1) in text for text in sentences(lambda: wording.machines(says)))


@pytest.mark.sentences
@pytest.mark.parametrize(("is_silent", "said"), [(True, "busy"), (False, "unexpectedly")])
def test_a_process_that_is_missing_is_said_in_a_sentence(is_silent, said):
    lost = Missing(worker=0, is_silent=is_silent)
    run = ParallelPlan(problem="flights", batch_size=4_096)
    for says, say in (
        (verdict.devices(DevicesPlan(run=run, largest=8), [*updates(1, 0.1, 30), lost]), wording.devices),
        (verdict.machines(MachinesPlan(run=run, num_workers=2, lose_after=None), [lost]), wording.machines),
    ):
        assert says == verdict.MissingVerdict(process=1, is_silent=is_silent)
        korean, english = sentences(lambda: say(says))  # noqa: B023
        assert said in english
        assert "1" in korean


def test_the_parts_of_each_minibatch_differ_by_one_sample_at_most():
    from sgd_tf.devices.replicas import split

    standing("pages/lab/data_parallel.py", "devices_notice", "the parts differ by one sample at most")
    for k in map(int, controls.SIZES):
        for count in (1, 2, 4, 8):
            sizes = [part.stop - part.start for part in split(k, count)]
            assert sum(sizes) == k
            assert max(sizes) - min(sizes) <= 1
