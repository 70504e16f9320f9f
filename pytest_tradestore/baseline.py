"""What an earlier run found already: with it a run fails only for what is new.

A baseline is the JSON report of that run. Root causes are compared by what is wrong and in which files, not by line
numbers, which move with every edit; a second cause of the same kind in the same files is new. A baseline hides nothing:
what it covers is shown as waived.
"""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.report.comparison import kind_of
from pytest_tradestore.report.records import StoreRecord, result_from_dict
from pytest_tradestore.report.schema import refuse_another
from pytest_tradestore.verdict import Result, Verdict

_KINDS = (Verdict.VIOLATED, Verdict.UNDECIDED, Verdict.WAIVED)


@dataclass(frozen=True, slots=True)
class Baseline:
    """``known``: for each store, requirement and case the root causes there were, and how many of each kind."""

    path: str
    known: Mapping[tuple[str, str, str], Mapping[str, int]]

    def covers(self, store: str, result: Result) -> bool:
        """Say whether nothing about ``result`` is new."""
        before = self.known.get((store, result.requirement, result.case))
        return before is not None and all(before.get(kind, 0) >= n for kind, n in _kinds(result).items())


def load(path: Path) -> Baseline:
    """Read a baseline. Raises ConfigurationError, with one sentence, if it is missing or no report of the suite."""
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(
            f"--tradestore-baseline: {path} cannot be read: {error.strerror}; write it with "
            f"--tradestore-report json:{path.name}"
        ) from None
    except ValueError as error:
        raise ConfigurationError(f"--tradestore-baseline: {path} is not a JSON report: {error}") from None
    read = refuse_another(read, f"--tradestore-baseline: {path}")
    try:
        known = {
            (store["name"], result.requirement, result.case): _kinds(result)
            for store in read["stores"]
            for result in map(result_from_dict, store["requirements"])
            if result.verdict in _KINDS
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(
            f"--tradestore-baseline: {path} is not a report that this version wrote "
            f"({type(error).__name__}: {error}); write it anew with --tradestore-report json:PATH"
        ) from None
    return Baseline(path.name, known)


def known_before(result: Result, store: str, baseline: Baseline | None) -> Result:
    """Return ``result``, as WAIVED if it is violated or undecided in no other way than in the baseline."""
    if baseline is None or result.verdict not in (Verdict.VIOLATED, Verdict.UNDECIDED):
        return result
    if not baseline.covers(store, result):
        return result
    found = result.counterexample.headline if result.counterexample else result.reason
    reason = f"known before, by {baseline.path} ({result.verdict.value}: {found})"
    return replace(result, verdict=Verdict.WAIVED, reason=reason)


def mended(baseline: Baseline, records: Sequence[StoreRecord]) -> tuple[str, ...]:
    """Return what the baseline has, as ``store: requirement[case]``, and this run judged and did not find any more."""
    results = {
        (record.facts.name, result.requirement, result.case): result
        for record in records
        for result in record.results.values()
    }
    return tuple(
        f"{store}: {requirement}[{case}]"
        for (store, requirement, case) in baseline.known
        if (now := results.get((store, requirement, case))) is not None and now.verdict not in _KINDS
    )


def _kinds(result: Result) -> Counter[str]:
    return Counter(map(kind_of, result.examples)) or Counter({"": 1})
