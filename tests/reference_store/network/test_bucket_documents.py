"""Documents in a bucket: nothing is lost between writers, and nothing is doubled when answers are lost."""

import asyncio
import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest

pytest.importorskip("obstore", reason="obstore is not installed: pip install '.[cloud]'")

from reference_store.bucket import AsyncBucketDocumentStore, BucketDocumentStore
from reference_store.errors import CorruptData, InvalidRecord, StorageFailure, StoreClosed, VersionConflict
from tests.reference_store.network.buckets_on_loopback import options_for

URL = "s3://market/state"


@pytest.fixture
def store(bucket_server):
    return BucketDocumentStore(URL, storage_options=options_for(bucket_server.url), retry_for=20)


def count(found):
    return {"n": (found or {"n": 0})["n"] + 1}


def test_what_was_put_is_what_is_got(store):
    store.put("BTC/USDT", {"z": [1.0, None], "a": "ü"})
    store.put("empty", {})

    assert store.get("BTC/USDT") == {"z": [1.0, None], "a": "ü"}
    assert store.get("empty") == {}
    assert store.get("none") is None
    assert store.keys() == ["BTC/USDT", "empty"]


def test_what_is_removed_is_gone_and_its_generations_too(store):
    store.put("k", {"n": 1}, expected=0)
    first = store.get_versioned("k")[1]

    assert store.delete("k") is True
    assert store.delete("k") is False
    assert (store.get("k"), store.keys()) == (None, [])
    store.put("k", {"n": 2}, expected=0)
    assert store.get_versioned("k")[1] > first
    with pytest.raises(VersionConflict):
        store.put("k", {"n": 3}, expected=first)


def test_updates_of_several_writers_are_all_there(bucket_server):
    def add(_):
        with BucketDocumentStore(URL, storage_options=options_for(bucket_server.url), probe=False) as store:
            for _time in range(5):
                store.update("k", count)

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(add, range(3)))
    assert BucketDocumentStore(URL, storage_options=options_for(bucket_server.url)).get("k") == {"n": 15}


@pytest.mark.parametrize("verdict", ["lost", "dead", "busy"])
def test_an_update_that_is_not_answered_is_done_once(bucket_server, store, verdict):
    store.update("k", count)
    puts = itertools.count()
    bucket_server.bucket.gate = lambda _, method, __: verdict if method == "PUT" and next(puts) == 0 else "go"

    assert store.update("k", count) == {"n": 2}
    assert store.get("k") == {"n": 2}
    assert next(puts) >= 1


@pytest.mark.parametrize("verdict", ["lost", "dead"])
def test_it_is_known_again_though_others_have_written_since(bucket_server, store, verdict):
    store.update("k", count)
    other = BucketDocumentStore(URL, storage_options=options_for(bucket_server.url), probe=False)
    state = {"puts": 0}

    def gate(_number, method, _name):
        if method == "PUT":
            state["puts"] += 1
            return verdict if state["puts"] == 1 else "go"
        return "go"

    waited = []

    def function(found):
        waited.append(found)
        return count(found)

    get = store._bucket.get

    def get_later(operation, path):
        if state["puts"] == 1:
            other.update("k", count)
        return get(operation, path)

    bucket_server.bucket.gate = gate
    store._bucket.get = get_later
    store.update("k", function)
    assert store.get("k") == {"n": 3}
    assert len(waited) == (1 if verdict == "lost" else 2)


def test_a_bucket_that_ignores_conditions_is_refused(careless_bucket):
    _, options = careless_bucket
    with pytest.raises(InvalidRecord, match="conditions"):
        BucketDocumentStore(URL, storage_options=options)


def test_a_damaged_object_is_told(bucket_server, store):
    store.put("k", {"n": 1})
    [path] = [name for name in bucket_server.bucket.objects if "documents" in name]
    there = bucket_server.bucket.objects[path]
    bucket_server.bucket.objects[path] = type(there)(there.data.replace(b"1", b"2", 1), there.at, 99, there.metadata)

    with pytest.raises(CorruptData):
        store.get("k")
    assert store.keys() == ["k"]


def test_a_bucket_that_is_not_there_is_told_without_the_key(caplog):
    options = {
        "aws_access_key_id": "id",
        "aws_secret_access_key": "not-to-be-shown",
        "aws_endpoint": "http://127.0.0.1:1",
    }
    with pytest.raises(StorageFailure) as told:
        BucketDocumentStore(URL, storage_options={**options, "aws_allow_http": "true"})
    assert "not-to-be-shown" not in f"{told.value} {caplog.text}"


def test_a_closed_store_says_so(store):
    store.close()
    with pytest.raises(StoreClosed):
        store.get("k")


def test_the_same_on_moto_and_for_asyncio(moto):
    async def everything():
        async with AsyncBucketDocumentStore(URL, storage_options=moto[1]) as store:
            await asyncio.gather(*(store.update("k", count) for _ in range(4)))
            await store.put("other", {})
            await store.delete("other")
            return await store.get("k"), await store.keys()

    assert asyncio.run(everything()) == ({"n": 4}, ["k"])
