"""The report as SARIF 2.1.0 (OASIS), which code scanning services read: a rule for each requirement, a result for each
root cause.
"""

import json
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pytest_tradestore.report.annotations import Annotation, Place, annotations
from pytest_tradestore.report.records import StoreRecord
from pytest_tradestore.report.summary import profile_of
from pytest_tradestore.requirements import find
from pytest_tradestore.settings import Settings

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"


def sarif_of(settings: Settings, recorder: str, records: Sequence[StoreRecord], project: Path) -> str:
    """Return the root causes of all stores as SARIF; those outside of the profile are warnings."""
    found = list(annotations(records, settings.profile, project))
    rules = list(dict.fromkeys(id_ for one in found for id_ in one.finding.requirements))
    driver = {
        "name": "pytest-tradestore",
        "version": version("pytest-tradestore"),
        "rules": [_rule(requirement) for requirement in rules],
    }
    run = {
        "tool": {"driver": driver},
        "columnKind": "unicodeCodePoints",
        "properties": {"recorder": recorder, "seed": settings.seed, "budget": settings.budget.name.lower()},
        "results": [_result(one, rules) for one in found],
    }
    return json.dumps({"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rule(requirement: str) -> dict[str, Any]:
    known = find(requirement)
    rule: dict[str, Any] = {"id": requirement, "properties": {"profile": profile_of(requirement).label}}
    if known is None:
        return rule
    return rule | {
        "shortDescription": {"text": f"A conforming store {known.sentence}."},
        "fullDescription": {"text": known.why},
        "help": {"text": known.remedy},
    }


def _result(one: Annotation, rules: Sequence[str]) -> dict[str, Any]:
    first, *others = one.finding.requirements
    result: dict[str, Any] = {
        "ruleId": first,
        "ruleIndex": rules.index(first),
        "level": "error" if one.decides else "warning",
        "message": {"text": f"{one.title}\n{one.text}"},
        "locations": [_location(place) for place in one.places[:1]],
        "relatedLocations": [_location(place) | {"id": n} for n, place in enumerate(one.places[1:], 1)],
        # Line numbers move with every edit, what is wrong in which file does not.
        "partialFingerprints": {"rootCause/v1": "|".join((one.title, *(place.file for place in one.places)))},
    }
    return result | ({"properties": {"alsoBreaks": others}} if others else {})


def _location(place: Place) -> dict[str, Any]:
    where = {"artifactLocation": {"uri": place.file, "uriBaseId": "%SRCROOT%"}, "region": {"startLine": place.line}}
    return {"physicalLocation": where}
