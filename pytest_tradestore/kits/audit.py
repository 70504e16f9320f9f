"""The contract of the audit log, sentence by sentence: decisions go to one log and orders to another.

What was logged is read back by the store's own readers where it has them, else from its files of lines. A log that is
kept in neither (in a database without readers) cannot be looked at, and that is said.
"""

import json
import os
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.day import day_of_the_run
from pytest_tradestore.kits.grammar import Step, StepKind
from pytest_tradestore.kits.kit import LARGE, REOPEN, Case, Concurrent, Kit, NotAskedError
from pytest_tradestore.kits.protocol import Now
from pytest_tradestore.kits.slots import Ask, Slot, shown
from pytest_tradestore.kits.spec import Log, Spec
from pytest_tradestore.observation import Records as Lines
from pytest_tradestore.observation import Seen, canonical, counted
from pytest_tradestore.records import Records, plain

if TYPE_CHECKING:
    from pytest_tradestore.conformance.recorded import Watched
    from pytest_tradestore.conformance.visit import DataViolation, Visit
    from pytest_tradestore.target import OpenStore


@runtime_checkable
class AuditLog(Protocol):
    """Append-only logs of decisions and orders, a file per day; reading them back is optional."""

    def log_decision(self, strategy_name: str, decision: Any) -> Now[None]:
        """Add a decision to today's log."""

    def log_order(self, strategy_name: str, order: Any, result: Any) -> Now[None]:
        """Add an order and its result to today's log."""


# -- what is recorded, raced and looked at ------------------------------------------------------------------------

_LOGS = ("decisions", "orders")
LINES = "lines of "
"""With the name of a log: that it can be read in its files."""


def _decision(make: Records, reasoning: str, confidence: float = 0.5, symbol: Any = "AAPL") -> Any:
    return make.make_decision(
        symbol=symbol, action="BUY", target_weight=0.05, confidence=confidence, reasoning=reasoning
    )


def _order(make: Records, number: int, message: str | None, quantity: int = 100, strategy: Any = "momentum") -> Any:
    asked = make.make_order(strategy_name=strategy, symbol="AAPL", action="BUY", quantity=quantity, order_type="MARKET")
    result = make.make_order_result(
        order_id=number, status="filled", fill_price=150.25, fill_quantity=quantity, message=message
    )
    return asked, result


