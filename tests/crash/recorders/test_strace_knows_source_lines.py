"""Which line of the store asked for an operation."""

import asyncio
import dbm.dumb
import functools
import importlib
import io
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import CellType, FunctionType

import aiofiles
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pytest_tradestore.crash.operations import Create, Location, Rename, Write
from pytest_tradestore.crash.recorders.fake import FakeRecorder
from pytest_tradestore.crash.recorders.source_lines import SourceLines
from pytest_tradestore.crash.recorders.strace import StraceRecorder
from tests.crash.recorders.strace_programs import needs_strace, only, seen

HERE = Path(__file__)


def line_of(text: str) -> int:
    """Return the number of the only line here that begins with a text."""
    (number,) = [n for n, line in enumerate(HERE.read_text().splitlines(), 1) if line.strip().startswith(text)]
    return number


def locations(root: Path, program: Callable[[], object]) -> list[Location | None]:
    return [write.origin.location for write in only(seen(root, program), Write)]


@needs_strace
def test_the_line_is_the_one_that_called_the_library(tmp_path: Path) -> None:
    (tmp_path / "source").write_bytes(b"1")

    def program() -> None:
        shutil.copyfile(tmp_path / "source", tmp_path / "target")

    (location,) = locations(tmp_path, program)
    assert location is not None
    assert (location.line, location.function) == (line_of("shutil.copyfile("), "program")
    assert location.text == 'shutil.copyfile(tmp_path / "source", tmp_path / "target")'
    assert not location.file.startswith("/")
    assert location.file.endswith("recorders/test_strace_knows_source_lines.py")


def library(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    """Put an installed library on the path that makes a directory; return its file as reports name it."""
    installed = folder / "site-packages"
    installed.mkdir()
    (installed / f"{name}.py").write_text("import os\n\ndef make(path):\n    os.mkdir(path)\n")
    monkeypatch.syspath_prepend(installed)
    return f"{name}.py"


@needs_strace
@pytest.mark.parametrize("recorder", [StraceRecorder, FakeRecorder])
def test_the_line_of_an_installed_library_stands_behind_the_one_that_called_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recorder: type[StraceRecorder | FakeRecorder]
) -> None:
    (root := tmp_path / "root").mkdir()
    name = f"makes_directories_for_{recorder.__name__}"
    file = library(tmp_path, monkeypatch, name)
    made = importlib.import_module(name)

    with recorder().record(root, volatile=()) as recording:
        made.make(root / "d")

    (operation,) = only(recording.trace, Create)
    location = operation.origin.location
    assert location is not None
    assert location.text == 'made.make(root / "d")'
    assert str(location).endswith(f"{HERE.name}:{line_of('made.make(root')} > {file}:4")
    assert location.innermost.text == "os.mkdir(path)"


@needs_strace
def test_a_rename_of_plain_texts_has_its_own_line_though_texts_have_a_method_of_that_name(tmp_path: Path) -> None:
    (source, target) = str(tmp_path / "source"), str(tmp_path / "target")

    def program() -> None:
        os.mkdir(source)
        os.replace(source, target)

    (renamed,) = (operation.origin.location for operation in only(seen(tmp_path, program), Rename))
    assert renamed is not None
    assert (renamed.line, renamed.text) == (line_of("os.replace(source"), "os.replace(source, target)")


