"""The pictures of the concepts are those that are drawn now, are shown, and can be read without seeing them."""

from xml.etree import ElementTree

import pytest

from tests.documentation.pages import ROOT
from tests.documentation.pictures import PICTURES

CONCEPTS = ROOT / "docs" / "concepts"


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_is_current_and_shown_on_its_page(name: str) -> None:
    page = (CONCEPTS / name).with_suffix(".md").read_text(encoding="utf-8")

    assert (CONCEPTS / "figures" / name).read_text(encoding="utf-8") == PICTURES[name](), (
        "python -m tests.documentation.pictures docs/concepts/figures"
    )
    assert f"](figures/{name})" in page


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_tells_what_it_shows(name: str) -> None:
    drawn = ElementTree.fromstring(PICTURES[name]())

    assert drawn.findtext("{http://www.w3.org/2000/svg}title")
