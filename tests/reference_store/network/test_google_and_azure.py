"""Documents and bars in buckets of Google (the suite's own server, XML) and of Azure (Azurite, where it is there)."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

pytest.importorskip("obstore", reason="obstore is not installed: pip install '.[cloud]'")

from reference_store.bucket import BucketDocumentStore
from tests.reference_store import azurite


@pytest.fixture
def google(bucket):
    url = bucket[1]["aws_endpoint"]  # in a process of its own: deltalake keeps the interpreter while it waits
    account = {"gcs_base_url": url, "disable_oauth": True, "client_email": "", "private_key": ""}
    key = json.dumps({**account, "private_key_id": ""})
    return "gs://market", {"google_service_account_key": key, "allow_http": "true"}


@pytest.fixture
def azure(tmp_path):
    with azurite.served(tmp_path / "azurite") as place:
        azurite.made_container(place, "market")
        account = {"azure_storage_account_name": azurite.ACCOUNT, "azure_storage_account_key": azurite.KEY}
        yield "az://market", {**account, "azure_storage_endpoint": place, "azure_allow_http": "true"}


CLOUDS = pytest.mark.parametrize("cloud", ["google", "azure"])


@CLOUDS
def test_updates_of_several_writers_are_all_there(request, cloud):
    url, options = request.getfixturevalue(cloud)

    def add(_):
        with BucketDocumentStore(f"{url}/state", storage_options=options) as store:
            for _time in range(4):
                store.update("k", lambda found: {"n": (found or {"n": 0})["n"] + 1})

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(add, range(3)))
    with BucketDocumentStore(f"{url}/state", storage_options=options) as store:
        assert store.get("k") == {"n": 12}
        assert store.keys() == ["k"]
        assert store.delete("k") is True
        assert store.get("k") is None


@pytest.mark.proof
@CLOUDS
def test_writers_that_merge_into_one_day_lose_and_double_nothing(request, cloud):
    pytest.importorskip("deltalake", reason="deltalake is not installed: pip install '.[lake]'")
    from tests.reference_store.network.test_lake import writers

    url, options = request.getfixturevalue(cloud)
    writers(f"{url}/bars", options, 2, 3, timedelta(minutes=5), threading.Thread, threading.Event())
