"""A deletion that could not be pinned is pinned by whoever tries it again, though nothing is there any more."""

import errno
import os
from pathlib import Path

import pytest

from reference_store import DocumentStore, StoreError
from tests.reference_store.faults import syncs


@pytest.fixture
def refused(tmp_path: Path) -> DocumentStore:
    """A store whose document was removed by a call that was refused, since the directory could not be synced."""
    store = DocumentStore(tmp_path)
    store.put("A", {"a": 1})

    def failing(_descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(StoreError):
            store.delete("A")
    return store


def test_who_deletes_again_syncs_the_directory(refused: DocumentStore, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = syncs(monkeypatch)

    refused.delete("A")

    assert "directory" in seen


def test_control_the_call_that_was_refused_had_removed_the_document(refused: DocumentStore) -> None:
    assert refused.get("A") is None
