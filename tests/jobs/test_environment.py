"""Claims about the environment variables: what is not allowed is named at the start, with what is allowed."""

import dask.config
import pytest

from sgd_tf.jobs import settings

GB = 10**9


def read(num_cores=8, memory=16 * GB, **environment):
    return settings.from_environment(environment, num_cores=num_cores, memory=memory)


def test_without_variables_there_is_a_worker_for_two_cores_and_memory_for_each():
    assert read() == settings.Settings(scheduler=None, num_workers=4, worker_memory=int(0.7 * 16 * GB / 4))
    assert read(num_cores=1).num_workers == 1
    assert read(memory=400 * GB).worker_memory == 6 * GB
    assert read(num_cores=64, memory=8 * GB).num_workers == 4  # .7 · 8 GB hold four with TensorFlow
    assert read(memory=1 * GB).num_workers == 1


def test_what_is_allowed_is_taken_and_an_empty_variable_is_none():
    assert read(SGD_TF_WORKERS="9").num_workers == 9
    assert read(SGD_TF_WORKER_MEMORY="4GB", SGD_TF_WORKERS="").worker_memory == 4 * GB
    assert read(SGD_TF_WORKER_MEMORY="2 GiB").worker_memory == 2**31
    assert read(SGD_TF_SCHEDULER="tcp://host-1.local:8786").scheduler == "tcp://host-1.local:8786"
    assert read(SGD_TF_SCHEDULER="tcp://[::1]:8786").scheduler == "tcp://[::1]:8786"
    assert read(SGD_TF_SCHEDULER="").scheduler is None


@pytest.mark.parametrize("text", ["two", "0", "-1", "2.5", "nan", "9" * 5_000, "10"])
def test_a_number_of_workers_that_is_none_or_does_not_fit_into_memory_is_refused(text):
    with pytest.raises(
        ValueError, match=r"^`SGD_TF_WORKERS` must be a whole number in \[1, 9\].*; received '"
    ) as error:
        read(SGD_TF_WORKERS=text)  # .7 · 16 GB hold nine of 1.2 GB
    assert text in str(error.value)


@pytest.mark.parametrize("text", ["abc", "1GB", "0", "-4GB", "nan", "inf", "4 apples"])
def test_a_memory_limit_below_what_tensorflow_takes_is_refused(text):
    allowed = r'^`SGD_TF_WORKER_MEMORY` must be an amount of memory such as "4GB", at least 1\.2GB'
    with pytest.raises(ValueError, match=f"{allowed}.*; received '{text}'"):
        read(SGD_TF_WORKER_MEMORY=text)


@pytest.mark.parametrize("address", ["10.0.0.5", "http://10.0.0.5:8786", "tcp://10.0.0.5", "tcp://:8786", "localhost"])
def test_a_scheduler_without_protocol_or_port_is_refused(address):
    with pytest.raises(ValueError, match=r"^`SGD_TF_SCHEDULER` must be an address such as .*; received '") as error:
        read(SGD_TF_SCHEDULER=address)
    assert address in str(error.value)


def test_a_scheduler_by_tls_without_a_key_is_refused(tmp_path):
    with pytest.raises(ValueError, match="DASK_DISTRIBUTED__COMM__TLS__CA_FILE"):
        read(SGD_TF_SCHEDULER="tls://10.0.0.5:8786")
    missing = str(tmp_path / "cert.pem")
    files = {"distributed.comm.tls.ca-file": missing, "distributed.comm.tls.client.cert": missing}
    with dask.config.set(files), pytest.raises(ValueError, match=r"No such file"):
        read(SGD_TF_SCHEDULER="tls://10.0.0.5:8786")
