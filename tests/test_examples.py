"""The adapters in ``docs/examples`` stay short, are all run by the one command, and are of the versions surveyed."""

import re
import tomllib
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[1] / "docs"
with open(DOCS / "examples" / "pyproject.toml", "rb") as configuration:
    STORES = tomllib.load(configuration)["tool"]["pytest"]["tradestore_stores"]
MODULES = [store.partition("=")[2].partition(":")[0] for store in STORES]
PINNED = re.findall(r"^([\w-]+)==(\S+)$", (DOCS / "examples" / "requirements.txt").read_text(encoding="utf-8"), re.M)


@pytest.mark.parametrize("module", MODULES)
def test_an_adapter_has_at_most_fifteen_lines_of_code(module):
    text = (DOCS / "examples" / f"{module}.py").read_text(encoding="utf-8")

    assert len([line for line in text.splitlines() if line.strip()]) <= 15


@pytest.mark.parametrize(("library", "version"), PINNED)
def test_the_one_command_runs_every_library_that_it_installs(library, version):
    assert f"{library.lower().replace('-', '')}_store" in MODULES


@pytest.mark.parametrize(("library", "version"), PINNED)
def test_the_survey_is_of_the_versions_that_the_one_command_installs(library, version):
    survey = (DOCS / "survey.md").read_text(encoding="utf-8")

    assert re.search(rf"^## {library} {re.escape(version)}$", survey, re.M | re.I)
