"""Known violations that do not fail the run, each with a reason, and most with a day on which it ends.

A waiver never hides anything: what it covers is shown as waived, and one that is not needed, or no longer valid, fails
the run itself.
"""

import difflib
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.report.records import StoreRecord, check_id
from pytest_tradestore.report.summary import requirement_of
from pytest_tradestore.requirements import find, is_of_a_team
from pytest_tradestore.verdict import Result, Verdict

KINDS = ("bug", "unsupported", "wont-fix")
_MEMBERS: Mapping[str, type] = {
    "requirement": str,
    "store": str,
    "case": str,
    "kind": str,
    "reason": str,
    "expires": date,
}
_OPTIONAL = ("case", "expires")


@dataclass(frozen=True, slots=True)
class Waiver:
    """One known violation; without a ``case`` it covers all cases of the requirement."""

    requirement: str
    store: str
    kind: str
    reason: str
    case: str = ""
    expires: date | None = None

    def covers(self, store: str, requirement: str, case: str) -> bool:
        return (self.store, self.requirement) == (store, requirement) and self.case in ("", case)

    def has_expired(self, today: date) -> bool:
        """Say whether the last day on which it was valid has passed."""
        return self.expires is not None and today > self.expires

    def __str__(self) -> str:
        return (
            f"the waiver of {check_id(self.requirement, self.case) if self.case else self.requirement} for {self.store}"
        )


def today() -> date:
    """Return the day that waivers are compared with, the same everywhere on earth."""
    return datetime.now(UTC).date()


def load(path: Path) -> tuple[Waiver, ...]:
    """Read the waivers in a TOML file, a list of ``[[waiver]]`` tables.

    Raises ConfigurationError, with one sentence, if it is missing or anything in it is not as it has to be.
    """
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"waivers: {path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"waivers: {path} is not a TOML file: {error}") from None
    tables = read.pop("waiver", [])
    if read or not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
        raise ConfigurationError(f"waivers: {path} must hold nothing but [[waiver]] tables")
    waivers = tuple(_waiver(f"waivers: {path}, number {number}", table) for number, table in enumerate(tables, 1))
    for place, waiver in enumerate(waivers):
        if any(waiver.covers(w.store, w.requirement, w.case) or w == waiver for w in waivers[:place]):
            raise ConfigurationError(f"waivers: {path} has two for the same: {waiver}")
    return waivers


def _waiver(where: str, table: dict[str, Any]) -> Waiver:
    for member, value in table.items():
        if member not in _MEMBERS:
            near = difflib.get_close_matches(member, _MEMBERS, n=1)
            raise ConfigurationError(f"{where}: there is no {member!r}{f' (did you mean {near[0]}?)' if near else ''}")
        wanted = _MEMBERS[member]
        if not isinstance(value, wanted) or isinstance(value, datetime) or value == "":
            what = "a date like 2027-01-31, without quotes" if wanted is date else "a text"
            raise ConfigurationError(f"{where}: {member} must be {what}, not {value!r}")
    for member in _MEMBERS:
        if member not in table and member not in _OPTIONAL:
            raise ConfigurationError(f"{where}: {member} is missing")
    if find(table["requirement"]) is None and not is_of_a_team(table["requirement"]):
        raise ConfigurationError(f"{where}: there is no requirement {table['requirement']!r}")
    if table["kind"] not in KINDS:
        raise ConfigurationError(f"{where}: kind must be one of {', '.join(KINDS)}, not {table['kind']!r}")
    if table["kind"] == "bug" and "expires" not in table:
        raise ConfigurationError(f"{where}: a bug needs expires, the day until which it is to be fixed")
    return Waiver(**table)


def waived(result: Result, store: str, waivers: Sequence[Waiver], on: date) -> Result:
    """Return ``result``, as WAIVED if it is a violation, or undecided, that a valid waiver covers."""
    if result.verdict not in (Verdict.VIOLATED, Verdict.UNDECIDED):
        return result
    for waiver in waivers:
        if waiver.covers(store, result.requirement, result.case) and not waiver.has_expired(on):
            until = f" until {waiver.expires}" if waiver.expires else ""
            found = result.counterexample.headline if result.counterexample else result.reason
            return replace(
                result,
                verdict=Verdict.WAIVED,
                reason=f"{waiver.kind}{until}: {waiver.reason} ({result.verdict.value}: {found})",
            )
    return result


def stale(waivers: Sequence[Waiver], records: Sequence[StoreRecord], on: date, *, all_stores: bool) -> list[str]:
    """Return a sentence for each waiver that is unknown, expired or no longer needed.

    With ``all_stores`` the run has every store of the project, so one that it does not have is unknown.
    """
    return [problem for waiver in waivers if (problem := _problem(waiver, records, on, all_stores=all_stores))]


def unused(waivers: Sequence[Waiver], records: Sequence[StoreRecord]) -> str:
    """Return a sentence that names the stores of waivers that this run does not have; empty if it has them all."""
    here = [record.facts.name for record in records]
    missing = sorted({waiver.store for waiver in waivers} - set(here))
    if not missing:
        return ""
    near = {name: close[0] for name in missing if (close := difflib.get_close_matches(name, here, n=1))}
    named = ", ".join(f"{name} (did you mean {near[name]}?)" if name in near else name for name in missing)
    return f"waivers for stores that this run does not have: {named}"


def _problem(waiver: Waiver, records: Sequence[StoreRecord], on: date, *, all_stores: bool) -> str:
    of_store = [record for record in records if record.facts.name == waiver.store]
    if not of_store:
        return f"{waiver} is unknown: there is no store of this name" if all_stores else ""
    checks = [
        (record, check)
        for record in of_store
        for check in record.facts.checks
        if waiver.covers(waiver.store, requirement_of(check), check.partition("[")[2].removesuffix("]"))
    ]
    if not checks:
        return f"{waiver} is unknown: there is no such check for this store"
    if waiver.has_expired(on):
        return f"{waiver} expired on {waiver.expires}; fix the violation or decide anew"
    results = [record.results.get(check) for record, check in checks]
    if all(result is not None and result.verdict is not Verdict.WAIVED for result in results):
        return f"{waiver} is no longer needed: nothing is violated; remove it"
    return ""
