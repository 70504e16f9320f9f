"""Backups in a bucket: a client may die between any two requests, and answers may be wrong or lost."""

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from reference_store import DamagedBackup, InvalidRecord, NoSuchGeneration, StorageFailure
from reference_store.operations.backups.copying import copy
from reference_store.operations.backups.creating import create
from reference_store.operations.backups.generations import in_order
from reference_store.operations.backups.local import LocalVault
from reference_store.operations.backups.restoring import restore
from reference_store.operations.backups.retention import Retention, prune
from reference_store.operations.backups.vault import load
from reference_store.operations.backups.verifying import verify
from reference_store.operations.command_line import COMMAND
from tests.reference_store.bucket_server import Bucket, BucketServer
from tests.reference_store.test_backups import put, seen

obstore = pytest.importorskip("obstore", reason="obstore (the extra cloud) is not installed")

from reference_store.operations.backups import bucket as buckets  # noqa: E402 - it needs obstore
from reference_store.operations.backups.bucket import BucketVault  # noqa: E402 - it needs obstore

SECRET = "5ecret-key"


@pytest.fixture
def bucket() -> Bucket:
    return Bucket()


@pytest.fixture
def server(bucket: Bucket) -> Iterator[BucketServer]:
    with BucketServer(bucket) as running:
        yield running


def vault_at(server: BucketServer, *, retries: int = 0, kind: str = "s3", **options: Any) -> BucketVault:
    if kind == "s3":
        config = {
            "access_key_id": "id", "secret_access_key": SECRET, "region": "x",
            "endpoint": server.url, "virtual_hosted_style_request": False,
        }  # fmt: skip
    else:
        config = {"base_url": server.url}
        options["credentials"] = lambda: {"token": SECRET, "expires_at": None}
    given: dict[str, Any] = {"config": config, "client_options": {"allow_http": True}}
    if credentials := options.pop("credentials", None):
        given["credential_provider"] = credentials
    return BucketVault(f"{kind}://bot-backups/bot", options=given, retries=retries, **options)


def backed_up(root: Path, vault: BucketVault, **options: Any) -> str:
    return create(str(root / "data"), vault, **options).generation.id


@pytest.mark.parametrize("kind", ["s3", "gs"])
def test_a_directory_comes_back_from_a_bucket_and_only_changes_are_sent(
    tmp_path: Path, server: BucketServer, bucket: Bucket, kind: str
) -> None:
    put(tmp_path, 1)
    vault = vault_at(server, kind=kind)
    first = backed_up(tmp_path, vault)
    put(tmp_path, 2)
    second = create(str(tmp_path / "data"), vault)

    assert second.new_contents == 2, "the document and the log; its backup is what was there"
    assert create(str(tmp_path / "data"), vault).new_contents == 0
    restore(vault, str(tmp_path / "first"), generation=first)
    restore(vault, str(tmp_path / "last"))
    assert (seen(tmp_path, "first"), seen(tmp_path, "last")) == ((1, [1]), (2, [1, 2]))
    assert verify(vault).is_sound
    assert not [path for path in bucket.objects if "/probes/" in path]


def test_objects_say_what_they_are(tmp_path: Path, server: BucketServer, bucket: Bucket) -> None:
    put(tmp_path, 1)
    generation = backed_up(tmp_path, vault_at(server))

    for path, stored in bucket.objects.items():
        name = path.rpartition("/")[2]
        if "/contents/" in path:
            assert stored.metadata["x-amz-meta-tradestore-sha256"] == name
        else:
            assert stored.metadata["x-amz-meta-tradestore-generation"] == generation


def whole_generations(root: Path, vault: BucketVault) -> list[object]:
    found = []
    for name in in_order(vault.ids()):
        restore(vault, str(root / f"check-{name}"), generation=name, over=True)
        found.append(seen(root, f"check-{name}"))
    return found


