"""Salvage of a damaged log: what can be vouched for stays under its number, the rest is told and kept as evidence."""

import errno
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference_store import CorruptData, JournalStore, Lost, SalvageReport, StorageFailure
from reference_store.operations import log_salvage
from tests.reference_store.faults import fail_call
from tests.reference_store.long_logs import records, write_log

NEXT = {"next": True}
Lines = list[bytes]


def numbered(root: Path) -> dict[int, Any]:
    return {entry.number: entry.record for entry in JournalStore(root).entries("S")}


def kept_of(*numbers: int) -> dict[int, Any]:
    return {number: records(1, number)[0] for number in numbers}


DAMAGE: dict[str, tuple[Callable[[Lines], bytes], tuple[int, ...], tuple[Lost, ...]]] = {
    "a-value-changed": (
        lambda log: b"".join([*log[:2], log[2].replace(b"3", b"7", 1), *log[3:]]),
        (1, 2, 4, 5, 6),
        (Lost(3, 3),),
    ),
    "first-record": (lambda log: b"".join([b"x" + log[0], *log[1:]]), (2, 3, 4, 5, 6), (Lost(1, 1),)),
    "last-record": (lambda log: b"".join([*log[:5], log[5][:-9] + b"\n"]), (1, 2, 3, 4, 5), (Lost(6, 6),)),
    "two-records": (lambda log: b"".join([*log[:1], b"\n", b"{}\n", *log[3:]]), (1, 4, 5, 6), (Lost(2, 3),)),
    "here-and-there": (
        lambda log: b"".join([log[0], b"\n", log[2], b"\n", *log[4:]]),
        (1, 3, 5, 6),
        (Lost(2, 2), Lost(4, 4)),
    ),
    "a-record-missing": (lambda log: b"".join([*log[:2], *log[3:]]), (1, 2, 4, 5, 6), (Lost(3, 3),)),
    "the-beginning-missing": (lambda log: b"".join(log[3:]), (4, 5, 6), (Lost(1, 3),)),
    "a-newline-lost": (lambda log: b"".join([*log[:2], log[2][:-1] + b" ", *log[3:]]), (1, 2, 5, 6), (Lost(3, 4),)),
    "the-last-newlines-lost": (
        lambda log: b"".join([*log[:3], log[3][:-1], log[4][:-1], log[5]]),
        (1, 2, 3),
        (Lost(4, 6),),
    ),
    "a-record-twice": (lambda log: b"".join([*log[:3], log[2], *log[3:]]), (1, 2, 3, 4, 5, 6), ()),
    "the-log-twice": (lambda log: b"".join([*log, *log]), (1, 2, 3, 4, 5, 6), ()),
    "exchanged": (lambda log: b"".join([log[0], log[4], log[2], log[3], log[1], log[5]]), (1, 2, 3, 4, 5, 6), ()),
    "nothing-left": (lambda log: b"x\n" * 6, (), (Lost(1, 6),)),
    "emptied": (lambda log: b"", (), (Lost(1, 1),)),
    "zeroed": (lambda log: bytes(900), (), (Lost(1, 1),)),
}


@pytest.mark.parametrize(("operator", "kept", "lost"), DAMAGE.values(), ids=list(DAMAGE))
def test_what_can_be_vouched_for_stays_and_the_rest_is_told_and_kept(
    tmp_path: Path, operator: Callable[[Lines], bytes], kept: tuple[int, ...], lost: tuple[Lost, ...]
) -> None:
    path = write_log(tmp_path, 6)
    damaged = operator(path.read_bytes().splitlines(keepends=True))
    path.write_bytes(damaged)
    store = JournalStore(tmp_path)
    with pytest.raises(CorruptData):
        store.read("S")

    report = store.salvage("S")

    assert (report.stream, report.kept, report.lost) == ("S", len(kept), lost)
    assert report.evidence is not None
    assert (tmp_path / report.evidence).read_bytes() == damaged
    assert numbered(tmp_path) == kept_of(*kept)
    after = path.read_bytes()
    assert JournalStore(tmp_path).salvage("S") == SalvageReport("S", len(kept))
    assert path.read_bytes() == after
    store.append("S", NEXT)
    assert store.read("S")[-1] == NEXT
    last = max(kept[-1:] + tuple(one.last for one in lost))
    assert list(numbered(tmp_path))[-1] == last + 1


