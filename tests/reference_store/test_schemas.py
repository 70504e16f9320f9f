"""Schemas of documents: what is refused, what an older version becomes, and that nothing of it is lost."""

import asyncio
import itertools
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reference_store import (
    AsyncDocumentStore,
    AsyncSingleDocumentStore,
    CorruptData,
    DocumentStore,
    InvalidRecord,
    MigrationError,
    Migrations,
    NewerRecord,
    Schema,
    SingleDocumentStore,
    Step,
)
from tests.reference_store.versioned import NEW, NO_DEBTS, OLD, SCHEMA

NEWER = {"version": "3.0", "name": ["Ada", "Lovelace"]}


def older(root: Path, **documents: Any) -> None:
    """Leave documents that a program without a schema, or with another one, has put there."""
    with DocumentStore(root) as store:
        for key, document in documents.items():
            store.put(key, document)


def kept(root: Path, version: str) -> list[dict[str, Any]]:
    return [json.loads(file.read_bytes()) for file in sorted(root.glob(f".version-{version}-*"))]


def contents(root: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in root.iterdir()}


# What a schema refuses


def test_what_the_validator_refuses_is_not_saved(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path, schema=NO_DEBTS)
    store.put("ann", {"cash": 1})

    with pytest.raises(InvalidRecord, match="cash is below zero") as refused:
        store.put("ann", {"cash": -1})
    with pytest.raises(InvalidRecord, match="KeyError"):
        store.put("ann", {"case": 1})
    with pytest.raises(InvalidRecord):
        store.update("ann", lambda document: {"cash": (document or {})["cash"] - 2})

    assert refused.value.field == "cash"
    assert store.get("ann") == {"cash": 1}


def test_control_without_the_validator_it_is(tmp_path: Path) -> None:
    DocumentStore(tmp_path).put("ann", {"cash": -1})

    assert DocumentStore(tmp_path).get("ann") == {"cash": -1}


def test_what_the_validator_refuses_on_loading_is_answered_from_the_backup_and_stays_as_evidence(
    tmp_path: Path,
) -> None:
    older(tmp_path, ann={"cash": 5})
    older(tmp_path, ann={"cash": -5})
    store = DocumentStore(tmp_path, schema=NO_DEBTS)

    assert store.get("ann") == {"cash": 5}
    assert "cash is below zero" in store.recoveries[0].reason
    store.update("ann", lambda document: {"cash": (document or {})["cash"] + 1})
    assert store.get("ann") == {"cash": 6}
    assert [json.loads(file.read_bytes())["cash"] for file in tmp_path.glob(".damaged-*")] == [-5]


def test_without_a_sound_backup_it_is_damage(tmp_path: Path) -> None:
    older(tmp_path, ann={"cash": -5}, bob={"cash": 1})
    store = DocumentStore(tmp_path, schema=NO_DEBTS)

    with pytest.raises(CorruptData):
        store.get("ann")
    assert store.get("bob") == {"cash": 1}


def test_an_edit_by_hand_that_the_schema_refuses_is_not_resealed(tmp_path: Path) -> None:
    store = SingleDocumentStore(tmp_path, schema=NO_DEBTS)
    (tmp_path / "data.json").write_text('{"cash": -3}')

    with pytest.raises(CorruptData):
        store.reseal()
    (tmp_path / "data.json").write_text('{"cash": 3}')
    store.reseal()
    assert store.load() == {"cash": 3}


def test_what_the_validator_returns_is_what_counts_and_what_it_does_to_its_argument_reaches_nobody(
    tmp_path: Path,
) -> None:
    def rounded(document: dict[str, Any]) -> dict[str, Any]:
        document["cash"] = round(document["cash"])
        return document

    store = DocumentStore(tmp_path, schema=Schema(rounded))
    given = {"cash": 1.25}
    store.put("ann", given)

    assert given == {"cash": 1.25}
    assert DocumentStore(tmp_path).get("ann") == {"cash": 1}
    assert store.update("ann", lambda _: {"cash": 7.75}) == {"cash": 8}


def test_all_four_stores_have_the_hook(tmp_path: Path) -> None:
    async def tasks() -> None:
        async with AsyncDocumentStore(tmp_path, schema=NO_DEBTS) as keyed:
            with pytest.raises(InvalidRecord):
                await keyed.put("ann", {"cash": -1})
        async with AsyncSingleDocumentStore(tmp_path, schema=NO_DEBTS) as single:
            with pytest.raises(InvalidRecord):
                await single.save({"cash": -1})
            with pytest.raises(InvalidRecord):
                await single.update(lambda _: {"cash": -1})

    asyncio.run(tasks())
    with pytest.raises(InvalidRecord):
        SingleDocumentStore(tmp_path, schema=NO_DEBTS).save({"cash": -1})
    with pytest.raises(InvalidRecord, match="not Schema"):
        DocumentStore(tmp_path, schema=print)  # type: ignore[arg-type] # that is the point
    assert DocumentStore(tmp_path).keys() == []


