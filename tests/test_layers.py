"""Imports go downwards in the picture of the layers in ``docs/architecture.md``, and nowhere in a circle.

Imports inside of functions count: they are made late, not made away. Those for type checkers alone do not.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from pytest_tradestore.kits.registry import KITS, ON_REQUEST
from tests.documentation import rooms

TOP = Path(__file__).parents[1]
PACKAGES = {
    "pytest_tradestore": "pytest_tradestore",
    "conformance": "pytest_tradestore.conformance",
    "reference_store": "reference_store",
}
"""Where they lie, and under which name they are imported."""
Graph = Mapping[str, set[str]]


def modules() -> dict[str, Path]:
    found = {}
    for folder, package in PACKAGES.items():
        for path in (TOP / folder).rglob("*.py"):
            parts = path.relative_to(TOP / folder).with_suffix("").parts
            found[".".join((package, *parts)).removesuffix(".__init__")] = path
    return found


def imported(tree: ast.AST, known: Mapping[str, object]) -> Iterator[str]:
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            continue
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            for name in node.names:
                whole = f"{node.module}.{name.name}"
                yield whole if whole in known else str(node.module)
        if isinstance(node, ast.stmt | ast.ExceptHandler | ast.match_case):
            yield from imported(node, known)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@cache
def graph() -> Graph:
    known = modules()
    return {
        name: {other for other in imported(parsed(path), known) if other in known} - {name}
        for name, path in known.items()
    }


def circle(arrows: Graph) -> list[str]:
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def layers() -> list[list[str]]:
    """The lines of the picture, the highest first; a line may end with what it answers."""
    picture = re.search(r"```layers\n(.*?)```", (TOP / "docs" / "architecture.md").read_text("utf-8"), re.DOTALL)
    assert picture is not None
    lines = [re.split(r"\s{2,}", line.strip())[0] for line in picture[1].splitlines() if line.strip()]
    return [line.split(", ") for line in lines]


def room_of(module: str) -> str:
    """The first part of a module's name below the package that is named in the picture."""
    parts = module.split(".")
    return parts[0] if parts[0] == "reference_store" or len(parts) == 1 else parts[1]


def against(arrows: Graph, lines: list[list[str]]) -> list[str]:
    height = {room: -number for number, line in enumerate(lines) for room in line}
    return [
        f"{module} -> {other}"
        for module, others in sorted(arrows.items())
        for other in sorted(others)
        if room_of(module) in height and height.get(room_of(other), 0) > height[room_of(module)]
    ]


def test_every_module_has_its_room_in_the_picture():
    drawn = {room for line in layers() for room in line}

    assert {room_of(module) for module in modules()} - {"pytest_tradestore"} == drawn, (
        "put new rooms into the picture in docs/architecture.md, on the line where they belong"
    )


def test_the_page_has_a_table_of_every_directory_of_modules():
    folders = {str(path.parent.relative_to(TOP)) for path in modules().values()}

    assert sorted(rooms.directories(rooms.PAGE.read_text("utf-8"))) == sorted(folders)


def test_the_tables_of_the_page_are_as_the_code_is():
    page = rooms.PAGE.read_text("utf-8")

    assert rooms.filled(page) == page, "python -m tests.documentation.rooms"


def test_every_module_says_in_its_docstring_what_it_answers():
    assert [str(path) for path in modules().values() if path.stem != "__init__" and not rooms.answered(path)] == []


def test_control_a_module_that_says_nothing_is_found(tmp_path):
    (tmp_path / "silent.py").write_text("VALUE = 1\n", encoding="utf-8")

    assert rooms.answered(tmp_path / "silent.py") == ""


def test_every_arrow_goes_down():
    assert against(graph(), layers()) == []


def test_control_an_arrow_that_goes_up_is_found():
    arrows = {"pytest_tradestore.crash.states": {"pytest_tradestore.session", "pytest_tradestore.target"}}

    assert against(arrows, layers()) == ["pytest_tradestore.crash.states -> pytest_tradestore.session"]


def test_there_are_no_circles():
    assert circle(graph()) == []


def test_control_a_circle_is_found():
    assert set(circle({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}})) == {"a", "b", "c"}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("def later():\n    from pytest_tradestore import session", ["pytest_tradestore.session"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import pytest_tradestore.session", ["typing"]),
        ("from pytest_tradestore.session import begin", ["pytest_tradestore.session"]),
    ],
    ids=["late", "for type checkers", "a name"],
)
def test_what_counts_as_an_import(text, found):
    assert list(imported(ast.parse(text), {"pytest_tradestore.session": None})) == found


CONTRACTS = {kit.name for kit in (*KITS, *ON_REQUEST)}
METHODS = {method for kit in (*KITS, *ON_REQUEST) for method in (*kit.required, *kit.optional) if "_" in method}
TELLS_PEOPLE = ("declarations", "requirements", "contracts")
"""What speaks of contracts to people: pages, the catalogue, and the protocols by name."""


def named_contracts(tree: ast.AST) -> list[str]:
    """The contracts that code names: by their name in a comparison, by a method of theirs, by their module."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            found += [text for part in ast.walk(node) for text in texts(part) if text in CONTRACTS]
        elif isinstance(node, ast.ImportFrom) and str(node.module).startswith("pytest_tradestore.kits."):
            found += [str(node.module)] if (str(node.module).rpartition(".")[2] in KIT_MODULES) else []
        found += [text for text in texts(node) if text in METHODS]
    return found


def texts(node: ast.AST) -> list[str]:
    return [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []


KIT_MODULES = {type(kit).__module__.rpartition(".")[2] for kit in (*KITS, *ON_REQUEST)}


def test_no_engine_and_no_rule_names_a_contract():
    engines = {
        module: path
        for module, path in modules().items()
        if room_of(module) not in ("kits", "reference_store", *TELLS_PEOPLE) and module != "pytest_tradestore"
    }

    named = {module: named_contracts(parsed(path)) for module, path in engines.items()}
    assert {module: names for module, names in named.items() if names} == {}


@pytest.mark.parametrize(
    "text",
    [
        'if kit.name == "bars": pass',
        'if kit.name in ("audit", "jobs"): pass',
        'store.call("write_bars", 1)',
        "from pytest_tradestore.kits.jobs import JobsKit",
    ],
)
def test_control_a_contract_that_is_named_is_found(text):
    assert named_contracts(ast.parse(text))
