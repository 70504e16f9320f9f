"""Which observations a crash state allows, and by which requirement another one is a breach.

An update counts as in flight from its invocation to its acknowledgement. While it is, each place shows its state
before or after; otherwise its state as acknowledged. What differs is told apart by who caused it: what a crash could
also do while nothing was in flight is a loss of an acknowledged update (DUR); what only the update in flight makes
possible is a lack of atomicity (ATOM).
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise

from pytest_tradestore.causes import Harm
from pytest_tradestore.crash.crash_state import Window
from pytest_tradestore.observation import (
    Absent,
    Failed,
    Names,
    Observation,
    Records,
    Seen,
    Value,
    counted,
    shortened,
)


class Family(Enum):
    """What kind of promise is broken; process crash and power loss make two requirements of the first two."""

    ATOMICITY = "ATOM"
    BATCH = "ATOM-3"
    DURABILITY = "DUR"
    LEFTOVERS = "ATOM-4"
    LOG_ORDER = "DUR-3"
    DELETED_DATA = "DUR-4"
    REOPENING = "REC-1"
    RECOVERY = "REC-2"
    NEXT_UPDATE = "REC-3"


class Earlier(Enum):
    """What a crash has lost of updates that had returned before the last one was called."""

    NOTHING = "nothing"
    SOMETHING = "something"
    ALL_THERE_IS = "all that is lost"


LOST_AGAIN = "returned but is lost after reopening"
"""What the sentence about a next update ends with that was shown, and is not shown by who opens the store anew."""
SUCCEEDS = ("the update succeeds",)
"""What is allowed where a next update was refused, hung or ended its process."""


@dataclass(frozen=True, slots=True)
class OracleViolation:
    """One promise broken at one place, in a sentence; ``found`` and ``allowed`` as a person reads them.

    ``names`` are what a listing names that nobody stored.
    """

    family: Family
    sentence: str
    place: str = ""
    found: str = ""
    allowed: tuple[str, ...] = ()
    harm: Harm = Harm.WRONG
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class History:
    """What the live store showed: ``states[i]`` right after acknowledgement ``i``; 0 is right after opening.

    ``changed[i]`` is the place that update ``i`` changes; ``update_names[i]`` how a report writes that update.
    ``loses`` says that each place may show nothing at any time. ``reopened``: the updates before which the store was
    closed and opened again.
    """

    states: tuple[Observation, ...]
    changed: tuple[str, ...]
    update_names: tuple[str, ...]
    loses: bool = False
    reopened: frozenset[int] = frozenset()

    @property
    def last(self) -> int:
        return len(self.states) - 1

    def clamp(self, update: int) -> int:
        """Return the state that an update number stands for; closing the store changes nothing."""
        return max(0, min(update, self.last))


@dataclass(frozen=True, slots=True)
class Judgement:
    """``expected`` when everything seen was a state that an intact store shows; a store that is not can also show
    what is no breach of its own, because it was lost before or because the store does not claim to keep it."""

    breaches: tuple[OracleViolation, ...]
    expected: bool


class Oracle:
    """Judges observations one after the other; those of quiet windows before those with an update in flight.

    ``durable`` says whether acknowledged updates have to survive; without it a place may show any state up to now.
    ``whole_batches`` says whether an update of several places has to be seen at all of them or at none.
    """

    def __init__(self, history: History, *, durable: bool, whole_batches: bool = True) -> None:
        self.history = history
        self.durable = durable
        self.whole_batches = whole_batches
        self._known_places = frozenset(place for place, _ in history.states[0].places)
        self._seen_when_quiet: dict[int, set[tuple[str, Seen]]] = {}
        self._seen_when_whole: dict[int, set[tuple[str, Seen]]] = {}

    def judge(
        self,
        window: Window,
        observed: Observation,
        torn: Callable[[], Sequence[str]] = tuple,
        *,
        earlier: Earlier = Earlier.NOTHING,
        settled: bool = False,
        lost: bool = True,
    ) -> "Judgement":
        """Judge what was ``observed`` after a crash in ``window``; breaches of documents before those of listings.

        ``torn`` says which files hold what no update left there. A reader that takes those for an empty store, though
        what was there before is safe, has not found an older state: what it shows is as torn as what it read.
        ``earlier`` says what is lost of updates that had returned before: then an older state is not the doing of the
        one in flight, and what is missing of earlier ones was not destroyed by a later one.

        With ``settled`` everything before the update in flight was on disk: only what is also seen then when nothing
        is ``lost`` and no update in flight is not its fault.
        """
        if window.invoked > self.history.last:  # closing: no update is in flight
            window = Window(window.acknowledged, window.acknowledged)
        now = self.history.clamp(window.acknowledged)
        then = self.history.clamp(window.invoked) if window.in_flight else now
        durable = self.durable or settled
        breaches: list[OracleViolation] = []
        expected = True
        for place, seen in observed.places:
            before, after = self.history.states[now].at(place), self.history.states[then].at(place)
            if seen in (before, after) or (self.history.loses and isinstance(seen, Absent)):
                continue
            expected = False
            quiet = (self._seen_when_whole if settled else self._seen_when_quiet).setdefault(now, set())
            if window.in_flight and (place, seen) in quiet:
                continue  # not the fault of the update in flight; said when nothing was
            if not window.in_flight:
                quiet.add((place, seen))
                if not lost:
                    self._seen_when_whole.setdefault(now, set()).add((place, seen))
            if isinstance(seen, Names) and not durable and _agrees(seen, observed):
                continue  # each key is as it was once, though not all at the same time
            breaches += self._at(window, now, then, place, seen, torn, earlier, durable=durable)
        if expected and self.whole_batches and (mixed := self._mixture(now, then, observed)) is not None:
            return Judgement((mixed,), expected=False)
        return Judgement(tuple(breaches), expected)

    def _mixture(self, now: int, then: int, observed: Observation) -> OracleViolation | None:
        """Say that an update of several places is seen at some of them only."""
        done: list[str] = []
        undone: list[str] = []
        for place, seen in observed.places:
            before, after = self.history.states[now].at(place), self.history.states[then].at(place)
            if before != after:
                (done if seen == after else undone).append(place)
        if not done or not undone:
            return None
        update = self.history.update_names[then]
        return OracleViolation(
            Family.BATCH,
            f"{update} is half done: {' and '.join(done)} as after it, {' and '.join(undone)} as before it",
            harm=Harm.WRONG,
            found="; ".join(f"{place}: {observed.at(place)}" for place in (*done, *undone)),
            allowed=("all of it", "nothing of it"),
        )

    def _at(
        self,
        window: Window,
        now: int,
        then: int,
        place: str,
        seen: Seen,
        torn: Callable[[], Sequence[str]],
        earlier: Earlier,
        *,
        durable: bool,
    ) -> list[OracleViolation]:
        """Name the breaches of one place, which shows neither its state before nor after."""
        before, after = self.history.states[now].at(place), self.history.states[then].at(place)
        allowed = (str(before),) if before == after else (str(before), str(after))

        harm = self._harm(window, now, place, seen)
        if earlier is not Earlier.NOTHING and harm is Harm.DESTROYED:
            harm = Harm.LOST
        quiet = not window.in_flight or earlier is Earlier.ALL_THERE_IS

        def breach(family: Family, sentence: str, harm: Harm = harm) -> OracleViolation:
            return OracleViolation(family, sentence, place, str(seen), allowed, harm)

        if isinstance(seen, Names) and (strange := self._strangers(seen)):
            listed = ", ".join(repr(name) for name in strange)
            sentence = f"{place} lists {listed}, a leftover that nobody stored"
            return [replace(breach(Family.LEFTOVERS, sentence, Harm.LEFTOVER), names=tuple(strange))]
        older = self._older(place, seen, now)
        if isinstance(seen, Names) and isinstance(before, Names) and isinstance(after, Names) and durable:
            back = [name for name in seen.names if name not in before.names and name not in after.names]
            rest = Names(tuple(name for name in seen.names if name not in back))
            if back and (older is not None or (rest in (before, after) and self._were_listed(place, back, now))):
                sentence = f"{place} lists {', '.join(map(repr, back))} again after its deletion"
                return [breach(Family.DELETED_DATA, sentence, Harm.WRONG)]
        if older is not None:
            if not durable:
                return []
            if isinstance(before, Absent) and not isinstance(seen, Absent) and not self._changes(place, now, then):
                sentence = f"{place} was deleted and is back as it was after {older}"
                return [breach(Family.DELETED_DATA, sentence, Harm.WRONG)]
            destroyed = harm is Harm.DESTROYED and _is_nothing(seen) and not isinstance(seen, Names)
            if destroyed and (files := torn()):
                return self._taken_for_nothing(quiet, now, then, place, files, breach)
            if quiet or earlier is not Earlier.NOTHING:
                return [breach(Family.DURABILITY, f"{place} {self._loss(place, now, seen, before, older)}")]
        told = self._log(seen, before, after) if older is None else None
        if told is not None:
            family, sentence = told
        else:
            family, sentence = Family.ATOMICITY, _torn(seen, older)
        if family is Family.LOG_ORDER:
            return [breach(family, f"{place} {sentence}")]
        if not quiet:
            update = self.history.update_names[then]
            return [breach(family, f"{place} {sentence}: neither its state before {update} nor after it")]
        broken = breach(family, f"{place} {sentence}: a state that no update left")
        if not durable:
            return [broken]
        return [broken, breach(Family.DURABILITY, f"{place} {sentence}: {self._gone(place, now, harm)}")]

    def _taken_for_nothing(
        self,
        quiet: bool,
        now: int,
        then: int,
        place: str,
        files: Sequence[str],
        breach: Callable[[Family, str], OracleViolation],
    ) -> list[OracleViolation]:
        """Say that a reader took files that cannot be read for an empty store."""
        told = f"{place} reads as nothing, although {files[0]} is there and holds what no update left"
        if not quiet:
            update = self.history.update_names[then]
            return [breach(Family.ATOMICITY, f"{told}: neither its state before {update} nor after it")]
        return [
            breach(Family.ATOMICITY, told),
            breach(Family.DURABILITY, f"{told}: {self._gone(place, now, Harm.DESTROYED)}"),
        ]

    def _gone(self, place: str, now: int, harm: Harm) -> str:
        """Say which update is lost where nothing that was ever there can be read, and whether more is."""
        states = self.history.states
        changes = [index for index in range(1, now + 1) if states[index].at(place) != states[index - 1].at(place)]
        if not changes:
            return "it was intact when the store was opened"
        more = ", and what was there before it too" if harm is Harm.DESTROYED else ""
        return f"{self.history.update_names[changes[-1]]} had returned and is lost{more}"

    def _harm(self, window: Window, now: int, place: str, seen: Seen) -> Harm:
        """Say what is gone when ``place`` shows neither what it should nor what it could."""
        states = [state.at(place) for state in self.history.states[: now + 1]]
        held = [value for value, following in pairwise([*states, None]) if value != following]
        if isinstance(seen, Records) and isinstance(held[-1], Records):
            gone = Counter(held[-1].items) - Counter(seen.items)
            return Harm.WRONG if not gone else Harm.LOST if gone.total() == 1 else Harm.DESTROYED
        if seen in states and not _is_nothing(seen):
            return Harm.LOST
        earlier = held if window.in_flight else held[:-1]  # the last one is what was acknowledged just now
        if earlier and not _is_nothing(earlier[-1]) and not isinstance(seen, Names):
            return Harm.DESTROYED
        if not window.in_flight and not _is_nothing(held[-1]):
            return Harm.LOST
        return Harm.UNREADABLE if isinstance(seen, Failed) else Harm.WRONG

    def _were_listed(self, place: str, names: Sequence[str], now: int) -> bool:
        listed = {name for state in self.history.states[: now + 1] for name in getattr(state.at(place), "names", ())}
        return listed.issuperset(names)

    def _changes(self, place: str, now: int, then: int) -> bool:
        return self.history.states[now].at(place) != self.history.states[then].at(place)

    def _loss(self, place: str, now: int, seen: Seen, before: Seen, older: str) -> str:
        if isinstance(seen, Records) and isinstance(before, Records) and len(seen.items) < len(before.items):
            gone = counted(len(before.items) - len(seen.items), "acknowledged record")
            return f"has lost {gone}: {self._lost_update(place, now, seen)} had returned"
        what = "is missing" if isinstance(seen, Absent) else f"is as it was after {older}"
        return f"{what}: {self._lost_update(place, now, seen)} had returned and is lost"

    def _older(self, place: str, seen: Seen, now: int) -> str | None:
        """Return the update after which ``place`` last looked like ``seen``, if it ever did."""
        for index in range(now, -1, -1):
            if self.history.states[index].at(place) == seen:
                while index and self.history.states[index - 1].at(place) == seen:
                    index -= 1
                return self.history.update_names[index]
        return None

    def _lost_update(self, place: str, now: int, seen: Seen) -> str:
        """Return the first acknowledged update of ``place`` that ``seen`` does not show, nothing if there was none."""
        first = ""
        for index in range(now, 0, -1):
            if self.history.states[index].at(place) != self.history.states[index - 1].at(place):
                first = self.history.update_names[index]
                if self.history.states[index - 1].at(place) == seen:
                    break
        return first

    def _strangers(self, seen: Names) -> list[str]:
        return [name for name in seen.names if name not in self._known_places]

    def _log(self, seen: Seen, before: Seen, after: Seen) -> tuple[Family, str] | None:
        """Say what is wrong with a log; None if it is none, or nothing is wrong but its length."""
        if not (isinstance(seen, Records) and isinstance(before, Records) and isinstance(after, Records)):
            return None
        known = after.items if len(after.items) >= len(before.items) else before.items
        unknown = [item for item in seen.items if item not in known]
        if unknown:
            return Family.ATOMICITY, f"shows {shortened(unknown[0])}, which nobody appended"
        if any(seen.items.count(item) > known.count(item) for item in seen.items):
            twice = next(item for item in seen.items if seen.items.count(item) > known.count(item))
            return Family.LOG_ORDER, f"shows a record twice: {shortened(twice)}"
        positions = [known.index(item) for item in seen.items]
        if positions != sorted(positions):
            return Family.LOG_ORDER, "shows its records in another order than they were appended"
        missing = [p for p in range(positions[-1] if positions else 0) if p not in positions]
        if missing:
            return (
                Family.LOG_ORDER,
                f"shows record {positions[-1] + 1} without record {missing[0] + 1}, which was appended before it",
            )
        gone = counted(len(before.items) - len(seen.items), "acknowledged record")
        return Family.ATOMICITY, f"has lost {gone}"


def _is_absent(seen: Seen) -> bool:
    return isinstance(seen, Absent)


def _agrees(listing: Names, observed: Observation) -> bool:
    """Say whether a listing names just the places that show something."""
    return set(listing.names) == {
        place for place, seen in observed.places if not isinstance(seen, (Absent, Names)) and seen != Records(())
    }


def _is_nothing(seen: Seen | None) -> bool:
    return seen is None or isinstance(seen, Absent) or seen == Records(()) or seen == Names(())


def _torn(seen: Seen, older: str | None = None) -> str:
    """Say what is wrong with a state that was not to be seen; ``older`` is the update after which it was, if any."""
    match seen:
        case Absent():
            return "is missing"
        case Value() if older is not None:
            return f"is as it was after {older}, an older version"
        case Failed():
            return f"cannot be read ({seen})"
        case Records():
            return f"holds {seen}"
        case _:
            return "holds a mixture"


def judge_next_update(
    seen: Observation, place: str, after: Observation | None, later: Observation, *, loses: bool = False
) -> OracleViolation | None:
    """Say what is wrong when a store that had recovered was updated at ``place`` and opened once more.

    ``seen`` was observed after the recovery, ``after`` right after the update, ``later`` after reopening. Of a store
    that ``loses``, places that show nothing are as good as any.
    """
    if after is None:
        return None
    if loses:
        kept = [name for name, was in seen.places if not any(map(_is_absent, (was, after.at(name), later.at(name))))]
        if not kept:
            return None
        seen, after, later = (Observation(tuple((n, o.at(n)) for n in kept)) for o in (seen, after, later))
        if place not in kept:
            return None
    changed = [name for name, value in after.places if value != seen.at(name)]
    if not changed or any(isinstance(after.at(name), Failed) for name in changed):
        shown = str(after.at(changed[0] if changed else place))
        return OracleViolation(
            Family.NEXT_UPDATE,
            f"the next update of {place} returned but is not shown",
            place,
            shown,
            ("the new value",),
            Harm.LOST,
        )
    for name, was in seen.places:
        new, now = after.at(name), later.at(name)
        if name in changed and now != new:
            return OracleViolation(
                Family.NEXT_UPDATE,
                f"the next update of {place} {LOST_AGAIN}",
                name,
                str(now),
                (str(new),),
                Harm.LOST,
            )
        if isinstance(was, Records) and not _kept(was, new):
            return OracleViolation(
                Family.NEXT_UPDATE,
                f"the next append to {place} has destroyed records that were there after the recovery",
                name,
                str(new),
                (f"{was} and the new record",),
                Harm.DESTROYED,
            )
        if name not in changed and not _kept(was, now):
            return OracleViolation(
                Family.NEXT_UPDATE,
                f"{name} was there after the recovery and is gone after the next update of {place}",
                name,
                str(now),
                (str(was),),
                Harm.DESTROYED,
            )
    return None


def _kept(was: Seen, now: Seen) -> bool:
    """Say whether what was seen is still there: the same document, or a log with at least the same records."""
    if isinstance(was, Records) and isinstance(now, Records):
        return not Counter(was.items) - Counter(now.items)
    if isinstance(was, Names) and isinstance(now, Names):
        return set(was.names) <= set(now.names)
    return was == now


def first_of_each(breaches: Sequence[OracleViolation]) -> dict[Family, OracleViolation]:
    """Return the first breach of each family."""
    found: dict[Family, OracleViolation] = {}
    for breach in breaches:
        found.setdefault(breach.family, breach)
    return found
