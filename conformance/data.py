"""The data contract itself: what goes in comes out, whole, in order, under its own name, and after reopening.

A case is a short program against an open store, run in a process of its own; it answers with a mismatch or nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.values import ORDINARY, VALUES, generated, same
from pytest_tradestore.contracts import Contract
from pytest_tradestore.crash.observation import canonical, shortened
from pytest_tradestore.isolation import Channel, Died, Finished, Hung, run_isolated
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest, open_store
from pytest_tradestore.verdict import Counterexample, Result, Verdict

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench


@dataclass(frozen=True, slots=True)
class Mismatch:
    """What a case found: the calls made, what they gave, what they had to give."""

    sentence: str
    calls: tuple[str, ...]
    found: str
    allowed: str


class Visit:
    """One case's way to the store: opens it, calls it and keeps the calls for the report."""

    def __init__(self, store: StoreUnderTest, root: Any, channel: Channel, seed: int, examples: int) -> None:
        self._store = store
        self._root = root
        self._channel = channel
        self._bridge = Bridge()
        self._steps = 0
        self.seed = seed
        self.examples = examples
        self.calls: list[str] = []
        self.values = 0
        self.refused = 0
        self.opened: OpenStore = self._open()

    def _open(self) -> OpenStore:
        self._step()
        return open_store(self._store.target, self._root, self._bridge)

    def _step(self) -> None:
        self._steps += 1
        self._channel.step(self._steps)

    def call(self, method: str, *arguments: Any) -> Any:
        """Call the store; whatever it raises is raised."""
        self._step()
        shown = ", ".join(shortened(repr(a) if isinstance(a, str) else canonical(a), 50) for a in arguments)
        self.calls.append(f"{method}({shown})")
        return self.opened.call(method, *arguments)

    def accepted(self, method: str, *arguments: Any) -> bool:
        """Call the store with a value that it may refuse by one of its own errors; say whether it took it."""
        self.values += 1
        try:
            self.call(method, *arguments)
        except self._store.declarations.errors:
            self.refused += 1
            return False
        return True

    def reopen(self) -> None:
        """Close the store and open it again."""
        self.calls.append("close, reopen")
        self.close()
        self.opened = self._open()

    def close(self) -> None:
        self._step()
        self.opened.close()

    def expect(self, sentence: str, found: Any, wanted: Any) -> Mismatch | None:
        """Return a mismatch unless ``found`` is the same JSON value as ``wanted``."""
        if same(found, wanted):
            return None
        return Mismatch(
            sentence, tuple(self.calls), shortened(canonical(found), 200), shortened(canonical(wanted), 200)
        )


_SAMPLED = "generated"
"""The one case whose values are drawn, not listed."""

