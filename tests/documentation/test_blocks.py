"""Every block of the README and of the documentation is run, generated, or a sketch that says why."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.documentation.pages import ROOT, Block, blocks
from tests.documentation.test_pages import FOLLOWED

CLAIMED = {
    ("README.md", "python"): "tests/documentation/test_readme_blocks.py",
    ("README.md", "toml"): "tests/documentation/test_readme_blocks.py",
    ("README.md", "sh"): "tests/documentation/test_readme_blocks.py",
    ("README.md", "text"): "tests/test_readme.py",
    ("docs/architecture.md", "layers"): "tests/test_layers.py",
    ("docs/how-to/back-up-and-restore.md", "python"): "tests/reference_store/test_bot_guide.py",
    ("docs/how-to/keep-what-a-trading-bot-knows.md", "python"): "tests/reference_store/test_bot_guide.py",
    ("docs/how-to/read-the-report.md", "sh"): "tests/plugin/test_comparing_in_a_run.py",
    ("docs/how-to/recover.md", "python"): "tests/reference_store/test_recovering.py",
    ("docs/how-to/recover.md", "sh"): "tests/reference_store/test_recovering.py",
    ("docs/how-to/run-in-ci.md", "sh"): "tests/documentation/test_ci_blocks.py",
    ("docs/how-to/run-in-ci.md", "yaml"): "tests/documentation/test_ci_blocks.py",
    ("docs/how-to/use-the-reference-store.md", "python"): "tests/reference_store/test_guide.py",
    ("docs/how-to/use-the-reference-store.md", "sh"): "tests/reference_store/test_guide.py",
    ("docs/reference/declarations.md", "python"): "tests/test_declarations.py",
    ("docs/reference/report-schema.md", "python"): "tests/report/test_schema.py",
    ("docs/reference/snippets.md", "python"): "tests/documentation/test_snippets.py",
}
"""Blocks of one language on a page, and the test that runs them or holds the page to what generates it."""
PAGES = sorted(
    page
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md"))
    if page.parent.name != "decisions"
)


def unclaimed(page: Path) -> list[Block]:
    name = str(page.relative_to(ROOT)) if page.is_relative_to(ROOT) else page.name
    if name in FOLLOWED:
        return []
    known = (block for block in blocks(page) if not block.sketch and not block.source)
    return [block for block in known if (name, block.language) not in CLAIMED]


PARTS = [block for page in PAGES for block in blocks(page) if block.source]


@pytest.mark.parametrize("block", PARTS, ids=str)
def test_a_block_that_is_part_of_a_file_stands_there(block):
    assert block.is_part()


def test_control_a_line_that_is_not_in_the_file_is_noticed():
    assert not any(replace(block, text=f"{block.text}raise SystemExit\n").is_part() for block in PARTS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_block_is_run_or_generated_or_says_why_not(page):
    assert [str(block) for block in unclaimed(page)] == []


def test_control_a_block_that_nobody_claims_is_named(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("```python\npass\n```\n\n<!-- sketch: a drawing -->\n```text\n->\n```\n", encoding="utf-8")

    assert [(block.line, block.language) for block in unclaimed(page)] == [(1, "python")]


@pytest.mark.parametrize(
    ("claim", "test"), CLAIMED.items(), ids=lambda value: "-".join(value) if type(value) is tuple else ""
)
def test_who_claims_blocks_reads_that_page_and_there_are_some(claim, test):
    page, language = claim

    assert Path(page).name.removesuffix(".md") in re.sub(r"[^\w.-]", " ", (ROOT / test).read_text(encoding="utf-8"))
    assert [block for block in blocks(ROOT / page) if block.language == language]
