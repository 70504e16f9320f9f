"""The sentences and words of the page: a verdict as one says it to somebody, and what each counter has counted."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from pytest_tradestore.causes import Harm
from pytest_tradestore.observation import counted
from pytest_tradestore.report.findings import Finding
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import Cell, cell, profile_of, reached, rows, verdict_line, why_not
from pytest_tradestore.requirements import Profile

_DOES = {
    Harm.DESTROYED: "it can destroy data that had been stored before",
    Harm.UNREADABLE: "it can make all data unreadable",
    Harm.LOST: "it can lose updates that it had acknowledged",
    Harm.WRONG: "it can show something wrong",
    Harm.LEFTOVER: "it leaves something behind",
}
HARMS = {
    Harm.DESTROYED: "destroy earlier data",
    Harm.UNREADABLE: "make all data unreadable",
    Harm.LOST: "lose acknowledged updates",
    Harm.WRONG: "show something wrong",
    Harm.LEFTOVER: "leave something behind",
}
COUNTED = {
    "crash_states": "crash states: moments at which the power or the process goes, with all that may be lost then",
    "images": "different directories that such a crash can leave, each opened again and read",
    "crashes_recovered_from": "crashes while the store was recovering from a crash",
    "recoveries": "reopenings after a crash that wrote something, each crashed once more",
    "images_of_recoveries": "different directories that a crash during recovery can leave",
    "crashed_faults": "crashes while a fault lasted",
    "schedules": "orders in which concurrent callers were let run",
    "operations_in_a_race": "calls during which a file and a link took turns in its place",
    "exchanges": "moments at which a file or directory was exchanged for a link",
    "damaged_images": "directories with a damaged file, each opened and read",
    "noticed": "damages that changed what the store showed",
    "updates": "updates made on damaged files",
    "foreign_files": "files put in the place of another, or of a newer one",
    "faults": "system calls that were made to fail",
    "failed_syncs": "syncs that were made to fail",
    "identifiers": "hostile identifiers",
    "identifiers_together": "pairs of identifiers that might share data",
    "identifiers_that_are_no_text": "identifiers that are no text",
    "ordinary_identifiers": "ordinary identifiers",
    "lookalikes": "identifiers that look alike",
    "temporary_names": "identifiers that look like temporary files",
    "plants": "links planted where the store writes",
    "opened_paths": "paths that were opened",
    "values": "values stored and read back",
    "refused": "values that were refused",
    "refusals_repeated": "refusals asked for a second time",
    "modes": "files and directories whose mode was looked at",
    "files": "files that were looked at",
    "operations": "operations on the disk that were recorded",
    "calls": "calls of the store",
    "repeated_calls": "calls made again and again, to see what they leave behind",
    "watched_calls": "calls during which the event loop was watched",
    "awaited_calls": "calls that were awaited",
}
FAMILIES = {
    "ATOM": "Crashes: all or nothing",
    "DUR": "Crashes: what was acknowledged stays",
    "REC": "Crashes: recovery",
    "RACE": "Concurrent callers",
    "ASYNC": "Concurrent callers",
    "FAULT": "I/O faults",
    "LEAK": "What is left behind",
    "ROOT": "What is left behind",
    "CORR": "Damaged files",
    "NAME": "Identifiers",
    "PERM": "Permissions",
    "DATA": "The data itself",
}
KINDS = {
    Cell.VIOLATED: "bad",
    Cell.ERROR: "bad",
    Cell.UNDECIDED: "unsure",
    Cell.WAIVED: "unsure",
    Cell.NOT_RUN: "unsure",
    Cell.UNCLAIMED: "unsure",
    Cell.HOLDS: "good",
    Cell.IN_PART: "good",
    Cell.NOT_APPLICABLE: "off",
    Cell.NO_CHECK: "off",
}
"""How each verdict is coloured; what does not decide is coloured all the same, and marked."""


def listed(names: Sequence[str]) -> str:
    """Return names as one says them in a sentence."""
    return " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))


def begun_large(sentence: str) -> str:
    """Return a sentence with a large first letter; one that begins with a call or a file, which have none, as it is."""
    first = sentence.partition(" ")[0].rstrip(".,:;")
    return sentence if set("(._/'") & set(first) else sentence[:1].upper() + sentence[1:]


def family_of(requirement: str) -> str:
    """Return the name of the family that a requirement belongs to; a team's own have one together."""
    return FAMILIES.get(requirement.partition("-")[0], "A team's own")


