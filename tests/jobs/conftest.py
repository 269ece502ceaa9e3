"""Real workers, which the tests of a file share."""

import pytest

from sgd_tf import jobs
from sgd_tf.jobs.fair_queue import FairQueue
from tests import job_functions
from tests.jobs.waiting import MEMORY_LIMIT, ended, eventually


@pytest.fixture(scope="module")
def shared_cluster():
    cluster = jobs.Cluster(num_workers=2, memory_limit=MEMORY_LIMIT, stop_grace=1.0)
    yield cluster
    cluster.close()


@pytest.fixture
def cluster(shared_cluster):
    """Two workers, both free, and learners that had no turn yet."""
    eventually(lambda: shared_cluster.num_workers == 2 and not shared_cluster._table.running)
    shared_cluster._table.queue = FairQueue()
    return shared_cluster


@pytest.fixture
def gate(cluster, tmp_path):
    """Two jobs that hold both workers until the returned path is touched."""
    path = tmp_path / "gate"
    holders = [cluster.submit(job_functions.until, str(path), learner=f"holder {i}") for i in range(2)]
    eventually(lambda: all(holder.num_rows for holder in holders))
    yield path
    path.touch()
    for holder in holders:
        ended(holder)
