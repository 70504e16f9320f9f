"""Pages that are followed: their programs run, their commands end as they say, and print what is shown."""

import importlib.util
from pathlib import Path

import pytest

from pytest_tradestore.crash.recorders.strace import StraceRecorder
from tests.documentation.pages import ROOT, blocks, follow

FOLLOWED = (
    "docs/how-to/read-a-counterexample.md",
    "docs/how-to/recipes/aiofiles.md",
    "docs/how-to/recipes/lmdb.md",
    "docs/how-to/recipes/pandas.md",
    "docs/how-to/recipes/sqlite3.md",
    "docs/how-to/test-classes-of-your-own.md",
    "docs/how-to/waivers-and-baselines.md",
    "docs/how-to/write-an-adapter.md",
    "docs/tutorial/a-first-store.md",
)
NEEDS = {"lmdb": "lmdb", "pandas": "pandas"}
"""Recipes of libraries that need not be there."""


@pytest.mark.proof
@pytest.mark.skipif(
    StraceRecorder().unavailable() is not None,
    reason="what is shown was recorded by strace, which cannot be used here",
)
@pytest.mark.parametrize("page", FOLLOWED)
def test_a_page_says_what_happens(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    library = NEEDS.get(Path(page).stem)
    if library is not None and importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    monkeypatch.setenv("EXAMPLES", str(ROOT / "docs" / "examples"))

    differing = [f"{one.block} {one.why}\nprinted:\n{one.printed}" for one in follow(ROOT / page, tmp_path)]

    assert not differing, "\n\n".join(differing)


PAGE = """\
# A page

```python title="part.py"
COUNT = 3
```

```sh
python -c 'import part; print("first"); print("lines:", part.COUNT)'
```

```text
first
...
lines: 3
```
"""


def followed(tmp_path: Path, text: str) -> list[str]:
    page, directory = tmp_path / "page.md", tmp_path / "there"
    page.write_text(text, encoding="utf-8")
    directory.mkdir()
    return [one.why for one in follow(page, directory)]


def test_what_is_written_is_run_and_what_is_printed_is_compared(tmp_path: Path) -> None:
    assert followed(tmp_path, PAGE) == []


def test_control_other_output_is_noticed(tmp_path: Path) -> None:
    assert followed(tmp_path, PAGE.replace("lines: 3", "lines: 4")) == ["prints something else than\nlines: 4\n"]


def test_control_output_in_another_order_is_noticed(tmp_path: Path) -> None:
    assert followed(tmp_path, PAGE.replace("first\n...\nlines: 3", "lines: 3\n...\nfirst")) != []


def test_control_another_status_is_noticed_and_one_that_is_said_is_not(tmp_path: Path) -> None:
    failing = "```sh\nexit 3\n```\n"
    (tmp_path / "said").mkdir()

    assert followed(tmp_path, failing) == ["ends with status 3"]
    assert followed(tmp_path / "said", f"<!-- exits 3 -->\n{failing}") == []


def test_a_sketch_is_not_run(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- sketch: it needs a network -->\n```sh\nexit 3\n```\n", encoding="utf-8")

    assert [block.sketch for block in blocks(page)] == ["it needs a network"]
    assert list(follow(page, tmp_path)) == []
