"""Claims about clusters: who may speak to them, what happens when they die, and that nothing is left behind."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from pathlib import Path

import dask.config
import psutil
import pytest
from distributed import Security

import sgd_tf
from sgd_tf import jobs
from tests import job_functions
from tests.jobs.waiting import MEMORY_LIMIT, ended, eventually, is_gone


@pytest.fixture
def not_connected(monkeypatch):
    """A process that has not asked for its cluster yet."""
    monkeypatch.setattr("sgd_tf.jobs.cluster._cluster", None)


def ports(cluster):
    """What the process of the embedded cluster and its workers listen at, as (address, port)."""
    process = psutil.Process(cluster._connection._embedded.process.pid)
    return [
        connection.laddr
        for each in (process, *process.children(recursive=True))
        for connection in each.net_connections()
        if connection.status == psutil.CONN_LISTEN
    ]


def test_the_workers_listen_to_this_machine_alone(cluster):
    assert {address for address, _port in ports(cluster)} == {"127.0.0.1"}


def speak(address, credentials=None):
    """What comes back from a port for a request, in plain text or by TLS; at most its first bytes."""
    try:
        plain = socket.create_connection(address, timeout=20.0)
        with credentials.wrap_socket(plain) if credentials else plain as connection:
            connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return connection.recv(100)
    except (ssl.SSLError, ConnectionError):
        return b""


def test_who_has_no_credentials_gets_no_answer_from_the_scheduler_and_the_workers(cluster):
    own, strangers = (
        security.get_connection_args("client")["ssl_context"]
        for security in (cluster._connection._embedded.credentials, Security.temporary())
    )
    strangers.verify_mode = ssl.CERT_NONE  # he does not mind whom he speaks to
    num_closed = 0
    for address in ports(cluster):
        plain = speak(address)
        if not plain.startswith(b"HTTP/1.1 404"):  # Dask's HTTP servers, which have no pages here
            assert len(plain) < 10  # an alert of TLS, not Dask's greeting
            assert speak(address, strangers) == b""
            assert speak(address, own) != b""
            num_closed += 1
    assert num_closed == 5  # the scheduler, two workers and their nannies


def test_after_the_death_of_the_cluster_another_starts_by_itself_and_nothing_is_lost_or_left(cluster, tmp_path):
    gate = tmp_path / "gate"
    running = cluster.submit(job_functions.until, str(gate), learner="kim")
    hanging = cluster.submit(job_functions.hang_in_c, learner="lee")
    hung = psutil.Process(eventually(lambda: hanging.rows)[0].process)
    eventually(lambda: running.num_rows)
    waiting = cluster.submit(job_functions.count, 1, learner="kim")
    dead = cluster._connection._embedded
    dead.process.kill()
    eventually(lambda: cluster._connection._embedded not in (None, dead))
    assert [job.status for job in (running, hanging, waiting)] == ["waiting"] * 3
    assert cluster.status == "starting"
    hanging.stop()
    eventually(lambda: is_gone(hung))  # though it held its interpreter, and could not notice
    assert not Path(dead.directory).exists()
    gate.touch()
    assert [ended(job).status for job in (running, hanging, waiting)] == ["done", "stopped", "done"]
    assert [job.attempt for job in (running, hanging, waiting)] == [2, 1, 1]
    assert cluster.failure is None


def test_a_cluster_that_can_not_start_says_why_and_jobs_wait_until_it_can(monkeypatch, tmp_path):
    monkeypatch.setattr("sgd_tf.jobs.connection.RETRY_SECONDS", 0.01)
    (tmp_path / "dask.py").write_text("raise SystemExit(3)")
    with monkeypatch.context() as broken:
        broken.syspath_prepend(tmp_path)
        with contextlib.closing(jobs.Cluster(num_workers=1, memory_limit=MEMORY_LIMIT)) as cluster:
            job = cluster.submit(job_functions.count, 1, learner="kim")
            eventually(lambda: cluster.status == "failed")
            assert cluster.failure.kind == "no cluster"
            assert "exit status 3" in cluster.failure.detail
            assert job.status == "waiting"
            (tmp_path / "dask.py").unlink()
            assert ended(job).status == "done"
            assert cluster.failure is None


@pytest.mark.usefixtures("not_connected")
def test_jobs_of_a_closed_cluster_are_stopped_and_more_are_refused(monkeypatch):
    monkeypatch.setenv("SGD_TF_WORKERS", "1")
    monkeypatch.delenv("SGD_TF_SCHEDULER", raising=False)
    cluster = jobs.connect()
    assert jobs.connect() is cluster
    assert cluster.status == "starting"
    job = cluster.submit(job_functions.count, 1, learner="kim")
    cluster.close()  # in the middle of its start
    assert job.status == "stopped"
    with pytest.raises(RuntimeError, match="closed"):
        cluster.submit(job_functions.count, 1, learner="kim")
    cluster.close()


@contextlib.contextmanager
def outside_cluster(folder):
    """A cluster that another has started: its process, its address, and Dask's own variables set for it."""
    command = [sys.executable, "-m", "sgd_tf.jobs.local_cluster", "--workers", "1"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment) as process:
        announcement = json.loads(process.stdout.readline())
        for name, text in announcement["credentials"].items():
            (folder / name).write_text(text)
        variables = {
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(folder / "tls_ca_file"),
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": str(folder / "tls_client_cert"),
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": str(folder / "tls_client_key"),
        }
        tls = dask.config.collect_env(variables)["distributed"]["comm"]["tls"]  # what Dask does at its import
        with dask.config.set({"distributed.comm.tls": dask.config.merge(dask.config.get("distributed.comm.tls"), tls)}):
            yield process, announcement["address"]


