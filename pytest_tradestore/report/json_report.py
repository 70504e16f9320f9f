"""The JSON report; ``schema`` describes it for those who read it with a program."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

from pytest_tradestore.report.findings import findings_of
from pytest_tradestore.report.records import StoreRecord, cause_to_dict, result_to_dict
from pytest_tradestore.report.schema import SCHEMA, VERSION
from pytest_tradestore.report.summary import profile_of, verdict_line
from pytest_tradestore.report.surroundings import Surroundings
from pytest_tradestore.requirements import SPEC, Profile
from pytest_tradestore.settings import Settings


def report_of(
    settings: Settings, recorder: str, records: Sequence[StoreRecord], around: Surroundings | None = None
) -> dict[str, Any]:
    """Return the report as plain dictionaries and lists."""
    return {
        "schema": SCHEMA,
        "schema_version": VERSION,
        "tool": {"name": "pytest-tradestore", "version": version("pytest-tradestore")},
        "spec": SPEC,
        "seed": settings.seed,
        "budget": settings.budget.name.lower(),
        "model": settings.model,
        "run": asdict(around or Surroundings()),
        "stores": [_store(settings, recorder, record) for record in records],
    }


_TROUBLE = ("contract", "sentence", "remedy", "traceback")


def _store(settings: Settings, recorder: str, record: StoreRecord) -> dict[str, Any]:
    facts = record.facts
    return {
        "name": facts.name,
        "id": facts.id,
        "contracts": list(facts.contracts),
        "claims": list(facts.claims),
        "recorder": recorder,
        "profile": settings.profile.label,
        "verdict": verdict_line(record, settings.profile),
        "findings": [
            {
                "told": str(finding),
                "cause": cause_to_dict(finding.cause) if finding.known else None,
                "requirements": list(finding.requirements),
                "consequences": [
                    {"check": one.check, "token": one.example.token if one.example else ""}
                    for one in finding.consequences
                ],
            }
            for finding in findings_of(record)
        ],
        "requirements": [
            {**result_to_dict(result), "profile": profile_of(result.requirement).label}
            for check in facts.checks
            if (result := record.results.get(check)) is not None
        ],
        "not_run": [check for check in facts.checks if check not in record.results and check not in record.errors],
        "errors": [{"check": check, "error": error} for check, error in record.errors.items()],
        "troubles": [dict(zip(_TROUBLE, trouble, strict=True)) for trouble in facts.troubles],
        "own_requirements": [
            {"id": id_, "profile": Profile(profile).label, "sentence": sentence, "why": why, "remedy": remedy}
            for id_, profile, sentence, why, remedy in facts.requirements
        ],
    }


def json_of(
    settings: Settings, recorder: str, records: Sequence[StoreRecord], around: Surroundings | None = None
) -> str:
    """Return the report as text."""
    return json.dumps(report_of(settings, recorder, records, around), indent=2, ensure_ascii=False) + "\n"
