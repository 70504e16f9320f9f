"""The page that lists the broken and the sound stores says what their registries say."""

from pathlib import Path

from tests.kill_matrix_page import page

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "kill-matrix.md"


def test_the_page_is_current():
    assert PAGE.read_text(encoding="utf-8") == page(), (
        "run: python -m tests.kill_matrix_page docs/reference/kill-matrix.md"
    )