@pytest.mark.usefixtures("not_connected")
def test_an_outside_cluster_is_used_by_its_address_and_is_not_ended(monkeypatch, tmp_path):
    with outside_cluster(tmp_path) as (outside, address):
        monkeypatch.setenv("SGD_TF_SCHEDULER", address)
        cluster = jobs.connect()
        first = ended(cluster.submit(job_functions.count, 3, learner="kim"))
        assert first.num_rows == 3
        assert psutil.Process(first.rows[0].process).ppid() == outside.pid
        cluster.close()
        assert outside.poll() is None


def dask_process(what, *arguments, imports=sys.path):
    """`dask scheduler` or `dask worker` as another starts it; each goes on until it is killed."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "dask", what, *arguments, "--host=127.0.0.1", "--no-dashboard"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(imports)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_what_an_outside_cluster_lacks_is_named_and_jobs_wait_until_it_is_there(monkeypatch, tmp_path):
    monkeypatch.setattr("sgd_tf.jobs.attempt.ANSWER_SECONDS", 2.0)
    monkeypatch.setattr("sgd_tf.jobs.connection.WORKERS_SECONDS", 0.2)
    monkeypatch.setattr("sgd_tf.jobs.connection.RETRY_SECONDS", 0.01)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    (tmp_path / "sgd_tf.py").write_text("__version__ = '0.0.7'")
    worker = ("worker", address, "--nthreads=1", f"--local-directory={tmp_path}")
    cluster = jobs.Cluster(address=address)
    with contextlib.ExitStack() as stack:
        stack.callback(cluster.close)

        def start(*arguments, imports=sys.path):
            process = stack.enter_context(dask_process(*arguments, imports=imports))
            stack.callback(process.kill)
            return process

        def eventually_lacks(kind, detail):
            eventually(lambda: cluster.failure and cluster.failure.kind == kind, timeout=60.0)
            assert re.fullmatch(detail, cluster.failure.detail)
            assert job.status == "waiting"

        job = cluster.submit(job_functions.until, str(tmp_path / "gate"), learner="kim")
        eventually_lacks("no scheduler", address)
        scheduler = start("scheduler", f"--port={port}")
        eventually_lacks("no workers", address)
        misfit = start(*worker, "--no-nanny", imports=[str(tmp_path), *sys.path])
        eventually_lacks("other package", rf"tcp://127\.0\.0\.1:\d+: sgd_tf 0\.0\.7, not {sgd_tf.__version__}")
        misfit.kill()
        start(*worker)
        eventually(lambda: job.num_rows, timeout=60.0)
        assert cluster.failure is None
        scheduler.kill()
        eventually_lacks("no scheduler", address)
        start("scheduler", f"--port={port}")
        start(*worker)
        (tmp_path / "gate").touch()
        assert ended(job, timeout=60.0).status == "done"
        assert job.attempt == 2


DRIVER = """
import json, signal, sys, psutil
from sgd_tf import jobs
from sgd_tf.jobs.fair_queue import FairQueue
from tests import job_functions

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # as the server: what it inherits may ignore Ctrl-C
    cluster = jobs.connect()
    job = cluster.submit(job_functions.hang_in_c, learner="kim")
    while not job.num_rows:
        job.wait(0.01)
    try:
        print(json.dumps([child.pid for child in psutil.Process().children(recursive=True)]), flush=True)
        job.wait()
    except KeyboardInterrupt:
        pass
"""


@pytest.mark.parametrize("name", ["SIGTERM", "SIGKILL", "SIGINT"])
def test_no_process_and_no_word_is_left_when_the_server_ends(name, tmp_path):
    script = tmp_path / "driver.py"
    script.write_text(DRIVER)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "SGD_TF_WORKERS": "1"}
    environment.pop("SGD_TF_SCHEDULER", None)
    errors = Path(tmp_path / "errors")
    in_the_background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]  # a shell has its background jobs ignore Ctrl-C
    with (
        errors.open("w") as stderr,
        subprocess.Popen(
            [*in_the_background, sys.executable, str(script)], stdout=subprocess.PIPE, stderr=stderr, env=environment
        ) as driver,
    ):
        children = [psutil.Process(pid) for pid in json.loads(driver.stdout.readline())]
        assert len(children) >= 2  # the scheduler's process, the worker's
        driver.send_signal(getattr(signal, name))
        eventually(lambda: driver.poll() is not None and all(map(is_gone, children)), timeout=5.0)
    assert errors.read_text() == ""
