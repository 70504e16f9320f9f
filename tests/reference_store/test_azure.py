"""Backups in a container of Azure: asked of Azurite, Microsoft's own stand-in, where it is installed.

``npm install -g azurite`` puts it on the path; it gets a directory and a port of its own, and tells nobody of its use.
"""

import base64
import hashlib
import hmac
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
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

ACCOUNT = "devstoreaccount1"
KEY = base64.b64encode(b"a key that was made up for this test, and is nobody's").decode()
VERSION = "2021-08-06"


def made_container(place: str, name: str) -> None:
    """Make a container: what a backup does not do by itself."""
    when = datetime.now(UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")
    said = f"x-ms-date:{when}\nx-ms-version:{VERSION}\n/{ACCOUNT}/{ACCOUNT}/{name}\nrestype:container"
    digest = hmac.new(base64.b64decode(KEY), ("PUT" + "\n" * 12 + said).encode(), hashlib.sha256).digest()
    headers = {
        "x-ms-date": when,
        "x-ms-version": VERSION,
        "Authorization": f"SharedKey {ACCOUNT}:{base64.b64encode(digest).decode()}",
        "Content-Length": "0",
        "Content-Type": "",
    }
    asked = urllib.request.Request(f"{place}/{name}?restype=container", method="PUT", headers=headers)
    urllib.request.urlopen(asked).close()


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    program = shutil.which("azurite-blob")
    if program is None:
        pytest.skip("azurite is not installed")
    monkeypatch.setenv("AZURITE_ACCOUNTS", f"{ACCOUNT}:{KEY}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [
        program,
        "--disableTelemetry",
        "--skipApiVersionCheck",
        "--blobHost",
        "127.0.0.1",
        "--blobPort",
        str(port),
    ]
    running = subprocess.Popen([*command, "--location", str(tmp_path / "azurite")], stdout=subprocess.PIPE, text=True)
    try:
        assert running.stdout is not None
        assert any("successfully listens" in line for line in running.stdout), "it has not come up"
        place = f"http://127.0.0.1:{port}/{ACCOUNT}"
        made_container(place, "bot-backups")
        config = {"account_name": ACCOUNT, "account_key": KEY, "endpoint": place}
        yield {"config": config, "client_options": {"allow_http": True}}
    finally:
        running.terminate()
        running.wait()
        if running.stdout is not None:
            running.stdout.close()


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
