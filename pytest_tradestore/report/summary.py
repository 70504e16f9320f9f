"""What the results of a store amount to: its verdict, and how much was checked for it."""

from collections.abc import Iterable, Mapping
from enum import Enum

from pytest_tradestore.observation import counted
from pytest_tradestore.report.findings import BY_POSIX_ALONE, by_posix_alone
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.requirements import Profile, find, known
from pytest_tradestore.verdict import JOINT, SEVERAL_INSTANCES, Verdict


class Cell(Enum):
    """One requirement of one store, worst case first; the value is the symbol where there is no room for the word."""

    VIOLATED = "X"
    ERROR = "!"
    UNDECIDED = "?"
    WAIVED = "w"
    NOT_RUN = "."
    UNCLAIMED = "o"
    HOLDS = "+"
    IN_PART = "/"
    NOT_APPLICABLE = "-"
    NO_CHECK = " "

    @property
    def word(self) -> str:
        return _WORDS[self]


_WORDS = {
    Cell.VIOLATED: "VIOLATED",
    Cell.ERROR: "error",
    Cell.UNDECIDED: "undecided",
    Cell.WAIVED: "waived",
    Cell.NOT_RUN: "not run",
    Cell.UNCLAIMED: "not asked",
    Cell.HOLDS: "holds",
    Cell.IN_PART: "in part",
    Cell.NOT_APPLICABLE: "n/a",
    Cell.NO_CHECK: "",
}
_SEVERITY = {cell: rank for rank, cell in enumerate(Cell)}


def profile_of(requirement: str) -> Profile:
    """Return the profile that a requirement belongs to; one that is not in the catalogue decides always."""
    found = find(requirement)
    return found.profile if found is not None else Profile.BASIC


def requirement_of(check: str) -> str:
    return check.partition("[")[0]


def _case_of(check: str) -> str:
    return check.partition("[")[2].removesuffix("]")


def cell(record: StoreRecord, requirement: str) -> Cell:
    """Return the worst that became of the checks of one requirement.

    ``IN_PART`` where some hold and others do not apply.
    """
    cells = [_cell_of(record, check) for check in record.facts.checks if requirement_of(check) == requirement]
    worst = min(cells, key=_SEVERITY.__getitem__, default=Cell.NO_CHECK)
    return Cell.IN_PART if worst is Cell.HOLDS and Cell.NOT_APPLICABLE in cells else worst


def _cell_of(record: StoreRecord, check: str) -> Cell:
    if check in record.errors:
        return Cell.ERROR
    result = record.results.get(check)
    if result is None:
        return Cell.NOT_RUN
    return Cell.UNCLAIMED if result.unclaimed else Cell[result.verdict.name]


def rows(records: Iterable[StoreRecord]) -> tuple[str, ...]:
    """Return the requirements that any of the stores has a check for, in the order of the catalogue."""
    wanted = dict.fromkeys(requirement_of(check) for record in records for check in record.facts.checks)
    ours = [requirement.id for requirement in known() if requirement.id in wanted]
    return (*ours, *(requirement for requirement in wanted if requirement not in ours))


def verdict_line(record: StoreRecord, profile: Profile) -> str:
    """Return the verdict on a store, in the words that scripts look for.

    It names the highest profile that holds, whichever was wanted, and what stands between the store and the next one.
    """
    if violated := requirements_with(record, Verdict.VIOLATED, upto=profile):
        return f"NOT CONFORMANT: {' '.join(violated)}"
    if gaps := _gaps(record, profile):
        return f"INCOMPLETE: {'; '.join(gaps)}"
    held = reached(record)
    missing = next((level for level in Profile if _cells(record, level) & _STANDS_OPEN), None)
    more = "" if missing is None else f"{missing.label}: {_open(record, missing)}"
    if held is None:
        return f"INCOMPLETE: {more}"
    waived = requirements_with(record, Verdict.WAIVED, upto=held)
    return f"CONFORMANT {held.label}{' WITH WAIVERS' if waived else ''}{more and f'; {more}'}"


def reached(record: StoreRecord) -> Profile | None:
    """Return the highest profile of which every requirement was asked and none was found broken; None if not one is.

    Not applicable does not count as asked where a claim would have it asked.
    """
    held = None
    for level in Profile:
        cells = _cells(record, level)
        if cells & _STANDS_OPEN:
            break
        if cells & {Cell.HOLDS, Cell.IN_PART, Cell.WAIVED}:
            held = level
    return held


