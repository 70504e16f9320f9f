"""Backups in a container of Azure: asked of Azurite, where it is installed."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("obstore", reason="needs the extra cloud")

import obstore

from reference_store import DocumentStore, NoSuchGeneration, StorageFailure
from reference_store.operations.backups import bucket
from reference_store.operations.backups.bucket import BucketVault
from reference_store.operations.backups.creating import create
from reference_store.operations.backups.restoring import restore
from reference_store.operations.backups.retention import Retention
from reference_store.operations.backups.verifying import verify
from tests.reference_store import azurite
from tests.reference_store.azurite import ACCOUNT, KEY


@pytest.fixture
def options(tmp_path: Path) -> Iterator[dict[str, Any]]:
    with azurite.served(tmp_path / "azurite") as place:
        azurite.made_container(place, "bot-backups")
        config = {"account_name": ACCOUNT, "account_key": KEY, "endpoint": place}
        yield {"config": config, "client_options": {"allow_http": True}}


def test_backups_in_a_container_are_kept_verified_restored_and_let_go(
    tmp_path: Path, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bucket, "_LARGE", 1 << 20)  # above, a content is sent in parts
    root = str(tmp_path / "data")
    vault = BucketVault("az://bot-backups/bot", options=options, grace=timedelta(0))
    for number in range(3):
        DocumentStore(root).put("K", {"n": number})
        DocumentStore(root).put("LARGE", {"text": str(number) * (2 << 20)})
        create(root, vault, retention=Retention(generations=2))

    assert [name[:6] for name in vault.ids()] == ["000002", "000003"]
    assert not verify(vault).different
    restore(vault, str(tmp_path / "new"))
    assert DocumentStore(tmp_path / "new").get("K") == {"n": 2}
    assert DocumentStore(tmp_path / "new").get("LARGE") == {"text": "2" * (2 << 20)}
    with pytest.raises(NoSuchGeneration):
        vault.read("000009-20260105T120000Z")
    with pytest.raises(StorageFailure):
        BucketVault("az://no-such-container/bot", options=options, retries=0).ids()


@pytest.mark.parametrize("scheme", ["az", "abfs", "s3"])
def test_what_objects_say_of_themselves_has_names_that_azure_takes(
    monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    """Azure takes only names that could stand in a program; others keep the names that they had."""
    names: set[str] = set()

    def put(_store: object, _path: str, _data: object, **given: Any) -> None:
        names.update(given.get("attributes", {}))
        if given.get("mode") == "create" and given.get("attributes") is None:
            raise obstore.exceptions.AlreadyExistsError

    config = {"account_name": ACCOUNT, "account_key": KEY} if scheme != "s3" else {"region": "x"}
    vault = BucketVault(f"{scheme}://bot-backups/bot", options={"config": config})
    vault._probed = True
    monkeypatch.setattr(obstore, "put", put)
    vault._uploaded("0" * 64, b"content")
    assert vault.publish("000001-20260105T120000Z", b"{}")

    said = names - {"Content-Type"}
    assert len(said) == 2
    assert all(name.isidentifier() is (scheme != "s3") for name in said)
