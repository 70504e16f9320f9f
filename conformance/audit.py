"""The contract of the audit log, sentence by sentence.

What was logged is read back by the store's own readers where it has them, else from its files of lines. A log that is
kept in neither (in a database without readers) cannot be looked at, and that is said.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from typing import Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.programs import Step, StepKind, from_programs
from pytest_tradestore.conformance.recorded import files, watched
from pytest_tradestore.conformance.visit import SAMPLED, Mismatch, NotAskedError, Visit, check
from pytest_tradestore.crash.observation import canonical, counted
from pytest_tradestore.crash.operations import Kind, Rename, Truncate, Unlink, Write
from pytest_tradestore.crash.trace import Trace, Tree, replay
from pytest_tradestore.records import plain

_NO_LINES = "its audit log is not kept in files of lines"


def checks() -> tuple[Check, ...]:
    """Return the checks of the contract."""
    return (
        check("DATA-AUDIT-COMPLETE", "audit", _complete),
        check("DATA-AUDIT-ORDER", "audit", _ordered),
        check("DATA-AUDIT-APPEND-ONLY", "audit", _append_only),
        check("DATA-AUDIT-DAYS", "audit", _daily),
        check("DATA-REOPEN", "audit", _reopened),
        check("DATA-MODEL", f"audit-{SAMPLED}", from_programs(_play, GRAMMAR)),
    )


class _Desk:
    """Logs decisions and orders, each with a text that is found nowhere else, and finds them again."""

    def __init__(self, visit: Visit) -> None:
        self.visit = visit
        self.logged: dict[str, list[tuple[str, dict[str, Any]]]] = {"decisions": [], "orders": []}

    def decide(self, **other: Any) -> str:
        """Log a decision and return the text by which it is known."""
        number = len(self.logged["decisions"]) + 1
        mark = f"decided-{number:04d}-because"
        fields = {"symbol": "AAPL", "action": "BUY", "target_weight": 0.05, "confidence": number / 128} | other
        record = self.visit.make.make_decision(reasoning=mark, **fields)
        self.logged["decisions"].append((mark, {"strategy": "momentum"} | _flat(record)))
        self.visit.must("log_decision", "momentum", record, shown=f"log_decision('momentum', decision({mark!r}))")
        return mark

    def order(self, **other: Any) -> str:
        """Log an order and return the text by which it is known."""
        number = len(self.logged["orders"]) + 1
        mark = f"ordered-{number:04d}-filled"
        fields = {"symbol": "AAPL", "action": "BUY", "quantity": 100 + number, "order_type": "MARKET"}
        asked = self.visit.make.make_order(strategy_name="momentum", **fields)
        result = self.visit.make.make_order_result(
            **({"order_id": number, "status": "filled", "fill_price": 150.25, "fill_quantity": 100} | other),
            message=mark,
        )
        self.logged["orders"].append((mark, {"strategy": "momentum"} | _flat(asked) | _flat(result)))
        self.visit.must("log_order", "momentum", asked, result, shown=f"log_order('momentum', order, result({mark!r}))")
        return mark

    def records(self, place: str) -> list[Any]:
        """Return what the log of today holds, in its order; raises NotAskedError if nobody can tell."""
        reader = f"read_{place}"
        if self.visit.opened.has(reader):
            today = datetime.now(UTC).date()
            found: list[Any] = []
            for day in (today - timedelta(days=1), today, today + timedelta(days=1)):
                found += [plain(record) for record in self.visit.call(reader, day) or ()]
            return found
        marks = [mark for mark, _ in self.logged[place]]
        return [line for path in _logs(self.visit, marks) for line in _lines(self.visit, path) if _marked(line, marks)]

    def wrong(self, place: str, sentence: str) -> Mismatch | None:
        """Return a mismatch unless a log holds just what was logged, once each and in order."""
        wanted = [mark for mark, _ in self.logged[place]]
        if not wanted and not self.visit.opened.has(f"read_{place}"):
            return None
        return self.visit.expect(sentence, [_mark_of(record, wanted) for record in self.records(place)], wanted)


def _flat(record: Any) -> dict[str, Any]:
    told = plain(record)
    return dict(told) if isinstance(told, dict) else {"value": told}


def _marked(record: Any, marks: Sequence[str]) -> bool:
    return any(mark in canonical(record) for mark in marks)


def _mark_of(record: Any, marks: Sequence[str]) -> str:
    text = canonical(record)
    return next((mark for mark in marks if mark in text), text[:40])


def _logs(visit: Visit, marks: Sequence[str]) -> list[str]:
    """Return the files of lines that hold any of the marks, by relative path."""
    found, elsewhere = [], False
    for path, state in files(visit.root):
        if not os.path.isfile(os.path.join(visit.root, path)) or state.st_size == 0:
            continue
        with open(os.path.join(visit.root, path), "rb") as file:
            content = file.read()
        if any(mark.encode() in content for mark in marks):
            elsewhere |= b"\0" in content
            found += [path] if b"\0" not in content else []
    if elsewhere or not found:
        raise NotAskedError(_NO_LINES)
    return found


def _lines(visit: Visit, path: str) -> Iterator[Any]:
    with open(os.path.join(visit.root, path), "rb") as file:
        content = file.read()
    for line in content.split(b"\n"):
        text = line.decode("utf-8", "replace")
        begins = text.find("{")
        try:
            yield json.loads(text[begins:]) if begins >= 0 else text
        except ValueError:
            yield text


def _complete(visit: Visit) -> Mismatch | None:
    """Log fields that are easily lost, and look for each of them in the line."""
    desk = _Desk(visit)
    desk.decide(symbol="BRK.B", action="HOLD", target_weight=None, confidence=0.1 + 0.2)
    desk.decide(symbol="AAPL", action="BUY", target_weight=1 / 3, confidence=0.5)
    desk.order(fill_price=150.2500001, fill_quantity=7, status="partly filled")
    desk.order(order_id="A-17", fill_price=None, fill_quantity=None, status="refused")
    for place, rows in desk.logged.items():
        records = desk.records(place)
        for mark, fields in rows:
            line = next((r for r in records if mark in canonical(r)), None)
            there = {canonical(leaf) for leaf in _leaves(line)}
            lost = {n: v for n, v in fields.items() if v is not None and canonical(v) not in there}
            if lost:
                sentence = f"a line of the audit log ({place}) does not hold all that was logged"
                return visit.mismatch(sentence, canonical(line)[:200], f"a line that holds {canonical(lost)}")
    return None


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _leaves(item)
    elif isinstance(value, list):
        for item in value:
            yield from _leaves(item)
    else:
        yield value


def _ordered(visit: Visit) -> Mismatch | None:
    desk = _Desk(visit)
    for _ in range(3):
        desk.decide()
        desk.order()
    sentence = "the audit log is not what was logged, once each and in order"
    return desk.wrong("decisions", sentence) or desk.wrong("orders", sentence)


def _reopened(visit: Visit) -> Mismatch | None:
    desk = _Desk(visit)
    desk.decide()
    desk.order()
    visit.reopen()
    desk.decide()
    sentence = "after reopening the audit log is not what was logged"
    return desk.wrong("decisions", sentence) or desk.wrong("orders", sentence)


# -- files --------------------------------------------------------------------------------------------------------


def _append_only(visit: Visit) -> Mismatch | None:
    """Log a day while a recorder watches; where it cannot, see whether each file still begins as it did before."""
    desk = _Desk(visit)
    contents: list[dict[str, bytes]] = []

    def day() -> Iterator[None]:
        for number in range(3):
            desk.decide()
            yield
            desk.order()
            yield
            if number == 1:
                visit.reopen()
                yield

    def watch(_: object) -> None:
        for _ in day():
            pass

    recording = watched(visit, watch)
    if recording.trace is not None:
        visit.checked["recorded"] = len(recording.trace.operations)
        marks = [mark for rows in desk.logged.values() for mark, _ in rows]
        return _rewritten(visit, recording.trace, marks)
    visit.fresh()
    desk = _Desk(visit)
    for _ in day():
        marks = [mark for rows in desk.logged.values() for mark, _ in rows]
        contents.append({path: _bytes(visit, path) for path in _logs(visit, marks)})
    visit.checked["compared_files"] = sum(map(len, contents))
    return _not_a_prefix(visit, contents)


def _bytes(visit: Visit, path: str) -> bytes:
    with open(os.path.join(visit.root, path), "rb") as file:
        return file.read()


def _not_a_prefix(visit: Visit, contents: Sequence[dict[str, bytes]]) -> Mismatch | None:
    for before, after in pairwise(contents):
        for path, was in before.items():
            if not after.get(path, b"").startswith(was):
                told = f"{path} no longer begins with the {counted(len(was), 'byte')} that it held one call before"
                return visit.mismatch("a line of the audit log was rewritten", told, "lines are only appended")
    return None


def _rewritten(visit: Visit, trace: Trace, marks: Sequence[str]) -> Mismatch | None:
    """Return a mismatch if any file of the log was shortened, written below its end, replaced or removed."""
    end = replay(trace)
    logs: dict[int, str] = {}
    for path, inode in end.walk():
        node = end.nodes[inode]
        if node.kind is Kind.FILE and any(mark.encode() in node.content for mark in marks):
            if b"\0" in node.content:
                raise NotAskedError(f"its audit log is kept in {path}, which is no file of lines")
            logs[inode] = path
    if not logs:
        raise NotAskedError(_NO_LINES)
    paths = set(logs.values())
    tree = Tree(trace.initial)
    for operation in trace.operations:
        names = {inode: path for path, inode in tree.walk() if path in paths}
        size = len(tree.nodes[operation.inode].content) if isinstance(operation, (Write, Truncate)) else 0
        told = ""
        match operation:
            case Truncate(inode, shorter) if inode in names and shorter < size:
                told = f"{names[inode]} was cut from {size:,} to {shorter:,} bytes"
            case Write(inode, offset, data) if inode in names and offset < size:
                told = f"{names[inode]} held {size:,} bytes when {len(data):,} bytes were written at {offset:,}"
            case Rename(_, _, _, replaced) if replaced in names and tree.nodes[replaced].content:
                told = f"{names[replaced]} was replaced by another file"
            case Unlink(inode, _) if inode in names and tree.nodes[inode].content:
                told = f"{names[inode]} was removed"
        if told:
            return visit.mismatch("a line of the audit log was rewritten", told, "lines are only appended")
        tree.apply(operation)
    return None


def _daily(visit: Visit) -> Mismatch | None:
    """Log on two days of the local calendar, made by two time zones; a store may go by another calendar."""
    desk = _Desk(visit)
    zone = os.environ.get("TZ")
    try:
        _local_time("XST+23")
        first = [desk.decide(), desk.decide()]
        early = [_path(visit, mark, "decisions") for mark in first]
        if found := visit.expect("the decisions of one day are not in one file", early[0], early[1]):
            return found
        apart = _path(visit, desk.order(), "orders")
        if early[0] == apart:
            return visit.mismatch("decisions and orders are in one file", apart, "a log of each")
        _local_time("XST-23")
        later = _path(visit, desk.decide(), "decisions")
        visit.reopen()
        after_reopening = _path(visit, desk.decide(), "decisions")
    finally:
        _local_time(zone)
    if found := visit.expect(
        "the file of a day is chosen when the store is opened, not when it logs", later, after_reopening
    ):
        return found
    for path in (*early, apart, later):
        if not any(f"{day:%Y%m%d}" in re.sub(r"\D", "", path) for day in _days()):
            return visit.mismatch("a file of the audit log does not name its day", path, "<day>.jsonl, for example")
    return None


def _local_time(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()


def _days() -> list[date]:
    today = datetime.now(UTC).date()
    return [today + timedelta(days=number) for number in (-1, 0, 1)]


def _path(visit: Visit, mark: str, place: str) -> str:
    """Return the file that holds what was logged as ``mark``."""
    found = _logs(visit, [mark])
    return found[0] if len(found) == 1 else f"{place} in several files: {', '.join(found)}"


# -- generated programs -------------------------------------------------------------------------------------------


def _play(visit: Visit, program: Sequence[Step]) -> Mismatch | None:
    desk = _Desk(visit)
    sentence = "the audit log is not what was logged, once each and in order"
    acts: dict[str, Callable[[], Any]] = {"decide": desk.decide, "order": desk.order, "reopen": visit.reopen}
    for (name,) in program:
        if name != "read":
            acts[name]()
        elif found := desk.wrong("decisions", sentence) or desk.wrong("orders", sentence):
            return found
    return desk.wrong("decisions", sentence) or desk.wrong("orders", sentence)


GRAMMAR = (StepKind("decide"), StepKind("order"), StepKind("read"), StepKind("reopen"))
