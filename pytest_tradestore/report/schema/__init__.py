"""What the JSON report looks like, as a JSON Schema (draft 2020-12) beside this file, and whether a file is of it."""

import json
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from pytest_tradestore.errors import ConfigurationError

SCHEMA = 1
"""Grows when a reader of an older report could misread a newer one; new members alone do not count."""
VERSION = f"{SCHEMA}.1"
"""The second number grows when members are added."""


def schema() -> dict[str, Any]:
    """Return the schema of the reports that this version writes."""
    read: dict[str, Any] = json.loads(files(__name__).joinpath(f"report-{SCHEMA}.json").read_text("utf-8"))
    return read


def refuse_another(read: object, where: str) -> Mapping[str, Any]:
    """Return what was read, if it is a report that this version can read.

    Raises ConfigurationError, with one sentence that begins with ``where`` it was read.
    """
    number = read.get("schema") if isinstance(read, dict) else None
    if not isinstance(read, dict) or not isinstance(number, int) or isinstance(number, bool):
        raise ConfigurationError(
            f"{where} is not a report that this version wrote; write it anew with --tradestore-report json:PATH"
        )
    if number > SCHEMA:
        raise ConfigurationError(
            f"{where} has schema {number}, and this version knows none above {SCHEMA}; update pytest-tradestore, or "
            "write it anew with this version"
        )
    if number < SCHEMA:
        raise ConfigurationError(f"{where} has schema {number}, which this version does not know; write it anew")
    return read