# What an older version becomes


def test_an_older_document_is_loaded_as_what_it_is_today(tmp_path: Path) -> None:
    older(tmp_path, ada=OLD, lin={"version": "1.1", "first": "Lin", "last": "", "fees": 1})
    before = contents(tmp_path)
    store = DocumentStore(tmp_path, schema=SCHEMA)

    assert store.get("ada") == NEW
    assert store.get("lin") == {"version": "2.0", "first": "Lin", "last": "", "fees": 100}
    assert contents(tmp_path) == before, "reading writes nothing"


def test_the_next_write_keeps_the_old_file(tmp_path: Path) -> None:
    older(tmp_path, ada=OLD)
    store = DocumentStore(tmp_path, schema=SCHEMA)

    made = store.update("ada", lambda document: {**(document or {}), "fees": 400})
    store.put("ada", {**NEW, "fees": 500})

    assert made == {**NEW, "fees": 400}
    assert [one["name"] for one in kept(tmp_path, "1.0")] == ["Ada Lovelace"]
    assert DocumentStore(tmp_path).get("ada") == {**NEW, "fees": 500}


def test_migrating_writes_what_loading_shows_and_doing_it_again_does_nothing(tmp_path: Path) -> None:
    older(tmp_path, ada=OLD, lin={**NEW, "first": "Lin"})
    store = DocumentStore(tmp_path, schema=SCHEMA)

    report = store.migrate()
    assert (report.migrated, report.current, report.failed) == (("ada",), ("lin",), ())
    assert DocumentStore(tmp_path).get("ada") == NEW
    assert len(kept(tmp_path, "1.0")) == 1
    after = contents(tmp_path)
    assert store.migrate().migrated == ()
    assert contents(tmp_path) == after


def test_a_document_without_a_version_gets_the_current_one_and_another_one_is_refused(tmp_path: Path) -> None:
    store = DocumentStore(tmp_path, schema=SCHEMA)
    store.put("ada", {"first": "Ada"})

    assert store.get("ada") == {"first": "Ada", "version": "2.0"}
    for version in ("1.1", "3", 2.0, None, "2.0\n"):
        with pytest.raises(InvalidRecord, match="version"):
            store.put("ada", {"version": version})


@pytest.mark.parametrize("act", ["get", "put", "update"])
def test_what_a_newer_version_has_written_is_refused_untouched_and_stands_in_nobodys_way(
    tmp_path: Path, act: str
) -> None:
    older(tmp_path, ada=OLD)
    older(tmp_path, ada=NEWER, lin=OLD)
    before = contents(tmp_path)
    store = DocumentStore(tmp_path, schema=SCHEMA)
    acts: dict[str, Callable[[], object]] = {
        "get": lambda: store.get("ada"),
        "put": lambda: store.put("ada", {"first": "Ada"}),
        "update": lambda: store.update("ada", lambda _: {"first": "Ada"}),
    }

    with pytest.raises(NewerRecord, match=r"version 3\.0"):
        acts[act]()

    assert {name: before[name] for name in before if name != ".lock"} == {
        name: data for name, data in contents(tmp_path).items() if name != ".lock"
    }
    assert store.get("lin") == NEW
    assert store.keys() == ["ada", "lin"]
    report = store.migrate()
    assert report.migrated == ("lin",)
    assert [(key, type(error)) for key, error in report.failed] == [("ada", NewerRecord)]
    assert DocumentStore(tmp_path).get("ada") == NEWER


def test_it_can_be_deleted(tmp_path: Path) -> None:
    older(tmp_path, ada=NEWER)
    store = DocumentStore(tmp_path, schema=SCHEMA)

    assert store.delete("ada") is True
    assert store.keys() == []


def test_a_step_that_fails_says_where_and_leaves_everything_as_it_was(tmp_path: Path) -> None:
    older(tmp_path, ada={**OLD, "name": 7}, lin=OLD)
    store = DocumentStore(tmp_path, schema=SCHEMA)
    before = contents(tmp_path)

    with pytest.raises(MigrationError) as failed:
        store.get("ada")
    with pytest.raises(MigrationError):
        store.update("ada", lambda document: document or {})

    assert (failed.value.start, failed.value.end) == ("1.0", "1.1")
    assert isinstance(failed.value.__cause__, AttributeError)
    assert contents(tmp_path)["ada+.json"] == before["ada+.json"]
    assert store.get("lin") == NEW
    assert store.migrate().migrated == ("lin",)


def test_a_damaged_file_is_answered_from_a_backup_of_an_older_version(tmp_path: Path) -> None:
    older(tmp_path, ada=OLD)
    store = DocumentStore(tmp_path, schema=SCHEMA)
    store.migrate()
    (tmp_path / "ada+.json").write_bytes(b"{")

    assert store.get("ada") == NEW
    assert len(store.recoveries) == 1


