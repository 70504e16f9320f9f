"""Puts the JSON reports of the parts of a run together: one report, one verdict for each store, one exit status."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_tradestore.errors import ConfigurationError
from pytest_tradestore.report.records import StoreFacts, StoreRecord, check_id, result_from_dict
from pytest_tradestore.report.schema import refuse_another
from pytest_tradestore.report.summary import requirement_of, verdict_line
from pytest_tradestore.report.surroundings import Surroundings, joined, surroundings_from_dict
from pytest_tradestore.requirements import Profile, Requirement, adopt, find, known
from pytest_tradestore.settings import Budget, Settings

_OF_A_RUN = ("spec", "seed", "budget", "model")
_OF_A_STORE = ("contracts", "claims", "profile", "recorder")


@dataclass(frozen=True, slots=True)
class Merged:
    """A whole run, as its parts told it."""

    settings: Settings
    recorder: str
    records: tuple[StoreRecord, ...]
    around: Surroundings = field(default_factory=Surroundings)

    @property
    def passed(self) -> bool:
        """Whether every store is conformant in the profile that was asked for, with everything run."""
        lines = [verdict_line(record, self.settings.profile) for record in self.records]
        return bool(lines) and all(line.startswith("CONFORMANT") for line in lines) and not self.missing

    @property
    def missing(self) -> tuple[str, ...]:
        """The checks that no part has run."""
        return tuple(
            f"{record.facts.name}/{check}"
            for record in self.records
            for check in record.facts.checks
            if check not in record.results and check not in record.errors
        )


def merge(paths: Sequence[Path]) -> Merged:
    """Read and join reports. Raises ConfigurationError if they are no reports, or not of one run.

    A check may be in several parts if they agree on it.
    """
    parts = [(path, _read(path)) for path in paths]
    first_path, first = parts[0]
    records: dict[str, StoreRecord] = {}
    about: dict[str, tuple[Path, dict[str, Any]]] = {}
    for path, part in parts:
        _agree(_OF_A_RUN, first_path, first, path, part, "the run")
        for store in part["stores"]:
            known_path, known_store = about.setdefault(store["id"], (path, store))
            _agree(_OF_A_STORE, known_path, known_store, path, store, f"store {store['name']}")
            _add(records, path, store)
    stores = [store for _, store in about.values()]
    profiles = {store["profile"] for store in stores} or {Profile.DURABLE.label}
    recorders = {store["recorder"] for store in stores} or {""}
    if len(profiles) > 1 or len(recorders) > 1:
        raise ConfigurationError("the parts are not of one run: their stores have different profiles or recorders")
    settings = Settings(
        profile=Profile[profiles.pop().upper()],
        model=first["model"],
        budget=Budget[first["budget"].upper()],
        seed=first["seed"],
    )
    around = joined([surroundings_from_dict(part.get("run", {})) for _, part in parts])
    return Merged(settings, recorders.pop(), tuple(records.values()), around)


def _read(path: Path) -> dict[str, Any]:
    try:
        read = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigurationError(f"{path} is not a JSON report: {error}") from None
    read = dict(refuse_another(read, str(path)))
    try:
        for name in (*_OF_A_RUN, "stores"):
            read[name]
        for store in read["stores"]:
            _record_of(store)
        Budget[read["budget"].upper()]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"{path} is not a whole report ({type(error).__name__}: {error})") from None
    return read


def _agree(
    members: Sequence[str], one: Path, first: Mapping[str, Any], other: Path, second: Mapping[str, Any], what: str
) -> None:
    for member in members:
        if first[member] != second[member]:
            raise ConfigurationError(
                f"{other} is not a part of the same run as {one}: for {what}, {member} is {second[member]!r} and "
                f"{first[member]!r}"
            )


def _record_of(store: Mapping[str, Any]) -> StoreRecord:
    own = tuple(
        (each["id"], Profile[each["profile"].upper()], each["sentence"], each["why"], each["remedy"])
        for each in store.get("own_requirements", ())
    )
    for each in own:
        adopt(Requirement(*each))
    results = {}
    for read in store["requirements"]:
        if find(read["id"]) is None:  # a team's own, in a report of a version that did not write its sentences
            adopt(Requirement(read["id"], Profile[read["profile"].upper()], "", "", ""))
        results[check_id(read["id"], read["case"])] = result_from_dict(read)
    errors = {each["check"]: each["error"] for each in store["errors"]}
    checks = dict.fromkeys([*results, *store["not_run"], *errors])
    facts = StoreFacts(
        store["id"],
        store["name"],
        tuple(store["contracts"]),
        tuple(store["claims"]),
        tuple(_in_order(checks)),
        requirements=own,
        troubles=tuple(tuple(trouble.values()) for trouble in store.get("troubles", ())),
    )
    Profile[store["profile"].upper()]
    return StoreRecord(facts, results, errors)


def _in_order(checks: Mapping[str, None]) -> Iterator[str]:
    order = {requirement.id: place for place, requirement in enumerate(known())}
    yield from sorted(checks, key=lambda check: order.get(requirement_of(check), len(order)))


def _add(records: dict[str, StoreRecord], path: Path, store: Mapping[str, Any]) -> None:
    new = _record_of(store)
    there = records.setdefault(store["id"], new)
    if there is new:
        return
    if set(there.facts.checks) != set(new.facts.checks):
        raise ConfigurationError(f"{path} is not a part of the same run: store {new.facts.name} has other checks in it")
    for check, result in new.results.items():
        before = there.results.setdefault(check, result)
        if before.verdict is not result.verdict:
            raise ConfigurationError(
                f"{path} says {result.verdict.value} of {new.facts.name}/{check}, and another part "
                f"{before.verdict.value}: a run is the same everywhere, so these are not parts of one"
            )
    there.errors.update(new.errors)