def kind_of_verdict(record: StoreRecord, profile: Profile) -> str:
    """Return ``good``, ``bad`` or ``unsure``."""
    line = verdict_line(record, profile)
    held = reached(record)
    if line.startswith("NOT"):
        return "bad"
    whole = line.startswith("CONFORMANT") and held is not None and held >= profile and " WITH WAIVERS" not in line
    return "good" if whole else "unsure"


def word_of_verdict(record: StoreRecord, profile: Profile) -> str:
    line = verdict_line(record, profile)
    if line.startswith("NOT"):
        return "Not conformant"
    if line.startswith("INCOMPLETE"):
        return "Incomplete"
    return f"Conformant: {line.removeprefix('CONFORMANT ').partition(';')[0].lower()}"


def verdict_in_a_sentence(record: StoreRecord, profile: Profile, findings: Sequence[Finding]) -> str:
    """Say what the verdict means to somebody who has never heard of profiles."""
    line = verdict_line(record, profile)
    inside = [f for f in findings if any(profile_of(r) <= profile for r in f.requirements)]
    outside = len(findings) - len(inside)
    beyond = f" {counted(outside, 'finding')} more lie outside of that profile." if outside else ""
    beyond = beyond.replace("finding more lie", "finding more lies") if outside == 1 else beyond
    if line.startswith("NOT"):
        worst = _DOES[min((f.cause.harm for f in inside), default=Harm.WRONG)]
        return (
            f"Do not trust it with data that matters yet: {worst}. "
            f"{counted(len(inside), 'finding')} against the {profile.label} profile.{beyond}"
        )
    if line.startswith("INCOMPLETE"):
        return f"Nothing can be promised yet: {line.removeprefix('INCOMPLETE: ')}.{beyond}"
    held = reached(record)
    assert held is not None
    waived = " With waivers: what they name is broken, and was accepted." if " WITH WAIVERS" in line else ""
    more = beyond if held >= profile else f" It was to be {profile.label}.{beyond}"
    return f"Everything that the {held.label} profile asks was asked, and holds.{waived}{more}"


def harms_of(findings: Sequence[Finding]) -> Iterator[tuple[str, int, Finding]]:
    """Yield what the findings do, how many do it, and the first of them: worst first."""
    counts = Counter(finding.cause.harm for finding in findings)
    for harm in sorted(counts):
        first = next(finding for finding in findings if finding.cause.harm == harm)
        yield HARMS[harm], counts[harm], first


def asked_and_not(record: StoreRecord) -> tuple[int, int, dict[str, list[str]]]:
    """Return how many requirements were asked, of how many there are, and which were not asked, by the reason."""
    not_asked: dict[str, list[str]] = {}
    all_of_them = rows([record])
    unclaimed = {r.requirement: r.unclaimed for r in record.results.values() if r.unclaimed}
    for requirement in all_of_them:
        match cell(record, requirement):
            case Cell.UNCLAIMED:
                not_asked.setdefault(why_not(unclaimed[requirement]), []).append(requirement)
            case Cell.NOT_APPLICABLE:
                not_asked.setdefault("there is no such thing in its contracts", []).append(requirement)
            case Cell.NOT_RUN:
                not_asked.setdefault("left out of this run", []).append(requirement)
    left = sum(map(len, not_asked.values()))
    return len(all_of_them) - left, len(all_of_them), not_asked


def day_and_time(began: str) -> str:
    """Return a time as a person writes it, in UTC; what is no time as it is."""
    try:
        return datetime.fromisoformat(began).astimezone(UTC).strftime("%d %B %Y, %H:%M UTC").lstrip("0")
    except ValueError:
        return began


def duration(seconds: float) -> str:
    if seconds < 60:
        return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"