def test_a_version_that_is_none_is_damage(tmp_path: Path) -> None:
    older(tmp_path, ada={"version": "two"})

    with pytest.raises(CorruptData, match="is no version"):
        DocumentStore(tmp_path, schema=SCHEMA).get("ada")


def test_a_version_before_all_steps_is_told(tmp_path: Path) -> None:
    older(tmp_path, ada={"version": "0.9"})

    with pytest.raises(MigrationError, match="no step begins there"):
        DocumentStore(tmp_path, schema=SCHEMA).get("ada")


def test_single_documents_and_those_for_asyncio_migrate_too(tmp_path: Path) -> None:
    SingleDocumentStore(tmp_path, "one").save(OLD)
    SingleDocumentStore(tmp_path, "two").save(OLD)
    older(tmp_path, ada=OLD)

    async def tasks() -> tuple[bool, tuple[str, ...]]:
        async with (
            AsyncSingleDocumentStore(tmp_path, "two", schema=SCHEMA) as two,
            AsyncDocumentStore(tmp_path, schema=SCHEMA) as keyed,
        ):
            assert await two.load() == NEW
            return await two.migrate(), (await keyed.migrate()).migrated

    one = SingleDocumentStore(tmp_path, "one", schema=SCHEMA)
    assert (one.load(), one.migrate(), one.migrate()) == (NEW, True, False)
    assert asyncio.run(tasks()) == (True, ("ada",))
    assert SingleDocumentStore(tmp_path, "two").load() == NEW


def test_a_store_with_a_schema_can_be_pickled(tmp_path: Path) -> None:
    older(tmp_path, ada=OLD)

    assert pickle.loads(pickle.dumps(DocumentStore(tmp_path, schema=SCHEMA))).get("ada") == NEW


def same(document: dict[str, Any]) -> dict[str, Any]:
    return document


@pytest.mark.parametrize(
    "steps",
    {
        "backwards": (Step("2.0", "1.0", same),),
        "on the spot": (Step("1.0", "1", same),),
        "two from one": (Step("1.0", "1.1", same), Step("1", "2.0", same), Step("1.1", "2.0", same)),
        "into nowhere": (Step("1.0", "1.1", same),),
        "beyond the current one": (Step("1.0", "3.0", same),),
        "no version": (Step("one", "2.0", same),),
    }.values(),
    ids=lambda steps: " ".join(f"{step.start}-{step.end}" for step in steps),
)
def test_steps_that_lead_nowhere_are_refused_when_they_are_registered(steps: tuple[Step, ...]) -> None:
    with pytest.raises(InvalidRecord, match="migrations"):
        Migrations("2.0", *steps)


def test_versions_are_compared_as_numbers() -> None:
    migrations = Migrations("1.10", Step("1.9", "1.10", same))

    assert Schema(migrations=migrations).loaded("a", "a.json", {"version": "1.9"}) == {"version": "1.10"}


# For any documents and any way through the versions


documents = st.dictionaries(st.sampled_from("abc"), st.integers(), max_size=3)


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.integers(0, 5), documents)
def test_loading_is_the_steps_one_after_the_other_from_wherever_the_document_is(
    lengths: list[int], begin: int, document: dict[str, Any]
) -> None:
    ends = [sum(lengths[: n + 1]) for n in range(len(lengths))]
    versions = ["0", *map(str, ends)]
    begin = min(begin, len(lengths))

    def noted(number: int) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda found: {**found, "steps": [*found.get("steps", []), number]}

    steps = [Step(start, end, noted(n)) for n, (start, end) in enumerate(itertools.pairwise(versions))]
    schema = Schema(migrations=Migrations(versions[-1], *steps, unversioned="0"))
    passed = list(range(begin, len(steps)))

    once = schema.loaded("a", "a.json", {**document, "version": versions[begin]})

    assert once == {**document, **({"steps": passed} if passed else {}), "version": versions[-1]}
    assert schema.loaded("a", "a.json", once) == once


def test_no_crash_in_a_migration_loses_the_document_or_the_old_file(tradestore_crash: Any, tmp_path: Path) -> None:
    def opened(root: Path) -> DocumentStore:
        return DocumentStore(root, schema=SCHEMA)

    def put_old(store: DocumentStore) -> None:
        older(Path(store._files.root.path), ada=OLD)

    def seen(store: DocumentStore) -> tuple[object, list[str]]:
        root = Path(store._files.root.path)
        plain = DocumentStore(root).get("ada")
        return store.get("ada"), [str(plain and plain.get("version", "1.0")), *(k["name"] for k in kept(root, "1.0"))]

    def whole(outcome: Any) -> None:
        assert not outcome.raised, outcome.raised
        assert outcome.found[0] == NEW
        assert outcome.found[1] in (["1.0"], ["1.0", "Ada Lovelace"], ["2.0", "Ada Lovelace"])
        assert outcome.found[1][0] == "2.0" or not outcome.returned

    tried = tradestore_crash(opened).check(lambda store: store.migrate(), before=put_old, read=seen, holds=whole)

    assert tried > 5
