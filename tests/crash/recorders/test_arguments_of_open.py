"""What stands in for ``open`` takes, refuses and warns of the same arguments as the builtin, in the same words."""

import io
import os
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pytest_tradestore.crash.recorders.fake import FakeRecorder
from pytest_tradestore.faults.standins import StandIns, opening
from pytest_tradestore.race.files import switching_open
from pytest_tradestore.race.in_force import execution, running


@contextmanager
def of_python(root: Path) -> Iterator[object]:
    yield io.open


@contextmanager
def of_a_recording(root: Path) -> Iterator[object]:
    with FakeRecorder().record(root):
        yield io.open


@contextmanager
def of_faults(root: Path) -> Iterator[object]:
    asked = StandIns.__new__(StandIns)
    asked._roots, asked._referee, asked._paths = (str(root),), None, {}
    yield opening(asked, io.open)


@contextmanager
def of_a_race(root: Path) -> Iterator[object]:
    with execution(str(root)) as in_force:
        me = threading.get_ident()
        running[me] = SimpleNamespace(in_force=in_force, watched=False, reach=lambda *_, **__: True)
        try:
            yield switching_open
        finally:
            del running[me]


def outcome(kind, name, mode, buffering, encoding, errors, newline, closefd, opener):
    """Return what comes of it: a file of which sort, or which refusal; what was warned of, and what is there then."""
    with TemporaryDirectory() as above:
        root = Path(above, "root")
        root.mkdir()
        (root / "there").write_bytes(b"some\n")
        with kind(root) as open_, warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            try:
                file = open_(root / name, mode, buffering, encoding, errors, newline, closefd, opener)
            except Exception as error:
                came = type(error), str(error).replace(str(root), "")
            else:
                with file:
                    came = described(file)
            there = sorted((path, (root / path).stat().st_size) for path in os.listdir(root))
        told = [(one.category, str(one.message)) for one in warned if one.category is not ResourceWarning]
        blame = [one.filename == __file__ for one in warned]
    return came, told, there, blame


def described(file):
    layers, each = [], file
    while each is not None:
        layers.append(next(cls for cls in type(each).__mro__ if cls.__module__ == "_io"))
        each = getattr(each, "buffer", None) or getattr(each, "raw", None)
    asked = ("mode", "encoding", "errors", "line_buffering", "newlines")
    return layers, [getattr(file, name, None) for name in asked]


def opened_by_the_program(path, flags):
    return os.open(path, flags, 0o600)


MODES = st.one_of(
    st.sampled_from(["r", "w", "a", "x", "rb", "wb", "ab", "xb", "r+", "w+b", "rt", "wt"]),
    st.text("rwaxbt+U\0", max_size=3),
    st.sampled_from([None, 5, b"r"]),
)
ARGUMENTS = st.tuples(
    st.sampled_from(["there", "missing", "."]),
    MODES,
    st.one_of(st.sampled_from([-1, 0, 1, 2, 8192, -7]), st.sampled_from([True, None, "1", 1.5, 1 << 40])),
    st.sampled_from([None, None, "utf-8", "ascii", "locale", "nonsense", "rot13", "a\0b", "\ud800", "é", 5]),
    st.sampled_from([None, None, "strict", "replace", "nonsense", "a\0b", 5]),
    st.sampled_from([None, None, "", "\n", "\r", "\r\n", "x", "a\0b", 5]),
    st.sampled_from([True, True, False]),
    st.sampled_from([None, None, opened_by_the_program, 5, lambda _path, _flags: -1]),
)


@pytest.mark.parametrize("kind", [of_a_recording, of_faults, of_a_race])
@settings(max_examples=60, deadline=None, database=None)
@given(arguments=ARGUMENTS)
@example(arguments=("there", "w", 0, None, None, None, True, None))
@example(arguments=("there", "rb", -1, "utf-8", None, None, True, None))
@example(arguments=("there", "ab", 1, None, None, None, True, None))
@example(arguments=("missing", "w", -1, "nonsense", None, "x", True, None))
@example(arguments=("there", "r", -1, None, None, None, False, None))
@example(arguments=("there", "rb", -1, None, None, None, False, opened_by_the_program))
def test_what_stands_in_for_open_refuses_what_it_refuses_and_takes_what_it_takes(kind, arguments):
    assert outcome(kind, *arguments) == outcome(of_python, *arguments)
