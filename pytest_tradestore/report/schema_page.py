"""The page of the JSON report, as Markdown, from its schema; run this module with a path to write it there."""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_tradestore.report.schema import SCHEMA, VERSION, schema

_HEAD = f"""# The JSON report

This page is generated from `pytest_tradestore/report/schema/report-{SCHEMA}.json`, a JSON Schema (draft
2020-12) that is installed with the package; change it there.

`pytest --tradestore-conformance --tradestore-report json:PATH` writes one JSON object (UTF-8). `PATH` is
relative to the directory in which pytest was called; its directory must exist. Under xdist the controlling
process writes it, with the results of all workers. Nothing is written with `--collect-only`, or when the run
ends with a usage error.

`--tradestore-report html:PATH` writes the same for people: [one file that needs nothing
else](../how-to/read-the-report.md). Its layout may change; programs read the JSON.

`schema` is {SCHEMA}, `schema_version` is `"{VERSION}"`. `schema` grows when a program that reads an older
report could misunderstand a newer one; members may be added at any time, so ignore those that you do not know.
`tradestore merge` and `--tradestore-baseline` refuse a report with a higher `schema` than they know. To check a
report:

```python
import json
from jsonschema import validate  # pip install jsonschema
from pytest_tradestore.report.schema import schema

with open("report.json", encoding="utf-8") as file:
    validate(json.load(file), schema())
```
"""
_TAIL = """## In other places

The same results stand in JUnit files (`--junitxml`) as properties of each test case: `tradestore_store`,
`tradestore_requirement`, `tradestore_verdict`, and `tradestore` with the result as JSON. The `classname` of a check is
`tradestore.` and the name of its store; of a store that a test module declares, that module and the name in it.
"""


def page() -> str:
    """Return the page as Markdown."""
    whole = schema()
    parts = [_HEAD, *("\n".join(_part(one)) + "\n" for one in (whole, *whole["$defs"].values())), _TAIL]
    return "\n".join(parts)


def _part(part: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {part['title']}"
    yield ""
    if part["description"]:
        yield part["description"]
        yield ""
    yield "| member | type | value |"
    yield "|---|---|---|"
    for name, member in part["properties"].items():
        yield f"| `{name}` | {_type(member)} | {_value(member)} |"


def _type(member: Mapping[str, Any]) -> str:
    if "items" in member:
        return f"list of {_type(member['items'])}"
    if "anyOf" in member:
        return " or ".join(map(_type, member["anyOf"]))
    if "allOf" in member:
        return _type(member["allOf"][0])
    if "$ref" in member:
        name = member["$ref"].rpartition("/")[2]
        title = schema()["$defs"][name]["title"]
        return f"[{name}](#{_anchor(title)})"
    if "const" in member or "enum" in member:
        return "number" if isinstance(member.get("const"), int) else "text"
    return _TYPES[member["type"]]


def _anchor(title: str) -> str:
    return title.lower().replace(" ", "-").replace("'", "")


_TYPES = {
    "string": "text",
    "integer": "number",
    "number": "number",
    "boolean": "boolean",
    "object": "object",
    "null": "`null`",
}


def _value(member: Mapping[str, Any]) -> str:
    told: str = member["description"]
    if "enum" in member:
        told += ": " + ", ".join(f'`"{one}"`' for one in member["enum"])
    return told


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