@pytest.mark.proof
def test_a_client_that_dies_between_any_two_requests_leaves_whole_generations_only(
    tmp_path: Path, server: BucketServer, bucket: Bucket
) -> None:
    put(tmp_path, 1)
    backed_up(tmp_path, vault_at(server))
    put(tmp_path, 2)
    before = dict(bucket.objects)
    asked = len(bucket.requests)
    backed_up(tmp_path, vault_at(server))
    requests = len(bucket.requests) - asked
    assert requests > 8

    for alive in range(requests):
        bucket.objects = dict(before)
        bucket.requests.clear()
        bucket.gate = lambda number, _method, _path, alive=alive: "go" if number < alive else "refuse"
        with pytest.raises(StorageFailure):
            backed_up(tmp_path, vault_at(server))
        bucket.gate = lambda *_: "go"

        vault = vault_at(server)
        assert whole_generations(tmp_path, vault) in ([(1, [1])], [(1, [1]), (2, [1, 2])])
        there = set(vault.contents())
        again = create(str(tmp_path / "data"), vault)
        assert again.new_contents == len({e.digest for e in again.generation.files.values()} - there), "it goes on"
        assert seen_of(tmp_path, vault, again.generation.id) == (2, [1, 2])


def seen_of(root: Path, vault: BucketVault, generation: str) -> object:
    restore(vault, str(root / "again"), generation=generation, over=True)
    return seen(root, "again")


@pytest.mark.parametrize("fault", ["busy", "lost"])
def test_an_answer_that_is_lost_or_a_bucket_that_is_busy_once_changes_nothing(
    tmp_path: Path, server: BucketServer, bucket: Bucket, fault: str
) -> None:
    put(tmp_path, 1)
    vault = vault_at(server, retries=3)
    backed_up(tmp_path, vault)
    put(tmp_path, 2)
    asked = len(bucket.requests)
    backed_up(tmp_path, vault)
    requests = len(bucket.requests) - asked

    for struck in range(0, requests, 3):
        bucket.requests.clear()
        bucket.gate = lambda number, _method, _path, struck=struck: fault if number == struck else "go"
        before = len(vault.ids())
        bucket.requests.clear()
        made = backed_up(tmp_path, vault)
        bucket.gate = lambda *_: "go"
        assert len(vault.ids()) == before + 1
        assert load(vault, made).files


def test_a_generation_whose_answer_was_lost_is_made_once(tmp_path: Path, server: BucketServer, bucket: Bucket) -> None:
    put(tmp_path, 1)
    lost = []

    def lose(_number: int, method: str, path: str) -> str:
        if method == "PUT" and "/generations/" in path and not lost:
            lost.append(path)
            return "lost"
        return "go"

    bucket.gate = lose
    made = backed_up(tmp_path, vault_at(server, retries=2))

    assert lost
    assert vault_at(server).ids() == [made]


def test_a_conflict_of_which_nothing_has_landed_is_no_generation_of_somebody_else(
    tmp_path: Path, server: BucketServer, bucket: Bucket
) -> None:
    put(tmp_path, 1)
    met = []

    def meet(_number: int, method: str, path: str) -> str:
        if method == "PUT" and "/generations/" in path and not met:
            met.append(path)
            return "conflict"
        return "go"

    bucket.gate = meet
    made = backed_up(tmp_path, vault_at(server))

    assert (vault_at(server).ids(), made[:6]) == ([made], "000001")


def test_two_machines_that_take_the_same_number_make_two_generations(
    tmp_path: Path, server: BucketServer, bucket: Bucket
) -> None:
    put(tmp_path, 1)
    now = datetime(2026, 1, 5, 12, tzinfo=UTC)
    other = []

    def meet(_number: int, method: str, path: str) -> str:
        if method == "PUT" and "/generations/" in path and not other:
            other.append(path)
            bucket.store(path, b"of somebody else", {})
        return "go"

    bucket.gate = meet
    made = backed_up(tmp_path, vault_at(server), now=now)

    assert made.startswith("000002-")
    assert bucket.objects[other[0]].data == b"of somebody else"


