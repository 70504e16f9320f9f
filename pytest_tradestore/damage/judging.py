"""Which requirement a damaged file's reading breaks: silent wrong data, lost evidence, no fallback, no clear error.

What no store could tell is not asked: a log that lost its end looks as a torn append leaves it, and without checksums
a changed bit may go unnoticed.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_tradestore.damage.culprits import Flaw
from pytest_tradestore.damage.operators import PLAIN, Damage, Kind
from pytest_tradestore.damage.trials import Reading
from pytest_tradestore.kits.kit import Kit
from pytest_tradestore.observation import Absent, Failed, Names, Observation, Records, Seen


@dataclass(frozen=True, slots=True)
class DamageBreach:
    """One promise broken by one damaged file."""

    requirement: str
    sentence: str
    found: str
    allowed: tuple[str, ...]
    flaw: Flaw
    error: str = ""
    """The type of what was raised, where that is what is wrong."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is known of the store before the damage.

    ``intact`` is what it shows; ``history`` what it has shown before, an empty store first; ``owners`` which places the
    damaged file belongs to (none: nobody knows); ``has_backup`` whether there is an older version that could stand in.
    ``content`` is what the file held, ``appended`` how much of it was there before the last update added to it (None:
    that update wrote more than an end).
    """

    kit: Kit
    claims: frozenset[str]
    intact: Observation
    history: tuple[Observation, ...]
    owners: frozenset[str]
    has_backup: bool
    content: bytes = b""
    appended: int | None = None


def is_asked(damage: Damage, claims: frozenset[str]) -> bool:
    """Say whether a store with these claims can be expected to notice."""
    return damage.kind in PLAIN or "checksums" in claims


def breaches(damage: Damage, reading: Reading, case: Case) -> Iterator[DamageBreach]:
    """Yield what a reading breaks."""
    if reading.ended:
        sentence = f"when {damage}, reading {reading.ended}"
        yield DamageBreach(
            "CORR-4", sentence, reading.ended, ("a declared error, in bounded time and memory",), Flaw.ENDS
        )
        return
    asked = is_asked(damage, case.claims)
    changed = [place for place, seen in reading.seen.places if seen != case.intact.at(place)]
    for place in changed:
        yield from _at(damage, reading, case, place, asked=asked)
    if reading.opening is not None and not reading.opening.declared:
        yield _unclear(damage, "opening the store", reading.opening)
    if changed and damage.kind is not Kind.GONE and not case.kit.loses:
        yield from _evidence(damage, reading)
    if reading.again is not None and "backup" in case.claims and case.has_backup:
        yield from _rotated(damage, reading, case)


def _at(damage: Damage, reading: Reading, case: Case, place: str, *, asked: bool) -> Iterator[DamageBreach]:
    seen, intact = reading.seen.at(place), case.intact.at(place)
    if case.kit.loses and isinstance(seen, Absent):
        return
    if isinstance(seen, Failed):
        if reading.opening is None and not seen.declared:
            yield _unclear(damage, f"reading {place}", seen)
        if case.owners and place not in case.owners and not case.kit.loses:
            sentence = f"when {damage}, {place} cannot be read, though nothing of it is damaged"
            yield DamageBreach("CORR-5", sentence, f"{place}: {seen}", (f"{place}: {intact}",), Flaw.SPREADS)
        elif asked and _has_a_stand_in(damage, case) and not isinstance(intact, Names):
            sentence = f"when {damage}, {place} cannot be read, though an older version of it is kept"
            yield DamageBreach(
                "CORR-3", sentence, f"{place}: {seen}", ("the older version, and a word about it",), Flaw.STAND_IN
            )
        return
    if isinstance(seen, Names):
        return
    if reading.reported and _is_what_a_report_explains(seen, intact, case, place):
        if case.owners and place not in case.owners and not case.kit.loses:
            sentence = f"when {damage}, {place} shows {_told(seen)}, though nothing of it is damaged"
            yield DamageBreach("CORR-5", sentence, f"{place}: {seen}", (f"{place}: {intact}",), Flaw.SPREADS)
        return
    if not asked:
        return
    if damage.kind is Kind.GONE and not _is_missed(damage, seen, case, place):
        return
    if _looks_like_a_torn_append(damage, seen, intact, case, said=reading.said):
        return
    if damage.kind in (Kind.OLDER, Kind.GONE) and damage.mentioned:
        if not reading.said:
            requirement = "CORR-7" if damage.kind is Kind.OLDER else "CORR-6"
            sentence = f"when {damage}, {place} shows that without a word, though {damage.mentioned} has its digest"
            flaw = Flaw.OLDER if damage.kind is Kind.OLDER else Flaw.ABSENCE
            yield DamageBreach(requirement, sentence, f"{place}: {seen}", (str(intact), "an error"), flaw)
        return
    if _was_so_once(reading, case, place):
        if not reading.said:
            requirement = "CORR-3" if "backup" in case.claims else "CORR-1"
            sentence = f"when {damage}, {place} shows an older version without a word about it"
            allowed = ("the same, with a warning", "an error")
            yield DamageBreach(requirement, sentence, f"{place}: {seen}", allowed, Flaw.OLDER)
        return
    allowed = (str(intact), "an error")
    if seen in (Absent(), Records(())) and damage.kind in (Kind.EMPTIED, Kind.CUT):
        sentence = f"when {damage}, {place} reads as if nothing had ever been stored"
        yield DamageBreach("CORR-6", sentence, f"{place}: {seen}", allowed, Flaw.ABSENCE)
    elif damage.kind is Kind.FOREIGN:
        sentence = f"when {damage}, {place} shows what belongs to another key"
        yield DamageBreach("CORR-7", sentence, f"{place}: {seen}", allowed, Flaw.FOREIGN)
    else:
        nothing = seen in (Absent(), Records(()))
        sentence = f"when {damage}, {place} shows {'nothing' if nothing else 'wrong data'} without an error"
        flaw = Flaw.ABSENCE if nothing else Flaw.SHOWN
        yield DamageBreach("CORR-1", sentence, f"{place}: {seen}", allowed, flaw)


def _is_what_a_report_explains(seen: Seen, intact: Seen, case: Case, place: str) -> bool:
    """Say whether a place shows nothing, what it once showed, or a part of it: no value that was never written."""
    if isinstance(seen, Records) and isinstance(intact, Records):
        return _is_part(seen.items, intact.items)
    return seen == Absent() or any(seen == observation.at(place) for observation in case.history)


def _told(seen: Seen) -> str:
    return "nothing" if seen in (Absent(), Records(())) else "less than there was"


def _has_a_stand_in(damage: Damage, case: Case) -> bool:
    return (
        damage.kind is not Kind.GONE
        and damage.also is None
        and "backup" in case.claims
        and case.has_backup
        and bool(case.owners)
    )


def _was_so_once(reading: Reading, case: Case, place: str) -> bool:
    """Say whether a place shows what it held before; nothing counts only if everything is as it was then."""
    seen = reading.seen.at(place)
    before = [observation.at(place) for observation in case.history]
    return (seen in before and seen not in (Absent(), Records(()))) or reading.seen in case.history[1:]


def _is_missed(damage: Damage, seen: Seen, case: Case, place: str) -> bool:
    """Say whether something could have told that a file is gone: a digest of it elsewhere, or half of a document."""
    if damage.mentioned:
        return "checksums" in case.claims
    once = any(seen == observation.at(place) for observation in case.history)
    return case.kit.whole and seen != Absent() and not once


def _looks_like_a_torn_append(damage: Damage, seen: Seen, intact: Seen, case: Case, *, said: bool) -> bool:
    """Say whether a crash in the middle of an append could have left the same, or somebody was told of lost records."""
    if not case.kit.log or not isinstance(seen, Records) or not isinstance(intact, Records):
        return False
    if not _is_part(seen.items, intact.items):
        return False
    if damage.kind is Kind.EMPTIED or (damage.at_the_end and damage.kind in (Kind.ZEROED, Kind.UNPARSABLE)):
        # As after a crash between the making of the file and its first record, or in the middle of that.
        return "checksums" not in case.claims or (said and damage.kind is not Kind.EMPTIED)
    return damage.at_the_end or _is_in_the_last_record(damage, seen, intact, case, said=said)


def _is_in_the_last_record(damage: Damage, seen: Records, intact: Records, case: Case, *, said: bool) -> bool:
    """Say whether only what the last append wrote is damaged, and only its record is not shown.

    A write of several pages can be torn anywhere. Of a file with a single record nobody can see that it was appended:
    there a word is asked for.
    """
    first = case.appended
    if first is None or damage.content[:first] != case.content[:first] or len(damage.content) < first:
        return False
    kept = len(seen.items)
    return kept >= len(intact.items) - 1 and seen.items == intact.items[:kept] and (first > 0 or said)


def _is_part(items: tuple[str, ...], of: tuple[str, ...]) -> bool:
    rest = iter(of)
    return all(item in rest for item in items)


def _unclear(damage: Damage, what: str, failed: Failed) -> DamageBreach:
    sentence = f"when {damage}, {what} raises {failed.error}, which is none of the errors that the store declares"
    return DamageBreach("CORR-4", sentence, str(failed), ("one of tradestore_errors",), Flaw.UNCLEAR, failed.error)


def _evidence(damage: Damage, reading: Reading) -> Iterator[DamageBreach]:
    if reading.kept is False:
        sentence = f"when {damage}, a mere look destroys the damaged bytes"
        yield DamageBreach("CORR-2", sentence, "the bytes are in no file", ("the bytes are kept",), Flaw.BYTES_GONE)
    elif reading.kept_later is False:
        sentence = f"when {damage}, the next update destroys the damaged bytes"
        yield DamageBreach("CORR-2", sentence, "the bytes are in no file", ("the bytes are kept",), Flaw.BYTES_GONE)


def _rotated(damage: Damage, reading: Reading, case: Case) -> Iterator[DamageBreach]:
    assert reading.again is not None
    left = {place: reading.again.at(place) for place in sorted(case.owners) if _is_of_data(case, place)}
    if left and all(isinstance(seen, Failed) or seen in (Absent(), Records(())) for seen in left.values()):
        place, seen = next(iter(left.items()))
        sentence = f"when {damage}, the next update makes that the backup: there is no good version of {place} left"
        yield DamageBreach("CORR-3", sentence, f"{place}: {seen}", ("the last good version",), Flaw.BACKUP_GONE)


def _is_of_data(case: Case, place: str) -> bool:
    return not isinstance(case.intact.at(place), Names)
