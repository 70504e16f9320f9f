"""What a kit is: one contract, told once, with everything that the engines need to know of it.

Crashes, races, faults, damage, hostile identifiers, permissions and generated programs all follow from it; none of them
asks which contract it is. A team writes a kit for a contract of its own in the same way.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import tzinfo
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar

from pytest_tradestore.kits.call import Call
from pytest_tradestore.kits.grammar import Grammar, Step
from pytest_tradestore.kits.slots import Ask, Back, Slot
from pytest_tradestore.kits.spec import UNSAID, Spec
from pytest_tradestore.observation import Absent, Seen, Value, canonical, records_seen
from pytest_tradestore.records import Records, plain
from pytest_tradestore.requirements import Requirement
from pytest_tradestore.takes import EVERYTHING, Takes

if TYPE_CHECKING:
    from pathlib import Path

    from hypothesis.stateful import RuleBasedStateMachine

    from pytest_tradestore.conformance.visit import DataViolation, Visit
    from pytest_tradestore.target import OpenStore

LARGE = 14_000
"""Bytes: with its framing a value of this size lies on four pages."""
REOPEN = "reopen"
"""The step of a generated program that closes the store and opens it again."""


@dataclass(frozen=True, slots=True)
class Case:
    """One case of a requirement of the contract's data: a short program against an open store.

    ``needs`` is an optional method without which it is not asked, and ``unasked`` what that leaves open, for the
    report; ``variant`` tells cases of one requirement apart.
    """

    requirement: str
    program: "Callable[[Visit], DataViolation | None]"
    variant: str = ""
    needs: str = ""
    unasked: str = ""


@dataclass(frozen=True, slots=True)
class Concurrent:
    """What concurrent callers do. ``write(i)`` is the i-th update: of different keys, but perhaps of one file.

    ``rewrite(i)`` are updates of the key of ``write(0)``; ``read(i)`` shows what ``write(i)`` wrote; ``last(n)`` are
    reads that show what the first n wrote. ``remove`` takes away what ``write(0)`` wrote. ``reread`` shows what
    ``rewrite(i)`` wrote where ``read(0)`` does not. Without ``read`` nobody can look while others write.
    """

    write: Callable[[int], Call]
    rewrite: Callable[[int], Call]
    read: Callable[[int], Call] | None
    last: Callable[[int], tuple[Call, ...]]
    remove: Call | None = None
    reread: Call | None = None
    change: Callable[[int], Call] | None = None
    """Updates that read and write in one call, of the key of ``write(0)``: increments show best what is lost."""


@dataclass(frozen=True, slots=True)
class Unstorable:
    """How a value that cannot be stored is put to the store: an ordinary one, a hopeless one, a look, and where the
    hopeless one is in that.

    ``bad(visit, value, name)`` returns nothing if the record cannot even be made: that is no matter of the store.
    ``values`` names the hopeless ones that are tried (none: all); ``compared`` is what of two looks is compared, for
    records of one's own make may not be equal to their like.
    """

    good: "Callable[[Visit], None]"
    bad: "Callable[[Visit, Any, str], Callable[[], None] | None]"
    read: "Callable[[Visit], Any]"
    stored: Callable[[Any], Any]
    values: tuple[str, ...] = ()
    compared: Callable[[Any], Any] = field(default=lambda found: found)
    another: "Callable[[Visit], tuple[Any, Any]] | None" = None
    """Writes an ordinary value, and returns what is read there and what has to be."""
    elsewhere: str = " elsewhere"
    """Says where that is; nothing where there is one place only: then it is the value that is there already."""


class NotAskedError(Exception):
    """The requirement cannot be asked of this store; the message says why."""


ABSENT = object()
"""What ``Unstorable.stored`` gives where nothing of the value is to be seen."""


def offers(store: object, method: str) -> bool:
    """Say whether a store has a method; one that answers that question with an exception has none."""
    try:
        return callable(getattr(store, method, None))
    except Exception:
        return False


class Kit:
    """One contract. A kit of one's own says ``name``, ``required``, ``spec``, ``update`` and ``looks``.

    ``required`` and ``optional`` are method names; a store offers the contract if it has the required ones.
    """

    name: ClassVar[str] = ""
    """What it is called in node ids and reports."""
    protocol: ClassVar[type | None] = None
    required: ClassVar[tuple[str, ...]] = ()
    optional: ClassVar[tuple[str, ...]] = ()
    requirements: ClassVar[tuple[Requirement, ...]] = ()
    """Those of its own, beside the ones of every contract; their ids begin with the team's prefix."""

    log: ClassVar[bool] = False
    """Whether it only ever grows, in order."""
    keyed: ClassVar[bool] = False
    """Whether what belongs to one key can be kept apart from what belongs to another."""
    whole: ClassVar[bool] = False
    """Whether a key shows one value or none; elsewhere less than before is what a missing file leaves."""
    replaces: ClassVar[bool] = False
    """Whether an update leaves nothing of the value that it replaces."""
    loses: ClassVar[bool] = False
    """Whether nothing is always an answer, as of a cache: what is there has to be right."""
    deletes: ClassVar[bool | str] = False
    """Whether it takes anything away, or the optional method that does."""
    several: ClassVar[bool | str] = False
    """Whether one call changes more than one thing that a reader can see, or the optional method that shows it."""
    listing: ClassVar[str] = ""
    """The key of the look that shows names, if there is one."""

    spec: ClassVar[Spec] = Spec()
    """What calls do to one key, compared by all that was written."""
    grammar: ClassVar[Grammar] = ()
    """What steps generated programs are made of: by default each is a call of its own name."""
    differs: ClassVar[str] = "what is read is not what the calls before it leave"
    """What is wrong if a program is not answered as the specification says."""
    named: ClassVar[str] = ""
    """The field that names a record where a list of them is too long to be shown."""

    def offered_by(self, store: object) -> bool:
        """Say whether ``store`` has every required method."""
        return all(offers(store, method) for method in self.required)

    def lacking(self, store: object) -> list[str]:
        """Return the required methods that ``store`` does not have."""
        return [method for method in self.required if not offers(store, method)]

    def has(self, trait: bool | str, methods: frozenset[str]) -> bool:
        """Say whether a trait is there in a store with these methods: some hang on an optional one."""
        return trait in methods if isinstance(trait, str) else trait

    # -- what is done to a store, and what is seen ------------------------------------------------------------------

    def update(self, number: int, size: int = 0) -> Call:
        """Return the ``number``-th update, each with a value of its own; with a ``size`` one of so many bytes."""
        raise NotImplementedError(f"{type(self).__name__} has to say update(number, size), or workload and next_update")

    def looks(self, make: Records, methods: frozenset[str]) -> tuple[Call, ...]:
        """Return the calls that show everything, one for each key that there is to see."""
        raise NotImplementedError(f"{type(self).__name__} has to say looks(make, methods)")

    def seen(self, look: Call, result: Any) -> Seen:
        """Return what a look gave as what can be compared."""
        if self.log:
            return records_seen(plain(result))
        return Absent() if result is None or result in ({}, []) else Value(canonical(plain(result)))

    def workload(self, make: Records, methods: frozenset[str]) -> Iterable[Call]:
        """Return the updates that are recorded and crashed: a first, a second, one over three pages, a small one."""
        return (self.update(1), self.update(2), self.update(3, LARGE), self.update(4))

    def next_update(self, make: Records, key: str, version: int) -> Call:
        """Return the update of ``key`` that is made after a recovery, to find out whether the store still works."""
        return self.update(version)

    def concurrent(self, make: Records, methods: frozenset[str]) -> Concurrent | None:
        """Return what concurrent callers do; None where nothing reads back what was written."""
        looks = self.looks(make, methods)
        return Concurrent(self.update, lambda number: self.update(10 + number), lambda _: looks[0], lambda _: looks)

    def much(self, make: Records, methods: frozenset[str], most: int) -> tuple[Sequence[Call], Sequence[Call]]:
        """Return up to ``most`` updates and the reads that show all of them; nothing where reads show too little."""
        looks = self.looks(make, methods)
        return [self.next_update(make, looks[0].key, number) for number in range(1, most + 1)], looks[:1]

    def spec_of(self, key: str) -> Spec:
        """Return what concurrent calls do to a key: compared by what a program makes unique."""
        return self.spec

    def trying(self, methods: frozenset[str]) -> "Callable[[OpenStore, Records], Iterable[str]] | None":
        """Return what finds out on a store of its own what else can be asked, where the methods alone do not show it.

        What it gives is added to the methods.
        """
        return None

    def takings(self) -> tuple[Takes, ...]:
        """Return what stores of it may take, the fewest restrictions first: found out where it is not declared."""
        return (Takes(), Takes(aware=True))

    def key_of(self, key: str) -> str:
        """Return what a key is kept under, where several that are looked at belong together."""
        return key

    # -- identifiers ------------------------------------------------------------------------------------------------

    def slots(self) -> tuple[Slot, ...]:
        """Return the places where it takes identifiers."""
        return ()

    def slots_of(self, takes: Takes) -> tuple[Slot, ...]:
        """Return the places where a store takes identifiers: keys that are no text are none."""
        return tuple(slot for slot in self.slots() if takes.keys is None or not slot.declared)

    def place(self, takes: Takes = EVERYTHING) -> Slot:
        """Return the first place where something can be written and read again, by identifier or not."""
        return (*self.slots_of(takes), self._only_place())[0]

    def _only_place(self) -> Slot:
        def ask_for(ask: Ask, call: Call) -> Any:
            return ask.call(call.method, *call.arguments, shown=call.rendered, **call.options)

        def read(ask: Ask, _: Any) -> Back:
            (look, *_) = self.looks(ask.make, frozenset(self.required))
            return Back((), (), plain(ask_for(ask, look)))

        return Slot(self.name, lambda ask, _, mark: ask_for(ask, self.next_update(ask.make, "", mark)), read)

    # -- its data ---------------------------------------------------------------------------------------------------

    def cases(self) -> Iterable[Case]:
        """Return what is asked of its data, sentence by sentence; generated programs come on top."""
        return ()

    def unstorable(self) -> Unstorable | None:
        """Return how a value that cannot be stored is put to it; None where its types leave nothing to refuse."""
        return None

    def call(self, visit: "Visit", step: Step) -> Call:
        """Return the call that a step of a generated program stands for."""
        return Call(step[0], tuple(step[1:]))

    def last_calls(self, visit: "Visit") -> Iterable[Call]:
        """Return the reads at the end of a generated program, which show everything."""
        return self.looks(visit.make, frozenset(self.required))

    def play(self, visit: "Visit", program: Sequence[Step]) -> "DataViolation | None":
        """Make the calls of a program on a fresh store and compare every answer with the specification."""
        states: dict[str, Any] = {}
        for step in program:
            if step[0] == REOPEN:
                visit.reopen()
                states = self.reopened(states)
            elif found := self.answered(visit, states, self.call(visit, step)):
                return found
        return next(filter(None, map(partial(self.answered, visit, states), self.last_calls(visit))), None)

    def reopened(self, states: dict[str, Any]) -> dict[str, Any]:
        """Return what is left of the states of all keys when the store is opened again."""
        return {key: self.spec.reopened(state) for key, state in states.items()}

    def answered(self, visit: "Visit", states: dict[str, Any], call: Call) -> "DataViolation | None":
        """Make one call; return a mismatch unless its answer is what ``states`` say, one per key; they go on."""
        spec = self.spec
        state = states.get(call.key, spec.initial)
        if not spec.says(state, call):
            return None
        states[call.key], answer = spec.apply(state, call)
        made = visit.call if answer is not UNSAID else visit.must
        found = made(call.method, *call.arguments, shown=call.rendered, **call.options)
        if answer is UNSAID:
            return None
        return self.mismatch(visit, found, spec.wanted(answer))

    def state_machine(
        self, open_store: "Callable[[Path], Any]", *, zone: tzinfo | None = None, **declarations: Any
    ) -> "type[RuleBasedStateMachine]":
        """Return the same programs as a state machine of hypothesis, for test modules of one's own.

        ``TestAcme = QueueKit().state_machine(open_store).TestCase``. ``zone`` is that of times, for stores
        that refuse those without; ``declarations`` are those of ``StoreUnderTest``. The store runs in pytest's own
        process there: one that hangs or exits takes it along.
        Raises TypeError for a kit without a grammar, or with a way of its own to play programs.
        """
        # By name: what a team asks of its kit leads up to what stands above all kits.
        above = import_module("pytest_tradestore.conformance.machine")
        machine: type[RuleBasedStateMachine] = above.machine_of(self, open_store, zone, declarations)
        return machine

    def mismatch(self, visit: "Visit", found: Any, wanted: Any) -> "DataViolation | None":
        """Return a mismatch unless ``found`` is what a program had to be answered."""
        return visit.expect_records(self.differs, found, wanted, self.named)
