"""The page of broken and mended snippets, as Markdown; run this module with a path to write it there."""

import sys
from collections.abc import Iterator
from difflib import SequenceMatcher
from pathlib import Path

from pytest_tradestore.requirements import BY_ID
from tests.documentation.snippets import Pointer, Snippet, read

_HEAD = """\
# Broken and mended

For each requirement the shortest store that breaks it, and the same one mended; what differs is marked. This page is
generated from `docs/snippets`; change it there. A test asks each of them the requirement that it stands under: the
first is violated, in the words shown, and the second holds.

A mended snippet keeps *this* requirement, and perhaps no other: it is as short as it can be. A store that keeps all of
them is made in [the tutorial](../tutorial/a-first-store.md). `pickle` stands for any format that keeps values
exactly."""


def page() -> str:
    """Return the page as Markdown."""
    snippets, pointers = read()
    by_id: dict[str, Snippet | Pointer] = {shown.requirement: shown for shown in (*snippets, *pointers)}
    lines = [_HEAD]
    for id_, requirement in BY_ID.items():
        if id_ in by_id:
            lines += [
                "",
                f"## {id_}",
                "",
                f"[A conforming store](requirements.md#{id_.lower()}) {requirement.sentence}.",
                "",
            ]
            lines += _shown(by_id[id_])
    return "\n".join(lines) + "\n"


def _shown(shown: Snippet | Pointer) -> Iterator[str]:
    if isinstance(shown, Pointer):
        yield f"Not shown here: {shown.why} See [{shown.see.rpartition('/')[2]}]({shown.see})."
        return
    broken, mended = shown.texts
    gone, new = _changed(broken, mended)
    yield from (f"**Broken.** {shown.broken}", "")
    yield from _block(broken, gone)
    yield from ("", f"The suite says: *{shown.says}*", "", f"**Mended.** {shown.mended}", "")
    yield from _block(mended, new)


def _block(text: str, marked: list[int]) -> Iterator[str]:
    lines = f' hl_lines="{" ".join(map(str, marked))}"' if marked else ""
    yield from (f"```python{lines}", text.rstrip("\n"), "```")


def _changed(before: str, after: str) -> tuple[list[int], list[int]]:
    """Return the numbers of the lines that are on one side only."""
    old, new = before.splitlines(), after.splitlines()
    gone, come = [], []
    for what, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if what != "equal":
            gone += [number + 1 for number in range(a, b) if old[number].strip()]
            come += [number + 1 for number in range(c, d) if new[number].strip()]
    return gone, come


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