_STANDS_OPEN = {Cell.VIOLATED, Cell.ERROR, Cell.UNDECIDED, Cell.NOT_RUN, Cell.UNCLAIMED}


def _cells(record: StoreRecord, level: Profile) -> set[Cell]:
    return {cell(record, requirement) for requirement in rows([record]) if profile_of(requirement) is level}


def _open(record: StoreRecord, level: Profile) -> str:
    """Say what keeps a store from a profile whose lower ones it has reached."""
    cells = {r: cell(record, r) for r in rows([record]) if profile_of(r) is level}
    parts = [
        f"{kind.word.lower()} {' '.join(found)}"
        for kind in (Cell.VIOLATED, Cell.ERROR, Cell.UNDECIDED, Cell.NOT_RUN)
        if (found := [requirement for requirement, what in cells.items() if what is kind])
    ]
    unclaimed = {result.requirement: result.unclaimed for result in record.results.values() if result.unclaimed}
    if claims := dict.fromkeys(unclaimed[r] for r, what in cells.items() if what is Cell.UNCLAIMED):
        there = [what for what in cells.values() if what is not Cell.NOT_APPLICABLE]
        asked = len(there) - there.count(Cell.UNCLAIMED)
        parts.append(f"{asked} of {len(there)} asked, not claimed: {' '.join(claims)}")
    return ", ".join(parts)


def _gaps(record: StoreRecord, profile: Profile) -> list[str]:
    """Say what stands between these results and a statement about the store."""
    checks, results = record.facts.checks, record.results
    gaps = []
    if not checks:
        return [f"there is no check yet for its contracts ({', '.join(record.facts.contracts)})"]
    for contract, sentence, *_ in record.facts.troubles:
        gaps.append(f"{contract} does not work: {sentence}")
    working = [check for check in checks if record.facts.trouble_of(_case_of(check)) is None]
    done = len([check for check in working if check in results or check in record.errors])
    if done < len(working):
        gaps.append(f"only {done} of {len(working)} checks were run")
    if failed := [check for check in working if check in record.errors]:
        gaps.append(f"{_count(len(failed), 'check')} ended in an error of the suite")
    if undecided := requirements_with(record, Verdict.UNDECIDED, upto=profile):
        gaps.append(f"undecided: {' '.join(undecided)}")
    inside = [r for r in results.values() if profile_of(r.requirement) <= profile]
    if not gaps and all(result.verdict is Verdict.NOT_APPLICABLE for result in inside):
        gaps.append("nothing in this profile applies to it")
    return gaps


def details(record: StoreRecord, profile: Profile, *, whole: bool = True) -> list[str]:
    """Return the lines below the verdict: how much was checked, and what the verdict leaves out.

    Unless ``whole``, of many counts only those are told that people ask for.
    """
    done = len(record.results) + len(record.errors)
    counts = {name: count for name, count in checked(record).items() if count}
    asked_for = {name: count for name, count in counts.items() if name in _ASKED_FOR}
    some = asked_for if asked_for and not whole and len(counts) > _MANY else counts
    amounts = [f"{count:,} {name.replace('_', ' ')}" for name, count in some.items()]
    if len(some) < len(counts):
        amounts.append("and more with -v")
    bounded = _sorted(r.requirement for r in record.results.values() if not r.exhaustive)
    listed = " ".join(bounded) if whole or len(bounded) <= _FEW else counted(len(bounded), "requirement")
    reach = [] if not amounts else [f"bounded for {listed}" if bounded else "exhaustive"]
    ran = f"{done} of {_count(len(record.facts.checks), 'check')} run"
    lines = ["; ".join([ran, *([", ".join(amounts)] if amounts else []), *reach])]
    if time := _took(record):
        lines.append(time)
    if races := _races(record):
        lines.append(f"schedules: {', '.join(races)}")
    for capability, requirements in _unclaimed(record).items():
        lines.append(f"not asked, because {why_not(capability)}: {' '.join(requirements)}")
    lines += [
        f"portability: {result.requirement}: {note}"
        for result in record.results.values()
        for note in result.portability
    ]
    if strict := _by_posix_alone(record):
        lines.append(f"{BY_POSIX_ALONE}, not on ext4, XFS or btrfs: {' '.join(strict)}")
    for words, verdict in _WORTH_A_LINE.items():
        found = requirements_with(record, verdict)
        inside = requirements_with(record, verdict, upto=profile)
        if inside and verdict is not Verdict.VIOLATED:  # those are in the verdict itself
            lines.append(f"{words}: {' '.join(inside)}")
        if outside := [requirement for requirement in found if requirement not in inside]:
            lines.append(f"{words}, outside of the {profile.label} profile: {' '.join(outside)}")
    return lines


