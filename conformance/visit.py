"""One case of the data contract: a short program against an open store, in a process of its own.

The program answers with a mismatch or nothing; what becomes of that, of an exception, a hang or an exit is said here.
"""

import asyncio
import inspect
import os
import unicodedata
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from pytest_tradestore.causes import Cause, Culprit, Harm
from pytest_tradestore.conformance import recorded
from pytest_tradestore.conformance.check import Check
from pytest_tradestore.conformance.judge import each_cause
from pytest_tradestore.isolation import Channel, Died, Finished, Hung
from pytest_tradestore.kits.call import Call, rendered_call
from pytest_tradestore.kits.kit import Kit, NotAskedError
from pytest_tradestore.kits.values import SAMPLED, same
from pytest_tradestore.observation import canonical, counted, shortened
from pytest_tradestore.records import Records, plain
from pytest_tradestore.runner import begun_and_ended
from pytest_tradestore.sandbox import Sandbox
from pytest_tradestore.target import Bridge, OpenStore, StoreUnderTest
from pytest_tradestore.verdict import Counterexample, Result, Verdict

if TYPE_CHECKING:
    from pytest_tradestore.bench import Bench
    from pytest_tradestore.settings import Settings

_WIDTH = 200
_BEFORE = 20
"""Characters that are shown before the first that differs."""
_CALLS_PER_STEP = 100
_CALLS_KEPT = 16


@dataclass(frozen=True, slots=True)
class DataViolation:
    """What a case found: the calls made, what they gave, what they had to give; ``others`` have causes of their own."""

    sentence: str
    calls: tuple[str, ...]
    found: str
    allowed: str
    others: "tuple[DataViolation, ...]" = ()
    flaw: str = ""
    """What is wrong, whatever value has shown it; without it, what the sentence says."""
    remedy: str = ""
    """What to do about this flaw; without it, what the requirement says."""


class RefusedError(Exception):
    """An ordinary value was refused by one of the store's declared errors."""


