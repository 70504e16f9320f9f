"""SingleDocumentStore: one file, called by its name."""

from pathlib import Path

import pytest

from reference_store import CorruptData, DocumentStore, InvalidIdentifier, SingleDocumentStore, StoreClosed


def test_nothing_saved_loads_as_an_empty_dict(tmp_path: Path) -> None:
    assert SingleDocumentStore(tmp_path).load() == {}


def test_the_last_save_is_loaded_and_the_one_before_is_the_backup(tmp_path: Path) -> None:
    store = SingleDocumentStore(tmp_path, "portfolio")
    store.save({"cash": 1})
    store.save({"cash": 2})

    assert SingleDocumentStore(tmp_path, "portfolio").load() == {"cash": 2}
    assert b'"cash": 1' in (tmp_path / "portfolio.json.bak").read_bytes()
    assert (tmp_path / "portfolio.json").exists()


def test_a_damaged_portfolio_is_answered_from_the_backup_and_said_so(tmp_path: Path) -> None:
    store = SingleDocumentStore(tmp_path)
    store.save({"cash": 1})
    store.save({"cash": 2})
    (tmp_path / "data.json").write_bytes(b"")

    assert store.load() == {"cash": 1}
    assert len(store.recoveries) == 1


def test_an_emptied_portfolio_without_a_backup_is_not_an_empty_portfolio(tmp_path: Path) -> None:
    store = SingleDocumentStore(tmp_path)
    store.save({"cash": 1})
    (tmp_path / "data.json").write_bytes(b"")

    with pytest.raises(CorruptData):
        store.load()


def test_an_edit_by_hand_can_be_resealed(tmp_path: Path) -> None:
    store = SingleDocumentStore(tmp_path)
    (tmp_path / "data.json").write_text('{"cash": 3}')
    store.reseal()

    assert store.load() == {"cash": 3}


@pytest.mark.parametrize("name", ["Portfolio", "../data", "", "a\n"])
def test_a_name_that_cannot_be_a_file_name_as_it_stands_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidIdentifier):
        SingleDocumentStore(tmp_path, name)


def test_single_documents_and_keyed_ones_share_a_root_without_seeing_each_other(tmp_path: Path) -> None:
    keyed = DocumentStore(tmp_path)
    keyed.put("data", {"keyed": True})
    SingleDocumentStore(tmp_path).save({"keyed": False})
    SingleDocumentStore(tmp_path, "other").save({"other": True})

    assert keyed.keys() == ["data"]
    assert keyed.get("data") == {"keyed": True}
    assert SingleDocumentStore(tmp_path).load() == {"keyed": False}


def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SingleDocumentStore(tmp_path)
    store.close()

    with pytest.raises(StoreClosed):
        store.load()
