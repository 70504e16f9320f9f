"""The snippets of the documentation: for each requirement the shortest store that breaks it, and the same one mended.

They lie in ``docs/snippets``: two modules for each requirement, each with a class ``Store``, and ``snippets.toml``,
which says of each what is wrong and in which words the suite tells it. ``snippets_page`` makes the page of them.
"""

import importlib.util
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_tradestore.bench import Bench
from pytest_tradestore.conformance import checks_for
from pytest_tradestore.settings import Budget, Settings
from pytest_tradestore.target import StoreUnderTest
from pytest_tradestore.verdict import Result
from tests.judging import until_violated

PLACE = Path(__file__).parents[2] / "docs" / "snippets"


@dataclass(frozen=True, slots=True)
class Pointer:
    """A requirement that no snippet of a few lines shows: ``why`` not, and a page or store that does."""

    requirement: str
    why: str
    see: str


@dataclass(frozen=True)
class Snippet:
    """``broken`` and ``mended`` tell what each does; ``says`` are words of the counterexample."""

    requirement: str
    broken: str
    mended: str
    says: str

    def file(self, which: str) -> Path:
        return PLACE / self.requirement / f"{which}.py"

    @cached_property
    def texts(self) -> tuple[str, str]:
        return self.file("broken").read_text(encoding="utf-8"), self.file("mended").read_text(encoding="utf-8")


def read() -> tuple[tuple[Snippet, ...], tuple[Pointer, ...]]:
    """Return the snippets, and the requirements that have none."""
    rows = tomllib.loads((PLACE / "snippets.toml").read_text(encoding="utf-8"))
    snippets = tuple(Snippet(id_, **row) for id_, row in rows.items() if "says" in row)
    return snippets, tuple(Pointer(id_, **row) for id_, row in rows.items() if "says" not in row)


def store_in(file: Path) -> Any:
    """Return the class ``Store`` of a module that lies anywhere."""
    spec = importlib.util.spec_from_file_location(f"{file.stem}_{file.parent.name.replace('-', '_').lower()}", file)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Store


def asked(snippet: Snippet, which: str) -> list[Result]:
    """Return what the checks of its requirement, and no others, make of one of its two stores.

    The broken one is asked until it has shown what it breaks.
    """
    store, bench = StoreUnderTest(which, store_in(snippet.file(which))), Bench(Settings(budget=Budget.QUICK))
    kits = tuple(bench.examined(store).contracts)
    if which == "broken":
        return [r for kit in kits for r in until_violated(store, kit, snippet.requirement, snippet.says)]
    return [check.judge(bench, store) for check in checks_for(kits) if check.requirement == snippet.requirement]
