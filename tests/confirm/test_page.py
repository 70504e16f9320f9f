"""The page of what was seen on Linux keeps what it knows, and says what it does not."""

from pathlib import Path

from tests.confirm.asking import CRASHING, FILESYSTEMS
from tests.confirm.page import Page
from tests.sound_stores import SOUND

ROOT = Path(__file__).parents[2]


def page(**rows):
    made = Page(["loses", "tears"], ["keeps"], ("ext4", "xfs"))
    made.rows.update(rows)
    return made


def test_a_store_that_is_asked_again_changes_its_row_and_no_other():
    later = page()
    later.read(page(loses=["**DUR-2** ext4"], keeps=["nothing in 3 states", "nothing in 2 states"]).text("Linux"))
    later.rows["loses"] = ["**DUR-2** xfs"]

    assert "| `loses` | **DUR-2** xfs |\n" in later.text("Linux")
    assert "| `keeps` | nothing in 3 states | nothing in 2 states |\n" in later.text("Linux")


def test_a_page_says_how_much_of_the_matrix_it_lacks():
    partly = page(loses=["**DUR-2** ext4"])

    assert partly.missing() == ["tears", "keeps"]
    assert "1 of 2 broken and 0 of 1 sound stores" in partly.text("Linux")


def test_control_a_whole_page_lacks_nothing():
    whole = page(loses=["-"], tears=["-"], keeps=["nothing", "nothing"])

    assert not whole.missing()
    assert "Not the whole matrix" not in whole.text("Linux")


def test_a_store_that_there_is_no_more_is_left_out():
    later = page()
    later.read("| `forgotten` | **DUR-2** ext4 |")

    assert not later.rows


def test_the_page_of_the_documentation_is_as_it_would_be_written():
    text = (ROOT / "docs/reference/seen-on-linux.md").read_text("utf-8")
    page = Page([row.name for row in CRASHING], [row.name for row in SOUND], FILESYSTEMS)
    page.read(text)

    assert page.text("Linux 6.18") == text