def test_a_bucket_that_ignores_conditions_is_refused_and_nothing_is_kept_there(
    tmp_path: Path, server: BucketServer, bucket: Bucket
) -> None:
    put(tmp_path, 1)
    bucket.conditions = False

    with pytest.raises(InvalidRecord, match="ignores conditions"):
        backed_up(tmp_path, vault_at(server))
    assert bucket.objects == {}


@pytest.mark.parametrize("harm", ["flipped", "cut", "gone"])
def test_a_damaged_object_is_found_at_the_restore_and_sent_again_by_the_next_backup(
    tmp_path: Path, server: BucketServer, bucket: Bucket, harm: str
) -> None:
    put(tmp_path, 1)
    vault = vault_at(server)
    generation = load(vault, backed_up(tmp_path, vault))
    path = f"bot/contents/{generation.files['AAPL.json'].digest}"
    data = bucket.objects[path].data
    if harm == "gone":
        del bucket.objects[path]
    else:
        bucket.store(path, {"flipped": bytes([data[0] ^ 1]) + data[1:], "cut": data[:-1]}[harm], {})

    with pytest.raises(DamagedBackup):
        restore(vault, str(tmp_path / "new"))
    assert not (tmp_path / "new").exists()
    assert create(str(tmp_path / "data"), vault).new_contents == 1
    assert verify(vault).is_sound


def test_what_is_needed_no_more_is_condemned_and_removed_a_day_later(
    tmp_path: Path, server: BucketServer, bucket: Bucket
) -> None:
    vault = vault_at(server)
    for number in (1, 2):
        put(tmp_path, number)
        backed_up(tmp_path, vault)
    count = len(vault.contents())
    prune(vault, Retention(generations=1), datetime.now(UTC))
    assert (len(vault.ids()), len(vault.contents())) == (1, count)

    bucket.ahead = timedelta(days=2)
    prune(vault, Retention(generations=1), datetime.now(UTC))

    needed = {entry.digest for entry in load(vault, vault.ids()[0]).files.values()}
    assert set(vault.contents()) == needed


def test_what_another_machine_needs_again_meanwhile_is_not_removed(
    tmp_path: Path, server: BucketServer, bucket: Bucket
) -> None:
    vault = vault_at(server)
    put(tmp_path / "a", 1)
    first = create(str(tmp_path / "a" / "data"), vault).generation
    put(tmp_path / "b", 2)
    create(str(tmp_path / "b" / "data"), vault)
    prune(vault, Retention(generations=1), datetime.now(UTC))
    assert len(vault.ids()) == 1
    bucket.ahead = timedelta(days=1, hours=1)
    held = vault_at(server)
    held.contents()
    sent = {}
    for digest in {entry.digest for entry in first.files.values()}:
        sent[digest] = held.is_sound(digest, 0)
    assert not any(sent.values()), "what is condemned is sent again"
    again = create(str(tmp_path / "a" / "data"), held)

    prune(vault, Retention(generations=5), datetime.now(UTC))

    assert verify(vault, generation=again.generation.id).is_sound


def test_a_large_content_gets_its_name_only_when_it_is_known_to_be_right(
    tmp_path: Path, server: BucketServer, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "_LARGE", 1 << 10)
    put(tmp_path, 1)
    (tmp_path / "data" / "big.bin").write_bytes(bytes(range(256)) * 50_000)
    vault = vault_at(server)
    backed_up(tmp_path, vault)
    restore(vault, str(tmp_path / "new"))

    assert (tmp_path / "new" / "big.bin").read_bytes() == (tmp_path / "data" / "big.bin").read_bytes()
    with pytest.raises(buckets.ContentChanged):
        vault.put("0" * 64, 2000, lambda: iter([b"x" * 2000]))
    assert not [path for path in bucket.objects if "/uploads/" in path or path.endswith("0" * 64)]