def _decided(make: Records, number: int, size: int = 0) -> Call:
    reasoning = f"reason {number}: " + ("strong fundamentals " * (size // 20) if size else "strong")
    long = f", reasoning: {len(reasoning):,} bytes" if size else ""
    told = f"log_decision({{number: {number}{long}}})"
    return Call("log_decision", ("momentum", _decision(make, reasoning, number / 128)), "decisions", told)


def _ordered_once(make: Records, number: int) -> Call:
    asked, result = _order(make, number, None, 100 + number)
    return Call("log_order", ("momentum", asked, result), "orders", f"log_order({{order_id: {number}}})")


def _raced(make: Records, log: str, number: int) -> Call:
    if log == "decisions":
        decision = _decision(make, f"mark-{number} strong")
        return Call("log_decision", ("momentum", decision), log, f"log_decision({{mark-{number}}})")
    asked, result = _order(make, number, f"mark-{number} filled")
    return Call("log_order", ("momentum", asked, result), log, f"log_order({{mark-{number}}})")


_MARK = re.compile(r"mark-\d+|decided-\d+-because|ordered-\d+-filled")


def _by_mark(records: Any) -> Lines:
    """Tell records by the mark that stands in one of their texts, wherever the store has put it."""
    told = records.items if isinstance(records, Lines) else records or ()
    texts = (canonical(plain(record)) for record in told)
    return Lines(tuple(found[0] if (found := _MARK.search(text)) else text for text in texts))


def _spec_of(log: str) -> Log:
    """Return what calls do to one of the logs, records told by their marks: who races and who plays share it."""
    return Log(f"log_{log.removesuffix('s')}", f"read_{log}", _by_mark, LINES + log)


class AuditLogKit(Kit):
    """The first and second decision of the day, an order between them, and a reasoning over several pages."""

    name = "audit"
    protocol = AuditLog
    required = ("log_decision", "log_order")
    optional = ("read_decisions", "read_orders")
    log = True

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        return tuple(
            Call(f"read_{log}", (), log, look=partial(_read_around_today, log))
            if f"read_{log}" in methods
            else Call(LINES + log, (), log, look=partial(lines_of, place=log))
            for log in _LOGS
        )

    def seen(self, look: Call, result: Any) -> Seen:
        return result if isinstance(result, Lines) else Lines(tuple(canonical(plain(r)) for r in result or ()))

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        yield from (_decided(make, 1), _decided(make, 2), _ordered_once(make, 3))
        yield from (_decided(make, 4, LARGE), _ordered_once(make, 5), _decided(make, 6, 5000))

    def next_update(self, make: Records, key: str, version: int) -> Call:
        return _decided(make, version) if key == "decisions" else _ordered_once(make, version)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent | None:
        """Use both logs where both can be read, else the one that can."""
        reads = {log: read for log in _LOGS if (read := _raced_read(log, methods)) is not None}
        if not reads:
            return None
        first, *_, last = reads
        live = all(read.look is None for read in reads.values())
        return Concurrent(
            partial(_raced, make, first),
            partial(_raced, make, last),
            (lambda _: reads[first]) if live else None,
            lambda _: tuple(reads.values()),
            reread=reads[last] if live else None,
        )

    def much(self, make: Records, methods: frozenset[str], most: int) -> tuple[list[Call], list[Call]]:
        """A busy day of decisions, for stores that read them back."""
        if "read_decisions" not in methods:
            return [], []
        read = Call("read_decisions", (), "decisions", look=partial(_read_around_today, "decisions"))
        return [_raced(make, "decisions", number) for number in range(1, most + 1)], [read]

    def spec_of(self, key: str) -> Spec:
        return _spec_of(key)

    def trying(self, methods: frozenset[str]) -> "Callable[[OpenStore, Records], Iterable[str]] | None":
        return None if methods & set(self.optional) else _written_lines

    def slots(self) -> tuple[Slot, ...]:
        decisions, orders = _lines_read("read_decisions"), _lines_read("read_orders")
        return (
            Slot("strategy name", _write_mark("strategy"), everything=decisions, appends=True),
            Slot("symbol", _write_mark("symbol"), everything=decisions, appends=True),
            Slot("strategy name of an order", _order_mark, everything=orders, appends=True),
        )

    grammar = (StepKind("decide"), StepKind("order"), StepKind("read"), StepKind(REOPEN))

    def play(self, visit: "Visit", program: Sequence[Step]) -> "DataViolation | None":
        desk = _Desk(visit)
        sentence = "the audit log is not what was logged, once each and in order"
        acts: dict[str, Callable[[], Any]] = {"decide": desk.decide, "order": desk.order, REOPEN: visit.reopen}
        for (name,) in program:
            if name != "read":
                acts[name]()
            elif found := desk.wrong("decisions", sentence) or desk.wrong("orders", sentence):
                return found
        return desk.wrong("decisions", sentence) or desk.wrong("orders", sentence)

    def cases(self) -> Iterable[Case]:
        return (
            Case("DATA-AUDIT-COMPLETE", _complete),
            Case("DATA-AUDIT-ORDER", _ordered),
            Case("DATA-AUDIT-APPEND-ONLY", _append_only),
            Case("DATA-AUDIT-DAYS", _daily),
            Case("DATA-REOPEN", _reopened),
            Case("DATA-TIME", _across_zones),
        )


def _read_around_today(log: str, store: "OpenStore") -> list[Any]:
    """Read a log that is kept by the local day, on both sides of midnight."""
    today = date.today()  # noqa: DTZ011 - as said
    days = (today - timedelta(days=1), today, today + timedelta(days=1))
    return [record for day in days for record in store.call(f"read_{log}", day) or ()]


def _raced_read(log: str, methods: frozenset[str]) -> Call | None:
    if f"read_{log}" in methods:
        day = day_of_the_run()
        return Call(f"read_{log}", (day,), log, f"read_{log}({day})")
    if LINES + log in methods:
        return Call(LINES + log, (), log, f"the lines of {log}/*.jsonl", look=partial(lines_of, place=log))
    return None


def _written_lines(store: "OpenStore", make: Records) -> list[str]:
    """Write to both logs and return those whose lines are then found."""
    found = []
    for log in _LOGS:
        with suppress(Exception):  # what is wrong with one caller alone, other requirements say
            _raced(make, log, 1).make(store)
            if any("mark-1" in line for line in lines_of(store, log).items):
                found.append(LINES + log)
    return found


def lines_of(store: "OpenStore", place: str) -> Lines:
    """Read a log that its store cannot read back: the lines of its JSONL files, as anybody would.

    What is left of a line that was cut off at the very end is not one yet; any other that is no JSON stops a reader.
    """
    found: list[str] = []
    for path in sorted(store.root.glob(f"**/{place}/*.jsonl")):
        *lines, last = path.read_bytes().split(b"\n")
        found += [_line(line) for line in lines if line]
        with suppress(ValueError):
            found += [_line(last)] if last else []
    return Lines(tuple(found))


def _line(line: bytes) -> str:
    """Return the record of a line; a checksum or the like may stand before it."""
    try:
        return canonical(json.loads(line[max(0, line.find(b"{")) :]))
    except ValueError:
        raise ValueError(f"a line is no JSON: {line[:40]!r}, {len(line):,} bytes") from None


# -- identifiers --------------------------------------------------------------------------------------------------


def _write_mark(which: str) -> Callable[[Ask, Any, int], Any]:
    def write(ask: Ask, identifier: Any, mark: int) -> Any:
        given = {"strategy": "momentum", "symbol": "AAPL"} | {which: identifier}
        decision = _decision(ask.make, f"mark {mark}.", symbol=given["symbol"])
        call = f"log_decision({shown(given['strategy'])}, decision {mark} about {shown(given['symbol'])})"
        return ask.call("log_decision", given["strategy"], decision, shown=call)

    return write


def _order_mark(ask: Ask, strategy: Any, mark: int) -> Any:
    asked, result = _order(ask.make, mark, f"mark {mark}.", strategy=strategy)
    return ask.call("log_order", strategy, asked, result, shown=f"log_order({shown(strategy)}, order {mark}, ...)")


def _lines_read(reader: str) -> Callable[[Ask], list[Any] | None]:
    def everything(ask: Ask) -> list[Any] | None:
        if not ask.has(reader):
            return None
        today = date.today()  # noqa: DTZ011 - the log is kept by the local day, and both sides of midnight are read
        days = (today + timedelta(days=number) for number in (-1, 0, 1))
        return [line for day in days for line in ask.call(reader, day, shown=f"{reader}(today)") or ()]

    return everything


# -- the data, sentence by sentence -------------------------------------------------------------------------------

_NO_LINES = "its audit log is not kept in files of lines"


class _Desk:
    """Logs decisions and orders, each with a text that is found nowhere else, and finds them again."""

    def __init__(self, visit: "Visit") -> None:
        self.visit = visit
        self.logged: dict[str, list[tuple[str, dict[str, Any]]]] = {"decisions": [], "orders": []}
        self.states: dict[str, Any] = {log: _spec_of(log).initial for log in _LOGS}

    def decide(self, **other: Any) -> str:
        """Log a decision and return the text by which it is known."""
        number = len(self.logged["decisions"]) + 1
        mark = f"decided-{number:04d}-because"
        fields = {"symbol": "AAPL", "action": "BUY", "target_weight": 0.05, "confidence": number / 128} | other
        record = self.visit.make.make_decision(reasoning=mark, **fields)
        self.logged["decisions"].append((mark, {"strategy": "momentum"} | _flat(record)))
        told = f"log_decision('momentum', decision({mark!r}))"
        self._log(Call("log_decision", ("momentum", record), "decisions", told))
        return mark

    def decide_twice(self) -> None:
        """Log a decision, and the very same once more: a strategy that says so twice has decided twice."""
        self.decide()
        mark, _ = self.logged["decisions"][-1]
        record = self.visit.make.make_decision(
            reasoning=mark, symbol="AAPL", action="BUY", target_weight=0.05, confidence=0.5
        )
        for _ in range(2):
            told = f"log_decision('momentum', decision({mark!r}))"
            self._log(Call("log_decision", ("momentum", record), "decisions", told))

    def _log(self, call: Call) -> None:
        self.states[call.key], _ = _spec_of(call.key).apply(self.states[call.key], call)
        self.visit.must(call.method, *call.arguments, shown=call.rendered)

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
        told = f"log_order('momentum', order, result({mark!r}))"
        self._log(Call("log_order", ("momentum", asked, result), "orders", told))
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

    def wrong(self, place: str, sentence: str) -> "DataViolation | None":
        """Return a mismatch unless a log is read as its specification says: each record once, in order."""
        read, spec, state = Call(f"read_{place}", (), place), _spec_of(place), self.states[place]
        if state == spec.initial and not self.visit.opened.has(read.method):
            return None
        _, answer = spec.apply(state, read)
        return self.visit.expect(sentence, list(_by_mark(self.records(place)).items), list(answer.items))


def _flat(record: Any) -> dict[str, Any]:
    told = plain(record)
    return dict(told) if isinstance(told, dict) else {"value": told}


def _marked(record: Any, marks: Sequence[str]) -> bool:
    return any(mark in canonical(record) for mark in marks)


def _logs(visit: "Visit", marks: Sequence[str]) -> list[str]:
    """Return the files of lines that hold any of the marks, by relative path."""
    found, elsewhere = [], False
    for path, state in visit.files():
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


def _lines(visit: "Visit", path: str) -> Iterator[Any]:
    with open(os.path.join(visit.root, path), "rb") as file:
        content = file.read()
    for line in content.split(b"\n"):
        text = line.decode("utf-8", "replace")
        begins = text.find("{")
        try:
            yield json.loads(text[begins:]) if begins >= 0 else text
        except ValueError:
            yield text


def _complete(visit: "Visit") -> "DataViolation | None":
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


def _ordered(visit: "Visit") -> "DataViolation | None":
    desk = _Desk(visit)
    for _ in range(3):
        desk.decide()
        desk.order()
    sentence = "the audit log is not what was logged, once each and in order"
    if found := desk.wrong("decisions", sentence) or desk.wrong("orders", sentence):
        return found
    desk.decide_twice()
    return desk.wrong("decisions", "of two equal decisions not each is in the audit log")


def _reopened(visit: "Visit") -> "DataViolation | None":
    desk = _Desk(visit)
    desk.decide()
    desk.order()
    visit.reopen()
    desk.decide()
    sentence = "after reopening the audit log is not what was logged, once each and in order"
    return desk.wrong("decisions", sentence) or desk.wrong("orders", sentence)


# -- files --------------------------------------------------------------------------------------------------------


def _append_only(visit: "Visit") -> "DataViolation | None":
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

    recording = visit.watched(watch)
    if recording.trace is not None:
        visit.checked["recorded"] = len(recording.operations)
        marks = [mark for rows in desk.logged.values() for mark, _ in rows]
        return _rewritten(visit, recording, marks)
    visit.fresh()
    desk = _Desk(visit)
    for _ in day():
        marks = [mark for rows in desk.logged.values() for mark, _ in rows]
        contents.append({path: _bytes(visit, path) for path in _logs(visit, marks)})
    visit.checked["compared_files"] = sum(map(len, contents))
    return _not_a_prefix(visit, contents)


def _bytes(visit: "Visit", path: str) -> bytes:
    with open(os.path.join(visit.root, path), "rb") as file:
        return file.read()


def _not_a_prefix(visit: "Visit", contents: Sequence[dict[str, bytes]]) -> "DataViolation | None":
    for before, after in pairwise(contents):
        for path, was in before.items():
            if not after.get(path, b"").startswith(was):
                told = f"{path} no longer begins with the {counted(len(was), 'byte')} that it held one call before"
                return visit.mismatch("a line of the audit log was rewritten", told, "lines are only appended")
    return None


def _rewritten(visit: "Visit", recording: "Watched", marks: Sequence[str]) -> "DataViolation | None":
    """Return a mismatch if any file of the log was shortened, written below its end, replaced or removed."""
    logs = recording.holding(marks)
    for path, content in logs.items():
        if b"\0" in content:
            raise NotAskedError(f"its audit log is kept in {path}, which is no file of lines")
    if not logs:
        raise NotAskedError(_NO_LINES)
    if told := recording.rewriting(logs):
        return visit.mismatch("a line of the audit log was rewritten", told, "lines are only appended")
    return None


def _daily(visit: "Visit") -> "DataViolation | None":
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


def _across_zones(visit: "Visit") -> "DataViolation | None":
    """Log in two time zones, and look each time, and from the first once more, for all that was logged.

    Whatever the hour, it is another day in the other one: one that has gone, and one that has not come yet.
    """
    desk = _Desk(visit)
    zone = os.environ.get("TZ")
    sentence = "what was logged under one time zone is not all found under another"
    try:
        for there in ("XST+23", "XST-23"):
            _local_time(there)
            visit.reopen()
            desk.decide()
            desk.order()
            if found := desk.wrong("decisions", sentence) or desk.wrong("orders", sentence):
                return found
        _local_time("XST+23")
        visit.reopen()
        if found := desk.wrong("decisions", sentence) or desk.wrong("orders", sentence):
            return found
    finally:
        _local_time(zone)
    visit.reopen()
    return desk.wrong("decisions", sentence) or desk.wrong("orders", sentence)


def _local_time(zone: str | None) -> None:
    if zone is None:
        os.environ.pop("TZ", None)
    else:
        os.environ["TZ"] = zone
    time.tzset()


def _days() -> list[date]:
    today = datetime.now(UTC).date()
    return [today + timedelta(days=number) for number in (-1, 0, 1)]


def _path(visit: "Visit", mark: str, place: str) -> str:
    """Return the file that holds what was logged as ``mark``."""
    found = _logs(visit, [mark])
    return found[0] if len(found) == 1 else f"{place} in several files: {', '.join(found)}"