def _by_posix_alone(record: StoreRecord) -> list[str]:
    """Return the requirements that are violated in no way that a file system of those modelled shows."""
    return _sorted(
        result.requirement
        for result in record.results.values()
        if result.verdict is Verdict.VIOLATED and result.examples and all(map(by_posix_alone, result.examples))
    )


_ASKED_FOR = (
    "crash_states",
    "faults",
    "requests",
    "statements",
    "trials",
    "values",
    "damaged_images",
    "schedules",
    "identifiers",
)
"""What was counted that says most of how much was looked at, one or two counts for each family."""
_MANY = 6
"""Counts from which on only those are told that people ask for."""
_FEW = 8
_FAMILIES = {
    "crashes": ("ATOM-", "DUR-", "REC-"),
    "races": ("RACE-", "ASYNC-"),
    "faults": ("FAULT-",),
    "damage": ("CORR-",),
    "identifiers": ("NAME-",),
    "modes": ("PERM-",),
    "leaks": ("LEAK-", "ROOT-"),
}


def _took(record: StoreRecord) -> str:
    """Say how long the checks took, and which families of requirements took most of it."""
    spent: dict[str, float] = {}
    for result in record.results.values():
        family = next((name for name, ids in _FAMILIES.items() if result.requirement.startswith(ids)), "data")
        spent[family] = spent.get(family, 0.0) + result.seconds
    total = sum(spent.values())
    if total < _SHORT:
        return ""
    most = sorted(spent.items(), key=lambda row: -row[1])
    return f"took {total:.1f} s: {', '.join(f'{name} {seconds:.1f}' for name, seconds in most if seconds >= _SHORT)}"


_SHORT = 0.1
"""Seconds that nobody asks about."""


def why_not(capability: str) -> str:
    """Say which claim of a store it is that leaves something unasked."""
    return "single-instance is claimed" if capability == SEVERAL_INSTANCES else f"{capability} is not claimed"


def _unclaimed(record: StoreRecord) -> dict[str, list[str]]:
    """Return the requirements that were not asked, by the capability that would have them asked."""
    found: dict[str, list[str]] = {}
    for result in record.results.values():
        if result.unclaimed:
            found.setdefault(result.unclaimed, []).append(result.requirement)
    return {capability: _sorted(found[capability]) for capability in sorted(found)}


def _races(record: StoreRecord) -> list[str]:
    """Say of each requirement about concurrent callers that holds how many schedules were run, and whether all."""
    told = []
    for requirement in requirements_with(record, Verdict.HOLDS):
        found = [r for r in record.results.values() if r.requirement == requirement and r.verdict is Verdict.HOLDS]
        if count := sum(result.checked.get("schedules", 0) for result in found):
            kind = "exhausted" if all(result.exhaustive for result in found) else "sampled"
            told.append(f"{requirement} {kind} {count:,}")
    return told


_WORTH_A_LINE = {
    "violated": Verdict.VIOLATED,
    "undecided": Verdict.UNDECIDED,
    "waived": Verdict.WAIVED,
    "not applicable": Verdict.NOT_APPLICABLE,
}


def checked(record: StoreRecord) -> Mapping[str, int]:
    """Return what was tried for a store in all, by kind."""
    total: dict[str, int] = {}
    seen: set[tuple[str, str]] = set()
    for result in record.results.values():
        parts = result.evidence.split(JOINT)
        for name, count in result.checked.items():
            if result.evidence and all((part, name) in seen for part in parts):
                continue  # the same evidence judged by another requirement
            seen.update((part, name) for part in parts)
            total[name] = total.get(name, 0) + count
    return total


def requirements_with(record: StoreRecord, verdict: Verdict, upto: Profile = Profile.HARDENED) -> list[str]:
    """Return the requirements of at most profile ``upto`` of which some case has ``verdict``."""
    return _sorted(
        result.requirement
        for result in record.results.values()
        if result.verdict is verdict and not result.unclaimed and profile_of(result.requirement) <= upto
    )


def _sorted(requirements: Iterable[str]) -> list[str]:
    order = {requirement.id: place for place, requirement in enumerate(known())}
    return sorted(set(requirements), key=lambda requirement: (order.get(requirement, len(order)), requirement))


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
