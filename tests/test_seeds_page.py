"""The page that says what the guidelines ask for names nothing that is not there."""

import ast
import importlib
import re
from pathlib import Path

import pytest

TOP = Path(__file__).parents[1]
PAGE = TOP / "docs" / "reference" / "seeds.md"
ROW = re.compile(r"^\| (?P<asked>.+?) \| (?P<by>.+?) \| (?P<shown>.+?) \|$", re.MULTILINE)


def rows(text):
    found = [match.groupdict() for match in ROW.finditer(text)]
    return [row for row in found if row["asked"] != "Asked for"]


def named(cell):
    """What a cell names; nothing if it says that it is missing."""
    names = [] if cell == "missing" else re.findall(r"`([^`]+)`", cell)
    assert names or cell == "missing", cell
    return names


def is_there(name):
    """Whether the package has ``name``: exported, in one of its modules, or as a command."""
    if name.startswith("tradestore "):
        command = pytest.importorskip("reference_store.operations.command_line").COMMAND
        for word in name.split()[1:]:
            command = command.commands.get(word)
            if command is None:
                return False
        return True
    if name == "reference_store":
        return True
    parts = name.split(".")
    for length in range(len(parts) - 1, -1, -1):
        try:
            found = importlib.import_module(".".join(("reference_store", *parts[:length])))
        except ModuleNotFoundError:
            continue
        for part in parts[length:]:
            found = getattr(found, part, None)
        return found is not None
    return False


def is_test(name):
    file, _, function = name.partition("::")
    path = TOP / file
    return path.is_file() and any(
        isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == function
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
    )


ROWS = rows(PAGE.read_text("utf-8"))


def test_the_page_has_the_five_documents_and_their_rows():
    text = PAGE.read_text("utf-8")

    assert re.findall(r"^## .*\((\d+)\)$", text, re.MULTILINE) == ["000", "001", "002", "003", "004"]
    assert len(ROWS) > 50
    assert len({(row["asked"], row["by"], row["shown"]) for row in ROWS}) == len(ROWS)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["asked"])
def test_what_a_row_names_is_there(row):
    assert (row["by"] == "missing") is (row["shown"] == "missing")
    assert [name for name in named(row["by"]) if not is_there(name)] == []
    assert [name for name in named(row["shown"]) if not is_test(name)] == []


@pytest.mark.parametrize(
    "name", ["PortfolioShop", "DocumentStore.lend", "core.atomic.Folder", "core.nothing.Directory"]
)
def test_control_a_class_that_is_not_there_is_noticed(name):
    assert not is_there(name)


@pytest.mark.parametrize("name", ["tests/test_seeds_page.py::test_nobody", "tests/nowhere.py::test_it"])
def test_control_a_test_that_is_not_there_is_noticed(name):
    assert not is_test(name)


def test_no_module_of_the_reference_store_is_longer_than_350_lines():
    lengths = {path: len(path.read_text("utf-8").splitlines()) for path in (TOP / "reference_store").rglob("*.py")}

    assert {str(path.relative_to(TOP)): lines for path, lines in lengths.items() if lines > 350} == {}