class UndeclaredError(Exception):
    """A value that may be refused was met with an error that the store does not declare."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Watcher(Protocol):
    """Who is told how far the store has come; ``isolation.Channel`` tells another process."""

    def step(self, number: int) -> None: ...

    def rest(self) -> None: ...

    def send(self, value: Any) -> None: ...


class Visit:
    """One case's way to the store: opens it, calls it and keeps the calls for the report.

    ``checked`` counts what was tried; ``zone`` is what times are to be made with: none as in the seeds, or UTC for a
    store that refuses those.
    """

    def __init__(self, store: StoreUnderTest, sandbox: Sandbox, channel: Watcher, settings: "Settings") -> None:
        self._store = store
        self._sandbox = sandbox
        self._channel = channel
        self._bridge = Bridge()
        self._steps = 0
        self._open: OpenStore | None = None
        self.settings = settings
        self.make: Records = store.records
        self.root: Path = sandbox.fresh_root()
        self.seed = settings.seed
        self.examples = settings.budget.value.generated_values
        self.calls: list[str] = []
        self.checked: dict[str, int] = {"values": 0, "refused": 0}
        self.zone: tzinfo | None = None
        self.zone_matters = False
        channel.rest()

    @property
    def opened(self) -> OpenStore:
        """The store, opened by whoever asks first."""
        if self._open is None:
            self._step("opening the store")
            self._open = self._store.open(self.root, self._bridge)
            self._channel.rest()
        return self._open

    @property
    def errors(self) -> tuple[type[BaseException], ...]:
        return self._store.declarations.errors

    @property
    def volatile(self) -> tuple[str, ...]:
        return self._store.declarations.volatile

    def _step(self, doing: str) -> None:
        """Begin a step, and say so at once: should the process end in it, that is all that is known."""
        self._steps += 1
        self._channel.send((doing, tuple(self.calls[-_CALLS_KEPT:])))
        self._channel.step(self._steps)

    def at(self, year: int, month: int, day: int, hour: int = 0, minute: int = 0, second: int = 0) -> datetime:
        """Return a time of the kind that the store takes."""
        self.zone_matters = True
        return self.make.takes.time(datetime(year, month, day, hour, minute, second, tzinfo=self.zone))

    def call(self, method: str, *arguments: Any, shown: str = "", **options: Any) -> Any:
        """Call the store; whatever it raises is raised. ``shown`` is how the call reads in a report."""
        store = self.opened
        self.calls.append(shown or rendered_call(method, arguments, options))
        self._step(self.calls[-1])
        try:
            return store.call(method, *arguments, **options)
        finally:
            self._channel.rest()

    def accepted(self, method: str, *arguments: Any, shown: str = "", **options: Any) -> bool:
        """Call the store with a value that it may refuse by one of its own errors; say whether it took it."""
        self.checked["values"] += 1
        try:
            self.call(method, *arguments, shown=shown, **options)
        except self.errors:
            self.checked["refused"] += 1
            return False
        except Exception as error:
            raise UndeclaredError(error) from error
        return True

    def must(self, method: str, *arguments: Any, shown: str = "", **options: Any) -> Any:
        """Call the store with an ordinary value; raises RefusedError if it does not take it."""
        self.checked["values"] += 1
        try:
            return self.call(method, *arguments, shown=shown, **options)
        except self.errors as error:
            raise RefusedError(f"{type(error).__name__}: {self.opened.told(error)}") from error

    def offers(self, kit: Kit) -> frozenset[str]:
        """Return the methods of a contract that the store has."""
        return frozenset(method for method in (*kit.required, *kit.optional) if self.opened.has(method))

    def make_call(self, call: Call) -> Any:
        """Make a call as its kit says; whatever the store raises is raised."""
        store = self.opened
        self.calls.append(call.rendered)
        self._step(call.rendered)
        try:
            return call.make(store)
        finally:
            self._channel.rest()

    def call_beside(self, call: Call, arguments: tuple[Any, ...], beside: Callable[[], None] | None) -> bool:
        """Make a call of an asynchronous store, and something else as soon as it waits; False for any other."""
        function = getattr(self.opened.store, call.method)
        self.calls.append(call.rendered if beside is None else f"{call.rendered}, changed while it is awaited")
        self._step(self.calls[-1])

        async def awaited(made: Awaitable[Any]) -> None:
            task = asyncio.ensure_future(made)
            await asyncio.sleep(0)
            if beside is not None and not task.done():
                beside()
            await task

        made = function(*arguments, **call.options)
        if not inspect.isawaitable(made):
            return False
        try:
            self._bridge.settle(awaited(made))
        finally:
            self._channel.rest()
        return True

    def many(self, calls: Sequence[Call]) -> None:
        """Make many calls of one method in a row; an asynchronous store is not left in between."""
        method = calls[0].method
        function = getattr(self.opened.store, method)

        async def awaited(first: Any) -> None:
            await first
            for number, call in enumerate(calls[1:]):
                if number % _CALLS_PER_STEP == 0:
                    self._step(f"{method}()")
                await function(*call.arguments, **call.options)

        self._step(f"{method}()")
        first = function(*calls[0].arguments, **calls[0].options)
        if hasattr(type(first), "__await__"):
            self._bridge.settle(awaited(first))
            return
        for number, call in enumerate(calls[1:]):
            if number % _CALLS_PER_STEP == 0:
                self._step(f"{method}()")
            function(*call.arguments, **call.options)

    def reopen(self) -> None:
        """Close the store and open it again."""
        self.calls.append("close, reopen")
        self.close()
        _ = self.opened

    def fresh(self) -> None:
        """Leave the store and begin with an empty one."""
        with suppress(Exception):
            self.close()
        self._sandbox.discard(self.root)
        self.root = self._sandbox.fresh_root()
        self._open = None
        self.calls.clear()

    def leave(self) -> None:
        """Close the store for good."""
        self.close()
        self._bridge.close()

    def close(self) -> None:
        if self._open is not None:
            self._step("closing the store")
            store, self._open = self._open, None
            store.close()
            self._channel.rest()

    def watched(self, calls: Callable[[recorded.Inside], None]) -> recorded.Watched:
        """Make ``calls`` while a recorder watches, as ``recorded.watched`` says."""
        return recorded.watched(self, calls)

    def files(self) -> Iterator[tuple[str, os.stat_result]]:
        """Yield the files under the root with their states, by relative path."""
        return recorded.files(self.root)

    def fingerprint(self) -> dict[str, tuple[int, int, int, int]]:
        """Return what changes whenever a file is written, replaced, made or removed."""
        return recorded.fingerprint(self.root)

    def expect(self, sentence: str, found: Any, wanted: Any, named: str = "") -> DataViolation | None:
        """Return a mismatch unless ``found`` is the same JSON value as ``wanted``.

        ``named`` is the field that names a record where a list of them is too long to be shown.
        """
        if same(found, wanted):
            return None
        told_found, told_wanted = _difference(found, wanted, named)
        return DataViolation(sentence, tuple(self.calls), told_found, told_wanted)

    def expect_records(self, sentence: str, found: Any, wanted: Any, named: str = "") -> DataViolation | None:
        """The same for one record or a list of them, of whatever make, compared field by field."""
        return self.expect(sentence, plain(found), plain(wanted), named)

    def mismatch(self, sentence: str, found: str, allowed: str) -> DataViolation:
        """Return a mismatch after the calls made so far."""
        return DataViolation(sentence, tuple(self.calls), found, allowed)


def _difference(found: Any, wanted: Any, named: str) -> tuple[str, str]:
    """Say what was found and what was wanted, as little of both as shows the difference."""
    if isinstance(found, list) and isinstance(wanted, list):
        if len(found) == len(wanted):
            position = next(i for i, (f, w) in enumerate(zip(found, wanted, strict=True)) if not same(f, w))
            if not named or _name(found[position], named) == _name(wanted[position], named):
                told, had = _difference(found[position], wanted[position], "")
                return (told, had) if len(found) == 1 else (f"record {position + 1}: {told}", f"{had}")
        if named:
            return _listed(found, named), _listed(wanted, named)
    if isinstance(found, dict) and isinstance(wanted, dict) and found.keys() == wanted.keys() and len(found) > 1:
        differing = [key for key in wanted if not same(found[key], wanted[key])]
        found, wanted = ({key: record[key] for key in differing} for record in (found, wanted))
    return _shown_apart(found, wanted)


def _shown_apart(found: Any, wanted: Any) -> tuple[str, str]:
    """Show two values that are not the same so that they do not look the same."""
    told = canonical(found), canonical(wanted)
    if len({unicodedata.normalize("NFKC", text) for text in told}) == 1:  # a key 0 and a key "0", two forms of a letter
        told = ascii(found), ascii(wanted)
    begins = next((at for at, (one, other) in enumerate(zip(*told, strict=False)) if one != other), 0)
    if begins < _WIDTH // 2:
        return shortened(told[0], _WIDTH), shortened(told[1], _WIDTH)
    left = (f"… {shortened(text[begins - _BEFORE :], _WIDTH)}" for text in told)
    return next(left), next(left)


def _name(record: Any, named: str) -> Any:
    return record.get(named) if isinstance(record, dict) else record


def _listed(records: list[Any], named: str) -> str:
    names = ", ".join(str(_name(record, named)).removesuffix("T00:00:00") for record in records)
    return f"{counted(len(records), 'record')}: {shortened(names, _WIDTH)}" if records else "no records"


Program = Callable[[Visit], DataViolation | None]


def check(requirement: str, case: str, program: Program, needs: str = "", unasked: str = "") -> Check:
    """Return the check that runs ``program``.

    Without the method that it ``needs`` it is not applicable, and ``unasked`` says what that leaves open.
    """

    def judge(bench: "Bench", store: StoreUnderTest) -> Result:
        if needs and needs not in bench.examined(store).methods:
            lacking = f"the store has no {needs}()"
            return Result(requirement, case, Verdict.NOT_APPLICABLE, f"{lacking}: {unasked}" if unasked else lacking)
        return run(requirement, case, program, bench.settings, store)

    return Check(requirement, case, judge)


def run(requirement: str, case: str, program: Program, settings: "Settings", store: StoreUnderTest) -> Result:
    """Run a program against a fresh store in a process of its own and say what follows for the requirement."""
    with Sandbox() as sandbox:

        def visit_store(channel: Channel) -> tuple[DataViolation | str | None, dict[str, int]]:
            visit = Visit(store, sandbox, channel, settings)
            try:
                return _in_either_zone(program, visit), visit.checked
            except NotAskedError as reason:
                return str(reason), visit.checked

        (doing, calls), ending = begun_and_ended(visit_store, store.declarations.deadline, ("starting", ()))
    match ending:
        case Finished((None, checked)):
            return Result(requirement, case, Verdict.HOLDS, "", checked, exhaustive=not case.endswith(SAMPLED))
        case Finished((str(reason), checked)):
            return Result(requirement, case, Verdict.NOT_APPLICABLE, reason, checked)
        case Finished((mismatch, checked), output):
            return _violated(requirement, case, mismatch, checked, output)
        case Hung(_, seconds, output):
            return _violated(requirement, case, _stopped(f"{doing} took longer than {seconds:g} s", calls), {}, output)
        case Died(_, how, output):
            told = f"{doing} ended the whole process: {how}"
            return _violated(requirement, case, _stopped(told, calls), {}, output)
    raise AssertionError("every ending is matched")


def _in_either_zone(program: Program, visit: Visit) -> DataViolation | None:
    """Run the program; once more with times in UTC if the store refuses times without a zone."""
    for zone in (None, UTC):
        visit.zone = zone
        try:
            found = program(visit)
            visit.close()
            return found
        except NotAskedError:
            raise
        except RefusedError as error:
            if zone is None and visit.zone_matters:
                visit.fresh()
                continue
            return visit.mismatch("an ordinary value was refused", str(error), "accepted")
        except Exception as error:  # what the store raises where it must not is the finding
            return raised(visit, error)
    raise AssertionError("the second turn returns")


def raised(visit: Visit, error: Exception) -> DataViolation:
    """Return the mismatch that an exception of the store is."""
    refusable = isinstance(error, UndeclaredError)
    error = error.error if isinstance(error, UndeclaredError) else error
    last, kind = visit.calls[-1] if visit.calls else "opening the store", type(error).__name__
    told = f"{kind}: {error}".replace(str(visit.root), "<root>")
    found = visit.mismatch(f"{last} raised {shortened(told, 100)}", told, "the call returns")
    call = f"{last.partition('(')[0]}()" if "(" in last else last
    if not refusable:
        return replace(found, flaw=f"{call} raises {kind}")
    declared = ", ".join(error.__name__ for error in visit.errors)
    return replace(
        found,
        allowed=f"the call returns, or refuses the value by an error that the store declares ({declared})",
        flaw=f"{call} refuses a value by an error that is not declared: {kind}",
        remedy=f"Refuse values by ValueError or an error of your own, and list in tradestore_errors whatever the "
        f"library raises for them, such as {kind}: a caller handles no error that it has not been told of.",
    )


def _stopped(sentence: str, calls: tuple[str, ...]) -> DataViolation:
    return DataViolation(sentence, calls, sentence, "the call returns, or raises an exception")


def _violated(
    requirement: str, case: str, mismatch: DataViolation, checked: dict[str, int], output: str = ""
) -> Result:
    first, *others = each_cause(_told(found, case) for found in (mismatch, *mismatch.others))
    reason = first.headline
    return Result(
        requirement, case, Verdict.VIOLATED, reason, checked, counterexample=first, output=output, others=tuple(others)
    )


def _told(mismatch: DataViolation, case: str) -> Counterexample:
    return Counterexample(
        mismatch.sentence,
        workload=mismatch.calls,
        found=(mismatch.found,),
        allowed=(mismatch.allowed,),
        remedy=mismatch.remedy,
        cause=Cause(
            Culprit(mismatch.flaw or _flaw(mismatch.sentence), (case.partition("-")[0],)), Harm.WRONG, mismatch.remedy
        ),
    )


def _flaw(sentence: str) -> str:
    """Return what is wrong in the words of a sentence: whether it shows before or after reopening is one flaw."""
    return sentence.removeprefix("after reopening, ").removeprefix("after reopening ").removesuffix(" after reopening")