@needs_strace
def test_what_a_library_has_returned_from_is_not_blamed_for_what_a_native_type_does_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Calling a type tells a profile function nothing, as where lmdb.Environment or rocksdict.Rdict is made."""
    (root := tmp_path / "root").mkdir()
    library(tmp_path, monkeypatch, "looks_before")
    make = importlib.import_module("looks_before").make

    def program() -> None:
        make(root / "d")
        io.FileIO(root / "f", "w").close()

    made, file = (operation.origin.location for operation in only(seen(root, program), Create))
    assert made is not None and made.inner is not None
    assert file is not None and file.inner is None
    assert file.text == 'io.FileIO(root / "f", "w").close()'


@needs_strace
def test_so_does_that_of_a_module_of_the_standard_library_that_keeps_files(tmp_path: Path) -> None:
    def program() -> None:
        with dbm.dumb.open(str(tmp_path / "index"), "c") as index:
            index["a"] = b"1"

    assert {location.innermost.file for location in locations(tmp_path, program) if location} == {"dbm/dumb.py"}


@needs_strace
def test_control_one_that_only_hands_the_call_on_does_not(tmp_path: Path) -> None:
    (location,) = locations(tmp_path, lambda: (tmp_path / "f").write_text("1"))

    assert location is not None
    assert location.inner is None


def called_by_the_harness(call: Callable[[], object]) -> None:
    """Call what a store's method is, as the harness does: from a frame that is not the store's."""
    code = (lambda: call()).__code__
    FunctionType(code, {"__name__": "pytest_tradestore.calls"}, closure=(CellType(call),))()


@needs_strace
def test_where_a_librarys_own_method_is_the_stores_its_line_is_the_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (root := tmp_path / "root").mkdir()
    file = library(tmp_path, monkeypatch, "is_the_store")
    make = importlib.import_module("is_the_store").make

    def program() -> None:
        os.getpid()  # the line of an earlier call
        called_by_the_harness(functools.partial(make, root / "d"))

    (operation,) = only(seen(root, program), Create)
    assert str(operation.origin.location) == f"{file}:4"


def a_method_in_python() -> None:
    os.getpid()


@pytest.mark.parametrize(("method", "expected"), [(os.getpid, None), (a_method_in_python, "a_method_in_python")])
def test_a_native_method_has_no_line_and_above_all_not_that_of_the_call_before(
    method: Callable[[], object], expected: str | None
) -> None:
    lines = SourceLines()
    lines.start()
    try:
        os.getpid()  # the line of an earlier call
        called_by_the_harness(method)
        now = time.time_ns()
    finally:
        lines.stop()

    location = lines.find(threading.get_native_id(), now)
    assert (location and location.function) == expected


@needs_strace
def test_data_is_asked_for_where_it_is_flushed_and_not_where_it_was_put_into_the_buffer(tmp_path: Path) -> None:
    def program() -> None:
        file = open(tmp_path / "f", "wb")  # noqa: SIM115
        file.write(b"buffered")
        file.close()

    (location,) = locations(tmp_path, program)
    assert location is not None
    assert location.line == line_of("file.close()")


@needs_strace
def test_native_threads_and_executors_get_the_line_that_waits_for_them(tmp_path: Path) -> None:
    def native() -> None:
        pq.write_table(pa.table({"x": [1, 2, 3]}), tmp_path / "t")

    async def executor() -> None:
        async with aiofiles.open(tmp_path / "f", "wb", buffering=0) as file:
            await file.write(b"awaited")

    assert {location.line for location in locations(tmp_path, native) if location} == {line_of("pq.write_table(")}
    (location,) = locations(tmp_path, lambda: asyncio.run(executor()))
    assert location is not None
    assert location.line == line_of('await file.write(b"awaited")')


@needs_strace
def test_threads_have_lines_of_their_own(tmp_path: Path) -> None:
    def worker() -> None:
        (tmp_path / "in a thread").mkdir()

    def program() -> None:
        thread = threading.Thread(target=worker)
        thread.start()
        thread.join()

    (create,) = only(seen(tmp_path, program), Create)
    assert create.origin.location is not None
    assert create.origin.location.function == "worker"


@needs_strace
def test_a_profile_function_that_is_there_already_stays_and_costs_the_lines_only(tmp_path: Path) -> None:
    def mine(*_: object) -> None: ...

    sys.setprofile(mine)
    try:
        trace = seen(tmp_path, lambda: (tmp_path / "d").mkdir())
        assert sys.getprofile() is mine
    finally:
        sys.setprofile(None)
    assert trace.operations[0].origin.location is None


def module_of_many_calls(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Put a module on the path that makes a directory, and calls a thousand functions, when it is loaded."""
    source = f"import os\nos.mkdir({str(folder / 'made')!r})\ndef f(): os.getpid()\nfor _ in range(1000): f()\n"
    (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(folder)


def notes_of(program: Callable[[], object]) -> int:
    lines = SourceLines()
    lines.start()
    try:
        program()
    finally:
        lines.stop()
    return len(lines._merged)


def test_no_notes_are_taken_while_a_module_is_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module_of_many_calls(tmp_path, monkeypatch, "loaded_without_notes")

    assert notes_of(lambda: importlib.import_module("loaded_without_notes")) < 100


def test_control_the_same_calls_outside_an_import_are_noted() -> None:
    assert notes_of(lambda: [os.path.basename("f") for _ in range(1000)]) >= 1000


@needs_strace
def test_what_a_module_does_when_it_is_loaded_belongs_to_the_line_that_imports_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module_of_many_calls(tmp_path, monkeypatch, "loaded_by_a_line")
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def program() -> None:
        import loaded_by_a_line  # noqa: F401

        (tmp_path / "later").mkdir()

    first, later = only(seen(tmp_path, program), Create)
    assert first.origin.location is not None
    assert later.origin.location is not None
    assert first.origin.location.text.startswith("import loaded_by_a_line")
    assert later.origin.location.text == '(tmp_path / "later").mkdir()'


def test_an_import_leaves_a_profile_function_of_somebody_else_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module_of_many_calls(tmp_path, monkeypatch, "loaded_under_another_profile")
    events: list[str] = []
    sys.setprofile(lambda _frame, event, _argument: events.append(event))
    try:
        notes_of(lambda: importlib.import_module("loaded_under_another_profile"))
    finally:
        sys.setprofile(None)

    assert len(events) > 1000


def test_profile_functions_are_gone_afterwards() -> None:
    lines = SourceLines()
    lines.start()
    assert sys.getprofile() is not None
    assert threading.getprofile() is not None
    lines.stop()
    assert (sys.getprofile(), threading.getprofile()) == (None, None)