Program = Callable[[Visit], Mismatch | None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a contract says "write this value" and "read it back"; with the journal the value is the newest record."""

    write: str
    read: str
    place: tuple[str, ...]
    nothing: tuple[Any, ...]

    def put(self, visit: Visit, value: Any, place: tuple[str, ...] | None = None) -> bool:
        return visit.accepted(self.write, *(self.place if place is None else place), value)

    def get(self, visit: Visit, place: tuple[str, ...] | None = None) -> Any:
        return visit.call(self.read, *(self.place if place is None else place))

    def newest(self, visit: Visit, place: tuple[str, ...] | None = None) -> Any:
        value = self.get(visit, place)
        return value[-1] if self.write == "append" and isinstance(value, list) and value else value


_DIALECTS = {
    "document": Dialect("save", "load", (), (None, {})),
    "documents": Dialect("put", "get", ("AAPL",), (None, {})),
    "journal": Dialect("append", "read", ("orders",), (None, [], {})),
}


def checks(contract: Contract) -> tuple[Check, ...]:
    """Return the checks of one contract's data."""
    if contract.name not in _DIALECTS:
        return ()
    dialect = _DIALECTS[contract.name]
    rows: list[tuple[str, str, Program, str]] = [
        ("DATA-ROUNDTRIP", name, partial(_round_trip, dialect, name, value), "") for name, value in VALUES.items()
    ]
    rows += [
        ("DATA-ROUNDTRIP", _SAMPLED, partial(_generated, dialect), ""),
        ("DATA-MISSING", "", partial(_missing, dialect), ""),
        ("DATA-REOPEN", "", partial(_reopened, dialect), ""),
    ]
    if contract.name == "journal":
        rows.append(("DATA-ORDER", "", _ordered, ""))
    else:
        rows.append(("DATA-OVERWRITE", "", partial(_overwritten, dialect), ""))
    if contract.name == "documents":
        rows += [("DATA-DELETE", "", _deleted, "delete"), ("DATA-KEYS", "", _listed, "keys")]
    return tuple(
        _check(requirement, f"{contract.name}-{name}" if name else contract.name, program, needs)
        for requirement, name, program, needs in rows
    )


def _check(requirement: str, case: str, program: Program, needs: str) -> Check:
    def judge(bench: "Bench", store: StoreUnderTest) -> Result:
        if needs and needs not in bench.examined(store).methods:
            return Result(requirement, case, Verdict.NOT_APPLICABLE, f"the store has no {needs}()")
        return _run(requirement, case, program, bench, store)

    return Check(requirement, case, judge)


def _run(requirement: str, case: str, program: Program, bench: "Bench", store: StoreUnderTest) -> Result:
    settings = bench.settings
    with Sandbox() as sandbox:
        root = sandbox.fresh_root()

        def visit_store(channel: Channel) -> tuple[Mismatch | None, int, int]:
            visit = Visit(store, root, channel, settings.seed, settings.budget.value.generated_values)
            try:
                mismatch = program(visit)
                visit.close()
            except Exception as error:  # what the store raises where it must not is the finding
                mismatch = _raised(visit, error)
            return mismatch, visit.values, visit.refused

        ending = run_isolated(visit_store, store.declarations.deadline)
    match ending:
        case Finished((mismatch, values, refused)):
            checked = {"values": values, "refused": refused}
            if mismatch is None:
                return Result(requirement, case, Verdict.HOLDS, "", checked, exhaustive=not case.endswith(_SAMPLED))
            return _violated(requirement, case, mismatch, checked)
        case Hung(_, seconds):
            return _violated(requirement, case, _stopped(f"the store took longer than {seconds:g} s"), {})
        case Died(_, how):
            return _violated(requirement, case, _stopped(f"the store ended its process: {how}"), {})
    raise AssertionError("every ending is matched")


def _raised(visit: Visit, error: Exception) -> Mismatch:
    last = visit.calls[-1] if visit.calls else "opening the store"
    told = f"{type(error).__name__}: {error}"
    return Mismatch(f"{last} raised {shortened(told, 100)}", tuple(visit.calls), told, "no exception")


def _stopped(sentence: str) -> Mismatch:
    return Mismatch(sentence, (), sentence, "the call returns")


def _violated(requirement: str, case: str, mismatch: Mismatch, checked: dict[str, int]) -> Result:
    told = Counterexample(
        mismatch.sentence, workload=mismatch.calls, found=(mismatch.found,), allowed=(mismatch.allowed,)
    )
    return Result(requirement, case, Verdict.VIOLATED, mismatch.sentence, checked, counterexample=told)


def _round_trip(dialect: Dialect, name: str, value: dict[str, Any], visit: Visit) -> Mismatch | None:
    if not dialect.put(visit, value):
        if name == ORDINARY:
            return Mismatch("an ordinary document was refused", tuple(visit.calls), "refused", "accepted")
        return None
    if found := visit.expect("what is read is not what was written", dialect.newest(visit), value):
        return found
    visit.reopen()
    return visit.expect("what is read after reopening is not what was written", dialect.newest(visit), value)


def _generated(dialect: Dialect, visit: Visit) -> Mismatch | None:
    number = 0

    def wrong(value: dict[str, Any]) -> Mismatch | None:
        nonlocal number
        number += 1
        visit.calls.clear()
        place = tuple(f"{name}{number}" for name in dialect.place)  # each value alone, where there are places
        if not dialect.put(visit, value, place):
            return None
        found = dialect.newest(visit, place)
        if value == {} and found in dialect.nothing:
            return None  # an empty document and none read alike
        return visit.expect("what is read is not what was written", found, value)

    return generated(wrong, visit.examples, visit.seed)


def _missing(dialect: Dialect, visit: Visit) -> Mismatch | None:
    found = dialect.get(visit)
    if not _nothing(dialect, found):
        return _invented(visit, found)
    if dialect.place:
        dialect.put(visit, VALUES[ORDINARY], ("MSFT",))
        found = dialect.get(visit)
        if not _nothing(dialect, found):
            return _invented(visit, found)
    return None


def _nothing(dialect: Dialect, found: Any) -> bool:
    return any(type(found) is type(nothing) and found == nothing for nothing in dialect.nothing)


def _invented(visit: Visit, found: Any) -> Mismatch:
    return Mismatch("what was never written reads as something", tuple(visit.calls), canonical(found), "None, {} or []")


def _overwritten(dialect: Dialect, visit: Visit) -> Mismatch | None:
    first = {"cash": 1.5, "old": True, "positions": {"AAPL": 1, "MSFT": 2}}
    second = {"cash": 2.5, "positions": {"AAPL": 3}}
    if dialect.place:
        dialect.put(visit, first, ("MSFT",))
    dialect.put(visit, first)
    dialect.put(visit, second)
    if found := visit.expect("after an overwrite the new document is not what is read", dialect.get(visit), second):
        return found
    if dialect.place:
        return visit.expect("overwriting one key changed another", dialect.get(visit, ("MSFT",)), first)
    return None


def _reopened(dialect: Dialect, visit: Visit) -> Mismatch | None:
    first, second = {"cash": 1.5}, {"cash": 2.5, "positions": {"AAPL": 3}}
    dialect.put(visit, first)
    dialect.put(visit, second)
    if dialect.place:
        dialect.put(visit, first, ("MSFT",))
    before = dialect.get(visit)
    visit.reopen()
    if found := visit.expect("after reopening the store shows something else", dialect.get(visit), before):
        return found
    if dialect.place:
        other = dialect.newest(visit, ("MSFT",))
        return visit.expect("after reopening another key shows something else", other, first)
    return None


_SIMILAR_KEYS = ("AAPL", "AAPL2", "AAP", "MSFT")


def _deleted(visit: Visit) -> Mismatch | None:
    for number, key in enumerate(_SIMILAR_KEYS):
        visit.accepted("put", key, {"version": number})
    visit.call("delete", "AAPL")
    found = visit.call("get", "AAPL")
    if found not in (None, {}):
        return Mismatch("a deleted key is still read", tuple(visit.calls), canonical(found), "None or {}")
    for number, key in enumerate(_SIMILAR_KEYS):
        if key != "AAPL" and (
            mismatch := visit.expect(f"deleting one key changed {key!r}", visit.call("get", key), {"version": number})
        ):
            return mismatch
    visit.accepted("put", "AAPL", {"version": 10})
    return visit.expect(
        "a key written again after its deletion is not read", visit.call("get", "AAPL"), {"version": 10}
    )


def _listed(visit: Visit) -> Mismatch | None:
    wanted: list[str] = []

    def wrong(sentence: str) -> Mismatch | None:
        return visit.expect(sentence, sorted(str(key) for key in visit.call("keys")), sorted(wanted))

    if mismatch := wrong("an empty store lists keys"):
        return mismatch
    keys = ("AAPL", "BRK.B", "005930.KS", "BTC-USD", "aapl.json")
    wanted.extend(key for key in keys if visit.accepted("put", key, {"symbol": key}))
    visit.accepted("put", "AAPL", {"symbol": "AAPL", "again": True})
    if mismatch := wrong("the keys listed are not the keys written"):
        return mismatch
    visit.reopen()
    if mismatch := wrong("the keys listed after reopening are not the keys written"):
        return mismatch
    if visit.opened.has("delete"):
        visit.call("delete", "BRK.B")
        wanted[:] = [key for key in wanted if key != "BRK.B"]
        return wrong("the keys listed after a deletion are not the ones left")
    return None


def _ordered(visit: Visit) -> Mismatch | None:
    orders = [{"order": number, "symbol": "AAPL"} for number in (3, 1, 2, 2, 10, 9)]
    fills = [{"fill": number} for number in range(3)]
    for number, record in enumerate(orders):
        visit.call("append", "orders", record)
        if number < len(fills):
            visit.call("append", "fills", fills[number])
    sentence = "the log is not the records appended to it, once each and in order"
    if mismatch := visit.expect(sentence, visit.call("read", "orders"), orders):
        return mismatch
    if mismatch := visit.expect(sentence, visit.call("read", "fills"), fills):
        return mismatch
    visit.reopen()
    return visit.expect(f"after reopening {sentence}", visit.call("read", "orders"), orders)