def test_a_sound_log_and_what_an_interrupted_append_left_are_left_alone(tmp_path: Path) -> None:
    path = write_log(tmp_path, 6)
    with path.open("ab") as file:
        file.write(b'{"n": 7, "no')
    before = path.read_bytes()

    assert JournalStore(tmp_path).salvage("S") == SalvageReport("S", 6)
    assert JournalStore(tmp_path).salvage("T") == SalvageReport("T", 0)
    assert path.read_bytes() == before
    assert not list(tmp_path.glob(".damaged-*"))


def test_damage_to_a_salvaged_log_is_damage_and_can_be_salvaged_again(tmp_path: Path) -> None:
    path = write_log(tmp_path, 9)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:2], *lines[5:]]))
    JournalStore(tmp_path).salvage("S")
    salvaged = path.read_bytes().splitlines(keepends=True)
    assert len(salvaged) == 7
    forged = salvaged[2].replace(b": 3", b": 2")
    for damaged in ([*salvaged[:2], *salvaged[3:]], [*salvaged[:2], forged, *salvaged[3:]]):
        path.write_bytes(b"".join(damaged))
        with pytest.raises(CorruptData):
            JournalStore(tmp_path).read("S")

        assert JournalStore(tmp_path).salvage("S").lost == (Lost(3, 5),)
        assert path.read_bytes().splitlines(keepends=True) == salvaged


damages = st.lists(
    st.tuples(
        st.sampled_from(["flip", "zero", "remove", "insert", "repeat", "cut"]), st.floats(0, 1), st.integers(1, 700)
    ),
    min_size=1,
    max_size=4,
)


def damage(data: bytes, kind: str, where: float, size: int) -> bytes:
    begin = int(where * len(data))
    return {
        "flip": data[:begin] + bytes(byte ^ 1 for byte in data[begin : begin + 1]) + data[begin + 1 :],
        "zero": data[:begin] + bytes(len(data[begin : begin + size])) + data[begin + size :],
        "remove": data[:begin] + data[begin + size :],
        "insert": data[:begin] + b"\n{}" * (size // 3) + data[begin:],
        "repeat": data[: begin + size] + data[begin:],
        "cut": data[:begin],
    }[kind]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(count=st.integers(1, 40), group=st.sampled_from([1, 5]), damaging=damages)
def test_whatever_happened_no_whole_line_is_lost_and_nothing_else_is_served(
    tmp_path_factory: pytest.TempPathFactory, count: int, group: int, damaging: list[tuple[str, float, int]]
) -> None:
    root = tmp_path_factory.mktemp("root")
    path = write_log(root, count, group=group)
    whole = path.read_bytes().splitlines()
    data = path.read_bytes()
    for kind, where, size in damaging:
        data = damage(data, kind, where, size)
    path.write_bytes(data)
    store = JournalStore(root)
    there = {whole.index(line) + 1 for line in data.split(b"\n") if line in whole}

    report = store.salvage("S")

    found = numbered(root)
    assert found == kept_of(*found)
    assert report.kept == len(found)
    if report.evidence is None:
        assert list(found) == list(range(1, len(found) + 1))
    else:
        assert set(found) == there
        assert (root / report.evidence).read_bytes() == data
        gone = {number for one in report.lost for number in range(one.first, one.last + 1)}
        assert gone.isdisjoint(found)
        assert gone >= set(range(1, max(found, default=0))) - set(found)
    assert store.salvage("S").evidence is None
    store.append("S", NEXT)
    assert store.read("S") == [*found.values(), NEXT]


@pytest.mark.parametrize("call", ["link", "rename", "fsync", "write"])
def test_a_salvage_that_was_interrupted_is_done_by_the_next_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    path = write_log(tmp_path, 6)
    lines = path.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:2], *lines[3:]])
    path.write_bytes(damaged)
    for at in range(1, 4):
        with monkeypatch.context() as patch:
            fail_call(patch, call, at=at)
            try:
                JournalStore(tmp_path).salvage("S")
            except StorageFailure:
                evidence = [kept.read_bytes() for kept in tmp_path.glob(".damaged-*")]
                assert path.read_bytes() == damaged or evidence == [damaged]
                assert numbered(tmp_path) if path.read_bytes() != damaged else True

    JournalStore(tmp_path).salvage("S")
    assert numbered(tmp_path) == kept_of(1, 2, 4, 5, 6)
    assert [kept.read_bytes() for kept in tmp_path.glob(".damaged-*")] == [damaged]
    assert not list(tmp_path.glob(".tmp-*"))


