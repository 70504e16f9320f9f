"""The page of requirements in the documentation is the catalogue, as it is now."""

from pathlib import Path

import pytest

from pytest_tradestore.report.requirements_page import page
from pytest_tradestore.requirements import BY_ID, REQUIREMENTS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "requirements.md"


def test_the_page_is_current():
    assert PAGE.read_text() == page(), (
        "python -m pytest_tradestore.report.requirements_page docs/reference/requirements.md"
    )


def test_control_a_changed_sentence_would_be_noticed(monkeypatch):
    changed = REQUIREMENTS[0].__class__("ATOM-1", REQUIREMENTS[0].profile, "does something else", "", "")
    monkeypatch.setattr("pytest_tradestore.report.requirements_page.REQUIREMENTS", (changed, *REQUIREMENTS[1:]))

    assert PAGE.read_text() != page()


@pytest.mark.parametrize("requirement", BY_ID.values(), ids=list(BY_ID))
def test_every_requirement_is_complete(requirement):
    assert not requirement.sentence.endswith(".")
    assert requirement.why.endswith(".")
    assert requirement.remedy.endswith(".")