def test_generations_of_a_local_vault_are_copied_once_and_damaged_ones_are_told(
    tmp_path: Path, server: BucketServer, bucket: Bucket
) -> None:
    local = LocalVault(str(tmp_path / "vault"), create=True)
    for number in (1, 2):
        put(tmp_path, number)
        create(str(tmp_path / "data"), local)
    harmed = load(local, in_order(local.ids())[0]).files["logs/trades+.jsonl"].digest
    (tmp_path / "vault" / "contents" / harmed).write_bytes(b"{}")

    copied = copy(local, vault_at(server))

    assert [name for name, _ in copied.failed] == in_order(local.ids())[:1]
    assert whole_generations(tmp_path, vault_at(server)) == [(2, [1, 2])]
    assert copy(local, vault_at(server)).contents == 0


@pytest.mark.parametrize("url", ["http://x/y", "file:///etc", "memory:///", "gs://", "s3:", "ftp://x", "://"])
def test_what_is_no_bucket_is_refused(url: str) -> None:
    with pytest.raises(InvalidRecord):
        BucketVault(url)


def test_no_message_and_no_log_has_credentials(
    tmp_path: Path, server: BucketServer, bucket: Bucket, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, 1)
    vault = vault_at(server)
    assert vault.ids() == []
    with pytest.raises(NoSuchGeneration):
        vault.read("000009-20260105T120000Z")
    bucket.gate = lambda *_: "refuse"
    with caplog.at_level(logging.DEBUG), pytest.raises(StorageFailure) as told:
        backed_up(tmp_path, vault)

    words = (
        f"{told.value} {told.value!r} {told.value.__cause__!r} {told.value.__context__!r} {caplog.text} {vault.name}"
    )
    assert SECRET not in words
    assert "Signature" not in words
    assert BucketVault("s3://me:pass@bucket/x?sig=abc", options={"config": {"region": "x"}}).name == "s3://bucket/x"


def tradestore(*words: object) -> Result:
    done = CliRunner().invoke(COMMAND, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done


def test_the_commands_take_a_url(tmp_path: Path, server: BucketServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_REGION": "x",
        "AWS_ENDPOINT": server.url, "AWS_ALLOW_HTTP": "true", "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    put(tmp_path, 1)
    url = "s3://bot-backups/cli"

    sent = json.loads(tradestore("sync", tmp_path / "data", url, "--json").output)
    assert (len(sent["generations"]), sent["failed"]) == (1, {})
    assert tradestore("backup", "create", tmp_path / "data", tmp_path / "vault").exit_code == 0
    assert "000001-" in tradestore("backup", "list", url).output
    assert tradestore("backup", "verify", url).exit_code == 0
    assert tradestore("backup", "restore", url, tmp_path / "new").exit_code == 0
    assert seen(tmp_path, "new") == (1, [1])
    assert tradestore("sync", tmp_path / "vault", url + "2").exit_code == 0
    assert tradestore("sync", url + "2", tmp_path / "third").exit_code == 0
    assert tradestore("backup", "verify", tmp_path / "third").exit_code == 0
    for words in (
        ("backup", "list", "http://x/y"),
        ("backup", "verify", url + "-none"),
        ("sync", tmp_path / "no", url),
    ):
        done = tradestore(*words)
        assert (done.exit_code, done.output.count("Error: ")) == (1, 1)


def test_a_second_opinion_moto(tmp_path: Path) -> None:
    moto = pytest.importorskip("moto.server", reason="moto is not installed")
    running = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        config = {
            "access_key_id": "id", "secret_access_key": SECRET, "region": "us-east-1",
            "endpoint": f"http://{host}:{port}", "virtual_hosted_style_request": False,
        }  # fmt: skip
        import urllib.request

        made = urllib.request.Request(f"http://{host}:{port}/bot-backups", method="PUT")
        urllib.request.urlopen(made).close()
        vault = BucketVault("s3://bot-backups/bot", options={"config": config, "client_options": {"allow_http": True}})
        for number in (1, 2):
            put(tmp_path, number)
            create(str(tmp_path / "data"), vault, retention=Retention(generations=1))
        assert [name[:6] for name in vault.ids()] == ["000002"]
        restore(vault, str(tmp_path / "new"))
        assert seen(tmp_path, "new") == (2, [1, 2])
        with pytest.raises(NoSuchGeneration):
            vault.read("000009-20260105T120000Z")
    finally:
        running.stop()