def test_where_there_are_no_links_the_evidence_is_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_log(tmp_path, 6)
    damaged = path.read_bytes().replace(b'"n": 3', b'"n": 8')
    path.write_bytes(damaged)
    fail_call(monkeypatch, "link", errno.EPERM)

    report = JournalStore(tmp_path).salvage("S")

    assert report.lost == (Lost(3, 3),)
    assert (tmp_path / str(report.evidence)).read_bytes() == damaged


def test_what_is_appended_while_a_log_is_looked_at_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_log(tmp_path, 2000)
    path.write_bytes(path.read_bytes().replace(b'"n": 3,', b'"n": 8,'))
    writer, real = JournalStore(tmp_path), log_salvage._replaced

    def appended_before(*arguments: Any) -> SalvageReport | None:
        writer.append("S", NEXT)
        return real(*arguments)

    monkeypatch.setattr(log_salvage, "_replaced", appended_before)
    report = JournalStore(tmp_path).salvage("S")

    assert report.lost == (Lost(3, 3),)
    assert JournalStore(tmp_path).read("S", since=1999) == [*records(1, 2000), NEXT]
    writer.append("S", NEXT)
    assert list(numbered(tmp_path))[-1] == 2002


def test_a_log_that_somebody_else_has_salvaged_meanwhile_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_log(tmp_path, 9)
    path.write_bytes(path.read_bytes().replace(b'"n": 3,', b'"n": 8,'))
    real = log_salvage._replaced

    def done_before(*arguments: Any) -> SalvageReport | None:
        monkeypatch.setattr(log_salvage, "_replaced", real)
        assert JournalStore(tmp_path).salvage("S").kept == 8
        return real(*arguments)

    monkeypatch.setattr(log_salvage, "_replaced", done_before)

    assert JournalStore(tmp_path).salvage("S") == SalvageReport("S", 8)
    assert len(list(tmp_path.glob(".damaged-*"))) == 1


def test_other_writers_of_the_directory_do_not_wait_while_a_log_is_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_log(tmp_path, 9)
    path.write_bytes(path.read_bytes().replace(b'"n": 3,', b'"n": 8,'))
    other = JournalStore(tmp_path, lock_timeout=0)

    monkeypatch.setattr(log_salvage, "_sound_records", lambda *arguments: other.append("T", NEXT))
    JournalStore(tmp_path).salvage("S")

    assert other.read("T") == [NEXT]


def test_what_is_no_file_cannot_be_salvaged(tmp_path: Path) -> None:
    (tmp_path / "S.jsonl").symlink_to(tmp_path / "victim")
    os.mkfifo(tmp_path / "P.jsonl")

    for stream in "SP":
        with pytest.raises(CorruptData, match="not a regular file"):
            JournalStore(tmp_path).salvage(stream)


def test_readers_find_the_damaged_or_the_salvaged_log_and_never_none(tmp_path: Path) -> None:
    path = write_log(tmp_path, 6)
    path.write_bytes(path.read_bytes().replace(b'"n": 3', b'"n": 8'))
    descriptor = os.open(path, os.O_RDONLY)
    try:
        JournalStore(tmp_path).salvage("S")
        assert os.fstat(descriptor).st_nlink == 1  # the evidence; the log is another file
    finally:
        os.close(descriptor)
