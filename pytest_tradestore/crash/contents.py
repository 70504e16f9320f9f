"""For a report: what the files of a directory hold, in a line each, and what became of them.

How they came to that is told by ``explanation``.
"""

from pytest_tradestore.crash.images import DurableImage, ImageFile
from pytest_tradestore.crash.operations import Kind
from pytest_tradestore.observation import counted, shortened
from pytest_tradestore.verdict import Change, PathSeen

MOST_PATHS = 40
"""Of a large directory those are told that have changed, and others up to this many."""
_EXCERPT = 64
_BEFORE_IT = 16
"""Bytes shown around the first difference, and how many of them come before it."""


def changes_between(before: DurableImage, after: DurableImage) -> tuple[Change, ...]:
    """Return what became of each path, in order; of a large directory ``MOST_PATHS``, changed ones before others."""
    earlier = {file.path: file for file in before.files}
    later = {file.path: file for file in after.files}
    changes = [_change(path, earlier.get(path), later.get(path)) for path in sorted({*earlier, *later})]
    told = sorted(changes, key=lambda change: not change.differs)[:MOST_PATHS]
    return tuple(sorted(told, key=lambda change: change.path))


def _change(path: str, before: ImageFile | None, after: ImageFile | None) -> Change:
    sides = _entry(before), _entry(after)
    if before is not None and after is not None and _same(before, after):
        return Change(path, *sides, differs=False)
    held, holds = (file.content if file is not None else b"" for file in (before, after))
    first = max(0, _first_difference(held, holds) - _BEFORE_IT)
    shown = slice(first, first + _EXCERPT)
    return Change(path, *sides, True, first, held[shown].hex(), holds[shown].hex())


def _same(one: ImageFile, other: ImageFile) -> bool:
    return (one.kind, one.content, one.target) == (other.kind, other.content, other.target)


def _first_difference(one: bytes, other: bytes) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _entry(file: ImageFile | None) -> PathSeen | None:
    if file is None:
        return None
    told = {Kind.DIRECTORY: "", Kind.SYMLINK: f"-> {file.target}"}.get(file.kind)
    return PathSeen(file.kind.value, len(file.content), described_content(file.content) if told is None else told)


def described_image(image: DurableImage) -> tuple[str, ...]:
    """Return a line for each file of an image: its name, size, and what it holds."""
    if not image.files:
        return ("the root directory is empty",)
    width = max(len(f.path) for f in image.files)
    lines = []
    for file in image.files:
        if file.kind is Kind.DIRECTORY:
            lines.append(f"{file.path}/")
        elif file.kind is Kind.SYMLINK:
            lines.append(f"{file.path} -> {file.target}")
        else:
            lines.append(f"{file.path:<{width}}  {described_content(file.content)}")
    return tuple(lines)


def described_content(content: bytes) -> str:
    """Return a file's size and a glance at its bytes, zeros told apart."""
    if not content:
        return "empty"
    size = counted(len(content), "byte")
    if not content.strip(b"\0"):
        return f"{size}, all zeros"
    data_end = len(content.rstrip(b"\0"))
    told = shortened(_readable(content[:64]), 40) if content[0] else _leading_zeros(content)
    tail = f", zeros from {data_end:,} on" if data_end < len(content) else ""
    hole = "" if tail or not content[0] else _hole(content)
    return f"{size}{tail}{hole}: {told}"


def _readable(content: bytes) -> str:
    """Return text with everything that cannot be printed escaped, once."""
    text = content.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _leading_zeros(content: bytes) -> str:
    count = len(content) - len(content.lstrip(b"\0"))
    begins = _readable(content[count : count + 40])
    return f"{counted(count, 'zero byte')}, then {shortened(begins, 30)}"


def _hole(content: bytes) -> str:
    start = content.find(bytes(512))
    if start < 0:
        return ""
    rest = content[start:]
    return f", zeros at {start:,}-{start + len(rest) - len(rest.lstrip(bytes(1))):,}"
