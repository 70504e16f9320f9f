"""What a store imports is there before its calls are watched, and nothing else of it is."""

import json
import sys
from pathlib import Path

from pytest_tradestore.crash.operations import Create, Kind
from pytest_tradestore.crash.recorders.strace import StraceRecorder
from pytest_tradestore.crash.recording import Recorded, choose_recorder, record
from pytest_tradestore.crash.workloads import workload_for
from pytest_tradestore.imports import import_again, imported_since
from pytest_tradestore.kits.registry import kit_named
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.smoke import smoke
from pytest_tradestore.target import StoreUnderTest

RARE = "wave"
"""A module of Python that nothing else here imports."""


class Importing:
    """A store that imports a module when it is opened, and says in the name of a file whether it was there before."""

    def __init__(self, root: Path):
        self.file = root / "saved"
        (root / f"{'there' if RARE in sys.modules else 'not there'}").touch()
        __import__(RARE)

    def save(self, data):
        self.file.write_text(json.dumps(data))

    def load(self):
        return json.loads(self.file.read_text()) if self.file.exists() else {}


def test_ordinary_use_shows_what_a_store_imports():
    found = smoke(StoreUnderTest("acme", Importing), kit_named("document"), frozenset())

    assert found.trouble is None
    assert RARE in found.imports


def test_control_what_was_there_already_is_none_of_it():
    found = smoke(StoreUnderTest("acme", Importing), kit_named("document"), frozenset())

    assert "json" not in found.imports
    assert not any(name.startswith("pytest_tradestore") for name in found.imports)


def test_modules_of_the_stores_own_project_are_left_to_it(tmp_path, monkeypatch):
    (tmp_path / "acme_backend.py").write_text("DOES_THE_WORK = True\n")
    monkeypatch.syspath_prepend(tmp_path)
    before = list(sys.modules)
    __import__("acme_backend")
    try:
        assert imported_since(before) == ()
    finally:
        del sys.modules["acme_backend"]


def names_made(store):
    """The names of the files that a recorded workload of the store makes."""
    workload = workload_for(kit_named("document"), frozenset())
    recorder, _ = choose_recorder("auto")
    with Sandbox() as sandbox:
        recorded = record(store, workload, workload.updates[:1], recorder, sandbox)
    assert isinstance(recorded, Recorded), recorded.reason
    made = (o for o in recorded.trace.operations if isinstance(o, Create) and o.kind is Kind.FILE and o.entry)
    return {operation.entry.name for operation in made}


def test_what_was_found_out_is_imported_before_anything_is_recorded():
    assert names_made(StoreUnderTest("acme", Importing, imports=(RARE,))) == {"there", "saved"}


def test_control_otherwise_the_store_imports_it_while_it_is_recorded():
    assert names_made(StoreUnderTest("acme", Importing)) == {"not there", "saved"}


def test_what_cannot_be_imported_here_is_left_to_the_store():
    import_again(("there_is_no_such_module",))


def test_a_recorder_that_recorded_nothing_ends_in_order():
    if StraceRecorder().unavailable() is None:
        with StraceRecorder().several():
            pass
