"""What ``run-in-ci.md`` shows is YAML, and asks only for options, commands and reports that there are."""

import re

import pytest

from pytest_tradestore.report.files import KINDS
from tests.documentation.options_page import definitions
from tests.documentation.pages import ROOT, Block, blocks

PAGE = ROOT / "docs" / "how-to" / "run-in-ci.md"
BLOCKS = tuple(blocks(PAGE))
OPTIONS = {name for name, _ in definitions().options}


@pytest.mark.parametrize("block", BLOCKS, ids=str)
def test_options_and_reports_are_those_that_there_are(block: Block) -> None:
    assert set(re.findall(r"--tradestore-[a-z-]+", block.text)) <= OPTIONS
    assert set(re.findall(r"--tradestore-report (\w+):", block.text)) <= set(KINDS)


def test_some_are_shown() -> None:
    assert {block.language for block in BLOCKS} == {"sh", "yaml"}
    assert any("--tradestore-report" in block.text for block in BLOCKS)


def test_what_is_shown_as_yaml_is_yaml() -> None:
    yaml = pytest.importorskip("yaml", reason="no library for YAML is installed")

    for block in BLOCKS:
        if block.language == "yaml":
            assert isinstance(yaml.safe_load(block.text), dict)
