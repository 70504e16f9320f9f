"""Documents of three versions for tests: 1.0 had one name, 1.1 has two, 2.0 counts its fees in cents."""

from typing import Any

from reference_store import InvalidRecord, Migrations, Schema, Step


def split_name(document: dict[str, Any]) -> dict[str, Any]:
    first, _, last = document.pop("name", "").partition(" ")
    return {**document, "first": first, "last": last}


def fees_in_cents(document: dict[str, Any]) -> dict[str, Any]:
    return {**document, "fees": document.get("fees", 0) * 100}


MIGRATIONS = Migrations("2.0", Step("1.0", "1.1", split_name), Step("1.1", "2.0", fees_in_cents))
SCHEMA = Schema(migrations=MIGRATIONS)
OLD = {"name": "Ada Lovelace", "fees": 3}
NEW = {"fees": 300, "first": "Ada", "last": "Lovelace", "version": "2.0"}


def no_debts(document: dict[str, Any]) -> None:
    if not isinstance(document["cash"], int):
        raise TypeError
    if document["cash"] < 0:
        raise InvalidRecord("cash", "is below zero")


NO_DEBTS = Schema(no_debts)
