"""What has become of the findings of an earlier run: which are new, which are mended, which are as they were.

Findings are compared by what is wrong and in which files, as decision 0510 says. Mended is only what was asked again
and held: what was not asked this time, or is broken by something else now, is said apart.
"""

import json
import re
from collections import Counter
from collections.abc import Mapping, Set
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from pytest_tradestore.causes import Culprit
from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.report.findings import Finding, findings_of
from pytest_tradestore.report.records import StoreFacts, StoreRecord, check_id, result_from_dict
from pytest_tradestore.report.schema import refuse_another
from pytest_tradestore.verdict import Counterexample, Verdict

_LINE = re.compile(r":\d+(?=$| )")


class Fortune(Enum):
    """What became of a finding."""

    NEW = "new"
    SAME = "same as before"
    MENDED = "mended"
    HIDDEN = "not seen, but what it broke does not hold yet"
    UNASKED = "not asked this time"


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier run: the name of its report, when it began, and what it knew of each store."""

    name: str
    began: str
    records: Mapping[str, StoreRecord]


@dataclass(frozen=True, slots=True)
class Compared:
    """One store then and now: the fortune of each finding of now, in their order, and what is left of then."""

    known: bool
    now: tuple[Fortune, ...]
    gone: tuple[tuple[Fortune, Finding], ...]

    def count(self, fortune: Fortune) -> int:
        return [*self.now, *(fortune for fortune, _ in self.gone)].count(fortune)


def kind_of(example: Counterexample) -> str:
    """Return a root cause without what moves: line numbers, and what is random in names."""
    return "" if example.cause is None else _kind(example.cause.culprit)


def _kind(culprit: Culprit) -> str:
    return "|".join((culprit.fault, *(_LINE.sub("", place) for place in culprit.places)))


def load_earlier(path: Path, option: str) -> Earlier:
    """Read the JSON report of an earlier run. Raises ConfigurationError, with one sentence, if it is none."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"{option}: {path} cannot be read: {error.strerror}; write it with --tradestore-report json:{path.name}"
        ) from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{option}: {path} is not a JSON report: {error}") from None
    known = refuse_another(read, f"{option}: {path}")
    try:
        began = str(known.get("run", {}).get("began", ""))
        records = {str(store["name"]): _record_of(store) for store in known["stores"]}
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"{option}: {path} is not a report that this version can read ({type(error).__name__}: {error}); "
            "write it anew with --tradestore-report json:PATH"
        ) from None
    return Earlier(path.name, began, records)


def _record_of(store: Mapping[str, Any]) -> StoreRecord:
    results = {
        check_id(result.requirement, result.case): result for result in map(result_from_dict, store["requirements"])
    }
    return StoreRecord(StoreFacts(str(store["id"]), str(store["name"]), (), (), tuple(results)), results)


def compared(record: StoreRecord, earlier: Earlier) -> Compared:
    """Compare what is known of a store with what was known of the one of that name."""
    findings = findings_of(record)
    before = earlier.records.get(record.facts.name)
    if before is None:
        return Compared(False, (Fortune.NEW,) * len(findings), ())
    old = findings_of(before)
    left = Counter(map(_key, old))
    waived = _waived(before)
    now = []
    for finding in findings:
        key = _key(finding)
        now.append(Fortune.SAME if left[key] > 0 or key in waived else Fortune.NEW)
        left[key] -= left[key] > 0
    there = _waived(record)
    gone = []
    for finding in reversed(old):  # where fewer of one kind are left it is the last that have gone
        key = _key(finding)
        if left[key] > 0:
            left[key] -= 1
            gone.append((_fortune(finding, record, there), finding))
    return Compared(True, tuple(now), tuple(reversed(gone)))


def _fortune(finding: Finding, record: StoreRecord, waived: Set[str]) -> Fortune:
    """Say what became of a finding that is none of those of now."""
    if _key(finding) in waived:
        return Fortune.SAME
    results = [record.results.get(consequence.check) for consequence in finding.consequences]
    verdicts = {None if result is None else result.verdict for result in results}
    if verdicts <= {Verdict.HOLDS}:
        return Fortune.MENDED
    return Fortune.UNASKED if verdicts & {None, Verdict.NOT_APPLICABLE} else Fortune.HIDDEN


def _waived(record: StoreRecord) -> Set[str]:
    """Return the kinds of what does not count as a finding and is not gone for that."""
    return {
        kind_of(example) or f"?{check}"
        for check, result in record.results.items()
        if result.verdict is Verdict.WAIVED
        for example in result.examples
    }


def _key(finding: Finding) -> str:
    """Return what a finding is known by: its culprit, or the first that it breaks where nobody knows one."""
    return _kind(finding.cause.culprit) if finding.known else f"?{finding.consequences[0].check}"
